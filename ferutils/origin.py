"""Records -> the box of a page that says where its numbers come from, as Markdown.

Reads what it is given; writes nothing.
"""

from collections.abc import Iterable, Sequence

from IPython.display import Markdown

from ferutils import provenance, run_tables, tables
from ferutils.records import Record

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
    rows["Repeat it"] = ", ".join(f"`{command}`" for command in commands or [STUDY])
    items = "\n\n".join(f"{term}\n: {text}" for term, text in rows.items())
    return Markdown(f"::::{{div}} origin\n{items}\n::::")


def _measured(records: Sequence[Record]) -> dict[str, str]:
    """What the records say of themselves."""
    return {
        "Runs": _runs(records),
        "Dataset": _distinct(map(tables.dataset_note, records)),
        "Device": _distinct(map(_device, records)),
        "Versions": _distinct(map(_versions, records)),
        "Code": _code(records),
        "Time": _time(records),
    }


def _runs(records: Iterable[Record]) -> str:
    """The runs by what was asked of them, each once, however many backends trained it."""
    seeds: dict[str, dict[int, None]] = {}
    for record in records:
        seeds.setdefault(run_tables.variant(record.recipe), {})[record.recipe.seed] = None
    return "; ".join(
        f"{variant}, seed{'s' if len(some) > 1 else ''} {', '.join(map(str, some))}"
        for variant, some in seeds.items()
    )


def _distinct(texts: Iterable[str]) -> str:
    """Each text once, in order."""
    return "; ".join(dict.fromkeys(texts))


def _device(record: Record) -> str:
    found = record.run.environment
    return f"{found.device}, {found.system}, Keras backend {found.backend}"


def _versions(record: Record) -> str:
    versions = record.run.environment.versions.items()
    return ", ".join(f"{name} {version}" for name, version in versions)


def _code(records: Sequence[Record]) -> str:
    """The commits that trained, and by network a hash of the code that decides its numbers."""
    commits = _distinct(
        f"{(one.run.code.commit or 'unknown')[:10]} ({STATES[one.run.code.clean]})"
        for one in records
    )
    return f"commit {commits}; fingerprint of what trains {_distinct(map(_fingerprint, records))}"


def _fingerprint(record: Record) -> str:
    older = "" if provenance.is_current(record.run) else ", **older than the code of this report**"
    return f"`{record.run.code.fingerprint}` ({record.recipe.model}{older})"


def _time(records: Sequence[Record]) -> str:
    """When the runs began, and what they took."""
    begun = sorted(f"{record.run.started:%Y-%m-%d %H:%M}" for record in records)
    moments = " to ".join(dict.fromkeys((begun[0], begun[-1])))
    minutes = sum(record.run.cost.wall_seconds for record in records) / 60
    memory = max(record.run.cost.peak_memory_bytes for record in records) / 2**30
    return f"begun {moments} UTC; {minutes:,.1f} minutes in all; {memory:.1f} GiB at most"
