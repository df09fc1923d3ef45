"""Where a number comes from: the code, the libraries and the machine of this process.

Reads the package's own source, git and the system; writes nothing, and names neither the user, nor
the host, nor a path.
"""

import ast
import hashlib
import importlib.metadata
import os
import platform
import resource
import subprocess
import sys
from pathlib import Path

from ferutils import paths

# What decides the numbers of a run, given its recipe and dataset, whose fingerprint is kept apart.
SHAPING = ("models", "training")
LIBRARIES = ("keras", "tensorflow", "jax", "torch", "numpy", "papermill")


def code_fingerprint() -> str:
    """A hash of the code that shapes a run's numbers; comments and docstrings do not count."""
    package = Path(__file__).parent
    digest = hashlib.sha256()
    for module in SHAPING:
        digest.update(_meaning((package / f"{module}.py").read_text()).encode())
    return digest.hexdigest()[:16]


def _meaning(source: str) -> str:
    """Source code without comments, layout and docstrings."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        documented = isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef)
        if documented and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    return ast.dump(tree)


def commit() -> tuple[str | None, bool | None]:
    """The commit of the repository and whether the working tree is clean; None without git.

    Records are left out, because a run must not call the next one's tree changed.
    """
    try:
        head = _git("rev-parse", "HEAD")
        return head, not _git("status", "--porcelain", "--", ".", ":!book/runs")
    except (OSError, subprocess.CalledProcessError):
        return None, None


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(paths.ROOT), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


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
