"""The paper's claims as data, and every branch of the verdict rule. Needs no dataset."""

import copy
import math
import re

import numpy as np
import pytest
import yaml
from scipy import stats

from ferutils.claims import paper
from ferutils.claims.paper import Verdict, interval, statement_verdict, verdict

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
        "quantity": "improved.validation_accuracy",
        "printed": "60%",
        "unit": "fraction",
    }
    return paper.NumberClaim(**{**keys, "value": value, "rounding": rounding, **other})


def spread(mean, half_width, count=3):
    """Measurements whose 95 % t interval is mean ± half_width."""
    deviation = np.linspace(-1, 1, count)
    scale = stats.t.ppf(0.975, count - 1) * deviation.std(ddof=1) / math.sqrt(count)
    return list(mean + deviation * half_width / scale)


def images_claim():
    return number_claim(
        value=35000, rounding=0, unit="images", quantity="dataset.images", relation="at_least"
    )


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


@pytest.mark.parametrize("reduced", [False, True])
def test_no_measurement_is_not_tested(reduced):
    assert verdict(number_claim(), [], 0.02, reduced) is Verdict.NOT_TESTED
    assert statement_verdict([], reduced) is Verdict.NOT_TESTED


@pytest.mark.parametrize("measured", [[0.60], [0.10], [0.1, 0.9]])
def test_a_smaller_run_is_reduced_whatever_it_measured(measured):
    assert verdict(number_claim(), measured, 0.02, True) is Verdict.REDUCED


@pytest.mark.parametrize(
    "measured, expected",
    [
        (0.60, Verdict.REPRODUCED),
        (0.625, Verdict.REPRODUCED),  # on the border: tolerance 0.02, rounding 0.005
        (0.575, Verdict.REPRODUCED),
        (0.6251, Verdict.NOT_REPRODUCED),
        (0.5749, Verdict.NOT_REPRODUCED),
        (math.nan, Verdict.NOT_REPRODUCED),  # a run that diverged
        (math.inf, Verdict.NOT_REPRODUCED),
    ],
)
def test_one_run(measured, expected):
    assert verdict(number_claim(), [measured], 0.02, False) is expected


@pytest.mark.parametrize(
    "mean, half_width, expected",
    [
        (0.60, 0.01, Verdict.REPRODUCED),
        (0.60, 0.02, Verdict.REPRODUCED),  # as wide as the tolerance, not wider
        (0.60, 0.0201, Verdict.UNDECIDED),
        (0.635, 0.01, Verdict.REPRODUCED),  # on the border of the widened interval
        (0.6351, 0.01, Verdict.NOT_REPRODUCED),
        (0.5649, 0.01, Verdict.NOT_REPRODUCED),
        (0.655, 0.03, Verdict.UNDECIDED),
        (0.6551, 0.03, Verdict.NOT_REPRODUCED),  # too wide, but the claim lies outside anyway
    ],
)
@pytest.mark.parametrize("count", [2, 3, 5])
def test_several_runs(mean, half_width, expected, count):
    measured = spread(mean, half_width, count)
    assert interval(measured) == pytest.approx((mean - half_width, mean + half_width))
    assert verdict(number_claim(), measured, 0.02, False) is expected


@pytest.mark.parametrize("rounding, expected", [(0.05, "reproduced"), (0.049, "not reproduced")])
def test_the_printed_rounding_widens_the_interval(rounding, expected):
    claim = number_claim(
        value=1.0, rounding=rounding, unit="nats", quantity="deep.training_loss", printed="1.0"
    )
    assert verdict(claim, [1.15], 0.10, False) == expected


def test_an_exact_number_has_no_tolerance_and_is_never_undecided():
    claim = number_claim(value=10, rounding=0, unit="epochs", quantity="deep.epochs")
    assert verdict(claim, [10, 10, 10], 0, False) is Verdict.REPRODUCED
    assert verdict(claim, [9, 10, 11], 0, False) is Verdict.REPRODUCED
    assert verdict(claim, [11], 0, False) is Verdict.NOT_REPRODUCED


@pytest.mark.parametrize(
    "measured, expected",
    [
        ([35887], Verdict.REPRODUCED),
        ([35000], Verdict.REPRODUCED),
        ([34999], Verdict.NOT_REPRODUCED),
        ([34000, 36000], Verdict.REPRODUCED),
    ],
)
def test_more_than(measured, expected):
    assert verdict(images_claim(), measured, 0, False) is expected


def test_more_than_keeps_the_order_of_the_rule():
    assert verdict(images_claim(), [], 0, True) is Verdict.NOT_TESTED
    assert verdict(images_claim(), [1], 0, True) is Verdict.REDUCED


@pytest.mark.parametrize(
    "outcomes, expected",
    [
        ([True], Verdict.REPRODUCED),
        ([True, True], Verdict.REPRODUCED),
        ([False, False], Verdict.NOT_REPRODUCED),
        ([True, False], Verdict.UNDECIDED),
    ],
)
def test_statements(outcomes, expected):
    assert statement_verdict(outcomes, False) is expected
    assert statement_verdict(outcomes, True) is Verdict.REDUCED


def test_the_rule_in_words_names_every_verdict():
    assert all(word.value in paper.RULE for word in Verdict)


# ---- the paper file -----------------------------------------------------------------------------


def test_claims_are_found_by_id():
    assert PAPER.claim("deep-best").place == "Section 4, paragraph 1"
    with pytest.raises(ValueError, match=r"Expected .* Received: 'deep-worst'\. Look"):
        PAPER.claim("deep-worst")


def test_tolerances_are_those_written_down_before_the_runs():
    assert PAPER.tolerances == {"fraction": 0.02, "nats": 0.10}
    assert PAPER.tolerance(PAPER.claim("table-3-deep-training-loss")) == 0.10
    assert PAPER.tolerance(PAPER.claim("deep-parameters")) == 0


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
    "unknown kind": (set_claim(ACCURACY, "kind", "opinion"), r"kind.* Received: .*opinion"),
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
