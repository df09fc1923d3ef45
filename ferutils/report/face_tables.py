"""The network that readers try on their own face -> how often it is wrong: frames and sentences.

Reads what it is given; writes nothing.
"""

import numpy as np
import pandas as pd
from IPython.display import Markdown
from sklearn.metrics import confusion_matrix

from ferutils.claims import metrics
from ferutils.claims.metrics import Interval
from ferutils.dataset.fer2013 import EMOTIONS
from ferutils.records import answers, face
from ferutils.records.examination import Examination
from ferutils.records.face import Face
from ferutils.records.keeping import HELD_OUT
from ferutils.records.small import Trained
from ferutils.report.small_tables import TEST
from ferutils.report.tables import percent, with_interval


def confusion(found: Face, trained: Trained, examined: Examination) -> np.ndarray:
    """New faces of PrivateTest by emotion (rows) and answer (columns), int64 (7, 7)."""
    known = examined.near_in_training[TEST]
    labels = np.repeat(np.arange(len(EMOTIONS)), trained.files.dataset.counts[TEST])
    both = (np.delete(one, known) for one in (labels, answers.labels(found.answers, TEST)))
    return confusion_matrix(*both, labels=range(len(EMOTIONS)))


def precision(found: Face, trained: Trained, examined: Examination) -> list[Interval]:
    """By emotion, how often the network is right when it answers that."""
    counts = confusion(found, trained, examined)
    return [metrics.share(*pair) for pair in zip(counts.diagonal(), counts.sum(axis=0))]


def errors(read: tuple[Face, Trained] | None, examined: Examination) -> pd.DataFrame:
    """How often the network misses each emotion, and how often that answer of its is wrong.

    Columns: Emotion; Images; Missed; Mostly taken for; Wrong when it says so.
    """
    columns = ["Images", "Missed", "Mostly taken for", "Wrong when it says so"]
    if read is None:
        return pd.DataFrame({"Emotion": EMOTIONS} | dict.fromkeys(columns, "open"))
    counts = confusion(*read, examined)
    wrong = counts - np.diag(counts.diagonal())
    rows = zip(wrong, counts.sum(axis=1), wrong.sum(axis=0), counts.sum(axis=0))
    return pd.DataFrame(
        {
            "Emotion": emotion,
            "Images": f"{of:,}",
            "Missed": with_interval(metrics.share(row.sum(), of)),
            "Mostly taken for": f"{EMOTIONS[row.argmax()]} ({percent(row.max() / of)})",
            "Wrong when it says so": with_interval(metrics.share(false, said)) if said else "–",
        }
        for emotion, (row, of, false, said) in zip(EMOTIONS, rows)
    )


# Words


def caution(emotion: str, wrong: float) -> str:
    """How often an answer is wrong, in a sentence for whoever was just given it."""
    if np.isnan(wrong):
        return f"On new faces it never said “{emotion}”."
    return f"On new faces, “{emotion}” was wrong {percent(wrong, 0)} of the time."


def still_open() -> Markdown:
    """That there is no network to try yet, and what makes one."""
    return Markdown(
        "**Open**: the network has not been exported to this page. `make small FER2013=PATH` "
        f"trains it, `{face.COMMAND}` exports it."
    )


def accuracy(read: tuple[Face, Trained] | None, examined: Examination) -> Markdown | None:
    """How often the network is right, and how far it agrees with the one it was made of."""
    if read is None:
        return None
    found, trained = read
    counts = confusion(found, trained, examined)
    right = metrics.share(counts.trace(), counts.sum())
    plain = trained.files.forms["float32"].answers
    same = [
        np.equal(*(answers.labels(one, split) for one in (found.answers, plain)))
        for split in HELD_OUT
    ]
    return Markdown(
        f"It is right for {with_interval(right)} of the new faces of {TEST}, and answers "
        f"{percent(np.concatenate(same).mean())} of all held-out images as the file with float32 "
        "weights does."
    )
