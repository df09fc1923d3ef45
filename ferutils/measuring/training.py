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
from ferutils.records.recipes import Recipe
from ferutils.records.runs import HELD_OUT, HISTORY_COLUMNS, Layer, Predictions, Scores

OVERHEAD_BYTES = 2**20  # of a weights file over its arrays; the deep network's has 160 kB


@dataclass(frozen=True)
class Trained:
    """What one training measured."""

    model: keras.Sequential
    history: pd.DataFrame  # HISTORY_COLUMNS, a row per epoch
    kept_epoch: int  # the epoch, from 1, whose weights the model holds
    scores: dict[str, Scores]
    predictions: dict[str, Predictions]
    layers: list[Layer]


@dataclass
class Progress:
    """How far a training has come, beside the state of its model."""

    rows: list[dict[str, float]] = field(default_factory=list)  # the history, a row per epoch
    kept_epoch: int = 0
    kept_weights: list[np.ndarray] | None = None

    @property
    def highest(self) -> float:
        """The validation accuracy of the kept epoch."""
        return self.rows[self.kept_epoch - 1]["validation_accuracy"] if self.kept_epoch else -1.0


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
    watched = validation(recipe, splits)
    history, kept_epoch = fit(model, recipe, splits["Training"], watched, report, checkpoint)
    return Trained(
        model=model,
        history=history,
        kept_epoch=kept_epoch,
        scores={name: _evaluate(model, split, recipe) for name, split in splits.items()},
        predictions={name: _predict(model, splits[name], recipe) for name in HELD_OUT},
        layers=layer_table(models.network(model)),
    )


def _selected(recipe: Recipe, dataset: Dataset) -> dict[str, Split]:
    """The splits, cut down to as many images as the recipe asks for."""
    wanted = {"Training": recipe.train_images} | dict.fromkeys(HELD_OUT, recipe.evaluation_images)
    return {
        name: split if wanted[name] is None else subset(split, wanted[name])
        for name, split in dataset.splits.items()
    }


def validation(recipe: Recipe, splits: dict[str, Split]) -> Split:
    """The images whose scores are followed during training."""
    if recipe.validation_split != "both":
        return splits[recipe.validation_split]
    return Split(
        images=np.concatenate([splits[name].images for name in HELD_OUT]),
        labels=np.concatenate([splits[name].labels for name in HELD_OUT]),
    )


def fit(
    model: keras.Sequential,
    recipe: Recipe,
    training: Split,
    watched: Split,
    report: Callable[[dict], None] = print,
    checkpoint: Checkpoint | None = None,
) -> tuple[pd.DataFrame, int]:
    """Train a model just built, epoch by epoch, and leave it with the weights of the kept epoch.

    Args:
        model: what `models.build` gave for the recipe, after Keras was given the recipe's seed.
        recipe: how to train it.
        training: the images it learns from.
        watched: the images whose scores are followed.
        report: as in `train`.
        checkpoint: as in `train`.

    Returns:
        The history, HISTORY_COLUMNS with a row per epoch, and the kept epoch, from 1.
    """
    progress = checkpoint.resume(model) if checkpoint else Progress()
    for epoch in range(len(progress.rows) + 1, recipe.epochs + 1):
        row = _epoch(model, recipe, training, watched, epoch)
        if recipe.kept_epoch == "last" or row["validation_accuracy"] > progress.highest:
            progress.kept_epoch, progress.kept_weights = epoch, model.get_weights()
        progress.rows.append(row)
        if checkpoint:
            checkpoint.save(model, progress)
        report(row)
    model.set_weights(progress.kept_weights)
    return pd.DataFrame(progress.rows, columns=list(HISTORY_COLUMNS)), progress.kept_epoch


def _epoch(
    model: keras.Sequential, recipe: Recipe, training: Split, watched: Split, epoch: int
) -> dict[str, float]:
    """One pass over the training images, in the order of seed and epoch, then validation."""
    order = np.random.default_rng([recipe.seed, epoch]).permutation(len(training.labels))
    start = time.perf_counter()
    fitted = model.fit(
        training.images[order][..., None],
        training.labels[order],
        batch_size=recipe.batch_size,
        shuffle=False,  # shuffled above, so that the order is ours on every backend
        verbose=0,
    ).history
    middle = time.perf_counter()
    scores = _evaluate(model, watched, recipe)
    return {
        "epoch": epoch,
        "training_loss": float(fitted["loss"][0]),
        "training_accuracy": float(fitted["accuracy"][0]),
        "validation_loss": scores.loss,
        "validation_accuracy": scores.accuracy,
        "training_seconds": middle - start,
        "validation_seconds": time.perf_counter() - middle,
    }


def _evaluate(model: keras.Sequential, split: Split, recipe: Recipe) -> Scores:
    """Loss and accuracy of a split in inference mode, as Keras computes them."""
    loss, accuracy = model.evaluate(
        split.images[..., None], split.labels, batch_size=recipe.batch_size, verbose=0
    )
    return Scores(loss=float(loss), accuracy=float(accuracy), images=len(split.labels))


def _predict(model: keras.Sequential, split: Split, recipe: Recipe) -> Predictions:
    """Log-probabilities of a split in inference mode."""
    logits = model.predict(split.images[..., None], batch_size=recipe.batch_size, verbose=0)
    logits = logits.astype(np.float64)
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_probabilities = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return Predictions(split.labels, log_probabilities)


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
