"""The network that the report's page runs in a browser: weights as bytes, and what it answers.

Writes and reads book/face.json, the only weights in git.
"""

import base64
from typing import Annotated

import numpy as np
from pydantic import Field, model_validator

from ferutils import paths, storage
from ferutils.records import answers, small
from ferutils.records.answers import Answers
from ferutils.records.runs import Part, Words
from ferutils.records.small import Count, Trained

FILE = paths.BOOK / "face.json"
COMMAND = "FER2013=PATH ferutils measure face small-seed-0"
SQUARE, STEP = 12, 6  # pixels, of the part that is covered to see what decided

Encoded = Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]*={0,2}$")]  # base64, little-endian


class Layer(Part):
    """A convolution with its batch normalisation folded in, or the dense layer as one of 1 x 1.

    A weight is its byte times the scale of its output; all arithmetic is in floating point.
    """

    shape: tuple[Count, Count, Count, Count]  # height, width, inputs, outputs
    stride: Count
    kernel: Encoded  # int8, -127..127, in the order of its shape
    scale: Encoded  # float32, of each output
    bias: Encoded  # float32, of each output

    @model_validator(mode="after")
    def _as_long_as_its_shape(self) -> "Layer":
        wanted = (int(np.prod(self.shape)), 4 * self.shape[3], 4 * self.shape[3])
        texts = (self.kernel, self.scale, self.bias)
        if tuple(len(base64.b64decode(one)) for one in texts) != wanted:
            raise ValueError(f"weights of another size than {self.shape}")
        return self

    @property
    def weights(self) -> tuple[np.ndarray, np.ndarray]:
        """Kernel and bias as numbers, float32 of `shape` and (outputs,)."""
        kernel = np.frombuffer(base64.b64decode(self.kernel), np.int8).reshape(self.shape)
        floats = (self.scale, self.bias)
        scale, bias = (np.frombuffer(base64.b64decode(one), "<f4") for one in floats)
        return kernel * scale, bias


class Block(Part):
    """Two convolutions beside the identity, or beside one of 1 x 1."""

    first: Layer
    second: Layer
    beside: Layer | None = None


class Network(Part):
    """Stem, blocks, mean of the maps, dense layer; takes grey levels 0..255."""

    stem: Layer
    blocks: list[Block]
    logits: Layer


class Face(Part):
    """The content of `face.json`."""

    record: Words  # the name of the training whose weights they are, as small-seed-0
    weights_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]  # of the training's
    answers: Answers
    network: Network


def write(found: Face) -> None:
    """Write the network, whole or not at all."""
    storage.write_whole(FILE, storage.sealed(found.model_dump_json(indent=1)))


def read() -> tuple[Face, Trained] | None:
    """The network and the record of its training, or None where it was not exported.

    Raises:
        ValueError: it is damaged, was edited, or is not of the recorded training.
    """
    if not FILE.exists():
        return None
    remedy = f"Restore it from git, or run {COMMAND}."
    with storage.expecting("the network for browsers", FILE, remedy):
        found = Face.model_validate_json(storage.unsealed(FILE))
        trained = small.read(found.record)
        if not isinstance(trained, Trained) or trained.weights_sha256 != found.weights_sha256:
            raise ValueError(f"weights that are not those of the record {found.record}")
        if not answers.complete(found.answers, trained.files.dataset):
            raise ValueError("not one answer to each held-out image")
        return found, trained
