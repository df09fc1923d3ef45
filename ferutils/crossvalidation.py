"""The cross-validation that the paper's Tables 1 and 2 name: its settings, trainings and result.

Reads book/crossvalidation.yml and a dataset; writes and reads book/crossvalidation/<model>.json.
Used as `python -m ferutils.crossvalidation [MODEL ...]`, with the dataset's place in FER2013. Needs
Keras only to train.
"""

import hashlib
import itertools
import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from sklearn.model_selection import StratifiedGroupKFold

from ferutils import data, devices, examination, paths, provenance, recipes, runs
from ferutils.data import EMOTIONS, Dataset, Split
from ferutils.recipes import PAPER, Recipe
from ferutils.records import Accuracy, Code, Environment

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
    checksum: str = ""  # SHA-256 of all that is above

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
    try:
        return SettingsFile.model_validate(yaml.safe_load(path.read_text("utf-8"))).of(model)
    except (OSError, ValidationError, yaml.YAMLError) as error:
        raise ValueError(
            f"Expected learning_rates, hidden_neurons and models in {path.name}. "
            f"Received: {error}. Correct the file there."
        ) from None


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
    try:
        found = CrossValidation.model_validate_json(path.read_bytes())
        if found.checksum != _checksum(found):
            raise ValueError("numbers that are not those of its checksum")
        if found.model != model:
            raise ValueError(f"the cross-validation of {found.model}")
        return found
    except (OSError, ValueError) as error:  # a validation error is a ValueError
        raise ValueError(
            f"Expected the cross-validation of {model} in {path.name}. Received: {error}. "
            f"Restore it from git, or remove it and run {COMMAND} MODEL={model}."
        ) from None


def write(found: CrossValidation) -> None:
    """Write a result, whole or not at all."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    checked = found.model_copy(update={"checksum": _checksum(found)})
    paths.write_whole(file(found.model), checked.model_dump_json(indent=1).encode() + b"\n")


def _checksum(found: CrossValidation) -> str:
    return hashlib.sha256(found.model_dump_json(exclude={"checksum"}).encode()).hexdigest()


# The folds, and the trainings in them


def folds(training: Split, settings: Settings) -> list[tuple[np.ndarray, np.ndarray, int]]:
    """Stratified folds, with all images of one photograph on the same side.

    Args:
        training: the images to divide, in canonical order.
        settings: how many folds, and by which seed.

    Returns:
        By fold, the positions of the images inside the training, int (n,), those outside, int
        (m,), and how many photographs these show.
    """
    groups = examination.components(training.images)
    splitter = StratifiedGroupKFold(settings.folds, shuffle=True, random_state=settings.seed)
    sides = splitter.split(groups, training.labels, groups)
    return [(inside, outside, len(np.unique(groups[outside]))) for inside, outside in sides]


def cross_validate(
    origin: Origin, training: Split, report: Callable[[str], None] = print
) -> CrossValidation:
    """Train every cell in every fold that has not been trained yet; each is recorded at once.

    Args:
        origin: the model, its settings, and what it is trained with.
        training: the dataset's Training split.
        report: called with a line before the first training and after each.

    Raises:
        ValueError: what is recorded was begun with other settings, images, code or machine.
    """
    found = _same(read(origin.model), origin)
    if found and found.finished:
        report(f"{origin.model}: recorded already")
        return found
    wanted = origin.settings.images
    images = training if wanted is None else data.subset(training, wanted)
    report(f"{origin.model}: looking for photographs that occur more than once ...")
    sides = folds(images, origin.settings)
    found = found or _begin(origin, images, sides)
    plan = origin.settings.plan(origin.model)
    durations: list[float] = []
    for cell, fold in plan[len(found.trainings) :]:
        start = time.perf_counter()
        inside, outside = (_chosen(images, side) for side in sides[fold][:2])
        measured = train(origin.settings.recipe(origin.model, cell), inside, outside)
        durations.append(time.perf_counter() - start)
        one = Training(**cell._asdict(), fold=fold, seconds=round(durations[-1], 2), **measured)
        found = found.model_copy(update={"trainings": [*found.trainings, one]})
        write(found)
        report(_line(one, len(found.trainings), len(plan), durations))
    return found


def _same(found: CrossValidation | None, origin: Origin) -> CrossValidation | None:
    """What is recorded, if these settings, images, code and machine would go on with it."""
    if found is None:
        return None
    other = [name for name in Origin.model_fields if getattr(found, name) != getattr(origin, name)]
    if "code" in other and found.code.fingerprint == origin.code.fingerprint:
        other.remove("code")  # another commit, which trains in the same way
    if other:
        raise ValueError(
            f"Expected {file(found.model).name} to be begun with the settings, dataset, code and "
            f"environment of now. Received: another {' and another '.join(other)}. "
            f"Move the file out of {FOLDER.name} to begin anew."
        )
    return found


def _begin(
    origin: Origin, images: Split, sides: list[tuple[np.ndarray, np.ndarray, int]]
) -> CrossValidation:
    """A cross-validation without trainings."""
    described = [
        Fold(
            counts=np.bincount(images.labels[outside], minlength=len(EMOTIONS)).tolist(),
            photographs=photographs,
        )
        for _, outside, photographs in sides
    ]
    started = datetime.now(UTC).replace(microsecond=0)
    common = {name: getattr(origin, name) for name in Origin.model_fields}
    return CrossValidation(**common, started=started, folds=described, trainings=[])


def _chosen(split: Split, places: np.ndarray) -> Split:
    return Split(images=split.images[places], labels=split.labels[places])


def train(recipe: Recipe, inside: Split, outside: Split) -> dict[str, list]:
    """Train on the images inside and measure on those outside.

    Returns:
        The fields of `Training` that are measured, but the time.
    """
    import keras

    from ferutils import models, training

    keras.utils.clear_session()  # or memory would grow with every network
    keras.utils.set_random_seed(recipe.seed)
    model = models.build(recipe)
    history, _ = training.fit(model, recipe, inside, outside, lambda row: None)
    pixels = outside.images[..., None]
    logits = model.predict(pixels, batch_size=recipe.batch_size, verbose=0)
    answers = np.bincount(logits.argmax(axis=1), minlength=len(EMOTIONS)).tolist()
    return history[list(CURVES)].to_dict("list") | {"answers": answers}


def _line(one: Training, done: int, planned: int, durations: list[float]) -> str:
    """How far it is, and how long it will take by what the trainings of this start took."""
    left = (planned - done) * sum(durations) / len(durations) / 60
    return (
        f"{done} of {planned}: learning rate {one.learning_rate:g}, {one.hidden_neurons} hidden "
        f"neurons, fold {one.fold + 1}: accuracy {one.validation_accuracy[-1]:.3f} in "
        f"{one.seconds:.0f} s; about {left:.0f} minutes left"
    )


def origin(model: str, dataset: Dataset) -> Origin:
    """What a cross-validation that begins now would be made with.

    Raises:
        ValueError: a GPU is asked for and there is none.
    """
    devices.claim()
    from ferutils import training

    devices.check(training.device())
    return Origin(
        model=model,
        settings=load(model),
        fingerprint=dataset.fingerprints["Training"],
        environment=runs.current_environment(),
        code=runs.current_code(model),
    )


def main() -> None:
    """Cross-validate the models that are named, or both, on the published FER-2013."""
    wanted = sys.argv[1:] or MODELS
    if not set(wanted) <= set(MODELS):
        sys.exit(f"Expected {' or '.join(MODELS)}. Received: {' '.join(wanted)}. Correct the name.")
    try:
        dataset = data.load_published(os.environ.get("FER2013"), paths.cache() / "datasets")
    except (OSError, ValueError) as error:
        sys.exit(str(error))
    for model in wanted:
        try:
            cross_validate(origin(model, dataset), dataset.splits["Training"], _say)
        except ValueError as error:
            sys.exit(str(error))
        except KeyboardInterrupt:
            sys.exit("Stopped. The same command goes on after the last training of a line above.")


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    main()
