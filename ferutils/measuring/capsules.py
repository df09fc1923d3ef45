"""CapsNet and its dense twin: one trunk of convolutions, then capsules or dense layers.

Reads and writes nothing. Backend-neutral.

Source: S. Sabour, N. Frosst and G. E. Hinton, "Dynamic routing between capsules", NeurIPS 2017.
"""

import keras
from keras import layers, ops

from ferutils.dataset.fer2013 import EMOTIONS, IMAGE_SIZE
from ferutils.measuring.models import BatchNormalization

ROUTINGS = 3
PRIMARY, FINAL = 8, 16  # numbers of a capsule of the first layer, and of the last one
# Lengths of the capsule of an emotion that is there, and of one that is not, from which on they
# cost nothing; and what the latter weigh.
PRESENT, ABSENT, WEIGHT = 0.9, 0.1, 0.5
MAPS = 128  # of the trunk, and of the primary capsules together
HIDDEN = 144  # neurons, so that both heads have 664,000 parameters


def capsnet(precision: str = "float32") -> keras.Model:
    """The trunk, 16 capsules on each of its 6 x 6 places, and by routing a capsule an emotion.

    Input float (n, 48, 48, 1), 0..255; output float32 (n, 7), the lengths of the capsules, 0..1.

    Adapted: its trunk stands for one convolution with filters of 9 pixels, too slow without a
    graphics card; and it has no decoder that draws the image again from its capsule.
    """
    faces, maps = _trunk(precision)
    maps = layers.Conv2D(MAPS, 3, padding="same", dtype=precision, name="primary")(maps)
    capsules = layers.Reshape((-1, PRIMARY), dtype="float32")(maps)
    capsules = Routing(len(EMOTIONS), FINAL, dtype="float32")(squash(capsules))
    return keras.Model(faces, length(capsules))


def capsnet_dense(precision: str = "float32") -> keras.Model:
    """The trunk with a dense head that has as many parameters as the capsules.

    Input float (n, 48, 48, 1), 0..255; output logits float32 (n, 7).
    """
    faces, maps = _trunk(precision)
    hidden = layers.Flatten(dtype=precision)(maps)
    hidden = layers.Dense(HIDDEN, "relu", kernel_initializer="he_normal", dtype=precision)(hidden)
    return keras.Model(faces, layers.Dense(len(EMOTIONS), dtype="float32")(hidden))


def _trunk(precision: str):
    """The faces, and maps (n, 6, 6, 128): a strided convolution and a plain one for each size."""
    faces = keras.Input((IMAGE_SIZE, IMAGE_SIZE, 1))
    maps = layers.Rescaling(1 / 127.5, -1.0, dtype=precision)(faces)
    for filters in (MAPS // 4, MAPS // 2, MAPS):
        maps = _normalised(maps, filters, 2, precision)
        maps = _normalised(maps, filters, 1, precision)
    return faces, maps


def _normalised(maps, filters: int, strides: int, precision: str):
    maps = layers.Conv2D(
        filters,
        3,
        strides,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        dtype=precision,
    )(maps)
    return layers.ReLU(dtype=precision)(BatchNormalization(momentum=0.9, dtype=precision)(maps))


class Routing(layers.Layer):
    """Capsules (n, i, d) -> capsules (n, count, size): each is sent where others agree with it."""

    def __init__(self, count: int, size: int, **given) -> None:
        """Of how many capsules the output is, and of how many numbers each."""
        super().__init__(**given)
        self.count, self.size = count, size

    def build(self, shape):  # noqa: D102 - as its parent
        every = (shape[1], shape[2], self.count * self.size)
        first = keras.initializers.RandomNormal(stddev=0.1)
        self.kernel = self.add_weight(shape=every, initializer=first, name="kernel")

    def call(self, inputs):  # noqa: D102 - as its parent
        votes = ops.matmul(ops.swapaxes(inputs, 0, 1), self.kernel)
        votes = ops.reshape(votes, (inputs.shape[1], -1, self.count, self.size))
        votes = ops.transpose(votes, (1, 2, 3, 0))  # (n, count, size, i): of products the fastest
        logits = ops.zeros_like(votes[:, :, 0])
        for _ in range(ROUTINGS - 1):
            logits += ops.einsum("njoi,njo->nji", votes, _sent(votes, logits))
        return _sent(votes, logits)


def _sent(votes, logits):
    """What arrives where each capsule sends its votes in the shares that its logits tell."""
    return squash(ops.einsum("njoi,nji->njo", votes, ops.softmax(logits, axis=1)))


def squash(vectors):
    """Vectors along the last axis, each in its direction, with a length between 0 and 1."""
    size = length(vectors)[..., None]
    return vectors * (size / (1 + size**2))


def length(vectors):
    """The length of vectors along the last axis; never quite 0, where it has no slope."""
    return ops.sqrt(ops.sum(ops.square(vectors), axis=-1) + keras.config.epsilon() ** 2)


def margin_loss(labels, lengths):
    """What the lengths of the capsules (n, 7) cost: float (n,), 0 or more.

    Args:
        labels: int (n,) or (n, 1), 0..6.
        lengths: float (n, 7), 0..1.
    """
    present = ops.one_hot(ops.reshape(labels, (-1,)), len(EMOTIONS), dtype=lengths.dtype)
    short = ops.square(ops.relu(PRESENT - lengths))
    long = ops.square(ops.relu(lengths - ABSENT))
    return ops.sum(present * short + WEIGHT * (1 - present) * long, axis=-1)
