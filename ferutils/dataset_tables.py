"""What the dataset holds -> pandas frames: splits, classes, copies.

Reads what it is given; writes nothing. Frames hold text ready to print.
"""

import pandas as pd

from ferutils.data import EMOTIONS, FER2013, SPLITS
from ferutils.examination import Examination
from ferutils.paper import Paper
from ferutils.tables import percent


def splits(counts: dict[str, list[int]], paper: Paper) -> pd.DataFrame:
    """Images per split beside the paper's words and the published counts."""
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
    """Images per emotion and split."""
    frame = pd.DataFrame(counts, index=EMOTIONS)
    share = frame.sum(axis=1) / frame.to_numpy().sum()
    shown = frame.map(lambda count: f"{count:,}").assign(Share=share.map(percent))
    return shown.reset_index(names="Emotion")


def copies(found: Examination) -> pd.DataFrame:
    """Copies and blank pictures of each split."""
    return pd.DataFrame(
        [
            {
                "Split": split,
                "Images": f"{found.images[split]:,}",
                "Copies of an earlier one": f"{found.copies_within[split]:,}",
                "Stand in Training too": f"{len(found.in_training[split]):,}"
                if split in found.in_training
                else "–",
                "Blank": f"{len(found.blank[split]):,}",
            }
            for split in SPLITS
        ]
    )
