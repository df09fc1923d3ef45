"""Which epochs a record keeps, and for which other trainings it answers."""

import pandas as pd
import pytest
from helpers import fabricated

from ferutils.dataset import faces
from ferutils.records import keeping, recipes, runs

LONG = recipes.make(model="shallow", epochs=60)


def history(public, private=None):
    """A history with these accuracies; both together are their mean."""
    private = private or public
    both = [(one + other) / 2 for one, other in zip(public, private)]
    columns = {"PublicTest": public, "PrivateTest": private, "both": both}
    return pd.DataFrame({f"{name}_accuracy": values for name, values in columns.items()})


def test_the_ends_and_the_best_so_far_are_kept():
    rising = history([number / 100 for number in range(60)])
    kept = {seen: keeping.worth_keeping(LONG, rising.head(seen)) for seen in (1, 9, 10, 11, 60)}
    assert kept == {1: {1}, 9: {9}, 10: {10}, 11: {10, 11}, 60: {10, 30, 60}}


def test_the_best_of_each_shorter_training_is_kept_by_every_split():
    public, private = [0.3] * 60, [0.4] * 60
    public[4], private[6], public[20], private[40] = 0.6, 0.45, 0.7, 0.9
    # Both together are best at epoch 5 of the first ten, at 21 of thirty and at 41 of sixty.
    assert keeping.worth_keeping(LONG, history(public, private)) == {10, 30, 60, 5, 7, 21, 41}


def test_an_epoch_that_is_neither_is_not_kept():
    assert keeping.worth_keeping(LONG, history([0.5, 0.4])) == {1}


@pytest.mark.parametrize(
    "other, answered",
    [
        ({"epochs": 10}, True),
        ({"epochs": 30, "kept_epoch": "best", "validation_split": "both"}, True),
        ({"epochs": 60, "validation_split": "PrivateTest"}, True),
        ({"epochs": 20}, False),  # nothing of epoch 20 is kept
        ({"epochs": 90}, False),
        ({"epochs": 10, "seed": 1}, False),
        ({"epochs": 10, "batch_size": 32}, False),
        ({"epochs": 10, "precision": "mixed_bfloat16"}, False),
    ],
)
def test_a_training_answers_for_what_it_begins_as(other, answered):
    assert keeping.answers_for(LONG, recipes.make(model="shallow", **other)) == answered


def test_a_run_that_followed_one_split_alone_answers_for_itself_alone(tmp_path):
    note = runs.note(faces.draw())
    run, rows, predictions = fabricated(recipes.make(model="shallow", dataset="drawn"), note)
    rows[list(runs.HELD_OUT_COLUMNS)] = None
    record = runs.read(runs.write(run, rows, predictions, tmp_path))
    other = run.recipe.model_copy(update={"validation_split": "PrivateTest"})
    assert keeping.answers_for(run.recipe, other)
    assert runs.answer(record, other) is None
    assert runs.answer(record, run.recipe) is record
