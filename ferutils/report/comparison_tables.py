"""Records and baselines side by side -> pandas frames: scores, pairs, rare emotions, copies.

Reads what it is given; writes nothing. Frames hold text ready to print.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import combinations
from typing import NamedTuple

import pandas as pd

from ferutils.claims import metrics
from ferutils.claims.metrics import Interval
from ferutils.records import baselines
from ferutils.records.baselines import LINEAR, Human, Linear
from ferutils.records.examination import Examination
from ferutils.records.runs import HELD_OUT, Predictions, Record
from ferutils.records.study import Study
from ferutils.report.tables import as_published, network, percent, points, spread, with_interval

Answers = dict[str, Predictions]  # by held-out split
Measure = Callable[[Predictions], float | Interval]
Text = Callable[[float], str]

three_digits = "{:.3f}".format
RIGHT: dict[str, tuple[Measure, Text]] = {
    "Accuracy": (metrics.accuracy, percent),
    "Balanced accuracy": (metrics.balanced_accuracy, percent),
    "Macro-F1": (metrics.macro_f1, three_digits),
    "Top-2 accuracy": (metrics.top_2, percent),
}
PROBABLE: dict[str, tuple[Measure, Text]] = {
    "Loss (nats)": (metrics.loss, three_digits),
    "Calibration error": (metrics.expected_calibration_error, percent),
    "Brier score": (metrics.brier, three_digits),
}
ENSEMBLE = "ensemble"


class Contender(NamedTuple):
    """A row of a table of scores: a network, the ensemble of its runs, or a baseline."""

    name: str
    runs: str
    answers: list[Answers]  # one per run


def contenders(found: Study, linear: Linear) -> list[Contender]:
    """The networks, the ensembles of those with several runs, and the baselines."""
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


def held_out(found: Study, linear: Linear, human: Human) -> pd.DataFrame:
    """How often the answers on both held-out splits are right: networks, ensembles, baselines.

    The score of several runs is their mean and standard deviation; the accuracies of one run, of
    an ensemble and of a baseline have their 95 % interval instead.
    """
    people = dict.fromkeys(("Runs", "Split", *RIGHT), "–") | {"Accuracy": as_published(human)}
    return pd.DataFrame(
        [*_score_rows(found, linear, RIGHT), {"Network": "people, as published", **people}]
    )


def probabilities(found: Study, linear: Linear) -> pd.DataFrame:
    """How good the probabilities on both held-out splits are: networks, ensembles, baselines."""
    return pd.DataFrame(_score_rows(found, linear, PROBABLE))


def calibrations(found: Study, split: str) -> dict[str, pd.DataFrame]:
    """How one run of each network keeps its confidence on a split, by network."""
    records = filter(None, map(found.record, found.by_model))
    return {network(one): metrics.calibration(one.predictions[split]) for one in records}


def _score_rows(
    found: Study, linear: Linear, scores: dict[str, tuple[Measure, Text]]
) -> list[dict[str, str]]:
    every = contenders(found, linear)
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


def comparisons(found: Study, linear: Linear, split: str) -> pd.DataFrame:
    """Each two networks on the same images of a split: seed by seed, and as ensembles.

    The shallow network stands beside the linear classifier too. The ensembles are those of the
    seeds that both networks have, where there are several.

    Returns:
        Numbers, a row per test: networks, seed (text, or `ENSEMBLE`), difference (an interval of
        shares, the first minus the second), first_alone and second_alone (images that only one of
        them gets right), p_value (McNemar's, corrected by Holm for all tests of the frame).
    """
    rows = []
    for (first, one), (second, other) in _couples(found, linear, split):
        seeds = [seed for seed in one if seed in other]
        tested = {str(seed): (one[seed], other[seed]) for seed in seeds}
        if len(seeds) > 1:
            members = [[side[seed] for seed in seeds] for side in (one, other)]
            tested[ENSEMBLE] = tuple(metrics.ensemble(runs) for runs in members)
        for seed, both in tested.items():
            difference, test = metrics.difference(*both), metrics.mcnemar(*both)
            rows.append((f"{first} and {second}", seed, difference, *test))
    frame = pd.DataFrame(rows, columns=["networks", "seed", "difference", *metrics.Paired._fields])
    return frame.assign(p_value=metrics.holm(frame["p_value"]))


def _couples(
    found: Study, linear: Linear, split: str
) -> list[tuple[tuple[str, dict[int, Predictions]], ...]]:
    """What is compared: pairs of a name and its answers by seed."""
    sides = {
        model: (network(runs[0]), {run.recipe.seed: run.predictions[split] for run in runs})
        for model, runs in found.by_model.items()
        if runs
    }
    couples = list(combinations(sides.values(), 2))
    known = {one.name: one.answers[0] for one in _baselines(found, linear)}
    if LINEAR in known and "shallow" in sides:
        every_seed = dict.fromkeys(sides["shallow"][1], known[LINEAR][split])
        couples.append((sides["shallow"], (LINEAR, every_seed)))
    return couples


def paired(found: Study, linear: Linear, split: str) -> pd.DataFrame:
    """Each two networks on a split in one row: how far apart they are, and how surely."""
    rows = []
    tests = comparisons(found, linear, split)
    for networks, every in tests.groupby("networks", sort=False):
        alone = every[every["seed"] != ENSEMBLE]
        together = every[every["seed"] == ENSEMBLE].to_dict("records")
        significant = (alone["p_value"] < metrics.SIGNIFICANCE).sum()
        rows.append(
            {
                "Networks": networks,
                "Seeds": str(len(alone)),
                "Mean difference (range), points": _mean_and_range(alone["difference"]),
                f"p < {metrics.SIGNIFICANCE:g}": f"{significant} of {len(alone)}",
                "Ensembles (95 % interval), points": _ensembles(together),
                "Their p": _p_value(together[0]["p_value"]) if together else "–",
            }
        )
    return pd.DataFrame(rows)


def _p_value(value: float) -> str:
    return metrics.printed_p_value(value).removeprefix("= ")


def _mean_and_range(differences: Sequence[Interval]) -> str:
    values = [one.value for one in differences]
    mean, low, high = map(points, (sum(values) / len(values), min(values), max(values)))
    return mean if len(values) == 1 else f"{mean} ({low} to {high})"


def _ensembles(together: list[dict]) -> str:
    if not together:
        return "–"
    value, low, high = map(points, together[0]["difference"])
    return f"{value} ({low} to {high})"


def seed_by_seed(found: Study, linear: Linear, split: str) -> pd.DataFrame:
    """The tests behind `paired`, a row each."""
    return pd.DataFrame(
        [
            {
                "Networks": test.networks,
                "Seed": test.seed,
                "Images only the first gets right": f"{test.first_alone:,}",
                "Images only the second gets right": f"{test.second_alone:,}",
                "p (McNemar, Holm)": _p_value(test.p_value),
            }
            for test in comparisons(found, linear, split).itertuples()
        ]
    )


def rarest(found: Study, linear: Linear, split: str) -> pd.DataFrame:
    """Recall of the rarest emotion beside that of the most frequent, with their intervals' widths.

    One run of each network, and the baselines; the last row is the weight of a single image.
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


def without_copies(found: Study, linear: Linear, examined: Examination) -> pd.DataFrame:
    """Accuracy with and without the held-out images that a network may know from Training.

    One run of each network, and the baselines.
    """
    known = examinable(found, examined)
    runs = _named(known)
    runs |= baselines.beside(known[0], linear) if known else {}
    return pd.DataFrame(
        [
            {"Network": name, "Split": split} | _apart(answers[split], examined, split)
            for split in HELD_OUT
            for name, answers in runs.items()
        ]
    )


def _apart(answers: Predictions, examined: Examination, split: str) -> dict[str, str]:
    copies = metrics.apart(answers, examined.in_training[split])
    photographs = metrics.apart(answers, examined.near_in_training[split])
    shares = {
        "All images": metrics.accuracy(answers),
        "Without copies": copies.others,
        "Without photographs of Training": photographs.others,
        "Photographs of Training alone": photographs.those,
    }
    return {head: with_interval(share) for head, share in shares.items()}


def examinable(found: Study, examined: Examination) -> list[Record]:
    """One run of each model that was evaluated on all images of the examined dataset."""
    records = [found.record(model) for model in found.by_model]
    return [
        record
        for record in filter(None, records)
        if record.run.dataset.fingerprints == examined.fingerprints
        and record.recipe.evaluation_images is None
    ]
