"""What each table of the report should say, recomputed. TABLES is the list of what is audited."""

import math
from collections.abc import Callable
from itertools import combinations, product
from typing import Any

import numpy as np
from scipy import stats

from audit.records import (
    EMOTIONS, MODELS, SPLITS, Book, Rows, Run, accuracy, brier, calibration_error, interval, lead,
    loss, macro_f1, measured, right, scaled, scores, spread, top_2, wilson,
)  # fmt: skip

FIGURES = ("training_loss", "validation_loss", "training_accuracy", "validation_accuracy")


def words(name: str) -> str:
    return name.replace("_", " ")


def people(book: Book) -> list[float]:
    return [100 * book.human["accuracy"], 100 * book.human["margin"]]


def paper_text(book: Book, quantity: str) -> str:
    claims = [one for one in book.claims.values() if one["quantity"] == quantity]
    return claims[0]["printed"] if claims else "not stated"


# comparison.html


def table_3(book: Book) -> Rows:
    rows = {}
    for claim in book.table_3:
        model, measure = claim["quantity"].split(".")
        values = scores(book.printed[model], measure)
        rows[model, words(measure)] = {
            "Paper": claim["printed"], "Ours": measured(values), "Runs": [len(values)],
        }  # fmt: skip
    return rows


def scored(runs: list[Run], measure: Callable[[Any], list[float]], split: str, keep: Any) -> Any:
    found = [measure([part[keep] for part in run.answers[split]]) for run in runs]
    return found[0] if len(found) == 1 else spread([one[0] for one in found])


def side_by_side(book: Book, measures: dict[str, tuple[Callable, str]]) -> Rows:
    rows = {}
    for (name, runs), split in product(book.contenders.items(), SPLITS):
        count = [] if name.startswith("always") else [max(len(runs), runs[0].members)]
        rows[name, split] = {"Runs": count} | {
            head: scored(runs, measure, split, book.faces(split, which))
            for head, (measure, which) in measures.items()
        }
    return rows


def held_out(book: Book) -> Rows:
    measures = {"Accuracy": (accuracy, "all"), "Accuracy, new faces": (accuracy, "new")}
    measures |= {"Macro-F1": (macro_f1, "all"), "Top-2 accuracy": (top_2, "all")}
    rows = side_by_side(book, measures)
    return rows | {("people, as published", "–"): {"Accuracy": people(book)}}


def probabilities(book: Book) -> Rows:
    measures = {"Loss": loss, "Calibration error": calibration_error, "Brier score": brier}
    return side_by_side(book, {head: (measure, "all") for head, measure in measures.items()})


def pairs(book: Book) -> Rows:
    known = {model: book.printed[model] for model in reversed(MODELS) if book.printed[model]}
    couples = list(combinations(known, 2)) + [("shallow", "linear classifier")]
    known["linear classifier"] = [book.linear]
    rows = {}
    for (one, other), split in product(couples, SPLITS):
        row = {"Runs": [len(known[one]), len(known[other])]}
        for head, which in (("New faces", "new"), ("Known faces", "known"), ("All", "all")):
            found = lead(book, known[one], known[other], split, which)
            row |= {head: found[:3]} | ({"First better": found[3:]} if which == "new" else {})
        rows[f"{one} and {other}", split] = row
    return rows


def rarest(book: Book) -> Rows:
    named = {f"{runs[0].recipe['model']}, seed {runs[0].recipe['seed']}": runs[0]
             for runs in book.printed.values() if runs}  # fmt: skip
    named |= {name: runs[0] for name, runs in book.baselines.items()}
    labels = book.linear.answers["PrivateTest"][0]
    counts = np.bincount(labels, minlength=7)
    rows: Rows = {(name,): {} for name in [*named, "one image more or less"]}
    for at in (counts.argmin(), counts.argmax()):
        head, width = f"{EMOTIONS[at]}, {counts[at]} images", f"Width, {EMOTIONS[at]}"
        for name, run in named.items():
            found = wilson(int(right(run.answers["PrivateTest"])[labels == at].sum()), counts[at])
            rows[name,] |= {head: found, width: [found[2] - found[1]]}
        rows["one image more or less",] |= {head: [], width: [100 / counts[at]]}
    return rows


# shallow.html, improved.html, deep.html


def final(book: Book, model: str) -> Rows:
    rows = table_3(book)
    return {(measure,): row for (name, measure), row in rows.items() if name == model}


def gaps(book: Book, model: str) -> Rows:
    runs, rows = book.printed[model], {}
    validation = np.array(scores(runs, "validation_loss"))
    for way, training in {
        "while training, dropout on": scores(runs, "training_loss"),
        "after training, dropout off": [run.told["scores"]["Training"]["loss"] for run in runs],
    }.items():
        values = {"Training loss": training, "Validation loss": validation}
        values["Gap"] = validation - np.array(training)
        rows[way,] = {head: spread(some) for head, some in values.items()} | {"Runs": [len(runs)]}
    return rows


def performance(book: Book, model: str) -> Rows:
    run, rows = book.printed[model][0], {}
    for split in SPLITS:
        answer = run.answers[split]
        rows[split,] = {
            "Images": [len(answer[0])], "Accuracy": accuracy(answer), "Macro-F1": macro_f1(answer),
            "Loss": loss(answer), "People": people(book),
        } | {name: accuracy(some[0].answers[split])[:1] for name, some in book.baselines.items()}  # fmt: skip
    return rows


def layers(book: Book, model: str) -> Rows:
    """Parameters by the formulas of convolutions, dense and normalising layers."""
    printed, before, rows = book.paper["layer_tables"][model], [48, 48, 1], {}
    found = book.printed[model][0].told["layers"]
    totals = dict.fromkeys(("All", "Trainable", "Not trainable"), 0)
    for place, layer in enumerate(found):
        kind, shape = layer["type"], layer["output_shape"]
        here = {
            "Conv2D": (kernel(layer, before[-1]) ** 2 * before[-1] + 1) * shape[-1],
            "Dense": (before[-1] + 1) * shape[-1],
            "BatchNormalization": 4 * shape[-1],
        }.get(kind, 0)
        fixed = here // 2 if kind == "BatchNormalization" else 0
        for name, count in zip(totals, (here, here - fixed, fixed), strict=True):
            totals[name] += count
        same = [layer["name"], kind, shape, here] == (printed["rows"] + [None] * 99)[place]
        rows[layer["name"],] = {"Type": kind, "Output shape": list(shape), "Parameters": [here],
                                "As printed": "✓" if same else "✗"}  # fmt: skip
        before = shape
    for name, claim in zip(totals, ("parameters", "trainable", "non_trainable"), strict=True):
        claimed = printed["totals"][claim]
        agrees = "✓" if claimed == totals[name] else f"✗ {claimed:,}"
        rows[name,] = {"Parameters": [totals[name]], "As printed": agrees}
    return rows


def kernel(layer: dict[str, Any], channels: int) -> int:
    """The width of a square kernel, which records hold in the count of parameters alone."""
    return round(max(0, (layer["parameters"] / layer["output_shape"][-1] - 1) / channels) ** 0.5)


def hyperparameters(book: Book, model: str) -> Rows:
    run = book.printed[model][0]
    recipe, counts = run.recipe, run.told["dataset"]["counts"]["Training"]
    given = {name: {"Paper": paper_text(book, f"{model}.{quantity}"), "This run": [recipe[quantity]]}
             for name, quantity in {"Learning rate": "learning_rate", "Epochs": "epochs",
                                    "Neurons of the hidden dense layer": "hidden_neurons"}.items()}  # fmt: skip
    given["Training images"] = {"This run": [recipe["train_images"] or sum(counts)]}
    given["Batch size"] = {"This run": [recipe["batch_size"]]}
    rates = [recipe["dropout_convolution"], recipe["dropout_dense"]]
    given["Dropout rates, after convolutions and dense"] = {"This run": rates}
    return {(name,): row for name, row in given.items()}


# readings.html


def nearer(book: Book, part: str, other: str) -> Rows:
    rows = {}
    for claim in book.table_3:
        model, measure = claim["quantity"].split(".")
        others = [run for _, runs in book.part(part, model) for run in runs]
        row, distance = {"Paper": claim["printed"]}, {}
        for name, runs in (("as printed", book.printed[model]), (other, others)):
            values = scores([run for run in runs if not run.reduced], measure)
            row[name.capitalize()] = [*spread(values), len(values)] if values else []
            if values:
                distance[name] = abs(np.mean(values) - scaled([claim["value"]], measure)[0])
        row["Nearer"] = min(distance, key=distance.get) if len(distance) == 2 else "–"
        rows[model, words(measure)] = row
    return rows


def variants(book: Book, part: str) -> Rows:
    rows = {}
    for model in MODELS:
        groups = [({"part": ""}, book.printed[model]), *book.part(part, model)]
        for entry, runs in groups if len(groups) > 1 else []:
            special = {key: entry[key] for key in entry if key not in ("part", "model", "seeds")}
            name = ", ".join(f"{words(key)} {value}" for key, value in special.items())
            rows[model, name or "as printed"] = {"Runs": [len(runs)]} | {
                words(measure).capitalize(): spread(scores(runs, measure))
                for measure in (*FIGURES, "test_accuracy")
            }
    return rows


def validation(book: Book) -> Rows:
    rows, part = {}, "kept epoch"
    for model in (model for model in MODELS if book.part(part, model)):
        for split, kept in product((*SPLITS, "both"), ("last", "best")):
            runs = [run for run in book.printed[model] if not run.reduced]
            if kept == "best":
                some = [runs for _, runs in book.part(part, model)]
                runs = [r for one in some for r in one if r.recipe["validation_split"] == split]
            on = SPLITS if split == "both" else (split,)
            rows[model, split, kept] = {
                "Its accuracy": spread(merged(run, on) for run in runs),
                "On the other split": spread(
                    merged(run, set(SPLITS) - set(on)) for run in runs if split != "both"
                ),
                "Runs": [len(runs)],
            }
    return rows


def merged(run: Run, on: Any) -> float:
    return 100 * float(np.concatenate([right(run.answers[split]) for split in on]).mean())


# crossvalidation.html


class Grid:
    """One cross-validation: accuracy and loss outside by cell (rate, neurons), fold by fold."""

    def __init__(self, book: Book, model: str) -> None:
        self.told = book.crossvalidation[model]
        self.accuracy, self.loss = ({}, {})
        for one in self.told["trainings"]:
            cell = one["learning_rate"], one["hidden_neurons"]
            self.accuracy.setdefault(cell, []).append(100 * one["validation_accuracy"][-1])
            self.loss.setdefault(cell, []).append(float(one["validation_loss"][-1]))
        self.paper = tuple(
            next(c["value"] for c in book.claims.values() if c["quantity"] == f"{model}.{measure}")
            for measure in ("learning_rate", "hidden_neurons")
        )
        mean = {cell: round(np.mean(some), 7) for cell, some in self.accuracy.items()}
        best = max(mean.values())
        self.best = min((c for c in mean if mean[c] == best), key=lambda cell: (cell[1], cell[0]))
        near = [c for c in mean if mean[c] >= best - error(self.accuracy[self.best]) - 1e-7]
        self.sparing = min(near, key=lambda cell: (cell[1], -mean[cell], cell[0]))


def error(values: list[float]) -> float:
    return float(np.std(values, ddof=1)) / math.sqrt(len(values))


def beside(book: Book, rows_of: Callable[[Grid], dict[str, Any]]) -> Rows:
    rows: Rows = {}
    for model in book.crossvalidation:
        for name, expected in rows_of(Grid(book, model)).items():
            rows.setdefault((name,), {})[f"{model.capitalize()} network"] = expected
    return rows


def settings(grid: Grid) -> dict[str, Any]:
    asked, folds = grid.told["settings"], grid.told["folds"]
    outside = [sum(fold["counts"]) for fold in folds]
    cells = len(asked["learning_rates"]) * len(asked["hidden_neurons"])
    return {
        "Learning rates": asked["learning_rates"], "Hidden neurons": asked["hidden_neurons"],
        "Training images": [sum(outside)], "Images outside, by fold": outside,
        "Different photographs": [sum(fold["photographs"] for fold in folds)],
        "Folds": [len(folds)], "Epochs": [asked["epochs"]], "Seed": [asked["seed"]],
        "Networks trained": [len(grid.told["trainings"]), cells * len(folds)],
    }  # fmt: skip


def choices(grid: Grid) -> dict[str, Any]:
    cells = {"The paper": grid.paper, "Best": grid.best, "One standard error": grid.sparing}
    rows: dict[str, Any] = {n: [*cell, np.mean(grid.accuracy[cell])] for n, cell in cells.items()}
    less = np.subtract(grid.accuracy[grid.paper], grid.accuracy[grid.best])
    same = grid.paper == grid.best
    rows["The paper less the best, in points"] = [] if same else [less.mean(), *interval(less)]
    counts = np.array([fold["counts"] for fold in grid.told["folds"]])
    often = int(counts.sum(axis=0).argmax())
    always = 100 * float(np.mean(counts[:, often] / counts.sum(axis=1)))
    rows[f"Always “{EMOTIONS[often]}”"] = [always]
    one_answer = sum(np.count_nonzero(one["answers"]) == 1 for one in grid.told["trainings"])
    rows["Networks with one answer only"] = [one_answer, len(grid.told["trainings"])]
    return rows


def cells(book: Book, model: str) -> Rows:
    grid, rows = Grid(book, model), {}
    for (rate, neurons), values in grid.accuracy.items():
        key = np.format_float_positional(rate, trim="-"), f"{neurons:,}"
        losses = grid.loss[rate, neurons]
        rows[key] = {"Accuracy": spread(values), "Its standard error": [error(values)],
                     "Loss": [] if np.isnan(losses).any() else spread(losses)}  # fmt: skip
    return rows


# introduction.html and backends.html


def at_a_glance(book: Book) -> Rows:
    runs = {run.id: run for _, some in book.entries for run in some}.values()
    wanted = sum(len(entry["seeds"]) for entry, _ in book.entries)
    hours = sum(run.told["cost"]["wall_seconds"] for run in runs) / 3600
    return {("Runs recorded",): {"How much": [len(runs), wanted]},
            ("Training",): {"How much": [hours]}}  # fmt: skip


def under_backends(book: Book) -> Rows:
    rows = {}
    for backend, runs in book.backends.items():
        values = scores(runs, "validation_accuracy")
        rows[backend,] = {
            "Runs": [len(runs)],
            "Version": ", ".join({run.told["environment"]["versions"][run.told["environment"]["backend"]]: 0 for run in runs}),
            "Validation accuracy": [np.mean(values), *interval(values)],
            "Deviation, points": spread(values)[1:],
            "Validation loss": spread(scores(runs, "validation_loss")),
            "Images per second": spread(run.told["cost"]["images_per_second"] for run in runs),
        }
    return rows


def backend_pairs(book: Book) -> Rows:
    """Tukey's intervals, by the distribution of the studentised range."""
    values = {name: scores(runs, "validation_accuracy") for name, runs in book.backends.items()}
    freedom = sum(len(some) - 1 for some in values.values())
    within = sum((len(some) - 1) * np.var(some, ddof=1) for some in values.values()) / freedom
    rows = {}
    for one, other in combinations(values, 2):
        sizes = 1 / len(values[one]) + 1 / len(values[other])
        reach = stats.studentized_range.ppf(0.95, len(values), freedom)
        half, mean = reach * math.sqrt(within * sizes / 2), np.mean(values[one]) - np.mean(values[other])
        rows[f"{one} and {other}",] = {
            "Difference of means, points": [mean, mean - half, mean + half],
            "Smallest difference seen, points": [half],
        }
    return rows


# Table: what recomputes it, and the columns by which its rows are known. Its page is its name's
# first word.
TABLES: dict[str, tuple[Callable[[Book], Rows], tuple[str, ...]]] = {
    "comparison-table-3": (table_3, ("Model", "Measure")),
    "comparison-held-out": (held_out, ("Network", "Split")),
    "comparison-probabilities": (probabilities, ("Network", "Split")),
    "comparison-paired": (pairs, ("Networks", "Split")),
    "comparison-rarest": (rarest, ("Network",)),
    "readings-text": (lambda book: nearer(book, "text", "as in the text"), ("Network", "Figure")),
    "readings-augmented": (
        lambda book: nearer(book, "augmented", "augmented"), ("Network", "Figure")
    ),
    "readings-batch-size": (lambda book: variants(book, "batch size"), ("Network", "Recipe")),
    "readings-validation": (validation, ("Network", "Called validation", "Epoch kept")),
    "readings-longer": (lambda book: variants(book, "longer"), ("Network", "Recipe")),
    "crossvalidation-settings": (lambda book: beside(book, settings), ("What",)),
    "crossvalidation-verdicts": (lambda book: beside(book, choices), ("What",)),
    "introduction-at-a-glance": (at_a_glance, ("What",)),
    "backends-table": (under_backends, ("Backend",)),
    "backends-pairs": (backend_pairs, ("Backends",)),
}  # fmt: skip
OF_A_NETWORK = {
    "final": (final, "Measure"), "gaps": (gaps, "Training loss taken"),
    "performance": (performance, "Split"), "layers": (layers, "Layer"),
    "hyperparameters": (hyperparameters, "Hyper-parameter"),
}  # fmt: skip
TABLES |= {
    f"{model}-{name}": (lambda book, model=model, rows=rows: rows(book, model), (key,))
    for model in MODELS
    for name, (rows, key) in OF_A_NETWORK.items()
}
TABLES |= {
    f"crossvalidation-{model}-cells": (
        lambda book, model=model: cells(book, model), ("Learning rate", "Hidden neurons")
    )
    for model in ("shallow", "deep")
}  # fmt: skip
