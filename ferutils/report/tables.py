"""Records and claims -> pandas frames, and frames -> numbered tables of a page.

Reads what it is given; writes nothing. Frames hold text ready to print.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from html import escape
from typing import NamedTuple

import numpy as np
import pandas as pd
from IPython.display import Markdown

from ferutils.claims import metrics, verdicts
from ferutils.claims.paper import NumberClaim, Paper, StatementClaim, Verdict, predicted
from ferutils.claims.verdicts import Finding
from ferutils.dataset.fer2013 import SPLITS
from ferutils.records import baselines
from ferutils.records.baselines import Human
from ferutils.records.inspection import Inspection
from ferutils.records.recipes import PAPER
from ferutils.records.runs import HELD_OUT, Record
from ferutils.records.study import Study

SIGNS = {
    Verdict.REPRODUCED: "✓\u00a0reproduced",
    Verdict.NOT_REPRODUCED: "✗\u00a0not reproduced",
    Verdict.UNDECIDED: "?\u00a0undecided",
    Verdict.NOT_TESTED: "–\u00a0not tested",
}


class Numbered(Markdown):
    """A table of a page: MyST for the book, HTML for those who run the notebook themselves."""

    def __init__(self, myst: str, html: str) -> None:
        """Take the same table in both languages."""
        super().__init__(myst)
        self._html = html

    def _repr_html_(self) -> str:
        return self._html


def numbered(frame: pd.DataFrame, name: str, caption: str) -> Numbered:
    """A frame as a numbered table that other pages can refer to.

    Args:
        frame: text; its columns are the head, its index is left out.
        name: the target of references.
        caption: one sentence or two.
    """
    lines = [f"```{{table}} {caption}", f":name: {name}", "", *pipes(frame), "```"]
    with pd.option_context("display.max_colwidth", None):  # no cell is cut off
        html = f"<p>{escape(caption)}</p>{frame.to_html(index=False)}"
    return Numbered("\n".join(lines), html)


def folded(table: Numbered, title: str = "The numbers", text: str = "") -> Numbered:
    """A numbered table that unfolds, with a text before it as MyST, out of a line that names it."""
    myst = f"````{{dropdown}} {title}\n{text}\n\n{table.data}\n````"
    return Numbered(myst, f"<p><b>{escape(title)}</b></p>{table._repr_html_()}")


def pipes(frame: pd.DataFrame) -> list[str]:
    """A frame as the lines of a Markdown table: its index left out, a bar in a cell escaped."""
    rows = [list(frame.columns), ["---"] * len(frame.columns), *frame.astype(str).to_numpy()]
    return ["| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in rows]


def percent(value: float, digits: int = 1) -> str:
    """A fraction as a percentage."""
    return "–" if math.isnan(value) else f"{100 * value:.{digits}f}\u00a0%"


def points(share: float) -> str:
    """A difference of shares in percentage points, with its sign."""
    return f"{100 * share:+.1f}".replace("-", "−")


def with_interval(found: metrics.Interval) -> str:
    """A share with its 95 % interval, in percent."""
    return f"{percent(found.value)} ({100 * found.low:.1f}–{100 * found.high:.1f})"


def quantity(value: float, unit: str) -> str:
    """A number in the way that its unit is printed."""
    if unit == "fraction":
        return percent(value)
    if unit == "nats":
        return f"{value:.3f}"
    if unit == "learning rate":
        return np.format_float_positional(value, trim="-")
    return f"{value:,.0f}" if value == round(value) else f"{value:g}"


def layers(record: Record, paper: Paper) -> pd.DataFrame:
    """The layer table of a run, and the totals, beside those that the paper prints, if it does.

    Columns: Layer, Type, Output shape, Parameters, As printed.
    """
    ours, totals = record.run.layers, _totals(record)
    frame = pd.DataFrame(
        {
            "Layer": [f"`{layer.name}`" for layer in ours] + [f"**{name}**" for name in totals],
            "Type": [layer.type for layer in ours] + [""] * len(totals),
            "Output shape": ["×".join(map(str, layer.output_shape)) for layer in ours]
            + [""] * len(totals),
            "Parameters": [f"{layer.parameters:,}" for layer in ours]
            + [f"**{count:,}**" for count in totals.values()],
        }
    )
    model = record.recipe.printed_model
    if model in paper.layer_tables:
        same = verdicts.same_rows(paper, model, record)[: len(ours)]
        pairs = zip(totals.values(), dict(paper.layer_tables[model].totals).values(), strict=True)
        frame["As printed"] = ["✓" if agrees else "✗" for agrees in same] + [
            "✓" if count == claimed else f"✗ {claimed:,}" for count, claimed in pairs
        ]
    return frame


def _totals(record: Record) -> dict[str, int]:
    """Numbers of parameters, in the order in which the paper prints them."""
    total = sum(layer.parameters for layer in record.run.layers)
    trainable = sum(layer.trainable_parameters for layer in record.run.layers)
    return {"All": total, "Trainable": trainable, "Not trainable": total - trainable}


def hyperparameters(record: Record, paper: Paper) -> pd.DataFrame:
    """What the paper prints of its hyper-parameters beside what this run was given.

    Columns: Hyper-parameter, Paper, This run.
    """
    model, recipe = record.recipe.printed_model, record.recipe
    rows = [
        {"Hyper-parameter": "Learning rate", "Paper": _printed(paper, model, "learning_rate"),
         "This run": f"{recipe.learning_rate:g}"},
        {"Hyper-parameter": "Neurons of the hidden dense layer",
         "Paper": _printed(paper, model, "hidden_neurons"), "This run": f"{recipe.hidden_neurons}"},
        {"Hyper-parameter": "Epochs", "Paper": _printed(paper, model, "epochs"),
         "This run": f"{recipe.epochs}"},
        {"Hyper-parameter": "Training images", "Paper": "all",
         "This run": f"{record.run.scores['Training'].images:,}"
         f"{'' if recipe.train_images is None else ' (reduced)'}"},
        {"Hyper-parameter": "Batch size", "Paper": "not stated",
         "This run": f"{recipe.batch_size}"},
        {"Hyper-parameter": "Dropout rates, after convolutions and dense", "Paper": "not stated",
         "This run": f"{recipe.dropout_convolution:g}, {recipe.dropout_dense:g}"},
        {"Hyper-parameter": "Augmentation", "Paper": "not stated how",
         "This run": recipe.augmentation},
    ]  # fmt: skip
    return pd.DataFrame(rows)


def _printed(paper: Paper, model: str, measure: str) -> str:
    """What the paper prints of a setting, "not stated" where it does not."""
    claims = [claim for claim in paper.claims if claim.quantity == f"{model}.{measure}"]
    return claims[0].printed if claims else "not stated"


def performance(record: Record) -> pd.DataFrame:
    """Accuracy with 95 % interval, loss and macro-F1 of a run beside the baselines' accuracies.

    Columns: Split, Images, Accuracy (95 % interval), Macro-F1, Loss (nats), and the accuracy of
    each baseline and of People.

    Raises:
        ValueError: as `baselines.read`.
    """
    beside = baselines.beside(record, baselines.read())
    rows = []
    for split in HELD_OUT:
        found = record.predictions[split]
        followed = record.recipe.validation_split in (split, "both")
        row = {
            "Split": f"{split} ({'validation' if followed else 'test'})",
            "Images": f"{len(found.labels):,}",
            "Accuracy (95 % interval)": with_interval(metrics.accuracy(found)),
            "Macro-F1": f"{metrics.macro_f1(found):.3f}",
            "Loss (nats)": f"{metrics.loss(found):.3f}",
        }
        for name, answers in beside.items():
            row[name[0].upper() + name[1:]] = percent(metrics.accuracy(answers[split]).value)
        if record.run.dataset.name == "fer2013":
            row["People"] = as_published(baselines.human())
        rows.append(row)
    return pd.DataFrame(rows)


def as_published(human: Human) -> str:
    """The published accuracy of people, in percent."""
    return f"{100 * human.accuracy:.0f} ± {100 * human.margin:.0f}\u00a0%"


def dataset_note(record: Record) -> str:
    """The dataset of a run in words, with what is special about it."""
    note = record.run.dataset
    sizes = ", ".join(f"{split} {sum(note.counts[split]):,}" for split in SPLITS)
    prints = ", ".join(f"`{note.fingerprints[split][:8]}`" for split in SPLITS)
    if note.name == "drawn":
        kind = "**drawn faces, not FER-2013**"
    else:
        kind = " ".join(note.differences) or "FER-2013, pixel for pixel as published"
    return f"{kind}; {sizes}; SHA-256 {prints}"


def table_3(paper: Paper, found: Study) -> pd.DataFrame:
    """The paper's Table 3 beside ours, a row per figure.

    Columns: Model, Measure, Paper, Ours, Runs, Verdict.

    Raises:
        ValueError: as `verdicts.find`.
    """
    rows = []
    for claim in paper.table_3():
        finding = verdicts.find(paper, found, claim)
        rows.append(
            {
                "Model": network(finding.records[0])
                if finding.records
                else claim.quantity.split(".")[0],
                "Measure": claim.quantity.split(".")[1].replace("_", " "),
                "Paper": claim.printed,
                "Ours": measured(finding),
                "Runs": str(len(finding.measured)),
                "Verdict": SIGNS[finding.verdict],
            }
        )
    return pd.DataFrame(rows)


def claimed_and_measured(paper: Paper, found: Study) -> pd.DataFrame:
    """The figures of Table 3 as numbers, for `figures.claimed_and_measured`.

    Columns: model, measure, claimed, margin, measured, low, high.

    Raises:
        ValueError: as `verdicts.find`.
    """
    rows = []
    for claim in paper.table_3():
        model, measure = claim.quantity.split(".")
        finding = verdicts.find(paper, found, claim)
        low, high = predicted(finding.measured) if finding.measured else (math.nan, math.nan)
        rows.append(
            {
                "model": model,
                "measure": measure,
                "claimed": claim.value,
                "margin": claim.rounding + paper.margin(claim.unit),
                "measured": finding.measured,
                "low": low,
                "high": high,
            }
        )
    return pd.DataFrame(rows)


def measured(finding: Finding) -> str:
    """What was measured of a claim: one run's value, or mean, deviation and prediction interval."""
    values = finding.measured
    if finding.leads:
        new, every = ("; ".join(map(led, some)) for some in (finding.leads, finding.sizes))
        return f"{new}\u00a0points on new faces" + (f", {every} on all" if every else "")
    if not values:
        return "–"
    if finding.claim.kind == "statement":
        return f"holds in {sum(values)} of {len(values)}"
    unit = finding.claim.unit
    mean = math.fsum(values) / len(values)
    if len(values) == 1 or min(values) == max(values):
        return quantity(values[0], unit)
    low, high = predicted(values)
    deviation = pd.Series(values).std()
    return (
        f"{quantity(mean, unit)} ± {quantity(deviation, unit)} "
        f"({quantity(low, unit)}–{quantity(high, unit)})"
    )


def claims(paper: Paper, found: list[Finding]) -> pd.DataFrame:
    """Claims in the paper's words with what was measured and the verdict.

    The column of printed numbers is left out where all claims are statements.

    Columns: Paper, Printed, Measured, Runs, Verdict, Shown in.
    """
    frame = pd.DataFrame(
        [
            {
                "Paper": _in_its_place(finding.claim),
                "Printed": getattr(finding.claim, "printed", ""),
                "Measured": measured(finding) + refuted(paper, finding.claim),
                "Runs": runs(finding),
                "Verdict": SIGNS[finding.verdict],
                "Shown in": shown_in(finding),
            }
            for finding in found
        ]
    )
    return frame if frame["Printed"].any() else frame.drop(columns="Printed")


def _in_its_place(claim: NumberClaim | StatementClaim) -> str:
    """What a claim says and where, what there is to remark, and whether it is the reading left."""
    left = "The report follows another reading." if claim.follows is False else ""
    return " ".join(filter(None, [claim.says, f"*{claim.place}*.", claim.comment, left]))


def refuted(paper: Paper, claim: NumberClaim | StatementClaim) -> str:
    """The printed figures that say the opposite of a claim."""
    against = [f"{one.printed} against {other.printed}" for one, other in paper.refuted(claim)]
    return f"; the paper itself prints {listed(against)}" if against else ""


def apart(distance: float, unit: str) -> str:
    """A distance between two numbers of a unit; of fractions in percentage points."""
    if unit == "fraction":
        return f"{100 * distance:.1f}\u00a0points"
    return f"{distance:.3f}\u00a0nats" if unit == "nats" else quantity(distance, unit)


def listed(words: Sequence[str]) -> str:
    """Words with commas between, and "and" before the last."""
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def led(found: NamedTuple) -> str:
    """A lead in points, with its interval where it has one."""
    value, low, high = map(points, (found.value, found.low, found.high))
    return value if math.isnan(found.low) else f"{value} ({low} to {high})"


def runs(finding: Finding) -> str:
    """How many runs a claim was measured in; of a result, with a link to each by its seed."""
    count = len(finding.measured or (finding.leads and finding.records))
    if not count:
        return "–"
    if finding.selected:
        return "[cross-validation](crossvalidation.ipynb)"
    if finding.claim.about != "results":
        return str(count)
    by_network: dict[str, dict[int, str]] = {}
    for record in finding.records:
        seeds = by_network.setdefault(network(record), {})
        seeds[record.recipe.seed] = f"[{record.recipe.seed}](#{anchor(record)})"
    named = [f"{name} {', '.join(seeds.values())}" for name, seeds in by_network.items()]
    return f"{count}: {'; '.join(named)}"


def shown_in(finding: Finding) -> str:
    """The figures or tables of this report that show what a claim is about."""
    claim = finding.claim
    subject = claim.quantity.split(".")[0]
    if claim.shown:
        names = [claim.shown]
    elif claim.about == "dataset":
        names = ["dataset-splits" if claim.kind == "number" else "dataset-classes"]
    elif claim.about == "settings":
        names = [f"{subject}-hyperparameters"]
        names += ["crossvalidation-verdicts"] if verdicts.is_selected(claim) else []
    elif claim.about == "results":
        names = [f"{subject}-curves"]
    elif claim.about == "code":
        names = ["claims-inspection"]
    else:
        names = [f"{model}-layers" for model in (PAPER if subject == "models" else [subject])]
    return ", ".join(f"{{numref}}`{name}`" for name in names)


def anchor(record: Record) -> str:
    """The place of a run on the page of all runs."""
    return f"run-{record.run.id}"


def at_a_glance(paper: Paper, found: Sequence[Finding], study: Study) -> pd.DataFrame:
    """How many distinct results have which verdict, what else holds, and what it took.

    Columns: What, How much.
    """
    results = verdicts.results(found)
    counts = Counter(finding.verdict for finding in results)
    layers = verdicts.rows_as_printed(paper, study)
    dataset = [one.verdict == Verdict.REPRODUCED for one in verdicts.about(found, "dataset")]
    rows = {"Results": f"{len(results)}"}
    rows |= {f"[{SIGNS[one]}]{{.{verdict_class(one)}}}": f"{counts[one]}" for one in Verdict}
    rows |= {
        "Layers as printed": f"{sum(layers)} of {len(layers)}",
        "Dataset as described": f"{sum(dataset)} of {len(dataset)}",
        "Runs recorded": f"{len(study.records)} of {study.wanted}",
        "Training": f"{study.hours:.1f} hours",
    }
    return pd.DataFrame({"What": rows.keys(), "How much": rows.values()})


def verdict_class(verdict: Verdict) -> str:
    """The class that gives a verdict its colour, beside its sign and its word."""
    return f"verdict-{verdict.replace(' ', '-')}"


def inspected(found: Inspection) -> pd.DataFrame:
    """What was seen of the networks as built.

    Columns: Network, Optimiser, Hidden layers, Loss before training, Weights with a gradient,
    Memorised, Outputs vary.
    """
    return pd.DataFrame(
        [
            {
                "Network": model,
                "Optimiser": network.optimizer,
                "Hidden layers": ", ".join(sorted(set(list(network.activations.values())[:-1]))),
                "Loss before training": f"{network.first_loss:.3f}",
                "Weights with a gradient": f"{network.trainable - len(network.without_gradient)} "
                f"of {network.trainable}",
                "Memorised": f"{percent(network.accuracy, 0)} in {network.steps} steps",
                "Outputs vary": _yes(network.varies_in_training) + " in training, "
                f"{_yes(not network.same_at_inference)} at inference",
            }
            for model, network in found.networks.items()
        ]
    )


def _yes(holds: bool) -> str:
    return "yes" if holds else "no"


def left_open(paper: Paper) -> pd.DataFrame:
    """What the paper leaves open, what is done here, and why.

    Columns: Left open, Here, Why.
    """
    return pd.DataFrame(
        [{"Left open": one.topic, "Here": one.default, "Why": one.why} for one in paper.left_open]
    )


def not_testable(paper: Paper) -> pd.DataFrame:
    """What the paper says that nothing here can hold or break, and why.

    Columns: Paper; Not testable, because.
    """
    return pd.DataFrame(
        [
            {"Paper": f"{one.says} *{one.place}*.", "Not testable, because": one.why}
            for one in paper.not_testable
        ]
    )


def effort(found: Study) -> pd.DataFrame:
    """What the recorded runs cost, by network and by what they ran on.

    Columns: Network; Device; Backend; Runs; Minutes a run; Hours in all; Images per second; Memory,
    at most (GiB).
    """
    runs = pd.DataFrame(
        {
            "Network": network(record),
            "Device": record.run.environment.device,
            "Backend": record.run.environment.backend,
            "minutes": record.run.cost.wall_seconds / 60,
            "speed": record.run.cost.images_per_second,
            "memory": record.run.cost.peak_memory_bytes / 2**30,
        }
        for record in found.records
    )
    rows = []
    for names, some in runs.groupby(["Network", "Device", "Backend"], sort=False):
        costs = {
            "Runs": str(len(some)),
            "Minutes a run": spread(some["minutes"], lambda value: f"{value:.1f}"),
            "Hours in all": f"{some['minutes'].sum() / 60:.1f}",
            "Images per second": spread(some["speed"], lambda value: f"{value:,.0f}"),
            "Memory, at most (GiB)": f"{some['memory'].max():.1f}",
        }
        rows.append(dict(zip(("Network", "Device", "Backend"), names)) | costs)
    return pd.DataFrame(rows)


def printed_scores(paper: Paper, record: Record) -> dict[str, float]:
    """The final figures that the paper's Table 3 prints for the model of a run, by history column.

    Empty for a run on drawn faces, which has nothing to do with them.
    """
    model = record.recipe.printed_model if record.run.dataset.name == "fer2013" else None
    claims = [[*claim.quantity.split("."), claim.value] for claim in paper.table_3()]
    return {measure: value for subject, measure, value in claims if subject == model}


def final_figures(paper: Paper, seeds: Sequence[Record]) -> pd.DataFrame:
    """The final losses and accuracies of runs of one recipe beside the paper's Table 3.

    Columns: Measure, Paper, Ours, Runs.
    """
    rows = []
    for claim in paper.table_3():
        model, measure = claim.quantity.split(".")
        if model != seeds[0].recipe.printed_model:
            continue
        values = [verdicts.score(record, measure) for record in seeds]
        rows.append(
            {
                "Measure": measure.replace("_", " "),
                "Paper": claim.printed,
                "Ours": measured(Finding(claim, values, Verdict.NOT_TESTED)),
                "Runs": str(len(values)),
            }
        )
    return pd.DataFrame(rows)


def gaps(seeds: Sequence[Record]) -> pd.DataFrame:
    """The gap between validation and training loss, with training loss measured in two ways.

    Columns: Training loss taken, Training loss, Validation loss, Gap, Runs.
    """
    ways = {
        "while training, dropout on (Keras prints this)": "training_loss",
        "after training, dropout off": "Training",
    }
    rows = []
    for way, source in ways.items():
        training = [
            record.run.scores[source].loss
            if source in record.run.scores
            else verdicts.score(record, source)
            for record in seeds
        ]
        validation = [verdicts.score(record, "validation_loss") for record in seeds]
        columns = {
            "Training loss": training,
            "Validation loss": validation,
            "Gap": [one - other for one, other in zip(validation, training)],
        }
        told = {name: spread(values, "{:.3f}".format) for name, values in columns.items()}
        rows.append({"Training loss taken": way} | told | {"Runs": str(len(seeds))})
    return pd.DataFrame(rows)


def network(record: Record) -> str:
    """The model of a run, with what sets its training apart from the paper's."""
    mixed = record.recipe.precision != "float32"
    apart = ["reduced"] * record.recipe.reduced + ["mixed precision"] * mixed
    return record.recipe.model + (f" ({', '.join(apart)})" if apart else "")


def spread(values: Sequence[float], text: Callable[[float], str]) -> str:
    """Mean and standard deviation, or the one value."""
    series = pd.Series(values)
    return text(series.mean()) + (f" ± {text(series.std())}" if len(series) > 1 else "")


def scored(found: Sequence[metrics.Interval]) -> str:
    """The accuracy of one run with its interval, or the mean of several."""
    if len(found) == 1:
        return with_interval(found[0])
    return spread([one.value for one in found], percent)


# The paper's figures and tables, and the names of the figures and tables here that match them.
PLACES = {
    "Figure 1": "dataset-examples",
    "Figure 2": "deep-architecture",
    "Figure 3": "shallow-curves",
    "Figure 4": "improved-curves",
    "Figure 5": "deep-curves",
    "Figure 6": "shallow-layers",
    "Figure 7": "improved-layers",
    "Figure 8": "deep-layers",
    "Table 1": "shallow-hyperparameters",
    "Table 2": "deep-hyperparameters",
    "Table 3": "comparison-table-3",
}


def places(paper: Paper) -> pd.DataFrame:
    """Each figure and table of the paper, with its caption as printed and its place here.

    Columns: Paper, Its caption, Here.
    """
    captions = {f"Figure {one.number}": one.caption for one in paper.figures}
    captions |= {f"Table {one.number}": one.caption for one in paper.tables}
    return pd.DataFrame(
        [
            {"Paper": place, "Its caption": captions[place], "Here": f"{{numref}}`{name}`"}
            for place, name in PLACES.items()
        ]
    )
