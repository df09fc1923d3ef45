"""AlexNet, built for faces of 48 pixels.

Reads and writes nothing. Backend-neutral.
"""

import keras
from keras import layers, ops

from ferutils.dataset.fer2013 import EMOTIONS, IMAGE_SIZE

HIDDEN = 4096


class LocalResponseNormalization(layers.Layer):
    """Divides each map by the size of the five maps around it, with AlexNet's constants."""

    def call(self, inputs):  # noqa: D102 - as its parent
        squares = ops.pad(ops.square(inputs), ((0, 0), (0, 0), (0, 0), (2, 2)))
        count = inputs.shape[-1]
        near = sum(squares[..., start : start + count] for start in range(5))
        return inputs / (2 + 1e-4 * near) ** 0.75


def alexnet(precision: str = "float32") -> keras.Model:
    """Five convolutions, the first two normalised, three pools, two hidden layers with dropout.

    Input float (n, 48, 48, 1), 0..255; output logits float32 (n, 7).

    Adapted: the first filters have 7 pixels and step by 2, not 11 and 4 as for images of 224,
    which would leave 12 places of a face; no layer is cut in two for two cards; the first weights
    are drawn by He's rule, without which eight layers hardly begin to learn from so few images.

    Source: A. Krizhevsky, I. Sutskever and G. E. Hinton, "ImageNet classification with deep
    convolutional neural networks", NeurIPS 2012.
    """
    faces = keras.Input((IMAGE_SIZE, IMAGE_SIZE, 1))
    maps = layers.Rescaling(1 / 127.5, -1.0, dtype=precision)(faces)
    maps = _convolution(maps, 96, 7, precision, strides=2)  # 24 x 24
    maps = LocalResponseNormalization(dtype=precision)(maps)
    maps = layers.MaxPooling2D(3, 2, dtype=precision)(maps)  # 11 x 11
    maps = _convolution(maps, 256, 5, precision)
    maps = LocalResponseNormalization(dtype=precision)(maps)
    maps = layers.MaxPooling2D(3, 2, dtype=precision)(maps)  # 5 x 5
    for filters in (384, 384, 256):
        maps = _convolution(maps, filters, 3, precision)
    maps = layers.MaxPooling2D(3, 2, dtype=precision)(maps)  # 2 x 2
    hidden = layers.Flatten(dtype=precision)(maps)
    for _ in range(2):
        hidden = layers.Dense(HIDDEN, "relu", kernel_initializer="he_normal", dtype=precision)(
            hidden
        )
        hidden = layers.Dropout(0.5, dtype=precision)(hidden)
    return keras.Model(faces, layers.Dense(len(EMOTIONS), dtype="float32")(hidden))


def _convolution(maps, filters: int, size: int, precision: str, strides: int = 1):
    return layers.Conv2D(
        filters,
        size,
        strides,
        padding="same",
        activation="relu",
        kernel_initializer="he_normal",
        dtype=precision,
    )(maps)
