"""What the tests of the built report share: its pages, a reader who opens them, and a server."""

import os
import runpy
import subprocess
import sys
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler

import pytest
import yaml

from ferutils import paths

HTML = paths.ROOT / "_build" / "html"
CONTENTS = yaml.safe_load((paths.BOOK / "_toc.yml").read_text())
PAGES = [CONTENTS["root"]] + [
    chapter["file"] for part in CONTENTS["parts"] for chapter in part["chapters"]
]
# The scripts that each kind of interactive part needs.
NEEDS = runpy.run_path(str(paths.BOOK / "_extensions" / "interactive.py"))["NEEDS"]
# What axe looks for: WCAG 2.1, A and AA.
WCAG = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}
# Pictures are loaded where they come into view, and those of the other theme never.
BROKEN_IMAGES = """async () => {
  const shown = [...document.images].filter(image => image.checkVisibility());
  shown.forEach(image => { image.loading = "eager"; });
  await Promise.allSettled(shown.map(image => image.decode()));
  const broken = shown.filter(image => !image.naturalWidth);
  return [...broken, ...[...document.images].filter(image => !image.alt)].map(image => image.src);
}"""


def snakemake(*arguments):
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "--quiet=rules", *arguments]
    return subprocess.run(command, cwd=paths.ROOT, capture_output=True, text=True)


def sphinx(folder, *options, **environment):
    """The pages of a small book, by name; in a process of its own, as Sphinx has global state.

    Args:
        folder: with `conf.py` and the sources.
        options: of sphinx-build.
        environment: variables that differ from ours.
    """
    command = [sys.executable, "-m", "sphinx", "-qE", *options, folder, folder / "_build" / "html"]
    environment = {**os.environ, "PYTHONPATH": str(paths.BOOK / "_extensions"), **environment}
    built = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    return {path.stem: path.read_text() for path in (folder / "_build" / "html").glob("*.html")}


class Links(HTMLParser):
    """What a page refers to, and the anchors that it has."""

    def __init__(self, text):
        super().__init__()
        self.targets, self.anchors = set(), set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.anchors.add(attributes.get("id"))
        if tag in ("a", "link", "script", "img"):
            self.targets.add(attributes.get("href") or attributes.get("src"))


class PlainServer(SimpleHTTPRequestHandler):
    """A static server as any: no compression, no cache; and no log."""

    def log_message(self, *arguments):
        pass


class Reader:
    """Opens pages, notes what goes wrong, and gets about with the tab key."""

    def __init__(self, browser, width=1280, scheme="light", **context):
        view = {"viewport": {"width": width, "height": 900}, "color_scheme": scheme}
        self.context = browser.new_context(**view, **context)
        self.page, self.width = self.context.new_page(), width
        self.errors, self.requests = [], []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on(
            "console",
            lambda message: message.type == "error" and self.errors.append(message.text),
        )
        self.page.on("request", lambda request: self.requests.append(request.url))

    def open(self, file, fragment=""):
        self.page.goto("about:blank")  # or a change of the fragment alone would load nothing
        self.page.goto(f"{file.as_uri()}{fragment}", wait_until="load")
        return self.page

    def tab_to(self, locator):
        """Presses the tab key until the element has the focus."""
        wanted = locator.element_handle()
        for _ in range(400):
            self.page.keyboard.press("Tab")
            if wanted.evaluate("element => element === document.activeElement"):
                return
        pytest.fail("the tab key does not lead there")

    def check(self):
        """No error, nothing from elsewhere, and nothing wider than the screen."""
        assert self.errors == []
        assert all(url.startswith(("file:", "data:", "blob:", "about:")) for url in self.requests)
        assert self.page.evaluate("document.documentElement.scrollWidth") <= self.width
