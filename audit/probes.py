"""What the tables on probed networks should say, recomputed from book/probes and the records."""

import json
from typing import Any

import numpy as np

from audit.records import EMOTIONS, SPLITS, Book, Rows, spread

# Rows and columns of pixels of the parts of a face.
PARTS = {"brows": (9, 15, 8, 40), "eyes": (15, 22, 8, 40)}
PARTS |= {"nose": (22, 34, 17, 31), "mouth": (34, 44, 12, 36)}
MIXED = {"mixed_bfloat16": ", mixed precision", "float32": ""}


def probed(book: Book) -> dict[str, list[dict[str, Any]]]:
    """By network, what was measured of each run of the study, in its order."""
    found: dict[str, list[dict[str, Any]]] = {}
    for run in {run.id: run for _, some in book.entries for run in some}.values():
        file = run.folder.parents[1] / "probes" / f"{run.id}.json"
        if file.exists():
            name = run.recipe["model"] + MIXED[run.recipe["precision"]]
            found.setdefault(name, []).append(json.loads(file.read_text()))
    return found


def changes(book: Book) -> Rows:
    return costs(probed(book))


def costs(probed: dict[str, list[dict[str, Any]]]) -> Rows:
    rows: Rows = {}
    for name, some in probed.items():
        for at, change in enumerate(some[0]["changed"]):
            seen = [one["changed"][at]["splits"] for one in some]
            lost = [
                np.mean([
                    one["unchanged"][split]["new_right"] / one["unchanged"][split]["new"]
                    - now[split]["new_right"] / now[split]["new"]
                    for one, now in zip(some, seen)
                ])
                for split in SPLITS
            ]  # fmt: skip
            turned = [sum(now[s]["changed"] for s in SPLITS) for now in seen]
            images = sum(seen[0][split]["images"] for split in SPLITS)
            key = (change["kind"], f"{change['strength']:g}")
            shares = [*lost, np.mean(turned) / images]
            rows.setdefault(key, {})[name] = [100 * share for share in shares]
    return rows


def unsteadiness(one: dict[str, Any]) -> float:
    """In percent: the first, weakest change of each kind."""
    first = {change["kind"]: change for change in reversed(one["changed"])}.values()
    shares = [
        sum(change["splits"][s]["changed"] for s in SPLITS)
        / sum(change["splits"][s]["images"] for s in SPLITS)
        for change in first
    ]
    return 100 * float(np.mean(shares))


def sizes(book: Book) -> Rows:
    return {
        (name,): {
            "Runs": [len(some)],
            "Weights in kernels": [sum(layer["values"] for layer in some[0]["weights"])],
            "Norm before training": spread(norm(one, "start") for one in some),
            "Norm after": spread(norm(one, "end") for one in some),
            "Largest weight": spread(max(w["largest"] for w in one["weights"]) for one in some),
            "Answers changed by the weakest changes": spread(map(unsteadiness, some)),
        }
        for name, some in probed(book).items()
    }


def norm(one: dict[str, Any], at: str) -> float:
    return sum(layer[at] ** 2 for layer in one["weights"]) ** 0.5


def parts(book: Book) -> Rows:
    return {
        (name, emotion): {
            part: [np.mean([times(one, emotion)[part] for one in some])]
            for part in (*PARTS, "elsewhere")
        }
        for name, some in probed(book).items()
        for emotion in EMOTIONS
    }


def times(one: dict[str, Any], emotion: str) -> dict[str, float]:
    drops, places = (dict.fromkeys((*PARTS, "elsewhere"), 0) for _ in range(2))
    for row, line in enumerate(one["attention"][emotion]["occlusion"]):
        for column, drop in enumerate(line):
            y, x = (at * one["step"] + one["square"] / 2 for at in (row, column))
            inside = [p for p, (t, b, le, r) in PARTS.items() if t <= y < b and le <= x < r]
            part = inside[0] if inside else "elsewhere"
            drops[part] += max(drop, 0)
            places[part] += 1
    whole, every = sum(drops.values()), sum(places.values())
    return {part: drops[part] / whole * every / places[part] for part in drops}


def mistakes(book: Book) -> Rows:
    rows = {}
    for name, runs in book.printed.items():
        answers = [run.answers[split] for run in runs for split in SPLITS]
        labels = np.concatenate([labels for labels, _ in answers])
        logs = np.concatenate([logs for _, logs in answers])
        pairs, wrong = 7 * labels + logs.argmax(axis=1), labels != logs.argmax(axis=1)
        sure = wrong & (logs.max(axis=1) >= np.log(0.9))
        usual = np.bincount(pairs[wrong], minlength=49) / np.bincount(labels)[np.arange(49) // 7]
        rows[name,] = {
            "Runs": [len(runs)],
            "Mistakes with 90 % confidence or more": [100 * sure.sum() / wrong.sum()],
            "Most confused, share of the emotion": worst(usual),
            "Most confused with confidence, share of such mistakes": worst(
                np.bincount(pairs[sure], minlength=49) / sure.sum()
            ),
        }
    return rows


def worst(shares: np.ndarray) -> list[float]:
    return [100 * share for share in sorted(shares, reverse=True)[:3]]
