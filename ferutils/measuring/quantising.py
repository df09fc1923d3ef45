"""A trained network of ours -> its weights as bytes, for the page that runs it in a browser.

Writes nothing. Weights alone are quantised; arithmetic stays in floating point.
"""

import base64

import keras
import numpy as np
from keras import ops

from ferutils.dataset.fer2013 import Dataset
from ferutils.measuring import small, small_recording
from ferutils.records import small as records
from ferutils.records.answers import written
from ferutils.records.face import Block, Face, Layer, Network
from ferutils.records.keeping import HELD_OUT
from ferutils.records.small import Recipe, Trained

LEVELS = 127  # of a byte, to both sides of zero
GREY = 255  # the network divides grey levels by it, which goes into the first kernel


def measure(name: str, dataset: Dataset) -> Face:
    """Quantise a recorded network whose weights are at hand, and answer the held-out splits.

    Args:
        name: of the record, as small-seed-0.
        dataset: whose held-out images are answered.

    Raises:
        ValueError: there is no such record, or its weights are not at hand.
    """
    record = records.read(name)
    if not isinstance(record, Trained):
        raise ValueError(
            f"Expected a network with a record in book/small. Received: {name}. Train it first."
        )
    network = quantised(small_recording.with_weights(record))
    plain = restored(network, record.recipe)
    answers = {
        split: small.probabilities(plain, dataset.splits[split].images).argmax(axis=1)
        for split in HELD_OUT
    }
    return Face(
        record=name,
        weights_sha256=record.weights_sha256,
        answers=written(answers),
        network=network,
    )


def quantised(model: keras.Model) -> Network:
    """The weights of a network as bytes, with batch normalisation folded into convolutions.

    Args:
        model: as `small.network` makes it.
    """
    names = {layer.name for layer in model.layers}
    blocks = sum(name.endswith("_second") for name in names)

    def layer(name: str) -> Layer | None:
        return _layer(*_folded(model, name)) if name in names else None

    return Network(
        stem=layer("stem"),
        blocks=[
            Block(**{part: layer(f"block{number}_{part}") for part in Block.model_fields})
            for number in range(1, blocks + 1)
        ],
        logits=layer("logits"),
    )


def _folded(model: keras.Model, name: str) -> tuple[np.ndarray, np.ndarray, int]:
    """Kernel (height, width, inputs, outputs), bias (outputs,) and stride of a layer."""
    layer = model.get_layer(name)
    if name == "logits":
        kernel, bias = map(ops.convert_to_numpy, (layer.kernel, layer.bias))
        return kernel[None, None], bias, 1
    kernel, norm = ops.convert_to_numpy(layer.kernel), model.get_layer(f"{name}_norm")
    gamma, beta, mean, variance = map(np.float64, norm.get_weights())
    factor = gamma / np.sqrt(variance + norm.epsilon)
    rescaled = kernel / GREY if name == "stem" else kernel
    return rescaled * factor, beta - mean * factor, layer.strides[0]


def _layer(kernel: np.ndarray, bias: np.ndarray, stride: int) -> Layer:
    scale = np.abs(kernel).max(axis=(0, 1, 2)) / LEVELS
    scale = np.where(scale > 0, scale, 1).astype("<f4")
    levels = np.rint(kernel / scale).astype(np.int8)
    kernel, scale, bias = map(_encoded, (levels, scale, bias.astype("<f4")))
    return Layer(shape=levels.shape, stride=stride, kernel=kernel, scale=scale, bias=bias)


def _encoded(values: np.ndarray) -> str:
    return base64.b64encode(values.tobytes()).decode()


def restored(network: Network, recipe: Recipe) -> keras.Model:
    """A Keras network that computes with the weights of the bytes.

    Args:
        network: as `quantised` makes it.
        recipe: of its training.
    """
    model = small.network(recipe)
    every = {"stem": network.stem, "logits": network.logits}
    for number, block in enumerate(network.blocks, start=1):
        every |= {f"block{number}_{part}": layer for part, layer in block if layer}
    for name, layer in every.items():
        kernel, bias = layer.weights
        if name == "logits":
            model.get_layer(name).set_weights([kernel[0, 0], bias])
            continue
        model.get_layer(name).set_weights([kernel * GREY if name == "stem" else kernel])
        norm, ones = model.get_layer(f"{name}_norm"), np.ones_like(bias)
        norm.set_weights([ones, bias, 0 * ones, ones - norm.epsilon])
    return model
