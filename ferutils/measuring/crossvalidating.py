"""Settings and dataset -> a cross-validation: folds, and in each a training for every cell."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from ferutils.dataset import fer2013
from ferutils.dataset.fer2013 import EMOTIONS, Dataset, Split
from ferutils.measuring import backend, devices, examining, recording
from ferutils.records.crossvalidation import (
    CURVES,
    FOLDER,
    CrossValidation,
    Fold,
    Origin,
    Settings,
    Training,
    file,
    load,
    read,
    write,
)
from ferutils.records.recipes import Recipe

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
    groups = examining.components(training.images)
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
    images = training if wanted is None else fer2013.subset(training, wanted)
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

    Raises:
        ValueError: as `backend.load`.
    """
    backend.load()
    import keras

    from ferutils.measuring import models, training

    keras.utils.clear_session()  # or memory would grow with every network
    keras.utils.set_random_seed(recipe.seed)
    model = models.build(recipe)
    splits = {"Training": inside, recipe.validation_split: outside}
    epochs = range(1, recipe.epochs + 1)
    rows = [training.epoch(model, recipe, splits, number) for number in epochs]
    pixels = outside.images[..., None]
    logits = model.predict(pixels, batch_size=recipe.batch_size, verbose=0)
    answers = np.bincount(logits.argmax(axis=1), minlength=len(EMOTIONS)).tolist()
    return {curve: [row[curve] for row in rows] for curve in CURVES} | {"answers": answers}


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
    backend.load()
    from ferutils.measuring import training

    devices.check(training.device())
    return Origin(
        model=model,
        settings=load(model),
        fingerprint=dataset.fingerprints["Training"],
        environment=recording.current_environment(),
        code=recording.current_code(model),
    )
