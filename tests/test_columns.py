"""The docstring of every public function that returns a frame names the frame's columns."""

import ast
import re

import pytest

from ferutils import paths
from ferutils.claims import metrics, paper, selection, verdicts
from ferutils.dataset import fer2013
from ferutils.records import (
    baselines,
    crop,
    examination,
    face,
    first_steps,
    inspection,
    peers,
    pretrained,
    probes,
    small,
    study,
)
from ferutils.report import (
    backends,
    comparison_tables,
    crop_tables,
    dataset_tables,
    face_tables,
    peer_tables,
    pretrained_tables,
    probe_tables,
    reading_tables,
    run_tables,
    selection_tables,
    small_tables,
    tables,
)

pytestmark = pytest.mark.slow  # makes each table of the report once

COUNTS = {name: one["counts"] for name, one in fer2013.FER2013.items()}


@pytest.fixture(scope="module")
def calls():
    """Every such function with what the report gives it, by name."""
    claims, found, linear = paper.load(), study.read(), baselines.read()
    examined, human = examination.read(), baselines.human()
    findings = verdicts.findings(claims, found)
    first, second = run_tables.pair(found)
    one = found.record("shallow")
    every = [selection.read("shallow"), selection.read("deep")]
    by_backend = backends.read()
    ours, papers = small.read_all()
    phones = small_tables.groups(ours, papers)
    probed = probes.read(found.records)
    tried = reading_tables.readings(claims, found, *reading_tables.TRIED)
    future = pretrained.read_all()
    answered = pretrained_tables.accuracies(future, found, examined)
    return {
        metrics.confusion: lambda: metrics.confusion(one.predictions["PublicTest"]),
        metrics.recall: lambda: metrics.recall(one.predictions["PublicTest"]),
        backends.means: lambda: backends.means(by_backend),
        backends.table: lambda: backends.table(by_backend),
        backends.pairs: lambda: backends.pairs(by_backend),
        backends.first_steps: lambda: backends.first_steps(first_steps.read()),
        comparison_tables.held_out: lambda: comparison_tables.held_out(
            found, linear, human, examined
        ),
        comparison_tables.probabilities: lambda: comparison_tables.probabilities(found, linear),
        comparison_tables.leads: lambda: comparison_tables.leads(found, linear, examined),
        comparison_tables.paired: lambda: comparison_tables.paired(found, linear, examined),
        comparison_tables.rarest: lambda: comparison_tables.rarest(found, linear, "PublicTest"),
        comparison_tables.specificity: lambda: comparison_tables.specificity(claims, found),
        comparison_tables.power: lambda: comparison_tables.power(claims, found),
        dataset_tables.splits: lambda: dataset_tables.splits(COUNTS, claims),
        dataset_tables.classes: lambda: dataset_tables.classes(COUNTS),
        dataset_tables.copies: lambda: dataset_tables.copies(examined),
        dataset_tables.across: lambda: dataset_tables.across(examined),
        dataset_tables.leaked_by_emotion: lambda: dataset_tables.leaked_by_emotion(
            examined, COUNTS
        ),
        dataset_tables.planted: lambda: dataset_tables.planted(examined),
        dataset_tables.contradictions: lambda: dataset_tables.contradictions(examined),
        reading_tables.readings: lambda: tried,
        reading_tables.final_figures: lambda: reading_tables.final_figures(tried),
        face_tables.errors: lambda: face_tables.errors(face.read(), examined),
        reading_tables.called_validation: lambda: reading_tables.called_validation(found),
        run_tables.every_run: lambda: run_tables.every_run(found),
        run_tables.parts: lambda: run_tables.parts(study.load(), found),
        run_tables.recipes_beside: lambda: run_tables.recipes_beside(first, second),
        run_tables.scores_beside: lambda: run_tables.scores_beside(first, second),
        run_tables.verdicts_beside: lambda: run_tables.verdicts_beside(first, second),
        run_tables.emotions_beside: lambda: run_tables.emotions_beside(first, second, "PublicTest"),
        run_tables.changed: lambda: run_tables.changed(first, second, "PublicTest"),
        selection_tables.settings: lambda: selection_tables.settings(every),
        selection_tables.verdicts: lambda: selection_tables.verdicts(every),
        selection_tables.cells: lambda: selection_tables.cells(every[0]),
        pretrained_tables.accuracies: lambda: answered,
        pretrained_tables.table: lambda: pretrained_tables.table(answered, future),
        pretrained_tables.choices: lambda: pretrained_tables.choices(future),
        pretrained_tables.steps: lambda: pretrained_tables.steps(future),
        pretrained_tables.costs: lambda: pretrained_tables.costs(future),
        probe_tables.costs: lambda: probe_tables.costs({}, probes.CHANGES),
        probe_tables.steps: lambda: probe_tables.steps(probed),
        probe_tables.steadiness: lambda: probe_tables.steadiness(probed),
        probe_tables.weights: lambda: probe_tables.weights(probed),
        probe_tables.layers: lambda: probe_tables.layers(probed),
        probe_tables.parts: lambda: probe_tables.parts(probed),
        probe_tables.mistakes: lambda: probe_tables.mistakes(found),
        small_tables.answers: lambda: small_tables.answers(phones, examined),
        small_tables.costs: lambda: small_tables.costs(phones),
        small_tables.trainings: lambda: small_tables.trainings(ours),
        small_tables.sizes: lambda: small_tables.sizes(phones, found, peers.read()),
        peer_tables.answers: lambda: peer_tables.answers(peers.read(), examined),
        crop_tables.emotions: lambda: crop_tables.emotions(crop.read()),
        crop_tables.sizes: lambda: crop_tables.sizes(crop.read()),
        crop_tables.curve: lambda: crop_tables.curve(crop.read()),
        crop_tables.accuracies: lambda: crop_tables.accuracies(crop.read()),
        tables.layers: lambda: tables.layers(one, claims),
        tables.hyperparameters: lambda: tables.hyperparameters(one, claims),
        tables.performance: lambda: tables.performance(one),
        tables.table_3: lambda: tables.table_3(claims, found),
        tables.claimed_and_measured: lambda: tables.claimed_and_measured(claims, found),
        tables.claims: lambda: tables.claims(claims, findings),
        tables.at_a_glance: lambda: tables.at_a_glance(claims, findings, found),
        tables.inspected: lambda: tables.inspected(inspection.read()),
        tables.left_open: lambda: tables.left_open(claims),
        tables.not_testable: lambda: tables.not_testable(claims),
        tables.effort: lambda: tables.effort(found),
        tables.final_figures: lambda: tables.final_figures(claims, found.by_model["shallow"]),
        tables.gaps: lambda: tables.gaps(found.by_model["shallow"]),
        tables.places: lambda: tables.places(claims),
    }


# Columns that are named after what the frame is about: emotions, splits, runs, networks, verdicts.
OF_ITS_CONTENT = (*fer2013.EMOTIONS, *fer2013.SPLITS, "seed", "network", "produced", "undecided")
OF_ITS_CONTENT += ("not tested", "As in the text", "Linear", "shallow", "improved", "deep")
OF_ITS_CONTENT += ("CapsNet",)


def test_every_column_stands_in_the_docstring(calls):
    for function, call in calls.items():
        told = " ".join(function.__doc__.split())
        for column in map(str, call().columns):
            own = any(word in column for word in OF_ITS_CONTENT)
            assert own or column.replace("\xa0", " ") in told, (function.__qualname__, column)


def test_every_function_that_returns_a_frame_is_tried_or_names_its_columns(calls):
    tried = {(one.__module__.rpartition(".")[2], one.__name__) for one in calls}
    for room in ("claims", "report"):
        for file in (paths.ROOT / "ferutils" / room).glob("*.py"):
            for node in ast.parse(file.read_text()).body:
                public = isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
                if public and re.search("DataFrame$", ast.unparse(node.returns or node.args)):
                    told = re.search("Columns|Returns:", ast.get_docstring(node) or "")
                    assert told or (file.stem, node.name) in tried, (file.stem, node.name)
