"""What the names of files and folders say of an image: its split and its label. Reads nothing."""

import re
from pathlib import PurePosixPath
from typing import NamedTuple

from ferutils.dataset.fer2013 import EMOTIONS, SPLITS

TEST = "test"  # PublicTest, PrivateTest or both: other names decide
SPLIT_WORDS = {
    **{split.lower(): split for split in SPLITS},
    "train": "Training",
    **dict.fromkeys(("val", "valid", "validation", "dev"), "PublicTest"),
    **dict.fromkeys((TEST, "testing"), TEST),
}
EMOTION_WORDS = {
    **{emotion: label for label, emotion in enumerate(EMOTIONS)},
    **dict.fromkeys(("anger", "ang"), 0),
    **dict.fromkeys(("disgusted", "disgusting", "dis"), 1),
    **dict.fromkeys(("fearful", "afraid", "scared", "fea"), 2),
    **dict.fromkeys(("happiness", "joy", "hap"), 3),
    **dict.fromkeys(("sadness",), 4),
    **dict.fromkeys(("surprised", "sur"), 5),
    **dict.fromkeys(("neutrality", "normal", "neu"), 6),
}


class Said(NamedTuple):
    """What a file's name says.

    Attributes:
        split: one of `SPLITS`, "test", or None.
        label: 0..6 or None.
        root: the folders that name neither.
        contradiction: what in the name contradicts the rest, in words; "" mostly.
    """

    split: str | None
    label: int | None
    root: str
    contradiction: str


def said_by(name: str) -> Said:
    """What a file's path below its source says; the file's own name weighs more than folders."""
    *folders, base = PurePosixPath(name.lower()).parts
    splits = [split for folder in folders if (split := _split(folder))]
    classes = [folder for folder in folders if emotion(folder) is not None and not _split(folder)]
    folder_split, folder_class = (splits or [None])[-1], (classes or [None])[-1]
    prefix = SPLIT_WORDS.get(base.partition("_")[0])
    own = prefix if prefix in SPLITS else None
    label = emotion(folder_class or "")
    if label is None:
        labels = [EMOTION_WORDS[word] for word in _words(base) if word in EMOTION_WORDS]
        label = labels[0] if len(set(labels)) == 1 else None
    contradiction = ""
    if own and folder_split and own != folder_split and (own == "Training" or folder_split != TEST):
        contradiction = "a file name that contradicts its folder's split (the name decides)"
    elif folder_class and folder_class[0].isdigit() and int(folder_class[0]) != label:
        contradiction = "a class folder whose number contradicts its word (the word decides)"
    root = "/".join(f for f in folders if f != folder_class and not _split(f))
    return Said(own or folder_split or _split(PurePosixPath(base).stem), label, root, contradiction)


def emotion(name: str) -> int | None:
    """The label that a class folder names by word, by official number or by both."""
    found = re.fullmatch(r"(?:[0-6][ _.-]*)?([a-z]+)(?:[ _.-]*[0-6])?|([0-6])", name.lower())
    if not found:
        return None
    return EMOTION_WORDS.get(found[1]) if found[1] else int(found[2])


def _split(name: str) -> str | None:
    words = ["".join(_words(name)), *_words(name)]  # also public_test
    found = [SPLIT_WORDS[word] for word in words if word in SPLIT_WORDS]
    return found[0] if found else None


def _words(name: str) -> list[str]:
    return re.findall(r"[a-z]+", name)
