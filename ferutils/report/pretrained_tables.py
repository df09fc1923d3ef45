"""AlexNet, CapsNet and VGG16 beside the paper's networks -> how often each is right: frames, words.

Reads what it is given; writes nothing. Frames hold text ready to print, but for `accuracies` and
`steps`.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from IPython.display import Markdown

from ferutils.claims import metrics
from ferutils.claims.metrics import Interval
from ferutils.records.examination import Examination
from ferutils.records.keeping import HELD_OUT
from ferutils.records.pretrained import CAPSULES, CHANGES, COMMAND, NAMES, WAYS, Pretrained
from ferutils.records.probes import Steadiness
from ferutils.records.study import Study
from ferutils.report import probe_tables
from ferutils.report.comparison_tables import ALL_AND_NEW, Rightly, by_faces, rightly
from ferutils.report.figures import ENDS
from ferutils.report.tables import listed, network, percent, points, scored

TEST = "PrivateTest"  # on which nothing was chosen
TITLES = {
    "hed-vgg16": "HED-VGG16",
    "imagenet-vgg16": "ImageNet VGG16",
    "random-vgg16": "random VGG16",
    "alexnet": "AlexNet",
    "capsnet": "CapsNet",
    "capsnet-dense": "CapsNet, dense head",
}


def title(name: str) -> str:
    """What a network is called on the page."""
    network, way = NAMES[name]
    return TITLES[network] + (f", {way}" if way in WAYS else "")


def accuracies(found: Sequence[Pretrained], study: Study, examined: Examination) -> pd.DataFrame:
    """How often each network is right, as numbers, as `comparison_tables.by_faces` gives them.

    Columns: network, seed, split, faces, accuracy_share, interval_low_share, interval_high_share.
    """
    return by_faces(_contenders(found, study), examined)


def _contenders(found: Sequence[Pretrained], study: Study) -> Iterator[tuple[str, int, Rightly]]:
    """Every network with its seed, and by split which images it answers rightly."""
    for one in found:
        yield title(one.recipe.name), one.recipe.seed, {s: one.right(s) for s in HELD_OUT}
    for records in study.by_model.values():
        for record in records:
            yield network(record), record.recipe.seed, rightly(record.predictions)


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
        for faces in ALL_AND_NEW
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


# Changed faces


def steps(found: Sequence[Pretrained]) -> pd.DataFrame:
    """The accuracy of CapsNet and its twin after each change, for `pretrained_figures.capsules`.

    Columns: network, seed, kind, unit, step (0: unchanged, then 1 the weakest), strength, split,
    faces ("new" or "all"), accuracy_share, changed_share (of the answers to all faces).
    """
    rows = [
        {"network": title(one.recipe.name), "seed": one.recipe.seed} | row
        for one in found
        if one.steadiness
        for row in probe_tables.steps_of(one.steadiness, CHANGES)
    ]
    return pd.DataFrame(rows, columns=probe_tables.STEPS)


def costs(found: Sequence[Pretrained]) -> pd.DataFrame:
    """What each change costs CapsNet and its twin, as `probe_tables.costs` tells it.

    Columns: Change, Strength, then one per network.
    """
    named = {title(name): some for name, some in _steady(found).items()}
    return probe_tables.costs(named, CHANGES)


def _steady(found: Sequence[Pretrained]) -> dict[str, list[Steadiness]]:
    """By network, what its runs answer to changed faces."""
    return {name: [one.steadiness for one in found if one.recipe.name == name] for name in CAPSULES}


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
    every, new = (percent(means[faces]) for faces in ALL_AND_NEW)
    return f"right for {every} of {TEST}, and for {new} of the new faces there"


def holding_up(found: Sequence[Pretrained]) -> Markdown:
    """Whether CapsNet loses less than its twin by each kind of change, if three runs of both tell.

    The accuracy lost is that on new faces, the mean over the strengths and both held-out splits;
    the interval of its difference is that of the t test over seeds.
    """
    steady = _steady(found)
    enough = min(map(len, steady.values())) >= metrics.FEWEST_RUNS
    lines = [_held_up(kind, steady, enough) for kind in CHANGES if any(steady.values())]
    if not enough:
        runs = listed([f"{len(some)} of `{name}`" for name, some in steady.items()])
        lines.append(
            f"**Open**: a verdict takes {metrics.FEWEST_RUNS} runs of each network, and there are "
            f"{runs}. `{COMMAND} NAME --seed N` trains one and records its answers."
        )
    return Markdown("\n".join(f"- {line}" for line in lines))


def _held_up(kind: str, steady: dict[str, list[Steadiness]], enough: bool) -> str:
    """What a kind of change costs both networks, and the verdict."""
    losses = {name: [_lost(one, kind) for one in some] for name, some in steady.items()}
    told = (
        f"{title(name)} {100 * np.mean(some):.1f}" if some else f"{title(name)} open"
        for name, some in losses.items()
    )
    text = f"**{kind.capitalize()}**, points of accuracy lost: {'; '.join(told)}."
    if not enough:
        return f"{text} Not tested."
    (apart,) = metrics.differences_of_means(losses).values()
    verdict = "no difference shown"
    if apart.high < 0:
        verdict = "capsules hold up better"
    elif apart.low > 0:
        verdict = "capsules hold up worse"
    value, low, high = map(points, apart)
    return f"{text} Difference {value} (95\u00a0% interval {low} to {high}): **{verdict}**."


def _lost(steady: Steadiness, kind: str) -> float:
    every = (probe_tables.cost([steady], kind, one)[0] for one in CHANGES[kind].strengths)
    return float(np.mean(list(every)))
