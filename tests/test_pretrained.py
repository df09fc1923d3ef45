"""AlexNet and VGG16: their records, and what the page says of them. Needs no Keras."""

import pytest
from helpers import EXPLAINED, reseal
from pretraineds import measured
from synthetic import record, study

from ferutils.dataset import fer2013
from ferutils.records import examination
from ferutils.records import pretrained as records
from ferutils.report import origin, pretrained_figures, pretrained_tables

EXAMINED = examination.read()
NAME = "random-vgg16-frozen-seed-0"


# ---- records ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", records.NAMES)
def test_a_record_is_read_as_it_was_written(tmp_path, name):
    found = measured(name, wrong=3, seed=2)
    records.write(found, tmp_path)
    assert records.read_all(tmp_path) == [found]
    assert [file.name for file in tmp_path.iterdir()] == [f"{name}-seed-2.json"]


def test_records_come_in_the_order_of_networks_and_seeds(tmp_path):
    for found in (measured("alexnet"), measured(seed=10), measured(), measured("hed-vgg16-frozen")):
        records.write(found, tmp_path)
    assert [one.name for one in records.read_all(tmp_path)] == [
        "hed-vgg16-frozen-seed-0", NAME, "random-vgg16-frozen-seed-10", "alexnet-seed-0",
    ]  # fmt: skip


def without_an_answer(content):
    content["answers"]["PublicTest"] = content["answers"]["PublicTest"][1:]


def with_an_eighth_emotion(content):
    content["answers"]["PublicTest"] = "7" + content["answers"]["PublicTest"][1:]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (without_an_answer, "each held-out image"),
        (with_an_eighth_emotion, "pattern"),
        (lambda content: content.update(head=None), "a linear classifier on frozen features"),
        (lambda content: content["recipe"].update(epochs=2, learning_rate=0.1), "not frozen"),
        (lambda content: content["recipe"].update(way="from scratch"), "random-vgg16, from"),
        (lambda content: content["recipe"].update(seed=1), "the record random-vgg16-frozen-seed-1"),
        (lambda content: content.update(begun_from="0" * 64), "the file of the weights"),
        (lambda content: content["head"].update(block=6), "head.block"),
        (lambda content: content.update(unknown=1), "unknown"),
    ],
)
def test_a_record_that_cannot_be_is_refused(tmp_path, change, words):
    records.write(measured(), tmp_path)
    reseal(tmp_path / f"{NAME}.json", change)
    with pytest.raises(ValueError, match=EXPLAINED) as refused:
        records.read_all(tmp_path)
    assert words in str(refused.value) and records.COMMAND in str(refused.value)


def test_a_trained_network_has_its_history_by_epoch(tmp_path):
    records.write(measured("alexnet", epochs=2), tmp_path)
    reseal(tmp_path / "alexnet-seed-0.json", lambda content: content["history"].pop())
    with pytest.raises(ValueError, match="1 epochs, not 2"):
        records.read_all(tmp_path)


def test_an_edited_record_is_refused(tmp_path):
    records.write(measured(), tmp_path)
    path = tmp_path / f"{NAME}.json"
    path.write_text(path.read_text().replace('"block": 4', '"block": 5'))
    with pytest.raises(ValueError, match="its sum"):
        records.read_all(tmp_path)


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("vgg19", {}),
        ("alexnet", {"epochs": 0}),
        ("hed-vgg16-frozen", {"epochs": 3, "learning_rate": 0.1}),
        ("alexnet", {"seed": -1}),
        ("alexnet", {"shift": 48}),
    ],
)
def test_an_impossible_recipe_is_refused(name, given):
    with pytest.raises(ValueError, match=EXPLAINED):
        records.usual(name, **given)


def test_what_is_recorded_is_of_the_published_dataset_and_of_todays_code():
    for one in records.read_all():
        assert one.dataset.fingerprints == fer2013.published_fingerprints()
        assert one.is_current


# ---- the page -----------------------------------------------------------------------------------

FOUND = [measured("hed-vgg16-frozen", 300), measured(wrong=600), measured(wrong=800, seed=1)]
FOUND += [measured("alexnet", wrong=500)]
MEASURED = pretrained_tables.accuracies(FOUND, study(record(), record("improved")), EXAMINED)


def test_accuracies_are_those_of_all_faces_and_of_new_ones():
    hed = MEASURED[MEASURED["network"] == "HED-VGG16, frozen"]
    values = hed.set_index(["split", "faces"])["accuracy_share"]
    assert values["PrivateTest", "all faces"] == 1 - 300 / 3589
    known = EXAMINED.near_in_training["PrivateTest"]
    wrong = 300 - sum(place < 300 for place in known)
    assert values["PrivateTest", "new faces"] == pytest.approx(1 - wrong / (3589 - len(known)))
    assert (MEASURED["interval_low_share"] < MEASURED["accuracy_share"]).all()
    assert (MEASURED["accuracy_share"] < MEASURED["interval_high_share"]).all()


def test_the_table_has_a_row_for_each_network_recorded_or_open():
    table = pretrained_tables.table(MEASURED, FOUND).set_index("Network")
    assert list(table.index) == [
        *map(pretrained_tables.title, records.NAMES),
        "shallow",
        "improved",
    ]
    still_open = table[table["Runs"] == "open"]
    assert len(still_open) == 4 and (still_open == "open").all(axis=None)
    control = table.loc["random VGG16, frozen"]
    assert (
        control["Runs"] == "2"
        and control["PrivateTest"].startswith("80.5")
        and ("±" in control["PrivateTest"])
    )
    assert table.loc["AlexNet", "Trained"] == "all weights, 10 epochs"
    assert table.loc["AlexNet", "PrivateTest"].startswith("86.1\u00a0% (")


def test_what_was_chosen_is_told_of_frozen_networks_alone():
    table = pretrained_tables.choices(FOUND)
    assert list(table["Seed"]) == ["0", "0", "1"]
    assert set(table["Block"]) == {"4"} and set(table["PublicTest"]) == {"40.0\u00a0%"}
    assert list(pretrained_tables.choices([])) == list(table)


def test_the_conclusion_names_each_network_and_what_is_open():
    text = pretrained_tables.conclusion(MEASURED, FOUND).data
    assert text.count("PrivateTest") == 3 + 1
    assert "The paper's most accurate network" in text
    assert "`hed-vgg16-fine-tuned`, " in text and "`random-vgg16-frozen`" not in text
    assert "measure pretrained NAME" in text
    nothing = pretrained_tables.accuracies([], study(), EXAMINED)
    alone = pretrained_tables.conclusion(nothing, []).data
    assert alone.count("- ") == 1 and "`alexnet`" in alone


def test_the_page_tells_how_to_repeat_each_record():
    text = origin.pretrained(FOUND).data
    assert "measure pretrained random-vgg16-frozen --seed 1`" in text
    assert "older than the code" in text and "hed-vgg16: a file with the SHA-256 `00000000`" in text
    assert records.COMMAND in origin.pretrained([]).data


def test_the_figure_has_a_point_and_an_interval_for_each_run():
    axes = pretrained_figures.accuracies(MEASURED)
    assert [ax.get_title() for ax in axes] == ["PublicTest", "PrivateTest"]
    drawn = sum(len(line.get_xdata()) for ax in axes for line in ax.lines)
    assert drawn == len(MEASURED)
    assert sum(len(some.get_segments()) for ax in axes for some in ax.collections) == len(MEASURED)
