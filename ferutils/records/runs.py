"""Run records: what one training measured, in a folder named by its run id.

Reads and writes `<run id>/history.csv`, `predictions.npz` and, last, `run.json`. Needs no Keras.
"""

import contextlib
import errno
import hashlib
import io
import math
import os
import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Annotated

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, model_validator

from ferutils import paths, storage
from ferutils.dataset.fer2013 import EMOTIONS, SPLITS, Dataset
from ferutils.records import arrays, keeping
from ferutils.records.keeping import HELD_OUT, VALIDATIONS
from ferutils.records.recipes import Recipe, run_id

MOST_IMAGES = 10**6  # of a split; FER-2013 has 28,709
ROUNDING = 5e-3  # of a loss, by answers that are kept as float16
CHECKED = ("history.csv", "predictions.npz")  # the files whose checksums run.json holds
HISTORY_COLUMNS = (
    "epoch",
    "training_loss",
    "training_accuracy",
    "validation_loss",
    "validation_accuracy",
    "training_seconds",
    "validation_seconds",
)
SCORES = ("loss", "accuracy")
# Of whatever can be called validation; the history of a run before November 2026 has none of them.
HELD_OUT_COLUMNS = tuple(f"{name}_{score}" for name in VALIDATIONS for score in SCORES)
Accuracy = Annotated[float, Field(ge=0, le=1)]
# Words of a record come to stand on pages: one from elsewhere can bring no markup and no link.
_NOT_IN_WORDS = r"<>`|{}\[\]\\\x00-\x1f\x7f"
Words = Annotated[str, Field(pattern=rf"^[^{_NOT_IN_WORDS}]*$")]


def words(text: str) -> str:
    """A text of the machine, such as a device's name, as a record can hold it: Words."""
    return " ".join(re.sub(rf"[{_NOT_IN_WORDS}]", " ", text).split())


class Part(BaseModel):
    """A part of a record: frozen, with no key that is not declared, and finite numbers alone."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class _Part(BaseModel):
    # "strings": the loss of a training that diverged is written as "NaN", which JSON can hold.
    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="strings")


Count = Annotated[int, Field(ge=0, le=MOST_IMAGES)]
Measured = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Layer(_Part):
    """One row of a layer table, as Keras and the paper print it."""

    name: Words
    type: Words
    output_shape: list[int]  # without the batch
    parameters: Annotated[int, Field(ge=0)]
    trainable_parameters: Annotated[int, Field(ge=0)]

    @model_validator(mode="after")
    def _trains_at_most_all(self) -> "Layer":
        if self.trainable_parameters > self.parameters:
            raise ValueError(f"more trainable parameters than parameters in {self.name}")
        return self


class Scores(_Part):
    """What Keras reported for one split, in inference mode, with the kept weights."""

    loss: float  # mean cross-entropy, nats
    accuracy: Accuracy
    images: Count


class DatasetNote(_Part):
    """Which dataset a run saw."""

    name: Words
    fingerprints: dict[Words, Words]  # SHA-256 per split
    counts: dict[Words, list[Count]]  # images per emotion and split, in label order
    differences: list[Words]  # from the published FER-2013, in words


class Cost(_Part):
    """What a run took."""

    wall_seconds: (
        Measured  # training, validation, final evaluation; not what was lost and made again
    )
    images_per_second: Measured  # training steps alone
    peak_memory_bytes: Annotated[int, Field(gt=0)]  # of the process


class Environment(_Part):
    """What a run ran on."""

    device: Words
    backend: Words
    system: Words
    versions: dict[Words, Words]


class Code(_Part):
    """Which code made a run."""

    commit: Words | None
    clean: bool | None  # whether the working tree had no change against that commit
    fingerprint: Words  # of the modules that shape the numbers


class Run(_Part):
    """The content of `run.json`."""

    id: Words
    recipe: Recipe
    dataset: DatasetNote
    layers: list[Layer]
    scores: dict[Words, Scores]  # by split
    kept_epoch: int  # the epoch whose weights gave the scores and predictions, from 1
    others: dict[int, dict[Words, Scores]] = {}  # scores by split after other epochs that are kept
    cost: Cost
    environment: Environment
    code: Code
    started: datetime
    resumed_after_epochs: list[int] = []  # where the training went on after it had been cut off
    # As `recording.weights_sum` gives it; no record before 27 November 2026 has it.
    weights_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    checksums: dict[Words, Words] = {}  # SHA-256 of the other files of the record

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> "Run":
        for epoch, scores in {self.kept_epoch: self.scores, **self.others}.items():
            if not 1 <= epoch <= self.recipe.epochs or set(scores) != set(SPLITS):
                raise ValueError(f"scores of epoch {epoch} of {self.recipe.epochs}, by split")
            if any(one.images > sum(self.dataset.counts[split]) for split, one in scores.items()):
                raise ValueError(f"scores on more images than there are, epoch {epoch}")
        return self


@dataclass(frozen=True)
class Predictions:
    """What a model said of one split, image by image in the dataset's canonical order."""

    labels: np.ndarray  # uint8 (n,), the truth, 0..6
    # float32 (n, 7), natural logarithms, at most 0; as `keeping.to_float16` rounds them
    log_probabilities: np.ndarray

    @property
    def predicted(self) -> np.ndarray:
        """The most probable label, int64 (n,)."""
        return self.log_probabilities.argmax(axis=1)


@dataclass(frozen=True)
class Record:
    """One finished run as it is read back: its description, curves and predictions."""

    run: Run
    # HISTORY_COLUMNS and HELD_OUT_COLUMNS, a row per epoch; losses in nats, times in seconds
    history: pd.DataFrame
    predictions: dict[str, Predictions]  # by held-out split
    others: dict[int, dict[str, Predictions]] = field(default_factory=dict)  # by epoch, as in run
    own: bool = True  # False: a longer run that answers for this recipe

    @property
    def recipe(self) -> Recipe:
        """The recipe of the run."""
        return self.run.recipe


def answer(record: Record, recipe: Recipe) -> Record | None:
    """What a run says of a shorter training that it begins as, or of another kept epoch.

    Returns:
        The run's own record where the recipe is its own; else a record under its id, with the
        recipe's history, scores and predictions and the time of its epochs; None where the run
        did not keep them.
    """
    if record.recipe == recipe:
        return record
    if not keeping.answers_for(record.recipe, recipe):
        return None
    history = record.history.head(recipe.epochs)
    if history[list(HELD_OUT_COLUMNS)].isna().any(axis=None):
        return None  # of the time before both held-out splits were followed
    followed = {f"validation_{one}": history[f"{recipe.validation_split}_{one}"] for one in SCORES}
    history = history.assign(**followed)
    epoch = keeping.chosen(recipe, history)
    scores = record.run.others | {record.run.kept_epoch: record.run.scores}
    answers = record.others | {record.run.kept_epoch: record.predictions}
    seconds = float(history[["training_seconds", "validation_seconds"]].sum(axis=None))
    cost = record.run.cost.model_copy(update={"wall_seconds": seconds})
    changed = {"recipe": recipe, "kept_epoch": epoch, "scores": scores[epoch], "cost": cost}
    run = record.run.model_copy(update=changed)
    return Record(run, history, answers[epoch], own=False)


def write(
    run: Run,
    history: pd.DataFrame,
    predictions: dict[str, Predictions],
    folder: Path,
    others: Mapping[int, dict[str, Predictions]] = MappingProxyType({}),
) -> Path:
    """Write a record whole or not at all; a finished record that is already there stays.

    Args:
        run: its description, without checksums.
        history: HISTORY_COLUMNS and HELD_OUT_COLUMNS, a row per epoch.
        predictions: by held-out split.
        folder: the folder of all records; the record becomes the folder `<run id>` in it.
        others: the predictions after other epochs that are kept, by epoch.

    Returns:
        The record's folder.
    """
    target = folder / run.id
    files = {
        "history.csv": history[list(HISTORY_COLUMNS + HELD_OUT_COLUMNS)]
        .to_csv(index=False)
        .encode(),
        "predictions.npz": pack(predictions, others),
    }
    checksums = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    described = run.model_copy(update={"checksums": checksums})
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f".{run.id}-", dir=folder))
    try:
        unfinished.chmod(0o755)
        for name, content in files.items():
            _write_through(unfinished / name, content)
        _write_through(unfinished / "run.json", storage.sealed(described.model_dump_json(indent=2)))
        keep(unfinished, target)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return target


def keep(unfinished: Path, target: Path) -> None:
    """Give a whole record its name, unless another process has been first, whose record stays."""
    while not (target / "run.json").is_file():
        try:
            unfinished.rename(target)  # over an empty folder, too, but over no other
            storage.sync(target.parent)
            return
        except OSError as problem:
            if problem.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
        _set_remains_aside(target)


def _set_remains_aside(target: Path) -> None:
    """Take a record without run.json away, and put it back where another has just finished it."""
    aside = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    with contextlib.suppress(OSError):  # gone already, or a record in its place
        target.rename(aside)
        if (aside / "run.json").is_file():
            aside.rename(target)
    shutil.rmtree(aside, ignore_errors=True)


def pack(
    predictions: Mapping[str, Predictions],
    others: Mapping[int, Mapping[str, Predictions]] = MappingProxyType({}),
) -> bytes:
    """Predictions by held-out split, and those of other epochs, as a compressed .npz file."""
    stored = {f"{split}_labels": one.labels.astype(np.uint8) for split, one in predictions.items()}
    for epoch, kept in {None: predictions, **others}.items():
        for split, one in kept.items():
            stored[_array(split, epoch)] = keeping.to_float16(one.log_probabilities)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **stored)
    return buffer.getvalue()


def unpack(
    content: bytes, images: Mapping[str, int], others: Iterable[int] = ()
) -> dict[int | None, dict[str, Predictions]]:
    """The reverse of `pack`: predictions by epoch, None for the kept one, and held-out split.

    Args:
        content: the file.
        images: how many there are of each held-out split.
        others: the other epochs whose predictions it holds.

    Raises:
        ValueError, zipfile.BadZipFile: as `arrays.read`; or a label is none.
    """
    epochs = (None, *others)
    expected = {f"{split}_labels": (np.uint8, (number,)) for split, number in images.items()} | {
        _array(split, epoch): (np.float16, (number, len(EMOTIONS)))
        for split, number in images.items()
        for epoch in epochs
    }
    stored = arrays.read(content, expected)
    for split in images:
        highest = stored[f"{split}_labels"].max(initial=0)
        if highest >= len(EMOTIONS):
            raise ValueError(f"a label {highest} in {split}")
    return {
        epoch: {
            split: Predictions(
                labels=stored[f"{split}_labels"],
                log_probabilities=stored[_array(split, epoch)].astype(np.float32),
            )
            for split in images
        }
        for epoch in epochs
    }


def _array(split: str, epoch: int | None) -> str:
    """The name of the log-probabilities of an epoch; None: of the kept epoch."""
    return f"{split}_log_probabilities" + ("" if epoch is None else f"_{epoch}")


def _write_through(path: Path, content: bytes) -> None:
    """Write a file and see it on the disk, so that a later rename cannot outrun its content."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def read(folder: Path) -> Record:
    """Read and check one record.

    Raises:
        ValueError: the record is unfinished, damaged, or not what its name says.
    """
    run = read_run(folder)
    history, predictions = (_read_checked(folder / name, run.checksums) for name in CHECKED)
    try:
        images = {split: run.scores[split].images for split in HELD_OUT}
        others = unpack(predictions, images, run.others)
        for epoch, scores in {None: run.scores, **run.others}.items():
            for split, one in others[epoch].items():
                _check_scores(one, scores[split], split)
        return Record(run, _read_history(history, run), others.pop(None), others)
    except (EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"Expected history and predictions of {folder.name} in the form that `write` gives "
            f"them. Received: {error}. "
            "Restore the record from git, or remove its folder to train the run again."
        ) from None


def _read_history(content: bytes, run: Run) -> pd.DataFrame:
    history, every = pd.read_csv(io.BytesIO(content)), HISTORY_COLUMNS + HELD_OUT_COLUMNS
    of_a_run = tuple(history.columns) in (every, HISTORY_COLUMNS)
    if not of_a_run or len(history) != run.recipe.epochs:
        raise ValueError(f"{len(history)} rows of {', '.join(history.columns)}")
    return history.reindex(columns=every)


def _check_scores(predictions: Predictions, scores: Scores, split: str) -> None:
    """See that the answers have the scores of the record."""
    labels, answers = predictions.labels, predictions.log_probabilities.astype(float)
    if not np.isfinite([scores.loss, *answers.ravel()]).all():
        return  # of a training that diverged
    right = int((predictions.predicted == labels).sum())
    loss = -float(answers[np.arange(len(labels)), labels].mean())
    if abs(right - scores.accuracy * scores.images) > 0.5 or not math.isclose(
        loss, scores.loss, rel_tol=ROUNDING, abs_tol=ROUNDING
    ):
        raise ValueError(
            f"{split} accuracy {scores.accuracy:.4f} and loss {scores.loss:.4f}, where the "
            f"predictions give {right / len(labels):.4f} and {loss:.4f}"
        )


def read_run(folder: Path) -> Run:
    """Read and check the description of one record, run.json alone.

    Raises:
        ValueError: the record is unfinished, damaged, or not what its name says.
    """
    path = folder / "run.json"
    if not path.is_file():
        raise ValueError(
            f"Expected a finished record with run.json in {folder.name}. Received: "
            f"{sorted(file.name for file in folder.glob('*')) or 'nothing'}. "
            "An unfinished run is trained again; its folder can be removed."
        )
    try:
        run = Run.model_validate_json(storage.unsealed(path), strict=False)
    except ValueError as error:  # a validation error is one
        raise ValueError(
            f"Expected {folder.name}/run.json to be a run record. Received: {error}. "
            "Restore it from git, or remove the folder to train the run again."
        ) from None
    if set(run.checksums) != set(CHECKED):
        raise ValueError(
            f"Expected {folder.name}/run.json with the checksums of {' and '.join(CHECKED)}. "
            f"Received: {', '.join(run.checksums) or 'none'}. "
            "Restore it from git, or remove the folder to train the run again."
        )
    expected = run_id(run.recipe, run.dataset.fingerprints)
    if not run.id == expected == folder.name:
        raise ValueError(
            f"Expected a record of run {expected}, which its recipe and dataset make. Received: "
            f"id {run.id} in folder {folder.name}. Restore it from git, or remove the folder."
        )
    return run


def _read_checked(path: Path, checksums: dict[str, str]) -> bytes:
    content = path.read_bytes() if path.is_file() else b""
    received = hashlib.sha256(content).hexdigest()
    if received != checksums[path.name]:
        raise ValueError(
            f"Expected {path.parent.name}/{path.name} with SHA-256 {checksums[path.name]}. "
            f"Received: {received if content else 'no file, or an empty one'}. "
            "Restore the record from git, or remove its folder to train the run again."
        )
    return content


def find(name: str, folders: Iterable[Path] | None = None) -> Record | None:
    """The finished record of a run id, or None; the report's records come first.

    Raises:
        ValueError: as `read`.
    """
    for folder in folders or (paths.RECORDED_RUNS, paths.new_runs()):
        if (folder / name / "run.json").is_file():
            return read(folder / name)
    return None


def find_answer(recipe: Recipe, fingerprints: Mapping[str, str]) -> Record | None:
    """The record of a recipe on a dataset, or what a longer run says of it; None without both.

    Raises:
        ValueError: as `read`.
    """
    return _answer_of(_of_model(recipe.model), recipe, fingerprints)


def read_all(folder: Path | None = None) -> list[Record]:
    """Every finished record of a folder, in the order of their ids.

    Raises:
        ValueError: as `read`.
    """
    folder = folder or paths.RECORDED_RUNS
    return [read(file.parent) for file in sorted(folder.glob("[!.]*/run.json"))]


def note(dataset: Dataset) -> DatasetNote:
    """What a record says of a dataset."""
    return DatasetNote(
        name=dataset.name,
        fingerprints=dataset.fingerprints,
        counts=dataset.counts(),
        differences=list(dataset.differences),
    )


def seeds_of(record: Record) -> list[Record]:
    """The finished runs of a run's recipe and dataset with any seed, in the order of seeds.

    Raises:
        ValueError: as `read`.
    """
    every, fingerprints = list(_of_model(record.recipe.model)), record.run.dataset.fingerprints
    seeds = sorted({run.recipe.seed for run, _ in every})
    wanted = [record.recipe.model_copy(update={"seed": seed}) for seed in seeds]
    return [one for one in (_answer_of(every, recipe, fingerprints) for recipe in wanted) if one]


def _of_model(model: str) -> Iterator[tuple[Run, Path]]:
    """The finished runs of a model with their folders, the report's first; run.json is small."""
    for folder in (paths.RECORDED_RUNS, paths.new_runs()):
        for file in folder.glob(f"{model}-*/run.json"):
            yield read_run(file.parent), file.parent


def _answer_of(
    every: Iterable[tuple[Run, Path]], recipe: Recipe, fingerprints: Mapping[str, str]
) -> Record | None:
    """What the recipe's own run says of it, else the shortest of those that answer for it."""
    able = [
        (run.recipe != recipe, run.recipe.epochs, folder)
        for run, folder in every
        if run.dataset.fingerprints == fingerprints and keeping.answers_for(run.recipe, recipe)
    ]
    able.sort(key=lambda one: one[:2])
    return next(filter(None, (answer(read(folder), recipe) for *_, folder in able)), None)
