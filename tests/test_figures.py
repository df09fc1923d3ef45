"""Each figure draws what it is given. Needs no dataset and no Keras."""

import ast
import itertools
import subprocess
import sys

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex
from matplotlib.patches import FancyBboxPatch
from synthetic import PAPER, PUBLISHED, answers, layers, record, study

from ferutils import figures, metrics, paths, tables
from ferutils.data import EMOTIONS, SPLITS


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


def test_drawing_needs_no_keras():
    code = "import ferutils.figures, sys; sys.exit('keras' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_figure_is_drawn_here():
    tree = ast.parse((paths.ROOT / "ferutils" / "figures.py").read_text(encoding="utf-8"))
    public = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    public = {name for name in public if not name.startswith("_")}
    tried = "".join(sorted(name for name in globals() if name.startswith("test_")))
    assert {name for name in public if f"test_{name}" not in tried} == set()


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


# ---- learning curves ----------------------------------------------------------------------------


@pytest.mark.parametrize("runs", [1, 3])
def test_learning_curves_have_a_line_per_run_and_part(runs):
    seeds = [record(seed=seed) for seed in range(runs)]
    accuracy, loss = figures.learning_curves(seeds)
    assert (len(accuracy.lines), len(loss.lines)) == (2 * runs, 2 * runs)
    for ax, quantity in ((accuracy, "accuracy"), (loss, "loss")):
        lines = iter(ax.lines)
        for part in ("training", "validation"):
            for one in seeds:
                line = next(lines)
                assert np.array_equal(line.get_xdata(), range(1, 11))
                assert np.array_equal(line.get_ydata(), one.history[f"{part}_{quantity}"])
    assert legend_of(accuracy) == ["training", "validation"]
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
    assert legend_of(accuracy) == ["training", "validation", "the paper's Table 3"]


def test_learning_curves_of_one_epoch_can_be_seen():
    accuracy, _ = figures.learning_curves([record(epochs=1)])
    assert all(line.get_marker() not in ("", "None") for line in accuracy.lines)


# ---- scores -------------------------------------------------------------------------------------


def test_confusion_writes_and_colours_shares_and_counts_images_below():
    counts = metrics.confusion(answers([0, 0, 0, 0, 1], [0, 0, 0, 2, 1]))
    ax = figures.confusion(counts)
    fields = {}
    for text in ax.texts:
        fields.setdefault(text.xy, []).append(text.get_text())
    assert (fields[0.5, 0.5], fields[2.5, 0.5]) == (["75 %", "3"], ["25 %", "1"])  # of angry
    assert fields[1.5, 1.5] == ["100 %", "1"]
    assert fields[3.5, 3.5] == ["0 %", "0"]  # an emotion without images, not divided by zero
    assert len(fields) == 49
    shares = np.asarray(ax.collections[0].get_array()).reshape(7, 7)
    assert (shares[0, 0], shares[0, 2], shares[1, 1]) == (0.75, 0.25, 1)
    assert not shares[2:].any()
    assert tuple(texts(ax.get_xticklabels())) == tuple(texts(ax.get_yticklabels())) == EMOTIONS
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("predicted", "true")


def test_confusion_is_written_in_letters_that_stand_out_from_their_field():
    ax = figures.confusion(metrics.confusion(answers([0, 0, 0, 1, 1, 2], [0, 0, 1, 0, 1, 2])))
    ax.get_figure().canvas.draw()
    fields = ax.collections[0].get_facecolors()[:, :3]
    light = (fields**2.2) @ [0.2126, 0.7152, 0.0722]  # relative luminance, as WCAG weighs it
    for text in ax.texts:
        column, row = (int(place) for place in text.xy)
        letter = float(text.get_color() == "white")
        darker, lighter = sorted((letter, light[row * 7 + column]))
        assert (lighter + 0.05) / (darker + 0.05) > 3


def test_confusion_is_drawn_on_given_axes():
    given = plt.subplots()[1]
    assert figures.confusion(metrics.confusion(answers([0], [0])), given) is given
    assert figures_open() == 1


def test_recall_has_a_point_and_an_interval_per_emotion_and_split():
    found = {split: metrics.recall(one) for split, one in record().predictions.items()}
    ax = figures.recall(found)
    assert texts(ax.get_legend().get_texts()) == ["PublicTest", "PrivateTest"]
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
    assert texts(ax.get_legend().get_texts()) == list(SPLITS)
    assert tuple(texts(ax.get_xticklabels())) == EMOTIONS
    for bars, split in zip(ax.containers, SPLITS, strict=True):
        heights = [bar.get_height() for bar in bars]
        assert heights == pytest.approx(np.array(counts[split]) / sum(counts[split]))
        assert sum(heights) == pytest.approx(1)


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
    assert set(texts(ax.get_legend().get_texts())) == {row.type for row in rows}


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
        assert runs == [3, 3, 1, 1]
        hollow = [line.get_markerfacecolor() == "none" for line in of_kind(ax, "o")]
        assert hollow == [False, False, True, True]
        bars = [line.get_xdata() for line in ax.lines if line.get_linewidth() == 7]
        margins = [(high - low) / 2 for low, high in bars]
        assert margins == pytest.approx(rows["margin"].tolist())
    assert texts(accuracy.get_yticklabels()) == [f"{model}, {part}" for model, part in ROWS]
    assert legend_of(accuracy)[0] == "the paper"


def test_claimed_and_measured_puts_both_axes_in_one_order():
    table = tables.claimed_and_measured(PAPER, study())
    for quantity in ("accuracy", "loss"):
        rows = table[table["measure"].str.endswith(quantity)]
        parts = [measure.removesuffix(f"_{quantity}") for measure in rows["measure"]]
        assert list(zip(rows["model"], parts)) == ROWS


def test_claimed_and_measured_can_be_drawn_without_any_run():
    axes = figures.claimed_and_measured(tables.claimed_and_measured(PAPER, study()))
    assert [len(of_kind(ax, "o")) for ax in axes] == [0, 0]


# ---- the style ----------------------------------------------------------------------------------


def test_house_style_gives_vector_output_that_repeats(monkeypatch):
    from matplotlib_inline import backend_inline

    formats = []
    monkeypatch.setattr(
        backend_inline,
        "set_matplotlib_formats",
        lambda *names, **options: formats.append((names, options)),
    )
    figures.house_style()
    assert formats == [(("svg",), {"metadata": {"Date": None}})]
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
