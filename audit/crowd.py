"""What the table on the crowd's votes should say, from book/crowd.json and the records of runs."""

import json
from itertools import product

from audit.records import SPLITS, Book, Rows, right

HEADS = {
    "first": "First choice", "second": "Second choice", "other": "Another with votes",
    "unchosen": "Without a vote", "no_emotion": "No emotion first",
}  # fmt: skip


def mistakes(book: Book) -> Rows:
    file = book.runs[0].folder.parents[1] / "crowd.json"
    told = json.loads(file.read_text())["mistakes"] if file.exists() else {}
    rows: Rows = {}
    for name, every in book.printed.items():
        runs = [run for run in every if run.id in told]
        if not runs:
            continue
        hits = [right(run.answers[split]) for run, split in product(runs, SPLITS)]
        wrong, images = (sum(map(f, hits)) for f in (lambda one: (~one).sum(), len))
        rows[name,] = {"Runs": [len(runs)], "Wrong": [100 * wrong / images]}
        for key, head in HEADS.items():
            some = sum(told[run.id][split][key] for run, split in product(runs, SPLITS))
            rows[name,][head] = [100 * some / wrong]
    return rows
