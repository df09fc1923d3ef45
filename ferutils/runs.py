"""Recipe -> record: read where the run has been recorded, trained where it has not.

Reads records and datasets; writes the record and the weights of a new run. Imports Keras only to
train.
"""

import os
import time
from datetime import UTC, datetime
from pathlib import Path

from ferutils import data, faces, paths, provenance, records
from ferutils.recipes import Recipe, run_id


def obtain(recipe: Recipe, source: str | None = None) -> records.Record:
    """The record of a recipe; the run is trained first if it has none.

    With FORCE=1 in the environment it is trained though it has one, which stays beside the new.

    Args:
        recipe: what to train.
        source: where FER-2013 is, in any public form; None: the environment variable FER2013.
            Without either, a recorded run on the published FER-2013 is still found.

    Raises:
        ValueError: there is neither a record nor a dataset.
    """
    dataset = read_dataset(recipe.dataset, source)
    fingerprints = dataset.fingerprints if dataset else data.published_fingerprints()
    name = run_id(recipe, fingerprints)
    found = records.find(name)
    if found is not None and not _forced():
        print(f"Run {name}: read from its record of {found.run.started:%Y-%m-%d}.", flush=True)
        return found
    if dataset is None:
        raise ValueError(_no_dataset(recipe, name))
    return _train(recipe, dataset, name)


def _forced() -> bool:
    """Whether a recorded run is to be trained again."""
    return os.environ.get("FORCE") == "1"


def _set_aside(name: str) -> None:
    """Make room for a new record where new records go; a record of the report stays as it is."""
    old = paths.new_runs() / name
    if (old / "run.json").is_file():
        old.rename(old.with_name(f".{name}-replaced-{datetime.now(UTC):%Y%m%dT%H%M%S}"))


def read_dataset(name: str, source: str | None = None) -> data.Dataset | None:
    """The dataset of that name; None where FER-2013 is asked for and its place is not given."""
    if name == "drawn":
        return faces.draw()
    source = source or os.environ.get("FER2013")
    return data.load(source, paths.cache() / "datasets") if source else None


def dataset_at_hand(source: str | None = None) -> data.Dataset:
    """FER-2013 where its place is given, else drawn faces, for pages that show faces."""
    return read_dataset("fer2013", source) or faces.draw()


def _no_dataset(recipe: Recipe, name: str) -> str:
    return (
        f"Expected a record of run {name} or the FER-2013 dataset. Received: neither "
        f"({recipe.command()}). Download fer2013.csv from the Kaggle challenge "
        "'challenges-in-representation-learning-facial-expression-recognition-challenge' and give "
        "its path as the environment variable FER2013 or with -p data PATH; or train on drawn "
        "faces, which need no download, with -p dataset drawn."
    )


def _train(recipe: Recipe, dataset: data.Dataset, name: str) -> records.Record:
    """Train, write weights and record, and read the record back."""
    import keras

    from ferutils import training

    device = training.device() or provenance.processor()
    started, start = datetime.now(UTC).replace(microsecond=0), time.perf_counter()
    commit, clean = provenance.commit()
    fingerprint = provenance.code_fingerprint(recipe.model)
    print(f"Run {name}: training on {device}, backend {keras.backend.backend()}.", flush=True)
    trained = training.train(recipe, dataset, _progress(recipe))
    training.save_weights(trained.model, weights(name))
    seconds = trained.history["training_seconds"].sum()
    run = records.Run(
        id=name,
        recipe=recipe,
        dataset=records.note(dataset),
        layers=trained.layers,
        scores=trained.scores,
        kept_epoch=trained.kept_epoch,
        cost=records.Cost(
            wall_seconds=time.perf_counter() - start,
            images_per_second=trained.scores["Training"].images * recipe.epochs / seconds,
            peak_memory_bytes=provenance.peak_memory_bytes(),
        ),
        environment=records.Environment(
            device=device,
            backend=keras.backend.backend(),
            system=provenance.system(),
            versions=provenance.versions(),
        ),
        code=records.Code(commit=commit, clean=clean, fingerprint=fingerprint),
        started=started,
    )
    if _forced():
        _set_aside(name)
    folder = records.write(run, trained.history, trained.predictions, paths.new_runs())
    return records.read(folder)


def weights(name: str) -> Path:
    """Where the weights of a run are kept, outside git."""
    return paths.cache() / "weights" / f"{name}.weights.h5"


def _progress(recipe: Recipe):
    """A reporter that prints one line per epoch, with the time left."""
    start = time.perf_counter()

    def report(row: dict) -> None:
        done = row["epoch"]
        left = (time.perf_counter() - start) / done * (recipe.epochs - done)
        print(
            f"epoch {done:>{len(str(recipe.epochs))}}/{recipe.epochs}"
            f"  loss {row['training_loss']:.4f}  accuracy {row['training_accuracy']:.4f}"
            f"  validation loss {row['validation_loss']:.4f}"
            f"  validation accuracy {row['validation_accuracy']:.4f}"
            f"  {_minutes(left)} left",
            flush=True,
        )

    return report


def _minutes(seconds: float) -> str:
    return f"{int(seconds // 60)}:{int(seconds % 60):02d} min"
