"""The runs that the report is made of, and which of them have been recorded.

Reads book/study.yml and run records; writes nothing.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, NamedTuple

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ferutils import paths, storage
from ferutils.dataset import fer2013
from ferutils.records import recipes, runs
from ferutils.records.recipes import PAPER, Recipe, run_id
from ferutils.records.runs import Record

STUDY_FILE = paths.BOOK / "study.yml"


class Entry(BaseModel):
    """One recipe of the study with its seeds; the recipe's parameters are the extra keys."""

    model_config = ConfigDict(extra="allow", frozen=True)

    part: str
    seeds: Annotated[list[int], Field(min_length=1)]

    @model_validator(mode="after")
    def _one_place_for_seeds(self) -> "Entry":
        if "seed" in self.model_extra:
            raise ValueError("seeds alone, and no seed beside them")
        return self

    @cached_property
    def recipes(self) -> list[Recipe]:
        """The recipe of each seed."""
        return [recipes.make(**self.model_extra, seed=seed) for seed in self.seeds]


class StudyFile(BaseModel):
    """The content of book/study.yml: what each part asks, and the runs, most wanted first."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    parts: dict[str, str]
    runs: Annotated[list[Entry], Field(min_length=1)]

    @model_validator(mode="after")
    def _of_known_parts(self) -> "StudyFile":
        unknown = {entry.part for entry in self.runs} - set(self.parts)
        if unknown:
            raise ValueError(f"parts among {', '.join(self.parts)}, not {', '.join(unknown)}")
        return self


class Group(NamedTuple):
    """An entry of the study with the records that there are of it, in the order of its seeds."""

    entry: Entry
    records: list[Record]

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
        """Every record of the study, once."""
        every = {record.run.id: record for group in self.groups for record in group.records}
        return list(every.values())

    @property
    def wanted(self) -> int:
        """How many runs the study asks for."""
        return sum(len(group.entry.seeds) for group in self.groups)

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
    """The study file.

    Raises:
        ValueError: an entry is not one, or describes no possible recipe.
    """
    try:
        content = StudyFile.model_validate(storage.read_yaml(path))
    except (ValidationError, yaml.YAMLError) as error:
        raise ValueError(
            f"Expected runs with part, model and seeds in {path.name}. "
            f"Received: {storage.described(error)}. Correct the file there."
        ) from None
    for entry in content.runs:
        _ = entry.recipes  # an impossible recipe stops here, not hours later
    return content


def read() -> Study:
    """The study with its records on the published dataset."""
    return Study(tuple(Group(entry, recorded(entry)) for entry in load().runs))


def recorded(entry: Entry) -> list[Record]:
    """The records of an entry's recipes on the published dataset, in the order of its seeds."""
    fingerprints = fer2013.published_fingerprints()
    names = [run_id(recipe, fingerprints) for recipe in entry.recipes]
    found = [runs.find(name, [paths.RECORDED_RUNS]) for name in names]
    return [record for record in found if record]


def counts() -> dict[str, list[int]]:
    """Images per emotion and split of the published dataset, as the recorded runs counted them."""
    runs = read().records
    if not runs:
        raise ValueError(
            "Expected at least one record of the study. Received: none. "
            "Run make study FER2013=PATH."
        )
    return runs[0].run.dataset.counts


def page_options(model: str) -> str:
    """The papermill options of the run that a model's page shows."""
    record = read().record(model)
    return record.recipe.options() if record else ""
