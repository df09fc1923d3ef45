"""Keras' settings: the recipe's train, not those of the user's own files and variables."""

import json
import os
import subprocess
import sys

import pytest
from helpers import EXPLAINED

from ferutils import paths
from ferutils.measuring import backend

SETTINGS = """
from ferutils.measuring import backend
{before}
backend.load()
import keras
config = keras.config
print(config.floatx(), config.dtype_policy().name, config.epsilon(), config.image_data_format(),
      config.max_epochs(), config.max_steps_per_epoch(), keras.layers.Rescaling(1.0).compute_dtype)
"""
OWN = "float32 float32 1e-07 channels_last None None float32"
BY_HAND = "import keras; keras.config.set_floatx('float16'); keras.config.set_epsilon(1e-3)"


def settings(before="", **environment):
    """What Keras is set to in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(paths.ROOT), **environment}
    command = [sys.executable, "-c", SETTINGS.format(before=before)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    return (done.stdout or done.stderr).strip()


@pytest.mark.slow
@pytest.mark.parametrize("floatx", ["float16", "impossible"])
def test_the_users_settings_of_keras_do_not_enter_a_training(tmp_path, floatx):
    own = {"floatx": floatx, "epsilon": 1e-4, "image_data_format": "channels_first"}
    (tmp_path / "keras.json").write_text(json.dumps(own | {"backend": "numpy"}))
    limits = {"KERAS_MAX_EPOCHS": "1", "KERAS_MAX_STEPS_PER_EPOCH": "one"}
    assert settings(KERAS_HOME=str(tmp_path), **limits) == OWN


@pytest.mark.slow
def test_nor_do_those_of_a_cell_of_the_users_own():
    assert settings(BY_HAND) == OWN


def test_an_unknown_backend_is_one_sentence(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "theano")
    with pytest.raises(ValueError, match=EXPLAINED):
        backend.load()
