"""What planning many runs costs: time, memory and files, with all runs recorded and with none.

Makes records that nobody trained in a copy of the repository, and lets `ferutils sweep` and
Snakemake plan there. With --begin it also lets Snakemake go through all the runs, each of which
leaves an empty record at once, to see what the engine itself takes. Run by `make bench` with 1,000
runs; fails where planning these, all recorded, takes more than 10 seconds.
"""

import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import date
from importlib.metadata import version
from pathlib import Path

import yaml
from helpers import copy_repository, fabricated
from synthetic import PUBLISHED

from ferutils import storage
from ferutils.dataset import fer2013
from ferutils.measuring import sweep
from ferutils.records import runs, study

LIMIT_SECONDS = 10
LIMITED_RUNS = 1000
NOTE = PUBLISHED.model_copy(update={"counts": {split: [1] * 7 for split in fer2013.SPLITS}})
# Stands in for papermill: a record without content.
EMPTY_RECORD = """\
import os, pathlib, sys
log = next(word for word in sys.argv if word.startswith("_build/executed/"))
folder = pathlib.Path(os.environ["FERUTILS_RUNS"], pathlib.Path(log).stem)
folder.mkdir(parents=True, exist_ok=True)
(folder / "run.json").touch()
"""


class Place:
    """A copy of the repository with a sweep of so many runs."""

    def __init__(self, folder, runs):
        self.folder, self.new, self.count = folder, folder / ".cache" / "runs", runs
        copy_repository(folder)
        content = {"runs": [{"model": "shallow", "epochs": 1, "seeds": list(range(runs))}]}
        (folder / "sweep.yml").write_text(yaml.safe_dump(content))
        (folder / "stub" / "papermill").mkdir(parents=True)
        (folder / "stub" / "papermill" / "__init__.py").touch()
        (folder / "stub" / "papermill" / "__main__.py").write_text(EMPTY_RECORD)

        os.environ |= {"FERUTILS_RUNS": str(self.new), "FER2013": ""}
        sweep.PLANS = folder / "_build" / "sweeps"
        self.wanted = sweep.plan(study.described(folder / "sweep.yml"))
        self.engine = ["snakemake", "--cores", "2", "--quiet=all", "--config"]
        self.engine += [f"sweep={sweep.write(self.wanted).relative_to(folder)}"]

    def record_all(self):
        """A record of every run; all share the files of the first, to which their sums are true."""
        first, *others = self.wanted.runs.items()
        source = runs.write(*fabricated(first[1], NOTE), self.new)
        described = runs.read_run(source)
        for name, recipe in others:
            (self.new / name).mkdir()
            for file in runs.CHECKED:
                os.link(source / file, self.new / name / file)
            run = described.model_copy(update={"id": name, "recipe": recipe})
            sealed = storage.sealed(run.model_dump_json(indent=2))
            (self.new / name / "run.json").write_bytes(sealed)

    def measure(self, *command):
        """Seconds and peak memory in MB of a Python command in the copy."""
        path = os.pathsep.join([str(self.folder / "stub"), str(self.folder)])
        start = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", *command], cwd=self.folder, stdout=subprocess.DEVNULL,
            env=os.environ | {"PYTHONPATH": path, "FERUTILS_CACHE": str(self.folder / ".cache")},
        )  # fmt: skip
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            sys.exit(f"{' '.join(command)} failed")
        return time.perf_counter() - start, usage.ru_maxrss / 1024

    def plan(self):
        """Seconds of `ferutils sweep`, of Snakemake for all runs and for one, and memory in MB.

        The better of two tries counts, because the machine may be busy with something else.
        """
        one = f"{self.new}/{list(self.wanted.runs)[-1]}/run.json"
        commands = [
            ("ferutils.cli", "sweep", "sweep.yml", "--dry-run"),
            (*self.engine, "--dry-run", "--", "study"),
            (*self.engine, "--dry-run", "--", one),
        ]
        measured = [min(self.measure(*command) for _ in range(2)) for command in commands]
        seconds, memory = zip(*measured)
        return *seconds, max(memory)

    def begin(self):
        """Seconds that Snakemake takes for runs that take none, two at once, and its files."""
        seconds, _ = self.measure(*self.engine, "--set-threads", "record=1", "--", "study")
        files = sum(path.is_file() for path in (self.folder / ".snakemake").rglob("*"))
        return seconds, files


def main(*numbers, begin=False):
    """Print a row for each number of runs; exit 1 where planning is too slow."""
    print(
        f"{os.cpu_count()} processor cores, Python {platform.python_version()}, "
        f"Snakemake {version('snakemake')}, {date.today()}"
    )
    print(f"{'runs':>7} {'recorded':>9} {'ferutils':>9} {'snakemake':>10} {'one job':>8} {'MB':>6}")
    slow = False
    for count in numbers:
        with tempfile.TemporaryDirectory() as name:
            place = Place(Path(name), count)
            none = place.plan()
            print_row(count, "none", none)
            if begin:
                seconds, files = place.begin()
                print(f"{'':7} begun, by run: {seconds / count:.2f} s, {files / count:.1f} files")
                shutil.rmtree(place.new)
            place.record_all()
            every = place.plan()
            print_row(count, "all", every)
            slow |= count == LIMITED_RUNS and every[0] + every[1] > LIMIT_SECONDS
    sys.exit(slow)


def print_row(runs, state, row):
    command, engine, job, memory = row
    print(
        f"{runs:>7,} {state:>9} {command:>9.1f} {engine:>10.1f} {job:>8.1f} {memory:>6.0f}",
        flush=True,
    )


if __name__ == "__main__":
    words = sys.argv[1:]
    numbers = [int(one) for one in words if one.isdigit()] or [LIMITED_RUNS]
    main(*numbers, begin="--begin" in words)
