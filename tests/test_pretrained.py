"""AlexNet, CapsNet and VGG16: their records, and what the page says of them. Needs no Keras."""

import pytest
from helpers import EXPLAINED, reseal
from pretraineds import measured, steadiness
from synthetic import record, study

from ferutils import paths
from ferutils.dataset import fer2013
from ferutils.records import examination, provenance
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


def told_of_changed_images(content):
    content["steadiness"] = steadiness().model_dump()


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("capsnet", lambda content: content.update(steadiness=None), "of CapsNet and its twin"),
        ("capsnet-dense", lambda content: content.pop("steadiness"), "of CapsNet and its twin"),
        ("alexnet", told_of_changed_images, "of these alone"),
        ("capsnet", lambda content: content["steadiness"]["changed"].pop(), "other changes"),
        ("capsnet", lambda content: content["steadiness"]["unchanged"].clear(), "answers by"),
    ],
)
def test_capsnet_and_its_twin_alone_have_answers_to_changed_images(tmp_path, name, change, words):
    records.write(measured(name), tmp_path)
    reseal(tmp_path / f"{name}-seed-0.json", change)
    with pytest.raises(ValueError, match=EXPLAINED) as refused:
        records.read_all(tmp_path)
    assert words in str(refused.value)


def test_capsnets_fingerprint_counts_how_images_are_changed_and_alexnets_does_not():
    caps, alex = (records.SHAPING[name][1] for name in ("capsnet", "alexnet"))
    assert "dataset/perturbing" in caps and "dataset/perturbing" not in alex
    every = {records.fingerprint(records.usual(name)) for name in records.NEW}
    assert len(every) == len(records.NEW)


@pytest.mark.parametrize("name", records.CAPSULES)
def test_no_name_of_what_shapes_capsnet_is_defined_twice(name):
    # `code_fingerprint` follows names, so that of two definitions it would see one only.
    roots, modules = records.SHAPING[name]
    texts = [(paths.ROOT / "ferutils" / f"{one}.py").read_text() for one in modules]
    names = [name for text in texts for name in provenance._definitions(text)]
    assert len(names) == len(set(names)) and set(roots) < set(names)


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
    assert len(still_open) == 6 and (still_open == "open").all(axis=None)
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


# ---- changed faces ------------------------------------------------------------------------------


def pair(capsules, twin):
    """Both networks, a run for each number of changed new faces that it answers rightly."""
    return [
        measured(name, seed=seed, right=right)
        for name, some in zip(records.CAPSULES, (capsules, twin))
        for seed, right in enumerate(some)
    ]


def told(found):
    """What the page says of shifts."""
    lines = pretrained_tables.holding_up(found).data.splitlines()
    return next(line for line in lines if "**Shift**" in line)


@pytest.mark.parametrize(
    ("capsules", "twin", "words"),
    [
        (
            (18, 19, 18),
            (12, 13, 12),
            "−15.0 (95\u00a0% interval −18.3 to −11.7): **capsules hold up better**",
        ),
        ((12, 13, 12), (18, 19, 18), "**capsules hold up worse**"),
        ((10, 19, 15), (12, 13, 18), "**no difference shown**"),
    ],
)
def test_three_runs_of_both_say_whether_capsules_hold_up_better(capsules, twin, words):
    found = pair(capsules, twin)
    assert words in told(found)
    text = pretrained_tables.holding_up(found).data
    assert "Open" not in text and text.count("points of accuracy lost") == len(records.CHANGES)


def test_the_accuracy_lost_is_the_mean_over_runs():
    expected = "points of accuracy lost: CapsNet 5.0; CapsNet, dense head 15.0."
    assert expected in told(pair((17, 18, 19), (14, 14, 14)))


@pytest.mark.parametrize("twin", [(12, 13), ()])
def test_fewer_runs_test_nothing(twin):
    text = pretrained_tables.holding_up(pair((18, 19, 18), twin)).data
    assert text.count("Not tested.") == 3 and "capsules hold up" not in text
    assert f"3 of `capsnet` and {len(twin)} of `capsnet-dense`" in text
    assert f"{records.COMMAND} NAME --seed N" in text


def test_without_a_record_what_capsules_hold_up_to_is_open():
    text = pretrained_tables.holding_up(FOUND).data
    assert text.startswith("- **Open**") and text.count("- ") == 1
    costs = pretrained_tables.costs(FOUND)
    assert (costs[["CapsNet", "CapsNet, dense head"]] == "open").all(axis=None)
    axes = pretrained_figures.capsules(pretrained_tables.steps(FOUND))
    assert [[text.get_text() for text in ax.texts] for ax in axes] == [["open"]] * 3
    assert len(axes[0].get_figure().plotted) == len(records.CAPSULES) * len(records.CHANGES)


def test_what_each_change_costs_is_told_beside_the_twin():
    costs = pretrained_tables.costs(pair((18, 18), (12,)))
    assert list(costs["Strength"]) == ["1", "2", "3", "5", "10", "20", "8", "12", "16"]
    assert costs["CapsNet"][0] == "5.0 / 5.0; 10.0\u00a0%"
    assert costs["CapsNet, dense head"][0] == "20.0 / 20.0; 10.0\u00a0%"


def test_the_figure_of_changes_has_a_line_for_each_network_and_a_point_for_each_run():
    axes = pretrained_figures.capsules(pretrained_tables.steps(pair((18, 19, 18), (12, 13))))
    assert [ax.get_title() for ax in axes] == list(records.CHANGES)
    lines, points = axes[0].lines[::2], axes[0].lines[1::2]
    assert [len(line.get_xdata()) for line in lines] == [4, 4]
    assert [len(some.get_xdata()) for some in points] == [4 * 3, 4 * 2]
    assert lines[0].get_ydata()[1] == pytest.approx((18 + 19 + 18) / 3 / 40)
