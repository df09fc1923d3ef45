"""Tables of all runs and of two runs: every run named, every number that of the records."""

import dataclasses
import re

import numpy as np
import pytest
from helpers import EXPLAINED, fabricated
from synthetic import PAPER, PUBLISHED, answers, cells, group, parsed, record, study

from ferutils.claims import metrics, verdicts
from ferutils.dataset import fer2013
from ferutils.records import recipes, runs
from ferutils.records import study as study_module
from ferutils.records.study import Entry, Group, Study
from ferutils.report import run_tables, tables

SHALLOW = record("shallow")
IMPROVED = runs.Record(*fabricated(recipes.make(model="improved", seed=1), PUBLISHED, seed=1))
WHOLE = study(SHALLOW, record("shallow", seed=1), IMPROVED, record("deep"))


def numbered(frame):
    return cells(parsed(tables.numbered(frame, "a-name", "A caption")))


def given(truth, predicted):
    """A run whose images and answers are these, on both held-out splits."""
    split = answers(truth, predicted)
    return record(answered={"PublicTest": split, "PrivateTest": split})


# ---- all runs -----------------------------------------------------------------------------------


def test_every_run_of_the_study_has_a_name_of_its_own():
    wanted = [recipe for entry in study_module.load().runs for recipe in entry.recipes]
    names = [recipe.name for recipe in wanted]
    assert len(set(names)) == len(set(wanted))


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ({"model": "shallow"}, "shallow, seed 0"),
        ({"model": "improved", "batch_size": 32, "seed": 2}, "improved, batch size 32, seed 2"),
        ({"model": "deep", "train_images": 700}, "deep (reduced), 700 training images, seed 0"),
        ({"model": "improved_text"}, "improved_text, seed 0"),
        (
            {"model": "shallow", "augmentation": "generator", "zoom": 0.0},
            "shallow, augmented, zoom 0, seed 0",
        ),
    ],
)
def test_a_name_says_what_is_special(parameters, name):
    assert recipes.make(**parameters).name == name


def test_runs_that_differ_in_the_seed_alone_share_a_row_and_open_ones_say_so():
    entries = [
        Group(Entry(part="printed", model="shallow", seeds=[0, 1]), [SHALLOW]),
        Group(Entry(part="longer", model="shallow", seeds=[1], epochs=30), []),
        Group(Entry(part="longer", model="shallow", seeds=[0]), [SHALLOW]),
    ]
    frame = run_tables.every_run(Study(tuple(entries)))
    assert frame["Recipe"].tolist() == ["shallow", "shallow, 30 epochs"]
    assert frame["Part"].tolist() == ["printed", "longer"]
    assert frame["Seeds"].tolist() == [f"[0]{{#{tables.anchor(SHALLOW)}}}; 1 open", "1 open"]
    test = 100 * verdicts.score(SHALLOW, "test_accuracy")
    assert frame["Test (%)"].tolist() == [f"{test:.1f}", "–"]
    assert frame["Minutes"].tolist() == [f"{SHALLOW.run.cost.wall_seconds / 60:.1f}", "–"]
    assert frame["Repeat it"][0] == f"`{SHALLOW.recipe.command()} -p seed 0`"
    assert frame["Repeat it"][1].endswith("-p seed 1 -p epochs 30`")


def test_a_row_has_mean_and_standard_deviation_of_its_seeds():
    every = [
        record(
            "shallow",
            seed=seed,
            curves={"validation_accuracy": 0.5 + 0.02 * seed},
            answered={"PrivateTest": answers([0] * 10, [0] * (4 + seed) + [1] * (6 - seed))},
        )
        for seed in range(3)
    ]
    row = run_tables.every_run(study(*every)).iloc[0]
    assert (row["Validation (%)"], row["Test (%)"]) == ("52.0 ± 2.0", "50.0 ± 10.0")


def test_a_run_that_another_answers_for_says_so_and_leads_to_it():
    read = dataclasses.replace(record("shallow", seed=1), own=False)
    seeds = run_tables.every_run(study(SHALLOW, read))["Seeds"][0]
    first, second = map(tables.anchor, (SHALLOW, read))
    assert seeds == f"[0]{{#{first}}}; [1](#{second}) read from other runs"


def test_the_runs_that_claims_link_to_have_their_anchor_in_the_table():
    printed = study(SHALLOW, record("improved", seed=1), record("deep"))
    shown = " ".join(run_tables.every_run(printed)["Seeds"])
    linked = " ".join(tables.claims(PAPER, verdicts.findings(PAPER, printed))["Runs"])
    anchors = set(re.findall(r"\(#([^)]+)\)", linked))
    assert anchors
    assert anchors <= set(re.findall(r"\{#([^}]+)\}", shown))


def test_each_part_of_the_study_counts_its_runs():
    entry = Entry(part="printed", model="shallow", seeds=[0, 1])
    frame = run_tables.parts(study_module.load(), Study((Group(entry, [SHALLOW]),)))
    assert frame["Part"].tolist() == list(study_module.load().parts)
    assert frame["Answered"][0] == "1 of 2"
    assert frame["Answered"][1] == "0 of 0"


# ---- two runs -----------------------------------------------------------------------------------


def test_the_first_pair_is_of_two_networks_on_the_same_images():
    assert run_tables.pair(WHOLE) == (SHALLOW, IMPROVED)
    few = {"evaluation_images": 70}
    smaller = record("improved", answered={"PublicTest": answers([0], [0])}, **few)
    deep = record("deep")
    assert run_tables.pair(study(SHALLOW, smaller, deep)) == (SHALLOW, deep)


def test_a_run_alone_stands_beside_itself_and_a_study_without_runs_is_refused():
    alone = study(SHALLOW)
    assert run_tables.pair(alone) == (SHALLOW, SHALLOW)
    assert run_tables.recipes_beside(SHALLOW, SHALLOW)["Parameter"].tolist() == ["none"]
    assert run_tables.changed(SHALLOW, SHALLOW, "PublicTest")["Image"].tolist() == ["none"]
    with pytest.raises(ValueError, match=EXPLAINED):
        run_tables.pair(study())


def test_recipes_beside_each_other_show_what_differs_and_nothing_else():
    other = record("improved", batch_size=32, seed=1)
    frame = run_tables.recipes_beside(IMPROVED, other)
    assert frame.to_numpy().tolist() == [["batch size", "64", "32"]]
    few = run_tables.recipes_beside(SHALLOW, record("shallow", train_images=700))
    assert few.to_numpy().tolist() == [["train images", "all", "700"]]


def test_scores_are_those_of_metrics_and_the_difference_has_its_sign():
    frame = run_tables.scores_beside(SHALLOW, IMPROVED).set_index("Score")
    found = SHALLOW.predictions["PrivateTest"]
    row = frame.loc["Accuracy, PrivateTest"]
    assert row.iloc[0] == tables.with_interval(metrics.accuracy(found))
    assert frame.loc["Loss (nats), PrivateTest"].iloc[0] == f"{metrics.loss(found):.3f}"
    better, worse = given([0] * 9 + [1], [0] * 10), given([0] * 9 + [1], [0] * 5 + [2] * 5)
    difference = run_tables.points(better, worse, "PublicTest")
    assert difference.startswith("+40.0 (")
    assert run_tables.points(worse, better, "PublicTest").startswith("−40.0 (−")


def test_verdicts_add_up_to_the_images():
    frame = run_tables.verdicts_beside(SHALLOW, IMPROVED).set_index("Split")
    for split, row in frame.iterrows():
        counts = [int(text.replace(",", "")) for text in row[:4]]
        one, other = (run.predictions[split] for run in (SHALLOW, IMPROVED))
        right = [int((each.predicted == each.labels).sum()) for each in (one, other)]
        assert sum(counts) == len(one.labels)
        assert [counts[0] + counts[1], counts[0] + counts[2]] == right
        assert row["p"] == run_tables.p_value(metrics.mcnemar(one, other).p_value)


def test_emotions_add_up_to_the_verdicts():
    frame = run_tables.emotions_beside(SHALLOW, IMPROVED, "PrivateTest")
    assert tuple(frame["Emotion"]) == fer2013.EMOTIONS
    assert frame["Images"].str.replace(",", "").astype(int).sum() == 3589
    whole = run_tables.verdicts_beside(SHALLOW, IMPROVED).set_index("Split").loc["PrivateTest"]
    for column in run_tables.ALONE:
        assert frame[column].astype(int).sum() == int(whole[column].replace(",", ""))


def test_images_that_change_verdict_are_named_by_their_place():
    first, second = given([3, 3, 0, 4], [3, 0, 1, 4]), given([3, 3, 0, 4], [0, 3, 2, 4])
    frame = run_tables.changed(first, second, "PublicTest")
    assert frame.to_numpy().tolist() == [
        ["0", "happy", "happy", "angry"],
        ["1", "happy", "angry", "happy"],
    ]
    assert len(run_tables.changed(SHALLOW, IMPROVED, "PrivateTest")) == run_tables.AT_MOST


def test_runs_on_other_images_cannot_be_compared():
    other = record("improved", answered={"PublicTest": answers([0, 1], [0, 1])})
    with pytest.raises(ValueError, match=EXPLAINED):
        run_tables.points(SHALLOW, other, "PublicTest")


ALL_TABLES = {
    "every_run": lambda: run_tables.every_run(
        study(SHALLOW, others=[group("longer", model="deep", epochs=30)])
    ),
    "parts": lambda: run_tables.parts(study_module.load(), WHOLE),
    "recipes_beside": lambda: run_tables.recipes_beside(SHALLOW, IMPROVED),
    "scores_beside": lambda: run_tables.scores_beside(SHALLOW, IMPROVED),
    "verdicts_beside": lambda: run_tables.verdicts_beside(SHALLOW, IMPROVED),
    "emotions_beside": lambda: run_tables.emotions_beside(SHALLOW, IMPROVED, "PublicTest"),
    "changed": lambda: run_tables.changed(SHALLOW, IMPROVED, "PublicTest"),
    "nothing changed": lambda: run_tables.changed(SHALLOW, SHALLOW, "PublicTest"),
}


@pytest.mark.parametrize("name", ALL_TABLES)
def test_every_table_is_read_whole(name):
    frame = ALL_TABLES[name]()
    found = numbered(frame)
    assert found[0] == list(frame.columns)
    assert len(found) == 1 + len(frame)
    assert all(row[0] for row in found)


@pytest.mark.parametrize(
    ("value", "text"), [(1.0, "1.000"), (0.0005, "0.001"), (0.00049, "< 0.001"), (0.0, "< 0.001")]
)
def test_a_p_value_has_three_digits_or_is_below_them(value, text):
    assert run_tables.p_value(np.float64(value)) == text
