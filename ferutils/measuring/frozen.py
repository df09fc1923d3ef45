"""Features of faces, by a VGG16 that is not trained -> a linear classifier on them.

Reads arrays; writes features to the cache.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ferutils.dataset.fer2013 import Dataset
from ferutils.measuring.linear import SETTINGS
from ferutils.measuring.vgg import features, vgg16
from ferutils.records.keeping import HELD_OUT
from ferutils.records.pretrained import Head, Recipe

STRENGTHS = (1e-4, 1e-3, 1e-2)  # inverse, of the penalty; scikit-learn's C
CHOOSING = "PublicTest"  # on which block and strength are chosen, so that it flatters them


class Classified(NamedTuple):
    """A linear classifier on features."""

    head: Head
    parameters: int  # of the network that gave the features
    looking_seconds: float  # in which it gave them
    fitting_seconds: float
    answers: dict[str, np.ndarray]  # by held-out split, int (n,)


def classify(
    recipe: Recipe, weights: Path | None, dataset: Dataset, report: Callable[[str], None]
) -> Classified:
    """Fit multinomial logistic regressions to features of Training; keep the best on PublicTest.

    Args:
        recipe: as `vgg16` takes it.
        weights: as `vgg16` takes them.
        dataset: Training to fit, PublicTest to choose on, both held-out splits to answer.
        report: called with a line for each split and each fit.
    """
    network = vgg16(recipe, weights)
    seen = features(network, dataset, report)
    start = time.perf_counter()
    labels = {name: split.labels for name, split in dataset.splits.items()}
    fits, tried = {}, {}
    for block in seen.features["Training"]:
        for strength in STRENGTHS:
            fit = make_pipeline(StandardScaler(), LogisticRegression(C=strength, **SETTINGS))
            fit.fit(seen.features["Training"][block], labels["Training"])
            right = fit.score(seen.features[CHOOSING][block], labels[CHOOSING])
            fits[block, strength], tried[f"block {block}, C {strength:g}"] = fit, round(right, 4)
            report(f"block {block}, C {strength:g}: {CHOOSING} {right:.4f}")
    block, strength = list(fits)[int(np.argmax(list(tried.values())))]
    fit = fits[block, strength]
    head = Head(
        block=block,
        strength=strength,
        features=seen.features["Training"][block].shape[1],
        iterations=int(fit[-1].n_iter_[0]),
        tried=tried,
    )
    found = {name: fit.predict(seen.features[name][block]) for name in HELD_OUT}
    fitting = time.perf_counter() - start
    return Classified(head, network.count_params(), seen.seconds, fitting, found)
