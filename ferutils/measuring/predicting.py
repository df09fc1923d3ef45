"""An image file -> a grey face of FER-2013's size -> what a recorded network answers.

Reads image files and the weights of a run; writes nothing. Imports Keras only to answer.
"""

import io
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from scipy import special

from ferutils import paths
from ferutils.dataset import fer2013, images
from ferutils.measuring import backend, recording
from ferutils.records import runs
from ferutils.records.runs import Record

MAX_FILE_BYTES = 64 * 1024**2  # of one image file; a telephone's photographs have up to 20 MB
FORMATS = ("PNG", "JPEG")
HIGH_BYTE = 256  # 16-bit grey levels per 8-bit one


def face(path: Path) -> np.ndarray:
    """An image file as the networks see a face: grey, 48 x 48 pixels.

    The picture is turned as its EXIF says, transparency laid on white, colour made grey (ITU-R
    601-2 luma); then the largest square around its centre is cut out and resized, so that nothing
    is distorted. A grey image of 48 x 48 pixels stays as it is. No face is looked for: as in
    FER-2013, it should fill the picture.

    Args:
        path: a PNG or JPEG file.

    Returns:
        uint8 (48, 48), 0..255.

    Raises:
        ValueError: there is no such file, or it is no PNG or JPEG image, damaged, or too large.
    """
    content = _content(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=FORMATS) as image:
                grey = _grey(ImageOps.exif_transpose(image))
    except images.UNREADABLE_IMAGE as problem:
        kind = type(problem).__name__
        raise ValueError(
            f"Expected a PNG or JPEG image. Received: {path.name!r}, which cannot be read as one "
            f"({kind}). Convert it, or give another file."
        ) from None
    return np.asarray(ImageOps.fit(grey, (fer2013.IMAGE_SIZE, fer2013.IMAGE_SIZE)))


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


def _grey(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits, of which Pillow would clip all but the darkest
        return Image.fromarray((np.asarray(image) // HIGH_BYTE).astype(np.uint8))
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA"))
    return image.convert("L")


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
