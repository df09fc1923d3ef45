"""Faults around a run: each ends in a clear error or a repeated run, never in a wrong number.

Everything lies under a path with spaces, quotes and letters of several languages.
"""

import contextlib
import errno
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before Keras is imported

import re
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from helpers import COLUMNS, EXPLAINED, FEW, small_dataset, small_recipe, work_in

from ferutils import paths
from ferutils.dataset import faces
from ferutils.measuring import checkpoints, models, recording, training
from ferutils.records import recipes, runs

TESTS = Path(__file__).parent
FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture(scope="module")
def drawn():
    return small_dataset()


@pytest.fixture(scope="module")
def redrawn():
    """The same faces, and a few more."""
    return faces.draw(FEW | {"PublicTest": [4] * 7})


@pytest.fixture
def places(tmp_path, monkeypatch, drawn, redrawn):
    """Where a run works: a folder whose name a shell or an old file system might stumble over."""
    folder = tmp_path / "the cat's Größe, 写真 $HOME"
    folder.mkdir()
    return work_in(folder, monkeypatch, drawn)


@pytest.fixture
def quick(monkeypatch):
    """Each epoch changes the weights by what hangs on the seed and the epoch alone."""
    trained = []

    def epoch(model, recipe, splits, number):
        trained.append(number)
        model.set_weights([weight + 0.001 * number for weight in model.get_weights()])
        row = dict.fromkeys(COLUMNS, 1 / (3 + number))
        return row | {"epoch": number}

    monkeypatch.setattr(training, "epoch", epoch)
    return trained


def same_numbers(one, other):
    return (
        one.history.equals(other.history)
        and one.run.scores == other.run.scores
        and one.run.checksums == other.run.checksums
    )


@contextlib.contextmanager
def patched(place, name, value):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(place, name, value)
        yield


def failing(problem):
    def fail(*arguments, **options):
        raise problem

    return fail


def refused(capsys):
    """The error of a run that could not be made, and what it said."""
    with pytest.raises((OSError, ValueError)) as refusal:
        recording.obtain(small_recipe())
    return refusal.value, capsys.readouterr().out


# A full disk


@pytest.fixture
def undisturbed(places, quick, monkeypatch):
    """The record of a run that met no fault."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FERUTILS_RUNS", str(places / "undisturbed" / "runs"))
        patch.setenv("FERUTILS_CACHE", str(places / "undisturbed" / "cache"))
        record = recording.obtain(small_recipe())
    quick.clear()
    return record


@pytest.mark.parametrize(
    "place, name",
    [(training.storage, "reserve"), (runs, "_write_through")],
    ids=["weights", "record"],
)
def test_a_disk_that_is_full_at_the_end_costs_no_epoch(
    undisturbed, places, quick, capsys, place, name
):
    with patched(place, name, failing(FULL)):
        problem, said = refused(capsys)
    assert problem.errno == errno.ENOSPC
    assert "The same command goes on after epoch 2." in said
    assert runs.read_all(places / "runs") == []
    record = recording.obtain(small_recipe())
    assert quick == [1, 2]
    assert same_numbers(record, undisturbed)
    assert record.run.resumed_after_epochs == [2]


@pytest.fixture
def small_disk(places):
    """A file system on which one checkpoint has room, but not two; and how to make it larger."""
    (places / "cache").mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=5m", "tmpfs", str(places / "cache")]
    with contextlib.suppress(OSError):
        if subprocess.run(mounting, capture_output=True).returncode == 0:
            yield lambda: subprocess.run([*mounting[:3], "-o", "remount,size=64m", mounting[-1]])
            subprocess.run(["umount", mounting[-1]], check=True)
            return
    pytest.skip("a file system can only be mounted by root, where that is allowed")


def test_a_small_disk_stops_a_run_with_its_name_and_a_larger_one_lets_it_go_on(
    undisturbed, places, quick, capsys, small_disk
):
    problem, said = refused(capsys)
    assert problem.errno == errno.ENOSPC
    assert "No checkpoint after epoch 2: No space left on device." in said
    assert "The same command goes on after epoch 1." in said
    assert runs.read_all(places / "runs") == []
    small_disk()
    record = recording.obtain(small_recipe())
    assert quick == [1, 2, 2]
    assert same_numbers(record, undisturbed)
    assert record.run.resumed_after_epochs == [1]


def test_weights_are_not_begun_where_they_have_no_room(places, monkeypatch):
    # HDF5 ends the whole process, without a word, where a disk turns out to be full.
    model = models.build(small_recipe())
    wanted = []

    def reserve(path, size):
        wanted.append(size)
        raise FULL

    monkeypatch.setattr(training.storage, "reserve", reserve)
    with pytest.raises(OSError, match="No space left"):
        training.save_weights(model, places / "full" / "a.weights.h5")
    assert list((places / "full").iterdir()) == []
    monkeypatch.undo()
    training.save_weights(model, places / "a.weights.h5")
    assert (places / "a.weights.h5").stat().st_size <= wanted[0]


# Folders that cannot be written to


@pytest.mark.parametrize("variable", ["FERUTILS_CACHE", "FERUTILS_RUNS"])
def test_a_file_where_a_folder_should_be_is_refused_before_the_training(
    places, quick, monkeypatch, variable
):
    (places / "file").write_text("in the way")
    monkeypatch.setenv(variable, str(places / "file"))
    with pytest.raises(ValueError, match=EXPLAINED) as refusal:
        recording.obtain(small_recipe())
    assert "FERUTILS_CACHE" in str(refusal.value)
    assert quick == []


@pytest.mark.parametrize("folder", ["cache/weights", "cache/checkpoints", "cache/locks", "runs"])
def test_a_folder_that_cannot_be_written_to_is_refused_before_the_training(
    places, quick, monkeypatch, folder
):
    real = os.access
    monkeypatch.setattr(
        os, "access", lambda path, mode: path != places / folder and real(path, mode)
    )
    with pytest.raises(ValueError, match=EXPLAINED) as refusal:
        recording.obtain(small_recipe())
    assert str(places / folder) in str(refusal.value)
    assert quick == []


def test_a_recorded_run_is_read_where_nothing_can_be_written(places, quick, monkeypatch):
    record = recording.obtain(small_recipe())
    (places / "file").write_text("in the way")
    monkeypatch.setenv("FERUTILS_CACHE", str(places / "file"))
    assert recording.obtain(small_recipe()).run == record.run


# Records that lost a part: what test_records.py damages, met by a run


def test_a_record_without_its_description_is_made_again(places, quick):
    record = recording.obtain(small_recipe())
    (places / "runs" / record.run.id / "run.json").unlink()
    assert same_numbers(recording.obtain(small_recipe()), record)
    assert quick == [1, 2, 1, 2]


@pytest.mark.parametrize("file", runs.CHECKED)
@pytest.mark.parametrize("damage", ["missing", "cut off", "edited"])
def test_a_damaged_record_is_an_error_that_says_what_to_do(places, quick, file, damage):
    record = recording.obtain(small_recipe())
    path = places / "runs" / record.run.id / file
    content = path.read_bytes()
    damaged = {"cut off": content[:-9], "edited": content.replace(content[40:41], b"7", 1)}
    path.write_bytes(damaged[damage]) if damage in damaged else path.unlink()
    with pytest.raises(ValueError, match=EXPLAINED):
        recording.obtain(small_recipe())
    assert quick == [1, 2]


# A dataset that changes


def test_a_training_does_not_go_on_with_another_dataset(places, quick, monkeypatch, drawn, redrawn):
    with patched(training, "save_weights", failing(MemoryError())), pytest.raises(MemoryError):
        recording.obtain(small_recipe())
    monkeypatch.setattr(recording.faces, "draw", lambda: redrawn)
    record = recording.obtain(small_recipe())
    assert quick == [1, 2, 1, 2]
    assert record.run.dataset.fingerprints == redrawn.fingerprints
    assert record.run.resumed_after_epochs == []
    assert record.run.id != recipes.run_id(small_recipe(), drawn.fingerprints)


# Locks

HOLDING = """
import sys, time
from ferutils import paths
from ferutils.measuring import recording
(paths.cache() / "locks").mkdir(parents=True)
with recording._alone("shallow-0123456789ab"):
    print("locked", flush=True)
    time.sleep(600)
"""


def test_the_lock_of_a_dead_process_blocks_nobody(places, capsys):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDING],
        env=os.environ | {"PYTHONPATH": str(paths.ROOT)},
        stdout=subprocess.PIPE,
    )
    assert holder.stdout.readline() == b"locked\n"
    with (
        pytest.raises(TimeoutError),
        waiting_at_most(0.5),
        recording._alone("shallow-0123456789ab"),
    ):
        pass
    assert "another process trains it; waiting for its record." in capsys.readouterr().out
    with waiting_at_most(5), recording._alone("shallow-ba9876543210"):
        pass
    holder.kill()
    holder.communicate()
    with waiting_at_most(5), recording._alone("shallow-0123456789ab"):
        pass
    assert capsys.readouterr().out == ""


@contextlib.contextmanager
def waiting_at_most(seconds):
    signal.signal(signal.SIGALRM, failing(TimeoutError()))
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)


# The clock


def test_a_clock_set_back_changes_no_time_of_a_run(places, quick, monkeypatch):
    with patched(training, "save_weights", failing(MemoryError())), pytest.raises(MemoryError):
        recording.obtain(small_recipe())

    class Earlier(datetime):
        @classmethod
        def now(cls, zone=None):
            return datetime(1999, 1, 1, tzinfo=zone)

    monkeypatch.setattr(checkpoints, "datetime", Earlier)
    monkeypatch.setattr(checkpoints.time, "time", lambda: 0.0)
    record = recording.obtain(small_recipe())
    assert abs((datetime.now(UTC) - record.run.started).total_seconds()) < 600
    assert 0 < record.run.cost.wall_seconds < 600
    assert recording.obtain(small_recipe()).run == record.run


# Home


def test_a_home_that_cannot_be_written_to_keeps_nobody_from_training_and_reporting(places):
    notebook = paths.NOTEBOOKS / "shallow.ipynb"
    small = small_recipe(epochs=1, train_images=7, evaluation_images=7)
    options = [
        part for name, value in small.differing().items() for part in ("-p", name, str(value))
    ]
    kept = ("PATH", "LANG", "TF_CPP_MIN_LOG_LEVEL", "FERUTILS_RUNS", "FERUTILS_CACHE")
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    finished = subprocess.run(
        [
            sys.executable,
            "-m",
            "papermill",
            "-k",
            "python3",
            notebook,
            places / "out.ipynb",
            *options,
        ],
        env=environment | {"HOME": "/dev/null", "PYTHONPATH": str(paths.ROOT)},
        cwd=places,
        capture_output=True,
        text=True,
    )
    assert finished.returncode == 0, finished.stderr
    (record,) = runs.read_all(places / "runs")
    assert record.recipe == small


# The table in the book


def test_every_fault_of_the_books_table_has_a_test_that_exists():
    text = (paths.BOOK / "faults.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (.+) \| (.+) \| (.+) \|$", text, re.MULTILINE)[2:]  # header and rule
    there = {path.name for path in TESTS.glob("test_*.py")}
    for path in TESTS.glob("test_*.py"):
        there |= set(re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE))
    assert len(rows) > 20
    for fault, _, shown_by in rows:
        named = re.findall(r"`(test_[\w.]+)`", shown_by)
        assert named, fault
        assert set(named) <= there, fault
