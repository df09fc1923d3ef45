"""Drawn faces: an embedded stand-in dataset, so that everything runs with no download.

Reads and writes nothing: a seed -> action units of an emotion -> outlines of a face -> pixels.
"""

import math
from collections.abc import Sequence
from numbers import Integral
from types import SimpleNamespace

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from ferutils.dataset import fer2013

DEFAULT_COUNTS = {"Training": [300] * 7, "PublicTest": [50] * 7, "PrivateTest": [50] * 7}

# Source: P. Ekman and W. V. Friesen, "Facial Action Coding System", Consulting Psychologists
# Press, 1978; which units make an emotion, after the same authors' EMFACS-7 (1983).
ACTION_UNITS = {
    "angry": (4, 5, 7, 23),
    "disgust": (9, 15, 17),
    "fear": (1, 2, 4, 5, 7, 20, 26),
    "happy": (6, 12),
    "sad": (1, 4, 15),
    "surprise": (1, 2, 5, 26),
    "neutral": (),
}

# What a unit, or two units together, moves at full intensity. Brows, corner and centre of the lips,
# jaw: y, downwards, in half face widths; openings, widths, weight: parts of their value at rest;
# the rest: depth of a fold of the skin.
MOVEMENTS = {
    (1,): {"brow_inner": -0.18, "brow_middle": -0.06, "forehead": 0.8},  # inner brow raiser
    (2,): {"brow_outer": -0.16, "brow_middle": -0.1, "forehead": 0.8},  # outer brow raiser
    (4,): {"brow_inner": 0.17, "brow_middle": 0.1, "brow_gap": -0.08, "furrow": 1},  # brow lowerer
    (1, 4): {"brow_inner": -0.14, "brow_middle": -0.08},  # brows drawn together more than down
    (5,): {"upper_lid": 0.8},  # upper lid raiser
    (6,): {"upper_lid": -0.25, "lower_lid": -0.7, "bag": 1},  # cheek raiser
    (7,): {"upper_lid": -0.3, "lower_lid": -0.6, "bag": 0.7},  # lid tightener
    (9,): {"wrinkle": 1, "bag": 1, "cheek": 1, "nose": 0.25, "brow_inner": 0.1, "brow_middle": 0.05}
    | {"upper_lid": -0.4, "lower_lid": -0.5, "lip_centre": -0.06},  # nose wrinkler
    (12,): {"lip_corner": -0.15, "lip_centre": 0.05, "lip_width": 0.3, "lip_weight": -0.25}
    | {"smile": 0.13, "cheek": 1},  # lip corner puller
    (15,): {"lip_corner": 0.12, "lip_centre": -0.04},  # lip corner depressor
    (17,): {"lip_centre": -0.06, "chin": 0.8},  # chin raiser
    (20,): {"lip_corner": 0.03, "lip_width": 0.3, "lip_weight": -0.25, "cheek": 0.6},  # stretcher
    (23,): {"lip_width": -0.2, "lip_weight": -0.6, "smile": -0.04},  # lip tightener
    (26,): {"jaw_drop": 0.36, "lip_corner": 0.13, "lip_width": -0.35},  # jaw drop
    (20, 26): {"jaw_drop": -0.14, "lip_width": 0.35},  # a wide mouth opens less
}
MEASURES = sorted({measure for moves in MOVEMENTS.values() for measure in moves})

# What differs from face to face, uniform between two bounds. Lengths are in half face widths from
# the middle of the face, x to the right and y down; angles in radians; shades 0 (black) to 1.
TRAITS = {
    "face_height": (1.15, 1.4),
    "jaw_width": (0.55, 0.85),
    "eye_x": (0.36, 0.46),
    "eye_y": (-0.3, -0.18),
    "eye_width": (0.17, 0.23),
    "eye_height": (0.085, 0.115),
    "brow_height": (0.24, 0.32),  # above the eye
    "brow_weight": (0.05, 0.12),
    "brow_arch": (0.0, 0.06),
    "brow_shade": (0.3, 0.65),  # part of the skin's, as for the lips
    "nose_y": (0.22, 0.34),
    "nose_width": (0.13, 0.22),
    "mouth_y": (0.62, 0.76),
    "mouth_width": (0.3, 0.42),
    "lips_weight": (0.06, 0.12),
    "lips_shade": (0.6, 0.85),
    "skin": (0.35, 0.9),
    "hair": (0.05, 0.7),
    "hair_end": (-0.2, 1.4),
    "hairline": (-1.05, -0.75),
    "x": (-0.14, 0.14),
    "y": (-0.14, 0.14),
    "size": (0.8, 1.12),
    "roll": (-0.25, 0.25),
    "yaw": (-0.4, 0.4),
    "pitch": (-0.2, 0.2),
    "background": (0.0, 1.0),
    "light_x": (-0.35, 0.35),
    "light_y": (-0.35, 0.35),
    "contrast": (0.6, 1.1),
    "brightness": (-0.12, 0.12),
    "blur": (0.0, 0.7),  # pixels
    "noise": (0.0, 0.04),
    # these are there where the value is above 0
    "parted": (-1.0, 1.0),  # lips that are open for no emotion's sake
    "glasses": (-7.0, 1.0),
    "fringe": (-6.0, 1.0),
    "hand": (-6.0, 1.0),
    "hand_angle": (0.0, 2 * math.pi),
}
LOWEST, HIGHEST = np.array(list(TRAITS.values())).T

OVERSAMPLING = 4  # shapes are drawn this much larger, then averaged: smooth edges
CANVAS = OVERSAMPLING * fer2013.IMAGE_SIZE
HALF_FACE = 0.4 * CANVAS  # pixels of half the width of a face of size 1

STEPS = np.linspace(0, 1, 9)
PARABOLA = np.stack([(1 - STEPS) ** 2, 2 * STEPS * (1 - STEPS), STEPS**2], axis=1)
ANGLES = np.linspace(0, 2 * np.pi, 24, endpoint=False)
CIRCLE = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)
GRID_Y, GRID_X = np.mgrid[-1 : 1 : fer2013.IMAGE_SIZE * 1j, -1 : 1 : fer2013.IMAGE_SIZE * 1j]


def draw(counts: dict[str, list[int]] | None = None, seed: int = 0) -> fer2013.Dataset:
    """Draw a dataset of faces in the form of FER-2013.

    Face number k of an emotion and split follows from (seed, split, emotion, k) alone, so that a
    smaller dataset is part of every larger one of the same seed.

    Args:
        counts: for each of the three splits, images per emotion: 7 numbers in label order. By
            default 300 each for Training, 50 each for PublicTest and for PrivateTest.
        seed: 0 or greater.

    Returns:
        The dataset, named "drawn": images uint8 (n, 48, 48), 0..255; labels uint8 (n,), 0..6.

    Raises:
        ValueError: a split is missing, unknown or empty; a count or the seed is not a whole
            number of 0 or greater.

    Source: Ekman and Friesen (1978), see `ACTION_UNITS`; geometry and pixels are our own choice.
    """
    counts = DEFAULT_COUNTS if counts is None else counts
    _check(counts, seed)
    arrays = {}
    for number, split in enumerate(fer2013.SPLITS):
        faces = [(label, k) for label, n in enumerate(counts[split]) for k in range(n)]
        generators = (np.random.default_rng((seed, number, label, k)) for label, k in faces)
        labels = np.array([label for label, _ in faces], np.uint8)
        images = [draw_face(fer2013.EMOTIONS[label], rng) for label, rng in zip(labels, generators)]
        arrays[split] = (np.stack(images), labels)
    return fer2013.make_dataset("drawn", arrays)


def draw_training(each: int) -> fer2013.Dataset:
    """Draw so many faces of each emotion for Training, and one of each for the held-out splits.

    Raises:
        ValueError: as `draw`.
    """
    few = dict.fromkeys(fer2013.SPLITS, [1] * len(fer2013.EMOTIONS))
    return draw(few | {"Training": [each] * len(fer2013.EMOTIONS)})


def draw_face(emotion: str, generator: np.random.Generator) -> np.ndarray:
    """Draw one face of an emotion, uint8 (48, 48), 0..255."""
    values = generator.uniform(LOWEST, HIGHEST).tolist()
    traits = SimpleNamespace(**dict(zip(TRAITS, values)))
    moved = movements(intensities(emotion, generator))
    return photograph(paint(outlines(moved, traits), moved, traits), traits, generator)


def intensities(emotion: str, generator: np.random.Generator) -> dict[int, float]:
    """Draw how strongly a face that shows an emotion uses each action unit.

    Returns:
        Intensity by unit: 0.5..1 for the emotion's own, 0..0.12 for others, as no face is still.
    """
    own = ACTION_UNITS[emotion]
    units = [unit for combination in MOVEMENTS for unit in combination if len(combination) == 1]
    values = generator.uniform(0, 1, len(units)).tolist()
    return {unit: 0.5 + 0.5 * v if unit in own else 0.12 * v for unit, v in zip(units, values)}


def movements(units: dict[int, float]) -> SimpleNamespace:
    """Add up what action units of given intensity (0..1) move; units not named are at rest."""
    moved = dict.fromkeys(MEASURES, 0.0)
    for combination, moves in MOVEMENTS.items():
        strength = math.prod(units.get(unit, 0.0) for unit in combination)
        for measure, amount in moves.items():
            moved[measure] += strength * amount
    return SimpleNamespace(**moved)


def outlines(moved: SimpleNamespace, traits: SimpleNamespace) -> dict[str, np.ndarray]:
    """Compute the shapes of a face that looks straight ahead.

    Args:
        moved: every one of `MEASURES`.
        traits: every one of `TRAITS`.

    Returns:
        Points by shape, float (points, 2): x to the right and y down, in half face widths.
    """
    shapes = _head(moved, traits) | _covers(traits) | _nose(moved, traits) | _mouth(moved, traits)
    half = _eye(moved, traits) | _brow(moved, traits)
    for side, sign in (("left", -1), ("right", 1)):
        shapes |= {f"{part}_{side}": points * (sign, 1) for part, points in half.items()}
    return shapes


def _arch(start, middle_y, end):
    """A parabola from start to end, at height middle_y halfway: float (9, 2)."""
    control = ((start[0] + end[0]) / 2, 2 * middle_y - (start[1] + end[1]) / 2)
    return PARABOLA @ np.array([start, control, end])


def _head(moved, traits):
    lower = np.clip(CIRCLE[:, 1], 0, None)
    head = CIRCLE * (1, traits.face_height)
    head[:, 0] *= 1 - (1 - traits.jaw_width) * lower**2
    head[:, 1] += 0.4 * moved.jaw_drop * lower
    hair = 1.12 * CIRCLE * (1, traits.face_height)
    cap = hair * (0.98, 1)
    cap[:, 1] = np.minimum(cap[:, 1], traits.hairline + 0.5 * cap[:, 0] ** 2)
    hair[:, 1] = np.where(hair[:, 1] > 0, traits.hair_end, hair[:, 1])
    neck = np.array([(-1.6, 4), (-1.6, 2), (-0.6, 1.6), (-0.5, 0.8)])
    neck = np.concatenate([neck, neck[::-1] * (-1, 1)])
    return {"hair": hair, "neck": neck, "head": head, "cap": cap}


def _covers(traits):
    """A fringe over one brow, and three fingers that reach into the face."""
    side = math.copysign(1, traits.fringe - 0.5)
    fringe = np.array([(1, -1.3), (0, -1.2), (0.1, -0.6), (0.6, -0.35), (1, -0.3)])
    along = np.array([math.cos(traits.hand_angle), math.sin(traits.hand_angle)])
    aside = 0.22 * along[::-1] * (-1, 1)
    finger = np.stack([0.55 * along, 2.5 * along])
    fingers = {f"finger_{k}": finger + (k - 2) * aside for k in (1, 2, 3)}
    return {"fringe": fringe * (side, 1)} | fingers


def _nose(moved, traits):
    width, y = traits.nose_width * (1 + moved.nose), traits.nose_y - 0.24 * moved.nose
    side = math.copysign(1, traits.light_x)
    return {
        "ridge": np.array([(side * 0.06, traits.eye_y), (side * 0.09, y - 0.1)]),
        "nostrils": _arch((-width, y - 0.04), y + 0.07, (width, y - 0.04)),
    }


def _mouth(moved, traits):
    half = traits.mouth_width * (1 + moved.lip_width)
    weight = traits.lips_weight * (1 + moved.lip_weight)
    top = traits.mouth_y + 0.02 + moved.lip_centre
    parted = (0.04 + moved.smile) if traits.parted > 0 else 0.0
    bottom = top + parted + moved.jaw_drop
    corner = traits.mouth_y + moved.lip_corner
    left, right = (-half, corner), (half, corner)
    seam, edge = _arch(left, top, right), _arch(left, bottom, right)
    teeth = np.minimum(edge, np.add(seam, (0, 0.09)))
    lip = _arch(left, bottom + 1.2 * weight, right)
    chin = bottom + 0.22
    return {
        "lips": np.concatenate([_arch(left, top - weight, right), lip[::-1]]),
        "gap": np.concatenate([seam, edge[::-1]]),
        "teeth": np.concatenate([seam, teeth[::-1]]),
        "seam": seam,
        "chin": _arch((-0.16, chin + 0.05), chin, (0.16, chin + 0.05)),
    }


def _eye(moved, traits):
    """Eye, the folds around it and glasses, of the right half of the face."""
    x, y, half = traits.eye_x, traits.eye_y, traits.eye_width
    upper = traits.eye_height * (1 + moved.upper_lid)
    lower = 0.7 * traits.eye_height * (1 + moved.lower_lid)
    lid = _arch((x - half, y), y - upper, (x + half, y))
    iris = np.add(0.085 * CIRCLE, (x, y - 0.01))
    bow = 1 - ((iris[:, 0] - x) / half) ** 2  # the lids are parabolas, and cut the iris
    iris[:, 1] = np.clip(iris[:, 1], y - upper * bow, y + lower * bow)
    rim = np.add(0.27 * CIRCLE, (x, y))
    return {
        "eye": np.concatenate([lid, _arch((x + half, y), y + lower, (x - half, y))]),
        "iris": iris,
        "lid": lid,
        "bag": _arch((x - half, y + 0.04), y + lower + 0.07, (x + half, y + 0.04)),
        "wrinkle": np.array([(0, y + 0.1), (0.12, y + 0.03), (0.12, y + 0.11), (0, y + 0.18)]),
        "glasses": np.concatenate([[(0, y)], rim[12:], rim[:13]]),
    }


def _brow(moved, traits):
    """Brow, and the folds of forehead and cheek, of the right half of the face."""
    y = traits.eye_y - traits.brow_height
    inner = (traits.eye_x - 1.1 * traits.eye_width + moved.brow_gap, y + moved.brow_inner)
    outer = (traits.eye_x + 1.5 * traits.eye_width, y + 0.03 + moved.brow_outer)
    brow = _arch(inner, y - traits.brow_arch + moved.brow_middle, outer)
    cheek = (traits.nose_width + 0.05, traits.nose_y - 0.05)
    corner = (1.3 * traits.mouth_width + 0.08, traits.mouth_y + 0.9 * moved.lip_corner)
    return {
        "brow": np.concatenate([brow, np.add(brow[::-1], (0, traits.brow_weight))]),
        "furrow": np.array([(0.08, y - 0.06), (0.06, y + 0.16)]),
        "forehead": _arch((0, y - 0.27), y - 0.31, (0.5, y - 0.22)),
        "cheek": _arch(cheek, (cheek[1] + corner[1]) / 2 - 0.08, corner),
    }


def place(shapes: dict[str, np.ndarray], traits: SimpleNamespace) -> dict[str, np.ndarray]:
    """Turn, tilt, scale and shift a face: its outlines in pixels of the enlarged canvas."""
    x, y = np.concatenate(list(shapes.values())).T
    depth = 0.8 * np.sqrt(np.clip(1 - x**2 - (y / traits.face_height) ** 2, 0, None))
    x = x * math.cos(traits.yaw) + depth * math.sin(traits.yaw)
    y = y * math.cos(traits.pitch) + depth * math.sin(traits.pitch)
    sine, cosine = math.sin(traits.roll), math.cos(traits.roll)
    turned = np.stack([x * cosine - y * sine, x * sine + y * cosine], axis=1)
    pixels = CANVAS / 2 + HALF_FACE * np.add(traits.size * turned, (traits.x, traits.y))
    ends = np.cumsum([len(points) for points in shapes.values()]).tolist()
    return {name: pixels[end - len(shapes[name]) : end] for name, end in zip(shapes, ends)}


def paint(
    shapes: dict[str, np.ndarray], moved: SimpleNamespace, traits: SimpleNamespace
) -> Image.Image:
    """Paint a face in its pose, the farthest shape first: grey, 192 x 192 pixels."""
    image = Image.new("L", (CANVAS, CANVAS), int(255 * traits.background))
    brush = ImageDraw.Draw(image)
    placed = {name: points.ravel().tolist() for name, points in place(shapes, traits).items()}

    def fill(shade, name):
        brush.polygon(placed[name], fill=int(255 * min(shade, 1)))

    def line(shade, width, name):
        pixels = int(width * traits.size * HALF_FACE) + 1
        brush.line(placed[name], fill=int(255 * shade), width=pixels)

    fill(traits.hair, "hair")
    fill(0.75 * traits.skin, "neck")
    fill(traits.skin, "head")
    fill(traits.hair, "cap")
    _paint_features(fill, line, moved, traits)
    _paint_covers(fill, line, traits)
    return image


def _paint_features(fill, line, moved, traits):
    skin = traits.skin
    for side in ("left", "right"):
        fill(1.2 * skin + 0.15, f"eye_{side}")
        fill(0.25 * skin, f"iris_{side}")
        line(0.4 * skin, 0.03, f"lid_{side}")
        fill(traits.brow_shade * skin, f"brow_{side}")
        for name in ("bag", "wrinkle", "furrow", "forehead", "cheek"):
            depth = min(getattr(moved, name), 1)
            line((1 - 0.5 * depth) * skin, 0.025, f"{name}_{side}")
    line(0.85 * skin, 0.03, "ridge")
    line(0.6 * skin, 0.04, "nostrils")
    line((1 - 0.5 * moved.chin) * skin, 0.025, "chin")
    fill(traits.lips_shade * skin, "lips")
    fill(0.08, "gap")
    fill(1.2 * skin + 0.2, "teeth")
    line(0.35 * skin, 0.02, "seam")


def _paint_covers(fill, line, traits):
    if traits.glasses > 0:
        line(0.12, 0.03, "glasses_left")
        line(0.12, 0.03, "glasses_right")
    if traits.fringe > 0:
        fill(traits.hair, "fringe")
    if traits.hand > 0:
        for finger in ("finger_1", "finger_2", "finger_3"):
            line(0.9 * traits.skin, 0.2, finger)


def photograph(
    image: Image.Image, traits: SimpleNamespace, generator: np.random.Generator
) -> np.ndarray:
    """Light a painting from one side and add contrast, blur and noise: uint8 (48, 48), 0..255."""
    small = image.reduce(OVERSAMPLING).filter(ImageFilter.GaussianBlur(traits.blur))
    light = 1 + traits.light_x * GRID_X + traits.light_y * GRID_Y
    pixels = np.asarray(small) / 255 * light
    pixels = 0.5 + traits.contrast * (pixels - 0.5) + traits.brightness
    pixels += traits.noise * generator.standard_normal(pixels.shape)
    return (255 * np.clip(pixels, 0, 1)).astype(np.uint8)


def _check(counts, seed):
    """Raise ValueError unless counts and seed can be drawn."""
    rows = counts if isinstance(counts, dict) else {}
    if set(rows) != set(fer2013.SPLITS) or not all(map(_is_row, rows.values())):
        raise ValueError(
            "Expected 7 whole numbers of images, none negative and not all 0, for each of "
            f"{', '.join(fer2013.SPLITS)}. Received: {counts!r}. Give a dict of split name to "
            f"list, one number for each of {', '.join(fer2013.EMOTIONS)}."
        )
    if not _is_whole(seed):
        raise ValueError(
            f"Expected a seed that is a whole number of 0 or greater. Received: {seed!r}. "
            "Choose one, such as 0."
        )


def _is_row(row):
    return isinstance(row, Sequence) and len(row) == 7 and all(map(_is_whole, row)) and sum(row) > 0


def _is_whole(value):
    return isinstance(value, Integral) and not isinstance(value, bool) and value >= 0
