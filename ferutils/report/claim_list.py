"""The paper's claims -> one list, a line for each, which unfolds what its verdict rests on.

Reads what it is given; writes nothing. Lines are HTML, with a dot plot as SVG where runs measured a
printed result; what unfolds is MyST. book/_static/interactive/claims.js filters and orders them.
"""

import math
import re
from collections.abc import Callable, Sequence
from functools import partial
from html import escape
from typing import NamedTuple

import pandas as pd
from IPython.display import Markdown

from ferutils.claims import metrics
from ferutils.claims.paper import (
    NumberClaim,
    Paper,
    StatementClaim,
    Verdict,
    binomial,
    equivalence,
    predicted,
)
from ferutils.claims.verdicts import Finding
from ferutils.records import inspection
from ferutils.records.recipes import PAPER
from ferutils.records.study import Study
from ferutils.report import comparison_tables, tables

NOT_TESTABLE = "○\u00a0not testable"
PARTS = ("Abstract", "Section", "Figure", "Table")  # of the paper, in the order of the list
PLACE = re.compile(rf"({'|'.join(PARTS)})s?(?: ([\d.]+)((?:, \d+)*(?: and | to ))?(\d+)?)?")
HEADS = ("", "Place", "The paper", "Printed", "Measured", "")
WIDTH, SIDE, LANE = 132, 7, 16  # of a dot plot, in pixels: with free sides; a lane is so high


class Lane(NamedTuple):
    """A line of a dot plot: the printed number, what was measured, and its interval."""

    printed: float
    measured: Sequence[float]
    low: float
    high: float


class Line(NamedTuple):
    """A line of the list; `unfolds` are terms and what is said of them, as MyST."""

    id: str
    sign: str
    place: str
    says: str
    unfolds: dict[str, str]
    networks: Sequence[str] = ()
    printed: str = ""
    measured: str = ""
    plot: str = ""


def claims(paper: Paper, found: Sequence[Finding]) -> tables.Numbered:
    """The list of these claims; whoever runs the notebook sees `tables.claims`."""
    spans = _spans(paper, found)
    lines = [_line(paper, finding, spans) for finding in found]
    return _listed(lines, tables.claims(paper, list(found)))


def not_testable(paper: Paper) -> tables.Numbered:
    """The list of what nothing here can test."""
    lines = [
        Line(one.id, NOT_TESTABLE, one.place, one.says, {"Verdict": NOT_TESTABLE, "Why": one.why})
        for one in paper.not_testable
    ]
    return _listed(lines, tables.not_testable(paper))


def legend(paper: Paper, found: Sequence[Finding]) -> Markdown:
    """How the dot plots of these claims are read."""
    reach = [tables.apart(span, unit) for unit, span in _spans(paper, found).items()]
    scale = (
        f" One scale for all: ± {' or '.join(reach)}; a bar at the edge goes on." if reach else ""
    )
    return Markdown(
        "Diamond: the printed number. Dots: our runs. Bar: the 95 % interval of one more run or, "
        f"with a single dot, of a difference between networks.{scale}"
    )


def reach(paper: Paper, found: Study) -> tuple[tables.Numbered, ...]:
    """What the rule tells apart, what so few runs can see, and the networks as built.

    Raises:
        ValueError: the inspection of the networks is damaged or missing.
    """
    specificity = tables.folded(
        tables.numbered(
            comparison_tables.specificity(paper, found),
            "claims-specificity",
            "Runs of one network against what is printed for another",
        ),
        "Can the rule tell the networks apart?",
        "The runs of each network are set against the figures printed for the others. Where the "
        "paper prints different figures for two networks, no verdict should be *reproduced*; "
        "where one is, our network has the other's figure and not its own.",
    )
    power = tables.folded(
        tables.numbered(
            comparison_tables.power(paper, found),
            "claims-power",
            "Power: which difference the runs would have seen",
        ),
        "What could so few runs have seen?",
        "The difference from a printed figure that a t test with so many runs finds in most cases "
        "{cite}`lakens2017`, given how much they spread, and how many runs would find the margin "
        "of the rule. Where that difference is larger than the margin, *undecided* says little of "
        "the paper.",
    )
    inspected = tables.folded(
        tables.numbered(
            tables.inspected(inspection.read()),
            "claims-inspection",
            "The networks as built and tried on drawn faces, before any run",
        ),
        "What was seen of the networks as built?",
        "Each network was built and tried on a handful of drawn faces (`make inspect`): its loss "
        "before training, beside that of equal probabilities; whether it memorises the handful; "
        "whether each weight receives a gradient; and whether its outputs vary.",
    )
    return specificity, power, inspected


def _line(paper: Paper, finding: Finding, spans: dict[str, float]) -> Line:
    claim, lanes = finding.claim, _lanes(paper, finding)
    if claim.kind == "number":
        printed, text = claim.printed, partial(tables.quantity, unit=claim.unit)
    else:
        printed, text = "; ".join(tables.points(one.printed) for one in lanes), tables.points
        printed += "\u00a0points" * bool(lanes)
    plot = dot_plot(lanes, spans[_unit(claim)], _described(lanes, text)) if lanes else ""
    return Line(
        id=claim.id,
        sign=tables.SIGNS[finding.verdict],
        place=claim.place,
        says=claim.says,
        networks=_networks(claim),
        printed=printed,
        measured=re.sub(r" \([^)]*\)", "", tables.measured(finding)),
        plot=plot,
        unfolds=_unfolds(paper, finding),
    )


# ---- what a line unfolds -------------------------------------------------------------------------


def _unfolds(paper: Paper, finding: Finding) -> dict[str, str]:
    """Terms of a claim: where it stands, what was measured, by which test, in which runs."""
    claim = finding.claim
    left = "The report follows another reading." if claim.follows is False else ""
    told = {
        "Verdict": tables.SIGNS[finding.verdict],
        "Measured": tables.measured(finding) + tables.refuted(paper, claim),
        "Test": _number_test(paper, finding)
        if claim.kind == "number"
        else _statement_test(paper, finding),
        "Runs": tables.runs(finding),
        "Reading": " ".join(filter(None, [claim.comment, left, _contradiction(paper, claim)])),
        "Shown in": tables.shown_in(finding),
    }
    return {term: " ".join(text.split()) for term, text in told.items() if text not in ("", "–")}


def _number_test(paper: Paper, finding: Finding) -> str:
    """What decides the verdict on a printed number."""
    claim, values = finding.claim, finding.measured
    if finding.selected:
        return "The rule of [the cross-validation](crossvalidation.ipynb)."
    if claim.about == "settings":
        return "A setting is given to a run and not measured by it."
    if claim.about != "results":
        give = f", give or take {claim.rounding:,g}" if claim.rounding else ""
        return "At least as printed." if claim.relation == "at_least" else f"As printed{give}."
    if len(values) < 2 or not all(map(math.isfinite, values)):
        return "One run alone, or one that diverged, decides nothing." if values else "No run."
    found = equivalence(claim, values)
    low, high = (tables.quantity(one, claim.unit) for one in predicted(values))
    margin, rounding = paper.margin(claim.unit), tables.apart(claim.rounding, claim.unit)
    distance, error = (tables.apart(one, claim.unit) for one in (found.distance, found.error))
    return (
        f"The printed figure, give or take {rounding}, is {'in' if found.inside else 'out'}side "
        f"the prediction interval of {low} to {high}. Our mean differs from it by "
        f"{distance.split()[0]} ± {error} (one-sided t tests); the margin is "
        f"{tables.apart(margin, claim.unit)}."
    )


def _statement_test(paper: Paper, finding: Finding) -> str:
    """When a statement holds, and the p-value where chance has a part in it."""
    claim, outcomes = finding.claim, finding.measured
    check = paper.checks[claim.quantity]
    bound = f" Bound: {tables.apart(check.bound, check.unit)}." if check.bound else ""
    told = ""
    if finding.p_values:
        values = "; ".join(map(metrics.printed_p_value, finding.p_values))
        told = f" p {values}, corrected by Holm."
    elif outcomes and claim.about == "results":
        side = "less" if finding.verdict == Verdict.NOT_REPRODUCED else "greater"
        p_value = metrics.printed_p_value(binomial(outcomes, side))
        told = f" One-sided binomial test: p {p_value}."
    return f"{check.true_when}{bound}{told}"


def _contradiction(paper: Paper, claim: NumberClaim | StatementClaim) -> str:
    """Why the report reads as it does where the paper contradicts itself about a claim."""
    about = [
        f"{one.why} ([{one.topic}](disagreements.ipynb))"
        for one in paper.contradictions
        if any(claim.id in reading.claims for reading in one.readings)
    ]
    return " ".join(about)


# ---- dot plots -----------------------------------------------------------------------------------


def _lanes(paper: Paper, finding: Finding) -> list[Lane]:
    """What a dot plot of a claim shows; nothing where no run measured a number that it prints."""
    claim, values = finding.claim, [one for one in finding.measured if math.isfinite(one)]
    if claim.about != "results":
        return []
    if claim.kind == "number":
        return [Lane(claim.value, values, *predicted(values))] if values else []
    pairs = paper.compared(claim) if finding.leads else []
    return [
        Lane(one.value - other.value, [lead.value], lead.low, lead.high)
        for (one, other), lead in zip(pairs, finding.leads)
    ]


def _unit(claim: NumberClaim | StatementClaim) -> str:
    return claim.unit if claim.kind == "number" else "fraction"


def _spans(paper: Paper, found: Sequence[Finding]) -> dict[str, float]:
    """By unit, how far dot plots reach from a printed number: to the farthest dot of any."""
    spans: dict[str, float] = {}
    for finding in found:
        for lane in _lanes(paper, finding):
            apart = max(abs(one - lane.printed) for one in lane.measured)
            unit = _unit(finding.claim)
            spans[unit] = max(spans.get(unit, 0), apart)
    return spans


def dot_plot(lanes: Sequence[Lane], span: float, label: str) -> str:
    """Printed numbers as diamonds, what was measured as dots, and its interval as a bar: SVG.

    Args:
        lanes: from top to bottom; each has its printed number in the middle.
        span: what the plot reaches to either side of it, in its unit.
        label: the numbers in words, for who does not see them.
    """
    middle, height = WIDTH / 2, LANE * len(lanes)
    scale = (middle - SIDE) / (span or 1)
    drawn = [f'<path class="middle" d="M{middle:g} 0V{height}"/>']
    for number, lane in enumerate(lanes):
        y = LANE * (number + 1 / 2)
        low, high, *dots = (
            middle + scale * (one - lane.printed) for one in (lane.low, lane.high, *lane.measured)
        )
        if math.isfinite(low):
            low, high = max(low, 0), min(high, WIDTH)
            drawn.append(f'<path class="bar" d="M{low:.1f} {y:g}H{high:.1f}"/>')
        drawn += [f'<circle cx="{x:.1f}" cy="{y:g}" r="2.4"/>' for x in dots]
        drawn.append(f'<path class="diamond" d="M{middle - 5:g} {y:g}l5-5 5 5-5 5z"/>')
    return (
        f'<svg role="img" aria-label="{escape(label)}" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}">{"".join(drawn)}</svg>'
    )


def _described(lanes: Sequence[Lane], text: Callable[[float], str]) -> str:
    """The numbers of a dot plot in words."""
    told = []
    for lane in lanes:
        dots = list(dict.fromkeys(text(one) for one in (min(lane.measured), max(lane.measured))))
        interval = f"; interval {text(lane.low)} to {text(lane.high)}"
        told.append(
            f"Printed {text(lane.printed)}; measured {' to '.join(dots)}"
            + interval * math.isfinite(lane.low)
        )
    return ". ".join(told)


# ---- places and networks -------------------------------------------------------------------------


def places(paper: Paper) -> list[str]:
    """Every place of the paper where something is claimed, such as "Section 2.2", in its order."""
    every = (*paper.claims, *paper.not_testable)
    return sorted({name for one in every for name in _places(one.place)}, key=_rank)


def place(text: str) -> tuple[str, int]:
    """The first part of the paper that a claim's place names, and its rank in the paper's order."""
    return _places(text)[0], _rank(text)


def _places(place: str) -> list[str]:
    """The parts of the paper that a place names, one by one and without paragraphs."""
    found = []
    for kind, first, joint, last in PLACE.findall(place):
        numbers = [first, *re.findall(r"\d+", joint), last]
        if "to" in joint:
            numbers = [str(one) for one in range(int(first), int(last) + 1)]
        found += [" ".join(filter(None, [kind, one])) for one in numbers if one or kind == PARTS[0]]
    return list(dict.fromkeys(found))


def _rank(place: str) -> int:
    """Where a place lies in the order of the paper: its text, its figures, its tables."""
    kind, number, *_ = PLACE.search(place).groups()
    section, _, part = (number or "").partition(".")
    paragraph = re.search(r"paragraphs? (\d+)", place.partition(";")[0])
    digits = [PARTS.index(kind), int(section or 0), int(part or 0)]
    return int("{}{:02}{:02}{:02}".format(*digits, int(paragraph[1]) if paragraph else 0))


def _short(place: str) -> str:
    """A place in the fewest letters: "§2.2 ¶1" for "Section 2.2, paragraph 1"."""
    signs = {"Sections? ": "§", ", paragraphs? ": "\u00a0¶", "Figures? ": "Fig.\u00a0"}
    for words, sign in (
        signs | {"Tables? ": "Table\u00a0", " and ": ",\u00a0", " to ": "–"}
    ).items():
        place = re.sub(words, sign, place)
    return place


def _networks(claim: NumberClaim | StatementClaim) -> list[str]:
    """The networks that a claim is about."""
    named = " ".join([claim.quantity, *getattr(claim, "compares", ())])
    every = claim.quantity.startswith("models.")
    return [model for model in PAPER if every or model in named]


# ---- HTML ----------------------------------------------------------------------------------------


def _listed(lines: Sequence[Line], frame: pd.DataFrame) -> tables.Numbered:
    heads = "".join(f"<span>{head}</span>" for head in HEADS)
    parts = [f'<div class="claims">\n<div class="heads" aria-hidden="true">{heads}</div>']
    parts += [_html(line) for line in lines]
    with pd.option_context("display.max_colwidth", None):
        return tables.Numbered("\n\n".join([*parts, "</div>"]), frame.to_html(index=False))


def _html(line: Line) -> str:
    """A line as HTML around MyST, which blank lines set apart."""
    mark, _, word = line.sign.partition("\u00a0")
    slug, names = word.replace(" ", "-"), _places(line.place)
    about = {
        "id": f"claim-{line.id}",
        "data-verdict": slug,
        "data-networks": " ".join(line.networks),
        "data-places": "|".join(names),
        "data-rank": _rank(line.place),
    }
    attributes = " ".join(f'{name}="{escape(str(value))}"' for name, value in about.items())
    summary = [
        f'<span class="sign verdict-{slug}" title="{word}">{mark}'
        f'<span class="unseen"> {word}</span></span>',
        f'<span class="place">{escape(_short(line.place))}</span>',
        f'<span class="says">{escape(line.says)}</span>',
        f'<span class="printed">{escape(line.printed)}</span>',
        f'<span class="measured">{escape(line.measured)}</span>',
        line.plot,
    ]
    address = f'<a href="#claim-{line.id}">link to this claim</a>'
    unfolds = line.unfolds | {"Place": f"{line.place} ({address})"}
    told = "\n\n".join(f"{term}\n: {text}" for term, text in unfolds.items())
    head = f'<details class="claim" {attributes}><summary>{"".join(summary)}</summary>'
    return f"{head}\n\n{told}\n\n</details>"
