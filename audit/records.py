"""The records of book/, and what is measured of them, with no code of the package."""

import csv
import functools
import json
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml
from scipy import stats
from sklearn.metrics import precision_recall_fscore_support

EMOTIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
MODELS = ("shallow", "improved", "deep")
SPLITS = ("PublicTest", "PrivateTest")
# What a recipe is where an entry of the study says nothing.
USUAL = {"epochs": 10, "batch_size": 64, "augmentation": "none", "validation_split": "PublicTest"}
USUAL |= {"train_images": None, "evaluation_images": None, "kept_epoch": "last"}
USUAL |= {"precision": "float32", "learning_rate": 1e-3, "hidden_neurons": 1024}
DEEP = {"learning_rate": 1e-4, "hidden_neurons": 512}
DROPOUT = {"improved": (0.25, 0.5), "deep": (0.25, 0.5), "improved_text": (0.25, 0.0)}
DROPOUT |= {"deep_text": (0.25, 0.5)}  # after convolutions, after the dense layer; else none
RESAMPLES, PRINTED_RESAMPLES = 20_000, 2_000  # of the bootstrap: here, and behind the page

Rows = dict[tuple[str, ...], dict[str, Any]]  # by key: what is expected in each column


class About(NamedTuple):
    """A number that chance has a part in, and the error that this brings."""

    value: float
    error: float


# Records


class Run:
    """One record, or the answers of a baseline: labels and log-probabilities by split."""

    def __init__(self, folder: Path | None, answers: Any = None, members: int = 1) -> None:
        self.members = members
        if folder is None:
            self.answers = answers
            return
        self.told = json.loads((folder / "run.json").read_text())
        self.recipe, self.id = self.told["recipe"], folder.name
        with (folder / "history.csv").open() as file:
            self.history = list(csv.DictReader(file))
        self.answers = answers_of(folder / "predictions.npz")

    def score(self, measure: str) -> float:
        """A figure of the kept epoch, or the accuracy on the split that was not followed."""
        if measure == "test_accuracy":
            other = {"PublicTest": "PrivateTest", "PrivateTest": "PublicTest"}
            return float(right(self.answers[other[self.recipe["validation_split"]]]).mean())
        return float(self.history[self.told["kept_epoch"] - 1][measure])

    @property
    def reduced(self) -> bool:
        few = self.recipe["train_images"] or self.recipe["evaluation_images"]
        return bool(few) or self.recipe["epochs"] < USUAL["epochs"]


def answers_of(path: Path) -> dict[str, Any]:
    with np.load(path, allow_pickle=False) as file:
        return {
            split: [file[f"{split}_{n}"].astype(t) for n, t in (("labels", int), ("log_probabilities", float))]
            for split in SPLITS
        }


class Book:
    """All that the report is made of."""

    def __init__(self, folder: Path) -> None:
        def read(name: str) -> Any:
            return yaml.load((folder / name).read_text(), yaml.CSafeLoader)

        self.folder, self.paper, self.study = folder, read("paper.yml"), read("study.yml")
        self.runs = [Run(file.parent) for file in sorted(folder.glob("runs/*/run.json"))]
        self.examined = json.loads((folder / "examination.json").read_text())
        self.human = read("baselines/human.yml")
        self.crossvalidation = {
            file.stem: json.loads(file.read_text())
            for file in sorted((folder / "crossvalidation").glob("*.json"), reverse=True)
        }
        self.backends = {
            name: [Run(file.parent) for file in sorted(folder.glob(f"backends/{place}/*/run.json"))]
            for place, name in {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}.items()
        }
        self.linear = Run(None, answers_of(folder / "baselines" / "linear.npz"))
        self.entries = [(entry, self._runs_of(entry)) for entry in self.study["runs"]]
        self.printed = {
            model: next((runs for e, runs in self.part("printed", model) if runs), [])
            for model in MODELS
        }
        self.claims = {claim["id"]: claim for claim in self.paper["claims"]}
        self.table_3 = [
            self.claims[cell["claim"]]
            for row in self.paper["tables"][2]["rows"]
            for cell in row
            if isinstance(cell, dict)
        ]

    def _runs_of(self, entry: dict[str, Any]) -> list[Run]:
        model = entry["model"]
        wanted = USUAL | (DEEP if model.startswith("deep") else {})
        rates = DROPOUT.get(model, (0.0, 0.0))
        wanted |= dict(zip(("dropout_convolution", "dropout_dense"), rates, strict=True))
        wanted |= {name: value for name, value in entry.items() if name not in ("part", "seeds")}
        found = [
            run
            for run in self.runs
            if all(run.recipe.get(name, USUAL.get(name)) == value for name, value in wanted.items())
            and run.recipe["seed"] in entry["seeds"]
        ]
        return sorted(found, key=lambda run: run.recipe["seed"])

    def part(self, name: str, printed_model: str) -> list[tuple[dict[str, Any], list[Run]]]:
        return [
            (entry, runs)
            for entry, runs in self.entries
            if entry["part"] == name and entry["model"].removesuffix("_text") == printed_model
        ]

    @functools.cached_property
    def always(self) -> tuple[str, Run]:
        """The most frequent emotion of Training, and always giving it."""
        counts = np.array(self.runs[0].told["dataset"]["counts"]["Training"])
        shares = np.log(counts / counts.sum())
        answers = {
            split: (labels, np.tile(shares, (len(labels), 1)))
            for split, (labels, _) in self.linear.answers.items()
        }
        return EMOTIONS[int(counts.argmax())], Run(None, answers)

    @functools.cached_property
    def contenders(self) -> dict[str, list[Run]]:
        """Networks, their ensembles and the baselines, by name."""
        found = {}
        for model, runs in self.printed.items():
            if runs:
                found[model] = runs
            if len(runs) > 1:
                found[f"{model}, ensemble"] = [together(runs)]
        return found | self.baselines

    @property
    def baselines(self) -> dict[str, list[Run]]:
        return {f"always “{self.always[0]}”": [self.always[1]], "linear classifier": [self.linear]}

    def faces(self, split: str, which: str) -> np.ndarray:
        """The images of a split: all, those whose photograph is in Training too, or the others."""
        known = np.zeros(len(self.linear.answers[split][0]), bool)
        known[self.examined["near_in_training"][split]] = True
        return {"all": np.ones_like(known), "known": known, "new": ~known}[which]


def together(runs: list[Run]) -> Run:
    answers = {}
    for split in SPLITS:
        mean = np.mean([np.exp(run.answers[split][1]) for run in runs], axis=0)
        answers[split] = (runs[0].answers[split][0], np.log(mean))
    return Run(None, answers, len(runs))


# Scores, each from labels and log-probabilities


def right(answer: Any) -> np.ndarray:
    labels, logs = answer
    return np.argmax(logs, axis=1) == labels


def wilson(hits: int, of: int) -> list[float]:
    """A share and its 95 % interval, in percent: the roots of Wilson's quadratic."""
    z, p = stats.norm.ppf(0.975), hits / of
    roots = np.roots([1 + z**2 / of, -(2 * p + z**2 / of), p**2])
    return [100 * p, *(100 * np.sort(roots.real))]


def accuracy(answer: Any) -> list[float]:
    hits = right(answer)
    return wilson(int(hits.sum()), len(hits))


def top_2(answer: Any) -> list[float]:
    labels, logs = answer
    own = logs[np.arange(len(labels)), labels]
    ahead = (logs > own[:, None]).sum(axis=1)
    ahead += ((logs == own[:, None]) & (np.arange(7) < labels[:, None])).sum(axis=1)
    return wilson(int((ahead < 2).sum()), len(labels))


def macro_f1(answer: Any) -> list[float]:
    labels, logs = answer
    precision, recall, _, _ = precision_recall_fscore_support(
        labels, logs.argmax(axis=1), labels=range(7), zero_division=0
    )
    both = precision + recall
    return [float(np.mean(np.where(both > 0, 2 * precision * recall / np.where(both, both, 1), 0)))]


def loss(answer: Any) -> list[float]:
    labels, logs = answer
    return [-float(np.mean([row[label] for row, label in zip(logs, labels, strict=True)]))]


def shares(answer: Any) -> np.ndarray:
    weights = np.exp(answer[1].astype(float))
    return weights / weights.sum(axis=1, keepdims=True)


def brier(answer: Any) -> list[float]:
    found = shares(answer)
    own = found[np.arange(len(found)), answer[0]]
    return [float(np.mean((found**2).sum(axis=1) - own**2 + (1 - own) ** 2))]


def calibration_error(answer: Any) -> list[float]:
    confidence, hits = shares(answer).max(axis=1), right(answer)
    bins = np.ceil(confidence * 15)
    gaps = [abs((hits[bins == at] - confidence[bins == at]).sum()) for at in np.unique(bins)]
    return [100 * float(sum(gaps)) / len(hits)]


# What is printed of several runs


def spread(values: Any) -> list[float]:
    """Mean and standard deviation, or the one value."""
    values = np.array(list(values), float)
    return [values.mean(), values.std(ddof=1)] if len(values) > 1 else values.tolist()


def interval(values: Any) -> list[float]:
    values = np.array(values, float)
    half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / math.sqrt(len(values))
    return [values.mean() - half, values.mean() + half]


def measured(values: list[float]) -> list[float]:
    several = len(set(values)) > 1
    return spread(values) + interval(values) if several else values[:1]


def scaled(values: list[float], measure: str) -> list[float]:
    """In the unit of the page: accuracies in percent, losses in nats."""
    return [100 * value for value in values] if measure.endswith("accuracy") else values


def scores(runs: list[Run], measure: str) -> list[float]:
    return scaled([run.score(measure) for run in runs], measure)


@functools.lru_cache(maxsize=6)
def resampled(images: int) -> np.ndarray:
    """How often each image is drawn in each resample."""
    random, counts = np.random.default_rng(826), []
    for _ in range(RESAMPLES // 500):
        drawn = random.integers(images, size=(500, images)) + images * np.arange(500)[:, None]
        counts.append(np.bincount(drawn.ravel(), minlength=500 * images).reshape(500, images))
    return np.concatenate(counts).astype(np.float32)


def lead(book: Book, first: list[Run], second: list[Run], split: str, which: str) -> list[Any]:
    """Difference of accuracy in points, its interval, and the percentage of first better."""
    keep, random = book.faces(split, which), np.random.default_rng(9)
    drawn, means = [], []
    for runs in (first, second):
        hits = np.array([right(run.answers[split])[keep] for run in runs], np.float32)
        by_run = 100 * (resampled(int(keep.sum())) @ hits.T) / keep.sum()
        places = random.integers(len(runs), size=(RESAMPLES, len(runs)))
        drawn.append(by_run[np.arange(RESAMPLES)[:, None], places].mean(axis=1))
        means.append(100 * float(hits.mean()))
    found = drawn[0] - drawn[1]
    several = min(len(first), len(second)) > 1 or second == [book.linear]
    if not several:
        return [means[0] - means[1]]
    noise = math.sqrt(1 / PRINTED_RESAMPLES + 1 / RESAMPLES)
    quantile = math.sqrt(0.025 * 0.975) / stats.norm.pdf(stats.norm.ppf(0.025))
    ends = [About(end, 4 * quantile * noise * found.std()) for end in np.quantile(found, [0.025, 0.975])]
    p = float((found > 0).mean())
    better = About(100 * p, 400 * math.sqrt(max(p * (1 - p), 1 / RESAMPLES)) * noise)
    return [means[0] - means[1], *ends, better]


def at_odds(run: Run) -> list[str]:
    """Where a record's own files contradict one another."""
    found = []
    for split, answer in run.answers.items():
        told, hits = run.told["scores"][split], right(answer)
        if len(hits) != told["images"] or abs(hits.mean() - told["accuracy"]) > 1e-6:
            found.append(f"{run.id}: {split} accuracy {told['accuracy']}, predictions {hits.mean()}")
        if abs(loss(answer)[0] - told["loss"]) > 2e-3:
            found.append(f"{run.id}: {split} loss {told['loss']}, predictions {loss(answer)[0]}")
    return found
