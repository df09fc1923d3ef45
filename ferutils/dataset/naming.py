"""What the names of files and folders say of an image: its split and its label. Reads nothing."""

import re
from pathlib import PurePosixPath
from typing import NamedTuple

from ferutils.dataset.fer2013 import EMOTIONS, SPLITS

TEST = "test"  # PublicTest, PrivateTest or both: other names decide
OFFICIAL = {split.lower(): split for split in SPLITS}
SPLIT_WORDS = {
    **OFFICIAL,
    "train": "Training",
    **dict.fromkeys(("val", "valid", "validation", "validate", "dev"), "PublicTest"),
    **dict.fromkeys(("eval", "evaluation"), "PublicTest"),
    **dict.fromkeys((TEST, "testing"), TEST),
}
# In a table they would be a cut-off word.
FOLDER_WORDS = SPLIT_WORDS | {"public": "PublicTest", "private": "PrivateTest"}
EMOTION_WORDS = {
    **{emotion: label for label, emotion in enumerate(EMOTIONS)},
    **dict.fromkeys(("anger", "ang"), 0),
    **dict.fromkeys(("disgusted", "disgusting", "dis"), 1),
    **dict.fromkeys(("fearful", "afraid", "scared", "fea"), 2),
    **dict.fromkeys(("happiness", "joy", "hap"), 3),
    **dict.fromkeys(("sadness",), 4),
    **dict.fromkeys(("surprised", "suprise", "suprised", "sur"), 5),
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
    folder_split, folder_class = (splits or [None])[-1], _class_folder(folders)
    own = [OFFICIAL[word] for word in _words(base) if word in OFFICIAL]
    own = own[0] if own else SPLIT_WORDS.get(base.partition("_")[0])
    own = own if own in SPLITS else None
    label = emotion(folder_class) if folder_class else _told(base)
    contradiction, number = "", re.match(r"\W*(\d+)", folder_class)
    if own and folder_split and own != folder_split and (own == "Training" or folder_split != TEST):
        contradiction = "a file name that contradicts its folder's split (the name decides)"
    elif number and int(number[1]) != label:
        contradiction = "a class folder whose number contradicts its word (the word decides)"
    root = "/".join(f for f in folders if f != folder_class and not _split(f))
    return Said(own or folder_split or _split(PurePosixPath(base).stem), label, root, contradiction)


def emotion(name: str) -> int | None:
    """The label that a class folder names: by official number, or by one word whatever is beside.

    As 3, 03, class_3, happy, 3_happy, (3) Happy, happy faces.
    """
    number = re.fullmatch(r"(?:class|label|emotion)?[\W_]*0?([0-6])", name.strip().lower())
    return int(number[1]) if number else _told(name.lower())


def _class_folder(folders: list[str]) -> str:
    """The innermost folder that names a class and nothing else; else one that also names it."""
    classes = [folder for folder in folders if emotion(folder) is not None]
    alone = [folder for folder in classes if len(_words(folder)) < 2]
    return (alone or classes or [""])[-1]


def _told(name: str) -> int | None:
    labels = {EMOTION_WORDS[word] for word in _words(name) if word in EMOTION_WORDS}
    return labels.pop() if len(labels) == 1 else None


def _split(name: str) -> str | None:
    words = _words(name)
    words = [word.removesuffix("set") for word in ("".join(words), *words)]  # also public_test
    found = [FOLDER_WORDS[word] for word in words if word in FOLDER_WORDS]
    return min(found, key=TEST.__eq__, default=None)  # test_public is public


def _words(name: str) -> list[str]:
    return re.findall(r"[a-z]+", name)
