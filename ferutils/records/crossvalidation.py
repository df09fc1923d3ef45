"""The cross-validation that the paper's Tables 1 and 2 name: its settings, and what was measured.

Reads book/crossvalidation.yml; writes and reads book/crossvalidation/<model>.json.
"""

import itertools
from datetime import datetime
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from ferutils import paths, storage
from ferutils.dataset.fer2013 import EMOTIONS
from ferutils.records import provenance, recipes
from ferutils.records.recipes import PAPER, Recipe
from ferutils.records.runs import Accuracy, Code, Environment

MODELS = ("shallow", "deep")  # those of Tables 1 and 2
SETTINGS_FILE = paths.BOOK / "crossvalidation.yml"
FOLDER = paths.BOOK / "crossvalidation"
COMMAND = "make crossvalidate FER2013=PATH"

CURVES = ("training_loss", "training_accuracy", "validation_loss", "validation_accuracy")


class Cell(NamedTuple):
    """One choice of the two values."""

    learning_rate: float
    hidden_neurons: int

    @property
    def rate(self) -> str:
        """The learning rate as the paper writes one, without an exponent."""
        return np.format_float_positional(self.learning_rate, trim="-")


class _Part(BaseModel):
    # "strings": the loss of a training that diverged is written as "NaN", which JSON can hold.
    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="strings")


class Size(_Part):
    """How large the cross-validation of one model is."""

    folds: Annotated[int, Field(ge=2)]
    images: Annotated[int, Field(ge=len(EMOTIONS))] | None = None  # of Training; None: all
    epochs: Annotated[int, Field(ge=1)]
    seed: Annotated[int, Field(ge=0, lt=2**32)]  # of the folds and of every training


class Settings(Size):
    """The cross-validation of one model; the lists are its grid, each two values or more."""

    learning_rates: Annotated[list[float], Field(min_length=2)]
    hidden_neurons: Annotated[list[int], Field(min_length=2)]

    def cells(self, model: str) -> list[Cell]:
        """The grid in the order of its training: the paper's own cell, then the others."""
        grid = [Cell(*both) for both in itertools.product(self.learning_rates, self.hidden_neurons)]
        return sorted(grid, key=lambda cell: cell != paper_cell(model))  # which keeps their order

    def plan(self, model: str) -> list[tuple[Cell, int]]:
        """Every training, as cell and fold, in their order."""
        return list(itertools.product(self.cells(model), range(self.folds)))

    def recipe(self, model: str, cell: Cell) -> Recipe:
        """What is trained in a cell, in each fold."""
        return recipes.make(model=model, epochs=self.epochs, seed=self.seed, **cell._asdict())


class SettingsFile(_Part):
    """The content of book/crossvalidation.yml: one grid, and a size for each model."""

    learning_rates: list[float]
    hidden_neurons: list[int]
    models: dict[str, Size]

    @model_validator(mode="after")
    def _of_each_model(self) -> "SettingsFile":
        if set(self.models) != set(MODELS):
            raise ValueError(f"the models {' and '.join(MODELS)}, not {', '.join(self.models)}")
        for model in self.models:
            cells = self.of(model).cells(model)
            if len(set(cells)) < len(cells) or paper_cell(model) not in cells:
                raise ValueError(f"values once each, the paper's {paper_cell(model)} among them")
            for cell in cells:  # an impossible recipe stops here, not hours later
                self.of(model).recipe(model, cell)
        return self

    def of(self, model: str) -> Settings:
        """The settings of one model."""
        grid = {"learning_rates": self.learning_rates, "hidden_neurons": self.hidden_neurons}
        return Settings(**self.models[model].model_dump(), **grid)


class Fold(_Part):
    """The images that a fold keeps outside of the training."""

    counts: list[int]  # by emotion, in label order
    photographs: int  # how many different ones


class Training(_Part):
    """What one training measured: a value per epoch, losses in nats."""

    learning_rate: float
    hidden_neurons: int
    fold: int  # from 0
    training_loss: list[float]
    training_accuracy: list[Accuracy]
    validation_loss: list[float]
    validation_accuracy: list[Accuracy]
    answers: list[int]  # images outside by the emotion answered after the last epoch
    seconds: float

    @property
    def cell(self) -> Cell:
        """What was chosen."""
        return Cell(self.learning_rate, self.hidden_neurons)


class Origin(_Part):
    """What every training of a cross-validation has in common."""

    model: str
    settings: Settings
    fingerprint: str  # SHA-256 of the dataset's Training split
    environment: Environment
    code: Code


class CrossValidation(Origin):
    """The content of `<model>.json`, which may still lack trainings."""

    started: datetime
    folds: list[Fold]
    trainings: list[Training]

    @model_validator(mode="after")
    def _as_planned(self) -> "CrossValidation":
        plan = self.settings.plan(self.model)
        if [(one.cell, one.fold) for one in self.trainings] != plan[: len(self.trainings)]:
            raise ValueError("other trainings than the settings make, or in another order")
        if len(self.folds) != self.settings.folds:
            raise ValueError(f"{len(self.folds)} folds, not {self.settings.folds}")
        epochs = {len(getattr(one, curve)) for one in self.trainings for curve in CURVES}
        if not epochs <= {self.settings.epochs}:
            raise ValueError(f"trainings of {epochs} epochs, not {self.settings.epochs}")
        return self

    @property
    def finished(self) -> bool:
        """Whether every training has been done."""
        return len(self.trainings) == len(self.settings.plan(self.model))

    @property
    def reduced(self) -> bool:
        """Whether it was smaller than the paper's trainings: fewer images or fewer epochs."""
        fewer_epochs = self.settings.epochs < PAPER[self.model]["epochs"]
        return self.settings.images is not None or fewer_epochs

    @property
    def is_current(self) -> bool:
        """Whether the code that trains would give the same numbers today."""
        return self.code.fingerprint == provenance.code_fingerprint(self.model)


def paper_cell(model: str) -> Cell:
    """The paper's own choice for a model."""
    return Cell(PAPER[model]["learning_rate"], PAPER[model]["hidden_neurons"])


def load(model: str, path: Path | None = None) -> Settings:
    """The settings of a model.

    Raises:
        ValueError: the file is damaged, or asks for what cannot be.
    """
    path = path or SETTINGS_FILE
    expected = "learning_rates, hidden_neurons and models"
    with storage.expecting(expected, path, "Correct the file there."):
        return SettingsFile.model_validate(storage.read_yaml(path)).of(model)


# The result


def file(model: str) -> Path:
    """Where the result of a model lies."""
    return FOLDER / f"{model}.json"


def read(model: str) -> CrossValidation | None:
    """The recorded cross-validation of a model, finished or not; None where none was begun.

    Raises:
        ValueError: the file is damaged or was edited.
    """
    path = file(model)
    if not path.exists():
        return None
    remedy = f"Restore it from git, or remove it and run {COMMAND} MODEL={model}."
    with storage.expecting(f"the cross-validation of {model}", path, remedy):
        found = CrossValidation.model_validate_json(storage.unsealed(path))
        if found.model != model:
            raise ValueError(f"the cross-validation of {found.model}")
        return found


def write(found: CrossValidation) -> None:
    """Write a result, whole or not at all."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    storage.write_whole(file(found.model), storage.sealed(found.model_dump_json(indent=1)))
