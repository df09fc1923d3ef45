"""The paper's claims as data, and every branch of the verdict rule. Needs no dataset."""

import copy
import math
import re
from pathlib import Path

import numpy as np
import pytest
import yaml
from scipy import stats

from ferutils.claims import paper
from ferutils.claims.metrics import Lead
from ferutils.claims.paper import (
    Verdict,
    difference_verdict,
    interval,
    predicted,
    statement_verdict,
    verdict,
)

PAPER = paper.load()
CONTENT = yaml.safe_load(paper.PAPER_FILE.read_text(encoding="utf-8"))
NUMBERS = [claim for claim in PAPER.claims if claim.kind == "number"]
STATEMENTS = [claim for claim in PAPER.claims if claim.kind == "statement"]


def number_claim(value=0.60, rounding=0.005, **other):
    keys = {
        "id": "made-up",
        "place": "Table 3",
        "says": "60%",
        "kind": "number",
        "about": "results",
        "quantity": "improved.validation_accuracy",
        "printed": "60%",
        "unit": "fraction",
    }
    return paper.NumberClaim(**{**keys, "value": value, "rounding": rounding, **other})


def images_claim():
    exact = {"rounding": 0, "unit": "images", "quantity": "dataset.images", "about": "dataset"}
    return number_claim(value=35000, relation="at_least", **exact)


# ---- the rule -----------------------------------------------------------------------------------


def test_interval_is_the_t_interval_of_the_mean():
    values = [0.58, 0.61, 0.60, 0.59]
    expected = stats.t.interval(0.95, 3, loc=np.mean(values), scale=stats.sem(values))
    assert interval(values) == pytest.approx(expected, abs=1e-12)


def test_interval_of_one_run_is_its_value():
    assert interval([0.61]) == (0.61, 0.61)


def test_interval_of_equal_values_has_no_width():
    assert interval([3, 3, 3]) == (3, 3)


def test_interval_of_nothing_is_an_error():
    with pytest.raises(ValueError, match=r"Expected .* Received: none"):
        interval([])


def test_the_interval_of_one_more_run_is_the_t_prediction_interval():
    values = [0.58, 0.61, 0.60, 0.59]
    scale = np.std(values, ddof=1) * math.sqrt(1 + 1 / 4)
    expected = stats.t.interval(0.95, 3, loc=np.mean(values), scale=scale)
    assert predicted(values) == pytest.approx(expected, abs=1e-12)
    assert predicted([0.61]) == (0.61, 0.61)


def runs_around(mean, deviation, count=5):
    """Measurements with this mean and this standard deviation."""
    steps = np.linspace(-1, 1, count)
    return list(mean + steps * deviation / steps.std(ddof=1))


MARGIN = 0.01


@pytest.mark.parametrize(
    "mean, deviation, expected",
    [
        (0.600, 0.004, Verdict.REPRODUCED),
        (0.605, 0.004, Verdict.REPRODUCED),
        (0.600, 0.0104, Verdict.REPRODUCED),  # the mean is known to just the margin
        (0.600, 0.0106, Verdict.UNDECIDED),  # imprecision is not rewarded
        (0.600, 0.1, Verdict.UNDECIDED),
        (0.608, 0.004, Verdict.UNDECIDED),
        (0.595, 0.0001, Verdict.REPRODUCED),  # as the figure is rounded
        (0.6051, 0.00001, Verdict.UNDECIDED),  # outside, yet nearer than the margin
        (0.6149, 0.0001, Verdict.UNDECIDED),
        (0.6153, 0.0001, Verdict.NOT_REPRODUCED),
        (0.620, 0.004, Verdict.NOT_REPRODUCED),
        (0.620, 0.006, Verdict.UNDECIDED),  # one more run could be there
    ],
)
def test_a_printed_figure_is_one_run_within_a_margin(mean, deviation, expected):
    for measured in (runs_around(mean, deviation), runs_around(1.2 - mean, deviation)):
        assert verdict(number_claim(), measured, MARGIN) is expected


@pytest.mark.parametrize("measured", [[0.60], [0.10], [math.nan], [0.6, math.nan, 0.6, math.inf]])
def test_one_run_and_diverged_ones_decide_nothing(measured):
    assert verdict(number_claim(), measured, MARGIN) is Verdict.UNDECIDED


def test_no_measurement_is_not_tested():
    assert verdict(number_claim(), [], MARGIN) is Verdict.NOT_TESTED
    assert statement_verdict([], True) is Verdict.NOT_TESTED


def test_equal_runs_have_no_spread_and_are_near_or_not():
    assert verdict(number_claim(), [0.605] * 3, MARGIN) is Verdict.REPRODUCED
    assert verdict(number_claim(), [0.62] * 3, MARGIN) is Verdict.NOT_REPRODUCED


@pytest.mark.parametrize(
    "measured, expected",
    [
        ([10, 10], Verdict.REPRODUCED),
        ([10], Verdict.REPRODUCED),
        ([9, 10, 11], Verdict.NOT_REPRODUCED),
    ],
)
def test_an_exact_number_is_as_printed_in_every_run(measured, expected):
    claim = number_claim(
        value=10, rounding=0, unit="layers", quantity="deep.convolutions", about="networks"
    )
    assert verdict(claim, measured, 0) is expected


@pytest.mark.parametrize(
    "measured, expected",
    [
        ([35887], Verdict.REPRODUCED),
        ([35000], Verdict.REPRODUCED),
        ([34999], Verdict.NOT_REPRODUCED),
        ([34000, 36000], Verdict.NOT_REPRODUCED),
    ],
)
def test_more_than(measured, expected):
    assert verdict(images_claim(), measured, 0) is expected


@pytest.mark.parametrize(
    "held, count, result, others",
    [
        (5, 5, Verdict.REPRODUCED, Verdict.REPRODUCED),
        (0, 5, Verdict.NOT_REPRODUCED, Verdict.NOT_REPRODUCED),
        (4, 4, Verdict.UNDECIDED, Verdict.REPRODUCED),  # a coin does that
        (1, 1, Verdict.UNDECIDED, Verdict.REPRODUCED),
        (0, 3, Verdict.UNDECIDED, Verdict.NOT_REPRODUCED),
        (4, 5, Verdict.UNDECIDED, Verdict.NOT_REPRODUCED),
        (99, 100, Verdict.REPRODUCED, Verdict.NOT_REPRODUCED),
    ],
)
def test_statements(held, count, result, others):
    outcomes = [True] * held + [False] * (count - held)
    assert statement_verdict(outcomes, True) is result
    assert statement_verdict(outcomes, False) is others


def judged(new, p_value, every=None):
    """The verdict on a printed difference of three points."""
    leads = [some and Lead(math.nan, *some, math.nan, math.nan) for some in (new, every)]
    return difference_verdict(number_claim(0.61), number_claim(0.58), leads[0], p_value, leads[1])


@pytest.mark.parametrize(
    "low, high, p_value, expected",
    [
        (0.02, 0.04, 0.01, Verdict.REPRODUCED),
        (0.02, 0.04, 0.06, Verdict.UNDECIDED),  # after the correction
        (0.05, 0.09, 0.01, Verdict.REPRODUCED),  # by more than printed, where no size is claimed
        (-0.01, 0.03, 0.5, Verdict.UNDECIDED),
        (-0.04, -0.02, 0.01, Verdict.NOT_REPRODUCED),
        (math.nan, math.nan, math.nan, Verdict.UNDECIDED),  # one run
    ],
)
def test_which_network_is_better_is_judged_on_new_faces(low, high, p_value, expected):
    assert judged((low, high), p_value) is expected


@pytest.mark.parametrize(
    "low, high, expected",
    [
        (0.001, 0.0201, Verdict.REPRODUCED),  # 3 points are 2 to 4 before rounding
        (0.001, 0.0199, Verdict.NOT_REPRODUCED),  # too small
        (0.0399, 0.06, Verdict.REPRODUCED),
        (0.0401, 0.06, Verdict.NOT_REPRODUCED),
    ],
)
def test_by_how_much_is_judged_on_all_images_where_it_is_said(low, high, expected):
    assert judged((0.02, 0.04), 0.01, (low, high)) is expected


def test_the_rule_in_words_has_all_its_numbers_and_verdicts():
    told = PAPER.told(PAPER.rule.text)
    assert all(word.value in told for word in Verdict if word is not Verdict.NOT_TESTED)
    for number in (
        "95\u00a0%",
        "5\u00a0%",
        "1.0\u00a0points",
        "0.045 for a loss",
        PAPER.rule.family,
    ):
        assert number in told
    assert "{cite}`lakens2017`" in told
    assert not re.search(r"\{(?!cite)", told)
    assert "5\u00a0% or more" in PAPER.told(PAPER.rule.cross_validation)


def test_what_the_rule_cites_is_in_the_bibliography():
    known = (paper.PAPER_FILE.parent / "references.bib").read_text(encoding="utf-8")
    text = PAPER.rule.text + PAPER.rule.cross_validation
    cited = {key for keys in re.findall(r"cite\}+`(.+?)`", text) for key in keys.split(",")}
    assert cited == {
        "agarwal2021", "bouthillier2021", "dror2018", "friedman1937", "hastie2009", "lakens2017"
    }  # fmt: skip
    assert [key for key in cited if f"{{{key}," not in known] == []


# ---- the paper file -----------------------------------------------------------------------------


def test_claims_are_found_by_id():
    assert PAPER.claim("deep-best").place == "Section 4, paragraph 1"
    with pytest.raises(ValueError, match=r"Expected .* Received: 'deep-worst'\. Look"):
        PAPER.claim("deep-worst")


@pytest.mark.parametrize("unit, expected", [("fraction", 0.01), ("nats", 0.045), ("layers", 0)])
def test_the_margin_is_half_of_the_smallest_difference_that_table_3_is_read_for(unit, expected):
    assert PAPER.margin(unit) == pytest.approx(expected)


@pytest.mark.parametrize("unit", ["fraction", "nats"])
def test_the_margin_follows_table_3(unit):
    content = copy.deepcopy(CONTENT)
    for claim in content["claims"]:
        if claim["place"] == "Table 3" and claim["unit"] == unit:
            claim["value"] /= 2
    assert paper.Paper.model_validate(content).margin(unit) == pytest.approx(PAPER.margin(unit) / 2)


def test_the_conclusions_are_all_results_that_sections_4_and_5_1_state():
    assert [claim.id for claim in PAPER.claims if claim.concludes] == [
        "shallow-loss-gap",
        "improved-overfitting-diminished",
        "deep-more-accurate",
        "deep-best",
        "deep-learns",
        "deep-enhances",
    ]


def test_table_3_itself_refutes_the_deep_network_as_the_best():
    refuted = {claim.id: PAPER.refuted(claim) for claim in PAPER.claims if PAPER.refuted(claim)}
    printed = {name: [(a.printed, b.printed) for a, b in some] for name, some in refuted.items()}
    assert printed == {"deep-more-accurate": [("58%", "60%")], "deep-best": [("58%", "60%")]}


def test_a_quantity_is_about_one_thing():
    kinds = {}
    for claim in PAPER.claims:
        kinds.setdefault(claim.quantity, set()).add(claim.about)
    assert [quantity for quantity, some in kinds.items() if len(some) > 1] == []


SENTENCES = yaml.safe_load(Path(__file__).with_name("sentences.yml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("beginning", SENTENCES)
def test_a_sentence_that_states_something_has_a_claim_or_a_reason_to_have_none(beginning):
    known = {claim.id: claim.says for claim in PAPER.claims}
    known |= {one.id: one.says for one in PAPER.not_testable}
    assert SENTENCES[beginning]
    assert set(SENTENCES[beginning]) <= set(known)


def test_every_claim_in_words_has_its_sentence():
    """The figures, tables and printed summaries are no sentences."""
    in_words = {
        claim.id for claim in PAPER.claims if re.search("Section|Abstract", claim.place)
    } | {one.id for one in PAPER.not_testable}
    named = {name for names in SENTENCES.values() for name in names}
    assert in_words - named == set()


def test_the_paper_is_frozen():
    with pytest.raises(ValueError, match="frozen"):
        PAPER.claims[0].value = 1


@pytest.mark.parametrize("claim", NUMBERS, ids=lambda claim: claim.id)
def test_printed_value_and_rounding_agree(claim):
    plain = re.fullmatch(r"(?:roughly |more than )?([\d,]+(?:\.(\d+))?)(%?)", claim.printed)
    if plain is None:
        return  # in words, a range or a shape
    percent = 100 if plain[3] else 1
    assert claim.value == pytest.approx(float(plain[1].replace(",", "")) / percent)
    last_digit = 10.0 ** -len(plain[2] or "") / percent
    measured = claim.unit in ("fraction", "nats")
    roughly = 500 if claim.printed.startswith("roughly") else 0
    assert claim.rounding == pytest.approx(last_digit / 2 if measured else roughly)


@pytest.mark.parametrize("claim", NUMBERS, ids=lambda claim: claim.id)
def test_accuracies_and_losses_name_their_split(claim):
    expected = re.search(r"(training|validation|test)_(loss|accuracy|images)$", claim.quantity)
    assert claim.split == (expected[1] if expected else None)


def test_quotation_marks_are_closed():
    text = paper.PAPER_FILE.read_text(encoding="utf-8")
    assert re.sub(r"[^“”]", "", text.split("claims:", 1)[1]).replace("“”", "") == ""


@pytest.mark.parametrize("model", ["shallow", "improved", "deep"])
def test_layer_tables_add_up_to_the_printed_totals(model):
    table = PAPER.layer_tables[model]
    parameters = sum(row.parameters for row in table.rows)
    normalizations = [row for row in table.rows if row.type == "BatchNormalization"]
    fixed = sum(row.parameters for row in normalizations) // 2  # moving mean and variance
    totals = table.totals
    assert (totals.parameters, totals.non_trainable) == (parameters, fixed)
    assert totals.trainable == parameters - fixed
    assert PAPER.claim(f"{model}-parameters").value == totals.parameters
    assert PAPER.claim(f"{model}-trainable-parameters").value == totals.trainable
    assert PAPER.claim(f"{model}-non-trainable-parameters").value == totals.non_trainable


@pytest.mark.parametrize("model", ["shallow", "improved", "deep"])
def test_claims_from_the_printed_summaries_agree_with_their_rows(model):
    rows = PAPER.layer_tables[model].rows
    types = [row.type for row in rows]
    convolutions = [row for row in rows if row.type == "Conv2D"]
    measured = {
        "convolutions": types.count("Conv2D"),
        "dense_layers": types.count("Dense"),
        "dropout_layers": types.count("Dropout"),
        "pooling_layers": types.count("MaxPooling2D"),
        "batch_normalizations": types.count("BatchNormalization"),
        "filters_2": convolutions[1].shape[-1],
        "kernel_size_3": math.isqrt(
            (convolutions[2].parameters // convolutions[2].shape[-1] - 1)
            // convolutions[1].shape[-1]
        ),
    }
    figure = f"Figure {PAPER.layer_tables[model].figure}"
    printed = [c for c in NUMBERS if c.place == figure and c.quantity.split(".")[1] in measured]
    assert printed
    for claim in printed:
        assert claim.value == measured[claim.quantity.split(".")[1]], claim.id


def test_every_number_of_the_tables_is_a_claim():
    assert [table.number for table in PAPER.tables] == [1, 2, 3]
    for table in PAPER.tables:
        for row in table.rows:
            assert len(row) == len(table.columns)
            assert isinstance(row[0], str)
            claims = [PAPER.claim(cell.claim) for cell in row[1:]]
            assert {claim.place for claim in claims} == {f"Table {table.number}"}


def test_the_cells_of_table_3_stand_under_their_columns():
    columns = ["training_loss", "validation_loss", "training_accuracy", "validation_accuracy"]
    for model, row in zip(["shallow", "improved", "deep"], PAPER.tables[2].rows, strict=True):
        quantities = [PAPER.claim(cell.claim).quantity for cell in row[1:]]
        assert quantities == [f"{model}.{column}" for column in columns]


def test_the_eight_figures_have_captions():
    assert [figure.number for figure in PAPER.figures] == list(range(1, 9))


def test_a_check_that_names_a_bound_has_one():
    for name, check in PAPER.checks.items():
        assert ("the bound" in check.true_when) == (check.bound is not None), name
        assert (check.bound is None) == (check.unit is None), name


# ---- what the schema refuses --------------------------------------------------------------------


def entry(content, group, entry_id):
    return next(found for found in content[group] if found["id"] == entry_id)


def set_claim(claim_id, key, value):
    return lambda content: entry(content, "claims", claim_id).update({key: value})


def set_contradiction(entry_id, key, value):
    return lambda content: entry(content, "contradictions", entry_id).update({key: value})


ACCURACY = "table-3-deep-training-accuracy"
FAULTS = {
    "unknown key": (
        set_claim(ACCURACY, "colour", "red"),
        rf"claims\.{ACCURACY}\.number\.colour: only known keys\. Received: 'red'",
    ),
    "unknown key at the top": (lambda c: c.update(extra=1), r"extra: only known keys"),
    "percent as fraction": (set_claim(ACCURACY, "value", 59), r"\[0, 1\]\. Received: 59 .* 100"),
    "unknown unit": (set_claim(ACCURACY, "unit", "percent"), r"unit: .* Received: 'percent'"),
    "another unit": (set_claim(ACCURACY, "unit", "nats"), r"unit 'fraction' .* Received: 'nats'"),
    "text as value": (set_claim(ACCURACY, "value", "59 %"), r"value.* Received: '59 %'"),
    "negative rounding": (set_claim(ACCURACY, "rounding", -1), r"rounding: .* Received: -1"),
    "unknown quantity": (
        set_claim(ACCURACY, "quantity", "deep.beauty"),
        "Received: 'deep.beauty'",
    ),
    "unnumbered filters": (
        set_claim("deep-first-filters", "quantity", "deep.filters"),
        r"Received: 'deep.filters'",
    ),
    "unknown model": (set_claim(ACCURACY, "quantity", "wide.epochs"), r"Received: 'wide.epochs'"),
    "unknown claim in a comparison": (
        set_claim("deep-best", "compares", ["nowhere", ACCURACY]),
        r"ids of claims\. Received: \['nowhere'\]",
    ),
    "about nothing known": (set_claim(ACCURACY, "about", "taste"), r"about: .* Received: 'taste'"),
    "unknown kind": (set_claim(ACCURACY, "kind", "opinion"), "'opinion' found using 'kind'"),
    "duplicate id": (set_claim(ACCURACY, "id", "deep-best"), r"unique ids\. Received: .*deep-best"),
    "bad id": (set_claim(ACCURACY, "id", "Deep Best"), r"id: .* Received: 'Deep Best'"),
    "unknown check": (
        set_claim("deep-best", "quantity", "deep.prettiest"),
        r"one check for each .* Received: .*deep\.prettiest",
    ),
    "unknown claim in a contradiction": (
        lambda c: c["contradictions"][0]["readings"][0].update(claims=["nowhere"]),
        r"ids of claims\. Received: \['nowhere'\]",
    ),
    "unknown claim in a table": (
        lambda c: c["tables"][0]["rows"][0].__setitem__(1, {"claim": "nowhere"}),
        r"ids of claims\. Received: \['nowhere'\]",
    ),
    "followed beyond the readings": (set_contradiction("emotions", "followed", 3), "Received: 3"),
    "another reading followed": (
        set_contradiction("emotions", "followed", 0),
        "follows True in claim emotions-introduction.* Received: False",
    ),
    "missing key": (lambda c: c.pop("figures"), r"at figures: Field required"),
}


@pytest.mark.parametrize("spoil, message", FAULTS.values(), ids=FAULTS.keys())
def test_a_bad_file_is_refused(tmp_path, spoil, message):
    content = copy.deepcopy(CONTENT)
    spoil(content)
    file = tmp_path / "paper.yml"
    file.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    with pytest.raises(ValueError, match=message) as refusal:
        paper.load(file)
    assert re.search(r"^Expected .* Received: ", str(refusal.value))


@pytest.mark.parametrize("text", ["claims: [", "", "- a list"])
def test_what_is_no_paper_file_is_refused(tmp_path, text):
    file = tmp_path / "paper.yml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"(?s)Expected .* Received: "):
        paper.load(file)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"Expected .* Received: no file .* Restore"):
        paper.load(tmp_path / "paper.yml")


def test_every_statement_has_a_check():
    assert {claim.quantity for claim in STATEMENTS} == set(PAPER.checks)
