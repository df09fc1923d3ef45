"""What the paper claims, and the rule that sets a claim against measurements.

Reads book/paper.yml (and nothing else); writes nothing.
"""

import datetime
import math
import re
import statistics
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic import model_validator as check_whole
from scipy import stats

from ferutils import paths, storage
from ferutils.claims.metrics import Lead
from ferutils.records.recipes import PAPER

PAPER_FILE = paths.BOOK / "paper.yml"
CONFIDENCE = 0.95
ALPHA = 0.05  # below which a test is significant
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
Model = Literal[*PAPER]
About = Literal["results", "networks", "dataset", "settings", "code"]


class Verdict(StrEnum):
    """What the report says of one claim."""

    REPRODUCED = "reproduced"
    NOT_REPRODUCED = "not reproduced"
    UNDECIDED = "undecided"
    NOT_TESTED = "not tested"


class Equivalence(NamedTuple):
    """How far our runs are from a printed result, which decides its verdict.

    Attributes:
        inside: whether it lies in the prediction interval of one more run.
        distance: of our mean from it.
        error: by which one-sided t tests move this distance, up or down.
    """

    inside: bool
    distance: float
    error: float


class Part(BaseModel):
    """A part of the paper file: frozen, and with no key that is not declared."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


Text = Annotated[str, StringConstraints(min_length=1)]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]


class _Claim(Part):
    """What every claim has. One quantity counts once, however often the paper prints it."""

    id: Slug
    place: Text
    says: Text
    about: About
    quantity: Text
    follows: bool | None = None
    comment: Text | None = None
    shown: Slug | None = None

    @property
    def concludes(self) -> bool:
        """Whether it is a conclusion: a result that section 4 or 5.1 states in words."""
        sections = re.findall(r"Section ([\d.]+)", self.place)
        in_words = self.kind == "statement" and self.about == "results"
        return in_words and not {"4", "5.1"}.isdisjoint(sections)


class NumberClaim(_Claim):
    """A number of the paper: `value` in `unit`, as `printed` at `place`; fractions in [0, 1]."""

    kind: Literal["number"]
    printed: Text
    value: int | float
    unit: Unit
    rounding: Annotated[float, Field(ge=0)]
    relation: Literal["equal", "at_least"] = "equal"
    split: Literal["training", "validation", "test"] | None = None

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


class StatementClaim(_Claim):
    """A statement of the paper; `quantity` names the check that decides whether it holds.

    `compares` are the ids of the figures that it sets against each other, the greater one first;
    `sized`, whether it says by how much they differ.
    """

    kind: Literal["statement"]
    compares: tuple[Slug, ...] = ()
    sized: bool = False


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


class NotTestable(Part):
    """What the paper says that nothing measured here can hold or break, and why."""

    id: Slug
    says: Text
    place: Text
    why: Text


class Rule(Part):
    """The rule of the verdicts in words, of a date; its numbers are filled in by `Paper`."""

    date: datetime.date
    short: Text
    text: Text
    family: Text
    history: Text
    cross_validation: Text


class LeftOpen(Part):
    """What the paper does not say, what is done by default, and why."""

    topic: Text
    default: Text
    why: Text


class Paper(Part):
    """All that the paper states, and the rule that it is set against."""

    title: Text
    author: Text
    course: Text
    affiliation: Text
    rule: Rule
    claims: tuple[Claim, ...]
    checks: dict[str, Check]
    layer_tables: dict[Model, LayerTable]
    tables: tuple[Table, ...]
    figures: tuple[Figure, ...]
    contradictions: tuple[Contradiction, ...]
    not_testable: tuple[NotTestable, ...]
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

    def table_3(self) -> list[NumberClaim]:
        """The claims that are Table 3, in its order."""
        cells = [cell for row in self.tables[2].rows for cell in row if isinstance(cell, ClaimCell)]
        return [self.claim(cell.claim) for cell in cells]

    def compared(self, claim: StatementClaim) -> list[tuple[NumberClaim, NumberClaim]]:
        """The figures that a statement compares: its first with each other one."""
        figures = [self.claim(name) for name in claim.compares]
        return [(figures[0], other) for other in figures[1:]]

    def margin(self, unit: Unit) -> float:
        """Half the smallest difference of Table 3 from which the paper draws a conclusion.

        Args:
            unit: of the figures; 0 where Table 3 has none of it.
        """
        table = self.table_3()
        differences = [
            abs(one.value - other.value)
            for claim in self.claims
            if claim.kind == "statement"
            for one, other in self.compared(claim)
            if one in table and other in table and one.unit == unit
        ]
        return min(filter(None, differences), default=0) / 2

    def refuted(self, claim: NumberClaim | StatementClaim) -> list[tuple[NumberClaim, NumberClaim]]:
        """The printed figures that say the opposite of a statement, whatever is measured."""
        pairs = self.compared(claim) if claim.kind == "statement" else []
        return [(one, other) for one, other in pairs if one.value < other.value]

    def told(self, text: str) -> str:
        """A text of the rule with its numbers."""
        return text.format(
            confidence=f"{100 * CONFIDENCE:.0f}\u00a0%",
            alpha=f"{100 * ALPHA:.0f}\u00a0%",
            margin_fraction=f"{100 * self.margin('fraction'):.1f}\u00a0points",
            margin_nats=f"{self.margin('nats'):.3f}",
            family=self.rule.family,
        )


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
    return _around_the_mean(measured, 1 / max(1, len(measured)))


def predicted(measured: Sequence[float]) -> tuple[float, float]:
    """The 95 % t prediction interval (low, high) of one more run; a single value is its own.

    Source: as `interval`, of the difference of a new value and the mean.

    Raises:
        ValueError: Nothing was measured.
    """
    return _around_the_mean(measured, 1 + 1 / max(1, len(measured)))


def _around_the_mean(measured: Sequence[float], variances: float) -> tuple[float, float]:
    """The t interval whose error has so many times the variance of a value."""
    count = len(measured)
    if count == 0:
        raise ValueError("Expected at least one measurement. Received: none. Give a run's value.")
    mean = math.fsum(measured) / count
    if count == 1:
        return mean, mean
    variance = math.fsum((value - mean) ** 2 for value in measured) / (count - 1)
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, count - 1)) * math.sqrt(variance * variances)
    return mean - half, mean + half


def verdict(claim: NumberClaim, measured: Sequence[float], margin: float) -> Verdict:
    """Set a number of the paper against our measurements, by the rule of book/paper.yml.

    Source: D. Lakens, "Equivalence tests", Social Psychological and Personality Science 8 (2017).

    Args:
        claim: the paper's number; a result is one run of the paper's, all else exact.
        measured: one value per seed, in the claim's unit; not a finite one if a run diverged.
        margin: of equivalence, in that unit; results alone have one.
    """
    count = len(measured)
    if count == 0:
        return Verdict.NOT_TESTED
    if claim.about != "results":
        return _exact(claim, measured)
    if count == 1 or not all(map(math.isfinite, measured)):
        return Verdict.UNDECIDED
    found = equivalence(claim, measured)
    if found.inside:
        equivalent = found.distance + found.error <= margin + BORDER
        return Verdict.REPRODUCED if equivalent else Verdict.UNDECIDED
    beyond = found.distance - found.error > margin + claim.rounding + BORDER
    return Verdict.NOT_REPRODUCED if beyond else Verdict.UNDECIDED


def equivalence(claim: NumberClaim, measured: Sequence[float]) -> Equivalence:
    """How far our runs are from a printed result, in its unit.

    Args:
        claim: the paper's number.
        measured: one finite value per seed, of two seeds or more.
    """
    low, high = predicted(measured)
    count, deviation = len(measured), statistics.stdev(measured)
    nearest = claim.rounding + BORDER  # a printed figure stands for all that round to it
    return Equivalence(
        inside=low - nearest <= claim.value <= high + nearest,
        distance=abs(statistics.mean(measured) - claim.value),
        error=float(stats.t.ppf(1 - ALPHA, count - 1)) * deviation / math.sqrt(count),
    )


def _exact(claim: NumberClaim, measured: Sequence[float]) -> Verdict:
    """Of a count or a setting: whether every value is as printed, or, of "more than", as large."""
    if claim.relation == "at_least":
        holds = min(measured) >= claim.value
    else:
        holds = max(abs(one - claim.value) for one in measured) <= claim.rounding + BORDER
    return Verdict.REPRODUCED if holds else Verdict.NOT_REPRODUCED


def statement_verdict(outcomes: Sequence[bool], result: bool) -> Verdict:
    """Set a statement of the paper against whether it held, one outcome per run, by the rule.

    Args:
        outcomes: one per run, or per pair of runs of one seed.
        result: whether it is about results, which differ from run to run.
    """
    held, count = sum(outcomes), len(outcomes)
    if count == 0:
        return Verdict.NOT_TESTED
    if not result:
        return Verdict.REPRODUCED if held == count else Verdict.NOT_REPRODUCED
    if binomial(outcomes, "greater") < ALPHA:
        return Verdict.REPRODUCED
    return Verdict.NOT_REPRODUCED if binomial(outcomes, "less") < ALPHA else Verdict.UNDECIDED


def binomial(outcomes: Sequence[bool], alternative: Literal["greater", "less"]) -> float:
    """The p-value of a fair coin that one statement holds in so many runs, or in so few."""
    return float(stats.binomtest(sum(outcomes), len(outcomes), alternative=alternative).pvalue)


def difference_verdict(
    first: NumberClaim, second: NumberClaim, new: Lead, p_value: float, every: Lead | None = None
) -> Verdict:
    """Set a printed difference of two figures against ours, by the rule of book/paper.yml.

    Args:
        first: the paper's figure that the statement calls the greater one.
        second: the other one, in the same unit.
        new: the difference on new faces; its interval is NaN where too few runs are behind it.
        p_value: of no such difference, corrected for the family.
        every: the difference on all images, where the statement says by how much.
    """
    printed, rounding = first.value - second.value, first.rounding + second.rounding + BORDER
    if math.isnan(new.low):
        return Verdict.UNDECIDED
    other_size = every and not every.low - rounding <= printed <= every.high + rounding
    if new.high < 0 or other_size:
        return Verdict.NOT_REPRODUCED
    significant = p_value < ALPHA and new.low > 0
    return Verdict.REPRODUCED if significant else Verdict.UNDECIDED


def _unit_of(quantity: str) -> str:
    subject, _, measure = quantity.partition(".")
    if subject == "dataset" and measure in DATASET_MEASURES:
        return DATASET_MEASURES[measure]
    numbered = re.fullmatch(r"(filters|kernel_size)_[1-9]\d*", measure)
    measure = numbered[1] if numbered else measure
    known = measure in MODEL_MEASURES and bool(numbered) == (measure in ("filters", "kernel_size"))
    if subject in PAPER and known:
        return MODEL_MEASURES[measure]
    raise ValueError(
        f"Expected a quantity such as deep.training_loss or dataset.images. Received: "
        f"{quantity!r}. Choose a measure that ferutils/claims/paper.py lists."
    )


def _check_ids(paper: Paper) -> None:
    for group in (paper.claims, paper.contradictions, paper.not_testable):
        ids = [entry.id for entry in group]
        double = sorted({name for name in ids if ids.count(name) > 1})
        if double:
            raise ValueError(f"Expected unique ids. Received: {double} twice. Rename one of each.")
    known = {claim.id for claim in paper.claims}
    cells = [cell for table in paper.tables for row in table.rows for cell in row]
    readings = [reading for entry in paper.contradictions for reading in entry.readings]
    used = {cell.claim for cell in cells if isinstance(cell, ClaimCell)}
    used |= {claim_id for reading in readings for claim_id in reading.claims}
    used |= {name for claim in paper.claims for name in getattr(claim, "compares", ())}
    if not used <= known:
        raise ValueError(
            f"Expected ids of claims. Received: {sorted(used - known)} in a table, a "
            "contradiction or a comparison. Correct the id or add the claim."
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
