"""Every run of the study, and two runs beside each other -> pandas frames.

Reads what it is given; writes nothing. Frames hold text ready to print.
"""

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from ferutils.claims import metrics, verdicts
from ferutils.dataset.fer2013 import EMOTIONS
from ferutils.records.recipes import Recipe
from ferutils.records.runs import HELD_OUT, Record
from ferutils.records.study import Study, StudyFile
from ferutils.report import tables

AT_MOST = 100  # images that a list of changed verdicts shows
ALONE = ("Only first", "Only second")  # right, where the other run is wrong


class Row(NamedTuple):
    """A run that the study wants, with its record where there is one."""

    part: str
    recipe: Recipe
    record: Record | None  # its own, or that of a run which answers for it


def rows(found: Study) -> list[Row]:
    """Every run that the study wants, once, in the order of wanting."""
    done = {record.recipe: record for group in found.groups for record in group.records}
    wanted: dict[Recipe, Row] = {}
    for group in found.groups:
        for recipe in group.entry.recipes:
            wanted.setdefault(recipe, Row(group.entry.part, recipe, done.get(recipe)))
    return list(wanted.values())


def by_recipe(found: Study) -> list[list[Row]]:
    """Every run that the study wants, with those that differ from it in the seed alone."""
    together: dict[str, list[Row]] = {}
    for one in rows(found):
        together.setdefault(one.recipe.variant, []).append(one)
    return list(together.values())


def every_run(found: Study) -> pd.DataFrame:
    """Every run that the study wants, those that differ in the seed alone in one row.

    Accuracies and minutes are mean and standard deviation over the recorded seeds.

    Columns: Recipe, Part, Seeds, Validation (%), Test (%), Minutes, Repeat it.
    """
    return pd.DataFrame([_recipe_row(same) for same in by_recipe(found)])


def _recipe_row(same: Sequence[Row]) -> dict[str, str]:
    scored = {
        head: tables.spread(values, "{:.1f}".format) if values else "–"
        for head, values in measured(same).items()
    }
    told = {"Recipe": same[0].recipe.variant, "Part": same[0].part, "Seeds": _seeds(same)}
    return told | scored | {"Repeat it": f"`{command(same[0].recipe)}`"}


def _seeds(same: Sequence[Row]) -> str:
    """The seeds of a recipe: the recorded ones with their anchors, then the others."""
    told: dict[str, list[str]] = {"": [], " read from other runs": [], " open": []}
    for _, recipe, record in same:
        if record is None:
            told[" open"].append(f"{recipe.seed}")
        elif record.own:
            told[""].append(f"[{recipe.seed}]{{#{tables.anchor(record)}}}")
        else:
            told[" read from other runs"].append(f"[{recipe.seed}](#{tables.anchor(record)})")
    return "; ".join(f"{', '.join(seeds)}{how}" for how, seeds in told.items() if seeds)


def measured(same: Sequence[Row]) -> dict[str, list[float]]:
    """What the recorded runs of a recipe score and take, by column, where that is a number."""
    records = [one.record for one in same if one.record]
    values = {
        "Validation (%)": [100 * verdicts.score(one, "validation_accuracy") for one in records],
        "Test (%)": [100 * verdicts.score(one, "test_accuracy") for one in records],
        "Minutes": [one.run.cost.wall_seconds / 60 for one in records],
    }
    return {head: [*itertools.filterfalse(math.isnan, some)] for head, some in values.items()}


def command(recipe: Recipe) -> str:
    """The command that repeats a run, which has the seed even where it is the notebook's own."""
    given = "seed" in recipe.differing()
    return recipe.command() + ("" if given else f" -p seed {recipe.seed}")


def minutes(record: Record) -> str:
    """What a run took."""
    return f"{record.run.cost.wall_seconds / 60:.1f}"


def parts(file: StudyFile, found: Study) -> pd.DataFrame:
    """What each part of the study asks, and how many of its runs are answered.

    Columns: Part, What it asks, Answered.
    """
    every = rows(found)
    return pd.DataFrame(
        [
            {
                "Part": part,
                "What it asks": question,
                "Answered": f"{sum(one.part == part and one.record is not None for one in every)}"
                f" of {sum(one.part == part for one in every)}",
            }
            for part, question in file.parts.items()
        ]
    )


def pair(found: Study) -> tuple[Record, Record]:
    """The two runs that stand beside each other at first: of two networks where there are two.

    Both saw the same images. Where there is no other such run, the first stands beside itself.

    Raises:
        ValueError: the study has no record.
    """
    of_networks = [records[0] for records in found.by_model.values() if records]
    first, *others = [*of_networks, *found.records] or [None]
    if first is None:
        raise ValueError(
            "Expected at least one record of the study. Received: none. "
            "Run make study FER2013=PATH."
        )
    found_others = (one for one in others if one is not first and _same_images(first, one))
    return first, next(found_others, first)


def _same_images(first: Record, second: Record) -> bool:
    return all(
        np.array_equal(first.predictions[split].labels, second.predictions[split].labels)
        for split in HELD_OUT
    )


def recipes_beside(first: Record, second: Record) -> pd.DataFrame:
    """The parameters in which two recipes differ.

    Columns: Parameter, and each run by its name.
    """
    one, other = first.recipe.in_words(), second.recipe.in_words()
    differing = [field for field in one if one[field] != other[field]]
    found = [(field, one[field], other[field]) for field in differing]
    return pd.DataFrame(found or [("none", "", "")], columns=["Parameter", *heads(first, second)])


def heads(first: Record, second: Record) -> tuple[str, str]:
    """The columns of two runs."""
    return f"First: {first.recipe.name}", f"Second: {second.recipe.name}"


def scores_beside(first: Record, second: Record) -> pd.DataFrame:
    """Scores of two runs on both held-out splits, with intervals, and what the runs took.

    Columns: Score, each run by its name, and Difference, points.

    Raises:
        ValueError: as `points`.
    """
    found = [
        (f"{measure}, {split}", *texts, points(first, second, split) if at == 0 else "")
        for at, measure in enumerate(scores(first, HELD_OUT[0]))
        for split in HELD_OUT
        for texts in [(scores(first, split)[measure], scores(second, split)[measure])]
    ]
    found.append(("Minutes of training", minutes(first), minutes(second), ""))
    found.append(("Device", *(one.run.environment.device for one in (first, second)), ""))
    columns = ["Score", *heads(first, second), "Difference, points"]
    return pd.DataFrame(found, columns=columns)


def scores(record: Record, split: str) -> dict[str, str]:
    """What a run scores on a held-out split; accuracy with its 95 % interval."""
    found = record.predictions[split]
    return {
        "Accuracy": tables.with_interval(metrics.accuracy(found)),
        "Macro-F1": f"{metrics.macro_f1(found):.3f}",
        "Loss (nats)": f"{metrics.loss(found):.3f}",
    }


def points(first: Record, second: Record, split: str) -> str:
    """The first accuracy minus the second in percentage points, with its 95 % interval.

    Raises:
        ValueError: the runs did not see the same images.
    """
    return tables.led(metrics.difference(first.predictions[split], second.predictions[split]))


def verdicts_beside(first: Record, second: Record) -> pd.DataFrame:
    """How many images of each split both runs, one of them or neither gets right.

    Columns: Split, Both, Only first, Only second, Neither, p.

    Raises:
        ValueError: as `points`.
    """
    rows = [{"Split": split} | _verdicts(first, second, split) for split in HELD_OUT]
    return pd.DataFrame(rows)


def _verdicts(first: Record, second: Record, split: str) -> dict[str, str]:
    one, other = (record.predictions[split] for record in (first, second))
    right, test = one.predicted == one.labels, metrics.mcnemar(one, other)
    both = int(right.sum()) - test.first_alone
    return {
        "Both": f"{both:,}",
        ALONE[0]: f"{test.first_alone:,}",
        ALONE[1]: f"{test.second_alone:,}",
        "Neither": f"{len(right) - both - test.first_alone - test.second_alone:,}",
        "p": p_value(test.p_value),
    }


def p_value(value: float) -> str:
    """A p-value to three digits."""
    return "< 0.001" if value < 0.0005 else f"{value:.3f}"


def emotions_beside(first: Record, second: Record, split: str) -> pd.DataFrame:
    """Of each emotion, how many images one of two runs gets right and the other wrong.

    Columns: Emotion, Images, Only first, Only second.
    """
    labels = first.predictions[split].labels
    right, other = (one.predictions[split].predicted == labels for one in (first, second))
    return pd.DataFrame(
        [
            {
                "Emotion": emotion,
                "Images": f"{int(those.sum()):,}",
                ALONE[0]: f"{int((right & ~other & those).sum()):,}",
                ALONE[1]: f"{int((other & ~right & those).sum()):,}",
            }
            for emotion, those in ((name, labels == at) for at, name in enumerate(EMOTIONS))
        ]
    )


def changed(first: Record, second: Record, split: str) -> pd.DataFrame:
    """The first images of a split that one of two runs gets right and the other wrong.

    Columns: Image, True emotion, First says, Second says.
    """
    labels = first.predictions[split].labels
    one, other = (record.predictions[split].predicted for record in (first, second))
    places = np.flatnonzero((one == labels) != (other == labels))[:AT_MOST]
    found = [
        (str(place), *(EMOTIONS[which[place]] for which in (labels, one, other)))
        for place in places
    ]
    columns = ["Image", "True emotion", "First says", "Second says"]
    return pd.DataFrame(found or [("none", "", "", "")], columns=columns)
