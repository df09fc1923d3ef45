"""Provenance: what changes the code fingerprint, and that nothing names a person or a machine."""

import getpass
import platform
import re
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from ferutils import paths, provenance

SOURCE = '''"""A module."""

import math


class Circle:
    """A circle."""

    def area(self, radius: float) -> float:
        """Its area."""
        return math.pi * radius**2  # square


def later():
    """Not now."""
    return f"{Circle()!r}"
'''

SAME = {
    "a comment": SOURCE.replace("# square", "# the square of the radius"),
    "no comment": SOURCE.replace("  # square", ""),
    "a docstring": SOURCE.replace("A circle.", "A round thing.").replace("A module.", "Shapes."),
    "a docstring of a function": SOURCE.replace("Not now.", "Some day."),
    "no docstring": SOURCE.replace('        """Its area."""\n', ""),
    "layout": SOURCE.replace(
        "math.pi * radius**2", "(\n            math.pi * radius ** 2\n        )"
    ),
    "blank lines": SOURCE.replace("\n\n\n", "\n\n"),
    "quotes": SOURCE.replace('f"{Circle()!r}"', "f'{Circle()!r}'"),
}
DIFFERENT = {
    "a number": SOURCE.replace("**2", "**3"),
    "a name": SOURCE.replace("radius", "r"),
    "a type": SOURCE.replace("-> float", "-> int"),
    "a statement": SOURCE.replace("import math\n", "import math\nimport os\n"),
    "a string": SOURCE.replace("!r", "!s"),
}


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A stand-in for the package whose shaping modules can be edited."""
    for module in provenance.SHAPING:
        (tmp_path / f"{module}.py").write_text(SOURCE)
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "provenance.py"))
    return tmp_path


@pytest.mark.parametrize("way", SAME)
def test_the_fingerprint_ignores_what_means_nothing(package, way):
    before = provenance.code_fingerprint()
    assert SAME[way] != SOURCE
    (package / "models.py").write_text(SAME[way])
    assert provenance.code_fingerprint() == before


@pytest.mark.parametrize("way", DIFFERENT)
@pytest.mark.parametrize("module", provenance.SHAPING)
def test_the_fingerprint_changes_with_the_code(package, way, module):
    before = provenance.code_fingerprint()
    assert DIFFERENT[way] != SOURCE
    (package / f"{module}.py").write_text(DIFFERENT[way])
    assert provenance.code_fingerprint() != before


def test_the_fingerprint_is_the_same_under_every_python(package):
    # What Python 3.11 makes of it: later versions know more parts of a function.
    assert provenance.code_fingerprint() == "16d8eaba2136501b"


def test_the_fingerprint_is_short_and_stable():
    assert re.fullmatch("[0-9a-f]{16}", provenance.code_fingerprint())
    assert provenance.code_fingerprint() == provenance.code_fingerprint()


def test_the_shaping_modules_are_there():
    for module in provenance.SHAPING:
        assert (paths.ROOT / "ferutils" / f"{module}.py").is_file()


# Commit


@pytest.fixture
def repository(tmp_path, monkeypatch):
    if shutil.which("git") is None:
        pytest.skip("git is absent")
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    (tmp_path / "code.py").write_text("1\n")
    git = ["git", "-C", str(tmp_path), "-c", "user.name=A", "-c", "user.email=a@example.org"]
    for step in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
        subprocess.run([*git, *step], check=True, capture_output=True)
    return tmp_path


def test_a_clean_commit(repository):
    head, clean = provenance.commit()
    assert re.fullmatch("[0-9a-f]{40}", head)
    assert clean is True


@pytest.mark.parametrize("name", ["code.py", "new.py"])
def test_a_changed_tree_is_not_clean(repository, name):
    (repository / name).write_text("2\n")
    assert provenance.commit()[1] is False


def test_a_new_record_does_not_make_the_tree_unclean(repository):
    folder = repository / "book" / "runs" / "shallow-0123456789ab"
    folder.mkdir(parents=True)
    (folder / "run.json").write_text("{}")
    assert provenance.commit()[1] is True


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
            provenance.code_fingerprint(),
            *provenance.versions().values(),
            *map(str, provenance.commit()),
        ]
    )
    assert "somebody" not in said
    assert str(Path.home()) not in said
    assert str(paths.ROOT) not in said
    assert re.search(r"\d cores?$", provenance.processor())
