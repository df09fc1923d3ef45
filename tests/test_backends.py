"""The same recipe under several backends: kept apart, compared by one rule, told as it is."""

import os
import re
import subprocess

import numpy as np
import pytest
from helpers import EXPLAINED
from scipy import stats
from synthetic import PUBLISHED, made, record

from ferutils import paths
from ferutils.claims.metrics import Interval
from ferutils.dataset import faces, fer2013
from ferutils.records import provenance, runs, study
from ferutils.report import backends, figures
from ferutils.report.backends import NAMES, Agreement, agreement

QUICK = PUBLISHED.model_copy(update={"counts": {split: [2] * 7 for split in fer2013.SPLITS}})
RECIPES = study.described(backends.RECIPES)
ALIKE = {
    "tensorflow": [0.40, 0.42, 0.44, 0.41, 0.43],
    "jax": [0.41, 0.42, 0.45, 0.42, 0.43],
    "torch": [0.39, 0.43, 0.44, 0.42, 0.42],
}
APART = ALIKE | {"torch": [0.60, 0.61, 0.62, 0.61, 0.61]}


def run(backend, seed=0, accuracy=0.4):
    """A record of the recipe under a backend."""
    recipe = RECIPES[0].model_dump(exclude_defaults=True) | {"seed": seed}
    curves = {
        "both_accuracy": accuracy,
        "both_loss": 1.5,
        "PublicTest_accuracy": accuracy,
        "PrivateTest_accuracy": 1 - accuracy,
    }
    one = record(curves=curves, **recipe)
    environment = one.run.environment.model_copy(
        update={"backend": backend, "versions": {"keras": "3", backend: "9.8"}}
    )
    described = one.run.model_copy(update={"environment": environment})
    return runs.Record(described, one.history, one.predictions)


def recorded_as(values):
    """Records by backend whose validation accuracies these are."""
    return {
        backend: [run(backend, seed, one) for seed, one in enumerate(some)]
        for backend, some in values.items()
    }


def plain(text):
    return text.replace("\u00a0", " ")


# ---- the rule -----------------------------------------------------------------------------------

HOLDS, ABOVE, BELOW = Interval(0.01, -0.1, 0.1), Interval(0.2, 0.1, 0.3), Interval(-0.2, -0.3, -0.1)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([HOLDS], Agreement.WITHIN),
        ([HOLDS, HOLDS, HOLDS], Agreement.WITHIN),
        ([Interval(0.1, 0.0, 0.2)], Agreement.WITHIN),  # the end of an interval belongs to it
        ([Interval(-0.1, -0.2, 0.0)], Agreement.WITHIN),
        ([ABOVE], Agreement.BEYOND),
        ([HOLDS, HOLDS, BELOW], Agreement.BEYOND),
        ([None, ABOVE, None], Agreement.BEYOND),
        ([None], Agreement.NOT_TESTED),
        ([HOLDS, None, None], Agreement.NOT_TESTED),
        ([], Agreement.NOT_TESTED),
    ],
)
def test_the_rule(found, expected):
    assert agreement(found) is expected


def test_every_verdict_stands_in_the_rule_that_the_page_prints():
    assert all(f"*{verdict}*" in backends.rule().data for verdict in Agreement)


def test_the_interval_of_a_difference_is_that_of_the_studentized_range():
    """Worked by hand: for three groups of five, twelve degrees of freedom remain."""
    found = backends.differences(ALIKE)
    pooled = np.sqrt(np.mean([np.var(some, ddof=1) for some in ALIKE.values()]))
    half = stats.studentized_range.ppf(0.95, 3, 12) * pooled / np.sqrt(5)
    assert list(found) == [("tensorflow", "jax"), ("tensorflow", "torch"), ("jax", "torch")]
    for (one, other), difference in found.items():
        mean = np.mean(ALIKE[one]) - np.mean(ALIKE[other])
        assert difference == pytest.approx((mean, mean - half, mean + half), rel=1e-6)
    assert backends.deviation(ALIKE) == pytest.approx(pooled)


def test_a_backend_with_one_run_or_none_is_not_tested_and_the_others_are():
    found = backends.differences(ALIKE | {"jax": [0.4]})
    assert found["tensorflow", "torch"] is not None
    assert found["tensorflow", "jax"] is found["jax", "torch"] is None
    assert set(backends.differences({"tensorflow": [], "jax": [], "torch": [0.4]}).values()) == {
        None
    }
    assert np.isnan(backends.deviation({"tensorflow": [0.4], "jax": []}))


# ---- what the page shows ------------------------------------------------------------------------


def test_backends_that_differ_no_more_than_their_seeds_are_called_so():
    text = backends.conclusion(recorded_as(ALIKE)).data
    assert "under TensorFlow, JAX and PyTorch is **within seed noise**" in text
    half = 50 * np.ptp(backends.differences(ALIKE)["jax", "torch"][1:])
    assert f"{half:.1f} points between two backends would have been seen" in text
    assert f"deviates by {100 * backends.deviation(ALIKE):.1f} points" in text
    assert backends.COMMAND not in text
    assert set(backends.pairs(recorded_as(ALIKE))["Verdict"]) == {"within seed noise"}


def test_a_backend_that_differs_by_more_is_called_so_in_its_pairs():
    assert "is **beyond seed noise**" in backends.conclusion(recorded_as(APART)).data
    frame = backends.pairs(recorded_as(APART)).set_index("Backends")["Verdict"]
    assert frame.to_dict() == {
        "TensorFlow − JAX": "within seed noise",
        "TensorFlow − PyTorch": "beyond seed noise",
        "JAX − PyTorch": "beyond seed noise",
    }


@pytest.mark.parametrize(
    "recorded", [{}, {"tensorflow": [0.4, 0.5, 0.6, 0.5, 0.4], "torch": [0.4]}]
)
def test_what_has_no_record_is_open_and_the_page_says_what_trains_it(recorded):
    found = recorded_as({name: [] for name in NAMES} | recorded)
    text = backends.conclusion(found).data
    assert "is **not tested**" in text
    assert "0 of 5 runs under JAX" in text and f"`{backends.COMMAND}`" in text
    assert ("of 5 runs under TensorFlow" in text) is not bool(recorded)
    table = backends.table(found).set_index("Backend")
    assert set(table.loc["JAX"]) == {"0", "open"}
    assert set(backends.pairs(found)["Verdict"]) == {"not tested"}
    figures.means(backends.means(found))


def test_the_table_has_mean_interval_deviation_and_loss():
    found = recorded_as(ALIKE)
    row = backends.table(found).set_index("Backend").map(plain).loc["PyTorch"]
    low, high = stats.t.interval(0.95, 4, np.mean(ALIKE["torch"]), stats.sem(ALIKE["torch"]))
    assert row.to_dict() == {
        "Runs": "5",
        "Version": "9.8",
        "Held-out accuracy (95 % interval)": f"42.0 % ({100 * low:.1f}–{100 * high:.1f})",
        "Deviation, points": f"{100 * np.std(ALIKE['torch'], ddof=1):.1f}",
        "Held-out loss (nats)": "1.500 ± 0.000",
    }


def test_the_verdict_goes_by_both_splits_and_each_is_shown():
    row = backends.pairs(recorded_as(APART)).map(plain).set_index("Backends").loc["JAX − PyTorch"]
    assert row["Both"] == row["PublicTest"] == "−18.4 (−20.6 to −16.2)"
    assert row["PrivateTest"] == "+18.4 (+16.2 to +20.6)"


# ---- the same first steps -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def taken():
    """Two steps of a small batch under this process's backend, by what was changed."""
    from ferutils.measuring import backend, first_steps

    backend.load()
    drawn = faces.draw_training(first_steps.FACES).splits["Training"]
    batch = drawn.images[::9, ..., None], drawn.labels[::9]
    shallow = first_steps.RECIPES["shallow"]
    faster = shallow.model_copy(update={"learning_rate": 2 * shallow.learning_rate})
    return {
        "as it is": first_steps.take(shallow, *batch, 2),
        "again": first_steps.take(shallow, *batch, 2),
        "rounded": first_steps.take(shallow, *batch, 2, rounded=True),
        "faster": first_steps.take(faster, *batch, 2),
    }


def test_steps_from_the_same_weights_differ_by_rounding_and_by_another_formula_visibly(taken):
    def apart(what, other):
        own, first = taken[other][what], taken["as it is"][what]
        return np.linalg.norm(own - first) / np.linalg.norm(first)

    assert apart("update", "again") < 1e-5
    assert 0 < apart("gradient", "rounded") < 1e-2
    assert apart("gradient", "faster") < 1e-5 and apart("update", "faster") > 0.9


# ---- the records --------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(backends, "FOLDER", tmp_path)
    return tmp_path


def write(folder, backend, trained_under, recipe):
    described = recipe.model_dump(exclude_defaults=True)
    run, *measured = made(note=QUICK, **described)
    environment = run.environment.model_copy(update={"backend": trained_under})
    return runs.write(
        run.model_copy(update={"environment": environment}), *measured, folder / backend
    )


def test_the_records_of_a_backend_are_those_of_its_folder_in_the_order_of_seeds(folder):
    assert backends.read() == {"tensorflow": [], "jax": [], "torch": []}
    for recipe in reversed(RECIPES):
        write(folder, "jax", "jax", recipe)
    write(folder, "jax", "jax", RECIPES[0].model_copy(update={"epochs": 1}))  # another recipe
    found = backends.read()
    assert [one.recipe for one in found["jax"]] == RECIPES
    assert backends.every(found) == found["jax"]


def test_a_record_in_the_folder_of_another_backend_is_refused(folder):
    write(folder, "torch", "tensorflow", RECIPES[0])
    with pytest.raises(ValueError, match=EXPLAINED):
        backends.read()


def test_the_runs_are_not_of_the_study_whose_record_would_stand_for_them():
    of_study = {recipe for entry in study.load().runs for recipe in entry.recipes}
    assert not of_study & set(RECIPES)


def test_each_backend_has_records_checkpoints_and_weights_of_its_own(tmp_path):
    """What `make backends` runs, with stand-ins that write their environment down."""
    said = tmp_path / "said"
    for name in ("uv", "ferutils"):
        script = tmp_path / "bin" / name
        script.parent.mkdir(exist_ok=True)
        wanted = "$KERAS_BACKEND $FERUTILS_RUNS $FERUTILS_CACHE"
        script.write_text(f'#!/bin/sh\necho {name} {wanted} "$*" >> {said}\n')
        script.chmod(0o755)
    for name in ("Snakefile", "requirements.txt", "pyproject.toml", "ready"):
        (tmp_path / name).touch()
    command = ["make", "-f", paths.ROOT / "Makefile", "backends", "BIN=bin", "READY=ready"]
    outer = ("MAKEFLAGS", "MFLAGS", "KERAS_BACKEND", "FERUTILS_RUNS", "FERUTILS_CACHE")
    environment = {name: value for name, value in os.environ.items() if name not in outer}
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True)
    install, *trained = said.read_text().splitlines()
    assert install.startswith("uv") and install.endswith("-e .[backends]")
    assert trained == [
        f"ferutils {one} book/backends/{one} .cache/backends/{one} sweep --yes book/backends.yml"
        for one in NAMES
    ] + ["ferutils measure first-steps"]


# ---- as recorded --------------------------------------------------------------------------------

FOLDERS = sorted(file.parent for file in backends.FOLDER.glob("*/*/run.json"))


def test_nothing_but_records_of_the_recipe_lies_in_the_folders():
    assert {folder.parent.name for folder in FOLDERS} <= set(NAMES)
    names = {backends.run_id(one, fer2013.published_fingerprints()) for one in RECIPES}
    assert {folder.name for folder in FOLDERS} <= names


@pytest.mark.parametrize(
    "folder", FOLDERS, ids=lambda folder: f"{folder.parent.name}-{folder.name}"
)
def test_a_record_is_of_its_backend_of_the_published_dataset_and_of_this_code(folder):
    found = runs.read(folder).run
    assert found.environment.backend == folder.parent.name
    assert found.environment.versions[folder.parent.name]
    assert found.dataset.fingerprints == fer2013.published_fingerprints()
    assert found.dataset.differences == []
    assert provenance.is_current(found)
    assert re.fullmatch("[0-9a-f]{40}", found.code.commit or "")


@pytest.mark.skipif(not FOLDERS, reason="no backend has a record yet: make backends")
def test_every_backend_has_trained_every_seed_on_one_machine():
    found = backends.read()
    assert [[one.recipe for one in some] for some in found.values()] == [RECIPES] * len(NAMES)
    assert len({one.run.environment.device for one in backends.every(found)}) == 1
    assert len({one.run.code.fingerprint for one in backends.every(found)}) == 1
