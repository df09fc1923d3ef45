"""An image file -> grey faces of FER-2013's size -> what a recorded network answers.

Reads image files and the weights of a run; writes nothing. Imports Keras only to answer.
"""

import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps
from scipy import special

from ferutils import paths
from ferutils.dataset import fer2013, images
from ferutils.measuring import backend, detecting, recording
from ferutils.records import crop, runs
from ferutils.records.crop import Square
from ferutils.records.runs import Record

MAX_FILE_BYTES = 64 * 1024**2  # of one image file; a telephone's photographs have up to 20 MB
FORMATS = ("PNG", "JPEG")
HIGH_BYTE = 256  # 16-bit grey levels per 8-bit one
LONGEST = 3072  # pixels of a picture's longer side, which a larger one is made smaller to
SIZE = (fer2013.IMAGE_SIZE, fer2013.IMAGE_SIZE)
INK, PAPER = "black", "yellow"  # of what is drawn on a picture


class Face(NamedTuple):
    """A face as the networks see it, uint8 (48, 48), 0..255, and where it was."""

    pixels: np.ndarray
    square: Square | None  # in pixels of the upright file; None: the picture was the face


def faces(files: Sequence[Path], all_whole: bool = False) -> list[list[Face]]:
    """The faces of image files, from left to right; none where none was found.

    A picture of 48 x 48 pixels is a face. In others faces are looked for, and cut out as those of
    FER-2013 were.

    Args:
        files: PNG or JPEG files.
        all_whole: a face fills each picture, and none is looked for.

    Raises:
        ValueError: as `picture`; or the detector is not installed, or the record of how FER-2013
            cut its faces out is not there.
    """
    found: list[list[Face]] = []
    detector = rule = None
    for file in files:
        shown, scale = picture(file)
        if all_whole or shown.size == SIZE:
            found.append([Face(whole(shown), None)])
            continue
        detector, rule = detector or detecting.Detector(), rule or crop.read().rule
        squares = [rule.square(*box.place) for box in detector.find(shown)]
        found.append(
            [Face(cut(shown, one), Square(*(scale * at for at in one))) for one in squares]
        )
    return found


def picture(path: Path) -> tuple[Image.Image, float]:
    """An image file, upright and in the usual colours, of at most 3,072 pixels a side.

    It is turned as its EXIF says, transparency laid on white; of it no EXIF is left.

    Args:
        path: a PNG or JPEG file.

    Returns:
        The picture, RGB; and how many pixels of the file one of its pixels is wide.

    Raises:
        ValueError: there is no such file, or it is no PNG or JPEG image, damaged, or too large.
    """
    content = _content(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=FORMATS) as image:
                longest = max(image.size)
                image.draft(None, (LONGEST, LONGEST))  # JPEG is read at a fraction of its size
                found = _coloured(ImageOps.exif_transpose(image))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise ValueError(
            f"Expected an image of at most {Image.MAX_IMAGE_PIXELS:,} pixels. Received: "
            f"{path.name!r}, which has more. Make it smaller, or cut the face out of it."
        ) from None
    except images.UNREADABLE_IMAGE as problem:
        kind = type(problem).__name__
        raise ValueError(
            f"Expected a PNG or JPEG image. Received: {path.name!r}, which cannot be read as one "
            f"({kind}). Convert it, or give another file."
        ) from None
    found.thumbnail((LONGEST, LONGEST))
    return found, longest / max(found.size)


def whole(shown: Image.Image) -> np.ndarray:
    """A picture that a face fills as the networks see it: grey, 48 x 48 pixels.

    Colour is made grey (ITU-R 601-2 luma); then the largest square around its centre is cut out and
    resized, so that nothing is distorted. A grey picture of 48 x 48 pixels stays as it is.

    Args:
        shown: RGB or grey.

    Returns:
        uint8 (48, 48), 0..255.
    """
    return np.asarray(ImageOps.fit(shown.convert("L"), SIZE))


def cut(shown: Image.Image, square: Square) -> np.ndarray:
    """A square of a picture as the networks see a face; beyond the rim, the rim is repeated.

    Args:
        shown: RGB or grey.
        square: it touches the picture; its side is positive.

    Returns:
        uint8 (48, 48), 0..255.
    """
    left, top = (int(np.floor(at)) for at in square[:2])
    size = int(np.ceil(square.side)) + 1
    rows = np.clip(np.arange(top, top + size), 0, shown.height - 1)
    columns = np.clip(np.arange(left, left + size), 0, shown.width - 1)
    around = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
    grey = np.asarray(shown.crop(tuple(map(int, around))).convert("L"))
    region = Image.fromarray(grey[np.ix_(rows - rows[0], columns - columns[0])])
    x, y = square.left - left, square.top - top
    box = (x, y, x + square.side, y + square.side)
    return np.asarray(region.resize(SIZE, Image.Resampling.BICUBIC, box=box))


def drawn(file: Path, found: Sequence[Face], texts: Sequence[str]) -> Image.Image:
    """The picture of an image file with a square around each face, and a text at it.

    Args:
        file: a PNG or JPEG file.
        found: its faces, as `faces` finds them.
        texts: a line for each.

    Raises:
        ValueError: as `picture`.
    """
    shown, scale = picture(file)
    pen, letters = ImageDraw.Draw(shown), max(12, max(shown.size) // 60)
    font = ImageFont.load_default(letters)
    squares = [tuple(at / scale for at in face.square) for face in found if face.square]
    for left, top, side in squares:
        corners = (left, top, left + side, top + side)
        pen.rectangle(corners, outline=PAPER, width=max(2, letters // 8))
    for (left, top, _), text in zip(squares, texts):  # no line goes through a text
        inside = top < 1.4 * letters  # above the picture there is no room
        at, anchor = (max(left, 0), max(top, 0)), "la" if inside else "ld"
        pen.rectangle(pen.textbbox(at, text, font, anchor=anchor), fill=PAPER)
        pen.text(at, text, INK, font, anchor=anchor)
    return shown


def _content(path: Path) -> bytes:
    if not path.is_file():
        what = "which is no file" if path.exists() else "which does not exist"
        raise ValueError(
            f"Expected the path of a PNG or JPEG image. Received: {str(path)!r}, {what}. "
            "Correct the path."
        )
    with path.open("rb") as file:
        content = file.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise ValueError(
            f"Expected an image file of at most {MAX_FILE_BYTES:,} bytes. Received: {path.name!r}, "
            "which is larger. Cut the face out of it."
        )
    return content


def _coloured(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits, of which Pillow would clip all but the darkest
        image = Image.fromarray((np.asarray(image) // HIGH_BYTE).astype(np.uint8))
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA"))
    return image.convert("RGB")


def log_probabilities(record: Record, faces: np.ndarray) -> np.ndarray:
    """What the network of a run answers, with the weights that its training kept.

    Args:
        record: a finished run.
        faces: uint8 (n, 48, 48), 0..255, n at least 1.

    Returns:
        float64 (n, 7), natural logarithms in label order, at most 0.

    Raises:
        ValueError: the weights are not at hand, damaged, or not those of the run; or its training
            diverged, so that it answers nothing.
    """
    logits = trained(record).predict(faces[..., None], verbose=0).astype(np.float64)
    if not np.isfinite(logits).all():
        raise ValueError(
            f"Expected numbers as answers of run {record.run.id}. Received: NaN or infinity, "
            "because its training diverged. Choose another run."
        )
    return special.log_softmax(logits, axis=1)


def _weights(record: Record) -> Path:
    """The weights file of a run; without one, the error says what trains the run again."""
    path = recording.weights(record.run.id)
    if not path.is_file():
        raise ValueError(
            f"Expected the weights of run {record.run.id} in {path}. Received: no such file, as "
            "weights are kept outside git. Train the run again: " + training_command(record)
        )
    return path


def training_command(record: Record) -> str:
    """The command that trains a run again though it has a record."""
    return f"FORCE=1 {record.recipe.command()}"


def weights_sums(record: Record) -> set[str]:
    """The sums that the weights of a run may have; none where its record has none.

    A run of the report that was trained again has a second record, which its weights belong to.

    Raises:
        ValueError: as `runs.read_run`, of the second record.
    """
    again = paths.new_runs() / record.run.id
    every = [record.run, *([runs.read_run(again)] if (again / "run.json").is_file() else [])]
    return {run.weights_sha256 for run in every if run.weights_sha256}


def trained(record: Record):
    """The model of a run with its weights.

    The network is built by this package and only arrays are read from the file, in Keras' weights
    format: neither a pickled object nor code can come in with it.

    Raises:
        ValueError: the weights are not at hand, damaged, or not those of the run.
    """
    path = _weights(record)
    backend.load()
    from ferutils.measuring import models

    model = models.build(record.recipe)
    try:
        with warnings.catch_warnings():
            # Adam's own state is of no use here, and Keras says that it was left out.
            warnings.filterwarnings("ignore", "Skipping variable loading for optimizer")
            model.load_weights(path)
    except (AttributeError, KeyError, OSError, RuntimeError, TypeError, ValueError) as problem:
        raise ValueError(
            f"Expected weights of the {record.recipe.model} network in {path}. Received: a file "
            f"that is damaged or of another network ({type(problem).__name__}). Remove it and "
            "train the run again: " + training_command(record)
        ) from None
    sums, received = weights_sums(record), recording.weights_sum(model)
    if sums and received not in sums:
        raise ValueError(
            f"Expected the weights that run {record.run.id} left, with the sum "
            f"{' or '.join(sorted(sums))}. Received: {path} with {received}. Remove it and train "
            "the run again: " + training_command(record)
        )
    return model
