"""Networks for a phone: their records, and what the page says of them. Needs no dataset."""

import pytest
from helpers import EXPLAINED, reseal
from phones import RUN, files, installed, recipe, trained, work_in
from synthetic import PUBLISHED, record, study

from ferutils.dataset import fer2013
from ferutils.records import examination
from ferutils.records import small as records
from ferutils.records.small import FORMS, MIRRORED, Formats
from ferutils.report import origin, small_figures, small_tables

EXAMINED = examination.read()


FORMATS = Formats(run=RUN.id, files=files(PUBLISHED, 5, FORMS))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    return work_in(tmp_path, monkeypatch)


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
    assert records.read_all() == (ours, [FORMATS])
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


def test_what_is_recorded_is_of_the_published_dataset_and_under_its_limit():
    ours, papers = records.read_all()
    for one in (*ours, *papers):
        assert one.files.dataset.fingerprints == fer2013.published_fingerprints()
    for one in ours:
        smallest = max(one.files.forms[name].bytes for name in ("int8", MIRRORED))
        assert smallest < records.NETWORKS[one.recipe.network]


# ---- the page -----------------------------------------------------------------------------------

OURS = [trained("small", PUBLISHED, 100), trained("small", PUBLISHED, 300, seed=1)]
OURS += [trained("tiny", PUBLISHED, 500, teachers=("small-seed-0",))]
FOUND = small_tables.groups(OURS, [FORMATS])
INSTALLED = installed(PUBLISHED, 200)


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
    text = small_tables.conclusion(nothing, INSTALLED, EXAMINED).data
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
    text = small_tables.conclusion(FOUND, INSTALLED, EXAMINED).data
    assert "Open" not in text and text.count("PrivateTest") == 3
    assert "fer, int8" in text and "1,000 bytes" in text
    assert "older than the code" in origin.small(OURS, [FORMATS]).data


def test_the_figure_has_a_point_for_each_file_and_for_runs_whose_files_were_not_measured():
    table = small_tables.sizes(FOUND, study(record(), record("improved")), INSTALLED)
    counts = table["network"].value_counts()
    assert counts["small"] == 10 and counts["shallow"] == 4 and counts["improved"] == 1
    assert counts["fer"] == 2
    ax = small_figures.sizes(table, list(records.NETWORKS.values()))
    assert ax.get_xscale() == "log"
    assert sum(len(line.get_xdata()) for line in ax.lines[2:]) == len(table)
