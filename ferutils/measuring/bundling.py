"""What a machine without network needs to train runs, in one folder to carry there.

Reads the repository's last commit, the dataset and checkpoints; fetches libraries with uv; writes
parts of a packed folder (`offline` says what happens with it), their sums and train.sh.
"""

import hashlib
import io
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image

from ferutils import paths
from ferutils.dataset.fer2013 import EMOTIONS, Dataset
from ferutils.measuring.offline import DATASET, PLAN
from ferutils.records import provenance
from ferutils.records.recipes import Recipe

# What training imports; the backend of Keras is the target's own, made for its accelerator.
NEEDED = ("keras", "numpy", "pandas", "pillow", "pydantic", "pyyaml")
CARRIED = ("ferutils", provenance.ARCHIVED)  # of the repository
TRAIN = """\
#!/bin/sh
# Trains the runs of this bundle, without network: sh train.sh MINUTES OUT [--jobs 6]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
if [ ! -d "$here/bundle" ]; then (
  cd "$here"
  sha256sum --check --quiet sums.txt
  rm -rf unfinished && mkdir unfinished
  cat part-* | tar -xz -C unfinished
  mv unfinished bundle
) fi
export PYTHONPATH="$here/bundle/site:$here/bundle/code${PYTHONPATH:+:$PYTHONPATH}"
exec "${PYTHON:-python3}" -m ferutils.measuring.offline "$@"
"""


def bundle(
    runs: Mapping[str, Recipe],
    folder: Path,
    dataset: Dataset | None = None,
    python: str = "3.12",
    platform: str = "x86_64-manylinux_2_28",
    has: Sequence[str] = (),
    part_bytes: int = 40 * 2**20,
) -> list[Path]:
    """Write a bundle; a folder that is there already is replaced.

    Args:
        runs: what to train, by run id, most wanted first.
        folder: of the bundle.
        dataset: FER-2013, to be taken along; None: the target has it, or trains on drawn faces.
        python: the target's version of Python.
        platform: the target's, as `uv pip install --python-platform` names it.
        has: the libraries that the target has already.
        part_bytes: how large a part may be.

    Returns:
        The files of the bundle.

    Raises:
        ValueError: the repository has changes that no commit has, or a library is not to be had.
    """
    if provenance.commit()[1] is not True:
        raise ValueError(
            "Expected a git repository without changes, whose commit the records name. Received: "
            "changes, or no git. Commit them first."
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as name:
        inside, packed = Path(name, "inside"), Path(name, "packed")
        inside.mkdir()
        packed.mkdir()
        provenance.export(CARRIED, inside / "code")
        _fetch(inside / "site", python, platform, has)
        described = {run: recipe.model_dump(exclude_defaults=True) for run, recipe in runs.items()}
        (inside / PLAN).write_text(json.dumps({"python": python, "runs": described}))
        if dataset:
            _write_images(dataset, inside / DATASET)
        _copy_checkpoints(runs, inside / "code" / ".cache" / "checkpoints")
        _pack(inside, packed, part_bytes)
        shutil.rmtree(folder, ignore_errors=True)
        packed.rename(folder)
    return sorted(folder.iterdir())


def _fetch(site: Path, python: str, platform: str, has: Sequence[str]) -> None:
    """Install what training needs, in the locked versions, for the target's Python."""
    if set(NEEDED) <= set(has):
        return
    target = ["--python-version", python, "--python-platform", platform]
    locked = ["--constraint", str(paths.ROOT / "requirements.txt")]
    left_out = [option for name in has for option in ("--no-emit-package", name)]
    wanted = site.with_name("libraries.txt")
    wanted.write_text("\n".join(NEEDED))
    resolved = _uv("compile", *target, *locked, "--no-header", *left_out, str(wanted))
    wanted.write_text(resolved)
    where = ["--target", str(site), "--no-deps", "--only-binary", ":all:"]
    _uv("install", *target, *where, "--requirement", str(wanted))


def _uv(command: str, *options: str) -> str:
    program = Path(sys.executable).with_name("uv")
    done = subprocess.run(
        [program, "pip", command, "--quiet", *options], capture_output=True, text=True
    )
    if done.returncode:
        raise ValueError(
            f"Expected the libraries that training needs. Received: {done.stderr.strip()} "
            "Name another Python or platform, or what the target has already."
        )
    return done.stdout


def _write_images(dataset: Dataset, file: Path) -> None:
    """The dataset as a zip of PNG files, one of the forms that `reading` knows."""
    with zipfile.ZipFile(file, "w") as archive:
        for name, split in dataset.splits.items():
            for number, (image, label) in enumerate(zip(split.images, split.labels)):
                content = io.BytesIO()
                Image.fromarray(image).save(content, "PNG")
                archive.writestr(f"{name}/{EMOTIONS[label]}/{number}.png", content.getvalue())


def _copy_checkpoints(runs: Mapping[str, Recipe], folder: Path) -> None:
    """Take along how far a run of the bundle has come; its machine alone goes on from there."""
    folder.mkdir(parents=True)
    for run in runs:
        file = paths.cache() / "checkpoints" / f"{run}.npz"
        if file.is_file():
            shutil.copy2(file, folder)


def _pack(inside: Path, packed: Path, part_bytes: int) -> None:
    """Write a folder's content as numbered parts of a .tar.gz, their sums, and train.sh."""
    whole = inside.with_suffix(".tar.gz")
    with tarfile.open(whole, "w:gz", compresslevel=6) as archive:
        archive.add(inside, ".")
    sums = []
    with whole.open("rb") as file:
        while content := file.read(part_bytes):
            name = f"part-{len(sums) + 1:02}"
            (packed / name).write_bytes(content)
            sums.append(f"{hashlib.sha256(content).hexdigest()}  {name}\n")
    (packed / "sums.txt").write_text("".join(sums))
    (packed / "train.sh").write_text(TRAIN)
