"""Trains the runs of a bundle where there is neither network nor git, until time is over.

Runs in the folder that `bundling` packs and train.sh unpacks; reads its plan.json; writes records,
checkpoints and logs there, and after each finished run the archive that `ferutils adopt` takes.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from ferutils import paths, storage
from ferutils.measuring import devices, recording

BUNDLE = paths.ROOT.parent
PLAN, DATASET, ARCHIVE = "plan.json", "fer2013.zip", "records.zip"
BACKENDS = ("jax", "torch", "tensorflow")  # of Keras, in the order in which they are tried
PROBE = {"model": "shallow", "dataset": "drawn", "hidden_neurons": 16, "epochs": 1}
PROBE |= {"augmentation": "generator", "train_images": 70, "evaluation_images": 70}
PROBE_SECONDS = 180
ONE = """
import json, sys
from ferutils.measuring import recording
from ferutils.records import recipes
recording.obtain(recipes.make(**json.loads(sys.argv[1])))
"""
STOP_SECONDS = 10  # a process that is asked to end has so long
LAST_LINES = 15  # of the log of a run that failed
MEBI = 2**20


class Job(NamedTuple):
    """A run that is being trained."""

    run: str
    process: subprocess.Popen
    begun: float  # by the monotonic clock


def main() -> None:
    """Train the plan's runs; the command line is that of train.sh."""
    parser = argparse.ArgumentParser(prog="train.sh", description="Train the runs of this bundle.")
    parser.add_argument("minutes", type=float, help="after which what still runs is stopped")
    parser.add_argument("out", type=Path, help=f"folder for {ARCHIVE}")
    parser.add_argument("--jobs", type=int, default=1, help="runs at once, after a first one alone")
    parser.add_argument("--checkpoints", type=float, default=10, metavar="MIB", help="at most")
    given = parser.parse_args()
    end = time.monotonic() + 60 * given.minutes
    plan = json.loads((BUNDLE / PLAN).read_text())
    _check_python(plan["python"])
    given.out.mkdir(parents=True, exist_ok=True)
    _set_up(given.jobs)
    if (BUNDLE / DATASET).is_file():
        os.environ["FER2013"] = str(BUNDLE / DATASET)
        recording.read_dataset("fer2013")  # into the cache, once for all processes
    print(f"{len(plan['runs'])} runs, {given.jobs} at once. {_probe()}", flush=True)
    stopped = train(plan["runs"], end, given.out, given.jobs)
    kept = list(_small_enough(stopped, given.checkpoints * MEBI))
    pack(given.out, kept)
    print(f"{given.out / ARCHIVE}: {len(list(_records()))} records, {len(kept)} checkpoints.")


def _check_python(expected: str) -> None:
    received = f"{sys.version_info.major}.{sys.version_info.minor}"
    if received != expected:
        raise SystemExit(
            f"Expected Python {expected}, for which the bundle was made. Received: {received}. "
            "Name another as PYTHON, or make the bundle for this one."
        )


def _set_up(jobs: int) -> None:
    """The environment variables of all processes to come."""
    cards = len(devices.cards())
    if cards:
        os.environ["FERUTILS_DEVICE"] = "gpu"
        os.environ["FERUTILS_RUNS_PER_CARD"] = str(-(-jobs // cards))
    # A network is compiled once and not for each seed.
    os.environ["JAX_COMPILATION_CACHE_DIR"] = str(paths.cache() / "xla")
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "1"
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"


def _probe() -> str:
    """Choose the first backend that trains here; what it trains on, in words."""
    chosen = os.environ.get("KERAS_BACKEND")
    for name in [chosen] if chosen else BACKENDS:
        os.environ |= {"KERAS_BACKEND": name, **devices.GROWING.get(name, {})}
        with tempfile.TemporaryDirectory() as folder:
            places = {"FERUTILS_RUNS": f"{folder}/runs", "FERUTILS_CACHE": folder}
            command = [sys.executable, "-c", ONE, json.dumps(PROBE)]
            try:
                done = subprocess.run(
                    command, env=os.environ | places, timeout=PROBE_SECONDS, text=True,
                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                )  # fmt: skip
            except subprocess.TimeoutExpired:
                print(f"{name} trains nothing in {PROBE_SECONDS} seconds.", flush=True)
                continue
        if done.returncode == 0:
            return next(line for line in done.stdout.splitlines() if "training on" in line)
        print(f"{name} does not train here: {done.stdout.strip().splitlines()[-1]}", flush=True)
    raise SystemExit("Expected a backend of Keras that trains. Received: none. Install JAX.")


def train(runs: dict[str, dict], end: float, out: Path, jobs: int) -> list[str]:
    """Train runs in their order, the first alone, so that its time says something.

    Args:
        runs: the parameters of each run's recipe, by its id.
        end: when what still runs is stopped, by the monotonic clock.
        out: the folder of the archive.
        jobs: how many run at once.

    Returns:
        The runs that were stopped.
    """
    waiting, running, alone = list(runs.items()), [], True
    while (waiting or running) and time.monotonic() < end:
        while waiting and len(running) < (1 if alone else jobs):
            running.append(_start(*waiting.pop(0)))
        for job in [one for one in running if one.process.poll() is not None]:
            running.remove(job)
            alone = False
            _tell(job)
            pack(out)
        time.sleep(0.2)
    for job in running:
        job.process.terminate()
    for job in running:
        try:
            job.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            job.process.kill()
            job.process.wait()
    return [job.run for job in running]


def _log(run: str) -> Path:
    return BUNDLE / "logs" / f"{run}.log"


def _start(run: str, recipe: dict) -> Job:
    _log(run).parent.mkdir(exist_ok=True)
    command = [sys.executable, "-c", ONE, json.dumps(recipe)]
    with _log(run).open("a") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    return Job(run, process, time.monotonic())


def _tell(job: Job) -> None:
    seconds = time.monotonic() - job.begun
    if job.process.returncode == 0:
        print(f"{job.run}: recorded after {seconds:.0f} s", flush=True)
        return
    print(f"{job.run}: failed after {seconds:.0f} s", flush=True)
    for line in _log(job.run).read_text(errors="replace").splitlines()[-LAST_LINES:]:
        print(f"  {line}", flush=True)


def _small_enough(stopped: Iterable[str], most: float) -> Iterator[Path]:
    """The checkpoints of stopped runs that go along, while there is room; says what is lost."""
    for run in stopped:
        file = paths.cache() / "checkpoints" / f"{run}.npz"
        size = file.stat().st_size if file.is_file() else 0
        if not size:
            print(f"{run}: stopped before the end of an epoch")
        elif size > most:
            print(f"{run}: stopped; its checkpoint of {size / MEBI:.0f} MiB is lost with this disk")
        else:
            most -= size
            print(f"{run}: stopped; its checkpoint goes along")
            yield file


def _records() -> Iterator[Path]:
    """The folders of the finished records."""
    return (file.parent for file in sorted(paths.new_runs().glob("[!.]*/run.json")))


def pack(out: Path, checkpoints: Iterable[Path] = ()) -> None:
    """Write every finished record, and some checkpoints, into the archive, or leave it as it was.

    Args:
        out: the folder of the archive.
        checkpoints: their files.
    """
    with storage.whole(out / ARCHIVE) as file, zipfile.ZipFile(file, "w") as archive:
        for folder in _records():
            for one in sorted(folder.iterdir()):
                archive.write(one, f"{folder.name}/{one.name}")
        for one in checkpoints:
            archive.write(one, f"checkpoints/{one.name}")


if __name__ == "__main__":
    main()
