"""Records -> the box of a page that says where its numbers come from, as Markdown.

Reads what it is given; writes nothing.
"""

from collections.abc import Iterable, Sequence

from IPython.display import Markdown

from ferutils.records import crop as crops
from ferutils.records import crossvalidation, peers, provenance
from ferutils.records import pretrained as futures
from ferutils.records.crop import Crop
from ferutils.records.crossvalidation import CrossValidation
from ferutils.records.peers import Peers
from ferutils.records.pretrained import Pretrained
from ferutils.records.runs import Code, Environment, Record
from ferutils.records.small import COMMANDS, Formats, Trained
from ferutils.report import tables

STUDY = "make study FER2013=PATH"  # makes every record of the study that there is not yet
STATES = {True: "clean tree", False: "changed tree", None: "no git"}


def box(records: Sequence[Record], *commands: str) -> Markdown:
    """Where the numbers of a page come from.

    Args:
        records: the runs that the page rests on; none where nothing is recorded yet.
        commands: what makes all of it again; none: what makes every run of the study.

    Returns:
        A definition list: runs and seeds, dataset, device, versions, code, time and command.
    """
    rows = _measured(records) if records else {"Runs": "none is recorded yet"}
    return _box(rows, *commands or [STUDY])


def _measured(records: Sequence[Record]) -> dict[str, str]:
    """What the records say of themselves."""
    environments = [record.run.environment for record in records]
    return {
        "Runs": _runs(records),
        "Dataset": _distinct(map(tables.dataset_note, records)),
        "Device": _distinct(map(_device, environments)),
        "Versions": _distinct(map(_versions, environments)),
        "Code": _code(records),
        "Time": _time(records),
    }


def cross_validations(found: Sequence[CrossValidation]) -> Markdown:
    """Where the numbers of cross-validations come from, of which there may be none yet."""
    environments = [one.environment for one in found]
    rows = {
        "Trainings": _distinct(
            f"{len(one.trainings):,} of the {one.model} network" for one in found
        ),
        "Dataset": _distinct(
            f"Training of FER-2013, SHA-256 `{one.fingerprint[:8]}`" for one in found
        ),
        "Device": _distinct(map(_device, environments)),
        "Versions": _distinct(map(_versions, environments)),
        "Code": _distinct(map(_code_of, found)),
        "Time": _distinct(map(_time_of, found)),
    }
    return _box({term: text for term, text in rows.items() if text}, crossvalidation.COMMAND)


def small(ours: Sequence[Trained], papers: Sequence[Formats], *commands: str) -> Markdown:
    """Where the numbers of networks for a phone come from, of which there may be none yet.

    Args:
        ours: networks of ours.
        papers: files of the paper's networks.
        commands: what makes all of it again; none: what makes every file.
    """
    every = [*ours, *papers]
    rows = {
        "Records": ", ".join(one.name for one in every),
        "Dataset": _distinct(
            f"FER-2013, SHA-256 of Training `{one.files.dataset.fingerprints['Training'][:8]}`"
            for one in every
        ),
        "Trained on": _distinct(_device(one.environment) for one in ours),
        "Files run on": _distinct(
            f"{_device(one.files.environment)}, {_versions(one.files.environment)}" for one in every
        ),
        "Code": _distinct(
            f"commit {_commit(one.code)}; fingerprint of what trains "
            f"{_fingerprint(one.code, one.recipe.network, one.is_current)}"
            for one in ours
        ),
        "Time": _distinct(
            f"{one.name}: begun {one.started:%Y-%m-%d %H:%M} UTC; "
            f"{one.cost.wall_seconds / 60:,.1f} minutes"
            for one in ours
        ),
    }
    return _box({term: text for term, text in rows.items() if text}, *commands or COMMANDS)


def pretrained(found: Sequence[Pretrained]) -> Markdown:
    """Where the numbers of AlexNet, CapsNet and VGG16 come from, of which there may be none yet."""
    rows = {
        "Records": ", ".join(one.name for one in found),
        "Dataset": _distinct(
            f"FER-2013, SHA-256 of Training `{one.dataset.fingerprints['Training'][:8]}`"
            for one in found
        ),
        "Weights": _distinct(
            f"{one.recipe.network}: a file with the SHA-256 `{one.begun_from[:8]}`"
            for one in found
            if one.begun_from
        ),
        "Device": _distinct(_device(one.environment) for one in found),
        "Versions": _distinct(_versions(one.environment) for one in found),
        "Code": _distinct(
            f"commit {_commit(one.code)}; fingerprint of what measures "
            f"{_fingerprint(one.code, one.recipe.name, one.is_current)}"
            for one in found
        ),
        "Time": _distinct(
            f"{one.name}: begun {one.started:%Y-%m-%d %H:%M} UTC; "
            f"{one.cost.wall_seconds / 60:,.1f} minutes"
            for one in found
        ),
    }
    measured = [f"{futures.COMMAND} {one.recipe.name} --seed {one.recipe.seed}" for one in found]
    return _box({term: text for term, text in rows.items() if text}, *measured or [futures.COMMAND])


def installed(found: Peers) -> Markdown:
    """Where the numbers of networks that people install come from."""
    files = (f"{one.file}, SHA-256 `{one.sha256[:8]}`" for one in found.forms.values())
    rows = {
        "Files": _distinct(files),
        "Run on": f"{_device(found.environment)}, {_versions(found.environment)}",
        "Code": f"commit {_commit(found.code)}; fingerprint of what measures "
        f"{_fingerprint(found.code, 'peers', found.is_current)}",
        "Time": f"{found.measured:%Y-%m-%d %H:%M} UTC",
    }
    return _box(rows, peers.COMMAND)


def crop(found: Crop) -> Markdown:
    """Where the numbers on faces found come from."""
    rows = {
        "Detector": f"{found.detector}, SHA-256 `{found.detector_sha256[:8]}`",
        "Dataset": f"FER-2013, SHA-256 of Training `{found.dataset.fingerprints['Training'][:8]}`",
        "Faces found on": f"{_device(found.environment)}, {_versions(found.environment)}",
        "Networks": _distinct(
            f"`{one.run}`, weights `{one.weights_sha256[:8]}`, on {_device(one.environment)}"
            for one in found.runs
        ),
        "Code": f"commit {_commit(found.code)}",
        "Time": f"measured {found.measured:%Y-%m-%d %H:%M} UTC",
    }
    commands = (crops.COMMAND, *(f"{crops.COMMAND} {one.run}" for one in found.runs))
    return _box({term: text for term, text in rows.items() if text}, *commands)


def _box(rows: dict[str, str], *commands: str) -> Markdown:
    """A definition list of these rows, and how to make all of it again."""
    rows = rows | {"Repeat it": ", ".join(f"`{command}`" for command in commands)}
    items = "\n\n".join(f"{term}\n: {text}" for term, text in rows.items())
    return Markdown(f"::::{{div}} origin\n{items}\n::::")


def _runs(records: Iterable[Record]) -> str:
    """The runs by what was asked of them, each once, however many backends trained it."""
    seeds: dict[str, dict[int, None]] = {}
    for record in records:
        seeds.setdefault(record.recipe.variant, {})[record.recipe.seed] = None
    return "; ".join(
        f"{variant}, seed{'s' if len(some) > 1 else ''} {', '.join(map(str, some))}"
        for variant, some in seeds.items()
    )


def _distinct(texts: Iterable[str]) -> str:
    """Each text once, in order."""
    return "; ".join(dict.fromkeys(texts))


def _device(found: Environment) -> str:
    return f"{found.device}, {found.system}, Keras backend {found.backend}"


def _versions(found: Environment) -> str:
    return ", ".join(f"{name} {version}" for name, version in found.versions.items())


def _code(records: Sequence[Record]) -> str:
    """The commits that trained, and by network a hash of the code that decides its numbers."""
    commits = _distinct(_commit(one.run.code) for one in records)
    prints = _distinct(
        _fingerprint(one.run.code, one.recipe.model, provenance.is_current(one.run))
        for one in records
    )
    return f"commit {commits}; fingerprint of what trains {prints}"


def _code_of(found: CrossValidation) -> str:
    printed = _fingerprint(found.code, found.model, found.is_current)
    return f"commit {_commit(found.code)}; fingerprint of what trains {printed}"


def _commit(code: Code) -> str:
    return f"{(code.commit or 'unknown')[:10]} ({STATES[code.clean]})"


def _fingerprint(code: Code, model: str, current: bool) -> str:
    older = "" if current else ", **older than the code of this report**"
    return f"`{code.fingerprint}` ({model}{older})"


def _time(records: Sequence[Record]) -> str:
    """When the runs began, and what they took."""
    begun = sorted(f"{record.run.started:%Y-%m-%d %H:%M}" for record in records)
    moments = " to ".join(dict.fromkeys((begun[0], begun[-1])))
    minutes = sum(record.run.cost.wall_seconds for record in records) / 60
    memory = max(record.run.cost.peak_memory_bytes for record in records) / 2**30
    return f"begun {moments} UTC; {minutes:,.1f} minutes in all; {memory:.1f} GiB at most"


def _time_of(found: CrossValidation) -> str:
    """When a cross-validation began, and what it took."""
    minutes = sum(one.seconds for one in found.trainings) / 60
    return f"{found.model}: begun {found.started:%Y-%m-%d %H:%M} UTC; {minutes:,.1f} minutes"
