"""`make study`: killed and started again, it loses no record and makes none twice.

Trains a shallow network on a few drawn faces, in a copy of the repository.
"""

import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import yaml
from helpers import fabricated

from ferutils import paths
from ferutils.dataset import faces
from ferutils.records import recipes, runs

pytestmark = pytest.mark.slow

FILES = ("Makefile", "Snakefile", "pyproject.toml", "requirements.txt")
FOLDERS = ("ferutils", "notebooks", "book")
SMALL = {"model": "shallow", "dataset": "drawn", "epochs": 1, "hidden_neurons": 16}
SMALL |= {"train_images": 70, "evaluation_images": 70}
SEEDS = (2, 0, 1)  # in the order of wanting, which is neither theirs nor that of the run ids


class Workplace:
    """A copy of the repository whose study is a few small runs on drawn faces."""

    def __init__(self, folder, seeds):
        self.folder, self.runs, self.started = folder, folder / "book" / "runs", []
        ignored = shutil.ignore_patterns("__pycache__", "runs", "pages")
        for name in FILES:
            shutil.copy2(paths.ROOT / name, folder / name)
        for name in FOLDERS:
            shutil.copytree(paths.ROOT / name, folder / name, ignore=ignored)
        page = folder / "notebooks" / "shallow.ipynb"
        training = nbformat.read(page, as_version=4)
        training.cells = training.cells[:3]  # the title, the parameters, the training
        nbformat.write(training, page)
        entry = {"part": "small", **SMALL, "seeds": list(seeds)}
        study = {"parts": {"small": "Small numbers"}, "runs": [entry]}
        (folder / "book" / "study.yml").write_text(yaml.safe_dump(study))
        (folder / "ready").touch()  # what `make` takes for the environment, which is this one
        note = runs.note(faces.draw())
        every = [recipes.make(**SMALL, seed=seed) for seed in seeds]
        self.fabricated = [fabricated(recipe, note) for recipe in every]
        self.wanted = [recipes.run_id(recipe, note.fingerprints) for recipe in every]

    def start(self):
        """`make study` as a person starts it, in a process group of its own."""
        own = ("MAKEFLAGS", "MFLAGS", "FERUTILS_RUNS", "FERUTILS_CACHE", "FER2013")
        environment = {name: value for name, value in os.environ.items() if name not in own}
        process = subprocess.Popen(
            ["make", "study", f"BIN={Path(sys.executable).parent}", "READY=ready"],
            cwd=self.folder, env=environment | {"PYTHONPATH": str(self.folder)}, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        self.started.append(process)
        return process

    def kill(self):
        """End with SIGKILL whatever of the studies is still at work."""
        for process in self.started:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()

    def finished(self):
        """The records there are, each read and checked, by run id."""
        return {record.run.id: record for record in runs.read_all(self.runs)}

    def files(self):
        """Content and time of change of every file among the records."""
        found = filter(Path.is_file, self.runs.rglob("*"))
        return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in found}


@pytest.fixture
def workplace(tmp_path):
    """A workplace with these seeds; nothing of it goes on after the test."""
    places = []

    def make(*seeds):
        places.append(Workplace(tmp_path, seeds))
        return places[-1]

    yield make
    for place in places:
        place.kill()


def trained(printed):
    """The runs whose training was begun, in order."""
    return re.findall(r"Run ([\w-]+): training on", printed)


def lines_until(process, enough):
    """What a process prints, up to the line with which it is enough."""
    printed = ""
    for line in process.stdout:
        printed += line
        if enough(printed):
            return printed
    raise AssertionError(printed)


def to_the_end(process):
    printed, _ = process.communicate()
    return process.returncode, printed


def test_a_study_that_was_killed_goes_on_where_it_was(workplace):
    place = workplace(*SEEDS)
    first, second, third = place.wanted

    killed = place.start()
    printed = lines_until(killed, lambda so_far: len(trained(so_far)) == 2)
    place.kill()
    assert trained(printed) == [first, second]
    before = place.files()
    assert list(place.finished()) == [first]
    assert {path.parent.name for path in before} == {first}

    with open(place.folder / ".snakemake" / "alive") as alive:
        fcntl.flock(alive, fcntl.LOCK_SH)  # as if the first study were still at work
        code, printed = to_the_end(place.start())
    assert code != 0 and "cannot be locked" in printed
    assert place.files() == before

    code, printed = to_the_end(place.start())
    assert code == 0, printed
    assert trained(printed) == [second, third]
    assert "lock" not in printed.lower()
    after = place.files()
    assert {path: after[path] for path in before} == before
    assert set(place.finished()) == {first, second, third} == set(os.listdir(place.runs))
    assert len(after) == 3 * len(before)

    code, printed = to_the_end(place.start())
    assert code == 0, printed
    assert trained(printed) == []
    assert place.files() == after


def test_a_record_stays_whatever_comes_after_its_training(workplace):
    place = workplace(1, 0)
    trained_here, came_otherwise = place.wanted
    page = place.folder / "notebooks" / "shallow.ipynb"
    page.write_text(page.read_text().replace("figures.house_style()", "figures.nothing()"))

    process = place.start()
    printed = lines_until(process, trained)
    runs.write(*place.fabricated[1], place.runs)  # as from another machine
    before = place.files()
    code, rest = to_the_end(process)
    assert code != 0  # both pages failed after their records were there
    assert (printed + rest).count("has no attribute 'nothing'") >= 2
    assert trained(printed + rest) == [trained_here]
    assert set(place.finished()) == {trained_here, came_otherwise}
    after = place.files()
    assert all(after[path][0] == content for path, (content, _) in before.items())
