"""Many runs: which of them are recorded, what the others cost, and how they are started.

Reads run records; writes the plan of the runs under _build, which the Snakefile reads, and starts
Snakemake. Needs no Keras.
"""

import hashlib
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ferutils import paths, storage
from ferutils.dataset import fer2013
from ferutils.measuring import devices, recording
from ferutils.records import runs
from ferutils.records.recipes import Recipe, run_id

PROFILES = paths.ROOT / "profiles"
PLANS = paths.ROOT / "_build" / "sweeps"
BYTES_PER_PARAMETER = 4  # of the weights file, float32
# A failed run stops no other, and a record stays though its page fails after the training.
RESTARTED = ("--rerun-incomplete", "--keep-going", "--keep-incomplete")
BASIS = 50  # recorded runs of a network by which others are judged, at most, of each folder


class Dataset(NamedTuple):
    """What planning needs to know of a dataset."""

    fingerprints: dict[str, str]  # SHA-256 of each split
    training_images: int


def dataset(name: str) -> Dataset:
    """The dataset that runs would see: the copy at hand, else FER-2013 as published.

    Raises:
        FileNotFoundError, ValueError: as `recording.read_dataset`.
    """
    found = recording.read_dataset(name)
    if found is None:
        counts = fer2013.FER2013["Training"]["counts"]
        return Dataset(fer2013.published_fingerprints(), sum(counts))
    return Dataset(found.fingerprints, len(found.splits["Training"].labels))


@dataclass(frozen=True)
class Plan:
    """The runs of a sweep, in the order of its file, and which of them are recorded."""

    runs: Mapping[str, Recipe]  # by run id
    recorded: frozenset[str]
    training_images: Mapping[str, int]  # by dataset

    @property
    def open(self) -> list[Recipe]:
        """What is to be trained."""
        return [recipe for run, recipe in self.runs.items() if run not in self.recorded]


def plan(every: Sequence[Recipe]) -> Plan:
    """The runs of recipes on the datasets at hand.

    Raises:
        FileNotFoundError, ValueError: as `dataset`.
    """
    seen = {name: dataset(name) for name in dict.fromkeys(one.dataset for one in every)}
    found = {run_id(one, seen[one.dataset].fingerprints): one for one in every}
    images = {name: one.training_images for name, one in seen.items()}
    return Plan(found, frozenset(recorded() & found.keys()), images)


def recorded(*folders: Path) -> set[str]:
    """The ids of the finished records in some folders, by their names alone.

    Args:
        folders: by default those of the report and of new runs.
    """
    return {
        entry.name
        for folder in folders or (paths.RECORDED_RUNS, paths.new_runs())
        if folder.is_dir()
        for entry in os.scandir(folder)
        if not entry.name.startswith(".") and os.path.isfile(f"{entry.path}/run.json")
    }


# What it takes


class Size(NamedTuple):
    """What runs take."""

    runs: int
    seconds: float  # of training one after the other
    bytes: float  # of records and weights


LARGE = Size(runs=100, seconds=8 * 3600, bytes=20e9)  # above any of these, a person is asked


class Cost(NamedTuple):
    """What one recorded run took."""

    seconds: float  # by training image and epoch, evaluation included
    bytes: float  # of record and weights


def costs(models: Iterable[str]) -> dict[str, list[Cost]]:
    """What the recorded runs of these networks took, by network; a damaged record is left out."""
    found: dict[str, list[Cost]] = {model: [] for model in models}
    for folder in {paths.RECORDED_RUNS, paths.new_runs()}:
        for model in found:
            files = sorted(folder.glob(f"{model}-*/run.json"))[:BASIS]
            found[model] += [cost for cost in map(_cost, files) if cost]
    return found


def _cost(file: Path) -> Cost | None:
    try:
        run = runs.read_run(file.parent)
    except ValueError:
        return None
    record = sum(one.stat().st_size for one in file.parent.iterdir())
    parameters = sum(layer.parameters for layer in run.layers)
    shown = run.recipe.epochs * run.scores["Training"].images
    return Cost(run.cost.wall_seconds / shown, record + BYTES_PER_PARAMETER * parameters)


def estimate(wanted: Plan) -> tuple[Size, list[str]]:
    """What the open runs would take, and the networks without a recorded run to judge by.

    Each is expected to take as long by image and epoch, and as much space, as the median of the
    recorded runs of the same network.
    """
    known = costs({recipe.model for recipe in wanted.open})
    seconds = size = 0.0
    for recipe in wanted.open:
        if known[recipe.model]:
            images = recipe.train_images or wanted.training_images[recipe.dataset]
            middle = [statistics.median(column) for column in zip(*known[recipe.model])]
            seconds += middle[0] * images * recipe.epochs
            size += middle[1]
    unknown = sorted(model for model, found in known.items() if not found)
    return Size(len(wanted.open), seconds, size), unknown


def is_large(size: Size) -> bool:
    """Whether a person is asked before so much is begun."""
    return any(one > limit for one, limit in zip(size, LARGE))


def described(wanted: Plan, size: Size, unknown: Sequence[str]) -> str:
    """The number of runs, and what those would take that are open, in a few lines."""
    lines = [f"{len(wanted.runs)} runs: {len(wanted.recorded)} recorded, {size.runs} to train."]
    if size.seconds:
        lines.append(
            f"About {size.seconds / 3600:.1f} h of training one after the other, "
            f"{size.bytes / 1e9:.2f} GB of records and weights, judged by the recorded runs of "
            "the same network, which may have been trained on another machine."
        )
    if unknown:
        lines.append(f"No estimate for {', '.join(unknown)}: no such run is recorded.")
    return "\n".join(lines)


# How it is started


def job(recipe: Recipe) -> dict[str, str]:
    """The notebook that trains a recipe, and the papermill options that make it do so."""
    return {"notebook": f"notebooks/{recipe.printed_model}.ipynb", "options": recipe.options()}


def write(wanted: Plan) -> Path:
    """Write the jobs of a plan for the Snakefile, so that no process plans them again.

    The file is named by its content: what a running sweep reads never changes.
    """
    planned = {
        "folder": str(paths.new_runs().absolute()),
        "jobs": {run: job(recipe) for run, recipe in wanted.runs.items()},
    }
    content = json.dumps(planned).encode()
    PLANS.mkdir(parents=True, exist_ok=True)
    path = PLANS / f"{hashlib.sha256(content).hexdigest()[:12]}.json"
    storage.write_whole(path, content)
    return path


def start(planned: Path, profile: str | None, options: Sequence[str]) -> int:
    """Run a plan on Snakemake, from its first open run to its last; the exit status.

    Args:
        planned: the file of `write`.
        profile: a folder of `profiles/`, or the path of a profile; None: this machine.
        options: of Snakemake, besides.

    Raises:
        ValueError: there is no such profile, or as `devices.places`.
    """
    where = ["--profile", str(_profile(profile))] if profile else _local()
    command = [sys.executable, "-m", "snakemake", *where, *RESTARTED, *options]
    command += ["--config", f"sweep={planned.relative_to(paths.ROOT)}", "--", "study"]
    return subprocess.run(command, cwd=paths.ROOT, env=os.environ | _absolute()).returncode


def _local() -> list[str]:
    return ["--cores", "all", "--resources", f"gpu={devices.places()}", "--quiet=rules"]


def _profile(name: str) -> Path:
    """The folder of a profile.

    Raises:
        ValueError: there is none of that name.
    """
    for folder in (PROFILES / name, Path(name).absolute()):
        if (folder / "config.yaml").is_file():
            return folder
    known = sorted(path.parent.name for path in PROFILES.glob("*/config.yaml"))
    raise ValueError(
        f"Expected a profile among {', '.join(known)}, or a folder with config.yaml. "
        f"Received: {name}. Give one of these."
    )


def _absolute() -> dict[str, str]:
    """The places in the environment as seen from any folder."""
    given = {"FERUTILS_RUNS": paths.new_runs(), "FERUTILS_CACHE": paths.cache()}
    if os.environ.get("FER2013"):
        given["FER2013"] = Path(os.environ["FER2013"])
    return {name: str(path.absolute()) for name, path in given.items()}
