"""Predictions -> scores with their intervals.

Reads arrays; writes nothing. scikit-learn and SciPy compute.
"""

import functools
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import optimize, special, stats
from sklearn import metrics

from ferutils.dataset.fer2013 import EMOTIONS
from ferutils.records.runs import Predictions

CONFIDENCE = 0.95  # of every interval
POWER = 0.8  # of a test: how often it finds what is there
CALIBRATION_BINS = 15  # as Guo et al. count them
RESAMPLES = 2000  # of a bootstrap


class Interval(NamedTuple):
    """A share in [0, 1], or a difference of two, and the 95 % interval that it is measured to."""

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


def share_right(right: np.ndarray, without: Sequence[int] = ()) -> Interval:
    """How often answers are right, with its interval as `share` gives it.

    Args:
        right: bool (n,), which images are answered rightly.
        without: positions of images to leave out, such as those whose photograph is in Training.
    """
    kept = np.delete(right, list(without))
    return share(int(kept.sum()), len(kept))


def accuracy(predictions: Predictions) -> Interval:
    """The share of images whose most probable label is the true one."""
    right = predictions.predicted == predictions.labels
    return share(int(right.sum()), len(right))


def top_2(predictions: Predictions) -> Interval:
    """The share of images whose true label is among the two most probable ones."""
    best = np.argsort(-predictions.log_probabilities, axis=1, kind="stable")[:, :2]
    right = (best == predictions.labels[:, None]).any(axis=1)
    return share(int(right.sum()), len(right))


def apart(predictions: Predictions, places: Sequence[int]) -> tuple[Predictions, Predictions]:
    """The predictions of the images at some places, and those of the others.

    Args:
        predictions: of n images.
        places: positions, 0 to n - 1.
    """
    chosen = np.isin(np.arange(len(predictions.labels)), places)
    return tuple(
        Predictions(predictions.labels[keep], predictions.log_probabilities[keep])
        for keep in (chosen, ~chosen)
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


def standardised_accuracy(predictions: Predictions, labels: np.ndarray) -> float:
    """Accuracy as it would be if each emotion had the share that it has among other labels.

    Two sets of images compare so though one holds more of the easy emotions. An emotion that the
    predictions have no image of is left out.

    Source: direct standardisation; J. L. Fleiss, Statistical Methods for Rates and Proportions,
    2nd ed. (1981), chapter 14.

    Args:
        predictions: of one image or more.
        labels: int (m,), 0..6, with the shares to be assumed.
    """
    right = predictions.predicted == predictions.labels
    images, correct, wanted = (
        np.bincount(*counted, minlength=len(EMOTIONS))
        for counted in ((predictions.labels,), (predictions.labels, right), (labels,))
    )
    seen = images > 0
    return float(np.average(correct[seen] / images[seen], weights=wanted[seen]))


def probabilities(predictions: Predictions) -> np.ndarray:
    """Probabilities of the seven emotions, float64 (n, 7); every row adds up to 1.

    Records hold rounded logarithms, whose exponentials add up to 1 only nearly.
    """
    return special.softmax(predictions.log_probabilities.astype(np.float64), axis=1)


def brier(predictions: Predictions) -> float:
    """The Brier score of the seven probabilities, in [0, 2]; 0 is best.

    The mean over images of the sum of squared differences between the probabilities and the truth,
    which is 1 for the true emotion and 0 for the others.

    Source: G. W. Brier, "Verification of forecasts expressed in terms of probability", Monthly
    Weather Review 78 (1950), 1-3.
    """
    truth = np.eye(len(EMOTIONS))[predictions.labels]
    return float(np.square(probabilities(predictions) - truth).sum(axis=1).mean())


def calibration(predictions: Predictions, bins: int = CALIBRATION_BINS) -> pd.DataFrame:
    """How often answers given with a certain confidence are right.

    The confidence of an answer is the probability of the most probable label.

    Source: C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On calibration of modern neural networks",
    International Conference on Machine Learning (2017).

    Args:
        predictions: of n images.
        bins: equally wide, open below and closed above, over (0, 1].

    Returns:
        A row per bin, its limits (pandas intervals) as index: images, their mean confidence (NaN
        without images), and their accuracy with its Wilson interval (value, low, high).
    """
    images, correct, total = _binned(predictions, bins)
    rows = [share(part, of)._asdict() for part, of in zip(correct, images, strict=True)]
    frame = pd.DataFrame(rows).assign(images=images, confidence=pd.Series(total) / images)
    return frame.set_index(pd.IntervalIndex.from_breaks(np.linspace(0, 1, bins + 1)))


def _binned(predictions: Predictions, bins: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Per bin of confidence: images, right answers, and the sum of the confidences."""
    confidence = probabilities(predictions).max(axis=1)
    place = np.digitize(confidence, np.linspace(0, 1, bins + 1)[1:-1], right=True)
    right = predictions.predicted == predictions.labels
    images, correct, total = (
        np.bincount(place, weights, bins) for weights in (None, right, confidence)
    )
    return images, correct, total


def expected_calibration_error(predictions: Predictions, bins: int = CALIBRATION_BINS) -> float:
    """The mean over images of their bin's gap between accuracy and mean confidence, in [0, 1].

    Source: as `calibration`. It depends on the number of bins, and chance alone keeps it above 0.
    """
    images, correct, total = _binned(predictions, bins)
    return float(np.abs(correct - total).sum() / images.sum())


def ensemble(members: Sequence[Predictions]) -> Predictions:
    """Several networks as one, which answers with the mean of their probabilities.

    Source: B. Lakshminarayanan, A. Pritzel, C. Blundell, "Simple and scalable predictive
    uncertainty estimation using deep ensembles", Advances in Neural Information Processing Systems
    30 (2017).

    Args:
        members: of one network or more, all of the same images.

    Raises:
        ValueError: the members did not see the same images.
    """
    for other in members[1:]:
        _check_same_images(members[0], other)
    every = np.stack([member.log_probabilities for member in members]).astype(np.float64)
    mean = special.logsumexp(every, axis=0) - np.log(len(members))
    return Predictions(members[0].labels, mean.astype(np.float32))


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
    _check_same_images(first, second)
    right, other = (one.predicted == one.labels for one in (first, second))
    alone, other_alone = int((right & ~other).sum()), int((other & ~right).sum())
    differing = alone + other_alone
    p_value = stats.binomtest(alone, differing).pvalue if differing else 1.0
    return Paired(alone, other_alone, float(p_value))


def difference(first: Predictions, second: Predictions) -> Interval:
    """By how much the first model's accuracy exceeds the second's on the same images, in [-1, 1].

    With the interval of the paired t-test: each image counts 1, 0 or -1.

    Raises:
        ValueError: the two did not see the same images.
    """
    _check_same_images(first, second)
    right, other = ((one.predicted == one.labels).astype(int) for one in (first, second))
    mean = float((right - other).mean())
    half = stats.t.ppf((1 + CONFIDENCE) / 2, len(right) - 1) * stats.sem(right - other)
    return Interval(mean, mean - float(half), mean + float(half))


class Power(NamedTuple):
    """What a number of runs can see of a difference between their mean and a fixed number.

    Attributes:
        seen: the smallest difference that a t test finds in 80 % of cases, in the values' unit.
        runs: how many runs would find a given difference so often.
    """

    seen: float
    runs: int


def power(values: Sequence[float], difference: float) -> Power:
    """What a two-sided one-sample t test with as many runs would see, of 80 % power.

    Source: J. Cohen, Statistical Power Analysis for the Behavioral Sciences, 2nd ed. (1988).

    Args:
        values: of two runs or more, whose standard deviation is taken for the true one.
        difference: that `runs` asks for, above 0, in the values' unit.
    """
    deviation = float(np.std(values, ddof=1))
    if deviation == 0:
        return Power(0.0, 2)
    seen = optimize.brentq(lambda effect: _power(effect, len(values)) - POWER, 0, 1000)
    wanted = (count for count in range(2, 10**6) if _power(difference / deviation, count) >= POWER)
    return Power(deviation * seen, next(wanted))


def _power(effect: float, count: int) -> float:
    """How often the t test finds an effect, in standard deviations, in its own direction."""
    border = stats.t.ppf((1 + CONFIDENCE) / 2, count - 1)
    found = stats.nct.sf(border, count - 1, effect * count**0.5)
    return float(np.nan_to_num(found, nan=1.0))  # SciPy has none for the largest effects


class Lead(NamedTuple):
    """By how much one network is more accurate than another, over their runs and the images.

    Attributes:
        value: the difference of the mean accuracies, in [-1, 1].
        low: lower end of its 95 % interval.
        high: upper end.
        probability: that of the first being the more accurate one, in [0, 1].
        p_value: two-sided, of no difference.
    """

    value: float
    low: float
    high: float
    probability: float
    p_value: float


FEWEST_RUNS = 3  # of a network whose spread says how others would do; two have three resamples


def lead(first: Sequence[Predictions], second: Sequence[Predictions]) -> Lead:
    """Compare two networks by all their runs on the same images, by a hierarchical bootstrap.

    Each resample draws the runs of both networks and, for both alike, the images, so that the
    interval holds for other seeds and for other images of the same kind.

    Source: X. Bouthillier et al., "Accounting for variance in machine learning benchmarks", MLSys
    2021 (both sources of variance; the probability that one is better).

    Args:
        first: predictions of runs that differ in their seed, all on the same n images.
        second: likewise.

    Raises:
        ValueError: the runs did not see the same images.
    """
    for one in (*first, *second):
        _check_same_images(first[0], one)
    images, random = _resampled(len(first[0].labels)), np.random.default_rng(0)
    means, drawn = [], []
    for runs in (first, second):
        right = np.stack([one.predicted == one.labels for one in runs], axis=1)
        seeds = random.integers(len(runs), size=(RESAMPLES, len(runs)))
        accuracies = np.take_along_axis(images @ right.astype(np.float32), seeds, axis=1)
        means.append(right.mean())
        drawn.append(accuracies.mean(axis=1))
    differences = drawn[0] - drawn[1]
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(differences, [tail, 1 - tail])
    tails = [
        (1 + int(side.sum())) / (1 + RESAMPLES) for side in (differences <= 0, differences >= 0)
    ]
    return Lead(
        float(means[0] - means[1]),
        float(low),
        float(high),
        float((differences > 0).mean()),
        min(1.0, 2 * min(tails)),
    )


@functools.lru_cache(maxsize=2)  # of many pairs on the same images, and on the new ones of them
def _resampled(images: int) -> np.ndarray:
    """How much each image weighs in each resample, float32 (RESAMPLES, images), rows of sum 1."""
    counts = np.random.default_rng(0).poisson(1, (RESAMPLES, images)).astype(np.float32)
    return counts / np.maximum(1, counts.sum(axis=1, keepdims=True))


def differences_of_means(groups: Mapping[str, Sequence[float]]) -> dict[tuple[str, str], Interval]:
    """By how much the mean of each group exceeds that of each later one, in the values' own unit.

    With Tukey's intervals, which assume one spread in all groups and hold for all pairs at once.

    Source: J. W. Tukey, "Comparing individual means in the analysis of variance", Biometrics 5
    (1949), 99-114; with C. Y. Kramer's extension to groups of several sizes, Biometrics 12 (1956),
    307-310.

    Args:
        groups: two values or more each; of fewer than two groups there is no difference.
    """
    if len(groups) < 2:
        return {}
    found = stats.tukey_hsd(*groups.values())
    limits = found.confidence_interval(CONFIDENCE)
    return {
        pair: Interval(*(float(one[place]) for one in (found.statistic, *limits)))
        for pair, place in zip(combinations(groups, 2), combinations(range(len(groups)), 2))
    }


def _check_same_images(first: Predictions, second: Predictions) -> None:
    if not np.array_equal(first.labels, second.labels):
        raise ValueError(
            f"Expected predictions of the same images. Received: {len(first.labels)} and "
            f"{len(second.labels)} images whose labels differ. Compare runs on the same images."
        )


def holm(p_values: list[float]) -> list[float]:
    """p-values corrected for their number.

    Source: S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal
    of Statistics 6 (1979), 65-70.
    """
    order = np.argsort(p_values)
    factors = len(p_values) - np.arange(len(p_values))
    corrected = np.minimum(1, np.maximum.accumulate(np.array(p_values)[order] * factors))
    return corrected[np.argsort(order)].tolist()


def printed_p_value(value: float) -> str:
    """A p-value with the sign before it: "= 0.012" or "< 0.001"."""
    return "< 0.001" if value < 0.0005 else f"= {value:.3f}"
