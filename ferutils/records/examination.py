"""What is in the dataset besides different faces: copies, near copies, contradictions, no faces.

Writes and reads book/examination.json. It holds numbers and positions, no image.
"""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from ferutils import paths, storage

EXAMINATION_FILE = paths.BOOK / "examination.json"


class Alike(BaseModel):
    """Groups of two or more images that show the same, counted; emotions in label order.

    Attributes:
        sizes: how many groups have so many images.
        images: by split and by split again: images of the first that have another image of their
            group in the second, 7 numbers by emotion.
        pairs: by split and by split again, each two splits once and each with itself: unordered
            pairs of images in one group, 7 x 7 by their emotions; below the diagonal all is 0.
        groups: 7 x 7: on the diagonal, groups that bear this label only; above it, groups in which
            both labels occur; below it all is 0.
        contradicting_groups: groups with more than one label.
        contradicting_images: the images in them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    sizes: dict[int, int]
    images: dict[str, dict[str, list[int]]]
    pairs: dict[str, dict[str, list[list[int]]]]
    groups: list[list[int]]
    contradicting_groups: int
    contradicting_images: int


class Planted(BaseModel):
    """Near copies that were planted, and how many of them the comparison finds.

    Attributes:
        pictures: how many have been changed in each way.
        among: how many pictures the copies were planted among, these included.
        found: by change, copies that were linked to their own picture.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    pictures: int
    among: int
    found: dict[str, int]


class Examination(BaseModel):
    """What was found in a dataset; positions count from 0 in its canonical order.

    The attributes up to `blank` rest on equality of pixels, those below also on the comparison of
    `links`; they are None in an examination that did without, which is never a recorded one.

    Attributes:
        fingerprints: SHA-256 of each split that was examined.
        images: by split, how many.
        copies_within: by split, images equal pixel for pixel to an earlier one of the same split.
        copies_in_all: images equal to an earlier one of the whole dataset, split by split.
        in_training: by held-out split, positions of the images that stand in Training too.
        contradicting_pictures: pictures that stand in the dataset with more than one label.
        contradicting_images: the images that show one of them.
        blank: by split, positions of images whose pixels hardly differ.
        exact: images equal pixel for pixel.
        near: images of one photograph, see `components`; exact copies among them.
        near_in_training: by held-out split, positions of the images whose photograph stands in
            Training too; exact copies among them.
        candidates: pairs of different pictures that the first comparison left to the second.
        linked: pairs of different pictures that the second one found to be of one photograph.
        linked_mirrored: those of them of which one picture is mirrored.
        unlike_faces: by split, positions of `placeholders` and of the images in their groups;
            blank ones are not among them. Not all images without a face are found, and a few of
            these show a drawn face.
        method: the constants of the method, `METHOD`.
        planted: how much the comparison finds of what is known to be there.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    fingerprints: dict[str, str]
    images: dict[str, int]
    copies_within: dict[str, int]
    copies_in_all: int
    in_training: dict[str, list[int]]
    contradicting_pictures: int
    contradicting_images: int
    blank: dict[str, list[int]]
    exact: Alike | None = None
    near: Alike | None = None
    near_in_training: dict[str, list[int]] | None = None
    candidates: int | None = None
    linked: int | None = None
    linked_mirrored: int | None = None
    unlike_faces: dict[str, list[int]] | None = None
    method: dict[str, int | float] | None = None
    planted: Planted | None = None


def read(path: Path = EXAMINATION_FILE) -> Examination:
    """The recorded examination.

    Raises:
        ValueError: there is none, or it is damaged or incomplete.
    """
    remedy = "Restore it from git, or run make examine FER2013=PATH."
    with storage.expecting("the examination of the dataset", path, remedy):
        found = Examination.model_validate_json(storage.unsealed(path))
        missing = set(Examination.model_fields) - found.model_fields_set
        if missing:
            raise ValueError(f"no {', '.join(sorted(missing))}")
        return found


def write(found: Examination, path: Path = EXAMINATION_FILE) -> None:
    """Write an examination, whole or not at all."""
    storage.write_whole(path, storage.sealed(found.model_dump_json()))
