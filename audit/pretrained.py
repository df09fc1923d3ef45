"""What the tables on AlexNet, CapsNet and VGG16 should say, recomputed from book/pretrained."""

import json
from typing import Any

import numpy as np

from audit import probes
from audit.records import SPLITS, Book, Rows, right, spread, wilson

TITLES = {"hed-vgg16": "HED-VGG16", "imagenet-vgg16": "ImageNet VGG16"}
TITLES |= {"random-vgg16": "random VGG16"}
NAMES = [f"{title}, {way}" for title in TITLES.values() for way in ("frozen", "fine-tuned")]
CAPSULES = {"capsnet": "CapsNet", "capsnet-dense": "CapsNet, dense head"}
NEW = {"alexnet": "AlexNet"} | CAPSULES
NAMES += NEW.values()
CHANGES = {"shift": (1, 2, 3), "rotation": (5, 10, 20), "occlusion": (8, 12, 16)}


def measured(book: Book) -> list[dict[str, Any]]:
    folder = book.runs[0].folder.parents[1] / "pretrained"
    return [json.loads(file.read_text()) for file in sorted(folder.glob("*.json"))]


def named(one: dict[str, Any]) -> str:
    network, way = one["recipe"]["network"], one["recipe"]["way"]
    return f"{TITLES[network]}, {way}" if network in TITLES else NEW[network]


def accuracies(book: Book) -> Rows:
    rows: Rows = {(name,): {"Trained": "open", "Runs": "open"} for name in NAMES}
    ours: dict[str, list[dict[str, np.ndarray]]] = {}
    for one in measured(book):
        hits = {
            split: np.array(list(one["answers"][split]), int) == book.linear.answers[split][0]
            for split in SPLITS
        }
        ours.setdefault(named(one), []).append(hits)
        epochs = one["recipe"]["epochs"]
        rows[named(one),] = {"Trained": [epochs] if epochs else "a linear classifier"}
    for name, runs in book.printed.items():
        ours[name] = [{split: right(run.answers[split]) for split in SPLITS} for run in runs]
    for name, runs in ours.items():
        row = rows.setdefault((name,), {})
        row["Runs"] = [len(runs)]
        for split in SPLITS:
            for head, which in ((split, "all"), (f"{split}, new faces", "new")):
                found = [one[split][book.faces(split, which)] for one in runs]
                row[head] = (
                    wilson(int(found[0].sum()), len(found[0]))
                    if len(found) == 1
                    else spread(100 * one.mean() for one in found)
                )
    return rows


def choices(book: Book) -> Rows:
    return {
        (named(one), str(one["recipe"]["seed"])): {
            "Block": [one["head"]["block"]],
            "Features": [one["head"]["features"]],
            "C": [one["head"]["strength"]],
            "PublicTest": [100 * max(one["head"]["tried"].values())],
            "Minutes": [one["cost"]["wall_seconds"] / 60],
        }
        for one in measured(book)
        if one["head"]
    }


def costs(book: Book) -> Rows:
    steady = {
        name: [one["steadiness"] for one in measured(book) if named(one) == name]
        for name in CAPSULES.values()
    }
    rows: Rows = {
        (kind, str(one)): dict.fromkeys(steady, "open")
        for kind, strengths in CHANGES.items()
        for one in strengths
    }
    for key, found in probes.costs({name: some for name, some in steady.items() if some}).items():
        rows[key] |= found
    return rows
