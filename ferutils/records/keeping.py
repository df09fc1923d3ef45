"""What a record keeps of a training: which epochs, and how their answers are rounded.

Reads a history and arrays; writes nothing. It shapes what is stored, so that it is part of the code
fingerprint.
"""

import numpy as np
import pandas as pd

from ferutils.dataset.fer2013 import SPLITS
from ferutils.records.recipes import Recipe

HELD_OUT = SPLITS[1:]
VALIDATIONS = (*HELD_OUT, "both")  # what a recipe can call validation
# The order of images depends on seed and epoch alone, so that a training of 60 epochs begins as
# one of 10 or 30 does: it answers for them where it keeps what they would have kept.
HORIZONS = (10, 30)


def chosen(recipe: Recipe, history: pd.DataFrame) -> int:
    """The epoch whose weights a recipe keeps, from 1: its last, or the most accurate so far.

    Args:
        recipe: with `kept_epoch` and `validation_split`.
        history: with the column `<split>_accuracy` of what the recipe calls validation, a row per
            epoch; of several equally accurate epochs the first is kept.
    """
    seen = min(recipe.epochs, len(history))
    return seen if recipe.kept_epoch == "last" else _best(history, recipe.validation_split, seen)


def worth_keeping(recipe: Recipe, history: pd.DataFrame) -> set[int]:
    """The epochs so far whose answers the record keeps.

    They are the last of the recipe and of each shorter training that it answers for, and the best
    of each by every split that can be called validation.
    """
    seen = len(history)
    ends = {end for end in (*HORIZONS, recipe.epochs) if end <= seen}
    return ends | {_best(history, name, end) for name in VALIDATIONS for end in (*ends, seen)}


def answers_for(recipe: Recipe, shorter: Recipe) -> bool:
    """Whether a training keeps all that another, which is no longer, would have measured."""
    free = ("epochs", "kept_epoch", "validation_split")
    same = {name: getattr(shorter, name) for name in free}
    ends = {end for end in (*HORIZONS, recipe.epochs) if end <= recipe.epochs}
    return recipe.model_copy(update=same) == shorter and shorter.epochs in ends


def _best(history: pd.DataFrame, split: str, seen: int) -> int:
    return int(np.argmax(history[f"{split}_accuracy"].iloc[:seen])) + 1


def to_float16(log_probabilities: np.ndarray) -> np.ndarray:
    """Log-probabilities rounded to float16 with each image's most probable label unchanged.

    Rounding can make two classes equal; the predicted label, hence accuracy and confusion, must
    not depend on it, so that the winner of such a tie is moved up by one step. What is rounded
    already stays as it is.

    Args:
        log_probabilities: float (n, 7), at most 0.

    Returns:
        float16 (n, 7).
    """
    rounded = log_probabilities.astype(np.float16)
    winner = log_probabilities.argmax(axis=1)
    tied = np.flatnonzero(rounded.argmax(axis=1) != winner)
    rounded[tied, winner[tied]] = np.nextafter(rounded[tied, winner[tied]], np.float16(0))
    return rounded
