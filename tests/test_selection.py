"""What cross-validations made by hand choose, and how pages and claims say it. Needs no dataset."""

import numpy as np
import pytest
from scipy import stats
from synthetic import PAPER, parsed, selected, study

from ferutils.claims import selection, verdicts
from ferutils.claims.paper import Verdict
from ferutils.records.crossvalidation import Cell
from ferutils.report import origin, prose, selection_tables, tables

FEWER, PAPERS, MORE = Cell(1e-3, 512), Cell(1e-3, 1024), Cell(1e-3, 2048)
# By cell, a value per fold; clear-cut but for the two cells that are named.
POOR = {
    Cell(rate, count): [0.20, 0.22, 0.21] for rate in (1e-4, 1e-2) for count in (512, 1024, 2048)
}


def made(papers, best, fewer=(0.30, 0.32, 0.31), **changed):
    """The paper's cell beside a better one with more hidden neurons and one with fewer."""
    cells = POOR | {FEWER: list(fewer), PAPERS: list(papers), MORE: list(best)}
    return selected(cells, **changed)


CLEAR = made([0.50, 0.51, 0.52], [0.60, 0.61, 0.62])
NEAR = made([0.60, 0.63, 0.59], [0.60, 0.62, 0.61])
FIRST = made([0.60, 0.61, 0.62], [0.50, 0.51, 0.52])
SAME = selected({cell: [0.40, 0.40, 0.40] for cell in (*POOR, FEWER, PAPERS, MORE)})
BELOW = made([0.30, 0.31, 0.32], [0.35, 0.36, 0.37], [0.31, 0.32, 0.33])
BARELY = made([0.30, 0.31, 0.32], [0.40, 0.44, 0.37], [0.31, 0.32, 0.33])
UNFINISHED = made([0.5, 0.5, 0.5], [0.6, 0.6, 0.6], trainings=4)
SMALL = made([0.5, 0.5, 0.5], [0.6, 0.6, 0.6], images=700)
SHORT = made([0.5, 0.5, 0.5], [0.6, 0.6, 0.6], epochs=3)
NONE = selection.Selection("shallow", CLEAR.settings, None)


# ---- cells and choices --------------------------------------------------------------------------


def test_a_cell_has_mean_deviation_and_standard_error_of_its_last_accuracies():
    row = NEAR.cells.loc[PAPERS]
    values = [0.60, 0.63, 0.59]
    assert row["accuracy"] == pytest.approx(np.mean(values))
    assert row["accuracy_deviation"] == pytest.approx(np.std(values, ddof=1))
    assert row["accuracy_error"] == pytest.approx(stats.sem(values))
    assert (row["loss"], row["loss_deviation"]) == (0.5, 0)


def test_the_best_cell_is_the_most_accurate():
    assert (CLEAR.best, FIRST.best) == (MORE, PAPERS)


def test_of_equally_accurate_cells_the_best_has_the_fewest_hidden_neurons():
    assert made([0.6, 0.5, 0.7], [0.7, 0.6, 0.5]).best == PAPERS
    assert SAME.best == (1e-4, 512)


@pytest.mark.parametrize(
    ("fewer", "papers", "choice"),
    [
        ([0.50, 0.52, 0.51], [0.51, 0.52, 0.51], MORE),  # none is within
        ([0.50, 0.52, 0.51], [0.59, 0.62, 0.61], PAPERS),  # fewer would be less accurate
        ([0.59, 0.62, 0.61], [0.59, 0.62, 0.61], FEWER),
    ],
)
def test_the_one_standard_error_choice_has_the_fewest_neurons_near_the_best(fewer, papers, choice):
    best = [0.58, 0.63, 0.62]  # standard error 0.015
    assert made(papers, best, fewer).one_standard_error == choice


def test_of_as_few_neurons_the_more_accurate_is_the_one_standard_error_choice():
    cells = POOR | {FEWER: [0.59, 0.62, 0.61], PAPERS: [0.3] * 3, MORE: [0.58, 0.63, 0.62]}
    assert selected(cells | {Cell(1e-2, 512): [0.6, 0.62, 0.6]}).one_standard_error == FEWER
    assert selected(cells | {Cell(1e-2, 512): [0.6, 0.62, 0.602]}).one_standard_error == (1e-2, 512)


def test_exactly_one_standard_error_is_within():
    best = np.array([0.58, 0.63, 0.62])
    error = stats.sem(best)
    assert made(best - error, best).within(PAPERS)
    assert not made(best - error - 1e-6, best).within(PAPERS)


def test_the_paper_and_the_best_are_compared_fold_by_fold():
    papers, best = [0.50, 0.56, 0.52], [0.60, 0.62, 0.63]
    found = made(papers, best).difference
    low, high = stats.ttest_rel(papers, best).confidence_interval()
    assert found == pytest.approx((np.mean(papers) - np.mean(best), low, high))


def test_always_the_most_frequent_emotion_is_right_as_often_as_it_occurs():
    assert CLEAR.always == ("happy", pytest.approx(0.4))


def test_networks_that_answer_one_emotion_only_are_counted():
    assert CLEAR.of_one_answer == 0
    first, *others = CLEAR.found.trainings
    first = first.model_copy(update={"answers": [0, 0, 0, 100, 0, 0, 0]})
    found = CLEAR.found.model_copy(update={"trainings": [first, *others]})
    assert selection.Selection("shallow", CLEAR.settings, found).of_one_answer == 1


# ---- whether it decides anything, and the verdict -----------------------------------------------


RATE, WIDTH = Cell._fields
# The widths do not differ, the learning rates do; and the other way round.
BY_RATE = selected(
    {
        Cell(rate, width): np.roll([start, start + 0.01, start + 0.02], shift).tolist()
        for rate, start in ((1e-4, 0.2), (1e-3, 0.6), (1e-2, 0.3))
        for shift, width in enumerate((512, 1024, 2048))
    }
)
BY_WIDTH = selected(
    {
        Cell(rate, width): np.roll([start, start + 0.01, start + 0.02], shift).tolist()
        for shift, rate in enumerate((1e-4, 1e-3, 1e-2))
        for width, start in ((512, 0.5), (1024, 0.6), (2048, 0.7))
    }
)


def test_each_factor_is_tested_along_the_papers_value_of_the_other():
    assert BY_RATE.along(RATE) == [PAPERS, Cell(1e-2, 1024), Cell(1e-4, 1024)]
    assert set(BY_RATE.along(WIDTH)) == {FEWER, PAPERS, MORE}
    for chosen, differs, other in ((BY_RATE, RATE, WIDTH), (BY_WIDTH, WIDTH, RATE)):
        by_fold = chosen.accuracies.loc[chosen.along(differs)].to_numpy()
        assert chosen.p_value(differs) == stats.friedmanchisquare(*by_fold).pvalue < 0.05
        assert chosen.p_value(other) > 0.05


def test_equal_cells_and_two_of_them_tell_nothing():
    assert SAME.p_value(WIDTH) == 1
    other = {Cell(1e-2, count): [0.1] * 3 for count in (512, 1024)}
    two = selected(other | {FEWER: [0.1] * 3, PAPERS: [0.9, 0.8, 0.7]})
    assert two.p_value(WIDTH) == two.p_value(RATE) == 1


def test_cells_that_are_no_better_than_one_answer_measure_nothing():
    assert CLEAR.measures
    assert not any(one.measures for one in (BELOW, BARELY, UNFINISHED, NONE))


@pytest.mark.parametrize(
    ("chosen", "verdict"),
    [
        (FIRST, Verdict.REPRODUCED),
        (CLEAR, Verdict.NOT_REPRODUCED),
        (SAME, Verdict.UNDECIDED),
        (BELOW, Verdict.UNDECIDED),
        (BARELY, Verdict.UNDECIDED),
        (SMALL, Verdict.NOT_TESTED),
        (SHORT, Verdict.NOT_TESTED),
        (UNFINISHED, Verdict.NOT_TESTED),
        (NONE, Verdict.NOT_TESTED),
    ],
)
def test_the_verdict_follows_the_rule(chosen, verdict):
    assert selection.verdict(chosen, WIDTH, 1024) == verdict


@pytest.mark.parametrize(
    ("chosen", "rate", "width"),
    [
        (BY_RATE, Verdict.REPRODUCED, Verdict.UNDECIDED),
        (BY_WIDTH, Verdict.UNDECIDED, Verdict.NOT_REPRODUCED),
    ],
)
def test_each_value_has_its_own_verdict(chosen, rate, width):
    assert selection.verdict(chosen, RATE, 1e-3) == rate
    assert selection.verdict(chosen, WIDTH, 1024) == width


def test_values_that_were_not_tried_are_not_tested():
    assert selection.verdict(CLEAR, RATE, 0.5) == Verdict.NOT_TESTED


# ---- claims -------------------------------------------------------------------------------------


def of_claims(monkeypatch, chosen):
    """The findings on the settings of the model, with its cross-validation as it is given."""
    monkeypatch.setattr(selection, "read", lambda model: chosen)
    return [
        verdicts.find(PAPER, study(), claim)
        for claim in PAPER.claims
        if verdicts.is_selected(claim) and claim.quantity.startswith(chosen.model)
    ]


def test_claims_on_both_values_have_the_verdict_of_their_factor(monkeypatch):
    found = of_claims(monkeypatch, CLEAR)
    assert {one.claim.id for one in found} >= {"table-1-learning-rate", "table-1-hidden-neurons"}
    assert {one.claim.quantity: one.verdict for one in found} == {
        "shallow.learning_rate": selection.verdict(CLEAR, RATE, 1e-3),
        "shallow.hidden_neurons": Verdict.NOT_REPRODUCED,
    }
    measured = {one.claim.quantity: one.measured for one in found}
    assert measured == {"shallow.learning_rate": [1e-3], "shallow.hidden_neurons": [2048]}
    assert {tables.measured(one) for one in found} == {"0.001", "2,048"}
    assert all("crossvalidation" in tables.runs(one) for one in found)
    assert all("crossvalidation-verdicts" in tables.shown_in(one) for one in found)


def test_claims_are_not_tested_without_a_finished_cross_validation(monkeypatch):
    for chosen in (NONE, UNFINISHED):
        for one in of_claims(monkeypatch, chosen):
            assert (one.measured, one.verdict) == ([], Verdict.NOT_TESTED)
            assert tables.runs(one) == "–"


DEEP = {Cell(rate, count): [0.50, 0.52, 0.51] for rate in (1e-4, 1e-3) for count in (512, 1024)}
PAPERS_DEEP = Cell(1e-4, 512)


@pytest.mark.parametrize(
    ("papers", "outcomes", "verdict"),
    [
        ([0.60] * 5, [True] * 5, Verdict.REPRODUCED),
        ([0.60] * 4 + [0.15], [True] * 4 + [False], Verdict.UNDECIDED),
        ([0.10] * 5, [False] * 5, Verdict.NOT_REPRODUCED),
    ],
)
def test_that_no_other_setting_is_more_accurate_holds_fold_by_fold(
    monkeypatch, papers, outcomes, verdict
):
    cells = {cell: [*values, 0.5, 0.5] for cell, values in DEEP.items()}
    chosen = selected(cells | {PAPERS_DEEP: papers}, "deep")
    (one,) = [one for one in of_claims(monkeypatch, chosen) if one.claim.kind == "statement"]
    assert (one.measured, one.verdict) == (outcomes, verdict)
    reduced = selected(cells | {PAPERS_DEEP: papers}, "deep", images=750)
    for one in of_claims(monkeypatch, reduced):
        assert (one.measured, one.verdict) == ([], Verdict.NOT_TESTED)


def test_what_is_no_better_than_one_answer_is_no_measurement(monkeypatch):
    for one in of_claims(monkeypatch, BELOW):
        assert (one.measured, one.verdict) == ([], Verdict.UNDECIDED)
    assert set(selection_tables.cells(BELOW)["Accuracy"]) == {"–"}
    told = selection_tables.verdicts([BELOW]).set_index("What")["Shallow network"]
    assert "Best" not in told


# ---- as a page says it --------------------------------------------------------------------------


def test_each_state_has_its_notice():
    assert "not yet run" in prose.cross_validation_notice(NONE).data
    assert (
        "make crossvalidate FER2013=PATH MODEL=shallow" in prose.cross_validation_notice(NONE).data
    )
    assert "4 of 27" in prose.cross_validation_notice(UNFINISHED).data
    reduced = prose.cross_validation_notice(SMALL, NEAR).data
    assert "Reduced cross-validation" in reduced and "300 training images" in reduced
    assert "not finished" not in reduced
    assert "older version" in prose.cross_validation_notice(NEAR).data  # made by no code of ours


def test_what_is_current_whole_and_finished_needs_no_notice(monkeypatch):
    monkeypatch.setattr(type(NEAR.found), "is_current", True)
    assert prose.cross_validation_notice(NEAR) is None


@pytest.mark.parametrize(
    ("chosen", "said", "unsaid"),
    [
        (CLEAR, ["is not within one", "−10.0", "Hidden neurons: the cells"], ["decides nothing"]),
        (NEAR, ["is within one"], ["decides nothing", "not within"]),
        (FIRST, ["cell is the best"], ["decides nothing"]),
        (BY_RATE, ["other value differ", "by chance"], ["decides nothing"]),
        (
            BELOW,
            ["Inconclusive", "above always “happy”"],
            ["by chance", "best cell is learning"],
        ),
        (NONE, ["Open"], []),
        (UNFINISHED, ["Open"], []),
    ],
)
def test_the_page_says_what_was_chosen_and_whether_it_decides(chosen, said, unsaid):
    text = prose.selected(chosen).data
    assert all(words in text for words in said)
    assert not any(words in text for words in unsaid)


def test_networks_of_one_answer_are_told():
    assert "same answer" not in prose.selected(CLEAR).data
    one = CLEAR.found.trainings[0].model_copy(update={"answers": [0, 100, 0, 0, 0, 0, 0]})
    found = CLEAR.found.model_copy(update={"trainings": [one, *CLEAR.found.trainings[1:]]})
    told = prose.selected(selection.Selection("shallow", CLEAR.settings, found)).data
    assert "1 of the 27 networks" in told


def test_the_rule_names_all_verdicts():
    text = prose.selection_rule(PAPER).data
    for word in Verdict:
        assert word in text


@pytest.mark.parametrize("chosen", [NONE, UNFINISHED, CLEAR])
def test_the_tables_stand_whatever_there_is(chosen):
    for frame in (
        selection_tables.settings([chosen, CLEAR]),
        selection_tables.verdicts([chosen, CLEAR]),
        selection_tables.cells(chosen),
    ):
        assert not frame.map(lambda text: "nan" in text).to_numpy().any()


def test_the_tables_hold_the_numbers():
    asked = selection_tables.settings([CLEAR]).set_index("What")["Shallow network"]
    assert asked["Learning rates"] == "0.0001, 0.001, 0.01"
    assert (asked["Training images"], asked["Networks trained"]) == ("300", "27 of 27")
    chosen = selection_tables.verdicts([CLEAR]).set_index("What")["Shallow network"]
    assert chosen["The paper"] == "0.001 and 1,024: 51.0\u00a0%"
    assert chosen["Best"] == "0.001 and 2,048: 61.0\u00a0%"
    assert chosen["Always “happy”"] == "40.0\u00a0%"
    assert chosen["Verdict on the paper's hidden neurons"] == tables.SIGNS[Verdict.NOT_REPRODUCED]
    cells = selection_tables.cells(CLEAR)
    (row,) = cells[cells["Chosen by"] == "the paper"].to_dict("records")
    assert (row["Learning rate"], row["Hidden neurons"]) == ("0.001", "1,024")
    assert row["Accuracy"] == "51.0\u00a0% ± 1.0\u00a0%"
    assert (cells["Chosen by"] == "best, one standard error").sum() == 1


def test_a_page_says_where_its_cross_validations_come_from():
    text = parsed(origin.cross_validations([CLEAR.found])).astext()
    for words in (
        "27 of the shallow network",
        "processor",
        "0123456789abcdef",
        "13.5 minutes",
        "make crossvalidate",
    ):
        assert words in text
    assert "make crossvalidate" in origin.cross_validations([]).data
