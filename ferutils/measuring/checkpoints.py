"""Where a training stands after each epoch, so that one that dies goes on from there.

Reads and writes one .npz file per run, whole or not at all; each array has a CRC-32 that is checked
as it is read, and nothing in the file can be code.
"""

import errno
import os
import time
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

import keras
import numpy as np
from pydantic import BaseModel, ConfigDict

from ferutils import storage
from ferutils.measuring.training import Progress, Snapshot
from ferutils.records import provenance
from ferutils.records.keeping import HELD_OUT
from ferutils.records.runs import Environment, Predictions, Scores

Arrays = dict[str, list[np.ndarray]]  # by kind, such as variables, kept weights, predictions


class Identity(BaseModel):
    """What must be the same for a training to go on as if it had never been cut off."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    run: str  # its id, a hash of recipe and dataset
    code: str  # its fingerprint
    environment: Environment

    def difference(self, other: "Identity") -> str:
        """In what another training is not this one; empty where it is."""
        if self.run != other.run:
            return "of another recipe or dataset"
        if self.code != other.code:
            return "of other code"
        same = self.environment == other.environment
        return "" if same else "of another device, backend or version of a library"


class State(BaseModel):
    """What a checkpoint holds beside its arrays."""

    # "strings": the loss of a training that diverged is written as "NaN", which JSON can hold.
    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="strings")

    identity: Identity
    started: datetime
    wall_seconds: float  # up to the end of the last epoch
    peak_memory_bytes: int
    resumed_after_epochs: list[int]
    kept_epoch: int
    snapshots: dict[int, dict[str, Scores]]  # scores by split, by epoch
    rows: list[dict[str, int | float]]  # of the history


class Checkpoint:
    """The checkpoint of one run: what `training.train` goes on from, and what it cost so far.

    One process at a time may use it.

    Attributes:
        epochs: after how many epochs it was written; 0 where there is none of this training.
        resumed_after_epochs: where the training went on, in this process and before.
        started: when the training began, in UTC.
    """

    def __init__(self, path: Path, identity: Identity, finished: frozenset[datetime] = frozenset()):
        """Read nothing yet.

        Args:
            path: the file, whether it is there or not.
            identity: of the training to come; the checkpoint of another is not used.
            finished: when the trainings began that have a record; their checkpoints have served.
        """
        self.epochs, self.resumed_after_epochs = 0, []
        self.started = datetime.now(UTC).replace(microsecond=0)
        self._path, self._identity, self._finished = path, identity, finished
        self._start, self._peak = time.perf_counter(), 0

    def wall_seconds(self) -> float:
        """What the run took so far, without what was lost after the last epoch of a process."""
        return time.perf_counter() - self._start

    def peak_memory_bytes(self) -> int:
        """The largest resident memory of the run's processes so far."""
        return max(self._peak, provenance.peak_memory_bytes())

    def resume(self, model: keras.Sequential) -> Progress:
        """Bring a model just built to where its training stood, and say how far that was.

        Without a whole checkpoint of this very training the model stays as it is.
        """
        if not self._path.exists():
            return Progress()
        variables = _variables(model)
        try:
            state, arrays = _read(self._path)
            reason = self._unfit(state, arrays["variable"], variables)
        except Exception:  # numpy, zipfile and pydantic raise many kinds for damaged bytes
            reason = "damaged"
        if reason:
            print(f"Its checkpoint is not used, being {reason}; it begins at epoch 1.", flush=True)
            return Progress()
        for variable, value in zip(variables, arrays["variable"]):
            variable.assign(value)
        _set_generators(arrays["generator"])
        self._continue(state)
        kept_weights = arrays["kept"] or model.get_weights()
        return Progress(state.rows, _snapshots(state, arrays), state.kept_epoch, kept_weights)

    def _unfit(self, state: State, values: list, variables: list) -> str:
        """Why a checkpoint is not used; empty where it is."""
        if state.started in self._finished:
            return "of a training that has its record"
        other_shapes = [value.shape for value in values] != [one.shape for one in variables]
        return self._identity.difference(state.identity) or ("damaged" if other_shapes else "")

    def _continue(self, state: State) -> None:
        self.epochs, self.started = len(state.rows), state.started
        self.resumed_after_epochs = [*state.resumed_after_epochs, self.epochs]
        self._start -= state.wall_seconds
        self._peak = state.peak_memory_bytes
        print(f"It goes on after epoch {self.epochs}, from its checkpoint.", flush=True)

    def save(self, model: keras.Sequential, progress: Progress) -> None:
        """Keep a training as it is after an epoch.

        Where that cannot be written, the training goes on, and the checkpoint before it stays;
        but not where files may not be so large, because the weights would be lost at its end.
        """
        state = State(
            identity=self._identity,
            started=self.started,
            wall_seconds=self.wall_seconds(),
            peak_memory_bytes=self.peak_memory_bytes(),
            resumed_after_epochs=self.resumed_after_epochs,
            kept_epoch=progress.kept_epoch,
            snapshots={number: one.scores for number, one in progress.snapshots.items()},
            rows=progress.rows,
        )
        try:
            _write(self._path, state, _arrays(model, progress))
            self.epochs = len(progress.rows)
        except OSError as problem:
            if problem.errno == errno.EFBIG:
                raise
            reason = os.strerror(problem.errno) if problem.errno else type(problem).__name__
            print(f"No checkpoint after epoch {len(progress.rows)}: {reason}.", flush=True)

    def remove(self) -> None:
        """Remove the checkpoint, and what a killed process left of one."""
        for path in (self._path, *self._path.parent.glob(f".{self._path.name}-*.part")):
            path.unlink(missing_ok=True)


def _variables(model: keras.Sequential) -> list:
    """All variables that change in training.

    The states of dropout and augmentation are among a model's `variables`, and not among the
    `weights` that Keras saves to a file.
    """
    model.optimizer.build(model.trainable_variables)
    return [*model.variables, *model.optimizer.variables]


def _arrays(model: keras.Sequential, progress: Progress) -> Arrays:
    elsewhere = progress.kept_epoch < len(progress.rows)  # else the kept weights are the model's
    return {
        "variable": list(map(keras.ops.convert_to_numpy, _variables(model))),
        "kept": progress.kept_weights if elsewhere else [],
        "generator": _generators(),
        "prediction": [
            array
            for snapshot in progress.snapshots.values()
            for one in snapshot.predictions.values()
            for array in (one.labels, one.log_probabilities.astype(np.float16))
        ],
    }


def _snapshots(state: State, arrays: Arrays) -> dict[int, Snapshot]:
    """The snapshots, whose predictions stand in the order of epochs and held-out splits."""
    stored = iter(arrays["prediction"])

    def predictions() -> Predictions:
        return Predictions(next(stored), next(stored).astype(np.float32))

    return {
        number: Snapshot(scores, {split: predictions() for split in HELD_OUT})
        for number, scores in state.snapshots.items()
    }


def _generators() -> list[np.ndarray]:
    """The states of PyTorch's own generators, of which its dropout draws; others have none."""
    if keras.backend.backend() != "torch":
        return []
    import torch

    return [state.numpy() for state in (torch.get_rng_state(), *torch.cuda.get_rng_state_all())]


def _set_generators(states: list[np.ndarray]) -> None:
    if states:
        import torch

        processor, *cards = map(torch.from_numpy, states)
        torch.set_rng_state(processor)
        torch.cuda.set_rng_state_all(cards)


def _write(path: Path, state: State, arrays: Arrays) -> None:
    named = {f"{kind} {i}": one for kind, every in arrays.items() for i, one in enumerate(every)}
    text = np.frombuffer(state.model_dump_json().encode(), np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    with storage.whole(path) as file:
        np.savez(file, state=text, **named)


def _read(path: Path) -> tuple[State, Arrays]:
    arrays = defaultdict(list)
    with np.load(path, allow_pickle=False) as stored:
        for name in stored.files:  # in the order of writing
            arrays[name.partition(" ")[0]].append(stored[name])
    (text,) = arrays.pop("state")
    return State.model_validate_json(text.tobytes()), arrays
