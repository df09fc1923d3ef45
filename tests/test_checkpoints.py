"""Checkpoints: a training that goes on equals one that was never cut off, bit for bit."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before Keras is imported

import functools
import math
import zipfile
from datetime import UTC, datetime

import keras
import numpy as np
import pytest
from helpers import COLUMNS, small_dataset, small_recipe

from ferutils.measuring import checkpoints, models, training
from ferutils.records import runs

SECONDS = ["training_seconds", "validation_seconds"]
RECIPES = {
    "shallow": {},
    # Everything that draws lots: initial weights, order of images, dropout, augmentation.
    "improved": {"model": "improved", "augmentation": "generator", "seed": 3},
    "deep": {"model": "deep", "epochs": 2, "train_images": 14, "evaluation_images": 7},
    # Learns so fast that an early epoch is the best.
    "best": {"kept_epoch": "best", "learning_rate": 0.01, "batch_size": 7},
}
WHERE = runs.Environment(device="one", backend="two", system="three", versions={"keras": "3"})
MINE = checkpoints.Identity(run="shallow-0123456789ab", code="0123456789abcdef", environment=WHERE)


@pytest.fixture(scope="module")
def drawn():
    return small_dataset()


@pytest.fixture
def file(tmp_path):
    return tmp_path / "checkpoints" / "run.npz"


def recipe_of(way, epochs=3):
    return small_recipe(**({"epochs": epochs} | RECIPES[way]))


def train(recipe, drawn, checkpoint=None, stop_after=None):
    """Train; where it is to stop after an epoch, as Ctrl-C does."""

    def report(row):
        if row["epoch"] == stop_after:
            raise KeyboardInterrupt

    return training.train(recipe, drawn, report, checkpoint)


def cut_off(recipe, drawn, file, after, **options):
    """A checkpoint, of which this process has nothing but the file."""
    with pytest.raises(KeyboardInterrupt):
        train(recipe, drawn, checkpoints.Checkpoint(file, MINE), stop_after=after)
    return checkpoints.Checkpoint(file, MINE, **options)


@pytest.fixture(scope="module")
def whole(drawn):
    """Trainings that were never cut off, each made once."""
    return functools.cache(lambda way: train(recipe_of(way), drawn))


def check_equal(one, other):
    """The same numbers to the last bit."""
    assert one.history.drop(columns=SECONDS).equals(other.history.drop(columns=SECONDS))
    assert one.kept_epoch == other.kept_epoch
    assert one.snapshots.keys() == other.snapshots.keys()
    for mine, theirs in zip(one.snapshots.values(), other.snapshots.values()):
        assert mine.scores == theirs.scores
        for split in runs.HELD_OUT:
            first, second = (made.predictions[split].log_probabilities for made in (mine, theirs))
            assert first.tobytes() == second.tobytes()
    for mine, theirs in zip(variables(one.model), variables(other.model)):
        assert mine.tobytes() == theirs.tobytes()


def variables(model):
    every = (*model.variables, *model.optimizer.variables)
    return list(map(keras.ops.convert_to_numpy, every))


# Going on


@pytest.mark.parametrize("way", RECIPES)
def test_a_training_that_goes_on_equals_one_that_was_never_cut_off(way, whole, drawn, file, capsys):
    recipe = recipe_of(way)
    checkpoint = cut_off(recipe, drawn, file, after=1)
    np.random.standard_normal(), models.build(recipe)  # what else the new process may do
    resumed = train(recipe, drawn, checkpoint)
    check_equal(resumed, whole(way))
    assert capsys.readouterr().out == "It goes on after epoch 1, from its checkpoint.\n"
    assert checkpoint.resumed_after_epochs == [1]


def test_it_can_be_cut_off_again_and_again(whole, drawn, file):
    recipe = recipe_of("improved")
    for after in (1, 2):
        checkpoint = cut_off(recipe, drawn, file, after)
    resumed = train(recipe, drawn, checkpoint)
    check_equal(resumed, whole("improved"))
    assert checkpoint.resumed_after_epochs == [1, 2]


def test_the_best_epoch_before_the_cut_is_the_one_that_is_kept(drawn, file, monkeypatch):
    accuracies, epoch = [0.1, 0.9, 0.2, 0.9], training.epoch

    def staged(*arguments):
        row = epoch(*arguments)
        return row | {"PublicTest_accuracy": accuracies[row["epoch"] - 1]}

    monkeypatch.setattr(training, "epoch", staged)
    recipe = recipe_of("best", epochs=4)
    whole = train(recipe, drawn)
    resumed = train(recipe, drawn, cut_off(recipe, drawn, file, after=3))
    assert resumed.kept_epoch == 2
    check_equal(resumed, whole)


def test_a_training_cut_off_after_its_last_epoch_is_only_evaluated(whole, drawn, file, monkeypatch):
    recipe = recipe_of("improved")
    checkpoint, expected = cut_off(recipe, drawn, file, after=3), whole("improved")
    monkeypatch.setattr(training, "epoch", lambda *arguments: pytest.fail("trained again"))
    check_equal(train(recipe, drawn, checkpoint), expected)


def quick(monkeypatch, **measured):
    """Replace each epoch by a change of the weights."""

    def epoch(model, recipe, splits, number):
        model.set_weights([weight + 0.001 * number for weight in model.get_weights()])
        return dict.fromkeys(COLUMNS, 0.1) | {"epoch": number} | measured

    monkeypatch.setattr(training, "epoch", epoch)


def test_keeping_checkpoints_changes_no_number(drawn, file, monkeypatch):
    quick(monkeypatch)
    recipe = recipe_of("shallow")
    check_equal(train(recipe, drawn, checkpoints.Checkpoint(file, MINE)), train(recipe, drawn))


@pytest.mark.parametrize("loss", [math.nan, math.inf, 1e-300, 1 / 3, 2.0])
def test_a_loss_goes_through_the_file_unchanged(drawn, file, monkeypatch, loss):
    quick(monkeypatch, validation_loss=loss)
    checkpoint = cut_off(recipe_of("shallow"), drawn, file, after=1)
    (row,) = checkpoint.resume(models.build(recipe_of("shallow"))).rows
    np.testing.assert_equal(row["validation_loss"], loss)
    assert type(row["validation_loss"]) is float
    assert type(row["epoch"]) is int


def test_time_and_memory_add_up_over_processes(drawn, file, monkeypatch):
    quick(monkeypatch)
    clock, memory = [1000.0], [5 * 10**9]
    monkeypatch.setattr(checkpoints.time, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(checkpoints.provenance, "peak_memory_bytes", lambda: memory[0])
    recipe, first = recipe_of("shallow"), checkpoints.Checkpoint(file, MINE)
    clock[0] += 60
    with pytest.raises(KeyboardInterrupt):
        train(recipe, drawn, first, stop_after=1)
    clock[0], memory[0] = 20.0, 10**9  # a new process, perhaps after the machine started anew
    second = checkpoints.Checkpoint(file, MINE)
    second.resume(models.build(recipe))
    clock[0] += 7
    assert second.wall_seconds() == 67
    assert second.peak_memory_bytes() == 5 * 10**9
    assert second.started == first.started


# What is not used


def check_begins_anew(checkpoint, capsys, reason):
    recipe = recipe_of("shallow")
    model = models.build(recipe)
    before = list(map(keras.ops.convert_to_numpy, model.variables))
    assert checkpoint.resume(model) == training.Progress()
    for variable, value in zip(model.variables, before):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(variable), value)
    assert checkpoint.resumed_after_epochs == []
    assert checkpoint.epochs == 0
    said = f"Its checkpoint is not used, being {reason}; it begins at epoch 1.\n" if reason else ""
    assert capsys.readouterr().out == said


def test_without_a_checkpoint_a_training_begins_at_the_first_epoch(file, capsys):
    check_begins_anew(checkpoints.Checkpoint(file, MINE), capsys, "")


@pytest.fixture
def kept(drawn, file, monkeypatch):
    """The file of a shallow training that was cut off after epoch 1."""
    quick(monkeypatch)
    cut_off(recipe_of("shallow"), drawn, file, after=1)
    return file


@pytest.mark.parametrize(
    "change, reason",
    [
        ({"run": "shallow-ba9876543210"}, "of another recipe or dataset"),
        ({"code": "fedcba9876543210"}, "of other code"),
        *(
            (
                {"environment": WHERE.model_copy(update=other)},
                "of another device, backend or version of a library",
            )
            for other in ({"device": "4"}, {"backend": "jax"}, {"versions": {"keras": "4"}})
        ),
    ],
)
def test_the_checkpoint_of_another_training_is_not_used(kept, capsys, change, reason):
    mine = MINE.model_copy(update=change)
    check_begins_anew(checkpoints.Checkpoint(kept, mine), capsys, reason)


def test_a_checkpoint_whose_run_has_a_record_is_not_used(kept, capsys):
    started = checkpoints.Checkpoint(kept, MINE)
    started.resume(models.build(recipe_of("shallow")))
    capsys.readouterr()
    checkpoint = checkpoints.Checkpoint(kept, MINE, frozenset({started.started}))
    check_begins_anew(checkpoint, capsys, "of a training that has its record")
    assert checkpoint.started >= started.started


def test_the_checkpoint_of_another_network_is_not_used(drawn, file, monkeypatch, capsys):
    quick(monkeypatch)
    cut_off(small_recipe(hidden_neurons=8), drawn, file, after=1)
    check_begins_anew(checkpoints.Checkpoint(file, MINE), capsys, "damaged")


@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.99])
def test_a_truncated_checkpoint_is_not_used(kept, capsys, share):
    content = kept.read_bytes()
    kept.write_bytes(content[: int(share * len(content))])
    check_begins_anew(checkpoints.Checkpoint(kept, MINE), capsys, "damaged")


def test_a_checkpoint_with_one_wrong_bit_is_not_used(kept, capsys):
    content = kept.read_bytes()
    with zipfile.ZipFile(kept) as archive:
        members = archive.infolist()
    for member in (
        members[0],
        members[1],
        max(members, key=lambda one: one.file_size),
        members[-1],
    ):
        for place in (200, member.file_size - 1):  # from the start of the member's own header
            damaged = bytearray(content)
            damaged[member.header_offset + place] ^= 1
            kept.write_bytes(damaged)
            check_begins_anew(checkpoints.Checkpoint(kept, MINE), capsys, "damaged")


def test_a_pickled_object_is_never_loaded(kept, capsys):
    with np.load(kept) as stored:
        arrays = dict(stored)

    class Trap:
        def __reduce__(self):
            return pytest.fail, ("was executed",)

    trap = np.empty(1, object)
    trap[0] = Trap()
    np.savez(kept, **(arrays | {"variable 0": trap}))
    check_begins_anew(checkpoints.Checkpoint(kept, MINE), capsys, "damaged")


# Writing and removing


def test_a_checkpoint_that_cannot_be_written_stops_nothing(kept, drawn, monkeypatch, capsys):
    recipe, before = recipe_of("shallow"), kept.read_bytes()

    def full(file, **arrays):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoints.np, "savez", full)
    checkpoint = checkpoints.Checkpoint(kept, MINE)
    assert len(train(recipe, drawn, checkpoint).history) == 3
    assert capsys.readouterr().out.splitlines()[1:] == [
        f"No checkpoint after epoch {epoch}: No space left on device." for epoch in (2, 3)
    ]
    assert kept.read_bytes() == before
    assert list(kept.parent.iterdir()) == [kept]
    assert checkpoint.epochs == 1


def test_removing_takes_what_a_killed_process_left(kept):
    (kept.parent / f".{kept.name}-123.part").write_text("half")
    other = kept.with_name("other.npz")
    other.write_text("")
    checkpoints.Checkpoint(kept, MINE).remove()
    assert list(kept.parent.iterdir()) == [other]
    checkpoints.Checkpoint(kept, MINE).remove()


def test_a_training_began_when_its_first_process_did(kept):
    checkpoint = checkpoints.Checkpoint(kept, MINE)
    assert abs((datetime.now(UTC) - checkpoint.started).total_seconds()) < 60
