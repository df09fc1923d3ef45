"""Sweeps: which runs a file describes, what they take, and that none is made twice."""

import json
import os
import re
import subprocess
import sys

import pytest
import yaml
from click.testing import CliRunner
from helpers import EXPLAINED, copy_repository, fabricated
from synthetic import PUBLISHED

from ferutils import cli, paths
from ferutils.dataset import fer2013
from ferutils.measuring import sweep
from ferutils.records import recipes, runs, study

COUNTS = {split: [2] * 7 for split in fer2013.SPLITS}
NOTE = PUBLISHED.model_copy(update={"counts": COUNTS})
TWO = {"model": "shallow", "hidden_neurons": [16, 32], "seeds": [0, 1]}


@pytest.fixture
def places(tmp_path, monkeypatch):
    """A folder of new runs and one of the report's, without a dataset at hand."""
    monkeypatch.setattr(paths, "RECORDED_RUNS", tmp_path / "recorded")
    monkeypatch.setenv("FERUTILS_RUNS", str(tmp_path / "new"))
    monkeypatch.delenv("FER2013", raising=False)
    monkeypatch.setattr(sweep, "PLANS", tmp_path / "plans")
    return tmp_path


def written(folder, entry):
    path = folder / "sweep.yml"
    path.write_text(yaml.safe_dump({"runs": [entry]}))
    return path


def recorded(recipe, folder, **run):
    description, *measured = fabricated(recipe, NOTE)
    return runs.write(description.model_copy(update=run), *measured, folder)


# ---- what is recorded, and what the rest takes --------------------------------------------------


def test_recorded_runs_of_both_folders_are_not_trained_again(places):
    every = study.described(written(places, TWO))
    recorded(every[0], places / "recorded")
    unfinished = recorded(every[1], places / "new")
    recorded(every[2], places / "new")
    (unfinished / "run.json").unlink()
    wanted = sweep.plan(every)
    names = [recipes.run_id(one, PUBLISHED.fingerprints) for one in every]
    assert wanted.recorded == {names[0], names[2]}
    assert wanted.open == [every[1], every[3]]


def test_the_estimate_is_that_of_the_same_network(places):
    other, same = recipes.make(model="deep"), recipes.make(model="shallow", epochs=5)
    recorded(other, places / "recorded", cost=runs.Cost(
        wall_seconds=9e9, images_per_second=1.0, peak_memory_bytes=1))  # fmt: skip
    folder = recorded(same, places / "new", cost=runs.Cost(
        wall_seconds=70.0, images_per_second=1.0, peak_memory_bytes=1))  # fmt: skip
    per_image = 70 / (5 * runs.read(folder).run.scores["Training"].images)
    file = {"model": "shallow", "epochs": [2, 4], "train_images": 700, "seeds": [0, 1]}
    size, unknown = sweep.estimate(sweep.plan(study.described(written(places, file))))
    assert size.runs == 4 and unknown == []
    assert size.seconds == pytest.approx(per_image * 700 * (2 + 2 + 4 + 4))
    assert size.bytes == 4 * sum(path.stat().st_size for path in folder.iterdir())


def test_all_images_are_those_of_the_dataset(places):
    recorded(recipes.make(model="shallow", epochs=1), places / "new")
    file = {"model": "shallow", "epochs": 3, "seeds": [5]}
    size, _ = sweep.estimate(sweep.plan(study.described(written(places, file))))
    images = sum(fer2013.FER2013["Training"]["counts"])
    trained = sum(COUNTS["Training"])
    assert size.seconds == pytest.approx(1.5 / trained * images * 3)  # as `fabricated` says


def test_a_damaged_record_is_no_basis(places):
    folder = recorded(recipes.make(model="shallow", epochs=1), places / "new")
    (folder / "run.json").write_text("{}")
    size, unknown = sweep.estimate(sweep.plan(study.described(written(places, TWO))))
    assert (size.seconds, size.bytes, unknown) == (0, 0, ["shallow"])


# ---- the command --------------------------------------------------------------------------------


@pytest.fixture
def begun(monkeypatch):
    """The runs that `ferutils sweep` would have begun."""
    plans = []
    monkeypatch.setattr(sweep, "start", lambda planned, *_: plans.append(planned) or 0)
    return plans


def call(*arguments, **options):
    return CliRunner().invoke(cli.main, ["sweep", *map(str, arguments)], **options)


def test_the_command_says_what_there_is_to_do_before_it_begins(places, begun):
    file = written(places, TWO)
    recorded(study.described(file)[0], places / "new")
    said = call(file)
    assert said.exit_code == 0 and len(begun) == 1
    assert "4 runs: 1 recorded, 3 to train." in said.output
    assert re.search(r"About \d+\.\d h of training", said.output)
    planned = json.loads(begun[0].read_text())
    assert planned["folder"] == str(places / "new") and len(planned["jobs"]) == 4


def test_without_a_record_of_the_network_it_says_so(places, begun):
    assert "No estimate for shallow: no such run is recorded." in call(written(places, TWO)).output


def test_a_dry_run_and_a_finished_sweep_begin_nothing(places, begun):
    file = written(places, TWO)
    assert call(file, "-n").exit_code == 0
    for recipe in study.described(file):
        recorded(recipe, places / "new")
    assert "4 recorded, 0 to train." in call(file).output
    assert begun == []


@pytest.mark.parametrize("answer, begins", [("y\n", True), ("n\n", False), ("", False)])
def test_a_large_sweep_is_asked_about(places, begun, answer, begins):
    file = written(places, TWO | {"seeds": list(range(sweep.LARGE.runs))})
    assert call(file, input=answer).exit_code == (0 if begins else 1)
    assert bool(begun) is begins
    assert call(file, "--yes").exit_code == 0
    assert len(begun) == begins + 1


@pytest.mark.parametrize("field", sweep.Size._fields)
def test_each_limit_alone_makes_a_sweep_large(field):
    assert not sweep.is_large(sweep.LARGE)
    assert sweep.is_large(sweep.LARGE._replace(**{field: getattr(sweep.LARGE, field) + 1}))


def test_a_bad_file_or_profile_begins_nothing(places, monkeypatch):
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("something was begun"))
    bad = call(written(places, TWO | {"epoch": 1}))
    assert bad.exit_code == 1 and "Did you mean epochs?" in bad.output
    bad = call(written(places, TWO), "--profile", "moon")
    assert bad.exit_code == 1 and re.search(EXPLAINED, bad.output.split("Error: ")[1])


# ---- on this machine ----------------------------------------------------------------------------


FAILS = ("record = recording", "1 / seed; record = recording")


def sweep_in(folder):
    """`ferutils sweep` in a copy of the repository: exit status and output."""
    own = ("FERUTILS_RUNS", "FERUTILS_CACHE", "FER2013")
    environment = {name: value for name, value in os.environ.items() if name not in own}
    run = subprocess.run(
        [sys.executable, "-m", "ferutils.cli", "sweep", "sweep.yml"],
        cwd=folder, env=environment | {"PYTHONPATH": str(folder)}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    return run.returncode, run.stdout


@pytest.mark.slow
def test_a_failed_run_stops_no_other_and_a_finished_one_is_not_made_again(tmp_path):
    checkout = copy_repository(tmp_path / "a copy; touch $(touch hacked) hacked #")
    small = {"dataset": "drawn", "hidden_neurons": 16, "train_images": 70, "evaluation_images": 70}
    file = written(checkout, {"model": "shallow", "epochs": 1, "seeds": [0, 1]} | small)
    failing, finished = study.described(file)
    notebook, folder = checkout / "notebooks" / "shallow.ipynb", checkout / ".cache" / "runs"
    text = notebook.read_text()
    assert FAILS[0] in text

    notebook.write_text(text.replace(*FAILS))
    code, printed = sweep_in(checkout)
    assert code != 0 and "2 runs: 0 recorded, 2 to train." in printed
    assert "ZeroDivisionError" in printed
    assert [record.recipe for record in runs.read_all(folder)] == [finished]
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*.*")}

    notebook.write_text(text)
    code, printed = sweep_in(checkout)
    assert code == 0 and "2 runs: 1 recorded, 1 to train." in printed, printed
    assert {record.recipe for record in runs.read_all(folder)} == {failing, finished}
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert list((checkout / "book").glob("runs/*")) == []
    assert list(tmp_path.rglob("hacked")) == []  # the name of a folder is no command
