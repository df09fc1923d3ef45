"""FER-2013 -> how it cuts out faces, told by a detector's boxes; and what other margins cost.

Its images are enlarged by repeating their rim, as no photograph that they were cut from is public;
the detector then finds the face, and where its box lies to the image is how the image was cut.
"""

import importlib.metadata
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import numpy as np
from PIL import Image

from ferutils.dataset import fer2013
from ferutils.dataset.fer2013 import EMOTIONS, IMAGE_SIZE, Dataset, Split
from ferutils.measuring import detecting, litert, predicting
from ferutils.measuring.detecting import Detector
from ferutils.records import runs
from ferutils.records.crop import Crop, Margins, Place, Rule, Size
from ferutils.records.keeping import HELD_OUT
from ferutils.records.runs import Record

PADDING = IMAGE_SIZE  # pixels of rim on each side: the face is a third of the picture's width
IMAGES = 1000  # of each split, with the emotions in their shares
SIZED = 5  # images of each emotion and held-out split in which small faces are looked for
SHARES = (0.2, 0.1, 0.05, 0.03)  # of the face's square in the picture's width
WIDTH = 1200  # pixels of these pictures
MARGINS = (0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4, 1.6, 1.8)  # sides of the square in sides of the box


def measure(dataset: Dataset, report: Callable[[str], None] = print) -> Crop:
    """Find the faces of FER-2013, and of some of them also where they are small.

    Args:
        dataset: the rule is taken from Training, the rest from the held-out splits.
        report: is told what is under way.

    Raises:
        ValueError: the detector is not installed.
    """
    detector, splits, found = Detector(), _part(dataset), {}
    for name, split in splits.items():
        report(f"{name}: {len(split.labels):,} images")
        found[name] = [place(detector, image) for image in split.images]
    sized = np.concatenate([_chosen(dataset.splits[name]) for name in HELD_OUT])
    sizes = []
    for share in SHARES:
        report(f"faces of {share:.0%} of the picture's width")
        sizes.append(_size(detector, sized, share))
    return Crop(
        detector=f"{detecting.PACKAGE} {importlib.metadata.version(detecting.PACKAGE)}",
        detector_sha256=detecting.SUM,
        dataset=runs.note(dataset),
        padding=PADDING,
        counts={
            name: np.bincount(one.labels, minlength=len(EMOTIONS)).tolist()
            for name, one in splits.items()
        },
        training=found.pop("Training"),
        held_out=found,
        sizes=sizes,
        environment=litert.environment(),
        code=litert.code("measuring/cropping", "measuring/detecting"),
        measured=datetime.now(UTC).replace(microsecond=0),
    )


def _part(dataset: Dataset) -> dict[str, Split]:
    """The images of each split that are measured."""
    return {
        name: fer2013.subset(split, min(IMAGES, len(split.labels)))
        for name, split in dataset.splits.items()
    }


def _chosen(split: Split) -> np.ndarray:
    """The first images of each emotion, uint8 (n, 48, 48)."""
    labels = range(len(EMOTIONS))
    return np.concatenate([split.images[split.labels == one][:SIZED] for one in labels])


def padded(image: np.ndarray, padding: int) -> Image.Image:
    """A grey image, uint8, with its rim repeated on each side, as RGB."""
    return Image.fromarray(np.pad(image, padding, mode="edge")).convert("RGB")


def place(detector: Detector, image: np.ndarray) -> Place | None:
    """Where the box of an image's face lies, in hundredths of its pixels; None: no face found.

    Args:
        detector: looks once, without tiles.
        image: uint8 (48, 48).
    """
    found = detector.find(padded(image, PADDING), tiles=False)
    mine = [one for one in (_within(box.place, PADDING) for box in found) if _is_own(one)]
    return max(mine, key=lambda one: one[2], default=None)


def _within(place: Place, padding: int, scale: float = 1.0) -> Place:
    """A place in an enlarged picture as one in the image that it was made of."""
    x, y, side = (one / scale for one in place)
    return round(x - padding, 2), round(y - padding, 2), round(side, 2)


def _is_own(place: Place) -> bool:
    """Whether this is the image's face: its middle inside, its side half to twice the image's."""
    x, y, side = place
    inside = min(x, y) >= 0 and max(x, y) <= IMAGE_SIZE
    return inside and IMAGE_SIZE / 2 <= side <= IMAGE_SIZE * 2


def _size(detector: Detector, images: np.ndarray, share: float) -> Size:
    """What is found where each image's square is this share of a picture's width."""
    whole = round(IMAGE_SIZE / share)
    padding, scale = (whole - IMAGE_SIZE) // 2, WIDTH / whole
    found, wrong, sides = [0, 0], [0, 0], []
    for image in images:
        shown = padded(image, padding).resize((WIDTH, WIDTH), Image.Resampling.BICUBIC)
        for way, tiles in enumerate((False, True)):
            places = [_within(box.place, padding, scale) for box in detector.find(shown, tiles)]
            own = [one for one in places if _is_own(one)]
            found[way] += bool(own)
            wrong[way] += len(places) - bool(own)
        sides += [one[2] for one in own[:1]]
    margin = float(np.median(IMAGE_SIZE / np.array(sides))) if sides else 1.0
    return Size(share=share, images=len(images), found=found, wrong=wrong, margin=margin)


def answers(
    record: Record, dataset: Dataset, found: Crop, report: Callable[[str], None] = print
) -> Margins:
    """What the network of a run answers to the faces that were found, by margin.

    Args:
        record: a finished run whose weights are at hand.
        dataset: whose faces `found` tells of.
        found: where their boxes lie.
        report: is told what is under way.

    Raises:
        ValueError: the dataset is another one; the weights are not at hand, damaged, or not those
            of the run.
    """
    if runs.note(dataset) != found.dataset:
        raise ValueError(
            "Expected the dataset whose faces were found. Received: another one. Find its faces "
            "first: ferutils measure crop."
        )
    model = predicting.trained(record)
    from ferutils.measuring import recording

    def digits(images: np.ndarray) -> str:
        return "".join(map(str, model.predict(images[..., None], verbose=0).argmax(axis=1)))

    splits = {name: split.images for name, split in _part(dataset).items() if name in HELD_OUT}
    cropped = {}
    for margin in MARGINS:
        report(f"margin {margin:g}")
        rule = found.rule._replace(margin=margin)
        cropped[margin] = {
            name: _spread(digits(_cut(images, found.held_out[name], rule)), found.held_out[name])
            for name, images in splits.items()
        }
    return Margins(
        run=record.run.id,
        weights_sha256=recording.weights_sum(model),
        environment=recording.current_environment(),
        unchanged={name: digits(images) for name, images in splits.items()},
        cropped=cropped,
    )


def _cut(images: np.ndarray, places: Sequence[Place | None], rule: Rule) -> np.ndarray:
    """The faces that were found, cut out of their enlarged images by a rule."""
    return np.stack(
        [
            predicting.cut(Image.fromarray(image), rule.square(*place))
            for image, place in zip(images, places, strict=True)
            if place
        ]
    )


def _spread(digits: str, places: Sequence[Place | None]) -> str:
    """Answers to the faces that were found, with a dash for each of the others."""
    given = iter(digits)
    return "".join(next(given) if place else "-" for place in places)
