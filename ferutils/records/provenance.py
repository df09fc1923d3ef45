"""Where a number comes from: the code, the libraries and the machine of this process.

Reads the package's own source, git and the system; writes nothing, and names neither the user, nor
the host, nor a path.
"""

import ast
import hashlib
import importlib.metadata
import os
import platform
import re
import resource
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from ferutils import paths
from ferutils.records.runs import Run

# Where the code stands that decides the numbers of a run, given its recipe and dataset.
SHAPING = (
    "dataset/fer2013",
    "dataset/reading",
    "measuring/models",
    "measuring/training",
    "records/keeping",
)
# Writes a tree as Python 3.11 does: 3.13 leaves out empty lists unless it is told not to.
AS_IN_3_11 = {"show_empty": True} if sys.version_info >= (3, 13) else {}
RECORDS = tuple(
    f"book/{kind}"
    for kind in (
        "runs",
        "backends",
        "crop.json",
        "crossvalidation",
        "crowd.json",
        "peers.json",
        "pretrained",
        "probes",
        "small",
        "first_steps.json",
    )
)
ARCHIVED = ".git_archival.txt"  # into which git archive, and GitHub's downloads, write the commit
LIBRARIES = ("keras", "tensorflow", "jax", "torch", "numpy", "papermill")


def code_fingerprint(
    model: str,
    package: Path = paths.ROOT / "ferutils",
    modules: Iterable[str] = SHAPING,
    also: tuple[str, ...] = (),
) -> str:
    """A hash of the code that shapes the numbers of a model's runs.

    It covers what `training.train` and the model's builder reach by name: not the other networks,
    nor what only reads files, reports or saves. Comments, layout, docstrings and the messages of
    errors do not count.

    Args:
        model: a name in `models.MODELS`.
        package: the folder of the modules.
        modules: where the code stands; what `train` or a function of the model's name does not
            reach does not count.
        also: further functions whose reach counts.
    """
    files = [package / f"{module}.py" for module in modules]
    return _fingerprint((model, *also), tuple(file.read_text(encoding="utf-8") for file in files))


@cache  # by what the files hold: a page asks for every run that it shows
def _fingerprint(roots: tuple[str, ...], sources: tuple[str, ...]) -> str:
    definitions: dict[str, ast.stmt] = {}
    for source in sources:
        definitions |= _definitions(source)
    definitions.pop("MODELS", None)  # reaches every network; the one that counts is a root
    reached, waiting = set(), ["train", *roots]
    while waiting:
        name = waiting.pop()
        if name in definitions and name not in reached:
            reached.add(name)
            waiting += _names(definitions[name])
    text = "\n".join(ast.dump(definitions[name], **AS_IN_3_11) for name in sorted(reached))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def is_current(run: Run) -> bool:
    """Whether a run was made by code that would give the same numbers today."""
    return run.code.fingerprint == code_fingerprint(run.recipe.model)


def _definitions(source: str) -> dict[str, ast.stmt]:
    """The functions, classes and constants of a module by name, without their docstrings."""
    found: dict[str, ast.stmt] = {}
    for node in ast.parse(source).body:
        for inner in ast.walk(node):
            vars(inner).pop("type_params", None)  # which functions and classes have since 3.12
            if isinstance(inner, ast.Raise) and isinstance(inner.exc, ast.Call):
                inner.exc = inner.exc.func
            documented = isinstance(inner, ast.FunctionDef | ast.ClassDef)
            if documented and ast.get_docstring(inner) is not None:
                inner.body = inner.body[1:]
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found[node.name] = node
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {target.id: node for target in targets if isinstance(target, ast.Name)}
    return found


def _names(node: ast.stmt) -> set[str]:
    """Every name that a definition mentions, alone or behind a dot."""
    mentioned = {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}
    return mentioned | {inner.attr for inner in ast.walk(node) if isinstance(inner, ast.Attribute)}


def commit() -> tuple[str | None, bool | None]:
    """The commit of the repository and whether the working tree is clean; None where nothing tells.

    Records are left out, because a training must not call the next one's tree changed. Without git
    the commit is that which an archive of the repository was made from.
    """
    try:
        head = _git("rev-parse", "HEAD")
        return head, not _git("status", "--porcelain", "--", ".", *(f":!{one}" for one in RECORDS))
    except (OSError, subprocess.CalledProcessError):
        return _archived(), None


def _archived() -> str | None:
    """The commit that this copy of the repository was archived from."""
    file = paths.ROOT / ARCHIVED
    found = file.is_file() and re.fullmatch(r"[0-9a-f]{40}", file.read_text().strip())
    return found[0] if found else None


def export(names: Iterable[str], folder: Path) -> None:
    """Write files and folders of the last commit, each with all that is in it, into a folder."""
    with tempfile.NamedTemporaryFile(suffix=".tar") as file:
        _git("archive", "--format=tar", "--output", file.name, "HEAD", "--", *names)
        with tarfile.open(file.name) as archive:
            archive.extractall(folder, filter="data")


def tracked() -> set[str] | None:
    """The files that git knows, relative to the repository; None without git."""
    try:
        return set(_git("ls-files", "-z").split("\0"))
    except (OSError, subprocess.CalledProcessError):
        return None


def repository() -> str | None:
    """The public repository as owner/name on GitHub; None where it is not known.

    GitHub Actions names it in the environment variable GITHUB_REPOSITORY; elsewhere it is the
    remote `origin`, where that is on GitHub.
    """
    named = os.environ.get("GITHUB_REPOSITORY")
    if named:
        return named
    try:
        origin = _git("remote", "get-url", "origin")
    except (OSError, subprocess.CalledProcessError):
        return None
    found = re.search(r"[/@.]github\.com[/:]([\w.-]+/[\w.-]+?)(\.git)?/?$", origin)
    return found[1] if found else None


def site() -> str | None:
    """Where GitHub Pages publishes the report, with a slash at its end; None where not known."""
    named = repository()
    if named is None:
        return None
    owner, name = named.lower().split("/")[0], named.split("/")[1]
    host = f"{owner}.github.io"
    return f"https://{host}/" if name.lower() == host else f"https://{host}/{name}/"


def _git(*arguments: str) -> str:
    """What git says of this repository, and not of another one that its folder may lie in."""
    # The folder may belong to another user, as in a container, where git would refuse.
    trusted = f"safe.directory={paths.ROOT}"
    command = ["git", "-C", str(paths.ROOT), "-c", trusted, *arguments]
    alone = os.environ | {"GIT_CEILING_DIRECTORIES": str(paths.ROOT.parent)}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=alone)
    return done.stdout.strip()


def versions() -> dict[str, str]:
    """The versions of Python and of the libraries that compute."""
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def system() -> str:
    """Operating system and processor architecture."""
    return f"{platform.system()} {platform.machine()}"


def processor() -> str:
    """The processor's model name, with the number of cores that this process may use."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.split(":", 1)[1].strip() for line in lines if "model name" in line)
    except (OSError, StopIteration):
        name = platform.processor() or platform.machine()
    return f"{name}, {_cores()} cores"


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def peak_memory_bytes() -> int:
    """The largest resident memory of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # Linux counts in KiB
