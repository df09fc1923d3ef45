"""A Keras network -> LiteRT files for a phone, in several forms -> what each weighs and answers.

Writes the files to a folder for temporary ones. Runs them with ai-edge-litert where that is
installed, else with the interpreter that TensorFlow brings. As a command, it times one file.
"""

import importlib.metadata
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ferutils.dataset import fer2013
from ferutils.dataset.fer2013 import IMAGE_SIZE, Dataset
from ferutils.records import provenance, runs
from ferutils.records.answers import written
from ferutils.records.runs import HELD_OUT, Code, Environment, Record
from ferutils.records.small import FORMS, MIRRORED, Files, Form

if TYPE_CHECKING:
    import keras

CALIBRATION = 500  # images of Training, with the emotions in its shares
WARM_UPS, TIMED = 20, 300  # calls before and under the clock
SHAPE = (1, IMAGE_SIZE, IMAGE_SIZE, 1)  # of what a file takes: one face


def measure(model: "keras.Model", dataset: Dataset, forms: tuple[str, ...] = FORMS) -> Files:
    """Export a network in all forms, and measure each file.

    Args:
        model: input float (n, 48, 48, 1), 0..255; output logits float (n, 7), n any number.
        dataset: Training calibrates, the held-out splits are answered.
        forms: of `FORMS`, and `MIRRORED`.

    Raises:
        ValueError: Keras computes on another backend than TensorFlow, which exports.
    """
    check_backend()
    training = dataset.splits["Training"]
    calibrating = fer2013.subset(training, min(CALIBRATION, len(training.labels)))
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for form in forms:
            path = Path(folder, f"{form}.tflite")
            export(model, form, calibrating.images, path)
            answered = {name: answers(path, dataset.splits[name].images) for name in HELD_OUT}
            digits = written(answered)
            found[form] = Form(bytes=path.stat().st_size, answers=digits, **timed(path))
    return Files(
        dataset=runs.note(dataset),
        parameters=model.count_params(),
        calibration_images=len(calibrating.labels),
        environment=environment(),
        code=code("measuring/litert"),
        measured=datetime.now(UTC).replace(microsecond=0),
        forms=found,
    )


def check_backend() -> None:
    """Refuse a backend that this package cannot export from.

    Raises:
        ValueError: it is not TensorFlow.
    """
    import keras

    if keras.backend.backend() != "tensorflow":
        raise ValueError(
            "Expected the Keras backend tensorflow, which exports files for phones. "
            f"Received: {keras.backend.backend()}. Remove KERAS_BACKEND from the environment."
        )


# Export


def export(model: "keras.Model", form: str, faces: np.ndarray, path: Path) -> None:
    """Write a network as one file that takes one face.

    Of the int8 forms, "dynamic int8" has weights alone as integers; "int8" computes with integers
    throughout and takes the grey levels as they are, uint8.

    Args:
        model: as for `measure`.
        form: one of `FORMS`, or `MIRRORED`.
        faces: uint8 (n, 48, 48), 0..255, by which the ranges of int8 are set.
        path: ends with .tflite.
    """
    import tensorflow as tf

    if form == MIRRORED:
        model = mirrored(model)
    signature = [tf.TensorSpec((1, *model.input_shape[1:]), tf.float32)]
    options = _options(form, faces)
    model.export(path, format="litert", verbose=False, input_signature=signature, **options)


def _options(form: str, faces: np.ndarray) -> dict[str, Any]:
    """What TensorFlow's converter is told for a form."""
    import tensorflow as tf

    if form == "float32":
        return {}
    smaller = {"optimizations": [tf.lite.Optimize.DEFAULT]}
    if form == "float16":
        return smaller | {"target_spec": {"supported_types": [tf.float16]}}
    if form == "dynamic int8":
        return smaller
    return smaller | {
        "representative_dataset": lambda: _one_by_one(faces),
        "target_spec": {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]},
        "inference_input_type": tf.uint8,
        "inference_output_type": tf.int8,
    }


def _one_by_one(faces: np.ndarray) -> Iterator[list[np.ndarray]]:
    for face in faces:
        yield [face.reshape(SHAPE).astype(np.float32)]


def mirrored(model: "keras.Model") -> "keras.Model":
    """A network that answers with the mean logits of a face and of its mirror image.

    Both go through it as one batch, so that a file holds the weights once.
    """
    import keras

    face = keras.Input(SHAPE[1:])
    both = keras.ops.concatenate([face, keras.ops.flip(face, axis=2)], axis=0)
    return keras.Model(face, keras.ops.mean(model(both), axis=0, keepdims=True))


def of_run(record: Record) -> "keras.Model":
    """The network of a run with its weights, computing in float32, as `measure` takes it.

    Raises:
        ValueError: the weights are not at hand, damaged, or not those of the run.
    """
    from ferutils.measuring import predicting

    trained = predicting.trained(record)
    import keras

    from ferutils.measuring import models

    plain = models.build(record.recipe.model_copy(update={"precision": "float32"}))
    plain.set_weights(trained.get_weights())
    rescaling = keras.layers.Rescaling(1 / 255)
    return keras.Sequential([keras.Input(SHAPE[1:]), rescaling, models.network(plain)])


# Running


def interpreter(path: Path) -> Any:
    """What runs a file on one thread: ai-edge-litert or, where that is missing, TensorFlow."""
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ModuleNotFoundError:
        from tensorflow.lite.python.interpreter import Interpreter
    found = Interpreter(str(path), num_threads=1)
    found.allocate_tensors()
    return found


def answers(path: Path, faces: np.ndarray) -> np.ndarray:
    """What a file answers to faces, one by one.

    Args:
        path: the file.
        faces: uint8 (n, 48, 48), 0..255, or what the file takes for them.

    Returns:
        int64 (n,), 0..6; of equal logits, as integers may be, the first.
    """
    runner = interpreter(path)
    given, wanted = runner.get_input_details()[0], runner.get_output_details()[0]["index"]
    found = []
    for face in _as_taken(faces, given):
        runner.set_tensor(given["index"], face.reshape(given["shape"]))
        runner.invoke()
        found.append(int(runner.get_tensor(wanted).argmax()))
    return np.array(found)


def _as_taken(faces: np.ndarray, given: dict[str, Any]) -> np.ndarray:
    """Faces in the type, and on the scale, that a file takes."""
    scale, zero = given["quantization"]
    levels = faces if scale == 0 else np.clip(np.round(faces / scale) + zero, 0, 255)
    return levels.astype(given["dtype"])


def timed(path: Path) -> dict[str, Any]:
    """Time and memory of a file, in a process of its own that nothing else has filled."""
    command = [sys.executable, "-m", "ferutils.measuring.litert", str(path)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def clock(path: Path) -> dict[str, Any]:
    """The fields `milliseconds` and `memory_bytes` of a `Form`, measured in this process."""
    before = _resident_bytes()
    runner = interpreter(path)
    given = runner.get_input_details()[0]
    runner.set_tensor(given["index"], np.full(given["shape"], 100, given["dtype"]))
    took = []
    for _ in range(WARM_UPS + TIMED):
        start = time.thread_time()  # which other processes of the machine do not lengthen
        runner.invoke()
        took.append(time.thread_time() - start)
    after = _resident_bytes()
    memory = max(after - before, 1) if before else None
    return {"milliseconds": 1000 * float(np.median(took[WARM_UPS:])), "memory_bytes": memory}


def _resident_bytes() -> int | None:
    """The memory of this process; None where the system has no /proc."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


def environment() -> Environment:
    """What files run on here."""
    versions = provenance.versions()
    try:
        versions["ai-edge-litert"] = importlib.metadata.version("ai-edge-litert")
        backend = "LiteRT"
    except importlib.metadata.PackageNotFoundError:
        backend = "TensorFlow Lite"
    return Environment(
        device=runs.words(provenance.processor()),
        backend=backend,
        system=runs.words(provenance.system()),
        versions=versions,
    )


def code(*modules: str) -> Code:
    """The code of this package, with a hash of what `measure` reaches in these modules."""
    commit, clean = provenance.commit()
    fingerprint = provenance.code_fingerprint("measure", modules=modules)
    return Code(commit=commit, clean=clean, fingerprint=fingerprint)


if __name__ == "__main__":
    interpreter(Path(sys.argv[1]))  # so that the library's own memory is not counted
    print(json.dumps(clock(Path(sys.argv[1]))))
