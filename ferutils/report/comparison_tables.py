"""Records and baselines side by side -> pandas frames: scores, pairs, rare emotions, copies.

Reads what it is given; writes nothing. Frames hold text ready to print.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd

from ferutils.claims import metrics, verdicts
from ferutils.claims.metrics import Interval
from ferutils.claims.paper import Paper, verdict
from ferutils.records import baselines
from ferutils.records.baselines import LINEAR, Human, Linear
from ferutils.records.examination import Examination
from ferutils.records.runs import HELD_OUT, Predictions, Record
from ferutils.records.study import Study
from ferutils.report.figures import ENDS
from ferutils.report.tables import (
    SIGNS,
    as_published,
    led,
    measured,
    network,
    percent,
    spread,
    with_interval,
)

Answers = dict[str, Predictions]  # by held-out split
Measure = Callable[[Predictions], float | Interval]
Text = Callable[[float], str]
Rightly = Mapping[str, np.ndarray]  # by held-out split, which images, bool (n,)

three_digits = "{:.3f}".format
RIGHT: dict[str, tuple[Measure, Text]] = {
    "Accuracy": (metrics.accuracy, percent),
    "Macro-F1": (metrics.macro_f1, three_digits),
    "Top-2 accuracy": (metrics.top_2, percent),
}
PROBABLE: dict[str, tuple[Measure, Text]] = {
    "Loss (nats)": (metrics.loss, three_digits),
    "Calibration error": (metrics.expected_calibration_error, percent),
    "Brier score": (metrics.brier, three_digits),
}
ENSEMBLE = "ensemble"
ALL_AND_NEW = ("all faces", "new faces")
FACES = ("known", "new")  # held-out images whose photograph is in Training too, and the others
NEW = "Accuracy, new faces"


class Contender(NamedTuple):
    """A row of a table of scores: a network, the ensemble of its runs, or a baseline."""

    name: str
    runs: str
    answers: list[Answers]  # one per run


def contenders(found: Study, linear: Linear) -> list[Contender]:
    """The networks, the ensembles of those with several runs, and the baselines.

    Raises:
        ValueError: runs of one network did not see the same images.
    """
    rows = []
    for records in filter(None, found.by_model.values()):
        name, answers = network(records[0]), [record.predictions for record in records]
        rows.append(Contender(name, str(len(records)), answers))
        if len(records) > 1:
            together = {s: metrics.ensemble([one[s] for one in answers]) for s in HELD_OUT}
            rows.append(Contender(f"{name}, {ENSEMBLE}", f"{len(records)} as one", [together]))
    return rows + _baselines(found, linear)


def _baselines(found: Study, linear: Linear) -> list[Contender]:
    """The baselines of the study's runs, all of which saw the same images."""
    known = [records[0] for records in found.by_model.values() if records]
    beside = baselines.beside(known[0], linear) if known else {}
    return [
        Contender(name, "1" if name == LINEAR else "–", [answers])
        for name, answers in beside.items()
    ]


def held_out(found: Study, linear: Linear, human: Human, examined: Examination) -> pd.DataFrame:
    """How often the answers on both held-out splits are right: networks, ensembles, baselines.

    The score of several runs is their mean and standard deviation; the accuracies of one run, of
    an ensemble and of a baseline have their 95 % interval instead.

    Columns: Network; Runs; Split; Accuracy, new faces; Accuracy; Macro-F1; Top-2 accuracy.

    Raises:
        ValueError: as `contenders`.
    """
    every = contenders(found, linear)
    frame = pd.DataFrame(_score_rows(every, RIGHT))
    unseen = [
        one._replace(answers=[_faces(run, examined, "new") for run in one.answers]) for one in every
    ]
    rows = _score_rows(unseen, {NEW: RIGHT["Accuracy"]})
    frame.insert(list(frame).index("Accuracy"), NEW, [row[NEW] for row in rows])
    people = dict.fromkeys(frame, "–") | {"Accuracy": as_published(human)}
    return pd.concat([frame, pd.DataFrame([people | {"Network": "people, as published"}])])


def accuracies(found: Study, linear: Linear, examined: Examination) -> pd.DataFrame:
    """`held_out`'s accuracies as numbers, as `by_faces` gives them.

    Columns: network, seed, split, faces, accuracy_share, interval_low_share, interval_high_share.

    Raises:
        ValueError: as `contenders`.
    """
    runs = (
        (one.name, run, rightly(answers))
        for one in contenders(found, linear)
        for run, answers in enumerate(one.answers)
    )
    return by_faces(runs, examined)


def rightly(answers: Answers) -> Rightly:
    """By held-out split, which images are answered rightly, bool (n,)."""
    return {split: one.predicted == one.labels for split, one in answers.items()}


def by_faces(runs: Iterable[tuple[str, int, Rightly]], examined: Examination) -> pd.DataFrame:
    """How often each run is right, on all faces and on new ones, for `figures.accuracies`.

    Columns: network, seed, split, faces, accuracy_share, interval_low_share, interval_high_share.

    Args:
        runs: the network's name, the seed or number of the run, and what it answers rightly.
        examined: which photographs are in Training too.
    """
    rows = [
        (name, seed, split, faces, *metrics.share_right(answered[split], known))
        for name, seed, answered in runs
        for split in HELD_OUT
        for faces, known in zip(ALL_AND_NEW, ((), examined.near_in_training[split]))
    ]
    return pd.DataFrame(
        rows, columns=["network", "seed", "split", "faces", "accuracy_share", *ENDS]
    )


def _faces(answers: Answers, examined: Examination, which: str) -> Answers:
    """The answers to all held-out faces, or to those whose photograph is in Training, or not."""
    if which == "all":
        return answers
    parts = {
        split: metrics.apart(one, examined.near_in_training[split])
        for split, one in answers.items()
    }
    return {split: one[FACES.index(which)] for split, one in parts.items()}


def probabilities(found: Study, linear: Linear) -> pd.DataFrame:
    """How good the probabilities on both held-out splits are: networks, ensembles, baselines.

    Columns: Network, Runs, Split, Loss (nats), Calibration error, Brier score.

    Raises:
        ValueError: as `contenders`.
    """
    return pd.DataFrame(_score_rows(contenders(found, linear), PROBABLE))


def calibrations(found: Study, split: str) -> dict[str, pd.DataFrame]:
    """How one run of each network keeps its confidence on a split, by network."""
    records = filter(None, map(found.record, found.by_model))
    return {network(one): metrics.calibration(one.predictions[split]) for one in records}


def _score_rows(
    every: list[Contender], scores: dict[str, tuple[Measure, Text]]
) -> list[dict[str, str]]:
    return [
        {"Network": one.name, "Runs": one.runs, "Split": split}
        | {name: _scored([run[split] for run in one.answers], *how) for name, how in scores.items()}
        for split in HELD_OUT
        for one in every
    ]


def _scored(runs: Sequence[Predictions], measure: Measure, text: Text) -> str:
    values = [measure(run) for run in runs]
    if not isinstance(values[0], Interval):
        return spread(values, text)
    if len(values) == 1:
        return with_interval(values[0])
    return spread([one.value for one in values], text)


def leads(found: Study, linear: Linear, examined: Examination) -> pd.DataFrame:
    """Each two networks on the same faces, and the shallow one beside the linear classifier.

    Returns:
        Numbers, a row per pair, split and kind of faces: networks, runs ("5 and 5"), split, faces
        ("new", "known", "all"), then value, low, high, probability and p_value as in
        `metrics.Lead`, the first over the second;
        interval and probability are NaN where a network has fewer than `metrics.FEWEST_RUNS`.

    Raises:
        ValueError: the runs of two networks did not see the same images.
    """
    rows = []
    for split in HELD_OUT:
        for faces in ("new", "known", "all"):
            for (first, some), (second, others) in _couples(found, linear):
                few = second != LINEAR and min(len(some), len(others)) < metrics.FEWEST_RUNS
                both = (
                    [_faces(one, examined, faces)[split] for one in side] for side in (some, others)
                )
                lead = metrics.lead(*both)
                if few:
                    lead = metrics.Lead(lead.value, *[math.nan] * 4)
                runs = f"{len(some)} and {len(others)}"
                rows.append((f"{first} and {second}", runs, split, faces, *lead))
    return pd.DataFrame(rows, columns=["networks", "runs", "split", "faces", *metrics.Lead._fields])


def _couples(
    found: Study, linear: Linear
) -> list[tuple[tuple[str, list[Answers]], tuple[str, list[Answers]]]]:
    """What is compared: pairs of a name and the answers of its runs; the later network first."""
    sides = [
        (network(runs[0]), [run.predictions for run in runs])
        for runs in reversed(found.by_model.values())
        if runs
    ]
    couples = list(combinations(sides, 2))
    known = {one.name: one.answers for one in _baselines(found, linear)}
    if LINEAR in known and found.by_model["shallow"]:
        couples.append((sides[-1], (LINEAR, known[LINEAR])))
    return couples


def paired(found: Study, linear: Linear, examined: Examination) -> pd.DataFrame:
    """`leads` as text, a row for each pair on each split.

    Columns: Networks, Runs, Split, New faces, First better, Known faces, All.

    Raises:
        ValueError: as `leads`.
    """
    rows = []
    grouped = leads(found, linear, examined).groupby(["networks", "split"], sort=False)
    for (networks, split), some in grouped:
        new, known, every = some.itertuples()
        rows.append(
            {
                "Networks": networks,
                "Runs": new.runs,
                "Split": split,
                "New faces": led(new),
                "First better": _probability(new.probability),
                "Known faces": led(known),
                "All": led(every),
            }
        )
    return pd.DataFrame(sorted(rows, key=lambda row: row["Networks"]))


def _probability(value: float) -> str:
    """A probability that the resamples tell to a percent."""
    if math.isnan(value):
        return "–"
    text = percent(value, 0)
    return {percent(1, 0): "> 99\u00a0%", percent(0, 0): "< 1\u00a0%"}.get(text, text)


def by_familiarity(found: Study, linear: Linear, examined: Examination) -> pd.DataFrame:
    """Accuracy on new and on known faces, for `figures.familiarity`.

    Both are standardised to the emotions' shares in the whole split, because known faces have
    others than new ones.

    Returns:
        Numbers, a row per run of a network, or baseline, by split and faces: network, run, split,
        faces ("new", "known"), accuracy_share.

    Raises:
        ValueError: as `contenders`.
    """
    return pd.DataFrame(
        [
            (one.name, run, split, faces, _standardised(answers, every, split))
            for one in contenders(found, linear)
            if ENSEMBLE not in one.name
            for run, every in enumerate(one.answers)
            for faces in reversed(FACES)
            for answers in [_faces(every, examined, faces)]
            for split in HELD_OUT
        ],
        columns=["network", "run", "split", "faces", "accuracy_share"],
    )


def _standardised(answers: Answers, every: Answers, split: str) -> float:
    """The accuracy of some answers with the emotions' shares among all of a split."""
    return metrics.standardised_accuracy(answers[split], every[split].labels)


def rarest(found: Study, linear: Linear, split: str) -> pd.DataFrame:
    """Recall of the rarest emotion beside that of the most frequent, with their intervals' widths.

    One run of each network, and the baselines; the last row is the weight of a single image.

    Columns: Network, and for both emotions recall with its interval and the interval's width.
    """
    runs = _named(filter(None, map(found.record, found.by_model)))
    runs |= {one.name: one.answers[0] for one in _baselines(found, linear)}
    recalls = {name: metrics.recall(answers[split]) for name, answers in runs.items()}
    images = next(iter(recalls.values()))["images"]
    rows = [{"Network": name} for name in recalls] + [{"Network": "one image more or less"}]
    for emotion in (images.idxmin(), images.idxmax()):
        head, width = f"{emotion}, {images[emotion]} images", f"Width, {emotion}"
        for row, recall in zip(rows, recalls.values(), strict=False):
            one = Interval(*recall.loc[emotion, list(Interval._fields)])
            row |= {head: with_interval(one), width: _width(one.high - one.low)}
        rows[-1] |= {head: "", width: _width(1 / images[emotion])}
    return pd.DataFrame(rows)


def _named(records: Iterable[Record]) -> dict[str, Answers]:
    """The answers of runs, under names that say that each is one run."""
    return {f"{network(one)}, seed {one.recipe.seed}": one.predictions for one in records}


def _width(share: float) -> str:
    return f"{100 * share:.1f}\u00a0points"


def specificity(paper: Paper, found: Study) -> pd.DataFrame:
    """The runs of each network set against the figures that Table 3 prints for another.

    A rule that can tell the networks apart calls none of them reproduced but equal figures.

    Columns: Runs of, Measure, Printed for it, Measured, Set against, Verdict.
    """
    rows = []
    for claim in paper.table_3():
        printed_for, measure = claim.quantity.split(".")
        for model, records in found.by_model.items():
            values = [verdicts.score(one, measure) for one in records if not one.recipe.reduced]
            if model == printed_for or len(values) < 2:  # one run decides nothing anyway
                continue
            own = next(
                one.printed for one in paper.table_3() if one.quantity == f"{model}.{measure}"
            )
            against = verdict(claim, values, paper.margin(claim.unit))
            rows.append(
                {
                    "Runs of": model,
                    "Measure": measure.replace("_", " "),
                    "Printed for it": own,
                    "Measured": measured(verdicts.Finding(claim, values, against)),
                    "Set against": f"{printed_for}, {claim.printed}",
                    "Verdict": SIGNS[against],
                }
            )
    order = list(found.by_model)
    return pd.DataFrame(sorted(rows, key=lambda row: order.index(row["Runs of"])))


def power(paper: Paper, found: Study) -> pd.DataFrame:
    """What the runs of each network would have seen of a difference from a printed figure.

    Columns: Network, Measure, Runs, Seen in 80 % of cases, Margin, Runs that would see the margin.

    Raises:
        ValueError: as `verdicts.find`.
    """
    rows = []
    for claim in paper.table_3():
        finding = verdicts.find(paper, found, claim)
        model, measure = claim.quantity.split(".")
        row = {"Network": model, "Measure": measure.replace("_", " ")}
        row |= {"Runs": str(len(finding.measured)), "Seen in 80\u00a0% of cases": "–"}
        margin = paper.margin(claim.unit)
        row |= {"Margin": _size(margin, claim.unit), "Runs that would see the margin": "–"}
        if len(finding.measured) > 1:
            told = metrics.power(finding.measured, margin)
            row["Seen in 80\u00a0% of cases"] = _size(told.seen, claim.unit)
            row["Runs that would see the margin"] = str(told.runs)
        rows.append(row)
    return pd.DataFrame(rows)


def _size(difference: float, unit: str) -> str:
    """A difference without its sign, of shares in percentage points."""
    return f"{100 * difference:.1f}\u00a0points" if unit == "fraction" else f"{difference:.3f}"
