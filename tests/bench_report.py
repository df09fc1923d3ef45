"""The time that the pages take which read records, with 1,000 records among which to find theirs.

Makes the records, of the study's recipes and of others, in a copy of the repository, and lets
Snakemake execute the pages there as for the book. Run by `make bench`; fails above 60 seconds.
"""

import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from helpers import fabricated
from synthetic import PUBLISHED, layers

from ferutils import paths
from ferutils.records import recipes, runs, study

RECORDS = 1000
LIMIT_SECONDS = 60
DRAWS_FACES = {"dataset"}  # and imports Keras, which takes its own time whatever the records
SOURCES = ("Snakefile", "ferutils", "notebooks", "book")
SPREAD = 5  # different answers and curves of one model, so that deviations are not zero


def wanted():
    """The recipes of the study, then others like them, to the number of records."""
    every = [recipe for entry in study.load().runs for recipe in entry.recipes]
    others = itertools.product(range(16, 48), recipes.NETWORKS, (2e-3, 5e-4), range(SPREAD))
    every += [
        recipes.make(model=model, batch_size=images, learning_rate=rate, seed=seed)
        for images, model, rate, seed in others
    ]
    return list(dict.fromkeys(every))[:RECORDS]


def write(every, folder):
    """A record of each recipe; those of a model and length share the files of a few."""
    written = {}
    for recipe in every:
        kind = recipe.model, recipe.epochs, recipe.seed % SPREAD
        if kind not in written:
            run, history, predictions = fabricated(recipe, PUBLISHED, recipe.seed)
            run = run.model_copy(update={"layers": layers(recipe.model)})
            written[kind] = runs.write(run, history, predictions, folder)
        else:
            share(written[kind], recipe, folder)


def share(other, recipe, folder):
    """A record with the curves and answers of another, to which its checksums are true."""
    run = runs.Run.model_validate_json((other / "run.json").read_bytes())
    name = recipes.run_id(recipe, PUBLISHED.fingerprints)
    (folder / name).mkdir()
    for file in runs.CHECKED:
        os.link(other / file, folder / name / file)
    text = run.model_copy(update={"id": name, "recipe": recipe}).model_dump_json(indent=2)
    (folder / name / "run.json").write_text(text)


def execute(folder, pages):
    """Seconds that Snakemake takes for the pages, and those of each."""
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "--quiet=all"]
    environment = {**os.environ, "PYTHONPATH": str(folder), "FER2013": ""}
    start = time.perf_counter()
    subprocess.run(
        [*command, *(f"book/pages/{page}.ipynb" for page in pages)],
        cwd=folder, env=environment, check=True,
    )  # fmt: skip
    seconds = time.perf_counter() - start
    executed = {page: folder / "_build" / "executed" / f"{page}.ipynb" for page in pages}
    notes = {page: json.loads(path.read_text())["metadata"] for page, path in executed.items()}
    return seconds, {page: note["papermill"]["duration"] for page, note in notes.items()}


def main():
    """Print a row per page; exit 1 where all together take too long."""
    pages = sorted({path.stem for path in paths.NOTEBOOKS.glob("*.ipynb")} - DRAWS_FACES)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for source in map(paths.ROOT.joinpath, SOURCES):
            copy = shutil.copytree if source.is_dir() else shutil.copy2
            copy(source, folder / source.name)
        for made_here in ("runs", "pages"):
            shutil.rmtree(folder / "book" / made_here, ignore_errors=True)
        write(wanted(), folder / "book" / "runs")
        found = len(list((folder / "book" / "runs").glob("*/run.json")))
        seconds, each = execute(folder, pages)
    print(f"{'page':<16}{'seconds':>8}   with {found:,} records")
    for page, took in each.items():
        print(f"{page:<16}{took:>8.1f}")
    print(
        f"{'together':<16}{seconds:>8.1f}   of {LIMIT_SECONDS} at most, two at a time", flush=True
    )
    sys.exit(seconds > LIMIT_SECONDS)


if __name__ == "__main__":
    main()
