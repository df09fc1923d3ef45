"""Records side by side -> pandas frames: scores, pairs of networks, with and without copies.

Reads what it is given; writes nothing. Frames hold text ready to print.
"""

from itertools import combinations

import pandas as pd

from ferutils import metrics
from ferutils.examination import Examination
from ferutils.records import HELD_OUT, Record
from ferutils.study import Study
from ferutils.tables import network, percent, spread, with_interval


def without_copies(found: Study, examined: Examination) -> pd.DataFrame:
    """Accuracy with and without the held-out images that stand in Training, one run per model."""
    return pd.DataFrame(
        [
            {
                "Network": f"{network(record)}, seed {record.recipe.seed}",
                "Split": split,
                "All images": with_interval(metrics.accuracy(record.predictions[split])),
                "Without those in Training": with_interval(apart.others),
                "Those in Training": with_interval(apart.those),
            }
            for record in examinable(found, examined)
            for split in HELD_OUT
            for apart in [metrics.apart(record.predictions[split], examined.in_training[split])]
        ]
    )


def examinable(found: Study, examined: Examination) -> list[Record]:
    """One run of each model that was evaluated on all images of the examined dataset."""
    records = [found.record(model) for model in found.by_model]
    return [
        record
        for record in filter(None, records)
        if record.run.dataset.fingerprints == examined.fingerprints
        and record.recipe.evaluation_images is None
    ]


def held_out(found: Study) -> pd.DataFrame:
    """Accuracy of every model on both held-out splits: the mean over seeds, or one run's."""
    rows = []
    for records in found.by_model.values():
        for split in HELD_OUT if records else ():
            scores = [metrics.accuracy(record.predictions[split]).value for record in records]
            macro = [metrics.macro_f1(record.predictions[split]) for record in records]
            rows.append(
                {
                    "Model": network(records[0]),
                    "Split": split,
                    "Accuracy": spread(scores, percent),
                    "Macro-F1": spread(macro, lambda value: f"{value:.3f}"),
                    "Runs": str(len(records)),
                }
            )
    return pd.DataFrame(rows)


def paired(found: Study, split: str) -> pd.DataFrame:
    """Each two networks on the same images of a split, seed by seed, with McNemar's test."""
    pairs = [
        (one, other)
        for first, second in combinations(found.by_model.values(), 2)
        for one in first
        for other in second
        if one.recipe.seed == other.recipe.seed
    ]
    tested = [metrics.mcnemar(a.predictions[split], b.predictions[split]) for a, b in pairs]
    corrected = metrics.holm([one.p_value for one in tested])
    return pd.DataFrame(
        [
            {
                "Networks": f"{network(one)} and {network(other)}",
                "Seed": str(one.recipe.seed),
                "Only the first is right": f"{test.first_alone:,} images",
                "Only the second": f"{test.second_alone:,} images",
                "p (McNemar, Holm)": f"{p_value:.2g}",
            }
            for (one, other), test, p_value in zip(pairs, tested, corrected, strict=True)
        ]
    )
