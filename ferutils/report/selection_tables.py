"""Cross-validations -> pandas frames: how they were done, what they chose, and every cell.

Reads what it is given; writes nothing. Frames hold text ready to print.
"""

import math
from collections.abc import Callable, Sequence

import pandas as pd

from ferutils.claims import selection
from ferutils.claims.selection import Selection
from ferutils.records.crossvalidation import Cell
from ferutils.report.tables import SIGNS, led, percent, quantity


def settings(every: Sequence[Selection]) -> pd.DataFrame:
    """How large each cross-validation is, and how far it has come.

    Columns: What, and each network.
    """
    return _beside(every, _settings)


def verdicts(every: Sequence[Selection]) -> pd.DataFrame:
    """What each cross-validation chose, the paper's choice beside it, and the verdict.

    Columns: What, and each network.
    """
    return _beside(every, _answers)


def _beside(
    every: Sequence[Selection], rows: Callable[[Selection], dict[str, str]]
) -> pd.DataFrame:
    """A column for each network."""
    columns = pd.DataFrame({f"{one.model.capitalize()} network": rows(one) for one in every})
    return columns.fillna("–").rename_axis("What").reset_index()


def _settings(one: Selection) -> dict[str, str]:
    asked, found = one.settings, one.found
    counts = [sum(fold.counts) for fold in found.folds] if found else []
    images = sum(counts) or asked.images
    done = len(found.trainings) if found else 0
    return {
        "Learning rates": ", ".join(Cell(rate, 0).rate for rate in asked.learning_rates),
        "Hidden neurons": ", ".join(f"{count:,}" for count in asked.hidden_neurons),
        "Training images": f"{images:,}" if images else "all",
        "Different photographs": f"{_photographs(one):,}" if found else "–",
        "Folds": f"{asked.folds}",
        "Images outside, by fold": ", ".join(f"{count:,}" for count in counts) or "–",
        "Epochs": f"{asked.epochs}",
        "Seed": f"{asked.seed}",
        "Networks trained": f"{done:,} of {len(asked.plan(one.model)):,}",
    }


def _photographs(one: Selection) -> int:
    return sum(fold.photographs for fold in one.found.folds)


def _answers(one: Selection) -> dict[str, str]:
    shown = one.choices if one.measures else {}
    texts = {name.capitalize(): _chosen(one, cell) for name, cell in shown.items()}
    if one.finished:
        count = len(one.found.trainings)
        texts |= {
            "The paper less the best, in points (95 % interval)": _difference(one),
            f"Always “{one.always[0]}”": percent(one.always[1]),
            "Networks with one answer only": f"{one.of_one_answer:,} of {count:,}",
        }
    return texts | {
        f"Verdict on the paper's {factor.replace('_', ' ')}": SIGNS[
            selection.verdict(one, factor, getattr(one.paper, factor))
        ]
        for factor in Cell._fields
    }


def _chosen(one: Selection, cell: Cell) -> str:
    values = f"{cell.rate} and {cell.hidden_neurons:,}"
    return f"{values}: {percent(one.cells.loc[cell, 'accuracy'])}"


def _difference(one: Selection) -> str:
    if not one.measures or one.paper == one.best:
        return "–"
    return led(one.difference)


def cells(one: Selection) -> pd.DataFrame:
    """Every cell with its accuracy and its loss over the folds, mean ± standard deviation.

    "–" of cells of which the best is no better than one answer, which measure nothing.

    Columns: Learning rate, Hidden neurons, Accuracy, Its standard error, Loss (nats), Chosen by.
    """
    return pd.DataFrame(
        [
            _cell(one, Cell(*index), row if one.measures or not one.finished else row * math.nan)
            for index, row in one.cells.iterrows()
        ],
    )


def _cell(one: Selection, cell: Cell, row: pd.Series) -> dict[str, str]:
    chosen = [name for name, other in one.choices.items() if other == cell]
    return {
        "Learning rate": cell.rate,
        "Hidden neurons": f"{cell.hidden_neurons:,}",
        "Accuracy": _spread(row["accuracy"], row["accuracy_deviation"], "fraction"),
        "Its standard error": percent(row["accuracy_error"]),
        "Loss (nats)": _spread(row["loss"], row["loss_deviation"], "nats"),
        "Chosen by": ", ".join(chosen),
    }


def _spread(mean: float, deviation: float, unit: str) -> str:
    """Mean and standard deviation; "–" where a fold is missing or a loss was not a number."""
    return "–" if math.isnan(mean) else f"{quantity(mean, unit)} ± {quantity(deviation, unit)}"
