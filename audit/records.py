"""The records of book/, and what is measured of them, with no code of the package."""

import copy
import csv
import functools
import json
import math
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml
from scipy import stats

EMOTIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
MODELS = ("shallow", "improved", "deep")
SPLITS = ("PublicTest", "PrivateTest")
LINEAR = "linear classifier"
# What a recipe is where an entry of the study says nothing.
USUAL = {"epochs": 10, "batch_size": 64, "augmentation": "none", "validation_split": "PublicTest"}
USUAL |= {"train_images": None, "evaluation_images": None, "kept_epoch": "last"}
USUAL |= {"order": "fresh", "weight_decay": 0.0, "max_norm": 0.0}
USUAL |= {"precision": "float32", "learning_rate": 1e-3, "hidden_neurons": 1024}
DEEP = {"learning_rate": 1e-4, "hidden_neurons": 512}
DROPOUT = {"improved": (0.25, 0.5), "deep": (0.25, 0.5), "improved_text": (0.25, 0.0)}
DROPOUT |= {"deep_text": (0.25, 0.5)}  # after convolutions, after the dense layer; else none
RESAMPLES, PRINTED_RESAMPLES = 20_000, 2_000  # of the bootstrap: here, and behind the page

Rows = dict[tuple[str, ...], dict[str, Any]]  # by key: text, or a list of numbers, by column
Answer = tuple[np.ndarray, np.ndarray]  # labels (n,) and log-probabilities (n, 7) of a split


class About(NamedTuple):
    """A number that chance has a part in, and the error that this brings."""

    value: float
    error: float


class Run:
    """One record, or the answers of an ensemble or a baseline alone."""

    own = True  # False: a longer run's answer for a shorter recipe

    def __init__(self, answers: dict[str, Answer], folder: Path | None = None, members: int = 1):
        self.answers, self.members = answers, members
        if folder:
            self.id, self.told = folder.name, json.loads((folder / "run.json").read_text())
            self.recipe = USUAL | self.told["recipe"]
            self.history = list(csv.DictReader((folder / "history.csv").open()))
            few = self.recipe["train_images"] or self.recipe["evaluation_images"]
            self.reduced = bool(few) or self.recipe["epochs"] < USUAL["epochs"]
            self.folder = folder

    def answer(self, wanted: dict[str, Any]) -> "Run | None":
        """What a run, no shorter than another, kept of what that would have measured."""
        history = self.history[: wanted["epochs"]]
        followed = f"{wanted['validation_split']}_accuracy"
        if not history[0].get(followed):
            return None
        heights = [float(row[followed]) for row in history]
        best = heights.index(max(heights)) + 1
        found, epoch = copy.copy(self), len(history) if wanted["kept_epoch"] == "last" else best
        if epoch != self.told["kept_epoch"]:
            found.answers = answers(self.folder / "predictions.npz", f"_{epoch}")
        for one in ("accuracy", "loss"):
            split = wanted["validation_split"]
            history = [row | {f"validation_{one}": row[f"{split}_{one}"]} for row in history]
        found.history, found.recipe, found.own = history, self.recipe | wanted, False
        found.told = self.told | {"kept_epoch": epoch}
        return found

    def score(self, measure: str) -> float:
        """Of the kept epoch, or on the split that was not followed; accuracies in percent."""
        if measure == "test_accuracy":
            followed = SPLITS.index(self.recipe["validation_split"])
            return accuracy(self.answers[SPLITS[1 - followed]])[0]
        value = float(self.history[self.told["kept_epoch"] - 1][measure])
        return 100 * value if measure.endswith("accuracy") else value

    def at_odds(self) -> list[str]:
        """Where the files of the record contradict one another."""
        found = []
        for split, answer in self.answers.items():
            own, told = (accuracy(answer)[0], loss(answer)[0]), self.told["scores"][split]
            said = {"run.json": (100 * told["accuracy"], told["loss"])}
            if split == self.recipe["validation_split"]:
                curves = ("validation_accuracy", "validation_loss")
                said["history.csv"] = tuple(map(self.score, curves))
            for file, values in said.items():
                if abs(values[0] - own[0]) > 1e-4 or abs(values[1] - own[1]) > 2e-3:
                    found.append(f"record {self.id}, {split}: {file} {values}, predictions {own}")
        return found


def read(folder: Path) -> Run:
    return Run(answers(folder / "predictions.npz"), folder)


def answers(path: Path, epoch: str = "") -> dict[str, Answer]:
    with np.load(path, allow_pickle=False) as file:
        names = [(f"{one}_labels", f"{one}_log_probabilities{epoch}") for one in SPLITS]
        parts = [(file[labels], file[answered]) for labels, answered in names]
    return {one: (p[0].astype(int), p[1].astype(float)) for one, p in zip(SPLITS, parts)}


def each(entry: dict[str, Any]) -> list[dict[str, Any]]:
    """An entry of the study for each combination of the values that its lists name."""
    lists = {k: v for k, v in entry.items() if isinstance(v, list) and k != "seeds"}
    found = [entry | dict(zip(lists, chosen)) for chosen in product(*lists.values())]
    return [{k: v for k, v in one.items() if (k, v) != ("augmentation", "none")} for one in found]


class Book:
    """All that the report is made of."""

    def __init__(self, folder: Path) -> None:
        names = ("paper.yml", "study.yml", "baselines/human.yml")
        texts = [(folder / name).read_text() for name in names]
        self.paper, study, self.human = (yaml.load(text, yaml.CSafeLoader) for text in texts)
        self.runs = [read(file.parent) for file in sorted(folder.glob("runs/*/run.json"))]
        self.examined = json.loads((folder / "examination.json").read_text())
        crossed = sorted(folder.glob("crossvalidation/*.json"), reverse=True)
        self.crossvalidation = {file.stem: json.loads(file.read_text()) for file in crossed}
        self.backends = {
            name: [read(file.parent) for file in sorted(folder.glob(f"backends/{name}/*/run.json"))]
            for name in ("tensorflow", "jax", "torch")
        }
        self.linear = Run(answers(folder / "baselines" / "linear.npz"))
        entries = [one for entry in study["runs"] for one in each(entry)]
        self.entries = [(entry, self._runs_of(entry)) for entry in entries]
        printed = {model: [r for _, r in self.part("printed", model) if r] for model in MODELS}
        self.printed = {model: found[0] for model, found in printed.items() if found}
        self.claims = {claim["id"]: claim for claim in self.paper["claims"]}
        cells = [cell for row in self.paper["tables"][2]["rows"] for cell in row[1:]]
        self.table_3 = [self.claims[cell["claim"]] for cell in cells]

    def _wanted(self, entry: dict[str, Any]) -> list[dict[str, Any]]:
        """What the recipes of an entry say, seed by seed."""
        model = entry["model"]
        wanted = USUAL | (DEEP if model.startswith("deep") else {})
        names = ("dropout_convolution", "dropout_dense")
        wanted |= dict(zip(names, DROPOUT.get(model, (0.0, 0.0))))
        wanted |= {name: value for name, value in entry.items() if name not in ("part", "seeds")}
        return [wanted | {"seed": seed} for seed in entry["seeds"]]

    def _runs_of(self, entry: dict[str, Any]) -> list[Run]:
        found = []
        for wanted in self._wanted(entry):
            own = [run for run in self.runs if wanted.items() <= run.recipe.items()]
            longer = [run for run in self.runs if covers(run.recipe, wanted)]
            longer.sort(key=lambda run: run.recipe["epochs"])
            able = filter(None, (run.answer(wanted) for run in longer))
            found += own or [one for one in [next(able, None)] if one]
        return found

    def trainings(self) -> int:
        """How many runs the study wants that no run wanted before them answers for."""
        chosen: list[dict[str, Any]] = []
        for entry, _ in self.entries:
            for wanted in self._wanted(entry):
                chosen += [] if any(covers(one, wanted) for one in chosen) else [wanted]
        return len(chosen)

    def part(self, name: str, printed_model: str) -> list[tuple[dict[str, Any], list[Run]]]:
        return [
            (entry, runs)
            for entry, runs in self.entries
            if entry["part"] == name and entry["model"].removesuffix("_text") == printed_model
        ]

    @functools.cached_property
    def baselines(self) -> dict[str, list[Run]]:
        """The linear classifier, and always the most frequent emotion of Training, by name."""
        counts = np.array(self.runs[0].told["dataset"]["counts"]["Training"])
        logs = np.log(counts / counts.sum())
        always = {s: (a[0], np.tile(logs, (len(a[0]), 1))) for s, a in self.linear.answers.items()}
        return {f"always “{EMOTIONS[counts.argmax()]}”": [Run(always)], LINEAR: [self.linear]}

    @functools.cached_property
    def contenders(self) -> dict[str, list[Run]]:
        """Networks, the ensembles of those with several runs, and the baselines, by name."""
        found = dict(self.printed)
        for model, runs in self.printed.items():
            if len(runs) > 1:
                logs = {s: [np.exp(run.answers[s][1]) for run in runs] for s in SPLITS}
                mean = {s: (runs[0].answers[s][0], np.log(np.mean(logs[s], axis=0))) for s in logs}
                found[f"{model}, ensemble"] = [Run(mean, members=len(runs))]
        return found | self.baselines

    def faces(self, split: str, which: str) -> np.ndarray:
        """The images of a split: all, those whose photograph is in Training too, or the others."""
        known = np.zeros(len(self.linear.answers[split][0]), bool)
        known[self.examined["near_in_training"][split]] = True
        return {"all": known | ~known, "known": known, "new": ~known}[which]


# Scores of one answer; shares in percent


def covers(longer: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Whether a training begins as another and keeps the epochs that this would have kept."""
    free = ("epochs", "kept_epoch", "validation_split")
    same = all(longer[name] == value for name, value in wanted.items() if name not in free)
    ends = {one for one in (10, 30, longer["epochs"]) if one <= longer["epochs"]}
    return same and wanted["epochs"] in ends


def right(answer: Answer) -> np.ndarray:
    return np.argmax(answer[1], axis=1) == answer[0]


def wilson(hits: int, of: int) -> list[float]:
    """A share and its 95 % interval: the roots of Wilson's quadratic."""
    z, p = stats.norm.ppf(0.975), hits / of
    roots = np.roots([1 + z**2 / of, -(2 * p + z**2 / of), p**2])
    return [100 * p, *(100 * np.sort(roots.real))]


def accuracy(answer: Answer) -> list[float]:
    return wilson(int(right(answer).sum()), len(answer[0]))


def top_2(answer: Answer) -> list[float]:
    labels, logs = answer
    own = logs[np.arange(len(labels)), labels][:, None]
    earlier = np.arange(7) < labels[:, None]  # of equal ones the first is before
    ahead = ((logs > own) | ((logs == own) & earlier)).sum(axis=1)
    return wilson(int((ahead < 2).sum()), len(labels))


def macro_f1(answer: Answer) -> list[float]:
    labels, said = answer[0], answer[1].argmax(axis=1)
    counts = [[(labels == k).sum(), (said == k).sum()] for k in range(7)]
    both = [((labels == k) & (said == k)).sum() for k in range(7)]
    return [float(np.mean([2 * hits / max(1, sum(some)) for hits, some in zip(both, counts)]))]


def loss(answer: Answer) -> list[float]:
    return [-float(answer[1][np.arange(len(answer[0])), answer[0]].mean())]


def shares(answer: Answer) -> np.ndarray:
    return np.exp(answer[1]) / np.exp(answer[1]).sum(axis=1, keepdims=True)


def brier(answer: Answer) -> list[float]:
    found = shares(answer)
    own = found[np.arange(len(found)), answer[0]]
    return [float(np.mean((found**2).sum(axis=1) - own**2 + (1 - own) ** 2))]


def calibration_error(answer: Answer) -> list[float]:
    confidence, hits = shares(answer).max(axis=1), right(answer)
    bins = np.ceil(confidence * 15)
    gaps = [abs((hits[bins == at] - confidence[bins == at]).sum()) for at in np.unique(bins)]
    return [100 * float(sum(gaps)) / len(hits)]


# What is printed of several values


def spread(values: Any) -> list[float]:
    """Mean and standard deviation, or the one value, or nothing."""
    values = np.array(list(values), float)
    return [values.mean(), values.std(ddof=1)] if len(values) > 1 else values.tolist()


def error(values: Any) -> float:
    return float(np.std(values, ddof=1)) / math.sqrt(len(values))


def interval(values: Any) -> list[float]:
    half = stats.t.ppf(0.975, len(values) - 1) * error(values)
    return [np.mean(values) - half, np.mean(values) + half]


def next_run(values: Any) -> list[float]:
    """The interval in which one more run is expected."""
    half = stats.t.ppf(0.975, len(values) - 1) * error(values) * math.sqrt(len(values) + 1)
    return [np.mean(values) - half, np.mean(values) + half]


def scores(runs: list[Run], measure: str) -> list[float]:
    return [run.score(measure) for run in runs]


@functools.lru_cache(maxsize=6)
def resampled(images: int) -> np.ndarray:
    """How often each image is drawn in each resample."""
    random, counts = np.random.default_rng(826), []
    for _ in range(RESAMPLES // 500):
        drawn = random.integers(images, size=(500, images)) + images * np.arange(500)[:, None]
        counts.append(np.bincount(drawn.ravel(), minlength=500 * images).reshape(500, images))
    return np.concatenate(counts).astype(np.float32)


def lead(first: list[Run], second: list[Run], split: str, keep: np.ndarray) -> list[Any]:
    """Difference of accuracies in points, its interval, and in how many resamples it is above 0."""
    random, drawn, means = np.random.default_rng(9), [], []
    for runs in (first, second):
        hits = np.array([right(run.answers[split])[keep] for run in runs], np.float32)
        by_run = 100 * (resampled(int(keep.sum())) @ hits.T) / keep.sum()
        places = random.integers(len(runs), size=(RESAMPLES, len(runs)))
        drawn.append(by_run[np.arange(RESAMPLES)[:, None], places].mean(axis=1))
        means.append(100 * float(hits.mean()))
    found, ends, p = drawn[0] - drawn[1], (0.025, 0.975), float((drawn[0] > drawn[1]).mean())
    noise = 4 * math.sqrt(1 / PRINTED_RESAMPLES + 1 / RESAMPLES)  # standard errors of both
    quantile = math.sqrt(ends[0] * ends[1]) / stats.norm.pdf(stats.norm.ppf(ends[0]))
    limits = [About(end, noise * quantile * found.std()) for end in np.quantile(found, ends)]
    better = About(100 * p, 100 * noise * math.sqrt(max(p * (1 - p), 1 / RESAMPLES)))
    return [means[0] - means[1], *limits, better]
