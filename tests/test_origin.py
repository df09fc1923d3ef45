"""The box that says where a page's numbers come from."""

from datetime import UTC, datetime

import pytest
from docutils import nodes
from synthetic import DRAWN, OTHER_COPY, parsed, record

from ferutils.records import provenance
from ferutils.report import origin


def rows(records, *commands):
    """The box, its term and text by row, without the fence that only Sphinx knows."""
    text = origin.box(records, *commands)
    text.data = text.data.removeprefix("::::{div} origin\n").removesuffix("\n::::")
    return {
        item.next_node(nodes.term).astext(): item.next_node(nodes.definition).astext()
        for item in parsed(text).findall(nodes.definition_list_item)
    }


def test_it_names_runs_dataset_device_versions_code_time_and_command():
    one = record(seed=3)
    found = rows([one], one.recipe.command())
    assert found["Runs"] == "shallow, seed 3"
    assert found["Device"] == "processor, Linux x86_64, Keras backend tensorflow"
    assert found["Versions"] == "keras 3"
    assert "begun 2026-01-02 03:04 UTC" in found["Time"]
    assert found["Repeat it"] == one.recipe.command()


def test_it_names_what_is_special_about_a_run_and_all_seeds_once():
    some = [record(seed=seed) for seed in (0, 1)] + [record(batch_size=32, seed=7)]
    assert rows(some)["Runs"] == "shallow, seeds 0, 1; shallow, batch size 32, seed 7"
    assert rows(some + some)["Runs"] == rows(some)["Runs"]


def test_it_says_each_thing_once_and_adds_the_times_up():
    some = [record(seed=seed) for seed in range(4)]
    found = rows(some)
    assert found["Device"].count("processor") == 1
    assert f"{4 * some[0].run.cost.wall_seconds / 60:,.1f} minutes in all" in found["Time"]


def test_it_says_from_when_to_when_runs_were_begun():
    later = record(seed=1, run={"started": datetime(2026, 2, 3, 4, 5, tzinfo=UTC)})
    assert "begun 2026-01-02 03:04 to 2026-02-03 04:05 UTC" in rows([later, record()])["Time"]


def test_with_no_command_the_study_makes_the_runs_again():
    assert rows([record()])["Repeat it"] == origin.STUDY


def test_without_a_run_it_says_so_and_what_makes_one():
    assert rows([], "make runs") == {"Runs": "none is recorded yet", "Repeat it": "make runs"}


def test_it_says_whether_the_code_is_older():
    older = record()
    fields = {"fingerprint": provenance.code_fingerprint("shallow"), "clean": True}
    fields |= {"commit": "a" * 40}
    current = record(run={"code": older.run.code.model_copy(update=fields)})
    assert "older than the code of this report" in rows([older])["Code"]
    assert "older" not in rows([current])["Code"]
    assert "aaaaaaaaaa (clean tree)" in rows([current])["Code"]
    assert "unknown (no git)" in rows([older])["Code"]


@pytest.mark.parametrize(
    ("note", "words"),
    [
        ({}, "pixel for pixel as published"),
        ({"note": DRAWN}, "drawn faces, not FER-2013"),
        ({"note": OTHER_COPY}, OTHER_COPY.differences[0]),
    ],
)
def test_it_says_which_dataset_it_was(note, words):
    found = rows([record(**note)])["Dataset"]
    assert words in found
    assert "Training 28,709" in found
