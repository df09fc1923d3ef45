"""The study file, and which of its runs the report shows. Needs no dataset and no Keras."""

import pytest
from helpers import EXPLAINED
from synthetic import DRAWN, OTHER_COPY, PUBLISHED, made

from ferutils import paths
from ferutils.records import recipes, runs, study
from ferutils.records.study import Entry

SMALL = {split: [10, 2, 10, 17, 12, 8, 12] for split in PUBLISHED.counts}
QUICK = PUBLISHED.model_copy(update={"counts": SMALL})
WHOLE = Entry(part="printed", model="deep", seeds=[0, 1])
PART = Entry(part="printed", model="deep", train_images=7178, seeds=[0])


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "RECORDED_RUNS", tmp_path)
    return tmp_path


def write(folder, note=QUICK, **parameters):
    quick = note.model_copy(update={"counts": SMALL})
    return runs.write(*made(note=quick, **parameters), folder)


def entries(monkeypatch, *every):
    parts = dict.fromkeys((entry.part for entry in every), "what it asks")
    monkeypatch.setattr(study, "load", lambda: study.StudyFile(parts=parts, runs=list(every)))


def written(folder, text):
    path = folder / "runs.yml"
    path.write_text(text)
    return path


# ---- the file -----------------------------------------------------------------------------------


def test_the_studys_file_loads():
    loaded = study.load().runs
    printed = {entry.model_extra["model"] for entry in loaded if entry.part == "printed"}
    assert printed == set(recipes.PAPER)
    for entry in loaded:
        assert [recipe.seed for recipe in entry.recipes] == entry.seeds


def test_the_papers_recipes_come_before_reduced_ones():
    reduced = {}
    for entry in study.load().runs:
        first = entry.recipes[0]
        reduced.setdefault((entry.part, first.model), []).append(first.reduced)
    assert all(found == sorted(found) for found in reduced.values())


def test_no_run_stands_twice():
    every = [(entry.part, recipe) for entry in study.load().runs for recipe in entry.recipes]
    assert len(every) == len(set(every))


@pytest.mark.parametrize(
    "entry",
    [
        "{model: deep, seeds: [0]}",
        "{part: printed, model: deep}",
        "{part: printed, model: deep, seeds: []}",
        "{part: printed, model: deep, seeds: [zero]}",
        "{part: printed, model: deep, seeds: [-1]}",
        "{part: printed, model: deepest, seeds: [0]}",
        "{part: printed, seeds: [0]}",
        "{part: painted, model: deep, seeds: [0]}",
        "{part: printed, model: deep, epoch: 5, seeds: [0]}",
        "{part: printed, model: deep, epochs: 0, seeds: [0]}",
        "{part: printed, model: deep, learning_rate: fast, seeds: [0]}",
        "{part: printed, model: shallow, dropout_dense: 0.5, seeds: [0]}",
        "{part: printed, model: deep, epochs: [1, 0], seeds: [0]}",
        "{part: printed, model: deep, epochs: [], seeds: [0]}",
        "{part: printed, model: deep, seed: 3, seeds: [0]}",
        "{part: printed, model: deep, 1: 2, seeds: [0]}",
        "{part: printed, model: deep, epochs: &a [1], batch_size: *a, seeds: [0]}",
        "{part: printed, model: deep, epochs: " + "[" * 50 + "]" * 50 + ", seeds: [0]}",
        f"{{part: printed, model: deep, epochs: {[*range(999)]}, seeds: {[*range(999)]}}}",
        "deep",
    ],
)
def test_a_bad_entry_is_refused(tmp_path, entry):
    with pytest.raises(ValueError, match=EXPLAINED):
        study.load(written(tmp_path, f"parts: {{printed: As printed}}\nruns:\n  - {entry}\n"))


def test_a_path_that_is_no_such_file_is_refused_without_what_it_holds(tmp_path):
    secret = written(tmp_path, "password of mine")
    large = tmp_path / "large.yml"
    large.write_text("# " + "x" * 2**20)
    unfinished = tmp_path / "unfinished.yml"
    unfinished.write_text("runs: [{model: deep, seeds: [0]")
    for path in (secret, large, unfinished, tmp_path, tmp_path / "absent.yml"):
        with pytest.raises(ValueError, match=EXPLAINED) as refusal:
            study.described(path)
        assert "password" not in str(refusal.value) and str(path) in str(refusal.value), path


def test_lists_stand_for_every_combination_with_every_seed(tmp_path):
    parameters = "model: deep, hidden_neurons: [16, 32], learning_rate: [0.1, 1e-2], seeds: [3, 4]"
    expected = [
        recipes.make(model="deep", hidden_neurons=n, learning_rate=rate, seed=seed)
        for n in (16, 32) for rate in (0.1, 0.01) for seed in (3, 4)
    ]  # fmt: skip
    assert study.described(written(tmp_path, f"runs: [{{{parameters}}}]")) == expected


def test_a_recipe_that_is_described_twice_is_one_run(tmp_path):
    text = "runs: [{model: shallow, hidden_neurons: [1024, null], seeds: [0]}]"
    assert study.described(written(tmp_path, text)) == [recipes.make(model="shallow")]


def test_a_file_without_parts_has_runs_without_part(tmp_path):
    named = "runs: [{part: printed, model: deep, seeds: [0]}]"
    with pytest.raises(ValueError, match=EXPLAINED):
        study.load(written(tmp_path, named))


# ---- what is shown ------------------------------------------------------------------------------


def test_the_first_entry_with_a_record_is_shown(folder, monkeypatch):
    entries(monkeypatch, WHOLE, PART)
    assert study.read().by_model["deep"] == []
    write(folder, model="deep", train_images=7178)
    assert [record.recipe.train_images for record in study.read().by_model["deep"]] == [7178]
    write(folder, model="deep", seed=1)
    assert [record.recipe.seed for record in study.read().by_model["deep"]] == [1]


def test_records_stand_in_the_order_of_the_seeds(folder, monkeypatch):
    entries(monkeypatch, Entry(part="printed", model="shallow", seeds=[2, 0, 1]))
    for seed in (0, 1, 2):
        write(folder, seed=seed)
    assert [record.recipe.seed for record in study.read().by_model["shallow"]] == [2, 0, 1]


def test_a_run_outside_the_study_is_not_shown(folder, monkeypatch):
    entries(monkeypatch, Entry(part="printed", model="shallow", seeds=[0]))
    write(folder, batch_size=32)
    write(folder, seed=7)
    assert study.read().record("shallow") is None


@pytest.mark.parametrize("note", [DRAWN, OTHER_COPY], ids=["drawn faces", "a differing copy"])
def test_a_run_on_another_dataset_is_not_shown(folder, monkeypatch, note):
    entries(monkeypatch, Entry(part="printed", model="shallow", seeds=[0]))
    write(folder, note=note)
    assert study.read().by_model["shallow"] == []
    write(folder)
    assert [record.run.dataset.name for record in study.read().by_model["shallow"]] == ["fer2013"]


def test_parts_are_kept_apart(folder, monkeypatch):
    augmented = {"model": "shallow", "augmentation": "generator"}
    entries(
        monkeypatch,
        Entry(part="printed", model="shallow", seeds=[0]),
        Entry(part="augmentation", seeds=[0], **augmented),
    )
    write(folder, **augmented)
    assert study.read().record("shallow") is None
    (other,) = study.read().part("augmentation")
    assert [record.recipe.augmentation for record in other.records] == ["generator"]


def test_every_model_is_there_even_without_records(folder):
    assert study.read().by_model == {"shallow": [], "improved": [], "deep": []}
    assert study.read().records == []


def test_a_study_is_reduced_where_one_run_is(folder, monkeypatch):
    entries(monkeypatch, Entry(part="printed", model="shallow", seeds=[0]), PART)
    write(folder)
    write(folder, model="deep", train_images=7178)
    shown = study.read()
    assert shown.reduced("deep")
    assert shown.reduced("shallow", "deep")
    assert not shown.reduced("shallow", "improved")
    assert not shown.reduced()


# ---- for the pages ------------------------------------------------------------------------------


def test_the_page_of_a_model_shows_its_first_recorded_run(folder, monkeypatch):
    entries(monkeypatch, WHOLE, PART)
    assert study.page_options("deep") == ""
    write(folder, model="deep", train_images=7178)
    assert study.page_options("deep") == "-p train_images 7178"
    write(folder, model="deep", seed=1)
    assert study.page_options("deep") == "-p seed 1"
    write(folder, model="deep", seed=0)
    assert study.page_options("deep") == ""


def test_the_counts_are_those_that_the_runs_saw(folder, monkeypatch):
    entries(monkeypatch, Entry(part="printed", model="shallow", seeds=[0]))
    with pytest.raises(ValueError, match=EXPLAINED):
        study.counts()
    write(folder)
    assert study.counts() == SMALL
