"""Pictures -> the near copies of them that are planted, to see how many an examination finds.

Reads arrays; writes nothing.
"""

import io
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw

from ferutils.dataset.fer2013 import IMAGE_SIZE

BAR = 10  # rows of a caption
Change = Callable[[np.ndarray], np.ndarray]


def _shifted(pixels: int) -> Change:
    def change(picture):
        padded = np.pad(picture, ((pixels, 0), (0, pixels)), mode="edge")
        return padded[:-pixels, pixels:]

    return change


def _cropped(margin: int) -> Change:
    def change(picture):
        inner = Image.fromarray(picture[margin:-margin, margin:-margin])
        return np.asarray(inner.resize((IMAGE_SIZE, IMAGE_SIZE), Image.Resampling.BILINEAR))

    return change


def _rotated(degrees: float) -> Change:
    def change(picture):
        edge = IMAGE_SIZE // 2
        wide = Image.fromarray(np.pad(picture, edge, mode="edge"))
        return np.asarray(wide.rotate(degrees, Image.Resampling.BILINEAR))[edge:-edge, edge:-edge]

    return change


def _captioned(picture):
    image = Image.fromarray(picture)
    drawing = ImageDraw.Draw(image)
    drawing.rectangle((0, IMAGE_SIZE - BAR, IMAGE_SIZE, IMAGE_SIZE), fill=0)
    drawing.text((2, IMAGE_SIZE - BAR - 1), "caption", fill=255)
    return np.asarray(image)


def _recompressed(picture):
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=40)
    return np.asarray(Image.open(file))


# What befalls a photograph on its way into a second collection; each uint8 (48, 48) -> the same.
CHANGES: dict[str, Change] = {
    "shifted by 1 pixel": _shifted(1),
    "shifted by 3 pixels": _shifted(3),
    "cropped by 3 pixels on each side": _cropped(3),
    "mirrored": lambda picture: picture[:, ::-1],
    "paler": lambda picture: (0.6 * picture + 60).astype(np.uint8),
    "compressed as JPEG": _recompressed,
    "with a bar of text": _captioned,
    "rotated by 3 degrees": _rotated(3),
    "rotated by 10 degrees": _rotated(10),
}


def near_copies(pictures: np.ndarray) -> np.ndarray:
    """Each picture after each of `CHANGES`.

    Args:
        pictures: uint8 (n, 48, 48), 0..255.

    Returns:
        uint8 (changes, n, 48, 48).
    """
    return np.array([[change(one) for one in pictures] for change in CHANGES.values()])
