"""The audit: by code of its own, right on the report as it stands, and able to fail."""

import ast
import re
import shutil

import numpy as np
import pytest

from audit.__main__ import agree, audit
from audit.records import About
from ferutils import paths

RECORD = "shallow-36fea7e673ca"


@pytest.fixture
def copy(report, tmp_path):
    """The records and the pages, to be spoiled."""
    book, pages = tmp_path / "book", tmp_path / "pages"
    ignored = shutil.ignore_patterns("pages", "_static", "_extensions")
    shutil.copytree(paths.BOOK, book, ignore=ignored)
    pages.mkdir()
    for page in (report / "pages").glob("*.html"):
        shutil.copy(page, pages)
    return book, pages


def change(file, pattern, text):
    content, times = re.subn(pattern, text, file.read_text(), count=1, flags=re.DOTALL)
    assert times == 1
    file.write_text(content)


def test_it_imports_nothing_of_the_package():
    for file in (paths.ROOT / "audit").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [one.name for one in getattr(node, "names", [])]
            module = getattr(node, "module", None) or ""
            for name in (module, *names):
                assert not name.startswith("ferutils"), f"{file.name}: {name}"


@pytest.mark.parametrize(
    ("cell", "expected", "agrees"),
    [
        ("53.9\u00a0% (52.2–55.5)", [53.94, 52.16, 55.54], True),
        ("53.9\u00a0% (52.2–55.5)", [53.96, 52.16, 55.54], False),
        ("−0.9 (−2.8 to +1.0)", [-0.91, -2.8, 1.04], True),
        ("−0.9 (−2.8 to +1.0)", [0.91, -2.8, 1.04], False),
        ("1,024", [1024], True),
        ("46×46×32", [46, 46, 32], True),
        ("open", [], True),
        ("open", [0.5], False),
        ("0.521", [], False),
        ("> 99\u00a0%", [99.96], True),
        ("> 99\u00a0%", [98.1], False),
        ("< 0.001", [1e-9], True),
        ("+4.5", [About(4.7, 0.2)], True),
        ("+4.5", [About(4.8, 0.2)], False),
        ("✗ 2,345,607", "✗ 2,345,607", True),
        ("✓", "✗", False),
    ],
)
def test_a_cell_agrees_to_the_digits_that_it_prints(cell, expected, agrees):
    assert agree(cell, expected) is agrees


@pytest.mark.slow
def test_one_changed_number_of_a_page_is_named(copy, capsys):
    book, pages = copy
    assert audit(book, pages) == 0, capsys.readouterr().out
    said = capsys.readouterr().out
    assert re.search(r"\d,\d{3} numbers recomputed, 0 differences, [\d,]+ numbers not", said)
    assert "claims.html, claims: " in said
    change(pages / "comparison.html", r'(id="comparison-held-out".*?<p>)\d\d\.\d', r"\g<1>12.3")
    change(pages / "claims.html", r'(id="claim-deep-best".*?measured">)−\d\.\d', r"\g<1>−0.1")
    change(
        pages / "claims.html",
        r'(id="claim-shallow-parameters".*?printed">)2,345,607',
        r"\g<1>2,345,608",
    )
    change(pages / "shallow.html", r'(id="shallow-layers".*?)18,496', r"\g<1>18,497")
    change(pages / "readings.html", 'id="readings-table"', 'id="readings-elsewhere"')
    change(book / "runs" / RECORD / "history.csv", r"\n10,[\d.]+", "\n10,0.5")
    change(book / "runs" / RECORD / "history.csv", r"(\n10,0.5,[\d.]+,)[\d.]+", r"\g<1>9.0")
    spoil_a_prediction(book / "runs" / RECORD / "predictions.npz")
    assert audit(book, pages) >= 7
    said = capsys.readouterr().out
    assert re.search(r"comparison.html, comparison-held-out, shallow / .*: printed 12\.3", said)
    assert (
        "shallow.html, shallow-layers, conv2d_1: Parameters: printed 18,497, recomputed 18496"
        in said
    )
    assert "claims.html, claims, deep-best: Shown: printed −0.1" in said
    assert "claims.html, claims, shallow-parameters: Printed: printed 2,345,608" in said
    assert "\nreadings-table: no such table" in said
    assert "comparison-table-3, shallow / training loss: Ours" in said
    assert f"record {RECORD}, PrivateTest: run.json" in said
    assert f"record {RECORD}, PublicTest: history.csv" in said
    assert "readings.html, readings-elsewhere: " in said.split("numbers recomputed")[0]


def spoil_a_prediction(file):
    with np.load(file) as stored:
        arrays = dict(stored)
    logs = arrays["PrivateTest_log_probabilities"]
    labels = arrays["PrivateTest_labels"]
    right = int(np.flatnonzero(logs.argmax(axis=1) == labels)[0])
    logs[right] = np.roll(logs[right], 1)
    np.savez_compressed(file, **arrays)
