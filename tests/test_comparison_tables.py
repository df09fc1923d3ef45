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
IMPROVED = [
    record("improved", seed=seed, answered=right_in(*range(100, 2000))) for seed in (1, 2, 3)
]
DEEP = record("deep", train_images=7178, answered=right_in(*range(400)))
FOUND = study(*SHALLOW, *IMPROVED, DEEP)
PAIR = "improved and shallow"
MODELS = ("shallow", "improved", "deep")


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


EXAMINED = examined_of(SHALLOW[0])
MADE = {
    "held_out": lambda: comparison_tables.held_out(FOUND, LINEAR, HUMAN, EXAMINED),
    "probabilities": lambda: comparison_tables.probabilities(FOUND, LINEAR),
    "paired": lambda: comparison_tables.paired(FOUND, LINEAR, EXAMINED),
    "rarest": lambda: comparison_tables.rarest(FOUND, LINEAR, "PrivateTest"),
}


@functools.cache
def table(name):
    """One of the tables of this study."""
    return comparison_tables.leads(FOUND, LINEAR, EXAMINED) if name == "leads" else MADE[name]()


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
        "improved": "3",
        "improved, ensemble": "3 as one",
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
    frame = comparison_tables.held_out(study(SHALLOW[0]), LINEAR, HUMAN, EXAMINED)
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
        comparison_tables.held_out(study(*runs), LINEAR, HUMAN, EXAMINED),
        "PublicTest",
        "shallow, ensemble",
    )
    assert row["Accuracy"].startswith("0.0 %")  # the surer one wins, whatever each alone gets
    assert row["Top-2 accuracy"].startswith("100.0 %")


def test_the_scores_of_a_row_are_those_of_its_predictions():
    found = LINEAR.predictions["PublicTest"]
    row = row_of(table("held_out"), "PublicTest", "linear classifier")
    assert row["Accuracy"] == plain(tables.with_interval(metrics.accuracy(found)))
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
    frame = comparison_tables.held_out(drawn, LINEAR, HUMAN, EXAMINED)
    assert "always “happy”" in set(frame["Network"])
    assert "linear classifier" not in set(frame["Network"])
    pairs = comparison_tables.paired(drawn, LINEAR, EXAMINED)
    assert set(pairs["Networks"]) == {"improved (reduced) and shallow (reduced)"}


# ---- pairs, on new and on known faces -----------------------------------------------------------


def lead_of(networks, faces, split="PrivateTest"):
    found = table("leads")
    chosen = (found["networks"] == networks) & (found["faces"] == faces) & (found["split"] == split)
    (row,) = found[chosen].to_dict("records")
    return row


def test_a_lead_is_the_difference_of_all_runs_of_both_networks_on_the_faces_named():
    every, new, known = (lead_of(PAIR, faces) for faces in ("all", "new", "known"))
    assert every["runs"] == "3 and 3"
    assert every["value"] == pytest.approx((1900 - 1100) / 3589)  # means of 1,000 to 1,200
    assert new["value"] == pytest.approx((1900 - (1100 - 4)) / 3585)
    assert known["value"] == -1  # the shallow network is right in the first images
    assert new["low"] < new["value"] < new["high"] and new["probability"] == 1


def test_a_network_with_one_run_leads_by_a_number_without_an_interval():
    row = lead_of("deep (reduced) and shallow", "new")
    assert np.isnan([row["low"], row["high"], row["probability"]]).all() and row["value"] < 0
    assert not np.isnan(lead_of("shallow and linear classifier", "new")["low"])
    (text,) = table("paired").query("Networks == 'deep (reduced) and shallow'")["New faces"][:1]
    assert "to" not in text


def test_networks_that_do_not_differ_are_not_called_different():
    same = right_in(*range(900))
    runs = [record(model, seed=seed, answered=same) for model in MODELS[:2] for seed in (0, 1, 2)]
    row = comparison_tables.paired(study(*runs), LINEAR, EXAMINED).iloc[0]
    assert row["New faces"] == "+0.0 (+0.0 to +0.0)" and row["First better"] == "< 1\u00a0%"


def test_a_pair_has_a_row_for_each_split_and_one_network_alone_makes_none():
    rows = table("paired")[table("paired")["Networks"] == PAIR]
    assert list(rows["Split"]) == list(HELD_OUT)
    assert comparison_tables.paired(study(record(note=DRAWN)), LINEAR, EXAMINED).empty


def test_accuracy_stands_beside_that_on_new_faces():
    row = row_of(table("held_out"), "PublicTest", "improved")
    assert row[comparison_tables.NEW] == f"{100 * 1900 / 3585:.1f} % ± 0.0 %"
    figures = comparison_tables.by_familiarity(FOUND, LINEAR, EXAMINED)
    chosen = figures[(figures["network"] == "shallow") & (figures["split"] == "PublicTest")]
    assert chosen.groupby("faces")["accuracy_share"].max().to_dict() == pytest.approx(
        {"known": 1, "new": 1200 / 3589}  # new: all of the first emotions, as if none were known
    )


def test_one_answer_for_all_is_right_as_often_on_known_faces_as_on_new_ones():
    many_angry = [*range(400), *range(400, 3589, 20)]  # of the known faces, and each other emotion
    examined = examined_of(DEEP, near_in_training=dict.fromkeys(HELD_OUT, many_angry))
    figures = comparison_tables.by_familiarity(FOUND, LINEAR, examined)
    happy = figures[figures["network"].str.contains("happy") & (figures["split"] == "PublicTest")]
    assert happy.set_index("faces")["accuracy_share"].to_dict() == pytest.approx(
        dict.fromkeys(("known", "new"), 895 / 3589)
    )


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
