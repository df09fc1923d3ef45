"""Run records: written whole, read back checked; and every record of the report."""

import functools
import hashlib
import io
import math
import shutil
import stat
import tracemalloc
import zipfile

import numpy as np
import pandas as pd
import pytest
from helpers import (
    COLUMNS,
    EXPLAINED,
    correct,
    cross_entropy,
    each,
    fabricated,
    log_softmax,
    reseal,
    small_dataset,
    small_recipe,
)

from ferutils import paths, storage
from ferutils.dataset import fer2013
from ferutils.records import keeping, recipes, runs

FILES = ("history.csv", "predictions.npz", "run.json")


@pytest.fixture(scope="module")
def note():
    return runs.note(small_dataset())


@pytest.fixture
def made(note):
    return fabricated(small_recipe(), note)


@pytest.fixture
def folder(made, tmp_path):
    return runs.write(*made, tmp_path / "runs")


def edit(folder, change):
    """Change the content of run.json, so that only what it says can be refused."""
    reseal(folder / "run.json", change)


def replace(path, old, new):
    """Change a file as a person with an editor would."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def forge(folder, name, content):
    """Replace a file and its checksum, so that only what it holds can be refused."""
    (folder / name).write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    edit(folder, lambda run: run["checksums"].update({name: digest}))


def packed(**arrays):
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def contents(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


# Writing and reading


def test_a_record_is_read_back_as_it_was_written(made, folder):
    run, history, predictions = made
    record = runs.read(folder)
    assert folder.name == run.id
    assert record.run.model_copy(update={"checksums": {}}) == run
    assert record.recipe == run.recipe
    pd.testing.assert_frame_equal(record.history, history)
    assert list(record.predictions) == list(runs.HELD_OUT)
    for split, one in record.predictions.items():
        assert one.labels.dtype == np.uint8
        assert one.log_probabilities.dtype == np.float32
        np.testing.assert_array_equal(one.labels, predictions[split].labels)
        np.testing.assert_array_equal(one.predicted, predictions[split].predicted)
        np.testing.assert_allclose(
            one.log_probabilities, predictions[split].log_probabilities, rtol=1e-3
        )


def test_the_metrics_are_the_same_from_the_stored_probabilities(folder):
    record = runs.read(folder)
    for split, one in record.predictions.items():
        score = record.run.scores[split]
        assert correct(one) == round(score.accuracy * score.images)
        assert cross_entropy(one) == pytest.approx(score.loss, abs=2e-3)


def test_a_record_is_three_small_readable_files(folder):
    assert sorted(contents(folder)) == list(FILES)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755
    assert (folder / "run.json").read_text().count("\n") > 20  # one fact a line, for git


def test_writing_leaves_nothing_beside_the_record(folder):
    assert list(folder.parent.iterdir()) == [folder]


def test_the_same_run_makes_the_same_files(made, folder, tmp_path):
    assert contents(runs.write(*made, tmp_path / "again")) == contents(folder)


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_training_that_diverged_can_be_recorded(made, tmp_path, loss):
    run, history, predictions = made
    score = runs.Scores(loss=loss, accuracy=1 / 7, images=21)
    run = run.model_copy(update={"scores": run.scores | {"PublicTest": score}})
    history.loc[0, "validation_loss"] = loss
    record = runs.read(runs.write(run, history, predictions, tmp_path))
    np.testing.assert_equal(record.run.scores["PublicTest"].loss, loss)
    np.testing.assert_equal(record.history["validation_loss"][0], loss)


def test_a_finished_record_is_not_overwritten(made, folder):
    before = contents(folder)
    run, history, predictions = made
    later = run.model_copy(update={"kept_epoch": 1})
    assert runs.write(later, history * 2, predictions, folder.parent) == folder
    assert contents(folder) == before
    assert list(folder.parent.iterdir()) == [folder]


def test_an_unfinished_record_is_replaced(made, folder):
    (folder / "run.json").unlink()
    (folder / "stale").write_text("half")
    runs.write(*made, folder.parent)
    assert sorted(contents(folder)) == list(FILES)


@pytest.mark.parametrize("at", range(len(FILES)))
@pytest.mark.parametrize("failure", [OSError("no space left"), KeyboardInterrupt()])
def test_a_failure_while_writing_leaves_nothing_behind(made, tmp_path, monkeypatch, at, failure):
    written, write_through = [], runs._write_through

    def failing(path, content):
        written.append(path)
        if len(written) > at:
            path.write_bytes(content[:10])
            raise failure
        write_through(path, content)

    monkeypatch.setattr(runs, "_write_through", failing)
    with pytest.raises(type(failure)):
        runs.write(*made, tmp_path)
    assert len(written) == at + 1
    assert list(tmp_path.iterdir()) == []


def test_run_json_is_written_last(made, tmp_path, monkeypatch):
    written, write_through = [], runs._write_through

    def watching(path, content):
        written.append(path.name)
        write_through(path, content)

    monkeypatch.setattr(runs, "_write_through", watching)
    runs.write(*made, tmp_path)
    assert written[-1] == "run.json"


# Rounding


def rounding_cases():
    """Log-probabilities at random, of every spread, and with near ties of crafted widths."""
    random = np.random.default_rng(0)
    for spread in (1e-6, 1e-3, 0.1, 1, 5, 30):
        yield log_softmax(random.normal(0, spread, (2000, 7)))
    for gap in (1e-7, 1e-5, 1e-4, 5e-4, 2e-3):
        logits = random.normal(0, 3, (2000, 7))
        highest = logits.max(axis=1)
        for row, top in enumerate(highest):
            tied = random.choice(7, size=random.integers(2, 8), replace=False)
            logits[row, tied] = top + gap * random.permutation(len(tied))
        yield log_softmax(logits)
    exactly = np.round(random.normal(0, 2, (2000, 7)))
    yield log_softmax(exactly)
    yield np.full((1, 7), np.log(1 / 7))


@pytest.mark.parametrize("exact", list(rounding_cases()))
def test_rounding_keeps_every_predicted_label(exact):
    rounded = keeping.to_float16(exact)
    assert rounded.dtype == np.float16
    np.testing.assert_array_equal(rounded.argmax(axis=1), exact.argmax(axis=1))
    assert (rounded <= 0).all()
    step = np.abs(np.spacing(exact.astype(np.float16)).astype(np.float64))
    assert (np.abs(rounded.astype(np.float64) - exact) <= 1.5 * step + 1e-9).all()


def test_rounding_changes_no_other_value():
    exact = log_softmax(np.random.default_rng(1).normal(0, 1e-4, (500, 7)))
    rounded, plain = keeping.to_float16(exact), exact.astype(np.float16)
    winner = exact.argmax(axis=1)[:, None] == np.arange(7)
    np.testing.assert_array_equal(rounded[~winner], plain[~winner])
    assert (rounded != plain).any()  # else there was no tie to break


# Damage

DAMAGES = {
    "predictions cut off": lambda f: cut(f / "predictions.npz"),
    "history cut off": lambda f: cut(f / "history.csv"),
    "description cut off": lambda f: cut(f / "run.json"),
    "predictions emptied": lambda f: (f / "predictions.npz").write_bytes(b""),
    "history emptied": lambda f: (f / "history.csv").write_bytes(b""),
    "description emptied": lambda f: (f / "run.json").write_bytes(b""),
    "predictions missing": lambda f: (f / "predictions.npz").unlink(),
    "history missing": lambda f: (f / "history.csv").unlink(),
    "description missing": lambda f: (f / "run.json").unlink(),
    "a bit flipped": lambda f: flip(f / "predictions.npz"),
    "history edited": lambda f: (f / "history.csv").write_text(
        (f / "history.csv").read_text().replace("0.", "0.9", 1)
    ),
    "description no JSON": lambda f: (f / "run.json").write_text("id: shallow"),
    "description a list": lambda f: (f / "run.json").write_text("[]"),
    "description no text": lambda f: (f / "run.json").write_bytes(b"\xff\xfe\x00"),
    "unknown key": lambda f: edit(f, lambda run: run.update(note="mine")),
    "unknown key inside": lambda f: edit(f, lambda run: run["cost"].update(euros=3)),
    "unknown parameter": lambda f: edit(f, lambda run: run["recipe"].update(epoch=3)),
    "missing key": lambda f: edit(f, lambda run: run.pop("scores")),
    "impossible accuracy": lambda f: edit(
        f, lambda run: run["scores"]["PublicTest"].update(accuracy=61)
    ),
    "other seed": lambda f: edit(f, lambda run: run["recipe"].update(seed=9)),
    "other dataset": lambda f: edit(
        f, lambda run: run["dataset"]["fingerprints"].update(Training="0" * 64)
    ),
    "other id": lambda f: edit(f, lambda run: run.update(id="shallow-000000000000")),
    "no checksums": lambda f: edit(f, lambda run: run.pop("checksums")),
    "a checksum less": lambda f: edit(f, lambda run: run["checksums"].pop("history.csv")),
    "any number edited": lambda f: replace(f / "run.json", '_second": 1', '_second": 2'),
    "no sum": lambda f: replace(f / "run.json", storage.SUM, "sum"),
    "a key twice": lambda f: replace(f / "run.json", "{", '{"kept_epoch": 1,'),
    "megabytes of blanks": lambda f: replace(f / "run.json", "{", "{" + " " * 2**24),
    "brackets without end": lambda f: (f / "run.json").write_text("[" * 10**6),
    "a kept epoch that was not trained": lambda f: edit(f, lambda run: run.update(kept_epoch=99)),
    "a negative time": lambda f: edit(f, lambda run: run["cost"].update(wall_seconds=-1.0)),
    "a time that is no number": lambda f: edit(
        f, lambda run: run["cost"].update(wall_seconds="NaN")
    ),
    "an accuracy that its answers do not give": lambda f: edit(
        f, lambda run: run["scores"]["PrivateTest"].update(accuracy=0.9)
    ),
    "a loss that its answers do not give": lambda f: edit(
        f, lambda run: run["scores"]["PublicTest"].update(loss=0.1)
    ),
    "more images than there are": lambda f: edit(
        f, lambda run: run["scores"]["Training"].update(images=10**5)
    ),
    "a split less": lambda f: edit(f, lambda run: run["scores"].pop("Training")),
    "more weights trained than there are": lambda f: edit(
        f, lambda run: run["layers"].append(LAYER | {"trainable_parameters": 1})
    ),
    "a checksum more": lambda f: edit(f, lambda run: run["checksums"].update({"../x": "0" * 64})),
}


def cut(path):
    path.write_bytes(path.read_bytes()[:-20])


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_record_is_refused(folder, damage):
    DAMAGES[damage](folder)
    with pytest.raises(ValueError, match=EXPLAINED) as refusal:
        runs.read(folder)
    assert folder.name in str(refusal.value)


def test_a_renamed_record_is_refused(folder):
    other = folder.rename(folder.with_name("shallow-0123456789ab"))
    with pytest.raises(ValueError, match=EXPLAINED) as refusal:
        runs.read(other)
    assert folder.name in str(refusal.value)
    assert other.name in str(refusal.value)


def test_a_folder_without_a_description_is_an_unfinished_run(tmp_path):
    (tmp_path / "shallow-0123456789ab").mkdir()
    with pytest.raises(ValueError, match=r"Expected a finished record.*Received: nothing"):
        runs.read(tmp_path / "shallow-0123456789ab")


class Intruder:
    """An object whose unpickling leaves a trace."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_predictions_with_pickled_objects_are_refused(folder, tmp_path):
    with np.load(folder / "predictions.npz") as stored:
        arrays = dict(stored)
    trace = tmp_path / "unpickled"
    arrays["PublicTest_labels"] = np.array([Intruder(trace)], dtype=object)
    forge(folder, "predictions.npz", packed(**arrays))
    with pytest.raises(ValueError, match=EXPLAINED):
        runs.read(folder)
    assert not trace.exists()


FORGERIES = {
    "a split missing": lambda a: a.pop("PrivateTest_labels"),
    "an array more": lambda a: a.update(notes=np.zeros(3)),
    "labels as dates": lambda a: a.update(PublicTest_labels=a["PublicTest_labels"].astype("M8[s]")),
    "a label too high": lambda a: a["PublicTest_labels"].fill(7),
    "answers of double size": lambda a: a.update(
        PublicTest_log_probabilities=a["PublicTest_log_probabilities"].astype(float)
    ),
    "six classes": lambda a: a.update(
        PublicTest_log_probabilities=a["PublicTest_log_probabilities"][:, :6]
    ),
    "fewer rows than labels": lambda a: a.update(
        PublicTest_log_probabilities=a["PublicTest_log_probabilities"][:-1]
    ),
    "an image less than scored": lambda a: a.update(
        PublicTest_log_probabilities=a["PublicTest_log_probabilities"][:-1],
        PublicTest_labels=a["PublicTest_labels"][:-1],
    ),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_predictions_of_another_form_are_refused(folder, forgery):
    with np.load(folder / "predictions.npz") as stored:
        arrays = dict(stored)
    FORGERIES[forgery](arrays)
    forge(folder, "predictions.npz", packed(**arrays))
    with pytest.raises(ValueError, match=EXPLAINED):
        runs.read(folder)


def lying(shape, size):
    """An archive of PublicTest_labels, whose header says another shape than it has."""
    header = io.BytesIO()
    described = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, described)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for split in runs.HELD_OUT:
            file.writestr(f"{split}_labels.npy", header.getvalue() + bytes(size))
            file.writestr(f"{split}_log_probabilities.npy", header.getvalue())
    return archive.getvalue()


@pytest.mark.parametrize(("shape", "size"), [((10**12,), 0), ((21,), 10**8), ((21,), 3)])
def test_a_header_that_lies_costs_no_memory(folder, shape, size):
    forge(folder, "predictions.npz", lying(shape, size))
    tracemalloc.start()
    with pytest.raises(ValueError, match=EXPLAINED):
        runs.read(folder)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10**7


@pytest.mark.parametrize("content", [b"no archive", b""])
def test_predictions_that_are_no_archive_are_refused(folder, content):
    forge(folder, "predictions.npz", content)
    with pytest.raises(ValueError, match=EXPLAINED):
        runs.read(folder)


@pytest.mark.parametrize("content", [b"epoch\n1\n", b"", b"a,b\n1,2,3\n1,2\n"])
def test_a_history_of_another_form_is_refused(folder, content):
    forge(folder, "history.csv", content)
    with pytest.raises(ValueError, match=EXPLAINED):
        runs.read(folder)


MARKUP = [
    "<script>alert(1)</script>",
    "[x](javascript:alert)",
    "`; rm -rf ~`",
    "{raw}",
    "a | b",
    "\x1b[2J",
    "two\nlines",
]
LAYER = {"name": "", "type": "", "output_shape": [1], "parameters": 0, "trainable_parameters": 0}
# Where a record holds words that nothing else decides.
WORDED = [
    lambda run, text: run["environment"].update(device=text),
    lambda run, text: run["environment"].update(backend=text),
    lambda run, text: run["environment"].update(system=text),
    lambda run, text: run["environment"]["versions"].update(keras=text),
    lambda run, text: run["environment"]["versions"].update({text: "1"}),
    lambda run, text: run["dataset"].update(name=text),
    lambda run, text: run["dataset"]["differences"].append(text),
    lambda run, text: run["layers"].append(LAYER | {"name": text}),
    lambda run, text: run["layers"].append(LAYER | {"type": text}),
    lambda run, text: run["code"].update(commit=text),
    lambda run, text: run["code"].update(fingerprint=text),
]


@pytest.mark.parametrize("text", MARKUP)
@pytest.mark.parametrize("put", WORDED)
def test_a_record_brings_no_markup_into_a_page(folder, put, text):
    edit(folder, lambda run: put(run, "A processor (R), 2.5 GHz & more"))
    runs.read(folder)
    edit(folder, lambda run: put(run, text))
    with pytest.raises(ValueError, match=EXPLAINED):
        runs.read(folder)


@pytest.mark.parametrize("text", [*MARKUP, "Card [rev a1]\t(2)"])
def test_a_name_of_the_machine_becomes_words_that_a_record_holds(text):
    words = runs.words(text)
    assert runs.Layer.model_validate(LAYER | {"name": words}).name == words
    assert runs.words("Card [rev a1]\t(2)") == "Card rev a1 (2)"


# Finding


def test_a_record_is_found_by_its_id(folder, tmp_path):
    assert runs.find(folder.name, [tmp_path, folder.parent]).run.id == folder.name
    assert runs.find(folder.name, [tmp_path]) is None


def test_the_reports_own_records_come_first(made, tmp_path, monkeypatch):
    run, history, predictions = made
    older = run.model_copy(update={"kept_epoch": 1})
    monkeypatch.setattr(paths, "RECORDED_RUNS", tmp_path / "report")
    monkeypatch.setenv("FERUTILS_RUNS", str(tmp_path / "new"))
    assert runs.find(run.id) is None
    runs.write(run, history, predictions, tmp_path / "new")
    assert runs.find(run.id).run.kept_epoch == 2
    runs.write(older, history, predictions, tmp_path / "report")
    assert runs.find(run.id).run.kept_epoch == 1


def test_an_unfinished_record_is_not_found(folder):
    (folder / "run.json").unlink()
    assert runs.find(folder.name, [folder.parent]) is None


def test_a_damaged_record_is_not_passed_over(folder):
    cut(folder / "history.csv")
    with pytest.raises(ValueError, match=EXPLAINED):
        runs.find(folder.name, [folder.parent])


def test_all_finished_records_are_read_in_the_order_of_their_ids(note, tmp_path):
    written = [
        runs.write(*fabricated(small_recipe(seed=seed), note), tmp_path).name for seed in range(4)
    ]
    shutil.copytree(tmp_path / written[0], tmp_path / f".{written[0]}-tmp")
    (tmp_path / written[3] / "run.json").unlink()
    assert [record.run.id for record in runs.read_all(tmp_path)] == sorted(written[:3])
    assert runs.read_all(tmp_path / "nowhere") == []


def test_the_other_seeds_of_a_run_are_found(note, tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "RECORDED_RUNS", tmp_path / "report")
    monkeypatch.setenv("FERUTILS_RUNS", str(tmp_path / "new"))
    other = note.model_copy(update={"fingerprints": note.fingerprints | {"Training": "0" * 64}})
    for place, recipe, dataset in [
        ("report", small_recipe(seed=2), note),
        ("report", small_recipe(seed=0), note),
        ("report", small_recipe(seed=3, epochs=1), note),
        ("new", small_recipe(seed=1), note),
        ("new", small_recipe(seed=4), other),
    ]:
        runs.write(*fabricated(recipe, dataset), tmp_path / place)
    record = runs.find(recipes.run_id(small_recipe(), note.fingerprints))
    assert [one.recipe.seed for one in runs.seeds_of(record)] == [0, 1, 2]


def test_of_the_other_seeds_a_damaged_record_is_refused(note, tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "RECORDED_RUNS", tmp_path)
    monkeypatch.setenv("FERUTILS_RUNS", str(tmp_path / "new"))
    first, second, longer = (
        runs.write(*fabricated(recipe, note), tmp_path)
        for recipe in (small_recipe(), small_recipe(seed=1), small_recipe(epochs=3))
    )
    cut(longer / "predictions.npz")  # of a run that does not belong to them
    assert len(runs.seeds_of(runs.read(first))) == 2
    cut(second / "predictions.npz")
    with pytest.raises(ValueError, match=EXPLAINED):
        runs.seeds_of(runs.read(first))


def test_of_two_records_of_a_seed_the_reports_own_counts(made, tmp_path, monkeypatch):
    run, history, predictions = made
    monkeypatch.setattr(paths, "RECORDED_RUNS", tmp_path / "report")
    monkeypatch.setenv("FERUTILS_RUNS", str(tmp_path / "new"))
    runs.write(run, history, predictions, tmp_path / "new")
    runs.write(run.model_copy(update={"kept_epoch": 1}), history, predictions, tmp_path / "report")
    assert [one.run.kept_epoch for one in runs.seeds_of(runs.find(run.id))] == [1]


def test_new_records_go_to_the_cache_unless_told_otherwise(tmp_path, monkeypatch):
    monkeypatch.setenv("FERUTILS_CACHE", str(tmp_path))
    monkeypatch.delenv("FERUTILS_RUNS", raising=False)
    assert paths.new_runs() == tmp_path / "runs"
    monkeypatch.setenv("FERUTILS_RUNS", str(tmp_path / "other"))
    assert paths.new_runs() == tmp_path / "other"


# The report's records

# A study that is at work, or was killed, has an empty folder for its run.
RECORDED = sorted(
    folder
    for folder in paths.RECORDED_RUNS.glob("[!.]*")
    if folder.is_dir() and any(folder.iterdir())
)


@functools.cache
def every():
    return [runs.read(folder) for folder in RECORDED]


every_record = each("recorded", every, lambda record: record.run.id)


@every_record
def test_recorded_the_id_follows_from_recipe_and_dataset(recorded):
    run = recorded.run
    assert run.id == recipes.run_id(run.recipe, run.dataset.fingerprints)


@every_record
def test_recorded_the_dataset_is_the_published_one(recorded):
    dataset = recorded.run.dataset
    assert dataset.name == "fer2013"
    assert dataset.fingerprints == fer2013.published_fingerprints()
    assert dataset.counts == {split: fer2013.FER2013[split]["counts"] for split in fer2013.SPLITS}
    assert dataset.differences == []


@every_record
def test_recorded_metrics_equal_what_keras_reported(recorded):
    for split, one in recorded.predictions.items():
        score = recorded.run.scores[split]
        assert len(one.labels) == score.images
        assert score.accuracy * score.images == pytest.approx(correct(one), abs=0.01)
        assert cross_entropy(one) == pytest.approx(score.loss, abs=2e-3)


@every_record
def test_recorded_probabilities_are_probabilities(recorded):
    for one in recorded.predictions.values():
        assert (one.log_probabilities <= 0).all()
        totals = np.exp(one.log_probabilities.astype(float)).sum(axis=1)
        np.testing.assert_allclose(totals, 1, atol=2e-3)


@every_record
def test_recorded_images_are_those_that_the_recipe_asks_for(recorded):
    recipe, counts = recorded.recipe, recorded.run.dataset.counts
    asked = {"Training": recipe.train_images} | dict.fromkeys(
        runs.HELD_OUT, recipe.evaluation_images
    )
    for split, number in asked.items():
        assert recorded.run.scores[split].images == (number or sum(counts[split]))
    for split, one in recorded.predictions.items():
        if recipe.evaluation_images is None:
            assert np.bincount(one.labels, minlength=7).tolist() == counts[split]


@every_record
def test_recorded_history_has_a_row_per_epoch(recorded):
    history = recorded.history
    assert tuple(history.columns) == COLUMNS
    assert history["epoch"].tolist() == list(range(1, recorded.recipe.epochs + 1))
    assert np.isfinite(history[list(runs.HISTORY_COLUMNS)].to_numpy(float)).all()
    assert (history[["training_seconds", "validation_seconds"]] > 0).all(axis=None)
    assert 1 <= recorded.run.kept_epoch <= recorded.recipe.epochs


@every_record
def test_recorded_scores_and_costs_are_finite(recorded):
    assert set(recorded.run.scores) == set(fer2013.SPLITS)
    for score in recorded.run.scores.values():
        assert math.isfinite(score.loss) and score.loss > 0
    cost = recorded.run.cost
    assert min(cost.wall_seconds, cost.images_per_second, cost.peak_memory_bytes) > 0


@every_record
def test_recorded_the_followed_scores_are_those_of_the_kept_epoch(recorded):
    followed = recorded.recipe.validation_split
    names = runs.HELD_OUT if followed == "both" else [followed]
    right = sum(correct(recorded.predictions[name]) for name in names)
    images = sum(recorded.run.scores[name].images for name in names)
    row = recorded.history[recorded.history["epoch"] == recorded.run.kept_epoch].iloc[0]
    assert row["validation_accuracy"] * images == pytest.approx(right, abs=0.01)


@every_record
def test_recorded_no_path_of_a_machine_is_named(recorded):
    text = recorded.run.model_dump_json()
    assert '"/' not in text
    assert ":\\" not in text
    assert recorded.run.code.commit is None or len(recorded.run.code.commit) == 40
