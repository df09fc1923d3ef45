"""Training: the same twice, the epoch that is kept, and scores that follow from predictions."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before Keras is imported

import numpy as np
import pytest
from helpers import (
    COLUMNS,
    EXPLAINED,
    FEW,
    correct,
    cross_entropy,
    log_softmax,
    small_dataset,
    small_recipe,
)

from ferutils.dataset import fer2013
from ferutils.measuring import models, recording, training
from ferutils.records import keeping, runs

SECONDS = ["training_seconds", "validation_seconds"]


@pytest.fixture(scope="module")
def drawn():
    return small_dataset()


# Everything that draws lots: initial weights, order of images, dropout, augmentation.
@pytest.fixture(scope="module")
def random_recipe():
    return small_recipe(model="improved", augmentation="generator", train_images=42, seed=3)


@pytest.fixture(scope="module")
def trained(random_recipe, drawn):
    rows = []
    result = training.train(random_recipe, drawn, rows.append)
    return result, rows


def quick(monkeypatch, accuracies=None):
    """Replace each epoch by a small change of the weights; returns what was seen."""
    seen = []

    def epoch(model, recipe, splits, number):
        weights = [weight + 0.001 * number for weight in model.get_weights()]
        model.set_weights(weights)
        seen.append({"weights": weights, "splits": splits})
        row = dict.fromkeys(COLUMNS, 0.5) | {"epoch": number}
        return row | ({"PublicTest_accuracy": accuracies[number - 1]} if accuracies else {})

    monkeypatch.setattr(training, "epoch", epoch)
    return seen


HALF = 2e-3  # what rounding to float16 leaves of a log-probability, and of its exponential


def numbers(history):
    return history.drop(columns=SECONDS)


# What comes out


def test_the_history_has_a_row_per_epoch_and_each_is_reported(trained, random_recipe):
    result, rows = trained
    assert tuple(result.history.columns) == COLUMNS
    assert result.history["epoch"].tolist() == [1, 2]
    assert result.history.to_dict("records") == rows
    assert np.isfinite(result.history.to_numpy(float)).all()
    assert (result.history[SECONDS] > 0).all(axis=None)
    assert result.kept_epoch == random_recipe.epochs == 2


def test_log_probabilities_are_those_of_the_model(trained, drawn):
    result, _ = trained
    for split in runs.HELD_OUT:
        one = result.kept.predictions[split]
        assert one.log_probabilities.shape == (sum(FEW[split]), 7)
        assert one.log_probabilities.max() <= 0
        np.testing.assert_allclose(np.exp(one.log_probabilities).sum(axis=1), 1, rtol=HALF)
        np.testing.assert_array_equal(one.labels, drawn.splits[split].labels)
        logits = result.model.predict(drawn.splits[split].images[..., None], verbose=0)
        np.testing.assert_allclose(one.log_probabilities, log_softmax(logits), rtol=HALF)


def test_scores_follow_from_the_predictions(trained):
    result, _ = trained
    assert set(result.kept.scores) == set(fer2013.SPLITS)
    for split, one in result.kept.predictions.items():
        score = result.kept.scores[split]
        assert score.images == len(one.labels)
        assert round(score.accuracy * score.images) == correct(one)
        assert score.accuracy == pytest.approx(correct(one) / score.images, abs=1e-6)
        assert score.loss == pytest.approx(cross_entropy(one), rel=HALF)


def test_the_last_validation_is_that_of_the_split_followed(trained):
    result, _ = trained
    last = result.history.iloc[-1]
    assert last["validation_accuracy"] == result.kept.scores["PublicTest"].accuracy
    assert last["validation_loss"] == result.kept.scores["PublicTest"].loss


def test_the_layers_are_those_of_the_network(trained):
    result, _ = trained
    assert [row.name for row in result.layers] == [
        layer.name for layer in models.network(result.model).layers
    ]
    assert sum(row.parameters for row in result.layers) == result.model.count_params()


# Seeds


def test_the_same_recipe_gives_the_same_numbers_twice(trained, random_recipe, drawn):
    first, _ = trained
    again = training.train(random_recipe, drawn, lambda row: None)
    assert numbers(again.history).equals(numbers(first.history))
    assert again.kept.scores == first.kept.scores
    for split in runs.HELD_OUT:
        np.testing.assert_array_equal(
            again.kept.predictions[split].log_probabilities,
            first.kept.predictions[split].log_probabilities,
        )


def test_another_seed_gives_other_numbers(trained, random_recipe, drawn):
    first, _ = trained
    seed = random_recipe.model_copy(update={"seed": 4, "epochs": 1})
    other = training.train(seed, drawn, lambda row: None)
    assert not numbers(other.history).equals(numbers(first.history.head(1)))
    assert other.history["training_loss"][0] != first.history["training_loss"][0]


def test_the_order_of_images_changes_from_epoch_to_epoch_unless_it_is_repeated(drawn, monkeypatch):
    orders = []

    def fit(self, images, labels, **options):
        orders.append(labels.tolist())
        raise StopIteration

    model = models.build(small_recipe())
    monkeypatch.setattr(type(model), "fit", fit)
    split = drawn.splits["Training"]
    repeated = {"order": "repeated"}
    for epoch, parameters in ((1, {}), (2, {}), (1, {"seed": 1}), (1, {}), (2, repeated)):
        with pytest.raises(StopIteration):
            training.epoch(model, small_recipe(**parameters), {"Training": split}, epoch)
    assert orders[0] == orders[3] == orders[4]
    assert len({tuple(order) for order in orders}) == 3
    assert sorted(orders[0]) == sorted(split.labels.tolist())


# The epoch that is kept


@pytest.mark.parametrize(
    "kept, accuracies, expected",
    [
        ("best", [0.2, 0.6, 0.6, 0.1], 2),  # the first of equals
        ("best", [0.0, 0.0, 0.0, 0.0], 1),
        ("best", [0.1, 0.2, 0.3, 0.4], 4),
        ("last", [0.9, 0.6, 0.6, 0.1], 4),
    ],
)
def test_the_weights_of_the_kept_epoch_are_kept(drawn, monkeypatch, kept, accuracies, expected):
    seen = quick(monkeypatch, accuracies)
    result = training.train(small_recipe(epochs=4, kept_epoch=kept), drawn, lambda row: None)
    assert result.kept_epoch == expected
    assert result.history["PublicTest_accuracy"].tolist() == accuracies
    for weight, then in zip(result.model.get_weights(), seen[expected - 1]["weights"]):
        np.testing.assert_array_equal(weight, then)


def test_the_best_epoch_is_the_one_that_is_evaluated(drawn):
    recipe = small_recipe(epochs=5, kept_epoch="best", learning_rate=0.01, batch_size=7)
    result = training.train(recipe, drawn, lambda row: None)
    accuracies = result.history["validation_accuracy"]
    assert result.kept_epoch == accuracies.argmax() + 1
    assert result.kept.scores["PublicTest"].accuracy == accuracies.max()
    kept = result.history.iloc[result.kept_epoch - 1]
    assert result.kept.scores["PublicTest"].loss == pytest.approx(kept["validation_loss"], abs=1e-6)


# The images that are used


@pytest.mark.parametrize("followed", ["PublicTest", "PrivateTest", "both"])
def test_validation_is_the_split_that_is_asked_for(drawn, followed):
    recipe = small_recipe(epochs=1, validation_split=followed)
    result = training.train(recipe, drawn, lambda row: None)
    (row,) = result.history.to_dict("records")
    of = runs.HELD_OUT if followed == "both" else [followed]
    scores = [result.kept.scores[split] for split in of]
    images = sum(score.images for score in scores)
    for measure in runs.SCORES:
        mean = sum(getattr(score, measure) * score.images for score in scores) / images
        assert row[f"validation_{measure}"] == pytest.approx(mean, abs=1e-6)
        for split in runs.HELD_OUT:
            expected = getattr(result.kept.scores[split], measure)
            assert row[f"{split}_{measure}"] == expected


def test_as_many_images_are_used_as_are_asked_for(drawn, monkeypatch):
    seen = quick(monkeypatch)
    recipe = small_recipe(epochs=1, train_images=35, evaluation_images=14)
    result = training.train(recipe, drawn, lambda row: None)
    assert {name: score.images for name, score in result.kept.scores.items()} == {
        "Training": 35,
        "PublicTest": 14,
        "PrivateTest": 14,
    }
    expected = fer2013.subset(drawn.splits["Training"], 35)
    np.testing.assert_array_equal(seen[0]["splits"]["Training"].images, expected.images)
    for split in runs.HELD_OUT:
        expected = fer2013.subset(drawn.splits[split], 14)
        np.testing.assert_array_equal(result.kept.predictions[split].labels, expected.labels)
        assert np.bincount(expected.labels).tolist() == [2] * 7


def test_all_images_are_used_unless_told_otherwise(drawn, monkeypatch):
    seen = quick(monkeypatch)
    recipe = small_recipe(epochs=1).model_copy(update={"train_images": None})
    result = training.train(recipe, drawn, lambda row: None)
    assert len(seen[0]["splits"]["Training"].labels) == 70
    assert [result.kept.scores[split].images for split in fer2013.SPLITS] == [70, 21, 28]


@pytest.mark.parametrize("asked", [{"train_images": 71}, {"evaluation_images": 22}])
def test_more_images_than_there_are_are_refused(drawn, asked):
    with pytest.raises(ValueError, match=EXPLAINED):
        training.train(small_recipe(**asked), drawn, lambda row: None)


# Weights and device


def test_saved_weights_are_whole_or_not_there(tmp_path, monkeypatch):
    model = models.build(small_recipe())
    path = tmp_path / "weights" / "run.weights.h5"
    training.save_weights(model, path)
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    before = path.read_bytes()

    def failing(self, unfinished, **options):
        unfinished.write_bytes(b"half")
        raise OSError("no space left")

    monkeypatch.setattr(type(model), "save_weights", failing)
    with pytest.raises(OSError, match="no space left"):
        training.save_weights(model, path)
    assert path.read_bytes() == before


def test_the_device_has_a_name_or_is_the_processor():
    assert isinstance(training.device(), str)


# One training, many answers


def test_a_longer_training_measures_what_shorter_ones_would(drawn, tmp_path, monkeypatch):
    monkeypatch.setattr(keeping, "HORIZONS", (3,))
    longer = recorded(small_recipe(epochs=5, learning_rate=0.01), drawn, tmp_path)
    for kept, split in [("last", "PublicTest"), *(("best", name) for name in keeping.VALIDATIONS)]:
        recipe = small_recipe(epochs=3, learning_rate=0.01, kept_epoch=kept, validation_split=split)
        shorter, answer = recorded(recipe, drawn, tmp_path), runs.answer(longer, recipe)
        assert numbers(answer.history).equals(numbers(shorter.history)), (kept, split)
        assert answer.run.kept_epoch == shorter.run.kept_epoch
        assert answer.run.scores == shorter.run.scores
        for name in runs.HELD_OUT:
            mine, theirs = (one.predictions[name].log_probabilities for one in (answer, shorter))
            np.testing.assert_array_equal(mine, theirs)
        assert (answer.own, answer.run.id, answer.recipe) == (False, longer.run.id, recipe)


def recorded(recipe, drawn, folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FERUTILS_RUNS", str(folder / "runs"))
        patch.setenv("FERUTILS_CACHE", str(folder / "cache"))
        patch.setattr(recording, "read_dataset", lambda *arguments: drawn)
        patch.setenv("FORCE", "1")  # no answer of another run instead
        return recording.obtain(recipe)
