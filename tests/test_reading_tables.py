"""Other readings beside the printed networks, on records made to order. Needs no dataset."""

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


def tried(found, *parts):
    return reading_tables.readings(PAPER, found, *parts)


# ---- readings of Table 3 ------------------------------------------------------------------------


def test_the_nearest_reading_is_the_one_whose_mean_is_closest_to_the_paper():
    text = [record("shallow_text", figures(0.99, rate), seed=seed)
            for seed, rate in enumerate((0.57, 0.59))]  # fmt: skip
    found = study(record("shallow", figures(0.91, 0.61)), others=[group("text", *text, **TEXT)])
    shown = tried(found, "text")
    rows = shown[shown["measure"] == "validation_accuracy"].set_index("recipe")
    assert rows.loc["as in the text", "measured"] == [0.57, 0.59]
    assert rows.loc["as in the text", "seeds"] == [0, 1]
    assert set(rows["claimed"]) == {0.58}
    # Losses are equally near, and count for the reading that the report follows.
    assert reading_tables.nearest(shown) == {"shallow": {"as printed": 3, "as in the text": 1}}
    table = reading_tables.final_figures(shown).set_index("Recipe").map(plain)
    assert table["Validation accuracy"].to_dict() == {
        "Table 3": "58%",
        "as printed": "61.0 %",
        "as in the text": "58.0 % ± 1.4 %",
    }
    assert table["Runs"].tolist() == ["–", "1", "2"]


def test_reduced_runs_and_other_parts_are_no_readings():
    smaller = record("shallow_text", figures(0.91, 0.61), train_images=700)
    found = study(
        record("shallow"),
        others=[
            group("text", smaller, **TEXT),
            group("weights", record("shallow", max_norm=1.0), model="shallow", max_norm=1.0),
        ],
    )
    assert set(tried(found, "text")["recipe"]) == {"as printed"}
    assert set(tried(found, "text", "weights")["recipe"]) == {"as printed", "max norm 1"}
    assert tried(study(), "text").empty and reading_tables.final_figures(tried(study())).empty


def test_recipes_without_a_run_are_named_by_the_part_that_asks_for_them():
    one = record("shallow", batch_size=32)
    found = study(
        others=[
            group("batch size", one, model="shallow", batch_size=32),
            group("batch size", model="shallow", batch_size=128),
            group("longer", model="deep", epochs=60),
        ],
    )
    assert reading_tables.untrained(found, "batch size", "longer", "order") == {
        "Another batch size, which the paper does not state": {"batch size 128": ["shallow"]},
        "More epochs, which the paper wishes for, with and without augmentation": {
            "60 epochs": ["deep"]
        },
    }


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
    assert ("both", "best") not in shown.index  # open


def test_a_network_that_the_part_does_not_vary_is_left_out():
    found = study(record("deep"))
    assert reading_tables.called_validation(found).empty
