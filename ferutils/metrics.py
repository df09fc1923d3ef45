"""Predictions -> scores with their intervals.

Reads arrays; writes nothing. scikit-learn and SciPy compute.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats
from sklearn import metrics

from ferutils.data import EMOTIONS
from ferutils.records import Predictions

CONFIDENCE = 0.95


class Interval(NamedTuple):
    """A share and the 95 % interval that it is measured to, all in [0, 1]."""

    value: float
    low: float
    high: float


def share(correct: int, of: int) -> Interval:
    """A share of independent images with its Wilson score interval.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
    Journal of the American Statistical Association 22 (1927), 209-212.

    Args:
        correct: images that count, 0 to `of`.
        of: all images; 0 gives an interval from 0 to 1 around an undefined (NaN) share.
    """
    if of == 0:
        return Interval(float("nan"), 0.0, 1.0)
    limits = stats.binomtest(int(correct), int(of)).proportion_ci(CONFIDENCE, method="wilson")
    return Interval(correct / of, float(limits.low), float(limits.high))


def accuracy(predictions: Predictions) -> Interval:
    """The share of images whose most probable label is the true one."""
    right = predictions.predicted == predictions.labels
    return share(int(right.sum()), len(right))


class Apart(NamedTuple):
    """Accuracy on some images of a split, and on the others."""

    those: Interval
    others: Interval


def apart(predictions: Predictions, places: list[int]) -> Apart:
    """Accuracy on the images at some places, and on the others.

    Args:
        predictions: of n images.
        places: positions, 0 to n - 1.
    """
    chosen = np.isin(np.arange(len(predictions.labels)), places)
    return Apart(
        *(
            accuracy(Predictions(predictions.labels[keep], predictions.log_probabilities[keep]))
            for keep in (chosen, ~chosen)
        )
    )


def loss(predictions: Predictions) -> float:
    """Mean cross-entropy, nats."""
    rows = np.arange(len(predictions.labels))
    return float(-predictions.log_probabilities[rows, predictions.labels].mean())


def macro_f1(predictions: Predictions) -> float:
    """The mean over the seven emotions of their F1 scores, in [0, 1]."""
    labels = range(len(EMOTIONS))
    return float(
        metrics.f1_score(
            predictions.labels,
            predictions.predicted,
            labels=labels,
            average="macro",
            zero_division=0,
        )
    )


def confusion(predictions: Predictions) -> pd.DataFrame:
    """Images by true emotion (rows) and predicted emotion (columns), in label order."""
    counts = metrics.confusion_matrix(
        predictions.labels, predictions.predicted, labels=range(len(EMOTIONS))
    )
    return pd.DataFrame(counts, index=EMOTIONS, columns=EMOTIONS)


def recall(predictions: Predictions) -> pd.DataFrame:
    """Per emotion: images, recall and its Wilson interval (columns images, value, low, high)."""
    counts = confusion(predictions)
    images = counts.sum(axis=1)
    rows = [share(counts.loc[name, name], images[name])._asdict() for name in EMOTIONS]
    return pd.DataFrame(rows, index=EMOTIONS).assign(images=images)


def majority(predictions: Predictions, answer: str = "happy") -> Interval:
    """The accuracy of always giving the same answer, by default the most frequent emotion."""
    right = predictions.labels == EMOTIONS.index(answer)
    return share(int(right.sum()), len(right))


class Paired(NamedTuple):
    """Two models on the same images: how often each alone was right, and the p-value."""

    first_alone: int
    second_alone: int
    p_value: float


def mcnemar(first: Predictions, second: Predictions) -> Paired:
    """The exact McNemar test of two models' accuracies on the same images.

    Source: Q. McNemar, "Note on the sampling error of the difference between correlated proportions
    or percentages", Psychometrika 12 (1947), 153-157; exact as a two-sided binomial test.

    Raises:
        ValueError: the two did not see the same images.
    """
    if not np.array_equal(first.labels, second.labels):
        raise ValueError(
            f"Expected predictions of the same images. Received: {len(first.labels)} and "
            f"{len(second.labels)} images whose labels differ. Compare runs on the same images."
        )
    right, other = (one.predicted == one.labels for one in (first, second))
    alone, other_alone = int((right & ~other).sum()), int((other & ~right).sum())
    differing = alone + other_alone
    p_value = stats.binomtest(alone, differing).pvalue if differing else 1.0
    return Paired(alone, other_alone, float(p_value))


def holm(p_values: list[float]) -> list[float]:
    """p-values corrected for their number.

    Source: S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal
    of Statistics 6 (1979), 65-70.
    """
    order = np.argsort(p_values)
    factors = len(p_values) - np.arange(len(p_values))
    corrected = np.minimum(1, np.maximum.accumulate(np.array(p_values)[order] * factors))
    return corrected[np.argsort(order)].tolist()
