"""Dataset -> a linear classifier on its pixels, which the networks are measured against."""

import importlib.metadata
import platform

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedShuffleSplit
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from ferutils.dataset.fer2013 import PIXELS, Dataset, Split
from ferutils.records import keeping, provenance, runs
from ferutils.records.baselines import Description, Linear
from ferutils.records.runs import HELD_OUT, Predictions

# scikit-learn's defaults, but for the iterations: its 100 stop before the optimum.
SETTINGS = {"solver": "lbfgs", "tol": 1e-4, "max_iter": 1000}
# Inverse strengths of the penalty. scikit-learn's default, 1, lets so many pixels overfit that the
# classifier is worse than it need be.
STRENGTHS = (1e-5, 1e-4, 1e-3, 1e-2)
HELD_BACK = 0.1  # share of Training on which the strength is chosen
LIBRARIES = ("numpy", "scikit-learn", "scipy")


def fit(dataset: Dataset) -> Linear:
    """Fit a multinomial logistic regression on the pixels of Training, and let it answer.

    Every pixel is scaled to mean 0 and deviation 1 over Training, without which the solver needs
    many more iterations. The strength of the penalty is the one of `STRENGTHS` that is most
    accurate on a part of Training held back, class shares kept; it is then fitted to all of
    Training. The held-out splits are seen once, to answer.
    """
    search = GridSearchCV(
        make_pipeline(StandardScaler(), LogisticRegression(**SETTINGS)),
        {"logisticregression__C": STRENGTHS},
        cv=StratifiedShuffleSplit(1, test_size=HELD_BACK, random_state=0),
    )
    training = dataset.splits["Training"]
    search.fit(_pixels(training), training.labels)
    classifier = search.best_estimator_
    iterations = int(classifier[-1].n_iter_[0])
    description = Description(
        settings=SETTINGS | {"C": classifier[-1].C},
        tried=dict(zip(map(str, STRENGTHS), search.cv_results_["mean_test_score"].round(4))),
        dataset=runs.note(dataset),
        iterations=iterations,
        converged=iterations < SETTINGS["max_iter"],
        seconds=round(search.refit_time_, 1),
        device=provenance.processor(),
        versions=_versions(),
    )
    return Linear(
        description, {name: _answer(classifier, dataset.splits[name]) for name in HELD_OUT}
    )


def _pixels(split: Split) -> np.ndarray:
    """Pixels in a row per image, float32 (n, 2304), 0..1."""
    return split.images.reshape(-1, PIXELS).astype(np.float32) / 255


def _answer(classifier: Pipeline, split: Split) -> Predictions:
    logarithms = classifier.predict_log_proba(_pixels(split))
    return Predictions(split.labels, keeping.to_float16(logarithms).astype(np.float32))


def _versions() -> dict[str, str]:
    versions = {name: importlib.metadata.version(name) for name in LIBRARIES}
    return {"python": platform.python_version()} | versions
