"""Fixtures that several test modules share, and the order in which tests run."""

import fcntl
import functools
import os
import re
import subprocess
import sys
import threading
from http.server import ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import browsing
import pytest
from helpers import small_dataset, small_recipe

from ferutils import paths
from ferutils.site import printing

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def fer2013_path(tmp_path_factory):
    """Path of the real FER-2013: from the environment, or written from the sheets beside us."""
    if os.environ.get("FER2013"):
        yield Path(os.environ["FER2013"])
        return
    if not (SHARED_DATA / "unpack.py").is_file():
        pytest.skip("the real FER-2013 is absent: make test FER2013=PATH")
    path = tmp_path_factory.mktemp("fer2013") / "fer2013.csv"
    command = [sys.executable, str(SHARED_DATA / "unpack.py"), "--csv", str(path)]
    subprocess.run(command, check=True)
    yield path
    path.unlink()  # 301 MB, which pytest would keep for three sessions


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run that was trained for the module, its dataset, and where its weights are."""
    from ferutils.measuring import recording

    places, drawn = tmp_path_factory.mktemp("places"), small_dataset()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "RECORDED_RUNS", places / "recorded")
        patch.setenv("FERUTILS_RUNS", str(places / "new"))
        patch.setenv("FERUTILS_CACHE", str(places / "cache"))
        patch.setattr(recording.faces, "draw", lambda: drawn)
        made = recording.obtain(small_recipe(epochs=1))
        yield SimpleNamespace(record=made, dataset=drawn, weights=recording.weights(made.run.id))


@pytest.fixture(scope="session")
def report(tmp_path_factory):
    """The report of the repository as it stands; built by the first worker that asks for it."""
    session = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:  # whose folder lies in that of the session
        session = session.parent
    with (session / "book.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (session / "book").exists():
            built = browsing.snakemake("book")
            assert built.returncode == 0, built.stdout[-3000:] + built.stderr[-3000:]
            (session / "book").touch()
    return browsing.HTML


@pytest.fixture(scope="module")
def browser():
    """Chromium; of a module, because its event loop would stand in the way of others."""
    if printing.browser() is None:
        pytest.skip("no Chromium: apt install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        chromium = playwright.chromium.launch(executable_path=printing.browser(), args=arguments)
        yield chromium
        chromium.close()


@pytest.fixture
def wide_reader(browser):
    """A reader with a wide screen, for whom nothing may go wrong."""
    one = browsing.Reader(browser)
    yield one
    one.check()
    one.context.close()


@pytest.fixture(scope="module")
def address(report):
    """Where the report is served."""
    handler = functools.partial(browsing.PlainServer, directory=report)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


PHASES = ("fast", "slow", "browser")
# What takes seconds to make, so that a test that is given it is slow.
SLOW = {"report", "fer2013_path"}
# A test module that builds networks: with Keras, or with a module of ours that imports it.
NETWORKS = (
    r"^import keras$|^from ferutils\.measuring import .*\b(checkpoints|models|preview|training)\b"
)


@functools.cache
def builds_networks(path):
    return bool(re.search(NETWORKS, path.read_text(encoding="utf-8"), re.MULTILINE))


def phase(item):
    """When a test runs: a plain mistake shows at once, and what only a reader sees comes last."""
    if "browser" in item.fixturenames:
        return "browser"
    slow = SLOW.intersection(item.fixturenames) or item.get_closest_marker("slow")
    return "slow" if slow or builds_networks(item.path) else "fast"


def pytest_ignore_collect(collection_path, config):
    """Where the slow tests are not asked for, spare the seconds in which Keras is imported."""
    if "not slow" in config.option.markexpr and collection_path.match("test_*.py"):
        return builds_networks(collection_path) or None
    return None


@pytest.hookimpl(tryfirst=True)  # before pytest selects by marker and xdist by group
def pytest_collection_modifyitems(items):
    """Order the tests by phase; one worker makes what the slow ones of a module share."""
    for item in items:
        if phase(item) != "fast":
            item.add_marker("slow")
            shared = "dataset" if "fer2013_path" in item.fixturenames else item.path.stem
            item.add_marker(pytest.mark.xdist_group(shared))
    items.sort(key=lambda item: PHASES.index(phase(item)))
