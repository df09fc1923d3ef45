"""Fixtures that several test modules share."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def fer2013_path(tmp_path_factory):
    """Path of the real FER-2013: from the environment, or written from the sheets beside us."""
    if os.environ.get("FER2013"):
        yield Path(os.environ["FER2013"])
        return
    if not (SHARED_DATA / "unpack.py").is_file():
        pytest.skip("the real FER-2013 is absent: set FER2013 to its path")
    path = tmp_path_factory.mktemp("fer2013") / "fer2013.csv"
    command = [sys.executable, str(SHARED_DATA / "unpack.py"), "--csv", str(path)]
    subprocess.run(command, check=True)
    yield path
    path.unlink()  # 301 MB, which pytest would keep for three sessions


def pytest_collection_modifyitems(items):
    """Run the fast tests first, so that a plain mistake shows at once."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is not None)
