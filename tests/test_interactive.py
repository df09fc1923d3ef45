"""What pages embed for their scripts: whole, safe in HTML, small enough for hundreds of runs."""

import hashlib
import json
import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from helpers import fabricated
from synthetic import OTHER_COPY, PAPER, PUBLISHED, answers, group, record, study

from ferutils import paths
from ferutils.claims import metrics, verdicts
from ferutils.dataset import fer2013
from ferutils.records import recipes, runs
from ferutils.report import interactive, run_tables, tables

SHALLOW = record("shallow")
IMPROVED = runs.Record(*fabricated(recipes.make(model="improved", seed=1), PUBLISHED, seed=1))
WHOLE = study(SHALLOW, IMPROVED, others=[group("longer", model="deep", epochs=30)])


@pytest.fixture
def shown(monkeypatch):
    """What a notebook would be given to display."""
    bundles = []
    monkeypatch.setattr(interactive, "display", lambda bundle, raw: bundles.append(bundle))
    return bundles


class Scripts(HTMLParser):
    """The elements of a page, and the text of its scripts."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.texts = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_data(self, text):
        self.texts.append(text)


def plain(text):
    return text.replace("\u00a0", " ")


def unpacked(text, count):
    """The reverse of `interactive.pack`."""
    codes = [interactive.CHARACTERS.index(character) for character in text]
    return np.array([label for code in codes for label in divmod(code, 8)])[:count]


# ---- HTML ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["</script><img src=x onerror=alert(1)>", "<!-- <script>", "]]>", '"', "é 😀 \u2028"]
)
def test_no_text_breaks_out_of_the_element_that_holds_it(text):
    found = Scripts(interactive.embedded("curves", {"name": text}))
    assert [tag for tag, _ in found.elements] == ["div", "script"]
    assert found.elements[0][1]["data-interactive"] == "curves"
    assert json.loads("".join(found.texts)) == {"name": text}


def test_what_is_no_number_is_refused_rather_than_written_as_broken_json():
    with pytest.raises(ValueError, match="JSON"):
        interactive.embedded("curves", {"loss": float("nan")})


def test_a_notebook_shows_the_html_and_no_raw_object(shown):
    interactive.curves("a-figure", [SHALLOW])
    (bundle,) = shown
    assert bundle["text/html"].startswith('<div class="interactive" data-interactive="curves">')
    assert bundle["text/plain"] == ""


def test_each_kind_has_the_scripts_that_it_needs(shown):
    interactive.curves("a-figure", [SHALLOW])
    interactive.confusion("a-figure", [SHALLOW])
    interactive.all_runs(WHOLE)
    interactive.two_runs(WHOLE)
    interactive.claims(PAPER)
    interactive.by_seeds("a-figure", PAPER, WHOLE)
    text = "".join(bundle["text/html"] for bundle in shown)
    needs = (paths.BOOK / "_extensions" / "interactive.py").read_text()
    for kind in re.findall(r'data-interactive="([a-z-]+)"', text):
        assert f'    "{kind}": [' in needs
    for script in re.findall(r'"((?:interactive|vendor)/[^"]+)"', needs):
        assert (paths.BOOK / "_static" / script).is_file(), script


def test_the_bundle_of_d3_is_as_it_was_made_and_holds_what_the_scripts_call():
    static = paths.BOOK / "_static"
    head, _, code = (static / "vendor" / "d3.min.js").read_text().partition("*/\n")
    assert hashlib.sha256(code.encode()).hexdigest() in head
    (exported,) = re.findall(r"export \{(.*?)\}", head, re.DOTALL)
    scripts = "".join(file.read_text() for file in (static / "interactive").glob("*.js"))
    assert set(re.findall(r"\bd3\s*\.(\w+)", scripts)) == set(re.findall(r"\w+", exported))


# ---- curves -------------------------------------------------------------------------------------


def test_curves_have_every_epoch_of_every_run_and_the_papers_figures():
    other = record("shallow", seed=3)
    found = interactive.curves_data("shallow-curves", [SHALLOW, other], {"training_loss": 0.5})
    assert found["figure"] == "shallow-curves"
    assert [run["name"] for run in found["runs"]] == ["seed 0", "seed 3"]
    assert found["claims"] == {"training_loss": 0.5}
    for column in interactive.CURVES:
        expected = other.history[column].round(4).tolist()
        assert found["runs"][1]["history"][column] == pytest.approx(expected)


def test_a_loss_that_is_no_number_leaves_a_gap():
    losses = [1.0, float("nan"), float("inf")]
    diverged = record("shallow", curves={"training_loss": losses}, epochs=3)
    (run,) = interactive.curves_data("a-figure", [diverged])["runs"]
    assert run["history"]["training_loss"] == [1.0, None, None]
    assert "NaN" not in interactive.embedded("curves", {"runs": [run]})


# ---- confusion ----------------------------------------------------------------------------------


def test_confusion_counts_are_those_of_metrics_and_the_asked_run_is_shown_first():
    found = interactive.confusion_data("a-figure", [SHALLOW, IMPROVED], IMPROVED)
    assert found["shown"] == 1
    assert found["runs"][1]["name"] == "improved, seed 1"
    counts = found["runs"][1]["counts"]["PrivateTest"]
    assert counts == metrics.confusion(IMPROVED.predictions["PrivateTest"]).to_numpy().tolist()
    assert np.sum(counts) == 3589
    assert tuple(found["emotions"]) == fer2013.EMOTIONS
    assert interactive.confusion_data("a-figure", [SHALLOW, IMPROVED])["shown"] == 0


# ---- all runs -----------------------------------------------------------------------------------


def test_recipes_come_row_by_row_as_the_table_has_them():
    found = interactive.all_runs_data(WHOLE)["recipes"]
    frame = run_tables.every_run(WHOLE)
    assert len(found) == len(frame) == 4
    for recipe, (_, row) in zip(found, frame.iterrows()):
        assert (recipe["name"], recipe["part"]) == (row["Recipe"], row["Part"])
        assert f"`{recipe['command']}`" == row["Repeat it"]
        for head, mean in recipe["means"].items():
            assert row[head] == ("–" if mean is None else f"{mean:.1f}")
        assert all(f"#run-{run['id']}}}" in row["Seeds"] for run in recipe["runs"])


def test_a_recipe_has_its_parameters_and_of_each_recorded_run_scores_cost_and_origin():
    done, *_, still_open = interactive.all_runs_data(WHOLE)["recipes"]
    assert dict(done["parameters"])["batch size"] == "64"
    assert done["parameters"][0] == ["model", "shallow"]
    assert "seed" not in dict(done["parameters"])
    (run,) = done["runs"]
    accuracy = run_tables.scores(SHALLOW, "PublicTest")["Accuracy"]
    assert run["scores"]["Accuracy (%), PublicTest"] == accuracy.replace("\u00a0%", "")
    assert run["scores"]["Run"] == run["id"] == SHALLOW.run.id
    assert run["origin"]["Device"] == "processor"
    assert done["means"]["Minutes"] == pytest.approx(SHALLOW.run.cost.wall_seconds / 60, abs=1e-4)
    assert still_open["runs"] == []
    assert set(still_open["means"].values()) == {None}
    assert dict(still_open["parameters"])["epochs"] == "30"


def test_the_parameters_that_a_recipe_sets_come_first():
    part = group("batch size", model="improved", batch_size=32)
    recipe = interactive.all_runs_data(study(others=[part]))["recipes"][-1]
    assert [name for name, _ in recipe["parameters"]][:3] == ["model", "batch size", "dataset"]


def test_a_recipe_without_a_test_split_sorts_as_one_without_a_score():
    both = record("shallow", validation_split="both")
    part = group("kept epoch", both, model="shallow", validation_split="both")
    recipe = interactive.all_runs_data(study(others=[part]))["recipes"][-1]
    assert recipe["means"]["Test (%)"] is None
    assert recipe["means"]["Validation (%)"] is not None


# ---- two runs -----------------------------------------------------------------------------------


@pytest.mark.parametrize("labels", [[], [6], [0, 1, 2, 3, 4, 5, 6], list(range(7)) * 3])
def test_labels_come_out_of_the_text_as_they_went_in(labels):
    text = interactive.pack(np.array(labels, np.uint8))
    assert len(text) == (len(labels) + 1) // 2
    assert unpacked(text, len(labels)).tolist() == labels


def test_answers_and_labels_of_every_recorded_run_are_there():
    found = interactive.two_runs_data(WHOLE)
    assert [run["id"] for run in found["runs"]] == [SHALLOW.run.id, IMPROVED.run.id]
    assert found["shown"] == [SHALLOW.run.id, IMPROVED.run.id]
    for run, one in zip(found["runs"], (SHALLOW, IMPROVED)):
        for split, predictions in one.predictions.items():
            images = found["images"][run["splits"][split]["images"]]
            assert images["count"] == len(predictions.labels)
            labels = unpacked(images["labels"], images["count"])
            assert labels.tolist() == predictions.labels.tolist()
            said = unpacked(run["splits"][split]["answers"], images["count"])
            assert said.tolist() == predictions.predicted.tolist()


def test_labels_stand_once_for_the_runs_that_saw_the_same_images():
    few = record("deep", answered={"PublicTest": answers([0, 1, 2], [0, 1, 1])})
    alike = interactive.two_runs_data(study(SHALLOW, IMPROVED))
    assert len(alike["images"]) == 2
    runs = interactive.two_runs_data(study(SHALLOW, IMPROVED, few))["runs"]
    seen = [run["splits"]["PublicTest"]["images"] for run in runs]
    assert seen[0] == seen[1] != seen[2]


def test_the_quantile_gives_the_interval_of_metrics():
    one, other = (run.predictions["PublicTest"] for run in (SHALLOW, IMPROVED))
    paired, count = metrics.mcnemar(one, other), len(one.labels)
    quantile = interactive.two_runs_data(WHOLE)["images"].popitem()[1]["quantile"]
    difference = (paired.first_alone - paired.second_alone) / count
    variance = paired.first_alone + paired.second_alone - count * difference**2
    half = quantile * np.sqrt(variance / (count - 1) / count)
    assert metrics.difference(one, other).high == pytest.approx(difference + half)


def test_some_hundreds_of_runs_stay_below_what_a_page_may_weigh():
    """Of 3 MB for a page, 300 runs of 60 epochs leave a third to scripts and styles."""
    alone = study(record("improved", epochs=60))
    both = study(record("improved", epochs=60), record("shallow", epochs=60))
    one, two = (
        len(interactive.embedded("two-runs", interactive.two_runs_data(found)))
        for found in (alone, both)
    )
    assert 300 * (two - one) < 2_000_000
    recipe = interactive.all_runs_data(study(IMPROVED))["recipes"][1]
    assert recipe["runs"]
    assert 300 * len(json.dumps(recipe)) < 1_000_000


def test_a_run_on_another_copy_of_the_dataset_is_told_from_one_on_the_published():
    found = interactive.all_runs_data(study(record(note=OTHER_COPY)))["recipes"]
    (run,) = [run for recipe in found for run in recipe["runs"]]
    assert "other pixels" in run["origin"]["Dataset"]


# ---- sliders ------------------------------------------------------------------------------------


def test_the_share_of_known_photographs_decides_who_leads():
    rows = [
        ("shallow", 0.4, 0.8),
        ("improved (mixed precision)", 0.5, 0.6),
        ("linear classifier", 0.9, 0.9),
    ]
    table = pd.DataFrame(
        [
            (name, 0, split, faces, share)
            for name, new, known in rows
            for split in fer2013.SPLITS[1:]
            for faces, share in (("new", new), ("known", known))
        ],
        columns=["network", "run", "split", "faces", "accuracy_share"],
    )
    data = interactive.by_share_data("a-figure", table, "PrivateTest")
    states = {plain(one["name"]): one for one in data["states"]}
    assert list(states) == [f"{share} %" for share in range(0, 101, 5)]
    assert [one["name"] for one in states["0 %"]["rows"]] == [rows[1][0], "shallow"]
    assert [one["name"] for one in states["100 %"]["rows"]] == ["shallow", rows[1][0]]
    half = states["50 %"]["rows"][0]
    assert (half["value"], plain(half["text"])) == (50.0, "60.0 %")
    assert plain(states["50 %"]["outcome"]).startswith("Shallow is ahead of improved")
    assert plain(states["50 %"]["outcome"]).endswith("by 5.0 points")


def test_each_seed_more_is_judged_as_a_study_that_has_no_other():
    every = [
        record("shallow", curves={"validation_accuracy": 0.58 + seed / 1000}, seed=seed)
        for seed in range(4)
    ]
    data = interactive.by_seeds_data("a-figure", PAPER, study(*every, IMPROVED))
    assert [one["name"] for one in data["states"]] == ["1 seed", "2 seeds", "3 seeds", "4 seeds"]
    of_shallow = [one["rows"][1] for one in data["states"]]
    assert {one["name"] for one in of_shallow} == {"shallow, validation"}
    for seeds, row in enumerate(of_shallow, 1):
        claim = next(
            one for one in PAPER.table_3() if one.quantity == "shallow.validation_accuracy"
        )
        judged = verdicts.find(PAPER, study(*every[:seeds], IMPROVED), claim)
        assert row["text"] == tables.SIGNS[judged.verdict]
    widths = [one["high"] - one["low"] for one in of_shallow]
    assert widths[0] == 0 and widths[1] > widths[2] > widths[3] > 0
    assert data["states"][3]["rows"][3]["name"] == "improved, validation (1 seed)"
    assert "value" not in data["states"][3]["rows"][5]  # deep has no run
