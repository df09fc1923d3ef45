"""What each table of the report should say, recomputed. TABLES is the list of what is audited."""

import json
import math
from itertools import combinations, product
from typing import Any

import numpy as np
from scipy import stats

from audit import claims, crop, crowd, pretrained, probes, small
from audit import records as r
from audit.records import LINEAR, MODELS, SPLITS, Book, Rows, interval, scores, spread


def words(name: str) -> str:
    return name.replace("_", " ")


def told(name: str, value: Any) -> str:
    """A setting as the pages tell it: what stands alone, what its number precedes, the others."""
    alone = {"augmentation": "augmented", "precision": "mixed precision"}
    alone["order"] = "one order for all epochs"
    number = f"{value:g}" if isinstance(value, float) else str(value)
    return alone.get(name, f"{number} epochs" if name == "epochs" else f"{words(name)} {number}")


def people(book: Book) -> list[float]:
    return [100 * book.human["accuracy"], 100 * book.human["margin"]]


def table_3(book: Book) -> Rows:
    rows = {}
    for claim in book.table_3:
        model, measure = claim["quantity"].split(".")
        values = scores(book.printed.get(model, []), measure)
        ours = spread(values) + r.next_run(values) if len(set(values)) > 1 else values[:1]
        row = {"Paper": claim["printed"], "Ours": ours, "Runs": [len(values)]}
        rows[model, words(measure)] = row
    return rows


def side_by_side(book: Book, **measures: Any) -> Rows:
    rows = {}
    for (name, runs), split in product(book.contenders.items(), SPLITS):
        count = [] if name.startswith("always") else [max(len(runs), runs[0].members)]
        rows[name, split] = row = {"Runs": count}
        for head, (measure, which) in measures.items():
            keep = book.faces(split, which)
            found = [measure([part[keep] for part in run.answers[split]]) for run in runs]
            row[head] = found[0] if len(found) == 1 else spread(one[0] for one in found)
    return rows


def held_out(book: Book) -> Rows:
    rows = side_by_side(book, **{
        "Accuracy": (r.accuracy, "all"), "Accuracy, new faces": (r.accuracy, "new"),
        "Macro-F1": (r.macro_f1, "all"), "Top-2 accuracy": (r.top_2, "all"),
    })  # fmt: skip
    return rows | {("people, as published", "–"): {"Accuracy": people(book)}}


def probabilities(book: Book) -> Rows:
    heads = {"Loss": r.loss, "Calibration error": r.calibration_error, "Brier score": r.brier}
    return side_by_side(book, **{head: (measure, "all") for head, measure in heads.items()})


def pairs(book: Book) -> Rows:
    known = dict(reversed(book.printed.items())) | {LINEAR: [book.linear]}
    couples = [pair for pair in combinations(known, 2) if pair[1] != LINEAR or "shallow" in pair]
    rows = {}
    for (one, other), split in product(couples, SPLITS):
        counts = [len(known[one]), len(known[other])]
        rows[f"{one} and {other}", split] = row = {"Runs": counts}
        for head, which in (("New faces", "new"), ("Known faces", "known"), ("All", "all")):
            found = r.lead(known[one], known[other], split, book.faces(split, which))
            few = min(counts) < 3 and other != LINEAR
            row[head], better = (found[:1], []) if few else (found[:3], found[3:])
            row.setdefault("First better", better)
    return rows


def rarest(book: Book) -> Rows:
    one_of = {name: runs[0] for name, runs in (book.printed | book.baselines).items()}
    labels, weight = book.linear.answers["PrivateTest"][0], "one image more or less"
    counts = np.bincount(labels, minlength=7)
    rows: Rows = {(weight,): {}}
    for at, (name, run) in product((counts.argmin(), counts.argmax()), one_of.items()):
        head, width = f"{r.EMOTIONS[at]}, {counts[at]} images", f"Width, {r.EMOTIONS[at]}"
        found = r.wilson(int(r.right(run.answers["PrivateTest"])[labels == at].sum()), counts[at])
        key = f"{name}, seed {run.recipe['seed']}" if name in book.printed else name
        rows.setdefault((key,), {}).update({head: found, width: [found[2] - found[1]]})
        rows[weight,].update({head: [], width: [100 / counts[at]]})
    return rows


def final(book: Book, model: str) -> Rows:
    return {(key[1],): row for key, row in table_3(book).items() if key[0] == model}


def gaps(book: Book, model: str) -> Rows:
    runs, rows = book.printed[model], {}
    validation = np.array(scores(runs, "validation_loss"))
    after = [run.told["scores"]["Training"]["loss"] for run in runs]
    during = scores(runs, "training_loss")
    ways = {"while training, dropout on": during, "after training, dropout off": after}
    for way, training in ways.items():
        columns = {"Training loss": training, "Validation loss": validation}
        columns["Gap"] = validation - np.array(training)
        rows[way,] = {head: spread(some) for head, some in columns.items()} | {"Runs": [len(runs)]}
    return rows


def performance(book: Book, model: str) -> Rows:
    measures = {"Accuracy": r.accuracy, "Macro-F1": r.macro_f1, "Loss": r.loss}
    rows = {}
    for split, answer in book.printed[model][0].answers.items():
        rows[split,] = {head: measure(answer) for head, measure in measures.items()}
        rows[split,] |= {"Images": [len(answer[0])], "People": people(book)}
        for name, (one,) in book.baselines.items():
            rows[split,][name] = r.accuracy(one.answers[split])[:1]
    return rows


def layers(book: Book, model: str) -> Rows:
    """Parameters by the formulas of convolutions, dense and normalising layers."""
    printed, channels, rows = book.paper["layer_tables"][model], 1, {}
    totals = dict.fromkeys(("All", "Trainable", "Not trainable"), 0)
    found = book.printed[model][0].told["layers"]
    for layer, row in zip(found, printed["rows"] + [None] * len(found)):
        name, kind, shape, told = (layer[k] for k in ("name", "type", "output_shape", "parameters"))
        kernel = round(max(0, (told / shape[-1] - 1) / channels) ** 0.5)  # recorded nowhere else
        weights = {"Conv2D": kernel**2 * channels + 1, "Dense": channels + 1}
        count = (weights | {"BatchNormalization": 4}).get(kind, 0) * shape[-1]
        fixed = count // 2 if kind == "BatchNormalization" else 0
        for total, some in zip(totals, (count, count - fixed, fixed)):
            totals[total] += some
        rows[name,] = {"Type": kind, "Output shape": shape, "Parameters": [count]}
        rows[name,]["As printed"] = "✓" if row == [name, kind, shape, count] else "✗"
        channels = shape[-1]
    for (name, total), claimed in zip(totals.items(), printed["totals"].values()):
        agrees = "✓" if claimed == total else f"✗ {claimed:,}"
        rows[name,] = {"Parameters": [total], "As printed": agrees}
    return rows


def hyperparameters(book: Book, model: str) -> Rows:
    recipe = book.printed[model][0].recipe
    counts = book.printed[model][0].told["dataset"]["counts"]["Training"]
    given = {
        "Learning rate": [recipe["learning_rate"]], "Epochs": [recipe["epochs"]],
        "Neurons of the hidden dense layer": [recipe["hidden_neurons"]],
        "Training images": [recipe["train_images"] or sum(counts)],
        "Batch size": [recipe["batch_size"]], "Dropout rates, after convolutions and dense":
        [recipe["dropout_convolution"], recipe["dropout_dense"]],
    }  # fmt: skip
    rows = {(name,): {"This run": value} for name, value in given.items()}
    for name, measure in zip(rows, ("learning_rate", "epochs", "hidden_neurons")):
        claims = [one for one in book.paper["claims"] if one["quantity"] == f"{model}.{measure}"]
        rows[name]["Paper"] = claims[0]["printed"] if claims else "not stated"
    return rows


TRIED = ("text", "augmented", "order", "batch size", "dropout", "longer", "precision")


def readings(book: Book, *parts: str) -> Rows:
    rows = {}
    for claim in book.table_3:
        model, measure = claim["quantity"].split(".")
        head = words(measure).capitalize()
        rows.setdefault((model, "Table 3"), {})[head] = claim["printed"]
        groups = [group for part in parts for group in book.part(part, model)]
        for entry, some in [({}, book.printed.get(model, [])), *groups]:
            runs = [run for run in some if not run.reduced]
            special = {k: entry[k] for k in runs[0].recipe if k in entry} if runs else {}
            text = special.pop("model", model) != model
            name = ", ".join(told(k, v) for k, v in special.items()) or "as printed"
            name = "as in the text" if text else name
            if runs:
                row = rows.setdefault((model, name), {"Runs": [len(runs)]})
                row[head] = spread(scores(runs, measure))
    return rows


def validation(book: Book) -> Rows:
    def right(run: r.Run, splits: Any) -> float:
        return 100 * float(np.concatenate([r.right(run.answers[one]) for one in splits]).mean())

    rows = {}
    for model, split, kept in product(MODELS, (*SPLITS, "both"), ("last", "best")):
        if groups := book.part("kept epoch", model):
            best = [run for _, runs in groups for run in runs]
            best = [run for run in best if run.recipe["validation_split"] == split]
            last = [run for run in book.printed[model] if not run.reduced]
            runs, own = (
                best if kept == "best" else last,
                [s for s in SPLITS if split in (s, "both")],
            )
            others = set(SPLITS) - set(own)
            if not runs:
                continue
            rows[model, split, kept] = {
                "Its accuracy": spread(right(run, own) for run in runs),
                "On the other split": spread(right(run, others) for run in runs if others),
                "Runs": [len(runs)],
            }
    return rows


class Grid:
    """One cross-validation: accuracy (percent) and loss outside by cell, fold by fold."""

    def __init__(self, book: Book, model: str) -> None:
        self.told, self.accuracy, self.loss = book.crossvalidation[model], {}, {}
        for one in self.told["trainings"]:
            cell = one["learning_rate"], one["hidden_neurons"]
            self.accuracy.setdefault(cell, []).append(100 * one["validation_accuracy"][-1])
            self.loss.setdefault(cell, []).append(float(one["validation_loss"][-1]))
        paper = {claim["quantity"]: claim.get("value") for claim in book.paper["claims"]}
        self.paper = paper[f"{model}.learning_rate"], paper[f"{model}.hidden_neurons"]
        mean = {cell: round(np.mean(some), 7) for cell, some in self.accuracy.items()}
        self.best = min(mean, key=lambda cell: (-mean[cell], cell[1], cell[0]))
        lowest = mean[self.best] - r.error(self.accuracy[self.best]) - 1e-7
        near = [cell for cell in mean if mean[cell] >= lowest]
        self.sparing = min(near, key=lambda cell: (cell[1], -mean[cell], cell[0]))
        counts = np.array([fold["counts"] for fold in self.told["folds"]])
        self.often = int(counts.sum(axis=0).argmax())
        self.always = 100 * float(np.mean(counts[:, self.often] / counts.sum(axis=1)))
        self.measures = lowest > self.always  # else its numbers are those of chance


def settings(grid: Grid) -> dict[str, Any]:
    asked, folds = grid.told["settings"], grid.told["folds"]
    outside = [sum(fold["counts"]) for fold in folds]
    wanted = len(asked["learning_rates"]) * len(asked["hidden_neurons"]) * len(folds)
    return {
        "Learning rates": asked["learning_rates"], "Hidden neurons": asked["hidden_neurons"],
        "Training images": [sum(outside)], "Images outside, by fold": outside,
        "Different photographs": [sum(fold["photographs"] for fold in folds)],
        "Folds": [len(folds)], "Epochs": [asked["epochs"]], "Seed": [asked["seed"]],
        "Networks trained": [len(grid.told["trainings"]), wanted],
    }  # fmt: skip


def choices(grid: Grid) -> dict[str, Any]:
    cells = {"The paper": grid.paper, "Best": grid.best, "One standard error": grid.sparing}
    less = np.subtract(grid.accuracy[grid.paper], grid.accuracy[grid.best])
    one_answer = [np.count_nonzero(one["answers"]) == 1 for one in grid.told["trainings"]]
    shown = {name: [*cell, np.mean(grid.accuracy[cell])] for name, cell in cells.items()}
    shown["The paper less the best, in points"] = (
        [less.mean(), *interval(less)] if less.any() else []
    )
    return {name: values if grid.measures else [] for name, values in shown.items()} | {
        f"Always “{r.EMOTIONS[grid.often]}”": [grid.always],
        "Networks with one answer only": [sum(one_answer), len(one_answer)],
    }


def crossvalidation(book: Book, rows_of: Any) -> Rows:
    rows: Rows = {}
    for model in book.crossvalidation:
        for name, expected in rows_of(Grid(book, model)).items():
            rows.setdefault((name,), {})[f"{model} network"] = expected
    return rows


def cells(book: Book, model: str) -> Rows:
    grid, rows = Grid(book, model), {}
    for (rate, neurons), values in grid.accuracy.items():
        losses = grid.loss[rate, neurons]
        row = {"Accuracy": spread(values), "Its standard error": [r.error(values)]}
        row["Loss"] = [] if np.isnan(losses).any() else spread(losses)
        row = row if grid.measures else {head: [] for head in row}
        rows[np.format_float_positional(rate, trim="-"), f"{neurons:,}"] = row
    return rows


def at_a_glance(book: Book) -> Rows:
    runs = {run.id: run for _, some in book.entries for run in some if run.own}.values()
    hours = sum(run.told["cost"]["wall_seconds"] for run in runs) / 3600
    told = {"Runs recorded": [len(runs), book.trainings()], "Training": [hours]}
    return {(name,): {"How much": value} for name, value in told.items()}


def mcnemar(book: Book) -> Rows:
    """The exact test: how likely so uneven a division of the images is that one alone got right."""
    rows, (first, second) = {}, [runs[0] for runs in book.printed.values()][:2]
    for split in SPLITS:
        one, other = r.right(first.answers[split]), r.right(second.answers[split])
        alone = [int((one & ~other).sum()), int((other & ~one).sum())]
        p = min(1, 2 * stats.binom.cdf(min(alone), sum(alone), 0.5))
        rows[split,] = {"Both": [(one & other).sum()], "Neither": [(~one & ~other).sum()], "p": [p]}
        rows[split,] |= {"Only first": alone[:1], "Only second": alone[1:]}
    return rows


def backends(book: Book) -> Rows:
    rows = {}
    for backend, runs in book.backends.items():
        values = scores(runs, "both_accuracy")
        rows[backend.replace("torch", "PyTorch"),] = {
            "Held-out accuracy": [np.mean(values), *interval(values)],
            "Deviation, points": spread(values)[1:],
            "Held-out loss": spread(scores(runs, "both_loss")),
            "Runs": [len(runs)],
        }
    return rows


def backend_pairs(book: Book) -> Rows:
    """Tukey's intervals, by the distribution of the studentised range."""
    rows = {}
    for split in (*SPLITS, "both"):
        values = {b: scores(runs, f"{split}_accuracy") for b, runs in book.backends.items()}
        freedom = sum(len(some) - 1 for some in values.values())
        within = sum((len(some) - 1) * np.var(some, ddof=1) for some in values.values()) / freedom
        reach = stats.studentized_range.ppf(0.95, len(values), freedom) * math.sqrt(within / 2)
        for one, other in combinations(values, 2):
            half = reach * math.sqrt(1 / len(values[one]) + 1 / len(values[other]))
            mean = np.mean(values[one]) - np.mean(values[other])
            row = rows.setdefault((f"{one} − {other}".replace("torch", "PyTorch"),), {})
            row[split.replace("both", "Both")] = [mean, mean - half, mean + half]
            row["Smallest difference seen, points"] = [half]
    return rows


def backend_steps(book: Book) -> Rows:
    told = json.loads((book.runs[0].folder.parents[1] / "first_steps.json").read_text())
    return {
        (model, {"rounded": "TensorFlow, weights rounded", "torch": "PyTorch"}.get(name, name)): {
            "First loss": one["losses"][:1],
            "Last loss": one["losses"][-1:],
            "Gradient, %": [100 * one["gradient"]] if name != "tensorflow" else [],
            "Step of Adam, %": [100 * one["update"]] if name != "tensorflow" else [],
            "Moving statistics, %": [100 * one["statistics"]] if name != "tensorflow" else [],
            "Kernels drawn": one["drawn"],
        }
        for model, some in told["networks"].items()
        for name, one in some.items()
    }


# Table: what recomputes it, with which arguments, and the columns by which its rows are known.
TABLES: dict[str, tuple[Any, tuple, tuple[str, ...]]] = {
    "claims": (claims.rows, (), ("Claim",)),
    "comparison-table-3": (table_3, (), ("Model", "Measure")),
    "comparison-held-out": (held_out, (), ("Network", "Split")),
    "comparison-probabilities": (probabilities, (), ("Network", "Split")),
    "comparison-paired": (pairs, (), ("Networks", "Split")),
    "comparison-rarest": (rarest, (), ("Network",)),
    "readings-table": (readings, TRIED, ("Network", "Recipe")),
    "stability-accuracy": (readings, ("weights",), ("Network", "Recipe")),
    "readings-validation": (validation, (), ("Network", "Called validation", "Epoch kept")),
    "crossvalidation-settings": (crossvalidation, (settings,), ("What",)),
    "crossvalidation-verdicts": (crossvalidation, (choices,), ("What",)),
    "crossvalidation-shallow-cells": (cells, ("shallow",), ("Learning rate", "Hidden neurons")),
    "introduction-at-a-glance": (at_a_glance, (), ("What",)),
    "two-runs-verdicts": (mcnemar, (), ("Split",)),
    "stability-changes": (probes.changes, (), ("Change", "Strength")),
    "stability-sizes": (probes.sizes, (), ("Network",)),
    "attention-parts": (probes.parts, (), ("Network", "Emotion")),
    "attention-mistakes": (probes.mistakes, (), ("Network",)),
    "attention-crowd": (crowd.mistakes, (), ("Network",)),
    "pretrained-table": (pretrained.accuracies, (), ("Network",)),
    "pretrained-costs": (pretrained.costs, (), ("Change", "Strength")),
    "pretrained-choices": (pretrained.choices, (), ("Network", "Seed")),
    "small-answers": (small.answers, (), ("Network", "Form")),
    "small-costs": (small.costs, (), ("Network", "Form")),
    "face-errors": (small.face_errors, (), ("Emotion",)),
    "small-peers": (small.peers, (), ("Network",)),
    "detection-emotions": (crop.emotions, (), ("Emotion",)),
    "detection-sizes": (crop.sizes, (), ("Share of the width",)),
    "detection-accuracies": (crop.accuracies, (), ("Run", "Margin")),
    "backends-table": (backends, (), ("Backend",)),
    "backends-pairs": (backend_pairs, (), ("Backends",)),
    "backends-steps": (backend_steps, (), ("Network", "Backend")),
}
for one in MODELS:
    TABLES |= {
        f"{one}-final": (final, (one,), ("Measure",)),
        f"{one}-gaps": (gaps, (one,), ("Training loss taken",)),
        f"{one}-performance": (performance, (one,), ("Split",)),
        f"{one}-layers": (layers, (one,), ("Layer",)),
        f"{one}-hyperparameters": (hyperparameters, (one,), ("Hyper-parameter",)),
    }
