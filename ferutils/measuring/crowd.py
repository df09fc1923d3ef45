"""The votes of FER+ and the answers of runs -> how often people agree with labels and mistakes.

Reads what it is given; writes nothing.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from ferutils.dataset import crowd
from ferutils.dataset.fer2013 import EMOTIONS
from ferutils.measuring import litert
from ferutils.records import runs
from ferutils.records.crowd import Crowd, Labels, Mistakes
from ferutils.records.keeping import HELD_OUT
from ferutils.records.runs import Record


def measure(asked: crowd.Crowd, records: Sequence[Record]) -> Crowd:
    """Count how often the crowd agrees with FER-2013's labels and with the mistakes of runs.

    Args:
        asked: the votes.
        records: finished runs; those that saw another copy of the dataset are left out, because
            their answers are to other images.
    """
    dataset = asked.dataset
    seen = [one for one in records if one.run.dataset.fingerprints == dataset.fingerprints]
    return Crowd(
        votes_sha256=asked.sha256,
        kappa=asked.kappa,
        dataset=runs.note(dataset),
        labels={
            split: labels(asked.votes[split], dataset.splits[split].labels) for split in HELD_OUT
        },
        mistakes={
            one.run.id: {
                split: mistakes(
                    asked.votes[split],
                    dataset.splits[split].labels,
                    one.predictions[split].predicted,
                )
                for split in HELD_OUT
            }
            for one in seen
        },
        code=litert.code("dataset/crowd", "measuring/crowd"),
        measured=datetime.now(UTC).replace(microsecond=0),
    )


def labels(votes: np.ndarray, true: np.ndarray) -> Labels:
    """What the crowd says beside the labels of a split.

    Args:
        votes: uint8 (n, 10), at least one in each row, in the order of `crowd.CHOICES`.
        true: uint8 (n,), 0..6.
    """
    first = _places(votes) == 0
    return Labels(
        images=len(votes),
        agreed=int(first[np.arange(len(votes)), true].sum()),
        shared=int((first.sum(axis=1) > 1).sum()),
        divided=int((votes.max(axis=1) <= crowd.VOTES / 2).sum()),
        no_emotion=int(_no_emotion(first).sum()),
    )


def mistakes(votes: np.ndarray, true: np.ndarray, answered: np.ndarray) -> Mistakes:
    """What the crowd says to the images of a split that are answered wrongly by their label.

    Args:
        votes, true: as for `labels`.
        answered: int (n,), 0..6.
    """
    wrong = answered != true
    votes, answered = votes[wrong], answered[wrong]
    places, rows = _places(votes), np.arange(len(votes))
    none = _no_emotion(places == 0)
    chosen = (votes[rows, answered] > 0) & ~none
    place = places[rows, answered]
    return Mistakes(
        no_emotion=int(none.sum()),
        first=int((chosen & (place == 0)).sum()),
        second=int((chosen & (place == 1)).sum()),
        other=int((chosen & (place > 1)).sum()),
        unchosen=int((~chosen & ~none).sum()),
    )


def _places(votes: np.ndarray) -> np.ndarray:
    """How many different numbers of votes are above that of each choice: int (n, 10), 0 first."""
    higher = votes[:, None, :] > votes[:, :, None]
    kinds = np.sort(np.where(higher, votes[:, None, :], 0), axis=2)
    return (np.diff(kinds, axis=2, prepend=0) > 0).sum(axis=2)


def _no_emotion(first: np.ndarray) -> np.ndarray:
    return ~first[:, : len(EMOTIONS)].any(axis=1)
