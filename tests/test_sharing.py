"""What a page tells who passes it on: description, address and picture; the map, the version."""

import re
from xml.etree import ElementTree

import pytest
import yaml
from browsing import PAGES, sphinx
from bs4 import BeautifulSoup
from helpers import each
from PIL import Image

from ferutils import paths
from ferutils.records import provenance

CONFIG = """
extensions = ["myst_parser", "sharing"]
myst_enable_extensions = ["colon_fence"]
html_theme = "sphinx_book_theme"
html_title = "A small report"
exclude_patterns = ["_build"]
"""
SITE = "https://owner.github.io/name/"
LONG = "It goes on, and on, and on. " * 20
INDEX = """# The *first* page

:::{note}
No description.
:::

The <answer> & more.

```{figure} a.png
:name: faces
```

```{figure} a.png
:name: curves
```

```{toctree}
other
```
"""
OTHER = f"# Other\n\n{LONG}\n"


def built(folder, repository=""):
    """The pages of a small book, by name; of its figure `curves` there are numbers."""
    (folder / "conf.py").write_text(CONFIG)
    (folder / "index.md").write_text(INDEX)
    (folder / "other.md").write_text(OTHER)
    figures = folder / "_build" / "html" / "_downloads" / "figures"
    figures.mkdir(parents=True)
    for file, colour in [(folder / "a.png", "red"), (figures / "faces.png", "red")]:
        Image.new("RGB", (10, 10), colour).save(file)
    Image.new("RGB", (300, 100), "blue").save(figures / "curves.png")
    (figures / "curves.csv").touch()
    pages = sphinx(folder, "-W", GITHUB_REPOSITORY=repository, GIT_DIR=str(folder))
    return {name: BeautifulSoup(pages[name], "html.parser") for name in ("index", "other")}


@pytest.fixture
def known(tmp_path):
    """The book where its repository is known."""
    return built(tmp_path, "Owner/name")


def told(page):
    return {
        tag.get("property") or tag["name"]: tag["content"]
        for tag in page.select("meta[property^='og:'], meta[name=description]")
    }


@pytest.mark.slow
def test_where_the_site_is_known_a_page_tells_its_address_and_shows_its_first_figure(
    known, tmp_path
):
    found = told(known["index"])
    assert found["description"] == found["og:description"] == "The <answer> & more."
    assert found["og:title"] == "The first page"
    assert found["og:site_name"] == "A small report"
    assert found["og:url"] == f"{SITE}index.html"
    assert known["index"].select_one("link[rel=canonical]")["href"] == f"{SITE}index.html"
    assert found["og:image"] == f"{SITE}_downloads/cards/index.png"
    picture = Image.open(tmp_path / "_build/html/_downloads/cards/index.png")
    assert picture.size == (1200, 630)
    assert (found["og:image:width"], found["og:image:height"]) == ("1200", "630")
    # Of faces, which have no numbers, no picture is passed on.
    assert picture.getpixel((0, 0)) == (255, 255, 255)
    assert picture.getpixel((600, 315)) == (0, 0, 255)


@pytest.mark.slow
def test_a_page_without_figures_shows_that_of_the_first_and_ends_with_a_sentence(known):
    found = told(known["other"])
    assert found["og:image"] == told(known["index"])["og:image"]
    assert 100 < len(found["description"]) <= 200
    assert found["description"].endswith("and on.")


@pytest.mark.slow
def test_the_map_names_every_page(known, tmp_path):
    tree = ElementTree.parse(tmp_path / "_build/html/sitemap.xml")
    found = [one.text for one in tree.iterfind(".//{*}loc")]
    assert found == [f"{SITE}index.html", f"{SITE}other.html"]


@pytest.mark.slow
def test_where_the_site_is_not_known_there_are_descriptions_and_no_addresses(tmp_path):
    pages = built(tmp_path)
    for page in pages.values():
        assert set(told(page)) == {
            "description",
            "og:description",
            "og:title",
            "og:type",
            "og:site_name",
        }
        assert not page.select("link[rel=canonical]")
    assert not (tmp_path / "_build/html/sitemap.xml").exists()
    assert not (tmp_path / "_build/html/_downloads/cards").exists()


@pytest.mark.parametrize(
    ("repository", "site"),
    [
        ("owner/name", SITE),
        ("Owner/Name", "https://owner.github.io/Name/"),
        ("Owner/owner.github.io", "https://owner.github.io/"),
    ],
)
def test_the_site_is_where_github_pages_publishes_it(monkeypatch, repository, site):
    monkeypatch.setenv("GITHUB_REPOSITORY", repository)
    assert provenance.site() == site


# ---- the report ---------------------------------------------------------------------------------

VERSION = yaml.safe_load((paths.ROOT / "CITATION.cff").read_text())["version"]


def test_every_page_has_a_description_of_its_own(report):
    pages = [BeautifulSoup((report / f"{page}.html").read_text(), "html.parser") for page in PAGES]
    found = [told(page)["description"] for page in pages]
    assert len(set(found)) == len(PAGES)
    assert all(20 < len(text) <= 202 for text in found)


@each("page", PAGES)
def test_every_page_names_the_version_and_leads_to_what_changed(report, page):
    file = report / f"{page}.html"
    footer = BeautifulSoup(file.read_text(), "html.parser").select_one("footer.bd-footer-content")
    assert f"Version {VERSION}" in footer.get_text()
    link = footer.find("a", string="What changed")["href"]
    assert (file.parent / link.removesuffix("#")).resolve() in (report / "log.html", file.parent)


def test_the_changelog_begins_with_this_version_and_says_of_each_which_verdicts_changed():
    text = (paths.BOOK / "log.md").read_text()
    versions = re.split(r"^## Version ", text, flags=re.MULTILINE)[1:]
    assert versions[0].startswith(f"{VERSION},")
    assert all("### Which verdicts changed" in one for one in versions)
