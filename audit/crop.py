"""What the tables on faces found should say, recomputed from book/crop.json."""

import json
from typing import Any

import numpy as np

from audit.records import EMOTIONS, SPLITS, Book, Rows, wilson


def told(book: Book) -> dict[str, Any]:
    return json.loads((book.runs[0].folder.parents[1] / "crop.json").read_text())


def labels(found: dict[str, Any], split: str) -> np.ndarray:
    return np.repeat(range(7), found["counts"][split])


def emotions(book: Book) -> Rows:
    found = told(book)
    truth = np.concatenate([labels(found, split) for split in SPLITS])
    sides = np.array(
        [one[2] if one else np.nan for split in SPLITS for one in found["held_out"][split]]
    )
    rows: Rows = {}
    for at, name in enumerate((*EMOTIONS, "all")):
        mine = sides[truth == at] if name != "all" else sides
        seen = np.sort(48 / mine[~np.isnan(mine)])
        low, middle, high = np.percentile(seen, (25, 50, 75))
        rows[name,] = {
            "Images": [len(mine)],
            "Found": wilson(len(seen), len(mine)),
            "Margin": [middle],
            "Middle half of margins": [low, high],
        }
    return rows


def sizes(book: Book) -> Rows:
    rows: Rows = {}
    for one in told(book)["sizes"]:
        rows[f"{100 * one['share']:.0f} %",] = row = {"Pictures": [one["images"]]}
        for at, way in enumerate(("one look", "tiles too")):
            row[f"Found, {way}"] = [100 * one["found"][at] / one["images"]]
            row[f"Wrong boxes, {way}"] = [one["wrong"][at]]
        row["Margin"] = [one["margin"]] if one["found"][1] else []
    return rows


def accuracies(book: Book) -> Rows:
    found, rows = told(book), {}
    for run in found["runs"]:
        answers = {"as published": run["unchanged"]}
        answers |= {f"{float(margin):g}": some for margin, some in run["cropped"].items()}
        for margin, digits in answers.items():
            rows[run["run"], margin] = {}
            for split in SPLITS:
                pairs = zip(found["held_out"][split], digits[split], labels(found, split))
                right = [digit == str(label) for place, digit, label in pairs if place]
                rows[run["run"], margin][split] = wilson(sum(right), len(right))
    return rows
