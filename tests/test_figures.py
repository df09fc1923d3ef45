"""Each figure draws what it is given. Needs no dataset and no Keras."""

import ast
import base64
import csv
import functools
import io
import itertools
import re
import subprocess
import sys
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex, to_rgb
from matplotlib.patches import FancyBboxPatch
from matplotlib.text import Text
from PIL import Image
from pretraineds import measured
from synthetic import PAPER, PUBLISHED, answers, layers, probed, record, selected, study

from ferutils import paths
from ferutils.claims import metrics
from ferutils.dataset.fer2013 import EMOTIONS, SPLITS
from ferutils.records import pretrained
from ferutils.report import (
    crop_figures,
    figures,
    pretrained_figures,
    pretrained_tables,
    probe_figures,
    probe_tables,
    small_figures,
    tables,
)

SVG = "{http://www.w3.org/2000/svg}"
SHALLOW = record("shallow")
ANSWERS = SHALLOW.predictions
ACCURACIES = {
    (rate, count): [0.5 - 10 * rate, 0.5 - count / 1e4]
    for rate in (1e-5, 1e-4, 1e-3, 1e-2)
    for count in (256, 512, 1024, 2048)
}
SELECTED = selected(ACCURACIES)


@pytest.fixture(autouse=True)
def _drawn_alone(monkeypatch):
    """Without a screen, without Keras, without showing; nothing stays open."""

    def shown(*arguments, **options):
        raise AssertionError("a figure was shown")

    monkeypatch.setattr(plt, "show", shown)
    for name in ("keras", "tensorflow"):
        monkeypatch.setitem(sys.modules, name, None)  # to import it is an error now
    before, style = matplotlib.get_backend(), matplotlib.rcParams.copy()
    plt.switch_backend("Agg")
    yield
    for number in plt.get_fignums():
        plt.figure(number).canvas.draw()  # what was drawn can be painted
    plt.close("all")
    plt.switch_backend(before)
    matplotlib.rcParams.update(style)


def figures_open():
    return len(plt.get_fignums())


def of_kind(ax, marker):
    return [line for line in ax.lines if line.get_marker() == marker and len(line.get_xdata())]


def texts(labels):
    return [label.get_text() for label in labels]


def title_of(ax):
    """The title wherever the style puts it."""
    return ax.get_title("left") or ax.get_title()


def legend_of(ax):
    return texts(ax.get_figure().legends[0].get_texts())


def csv_of(axes):
    """The numbers that a figure keeps, as a reader finds them in its CSV."""
    figure = np.ravel(axes)[0].get_figure()
    rows = csv.DictReader(figures.plotted(figure)["text/csv"].splitlines())
    return pd.DataFrame(rows).map(number)


def number(text):
    """A field of a CSV as the number that was written, to its last digit."""
    try:
        return float(text or "nan")
    except ValueError:
        return text


@pytest.mark.slow
def test_drawing_needs_no_keras():
    code = "import ferutils.report.figures, sys; sys.exit('keras' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def drawing(file):
    """The public functions of a module that draw."""
    functions = [
        one for one in ast.parse(file.read_text()).body if isinstance(one, ast.FunctionDef)
    ]
    found = [one for one in functions if ast.unparse(one.returns) in ("Axes", "np.ndarray")]
    return {one.name for one in found if not one.name.startswith("_")}


def test_every_figure_is_drawn_here():
    files = (paths.ROOT / "ferutils/report").glob("*figures.py")
    every = {file.stem: drawing(file) for file in files}
    assert set().union(*every.values()) == {name.replace(" ", "_") for name in DRAWINGS}
    tried = "".join(sorted(name for name in globals() if name.startswith("test_")))
    assert {name for name in every["figures"] if f"test_{name}" not in tried} == set()


CONFLICTS = pd.DataFrame(
    [
        (one, other, 9 * place, place)
        for place, (other, one) in enumerate(itertools.combinations(EMOTIONS, 2))
    ],
    columns=["label", "other_label", "photographs", "equal_images"],
)


def test_label_conflicts_have_both_counts_of_each_two_emotions_once():
    ax = figures.label_conflicts(CONFLICTS)
    texts = [text.get_text() for text in ax.texts]
    assert len(texts) == 2 * 21 and texts[:2] == ["0", "0"]
    assert sorted(map(int, texts[::2])) == CONFLICTS["photographs"].tolist()
    assert sorted(map(int, texts[1::2])) == CONFLICTS["equal_images"].tolist()


FAMILIARITY = pd.DataFrame(
    [
        ("shallow", run, split, faces, share + run / 10)
        for run in (0, 1)
        for split in ("PublicTest", "PrivateTest")
        for faces, share in (("new", 0.5), ("known", 0.7))
    ],
    columns=["network", "run", "split", "faces", "accuracy_share"],
)


def test_familiarity_has_a_line_for_each_run_and_one_for_their_mean():
    for ax in figures.familiarity(FAMILIARITY):
        drawn = [tuple(line.get_ydata().round(6)) for line in ax.lines]
        assert drawn == [(0.5, 0.7), (0.6, 0.8), (0.55, 0.75)]


LEADS = pd.DataFrame(
    [
        ("deep and shallow", "3 and 5", split, faces, value, value - 0.02, value + 0.02, 0.9, 0.01)
        for split in ("PublicTest", "PrivateTest")
        for faces, value in (("new", 0.04), ("known", -0.1), ("all", 0.01))
    ],
    columns=[
        "networks",
        "runs",
        "split",
        "faces",
        "value",
        "low",
        "high",
        "probability",
        "p_value",
    ],
)


def test_forest_has_an_interval_for_each_kind_of_faces_beside_no_difference():
    axes = figures.forest(LEADS)
    assert [label.get_text() for label in axes[0].get_yticklabels()] == ["deep\nover shallow"]
    for ax in axes:
        *drawn, nothing = (tuple(np.round(line.get_xdata(), 6)) for line in ax.lines)
        assert drawn == [(2, 6), (4,), (-12, -8), (-10,), (-1, 3), (1,)]
        assert nothing == (0, 0)


READINGS = pd.DataFrame(
    [
        (network, recipe, measure, "58%", claimed, [0, 1], [claimed + off, claimed + 3 * off])
        for network, claimed in (("shallow", 0.58), ("deep", 0.7))
        for measure in figures.UNITS
        for recipe, off in (("as printed", 0.01), ("as in the text", 0.05))
    ],
    columns=["network", "recipe", "measure", "printed", "claimed", "seeds", "measured"],
)


def test_readings_have_a_point_for_each_run_and_the_papers_figure_beside_them():
    axes = figures.readings(READINGS)
    labels = [label.get_text() for label in axes[0].get_yticklabels()]
    assert labels == ["shallow, as printed", "as in the text", "deep, as printed", "as in the text"]
    for ax in axes:
        paper, *drawn = (tuple(line.get_xdata().round(6)) for line in ax.lines)
        assert paper == (0.58, 0.58)
        assert drawn[:2] == [(0.59, 0.61), (0.6,)]  # the runs and their mean
        assert drawn[2:4] == [(0.63, 0.73), (0.68,)]
        assert drawn[4] == (0.7, 0.7)


# ---- faces --------------------------------------------------------------------------------------


def test_faces_stand_in_a_grid_with_their_titles():
    images = np.random.default_rng(0).integers(60, 90, (9, 48, 48), np.uint8)
    axes = figures.faces(images, list("abcdefghi"), columns=7)
    assert axes.shape == (2, 7)
    assert [ax.get_title() for ax in axes.flat] == [*"abcdefghi", *[""] * 5]
    for ax, image in zip(axes.flat, images, strict=False):
        assert np.array_equal(ax.images[0].get_array(), image)
        assert ax.images[0].get_clim() == (0, 255)  # no stretching of contrast
    assert not any(ax.axison or ax.images for ax in axes.flat[9:])


def test_faces_of_one_row_have_two_dimensions():
    assert figures.faces([np.zeros((48, 48))], ["dark"]).shape == (1, 7)


def test_faces_give_no_numbers_away():
    (ax, *_), *_ = figures.faces([np.zeros((48, 48))], ["dark"])
    assert figures.plotted(ax.get_figure()) == {}


# ---- learning curves ----------------------------------------------------------------------------


@pytest.mark.parametrize("runs", [1, 3])
def test_learning_curves_have_a_line_per_run_and_part(runs):
    seeds = [record(seed=seed) for seed in range(runs)]
    accuracy, loss = figures.learning_curves(seeds)
    assert (len(accuracy.lines), len(loss.lines)) == (3 * runs, 3 * runs)
    for ax, quantity in ((accuracy, "accuracy"), (loss, "loss")):
        lines = iter(ax.lines)
        for part in ("training", "validation"):
            for one in seeds:
                line = next(lines)
                assert np.array_equal(line.get_xdata(), range(1, 11))
                assert np.array_equal(line.get_ydata(), one.history[f"{part}_{quantity}"])
        for one in seeds:  # with dropout off
            line = next(lines)
            assert line.get_xdata() == [one.run.kept_epoch]
            assert line.get_ydata() == [getattr(one.run.scores["Training"], quantity)]
    assert legend_of(accuracy) == ["training", "validation", "training, dropout off"]
    assert [title_of(ax) for ax in (accuracy, loss)] == ["Accuracy", "Loss (nats)"]
    assert accuracy.get_xlabel() == loss.get_xlabel() == "epoch"
    assert loss.get_ylim()[0] == 0


def test_learning_curves_carry_the_papers_figures_at_the_last_epoch():
    one = record(epochs=4)
    claims = tables.printed_scores(PAPER, one)
    accuracy, loss = figures.learning_curves([one], claims)
    for ax, quantity in ((accuracy, "accuracy"), (loss, "loss")):
        diamonds = {(*line.get_xdata(), *line.get_ydata()) for line in of_kind(ax, "D")}
        expected = {(4, claims[f"{part}_{quantity}"]) for part in ("training", "validation")}
        assert diamonds == expected
    assert legend_of(accuracy)[-1] == "the paper's Table 3"


def test_learning_curves_can_be_taken_away_as_numbers():
    seeds = [record(epochs=4, seed=seed) for seed in range(2)]
    claims = tables.printed_scores(PAPER, seeds[0])
    table = csv_of(figures.learning_curves(seeds, claims))
    columns = [f"{column}_{unit}" for column, unit in figures.UNITS.items()]
    for one in seeds:
        rows = table[table["run_id"] == one.run.id]
        assert rows["run"].unique() == f"seed {one.recipe.seed}"
        assert np.array_equal(rows["epoch"], one.history["epoch"])
        assert np.array_equal(rows[columns], one.history[list(figures.UNITS)])
    printed = table[table["run_id"].isna()]
    assert printed[columns].to_numpy()[0].tolist() == [claims[name] for name in figures.UNITS]


def test_two_runs_are_drawn_over_each_other_and_told_apart_by_colour():
    both = [record("shallow"), record("improved", epochs=4)]
    axes = figures.two_runs(["one", "the other"], both)
    for ax, quantity in zip(axes, ("accuracy", "loss"), strict=True):
        drawn = {(to_hex(line.get_color()), line.get_linestyle()): line for line in ax.lines}
        for one, colour in zip(both, (figures.INDIGO, figures.ROSE), strict=True):
            for part, dash in (("training", "--"), ("validation", "-")):
                line = drawn[colour.lower(), dash]
                assert np.array_equal(line.get_ydata(), one.history[f"{part}_{quantity}"])
        assert len(ax.lines) == 4
    assert legend_of(axes[0]) == ["one", "the other", "training", "validation"]
    assert csv_of(axes)["run"].value_counts().to_dict() == {"one": 10, "the other": 4}


def test_two_runs_of_one_name_are_both_there():
    one = record("shallow")
    assert len(csv_of(figures.two_runs(["same", "same"], [one, one]))) == 20


def test_learning_curves_of_one_epoch_can_be_seen():
    accuracy, _ = figures.learning_curves([record(epochs=1)])
    assert all(line.get_marker() not in ("", "None") for line in accuracy.lines)


# ---- scores -------------------------------------------------------------------------------------


def test_confusion_writes_and_colours_shares_and_counts_images_below():
    counts = metrics.confusion(answers([0, 0, 0, 0, 1], [0, 0, 0, 2, 1]))
    ax = figures.confusion(counts)
    fields = {}
    for text in ax.texts:
        fields.setdefault(text.xy, []).append(text.get_text().replace("\u00a0", " "))
    assert (fields[0.5, 0.5], fields[2.5, 0.5]) == (["75 %", "3"], ["25 %", "1"])  # of angry
    assert fields[1.5, 1.5] == ["100 %", "1"]
    assert fields[3.5, 3.5] == ["0 %", "0"]  # an emotion without images, not divided by zero
    assert len(fields) == 49
    shares = np.asarray(ax.collections[0].get_array()).reshape(7, 7)
    assert (shares[0, 0], shares[0, 2], shares[1, 1]) == (0.75, 0.25, 1)
    assert not shares[2:].any()
    assert tuple(texts(ax.get_xticklabels())) == tuple(texts(ax.get_yticklabels())) == EMOTIONS
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("predicted", "true")


def test_letters_on_a_heat_map_stand_out_on_light_and_dark_pages_whatever_the_share():
    for share in np.linspace(0, 1, 1001):
        letters = figures.ON_STRONG if share > figures.STRONG else figures.ON_PALE
        assert contrast(letters, figures.HEAT(share)) >= 4.5, share
        assert contrast(figures.DARK[letters], figures.DARK_HEAT(share)) >= 4.5, share


def test_the_palest_field_of_a_heat_map_is_seen_on_its_page():
    assert contrast(figures.HEAT(0), figures.PAGE) > 1.1
    assert contrast(figures.DARK_HEAT(0), figures.DARK[figures.PAGE]) > 1.1


def test_confusion_can_be_taken_away_as_numbers():
    counts = metrics.confusion(record().predictions["PrivateTest"])
    table = csv_of(figures.confusion(counts))
    for row, true in enumerate(EMOTIONS):
        for column, predicted in enumerate(EMOTIONS):
            field = table.iloc[7 * row + column]
            assert (field["true_emotion"], field["predicted_emotion"]) == (true, predicted)
            assert field["images"] == counts.loc[true, predicted]
            assert field["share_of_true"] == counts.loc[true, predicted] / counts.loc[true].sum()


def test_confusion_is_drawn_on_given_axes():
    given = plt.subplots()[1]
    assert figures.confusion(metrics.confusion(answers([0], [0])), given) is given
    assert figures_open() == 1


def test_recall_has_a_point_and_an_interval_per_emotion_and_split():
    found = {split: metrics.recall(one) for split, one in record().predictions.items()}
    ax = figures.recall(found)
    assert legend_of(ax) == ["PublicTest", "PrivateTest"]
    for container, frame in zip(ax.containers, found.values(), strict=True):
        points, _, (bars,) = container
        assert np.array_equal(points.get_xdata(), frame["value"])
        ends = np.array([segment[:, 0] for segment in bars.get_segments()])
        assert ends == pytest.approx(frame[["low", "high"]].to_numpy())
    images = PUBLISHED.counts["PublicTest"]
    expected = [f"{name} ({count})" for name, count in zip(EMOTIONS, images, strict=True)]
    assert texts(ax.get_yticklabels()) == expected
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # the first emotion is on top
    assert ax.get_xlim() == (0, 1)
    table = csv_of(ax)
    for split, frame in found.items():
        rows = table[table["split"] == split]
        assert rows["emotion"].tolist() == list(EMOTIONS)
        assert np.array_equal(rows["recall_share"], frame["value"])
        assert np.array_equal(rows["images"], frame["images"])


def test_recall_can_be_drawn_where_an_emotion_is_absent_or_always_right():
    ax = figures.recall({"PublicTest": metrics.recall(answers([0, 1, 1], [0, 0, 0]))})
    points = ax.containers[0][0].get_xdata().astype(float)
    assert points[:2].tolist() == [1, 0]
    assert np.isnan(points[2:]).all()


def test_reliability_sets_accuracy_against_confidence_above_the_answers():
    sure, unsure = answers([0, 1, 2, 3], [0, 1, 2, 0]), answers([0, 1], [0, 0], 0.5)
    found = {"sure": metrics.calibration(sure), "unsure": metrics.calibration(unsure)}
    axes = figures.reliability(found)
    assert axes.shape == (2, 2)
    assert [title_of(ax) for ax in axes[0]] == ["sure", "unsure"]
    for diagram, (confidence, value) in zip(axes[0], [(0.9, 0.75), (0.5, 0.5)], strict=True):
        ((points, _, (bars,)),) = diagram.containers  # empty bins have neither point nor interval
        assert (*points.get_xdata(), *points.get_ydata()) == pytest.approx((confidence, value))
        assert np.ptp(bars.get_segments()[0][:, 1]) > 0.5
        assert diagram.lines[0].get_xydata().tolist() == [[0, 0], [1, 1]]
        assert (diagram.get_xlim(), diagram.get_ylim()) == ((0, 1), (0, 1))
    for ax, (title, frame) in zip(axes[1], found.items(), strict=True):
        heights = [bar.get_height() for bar in ax.patches]
        assert heights == (frame["images"] / frame["images"].sum()).tolist(), title
        assert [bar.get_x() for bar in ax.patches] == pytest.approx(frame.index.left.tolist())
        rows = csv_of(axes).query("diagram == @title")
        assert rows["images"].tolist() == frame["images"].tolist()
        assert rows["accuracy_share"].dropna().tolist() == frame["value"].dropna().tolist()
        assert rows["interval_low_share"].count() == 1  # where there is a point


@pytest.mark.parametrize("diagrams", [1, 3])
def test_reliability_has_a_column_per_diagram_on_one_scale(diagrams):
    frame = metrics.calibration(record().predictions["PublicTest"])
    axes = figures.reliability({f"run {number}": frame for number in range(diagrams)})
    assert axes.shape == (2, diagrams)
    for row in axes:
        assert len({ax.get_ylim() for ax in row}) == 1


def test_class_balance_has_a_bar_per_emotion_and_split():
    counts = PUBLISHED.counts
    ax = figures.class_balance(counts)
    assert legend_of(ax) == list(SPLITS)
    assert tuple(texts(ax.get_xticklabels())) == EMOTIONS
    for bars, split in zip(ax.containers, SPLITS, strict=True):
        heights = [bar.get_height() for bar in bars]
        assert heights == pytest.approx(np.array(counts[split]) / sum(counts[split]))
        assert sum(heights) == pytest.approx(1)
        assert csv_of(ax).query("split == @split")["images"].tolist() == list(counts[split])


# ---- networks -----------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["shallow", "improved", "deep"])
def test_architecture_has_a_box_per_layer_and_a_label_per_shape(model):
    rows = layers(model)
    ax = figures.architecture(rows)
    boxes = [patch for patch in ax.patches if isinstance(patch, FancyBboxPatch)]
    assert len(boxes) == len(rows)
    colours = [to_hex(box.get_facecolor()).upper() for box in boxes]
    assert colours == [figures.LAYER_COLOURS[row.type].upper() for row in rows]
    shapes = ["×".join(map(str, row.output_shape)) for row in rows]
    once = [one for one, before in zip(shapes, [None, *shapes]) if one != before]
    assert texts(ax.texts) == once
    assert set(legend_of(ax)) == {row.type for row in rows}
    table = csv_of(ax)
    assert table["type"].tolist() == [row.type for row in rows]
    assert table["parameters"].tolist() == [row.parameters for row in rows]


def test_architecture_falls_with_the_width_of_the_maps():
    rows = layers("deep")
    boxes = [one for one in figures.architecture(rows).patches if isinstance(one, FancyBboxPatch)]
    heights = [box.get_height() for box, row in zip(boxes, rows) if len(row.output_shape) == 3]
    assert heights == sorted(heights, reverse=True)
    assert len(set(heights)) == 5


def test_architecture_knows_every_type_that_the_paper_prints():
    used = {row.type for table in PAPER.layer_tables.values() for row in table.rows}
    assert used == set(figures.LAYER_COLOURS)


# ---- claimed and measured -----------------------------------------------------------------------

ROWS = list(itertools.product(("shallow", "improved", "deep"), ("training", "validation")))


def test_claimed_and_measured_has_a_diamond_per_claim_and_a_point_per_run():
    curves = {"training_loss": 0.3, "validation_loss": 1.7}
    found = study(
        *(record("shallow", curves, seed=seed) for seed in range(3)),
        record("deep", train_images=7178),
    )
    table = tables.claimed_and_measured(PAPER, found)
    accuracy, loss = figures.claimed_and_measured(table)
    for ax, quantity in ((accuracy, "accuracy"), (loss, "loss")):
        rows = table[table["measure"].str.endswith(quantity)]
        assert [line.get_xdata()[0] for line in of_kind(ax, "D")] == rows["claimed"].tolist()
        runs = [len(line.get_xdata()) for line in of_kind(ax, "o")]
        assert runs == [3, 3]  # a reduced run measures nothing here
        bars = [line.get_xdata() for line in ax.lines if line.get_linewidth() == 7]
        margins = [(high - low) / 2 for low, high in bars]
        assert margins == pytest.approx(rows["margin"].tolist())
    assert texts(accuracy.get_yticklabels()) == [f"{model}, {part}" for model, part in ROWS]
    assert legend_of(accuracy)[0] == "the paper"
    numbers = csv_of(accuracy)
    runs = [value for row in table["measured"] for value in row or [np.nan]]
    assert numbers["measured"].tolist() == pytest.approx(runs, abs=0, nan_ok=True)
    assert set(zip(numbers["measure"].str.split("_").str[1], numbers["unit"])) == {
        ("accuracy", "share"),
        ("loss", "nats"),
    }


def test_claimed_and_measured_puts_both_axes_in_one_order():
    table = tables.claimed_and_measured(PAPER, study())
    for quantity in ("accuracy", "loss"):
        rows = table[table["measure"].str.endswith(quantity)]
        parts = [measure.removesuffix(f"_{quantity}") for measure in rows["measure"]]
        assert list(zip(rows["model"], parts)) == ROWS


def test_claimed_and_measured_can_be_drawn_without_any_run():
    axes = figures.claimed_and_measured(tables.claimed_and_measured(PAPER, study()))
    assert [len(of_kind(ax, "o")) for ax in axes] == [0, 0]


# ---- means --------------------------------------------------------------------------------------

MEANS = pd.DataFrame(
    {
        "name": ["TensorFlow", "JAX", "PyTorch"],
        "seeds": [[0, 1, 2], [0], []],
        "measured": [[0.4, 0.42, 0.47], [0.43], []],
        "value": [0.43, 0.43, np.nan],
        "low": [0.34, 0.43, np.nan],
        "high": [0.52, 0.43, np.nan],
    }
)


def test_means_have_a_point_per_run_and_the_interval_of_their_mean():
    ax = figures.means(MEANS)
    assert [list(line.get_xdata()) for line in of_kind(ax, "o")] == [[0.4, 0.42, 0.47], [0.43]]
    squares = np.ravel([line.get_xdata() for line in of_kind(ax, "s")])
    assert squares == pytest.approx(MEANS["value"], nan_ok=True)
    bars = [line.get_xdata() for line in ax.lines if line.get_marker() == "None"]
    assert bars == pytest.approx(MEANS[["low", "high"]].to_numpy(), nan_ok=True)
    assert texts(ax.get_yticklabels()) == list(MEANS["name"])
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # the first row on top


def test_means_say_which_row_has_no_record_and_give_all_numbers_away():
    ax = figures.means(MEANS)
    assert [(one.get_text(), one.get_position()[1]) for one in ax.texts] == [("no record yet", 2)]
    numbers = csv_of(ax)
    assert numbers["seed"].tolist()[:4] == [0, 1, 2, 0]
    assert numbers["held_out_accuracy_share"].tolist()[:4] == [0.4, 0.42, 0.47, 0.43]
    assert numbers["interval_high_share"].tolist()[:3] == [0.52] * 3


def test_means_can_be_drawn_without_any_run():
    ax = figures.means(MEANS.iloc[[2, 2]].reset_index(drop=True))
    assert len(ax.texts) == 2
    assert ax.get_xlim() == (0, 1)


# ---- cross-validation ---------------------------------------------------------------------------


def place_of(cell):
    """The column and row of a cell on the heat map."""
    grid = SELECTED.cells.unstack("hidden_neurons")
    return grid["accuracy"].columns.get_loc(cell[1]), grid.index.get_loc(cell[0])


def marked(ax):
    """The cells with a mark, by marker; outlines are rectangles."""
    found = {line.get_marker(): tuple(int(one[0]) for one in line.get_data()) for line in ax.lines}
    (outline,) = ax.patches or [None]
    return found | ({"outline": tuple(map(int, outline.get_xy()))} if outline else {})


def test_cross_validation_has_mean_and_deviation_in_each_cell():
    ax = figures.cross_validation(SELECTED)
    shown = {(text.xy, text.get_text()) for text in ax.texts}
    for cell, values in ACCURACIES.items():
        column, row = place_of(cell)
        middle = (column + 0.5, row + 0.5)
        assert (middle, f"{100 * np.mean(values):.1f}\u00a0%") in shown
        assert (middle, f"± {100 * np.std(values, ddof=1):.1f}") in shown
    assert texts(ax.get_yticklabels()) == ["0.00001", "0.0001", "0.001", "0.01"]
    assert texts(ax.get_xticklabels()) == ["256", "512", "1,024", "2,048"]


def test_cross_validation_marks_the_three_choices_by_shape():
    ax = figures.cross_validation(SELECTED)
    assert marked(ax) == {
        "outline": place_of(SELECTED.paper),
        "*": place_of(SELECTED.best),
        "D": place_of(SELECTED.one_standard_error),
    }
    assert legend_of(ax) == ["the paper", "best", "one standard error"]


def test_cross_validation_that_is_open_says_so_in_each_cell():
    for trainings, left in ((0, 16), (4, 14)):
        ax = figures.cross_validation(selected(ACCURACIES, trainings=trainings))
        assert texts(ax.texts).count("open") == left
        assert list(marked(ax)) == ["outline"]


def test_cross_validation_of_equal_cells_is_drawn():
    ax = figures.cross_validation(selected({cell: [0.25, 0.25] for cell in ACCURACIES}))
    assert texts(ax.texts).count("25.0\u00a0%") == 16


def test_cross_validation_keeps_its_numbers():
    frame = csv_of(figures.cross_validation(SELECTED)).set_index(
        ["learning_rate", "hidden_neurons"]
    )
    for cell, values in ACCURACIES.items():
        assert frame.loc[cell, "accuracy_share"] == np.mean(values)
        assert frame.loc[cell, "accuracy_deviation_share"] == np.std(values, ddof=1)
    assert (frame["chosen_by"] == "the paper").sum() == 1


# ---- the style ----------------------------------------------------------------------------------


DRAWINGS = {
    "faces": lambda: figures.faces([np.zeros((48, 48))] * 9, ["surprise"] * 9),
    "learning curves": lambda: figures.learning_curves(
        [SHALLOW], tables.printed_scores(PAPER, SHALLOW)
    ),
    "two runs": lambda: figures.two_runs(["shallow, seed 0", "improved, seed 0"], [SHALLOW] * 2),
    "confusion": lambda: figures.confusion(metrics.confusion(ANSWERS["PublicTest"])),
    "label conflicts": lambda: figures.label_conflicts(CONFLICTS),
    "cross validation": lambda: figures.cross_validation(SELECTED),
    "recall": lambda: figures.recall({one: metrics.recall(ANSWERS[one]) for one in ANSWERS}),
    "reliability": lambda: figures.reliability(
        {
            one: metrics.calibration(ANSWERS["PublicTest"])
            for one in ("shallow", "improved", "deep (mixed precision)")
        }
    ),
    "class balance": lambda: figures.class_balance(PUBLISHED.counts),
    "architecture": lambda: figures.architecture(layers("deep")),
    "means": lambda: figures.means(MEANS),
    "familiarity": lambda: figures.familiarity(FAMILIARITY),
    "forest": lambda: figures.forest(LEADS),
    "readings": lambda: figures.readings(READINGS),
    "claimed and measured": lambda: figures.claimed_and_measured(
        tables.claimed_and_measured(PAPER, study(SHALLOW, record("deep", train_images=7178)))
    ),
}
FILES = pd.DataFrame(
    [("small", "int8", "this report's", 9e5, 0.7), ("deep", "float32", "the paper's", 8e7, 0.6)],
    columns=["network", "form", "whose", "bytes", "accuracy_share"],
)
RIGHT = pd.DataFrame(
    [
        (network, 0, split, faces, 0.5, 0.48, 0.52)
        for network in ("AlexNet", "ImageNet VGG16, fine-tuned", "shallow")
        for split in ("PublicTest", "PrivateTest")
        for faces in ("all faces", "new faces")
    ],
    columns=["network", "seed", "split", "faces", "accuracy_share", *figures.ENDS],
)


def test_accuracies_have_a_point_and_an_interval_for_each_run():
    axes = figures.accuracies(RIGHT)
    assert [ax.get_title() for ax in axes] == ["PublicTest", "PrivateTest"]
    drawn = sum(len(line.get_xdata()) for ax in axes for line in ax.lines)
    assert drawn == len(RIGHT)
    assert sum(len(some.get_segments()) for ax in axes for some in ax.collections) == len(RIGHT)


MARGINS = pd.DataFrame(
    {"run": "shallow-0123456789ab", "margin": [np.nan, 1.0, 1.2], "accuracy_share": [0.6, 0.5, 0.6]}
)
PROBED = [probed(model) for model in ("shallow", "improved", "deep")]
DRAWINGS |= {
    "steadiness": lambda: probe_figures.steadiness(probe_tables.steps(PROBED)),
    "weights": lambda: probe_figures.weights(probe_tables.layers(PROBED)),
    "attention": lambda: probe_figures.attention(PROBED),
    "filters": lambda: probe_figures.filters(PROBED),
    "sizes": lambda: small_figures.sizes(FILES, [10**6]),
    "accuracies": lambda: figures.accuracies(RIGHT),
    "capsules": lambda: pretrained_figures.capsules(
        pretrained_tables.steps([measured(name) for name in pretrained.CAPSULES])
    ),
    "curve": lambda: crop_figures.curve(MARGINS, 1.2),
}
every_drawing = pytest.mark.parametrize("draw", DRAWINGS.values(), ids=DRAWINGS)


def luminance(colour):
    """Relative luminance, as WCAG 2.1 defines it."""
    shares = np.array(to_rgb(colour))
    linear = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


def contrast(one, other):
    darker, lighter = sorted(map(luminance, (one, other)))
    return (lighter + 0.05) / (darker + 0.05)


def drawn(draw):
    """What a notebook shows of a figure, by MIME type."""
    figures.house_style()
    draw()
    return InteractiveShell.instance().display_formatter.format(plt.gcf())[0]


bundle = functools.cache(drawn)


@every_drawing
def test_a_notebook_holds_a_figure_as_png_svg_and_numbers(draw):
    shown = bundle(draw)
    numbers = {"text/csv"} if draw is not DRAWINGS["faces"] else set()
    assert shown.keys() == {"image/png", "image/svg+xml", "text/plain"} | numbers
    png = Image.open(io.BytesIO(base64.b64decode(shown["image/png"])))
    assert png.width == pytest.approx(2 * 96 * figures.WIDTH, abs=1)
    assert "<text" not in shown["image/svg+xml"]  # letters are paths, and need no font
    plt.close("all")
    assert drawn(draw) == shown  # no date, no random name: the same figure, the same files


@every_drawing
def test_the_letters_of_a_figure_are_whole_large_enough_on_a_phone_and_cover_no_data(draw):
    figures.house_style()
    draw()
    figure = plt.gcf()
    figure.canvas.draw()  # or nothing has its place yet
    inked, page = figure.get_tightbbox(), figure.bbox_inches.padded(0.01)
    assert page.contains(inked.x0, inked.y0)
    assert page.contains(inked.x1, inked.y1)
    for text in figure.findobj(Text):
        assert text.get_fontsize() / 72 * 350 / figure.get_figwidth() >= 9, text
    for legend in figure.legends:
        assert not any(legend.get_window_extent().overlaps(ax.bbox) for ax in figure.axes)
    assert not any(ax.get_legend() for ax in figure.axes)


def colours_of(svg):
    return set(re.findall(r"#[0-9a-f]{6}\b", svg))


@every_drawing
def test_a_figure_has_a_colour_of_its_own_for_the_dark_page_wherever_it_has_one(draw):
    light = bundle(draw)["image/svg+xml"]
    heat = {to_hex(figures.HEAT(step)) for step in range(256)}
    assert colours_of(light) <= heat | {colour.lower() for colour in figures.DARK}
    assert light.count("#") == figures.dark(light).count("#")


def letters_of(svg):
    """Each text of a figure of matplotlib's with its colour."""
    for group in ElementTree.fromstring(svg).iter(f"{SVG}g"):
        if group.get("id", "").startswith("text_"):
            style = "".join(part.get("style", "") for part in group.iter(f"{SVG}g"))
            yield group, (re.findall(r"fill: (#[0-9a-f]{6})", style) or ["#000000"])[0]


HEAT_MAPS = ("confusion", "label conflicts", "cross validation")


@pytest.mark.parametrize("name", HEAT_MAPS)
def test_the_letters_of_a_heat_map_stand_out_from_their_field(name):
    ax = DRAWINGS[name]()
    ax.get_figure().canvas.draw()
    (mesh,) = ax.collections
    columns, fields = len(ax.get_xticklabels()), mesh.get_facecolors()[:, :3]
    for text in filter(Text.get_text, ax.texts):
        column, row = (int(place) for place in text.xy)
        assert contrast(text.get_color(), fields[row * columns + column]) >= 4.5


@every_drawing
def test_the_letters_of_a_figure_stand_out_on_light_and_on_dark_pages(draw):
    on_heat = {figures.ON_PALE, figures.ON_STRONG}
    on_heat = {one.lower() for one in on_heat | {figures.DARK[one] for one in on_heat}}
    light = bundle(draw)["image/svg+xml"]
    if "QuadMesh" not in light:  # the fields of a heat map are tested one by one
        on_heat = set()
    for svg, page in (
        (light, figures.PAGE),
        (figures.dark(light), figures.DARK[figures.PAGE]),
    ):
        colours = [colour for _, colour in letters_of(svg)]
        assert colours, page
        assert all(contrast(one, page) >= 4.5 for one in colours if one not in on_heat), page


@pytest.mark.parametrize("colour", ["INK", "INDIGO", "ROSE", "GREEN", "WINE", "GREY"])
def test_what_is_drawn_stands_out_on_light_and_on_dark_pages(colour):
    light = getattr(figures, colour)
    assert contrast(light, figures.PAGE) >= 3
    assert contrast(figures.DARK[light], figures.DARK[figures.PAGE]) >= 3


def test_a_dark_page_changes_every_colour_into_one_of_its_own():
    heat = [to_hex(figures.HEAT(step)) for step in range(256)]
    letters = {figures.ON_PALE.lower(), figures.ON_STRONG.lower()}
    assert not letters & set(heat)
    assert figures.dark(f"fill: {heat[128]}") == f"fill: {to_hex(figures.DARK_HEAT(128))}"
    assert figures.dark("url(#p262626) #262626") == "url(#p262626) #ced6dd"


def test_house_style_can_be_set_twice():
    figures.house_style()
    figures.house_style()
    assert matplotlib.rcParams["svg.hashsalt"]
    assert not matplotlib.rcParams["axes.spines.top"]


def test_house_style_tells_colours_apart():
    assert len(set(figures.LAYER_COLOURS.values())) == len(figures.LAYER_COLOURS)


def test_figures_do_not_change_what_they_are_given():
    one = record()
    table = tables.claimed_and_measured(PAPER, study(one))
    counts = metrics.confusion(one.predictions["PublicTest"])
    calibration = metrics.calibration(one.predictions["PublicTest"])
    before = [frame.copy() for frame in (one.history, table, counts, calibration)]
    figures.learning_curves([one])
    figures.claimed_and_measured(table)
    figures.confusion(counts)
    figures.reliability({"one": calibration})
    for frame, kept in zip((one.history, table, counts, calibration), before, strict=True):
        pd.testing.assert_frame_equal(frame, kept)
