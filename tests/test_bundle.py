"""A bundle trains elsewhere without network, and what comes back is checked before it enters."""

import dataclasses
import os
import shutil
import subprocess
import sys
import time
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from helpers import (
    EXPLAINED,
    commit_all,
    copy_repository,
    fabricated,
    reseal,
    small_dataset,
    small_recipe,
    work_in,
)

from ferutils import paths
from ferutils.dataset import faces
from ferutils.dataset.fer2013 import SPLITS
from ferutils.measuring import bundling, offline
from ferutils.records import adopting, provenance, runs

THERE = " ".join(bundling.NEEDED)  # the libraries of this very environment


def committed(folder):
    """A copy of the repository with one commit of its own."""
    checkout = copy_repository(folder)
    for name in (".gitattributes", ".git_archival.txt"):
        shutil.copy2(paths.ROOT / name, checkout)
    (checkout / ".gitignore").write_text("__pycache__\n_build\n.cache\n")
    commit_all(checkout)
    return checkout


def run(command, folder, **environment):
    own = ("FERUTILS_RUNS", "FERUTILS_CACHE", "FER2013", "PYTHONPATH")
    kept = {name: value for name, value in os.environ.items() if name not in own}
    return subprocess.run(
        command, cwd=folder, env=kept | environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def ferutils(checkout, *arguments):
    command = [sys.executable, "-m", "ferutils.cli", *map(str, arguments)]
    return run(command, checkout, PYTHONPATH=str(checkout))


@pytest.mark.slow
def test_runs_are_trained_without_network_and_taken_in(tmp_path):
    checkout = committed(tmp_path / "here")
    small = {"dataset": "drawn", "hidden_neurons": 16, "train_images": 70, "evaluation_images": 70}
    entry = {"model": "shallow", "epochs": 1, "seeds": [0, 1]} | small
    (tmp_path / "sweep.yml").write_text(yaml.safe_dump({"runs": [entry]}))
    bundle, out = tmp_path / "a bundle", tmp_path / "out"
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    options = ("-o", bundle, "--python", python, "--has", THERE)
    made = ferutils(checkout, "bundle", tmp_path / "sweep.yml", *options)
    assert made.returncode == 0, made.stdout
    assert "2 runs, without images." in made.stdout

    alone = ["unshare", "-n"] if os.getuid() == 0 and shutil.which("unshare") else []
    trained = run(
        [*alone, "sh", bundle / "train.sh", "20", out, "--jobs", "2"],
        tmp_path, PYTHON=sys.executable, KERAS_BACKEND="tensorflow",
    )  # fmt: skip
    assert trained.returncode == 0, trained.stdout
    assert "2 records, 0 checkpoints" in trained.stdout

    taken = ferutils(checkout, "adopt", out / offline.ARCHIVE)
    assert taken.returncode == 0 and taken.stdout.count("taken in") == 2, taken.stdout
    again = ferutils(checkout, "adopt", out / offline.ARCHIVE)
    assert again.returncode == 0 and again.stdout.count("here already") == 2, again.stdout
    head = run(["git", "rev-parse", "HEAD"], checkout).stdout.strip()
    records = runs.read_all(checkout / ".cache" / "runs")
    assert [one.run.code.commit for one in records] == [head, head]


@pytest.mark.slow
def test_a_changed_tree_and_a_damaged_part_are_refused(tmp_path):
    checkout = committed(tmp_path / "here")
    options = ("-o", tmp_path / "bundle", "--has", THERE, "--python", "2.7")
    assert ferutils(checkout, "bundle", *options).returncode == 0
    part = tmp_path / "bundle" / "part-01"
    whole = part.read_bytes()
    part.write_bytes(whole[:-1])
    started = ["sh", tmp_path / "bundle" / "train.sh", "1", tmp_path / "out"]
    damaged = run(started, tmp_path, PYTHON=sys.executable)
    assert damaged.returncode != 0 and "part-01: FAILED" in damaged.stdout
    part.write_bytes(whole)
    other = run(started, tmp_path, PYTHON=sys.executable)
    assert other.returncode != 0 and "Expected Python 2.7" in other.stdout

    (checkout / "new.py").write_text("")
    refused = ferutils(checkout, "bundle", *options)
    assert refused.returncode != 0 and "Commit them first" in refused.stdout


@pytest.fixture
def there(tmp_path, monkeypatch):
    """The bundle's side: its folder, and processes that only pretend to train."""
    work_in(tmp_path, monkeypatch, small_dataset())
    monkeypatch.setattr(offline, "BUNDLE", tmp_path)
    return tmp_path


WORK = """
import json, os, pathlib, sys, time
recipe = json.loads(sys.argv[1])
(pathlib.Path(os.environ["FERUTILS_CACHE"]) / str(recipe["seed"])).write_text(str(time.time()))
time.sleep(recipe["epochs"])
print("no room", flush=True)
sys.exit(recipe["batch_size"])
"""


def test_time_ends_what_runs_and_a_failure_ends_nothing_else(there, monkeypatch, capsys):
    monkeypatch.setattr(offline, "ONE", WORK)
    (there / "cache" / "checkpoints").mkdir(parents=True)
    for name, size in {"c": 10, "d": 200}.items():
        (there / "cache" / "checkpoints" / f"{name}.npz").write_bytes(bytes(size))
    plan = {
        "a": {"seed": 0, "epochs": 0.5, "batch_size": 0},
        "b": {"seed": 1, "epochs": 0, "batch_size": 1},
        "c": {"seed": 2, "epochs": 60, "batch_size": 0},
        "d": {"seed": 3, "epochs": 60, "batch_size": 0},
        "e": {"seed": 4, "epochs": 60, "batch_size": 0},
    }
    last = there / "cache" / "3"  # by whose start time is over
    clock = SimpleNamespace(monotonic=lambda: 2.0 if last.exists() else 0.0, sleep=time.sleep)
    monkeypatch.setattr(offline, "time", clock)
    assert offline.train(plan, 1.0, there, jobs=2) == ["c", "d"]
    began = [float((there / "cache" / str(seed)).read_text()) for seed in range(4)]
    assert min(began[1:]) >= began[0] + 0.5  # the first ran alone
    assert not (there / "cache" / "4").exists()  # two at once, no third
    said = capsys.readouterr().out
    assert "a: recorded" in said and "b: failed" in said and "  no room" in said
    assert [one.stem for one in offline._small_enough(["c", "d"], 100)] == ["c"]
    assert "d: stopped; its checkpoint" in capsys.readouterr().out


# ---- what comes back ----------------------------------------------------------------------------


@pytest.fixture
def made(there):
    """A finished record of code as it is here, where an archive is packed from."""
    recipe = small_recipe()
    run, *measured = fabricated(recipe, runs.note(faces.draw()))
    current = {"fingerprint": provenance.code_fingerprint(recipe.model)}
    run = run.model_copy(update={"code": run.code.model_copy(update=current)})
    return runs.write(run, *measured, there / "runs")


def taken(folder, monkeypatch):
    """What adopting an archive of these records says, on another machine."""
    offline.pack(folder)
    monkeypatch.setenv("FERUTILS_RUNS", str(folder / "other"))
    return dict(adopting.adopt(folder / offline.ARCHIVE))


def test_a_record_is_taken_in_once(there, made, monkeypatch):
    assert taken(there, monkeypatch) == {made.name: ""}
    copy = there / "other" / made.name
    assert {one.name: one.read_bytes() for one in copy.iterdir()} == {
        one.name: one.read_bytes() for one in made.iterdir()
    }
    assert dict(adopting.adopt(there / offline.ARCHIVE)) == {made.name: adopting.HERE}
    assert [one.name for one in (there / "other").iterdir()] == [made.name]


def fingerprint(content):
    content["code"]["fingerprint"] = "0" * 16


def accuracy(content):
    content["scores"]["PublicTest"]["accuracy"] = 1.0


@pytest.mark.parametrize(
    "change, reason",
    [
        (lambda made: reseal(made / "run.json", fingerprint), "of other code than is here"),
        (lambda made: reseal(made / "run.json", accuracy), "where the predictions give"),
        (lambda made: (made / "history.csv").write_text("epoch"), "with SHA-256"),
        (lambda made: (made / "history.csv").unlink(), "history.csv"),
        (lambda made: (made / "run.json").write_bytes(bytes(2**24 + 1)), "more than"),
    ],
)
def test_a_record_that_does_not_vouch_for_itself_stays_outside(
    there, made, monkeypatch, change, reason
):
    change(made)
    assert reason in taken(there, monkeypatch)[made.name]
    assert list((there / "other").iterdir()) == []


def test_a_record_of_other_faces_stays_outside(there, made, monkeypatch):
    other = dataclasses.replace(faces.draw(), fingerprints=dict.fromkeys(SPLITS, "0"))
    monkeypatch.setattr(faces, "draw", lambda: other)
    assert taken(there, monkeypatch) == {made.name: "of another copy of the dataset"}


@pytest.mark.parametrize("name", ["../evil", "/evil", "a/run.json", "shallow-0123456789ab/x.py"])
def test_an_archive_with_anything_else_in_it_is_refused(there, made, name):
    offline.pack(there)
    with zipfile.ZipFile(there / offline.ARCHIVE, "a") as archive:
        archive.writestr(name, "x")
    with pytest.raises(ValueError, match=EXPLAINED):
        list(adopting.adopt(there / offline.ARCHIVE))


def test_what_is_no_archive_is_refused(there):
    (there / "text.zip").write_text("x" * 100)
    with pytest.raises(ValueError, match=EXPLAINED):
        list(adopting.adopt(there / "text.zip"))


def test_a_checkpoint_comes_back_to_where_its_training_looks_for_it(there, monkeypatch):
    file = there / "shallow-0123456789ab.npz"
    np.savez(file, a=np.arange(3))
    offline.pack(there, [file])
    monkeypatch.setenv("FERUTILS_RUNS", str(there / "other"))
    (outcome,) = adopting.adopt(there / offline.ARCHIVE)
    assert outcome == (file.stem, adopting.BEGUN)
    assert (there / "cache" / "checkpoints" / file.name).read_bytes() == file.read_bytes()
