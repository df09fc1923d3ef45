"""Records -> the data that a page embeds for the scripts in book/_static/interactive.

Reads what it is given; writes nothing. What is interactive takes the place of a static figure or
table, which stays where there is no JavaScript.
"""

import hashlib
import json
import math
import string
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from IPython.display import display
from scipy import stats

from ferutils.claims import metrics, verdicts
from ferutils.claims.paper import Paper, predicted
from ferutils.claims.verdicts import Finding
from ferutils.dataset.fer2013 import EMOTIONS
from ferutils.records import provenance
from ferutils.records.examination import Examination
from ferutils.records.face import SQUARE, STEP, Face
from ferutils.records.recipes import PAPER, Recipe
from ferutils.records.runs import HELD_OUT, Record
from ferutils.records.small import Trained
from ferutils.records.study import Group, Study
from ferutils.report import claim_list, face_tables, run_tables, tables
from ferutils.report.run_tables import Row

CURVES = ("training_accuracy", "validation_accuracy", "training_loss", "validation_loss")
NEEDS_SCRIPTS = (
    "<p>To try it, open this page in a browser with JavaScript switched on. It works from disk, "
    "too, and needs no network.</p>"
)
STEP_OF_SHARES = 5  # points between two states
# Two labels of three bits each make one character, as in base64.
CHARACTERS = string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/"


def curves(
    figure: str, records: Sequence[Record], claims: Mapping[str, float] | None = None
) -> None:
    """Show learning curves whose runs can be hidden and whose values can be read off.

    They take the place of a static figure. Call it in a cell that is no figure's, because
    Jupyter Book makes a figure of every output of such a cell.

    Args:
        figure: the name of the static figure on the same page.
        records: runs of one recipe.
        claims: the paper's final figures by history column.
    """
    _show("curves", curves_data(figure, records, claims))


def curves_data(
    figure: str, records: Sequence[Record], claims: Mapping[str, float] | None = None
) -> dict[str, Any]:
    """What `curves` embeds: names and histories of the runs, and the paper's final figures."""
    return {
        "figure": figure,
        "runs": [
            {"name": f"seed {one.recipe.seed}", "history": history(one.history)} for one in records
        ],
        "claims": dict(claims or {}),
    }


def history(frame: pd.DataFrame) -> dict[str, list[float | None]]:
    """The curves of a run by column, to four digits; None where a loss is no number."""
    return {name: [_number(value) for value in frame[name]] for name in CURVES}


def _number(value: float, digits: int = 4) -> float | None:
    return round(float(value), digits) if math.isfinite(value) else None


def confusion(figure: str, records: Sequence[Record], shown: Record | None = None) -> None:
    """Show a confusion matrix that switches between runs, splits, counts and shares.

    It takes the place of a static figure; call it as `curves`.

    Args:
        figure: the name of the static figure on the same page.
        records: of one network or of several.
        shown: the one to show first; the first of all without it.
    """
    _show("confusion", confusion_data(figure, records, shown))


def confusion_data(
    figure: str, records: Sequence[Record], shown: Record | None = None
) -> dict[str, Any]:
    """What `confusion` embeds: the counts of each run and split, row by row."""
    names = [record.run.id for record in records]
    return {
        "figure": figure,
        "emotions": EMOTIONS,
        "splits": HELD_OUT,
        "shown": names.index(shown.run.id) if shown else 0,
        "runs": [
            {
                "name": record.recipe.name,
                "counts": {
                    split: metrics.confusion(found).to_numpy().tolist()
                    for split, found in record.predictions.items()
                },
            }
            for record in records
        ],
    }


def all_runs(found: Study) -> None:
    """Make the table of all runs one that can be sorted and filtered, with each run's particulars.

    Call it in the cell of `run_tables.every_run`, before it.
    """
    _show("runs", all_runs_data(found))


def all_runs_data(found: Study) -> dict[str, Any]:
    """What `all_runs` embeds: numbers to sort by, and words to show, row by row of the table."""
    return {"recipes": [_same_recipe(same) for same in run_tables.by_recipe(found)]}


def _same_recipe(same: Sequence[Row]) -> dict[str, Any]:
    recipe, measured = same[0].recipe, run_tables.measured(same)
    return {
        "name": recipe.variant,
        "network": recipe.model,
        "part": same[0].part,
        "means": {
            head: round(math.fsum(values) / len(values), 4) if values else None
            for head, values in measured.items()
        },
        "parameters": _parameters(recipe),
        "runs": [_run(one.record) for one in same if one.record],
        "command": run_tables.command(recipe),
    }


def _parameters(recipe: Recipe) -> list[list[str]]:
    """The parameters but the seed; those that the notebook would not give come first."""
    special = {name.replace("_", " ") for name in recipe.differing()} | {"model"}
    every = [[name, text] for name, text in recipe.in_words().items() if name != "seed"]
    return sorted(every, key=lambda setting: setting[0] not in special)


def _run(record: Record) -> dict[str, Any]:
    """Scores, cost and origin of a run in words."""
    run = record.run
    scores = {
        f"{measure.replace('Accuracy', 'Accuracy (%)')}, {split}": text.replace("\u00a0%", "")
        for split in HELD_OUT
        for measure, text in run_tables.scores(record, split).items()
    }
    return {
        "id": run.id,
        "seed": record.recipe.seed,
        "name": record.recipe.name,
        "scores": {
            "Run": run.id if record.own else f"read from {run.id}",
            **scores,
            "Minutes": run_tables.minutes(record),
        },
        "origin": {
            "Images per second": f"{run.cost.images_per_second:,.0f}",
            "Memory, at most (GiB)": f"{run.cost.peak_memory_bytes / 2**30:.1f}",
            "Device": run.environment.device,
            "Keras backend": run.environment.backend,
            "Begun": f"{run.started:%Y-%m-%d}",
            "Commit": (run.code.commit or "unknown")[:10],
            "Code": "as in this report" if provenance.is_current(run) else "older than this report",
            "Dataset": tables.dataset_note(record).replace("*", "").replace("`", ""),
        },
    }


def claims(paper: Paper) -> None:
    """Let the reader filter and order the claims of a page.

    Call it before the lists of `claim_list`.
    """
    _show("claims", claims_data(paper))


def claims_data(paper: Paper) -> dict[str, Any]:
    """What `claims` embeds: verdicts with their signs, networks, and places of the paper."""
    return {
        "verdicts": [*tables.SIGNS.values(), claim_list.NOT_TESTABLE],
        "networks": list(PAPER),
        "places": claim_list.places(paper),
    }


def by_share(figure: str, table: pd.DataFrame, split: str) -> None:
    """Let the reader take known photographs out of a held-out split, and see who leads.

    It stands under a static figure; call it as `curves`.

    Args:
        figure: the name of the static figure on the same page.
        table: as `comparison_tables.by_familiarity` gives it.
        split: the held-out split.
    """
    _show("slider", by_share_data(figure, table, split))


def by_share_data(figure: str, table: pd.DataFrame, split: str) -> dict[str, Any]:
    """What `by_share` embeds: the networks by their rank, for each share of known photographs."""
    of_paper = table["network"].str.split().str[0].isin(PAPER)
    some = table[(table["split"] == split) & of_paper]
    means = some.groupby(["network", "faces"])["accuracy_share"].mean().unstack()
    scale = _scale(means.min(axis=None), means.max(axis=None))
    states = []
    for known in range(0, 101, STEP_OF_SHARES):
        mixed = means["new"] + (means["known"] - means["new"]) * known / 100
        ranked = mixed.sort_values(ascending=False)
        (first, second), ahead = ranked.index[:2], 100 * (ranked.iloc[0] - ranked.iloc[1])
        rows = [
            {"name": name, "value": scale(value), "text": tables.percent(value)}
            for name, value in ranked.items()
        ]
        outcome = f"{first} is ahead of {second} by {ahead:.1f}\u00a0points".capitalize()
        states.append({"name": tables.percent(known / 100, 0), "rows": rows, "outcome": outcome})
    label = f"Share of photographs known from Training, {split}"
    return {"figure": figure, "label": label, "start": 0, "states": states}


def by_seeds(figure: str, paper: Paper, found: Study) -> None:
    """Let the reader add seeds one by one, and see intervals shrink and verdicts settle.

    It stands under a static figure; call it as `curves`.

    Raises:
        ValueError: as `verdicts.find`.
    """
    _show("slider", by_seeds_data(figure, paper, found))


def by_seeds_data(figure: str, paper: Paper, found: Study) -> dict[str, Any]:
    """What `by_seeds` embeds: the accuracies of Table 3 as so many seeds judge them.

    Raises:
        ValueError: as `verdicts.find`.
    """
    most = max(map(len, found.by_model.values()))
    some = [Study(tuple(_first(seeds, *found.groups))) for seeds in range(1, most + 1)]
    claims = [one for one in paper.table_3() if one.quantity.endswith("accuracy")]
    judged = [[verdicts.find(paper, study, claim) for claim in claims] for study in some]
    scale = _scale(*_ends([one for every in judged for one in every]))
    states = []
    for seeds, every in enumerate(judged, 1):
        counts = Counter(str(one.verdict) for one in every)
        outcome = ", ".join(f"{count} {verdict}" for verdict, count in counts.items()).capitalize()
        states.append(
            {
                "name": _seeds(seeds),
                "rows": [_judged(one, scale, seeds) for one in every],
                "outcome": outcome,
            }
        )
    return {"figure": figure, "label": "Seeds of each network", "start": 0, "states": states}


def _seeds(count: int) -> str:
    return f"{count} seed{'s' * (count != 1)}"


def _first(seeds: int, *groups: Group) -> Iterator[Group]:
    for one in groups:
        yield one._replace(records=one.records[:seeds])


def _ends(found: Sequence[Finding]) -> tuple[float, float]:
    """The least and the greatest value that a row may have to show."""
    shown = [end for one in found if one.measured for end in predicted(one.measured)]
    claimed = [one.claim.value for one in found]
    return max(0.0, min(shown + claimed)), min(1.0, max(shown + claimed))


def _scale(low: float, high: float) -> Callable[[float], float]:
    """What gives the place of a value between two others, in % of the way."""
    return lambda value: round(100 * min(1.0, max(0.0, float(value - low) / (high - low))), 1)


def _judged(found: Finding, scale: Callable[[float], float], seeds: int) -> dict[str, Any]:
    """A row of `by_seeds_data`."""
    model, measure = found.claim.quantity.split(".")
    has = len(found.measured)
    row = {
        "name": f"{model}, {measure.split('_')[0]}" + (f" ({_seeds(has)})" if has < seeds else ""),
        "claim": scale(found.claim.value),
        "text": tables.SIGNS[found.verdict],
    }
    if found.measured:
        low, high = map(scale, predicted(found.measured))
        row |= {"value": scale(math.fsum(found.measured) / has)}
        row |= {"low": low, "high": high}
    return row


def two_runs(found: Study) -> None:
    """Let the reader choose the two runs of a page that sets two beside each other.

    Call it before the static figures and tables of `run_tables.pair`.

    Raises:
        ValueError: as `run_tables.pair`.
    """
    _show("two-runs", two_runs_data(found))


def two_runs_data(found: Study) -> dict[str, Any]:
    """What `two_runs` embeds: recipe, curves, scores and answers of every recorded run.

    Labels stand once for all runs that were evaluated on the same images.

    Raises:
        ValueError: as `run_tables.pair`.
    """
    images: dict[str, dict[str, Any]] = {}
    runs = [_answers(row.part, row.record, images) for row in run_tables.rows(found) if row.record]
    first, second = run_tables.pair(found)
    return {
        "emotions": EMOTIONS,
        "splits": HELD_OUT,
        "most": run_tables.AT_MOST,
        "shown": [first.run.id, second.run.id],
        "images": images,
        "runs": runs,
    }


def _answers(part: str, record: Record, images: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """A run for `two_runs_data`; `images` takes in the labels that it was the first to see."""
    splits = {}
    for split, found in record.predictions.items():
        seen = hashlib.sha256(found.labels.tobytes()).hexdigest()[:12]
        images.setdefault(seen, _images(found.labels))
        splits[split] = {
            "images": seen,
            "answers": pack(found.predicted),
            "scores": run_tables.scores(record, split),
        }
    return {
        "id": record.run.id,
        "name": record.recipe.name,
        "part": part,
        "recipe": record.recipe.in_words(),
        "history": history(record.history),
        "minutes": run_tables.minutes(record),
        "device": record.run.environment.device,
        "splits": splits,
    }


def _images(labels: np.ndarray) -> dict[str, Any]:
    """Labels, and the quantile by which the interval of a paired difference is as wide as it is."""
    quantile = stats.t.ppf((1 + metrics.CONFIDENCE) / 2, len(labels) - 1)
    return {"count": len(labels), "labels": pack(labels), "quantile": float(quantile)}


def pack(labels: np.ndarray) -> str:
    """Labels 0..7 as text, two in a character; an odd last one is followed by a 0."""
    even = np.pad(np.asarray(labels, np.uint8), (0, len(labels) % 2)).reshape(-1, 2)
    return "".join(CHARACTERS[8 * left + right] for left, right in even)


def face(found: Face, trained: Trained, examined: Examination) -> None:
    """Let the reader try a network on a picture of their own."""
    _show("face", face_data(found, trained, examined), NEEDS_SCRIPTS)


def face_data(found: Face, trained: Trained, examined: Examination) -> dict[str, Any]:
    """What `face` embeds: the network, and how often each of its answers is wrong."""
    shares = [1 - one.value for one in face_tables.precision(found, trained, examined)]
    return {
        "emotions": EMOTIONS,
        "network": found.network.model_dump(),
        "covering": {"square": SQUARE, "step": STEP},
        "wrong": [tables.percent(share, 0) for share in shares],
        "sentences": [face_tables.caution(*pair) for pair in zip(EMOTIONS, shares)],
    }


def _show(kind: str, data: dict[str, Any], without: str = "") -> None:
    display({"text/html": embedded(kind, data, without), "text/plain": ""}, raw=True)


def embedded(kind: str, data: dict[str, Any], without: str = "") -> str:
    """Data as the HTML of a page, from which the script of that kind reads it.

    No text in the data can end the element that holds it, or begin another.

    Args:
        kind: of the interactive part.
        data: what JSON can hold.
        without: HTML that is shown where there is no script.
    """
    text = json.dumps(data, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    script = f'<script type="application/json">{text}</script>'
    return f'<div class="interactive" data-interactive="{kind}">{script}{without}</div>'
