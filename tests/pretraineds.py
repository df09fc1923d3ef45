"""Records of AlexNet, CapsNet and VGG16 that nobody measured."""

from datetime import UTC, datetime

import numpy as np
from synthetic import PUBLISHED, answered, record

from ferutils.records import answers, pretrained, probes, runs
from ferutils.records.probes import Changed, Steadiness

RUN = record().run


def steadiness(right=16):
    """Answers to changed faces: of 40 new ones 20 are right, and so many after each change."""
    return Steadiness(
        seed=0,
        unchanged=answered(),
        changed=[
            Changed(
                kind=kind,
                strength=strength,
                splits=answered(changed=10, new_right=right),
            )
            for kind, strength in probes.each(pretrained.CHANGES)
        ],
    )


def measured(name="random-vgg16-frozen", wrong=0, note=PUBLISHED, right=16, **given):
    """A network that answers the first images of each split wrongly; right: see `steadiness`."""
    recipe = pretrained.usual(name, **given)
    labels = {split: np.repeat(np.arange(7), note.counts[split]) for split in runs.HELD_OUT}
    for some in labels.values():
        some[:wrong] = (some[:wrong] + 1) % 7
    frozen = recipe.way == "frozen"
    tried = {"block 4, C 0.01": 0.4, "block 5, C 0.01": 0.3}
    head = pretrained.Head(block=4, strength=0.01, features=512, iterations=9, tried=tried)
    one = pretrained.Epoch(training_loss=1.5, public_accuracy=0.4, seconds=2)
    return pretrained.Pretrained(
        recipe=recipe,
        dataset=note,
        parameters=100,
        begun_from="0" * 64 if recipe.network in pretrained.ORIGINS[:2] else None,
        head=head if frozen else None,
        history=[one] * recipe.epochs,
        cost=RUN.cost,
        environment=RUN.environment,
        code=RUN.code,
        started=datetime(2026, 1, 2, tzinfo=UTC),
        answers=answers.written(labels),
        steadiness=steadiness(right) if name in pretrained.CAPSULES else None,
    )
