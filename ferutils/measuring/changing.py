"""Network, held-out images -> what it answers to them as they are, and changed.

Reads arrays; writes nothing. Backend-neutral.
"""

from collections.abc import Callable, Mapping

import keras
import numpy as np

from ferutils.dataset import perturbing
from ferutils.dataset.fer2013 import Dataset, Split
from ferutils.records import probes
from ferutils.records.keeping import HELD_OUT
from ferutils.records.probes import Answers, Change, Changed, Steadiness

SEED = 0  # of the changes: the same for all networks
BATCH = 512


def steadiness(
    model: keras.Model,
    dataset: Dataset,
    known: Mapping[str, list[int]],
    changes: Mapping[str, Change],
    report: Callable[[str], None] = print,
) -> Steadiness:
    """Let a network answer the held-out images as they are, and after each change.

    Args:
        model: input uint8 (n, 48, 48, 1), 0..255; output float (n, 7).
        dataset: with both held-out splits.
        known: by held-out split, positions of images whose photograph is in Training too.
        changes: by name in `perturbing.WAYS`.
        report: is told what is under way.
    """
    splits = {name: dataset.splits[name] for name in HELD_OUT}
    usual = {name: _answered(model, split.images) for name, split in splits.items()}

    def answers(found: Mapping[str, np.ndarray]) -> dict[str, Answers]:
        return {
            name: _counted(split, known[name], usual[name], found[name])
            for name, split in splits.items()
        }

    changed = []
    for kind, strength in probes.each(changes):
        report(f"{kind} {strength:g}")
        found = {
            name: _answered(model, perturbing.perturb(split.images, kind, strength, SEED))
            for name, split in splits.items()
        }
        changed.append(Changed(kind=kind, strength=strength, splits=answers(found)))
    return Steadiness(seed=SEED, unchanged=answers(usual), changed=changed)


def _answered(model: keras.Model, images: np.ndarray) -> np.ndarray:
    """The labels that a network answers, (n,)."""
    return model.predict(images[..., None], batch_size=BATCH, verbose=0).argmax(axis=1)


def _counted(split: Split, known: list[int], usual: np.ndarray, found: np.ndarray) -> Answers:
    right, new = found == split.labels, np.ones(len(found), dtype=bool)
    new[known] = False
    return Answers(
        images=len(found),
        right=int(right.sum()),
        new=int(new.sum()),
        new_right=int((right & new).sum()),
        changed=int((found != usual).sum()),
    )
