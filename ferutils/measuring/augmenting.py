"""What a training of a network for a phone sees: augmented images, and the answers it is to give.

Reads and writes nothing. Backend-neutral: keras.ops samples the pixels, numpy draws all numbers.
"""

import numpy as np
from keras import ops

from ferutils.dataset.fer2013 import EMOTIONS, IMAGE_SIZE
from ferutils.records.small import Recipe

SQUARE = (8, 17)  # pixels of a blanked square, from and below


def augmented(images: np.ndarray, recipe: Recipe, random: np.random.Generator) -> np.ndarray:
    """Images as a step of training sees them: moved, with other contrast, partly blanked.

    Mirror, rotation, scale and shift are one bilinear sampling, beyond the border of its pixels.

    Args:
        images: uint8 (n, 48, 48), 0..255.
        recipe: how much.
        random: what they are drawn from.

    Returns:
        float32 (n, 48, 48, 1), 0..255.
    """
    count = len(images)
    pixels = ops.image.affine_transform(
        images[..., None].astype(np.float32), _moves(count, recipe, random), fill_mode="nearest"
    )
    pixels = ops.convert_to_numpy(pixels)
    mean = pixels.mean(axis=(1, 2, 3), keepdims=True)
    contrast, brightness = (
        random.uniform(-most, most, mean.shape).astype(np.float32)
        for most in (recipe.contrast, recipe.brightness)
    )
    pixels = np.clip((pixels - mean) * (1 + contrast) + (mean + 255 * brightness), 0, 255)
    blank = _squares(count, recipe, random)[..., None]
    return np.where(blank, pixels.mean(axis=(1, 2, 3), keepdims=True), pixels)


def _moves(count: int, recipe: Recipe, random: np.random.Generator) -> np.ndarray:
    """Where each pixel comes from: float32 (count, 8), as `affine_transform` takes it."""
    angle = np.radians(random.uniform(-recipe.rotation, recipe.rotation, count))
    scale = random.uniform(1 - recipe.scale, 1 + recipe.scale, count)
    shift = IMAGE_SIZE * random.uniform(-recipe.shift, recipe.shift, (count, 2))
    side = np.where(random.random(count) < 0.5 * recipe.mirror, -1, 1)
    cos, sin = np.cos(angle) / scale, np.sin(angle) / scale
    turn = np.array([[side * cos, -sin], [side * sin, cos]]).transpose(2, 0, 1)
    centre = np.full(2, (IMAGE_SIZE - 1) / 2)
    start = centre + shift - turn @ centre
    rows = np.concatenate([turn, start[..., None]], axis=2).reshape(count, 6)
    return np.pad(rows, ((0, 0), (0, 2))).astype(np.float32)


def _squares(count: int, recipe: Recipe, random: np.random.Generator) -> np.ndarray:
    """Which pixels are blanked: bool (count, 48, 48), one square in some of the images."""
    size = random.integers(*SQUARE, count)
    corner = random.integers(0, IMAGE_SIZE - size[:, None] + 1, (count, 2))
    there = random.random(count) < recipe.blanked
    line = np.arange(IMAGE_SIZE)
    inside = [(line >= at[:, None]) & (line < (at + size)[:, None]) for at in corner.T]
    return inside[0][:, :, None] & inside[1][:, None, :] & there[:, None, None]


def targets(labels: np.ndarray, recipe: Recipe, taught: np.ndarray | None) -> np.ndarray:
    """What the network is to answer, float32 (n, 7): smoothed labels, and the teachers' answers.

    Args:
        labels: int (n,), 0..6.
        recipe: with how much of which.
        taught: probabilities (n, 7), or None.
    """
    count = len(EMOTIONS)
    wanted = np.eye(count)[labels] * (1 - recipe.label_smoothing) + recipe.label_smoothing / count
    if taught is not None:
        wanted = (1 - recipe.teaching) * wanted + recipe.teaching * taught
    return wanted.astype(np.float32)


def mixed(pixels, wanted, recipe: Recipe, random: np.random.Generator):
    """Each image and its target with some of another's: mixup.

    Source: H. Zhang et al., "mixup: Beyond empirical risk minimization", ICLR 2018.
    """
    if not recipe.mixup:
        return pixels, wanted
    share = random.beta(recipe.mixup, recipe.mixup, len(pixels)).astype(np.float32)
    part = share[:, None, None, None]
    return (
        part * pixels + (1 - part) * pixels[::-1],
        share[:, None] * wanted + (1 - share[:, None]) * wanted[::-1],
    )
