"""Networks small enough for a phone: recipes, trainings, and what their exported files answer.

Writes and reads book/small/<name>.json of ours and formats-<run id>.json of the paper's networks.
"""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, ValidationError, model_validator

from ferutils import paths, storage
from ferutils.records import answers, provenance
from ferutils.records.answers import Answers
from ferutils.records.runs import (
    Accuracy,
    Code,
    Cost,
    DatasetNote,
    Environment,
    Measured,
    Part,
    Words,
)

FOLDER = paths.BOOK / "small"
NETWORKS = {"small": 1_000_000, "tiny": 100_000}  # bytes that the int8 file has to stay under
FORMS = ("float32", "float16", "dynamic int8", "int8")
MIRRORED = "int8, both mirrored"  # the mean of a face and its mirror image, inside the file
# As provenance.SHAPING, for ours.
SHAPING = ("dataset/fer2013", "measuring/augmenting", "measuring/models", "measuring/small")
COMMANDS = (
    "make small FER2013=PATH",
    "FER2013=PATH ferutils measure formats RUN",
)

# What differs between the networks; the smaller one learns too little rather than too much.
USUAL = {
    "small": {"learning_rate": 0.003, "weight_decay": 0.05},
    "tiny": {"learning_rate": 0.006, "weight_decay": 0.02, "dropout": 0.0},
}
TAUGHT = {"tiny": {"weight_decay": 0.005}}

Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[float, Field(gt=0, le=1)]


class Recipe(Part):
    """Everything that decides one training, but the dataset and the teachers' weights."""

    network: Literal[*NETWORKS]
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    epochs: Count = 100
    batch_size: Annotated[int, Field(ge=2)] = 128
    learning_rate: Positive  # of AdamW after the warm-up, then to zero along a cosine
    warm_up: Share = 0.05  # of all steps
    weight_decay: Share  # of kernels alone
    clip: Annotated[float, Field(gt=0)] = 5.0  # largest norm of all gradients together
    averaging: Share = 0.998  # of the moving average of the weights, a step
    dropout: Share = 0.2  # before the last layer
    label_smoothing: Share = 0.1
    mirror: bool = True  # half of the images
    rotation: Annotated[float, Field(ge=0, le=180)] = 12.0  # degrees at most, to both sides
    scale: Share = 0.12
    shift: Share = 0.12  # of the width
    contrast: Share = 0.2
    brightness: Share = 0.2  # of the range of grey
    blanked: Share = 0.5  # of the images lose one square of 8 to 16 pixels
    mixup: Annotated[float, Field(ge=0)] = 0.0  # of its beta distribution; 0: none
    precision: Literal["float32", "mixed_bfloat16"] = "mixed_bfloat16"
    teachers: tuple[Words, ...] = ()  # names of records, whose mean answer is taught
    teaching: Share = 0.7  # of the target that is the teachers', where there are some

    @property
    def name(self) -> str:
        """What the record is called."""
        taught = "-taught" if self.teachers else ""
        return f"{self.network}{taught}-seed-{self.seed}"


class Epoch(Part):
    """What one pass over the training images measured."""

    training_loss: Annotated[float, Field(ge=0)]  # mean, nats, of the changed images
    public_accuracy: Accuracy  # on PublicTest, with the averaged weights
    seconds: Measured


class Form(Part):
    """One file that a network was exported to."""

    bytes: Count
    milliseconds: Measured  # a face, on one thread, median
    memory_bytes: Count | None  # what it adds to a process that runs it; None: cannot be told here
    answers: Answers


class Answered(Part):
    """What files were measured to answer, in one go."""

    dataset: DatasetNote
    environment: Environment  # that they ran on
    code: Code
    measured: datetime
    forms: dict[Words, Form]

    @model_validator(mode="after")
    def _answers_each_image(self) -> "Answered":
        for name, form in self.forms.items():
            if not answers.complete(form.answers, self.dataset):
                raise ValueError(f"an answer to each held-out image, form {name}")
        return self

    def right(self, form: str, split: str) -> np.ndarray:
        """Which images a file answers rightly, bool (n,), in canonical order."""
        return answers.right(self.forms[form].answers, self.dataset, split)


class Files(Answered):
    """What the files of one network are and answer, in all their forms."""

    parameters: Count
    calibration_images: Count  # of Training, by which int8 ranges were set

    @model_validator(mode="after")
    def _has_each_form(self) -> "Files":
        if not set(FORMS) <= set(self.forms) <= {*FORMS, MIRRORED}:
            raise ValueError(f"the forms {', '.join(FORMS)}, not {', '.join(self.forms)}")
        return self

    def same(self, form: str, split: str) -> float:
        """The share of images that a file answers as the float32 one does."""
        found = (answers.labels(self.forms[one].answers, split) for one in (form, "float32"))
        return float(np.equal(*found).mean())


class Trained(Part):
    """The content of `<name>.json`: one network of ours."""

    recipe: Recipe
    history: list[Epoch]
    cost: Cost
    environment: Environment
    code: Code
    started: datetime
    resumed_after_epochs: list[int] = Field(default_factory=list)
    weights_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    files: Files

    @model_validator(mode="after")
    def _as_long_as_planned(self) -> "Trained":
        if len(self.history) != self.recipe.epochs:
            raise ValueError(f"{len(self.history)} epochs, not {self.recipe.epochs}")
        return self

    @property
    def name(self) -> str:
        """What the record is called."""
        return self.recipe.name

    @property
    def is_current(self) -> bool:
        """Whether the code that trains would give the same numbers today."""
        return self.code.fingerprint == fingerprint(self.recipe.network)


class Formats(Part):
    """The content of `formats-<run id>.json`: one network of the paper."""

    run: Annotated[str, Field(pattern=rf"^{paths.RUN_ID}$")]
    files: Files

    @property
    def name(self) -> str:
        """What the record is called."""
        return f"formats-{self.run}"


def usual(network: str, **given: object) -> Recipe:
    """The recipe of a network, with what is given instead of its usual values.

    Raises:
        ValueError: there is no such network, or a value is impossible.
    """
    taught = TAUGHT.get(network, {}) if given.get("teachers") else {}
    try:
        return Recipe(**{"network": network} | USUAL.get(network, {}) | taught | given)
    except ValidationError as error:
        raise ValueError(
            f"Expected a recipe of {' or '.join(NETWORKS)}. "
            f"Received: {storage.described(error)}. Correct it."
        ) from None


def fingerprint(network: str) -> str:
    """A hash of the code that shapes the numbers of a network of ours."""
    return provenance.code_fingerprint(network, modules=SHAPING)


# Files


def file(name: str) -> Path:
    """Where a record lies."""
    return FOLDER / f"{name}.json"


def read(name: str) -> Trained | Formats | None:
    """The record of that name, or None.

    Raises:
        ValueError: it is damaged, was edited, or has another's name.
    """
    path = file(name)
    if not path.exists():
        return None
    kind = Formats if name.startswith("formats-") else Trained
    remedy = f"Restore it from git, or remove it and run {' or '.join(COMMANDS)}."
    with storage.expecting(f"the record {name}", path, remedy):
        found = kind.model_validate_json(storage.unsealed(path))
        if found.name != name:
            raise ValueError(f"the record {found.name}")
        return found


def read_all() -> tuple[list[Trained], list[Formats]]:
    """Every record of our networks, and of the paper's, in the order of their names.

    Raises:
        ValueError: as `read`.
    """
    every = [read(path.stem) for path in sorted(FOLDER.glob("[!.]*.json"))]
    ours = [one for one in every if isinstance(one, Trained)]
    return ours, [one for one in every if isinstance(one, Formats)]


def write(found: Trained | Formats) -> None:
    """Write a record, whole or not at all."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    storage.write_whole(file(found.name), storage.sealed(found.model_dump_json(indent=1)))
