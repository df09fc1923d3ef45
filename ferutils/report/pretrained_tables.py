"""AlexNet and VGG16 beside the paper's networks -> how often each is right: frames, and words.

Reads what it is given; writes nothing. Frames hold text ready to print, but for `accuracies`.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from IPython.display import Markdown

from ferutils.claims import metrics
from ferutils.claims.metrics import Interval
from ferutils.records.examination import Examination
from ferutils.records.keeping import HELD_OUT
from ferutils.records.pretrained import COMMAND, NAMES, WAYS, Pretrained
from ferutils.records.runs import Record
from ferutils.records.study import Study
from ferutils.report.figures import ENDS
from ferutils.report.tables import listed, network, percent, scored

TEST = "PrivateTest"  # on which nothing was chosen
FACES = ("all faces", "new faces")  # new: those whose photograph is not in Training
TITLES = {
    "hed-vgg16": "HED-VGG16",
    "imagenet-vgg16": "ImageNet VGG16",
    "random-vgg16": "random VGG16",
    "alexnet": "AlexNet",
}


def title(name: str) -> str:
    """What a network is called on the page."""
    network, way = NAMES[name]
    return TITLES[network] + (f", {way}" if way in WAYS else "")


def accuracies(found: Sequence[Pretrained], study: Study, examined: Examination) -> pd.DataFrame:
    """How often each network is right, as numbers, a row per run, split and kind of faces.

    Columns: network, seed, split, faces, accuracy_share, interval_low_share, interval_high_share.
    """
    rows = [
        (name, seed, split, faces, *_accuracy(right[split], split, faces, examined))
        for name, seed, right in _contenders(found, study)
        for split in HELD_OUT
        for faces in FACES
    ]
    scores = ("accuracy_share", *ENDS)
    return pd.DataFrame(rows, columns=["network", "seed", "split", "faces", *scores])


def _contenders(
    found: Sequence[Pretrained], study: Study
) -> Iterator[tuple[str, int, dict[str, np.ndarray]]]:
    """Every network with its seed, and by split which images it answers rightly."""
    for one in found:
        right = {split: one.right(split) for split in HELD_OUT}
        yield title(one.recipe.name), one.recipe.seed, right
    for records in study.by_model.values():
        for record in records:
            yield network(record), record.recipe.seed, _right(record)


def _right(record: Record) -> dict[str, np.ndarray]:
    return {
        split: answered.predicted == answered.labels
        for split, answered in record.predictions.items()
    }


def _accuracy(right: np.ndarray, split: str, faces: str, examined: Examination) -> Interval:
    known = examined.near_in_training[split] if faces == "new faces" else ()
    return metrics.share_right(right, known)


def table(measured: pd.DataFrame, found: Sequence[Pretrained]) -> pd.DataFrame:
    """How often each network is right: one run's 95 % interval, or the mean of several.

    Columns: Network; Trained; Runs; PublicTest; PublicTest, new faces; PrivateTest; PrivateTest,
    new faces.
    """
    trained = {
        title(one.recipe.name): (
            "a linear classifier" if one.head else f"all weights, {one.recipe.epochs} epochs"
        )
        for one in found
    }
    heads = {
        (split, faces): split + (", new faces" if faces == "new faces" else "")
        for split in HELD_OUT
        for faces in FACES
    }
    still_open = dict.fromkeys(("Trained", "Runs", *heads.values()), "open")
    rows = {title(name): still_open for name in NAMES}
    for name, some in measured.groupby("network", sort=False):
        row = {"Trained": trained.get(name, "as the paper's"), "Runs": str(some["seed"].nunique())}
        for key, these in some.groupby(["split", "faces"], sort=False):
            scores = these[["accuracy_share", *ENDS]].itertuples(index=False)
            row[heads[key]] = scored([Interval(*one) for one in scores])
        rows[name] = row
    return pd.DataFrame([{"Network": name} | row for name, row in rows.items()])


def choices(found: Sequence[Pretrained]) -> pd.DataFrame:
    """What PublicTest chose for each network of which a linear classifier alone was trained.

    Columns: Network, Seed, Block, Features, C, PublicTest, Minutes.
    """
    rows = [
        (
            title(one.recipe.name),
            str(one.recipe.seed),
            str(one.head.block),
            str(one.head.features),
            f"{one.head.strength:g}",
            percent(max(one.head.tried.values())),
            f"{one.cost.wall_seconds / 60:.1f}",
        )
        for one in found
        if one.head
    ]
    heads = ("Network", "Seed", "Block", "Features", "C", "PublicTest", "Minutes")
    return pd.DataFrame(rows, columns=heads)


# Words


def conclusion(measured: pd.DataFrame, found: Sequence[Pretrained]) -> Markdown:
    """How good each network is on PrivateTest, beside the paper's best, and what has no record.

    Args:
        measured: as `accuracies` gives it.
        found: the records.
    """
    test = measured[measured["split"] == TEST]
    means = test.pivot_table("accuracy_share", "network", "faces", "mean", sort=False)
    ours = [title(name) for name in NAMES if title(name) in means.index]
    sentences = [f"**{name}**: {_shares(means.loc[name])}." for name in ours]
    papers = means.drop(index=ours)
    if len(papers):
        best = papers["new faces"].idxmax()
        sentences.append(f"The paper's most accurate network, {best}: {_shares(papers.loc[best])}.")
    known = {one.recipe.name for one in found}
    missing = [f"`{name}`" for name in NAMES if name not in known]
    if missing:
        sentences.append(
            f"**Open**: {listed(missing)}. `{COMMAND} NAME` trains one and records its answers."
        )
    return Markdown("\n".join(f"- {sentence}" for sentence in sentences))


def _shares(means: pd.Series) -> str:
    every, new = (percent(means[faces]) for faces in FACES)
    return f"right for {every} of {TEST}, and for {new} of the new faces there"
