"""Whether people agree with FER-2013's labels, and with the networks' mistakes: counts.

Writes and reads book/crowd.json. It holds no image and no votes on single images.
"""

from datetime import datetime
from typing import Annotated

from pydantic import Field, model_validator

from ferutils import paths, storage
from ferutils.records.keeping import HELD_OUT
from ferutils.records.runs import Code, Count, DatasetNote, Part, Words

FILE = paths.BOOK / "crowd.json"
COMMAND = "FER2013=fer2013.csv FERPLUS=fer2013new.csv ferutils measure crowd"

RunId = Annotated[str, Field(pattern=rf"^{paths.RUN_ID}$")]


class Labels(Part):
    """A split: what the crowd says beside FER-2013's labels, in images.

    A first choice is one that no other has more votes than; of equal ones, each is.
    """

    images: Count
    agreed: Count  # the label is a first choice
    shared: Count  # there are several first choices
    divided: Count  # no choice has more than half of the ten votes
    no_emotion: Count  # each first choice is contempt, unknown or no face


class Mistakes(Part):
    """The images of a split that a run answers otherwise than FER-2013, by what the crowd says."""

    no_emotion: Count  # as in `Labels`; the others are of the rest
    first: Count  # the answer is a first choice
    second: Count  # only first choices have more votes than the answer
    other: Count  # the answer has fewer votes than these
    unchosen: Count  # nobody voted for the answer

    @property
    def wrong(self) -> int:
        """How many there are."""
        return self.no_emotion + self.first + self.second + self.other + self.unchosen


class Crowd(Part):
    """The content of `crowd.json`."""

    votes_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]  # of fer2013new.csv
    # Cohen's, of labels and first choices, in the block of rows where it is lowest.
    kappa: Annotated[float, Field(ge=-1, le=1)]
    dataset: DatasetNote
    labels: dict[Words, Labels]  # by held-out split
    mistakes: dict[RunId, dict[Words, Mistakes]]  # by run and held-out split
    code: Code
    measured: datetime

    @model_validator(mode="after")
    def _counts_each_image(self) -> "Crowd":
        images = {split: sum(self.dataset.counts[split]) for split in HELD_OUT}
        if {split: one.images for split, one in self.labels.items()} != images:
            raise ValueError("not each held-out image counted")
        if any(max(one.model_dump().values()) > one.images for one in self.labels.values()):
            raise ValueError("more of some images than there are")
        for run, by_split in self.mistakes.items():
            if set(by_split) != set(images):
                raise ValueError(f"not the mistakes of {run} on both held-out splits")
            if any(one.wrong > images[split] for split, one in by_split.items()):
                raise ValueError(f"more mistakes of {run} than images")
        return self


def read() -> Crowd | None:
    """The record, or None where nobody has given FER+ yet.

    Raises:
        ValueError: it is damaged or was edited.
    """
    if not FILE.exists():
        return None
    remedy = f"Restore it from git, or run {COMMAND}."
    with storage.expecting("what the crowd says", FILE, remedy):
        return Crowd.model_validate_json(storage.unsealed(FILE))


def write(found: Crowd) -> None:
    """Write the record, whole or not at all."""
    storage.write_whole(FILE, storage.sealed(found.model_dump_json(indent=1)))
