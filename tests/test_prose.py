"""Sentences of the pages: warnings where they are due, and no number of their own."""

import re

import numpy as np
import pytest
from docutils import nodes
from helpers import small_dataset
from synthetic import DRAWN, OTHER_COPY, PAPER, answers, group, parsed, record, study

from ferutils.claims import metrics, verdicts
from ferutils.claims.paper import Verdict
from ferutils.dataset.fer2013 import Dataset
from ferutils.records import baselines, examination, provenance, recipes
from ferutils.report import prose, reading_tables, tables

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
    assert "This holds of shallow (reduced), 7178 training images, seed 3." in text
    assert "seed 0" not in text
    assert prose.notice(whole, whole) is None


def test_what_holds_of_all_runs_is_said_once():
    every = [record(train_images=7178, seed=seed, run=made_by()) for seed in (0, 1)]
    text = warning_of(prose.notice(*every))
    assert text.count("Reduced run") == 1
    assert "This holds of" not in text


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


def judged(verdicts_by_network):
    """Findings with these verdicts on each network's four figures of Table 3."""
    wanted = {network: list(some) for network, some in verdicts_by_network.items()}
    found = []
    for claim in PAPER.table_3():
        network = claim.quantity.split(".")[0]
        found.append(verdicts.Finding(claim, [], wanted[network].pop(0)))
    return found


R, N, U, T = Verdict  # reproduced, not reproduced, undecided, not tested


@pytest.mark.parametrize(
    ("shallow", "improved", "deep", "expected"),
    [
        ([R] * 4, [R] * 4, [R] * 4,
         "reproduces for the shallow, improved and deep networks."),
        ([R] * 4, [R] * 4, [T] * 4,
         "reproduces for the shallow and improved networks and is not tested yet for the deep "
         "network."),
        ([R] * 4, [R, R, U, R], [T] * 4,
         "reproduces for the shallow network, in 3 of 4 figures (1 undecided) for the "
         "improved network and is not tested yet for the deep network."),
        ([N] * 4, [U] * 4, [N] * 4,
         "does not reproduce for the shallow and deep networks and is undecided for the improved "
         "network."),
        ([N, U, N, R], [N, U, U, N], [T] * 4,
         "reproduces in 1 of 4 figures (2 not reproduced, 1 undecided) for the shallow network, "
         "in none of 4 figures (2 not reproduced, 2 undecided) for the improved network "
         "and is not tested yet for the deep network."),
        ([R, U, U, U], [U, U, U, R], [T] * 4,
         "reproduces in 1 of 4 figures each (3 undecided) for the shallow and improved networks "
         "and is not tested yet for the deep network."),
    ],
)  # fmt: skip
def test_the_headline_follows_from_the_verdicts_on_table_3(shallow, improved, deep, expected):
    found = judged({"shallow": shallow, "improved": improved, "deep": deep})
    assert parsed(prose.headline(PAPER, found)).astext() == f"The paper's Table 3 {expected}"


def test_the_headline_asks_table_3_alone():
    others = [one for one in FINDINGS if one.claim not in PAPER.table_3()]
    table_3 = judged(dict.fromkeys(recipes.PAPER, [R] * 4))
    found = [verdicts.Finding(one.claim, [], N) for one in others] + table_3
    assert prose.headline(PAPER, found).data == prose.headline(PAPER, table_3).data


def summarised(findings=FINDINGS, found=WHOLE):
    """The answers of the summary by their question."""
    every = (baselines.read(), examination.read(), "PrivateTest")
    text = re.sub(r"\[(.*?)\]\(.*?\)", r"\1", prose.summary(findings, found, *every).data)
    return dict(answer.removeprefix("**").split("** ") for answer in text.split("\n\n"))


def of_results(*found):
    """Findings of distinct results with these verdicts."""
    results = verdicts.distinct([one for one in FINDINGS if one.claim.about == "results"])
    return [verdicts.Finding(one.claim, [], v) for one, v in zip(results, found, strict=False)]


def test_the_summary_counts_results_once():
    sure = summarised(of_results(R, N, U, U, T))["How sure is this?"]
    assert sure.startswith("2 of 5 results are undecided, 1 not tested; ")


def test_the_summary_says_how_many_runs_it_rests_on_and_which_are_reduced():
    found = study(record("shallow"), record("shallow", seed=1), record("deep", epochs=2))
    sure = summarised(found=found)["How sure is this?"]
    assert sure.endswith("runs: 2 shallow, 0 improved, 1 deep (reduced).")


def answering(model, seed, right):
    """A run that is right on some images of PrivateTest alone."""
    found = baselines.read().predictions
    given = {
        split: answers(one.labels, np.where(right[split], one.labels, (one.labels + 1) % 7))
        for split, one in found.items()
    }
    return record(model, seed=seed, answered=given)


@pytest.mark.parametrize("memorises", [True, False])
def test_the_summary_says_whether_dropout_helps_on_new_faces(memorises):
    known = examination.read().near_in_training
    sizes = {split: len(one.labels) for split, one in baselines.read().predictions.items()}
    shares = {"shallow": 0.4, "improved": 0.6}  # of new faces, by seeds that draw alike
    runs = []
    for model, share in shares.items():
        for seed in range(3):
            right = {s: np.arange(n) % 10 < 10 * share for s, n in sizes.items()}
            for split in right:
                alike = model == "shallow" if memorises else right[split][known[split]]
                right[split][known[split]] = alike
            runs.append(answering(model, seed, right))
    told = summarised(found=study(*runs))["Does dropout help?"]
    assert ("memorised" in told) == memorises
    assert summarised(found=study(runs[0]))["Does dropout help?"] == "Not tested yet."


def test_the_summary_sets_the_deep_network_beside_both_others_with_intervals():
    ask = "Is the deep network better?"
    alone = summarised()[ask]
    assert alone == "Points on new faces: +0.0 over shallow, +0.0 over improved."
    runs = [record(model, seed=seed) for model in recipes.PAPER for seed in range(3)]
    assert summarised(found=study(*runs))[ask].count("(+0.0 to +0.0)") == 2
    assert summarised(found=study())[ask] == "Not tested yet."


def test_the_effort_counts_runs_wanted_and_recorded_and_adds_their_hours():
    half_an_hour = record().run.cost.model_copy(update={"wall_seconds": 1800.0})
    runs = [record("shallow", seed=seed, run={"cost": half_an_hour}) for seed in (0, 1, 2)]
    found = study(*runs, others=[group("longer", model="deep", epochs=30)])
    text = prose.effort(found).data
    assert "Of the 6 runs of the study, 3 are recorded: 1.5 hours" in text
    assert text.endswith(f"on {runs[0].run.environment.device}.")


def test_the_nearest_reading_and_what_is_untrained_are_told():
    text = {"model": "shallow_text"}
    far = {"training_accuracy": 0.1, "validation_accuracy": 0.1}
    near = {"training_loss": 0.26, "validation_loss": 1.8} | far
    found = study(
        record("shallow", {"training_accuracy": 0.9, "validation_accuracy": 0.58}),
        others=[
            group("text", record("shallow_text", near), **text),
            group("batch size", model="shallow", batch_size=32),
        ],
    )
    told = prose.nearest(reading_tables.readings(PAPER, found, "text")).data
    assert told.startswith("Nearest to Table 3: the shallow network as ")
    assert "as printed in 2 of 4 figures" in told and "as in the text in 2 of 4 figures" in told
    open_ones = prose.untrained(found, "text", "batch size").data
    assert "which the paper does not state: batch size 32 (shallow)\n" in open_ones
    assert not prose.untrained(found, "text").data


def test_what_one_order_changes_is_told_with_its_interval_and_the_nearer_order():
    near = {"training_accuracy": 0.9, "validation_accuracy": 0.58}
    far = {"training_accuracy": 0.1, "validation_accuracy": 0.1}
    fresh, repeated = record("shallow", near), record("shallow", far, order="repeated")
    orders = group("order", repeated, model="shallow", order="repeated")
    found = study(fresh, others=[orders])
    told = prose.one_order(PAPER, found).data
    lead = metrics.lead(*([one.predictions["PublicTest"]] for one in (repeated, fresh)))
    assert f"in points, accuracy changes by {tables.led(lead)} on PublicTest and " in told
    assert "(1 runs with one order, 1 with new ones)" in told
    assert "of Table 3's 4 figures, 4 are nearer to new orders" in told
    assert prose.one_order(PAPER, study(fresh)) is None


# ---- the rule and the contradictions ------------------------------------------------------------


def test_the_rule_is_told_with_its_date_and_what_it_replaced():
    text = prose.rule(PAPER).data
    for part in (PAPER.told(PAPER.rule.text), PAPER.rule.date.isoformat(), PAPER.rule.history):
        assert part in text


LISTED = re.compile(r"^- .*", re.MULTILINE)


def test_each_contradiction_is_told_with_all_its_readings():
    text = prose.contradictions(PAPER).data
    assert len(LISTED.findall(text)) == sum(len(one.readings) for one in PAPER.contradictions)
    for one in PAPER.contradictions:
        assert one.topic in text
        assert all(reading.place in text for reading in one.readings)


@pytest.mark.parametrize("one", PAPER.contradictions, ids=lambda one: one.id)
def test_the_reading_that_is_followed_is_marked_and_no_other(one):
    alone = PAPER.model_copy(update={"contradictions": (one,)})
    text = prose.contradictions(alone).data
    items = LISTED.findall(text)
    marked = [number for number, item in enumerate(items) if "Followed here." in item]
    assert marked == ([] if one.followed is None else [one.followed])
    place = "measured" if one.followed is None else one.readings[one.followed].place
    assert f"{one.topic} · *{place}*" in text
