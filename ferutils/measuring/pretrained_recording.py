"""Recipe of AlexNet, CapsNet or a VGG16 -> its record.

Reads a dataset and files of weights; writes the record, and to the cache features and checkpoints.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras

from ferutils import paths
from ferutils.dataset.fer2013 import Dataset
from ferutils.measuring import (
    alexnet,
    capsules,
    changing,
    devices,
    frozen,
    recording,
    small,
    training,
    tuning,
    vgg,
)
from ferutils.measuring.checkpoints import Checkpoint, Identity
from ferutils.records import answers, provenance, runs
from ferutils.records import pretrained as records
from ferutils.records.keeping import HELD_OUT
from ferutils.records.pretrained import Pretrained, Recipe
from ferutils.records.runs import Code, Cost

Report = Callable[[str], None]


def measure(
    recipe: Recipe,
    dataset: Dataset,
    known: Mapping[str, list[int]],
    file: Path | None = None,
    report: Report = print,
) -> Pretrained:
    """Train what a recipe names, let it answer both held-out splits, and record that.

    Args:
        recipe: what to train; a training that was cut off goes on.
        dataset: Training to learn from, PublicTest to choose on, both held-out splits to answer.
        known: by held-out split, positions of images whose photograph is in Training too.
        file: of the weights; None: the cache's, or they are downloaded.
        report: called with a line after each step.

    Raises:
        ValueError: the weights cannot be had, or are not the pinned ones.
    """
    devices.check(training.device())
    commit, clean = provenance.commit()  # before the training, during which files may change
    code = Code(commit=commit, clean=clean, fingerprint=records.fingerprint(recipe))
    environment = recording.current_environment()
    same = " ".join([recipe.model_dump_json(), *dataset.fingerprints.values()])
    identity = Identity(run=same, code=code.fingerprint, environment=environment)
    place = paths.cache() / "checkpoints" / f"{records.file_name(recipe)}.npz"
    checkpoint = Checkpoint(place, identity)
    weights = vgg.weights_file(recipe.network, file)
    if recipe.way == "frozen":
        fields = _frozen(recipe, weights, dataset, report, checkpoint)
    else:
        fields = _trained(recipe, weights, dataset, known, report, checkpoint)
    found = Pretrained(
        recipe=recipe,
        dataset=runs.note(dataset),
        begun_from=vgg.SUMS.get(recipe.network),
        environment=environment,
        code=code,
        started=checkpoint.started,
        **fields,
    )
    records.write(found)
    checkpoint.remove()
    return found


def _frozen(
    recipe: Recipe, weights: Path | None, dataset: Dataset, report: Report, checkpoint: Checkpoint
) -> dict[str, Any]:
    """The fields of the record of a linear classifier on frozen features."""
    done = frozen.classify(recipe, weights, dataset, report)
    images = sum(len(split.labels) for split in dataset.splits.values())
    cost = Cost(
        wall_seconds=done.looking_seconds + done.fitting_seconds,
        images_per_second=images / done.looking_seconds,
        peak_memory_bytes=checkpoint.peak_memory_bytes(),
    )
    return {
        "parameters": done.parameters,
        "head": done.head,
        "cost": cost,
        "answers": answers.written(done.answers),
    }


def _trained(
    recipe: Recipe,
    weights: Path | None,
    dataset: Dataset,
    known: Mapping[str, list[int]],
    report: Report,
    checkpoint: Checkpoint,
) -> dict[str, Any]:
    """The fields of the record of a network trained by epochs."""
    keras.utils.set_random_seed(recipe.seed)
    match recipe.network:
        case "alexnet":
            model = alexnet.alexnet(recipe.precision)
        case "capsnet":
            model = capsules.capsnet(recipe.precision)
        case "capsnet-dense":
            model = capsules.capsnet_dense(recipe.precision)
        case _:
            model = tuning.tuned(recipe, weights)
    history = tuning.train(model, recipe, dataset, report, checkpoint)
    answered = {
        name: small.probabilities(model, dataset.splits[name].images).argmax(axis=1)
        for name in HELD_OUT
    }
    steadiness = None
    if recipe.network in records.CAPSULES:
        steadiness = changing.steadiness(model, dataset, known, records.CHANGES, report)
    images = recipe.epochs * len(dataset.splits["Training"].labels)
    cost = Cost(
        wall_seconds=checkpoint.wall_seconds(),
        images_per_second=images / sum(one.seconds for one in history),
        peak_memory_bytes=checkpoint.peak_memory_bytes(),
    )
    return {
        "parameters": model.count_params(),
        "history": history,
        "cost": cost,
        "resumed_after_epochs": checkpoint.resumed_after_epochs,
        "answers": answers.written(answered),
        "steadiness": steadiness,
    }
