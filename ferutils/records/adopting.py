"""Records that were made elsewhere -> this project's records, each checked before it enters.

Reads an archive that `offline` packed on another machine; writes records and checkpoints.
"""

import re
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from ferutils import paths, storage
from ferutils.dataset import faces, fer2013
from ferutils.records import provenance, runs, study
from ferutils.records.recipes import run_id

FILES = ("run.json", *runs.CHECKED)
MEMBER = re.compile(rf"({paths.RUN_ID})/({'|'.join(map(re.escape, FILES))})")
CHECKPOINT = re.compile(rf"checkpoints/({paths.RUN_ID}\.npz)")
MOST_BYTES = 2**24  # of a record's file; ours have at most 200 kB
MOST_CHECKPOINT_BYTES = 2**29
MOST_MEMBERS = 10_000
HERE, BEGUN = "here already", "only begun; its checkpoint is kept"
KEPT = (HERE, BEGUN)  # what is no reason for complaint


def adopt(archive: Path) -> Iterator[tuple[str, str]]:
    """Take each record of an archive in that this project could have made itself.

    A record that the study asks for becomes one of the report's, any other one of the new runs;
    one that is here already stays. Checkpoints go where their training would go on from.

    Args:
        archive: the .zip file.

    Yields:
        Each run, and why it was not taken in; "" where it was.

    Raises:
        ValueError: it is no such archive; nothing was taken in.
    """
    asked = _asked()
    with _opened(archive) as opened:
        members = [MEMBER.fullmatch(name) for name in opened.namelist()]
        for run in dict.fromkeys(found[1] for found in members if found):
            report = paths.RECORDED_RUNS if run in asked else paths.new_runs()
            yield run, _adopt(opened, run, report)
        for found in filter(None, map(CHECKPOINT.fullmatch, opened.namelist())):
            target = paths.cache() / "checkpoints" / found[1]
            target.parent.mkdir(parents=True, exist_ok=True)
            storage.write_whole(target, _read(opened, found[0], MOST_CHECKPOINT_BYTES))
            yield target.stem, BEGUN


def _opened(archive: Path) -> zipfile.ZipFile:
    """The archive, in which nothing lies but records and checkpoints, each file once."""
    try:
        opened = zipfile.ZipFile(archive)
    except zipfile.BadZipFile as error:
        raise ValueError(
            f"Expected the records.zip that train.sh writes. Received: {archive.name}: {error}. "
            "Copy it again, or give its path."
        ) from None
    names = opened.namelist()
    foreign = [name for name in names if not MEMBER.fullmatch(name)]
    foreign = [name for name in foreign if not CHECKPOINT.fullmatch(name)]
    if foreign or len(set(names)) != len(names) or len(names) > MOST_MEMBERS:
        raise ValueError(
            f"Expected records and checkpoints, each file once. Received: {archive.name} with "
            f"{len(names)} files, {foreign[:1] or 'some of them twice'}. Give another."
        )
    return opened


def _read(opened: zipfile.ZipFile, name: str, most: int) -> bytes:
    with opened.open(name) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise ValueError(f"{name} of more than {most:,} bytes")
    return content


def _adopt(opened: zipfile.ZipFile, run: str, folder: Path) -> str:
    """Take one record in; why not, or ""."""
    if (folder / run / "run.json").is_file():
        return HERE
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{run}-", dir=folder) as name:
        unfinished = Path(name, run)
        unfinished.mkdir()
        try:
            for file in FILES:
                storage.write_whole(unfinished / file, _read(opened, f"{run}/{file}", MOST_BYTES))
            reason = _unfit(runs.read(unfinished).run)
        except (KeyError, ValueError, zipfile.BadZipFile) as error:
            return str(error)
        if not reason:
            runs.keep(unfinished, folder / run)
        return reason


def _unfit(run: runs.Run) -> str:
    """Why a whole record is not of this project; empty where it is."""
    if run.dataset.fingerprints != _fingerprints(run.recipe.dataset):
        return "of another copy of the dataset"
    return "" if provenance.is_current(run) else "of other code than is here"


def _fingerprints(dataset: str) -> dict[str, str]:
    drawn = dataset == "drawn"
    return faces.draw().fingerprints if drawn else fer2013.published_fingerprints()


def _asked() -> set[str]:
    """The runs that the study asks for."""
    published = fer2013.published_fingerprints()
    recipes = (recipe for entry in study.load().runs for recipe in entry.recipes)
    return {run_id(recipe, published) for recipe in recipes}
