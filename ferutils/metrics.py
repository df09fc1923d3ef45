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
