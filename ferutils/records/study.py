"""The runs that the report is made of, and which of them have been recorded.

Reads book/study.yml, other files of the same form, and run records; writes nothing.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, NamedTuple

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ferutils import paths, storage
from ferutils.dataset import fer2013
from ferutils.records import keeping, recipes, runs
from ferutils.records.recipes import PAPER, Recipe, run_id
from ferutils.records.runs import Record

STUDY_FILE = paths.BOOK / "study.yml"
MOST_RUNS = 100_000  # of a file; its lists are multiplied before anything is read or trained


class Entry(BaseModel):
    """Recipes with their seeds; the recipes' parameters are the extra keys.

    A list of values stands for a recipe with each of them, several lists for each combination.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    part: str | None = None
    seeds: Annotated[list[int], Field(min_length=1)]

    @model_validator(mode="after")
    def _one_place_for_seeds(self) -> "Entry":
        if "seed" in self.model_extra:
            raise ValueError("seeds alone, and no seed beside them")
        if [] in self.model_extra.values():
            raise ValueError("a value, or a list of at least one, for each parameter")
        return self

    @cached_property
    def recipes(self) -> list[Recipe]:
        """The recipe of each seed; for an entry without lists."""
        return [recipes.make(**self.model_extra, seed=seed) for seed in self.seeds]

    @property
    def size(self) -> int:
        """How many recipes the entry stands for."""
        return math.prod(map(len, self._values)) * len(self.seeds)

    @property
    def _values(self) -> list[list]:
        return [one if isinstance(one, list) else [one] for one in self.model_extra.values()]

    def each(self) -> Iterator["Entry"]:
        """An entry without lists for each combination."""
        for chosen in itertools.product(*self._values):
            parameters = dict(zip(self.model_extra, chosen))
            yield Entry(part=self.part, seeds=self.seeds, **parameters)


class StudyFile(BaseModel):
    """The content of a file of runs: what each part asks, if it has any, and the runs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    parts: dict[str, str] = {}
    runs: Annotated[list[Entry], Field(min_length=1)]  # most wanted first

    @model_validator(mode="after")
    def _of_known_parts(self) -> "StudyFile":
        unknown = {entry.part for entry in self.runs} - (set(self.parts) or {None})
        if unknown:
            given = ", ".join(self.parts) or "none"
            raise ValueError(f"parts among {given}, not {', '.join(map(str, unknown))}")
        if sum(entry.size for entry in self.runs) > MOST_RUNS:
            raise ValueError(f"more than {MOST_RUNS:,} runs")
        return self


class Group(NamedTuple):
    """An entry of the study with what is recorded of its seeds, in their order."""

    entry: Entry
    records: list[Record]  # of longer runs that answer for the entry, where it has none of its own

    @property
    def recipe(self) -> Recipe:
        """The recipe of the entry's first seed."""
        return self.entry.recipes[0]


@dataclass(frozen=True)
class Study:
    """The runs of the study with their records, in the order of book/study.yml."""

    groups: tuple[Group, ...]

    @cached_property
    def by_model(self) -> dict[str, list[Record]]:
        """The records of the paper as printed, by model: of the first entry that has one."""
        shown = {model: [] for model in PAPER}
        for group in self.part("printed"):
            shown[group.recipe.model] = shown[group.recipe.model] or group.records
        return shown

    def part(self, name: str) -> list[Group]:
        """The groups of one part of the study."""
        return [group for group in self.groups if group.entry.part == name]

    @cached_property
    def records(self) -> list[Record]:
        """Every run of the study that is recorded, once."""
        every = {one.run.id: one for group in self.groups for one in group.records if one.own}
        return list(every.values())

    @property
    def printed(self) -> list[Record]:
        """The records of `by_model`, network by network."""
        return [record for records in self.by_model.values() for record in records]

    @property
    def wanted(self) -> int:
        """How many trainings answer all that the study asks."""
        return len(trainings([group.entry for group in self.groups]))

    @property
    def hours(self) -> float:
        """How long the recorded runs took, in hours."""
        return sum(record.run.cost.wall_seconds for record in self.records) / 3600

    @property
    def devices(self) -> str:
        """What the recorded runs ran on, in words."""
        return " and ".join(sorted({record.run.environment.device for record in self.records}))

    def reduced(self, *models: str) -> bool:
        """Whether a run of one of these models was smaller than the paper's."""
        return any(record.recipe.reduced for model in models for record in self.by_model[model])

    def record(self, model: str) -> Record | None:
        """Any one record of a model, for what all of them share, such as the layer table."""
        return self.by_model[model][0] if self.by_model[model] else None


def load(path: Path = STUDY_FILE) -> StudyFile:
    """A file of runs, by default the study's, with an entry for each combination of its lists.

    Raises:
        ValueError: it is no such file, or describes no possible recipe.
    """
    try:
        content = StudyFile.model_validate(storage.read_yaml(path))
    except (OSError, ValidationError, yaml.YAMLError) as error:
        raise ValueError(
            f"Expected a YAML file of runs, each with model and seeds, in {path.name}. "
            f"Received: {storage.described(error)}. Correct the file, or the path: {path}."
        ) from None
    entries = [one for entry in content.runs for one in entry.each()]
    for entry in entries:
        _ = entry.recipes  # an impossible recipe stops here, not hours later
    return content.model_copy(update={"runs": entries})


def described(path: Path) -> list[Recipe]:
    """The recipes of a file of runs, each once, in its order.

    Raises:
        ValueError: as `load`.
    """
    return list(dict.fromkeys(one for entry in load(path).runs for one in entry.recipes))


def trainings(entries: Sequence[Entry]) -> list[Recipe]:
    """The recipes that have to be trained, each once, most wanted first.

    What a recipe wanted before it answers, such as a longer one, needs no training of its own.
    """
    chosen: list[Recipe] = []
    for recipe in (recipe for entry in entries for recipe in entry.recipes):
        if not any(keeping.answers_for(earlier, recipe) for earlier in chosen):
            chosen.append(recipe)
    return chosen


def read() -> Study:
    """The study with its records on the published dataset.

    Raises:
        ValueError: as `load` and `runs.read`.
    """
    entries = load().runs
    own = {recipe: one for entry in entries for recipe, one in recorded(entry).items()}

    def answers(recipe: Recipe) -> Record | None:
        able = [one for one in own.values() if keeping.answers_for(one.recipe, recipe)]
        able.sort(key=lambda one: one.recipe.epochs)
        return own.get(recipe) or next(
            filter(None, (runs.answer(one, recipe) for one in able)), None
        )

    return Study(
        tuple(Group(entry, [*filter(None, map(answers, entry.recipes))]) for entry in entries)
    )


def recorded(entry: Entry) -> dict[Recipe, Record]:
    """The records of an entry's recipes on the published dataset, in the order of its seeds.

    Raises:
        ValueError: as `runs.read`.
    """
    fingerprints = fer2013.published_fingerprints()
    names = {recipe: run_id(recipe, fingerprints) for recipe in entry.recipes}
    found = {recipe: runs.find(name, [paths.RECORDED_RUNS]) for recipe, name in names.items()}
    return {recipe: record for recipe, record in found.items() if record}


def counts() -> dict[str, list[int]]:
    """Images per emotion and split of the published dataset, as the recorded runs counted them.

    Raises:
        ValueError: no run of the study is recorded, or as `read`.
    """
    runs = read().records
    if not runs:
        raise ValueError(
            "Expected at least one record of the study. Received: none. "
            "Run make study FER2013=PATH."
        )
    return runs[0].run.dataset.counts


def page_options(model: str) -> str:
    """The papermill options of the run that a model's page shows.

    Raises:
        ValueError: as `read`.
    """
    record = read().record(model)
    return record.recipe.options() if record else ""
