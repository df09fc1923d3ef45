"""Our own networks for a phone: layers, changed images, training -> weights and their record.

Reads a dataset; writes checkpoints and weights to the cache. Backend-neutral but for the export.
"""

import hashlib
import time
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
from keras import layers, ops

from ferutils import paths
from ferutils.dataset.fer2013 import EMOTIONS, IMAGE_SIZE, Dataset, Split
from ferutils.measuring import devices, litert, recording, training
from ferutils.measuring.checkpoints import Checkpoint, Identity
from ferutils.records import provenance, small
from ferutils.records.runs import Code, Cost
from ferutils.records.small import FORMS, MIRRORED, Epoch, Recipe, Trained

# By network: the maps of the first convolution; then maps and stride of each block.
SHAPES = {
    "small": (32, ((32, 1), (32, 1), (64, 2), (64, 1), (64, 1), (144, 2), (144, 1))),
    "tiny": (16, ((16, 1), (16, 1), (32, 2), (32, 1), (48, 2))),
}
EVERY = 4  # steps between two updates of the averaged weights
SQUARE = (8, 17)  # pixels of a blanked square, from and below
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
    return keras.Model(faces, layers.Dense(len(EMOTIONS), dtype="float32", name="logits")(mean))


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
    return layers.BatchNormalization(dtype=precision, name=f"{name}_norm")(convolution(maps))


def _compiled(recipe: Recipe, steps: int) -> keras.Model:
    """A network that is ready for so many steps of training."""
    model = network(recipe, recipe.precision)
    warm = int(recipe.warm_up * steps)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0,
        max(steps - warm, 1),
        warmup_target=recipe.learning_rate,
        warmup_steps=warm,
    )
    optimizer = keras.optimizers.AdamW(
        rate, weight_decay=recipe.weight_decay, global_clipnorm=recipe.clip
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, jit_compile="auto" if _is_jax() else False)
    return model


def _is_jax() -> bool:
    return keras.backend.backend() == "jax"


# The images


def changed(images: np.ndarray, recipe: Recipe, random: np.random.Generator) -> np.ndarray:
    """Images as a step of training sees them: moved, with other contrast, partly blanked.

    Mirror, rotation, scale and shift are one bilinear sampling, beyond the border of its pixels.

    Args:
        images: uint8 (n, 48, 48), 0..255.
        recipe: how much.
        random: what they are drawn from.

    Returns:
        float32 (n, 48, 48, 1), 0..255.
    """
    count = len(images)
    pixels = ops.image.affine_transform(
        images[..., None].astype(np.float32), _moves(count, recipe, random), fill_mode="nearest"
    )
    pixels = ops.convert_to_numpy(pixels)
    mean = pixels.mean(axis=(1, 2, 3), keepdims=True)
    contrast = random.uniform(1 - recipe.contrast, 1 + recipe.contrast, mean.shape)
    brightness = 255 * random.uniform(-recipe.brightness, recipe.brightness, mean.shape)
    pixels = np.clip((pixels - mean) * contrast + mean + brightness, 0, 255)
    blank = _squares(count, recipe, random)[..., None]
    return np.where(blank, pixels.mean(axis=(1, 2, 3), keepdims=True), pixels).astype(np.float32)


def _moves(count: int, recipe: Recipe, random: np.random.Generator) -> np.ndarray:
    """Where each pixel comes from: float32 (count, 8), as `affine_transform` takes it."""
    angle = np.radians(random.uniform(-recipe.rotation, recipe.rotation, count))
    scale = random.uniform(1 - recipe.scale, 1 + recipe.scale, count)
    shift = IMAGE_SIZE * random.uniform(-recipe.shift, recipe.shift, (count, 2))
    side = np.where(random.random(count) < 0.5 * recipe.mirror, -1, 1)
    cos, sin = np.cos(angle) / scale, np.sin(angle) / scale
    turn = np.array([[side * cos, -sin], [side * sin, cos]]).transpose(2, 0, 1)
    centre = np.full(2, (IMAGE_SIZE - 1) / 2)
    start = centre + shift - turn @ centre
    rows = np.concatenate([turn, start[..., None]], axis=2).reshape(count, 6)
    return np.pad(rows, ((0, 0), (0, 2))).astype(np.float32)


def _squares(count: int, recipe: Recipe, random: np.random.Generator) -> np.ndarray:
    """Which pixels are blanked: bool (count, 48, 48), one square in some of the images."""
    size = random.integers(*SQUARE, count)
    corner = random.integers(0, IMAGE_SIZE - size[:, None] + 1, (count, 2))
    there = random.random(count) < recipe.blanked
    line = np.arange(IMAGE_SIZE)
    inside = [(line >= at[:, None]) & (line < (at + size)[:, None]) for at in corner.T]
    return inside[0][:, :, None] & inside[1][:, None, :] & there[:, None, None]


def targets(labels: np.ndarray, recipe: Recipe, taught: np.ndarray | None) -> np.ndarray:
    """What the network is to answer, float32 (n, 7): smoothed labels, and the teachers' answers.

    Args:
        labels: int (n,), 0..6.
        recipe: with how much of which.
        taught: probabilities (n, 7), or None.
    """
    count = len(EMOTIONS)
    wanted = np.eye(count)[labels] * (1 - recipe.label_smoothing) + recipe.label_smoothing / count
    if taught is not None:
        wanted = (1 - recipe.teaching) * wanted + recipe.teaching * taught
    return wanted.astype(np.float32)


def _mixed(pixels, wanted, recipe: Recipe, random: np.random.Generator):
    """Each image and its target with some of another's: mixup.

    Source: H. Zhang et al., "mixup: Beyond empirical risk minimization", ICLR 2018.
    """
    if not recipe.mixup:
        return pixels, wanted
    share = random.beta(recipe.mixup, recipe.mixup, len(pixels)).astype(np.float32)
    part = share[:, None, None, None]
    return (
        part * pixels + (1 - part) * pixels[::-1],
        share[:, None] * wanted + (1 - share[:, None]) * wanted[::-1],
    )


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
    model = _compiled(recipe, recipe.epochs * _steps(learn, recipe))
    plain = network(recipe)
    progress = checkpoint.resume(model) if checkpoint else training.Progress()
    progress.kept_weights = progress.kept_weights or model.get_weights()
    for number in range(len(progress.rows) + 1, recipe.epochs + 1):
        start = time.perf_counter()
        loss = _epoch(model, recipe, learn.images, wanted, number, progress.kept_weights)
        plain.set_weights(progress.kept_weights)
        right = probabilities(plain, public.images).argmax(axis=1) == public.labels
        one = Epoch(
            training_loss=loss,
            public_accuracy=right.mean(),
            seconds=time.perf_counter() - start,
        )
        progress.rows.append(one.model_dump())
        if checkpoint:
            checkpoint.save(model, progress)
        report(_line(recipe, number, one))
    plain.set_weights(progress.kept_weights)
    return plain, [Epoch(**row) for row in progress.rows]


def _steps(learn: Split, recipe: Recipe) -> int:
    """Steps in an epoch; the images beyond the last whole batch wait for another one."""
    return max(len(learn.labels) // recipe.batch_size, 1)


def _epoch(model, recipe: Recipe, images, wanted, number: int, averages: list[np.ndarray]) -> float:
    """One pass over the images, which also moves the averages; the mean loss, nats."""
    random = np.random.default_rng([recipe.seed, number])
    order, size = random.permutation(len(images)), recipe.batch_size
    steps = max(len(images) // size, 1)
    model.reset_metrics()
    for step in range(steps):
        chosen = order[step * size : (step + 1) * size]
        pixels = changed(images[chosen], recipe, random)
        loss = model.train_on_batch(*_mixed(pixels, wanted[chosen], recipe, random))
        done = (number - 1) * steps + step + 1
        if done % EVERY == 0 or step == steps - 1:
            _average(averages, model.get_weights(), recipe.averaging, done)
    return float(loss)


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


# The record


def obtain(recipe: Recipe, dataset: Dataset, report: Report = print) -> Trained:
    """Train what has no record, export it, measure the files, and record all of it.

    Where there is a record and its weights are at hand, the files alone are measured again.

    Raises:
        ValueError: a record of that name has another recipe; a teacher's weights are missing; or
            Keras computes on a backend that does not export.
    """
    litert.check_backend()
    devices.check(training.device())
    found = _recorded(recipe)
    if found is None:
        model, made = _trained(recipe, dataset, report)
    else:
        model, made = with_weights(found), found.model_dump(exclude={"files"})
    report(f"{recipe.name}: exporting, and measuring the files ...")
    done = Trained(**made, files=litert.measure(model, dataset, (*FORMS, MIRRORED)))
    small.write(done)
    return done


def _recorded(recipe: Recipe) -> Trained | None:
    """The record of a recipe."""
    found = small.read(recipe.name)
    if found and found.recipe != recipe:
        raise ValueError(
            f"Expected {small.file(recipe.name).name} to be of this recipe. Received: another one, "
            f"of {found.recipe.epochs} epochs. Move it out of {small.FOLDER.name} to train anew."
        )
    return found


def _trained(recipe: Recipe, dataset: Dataset, report: Report) -> tuple[keras.Model, dict]:
    """A network just trained, and the fields of its record but for the files."""
    teachers = [_teacher(name) for name in recipe.teachers]
    code, environment = current_code(recipe.network), recording.current_environment()
    identity = Identity(
        run=_hash(recipe, dataset, teachers), code=code.fingerprint, environment=environment
    )
    checkpoint = Checkpoint(paths.cache() / "checkpoints" / f"{recipe.name}.npz", identity)
    taught = _taught(teachers, dataset.splits["Training"].images) if teachers else None
    model, history = train(recipe, dataset, taught, report, checkpoint)
    model.compile("sgd")  # which `save_weights` asks for
    training.save_weights(model, _weights(recipe.name))
    images = recipe.epochs * recipe.batch_size * _steps(dataset.splits["Training"], recipe)
    cost = Cost(
        wall_seconds=checkpoint.wall_seconds(),
        images_per_second=images / sum(one.seconds for one in history),
        peak_memory_bytes=checkpoint.peak_memory_bytes(),
    )
    checkpoint.remove()
    return model, {
        "recipe": recipe,
        "history": history,
        "cost": cost,
        "environment": environment,
        "code": code,
        "started": checkpoint.started,
        "resumed_after_epochs": checkpoint.resumed_after_epochs,
        "weights_sha256": recording.weights_sum(model),
    }


def _hash(recipe: Recipe, dataset: Dataset, teachers: list[keras.Model]) -> str:
    """What decides a training beside code and machine."""
    parts = [recipe.model_dump_json(), *dataset.fingerprints.values()]
    parts += map(recording.weights_sum, teachers)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def current_code(name: str) -> Code:
    """The code as it is before the training, during which its files may change."""
    commit, clean = provenance.commit()
    return Code(commit=commit, clean=clean, fingerprint=small.fingerprint(name))


def _weights(name: str) -> Path:
    return paths.cache() / "weights" / f"{name}.weights.h5"


def with_weights(found: Trained) -> keras.Model:
    """The network of a record with its weights.

    Raises:
        ValueError: they are not at hand, damaged, or not those of the record.
    """
    path, model = _weights(found.name), network(found.recipe)
    try:
        model.load_weights(path)
        received = recording.weights_sum(model)
    except (KeyError, OSError, ValueError) as problem:
        received = type(problem).__name__
    if received != found.weights_sha256:
        raise ValueError(
            f"Expected the weights of {found.name}, with the sum {found.weights_sha256}, in "
            f"{path}. Received: {received}. Move its record out of {small.FOLDER.name}, and train "
            "it again."
        )
    return model


def _teacher(name: str) -> keras.Model:
    found = small.read(name)
    if not isinstance(found, Trained):
        raise ValueError(
            f"Expected a network of ours that is recorded, as teacher. Received: {name}, which has "
            f"no record in {small.FOLDER.name}. Train it first."
        )
    return with_weights(found)


def _taught(teachers: list[keras.Model], images: np.ndarray) -> np.ndarray:
    """The mean of what teachers answer to faces and to their mirror images, float32 (n, 7)."""
    both = (images, images[:, :, ::-1])
    return np.mean([probabilities(one, some) for one in teachers for some in both], axis=0)
