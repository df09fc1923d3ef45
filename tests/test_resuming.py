"""Runs whose process is killed: the same command goes on, and makes the record it would have made.

The processes that are killed train on a few drawn faces, and end by SIGKILL at a chosen point.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before Keras is imported

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import small_dataset, small_recipe

from ferutils import paths
from ferutils.measuring import models, recording
from ferutils.records import recipes, runs

pytestmark = pytest.mark.filterwarnings("ignore:Skipping variable loading for optimizer")

SECONDS = ["training_seconds", "validation_seconds"]
RECIPE = small_recipe(
    model="improved", augmentation="generator", kept_epoch="best", epochs=3, train_images=42, seed=5
)

# What the processes run, before the line that says where they are killed.
CHILD = f"""
import os, signal
from helpers import small_dataset
from ferutils.measuring import checkpoints, recording, training
from ferutils.records import recipes, runs

small = small_dataset()
recording.faces.draw = lambda: small
recipe = recipes.Recipe.model_validate_json('''{RECIPE.model_dump_json()}''')

def die(*arguments, **options):
    os.kill(os.getpid(), signal.SIGKILL)

def die_when_told(*arguments, **options):
    input()
    os.kill(os.getpid(), signal.SIGKILL)

def interrupt(*arguments, **options):
    # As Ctrl-C does; a shell that started us in the background has it ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.kill(os.getpid(), signal.SIGINT)

def die_at(place, name, number):
    # Die instead of the call of that number, from 1.
    original, calls = getattr(place, name), []
    def counting(*arguments, **options):
        calls.append(name)
        return (die if len(calls) == number else original)(*arguments, **options)
    setattr(place, name, counting)
"""
AFTER_EPOCH_2 = "die_at(training, 'epoch', 3)"
# Where one process after the other is killed, how, and after which epoch it had gone on itself.
KILLED = {
    "in the first epoch": ("die_at(training, '_evaluate', 1)", None),
    "before the checkpoint of epoch 1 has its name": ("die_at(os, 'replace', 1)", None),
    "after epoch 1": ("die_at(training, 'epoch', 2)", None),
    "in the middle of epoch 2": ("die_at(training, '_evaluate', 1)", 1),
    "after epoch 2": ("die_at(training, 'epoch', 2)", 1),
    "while the last epoch is measured": ("die_at(training, '_keep', 1)", 2),
    "while the weights are written": ("die_at(training.storage, 'sync', 2)", 2),
    "while the record is written": ("die_at(runs, '_write_through', 3)", 3),
    "after the record": ("die_at(checkpoints.Checkpoint, 'remove', 1)", 3),
}


def start(folder, code=""):
    """A process that makes the run with its records and cache in a folder."""
    environment = {
        "PYTHONPATH": os.pathsep.join([str(paths.ROOT), str(Path(__file__).parent)]),
        "FERUTILS_RUNS": str(folder / "runs"),
        "FERUTILS_CACHE": str(folder / "cache"),
    }
    return subprocess.Popen(
        [sys.executable, "-c", f"{CHILD}\n{code}\nrecording.obtain(recipe)"],
        env=os.environ | environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def kill(folder, code):
    """Make the run until it is killed there; what it printed."""
    process = start(folder, code)
    printed, errors = process.communicate()
    assert process.returncode == -signal.SIGKILL, errors
    return printed


@pytest.fixture
def go_on(tmp_path, monkeypatch):
    """The same run in this process, with records and cache in a folder."""
    drawn = small_dataset()
    monkeypatch.setattr(recording.faces, "draw", lambda: drawn)
    monkeypatch.setattr(paths, "RECORDED_RUNS", tmp_path / "report")

    def obtain(folder):
        monkeypatch.setenv("FERUTILS_RUNS", str(folder / "runs"))
        monkeypatch.setenv("FERUTILS_CACHE", str(folder / "cache"))
        return recording.obtain(RECIPE), variables(
            recording.weights(recipes.run_id(RECIPE, drawn.fingerprints))
        )

    return obtain


def variables(file):
    """The weights in a file."""
    model = models.build(RECIPE)
    model.load_weights(file)
    return model.get_weights()


def check_equal(made, expected):
    """The same numbers to the last bit."""
    (record, weights), (other, other_weights) = made, expected
    assert record.history.drop(columns=SECONDS).equals(other.history.drop(columns=SECONDS))
    assert record.run.checksums["predictions.npz"] == other.run.checksums["predictions.npz"]
    assert (record.run.scores, record.run.kept_epoch) == (other.run.scores, other.run.kept_epoch)
    for mine, theirs in zip(weights, other_weights):
        assert mine.tobytes() == theirs.tobytes()


def files_in(folder):
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())


def test_a_run_killed_at_every_place_still_makes_its_record(go_on, tmp_path, monkeypatch, capsys):
    for place, (code, epoch) in KILLED.items():
        assert runs.read_all(tmp_path / "runs") == [], place
        said = re.findall(r"It goes on after epoch (\d),", kill(tmp_path, code))
        assert said == ([] if epoch is None else [str(epoch)]), place

    killed = go_on(tmp_path)
    record = killed[0]
    assert "read from its record" in capsys.readouterr().out
    assert record.run.resumed_after_epochs == [1, 2, 3]
    assert record.run.cost.wall_seconds >= record.history[SECONDS].to_numpy().sum()

    # FORCE=1 means a new training, not the last epoch of the old one.
    monkeypatch.setenv("FORCE", "1")
    whole = go_on(tmp_path)
    printed = capsys.readouterr().out
    assert "being of a training that has its record; it begins at epoch 1" in printed
    assert whole[0].run.resumed_after_epochs == []
    check_equal(killed, whole)
    assert files_in(tmp_path / "cache" / "checkpoints") == []


def test_an_interrupted_run_says_how_to_go_on(tmp_path):
    process = start(tmp_path, f"die = interrupt; {KILLED['after epoch 1'][0]}")
    printed, errors = process.communicate()
    assert process.returncode != 0
    assert "KeyboardInterrupt" in errors
    assert printed.endswith("Stopped. The same command goes on after epoch 1.\n")


def test_of_two_identical_runs_at_once_one_trains_and_the_other_reads(tmp_path):
    processes = [start(tmp_path), start(tmp_path)]
    printed = [process.communicate() for process in processes]
    assert [process.returncode for process in processes] == [0, 0], printed
    outputs = sorted((output for output, _ in printed), key=lambda one: "training on" not in one)
    assert "training on" in outputs[0] and "epoch 3/3" in outputs[0]
    assert "training on" not in outputs[1] and "epoch" not in outputs[1]
    assert "read from its record" in outputs[1]
    assert len(runs.read_all(tmp_path / "runs")) == 1


def test_a_run_that_waits_goes_on_where_the_killed_one_was(tmp_path):
    first = start(tmp_path, f"die = die_when_told; {AFTER_EPOCH_2}")
    assert "training on" in first.stdout.readline()
    second = start(tmp_path)
    assert "another process trains it; waiting for its record." in second.stdout.readline()
    first.communicate("now\n")
    assert first.returncode == -signal.SIGKILL
    printed, errors = second.communicate()
    assert second.returncode == 0, errors
    assert "It goes on after epoch 2" in printed
    assert len(runs.read_all(tmp_path / "runs")) == 1
