"""The paper in its own order: every claim once, in its place, with its verdict."""

import json
import re

from bs4 import BeautifulSoup
from synthetic import PAPER, record, study

from ferutils import paths
from ferutils.claims import verdicts
from ferutils.claims.verdicts import Verdict
from ferutils.report import claim_list, edition, tables

FINDINGS = verdicts.findings(PAPER, study(record("shallow")))
NOTEBOOK = json.loads((paths.NOTEBOOKS / "edition.ipynb").read_text())
CALL = re.compile(r"edition\.annotated\(claims, finding, (.*)\)")


def wanted():
    """What the notebook's cells ask for, in their order."""
    sources = ["".join(cell["source"]) for cell in NOTEBOOK["cells"]]
    return [re.findall(r'"([^"]+)"', call[1]) for call in map(CALL.match, sources) if call]


def test_the_page_has_each_claim_once_in_the_order_of_the_paper():
    parts = [edition.annotated(PAPER, FINDINGS, *places).data for places in wanted()]
    links = BeautifulSoup("".join(parts), "html.parser").select(".edition a:not(.left)")
    found = [link["href"].removeprefix("claims.html#claim-") for link in links]
    ids = [one.id for one in (*PAPER.claims, *PAPER.not_testable)]
    assert sorted(found) == sorted(ids)
    ranks = [one.rank for one in edition.sentences(PAPER, FINDINGS)]
    assert ranks == sorted(ranks) and len(set(ranks)) > 10


def test_a_sentence_with_several_verdicts_stands_once_with_a_mark_for_each():
    (one,) = [
        one for one in edition.sentences(PAPER, FINDINGS) if "roughly 29,000 training" in one.says
    ]
    assert [mark.claim for mark in one.marks] == [
        f"dataset-{split}-images" for split in ("training", "validation", "test")
    ]


def test_a_mark_is_the_verdict_and_says_it_to_who_does_not_see_it():
    finding = next(one for one in FINDINGS if one.claim.id == "table-3-shallow-training-loss")
    signs = {*tables.SIGNS.values(), claim_list.NOT_TESTABLE}
    for verdict in Verdict:
        changed = verdicts.Finding(finding.claim, [], verdict)
        page = BeautifulSoup(edition.annotated(PAPER, [changed], "Table").data, "html.parser")
        mark = page.select_one(f'a[href$="{finding.claim.id}"]')
        assert f"{mark.get_text()}\u00a0{mark['aria-label']}" == tables.SIGNS[verdict]
    assert {mark.sign for one in edition.sentences(PAPER, FINDINGS) for mark in one.marks} <= signs


def test_a_reading_that_the_report_leaves_leads_to_the_disagreement():
    left = [one for one in edition.sentences(PAPER, FINDINGS) if one.left]
    shown = edition.annotated(PAPER, FINDINGS, "Abstract", "Section", "Figure", "Table").data
    assert shown.count('href="disagreements.html"') == len(left) > 5


def test_a_figure_has_its_caption_and_the_place_that_matches_it():
    shown = edition.annotated(PAPER, FINDINGS, "Figure").data
    assert "**Figure 6**, “" in shown and "{numref}`shallow-layers` matches it" in shown
