"""Recipe -> record: read where the run has been recorded, trained where it has not.

Reads records and datasets; writes the record and the weights of a new run, and what a training
that dies goes on from. Imports Keras only to train.
"""

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ferutils import paths, storage
from ferutils.dataset import faces, fer2013, reading
from ferutils.measuring import backend, devices
from ferutils.records import provenance, runs
from ferutils.records.recipes import Recipe, run_id

if TYPE_CHECKING:
    import keras

    from ferutils.measuring.checkpoints import Checkpoint
    from ferutils.measuring.training import Trained

CACHED = ("checkpoints", "locks", "weights")  # folders of the cache that a run writes to


def obtain(recipe: Recipe, source: str | None = None) -> runs.Record:
    """The record of a recipe; the run is trained first if it has none.

    A training that was cut off goes on after its last whole epoch. Of several processes that want
    the same run, one trains and the others wait for its record. With FORCE=1 in the environment it
    is trained though it has one, which stays beside the new.

    Args:
        recipe: what to train.
        source: where FER-2013 is, in any public form; None: the environment variable FER2013.
            Without either, a recorded run on the published FER-2013 is still found.

    Raises:
        FileNotFoundError: there is nothing at `source`.
        ValueError: there is neither a record nor a dataset, or no place to write to.
    """
    dataset = read_dataset(recipe.dataset, source)
    fingerprints = dataset.fingerprints if dataset else fer2013.published_fingerprints()
    name = run_id(recipe, fingerprints)
    found = runs.find(name)
    if not _forced():
        known = found or runs.find_answer(recipe, fingerprints)
        if known is not None:
            return _told(known)
    if dataset is None:
        raise ValueError(_no_dataset(recipe, name))
    _make_places()
    folders = [paths.new_runs()] if _forced() else None
    before = runs.find(name, folders)
    with _alone(name):
        now = runs.find(name, folders)
        if now is not None and (before is None or now.run != before.run):
            return _told(now)
        finished = frozenset(one.run.started for one in (found, now) if one is not None)
        return _train(recipe, dataset, name, finished)


def _told(record: runs.Record) -> runs.Record:
    """The record, after saying that it was read."""
    run = record.run
    answers = "" if record.own else " answers for this recipe too"
    print(f"Run {run.id}{answers}: read from its record of {run.started:%Y-%m-%d}.", flush=True)
    return record


def _make_places() -> None:
    """Make the folders that a run writes to, before hours are spent on what could not be kept."""
    for folder in (paths.new_runs(), *(paths.cache() / name for name in CACHED)):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            reason = "" if os.access(folder, os.W_OK | os.X_OK) else "it cannot be written to"
        except OSError as problem:
            reason = problem.strerror
        if reason:
            raise ValueError(
                f"Expected a folder for what a run writes. Received: {folder}: {reason}. Name "
                "other folders in the environment variables FERUTILS_CACHE and FERUTILS_RUNS."
            )


@contextlib.contextmanager
def _alone(name: str) -> Iterator[None]:
    """Wait until no other process trains a run, and keep others waiting meanwhile.

    The lock is the kernel's, so that it ends with its process, however that ends; the empty file
    stays. It holds between the processes of one machine, and between machines whose shared folder
    passes on `flock`: NFS does on Linux, Lustre where it is mounted so.
    """
    with (paths.cache() / "locks" / name).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"Run {name}: another process trains it; waiting for its record.", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _forced() -> bool:
    """Whether a recorded run is to be trained again."""
    return os.environ.get("FORCE") == "1"


def _set_aside(name: str) -> None:
    """Make room for a new record where new records go; a record of the report stays as it is."""
    old = paths.new_runs() / name
    if (old / "run.json").is_file():
        old.rename(old.with_name(f".{name}-replaced-{datetime.now(UTC):%Y%m%dT%H%M%S}"))


def read_dataset(name: str, source: str | None = None) -> fer2013.Dataset | None:
    """The dataset of that name; None where FER-2013 is asked for and its place is not given.

    Raises:
        FileNotFoundError, ValueError: as `reading.load`.
    """
    if name == "drawn":
        return faces.draw()
    source = source or os.environ.get("FER2013")
    return reading.load(source, paths.cache() / "datasets") if source else None


def dataset_at_hand(source: str | None = None) -> fer2013.Dataset:
    """FER-2013 where its place is given, else drawn faces, for pages that show faces.

    Raises:
        FileNotFoundError, ValueError: as `read_dataset`.
    """
    return read_dataset("fer2013", source) or faces.draw()


def _no_dataset(recipe: Recipe, name: str) -> str:
    return (
        f"Expected a record of run {name} or the FER-2013 dataset. Received: neither "
        f"({recipe.command()}). Download fer2013.csv from the Kaggle challenge "
        "'challenges-in-representation-learning-facial-expression-recognition-challenge' and give "
        "its path as the environment variable FER2013 or with -p data PATH; or train on drawn "
        "faces, which need no download, with -p dataset drawn."
    )


def _train(
    recipe: Recipe, dataset: fer2013.Dataset, name: str, finished: frozenset[datetime]
) -> runs.Record:
    """Train or go on training, write weights and record, and read the record back."""
    devices.claim()
    backend.load()
    from ferutils.measuring import checkpoints, training

    devices.check(training.device())
    environment, code = current_environment(), current_code(recipe.model)
    identity = checkpoints.Identity(run=name, code=code.fingerprint, environment=environment)
    checkpoint = checkpoints.Checkpoint(_checkpoint_file(name), identity, finished)
    trained_on = f"{environment.device}, backend {environment.backend}"
    print(f"Run {name}: training on {trained_on}.", flush=True)
    try:
        trained = training.train(recipe, dataset, _progress(recipe), checkpoint)
        training.save_weights(trained.model, weights(name))
        others = {at: one for at, one in trained.snapshots.items() if at != trained.kept_epoch}
        run = runs.Run(
            id=name,
            recipe=recipe,
            dataset=runs.note(dataset),
            layers=trained.layers,
            scores=trained.kept.scores,
            kept_epoch=trained.kept_epoch,
            others={at: one.scores for at, one in others.items()},
            cost=_cost(trained, checkpoint),
            environment=environment,
            code=code,
            started=checkpoint.started,
            resumed_after_epochs=checkpoint.resumed_after_epochs,
            weights_sha256=weights_sum(trained.model),
        )
        if _forced():
            _set_aside(name)
        with storage.writing_in(paths.new_runs()):
            folder = runs.write(
                run,
                trained.history,
                trained.kept.predictions,
                paths.new_runs(),
                {at: one.predictions for at, one in others.items()},
            )
    except BaseException:
        if checkpoint.epochs:
            print(f"Stopped. The same command goes on after epoch {checkpoint.epochs}.", flush=True)
        raise
    checkpoint.remove()
    return runs.read(folder)


def current_environment() -> runs.Environment:
    """What a training in this process runs on."""
    import keras

    from ferutils.measuring import training

    return runs.Environment(
        device=runs.words(training.device() or provenance.processor()),
        backend=keras.backend.backend(),
        system=runs.words(provenance.system()),
        versions=provenance.versions(),
    )


def current_code(model: str) -> runs.Code:
    """The code as it is before the training, during which its files may change."""
    commit, clean = provenance.commit()
    fingerprint = provenance.code_fingerprint(model)
    return runs.Code(commit=commit, clean=clean, fingerprint=fingerprint)


def _cost(trained: "Trained", checkpoint: "Checkpoint") -> runs.Cost:
    """What a run took, over all processes that trained it."""
    images = trained.kept.scores["Training"].images * len(trained.history)
    return runs.Cost(
        wall_seconds=checkpoint.wall_seconds(),
        images_per_second=images / trained.history["training_seconds"].sum(),
        peak_memory_bytes=checkpoint.peak_memory_bytes(),
    )


def _checkpoint_file(name: str) -> Path:
    return paths.cache() / "checkpoints" / f"{name}.npz"


def weights(name: str) -> Path:
    """Where the weights of a run are kept, outside git."""
    return paths.cache() / "weights" / f"{name}.weights.h5"


def weights_sum(model: "keras.Model") -> str:
    """SHA-256 (hex) over name, type, shape and values of each of a network's weights."""
    found = hashlib.sha256()
    for variable, values in zip(model.weights, model.get_weights(), strict=True):
        found.update(f"{variable.path} {values.dtype.str} {values.shape}\n".encode())
        found.update(values.tobytes())
    return found.hexdigest()


def _progress(recipe: Recipe):
    """A reporter that prints one line per epoch, with the time left if the others take as long."""

    def report(row: dict) -> None:
        done = row["epoch"]
        left = (row["training_seconds"] + row["validation_seconds"]) * (recipe.epochs - done)
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
