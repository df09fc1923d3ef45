"""The runs that the report is made of, and which of them have been recorded.

Reads book/study.yml and run records; writes nothing.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ferutils import paths, recipes, records
from ferutils.recipes import PAPER, Recipe
from ferutils.records import Record

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
    """The content of book/study.yml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    runs: Annotated[list[Entry], Field(min_length=1)]


@dataclass(frozen=True)
class Study:
    """The records that the report shows, by model, in the order of their seeds."""

    by_model: dict[str, list[Record]]

    def reduced(self, *models: str) -> bool:
        """Whether a run of one of these models was smaller than the paper's."""
        return any(record.recipe.reduced for model in models for record in self.by_model[model])

    def record(self, model: str) -> Record | None:
        """Any one record of a model, for what all of them share, such as the layer table."""
        return self.by_model[model][0] if self.by_model[model] else None


def load(path: Path = STUDY_FILE) -> list[Entry]:
    """The entries of the study file, most wanted first.

    Raises:
        ValueError: an entry is not one, or describes no possible recipe.
    """
    try:
        content = StudyFile.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (ValidationError, yaml.YAMLError) as error:
        raise ValueError(
            f"Expected runs with part, model and seeds in {path.name}. Received: {error}. "
            "Correct the file there."
        ) from None
    for entry in content.runs:
        _ = entry.recipes  # an impossible recipe stops here, not hours later
    return content.runs


def recorded(entry: Entry, every: list[Record]) -> list[Record]:
    """The records of an entry's recipes on the published dataset, in the order of its seeds."""
    published = [record for record in every if not record.run.dataset.differences]
    by_recipe = {record.recipe: record for record in published}
    return [by_recipe[recipe] for recipe in entry.recipes if recipe in by_recipe]


def shown(part: str = "printed") -> Study:
    """The records that the report shows of one part of the study."""
    every = records.read_all()
    by_model = {model: [] for model in PAPER} if part == "printed" else {}
    for entry in load():
        model = entry.recipes[0].model
        if entry.part == part and not by_model.get(model):
            by_model[model] = recorded(entry, every)
    return Study(by_model)


def counts() -> dict[str, list[int]]:
    """Images per emotion and split of the published dataset, as the recorded runs counted them."""
    runs = [run for every in shown().by_model.values() for run in every]
    if not runs:
        raise ValueError(
            "Expected at least one record of the study. Received: none. "
            "Run make study FER2013=PATH."
        )
    return runs[0].run.dataset.counts


def page_options(model: str) -> str:
    """The papermill options of the run that a model's page shows."""
    record = shown().record(model)
    return record.recipe.options() if record else ""
