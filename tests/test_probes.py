"""What is measured of a trained network: its record, tables, figures, and the measuring itself."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner
from helpers import EXPLAINED, small_recipe
from synthetic import PLACES, SUM, answered, looking_at, probed, record, study

from ferutils import cli, paths, storage
from ferutils.dataset.fer2013 import EMOTIONS
from ferutils.records import examination, probes
from ferutils.records.probes import CHANGES
from ferutils.report import probe_figures, probe_tables, prose

# The record


def test_what_was_measured_is_read_as_it_was_written(tmp_path):
    one = probed()
    probes.write(one.probe, tmp_path)
    other = record(model="improved", run={"weights_sha256": SUM})
    assert probes.read([other, one.record], tmp_path) == [one]


def test_what_was_measured_of_other_weights_is_refused(tmp_path):
    one = probed()
    probes.write(one.probe, tmp_path)
    again = record(run={"weights_sha256": "b" * 64})
    with pytest.raises(ValueError, match=EXPLAINED) as refusal:
        probes.read([again], tmp_path)
    assert f"ferutils measure probe {again.run.id}" in str(refusal.value)


def spoilt(**changed):
    return lambda content: content | changed


@pytest.mark.parametrize(
    "spoil",
    [
        spoilt(changed=[]),
        spoilt(unchanged={}),
        spoilt(seed="none"),
        lambda content: content | {"weights": [content["weights"][0] | {"end": -1}] * 2},
        spoilt(weights=[]),
        spoilt(step=5),
        lambda content: content | {"attention": dict(list(content["attention"].items())[:3])},
        lambda content: {
            **content,
            "unchanged": {"PublicTest": content["unchanged"]["PublicTest"] | {"right": 101}}
            | {"PrivateTest": content["unchanged"]["PrivateTest"]},
        },
    ],
    ids=[
        "no changes",
        "no answers",
        "no seed",
        "negative",
        "no kernel",
        "maps of another step",
        "emotions",
        "more than all",
    ],
)
def test_a_damaged_file_is_refused(tmp_path, spoil):
    one = probed()
    content = spoil(json.loads(one.probe.model_dump_json()))
    path = tmp_path / f"{one.record.run.id}.json"
    storage.write_whole(path, storage.sealed(json.dumps(content)))
    with pytest.raises(ValueError, match=EXPLAINED):
        probes.read([one.record], tmp_path)


def test_an_edited_file_is_refused(tmp_path):
    one = probed()
    probes.write(one.probe, tmp_path)
    path = tmp_path / f"{one.record.run.id}.json"
    path.write_text(path.read_text().replace('"right":60', '"right":61', 1))
    with pytest.raises(ValueError, match=EXPLAINED):
        probes.read([one.record], tmp_path)


def test_every_probe_of_the_report_is_of_a_run_that_is_recorded():
    runs = {path.name for path in paths.RECORDED_RUNS.iterdir()}
    assert {path.stem for path in probes.FOLDER.glob("*.json")} <= runs


# Steadiness


def test_lost_accuracy_and_changed_answers_are_told_by_network():
    change = {("noise", 0.02): answered(changed=30, new_right=10)}
    table = probe_tables.steadiness([probed(changes=change), probed("improved")])
    assert list(table) == ["Change", "Strength", "shallow", "improved"]
    noise = table.iloc[0]
    assert (noise["shallow"], noise["improved"]) == (
        "25.0 / 25.0; 30.0\u00a0%",
        "10.0 / 10.0; 10.0\u00a0%",
    )
    assert len(table) == sum(len(one.strengths) for one in CHANGES.values())


def test_several_runs_of_a_network_are_one_column_of_means():
    change = {("JPEG", 25): answered(changed=30, new_right=10)}
    table = probe_tables.steadiness([probed(changes=change), probed(seed=1)])
    assert table["shallow"].iloc[-1] == "17.5 / 17.5; 20.0\u00a0%"


def test_unsteadiness_counts_the_weakest_changes_alone():
    weakest = {(kind, one.strengths[0]): answered(changed=6) for kind, one in CHANGES.items()}
    assert probed(changes=weakest).probe.unsteadiness == pytest.approx(0.06)


def test_the_size_of_weights_does_not_grow_with_their_number():
    one = probed(end=5.0).probe
    assert one.weight_size == pytest.approx(np.sqrt(2 * 25 / 100))


def test_without_a_probe_tables_and_figures_are_empty():
    steps, layers = probe_tables.steps([]), probe_tables.layers([])
    assert list(steps) == probe_tables.STEPS
    assert list(probe_tables.steadiness([])) == ["Change", "Strength"]
    assert probe_tables.weights([]).empty
    assert probe_tables.parts([]).empty
    for axes in (
        probe_figures.steadiness(steps),
        probe_figures.weights(layers),
        probe_figures.attention([]),
        probe_figures.filters([]),
    ):
        assert not any(ax.lines or ax.images or ax.collections for ax in axes.flat)


def test_what_a_shift_of_one_pixel_does_is_said_of_each_network():
    change = {("shift", 1): answered(changed=30, new_right=10)}
    text = prose.one_pixel([probed(changes=change), probed("improved")]).data
    assert "30.0\u00a0% (shallow) and 10.0\u00a0% (improved) of the faces" in text
    assert "changes by −25.0 (shallow) and −10.0 (improved) points" in text
    assert prose.one_pixel([]) is None


# Attention


@pytest.mark.parametrize(
    ("rows", "columns", "part"),
    [
        (2, slice(2, 9), "brows"),
        (4, slice(2, 9), "eyes"),
        (6, 5, "nose"),
        (9, slice(3, 8), "mouth"),
        (0, 0, probe_tables.ELSEWHERE),
    ],
)
def test_the_part_that_alone_decides_is_named(rows, columns, part):
    attention = dict.fromkeys(EMOTIONS, looking_at(rows, columns))
    found = probe_tables.looked_at(probed(attention=attention).probe, "happy")
    assert max(found, key=found.get) == part
    assert found[part] > 1
    assert all(value == 0 for name, value in found.items() if name != part)


def test_where_every_place_counts_the_same_no_part_stands_out():
    found = probe_tables.looked_at(probed().probe, "sad")
    assert list(found.values()) == pytest.approx([1] * 5)


def test_the_parts_table_marks_what_decides_most():
    attention = dict.fromkeys(EMOTIONS, looking_at(9, slice(3, 8)))
    table = probe_tables.parts([probed(attention=attention)])
    assert (table["mouth"].str.startswith("**")).all()
    assert not table["eyes"].str.startswith("**").any()
    assert table["Its muscles move"].iloc[EMOTIONS.index("happy")] == "eyes and mouth"


def test_the_most_confused_emotions_are_named():
    table = probe_tables.mistakes(study(record(), record(model="improved")))
    assert list(table["Network"]) == ["shallow", "improved"]
    assert table.filter(like="Most confused").map(lambda text: text.count("→") == 3).all(axis=None)


def test_figures_keep_the_numbers_that_they_show():
    every = [probed(), probed("improved", end=2.0)]
    steps, layers = probe_tables.steps(every), probe_tables.layers(every)
    assert probe_figures.steadiness(steps).flat[0].figure.plotted is steps
    assert probe_figures.weights(layers)[0].figure.plotted is layers
    maps = probe_figures.attention(every)
    assert maps.shape == (4, 7)
    assert set(maps[0, 0].figure.plotted["map"]) == {"occlusion", "grad_cam"}
    assert len(probe_figures.filters(every)) == 2


# Measuring


@pytest.mark.slow
def test_a_trained_network_is_probed(trained):
    from ferutils.measuring import probing

    run, drawn = trained.record, trained.dataset
    known = {"PublicTest": [0, 1], "PrivateTest": []}
    found = probing.probe(run, drawn, known, lambda text: None, images=1)
    for split, seen in found.unchanged.items():
        right = (run.predictions[split].predicted == drawn.splits[split].labels).sum()
        assert (seen.right, seen.changed) == (right, 0)
        assert seen.images - seen.new == len(known[split])
    assert [one.layer for one in found.weights][-1] == run.run.layers[-1].name
    assert all(one.spectral <= one.end for one in found.weights)
    assert np.shape(found.attention["happy"].occlusion) == (PLACES, PLACES)
    assert np.shape(found.filters)[1:] == (3, 3)


@pytest.mark.slow
def test_the_command_writes_what_the_pages_read(trained, tmp_path, monkeypatch):
    run, drawn = trained.record, trained.dataset
    nothing_known = SimpleNamespace(near_in_training={"PublicTest": [], "PrivateTest": []})
    monkeypatch.setattr(examination, "read", lambda: nothing_known)
    monkeypatch.setattr(cli, "_published", lambda: drawn)
    monkeypatch.setattr(probes, "FOLDER", tmp_path / "probes")
    result = CliRunner().invoke(cli.main, ["measure", "probe", run.run.id])
    assert result.exit_code == 0, result.output
    (found,) = probes.read([run])
    assert found.probe.unchanged["PublicTest"].images == len(drawn.splits["PublicTest"].labels)


@pytest.mark.slow
def test_covering_what_decides_lowers_the_probability():
    import keras

    from ferutils.measuring import probing

    corner = np.zeros((48, 48, 1), np.float32)
    corner[:8, :8] = 0.001  # a network that looks at one corner alone
    kernel = np.zeros((48 * 48, 7), np.float32)
    kernel[:, 3] = corner.ravel()
    model = keras.Sequential(
        [keras.Input((48, 48, 1)), keras.layers.Flatten(), keras.layers.Dense(7)]
    )
    model.layers[-1].set_weights([kernel, np.zeros(7, np.float32)])
    faces = np.zeros((2, 48, 48), np.uint8)
    faces[:, :8, :8] = 255
    drops = probing.occlusion(model, faces, 3)
    assert np.unravel_index(drops.argmax(), drops.shape) == (0, 0)
    assert drops[0, 0] > 0.1
    assert np.allclose(drops[3:, 3:], 0, atol=1e-6)


@pytest.mark.slow
def test_grad_cam_sees_the_side_that_speaks_for_the_label():
    import keras

    from ferutils.measuring import models, probing

    keras.utils.set_random_seed(0)
    model = models.build(small_recipe())
    faces = np.zeros((2, 48, 48), np.uint8)
    found = probing.grad_cam(model, faces, 0)
    assert found.shape[0] == found.shape[1]
    assert found.min() >= 0
    assert found.sum() == pytest.approx(1) or found.sum() == 0
