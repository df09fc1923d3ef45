"""Recipe of a network for a phone -> its record: trained where it has none, exported, measured.

Reads records and a dataset; writes the record, and to the cache checkpoints and weights.
"""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

from ferutils import paths
from ferutils.dataset.fer2013 import Dataset
from ferutils.measuring import devices, litert, recording, small, training
from ferutils.measuring.checkpoints import Checkpoint, Identity
from ferutils.records import provenance
from ferutils.records import small as records
from ferutils.records.runs import Code, Cost
from ferutils.records.small import FORMS, MIRRORED, Recipe, Trained

Report = Callable[[str], None]


def obtain(recipe: Recipe, dataset: Dataset, report: Report = print) -> Trained:
    """Train what has no record, export it, measure the files, and record all of it.

    Where there is a record and its weights are at hand, the files alone are measured again.

    Raises:
        ValueError: a record of that name has another recipe; a teacher's weights are missing; or
            Keras computes on a backend that does not export.
    """
    litert.check_backend()
    devices.check(training.device())
    found = _recorded(recipe)
    if found is None:
        model, made = _trained(recipe, dataset, report)
    else:
        model, made = with_weights(found), found.model_dump(exclude={"files"})
    report(f"{recipe.name}: exporting, and measuring the files ...")
    done = Trained(**made, files=litert.measure(model, dataset, (*FORMS, MIRRORED)))
    records.write(done)
    _checkpoint_file(recipe.name).unlink(missing_ok=True)
    return done


def _recorded(recipe: Recipe) -> Trained | None:
    """The record of a recipe."""
    found = records.read(recipe.name)
    if found and found.recipe != recipe:
        raise ValueError(
            f"Expected this recipe in {records.file(recipe.name).name}. Received: another one, of "
            f"{found.recipe.epochs} epochs. Move it elsewhere to train anew."
        )
    return found


def _trained(recipe: Recipe, dataset: Dataset, report: Report) -> tuple[keras.Model, dict]:
    """A network just trained, and the fields of its record but for the files."""
    learn, teachers = dataset.splits["Training"].images, [_teacher(one) for one in recipe.teachers]
    commit, clean = provenance.commit()  # before the training, during which files may change
    code = Code(commit=commit, clean=clean, fingerprint=records.fingerprint(recipe.network))
    environment = recording.current_environment()
    sums = [*dataset.fingerprints.values(), *map(recording.weights_sum, teachers)]
    same = " ".join([recipe.model_dump_json(), *sums])
    identity = Identity(run=same, code=code.fingerprint, environment=environment)
    checkpoint = Checkpoint(_checkpoint_file(recipe.name), identity)
    taught = _taught(teachers, learn) if teachers else None
    model, history = small.train(recipe, dataset, taught, report, checkpoint)
    model.compile("sgd")  # which `save_weights` asks for
    training.save_weights(model, _weights(recipe.name))
    images = (
        recipe.epochs * recipe.batch_size * small.steps(dataset.splits["Training"].images, recipe)
    )
    cost = Cost(
        wall_seconds=checkpoint.wall_seconds(),
        images_per_second=images / sum(one.seconds for one in history),
        peak_memory_bytes=checkpoint.peak_memory_bytes(),
    )
    return model, {
        "recipe": recipe,
        "history": history,
        "cost": cost,
        "environment": environment,
        "code": code,
        "started": checkpoint.started,
        "resumed_after_epochs": checkpoint.resumed_after_epochs,
        "weights_sha256": recording.weights_sum(model),
    }


def _checkpoint_file(name: str) -> Path:
    return paths.cache() / "checkpoints" / f"{name}.npz"


def _weights(name: str) -> Path:
    return paths.cache() / "weights" / f"{name}.weights.h5"


def with_weights(found: Trained) -> keras.Model:
    """The network of a record with its weights.

    Raises:
        ValueError: they are not at hand, damaged, or not those of the record.
    """
    path, model = _weights(found.name), small.network(found.recipe)
    try:
        model.load_weights(path)
        received = recording.weights_sum(model)
    except (KeyError, OSError, ValueError) as problem:
        received = type(problem).__name__
    if received != found.weights_sha256:
        raise ValueError(
            f"Expected the weights of {found.name}, with the sum {found.weights_sha256}, in "
            f"{path}. Received: {received}. Move its record elsewhere to "
            "train it anew."
        )
    return model


def _teacher(name: str) -> keras.Model:
    found = records.read(name)
    if not isinstance(found, Trained):
        raise ValueError(
            f"Expected a teacher with a record in book/small. Received: {name}, which has none. "
            "Train it first."
        )
    return with_weights(found)


def _taught(teachers: list[keras.Model], images: np.ndarray) -> np.ndarray:
    """The mean of what teachers answer to faces and to their mirror images, float32 (n, 7)."""
    both = (images, images[:, :, ::-1])
    return np.mean([small.probabilities(one, some) for one in teachers for some in both], axis=0)
