"""The list of claims: whole, in the paper's words, its dots where the numbers are."""

import re

import pytest
from bs4 import BeautifulSoup
from docutils import nodes
from helpers import each
from synthetic import PAPER, parsed, record, study

from ferutils import paths
from ferutils.claims import paper, verdicts
from ferutils.claims.paper import Verdict
from ferutils.claims.verdicts import Finding
from ferutils.records import recipes
from ferutils.report import claim_list, interactive, prose, tables
from ferutils.report.claim_list import Lane

WHOLE = study(*(record(model, seed=seed) for model in recipes.PAPER for seed in (0, 1, 2)))
FINDINGS = verdicts.findings(PAPER, WHOLE)
LOSS = PAPER.claim("table-3-shallow-training-loss")


def lines(listed):
    """The folded lines of a list, by the id of the claim."""
    found = BeautifulSoup(listed.data, "html.parser").select("details.claim")
    return {one["id"].removeprefix("claim-"): one for one in found}


def line(claim_id, measured, verdict=Verdict.REPRODUCED):
    listed = claim_list.claims(PAPER, [Finding(PAPER.claim(claim_id), measured, verdict)])
    (one,) = lines(listed).values()
    return one


def unfolded(finding):
    """Terms and what is said of them, as MyST makes them of a line."""
    listed = claim_list.claims(PAPER, [finding])
    listed.data = re.sub(r"\[(\d)\]\(#[^)]*\)", r"\1", listed.data)  # Sphinx alone knows runs
    items = parsed(listed).findall(nodes.definition_list_item)
    return {one[0].astext(): one[-1].astext().replace("\u00a0", " ") for one in items}


# ---- lines --------------------------------------------------------------------------------------


def test_each_claim_and_each_statement_that_nothing_tests_has_one_line():
    every = lines(claim_list.claims(PAPER, FINDINGS)) | lines(claim_list.not_testable(PAPER))
    said = (*PAPER.claims, *PAPER.not_testable)
    assert list(every) == [one.id for one in said]
    for one in said:
        assert every[one.id].select_one(".says").text == one.says


def test_a_line_has_verdict_place_printed_and_measured():
    one = line(LOSS.id, [0.25, 0.27], Verdict.UNDECIDED)
    assert one["data-verdict"] == "undecided"
    assert one.select_one(".sign").text == "? undecided"
    assert one.select_one(".place").text == "Table\u00a03"
    assert one.select_one(".printed").text == LOSS.printed
    assert one.select_one(".measured").text == "0.260 ± 0.014"


def test_a_difference_between_networks_is_told_beside_the_printed_one():
    finding = next(one for one in FINDINGS if one.claim.id == "deep-best")
    one = lines(claim_list.claims(PAPER, [finding]))["deep-best"]
    assert one.select_one(".printed").text == "−2.0; +0.0\u00a0points"
    assert len(one.select("svg circle")) == len(one.select("svg .diamond")) == 2


def test_a_line_unfolds_measurement_test_runs_and_reading():
    found = {one.claim.id: unfolded(one) for one in FINDINGS}
    told = found[LOSS.id]
    assert set(told) == {"Verdict", "Measured", "Test", "Runs", "Shown in", "Place"}
    assert "one-sided t tests" in told["Test"] and told["Runs"].startswith("3: shallow 0, 1, 2")
    assert "binomial test: p = 0.125" in found["shallow-overfits"]["Test"]
    assert "another reading" in found["shallow-convolutions-text"]["Reading"]
    assert found["dataset-training-images"]["Test"] == "As printed, give or take 500."
    assert found["dataset-images"]["Test"] == "At least as printed."
    assert "Holm" in found["improved-better-than-shallow"]["Test"]


def test_every_line_says_by_which_test():
    assert all("Test" in unfolded(one) for one in FINDINGS)


@each("values", [[0.3], [0.3, float("nan")]])
def test_too_few_runs_decide_nothing(values):
    told = unfolded(Finding(LOSS, values, Verdict.UNDECIDED))
    assert told["Test"] == "One run alone, or one that diverged, decides nothing."


def test_the_test_of_a_number_is_the_one_that_decides():
    values = [0.255, 0.26, 0.262]
    found = paper.equivalence(LOSS, values)
    told = unfolded(Finding(LOSS, values, Verdict.REPRODUCED))["Test"]
    assert f"by {found.distance:.3f} ± {found.error:.3f} nats" in told
    assert ("inside" in told) == found.inside


def test_who_runs_the_notebook_sees_a_table():
    html = claim_list.claims(PAPER, FINDINGS[:1])._repr_html_()
    assert html.startswith("<table") and FINDINGS[0].claim.place in html


@each("text", ["<script>alert(1)</script>", "a | b", "`open", '"quoted" & more', "```"])
def test_no_words_of_a_claim_become_html(text):
    claim = LOSS.model_copy(update={"says": text})
    (one,) = lines(claim_list.claims(PAPER, [Finding(claim, [0.3], Verdict.UNDECIDED)])).values()
    assert one.select_one(".says").text == text
    assert not one.select("script")


# ---- places and networks ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "short", "names"),
    [
        ("Section 2.2, paragraph 1", "§2.2 ¶1", ["Section 2.2"]),
        ("Section 3, paragraph 1; Figure 3", "§3 ¶1; Fig. 3", ["Section 3", "Figure 3"]),
        ("Abstract; Section 2, paragraph 3", "Abstract; §2 ¶3", ["Abstract", "Section 2"]),
        ("Figures 6 to 8", "Fig. 6–8", ["Figure 6", "Figure 7", "Figure 8"]),
        ("Tables 1 and 2", "Table 1, 2", ["Table 1", "Table 2"]),
        ("Figures 3, 4 and 5", "Fig. 3, 4, 5", ["Figure 3", "Figure 4", "Figure 5"]),
        ("Section 2.2, paragraphs 1 and 2", "§2.2 ¶1, 2", ["Section 2.2"]),
    ],
)
def test_a_place_is_short_and_found_by_each_of_its_parts(place, short, names):
    claim = LOSS.model_copy(update={"place": place})
    (one,) = lines(claim_list.claims(PAPER, [Finding(claim, [], Verdict.NOT_TESTED)])).values()
    assert one.select_one(".place").text.replace("\u00a0", " ") == short
    assert one["data-places"].split("|") == names


def test_places_come_in_the_order_of_the_paper():
    found = claim_list.places(PAPER)
    assert found[0] == "Abstract" and found[-1] == "Table 3"
    assert found.index("Section 2.1") < found.index("Section 2.2") < found.index("Section 3")
    places = {one: float(line["data-rank"]) for one, line in lines(
        claim_list.claims(PAPER, FINDINGS)
    ).items()}  # fmt: skip
    assert places["deep-first-filters"] < places["deep-best"] < places["shallow-layers"]


@pytest.mark.parametrize(
    ("claim_id", "networks"),
    [
        ("dataset-images", ""),
        ("shallow-parameters", "shallow"),
        ("improved-better-than-shallow", "shallow improved"),
        ("deep-best", "shallow improved deep"),
        ("optimizer", "shallow improved deep"),
    ],
)
def test_a_claim_is_found_by_the_networks_that_it_is_about(claim_id, networks):
    assert line(claim_id, [])["data-networks"] == networks


# ---- dot plots ----------------------------------------------------------------------------------


def test_a_dot_is_as_far_from_the_diamond_as_the_run_from_the_printed_number():
    drawn = claim_list.dot_plot([Lane(1.0, [0.5, 1.0, 1.5], 0.75, 1.25)], 0.5, "in words")
    dots = [float(x) for x in re.findall(r'cx="([\d.]+)"', drawn)]
    middle, side = claim_list.WIDTH / 2, claim_list.SIDE
    assert dots == [side, middle, claim_list.WIDTH - side]
    low, high = map(float, re.search(r'bar" d="M([\d.]+) \d+H([\d.]+)', drawn).groups())
    assert (low, high) == ((side + middle) / 2, (claim_list.WIDTH - side + middle) / 2)


def test_a_bar_ends_with_the_plot():
    drawn = claim_list.dot_plot([Lane(1.0, [1.0], -9.0, 9.0)], 0.5, "in words")
    assert f'd="M0.0 8H{claim_list.WIDTH:.1f}"' in drawn


def test_plots_of_one_unit_share_their_scale():
    found = [
        Finding(PAPER.claim(f"table-3-{model}-training-loss"), values, Verdict.UNDECIDED)
        for model, values in (("shallow", [0.3]), ("deep", [2.0]))
    ]
    near, far = lines(claim_list.claims(PAPER, found)).values()
    middle = claim_list.WIDTH / 2
    apart = [float(one.circle["cx"]) - middle for one in (near, far)]
    assert apart[0] / apart[1] == pytest.approx(0.04, abs=0.01)


def test_a_plot_is_described_by_its_numbers():
    plot = line(LOSS.id, [0.2, 0.3]).svg
    low, high = paper.predicted([0.2, 0.3])
    assert plot["role"] == "img"
    assert plot["aria-label"] == (
        f"Printed 0.260; measured 0.200 to 0.300; interval {low:.3f} to {high:.3f}"
    )


@pytest.mark.parametrize(
    ("claim_id", "measured"),
    [
        (LOSS.id, []),
        (LOSS.id, [float("nan")]),
        ("shallow-overfits", [True]),
        ("shallow-parameters", [2345607.0]),
        ("dataset-images", [35887.0]),
    ],
)
def test_nothing_is_drawn_where_runs_measured_no_printed_result(claim_id, measured):
    assert line(claim_id, measured).svg is None


def test_a_run_that_diverged_leaves_the_others_drawn():
    assert len(line(LOSS.id, [0.25, float("nan"), 0.26]).select("circle")) == 2


def test_plots_take_their_colours_from_the_theme():
    drawn = str(line(LOSS.id, [0.25, 0.27]).svg)
    assert not re.search(r"#|rgb|(fill|stroke)=", drawn)
    style = (paths.BOOK / "_static" / "interactive" / "interactive.css").read_text()
    for part in (".bar", "circle", ".diamond", ".middle"):
        (rule,) = re.findall(rf"\.claims svg {re.escape(part)} {{(.*?)}}", style, re.DOTALL)
        assert "var(--" in rule


def test_the_legend_tells_the_scale_of_each_unit():
    told = claim_list.legend(PAPER, FINDINGS).data
    assert "points" in told and "nats" in told
    assert "scale" not in claim_list.legend(PAPER, []).data


# ---- around the list ----------------------------------------------------------------------------


def test_the_controls_know_every_verdict_network_and_place_of_the_list():
    data = interactive.claims_data(PAPER)
    every = lines(claim_list.claims(PAPER, FINDINGS)) | lines(claim_list.not_testable(PAPER))
    words = {sign.split("\u00a0", 1)[1].replace(" ", "-") for sign in data["verdicts"]}
    assert {one["data-verdict"] for one in every.values()} <= words
    assert {name for one in every.values() for name in one["data-places"].split("|")} == set(
        data["places"]
    )
    assert {name for one in every.values() for name in one["data-networks"].split()} == set(
        data["networks"]
    )


def test_the_tally_counts_each_result_once():
    told = prose.tally(FINDINGS).data
    results = verdicts.results(FINDINGS)
    assert told.startswith(f"**{len(results)} results: ")
    for verdict in Verdict:
        held = sum(one.verdict == verdict for one in results)
        assert (f"{held} {verdict}" in told) == bool(held)
    assert "6 conclusions: " in told


def test_the_rule_is_told_in_short_and_unfolds_in_full():
    short, _, full = prose.rule(PAPER).data.partition("````{dropdown} The rule in full")
    assert "{" not in short and "95" in short
    assert tables.listed(["Holm"]) in full and str(PAPER.rule.date) in full
