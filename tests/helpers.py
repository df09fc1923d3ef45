"""What several test modules share: a small drawn dataset and fabricated run records."""

import functools
import inspect
import json
import shutil
import subprocess
from datetime import UTC, datetime

import numpy as np
import pandas as pd

from ferutils import paths, storage
from ferutils.dataset import faces, fer2013
from ferutils.records import recipes, runs

# Every message of the package about bad input: expected, received, remedy.
EXPLAINED = r"(?s)^Expected .+\. Received: .+\. \S+"

COLUMNS = runs.HISTORY_COLUMNS + runs.HELD_OUT_COLUMNS  # of the history of a new run
FEW = {"Training": [10] * 7, "PublicTest": [3] * 7, "PrivateTest": [4] * 7}


def each(name, values, title=str):
    """One test over all values, each a subtest; `pytest.mark.parametrize` would make one of each.

    Args:
        name: the argument of the test that a value is given as.
        values: an iterable, or a function that gives it.
        title: what a failure calls a value.
    """

    def decorate(test):
        @functools.wraps(test)
        def over_all(subtests, **fixtures):
            for value in values() if callable(values) else values:
                with subtests.test(title(value)):
                    test(**{name: value}, **fixtures)

        signature = inspect.signature(test)
        kept = [one for one in signature.parameters.values() if one.name != name]
        first = inspect.Parameter("subtests", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        over_all.__signature__ = signature.replace(parameters=[first, *kept])
        return over_all

    return decorate


def reseal(path, change):
    """Change a measured file as somebody who renews its sum."""
    content = json.loads(path.read_text())
    del content[storage.SUM]
    change(content)
    path.write_bytes(storage.sealed(json.dumps(content)))


def copy_repository(folder):
    """What trains runs, in a folder of its own, without records."""
    ignored = shutil.ignore_patterns("__pycache__", "runs", "pages")
    for name in ("ferutils", "notebooks", "book", "profiles"):
        shutil.copytree(paths.ROOT / name, folder / name, ignore=ignored)
    shutil.copy2(paths.ROOT / "Snakefile", folder / "Snakefile")
    return folder


def commit_all(folder):
    """Put all that is in a folder into a commit of its own git repository."""
    git = ["git", "-C", str(folder), "-c", "user.name=A", "-c", "user.email=a@example.org"]
    for step in (["init", "-q"], ["add", "."], ["commit", "-qm", "a commit"]):
        subprocess.run([*git, *step], check=True, capture_output=True)


def work_in(folder, monkeypatch, drawn):
    """Empty folders for records and cache, these drawn faces, and no FER-2013."""
    monkeypatch.setenv("FERUTILS_RUNS", str(folder / "runs"))
    monkeypatch.setenv("FERUTILS_CACHE", str(folder / "cache"))
    monkeypatch.delenv("FER2013", raising=False)
    monkeypatch.setattr(paths, "RECORDED_RUNS", folder / "report")
    monkeypatch.setattr(faces, "draw", lambda: drawn)
    return folder


def small_dataset() -> fer2013.Dataset:
    """70 drawn faces to train on, 21 and 28 held out."""
    return faces.draw(FEW)


def small_recipe(**parameters) -> recipes.Recipe:
    """A training of a few seconds on the small dataset."""
    small = {"model": "shallow", "dataset": "drawn", "hidden_neurons": 16}
    small |= {"epochs": 2, "train_images": 70}
    return recipes.make(**(small | parameters))


def log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def correct(predictions: runs.Predictions) -> int:
    return int((predictions.predicted == predictions.labels).sum())


def cross_entropy(predictions: runs.Predictions) -> float:
    rows = np.arange(len(predictions.labels))
    return float(-predictions.log_probabilities[rows, predictions.labels].mean(dtype=float))


def scores_of(predictions):
    """What a record says of these answers, by split."""
    return {
        split: runs.Scores(
            loss=cross_entropy(one),
            accuracy=correct(one) / len(one.labels),
            images=len(one.labels),
        )
        for split, one in predictions.items()
    }


def fabricated(recipe: recipes.Recipe, dataset: runs.DatasetNote, seed: int = 0):
    """The arguments of `runs.write` but the folder: a run that nobody trained."""
    random = np.random.default_rng(seed)
    predictions = {
        split: runs.Predictions(
            labels=np.repeat(np.arange(7), dataset.counts[split]).astype(np.uint8),
            log_probabilities=log_softmax(random.normal(0, 2, (sum(dataset.counts[split]), 7))),
        )
        for split in runs.HELD_OUT
    }
    training = sum(dataset.counts["Training"])
    scores = {"Training": runs.Scores(loss=0.5, accuracy=0.8, images=training)}
    scores |= scores_of(predictions)
    run = runs.Run(
        id=recipes.run_id(recipe, dataset.fingerprints),
        recipe=recipe,
        dataset=dataset,
        layers=[],
        scores=scores,
        kept_epoch=recipe.epochs,
        cost=runs.Cost(wall_seconds=1.5, images_per_second=100.0, peak_memory_bytes=10**9),
        environment=runs.Environment(
            device="processor", backend="tensorflow", system="Linux x86_64", versions={"keras": "3"}
        ),
        code=runs.Code(commit=None, clean=None, fingerprint="0123456789abcdef"),
        started=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    )
    history = pd.DataFrame(
        random.uniform(0, 1, (recipe.epochs, len(COLUMNS))), columns=list(COLUMNS)
    )
    history["epoch"] = range(1, recipe.epochs + 1)
    return run, history, predictions
