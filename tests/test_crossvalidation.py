"""The cross-validation: its settings, folds, trainings and recorded result. Needs no dataset."""

import itertools
import json

import numpy as np
import pytest
import yaml
from helpers import EXPLAINED, reseal, small_dataset

from ferutils import storage
from ferutils.dataset import faces, fer2013
from ferutils.measuring import crossvalidating, examining
from ferutils.records import crossvalidation
from ferutils.records.crossvalidation import Cell, Settings
from ferutils.records.recipes import PAPER
from ferutils.records.runs import Code, Environment

CONTENT = yaml.safe_load(crossvalidation.SETTINGS_FILE.read_text())
SMALL = Settings(
    learning_rates=[1e-2, 1e-3], hidden_neurons=[16, 1024], folds=3, images=70, epochs=2, seed=0
)
DATASET = faces.draw({"Training": [15] * 7, "PublicTest": [1] * 7, "PrivateTest": [1] * 7})
TRAINING = DATASET.splits["Training"]


def origin(**changed):
    """What a small cross-validation of the shallow network is made with."""
    made = {
        "model": "shallow",
        "settings": SMALL,
        "fingerprint": "f" * 64,
        "environment": Environment(device="a", backend="b", system="c", versions={"keras": "3"}),
        "code": Code(commit=None, clean=None, fingerprint="0123456789abcdef"),
    }
    return crossvalidation.Origin(**made | changed)


class Trainer:
    """In place of the trainings: at once, and by recipe and images alone; dies when it is told."""

    def __init__(self, lives=10**6):
        self.lives, self.recipes = lives, []

    def __call__(self, recipe, inside, outside):
        if len(self.recipes) == self.lives:
            raise KeyboardInterrupt
        self.recipes.append(recipe)
        seed = [recipe.hidden_neurons, int(1e5 * recipe.learning_rate), int(outside.images.sum())]
        random = np.random.default_rng(seed)
        curves = {name: random.random(recipe.epochs).tolist() for name in crossvalidation.CURVES}
        return curves | {"answers": np.bincount(outside.labels, minlength=7).tolist()}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder for results, and no clock."""
    monkeypatch.setattr(crossvalidation, "FOLDER", tmp_path / "new")
    monkeypatch.setattr(crossvalidating.time, "perf_counter", lambda: 0.0)
    return tmp_path / "new"


@pytest.fixture
def cross_validate(folder, monkeypatch):
    """Cross-validates drawn faces with a trainer in place of the trainings; gives the lines."""

    def run(trainer=None, **changed):
        lines = []
        monkeypatch.setattr(crossvalidating, "train", trainer or Trainer())
        crossvalidating.cross_validate(origin(**changed), TRAINING, lines.append)
        return lines

    return run


# ---- settings -----------------------------------------------------------------------------------


@pytest.mark.parametrize("model", crossvalidation.MODELS)
def test_the_grid_is_the_one_that_was_asked_for_and_begins_with_the_papers_values(model):
    settings = crossvalidation.load(model)
    assert sorted(settings.learning_rates) == [1e-5, 1e-4, 1e-3, 1e-2]
    assert (min(settings.hidden_neurons), max(settings.hidden_neurons)) == (256, 2048)
    first, *others = settings.cells(model)
    assert first == (PAPER[model]["learning_rate"], PAPER[model]["hidden_neurons"])
    assert others == [cell for cell in settings.cells(model) if cell != first]
    grid = itertools.product(settings.learning_rates, settings.hidden_neurons)
    assert set(grid) == {first, *others}


def changed(**changes):
    return CONTENT | changes


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (changed(learning_rates=[0.1, 0.2]), "the paper's"),
        (changed(hidden_neurons=[512, 1024, 512]), "once each"),
        (changed(hidden_neurons=[512, 1024, -1]), "hidden_neurons"),
        (changed(learning_rates=[1e-3]), "at least 2"),
        (changed(models={"shallow": CONTENT["models"]["shallow"]}), "shallow and deep"),
        (changed(models={}), "shallow and deep"),
        (changed(unknown=1), "unknown"),
        (
            changed(models=CONTENT["models"] | {"deep": {"folds": 1, "epochs": 1, "seed": 0}}),
            "folds",
        ),
        ("text", "dictionary"),
        (None, "dictionary"),
    ],
)
def test_settings_that_cannot_be_are_refused(tmp_path, content, words):
    path = tmp_path / "crossvalidation.yml"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(ValueError, match=EXPLAINED) as refused:
        crossvalidation.load("shallow", path)
    assert words in str(refused.value)


# ---- folds --------------------------------------------------------------------------------------


def planted():
    """Drawn faces of which some occur again: as they are, with another label, brighter, moved."""
    images, labels = TRAINING.images.copy(), TRAINING.labels.copy()
    images[[20, 40, 104]] = images[0]  # across emotions, too
    images[60] = (0.6 * images[2] + 60).astype(np.uint8)
    images[90] = np.roll(images[4], 2, axis=1)
    return fer2013.Split(images, labels), [{0, 20, 40, 104}, {2, 60}, {4, 90}]


@pytest.mark.parametrize("seed", range(5))
def test_no_photograph_is_on_both_sides_of_a_fold(seed):
    split, photographs = planted()
    for inside, outside, _ in crossvalidating.folds(split, SMALL.model_copy(update={"seed": seed})):
        for photograph in photographs:
            assert photograph <= set(inside) or photograph <= set(outside)


def test_each_image_is_outside_once_and_inside_otherwise():
    split, _ = planted()
    sides = crossvalidating.folds(split, SMALL)
    assert len(sides) == SMALL.folds
    every = np.arange(len(split.labels))
    assert np.array_equal(np.sort(np.concatenate([outside for _, outside, _ in sides])), every)
    for inside, outside, _ in sides:
        assert np.array_equal(np.sort(np.concatenate([inside, outside])), every)


def test_folds_keep_the_shares_of_the_emotions():
    split, _ = planted()
    for _, outside, _ in crossvalidating.folds(split, SMALL):
        counts = np.bincount(split.labels[outside], minlength=7)
        assert np.abs(counts - 5).max() <= 2  # groups of four cannot be shared out evenly


def test_photographs_are_counted():
    split, photographs = planted()
    count = sum(photographs for *_, photographs in crossvalidating.folds(split, SMALL))
    assert count == len(np.unique(examining.components(split.images)))
    assert count <= len(split.labels) - sum(len(one) - 1 for one in photographs)


def test_another_seed_gives_other_folds():
    one, other = (
        crossvalidating.folds(TRAINING, SMALL.model_copy(update={"seed": seed})) for seed in (0, 1)
    )
    assert not np.array_equal(one[0][1], other[0][1])


# ---- trained, killed, and gone on with ----------------------------------------------------------

PLANNED = 4 * SMALL.folds


def test_every_cell_is_trained_in_every_fold_with_the_papers_cell_first(cross_validate):
    trainer = Trainer()
    cross_validate(trainer)
    found = crossvalidation.read("shallow")
    assert found.finished and found.reduced and len(found.trainings) == PLANNED
    assert {one.cell for one in found.trainings[: SMALL.folds]} == {Cell(1e-3, 1024)}
    assert len({(one.cell, one.fold) for one in found.trainings}) == PLANNED
    for recipe, one in zip(trainer.recipes, found.trainings, strict=True):
        assert (recipe.learning_rate, recipe.hidden_neurons) == one.cell
        assert (recipe.model, recipe.epochs, recipe.seed) == ("shallow", SMALL.epochs, SMALL.seed)


def test_only_as_many_images_as_asked_for_are_divided(cross_validate):
    cross_validate()
    counts = np.sum([fold.counts for fold in crossvalidation.read("shallow").folds], axis=0)
    assert counts.tolist() == [10] * 7


def test_each_training_has_its_line_with_the_time_left(cross_validate):
    lines = cross_validate()
    assert len(lines) == 1 + PLANNED
    assert f"{PLANNED} of {PLANNED}" in lines[-1]
    assert all("minutes left" in line for line in lines[1:])


@pytest.mark.parametrize("lives", [0, 1, 5, PLANNED - 1])
def test_one_that_was_killed_goes_on_to_the_result_of_one_that_was_not(
    cross_validate, folder, lives
):
    cross_validate()
    whole = json.loads((folder / "shallow.json").read_text())
    (folder / "shallow.json").unlink()
    with pytest.raises(KeyboardInterrupt):
        cross_validate(Trainer(lives))
    before = crossvalidation.read("shallow")
    assert len(before.trainings if before else []) == lives
    again = Trainer()
    cross_validate(again)
    assert len(again.recipes) == PLANNED - lives
    resumed = json.loads((folder / "shallow.json").read_text())
    for one in (whole, resumed):
        del one["started"], one[storage.SUM]
    assert resumed == whole
    assert [file.name for file in folder.iterdir()] == ["shallow.json"]


def test_a_finished_one_is_not_trained_again(cross_validate, folder):
    cross_validate()
    before = (folder / "shallow.json").read_bytes()
    trainer = Trainer()
    cross_validate(trainer)
    assert trainer.recipes == []
    assert (folder / "shallow.json").read_bytes() == before


OTHERS = {
    "settings": SMALL.model_copy(update={"epochs": 3}),
    "fingerprint": "e" * 64,
    "environment": Environment(device="x", backend="b", system="c", versions={"keras": "3"}),
    "code": Code(commit=None, clean=None, fingerprint="f" * 16),
}


@pytest.mark.parametrize("name", OTHERS)
def test_one_that_began_otherwise_is_not_gone_on_with(cross_validate, folder, name):
    with pytest.raises(KeyboardInterrupt):
        cross_validate(Trainer(2))
    before = (folder / "shallow.json").read_bytes()
    with pytest.raises(ValueError, match=EXPLAINED) as refused:
        cross_validate(**{name: OTHERS[name]})
    assert f"another {name}" in str(refused.value) and "Move the file" in str(refused.value)
    assert (folder / "shallow.json").read_bytes() == before


def test_another_commit_with_the_same_code_goes_on(cross_validate):
    with pytest.raises(KeyboardInterrupt):
        cross_validate(Trainer(2))
    same = origin().code.model_copy(update={"commit": "c" * 40, "clean": True})
    cross_validate(code=same)
    assert crossvalidation.read("shallow").finished


def test_a_training_that_diverged_is_recorded_as_such(cross_validate):
    quick = Trainer()

    def diverged(*arguments):
        return quick(*arguments) | {"validation_loss": [float("nan")] * SMALL.epochs}

    cross_validate(diverged)
    assert np.isnan(crossvalidation.read("shallow").trainings[0].validation_loss).all()


@pytest.mark.slow
def test_real_trainings_of_drawn_faces(folder):
    settings = Settings(
        learning_rates=[1e-3, 1e-5], hidden_neurons=[16, 1024], folds=2, images=35, epochs=1, seed=1
    )
    split = small_dataset().splits["Training"]
    found = crossvalidating.cross_validate(origin(settings=settings), split)
    assert found.finished
    for one in found.trainings:
        assert sum(one.answers) == sum(found.folds[one.fold].counts)
        # Chance at least; and Keras' accuracy is a whole number of images outside.
        right = one.validation_accuracy[-1] * sum(one.answers)
        assert right == pytest.approx(round(right), abs=1e-4)
        assert one.training_loss[-1] > 0
    by_cell = {(one.cell, one.fold): one.validation_loss for one in found.trainings}
    assert len({tuple(losses) for losses in by_cell.values()}) == len(by_cell)


@pytest.mark.slow
def test_a_training_does_not_depend_on_those_before_it():
    recipe = SMALL.recipe("shallow", Cell(1e-3, 16))
    other = SMALL.recipe("shallow", Cell(1e-2, 16))
    inside, outside = (fer2013.subset(TRAINING, 35), fer2013.subset(TRAINING, 21))
    first = crossvalidating.train(recipe, inside, outside)
    assert crossvalidating.train(other, inside, outside) != first
    assert crossvalidating.train(recipe, inside, outside) == first


# ---- read ---------------------------------------------------------------------------------------


def test_where_none_was_begun_there_is_none(folder):
    assert crossvalidation.read("deep") is None


def cut_off(file):
    file.write_text(file.read_text()[:-100])


def edited(file):
    file.write_text(file.read_text().replace("0.5", "0.6", 1))


def reordered(file):
    reseal(file, lambda content: content["trainings"].reverse())


def lacking_an_epoch(file):
    reseal(file, lambda content: content["trainings"][0]["training_loss"].pop())


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (cut_off, "Invalid JSON"),
        (edited, "its sum"),
        (reordered, "another order"),
        (lacking_an_epoch, "epochs"),
        (lambda file: file.write_bytes(storage.sealed('{"model": "shallow"}')), "Field required"),
        (lambda file: file.write_text("{}"), "its sum"),
        (lambda file: file.write_text(""), "Invalid JSON"),
    ],
)
def test_a_damaged_result_is_refused(cross_validate, folder, damage, words):
    cross_validate()
    damage(folder / "shallow.json")
    with pytest.raises(ValueError, match=EXPLAINED) as refused:
        crossvalidation.read("shallow")
    assert words in str(refused.value) and "make crossvalidate" in str(refused.value)


def test_the_result_of_another_model_is_refused(cross_validate, folder):
    cross_validate()
    (folder / "shallow.json").rename(folder / "deep.json")
    with pytest.raises(ValueError, match="cross-validation of shallow"):
        crossvalidation.read("deep")


@pytest.mark.parametrize("model", crossvalidation.MODELS)
def test_what_is_recorded_is_whole_and_of_the_published_dataset_and_todays_code(model):
    found = crossvalidation.read(model)
    if found is None:
        pytest.skip(f"no cross-validation of {model} is recorded")
    assert found.finished
    assert found.is_current or found.reduced  # which decides nothing, and its page tells the age
    assert found.fingerprint == fer2013.published_fingerprints()["Training"]
    assert found.settings == crossvalidation.load(model)
    images = found.settings.images or sum(fer2013.FER2013["Training"]["counts"])
    assert sum(sum(fold.counts) for fold in found.folds) == images
