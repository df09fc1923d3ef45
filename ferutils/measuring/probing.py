"""Run with weights, dataset -> what its network does with changed faces, and what it looks at.

Reads the weights of a run; writes nothing. Needs TensorFlow for the slopes that Grad-CAM takes.
"""

from collections.abc import Callable, Iterator, Mapping

import keras
import numpy as np
from keras import layers, ops

from ferutils.dataset.fer2013 import EMOTIONS, IMAGE_SIZE, Dataset, Split
from ferutils.measuring import changing, models, predicting, recording
from ferutils.measuring.changing import BATCH, SEED
from ferutils.records import probes
from ferutils.records.keeping import HELD_OUT
from ferutils.records.probes import CHANGES, Attention, Probe, Weights
from ferutils.records.runs import Record

SQUARE, STEP = 8, 4  # pixels
IMAGES = 50  # of each emotion and held-out split that attention is measured on


def probe(
    record: Record,
    dataset: Dataset,
    known: Mapping[str, list[int]],
    report: Callable[[str], None] = print,
    images: int = IMAGES,
) -> Probe:
    """Probe the network of a run with the weights that its training kept.

    Args:
        record: a finished run whose weights are at hand.
        dataset: what it was trained on.
        known: by held-out split, positions of images whose photograph is in Training too.
        report: is told what is under way.
        images: how many new faces of each emotion and held-out split attention is measured on.

    Raises:
        ValueError: Keras runs on another backend than TensorFlow; the weights are not at hand.
    """
    if keras.backend.backend() != "tensorflow":
        raise ValueError(
            "Expected the Keras backend tensorflow, whose slopes Grad-CAM takes. Received: "
            f"{keras.backend.backend()}. Set KERAS_BACKEND=tensorflow; it reads the same weights."
        )
    keras.utils.set_random_seed(
        record.recipe.seed
    )  # gives the weights that its training began with
    started = _kernels(models.build(record.recipe))
    model = predicting.trained(record)
    splits = {name: dataset.splits[name] for name in HELD_OUT}
    steady = changing.steadiness(model, dataset, known, CHANGES, report)
    report("what it looks at")
    return Probe(
        run=record.run.id,
        weights_sha256=record.run.weights_sha256,
        **dict(steady),
        weights=_weights(started, _kernels(model)),
        square=SQUARE,
        step=STEP,
        attention=_attention(model, _chosen(splits, known, images)),
        filters=np.round(np.moveaxis(_first_kernel(model)[:, :, 0], -1, 0), 4).tolist(),
        environment=recording.current_environment(),
    )


def _kernels(model: keras.Model) -> dict[str, np.ndarray]:
    """The kernels of convolutions and dense layers, each as matrix (inputs, outputs)."""
    weighted = (layers.Conv2D, layers.Dense)
    found = (one for one in models.network(model).layers if isinstance(one, weighted))
    kernels = {one.name: ops.convert_to_numpy(one.kernel).astype(np.float64) for one in found}
    return {name: one.reshape(-1, one.shape[-1]) for name, one in kernels.items()}


def _weights(start: Mapping[str, np.ndarray], end: Mapping[str, np.ndarray]) -> list[Weights]:
    return [
        Weights(
            layer=name,
            values=kernel.size,
            start=np.linalg.norm(start[name]),
            end=np.linalg.norm(kernel),
            spectral=np.linalg.norm(kernel, 2),
            largest=np.abs(kernel).max(),
        )
        for name, kernel in end.items()
    ]


def _first_kernel(model: keras.Model) -> np.ndarray:
    found = (one for one in models.network(model).layers if isinstance(one, layers.Conv2D))
    return ops.convert_to_numpy(next(found).kernel)


def _chosen(
    splits: Mapping[str, Split], known: Mapping[str, list[int]], images: int
) -> dict[str, np.ndarray]:
    """By emotion, some new faces of each split: uint8 (n, 48, 48)."""
    rng = np.random.default_rng(SEED)
    found = {}
    for label, emotion in enumerate(EMOTIONS):
        some = []
        for name, split in splits.items():
            new = np.setdiff1d(np.flatnonzero(split.labels == label), known[name])
            some.append(split.images[rng.permutation(new)[:images]])
        found[emotion] = np.concatenate(some)
    return found


def _attention(model: keras.Model, chosen: Mapping[str, np.ndarray]) -> dict[str, Attention]:
    return {
        emotion: Attention(
            images=len(images),
            occlusion=np.round(occlusion(model, images, label), 5).tolist(),
            grad_cam=np.round(grad_cam(model, images, label), 5).tolist(),
        )
        for label, (emotion, images) in enumerate(chosen.items())
    }


def occlusion(model: keras.Model, images: np.ndarray, label: int) -> np.ndarray:
    """By how much the probability of a label drops where a grey square covers a part of the image.

    The square has the image's mean grey level.

    Args:
        model: as `models.build` makes it.
        images: uint8 (n, 48, 48), n at least 1.
        label: 0..6.

    Returns:
        float (11, 11), the mean over the images, by the square's row and column; -1..1.

    Source: M. Zeiler and R. Fergus, "Visualizing and Understanding Convolutional Networks" (2014),
    section 4.2.
    """
    mean = np.rint(images.mean(axis=(1, 2), keepdims=True)).astype(np.uint8)
    places = probes.places(SQUARE, STEP)
    covered = np.tile(images, (len(places), len(places), 1, 1, 1))
    for row, top in enumerate(places):
        for column, left in enumerate(places):
            covered[row, column, :, top : top + SQUARE, left : left + SQUARE] = mean
    whole = _probability(model, images, label).mean()
    found = _probability(model, covered.reshape(-1, IMAGE_SIZE, IMAGE_SIZE), label)
    return whole - found.reshape(len(places), len(places), -1).mean(axis=2)


def _probability(model: keras.Model, images: np.ndarray, label: int) -> np.ndarray:
    logits = model.predict(images[..., None], batch_size=BATCH, verbose=0)
    return ops.convert_to_numpy(ops.softmax(logits.astype(np.float64)))[:, label]


def grad_cam(model: keras.Model, images: np.ndarray, label: int) -> np.ndarray:
    """Where the last convolution sees what speaks for a label.

    Args:
        model: as `models.build` makes it, under TensorFlow.
        images: uint8 (n, 48, 48), n at least 1.
        label: 0..6.

    Returns:
        float (h, w) of the last convolution's outputs: the mean over the images of each one's map,
        whose sum is 1; 0 or more. Where nothing speaks for the label, a map is 0.

    Source: R. Selvaraju et al., "Grad-CAM" (2017), equations 1 and 2.
    """
    maps = [_grad_cam(model, some, label) for some in _batches(images)]
    every = np.concatenate(maps).astype(np.float64)
    sums = every.sum(axis=(1, 2), keepdims=True)
    return np.divide(every, sums, out=np.zeros_like(every), where=sums > 0).mean(axis=0)


def _batches(images: np.ndarray, size: int = 64) -> Iterator[np.ndarray]:
    return (images[start : start + size] for start in range(0, len(images), size))


def _grad_cam(model: keras.Model, images: np.ndarray, label: int) -> np.ndarray:
    import tensorflow as tf

    every = [*model.layers[:-1], *models.network(model).layers]
    last = max(i for i, one in enumerate(every) if isinstance(one, layers.Conv2D))
    outputs = images[..., None]
    for layer in every[: last + 1]:
        outputs = layer(outputs, training=False)
    with tf.GradientTape() as tape:
        tape.watch(outputs)
        logits = outputs
        for layer in every[last + 1 :]:
            logits = layer(logits, training=False)
        wanted = logits[:, label]
    slopes = tf.cast(tape.gradient(wanted, outputs), tf.float32)
    weights = tf.reduce_mean(slopes, axis=(1, 2))
    return tf.nn.relu(tf.einsum("nhwc,nc->nhw", tf.cast(outputs, tf.float32), weights)).numpy()
