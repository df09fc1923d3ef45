"""What the tables on networks for a phone should say, from book/small and two JSON beside it."""

import json
from typing import Any

import numpy as np

from audit.records import EMOTIONS, SPLITS, Book, Rows, spread, wilson


def measured(book: Book) -> dict[str, list[dict[str, Any]]]:
    """The files of each network by form, a network's seeds together."""
    found: dict[str, list[dict[str, Any]]] = {}
    for file in sorted(book.runs[0].folder.parents[1].glob("small/*.json")):
        told = json.loads(file.read_text())
        recipe = told.get("recipe", {})
        name = recipe.get("network") or told["run"].rpartition("-")[0]
        taught = ", taught" if recipe.get("teachers") else ""
        found.setdefault(name + taught, []).append(told["files"])
    return found


def digits(files: dict[str, Any], form: str, split: str) -> np.ndarray:
    return np.array(list(files["forms"][form]["answers"][split]), int)


def answers(book: Book) -> Rows:
    rows: Rows = {}
    for name, some in measured(book).items():
        for form in some[0]["forms"]:
            row: dict[str, Any] = {"Runs": [len(some)]}
            for split in SPLITS:
                labels = book.linear.answers[split][0]
                for head, which in ((split, "all"), (f"{split}, new faces", "new")):
                    keep = book.faces(split, which)
                    right = [(digits(one, form, split) == labels)[keep] for one in some]
                    row[head] = (
                        wilson(int(right[0].sum()), len(right[0]))
                        if len(some) == 1
                        else spread(100 * one.mean() for one in right)
                    )
            same = [
                (digits(one, form, split) == digits(one, "float32", split)).mean()
                for one in some
                for split in SPLITS
            ]
            row["As float32"] = [] if form == "float32" else [100 * np.mean(same)]
            rows[name, form] = row
    return rows


def costs(book: Book) -> Rows:
    rows: Rows = {}
    for name, some in measured(book).items():
        for form in some[0]["forms"]:
            files = [one["forms"][form] for one in some]
            rows[name, form] = {
                "Parameters": [some[0]["parameters"]],
                "Bytes": [np.mean([one["bytes"] for one in files])],
                "Milliseconds a face": [np.mean([one["milliseconds"] for one in files])],
                "Memory": [np.mean([one["memory_bytes"] for one in files]) / 1e6],
            }
    return rows


def face_errors(book: Book) -> Rows:
    file = book.runs[0].folder.parents[1] / "face.json"
    if not file.exists():
        return {}
    split, rows = SPLITS[1], {}
    new, labels = book.faces(split, "new"), book.linear.answers[split][0]
    said = np.array(list(json.loads(file.read_text())["answers"][split]), int)
    for number, emotion in enumerate(EMOTIONS):
        true, called = labels == number, said == number
        missed, false = (new & one for one in (true & ~called, called & ~true))
        count, calls = (int((new & one).sum()) for one in (true, called))
        most = max(int((missed & (said == one)).sum()) for one in range(len(EMOTIONS)))
        rows[emotion,] = {
            "Images": [count],
            "Missed": wilson(int(missed.sum()), count),
            "Mostly taken for": [100 * most / count],
            "Wrong when it says so": wilson(int(false.sum()), calls) if calls else [],
        }
    return rows


def peers(book: Book) -> Rows:
    told = json.loads((book.runs[0].folder.parents[1] / "peers.json").read_text())
    rows: Rows = {}
    for name, one in told["forms"].items():
        rows[name,] = row = {
            "Bytes": [one["bytes"]],
            "Milliseconds a face": [one["milliseconds"]],
        }
        for split in SPLITS:
            hits = digits(told, name, split) == book.linear.answers[split][0]
            for head, which in ((split, "all"), (f"{split}, new faces", "new")):
                some = hits[book.faces(split, which)]
                row[head] = wilson(int(some.sum()), len(some))
    return rows
