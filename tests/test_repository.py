"""The repository: README true to the disk, each dependency with its use, no image in git."""

import ast
import itertools
import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from ferutils import paths
from ferutils.site import readme

ROOT = paths.ROOT
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def tracked():
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return list(filter(None, listed.stdout.split("\0")))


def test_readme_names_every_top_level_entry_and_no_other():
    tree = (ROOT / "README.md").read_text().split("## What is where")[1].split("```")[1]
    lines = tree.strip().splitlines()
    named = {line.split()[0].rstrip("/") for line in lines if not line.startswith(" ")}
    assert named == {name.split("/")[0] for name in tracked()}
    rooms = {room for line in lines if line.startswith("  ") for room in re.findall(
        r"[\w]+(?=/|,|  )", line[:24])}  # fmt: skip
    inside = {Path(name).parts[1] for name in tracked() if name.startswith("ferutils/")}
    assert rooms == {name.removesuffix(".py") for name in inside} - {"__init__"}


def test_readme_has_the_verdicts_of_the_records():
    text = readme.README.read_text()
    assert readme.with_verdicts(text) == text, "run: make readme"


def test_every_direct_dependency_says_its_use_and_is_locked():
    source = (ROOT / "pyproject.toml").read_text()
    lock = (ROOT / "requirements.txt").read_text()
    optional = PROJECT["optional-dependencies"]
    for requirement in [*PROJECT["dependencies"], *itertools.chain(*optional.values())]:
        assert re.search(rf'"{re.escape(requirement)}", +# \S', source), requirement
    for requirement in [*PROJECT["dependencies"], *optional["test"]]:
        name = re.match(r"[\w-]+", requirement)[0]
        assert re.search(rf"^{name}==.*\\\n +--hash=sha256:", lock, re.MULTILINE), name


def test_every_github_action_is_a_commit_and_says_its_version():
    for file in (ROOT / ".github" / "workflows").glob("*.yml"):
        for action in re.findall(r"uses: (.*)", file.read_text()):
            assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action


def test_an_environment_of_another_folder_stays_where_a_link_leads_to_it(tmp_path):
    there, here = tmp_path / "there", tmp_path / "here"
    there.mkdir()
    here.mkdir()
    (there / "pyvenv.cfg").write_text(f"command = python3 -m venv {there}\n")
    (here / ".venv").symlink_to(there)
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\n[ "$1" = -c ] || echo "$@" >> {tmp_path}/asked\n')
    python.chmod(0o755)
    for name in ("Makefile", "Snakefile", "requirements.txt", "pyproject.toml"):
        (here / name).symlink_to(ROOT / name)
    subprocess.run(["make", "setup", f"PYTHON={python}"], cwd=here, capture_output=True)
    assert (tmp_path / "asked").read_text() == "-m venv --clear .venv\n"
    assert not (here / ".venv").exists() and list(there.iterdir()) == [there / "pyvenv.cfg"]


@pytest.mark.parametrize(
    "made, asked",
    [
        ({}, "-m venv --clear .venv\n"),
        ({".ready": 0}, "-m venv --clear .venv\n"),  # its Python was removed
        ({"bin/python": 0}, "-m venv --clear .venv\n"),  # interrupted
        ({"bin/python": 0, ".ready": 0}, "-m venv .venv\n"),  # a new requirement
        ({"bin/python": 0, ".ready": 2e9}, ""),  # newer than what it is made of
    ],
)
def test_an_environment_that_is_not_whole_is_set_up_anew(tmp_path, made, asked):
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "pyvenv.cfg").write_text(f"command = python3 -m venv {tmp_path}/.venv\n")
    for name, date in made.items():
        (tmp_path / ".venv" / name).write_text("#!/bin/sh\n")
        (tmp_path / ".venv" / name).chmod(0o755)
        os.utime(tmp_path / ".venv" / name, (date, date))
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\n[ "$1" = -c ] || echo "$@" >> {tmp_path}/asked\n')
    python.chmod(0o755)
    for name in ("Makefile", "Snakefile", "requirements.txt", "pyproject.toml"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "asked").touch()
    subprocess.run(["make", "setup", f"PYTHON={python}"], cwd=tmp_path, capture_output=True)
    assert (tmp_path / "asked").read_text() == asked


def test_no_image_weight_or_dataset_is_in_git():
    suffixes = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".h5", ".keras", ".npy", ".csv", ".npz",
                ".bin", ".parquet")  # fmt: skip
    found = [
        name
        for name in tracked()
        if name.endswith(suffixes)
        and not re.fullmatch(
            r"book/((runs|backends/\w+)/[\w-]+/(history\.csv|predictions\.npz)"
            r"|baselines/linear\.npz)|ferutils/dataset/published\.bin",  # hashes, no pixel
            name,
        )
    ]
    assert found == []


def test_every_network_cites_the_figure_that_it_follows():
    tree = ast.parse((ROOT / "ferutils" / "measuring" / "models.py").read_text())
    documented = {node.name: ast.get_docstring(node) for node in ast.walk(tree)
                  if isinstance(node, ast.FunctionDef)}  # fmt: skip
    for name in ("shallow", "improved", "deep"):
        assert re.search(r"Source: Figure \d", documented[name])


PROSE = sorted(paths.BOOK.glob("*.md"))


@pytest.mark.parametrize("page", PROSE, ids=lambda page: page.stem)
def test_no_measured_number_stands_in_prose(page):
    """A number of a result, a cost or a count comes from a record; names and versions may stay."""
    text = re.sub(r"```.*?```|`[^`]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    text = re.sub(
        r"(Python|[Ss]ections?|[Vv]ersion) \d+(\.\d+)?(, \d+\.\d+)*( (or|and) \d+\.\d+)?", "", text
    )
    unit = r"\s?(%|percent|hours?|minutes?|seconds?|nats|images?|runs?|GiB|MB|epochs?)\b"
    assert re.findall(rf"\d+\.\d+|\d{{1,3}},\d{{3}}|\d+{unit}", text) == []
