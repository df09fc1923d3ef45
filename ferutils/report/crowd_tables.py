"""Whether people agree with the networks' mistakes -> a frame and sentences.

Reads what it is given; writes nothing.
"""

import numpy as np
import pandas as pd
from IPython.display import Markdown

from ferutils.records import crowd
from ferutils.records.crowd import Crowd
from ferutils.records.study import Study
from ferutils.report.tables import network, percent

HEADS = {
    "first": "First choice",
    "second": "Second choice",
    "other": "Another with votes",
    "unchosen": "Without a vote",
    "no_emotion": "No emotion first",
}


def mistakes(asked: Crowd, found: Study) -> pd.DataFrame:
    """What the crowd says to the networks' mistakes on both held-out splits, all runs together.

    Columns: Network; Runs; Wrong, share of the images; First choice, Second choice, Another with
    votes, Without a vote and No emotion first, shares of the wrong answers.
    """
    images, rows = sum(one.images for one in asked.labels.values()), []
    for records in found.by_model.values():
        whole = [one for one in records if one.run.id in asked.mistakes]
        if not whole:
            continue
        every = [one for run in whole for one in asked.mistakes[run.run.id].values()]
        wrong = sum(one.wrong for one in every)
        rows.append(
            {
                "Network": network(whole[0]),
                "Runs": str(len(whole)),
                "Wrong": percent(wrong / (images * len(whole))),
            }
            | {
                head: percent(sum(getattr(one, name) for one in every) / wrong if wrong else np.nan)
                for name, head in HEADS.items()
            }
        )
    return pd.DataFrame(rows, columns=["Network", "Runs", "Wrong", *HEADS.values()])


# Words


def labels(asked: Crowd | None) -> Markdown | None:
    """How far the crowd agrees with FER-2013 itself; None where nobody has given FER+ yet."""
    if asked is None:
        return None
    count = {
        name: sum(getattr(one, name) for one in asked.labels.values())
        for name in ("images", "agreed", "shared", "divided")
    }
    agreed, shared, divided = (
        percent(count[name] / count["images"]) for name in ("agreed", "shared", "divided")
    )
    return Markdown(
        f"FER-2013's own label is a first choice for {agreed} of the held-out images. The crowd is "
        f"divided on {divided}: no choice has more than half of its ten votes. On {shared}, "
        "several have equally many, and count as first choices alike."
    )


def still_open() -> Markdown:
    """That nobody has given FER+ yet, and how it is measured."""
    return Markdown(
        f"**Open**: FER+ is not in this repository; `{crowd.COMMAND}` measures this with it."
    )
