"""The graph: only what changed is done again."""

import os
import re
import shutil
import subprocess
import sys

import nbformat
import pytest

from ferutils import paths
from ferutils.site import pages, sealing

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A copy of the repository in which every page and the report count as made."""
    folder = tmp_path_factory.mktemp("made")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=paths.ROOT, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    for name in filter(None, listed.split("\0")):
        if not name.startswith("tests/") and (paths.ROOT / name).is_file():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(paths.ROOT / name, target)
    for notebook in (folder / "notebooks").glob("*.ipynb"):
        executed = folder / "executed.ipynb"
        nbformat.write(nbformat.v4.new_notebook(), executed)
        pages.publish(executed, folder / "book" / "pages" / notebook.name)
    index = folder / "_build" / "html" / "index.html"
    index.parent.mkdir(parents=True)
    index.write_text("")
    sealing.seal(index.parent, folder / "_build" / "html.sums")
    snakemake(folder, "--touch", "--forcerun", "html", "page", "--", "book")
    assert planned(folder, "book") == {}
    return folder


@pytest.fixture
def checkout(made, tmp_path):
    """A copy of its own for a test, times of change included."""
    return shutil.copytree(made, tmp_path / "checkout")


def snakemake(folder, *arguments, succeeds=True, **environment):
    """What Snakemake prints; run so that it sees the copy's package, and no dataset."""
    environment = {**os.environ, "PYTHONPATH": str(folder), "FER2013": "", **environment}
    run = subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "1", *arguments],
        cwd=folder, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert (run.returncode == 0) is succeeds, run.stdout + run.stderr
    return run.stdout + run.stderr


def planned(folder, *targets):
    """How many jobs of each rule Snakemake would run."""
    printed = snakemake(folder, "--dry-run", *targets)
    stats = re.search(r"Job stats:\n.*?\ntotal", printed, re.DOTALL)
    rows = re.findall(r"^(html|page|record) +(\d+)", stats[0] if stats else "", re.MULTILINE)
    return {rule: int(count) for rule, count in rows}


def change(file, old="", new="\n"):
    text = file.read_text()
    file.write_text(text.replace(old, new, 1) if old else text + new)


def test_an_edit_of_prose_executes_no_notebook(checkout):
    change(checkout / "book" / "reproduce.md")
    assert planned(checkout, "book") == {"html": 1}


def test_an_edit_under_an_old_date_counts(checkout):
    """As rsync -a, cp -p and tar leave it."""
    for name in ("book/reproduce.md", "notebooks/claims.ipynb"):
        before = (checkout / name).stat().st_mtime
        change(checkout / name)
        os.utime(checkout / name, (before, before))
    assert planned(checkout, "book") == {"page": 1, "html": 1}


def test_what_is_missing_or_damaged_is_made_again(checkout):
    (checkout / "_build" / "html" / "index.html").write_text("cut")
    assert planned(checkout, "book") == {"html": 1}
    (checkout / "book" / "pages" / "runs.ipynb").write_text("")
    assert planned(checkout, "book") == {"page": 1, "html": 1}


def test_a_change_of_a_notebook_executes_that_one(checkout):
    change(checkout / "notebooks" / "claims.ipynb")
    assert planned(checkout, "book") == {"page": 1, "html": 1}


def test_a_change_of_the_package_executes_the_pages_and_trains_nothing(checkout):
    change(checkout / "ferutils" / "report" / "figures.py")
    pages = len(list((checkout / "notebooks").glob("*.ipynb")))
    assert planned(checkout, "book") == {"page": pages, "html": 1}


def test_a_record_of_another_backend_executes_the_page_of_backends_alone(checkout):
    record = checkout / "book" / "backends" / "jax" / "shallow-0123456789ab" / "run.json"
    record.parent.mkdir(parents=True)
    record.write_text("{}")
    assert planned(checkout, "book") == {"page": 1, "html": 1}


def test_a_new_seed_trains_one_run(checkout):
    before = planned(checkout, "study").get("record", 0)
    change(checkout / "book" / "study.yml", "seeds: [0,", "seeds: [99, 0,")
    assert planned(checkout, "study") == {"record": before + 1}


def test_a_record_is_never_made_again(checkout):
    recorded = {path.parent.name for path in (checkout / "book" / "runs").glob("*/run.json")}
    change(checkout / "Snakefile", '" --log-output', '"  --log-output')
    change(checkout / "ferutils" / "measuring" / "training.py")
    printed = snakemake(checkout, "--dry-run", "book", "study")
    wanted = set(re.findall(r"output: book/runs/([\w-]+)/run.json", printed))
    assert wanted and not wanted & recorded


def test_a_record_that_the_study_does_not_name_is_built_with(checkout):
    runs = checkout / "book" / "runs"
    recorded = next(runs.glob("*/run.json")).parent
    shutil.copytree(recorded, runs / "shallow-0123456789ab")
    (runs / "shallow-0123456789ab" / "run.json").touch()
    pages = len(list((checkout / "notebooks").glob("*.ipynb")))
    assert planned(checkout, "book") == {"page": pages, "html": 1}
    assert "shallow-0123456789ab" not in snakemake(checkout, "--dry-run", "study")


def test_every_open_run_has_a_notebook(checkout):
    printed = snakemake(checkout, "--dry-run", "--printshellcmds", "study")
    notebooks = re.findall(r"--log-output (\S+)", printed)
    assert len(notebooks) == planned(checkout, "study")["record"]
    assert all((checkout / notebook).is_file() for notebook in notebooks)


def test_a_failed_notebook_makes_a_page_only_where_asked_to_keep_going(checkout):
    page, target = (
        checkout / "book" / "pages" / "disagreements.ipynb",
        "book/pages/disagreements.ipynb",
    )
    page.unlink()
    change(checkout / "notebooks" / page.name, "prose.contradictions(claims)", "1 / 0")
    printed = snakemake(checkout, target, succeeds=False, KEEP_GOING="")
    assert "ZeroDivisionError" in printed and not page.exists()
    snakemake(checkout, target, KEEP_GOING="1")
    assert "ZeroDivisionError" in page.read_text()
    assert planned(checkout, target) == {"page": 1}  # again, though nothing changed
