"""How FER-2013 cuts out faces, and what other margins cost: frames, and words about them.

Reads what it is given; writes nothing. Frames hold text ready to print, but for `curve`.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from IPython.display import Markdown

from ferutils.claims import metrics
from ferutils.dataset.fer2013 import EMOTIONS
from ferutils.records.crop import COMMAND, Crop, Margins, answered, margins
from ferutils.records.keeping import HELD_OUT
from ferutils.report.tables import percent, with_interval

ALL = "all"


def emotions(found: Crop) -> pd.DataFrame:
    """Of which held-out faces the detector finds a box, and how FER-2013's square lies to it.

    Columns: Emotion, Images, Found, Margin, Middle half of margins.
    """
    labels = np.concatenate([found.labels(split) for split in HELD_OUT])
    places = [one for split in HELD_OUT for one in found.held_out[split]]
    rows = []
    for name in (*EMOTIONS, ALL):
        mine = [
            place
            for place, label in zip(places, labels, strict=True)
            if name in (ALL, EMOTIONS[label])
        ]
        sides = margins(mine)
        low, middle, high = np.quantile(sides, (0.25, 0.5, 0.75))
        rows.append(
            {
                "Emotion": name,
                "Images": f"{len(mine):,}",
                "Found": with_interval(metrics.share(len(sides), len(mine))),
                "Margin": f"{middle:.2f}",
                "Middle half of margins": f"{low:.2f}–{high:.2f}",
            }
        )
    return pd.DataFrame(rows)


def sizes(found: Crop) -> pd.DataFrame:
    """What the detector finds of small faces, in one look at a picture and in tiles too.

    Columns: Share of the width; Pictures; Found, one look; Found, tiles too; Wrong boxes,
    one look; Wrong boxes, tiles too; Margin.
    """
    rows = []
    for one in found.sizes:
        row = {"Share of the width": percent(one.share, 0), "Pictures": f"{one.images:,}"}
        for way, right, wrong in zip(("one look", "tiles too"), one.found, one.wrong, strict=True):
            row[f"Found, {way}"] = percent(right / one.images)
            row[f"Wrong boxes, {way}"] = f"{wrong:,}"
        rows.append(row | {"Margin": f"{one.margin:.2f}" if one.found[1] else "–"})
    columns = ["Share of the width", "Pictures", "Found, one look", "Found, tiles too"]
    columns += ["Wrong boxes, one look", "Wrong boxes, tiles too", "Margin"]
    return pd.DataFrame(rows, columns=columns)


def accuracies(found: Crop) -> pd.DataFrame:
    """How often networks are right on the held-out faces that were found, cut out by margin.

    Columns: Run, Margin, PublicTest, PrivateTest.
    """
    rows = [
        {"Run": one.run, "Margin": "as published" if margin is None else f"{margin:g}"}
        | {split: with_interval(_right(found, digits[split], split)) for split in HELD_OUT}
        for one in found.runs
        for margin, digits in _each(one)
    ]
    return pd.DataFrame(rows, columns=["Run", "Margin", *HELD_OUT])


def _each(run: Margins) -> Iterator[tuple[float | None, dict[str, str]]]:
    yield None, run.unchanged
    yield from run.cropped.items()


def _right(found: Crop, digits: str, split: str) -> metrics.Interval:
    """The accuracy on the faces that were found."""
    seen = np.array([place is not None for place in found.held_out[split]])
    right = (answered(digits) == found.labels(split))[seen]
    return metrics.share(int(right.sum()), len(right))


def accuracy(found: Crop, digits: dict[str, str]) -> float:
    """The share of right answers to the faces found on both held-out splits."""
    every = [
        (answered(digits[split]) == found.labels(split))[[one is not None for one in places]]
        for split, places in found.held_out.items()
    ]
    return float(np.concatenate(every).mean())


def curve(found: Crop) -> pd.DataFrame:
    """Accuracy on both held-out splits as numbers, for `crop_figures.curve`.

    Columns: run; margin, NaN for the faces as published; accuracy_share.
    """
    rows = [
        (one.run, np.nan if margin is None else margin, accuracy(found, digits))
        for one in found.runs
        for margin, digits in _each(one)
    ]
    return pd.DataFrame(rows, columns=["run", "margin", "accuracy_share"])


def conclusion(found: Crop) -> Markdown:
    """How FER-2013 was cut, how many faces are found, and what cutting them out anew costs."""
    rule = found.rule
    places = [one for split in HELD_OUT for one in found.held_out[split]]
    share = percent(len(margins(places)) / len(places))
    sentences = [
        f"**Found**: {share} of the {len(places):,} held-out faces.",
        f"**The cut**: FER-2013's square is {rule.margin:.2f} times as wide as the detector's box, "
        f"and its centre lies {percent(abs(rule.down))} of the box's side "
        f"{'below' if rule.down > 0 else 'above'} the box's.",
    ]
    for one in found.runs:
        best = max(one.cropped, key=lambda margin: accuracy(found, one.cropped[margin]))
        cut, published = accuracy(found, one.cropped[best]), accuracy(found, one.unchanged)
        sentences.append(
            f"**Accuracy** of the network of `{one.run}` is best at a margin of {best:g}: "
            f"{percent(cut)} of the faces found, {percent(published)} of the same as published."
        )
    if not found.runs:
        sentences.append(f"**Open**: no network has answered them; `{COMMAND} RUN` asks one.")
    return Markdown("\n".join(f"- {sentence}" for sentence in sentences))
