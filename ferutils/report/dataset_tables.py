"""What the dataset holds -> pandas frames: splits, classes, copies.

Reads what it is given; writes nothing. Frames hold text ready to print, or numbers to draw.
"""

from itertools import combinations

import pandas as pd

from ferutils.claims.paper import Paper
from ferutils.dataset.fer2013 import EMOTIONS, FER2013, SPLITS
from ferutils.records.examination import Examination
from ferutils.report.tables import percent


def splits(counts: dict[str, list[int]], paper: Paper) -> pd.DataFrame:
    """Images per split beside the paper's words and the published counts.

    Columns: Split, The paper's words, Published, Counted.
    """
    words = ("dataset-training-images", "dataset-validation-images", "dataset-test-images")
    return pd.DataFrame(
        [
            {
                "Split": split,
                "The paper's words": paper.claim(claim).printed,
                "Published": f"{sum(FER2013[split]['counts']):,}",
                "Counted": f"{sum(counts[split]):,}",
            }
            for split, claim in zip(SPLITS, words, strict=True)
        ]
    )


def classes(counts: dict[str, list[int]]) -> pd.DataFrame:
    """Images per emotion and split.

    Columns: Emotion, each split, Share (of Training, PublicTest and PrivateTest together).
    """
    frame = pd.DataFrame(counts, index=EMOTIONS)
    share = frame.sum(axis=1) / frame.to_numpy().sum()
    shown = frame.map(lambda count: f"{count:,}").assign(Share=share.map(percent))
    return shown.reset_index(names="Emotion")


def copies(found: Examination) -> pd.DataFrame:
    """Copies, photographs that are in Training too, and images without a face, by split.

    Columns: Split, Images, Copies of an earlier one in it, Copies of one in Training, Photograph
    in Training, Blank, No photograph.
    """
    return pd.DataFrame(
        [
            {
                "Split": split,
                "Images": f"{found.images[split]:,}",
                "Copies of an earlier one in it": f"{found.copies_within[split]:,}",
                "Copies of one in Training": _counted(found.in_training, split),
                "Photograph in Training": _counted(found.near_in_training, split),
                "Blank": f"{len(found.blank[split]):,}",
                "No photograph": f"{len(found.unlike_faces[split]):,}",
            }
            for split in SPLITS
        ]
    )


def _counted(places: dict[str, list[int]], split: str) -> str:
    return f"{len(places[split]):,}" if split in places else "–"


def across(found: Examination) -> pd.DataFrame:
    """Images of each split that have another image in a split: copies, and of one photograph.

    Columns: Images of, and for each split the images that stand in it too.
    """
    return pd.DataFrame(
        [
            {"Images of": split}
            | {f"that stand in {other} too": _both(found, split, other) for other in SPLITS}
            for split in SPLITS
        ]
    )


def _both(found: Examination, split: str, other: str) -> str:
    exact, near = (sum(alike.images[split][other]) for alike in (found.exact, found.near))
    return f"{exact:,} / {near:,}"


def leaked_by_emotion(found: Examination, counts: dict[str, list[int]]) -> pd.DataFrame:
    """Per emotion, the share of held-out images whose copy, or photograph, is in Training.

    Columns: Emotion, and each held-out split.
    """
    rows = []
    for label, emotion in enumerate(EMOTIONS):
        row = {"Emotion": emotion}
        for split in SPLITS[1:]:
            shares = [
                percent(alike.images[split]["Training"][label] / counts[split][label])
                for alike in (found.exact, found.near)
            ]
            row[split] = " / ".join(shares)
        rows.append(row)
    return pd.DataFrame(rows)


def planted(found: Examination) -> pd.DataFrame:
    """How many near copies the examination finds where they have been planted, by their kind.

    Columns: Near copy, Planted, Found.
    """
    known = found.planted
    return pd.DataFrame(
        [
            {
                "Near copy": kind,
                "Planted": f"{known.pictures:,}",
                "Found": percent(count / known.pictures, 0),
            }
            for kind, count in known.found.items()
        ]
    )


def contradictions(found: Examination) -> pd.DataFrame:
    """Pictures, and photographs, that stand in the dataset with two labels: how many for each two.

    Columns: label, other_label, photographs, equal_images.
    """
    return pd.DataFrame(
        [
            (EMOTIONS[other], EMOTIONS[one], *(some.groups[one][other] for some in kinds))
            for kinds in [(found.near, found.exact)]
            for one, other in combinations(range(len(EMOTIONS)), 2)
        ],
        columns=["label", "other_label", "photographs", "equal_images"],
    )
