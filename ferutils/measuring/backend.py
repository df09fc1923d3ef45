"""Keras with the settings that every recipe means, whatever the user's own files and variables say.

Reads the environment variable KERAS_BACKEND; neither reads nor writes ~/.keras.
"""

import contextlib
import importlib
import os
from collections.abc import Iterator

from ferutils.measuring import limits

TRAINING = ("tensorflow", "jax", "torch")  # the backends that train


def load() -> None:
    """Import Keras, and set what a user can set otherwise to Keras' own defaults.

    Call it before anything is built: Keras may have been imported by the user's own cell.

    Raises:
        ValueError: the backend is unknown or not installed, or a limit of this process too low.
    """
    chosen = os.environ.get("KERAS_BACKEND") or "tensorflow"
    if chosen not in TRAINING:
        raise ValueError(
            f"Expected for the environment variable KERAS_BACKEND: {', '.join(TRAINING)}. "
            f"Received: {chosen!r}. Correct it or remove it."
        )
    limits.check()
    try:
        with _without_settings():
            keras = importlib.import_module("keras")
    except ModuleNotFoundError as missing:
        raise ValueError(
            f"Expected the Keras backend {chosen}. Received: no module {missing.name}. Install it "
            f"with python -m pip install {missing.name}, or choose another one in KERAS_BACKEND."
        ) from None
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")
    keras.config.set_epsilon(1e-7)
    keras.config.set_image_data_format("channels_last")
    keras.config.set_max_epochs(None)
    keras.config.set_max_steps_per_epoch(None)


@contextlib.contextmanager
def _without_settings() -> Iterator[None]:
    """Hide the user's keras.json and the variables of Keras, except the backend's name."""
    hidden = {
        name: os.environ.pop(name)
        for name in list(os.environ)
        if name.startswith("KERAS_") and name != "KERAS_BACKEND"
    }
    os.environ["KERAS_HOME"] = os.devnull  # in which no keras.json can lie
    try:
        yield
    finally:
        del os.environ["KERAS_HOME"]
        os.environ.update(hidden)
