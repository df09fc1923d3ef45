"""Other readings of the paper beside its printed networks -> pandas frames.

Reads what it is given; writes nothing. Frames hold text ready to print.
"""

import math
from collections.abc import Callable, Mapping, Sequence

import pandas as pd

from ferutils.claims import metrics
from ferutils.claims.paper import Paper
from ferutils.claims.verdicts import score
from ferutils.records import study
from ferutils.records.recipes import told
from ferutils.records.runs import HELD_OUT, Predictions, Record
from ferutils.records.study import Group, Study
from ferutils.report.tables import percent, spread

PRINTED, TEXT = "as printed", "as in the text"
FINAL = ("training_accuracy", "validation_accuracy", "training_loss", "validation_loss")
# Parts of the study that try another reading of Table 3; "kept epoch" has a table of its own.
READINGS = ("text", "augmented", "order", "batch size", "dropout", "longer")
TRIED = (*READINGS, "precision")  # which is ours, and no reading of the paper


def readings(paper: Paper, found: Study, *parts: str) -> pd.DataFrame:
    """Table 3 beside the printed networks and all that was trained of other parts of the study.

    Runs smaller than the paper's are left out, since they say nothing of it.

    Columns: network; recipe; measure; printed, the paper's figure as text; claimed, the same as a
    number (nats, or a share); seeds and measured, lists with a value per run.
    """
    rows = []
    for claim in paper.table_3():
        model, measure = claim.quantity.split(".")
        recipes = {PRINTED: found.by_model[model]}
        recipes |= {_named(group): group.records for group in _groups(found, model, parts)}
        for name, records in recipes.items():
            if whole := [one for one in records if not one.recipe.reduced]:
                runs = [one.recipe.seed for one in whole], [score(one, measure) for one in whole]
                rows.append((model, name, measure, claim.printed, claim.value, *runs))
    heads = ["network", "recipe", "measure", "printed", "claimed", "seeds", "measured"]
    return pd.DataFrame(rows, columns=heads)


def _groups(found: Study, model: str, parts: Sequence[str]) -> list[Group]:
    every = [group for part in parts for group in found.part(part)]
    return [group for group in every if group.recipe.printed_model == model]


def _named(group: Group) -> str:
    """In what the recipe of a group differs from that of the paper as printed, in words."""
    differing = {name: value for name, value in group.recipe.differing().items() if name != "seed"}
    if "model" in differing:
        return TEXT
    return ", ".join(told(differing))


def final_figures(tried: pd.DataFrame) -> pd.DataFrame:
    """`readings` as text: the paper's figures, then mean ± deviation of the runs of each recipe.

    Columns: Network, Recipe, Training accuracy, Validation accuracy, Training loss, Validation
    loss, Runs.
    """
    rows = []
    for network, some in tried.groupby("network", sort=False):
        claims = some.drop_duplicates("measure").set_index("measure")["printed"]
        rows.append({"Network": network, "Recipe": "Table 3"} | _row(claims) | {"Runs": "–"})
        for recipe, ours in some.groupby("recipe", sort=False):
            values = ours.set_index("measure")["measured"]
            texts = {one: spread(values[one], _text(one)) for one in FINAL}
            rows.append({"Network": network, "Recipe": recipe} | _row(texts))
            rows[-1]["Runs"] = str(len(values.iloc[0]))
    return pd.DataFrame(rows)


def _row(figures: Mapping[str, str]) -> dict[str, str]:
    return {one.replace("_", " ").capitalize(): figures[one] for one in FINAL}


def _text(measure: str) -> Callable[[float], str]:
    return percent if measure.endswith("accuracy") else "{:.3f}".format


def nearest(tried: pd.DataFrame) -> dict[str, dict[str, int]]:
    """By network, how many figures of Table 3 each recipe's mean is the nearest to."""
    means = tried["measured"].map(lambda some: math.fsum(some) / len(some))
    away = tried.assign(away=(means - tried["claimed"]).abs())
    closest = away.loc[away.groupby(["network", "measure"], sort=False)["away"].idxmin()]
    return {
        network: some["recipe"].value_counts().to_dict()
        for network, some in closest.groupby("network", sort=False)
    }


def untrained(found: Study, *parts: str) -> dict[str, dict[str, list[str]]]:
    """By part of the study, in its words, the recipes without any run, each with its networks.

    Raises:
        ValueError: as `study.load`.
    """
    asked: dict[str, dict[str, list[str]]] = {}
    for part, question in study.load().parts.items():
        for one in found.part(part) if part in parts else ():
            if not one.records:
                asked.setdefault(question, {}).setdefault(_named(one), []).append(one.recipe.model)
    return asked


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
            whole = [one for one in records if not one.recipe.reduced]
            kept = {"last": whole, "best": best}
            rows += [_followed(model, split, *one) for one in kept.items() if one[1]]
    return pd.DataFrame(rows)


def _followed(model: str, split: str, kept: str, records: Sequence[Record]) -> dict[str, str]:
    other = {"PublicTest": "PrivateTest", "PrivateTest": "PublicTest", "both": None}[split]
    shown = {"Network": model, "Called validation": split, "Epoch kept": kept}
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
