"""Other readings beside the printed networks, on records made to order. Needs no dataset."""

import numpy as np
import pytest
from synthetic import PAPER, answers, group, record, study

from ferutils.report import reading_tables

FINAL = {"training_loss": 0.3, "validation_loss": 1.8}
TEXT = {"model": "shallow_text"}


def plain(text):
    return text.replace("\u00a0", " ")


def figures(training_accuracy, validation_accuracy):
    return FINAL | {
        "training_accuracy": training_accuracy,
        "validation_accuracy": validation_accuracy,
    }


def by_figure(frame, network="shallow"):
    return frame[frame["Network"] == network].set_index("Figure")


# ---- nearer -------------------------------------------------------------------------------------


def test_the_nearer_reading_is_the_one_whose_mean_is_closer_to_the_paper():
    text = [record("shallow_text", figures(0.99, rate)) for rate in (0.57, 0.59)]
    found = study(record("shallow", figures(0.91, 0.61)), others=[group("text", *text, **TEXT)])
    frame = by_figure(reading_tables.nearer(PAPER, found, "text"))
    assert frame.loc["training accuracy", "Nearer"] == "as printed"
    assert frame.loc["validation accuracy", "Nearer"] == "as in the text"
    assert plain(frame.loc["training accuracy", "As printed"]) == "91.0 % (1 run)"
    shown = plain(frame.loc["validation accuracy", "As in the text"])
    assert shown == "58.0 % ± 1.4 % (2 runs)"


def test_equal_distances_have_no_nearer_reading():
    found = study(
        record("shallow", figures(0.91, 0.58)),
        others=[group("text", record("shallow_text", figures(0.91, 0.58)), **TEXT)],
    )
    frame = by_figure(reading_tables.nearer(PAPER, found, "text"))
    assert set(frame["Nearer"]) == {"equally near"}


def test_what_has_no_whole_run_is_not_tested():
    smaller = record("shallow_text", figures(0.91, 0.61), train_images=700)
    found = study(record("shallow"), others=[group("text", smaller, **TEXT)])
    frame = reading_tables.nearer(PAPER, found, "text")
    assert set(frame["As in the text"]) == {"not tested"}
    assert set(frame["Nearer"]) == {"–"}
    assert len(frame) == 12


# ---- variants -----------------------------------------------------------------------------------


def test_variants_stand_below_the_printed_network_and_open_ones_say_so():
    one = record("shallow", {"training_loss": [0.1, 0.2] * 5}, batch_size=32)
    found = study(
        record("shallow", {"training_loss": 0.5}, seed=0),
        record("shallow", {"training_loss": 0.7}, seed=1),
        others=[
            group("batch size", one, model="shallow", batch_size=32),
            group("batch size", model="shallow", batch_size=128),
        ],
    )
    frame = reading_tables.variants(found, "batch size")
    assert frame["Recipe"].tolist() == ["as printed", "batch size 32", "batch size 128"]
    assert frame["Training loss"].tolist() == ["0.600 ± 0.141", "0.200", "open"]
    assert frame["Runs"].tolist() == ["2", "1", "0"]


def test_a_reduced_variant_is_called_so():
    how = {"model": "deep", "epochs": 30, "train_images": 700}
    found = study(record("deep"), others=[group("longer", record(**how), **how)])
    networks = reading_tables.variants(found, "longer")["Network"].tolist()
    assert networks == ["deep", "deep (reduced)"]


# ---- which split is called validation -----------------------------------------------------------


def accuracies(public, private):
    """Answers of which so many of ten are right on each split."""
    return {
        split: answers([0] * 10, [0] * right + [1] * (10 - right))
        for split, right in (("PublicTest", public), ("PrivateTest", private))
    }


@pytest.fixture
def followed():
    best = {"model": "shallow", "kept_epoch": "best"}
    on_test = best | {"validation_split": "PrivateTest"}
    return reading_tables.called_validation(
        study(
            record("shallow", answered=accuracies(4, 6)),
            others=[
                group("kept epoch", record(answered=accuracies(5, 5), **best), **best),
                group("kept epoch", record(answered=accuracies(2, 9), **on_test), **on_test),
            ],
        )
    ).set_index(["Called validation", "Epoch kept"])


def test_the_last_epochs_accuracies_come_from_the_same_run(followed):
    shown = followed["Its accuracy"].map(plain)
    assert shown["PublicTest", "last"] == "40.0 %"
    assert shown["PrivateTest", "last"] == "60.0 %"
    assert shown["both", "last"] == "50.0 %"


def test_the_best_epoch_has_runs_of_its_own_for_each_split(followed):
    shown = followed.map(plain)
    assert shown.loc[("PublicTest", "best"), "Its accuracy"] == "50.0 %"
    assert shown.loc[("PrivateTest", "best"), "Its accuracy"] == "90.0 %"
    assert shown.loc[("PrivateTest", "best"), "On the other split"] == "20.0 %"
    assert shown.loc[("both", "best"), "Its accuracy"] == "open"


def test_a_network_that_the_part_does_not_vary_is_left_out():
    found = study(record("deep"))
    assert reading_tables.called_validation(found).empty
    assert np.all(reading_tables.variants(found, "batch size").empty)
