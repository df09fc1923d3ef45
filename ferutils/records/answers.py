"""What a network answers to both held-out splits, as a record holds it: a digit per image.

Reads and writes nothing; the images are in the dataset's canonical order, by emotion.
"""

from collections.abc import Mapping
from typing import Annotated

import numpy as np
from pydantic import Field

from ferutils.dataset.fer2013 import EMOTIONS
from ferutils.records.keeping import HELD_OUT
from ferutils.records.runs import DatasetNote, Words

Digits = Annotated[str, Field(pattern=r"^[0-6]+$")]
Answers = dict[Words, Digits]  # by split


def written(answered: Mapping[str, np.ndarray]) -> dict[str, str]:
    """Answers by split, int (n,), as a record holds them."""
    return {split: "".join(map(str, some)) for split, some in answered.items()}


def labels(answers: Answers, split: str) -> np.ndarray:
    """The answers to a split as labels, uint8 (n,), 0..6."""
    return np.frombuffer(answers[split].encode(), np.uint8) - ord("0")


def right(answers: Answers, dataset: DatasetNote, split: str) -> np.ndarray:
    """Which images of a split are answered rightly, bool (n,)."""
    return labels(answers, split) == np.repeat(np.arange(len(EMOTIONS)), dataset.counts[split])


def complete(answers: Answers, dataset: DatasetNote) -> bool:
    """Whether each held-out image has an answer, and nothing else has."""
    wanted = {split: sum(dataset.counts[split]) for split in HELD_OUT}
    return {split: len(some) for split, some in answers.items()} == wanted
