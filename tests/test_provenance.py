"""Provenance: what changes the code fingerprint, and that nothing names a person or a machine."""

import getpass
import os
import platform
import re
import shutil
import socket
import subprocess
from pathlib import Path

import pytest
from helpers import commit_all

from ferutils import paths
from ferutils.records import provenance, recipes

PACKAGE = paths.ROOT / "ferutils"

# A stand-in for the package's modules: what `train` and the model `deep` reach, and what not.
SOURCES = {
    "dataset/fer2013": '''"""Reads."""

SEED = 7


def load(path):
    return open(path)


def subset(images, n):
    """The first images."""
    return images[_order(n)]  # in order


def _order(n):
    return SEED * n
''',
    "measuring/models": '''"""Builds."""

SIZE: int = 48


class Block:
    """A block."""

    width = SIZE


def shallow(recipe):
    return 1


def deep(recipe):
    """Block after block."""
    return [Block() for _ in range(13)]


MODELS = {"shallow": shallow, "deep": deep}


def build(recipe):
    return MODELS[recipe.model](recipe)
''',
    "measuring/training": '''"""Trains."""

from ferutils import data, models


def train(recipe, dataset):
    """Train."""
    images = data.subset(dataset, recipe.n)
    return models.build(recipe), f"{images!r}"


def save(model, path):
    model.save(path)
''',
}

# module, old, new; the model is `deep`
SAME = {
    "a comment": ("dataset/fer2013", "# in order", "# sorted"),
    "no comment": ("dataset/fer2013", "  # in order", ""),
    "a module's docstring": ("measuring/models", "Builds.", "Stacks."),
    "a function's docstring": ("measuring/training", "Train.", "Fit."),
    "a class's docstring": ("measuring/models", "A block.", "A brick."),
    "no docstring": ("measuring/training", '    """Train."""\n', ""),
    "layout": ("dataset/fer2013", "SEED * n", "(\n        SEED*n\n    )"),
    "blank lines": ("measuring/models", "\n\n\n", "\n\n"),
    "quotes": ("measuring/training", 'f"{images!r}"', "f'{images!r}'"),
    "another network": ("measuring/models", "return 1", "return 2"),
    "one network more": ("measuring/models", '"deep": deep}', '"deep": deep, "wide": deep}'),
    "what only reads": ("dataset/fer2013", "open(path)", "open(path, 'rb')"),
    "what only saves": ("measuring/training", "model.save(path)", "model.save(str(path))"),
}
DIFFERENT = {
    "the network": ("measuring/models", "range(13)", "range(4)"),
    "the order of steps": ("measuring/models", "MODELS[recipe.model]", "MODELS[recipe.network]"),
    "a constant": ("dataset/fer2013", "SEED = 7", "SEED = 8"),
    "a constant with a type": ("measuring/models", "48", "47"),
    "a part of a class": ("measuring/models", "width", "height"),
    "a function behind a dot": ("dataset/fer2013", "images[_order(n)]", "images[:n]"),
    "a function behind that": ("dataset/fer2013", "SEED * n", "SEED + n"),
    "the training": ("measuring/training", "recipe.n)", "recipe.m)"),
    "a string": ("measuring/training", "!r", "!s"),
}


@pytest.fixture
def package(tmp_path):
    """A folder with the stand-ins, which can be edited."""
    for module in provenance.SHAPING:
        file = tmp_path / f"{module}.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text(SOURCES.get(module, ""))
    return tmp_path


def edited(package, module, old, new):
    assert old in SOURCES[module]
    (package / f"{module}.py").write_text(SOURCES[module].replace(old, new))
    return provenance.code_fingerprint("deep", package)


@pytest.mark.parametrize("way", SAME)
def test_the_fingerprint_ignores_what_does_not_shape_the_numbers(package, way):
    before = provenance.code_fingerprint("deep", package)
    assert edited(package, *SAME[way]) == before


@pytest.mark.parametrize("way", DIFFERENT)
def test_the_fingerprint_changes_with_the_code_that_shapes_the_numbers(package, way):
    before = provenance.code_fingerprint("deep", package)
    assert edited(package, *DIFFERENT[way]) != before


def test_each_model_has_its_own_fingerprint(package):
    deep = provenance.code_fingerprint("deep", package)
    shallow = provenance.code_fingerprint("shallow", package)
    assert shallow != deep
    assert edited(package, "measuring/models", "return 1", "return 2") == deep
    assert provenance.code_fingerprint("shallow", package) != shallow


def test_the_fingerprint_is_the_same_under_every_python(package):
    # As Python 3.11 made it for the first records; later versions know more parts of a function.
    assert provenance.code_fingerprint("deep", package) == "04327ea58f4f42a3"


@pytest.mark.parametrize("model", recipes.NETWORKS)
def test_the_package_has_a_fingerprint_for_every_model(model):
    assert re.fullmatch("[0-9a-f]{16}", provenance.code_fingerprint(model))


def test_no_name_is_defined_in_two_of_the_modules():
    # `code_fingerprint` follows names, so that of two definitions it would see one only.
    names = [
        name
        for module in provenance.SHAPING
        for name in provenance._definitions((PACKAGE / f"{module}.py").read_text())
    ]
    assert len(names) == len(set(names))
    assert {"train", "build", "subset", *recipes.NETWORKS} <= set(names)


# Commit


@pytest.fixture
def repository(tmp_path, monkeypatch):
    if shutil.which("git") is None:
        pytest.skip("git is absent")
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    (tmp_path / "code.py").write_text("1\n")
    commit_all(tmp_path)
    return tmp_path


def test_a_clean_commit(repository):
    head, clean = provenance.commit()
    assert re.fullmatch("[0-9a-f]{40}", head)
    assert clean is True


def test_the_commit_of_a_clone_that_belongs_to_another_user(repository):
    """As in a container, or in a folder that several users share."""
    if os.getuid() != 0:
        pytest.skip("only root can give a folder away")
    for path in (repository, *repository.rglob("*")):
        os.chown(path, 65534, 65534)
    assert re.fullmatch("[0-9a-f]{40}", provenance.commit()[0] or "")


@pytest.mark.parametrize("name", ["code.py", "new.py"])
def test_a_changed_tree_is_not_clean(repository, name):
    (repository / name).write_text("2\n")
    assert provenance.commit()[1] is False


@pytest.mark.parametrize(
    "name",
    [
        "runs/shallow-0123456789ab/run.json",
        "backends/jax/shallow-0123456789ab/run.json",
        "crossvalidation/deep.json",
        "small/tiny-seed-0.json",
        "crop.json",
        "crowd.json",
    ],
)
def test_a_new_record_does_not_make_the_tree_unclean(repository, name):
    file = repository / "book" / name
    file.parent.mkdir(parents=True)
    file.write_text("{}")
    assert provenance.commit()[1] is True


def test_an_archive_knows_the_commit_it_was_made_from(repository, tmp_path, monkeypatch):
    (repository / provenance.ARCHIVED).write_text("$Format:%H$\n")
    (repository / ".gitattributes").write_text(f"{provenance.ARCHIVED} export-subst\n")
    commit_all(repository)
    head = provenance.commit()[0]
    provenance.export([provenance.ARCHIVED], tmp_path / "copy")
    monkeypatch.setattr(paths, "ROOT", tmp_path / "copy")
    assert provenance.commit() == (head, None)


def test_without_a_repository_there_is_no_commit(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert provenance.commit() == (None, None)


def test_without_git_there_is_no_commit(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert provenance.commit() == (None, None)


# Libraries and machine


def test_the_versions_are_those_of_the_libraries_that_compute():
    versions = provenance.versions()
    assert {"python", "keras", "numpy"} <= set(versions)
    assert versions["python"] == platform.python_version()
    assert all(re.match(r"\d+\.\d+", version) for version in versions.values())


def test_a_library_that_is_not_installed_has_no_version(monkeypatch):
    monkeypatch.setattr(provenance, "LIBRARIES", ("numpy", "no-such-library"))
    assert set(provenance.versions()) == {"python", "numpy"}


def test_the_memory_is_in_bytes():
    assert 10 * 2**20 < provenance.peak_memory_bytes() < 2**40


def test_nothing_names_the_user_the_host_or_a_path(monkeypatch):
    uname = platform.uname()._replace(node="host-of-somebody")
    monkeypatch.setattr(platform, "uname", lambda: uname)
    monkeypatch.setattr(platform, "node", lambda: "host-of-somebody")
    monkeypatch.setattr(socket, "gethostname", lambda: "host-of-somebody")
    monkeypatch.setattr(getpass, "getuser", lambda: "somebody")
    for variable in ("USER", "LOGNAME", "HOSTNAME"):
        monkeypatch.setenv(variable, "somebody")
    said = " ".join(
        [
            provenance.system(),
            provenance.processor(),
            provenance.code_fingerprint("deep"),
            *provenance.versions().values(),
            *map(str, provenance.commit()),
        ]
    )
    assert "somebody" not in said
    assert str(Path.home()) not in said
    assert str(paths.ROOT) not in said
    assert re.search(r"\d cores?$", provenance.processor())


@pytest.mark.parametrize(
    ("origin", "repository"),
    [
        ("https://github.com/owner/some.name.git", "owner/some.name"),
        ("https://user:token@github.com/owner/name", "owner/name"),
        ("git@github.com:owner/name.git", "owner/name"),
        ("ssh://git@github.com/owner/name/", "owner/name"),
        ("https://example.org/owner/name.git", None),
        ("https://notgithub.com/owner/name.git", None),
        (None, None),
    ],
)
def test_the_public_repository_is_the_remote_origin_on_github(
    origin, repository, tmp_path, monkeypatch
):
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    if origin:
        subprocess.run(["git", "-C", tmp_path, "remote", "add", "origin", origin], check=True)
    assert provenance.repository() == repository


def test_the_repository_around_the_folder_is_another_one(tmp_path, monkeypatch):
    (tmp_path / "reproduction").mkdir()
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    remote = ("remote", "add", "origin", "https://github.com/a/b")
    subprocess.run(["git", "-C", tmp_path, *remote], check=True)
    monkeypatch.setattr(paths, "ROOT", tmp_path / "reproduction")
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
    assert provenance.repository() is None
    assert provenance.commit() == (None, None)


def test_on_github_actions_the_repository_is_the_one_it_names(monkeypatch):
    monkeypatch.setenv("GITHUB_REPOSITORY", "owner/name")
    assert provenance.repository() == "owner/name"
