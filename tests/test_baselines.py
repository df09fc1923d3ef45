"""The baselines: fitted, kept, read and set beside runs. Needs no dataset."""

import os

import numpy as np
import pytest
import yaml
from helpers import EXPLAINED, FEW, reseal
from synthetic import DRAWN, OTHER_COPY, PUBLISHED, record

from ferutils.claims import metrics
from ferutils.dataset import fer2013
from ferutils.measuring import linear
from ferutils.records import baselines
from ferutils.records.runs import HELD_OUT, Predictions


def striped(counts):
    """Noise with a bright stripe at a height that tells the emotion; by split."""
    random = np.random.default_rng(0)
    splits = {}
    for split, images in counts.items():
        labels = np.repeat(np.arange(7), images).astype(np.uint8)
        pixels = random.integers(0, 100, (len(labels), 48, 48), np.uint8)
        for image, label in zip(pixels, labels, strict=True):
            image[6 * label : 6 * label + 6] += 100
        splits[split] = (pixels, labels)
    return fer2013.make_dataset("drawn", splits)


DATASET = striped(FEW)
FITTED = linear.fit(DATASET)


def published(linear=FITTED):
    """The linear classifier as if its small dataset were FER-2013."""
    note = linear.description.dataset.model_copy(
        update={"name": "fer2013", "fingerprints": fer2013.published_fingerprints()}
    )
    described = linear.description.model_copy(update={"dataset": note})
    return baselines.Linear(described, linear.predictions)


# ---- the linear classifier ----------------------------------------------------------------------


def test_the_linear_classifier_answers_for_every_held_out_image():
    for split in HELD_OUT:
        found = FITTED.predictions[split]
        assert np.array_equal(found.labels, DATASET.splits[split].labels)
        assert found.log_probabilities.shape == (len(found.labels), 7)
        assert np.exp(found.log_probabilities).sum(axis=1) == pytest.approx(1, abs=5e-3)


def test_the_linear_classifier_learns_what_single_pixels_tell():
    assert metrics.accuracy(FITTED.predictions["PrivateTest"]).value > 0.9


def test_the_linear_classifier_is_fitted_to_training_alone():
    turned = {
        name: (one.images, one.labels if name == "Training" else (one.labels + 1) % 7)
        for name, one in DATASET.splits.items()
    }
    other = linear.fit(fer2013.make_dataset("drawn", turned))
    for split in HELD_OUT:
        ours, theirs = (
            sorted(map(tuple, fitted.predictions[split].log_probabilities.tolist()))
            for fitted in (FITTED, other)
        )
        assert ours == theirs


def test_the_linear_classifier_says_how_it_came_about():
    found = FITTED.description
    assert found.dataset.fingerprints == DATASET.fingerprints
    assert found.settings["C"] in linear.STRENGTHS
    assert found.tried[str(found.settings["C"])] == max(found.tried.values())
    assert set(found.tried) == set(map(str, linear.STRENGTHS))
    assert found.converged
    assert 0 < found.iterations < found.settings["max_iter"]
    assert {"python", "scikit-learn"} <= set(found.versions)


def test_a_solver_that_was_stopped_did_not_converge(monkeypatch):
    monkeypatch.setitem(linear.SETTINGS, "max_iter", 2)
    with pytest.warns(UserWarning, match="failed to converge"):
        found = linear.fit(DATASET).description
    assert (found.iterations, found.converged) == (2, False)


# ---- kept and read ------------------------------------------------------------------------------


def test_the_linear_classifier_is_read_as_it_was_written(tmp_path):
    baselines.write(published(), tmp_path / "new")
    found = baselines.read(tmp_path / "new")
    assert found.description.model_copy(update={"checksum": ""}) == published().description
    for split, one in FITTED.predictions.items():
        assert np.array_equal(found.predictions[split].labels, one.labels)
        again = found.predictions[split].log_probabilities
        assert np.array_equal(again, one.log_probabilities)  # float16 already when fitted
    assert {file.name for file in (tmp_path / "new").iterdir()} == {"linear.json", "linear.npz"}


def test_the_same_answers_give_the_same_bytes(tmp_path):
    for name in ("one", "other"):
        baselines.write(published(), tmp_path / name)
    for file in ("linear.npz", "linear.json"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "other" / file).read_bytes()


def cut_off(file):
    file.write_bytes(file.read_bytes()[:-10])


def changed(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def of_another_dataset(file):
    reseal(file, lambda found: found["dataset"]["fingerprints"].update(Training="0" * 64))


@pytest.mark.parametrize(
    ("name", "damage", "words"),
    [
        ("linear.npz", lambda file: file.unlink(), "linear.npz"),
        ("linear.npz", cut_off, "SHA-256"),
        ("linear.npz", changed, "SHA-256"),
        ("linear.json", lambda file: file.unlink(), "linear.json"),
        ("linear.json", cut_off, "Invalid JSON"),
        ("linear.json", lambda file: file.write_text("{}"), "its sum"),
        ("linear.json", of_another_dataset, "another dataset"),
    ],
)
def test_a_damaged_linear_classifier_is_refused(tmp_path, name, damage, words):
    baselines.write(published(), tmp_path)
    damage(tmp_path / name)
    with pytest.raises(ValueError, match=EXPLAINED) as refused:
        baselines.read(tmp_path)
    assert words in str(refused.value)
    assert "make baselines" in str(refused.value)


def test_an_interrupted_renewal_is_noticed(tmp_path, monkeypatch):
    baselines.write(published(), tmp_path)
    other = {
        split: Predictions(one.labels, np.roll(one.log_probabilities, 1, axis=1))
        for split, one in FITTED.predictions.items()
    }
    replace = os.replace

    def stopped(source, target):
        if target.name == "linear.json":
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(os, "replace", stopped)
    with pytest.raises(KeyboardInterrupt):
        baselines.write(baselines.Linear(published().description, other), tmp_path)
    with pytest.raises(ValueError, match="SHA-256"):
        baselines.read(tmp_path)


def test_the_recorded_linear_classifier_is_of_the_published_dataset():
    found = baselines.read()
    for split in HELD_OUT:
        truth = np.repeat(np.arange(7), fer2013.FER2013[split]["counts"])
        assert np.array_equal(found.predictions[split].labels, truth)
        always = metrics.majority(found.predictions[split])
        assert metrics.accuracy(found.predictions[split]).low > always.high
    assert not found.description.dataset.differences


# ---- always the same answer, and people ---------------------------------------------------------


def test_always_the_most_frequent_emotion_with_the_shares_of_training():
    counts = [1, 1, 2, 10, 2, 2, 2]
    found = baselines.most_frequent(np.array([0, 3], np.uint8), counts)
    assert found.predicted.tolist() == [3, 3]
    assert np.exp(found.log_probabilities) == pytest.approx(np.array([counts, counts]) / 20)
    assert metrics.accuracy(found).value == 0.5


def test_peoples_accuracy_comes_from_its_file_with_its_source(tmp_path):
    entry = {"accuracy": 0.25, "margin": 0.1, "source": "some study"}
    (tmp_path / "human.yml").write_text(yaml.safe_dump(entry))
    assert baselines.human(tmp_path / "human.yml").model_dump() == entry
    found = baselines.human()
    assert 0 < found.margin < found.accuracy < 1
    assert "1307.0414" in found.source


@pytest.mark.parametrize("content", [None, "", "accuracy: much", "accuracy: [", "accuracy: 0.5"])
def test_a_damaged_file_on_people_is_refused(tmp_path, content):
    if content is not None:
        (tmp_path / "human.yml").write_text(content)
    with pytest.raises(ValueError, match=EXPLAINED):
        baselines.human(tmp_path / "human.yml")


# ---- beside a run -------------------------------------------------------------------------------


def test_a_run_on_the_same_images_has_both_baselines_beside_it():
    found = baselines.beside(record(), published())
    assert list(found) == ["always “happy”", "linear classifier"]
    assert found["linear classifier"] is FITTED.predictions
    for split in HELD_OUT:
        truth = np.repeat(np.arange(7), PUBLISHED.counts[split])
        assert np.array_equal(found["always “happy”"][split].labels, truth)


@pytest.mark.parametrize(
    "parameters", [{"note": DRAWN}, {"note": OTHER_COPY}, {"evaluation_images": 70}]
)
def test_a_run_on_other_images_has_no_linear_classifier_beside_it(parameters):
    assert list(baselines.beside(record(**parameters), published())) == ["always “happy”"]
