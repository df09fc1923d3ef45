"""Training of AlexNet, of CapsNet, and of VGG16 from weights that it comes with.

Reads arrays; writes checkpoints. Backend-neutral.
"""

import time
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
from keras import layers

from ferutils.dataset.fer2013 import EMOTIONS, IMAGE_SIZE, Dataset
from ferutils.measuring import small
from ferutils.measuring.capsules import margin_loss
from ferutils.measuring.checkpoints import Checkpoint
from ferutils.measuring.training import Progress
from ferutils.measuring.vgg import vgg16
from ferutils.records.pretrained import Recipe
from ferutils.records.small import Epoch

WARM_UP = 0.05  # of all steps
CLIP = 5.0  # largest norm of all gradients together


def tuned(recipe: Recipe, weights: Path | None) -> keras.Model:
    """VGG16 with a last layer for the emotions, on what its last pooling gives, standardised.

    It begins from zero logits, so that the first steps do not undo the weights that it comes with.

    Args:
        recipe: as `vgg16` takes it.
        weights: as `vgg16` takes them.
    """
    network = vgg16(recipe, weights)
    means = layers.GlobalAveragePooling2D(dtype="float32")(network.output)
    means = layers.BatchNormalization(momentum=0.9, dtype="float32")(means)
    last = layers.Dense(len(EMOTIONS), kernel_initializer="zeros", dtype="float32")
    return keras.Model(network.input, last(means))


def train(
    model: keras.Model,
    recipe: Recipe,
    dataset: Dataset,
    report: Callable[[str], None] = print,
    checkpoint: Checkpoint | None = None,
) -> list[Epoch]:
    """Train all weights of a network on Training, and measure it on PublicTest after each epoch.

    Order and changes of the images follow from seed and epoch. No epoch is chosen.

    Args:
        model: input float (n, 48, 48, 1), 0..255; output logits, or lengths of
            capsules, (n, 7).
        recipe: how.
        dataset: Training to learn from, PublicTest to follow.
        report: called with a line after each epoch.
        checkpoint: what the training goes on from; None: nothing is kept.
    """
    keras.utils.set_random_seed(recipe.seed)
    learn, public = dataset.splits["Training"], dataset.splits["PublicTest"]
    _compile(model, recipe, recipe.epochs * small.steps(learn.images, recipe))
    progress = checkpoint.resume(model) if checkpoint else Progress()
    for number in range(len(progress.rows) + 1, recipe.epochs + 1):
        start = time.perf_counter()
        loss = _epoch(model, recipe, learn.images, learn.labels, number)
        seconds = time.perf_counter() - start
        right = small.probabilities(model, public.images).argmax(axis=1) == public.labels
        one = Epoch(training_loss=loss, public_accuracy=right.mean(), seconds=seconds)
        progress.rows.append(one.model_dump())
        progress.kept_epoch = number  # the weights to keep are those that the model has
        if checkpoint:
            checkpoint.save(model, progress)
        report(
            f"{recipe.name}, epoch {number} of {recipe.epochs}: loss {loss:.3f}, PublicTest "
            f"{right.mean():.3f}, about {seconds * (recipe.epochs - number) / 60:.0f} minutes left"
        )
    return [Epoch(**row) for row in progress.rows]


def _compile(model: keras.Model, recipe: Recipe, steps: int) -> None:
    warm = int(WARM_UP * steps)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, max(steps - warm, 1), warmup_target=recipe.learning_rate, warmup_steps=warm
    )
    optimizer = keras.optimizers.AdamW(rate, weight_decay=recipe.weight_decay, global_clipnorm=CLIP)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    if recipe.network == "capsnet":
        loss = margin_loss
    else:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    # JAX computes with nothing but XLA, which TensorFlow does without, as in `models.build`.
    model.compile(optimizer, loss, jit_compile=keras.backend.backend() == "jax")


def _epoch(model: keras.Model, recipe: Recipe, images, labels, number: int) -> float:
    """One pass over the images; the mean loss, nats."""
    random = np.random.default_rng([recipe.seed, number])
    planned, losses = small.steps(images, recipe), []
    for chosen in np.split(
        random.permutation(len(images)), recipe.batch_size * np.arange(1, planned)
    ):
        losses.append(
            model.train_on_batch(moved(images[chosen], recipe.shift, random), labels[chosen])
        )
    return float(np.mean(losses))


def moved(images: np.ndarray, shift: int, random: np.random.Generator) -> np.ndarray:
    """Images as a step of training sees them: moved to all sides, and half of them mirrored.

    Beyond the border is the border's pixel.

    Args:
        images: uint8 (n, 48, 48), 0..255.
        shift: by how many pixels at most.
        random: what the moves are drawn from.

    Returns:
        uint8 (n, 48, 48, 1).
    """
    wide = np.pad(images, ((0, 0), (shift, shift), (shift, shift)), "edge")
    corners = random.integers(0, 2 * shift, (2, len(images), 1), endpoint=True)
    rows, columns = corners + np.arange(IMAGE_SIZE)
    columns = np.where(random.random((len(images), 1)) < 0.5, columns[:, ::-1], columns)
    return wide[np.arange(len(images))[:, None, None], rows[:, :, None], columns[:, None, :]][
        ..., None
    ]
