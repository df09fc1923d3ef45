"""Our own networks for a phone, and their training.

Reads arrays; writes checkpoints. Backend-neutral.
"""

import time
from collections.abc import Callable

import keras
import numpy as np
from keras import layers, ops

from ferutils.dataset.fer2013 import EMOTIONS, IMAGE_SIZE, Dataset
from ferutils.measuring import training
from ferutils.measuring.augmenting import augmented, mixed, targets
from ferutils.measuring.checkpoints import Checkpoint
from ferutils.measuring.models import BatchNormalization
from ferutils.records.small import Epoch, Recipe

# By network: the maps of the first convolution; then maps and stride of each block.
SHAPES = {
    "small": (32, ((32, 1), (32, 1), (64, 2), (64, 1), (64, 1), (144, 2), (144, 1))),
    "tiny": (16, ((16, 1), (32, 2), (32, 1), (48, 2))),
}
EVERY = 4  # steps between two updates of the averaged weights
BATCH = 256  # of images that are only answered
Report = Callable[[str], None]


# The networks


def network(recipe: Recipe, precision: str = "float32") -> keras.Model:
    """A network of ours: a strided convolution, residual blocks, the mean of their maps.

    Input float (n, 48, 48, 1), 0..255; output logits float32 (n, 7).

    Dense 3 x 3 convolutions, not depthwise ones, which a processor is slower at.

    Source: K. He et al., "Deep residual learning for image recognition", CVPR 2016.
    """
    first, blocks = SHAPES[recipe.network]
    faces = keras.Input((IMAGE_SIZE, IMAGE_SIZE, 1))
    maps = layers.Rescaling(1 / 255, dtype=precision)(faces)
    maps = _normalised(maps, first, 3, 2, precision, "stem")
    maps = layers.ReLU(dtype=precision)(maps)
    for number, (filters, stride) in enumerate(blocks, start=1):
        maps = _block(maps, filters, stride, precision, f"block{number}")
    mean = layers.GlobalAveragePooling2D(dtype=precision)(maps)
    mean = layers.Dropout(recipe.dropout, dtype=precision)(mean)
    # From zero: the first logits would be large, and unlearning them takes a hundred steps.
    last = layers.Dense(len(EMOTIONS), kernel_initializer="zeros", dtype="float32", name="logits")
    return keras.Model(faces, last(mean))


def _block(maps, filters: int, stride: int, precision: str, name: str):
    """Two convolutions beside the identity, or beside one of 1 x 1 where the shape changes."""
    beside = maps
    if stride > 1 or maps.shape[-1] != filters:
        beside = _normalised(maps, filters, 1, stride, precision, f"{name}_beside")
    maps = _normalised(maps, filters, 3, stride, precision, f"{name}_first")
    maps = layers.ReLU(dtype=precision)(maps)
    maps = _normalised(maps, filters, 3, 1, precision, f"{name}_second")
    return layers.ReLU(dtype=precision)(layers.Add(dtype=precision)([maps, beside]))


def _normalised(maps, filters: int, size: int, stride: int, precision: str, name: str):
    """A convolution and batch normalisation; named, because weights are known by their layers."""
    convolution = layers.Conv2D(
        filters,
        size,
        strides=stride,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        dtype=precision,
        name=name,
    )
    return BatchNormalization(momentum=0.9, dtype=precision, name=f"{name}_norm")(convolution(maps))


def _compiled(recipe: Recipe, steps: int) -> keras.Model:
    """A network that is ready for so many steps of training."""
    model = network(recipe, recipe.precision)
    warm = int(recipe.warm_up * steps)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, max(steps - warm, 1), warmup_target=recipe.learning_rate, warmup_steps=warm
    )
    optimizer = keras.optimizers.AdamW(
        rate, weight_decay=recipe.weight_decay, global_clipnorm=recipe.clip
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    # JAX computes with nothing but XLA, which TensorFlow does without, as in `models.build`.
    model.compile(optimizer, loss, jit_compile=keras.backend.backend() == "jax")
    return model


# The training


def train(
    recipe: Recipe,
    dataset: Dataset,
    taught: np.ndarray | None = None,
    report: Report = print,
    checkpoint: Checkpoint | None = None,
) -> tuple[keras.Model, list[Epoch]]:
    """Train a network, and measure it on PublicTest after each epoch.

    Order and changes of the images follow from seed and epoch, so that a training that was cut
    off goes on as if it had not been. No epoch is chosen: the last averaged weights are kept.

    Args:
        recipe: what to train.
        dataset: Training to learn from, PublicTest to follow.
        taught: the teachers' probabilities for Training, float (n, 7), or None.
        report: called with a line after each epoch.
        checkpoint: what the training goes on from; None: nothing is kept.

    Returns:
        The network in float32 with the averaged weights, and its history.
    """
    keras.utils.set_random_seed(recipe.seed)
    learn, public = dataset.splits["Training"], dataset.splits["PublicTest"]
    wanted = targets(learn.labels, recipe, taught)
    model = _compiled(recipe, recipe.epochs * steps(learn.images, recipe))
    plain = network(recipe)
    progress = checkpoint.resume(model) if checkpoint else training.Progress()
    progress.kept_weights = progress.kept_weights or model.get_weights()
    for number in range(len(progress.rows) + 1, recipe.epochs + 1):
        start = time.perf_counter()
        loss = _epoch(model, recipe, learn.images, wanted, number, progress.kept_weights)
        seconds = time.perf_counter() - start
        plain.set_weights(progress.kept_weights)
        right = probabilities(plain, public.images).argmax(axis=1) == public.labels
        one = Epoch(training_loss=loss, public_accuracy=right.mean(), seconds=seconds)
        progress.rows.append(one.model_dump())
        if checkpoint:
            checkpoint.save(model, progress)
        report(_line(recipe, number, one))
    plain.set_weights(progress.kept_weights)
    return plain, [Epoch(**row) for row in progress.rows]


def steps(images: np.ndarray, recipe: Recipe) -> int:
    """Steps in an epoch; the images beyond the last whole batch wait for another one."""
    return max(len(images) // recipe.batch_size, 1)


def _epoch(model, recipe: Recipe, images, wanted, number: int, averages: list[np.ndarray]) -> float:
    """One pass over the images, which also moves the averages; the mean loss, nats."""
    random = np.random.default_rng([recipe.seed, number])
    order, size = random.permutation(len(images)), recipe.batch_size
    planned, losses = steps(images, recipe), []
    for step in range(planned):
        chosen = order[step * size : (step + 1) * size]
        pixels = augmented(images[chosen], recipe, random)
        losses.append(model.train_on_batch(*mixed(pixels, wanted[chosen], recipe, random)))
        done = (number - 1) * planned + step + 1
        if done % EVERY == 0 or step == planned - 1:
            _average(averages, model.get_weights(), recipe.averaging, done)
    return float(np.mean(losses))


def _average(averages: list[np.ndarray], now: list[np.ndarray], averaging: float, done: int):
    """Move the averages to the weights; faster while the first weights count for too much."""
    kept = min(averaging, (1 + done) / (10 + done)) ** EVERY
    for average, weight in zip(averages, now, strict=True):
        average += (1 - kept) * (weight - average)


def probabilities(model: keras.Model, images: np.ndarray) -> np.ndarray:
    """What a network answers to faces as they are, float32 (n, 7).

    Args:
        model: as `network` makes it.
        images: uint8 (n, 48, 48), 0..255.
    """
    logits = model.predict(images[..., None], batch_size=BATCH, verbose=0)
    return ops.convert_to_numpy(ops.softmax(logits))


def _line(recipe: Recipe, number: int, one: Epoch) -> str:
    left = one.seconds * (recipe.epochs - number) / 60
    return (
        f"{recipe.name}, epoch {number} of {recipe.epochs}: loss {one.training_loss:.3f}, "
        f"PublicTest {one.public_accuracy:.3f}, about {left:.0f} minutes left"
    )
