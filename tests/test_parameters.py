"""Parameters as papermill takes them, by option, file or YAML text: refused before any work."""

import os
import subprocess
import sys

import pytest

from ferutils import paths

pytestmark = pytest.mark.slow

UNKNOWN, IMPOSSIBLE = ("epoch", "5"), ("learning_rate", "fast")
LOADED = "raise RuntimeError('Keras was loaded')\n"


def options(way, name, value, folder):
    if way == "-f":
        (folder / "file.yml").write_text(f"{name}: {value}\n")
    return {
        "-p": ["-p", name, value],
        "-f": ["-f", str(folder / "file.yml")],
        "-y": ["-y", f"{name}: {value}"],
    }[way]


@pytest.mark.parametrize("way", ["-p", "-f", "-y"])
@pytest.mark.parametrize("name, value", [UNKNOWN, IMPOSSIBLE])
def test_a_wrong_parameter_stops_before_dataset_and_keras(tmp_path, way, name, value):
    (tmp_path / "keras.py").write_text(LOADED)  # found before the real one
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(tmp_path), str(paths.ROOT)]),
        "FER2013": str(tmp_path / "absent.csv"),  # reading it would be another error
    }
    notebook = str(paths.NOTEBOOKS / "shallow.ipynb")
    wrong = options(way, name, value, tmp_path)
    run = subprocess.run(
        [sys.executable, "-m", "papermill", "-k", "python3", notebook, "out.ipynb", *wrong],
        cwd=tmp_path, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode != 0
    assert f"{name}" in run.stderr and "ValueError: Expected" in run.stderr
    assert "Keras was loaded" not in run.stderr and "absent.csv" not in run.stderr
