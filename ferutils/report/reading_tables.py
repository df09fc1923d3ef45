"""Other readings of the paper beside its printed networks -> pandas frames.

Reads what it is given; writes nothing. Frames hold text ready to print.
"""

import math
from collections.abc import Sequence

import pandas as pd

from ferutils.claims import metrics
from ferutils.claims.paper import NumberClaim, Paper
from ferutils.claims.verdicts import score
from ferutils.records.recipes import PAPER
from ferutils.records.runs import HELD_OUT, Predictions, Record
from ferutils.records.study import Group, Study
from ferutils.report.tables import percent, quantity, spread

PRINTED, OTHER = "as printed", "as in the text"
FINAL = ("training_loss", "validation_loss", "training_accuracy", "validation_accuracy")


def nearer(paper: Paper, found: Study, part: str, other: str = OTHER) -> pd.DataFrame:
    """The figures of Table 3 beside the printed networks and those of another part of the study.

    The nearer of the two is the one whose mean over runs lies closer to the printed figure. Runs
    smaller than the paper's are left out, since their distance says nothing of the paper.

    Columns: Network, Figure, Paper, As printed, the other reading, Nearer.

    Args:
        paper: the claims.
        found: the study.
        part: the part of the study that holds the other reading.
        other: its name in the head and in the column "Nearer".
    """
    rows = []
    for claim in paper.table_3():
        model, measure = claim.quantity.split(".")
        groups = [group for group in found.part(part) if group.recipe.printed_model == model]
        runs = {PRINTED: _whole(found.by_model[model]), other: _whole(_all(groups))}
        values = {name: [score(one, measure) for one in some] for name, some in runs.items()}
        rows.append(
            {"Network": model, "Figure": measure.replace("_", " "), "Paper": claim.printed}
            | {name.capitalize(): _measured(some, claim) for name, some in values.items()}
            | {"Nearer": _nearer(claim, values)}
        )
    return pd.DataFrame(rows)


def _all(groups: Sequence[Group]) -> list[Record]:
    return [record for group in groups for record in group.records]


def _whole(records: Sequence[Record]) -> list[Record]:
    return [record for record in records if not record.recipe.reduced]


def _measured(values: Sequence[float], claim: NumberClaim) -> str:
    if not values:
        return "not tested"
    text = spread(values, lambda value: quantity(value, claim.unit))
    return f"{text} ({_runs(len(values))})"


def _runs(count: int) -> str:
    return f"{count} run{'' if count == 1 else 's'}"


def _nearer(claim: NumberClaim, values: dict[str, list[float]]) -> str:
    """The reading whose mean lies closer to the claim, "–" where one of them has no run."""
    if not all(values.values()):
        return "–"
    distances = {
        name: abs(math.fsum(some) / len(some) - claim.value) for name, some in values.items()
    }
    if len(set(distances.values())) == 1:
        return "equally near"
    return min(distances, key=distances.get)


def variants(found: Study, part: str) -> pd.DataFrame:
    """The final figures of the runs of a part of the study, below those of the printed networks.

    Columns: Network, Recipe, Training loss, Validation loss, Training accuracy, Validation
    accuracy, Test accuracy, Runs.
    """
    rows = []
    for model in PAPER:
        groups = [group for group in found.part(part) if group.recipe.printed_model == model]
        if groups:
            rows.append(_variant(model, "as printed", found.by_model[model]))
            rows += [_variant(model, _options(group), group.records) for group in groups]
    return pd.DataFrame(rows)


def _options(group: Group) -> str:
    """In what the recipe of a group differs from that of the paper as printed, in words."""
    differing = {name: value for name, value in group.recipe.differing().items() if name != "seed"}
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in differing.items())


def _variant(model: str, name: str, records: Sequence[Record]) -> dict[str, str]:
    reduced = " (reduced)" if any(record.recipe.reduced for record in records) else ""
    row = {"Network": model + reduced, "Recipe": name}
    for measure in (*FINAL, "test_accuracy"):
        text = percent if measure.endswith("accuracy") else lambda value: f"{value:.3f}"
        values = [score(record, measure) for record in records]
        row[measure.replace("_", " ").capitalize()] = spread(values, text) if values else "open"
    return row | {"Runs": str(len(records))}


def called_validation(found: Study) -> pd.DataFrame:
    """Accuracy by epoch kept and by the split that is called validation.

    The weights of the last epoch do not depend on the split, so that one run gives all three of
    its accuracies; the best epoch is another one for each split.

    Columns: Network, Called validation, Epoch kept, Its accuracy, On the other split, Runs.
    """
    rows = []
    for model in dict.fromkeys(group.recipe.model for group in found.part("kept epoch")):
        records = found.by_model[model]
        groups = [group for group in found.part("kept epoch") if group.recipe.model == model]
        for split in (*HELD_OUT, "both"):
            best = [
                record
                for group in groups
                for record in group.records
                if record.recipe.validation_split == split
            ]
            rows += [
                _followed(model, split, "last", _whole(records)),
                _followed(model, split, "best", best),
            ]
    return pd.DataFrame(rows)


def _followed(model: str, split: str, kept: str, records: Sequence[Record]) -> dict[str, str]:
    other = {"PublicTest": "PrivateTest", "PrivateTest": "PublicTest", "both": None}[split]
    shown = {"Network": model, "Called validation": split, "Epoch kept": kept}
    if not records:
        return shown | dict.fromkeys(("Its accuracy", "On the other split"), "open") | {"Runs": "0"}
    return shown | {
        "Its accuracy": _accuracy(records, split),
        "On the other split": _accuracy(records, other) if other else "–",
        "Runs": str(len(records)),
    }


def _accuracy(records: Sequence[Record], split: str) -> str:
    splits = HELD_OUT if split == "both" else (split,)
    return spread([_merged(record, splits) for record in records], percent)


def _merged(record: Record, splits: Sequence[str]) -> float:
    """Accuracy on all images of some splits."""
    found: list[Predictions] = [record.predictions[split] for split in splits]
    right = sum(metrics.accuracy(one).value * len(one.labels) for one in found)
    return right / sum(len(one.labels) for one in found)
