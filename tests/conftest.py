"""Fixtures that several test modules share."""

import functools
import os
import subprocess
import sys
import threading
from http.server import ThreadingHTTPServer
from pathlib import Path

import browsing
import pytest

from ferutils.site import printing

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


@pytest.fixture(scope="session")
def report():
    """The report of the repository as it stands; built where something has changed."""
    built = browsing.snakemake("book")
    assert built.returncode == 0, built.stdout[-3000:] + built.stderr[-3000:]
    return browsing.HTML


@pytest.fixture(scope="module")
def browser():
    """Chromium; of a module, because its event loop would stand in the way of others."""
    if printing.browser() is None:
        pytest.skip("no Chromium on this machine")
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


def pytest_collection_modifyitems(items):
    """Run the fast tests first, so that a plain mistake shows at once."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is not None)
