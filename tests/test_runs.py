"""Runs: read where recorded, trained where not, and nothing left of a training that failed."""

import json
import os
import re
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import (
    COLUMNS,
    EXPLAINED,
    FEW,
    fabricated,
    log_softmax,
    small_dataset,
    small_recipe,
    work_in,
)

from ferutils import paths
from ferutils.dataset import fer2013
from ferutils.measuring import recording
from ferutils.records import recipes, runs

LIGHT = """
from ferutils import paths
from ferutils.claims import paper
from ferutils.dataset import faces, reading
from ferutils.measuring import recording
from ferutils.records import provenance, recipes, runs
"""


@pytest.fixture(scope="module")
def drawn():
    return small_dataset()


@pytest.fixture
def places(tmp_path, monkeypatch, drawn):
    return work_in(tmp_path, monkeypatch, drawn)


@pytest.fixture
def no_training(monkeypatch):
    def refuse(*arguments):
        raise AssertionError("a run was trained")

    monkeypatch.setattr(recording, "_train", refuse)


def published():
    """What a record says of the published FER-2013."""
    return runs.DatasetNote(
        name="fer2013",
        fingerprints=fer2013.published_fingerprints(),
        counts={split: fer2013.FER2013[split]["counts"] for split in fer2013.SPLITS},
        differences=[],
    )


def files_in(folder):
    """The files below, without the empty ones that are locked while a run is made."""
    found = [file for file in folder.rglob("*") if file.is_file()]
    return [file for file in found if file.parent.name != "locks" or file.read_bytes()]


def python(code, **environment):
    """What a fresh Python prints, as JSON."""
    finished = subprocess.run(
        [sys.executable, "-c", code],
        cwd=paths.ROOT,
        env={name: value for name, value in os.environ.items() if name != "FER2013"} | environment,
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(finished.stdout.splitlines()[-1])


# Imports


def test_importing_the_package_is_quick_and_brings_no_heavy_library():
    code = (
        "import json, sys, time; start = time.perf_counter(); import ferutils; "
        "seconds = time.perf_counter() - start; "
        "heavy = {'tensorflow', 'keras', 'pandas', 'numpy', 'matplotlib'} & set(sys.modules); "
        "print(json.dumps([seconds, sorted(heavy)]))"
    )
    tries = [python(code) for _ in range(3)]
    assert [heavy for _, heavy in tries] == [[]] * 3
    assert min(seconds for seconds, _ in tries) <= 0.3


@pytest.mark.slow
def test_a_recorded_run_is_read_without_keras(places):
    recipe = recipes.make(model="deep", seed=424242)
    runs.write(*fabricated(recipe, published()), places / "runs")
    code = f"""
import json, sys
{LIGHT}
record = recording.obtain(recipes.make(model="deep", seed=424242))
try:
    recording.obtain(recipes.make(model="deep", seed=424243))
except ValueError as error:
    refusal = str(error)
heavy = {{"keras", "tensorflow", "jax", "torch", "matplotlib"}} & set(sys.modules)
print(json.dumps([record.run.id, refusal, sorted(heavy)]))
"""
    name, refusal, heavy = python(code, FERUTILS_RUNS=str(places / "runs"))
    assert name == recipes.run_id(recipe, fer2013.published_fingerprints())
    assert re.search(EXPLAINED, refusal)
    assert heavy == []


@pytest.mark.slow
def test_a_recorded_run_on_drawn_faces_is_read_without_keras(places, drawn):
    runs.write(*fabricated(small_recipe(), runs.note(drawn)), places / "runs")
    code = f"""
import json, sys
{LIGHT}
small = faces.draw({FEW})
faces.draw = lambda: small
recipe = recipes.Recipe.model_validate_json('''{small_recipe().model_dump_json()}''')
record = recording.obtain(recipe)
print(json.dumps([record.run.dataset.name, sorted({{"keras", "tensorflow"}} & set(sys.modules))]))
"""
    name, heavy = python(code, FERUTILS_RUNS=str(places / "runs"))
    assert (name, heavy) == ("drawn", [])
    assert not (places / "cache").exists()


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_a_backend_that_is_not_installed_is_named_with_what_installs_it(places, backend):
    code = f"""
import json, sys

class Absent:
    def find_spec(name, *places):
        if name == "{backend}":
            raise ModuleNotFoundError(name=name)

sys.meta_path.insert(0, Absent)
{LIGHT}
faces.draw = lambda small=faces.draw({FEW}): small
try:
    recording.obtain(recipes.Recipe.model_validate_json('''{small_recipe().model_dump_json()}'''))
except ValueError as error:
    print(json.dumps(str(error)))
"""
    where = {"FERUTILS_RUNS": str(places / "runs"), "FERUTILS_CACHE": str(places / "cache")}
    refusal = python(code, KERAS_BACKEND=backend, **where)
    assert re.search(EXPLAINED, refusal)
    assert f"the Keras backend {backend}" in refusal
    assert f"python -m pip install {backend}" in refusal


# Finding the run


@pytest.mark.usefixtures("no_training")
def test_a_record_of_the_published_dataset_needs_no_dataset(places, capsys):
    recipe = recipes.make(model="deep")
    written = runs.write(*fabricated(recipe, published()), places / "report")
    record = recording.obtain(recipe)
    assert record.run.id == written.name
    assert record.recipe == recipe
    assert capsys.readouterr().out == f"Run {written.name}: read from its record of 2026-01-02.\n"


@pytest.mark.usefixtures("no_training")
@pytest.mark.parametrize("model", ["shallow", "improved", "deep"])
def test_neither_record_nor_dataset_is_refused_with_both_ways_on(places, model):
    with pytest.raises(ValueError, match=EXPLAINED) as refusal:
        recording.obtain(recipes.make(model=model, seed=424242))
    for part in ("Kaggle", "FER2013", "fer2013.csv", "-p data PATH", "-p dataset drawn"):
        assert part in str(refusal.value)
    assert "-p seed 424242" in str(refusal.value)
    assert files_in(places) == []


@pytest.mark.usefixtures("no_training")
def test_a_record_of_another_dataset_is_not_taken(places, monkeypatch):
    recipe = recipes.make(model="deep")
    runs.write(*fabricated(recipe, published()), places / "runs")
    fingerprints = fer2013.published_fingerprints() | {"PublicTest": "0" * 64}
    blurred = SimpleNamespace(fingerprints=fingerprints)
    monkeypatch.setattr(recording.reading, "load", lambda *arguments: blurred)
    with pytest.raises(AssertionError, match="a run was trained"):
        recording.obtain(recipe, "blurred.csv")


@pytest.mark.usefixtures("no_training")
def test_a_damaged_record_is_not_trained_again(places, drawn):
    folder = runs.write(*fabricated(small_recipe(), runs.note(drawn)), places / "runs")
    (folder / "history.csv").write_text("")
    with pytest.raises(ValueError, match=EXPLAINED):
        recording.obtain(small_recipe())


def test_the_place_of_the_dataset_is_the_parameter_or_the_environment(places, monkeypatch):
    asked = []
    monkeypatch.setattr(recording.reading, "load", lambda *arguments: asked.append(arguments))
    recording.read_dataset("fer2013", "given.csv")
    monkeypatch.setenv("FER2013", "environment.csv")
    recording.read_dataset("fer2013")
    recording.read_dataset("fer2013", "given.csv")
    assert [str(source) for source, _ in asked] == ["given.csv", "environment.csv", "given.csv"]
    assert {cache for _, cache in asked} == {places / "cache" / "datasets"}
    monkeypatch.setenv("FER2013", "")
    assert recording.read_dataset("fer2013") is None


def test_drawn_faces_are_at_hand_where_fer2013_is_not(places, drawn, monkeypatch):
    assert recording.dataset_at_hand() is drawn
    monkeypatch.setattr(recording.reading, "load", lambda source, cache: f"read from {source}")
    assert recording.dataset_at_hand("given.csv") == "read from given.csv"


def test_a_dataset_that_is_not_there_is_an_error(places):
    with pytest.raises(FileNotFoundError, match=EXPLAINED):
        recording.obtain(recipes.make(model="deep"), str(places / "nowhere.csv"))
    assert files_in(places) == []


# Training

LINE = re.compile(
    r"epoch [12]/2  loss \d\.\d{4}  accuracy [01]\.\d{4}  validation loss \d\.\d{4}"
    r"  validation accuracy [01]\.\d{4}  \d+:\d\d min left"
)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Skipping variable loading for optimizer")
def test_a_run_is_trained_once_then_read(places, drawn, capsys, monkeypatch):
    first = recording.obtain(small_recipe())
    name = first.run.id
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith(f"Run {name}: training on ")
    assert all(LINE.fullmatch(line) for line in lines[1:])
    assert lines[2].endswith("0:00 min left")

    monkeypatch.setattr(recording, "_train", lambda *arguments: pytest.fail("trained again"))
    second = recording.obtain(small_recipe())
    assert second.run == first.run
    assert capsys.readouterr().out.startswith(f"Run {name}: read from its record of ")
    check_the_record(first, drawn)
    check_the_weights(first, drawn)
    assert {file.relative_to(places).parts[0] for file in files_in(places)} == {"runs", "cache"}
    assert files_in(places / "cache") == [recording.weights(name)]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Skipping variable loading for optimizer")
def test_a_forced_run_is_trained_again_beside_its_old_records(places, drawn, monkeypatch):
    made = fabricated(small_recipe(), runs.note(drawn))
    reported, old = (runs.write(*made, places / name) for name in ("report", "runs"))
    before = (old / "run.json").read_bytes()
    monkeypatch.setenv("FORCE", "1")
    new = recording.obtain(small_recipe())
    assert new.run != made[0]
    assert runs.read(old).run == new.run
    assert (reported / "run.json").read_bytes() == before
    (kept,) = (places / "runs").glob(f".{old.name}-replaced-*/run.json")
    assert kept.read_bytes() == before


def run_of(drawn):
    return recipes.run_id(small_recipe(), drawn.fingerprints)


def check_the_record(record, drawn):
    run = record.run
    assert run.id == run_of(drawn)
    assert run.resumed_after_epochs == []
    assert run.dataset == runs.note(drawn)
    assert (run.dataset.name, run.dataset.counts) == ("drawn", FEW)
    assert run.cost.wall_seconds > record.history["training_seconds"].sum()
    assert run.cost.images_per_second == pytest.approx(
        140 / record.history["training_seconds"].sum()
    )
    assert run.environment.device
    assert run.environment.versions["keras"]
    assert run.started.utcoffset().total_seconds() == 0
    for split, one in record.predictions.items():
        score = run.scores[split]
        assert round(score.accuracy * score.images) == (one.predicted == one.labels).sum()
    text = run.model_dump_json()
    assert str(paths.ROOT) not in text
    assert '"/' not in text


def check_the_weights(record, drawn):
    """The weights make the same predictions in a model that is built anew."""
    from ferutils.measuring import models

    model = models.build(record.recipe)
    model.load_weights(recording.weights(record.run.id))
    for split, one in record.predictions.items():
        logits = model.predict(drawn.splits[split].images[..., None], verbose=0)
        np.testing.assert_array_equal(logits.argmax(axis=1), one.predicted)
        np.testing.assert_allclose(log_softmax(logits), one.log_probabilities, rtol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("failing", ["epoch", "_evaluate", "_predict", "layer_table"])
@pytest.mark.parametrize("failure", [RuntimeError("out of memory"), KeyboardInterrupt()])
def test_a_training_that_fails_leaves_no_record_but_its_checkpoint(
    places, drawn, monkeypatch, capsys, failing, failure
):
    from ferutils.measuring import training

    def fail(*arguments):
        raise failure

    monkeypatch.setattr(training, failing, fail)
    if failing != "epoch":
        row = dict.fromkeys(COLUMNS, 0.5)
        monkeypatch.setattr(training, "epoch", lambda *a: row | {"epoch": a[-1]})
    with pytest.raises(type(failure)):
        recording.obtain(small_recipe())
    kept = [recording._checkpoint_file(run_of(drawn))] if failing == "layer_table" else []
    assert files_in(places) == kept
    assert ("The same command goes on after epoch 2." in capsys.readouterr().out) == bool(kept)


def test_more_images_than_there_are_leave_no_record(places):
    with pytest.raises(ValueError, match=EXPLAINED):
        recording.obtain(small_recipe(train_images=71))
    assert files_in(places) == []


# Time left


@pytest.mark.parametrize(
    "seconds, shown", [(0, "0:00 min"), (59.9, "0:59 min"), (61, "1:01 min"), (6000, "100:00 min")]
)
def test_the_time_left_is_in_minutes_and_seconds(seconds, shown):
    assert recording._minutes(seconds) == shown


def test_the_time_left_is_that_of_the_epochs_to_come(capsys):
    report = recording._progress(recipes.make(model="deep"))
    row = dict.fromkeys(COLUMNS, 0.5)
    row |= {"training_seconds": 25.0, "validation_seconds": 5.0}
    report(row | {"epoch": 3})  # the first of a training that goes on after epoch 2
    report(row | {"epoch": 9})
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("epoch  3/10  loss 0.5000  accuracy 0.5000")
    assert [line.split("  ")[-1] for line in lines] == ["3:30 min left", "0:30 min left"]
