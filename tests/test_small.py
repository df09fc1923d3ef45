"""Networks for a phone: records, changed images, training, files, tables. Needs no dataset."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before Keras is imported

from datetime import UTC, datetime

import keras
import numpy as np
import pytest
from helpers import EXPLAINED, reseal, small_dataset
from synthetic import PUBLISHED, record, study

from ferutils.dataset import fer2013
from ferutils.measuring import backend, litert, small
from ferutils.records import examination, runs
from ferutils.records import small as records
from ferutils.records.small import FORMS, MIRRORED, Files, Form, Formats, Trained
from ferutils.report import figures, origin, small_tables

DRAWN = small_dataset()
FEW = runs.note(DRAWN)
STILL = {"mirror": False, "rotation": 0, "scale": 0, "shift": 0}
PLAIN = STILL | {"contrast": 0, "brightness": 0, "blanked": 0}
RUN = record().run
EXAMINED = examination.read()
WHEN = datetime(2026, 1, 2, tzinfo=UTC)


def recipe(network="tiny", **given):
    quick = {"epochs": 2, "batch_size": 16, "precision": "float32"}
    return records.usual(network, **quick | given)


def form(note=FEW, wrong=0, size=1000):
    """A file that answers so many images of each split wrongly, the first ones."""
    answered = {}
    for split in runs.HELD_OUT:
        labels = np.repeat(np.arange(7), note.counts[split])
        labels[:wrong] = (labels[:wrong] + 1) % 7
        answered[split] = "".join(map(str, labels))
    return Form(bytes=size, milliseconds=0.5, memory_bytes=10**6, answers=answered)


def files(note=FEW, wrong=0, forms=(*FORMS, MIRRORED)):
    """Files of which each form answers one more image wrongly than the one before."""
    return Files(
        dataset=note,
        parameters=100,
        calibration_images=70,
        environment=RUN.environment,
        code=RUN.code,
        measured=WHEN,
        forms={name: form(note, wrong + place) for place, name in enumerate(forms)},
    )


def trained(network="tiny", note=FEW, wrong=0, **given):
    made = recipe(network, **given)
    one = records.Epoch(training_loss=1.5, public_accuracy=0.4, seconds=2)
    return Trained(
        recipe=made,
        history=[one] * made.epochs,
        cost=RUN.cost,
        environment=RUN.environment,
        code=RUN.code,
        started=WHEN,
        weights_sha256="0" * 64,
        files=files(note, wrong),
    )


FORMATS = Formats(run=RUN.id, files=files(PUBLISHED, 5, FORMS))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Empty folders for records and cache."""
    monkeypatch.setattr(records, "FOLDER", tmp_path / "small")
    monkeypatch.setenv("FERUTILS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "small"


# ---- records ------------------------------------------------------------------------------------


@pytest.mark.parametrize("found", [trained(), FORMATS], ids=lambda one: one.name)
def test_a_record_is_read_as_it_was_written(folder, found):
    assert records.read(found.name) is None
    records.write(found)
    assert records.read(found.name) == found
    assert [file.name for file in folder.iterdir()] == [f"{found.name}.json"]


def test_all_are_read_ours_apart_from_the_papers(folder):
    ours = [trained("small"), trained(), trained(seed=1, teachers=("small-seed-0",))]
    for one in (FORMATS, *ours):
        records.write(one)
    assert records.read_all() == (ours[:1] + [ours[1], ours[2]], [FORMATS])
    assert [one.name for one in ours] == ["small-seed-0", "tiny-seed-0", "tiny-taught-seed-1"]


def without_a_form(content):
    del content["files"]["forms"]["int8"]


def without_an_answer(content):
    one = content["files"]["forms"]["int8"]["answers"]
    one["PublicTest"] = one["PublicTest"][1:]


def with_an_eighth_emotion(content):
    one = content["files"]["forms"]["int8"]["answers"]
    one["PublicTest"] = "7" + one["PublicTest"][1:]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (without_a_form, "the forms float32"),
        (without_an_answer, "each held-out image"),
        (with_an_eighth_emotion, "pattern"),
        (lambda content: content["history"].pop(), "1 epochs, not 2"),
        (lambda content: content["recipe"].update(epochs=0), "epochs"),
        (lambda content: content["recipe"].update(seed=1), "the record tiny-seed-1"),
        (lambda content: content.update(unknown=1), "unknown"),
    ],
)
def test_a_record_that_cannot_be_is_refused(folder, change, words):
    records.write(trained())
    reseal(records.file("tiny-seed-0"), change)
    with pytest.raises(ValueError, match=EXPLAINED) as refused:
        records.read("tiny-seed-0")
    assert words in str(refused.value) and "make small" in str(refused.value)


def test_an_edited_record_is_refused(folder):
    records.write(trained())
    path = records.file("tiny-seed-0")
    path.write_text(path.read_text().replace('"seconds": 2', '"seconds": 3'))
    with pytest.raises(ValueError, match="its sum"):
        records.read("tiny-seed-0")


@pytest.mark.parametrize(
    "given", [{"network": "huge"}, {"epochs": 0}, {"mixup": -1.0}, {"precision": "float16"}]
)
def test_an_impossible_recipe_is_refused(given):
    with pytest.raises(ValueError, match=EXPLAINED):
        recipe(**given)


def test_answers_are_compared_with_labels_and_with_float32():
    found = files(wrong=3)
    assert found.right("float32", "PublicTest").tolist() == [False] * 3 + [True] * 18
    assert found.same("float32", "PublicTest") == 1
    assert found.same("int8", "PublicTest") == pytest.approx(1 - 3 / 21)


def test_the_published_peer_is_read_and_a_damaged_one_refused(tmp_path):
    assert 0.5 < records.peer().accuracy < 1
    path = tmp_path / "peer.yml"
    path.write_text("name: a\n")
    with pytest.raises(ValueError, match=EXPLAINED):
        records.peer(path)


def test_what_is_recorded_is_of_the_published_dataset_and_under_its_limit():
    ours, papers = records.read_all()
    for one in (*ours, *papers):
        assert one.files.dataset.fingerprints == fer2013.published_fingerprints()
    for one in ours:
        smallest = max(one.files.forms[name].bytes for name in ("int8", MIRRORED))
        assert smallest < records.NETWORKS[one.recipe.network]


# ---- what a training sees -----------------------------------------------------------------------

IMAGES = DRAWN.splits["Training"].images


def changed(seed=0, **given):
    return small.changed(IMAGES, recipe(**PLAIN | given), np.random.default_rng(seed))[..., 0]


def test_images_that_nothing_changes_stay_as_they_are():
    assert changed() == pytest.approx(IMAGES, abs=1e-3)


def test_the_same_seed_changes_images_in_the_same_way():
    every = {"mirror": True, "rotation": 12, "shift": 0.1, "contrast": 0.2, "blanked": 0.5}
    assert np.array_equal(changed(1, **every), changed(1, **every))
    assert not np.array_equal(changed(1, **every), changed(2, **every))


def test_about_half_of_the_images_are_mirrored_and_the_others_stay():
    found = changed(mirror=True)
    same = np.abs(found - IMAGES).max(axis=(1, 2)) < 0.01
    turned = np.abs(found - IMAGES[:, :, ::-1]).max(axis=(1, 2)) < 0.01
    assert (same | turned).all()
    assert 20 < turned.sum() < 50


@pytest.mark.parametrize("given", [{"rotation": 12}, {"scale": 0.12}, {"shift": 0.12}])
def test_a_moved_image_keeps_its_range_and_shows_no_black_border(given):
    bright = np.full((40, 48, 48), 200, np.uint8)
    made = small.changed(bright, recipe(**PLAIN | given), np.random.default_rng(0))
    assert made == pytest.approx(200, abs=0.01)
    assert np.abs(changed(**given) - IMAGES).mean() > 1


def test_one_square_is_blanked_in_some_images():
    blank = small._squares(1000, recipe(blanked=0.5), np.random.default_rng(0))
    pixels = blank.sum(axis=(1, 2))
    assert set(np.sqrt(pixels)) <= {0, *range(8, 17)}
    assert 0.4 < (pixels > 0).mean() < 0.6


def test_targets_are_smoothed_labels_and_what_teachers_answer():
    labels, taught = np.array([0, 6]), np.full((2, 7), 1 / 7)
    alone = small.targets(labels, recipe(label_smoothing=0.1), None)
    assert alone.sum(axis=1) == pytest.approx(1) and alone.argmax(axis=1).tolist() == [0, 6]
    assert alone[0, 1] == pytest.approx(0.1 / 7)
    both = small.targets(labels, recipe(label_smoothing=0.0, teaching=0.7), taught)
    assert both[0, 0] == pytest.approx(0.3 + 0.7 / 7)


def test_mixup_mixes_images_and_targets_by_the_same_share():
    pixels = np.arange(6, dtype=np.float32).reshape(6, 1, 1, 1) * np.ones((1, 48, 48, 1))
    wanted = np.arange(6, dtype=np.float32)[:, None] * np.ones((1, 7))
    mixed = small._mixed(pixels, wanted, recipe(mixup=0.4), np.random.default_rng(0))
    assert np.allclose(mixed[0][:, 0, 0, 0], mixed[1][:, 0])
    assert not np.allclose(mixed[1], wanted)


def test_averages_follow_the_weights():
    averages = [np.zeros(3)]
    for step in range(1, 2001):
        small._average(averages, [np.ones(3)], 0.99, step)
    assert averages[0] == pytest.approx(1, abs=1e-6)


# ---- the networks, trained and exported ---------------------------------------------------------


@pytest.mark.parametrize("network", records.NETWORKS)
def test_a_network_is_as_small_as_it_has_to_be(network):
    made = small.network(recipe(network))
    assert made.output_shape == (None, 7)
    # A parameter is a byte of the int8 file, which needs some more for its graph.
    assert 0.7 * records.NETWORKS[network] < made.count_params() < 0.95 * records.NETWORKS[network]


class Stopping:
    """A checkpoint that is killed when the training has gone so far."""

    def __init__(self, kept, epochs):
        self.kept, self.epochs = kept, epochs

    def resume(self, model):
        return self.kept.resume(model)

    def save(self, model, progress):
        self.kept.save(model, progress)
        if len(progress.rows) == self.epochs:
            raise KeyboardInterrupt


def checkpoint(path):
    identity = small.Identity(run="tiny", code="c", environment=RUN.environment)
    return small.Checkpoint(path, identity)


@pytest.mark.slow
def test_a_training_that_was_killed_goes_on_to_the_weights_of_one_that_was_not(tmp_path):
    made = recipe(mixup=0.2)
    whole, history = small.train(made, DRAWN, report=[].append)
    path = tmp_path / "tiny.npz"
    with pytest.raises(KeyboardInterrupt):
        small.train(made, DRAWN, None, [].append, Stopping(checkpoint(path), 1))
    again, resumed = small.train(made, DRAWN, None, [].append, checkpoint(path))
    for one, other in zip(whole.get_weights(), again.get_weights(), strict=True):
        assert np.array_equal(one, other)
    losses = [one.training_loss for one in history]
    assert losses == [one.training_loss for one in resumed] and len(losses) == 2


@pytest.mark.slow
def test_a_network_is_trained_recorded_taught_and_measured_again(folder, monkeypatch):
    backend.load()
    lines = []
    done = small.obtain(recipe(epochs=1), DRAWN, lines.append)
    assert records.read("tiny-seed-0") == done and done.is_current
    assert len(lines) == 2 and "epoch 1 of 1" in lines[0]
    assert not list((folder.parent / "cache" / "checkpoints").glob("*"))
    sizes = [one.bytes for one in done.files.forms.values()]
    assert sizes[0] > sizes[1] > max(sizes[2:])
    assert sizes[-1] < records.NETWORKS["tiny"]
    monkeypatch.setattr(small, "train", None)  # which would fail
    again = small.obtain(recipe(epochs=1), DRAWN, lines.append)
    assert again.weights_sha256 == done.weights_sha256
    with pytest.raises(ValueError, match=EXPLAINED):
        small.obtain(recipe(epochs=2), DRAWN)
    taught = small._taught([small._teacher("tiny-seed-0")], IMAGES)
    assert taught.sum(axis=1) == pytest.approx(1)
    assert taught == pytest.approx(small._taught([small.with_weights(done)], IMAGES[:, :, ::-1]))


def test_a_teacher_without_record_or_weights_is_refused(folder):
    with pytest.raises(ValueError, match=EXPLAINED):
        small._teacher("small-seed-0")
    records.write(trained())
    with pytest.raises(ValueError, match=EXPLAINED) as refused:
        small._teacher("tiny-seed-0")
    assert "weights of tiny-seed-0" in str(refused.value)


@pytest.mark.slow
@pytest.mark.parametrize("form", [*FORMS, MIRRORED])
def test_a_file_answers_as_the_network_does(tmp_path, form):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input(litert.SHAPE[1:]),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(4, 3, strides=2, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(7),
        ]
    )
    path = tmp_path / "a.tflite"
    litert.export(model, form, IMAGES, path)
    asked = litert.mirrored(model) if form == MIRRORED else model
    expected = [int(asked(one.reshape(litert.SHAPE)).numpy().argmax()) for one in IMAGES]
    same = litert.answers(path, IMAGES) == expected
    assert same.mean() == 1 if form == "float32" else same.mean() > 0.8
    taken = litert.interpreter(path, 1).get_input_details()[0]
    assert taken["shape"].tolist() == list(litert.SHAPE)
    assert taken["dtype"] == (np.uint8 if form in ("int8", MIRRORED) else np.float32)


@pytest.mark.slow
def test_the_network_of_a_run_is_exported_as_it_answers(tmp_path, monkeypatch):
    from ferutils.measuring import models, predicting

    backend.load()
    one = record(hidden_neurons=16, precision="mixed_bfloat16")
    trained_model = models.build(one.recipe)
    monkeypatch.setattr(predicting, "_trained", lambda _: trained_model)
    model = litert.of_run(one)
    plain = models.build(one.recipe.model_copy(update={"precision": "float32"}))
    plain.set_weights(trained_model.get_weights())
    expected = plain.predict(IMAGES[..., None], verbose=0)
    assert model.predict(IMAGES[..., None], verbose=0) == pytest.approx(expected, abs=1e-4)
    litert.export(model, "float32", IMAGES, tmp_path / "a.tflite")
    assert np.array_equal(litert.answers(tmp_path / "a.tflite", IMAGES), expected.argmax(axis=1))


def test_another_backend_is_refused_before_anything_is_trained(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ValueError, match=EXPLAINED):
        small.obtain(recipe(), DRAWN)


# ---- the page -----------------------------------------------------------------------------------

OURS = [trained("small", PUBLISHED, 100), trained("small", PUBLISHED, 300, seed=1)]
OURS += [trained("tiny", PUBLISHED, 500, teachers=("small-seed-0",))]
FOUND = small_tables.groups(OURS, [FORMATS])


def test_seeds_are_shown_together_and_taught_networks_apart():
    assert {name: len(some) for name, some in FOUND.items()} == {
        "small": 2, "tiny, taught": 1, "shallow": 1,
    }  # fmt: skip
    table = small_tables.answers(FOUND, EXAMINED)
    assert len(table) == 5 + 5 + 4
    assert table.loc[0, "Runs"] == "2" and "±" in table.loc[0, "PrivateTest"]
    assert list(small_tables.costs(FOUND)["Form"]) == list(table["Form"])
    assert len(small_tables.trainings(OURS)) == 3


def test_new_faces_are_those_whose_photograph_is_not_in_training():
    found = files(PUBLISHED, wrong=0)
    known = EXAMINED.near_in_training["PrivateTest"]
    every, new = (
        small_tables.accuracy(found, "float16", "PrivateTest", out) for out in ((), known)
    )
    assert every.value == 3588 / 3589
    assert new.value == pytest.approx(1 - (0 not in known) / (3589 - len(known)))


def test_what_has_no_record_is_said_to_be_open():
    nothing = small_tables.groups([], [])
    text = small_tables.conclusion(nothing, EXAMINED).data
    assert text.count("Open") == 2 and "small and tiny are not trained" in text
    for table in (
        small_tables.answers(nothing, EXAMINED),
        small_tables.costs(nothing),
        small_tables.trainings([]),
    ):
        assert list(table["Network"]) == list(records.NETWORKS)
        assert (table.drop(columns="Network") == "open").all(axis=None)
    assert "make small" in origin.small([], []).data


def test_what_is_recorded_is_said_in_a_sentence_each():
    text = small_tables.conclusion(FOUND, EXAMINED).data
    assert "Open" not in text and text.count("PrivateTest") == 2
    assert "older than the code" in origin.small(OURS, [FORMATS]).data


def test_the_figure_has_a_point_for_each_file_and_for_runs_whose_files_were_not_measured():
    table = small_tables.sizes(FOUND, study(record(), record("improved")), records.peer())
    counts = table["network"].value_counts()
    assert counts["small"] == 10 and counts["shallow"] == 4 and counts["improved"] == 1
    ax = figures.sizes(table, list(records.NETWORKS.values()))
    assert ax.get_xscale() == "log"
    assert sum(len(line.get_xdata()) for line in ax.lines[2:]) == len(table)
