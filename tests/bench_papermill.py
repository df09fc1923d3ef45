"""What papermill adds to a training: kernel, parameters, and the page's tables and figures.

A small recipe is trained through papermill, as the README says, and in plain Python without a
notebook; both import the same libraries. The two alternate, so that both meet the same machine, and
the best of each counts. Run by `make bench`; fails where the difference is more than 5 seconds.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ferutils import paths
from ferutils.dataset import faces
from ferutils.records import recipes, runs

TRIES = 3
LIMIT_SECONDS = 5
SMALL = {"dataset": "drawn", "epochs": 1, "train_images": 70, "evaluation_images": 70}


def seconds(folder, seed, *command):
    """Wall seconds of a Python command that trains, with records and cache in a folder."""
    places = {"FERUTILS_RUNS": str(folder / "runs"), "FERUTILS_CACHE": str(folder / "cache")}
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, *command], check=True, capture_output=True, env=os.environ | places
    )
    wall = time.perf_counter() - start
    runs.read(folder / "runs" / recipes.run_id(small(seed), faces.draw().fingerprints))
    return wall


def small(seed):
    """The recipe."""
    return recipes.make(model="shallow", seed=seed, **SMALL)


def through_papermill(folder, seed):
    """Wall seconds of the notebook."""
    command = ["-m", "papermill", "--no-progress-bar", "-k", "python3"]
    command += [str(paths.NOTEBOOKS / "shallow.ipynb"), str(folder / "out.ipynb")]
    return seconds(folder / "papermill", seed, *command, *small(seed).options().split())


def plain(folder, seed):
    """Wall seconds of Python alone."""
    recipe = f"recipes.make(**{small(seed).model_dump()})"
    code = (
        "from ferutils.measuring import recording; from ferutils.records import recipes; "
        f"recording.obtain({recipe})"
    )
    return seconds(folder / "plain", seed, "-c", code)


def main():
    """Print a row per try; exit 1 where papermill adds too much."""
    print(f"{'papermill, s':>14}{'plain, s':>14}")
    tries = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(TRIES):
            tries.append([way(Path(folder), seed) for way in (through_papermill, plain)])
            print("".join(f"{wall:>14.1f}" for wall in tries[-1]), flush=True)
    added = min(wall for wall, _ in tries) - min(wall for _, wall in tries)
    print(f"papermill adds {added:.1f} s")
    sys.exit(added > LIMIT_SECONDS)


if __name__ == "__main__":
    main()
