"""What the paper claims, and the rule that sets a claim against measurements.

Reads book/paper.yml (and nothing else); writes nothing.
"""

import math
import re
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic import model_validator as check_whole
from scipy import stats

from ferutils import paths, storage

PAPER_FILE = paths.BOOK / "paper.yml"
CONFIDENCE = 0.95
BORDER = 1e-9  # differences below it are rounding errors of floating-point numbers

# What a number can measure, and its unit. filters_N and kernel_size_N are those of convolution N.
MODEL_MEASURES = {
    "training_loss": "nats",
    "validation_loss": "nats",
    "training_accuracy": "fraction",
    "validation_accuracy": "fraction",
    "test_accuracy": "fraction",
    "epochs": "epochs",
    "learning_rate": "learning rate",
    "hidden_neurons": "neurons",
    "parameters": "parameters",
    "trainable_parameters": "parameters",
    "non_trainable_parameters": "parameters",
    "convolutions": "layers",
    "dense_layers": "layers",
    "dropout_layers": "layers",
    "pooling_layers": "layers",
    "batch_normalizations": "layers",
    "pool_size": "pixels",
    "filters": "filters",
    "kernel_size": "pixels",
}
DATASET_MEASURES = {
    "images": "images",
    "training_images": "images",
    "validation_images": "images",
    "test_images": "images",
    "image_size": "pixels",
    "classes": "classes",
    "splits": "splits",
}
Unit = Literal[
    "fraction", "nats", "images", "pixels", "classes", "splits", "layers", "filters",
    "neurons", "parameters", "epochs", "learning rate",
]  # fmt: skip
Model = Literal["shallow", "improved", "deep"]

RULE = (
    "A number of the paper is not tested where there is no record, and reduced where our run "
    "was smaller than the paper's. Otherwise its interval is the 95 % t interval of the mean "
    "over our seeds. A result that a single run measured is undecided, because one run does "
    "not tell its spread. The interval is widened on both sides by the rounding of the "
    "printed figure and by the tolerance of its unit. The claim is not reproduced where it "
    "lies outside the widened interval; it is undecided where it lies inside, but half the "
    "width of the interval before widening exceeds the tolerance, unless the tolerance is "
    "zero; else it is reproduced. A claim of “more than” is reproduced where our mean is at "
    "least as large. A statement is reproduced where it holds in every run, not reproduced "
    "where it holds in none, else undecided."
)


class Verdict(StrEnum):
    """What the report says of one claim."""

    REPRODUCED = "reproduced"
    NOT_REPRODUCED = "not reproduced"
    UNDECIDED = "undecided"
    REDUCED = "reduced"
    NOT_TESTED = "not tested"


class Part(BaseModel):
    """A part of the paper file: frozen, and with no key that is not declared."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


Text = Annotated[str, StringConstraints(min_length=1)]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]


class NumberClaim(Part):
    """A number of the paper: `value` in `unit`, as `printed` at `place`; fractions in [0, 1]."""

    id: Slug
    place: Text
    says: Text
    kind: Literal["number"]
    quantity: Text
    printed: Text
    value: int | float
    unit: Unit
    rounding: Annotated[float, Field(ge=0)]
    relation: Literal["equal", "at_least"] = "equal"
    split: Literal["training", "validation", "test"] | None = None
    follows: bool | None = None
    comment: Text | None = None

    @check_whole(mode="after")
    def _check(self) -> "NumberClaim":
        unit = _unit_of(self.quantity)
        if unit != self.unit:
            raise ValueError(
                f"Expected the unit {unit!r} for {self.quantity}. Received: {self.unit!r} in "
                f"claim {self.id}. Correct the unit or the quantity."
            )
        if self.unit == "fraction" and not 0 <= self.value <= 1:
            raise ValueError(
                f"Expected a fraction in [0, 1]. Received: {self.value:g} in claim {self.id}. "
                "Divide a percentage by 100."
            )
        return self


class StatementClaim(Part):
    """A statement of the paper; `quantity` names the check that decides whether it holds."""

    id: Slug
    place: Text
    says: Text
    kind: Literal["statement"]
    quantity: Text
    follows: bool | None = None
    comment: Text | None = None


Claim = Annotated[NumberClaim | StatementClaim, Field(discriminator="kind")]


class Check(Part):
    """When a statement holds; `bound`, in `unit`, is the number that the sentence names."""

    true_when: Text
    bound: float | None = None
    unit: Unit | None = None


class LayerRow(NamedTuple):
    """A line of a printed model summary; `shape` is without the batch."""

    name: str
    type: Literal["Conv2D", "MaxPooling2D", "Dropout", "BatchNormalization", "Flatten", "Dense"]
    shape: tuple[int, ...]
    parameters: int


class Totals(Part):
    """The last lines of a printed model summary, in numbers of parameters."""

    parameters: int
    trainable: int
    non_trainable: int


class LayerTable(Part):
    """A printed model summary: the paper's figure, the name in its first line, its layers."""

    figure: int
    name: Text
    rows: tuple[LayerRow, ...]
    totals: Totals


class ClaimCell(Part):
    """A cell of a table whose text is the `printed` of a claim."""

    claim: Slug


class Table(Part):
    """A numbered table of the paper, with its caption as printed."""

    number: int
    caption: Text
    columns: tuple[Text, ...]
    rows: tuple[tuple[Text | ClaimCell, ...], ...]


class Figure(Part):
    """A numbered figure of the paper, with its caption as printed."""

    number: int
    caption: Text


class Reading(Part):
    """One of the things that the paper says where it contradicts itself."""

    says: Text
    place: Text
    claims: tuple[Slug, ...] = ()


class Contradiction(Part):
    """Readings that exclude each other; `followed` is an index into them, or None."""

    id: Slug
    topic: Text
    readings: Annotated[tuple[Reading, ...], Field(min_length=2)]
    followed: Annotated[int, Field(ge=0)] | None
    why: Text

    @check_whole(mode="after")
    def _check(self) -> "Contradiction":
        if self.followed is not None and self.followed >= len(self.readings):
            raise ValueError(
                f"Expected followed below {len(self.readings)}, the number of readings of "
                f"{self.id}. Received: {self.followed}. Count the readings from 0."
            )
        return self


class LeftOpen(Part):
    """What the paper does not say, what is done by default, and why."""

    topic: Text
    default: Text
    why: Text


class Paper(Part):
    """All that the paper states. Tolerances are keyed by unit; a unit not named there has 0."""

    title: Text
    author: Text
    course: Text
    affiliation: Text
    tolerances: dict[Unit, Annotated[float, Field(ge=0)]]
    claims: tuple[Claim, ...]
    checks: dict[str, Check]
    layer_tables: dict[Model, LayerTable]
    tables: tuple[Table, ...]
    figures: tuple[Figure, ...]
    contradictions: tuple[Contradiction, ...]
    left_open: tuple[LeftOpen, ...]

    @check_whole(mode="after")
    def _check(self) -> "Paper":
        _check_ids(self)
        _check_names_of_checks(self)
        _check_follows(self)
        return self

    def claim(self, claim_id: str) -> NumberClaim | StatementClaim:
        """The claim of that id.

        Raises:
            ValueError: There is no such claim.
        """
        for claim in self.claims:
            if claim.id == claim_id:
                return claim
        raise ValueError(
            f"Expected the id of a claim of the paper. Received: {claim_id!r}. "
            "Look it up in book/paper.yml."
        )

    def tolerance(self, claim: NumberClaim) -> float:
        """The tolerance of the claim's unit, in that unit."""
        return self.tolerances.get(claim.unit, 0.0)


def load(path: str | Path | None = None) -> Paper:
    """Read and check the paper file.

    Args:
        path: The file; by default book/paper.yml beside the package.

    Raises:
        FileNotFoundError: The file is not there.
        ValueError: It is no YAML, or does not follow the schema.
    """
    path = PAPER_FILE if path is None else Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"Expected the paper file {path.name}. Received: no file at {path}. "
            "Restore it from the repository."
        )
    try:
        content = storage.read_yaml(path)
    except yaml.YAMLError as error:
        raise ValueError(
            f"Expected YAML in {path.name}. Received: {storage.described(error)}. "
            "Correct the file there."
        ) from error
    try:
        return Paper.model_validate(content)
    except ValidationError as error:
        more = error.error_count() - 1
        rest = f" ({more} more errors in {path.name}.)" if more else ""
        raise ValueError(_explain(error.errors()[0], content) + rest) from error


def interval(measured: Sequence[float]) -> tuple[float, float]:
    """The 95 % t interval (low, high) of the mean; a single value is its own interval.

    Raises:
        ValueError: Nothing was measured.
    """
    count = len(measured)
    if count == 0:
        raise ValueError("Expected at least one measurement. Received: none. Give a run's value.")
    mean = math.fsum(measured) / count
    if count == 1:
        return mean, mean
    variance = math.fsum((value - mean) ** 2 for value in measured) / (count - 1)
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, count - 1)) * math.sqrt(variance / count)
    return mean - half, mean + half


def verdict(
    claim: NumberClaim, measured: Sequence[float], tolerance: float, reduced: bool
) -> Verdict:
    """Set a number of the paper against our measurements, by RULE.

    Args:
        claim: The paper's number.
        measured: One value per seed, in the claim's unit; not a finite one if a run diverged.
        tolerance: Of the claim's unit, in that unit.
        reduced: Whether our run was smaller than the paper's.
    """
    if len(measured) == 0:
        return Verdict.NOT_TESTED
    if reduced:
        return Verdict.REDUCED
    low, high = interval(measured)
    if claim.relation == "at_least":
        inside = (low + high) / 2 >= claim.value - BORDER
        return Verdict.REPRODUCED if inside else Verdict.NOT_REPRODUCED
    margin = claim.rounding + tolerance + BORDER
    if not low - margin <= claim.value <= high + margin:
        return Verdict.NOT_REPRODUCED
    if tolerance > 0 and (high - low) / 2 > tolerance + BORDER:
        return Verdict.UNDECIDED
    return Verdict.REPRODUCED


def statement_verdict(outcomes: Sequence[bool], reduced: bool) -> Verdict:
    """Set a statement of the paper against whether it held, one outcome per run, by RULE."""
    if len(outcomes) == 0:
        return Verdict.NOT_TESTED
    if reduced:
        return Verdict.REDUCED
    if all(outcomes):
        return Verdict.REPRODUCED
    return Verdict.UNDECIDED if any(outcomes) else Verdict.NOT_REPRODUCED


def _unit_of(quantity: str) -> str:
    subject, _, measure = quantity.partition(".")
    if subject == "dataset" and measure in DATASET_MEASURES:
        return DATASET_MEASURES[measure]
    numbered = re.fullmatch(r"(filters|kernel_size)_[1-9]\d*", measure)
    measure = numbered[1] if numbered else measure
    known = measure in MODEL_MEASURES and bool(numbered) == (measure in ("filters", "kernel_size"))
    if subject in ("shallow", "improved", "deep") and known:
        return MODEL_MEASURES[measure]
    raise ValueError(
        f"Expected a quantity such as deep.training_loss or dataset.images. Received: "
        f"{quantity!r}. Choose a measure that ferutils/claims/paper.py lists."
    )


def _check_ids(paper: Paper) -> None:
    for group in (paper.claims, paper.contradictions):
        ids = [entry.id for entry in group]
        double = sorted({name for name in ids if ids.count(name) > 1})
        if double:
            raise ValueError(f"Expected unique ids. Received: {double} twice. Rename one of each.")
    known = {claim.id for claim in paper.claims}
    cells = [cell for table in paper.tables for row in table.rows for cell in row]
    readings = [reading for entry in paper.contradictions for reading in entry.readings]
    used = {cell.claim for cell in cells if isinstance(cell, ClaimCell)}
    used |= {claim_id for reading in readings for claim_id in reading.claims}
    if not used <= known:
        raise ValueError(
            f"Expected ids of claims. Received: {sorted(used - known)} in a table or a "
            "contradiction. Correct the id or add the claim."
        )


def _check_names_of_checks(paper: Paper) -> None:
    used = {claim.quantity for claim in paper.claims if claim.kind == "statement"}
    if used != set(paper.checks):
        raise ValueError(
            "Expected one check for each statement's quantity, and no other. Received: "
            f"{sorted(used ^ set(paper.checks))} on one side only. Add or remove it."
        )


def _check_follows(paper: Paper) -> None:
    followed, left = set(), set()
    for contradiction in paper.contradictions:
        if contradiction.followed is not None:
            for index, reading in enumerate(contradiction.readings):
                (followed if index == contradiction.followed else left).update(reading.claims)
    for claim in paper.claims:
        expected = False if claim.id in left else True if claim.id in followed else None
        if claim.follows is not expected:
            raise ValueError(
                f"Expected follows {expected} in claim {claim.id}, as the contradictions have "
                f"it. Received: {claim.follows}. Make the two agree."
            )


def _explain(error: Any, content: Any) -> str:
    """One pydantic error in the form: expected, received, remedy."""
    if "error" in error.get("ctx", {}):  # raised by a check above, in this form already
        return str(error["ctx"]["error"])
    rule = "only known keys" if error["type"] == "extra_forbidden" else error["msg"]
    received = repr(error["input"])
    received = received if len(received) <= 80 else received[:77] + "..."
    return (
        f"Expected at {_place(error['loc'], content)}: {rule}. Received: {received}. "
        "Correct the entry."
    )


def _place(steps: Sequence[str | int], content: Any) -> str:
    """The dotted place of an error in the file, list entries by their id where they have one."""
    names = []
    for step in steps:
        try:
            content = content[step]
        except (KeyError, IndexError, TypeError):  # a missing key, or a name of the schema's own
            names.append(str(step))
            continue
        names.append(str(content.get("id", step) if isinstance(content, dict) else step))
    return ".".join(names) or "the top"
