"""Networks, ensembles and baselines side by side, each with its runs. Needs no dataset."""

import functools

import numpy as np
import pytest
from docutils import nodes
from synthetic import DRAWN, PUBLISHED, answers, cells, parsed, record, study

from ferutils.claims import metrics
from ferutils.records import baselines
from ferutils.records.examination import Examination
from ferutils.records.runs import HELD_OUT
from ferutils.report import comparison_tables, tables

HUMAN = baselines.Human(accuracy=0.5, margin=0.125, source="some study")


def labels(split):
    """The true labels of the published split."""
    return np.repeat(np.arange(7), PUBLISHED.counts[split])


def right_in(*places, probability=0.9):
    """Answers on both splits that are right at these places alone, by split."""
    found = {}
    for split in HELD_OUT:
        truth = labels(split)
        said = (truth + 1) % 7
        said[list(places)] = truth[list(places)]
        found[split] = answers(truth, said, probability)
    return found


def linear_of(predictions, note=PUBLISHED):
    """A linear classifier with these answers."""
    description = baselines.Description(
        settings={},
        tried={},
        dataset=note,
        iterations=1,
        converged=True,
        seconds=1,
        device="",
        versions={},
    )
    return baselines.Linear(description, predictions)


LINEAR = linear_of(right_in(*range(500)))
SHALLOW = [record(seed=seed, answered=right_in(*range(1000 + 100 * seed))) for seed in range(3)]
IMPROVED = [record("improved", seed=seed, answered=right_in(*range(100, 2000))) for seed in (1, 2)]
DEEP = record("deep", train_images=7178, answered=right_in(*range(400)))
FOUND = study(*SHALLOW, *IMPROVED, DEEP)
PAIR = "shallow and improved"


def plain(text):
    """A text with ordinary spaces."""
    return text.replace("\u00a0", " ")


def examined_of(one, **changes):
    """An examination of a run's dataset in which the first two images of a split are copies."""
    known = {
        "fingerprints": one.run.dataset.fingerprints,
        "images": {name: len(found.labels) for name, found in one.predictions.items()},
        "copies_within": {},
        "copies_in_all": 0,
        "in_training": {split: [0, 1] for split in one.predictions},
        "contradicting_pictures": 0,
        "contradicting_images": 0,
        "blank": {},
        "near_in_training": {split: [0, 1, 2, 3] for split in one.predictions},
    }
    return Examination(**known | changes)


MADE = {
    "held_out": lambda: comparison_tables.held_out(FOUND, LINEAR, HUMAN),
    "probabilities": lambda: comparison_tables.probabilities(FOUND, LINEAR),
    "paired": lambda: comparison_tables.paired(FOUND, LINEAR, "PrivateTest"),
    "seed_by_seed": lambda: comparison_tables.seed_by_seed(FOUND, LINEAR, "PrivateTest"),
    "rarest": lambda: comparison_tables.rarest(FOUND, LINEAR, "PrivateTest"),
    "copies": lambda: comparison_tables.without_copies(FOUND, LINEAR, examined_of(SHALLOW[0])),
}


@functools.cache
def table(name):
    """One of the tables of this study."""
    return MADE[name]()


@pytest.mark.parametrize("name", MADE)
def test_every_table_is_read_whole_and_has_room_on_a_phone(name):
    frame = table(name)
    (read,) = parsed(tables.numbered(frame, "some-name", "What it shows")).findall(nodes.table)
    found = cells(read)
    assert found[0] == list(frame.columns)
    assert len(found) == 1 + len(frame)
    assert {len(row) for row in found} == {len(frame.columns)}
    assert len(frame.columns) <= 7


@pytest.mark.parametrize("name", MADE)
def test_every_table_says_how_many_runs_a_row_rests_on_and_whether_they_are_reduced(name):
    frame = table(name)
    subject = next(column for column in frame if column in ("Network", "Networks"))
    for row in frame.to_dict("records"):
        counted = row.get("Runs") or row.get("Seeds") or row.get("Seed")
        no_run = ("always “happy”", "linear classifier", "one image more or less")
        assert counted or ", seed " in row[subject] or row[subject] in no_run, row
    assert any("deep (reduced)" in text for text in frame[subject])
    assert not any("deep" in text and "(reduced)" not in text for text in frame[subject])


# ---- scores -------------------------------------------------------------------------------------


def row_of(frame, split, network):
    (row,) = frame[(frame["Split"] == split) & (frame["Network"] == network)].to_dict("records")
    return {name: plain(text) for name, text in row.items()}


def test_networks_ensembles_and_baselines_stand_side_by_side_for_each_split():
    frame = table("held_out")
    expected = {
        "shallow": "3",
        "shallow, ensemble": "3 as one",
        "improved": "2",
        "improved, ensemble": "2 as one",
        "deep (reduced)": "1",
        "always “happy”": "–",
        "linear classifier": "1",
    }
    for split in HELD_OUT:
        rows = frame[frame["Split"] == split]
        assert dict(zip(rows["Network"], rows["Runs"])) == expected
    assert frame["Network"].iloc[-1] == "people, as published"
    assert list(table("probabilities")["Network"]) == list(frame["Network"][:-1])


def test_a_network_without_a_run_is_left_out():
    frame = comparison_tables.held_out(study(SHALLOW[0]), LINEAR, HUMAN)
    assert not frame["Network"].str.contains("improved|deep|ensemble").any()


def test_several_runs_have_a_mean_and_a_deviation():
    row = row_of(table("held_out"), "PublicTest", "shallow")
    right = [metrics.accuracy(one.predictions["PublicTest"]).value for one in SHALLOW]
    assert row["Accuracy"] == f"{100 * np.mean(right):.1f} % ± {100 * np.std(right, ddof=1):.1f} %"
    assert all("±" in row[score] for score in comparison_tables.RIGHT)


def test_one_run_has_the_interval_of_its_images():
    row = row_of(table("held_out"), "PrivateTest", "deep (reduced)")
    assert row["Accuracy"] == plain(tables.with_interval(metrics.share(400, 3589)))
    assert "±" not in "".join(row.values())


def test_an_ensemble_is_scored_as_one():
    halves = [
        answers(labels("PublicTest"), labels("PublicTest"), 0.6),
        answers(labels("PublicTest"), (labels("PublicTest") + 1) % 7, 0.9),
    ]
    runs = [
        record(
            seed=seed, answered={"PublicTest": half, "PrivateTest": DEEP.predictions["PrivateTest"]}
        )
        for seed, half in enumerate(halves)
    ]
    row = row_of(
        comparison_tables.held_out(study(*runs), LINEAR, HUMAN), "PublicTest", "shallow, ensemble"
    )
    assert row["Accuracy"].startswith("0.0 %")  # the surer one wins, whatever each alone gets
    assert row["Top-2 accuracy"].startswith("100.0 %")


def test_the_scores_of_a_row_are_those_of_its_predictions():
    found = LINEAR.predictions["PublicTest"]
    row = row_of(table("held_out"), "PublicTest", "linear classifier")
    assert row["Accuracy"] == plain(tables.with_interval(metrics.accuracy(found)))
    assert row["Balanced accuracy"] == plain(tables.percent(metrics.balanced_accuracy(found)))
    assert row["Macro-F1"] == f"{metrics.macro_f1(found):.3f}"
    assert row["Top-2 accuracy"] == plain(tables.with_interval(metrics.top_2(found)))
    row = row_of(table("probabilities"), "PublicTest", "linear classifier")
    assert row["Loss (nats)"] == f"{metrics.loss(found):.3f}"
    error = metrics.expected_calibration_error(found)
    assert row["Calibration error"] == plain(tables.percent(error))
    assert row["Brier score"] == f"{metrics.brier(found):.3f}"


def test_people_have_their_published_accuracy_and_no_other_score():
    row = table("held_out").iloc[-1]
    assert plain(row["Accuracy"]) == "50 ± 12 %"
    assert set(row.drop(["Network", "Accuracy"])) == {"–"}


def test_the_linear_classifier_is_not_set_beside_runs_on_other_images():
    drawn = study(record(note=DRAWN), record("improved", note=DRAWN))
    frame = comparison_tables.held_out(drawn, LINEAR, HUMAN)
    assert "always “happy”" in set(frame["Network"])
    assert "linear classifier" not in set(frame["Network"])
    pairs = comparison_tables.paired(drawn, LINEAR, "PrivateTest")
    assert list(pairs["Networks"]) == ["shallow (reduced) and improved (reduced)"]


# ---- pairs --------------------------------------------------------------------------------------


def rows_of(frame, networks):
    return frame[frame["networks"] == networks].set_index("seed")


def test_networks_are_compared_on_the_seeds_that_both_have_and_as_ensembles():
    found = comparison_tables.comparisons(FOUND, LINEAR, "PrivateTest")
    assert list(rows_of(found, PAIR).index) == ["1", "2", "ensemble"]
    assert list(rows_of(found, "shallow and deep (reduced)").index) == ["0"]
    beside_linear = rows_of(found, "shallow and linear classifier")
    assert list(beside_linear.index) == ["0", "1", "2", "ensemble"]
    assert not found["networks"].str.contains("improved and").any()  # no seed in common


def test_a_comparison_counts_what_one_alone_gets_right():
    one = rows_of(comparison_tables.comparisons(FOUND, LINEAR, "PrivateTest"), PAIR).loc["1"]
    assert (one["first_alone"], one["second_alone"]) == (100, 900)  # 0..1099 and 100..1999
    assert one["difference"].value == pytest.approx((1100 - 1900) / 3589)


def test_the_ensembles_are_those_of_the_common_seeds():
    found = rows_of(comparison_tables.comparisons(FOUND, LINEAR, "PrivateTest"), PAIR)
    together = [
        metrics.ensemble([one.predictions["PrivateTest"] for one in runs])
        for runs in (SHALLOW[1:], IMPROVED)
    ]
    assert found.loc["ensemble", "difference"] == metrics.difference(*together)


def test_p_values_are_corrected_for_every_test_of_the_frame():
    runs = [
        record(model, answered=right_in(*range(first, 1000)))
        for model, first in (("shallow", 0), ("improved", 8), ("deep", 9))
    ]
    other = linear_of(LINEAR.predictions, DRAWN)  # of other images, hence not beside them
    found = comparison_tables.comparisons(study(*runs), other, "PublicTest")
    # Eight images, nine and one that only the first gets right: 2**-7, 2**-8, 1 uncorrected.
    assert found["p_value"].tolist() == pytest.approx([2 * 2**-7, 3 * 2**-8, 1])


def test_a_pair_is_summed_up_in_one_row():
    frame = table("paired")
    row = frame[frame["Networks"] == PAIR].iloc[0]
    assert row["Seeds"] == "2"
    assert (
        row["Mean difference (range), points"] == "−20.9 (−22.3 to −19.5)"
    )  # 800 and 700 of 3,589
    assert row["p < 0.05"] == "2 of 2"
    assert row["Ensembles (95 % interval), points"].startswith("−")
    tests = comparison_tables.comparisons(FOUND, LINEAR, "PrivateTest")
    assert rows_of(tests, PAIR).loc[comparison_tables.ENSEMBLE, "p_value"] < 1e-6
    assert row["Their p"] == "< 0.001"


def test_a_pair_with_one_common_seed_has_no_ensembles():
    row = table("paired").set_index("Networks").loc["shallow and deep (reduced)"]
    assert row["Mean difference (range), points"] == "+16.7"
    assert row["p < 0.05"] == "1 of 1"
    assert row.iloc[-2:].tolist() == ["–", "–"]


def test_networks_that_do_not_differ_are_not_called_different():
    same = right_in(*range(900))
    runs = [record(model, answered=same) for model in ("shallow", "improved")]
    row = comparison_tables.paired(study(*runs), LINEAR, "PublicTest").iloc[0]
    assert row["p < 0.05"] == "0 of 1"
    assert row["Mean difference (range), points"] == "+0.0"


def test_every_test_behind_the_pairs_is_listed():
    frame = table("seed_by_seed")
    row = frame[(frame["Networks"] == PAIR) & (frame["Seed"] == "1")].iloc[0]
    assert row["Images only the first gets right"] == "100"
    assert row["Images only the second gets right"] == "900"
    assert len(frame) == len(comparison_tables.comparisons(FOUND, LINEAR, "PrivateTest"))


def test_one_network_alone_makes_no_pair():
    drawn = study(record(note=DRAWN))
    assert comparison_tables.paired(drawn, LINEAR, "PrivateTest").empty
    assert comparison_tables.seed_by_seed(drawn, LINEAR, "PrivateTest").empty


# ---- rare emotions and copies -------------------------------------------------------------------


def test_the_rarest_emotion_stands_beside_the_most_frequent_with_the_width_of_its_interval():
    frame = table("rarest").set_index("Network").map(plain)
    assert list(frame) == [
        "disgust, 55 images",
        "Width, disgust",
        "happy, 879 images",
        "Width, happy",
    ]
    # Of 491 angry and 55 disgusted images the linear classifier gets the first 500 right.
    disgust = metrics.share(9, 55)
    row = frame.loc["linear classifier"]
    assert row["disgust, 55 images"] == plain(tables.with_interval(disgust))
    assert row["Width, disgust"] == f"{100 * (disgust.high - disgust.low):.1f} points"
    assert frame.loc["always “happy”", "happy, 879 images"].startswith("100.0 %")
    last = frame.loc["one image more or less"]
    assert (last["Width, disgust"], last["Width, happy"]) == ("1.8 points", "0.1 points")


def test_images_that_stand_in_training_are_told_apart():
    frame = table("copies")
    row = row_of(frame, "PublicTest", "improved, seed 1")
    alone = "Photographs of Training alone"
    assert row[alone].startswith("0.0 %")  # right from the hundredth image on
    for head, others in (("Without copies", 3587), ("Without photographs of Training", 3585)):
        assert row[head] == plain(tables.with_interval(metrics.share(1900, others)))
    assert row_of(frame, "PublicTest", "shallow, seed 0")[alone].startswith("100.0 %")
    assert {"always “happy”", "linear classifier"} < set(frame["Network"])


def test_a_run_on_other_images_is_not_told_apart():
    one = record("shallow")
    other = examined_of(one, fingerprints={"Training": "0"})
    assert comparison_tables.examinable(study(one), other) == []
    assert comparison_tables.without_copies(study(one), LINEAR, other).empty
    assert comparison_tables.examinable(study(one), examined_of(one)) == [one]
