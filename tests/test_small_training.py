"""Networks for a phone: changed images, training, export. Needs no dataset."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before Keras is imported

import sys

import keras
import numpy as np
import pytest
from helpers import EXPLAINED, small_dataset
from phones import RUN, recipe, trained, work_in
from synthetic import record

from ferutils.measuring import augmenting, backend, litert, small, small_recording
from ferutils.measuring.checkpoints import Checkpoint, Identity
from ferutils.records import small as records
from ferutils.records.small import FORMS, MIRRORED

DRAWN = small_dataset()
PLAIN = {"mirror": False, "rotation": 0, "scale": 0, "shift": 0}
PLAIN |= {"contrast": 0, "brightness": 0, "blanked": 0}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    return work_in(tmp_path, monkeypatch)


# ---- what a training sees -----------------------------------------------------------------------

IMAGES = DRAWN.splits["Training"].images


def changed(seed=0, **given):
    return augmenting.augmented(IMAGES, recipe(**PLAIN | given), np.random.default_rng(seed))[
        ..., 0
    ]


def test_images_that_nothing_changes_stay_as_they_are():
    assert changed() == pytest.approx(IMAGES, abs=1e-3)


def test_the_same_seed_changes_images_in_the_same_way():
    every = {"mirror": True, "rotation": 12, "shift": 0.1, "contrast": 0.2, "blanked": 0.5}
    assert np.array_equal(changed(1, **every), changed(1, **every))
    assert not np.array_equal(changed(1, **every), changed(2, **every))


def test_about_half_of_the_images_are_mirrored_and_the_others_stay():
    found = changed(mirror=True)
    same = np.abs(found - IMAGES).max(axis=(1, 2)) < 0.01
    turned = np.abs(found - IMAGES[:, :, ::-1]).max(axis=(1, 2)) < 0.01
    assert (same | turned).all()
    assert 20 < turned.sum() < 50


@pytest.mark.parametrize("given", [{"rotation": 12}, {"scale": 0.12}, {"shift": 0.12}])
def test_a_moved_image_keeps_its_range_and_shows_no_black_border(given):
    bright = np.full((40, 48, 48), 200, np.uint8)
    made = augmenting.augmented(bright, recipe(**PLAIN | given), np.random.default_rng(0))
    assert made == pytest.approx(200, abs=0.01)
    assert np.abs(changed(**given) - IMAGES).mean() > 1


def test_one_square_is_blanked_in_some_images():
    blank = augmenting._squares(1000, recipe(blanked=0.5), np.random.default_rng(0))
    pixels = blank.sum(axis=(1, 2))
    assert set(np.sqrt(pixels)) <= {0, *range(8, 17)}
    assert 0.4 < (pixels > 0).mean() < 0.6


def test_targets_are_smoothed_labels_and_what_teachers_answer():
    labels, taught = np.array([0, 6]), np.full((2, 7), 1 / 7)
    alone = augmenting.targets(labels, recipe(label_smoothing=0.1), None)
    assert alone.sum(axis=1) == pytest.approx(1) and alone.argmax(axis=1).tolist() == [0, 6]
    assert alone[0, 1] == pytest.approx(0.1 / 7)
    both = augmenting.targets(labels, recipe(label_smoothing=0.0, teaching=0.7), taught)
    assert both[0, 0] == pytest.approx(0.3 + 0.7 / 7)


def test_mixup_mixes_images_and_targets_by_the_same_share():
    pixels = np.arange(6, dtype=np.float32).reshape(6, 1, 1, 1) * np.ones((1, 48, 48, 1))
    wanted = np.arange(6, dtype=np.float32)[:, None] * np.ones((1, 7))
    mixed = augmenting.mixed(pixels, wanted, recipe(mixup=0.4), np.random.default_rng(0))
    assert np.allclose(mixed[0][:, 0, 0, 0], mixed[1][:, 0])
    assert not np.allclose(mixed[1], wanted)


def test_averages_follow_the_weights():
    averages = [np.zeros(3)]
    for step in range(1, 2001):
        small._average(averages, [np.ones(3)], 0.99, step)
    assert averages[0] == pytest.approx(1, abs=1e-6)


# ---- the networks, trained and exported ---------------------------------------------------------


@pytest.mark.parametrize("network", records.NETWORKS)
def test_a_network_is_as_small_as_it_has_to_be(network):
    made = small.network(recipe(network))
    assert made.output_shape == (None, 7)
    # A parameter is a byte of the int8 file, which needs some more for its graph.
    assert 0.7 * records.NETWORKS[network] < made.count_params() < 0.95 * records.NETWORKS[network]


class Stopping:
    """A checkpoint that is killed when the training has gone so far."""

    def __init__(self, kept, epochs):
        self.kept, self.epochs = kept, epochs

    def resume(self, model):
        return self.kept.resume(model)

    def save(self, model, progress):
        self.kept.save(model, progress)
        if len(progress.rows) == self.epochs:
            raise KeyboardInterrupt


def checkpoint(path):
    identity = Identity(run="tiny", code="c", environment=RUN.environment)
    return Checkpoint(path, identity)


def test_a_training_that_was_killed_goes_on_to_the_weights_of_one_that_was_not(tmp_path):
    made = recipe(mixup=0.2)
    whole, history = small.train(made, DRAWN, report=[].append)
    path = tmp_path / "tiny.npz"
    with pytest.raises(KeyboardInterrupt):
        small.train(made, DRAWN, None, [].append, Stopping(checkpoint(path), 1))
    again, resumed = small.train(made, DRAWN, None, [].append, checkpoint(path))
    for one, other in zip(whole.get_weights(), again.get_weights(), strict=True):
        assert np.array_equal(one, other)
    losses = [one.training_loss for one in history]
    assert losses == [one.training_loss for one in resumed] and len(losses) == 2


def test_a_network_is_trained_recorded_taught_and_measured_again(folder, monkeypatch):
    backend.load()
    lines = []
    done = small_recording.obtain(recipe(epochs=1), DRAWN, lines.append)
    assert records.read("tiny-seed-0") == done and done.is_current
    assert len(lines) == 2 and "epoch 1 of 1" in lines[0]
    assert not list((folder.parent / "cache" / "checkpoints").glob("*"))
    sizes = [one.bytes for one in done.files.forms.values()]
    assert sizes[0] > sizes[1] > max(sizes[2:])
    assert sizes[-1] < records.NETWORKS["tiny"]
    monkeypatch.setattr(small, "train", None)  # which would fail
    monkeypatch.setattr(litert, "measure", lambda *network: done.files)
    again = small_recording.obtain(recipe(epochs=1), DRAWN, lines.append)
    assert again.weights_sha256 == done.weights_sha256
    with pytest.raises(ValueError, match=EXPLAINED):
        small_recording.obtain(recipe(epochs=2), DRAWN)
    taught = small_recording._taught([small_recording._teacher("tiny-seed-0")], IMAGES)
    assert taught.sum(axis=1) == pytest.approx(1)
    assert taught == pytest.approx(
        small_recording._taught([small_recording.with_weights(done)], IMAGES[:, :, ::-1])
    )


def test_a_teacher_without_record_or_weights_is_refused(folder):
    with pytest.raises(ValueError, match=EXPLAINED):
        small_recording._teacher("small-seed-0")
    records.write(trained())
    with pytest.raises(ValueError, match=EXPLAINED) as refused:
        small_recording._teacher("tiny-seed-0")
    assert "weights of tiny-seed-0" in str(refused.value)


def some_network():
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input(litert.SHAPE[1:]),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(4, 3, strides=2, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(7),
        ]
    )


@pytest.mark.parametrize("form", [*FORMS, MIRRORED])
def test_a_file_answers_as_the_network_does(tmp_path, form):
    model = some_network()
    path = tmp_path / "a.tflite"
    litert.export(model, form, IMAGES, path)
    asked = litert.mirrored(model) if form == MIRRORED else model
    expected = [int(asked(one.reshape(litert.SHAPE)).numpy().argmax()) for one in IMAGES]
    same = litert.answers(path, IMAGES) == expected
    assert same.mean() == 1 if form == "float32" else same.mean() > 0.8
    taken = litert.interpreter(path).get_input_details()[0]
    assert taken["shape"].tolist() == list(litert.SHAPE)
    assert taken["dtype"] == (np.uint8 if form in ("int8", MIRRORED) else np.float32)


def test_tensorflow_runs_a_file_where_litert_is_not_installed(tmp_path, monkeypatch):
    path = tmp_path / "a.tflite"
    litert.export(some_network(), MIRRORED, IMAGES, path)
    expected = litert.answers(path, IMAGES)
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    assert "tensorflow" in type(litert.interpreter(path)).__module__
    assert (litert.answers(path, IMAGES) == expected).mean() > 0.95


def test_the_network_of_a_run_is_exported_as_it_answers(tmp_path, monkeypatch):
    from ferutils.measuring import models, predicting

    backend.load()
    one = record(hidden_neurons=16, precision="mixed_bfloat16")
    trained_model = models.build(one.recipe)
    monkeypatch.setattr(predicting, "trained", lambda _: trained_model)
    model = litert.of_run(one)
    plain = models.build(one.recipe.model_copy(update={"precision": "float32"}))
    plain.set_weights(trained_model.get_weights())
    expected = plain.predict(IMAGES[..., None], verbose=0)
    assert model.predict(IMAGES[..., None], verbose=0) == pytest.approx(expected, abs=1e-4)
    litert.export(model, "float32", IMAGES, tmp_path / "a.tflite")
    assert np.array_equal(litert.answers(tmp_path / "a.tflite", IMAGES), expected.argmax(axis=1))


def test_another_backend_is_refused_before_anything_is_trained(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ValueError, match=EXPLAINED):
        small_recording.obtain(recipe(), DRAWN)
