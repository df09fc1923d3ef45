"""CITATION.cff -> how to cite the reproduction, and the paper that it reproduces.

Reads CITATION.cff; writes nothing.
"""

import re
from datetime import date
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ferutils import paths
from ferutils.records import provenance

CITATION_FILE = paths.ROOT / "CITATION.cff"
ENTRY = {"software": "software", "report": "techreport"}
MEDIUM = {"software": " [Computer software]", "report": ""}


class Part(BaseModel):
    """A part of the file; its names are written with hyphens, and more may stand there."""

    model_config = ConfigDict(alias_generator=lambda name: name.replace("_", "-"), frozen=True)


class Author(Part):
    """A person, or a group under one name."""

    name: str | None = None
    family_names: str | None = None
    given_names: str | None = None

    @property
    def in_bibtex(self) -> str:
        """Braces keep a group's name from being read as a person's."""
        return f"{{{self.name}}}" if self.name else f"{self.family_names}, {self.given_names}"

    @property
    def in_apa(self) -> str:
        """Family name and initials."""
        if self.name:
            return self.name
        initials = " ".join(f"{name[0]}." for name in self.given_names.split())
        return f"{self.family_names}, {initials}"


class Institution(Part):
    """Where a report was written."""

    name: str


class Work(Part):
    """What is cited."""

    type: Literal["software", "report"]
    title: str
    authors: list[Author] = Field(min_length=1)
    year: int | None = None
    date_released: date | None = None
    version: str | None = None
    institution: Institution | None = None
    url: str | None = None

    @property
    def published(self) -> int:
        """The year."""
        return self.year or self.date_released.year

    @property
    def bibtex(self) -> str:
        """The work as a BibTeX entry."""
        first = self.authors[0].family_names or "".join(self.title.split()[:2])
        fields = {
            "author": _escaped(" and ".join(author.in_bibtex for author in self.authors)),
            "title": _escaped(self.title),
            "institution": self.institution and _escaped(self.institution.name),
            "version": self.version,
            "year": self.published,
            "url": self.url,
        }
        lines = [f"  {name} = {{{text}}}" for name, text in fields.items() if text]
        key = re.sub(r"\W", "", first).lower() + str(self.published)
        return f"@{ENTRY[self.type]}{{{key},\n" + ",\n".join(lines) + "\n}"

    @property
    def apa(self) -> str:
        """The work in the style of the American Psychological Association, as Markdown."""
        *others, last = [author.in_apa for author in self.authors]
        authors = f"{', '.join(others)}, & {last}" if others else last
        version = f" (Version {self.version})" if self.version else ""
        sentences = [
            f"{authors.removesuffix('.')}. ({self.published})",
            f"*{self.title}*{version}{MEDIUM[self.type]}",
            *([self.institution.name] if self.institution else []),
        ]
        return " ".join(f"{one}." for one in sentences) + (f" <{self.url}>" if self.url else "")


class CitationFile(Work):
    """The content of CITATION.cff: the reproduction, and what it refers to."""

    references: list[Work] = Field(min_length=1)


def _escaped(text: str) -> str:
    """What LaTeX would read as a command stands for itself."""
    return re.sub(r"([&%$#_])", r"\\\1", text)


def works(path: Path = CITATION_FILE) -> list[Work]:
    """The reproduction, with its address where that is known, and the paper.

    Raises:
        ValueError: the file is no citation file.
    """
    try:
        own = CitationFile.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (ValidationError, yaml.YAMLError) as error:
        raise ValueError(
            f"Expected title, authors, date and references in {path.name}. Received: {error}. "
            "Correct the file there."
        ) from None
    repository = provenance.repository()
    url = own.url or (f"https://github.com/{repository}" if repository else None)
    return [own.model_copy(update={"url": url}), *own.references]
