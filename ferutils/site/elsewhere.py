"""Completes a machine that has much installed already, such as Colab's, for an exported notebook.

Reads pyproject.toml and the package's own source; installs with pip. Imports the standard library
only, because nothing else need be there.
"""

import ast
import re
import subprocess
import sys
import tomllib

from ferutils import paths

# The requirements whose modules are named otherwise.
NAMED = {"bs4": "beautifulsoup4", "PIL": "pillow", "sklearn": "scikit-learn", "yaml": "pyyaml"}
# A machine keeps the backend of Keras that it has, which is made for its accelerator.
BACKEND = "tensorflow"


def install_missing() -> None:
    """Install what the package imports; what is there already, pip leaves as it is."""
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", *requirements()], check=True)


def requirements() -> list[str]:
    """The project's requirements that the package imports, without the backend of Keras."""
    project = tomllib.loads((paths.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = {NAMED.get(module, module) for module in imported()} - {BACKEND}
    return [one for one in project["dependencies"] if re.match(r"[\w-]+", one)[0] in wanted]


def imported() -> set[str]:
    """The modules that the package imports, each by the first part of its name."""
    found = set()
    for file in (paths.ROOT / "ferutils").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                found.add(node.module.split(".")[0])
    return found
