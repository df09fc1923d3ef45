"""The paper in its own order, each sentence that can be tested with its verdicts in the margin.

Reads what it is given; writes nothing.
"""

from collections.abc import Iterator, Sequence
from html import escape
from typing import NamedTuple

import pandas as pd

from ferutils.claims.paper import Paper
from ferutils.claims.verdicts import Finding
from ferutils.report import claim_list, tables


class Mark(NamedTuple):
    """A verdict in the margin, and the claim that it is on."""

    sign: str
    claim: str


class Sentence(NamedTuple):
    """What the paper says somewhere, with its verdicts."""

    place: str  # as `claim_list.places` names it
    rank: int  # in the order of the paper
    says: str
    marks: list[Mark]
    left: bool  # whether the report follows another reading


def sentences(paper: Paper, found: Sequence[Finding]) -> list[Sentence]:
    """Every sentence of the paper with a verdict, once for each place, in the paper's order."""
    every = [(one.claim, tables.SIGNS[one.verdict]) for one in found]
    every += [(one, claim_list.NOT_TESTABLE) for one in paper.not_testable]
    told: dict[tuple[str, str], Sentence] = {}
    for claim, sign in every:
        place, rank = claim_list.place(claim.place)
        left = getattr(claim, "follows", None) is False
        one = told.setdefault((place, claim.says), Sentence(place, rank, claim.says, [], left))
        one.marks.append(Mark(sign, claim.id))
    return sorted(told.values(), key=lambda one: one.rank)


def annotated(paper: Paper, found: Sequence[Finding], *wanted: str) -> tables.Numbered:
    """Sentences of some places, in the order of the paper, with their verdicts.

    Args:
        paper: what it states.
        found: the finding on each claim.
        wanted: places as `Sentence` names them, or kinds of places; a figure or a table has its
            caption above it, and where it is matched.
    """
    every = [
        one for one in sentences(paper, found) if {one.place, one.place.split()[0]} & set(wanted)
    ]
    lines = []
    for place in dict.fromkeys(one.place for one in every):
        lines += _caption(paper, place)
        of_place = "".join(_line(one) for one in every if one.place == place)
        lines.append(f'<div class="edition">{of_place}</div>')
    frame = pd.DataFrame(
        {"Place": one.place, "The paper": one.says, "Verdict": ", ".join(dict(one.marks))}
        for one in every
    )
    with pd.option_context("display.max_colwidth", None):
        return tables.Numbered("\n\n".join(lines), frame.to_html(index=False))


def _caption(paper: Paper, place: str) -> Iterator[str]:
    if place in tables.PLACES:
        kind, _, number = place.partition(" ")
        numbered = paper.figures if kind == "Figure" else paper.tables
        caption = next(one.caption.strip() for one in numbered if str(one.number) == number)
        yield f"**{place}**, “{caption}”: {{numref}}`{tables.PLACES[place]}` matches it."


def _line(one: Sentence) -> str:
    marks = "".join(_mark(*each) for each in one.marks)
    left = ' <a class="left" href="disagreements.html">other reading followed</a>' * one.left
    return f"<p><span>{marks}</span><span>{escape(one.says)}{left}</span></p>"


def _mark(sign: str, claim: str) -> str:
    mark, _, word = sign.partition("\u00a0")
    return (
        f'<a class="verdict-{word.replace(" ", "-")}" href="claims.html#claim-{claim}" '
        f'title="{word}" aria-label="{word}">{mark}</a>'
    )
