"""Faces -> the same faces with noise, shifted, rotated, brighter, blurred, compressed, covered.

Reads and returns arrays; writes nothing.
"""

import io

import numpy as np
from PIL import Image
from scipy import ndimage

from ferutils.dataset.fer2013 import IMAGE_SIZE

WHITE = 255


def perturb(images: np.ndarray, kind: str, strength: float, seed: int) -> np.ndarray:
    """Images changed in one way; what is drawn depends on the seed and the kind alone.

    Args:
        images: uint8 (n, 48, 48), 0..255.
        kind: a name in WAYS.
        strength: of the change: of noise the standard deviation and of brightness what is added,
            as shares of white; of a shift pixels, up, down, left or right; of a rotation degrees,
            either way; of a blur the standard deviation in pixels; of JPEG the quality; of an
            occlusion the width in pixels of a square of the image's mean grey.
        seed: 0 or more.

    Returns:
        uint8 (n, 48, 48), 0..255; what comes in over the border repeats the edge.
    """
    rng = np.random.default_rng([seed, list(WAYS).index(kind)])
    return WAYS[kind](images, strength, rng)


def _grey(values: np.ndarray) -> np.ndarray:
    return np.rint(values).clip(0, WHITE).astype(np.uint8)


def _noise(images: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    drawn = rng.standard_normal(images.shape, dtype=np.float32)
    return _grey(images + strength * WHITE * drawn)


def _shift(images: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    pixels = int(strength)
    edged = np.pad(images, ((0, 0), (pixels, pixels), (pixels, pixels)), mode="edge")
    ways = [(0, pixels), (2 * pixels, pixels), (pixels, 0), (pixels, 2 * pixels)]
    moved = [edged[:, top : top + IMAGE_SIZE, left : left + IMAGE_SIZE] for top, left in ways]
    return np.choose(rng.integers(len(ways), size=len(images))[:, None, None], moved)


def _rotation(images: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    turned = [
        ndimage.rotate(images, angle, axes=(1, 2), reshape=False, order=1, mode="nearest")
        for angle in (-strength, strength)
    ]
    return np.choose(rng.integers(2, size=len(images))[:, None, None], turned)


def _brightness(images: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    return _grey(images + strength * WHITE)


def _blur(images: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    return _grey(ndimage.gaussian_filter(images.astype(np.float32), (0, strength, strength)))


def _jpeg(images: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    return np.stack([_compressed(image, int(strength)) for image in images])


def _compressed(image: np.ndarray, quality: int) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def _occlusion(images: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    drawn = rng.random((2, len(images), 1))  # the same for every width
    corners = (drawn * (IMAGE_SIZE - strength + 1)).astype(int)
    places = np.arange(IMAGE_SIZE)
    rows, columns = (corners <= places) & (places < corners + strength)
    mean = _grey(images.mean(axis=(1, 2), keepdims=True))
    return np.where(rows[:, :, None] & columns[:, None, :], mean, images)


# A kind's position is part of the seed of what is drawn: new ones go to the end.
WAYS = {
    "noise": _noise,
    "shift": _shift,
    "rotation": _rotation,
    "brightness": _brightness,
    "blur": _blur,
    "JPEG": _jpeg,
    "occlusion": _occlusion,
}
