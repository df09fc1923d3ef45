"""Recipe and dataset -> trained model -> what it measured.

Reads arrays; writes the weights it is told to. This module and `models` shape every number of a
run: their code fingerprint goes into the record.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import keras
import numpy as np
import pandas as pd

from ferutils import storage
from ferutils.dataset.fer2013 import Dataset, Split, subset
from ferutils.measuring import models
from ferutils.records import keeping
from ferutils.records.keeping import HELD_OUT
from ferutils.records.recipes import Recipe
from ferutils.records.runs import (
    HELD_OUT_COLUMNS,
    HISTORY_COLUMNS,
    Layer,
    Predictions,
    Scores,
)

OVERHEAD_BYTES = 2**20  # of a weights file over its arrays; the deep network's has 160 kB


@dataclass(frozen=True)
class Snapshot:
    """What the weights after one epoch say in inference mode."""

    scores: dict[str, Scores]  # by split
    predictions: dict[str, Predictions]  # by held-out split


@dataclass
class Progress:
    """How far a training has come, beside the state of its model."""

    rows: list[dict[str, float]] = field(default_factory=list)  # the history, a row per epoch
    snapshots: dict[int, Snapshot] = field(default_factory=dict)  # by epoch, from 1
    kept_epoch: int = 0  # the epoch whose weights the recipe keeps
    kept_weights: list[np.ndarray] | None = None

    @property
    def history(self) -> pd.DataFrame:
        """HISTORY_COLUMNS and HELD_OUT_COLUMNS, a row per epoch."""
        return pd.DataFrame(self.rows, columns=[*HISTORY_COLUMNS, *HELD_OUT_COLUMNS])


@dataclass(frozen=True)
class Trained:
    """What one training measured."""

    model: keras.Sequential  # with the weights of the kept epoch
    history: pd.DataFrame  # HISTORY_COLUMNS and HELD_OUT_COLUMNS, a row per epoch
    kept_epoch: int  # from 1
    snapshots: dict[int, Snapshot]  # by epoch, the kept one among them
    layers: list[Layer]

    @property
    def kept(self) -> Snapshot:
        """What the weights of the kept epoch say."""
        return self.snapshots[self.kept_epoch]


class Checkpoint(Protocol):
    """What keeps a training from one process to the next."""

    def resume(self, model: keras.Sequential) -> Progress:
        """Bring a model just built to where its training stood, and say how far that was."""

    def save(self, model: keras.Sequential, progress: Progress) -> None:
        """Keep the model's whole state, as it is after an epoch."""


def train(
    recipe: Recipe,
    dataset: Dataset,
    report: Callable[[dict], None] = print,
    checkpoint: Checkpoint | None = None,
) -> Trained:
    """Train a recipe and evaluate the kept weights on every split.

    The same recipe and dataset give the same numbers on the same CPU, also where the training goes
    on from a checkpoint.

    Args:
        recipe: what to train.
        dataset: its images and labels.
        report: called after each epoch with that epoch's row of the history.
        checkpoint: where the training goes on, and what keeps it after each epoch; None: it
            begins at the first epoch and nothing is kept.

    Raises:
        ValueError: the recipe asks for more images than there are.
    """
    keras.utils.set_random_seed(recipe.seed)
    splits = _selected(recipe, dataset)
    model = models.build(recipe)
    progress = checkpoint.resume(model) if checkpoint else Progress()
    for number in range(len(progress.rows) + 1, recipe.epochs + 1):
        progress.rows.append(epoch(model, recipe, splits, number))
        _keep(model, recipe, splits, progress)
        if checkpoint:
            checkpoint.save(model, progress)
        report(progress.rows[-1])
    model.set_weights(progress.kept_weights)
    return Trained(
        model=model,
        history=progress.history,
        kept_epoch=progress.kept_epoch,
        snapshots=progress.snapshots,
        layers=layer_table(models.network(model)),
    )


def _keep(
    model: keras.Sequential, recipe: Recipe, splits: dict[str, Split], progress: Progress
) -> None:
    """After an epoch, measure what the record will keep of it, and drop what it will not."""
    history, seen = progress.history, len(progress.rows)
    wanted = keeping.worth_keeping(recipe, history)
    if seen in wanted:
        progress.snapshots[seen] = Snapshot(
            scores={name: _evaluate(model, split, recipe) for name, split in splits.items()},
            predictions={name: _predict(model, splits[name], recipe) for name in HELD_OUT},
        )
    for number in progress.snapshots.keys() - wanted:
        del progress.snapshots[number]
    if keeping.chosen(recipe, history) == seen:
        progress.kept_epoch, progress.kept_weights = seen, model.get_weights()


def _selected(recipe: Recipe, dataset: Dataset) -> dict[str, Split]:
    """The splits, cut down to as many images as the recipe asks for."""
    wanted = {"Training": recipe.train_images} | dict.fromkeys(HELD_OUT, recipe.evaluation_images)
    return {
        name: split if wanted[name] is None else subset(split, wanted[name])
        for name, split in dataset.splits.items()
    }


def epoch(
    model: keras.Sequential, recipe: Recipe, splits: dict[str, Split], number: int
) -> dict[str, float]:
    """One pass over the training images, in the order of seed and epoch, then the held-out ones.

    Args:
        model: what `models.build` gave for the recipe, after Keras was given the recipe's seed.
        recipe: how to train it.
        splits: Training, and those held-out splits that are followed.
        number: of the epoch, from 1.

    Returns:
        A row of the history: HISTORY_COLUMNS, and of HELD_OUT_COLUMNS those that are followed.
    """
    training = splits["Training"]
    drawn_in = 1 if recipe.order == "repeated" else number
    order = np.random.default_rng([recipe.seed, drawn_in]).permutation(len(training.labels))
    start = time.perf_counter()
    fitted = model.fit(
        training.images[order][..., None],
        training.labels[order],
        batch_size=recipe.batch_size,
        shuffle=False,  # shuffled above, so that the order is ours on every backend
        verbose=0,
    ).history
    middle = time.perf_counter()
    followed = {name: _evaluate(model, splits[name], recipe) for name in HELD_OUT if name in splits}
    followed["both"] = _together(list(followed.values()))
    return {
        "epoch": number,
        "training_loss": float(fitted["loss"][0]),
        "training_accuracy": float(fitted["accuracy"][0]),
        "validation_loss": followed[recipe.validation_split].loss,
        "validation_accuracy": followed[recipe.validation_split].accuracy,
        "training_seconds": middle - start,
        "validation_seconds": time.perf_counter() - middle,
        **{f"{name}_loss": one.loss for name, one in followed.items()},
        **{f"{name}_accuracy": one.accuracy for name, one in followed.items()},
    }


def _together(parts: list[Scores]) -> Scores:
    """The scores of all images of some splits."""
    images = sum(one.images for one in parts)
    return Scores(
        loss=sum(one.loss * one.images for one in parts) / images,
        accuracy=sum(one.accuracy * one.images for one in parts) / images,
        images=images,
    )


def _evaluate(model: keras.Sequential, split: Split, recipe: Recipe) -> Scores:
    """Loss and accuracy of a split in inference mode, as Keras computes them."""
    loss, accuracy = model.evaluate(
        split.images[..., None], split.labels, batch_size=recipe.batch_size, verbose=0
    )
    return Scores(loss=float(loss), accuracy=float(accuracy), images=len(split.labels))


def _predict(model: keras.Sequential, split: Split, recipe: Recipe) -> Predictions:
    """Log-probabilities of a split in inference mode, as a record keeps them."""
    logits = model.predict(split.images[..., None], batch_size=recipe.batch_size, verbose=0)
    logits = logits.astype(np.float64)
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_probabilities = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return Predictions(split.labels, keeping.to_float16(log_probabilities).astype(np.float32))


def layer_table(network: keras.Sequential) -> list[Layer]:
    """The rows that `summary` prints: name, type, output shape without the batch, parameters."""
    return [
        Layer(
            name=layer.name,
            type=type(layer).__name__,
            output_shape=list(layer.output.shape[1:]),
            parameters=layer.count_params(),
            trainable_parameters=sum(int(np.prod(w.shape)) for w in layer.trainable_weights),
        )
        for layer in network.layers
    ]


def save_weights(model: keras.Sequential, path: Path) -> None:
    """Save the weights in Keras' own format, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".unfinished-{path.name}")
    every = (*model.variables, *model.optimizer.variables)
    size = sum(keras.ops.convert_to_numpy(variable).nbytes for variable in every)
    try:
        storage.reserve(unfinished, size + OVERHEAD_BYTES)
        model.save_weights(unfinished)
        storage.sync(unfinished)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def device() -> str:
    """The name of the accelerator that Keras trains on, or "" for the processor."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        cards = tf.config.list_physical_devices("GPU")
        return tf.config.experimental.get_device_details(cards[0])["device_name"] if cards else ""
    if backend == "jax":
        import jax

        first = jax.devices()[0]
        return "" if first.platform == "cpu" else first.device_kind
    import torch

    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else ""
