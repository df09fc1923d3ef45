"""Sentences of the pages: warnings where they are due, and no number of their own."""

import re

import pytest
from docutils import nodes
from helpers import small_dataset
from synthetic import DRAWN, OTHER_COPY, PAPER, group, parsed, record, study

from ferutils import prose, provenance, recipes, tables, verdicts
from ferutils.data import Dataset
from ferutils.paper import RULE, Verdict

WHOLE = study(*(record(model) for model in recipes.PAPER))
FINDINGS = verdicts.findings(PAPER, WHOLE)


def made_by(fingerprint=None, clean=True):
    """Fields of a run that this code made, or another."""
    code = record().run.code
    fingerprint = fingerprint or provenance.code_fingerprint("shallow")
    return {"code": code.model_copy(update={"fingerprint": fingerprint, "clean": clean})}


def warning_of(markdown):
    """The text of the one warning."""
    (found,) = parsed(markdown).findall(nodes.warning)
    return found.astext()


# ---- what a reader must know before the numbers -------------------------------------------------


@pytest.mark.parametrize("clean", [True, None])
def test_a_whole_run_of_this_code_on_the_published_dataset_needs_no_notice(clean):
    assert prose.notice(record(run=made_by(clean=clean))) is None


@pytest.mark.parametrize(
    ("parameters", "words", "others"),
    [
        ({"train_images": 7178, "epochs": 4}, ["Reduced run", "4 epochs"], ["drawn", "older"]),
        ({"note": DRAWN}, ["drawn faces"], ["Reduced run", "older"]),
        ({"note": OTHER_COPY}, [OTHER_COPY.differences[0]], ["Reduced run", "drawn"]),
    ],
)
def test_what_is_special_about_a_run_is_said(parameters, words, others):
    text = warning_of(prose.notice(record(run=made_by(), **parameters)))
    assert all(word in text for word in words)
    assert not any(word in text for word in others)


def test_a_reduced_run_says_how_many_images_it_saw():
    one = record(train_images=7178, run=made_by())
    images = one.run.scores["Training"].images
    assert f"{images:,} training images and 10 epochs" in warning_of(prose.notice(one))


def test_of_several_runs_it_is_said_which_ones_are_special():
    whole, reduced = record(run=made_by()), record(train_images=7178, seed=3, run=made_by())
    text = warning_of(prose.notice(whole, reduced))
    assert "Of: shallow (reduced), train images 7178, seed 3." in text
    assert "seed 0" not in text
    assert prose.notice(whole, whole) is None


def test_older_code_and_a_changed_tree_are_said():
    older = warning_of(prose.notice(record(run=made_by("0" * 16))))
    changed = warning_of(prose.notice(record(run=made_by(clean=False))))
    assert "older version of the code" in older
    assert "uncommitted" not in older
    assert "uncommitted changes" in changed
    assert "older" not in changed


def test_everything_special_is_said_at_once():
    run = made_by("0" * 16, clean=False)
    text = warning_of(prose.notice(record(note=OTHER_COPY, epochs=2, run=run)))
    for words in ("Reduced run", OTHER_COPY.differences[0], "older version", "uncommitted"):
        assert words in text


def test_drawn_faces_on_a_page_are_labelled():
    (note,) = parsed(prose.faces_notice(small_dataset())).findall(nodes.note)
    assert "drawn" in note.astext()
    assert "make book FER2013=PATH" in note.astext()


def test_faces_of_another_copy_are_labelled_and_the_published_ones_are_not():
    copy = Dataset("fer2013", {}, {}, ("Training has other pixels.",))
    assert "Training has other pixels." in warning_of(prose.faces_notice(copy))
    assert prose.faces_notice(Dataset("fer2013", {}, {}, ())) is None


# ---- the answer in short ------------------------------------------------------------------------


def test_the_summary_counts_every_claim():
    text = parsed(prose.summary(FINDINGS, WHOLE)).astext()
    assert f"Of the paper's {len(PAPER.claims)} claims" in text
    counts = {verdict: sum(one.verdict == verdict for one in FINDINGS) for verdict in Verdict}
    expected = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
    assert f"claims: {expected}." in text


def test_the_summary_says_how_many_failures_the_paper_itself_contradicts():
    text = prose.summary(FINDINGS, WHOLE).data
    failed = [one.claim for one in FINDINGS if one.verdict == Verdict.NOT_REPRODUCED]
    left = sum(claim.follows is False for claim in failed)
    assert 0 < left < len(failed)
    assert f"Of those not reproduced, {left} are contradicted" in text


def test_the_summary_says_how_many_runs_it_rests_on_and_which_are_reduced():
    found = study(record("shallow"), record("shallow", seed=1), record("deep", epochs=2))
    text = parsed(prose.summary(verdicts.findings(PAPER, found), found)).astext()
    for words in ("2 of the shallow", "0 of the improved", "1 of the deep"):
        assert words in text
    assert text.count("(reduced)") == 1
    assert re.search(r"deep[^,]*\(reduced\)", text)


def test_the_effort_counts_runs_wanted_and_recorded_and_adds_their_hours():
    half_an_hour = record().run.cost.model_copy(update={"wall_seconds": 1800.0})
    runs = [record("shallow", seed=seed, run={"cost": half_an_hour}) for seed in (0, 1, 2)]
    found = study(*runs, others=[group("longer", model="deep", epochs=30)])
    text = prose.effort(found).data
    assert "Of the 6 runs of the study, 3 are recorded: 1.5 hours" in text
    assert text.endswith(f"on {runs[0].run.environment.device}.")
    assert text in prose.summary(verdicts.findings(PAPER, found), found).data


def test_the_nearer_reading_is_told_by_network():
    text = {"model": "shallow_text"}
    far = {"training_accuracy": 0.1, "validation_accuracy": 0.1}
    near = {"training_loss": 0.26, "validation_loss": 1.8} | far
    found = study(
        record("shallow", {"training_accuracy": 0.9, "validation_accuracy": 0.58}),
        others=[group("text", record("shallow_text", near), **text)],
    )
    told = prose.nearer(PAPER, found).data
    assert "as printed in 2 of 4 figures" in told
    assert "as in the text in 2 of 4 figures" in told
    assert "the deep network not tested" in told


# ---- the rule and the contradictions ------------------------------------------------------------


def test_the_rule_is_told_with_its_tolerances():
    text = prose.rule(PAPER).data
    assert RULE in text
    for unit, tolerance in PAPER.tolerances.items():
        assert tables.quantity(tolerance, unit) in text
    changed = PAPER.model_copy(update={"tolerances": {"fraction": 0.5}})
    assert f"{tables.percent(0.5)} for a share" in prose.rule(changed).data
    assert "nats" not in prose.rule(changed).data.removeprefix(RULE)


def test_each_contradiction_is_told_with_all_its_readings():
    document = parsed(prose.contradictions(PAPER))
    text = document.astext()
    assert len(list(document.findall(nodes.list_item))) == sum(
        len(one.readings) for one in PAPER.contradictions
    )
    for one in PAPER.contradictions:
        assert one.topic in text
        assert all(reading.place in text for reading in one.readings)


@pytest.mark.parametrize("one", PAPER.contradictions, ids=lambda one: one.id)
def test_the_reading_that_is_followed_is_marked_and_no_other(one):
    alone = PAPER.model_copy(update={"contradictions": (one,)})
    items = list(parsed(prose.contradictions(alone)).findall(nodes.list_item))
    marked = [number for number, item in enumerate(items) if "Followed here." in item.astext()]
    assert marked == ([] if one.followed is None else [one.followed])
