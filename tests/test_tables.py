"""Tables hold what records and claims say, and MyST reads them whole. Needs no dataset."""

import ast
import copy
import re
from pathlib import Path

import pandas as pd
import pytest
import yaml
from docutils import nodes
from IPython.core.formatters import DisplayFormatter
from synthetic import DRAWN, PAPER, answers, cells, layers, parsed, record, study

from ferutils import paths
from ferutils.claims import metrics, paper, verdicts
from ferutils.claims.paper import Verdict
from ferutils.claims.verdicts import Finding
from ferutils.dataset import fer2013
from ferutils.records import inspection, recipes
from ferutils.report import claim_list, dataset_tables, run_tables, tables

WHOLE = study(*(record(model, seed=seed) for model in recipes.PAPER for seed in (0, 1, 2)))
FINDINGS = verdicts.findings(PAPER, WHOLE)
TABLE_3 = [claim.id for claim in PAPER.claims if claim.place == "Table 3"]


def numbered(frame, name="some-name", caption="What it shows"):
    """The table that MyST makes of a frame."""
    (table,) = parsed(tables.numbered(frame, name, caption)).findall(nodes.table)
    return table


def repeated(model="shallow", **curves):
    """One record per value of the curves, each with its own seed."""
    series = zip(*([(name, value) for value in values] for name, values in curves.items()))
    return [record(model, dict(row), seed=seed) for seed, row in enumerate(series)]


def plain(text):
    """A text with ordinary spaces."""
    return text.replace("\u00a0", " ")


def row_of(frame, column, value):
    (row,) = frame[frame[column] == value].to_dict("records")
    return row


def finding_of(claim_id, measured, verdict=Verdict.REPRODUCED):
    return Finding(PAPER.claim(claim_id), measured, verdict)


# ---- numbered tables ----------------------------------------------------------------------------


def test_a_numbered_table_has_name_caption_head_and_rows():
    table = numbered(pd.DataFrame({"One": ["a", "b"], "Two": [1, 2]}))
    assert "some-name" in table["names"]
    assert next(table.findall(nodes.title)).astext() == "What it shows"
    assert cells(table) == [["One", "Two"], ["a", "1"], ["b", "2"]]


HARD_TEXTS = ["a | b", "`x`", "`x | y`", "`open", "``| `", "|", "a || b", "*half", "{table}", "```"]


def test_who_runs_a_notebook_sees_a_table_and_no_directive():
    reading = "a reading of more than fifty letters, to the end!"
    frame = pd.DataFrame({"Cause": ["<script>", reading]})
    shown, _ = DisplayFormatter().format(tables.numbered(frame, "some-name", "One & two"))
    assert shown["text/markdown"].startswith("```{table} One & two")
    assert "&lt;script&gt;" in shown["text/html"] and reading in shown["text/html"]
    assert "One &amp; two" in shown["text/html"] and "{table}" not in shown["text/html"]


def test_a_table_unfolds_after_its_text_out_of_a_line_that_names_it():
    table = tables.numbered(pd.DataFrame({"One": ["a"]}), "some-name", "What it shows")
    shown, _ = DisplayFormatter().format(tables.folded(table, "Why?", "Because."))
    lines = ["````{dropdown} Why?", "Because.", *table.data.splitlines(), "````"]
    assert shown["text/markdown"].replace("\n\n", "\n").splitlines() == [
        one for one in lines if one
    ]
    assert "<b>Why?</b>" in shown["text/html"] and "<td>a</td>" in shown["text/html"]


@pytest.mark.parametrize(
    ("distance", "unit", "expected"),
    [(0.0123, "fraction", "1.2 points"), (0.0449, "nats", "0.045 nats"), (500, "images", "500")],
)
def test_a_distance_is_told_in_points_nats_or_plainly(distance, unit, expected):
    assert plain(tables.apart(distance, unit)) == expected


@pytest.mark.parametrize("text", HARD_TEXTS)
def test_no_text_breaks_a_table(text):
    table = numbered(pd.DataFrame({"One": [text, "left"], "Two": ["beside", text]}))
    assert [len(row) for row in cells(table)] == [2, 2, 2]
    assert cells(table)[1][1] == "beside"
    assert cells(table)[2][0] == "left"
    assert ("|" in cells(table)[1][0]) == ("|" in text)


@pytest.mark.parametrize("text", HARD_TEXTS)
def test_no_claims_words_break_a_table(text):
    claim = PAPER.claims[0].model_copy(update={"says": text})
    frame = tables.claims(PAPER, [Finding(claim, [35887.0], Verdict.REPRODUCED)])
    frame = frame.drop(columns="Shown in")  # a reference, which Sphinx alone can read
    assert cells(numbered(frame))[1][2:] == ["35,887", "1", tables.SIGNS[Verdict.REPRODUCED]]


ALL_TABLES = {
    "layers": lambda: tables.layers(record("deep"), PAPER),
    "hyperparameters": lambda: tables.hyperparameters(record("deep"), PAPER),
    "performance": lambda: tables.performance(record()),
    "table_3": lambda: tables.table_3(PAPER, WHOLE),
    "claims": lambda: tables.claims(PAPER, FINDINGS),
    "at_a_glance": lambda: tables.at_a_glance(PAPER, FINDINGS, WHOLE),
    "left_open": lambda: tables.left_open(PAPER),
    "not_testable": lambda: tables.not_testable(PAPER),
    "inspected": lambda: tables.inspected(inspection.read()),
    "effort": lambda: tables.effort(WHOLE),
    "splits": lambda: dataset_tables.splits(DRAWN.counts, PAPER),
    "classes": lambda: dataset_tables.classes(DRAWN.counts),
    "final_figures": lambda: tables.final_figures(PAPER, [record()]),
}


@pytest.mark.parametrize("name", ALL_TABLES)
def test_every_table_is_read_whole(name):
    frame = ALL_TABLES[name]()
    found = cells(numbered(frame))
    assert found[0] == list(frame.columns)
    assert len(found) == 1 + len(frame)
    assert {len(row) for row in found} == {len(frame.columns)}
    assert all(row[0] for row in found)


# ---- numbers in words ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (0.5834, "fraction", "58.3 %"),
        (1.0, "fraction", "100.0 %"),
        (1.0499, "nats", "1.050"),
        (2345607.0, "parameters", "2,345,607"),
        (13.0, "layers", "13"),
        (0.0001, "learning rate", "0.0001"),
        (float("nan"), "fraction", "–"),
        (float("nan"), "nats", "nan"),
    ],
)
def test_a_number_is_printed_as_its_unit_wants(value, unit, expected):
    assert plain(tables.quantity(value, unit)) == expected


def test_a_share_is_printed_with_its_interval():
    half = metrics.Interval(0.5, 0.375, 0.625)
    assert plain(tables.with_interval(half)) == "50.0 % (37.5–62.5)"
    assert plain(tables.with_interval(metrics.share(0, 0))) == "– (0.0–100.0)"


@pytest.mark.parametrize(
    ("claim", "measured", "expected"),
    [
        ("table-3-shallow-training-loss", [], "–"),
        ("table-3-shallow-training-loss", [0.31], "0.310"),
        ("table-3-shallow-training-loss", [float("nan")], "nan"),
        ("table-3-shallow-training-accuracy", [0.9, 0.9], "90.0 %"),
        ("table-3-shallow-training-accuracy", [0.89, 0.9, 0.91], "90.0 % ± 1.0 % (85.0 %–95.0 %)"),
        ("deep-convolutions-text", [13.0] * 5, "13"),
        ("shallow-overfits", [True, False, True], "holds in 2 of 3"),
        ("shallow-overfits", [], "–"),
    ],
)
def test_what_was_measured_is_a_value_or_a_mean_with_its_spread(claim, measured, expected):
    assert plain(tables.measured(finding_of(claim, measured))) == expected


# ---- a run --------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", list(recipes.PAPER))
def test_the_layers_of_the_printed_network_are_all_as_printed(model):
    frame = tables.layers(record(model), PAPER)
    assert set(frame["As printed"]) == {"✓"}
    assert frame["Layer"].str.strip("`").tolist()[:-3] == [row.name for row in layers(model)]
    totals = [f"**{count:,}**" for _, count in PAPER.layer_tables[model].totals]
    assert frame["Parameters"].tolist()[-3:] == totals


def test_the_layers_of_a_network_beside_the_papers_are_set_against_none():
    frame = tables.layers(record(), PAPER.model_copy(update={"layer_tables": {}}))
    assert "As printed" not in frame and len(frame) == len(layers("shallow")) + 3


def test_a_differing_layer_and_total_are_marked():
    rows = layers("shallow")
    fewer = {"output_shape": [16], "parameters": 32784, "trainable_parameters": 32784}
    rows[-2] = rows[-2].model_copy(update=fewer)
    frame = tables.layers(record(run={"layers": rows}), PAPER)
    assert frame["As printed"].tolist() == ["✓"] * 8 + ["✗", "✓", "✗ 2,345,607", "✗ 2,345,607", "✓"]


@pytest.mark.parametrize(
    ("model", "rate", "neurons", "epochs"),
    [("shallow", "0.001", "1024", "10"), ("deep", "0.0001", "512", "10")],
)
def test_hyperparameters_stand_beside_the_papers(model, rate, neurons, epochs):
    frame = tables.hyperparameters(record(model), PAPER)
    assert frame["Paper"].tolist()[:3] == [rate, neurons, epochs]
    assert frame["This run"].tolist()[:3] == [rate, neurons, epochs]


def test_what_the_paper_does_not_state_is_not_made_up():
    frame = tables.hyperparameters(record("improved"), PAPER)
    assert row_of(frame, "Hyper-parameter", "Batch size")["Paper"] == "not stated"
    assert row_of(frame, "Hyper-parameter", "Epochs")["Paper"] == "not stated"


def test_fewer_training_images_are_called_reduced():
    whole, part = (
        tables.hyperparameters(one, PAPER) for one in (record(), record(train_images=7178))
    )
    assert "reduced" not in row_of(whole, "Hyper-parameter", "Training images")["This run"]
    assert "(reduced)" in row_of(part, "Hyper-parameter", "Training images")["This run"]


def test_a_changed_hyperparameter_is_seen_beside_the_papers():
    frame = tables.hyperparameters(record(hidden_neurons=16), PAPER)
    row = row_of(frame, "Hyper-parameter", "Neurons of the hidden dense layer")
    assert (row["Paper"], row["This run"]) == ("1024", "16")


def test_performance_says_which_split_was_followed():
    def splits(followed):
        return tables.performance(record(validation_split=followed))["Split"].tolist()

    assert splits("PublicTest") == ["PublicTest (validation)", "PrivateTest (test)"]
    assert splits("PrivateTest") == ["PublicTest (test)", "PrivateTest (validation)"]
    assert splits("both") == ["PublicTest (validation)", "PrivateTest (validation)"]


def test_performance_is_that_of_the_predictions():
    answered = {"PublicTest": answers([0, 1, 3, 3], [0, 0, 3, 3])}
    row = tables.performance(record(answered=answered)).iloc[0]
    assert row["Images"] == "4"
    assert row["Accuracy (95 % interval)"] == tables.with_interval(metrics.share(3, 4))
    assert plain(row["Always “happy”"]) == "50.0 %"
    assert row["Loss (nats)"] == f"{metrics.loss(answered['PublicTest']):.3f}"


# ---- Table 3 ------------------------------------------------------------------------------------


def test_table_3_has_the_papers_twelve_figures():
    assert sorted(claim.id for claim in PAPER.table_3()) == sorted(TABLE_3)
    assert len(TABLE_3) == 12
    frame = tables.table_3(PAPER, study())
    assert frame["Paper"].tolist() == [one.printed for one in PAPER.table_3()]
    assert set(frame["Ours"]) == {"–"}
    assert set(frame["Verdict"]) == {tables.SIGNS[Verdict.NOT_TESTED]}


def test_claimed_figures_come_from_the_paper_file():
    content = copy.deepcopy(yaml.safe_load(paper.PAPER_FILE.read_text(encoding="utf-8")))
    entry = next(one for one in content["claims"] if one["id"] == "table-3-deep-training-loss")
    entry |= {"printed": "7.77", "value": 7.77}
    changed = paper.Paper.model_validate(content)
    one = record("deep")
    assert tables.printed_scores(changed, one)["training_loss"] == 7.77
    for frame in (tables.table_3(changed, study(one)), tables.final_figures(changed, [one])):
        assert (frame["Paper"] == "7.77").sum() == 1
    claimed = tables.claimed_and_measured(changed, study(one))
    assert (claimed["claimed"] == 7.77).sum() == 1


MODULES = ["tables", "comparison_tables", "dataset_tables", "prose", "figures"]


@pytest.mark.parametrize("module", MODULES)
def test_no_figure_of_the_paper_stands_in_the_code(module):
    tree = ast.parse(
        (paths.ROOT / "ferutils" / "report" / f"{module}.py").read_text(encoding="utf-8")
    )
    constants = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    printed = {PAPER.claim(name).printed for name in TABLE_3}
    written = " ".join(one for one in constants if isinstance(one, str))
    assert [one for one in printed if re.search(rf"(?<![\d.]){re.escape(one)}", written)] == []
    if module != "figures":  # which has sizes in inches and shares of a width
        assert not any(isinstance(one, float) for one in constants)


def test_the_figures_for_drawing_are_those_of_the_table():
    frame = tables.claimed_and_measured(PAPER, study(*repeated(training_loss=[0.2, 0.3])))
    row = frame[(frame["model"] == "shallow") & (frame["measure"] == "training_loss")].iloc[0]
    claim = PAPER.claim("table-3-shallow-training-loss")
    assert row["claimed"] == claim.value
    assert row["margin"] == pytest.approx(claim.rounding + PAPER.margin("nats"))
    assert row["measured"] == [0.2, 0.3]
    assert (row["low"], row["high"]) == paper.predicted([0.2, 0.3])


def test_reduced_runs_are_named_in_table_3_and_measure_nothing_there():
    found = study(record("deep", train_images=7178), record("shallow"))
    frame = tables.table_3(PAPER, found)
    reduced = frame[frame["Model"] == "deep (reduced)"]
    assert set(reduced["Ours"]) == {"–"}
    assert set(reduced["Verdict"]) == {tables.SIGNS[Verdict.NOT_TESTED]}
    drawn = tables.claimed_and_measured(PAPER, found)
    assert [len(one) for one in drawn["measured"]] == [1] * 4 + [0] * 8


def test_the_papers_figures_are_not_set_beside_drawn_faces():
    assert tables.printed_scores(PAPER, record(note=DRAWN)) == {}
    assert set(tables.printed_scores(PAPER, record())) < set(verdicts.SCORES)


# ---- how many runs ------------------------------------------------------------------------------


@pytest.mark.parametrize("runs", [1, 3])
def test_every_table_of_results_says_how_many_runs_it_rests_on(runs):
    values = [0.25 + number / 8 for number in range(runs)]
    curves = {name: values for name in verdicts.SCORES if name != "test_accuracy"}
    seeds = repeated(**curves)
    found = study(*seeds)
    claim = PAPER.claim("table-3-shallow-training-loss")
    for frame in (
        tables.final_figures(PAPER, seeds),
        tables.table_3(PAPER, found).query("Model == 'shallow'"),
        tables.claims(PAPER, [verdicts.find(PAPER, found, claim)]),
    ):
        assert {text.split(":")[0] for text in frame["Runs"]} == {str(runs)}
        scores = frame[next(name for name in ("Ours", "Measured") if name in frame)]
        assert all(("±" in score) == (runs > 1) for score in scores)


def test_final_figures_are_those_of_the_runs_model():
    frame = tables.final_figures(PAPER, repeated("deep", training_loss=[1.0, 1.5]))
    assert frame["Measure"].tolist() == [
        "training loss",
        "validation loss",
        "training accuracy",
        "validation accuracy",
    ]
    row = row_of(frame, "Measure", "training loss")
    assert row["Paper"] == PAPER.claim("table-3-deep-training-loss").printed
    assert row["Ours"].startswith("1.250 ± 0.354")


# ---- claims -------------------------------------------------------------------------------------


def test_every_verdict_has_a_sign_and_its_word():
    assert set(tables.SIGNS) == set(Verdict)
    assert all(sign.endswith(f"\u00a0{verdict}") for verdict, sign in tables.SIGNS.items())


def test_claims_are_told_in_the_papers_words_with_their_place():
    frame = tables.claims(PAPER, FINDINGS)
    assert len(frame) == len(PAPER.claims)
    for text, claim in zip(frame["Paper"], PAPER.claims, strict=True):
        assert claim.says in text
        assert claim.place in text


def test_at_a_glance_counts_each_result_once_by_verdict_and_what_it_took():
    hour = record().run.cost.model_copy(update={"wall_seconds": 3600.0})
    found = study(record("shallow", run={"cost": hour}), record("deep", run={"cost": hour}))
    findings = verdicts.findings(PAPER, found)
    results = verdicts.distinct([one for one in findings if one.claim.about == "results"])
    frame = tables.at_a_glance(PAPER, findings, found)
    amounts = dict(zip(frame["What"], frame["How much"]))
    assert amounts.pop("Results") == str(len(results))
    assert amounts.pop("Layers as printed") == "48 of 61"  # the improved network has no run
    assert amounts.pop("Dataset as described") == "9 of 12"
    assert amounts.pop("Runs recorded") == "2 of 3"
    assert amounts.pop("Training") == "2.0 hours"
    for (name, amount), verdict in zip(amounts.items(), Verdict, strict=True):
        assert amount == str(sum(one.verdict == verdict for one in results))
        assert tables.SIGNS[verdict] in name
        assert tables.verdict_class(verdict) in name


def test_at_a_glance_can_be_drawn_without_any_run():
    amounts = tables.at_a_glance(PAPER, verdicts.findings(PAPER, study()), study())["How much"]
    assert list(amounts)[-2:] == ["0 of 3", "0.0 hours"]


def test_every_verdict_has_a_colour_in_light_and_in_dark():
    style = (paths.BOOK / "_static" / "report.css").read_text()
    for verdict in Verdict:
        name = tables.verdict_class(verdict)
        assert f".{name} {{\n  color: var(--{name.removeprefix('verdict-')});" in style
        assert len(set(re.findall(rf"--{name.removeprefix('verdict-')}: (#\w+);", style))) == 2


def test_a_claim_that_the_paper_refutes_itself_says_by_what():
    refuted = verdicts.find(PAPER, study(), PAPER.claim("deep-best"))
    (row,) = tables.claims(PAPER, [refuted]).to_dict("records")
    assert row["Measured"] == "–; the paper itself prints 58% against 60%"
    assert row["Verdict"] == tables.SIGNS[Verdict.NOT_REPRODUCED]


def test_a_comparison_tells_the_lead_in_points_and_its_runs():
    one = verdicts.find(PAPER, WHOLE, PAPER.claim("improved-better-than-shallow"))
    lead = r"[+−]\d+\.\d \(\S+ to \S+\)"
    told = rf"{lead}\u00a0points on new faces, {lead} on all"
    assert re.fullmatch(told, tables.measured(one))
    deep = verdicts.find(PAPER, WHOLE, PAPER.claim("deep-enhances"))
    assert re.fullmatch(rf"{lead}\u00a0points on new faces", tables.measured(deep))
    assert tables.runs(one).startswith("6: improved ")


def test_a_result_links_to_each_run_behind_it():
    finding = verdicts.find(PAPER, WHOLE, PAPER.claim("improved-gap-smaller"))
    text = tables.runs(finding)
    assert text.startswith(f"{len(finding.measured)}: improved ")
    for one in finding.records:
        assert f"[{one.recipe.seed}](#{tables.anchor(one)})" in text


def test_the_runs_that_claims_link_to_are_on_the_page_of_runs():
    shown = " ".join(run_tables.every_run(WHOLE).astype(str).to_numpy().ravel())
    linked = " ".join(tables.claims(PAPER, FINDINGS)["Runs"])
    anchors = set(re.findall(r"\(#([^)]+)\)", linked))
    assert anchors
    assert anchors <= set(re.findall(r"\{#([^}]+)\}", shown))


def test_every_claim_is_shown_somewhere():
    shown = " ".join(tables.shown_in(finding) for finding in FINDINGS)
    files = [*paths.NOTEBOOKS.glob("*.ipynb"), Path(claim_list.__file__)]
    pages = "".join(path.read_text(encoding="utf-8") for path in files)
    for name in re.findall(r"\{numref\}`(.+?)`", shown):
        assert re.search(rf'"{name}\\?"', pages), name


def test_the_cost_of_runs_is_added_up_by_network_and_device():
    frame = tables.effort(study(record(), record(seed=1), record("improved")))
    assert frame["Network"].tolist() == ["shallow", "improved"]
    assert frame["Runs"].tolist() == ["2", "1"]


def test_all_that_is_left_open_is_told():
    frame = tables.left_open(PAPER)
    assert frame["Left open"].tolist() == [one.topic for one in PAPER.left_open]


# ---- the dataset --------------------------------------------------------------------------------


def test_splits_stand_beside_the_papers_words():
    counts = {split: fer2013.FER2013[split]["counts"] for split in fer2013.SPLITS}
    frame = dataset_tables.splits(counts, PAPER)
    assert frame["The paper's words"].tolist() == ["roughly 29,000"] + ["roughly 4,000"] * 2
    assert frame["Counted"].tolist() == frame["Published"].tolist() == ["28,709", "3,589", "3,589"]
    counted = dataset_tables.splits(dict.fromkeys(fer2013.SPLITS, [1] * 7), PAPER)["Counted"]
    assert counted.tolist() == ["7"] * 3


def test_classes_add_up_to_the_whole():
    counts = {"Training": [10, 0, 0, 1000, 0, 0, 0], "PublicTest": [5] * 7, "PrivateTest": [5] * 7}
    frame = dataset_tables.classes(counts)
    assert tuple(frame["Emotion"]) == fer2013.EMOTIONS
    assert frame["Training"].iloc[3] == "1,000"
    assert plain(frame["Share"].iloc[3]) == "93.5 %"


# ---- places -------------------------------------------------------------------------------------


def test_places_cover_every_figure_and_table_of_the_paper():
    expected = [f"Figure {number}" for number in range(1, 9)] + ["Table 1", "Table 2", "Table 3"]
    assert list(tables.PLACES) == expected
    assert len(set(tables.PLACES.values())) == len(expected)
    frame = tables.places(PAPER)
    assert frame["Paper"].tolist() == expected
    assert frame["Here"].tolist() == [f"{{numref}}`{name}`" for name in tables.PLACES.values()]
    captions = [one.caption for one in (*PAPER.figures, *PAPER.tables)]
    assert frame["Its caption"].tolist() == captions
