"""Records and arrays -> matplotlib axes, in one house style, for light and for dark pages.

Reads what it is given; writes nothing. A function takes data and, where it draws one panel, an
optional `ax`; it returns the axes, and neither computes scores, nor loads, nor shows. The figure
keeps the numbers that it shows, which a notebook then holds beside its pictures as CSV.
"""

import re
from collections.abc import Sequence

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from IPython.core.interactiveshell import InteractiveShell
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import LinearSegmentedColormap, to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyBboxPatch
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator, MultipleLocator, PercentFormatter
from matplotlib_inline.backend_inline import set_matplotlib_formats

from ferutils.claims.selection import Selection
from ferutils.dataset.fer2013 import EMOTIONS, SPLITS
from ferutils.records.crossvalidation import Cell
from ferutils.records.runs import Layer, Record

PAGE, INK, GRID, BAND = "#FFFFFF", "#262626", "#E5E5E5", "#DDDDDD"
# Paul Tol's muted colours: told apart with any colour vision.
# Source: https://personal.sron.nl/~pault/ (colour schemes, 2021).
INDIGO, ROSE, GREEN, SAND, WINE, GREY = (
    "#332288",
    "#CC6677",
    "#117733",
    "#DDCC77",
    "#882255",
    "#8C8C8C",
)
SILVER = "#BBBBBB"
# Letters on a heat map, apart from ink and page because on a dark page they change the other way.
ON_PALE, ON_STRONG = "#010101", "#FDFDFD"
# What stands for each colour on a dark page: the theme's page and text, and lighter colours of the
# same scheme.
DARK = {
    PAGE: "#121212",
    INK: "#CED6DD",
    GRID: "#33383F",
    BAND: "#4D535B",
    INDIGO: "#71B1D1",
    ROSE: "#E58C99",
    GREEN: "#44AA99",
    SAND: "#DDCC77",
    WINE: "#C4608F",
    GREY: "#8C8C8C",
    SILVER: "#BBBBBB",
    ON_PALE: "#FFFFFF",
    ON_STRONG: "#000000",
}
# From a share of 0, which is not quite the page, to 1; see interactive.css.
HEAT = LinearSegmentedColormap.from_list("heat", ["#E9E7F3", INDIGO])
DARK_HEAT = LinearSegmentedColormap.from_list("dark heat", ["#1E2228", DARK[INDIGO]])
STRONG = 0.623  # from this share on, the letters on a heat map change colour
LAYER_COLOURS = {
    "Conv2D": INDIGO,
    "BatchNormalization": SAND,
    "MaxPooling2D": GREEN,
    "Dropout": GREY,
    "Flatten": SILVER,
    "Dense": WINE,
}
PARTS = {"training": ("--", INDIGO), "validation": ("-", ROSE)}
UNITS_OF = {"accuracy": "share", "loss": "nats"}
UNITS = {f"{part}_{quantity}": unit for quantity, unit in UNITS_OF.items() for part in PARTS}
INTERVAL = ["value", "low", "high"]  # columns of a score with its interval
ENDS = ("interval_low_share", "interval_high_share")
# Inches, and points of all letters: on a phone, where a figure is 350 pixels wide, letters are
# nine pixels high.
WIDTH, LETTERS = 6.3, 11.7
# By faces: marker, colour, and how far from the middle of its row.
OF_FACES = {"all faces": ("o", INDIGO, -0.16), "new faces": ("s", ROSE, 0.16)}


def house_style() -> None:
    """Set the style of all figures; in a notebook, show each as PNG, SVG, and CSV of its data."""
    sizes = "axes.titlesize axes.labelsize legend.fontsize figure.labelsize"
    letters = dict.fromkeys(f"{sizes} xtick.labelsize ytick.labelsize".split(), "medium")
    colours = dict.fromkeys(
        ["text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"], INK
    )
    sns.set_theme(style="ticks", font="DejaVu Sans")  # which matplotlib ships
    matplotlib.rcParams.update(
        letters
        | colours
        | {
            "font.size": LETTERS,
            "axes.spines.right": False,
            "axes.spines.top": False,
            "axes.titlelocation": "left",
            "axes.titleweight": "bold",
            "figure.constrained_layout.use": True,
            "figure.dpi": 96,  # the pixels of CSS
            "grid.color": GRID,
            "legend.frameon": False,
            "savefig.facecolor": PAGE,
            "svg.hashsalt": "ferutils",  # the same figure gives the same file
        }
    )
    # retina: twice the pixels; not cropped, so that letters have one size in all figures.
    set_matplotlib_formats("retina", "svg", metadata={"Date": None}, bbox_inches=None)
    shell = InteractiveShell.instance()
    shell.display_formatter.mimebundle_formatter.for_type(Figure, plotted)


def plotted(figure: Figure) -> dict[str, str]:
    """The numbers that a figure shows, in full precision: CSV by its MIME type; none of faces."""
    frame = getattr(figure, "plotted", None)
    return {} if frame is None else {"text/csv": frame.to_csv(index=False, lineterminator="\n")}


def dark(svg: str) -> str:
    """A figure of the house style, as SVG, in the colours for a dark page."""
    heat = {HEAT(step): DARK_HEAT(step) for step in range(HEAT.N)}
    dark_by_light = {to_hex(light): to_hex(other) for light, other in (heat | DARK).items()}
    return re.sub(r"#[0-9a-f]{6}\b", lambda colour: dark_by_light.get(colour[0], colour[0]), svg)


def percent_axis(axis: Axis, decimals: int | None = 0) -> None:
    """Write shares in percent, as the report's tables do; None: as many decimals as it takes."""
    axis.set_major_formatter(PercentFormatter(1, decimals=decimals, symbol="\u00a0%"))


def legend_below(figure: Figure, handles: Sequence, labels: Sequence[str], columns: int) -> None:
    """The legend of a figure, where it covers no data."""
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, columnspacing=1.4)


def faces(images: Sequence[np.ndarray], titles: Sequence[str], columns: int = 7) -> np.ndarray:
    """A grid of grey faces with a title each.

    Args:
        images: uint8 or float (48, 48) each, 0..255.
        titles: one per image.
        columns: faces in a row.

    Returns:
        The axes, (rows, columns).
    """
    rows = -(-len(images) // columns)
    _, axes = plt.subplots(
        rows, columns, figsize=(WIDTH, rows * (WIDTH / columns + 0.3)), squeeze=False
    )
    for ax in axes.flat:
        ax.axis("off")
    for ax, image, title in zip(axes.flat, images, titles, strict=False):
        ax.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        ax.set_title(title, loc="center", fontweight="normal")
    return axes


def learning_curves(
    records: Sequence[Record], claims: dict[str, float] | None = None
) -> np.ndarray:
    """Accuracy and loss by epoch, of training and validation, one line per seed.

    Args:
        records: runs of one recipe.
        claims: the paper's final figures by history column, drawn as diamonds at the last epoch.

    Returns:
        The two axes: accuracy, loss.
    """
    claims = claims or {}
    figure, axes = _panels_by_epoch(records)
    last = _last_epoch(records)
    for ax, part, column in _curves_of(axes):
        dash, colour = PARTS[part]
        for record in records:
            _curve(ax, record, column, dash, colour)
        if column in claims:
            ax.plot(last, claims[column], "D", mfc=PAGE, mec=colour, ms=7, clip_on=False)
    for record in records:
        after = record.run.scores["Training"]
        for ax, value in zip(axes, (after.accuracy, after.loss), strict=True):
            ax.plot(record.run.kept_epoch, value, "x", color=INDIGO, ms=6, clip_on=False)
    axes[1].set_ylim(bottom=0)
    handles = [Line2D([], [], ls=dash, color=colour) for dash, colour in PARTS.values()]
    handles.append(Line2D([], [], marker="x", ls="", color=INDIGO, ms=6))
    labels = [*PARTS, "training, dropout off"]
    if claims:
        handles.append(Line2D([], [], marker="D", ls="", mfc=PAGE, mec=INK, ms=7))
        labels.append("the paper's Table 3")
    legend_below(figure, handles, labels, 2)
    named = [f"seed {record.recipe.seed}" for record in records]
    paper = pd.DataFrame([{"run": "the paper's Table 3", "epoch": last, **claims}])
    figure.plotted = _by_epoch(named, records, [paper] if claims else [])
    return axes


def two_runs(names: Sequence[str], records: Sequence[Record]) -> np.ndarray:
    """Accuracy and loss by epoch of two runs: the run decides the colour; training is dashed.

    Args:
        names: of the runs, in words.
        records: the two runs.

    Returns:
        The two axes: accuracy, loss.
    """
    figure, axes = _panels_by_epoch(records)
    for ax, part, column in _curves_of(axes):
        for record, colour in zip(records, (INDIGO, ROSE), strict=True):
            _curve(ax, record, column, PARTS[part][0], colour)
    axes[1].set_ylim(bottom=0)
    runs = [Line2D([], [], color=colour, lw=4) for colour in (INDIGO, ROSE)]
    parts = [Line2D([], [], ls=dash, color=INK) for dash, _ in PARTS.values()]
    legend_below(figure, runs + parts, [*names, *PARTS], 2)
    figure.plotted = _by_epoch(names, records)
    return axes


def _panels_by_epoch(records: Sequence[Record]) -> tuple[Figure, np.ndarray]:
    """A figure with empty axes for accuracy and for loss."""
    figure, axes = plt.subplots(1, 2, figsize=(WIDTH, 3.4))
    for ax, title in zip(axes, ("Accuracy", "Loss (nats)"), strict=True):
        ax.set(title=title, xlabel="epoch", xlim=(0.7, _last_epoch(records) + 0.3))
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    percent_axis(axes[0].yaxis)
    return figure, axes


def _last_epoch(records: Sequence[Record]) -> int:
    return max(int(record.history["epoch"].max()) for record in records)


def _curves_of(axes: np.ndarray) -> list[tuple[Axes, str, str]]:
    """Axes, part and history column of each curve of a run."""
    quantities = zip(axes, ("accuracy", "loss"), strict=True)
    return [(ax, part, f"{part}_{quantity}") for ax, quantity in quantities for part in PARTS]


def _curve(ax: Axes, record: Record, column: str, dash: str, colour: str) -> None:
    """A column of a history by epoch."""
    epochs, values = record.history["epoch"], record.history[column]
    # With a marker, or one epoch alone would draw nothing.
    ax.plot(epochs, values, dash, color=colour, lw=1.6, marker=".")


def _by_epoch(
    names: Sequence[str], records: Sequence[Record], more: Sequence[pd.DataFrame] = ()
) -> pd.DataFrame:
    """The curves of runs, an epoch a row, then more rows."""
    runs = [
        record.history.assign(run=name, run_id=record.run.id)
        for name, record in zip(names, records, strict=True)
    ]
    return pd.concat([*runs, *more])[["run", "run_id", "epoch", *UNITS]].rename(
        columns={column: f"{column}_{unit}" for column, unit in UNITS.items()}
    )


def confusion(counts: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """A confusion matrix: in each field the share of the true emotion, below it the images.

    Args:
        counts: images by true (rows) and predicted (columns) emotion.
        ax: drawn on; a new figure without it.
    """
    ax = ax or plt.subplots(figsize=(WIDTH, 6.0))[1]
    shares = counts.div(counts.sum(axis=1).clip(lower=1), axis=0)
    sns.heatmap(
        shares, cmap=HEAT, vmin=0, vmax=1, square=True, ax=ax, linewidths=0.5, cbar=False,
        linecolor=GRID,
    )  # fmt: skip
    for row, column in np.ndindex(counts.shape):
        share = shares.iat[row, column]
        texts = f"{100 * share:.0f}\u00a0%", f"{counts.iat[row, column]:,}"
        _field(ax, (row, column), share, *texts)
    ax.set(xlabel="predicted", ylabel="true")
    ax.tick_params(length=0)
    ax.set_xticklabels(ax.get_xticklabels(), rotation=45, ha="right", rotation_mode="anchor")
    ax.set_yticklabels(ax.get_yticklabels(), rotation=0)
    frame = pd.DataFrame({"images": counts.stack(), "share_of_true": shares.stack()})
    ax.figure.plotted = frame.rename_axis(["true_emotion", "predicted_emotion"]).reset_index()
    return ax


def _field(ax: Axes, place: tuple[int, int], share: float, above: str, below: str) -> None:
    """The two lines of letters in the field of a heat map, by row and column."""
    middle = place[1] + 0.5, place[0] + 0.5
    text = {"ha": "center", "color": ON_STRONG if share > STRONG else ON_PALE}
    text["textcoords"] = "offset points"
    ax.annotate(above, middle, (0, -1), va="bottom", **text)
    ax.annotate(below, middle, (0, -3), va="top", **text)


def label_conflicts(pairs: pd.DataFrame) -> Axes:
    """A heat map of what bears two labels: in each field photographs, below them equal images.

    Args:
        pairs: columns label, other_label, photographs, equal_images; a row for each two emotions.
    """
    ax = plt.subplots(figsize=(WIDTH, 4.6))[1]
    photographs, images = (
        pairs.pivot(index="label", columns="other_label", values=kind).reindex(
            index=EMOTIONS[1:], columns=EMOTIONS[:-1]
        )
        for kind in ("photographs", "equal_images")
    )
    shares = photographs / (pairs["photographs"].max() or 1)
    sns.heatmap(
        shares, cmap=HEAT, vmin=0, vmax=1, ax=ax, linewidths=0.5, cbar=False, linecolor=GRID
    )
    for row, column in zip(*np.nonzero(photographs.notna()), strict=True):
        texts = (f"{counts.iat[row, column]:,.0f}" for counts in (photographs, images))
        _field(ax, (row, column), shares.iat[row, column], *texts)
    ax.set(xlabel="", ylabel="")
    ax.tick_params(length=0)
    ax.set_yticklabels(ax.get_yticklabels(), rotation=0)
    ax.figure.plotted = pairs
    return ax


# How a chosen cell of a heat map is marked, by shape, so that no colour is needed.
# Ink between two lines of page stands out from every field, on light and on dark pages.
OUTLINE = {
    "fc": "none",
    "ec": INK,
    "lw": 2.5,
    "path_effects": [withStroke(linewidth=6, foreground=PAGE)],
}
MARKS = {"best": ("*", 15, (0.86, 0.82)), "one standard error": ("D", 8, (0.12, 0.82))}


def cross_validation(chosen: Selection) -> Axes:
    """A heat map of the accuracy in each cell, its standard deviation over the folds below.

    The paper's cell is outlined; the best one has a star, the one-standard-error choice a diamond.
    A cell that lacks a training says so, and nothing is marked but the paper's then.

    Args:
        chosen: the cross-validation of a network, as far as it has come.
    """
    figure, ax = plt.subplots(figsize=(WIDTH, 4.6))
    means, deviations = (
        chosen.cells[name].unstack("hidden_neurons") for name in ("accuracy", "accuracy_deviation")
    )
    low, high = np.nanmin([*means.min(), 1]), np.nanmax([*means.max(), 0])
    shares = (means - low) / ((high - low) or 1)
    sns.heatmap(
        shares, cmap=HEAT, vmin=0, vmax=1, ax=ax, linewidths=0.5, cbar=False, linecolor=GRID
    )
    for row, column in np.ndindex(means.shape):
        mean, deviation = means.iat[row, column], deviations.iat[row, column]
        texts = f"{100 * mean:.1f}\u00a0%", f"± {100 * deviation:.1f}"
        texts = ("open", "") if np.isnan(mean) else texts
        _field(ax, (row, column), shares.iat[row, column], *texts)
    for name, cell in chosen.choices.items():
        place = means.columns.get_loc(cell.hidden_neurons), means.index.get_loc(cell.learning_rate)
        _mark(ax, name, place)
    ax.set(xlabel="hidden neurons", ylabel="learning rate")
    ax.set_xticklabels([f"{count:,}" for count in means.columns])
    ax.set_yticklabels([Cell(rate, 0).rate for rate in means.index], rotation=0)
    ax.tick_params(length=0)
    handles = [plt.Rectangle((0, 0), 1, 1, **OUTLINE)]
    handles += [Line2D([], [], marker=mark, ms=size, ls="", mfc=PAGE, mec=INK)
                for mark, size, _ in MARKS.values()]  # fmt: skip
    legend_below(figure, handles, ["the paper", *MARKS], 3)
    figure.plotted = _cells(chosen)
    return ax


def _mark(ax: Axes, name: str, place: tuple[int, int]) -> None:
    """The mark of a choice on its cell, whose upper left corner is given."""
    if name in MARKS:
        mark, size, (right, up) = MARKS[name]
        ax.plot(place[0] + right, place[1] + 1 - up, mark, ms=size, mfc=PAGE, mec=INK)
    else:
        inner = (place[0] + 0.025, place[1] + 0.025)
        ax.add_patch(plt.Rectangle(inner, 0.95, 0.95, **OUTLINE))


def _cells(chosen: Selection) -> pd.DataFrame:
    """What a heat map shows, a cell a row, with the loss beside."""
    choices = chosen.choices.items()
    frame = chosen.cells.rename(columns=lambda name: f"{name}_{UNITS_OF[name.split('_')[0]]}")
    marks = [", ".join(name for name, cell in choices if cell == index) for index in frame.index]
    return frame.assign(chosen_by=marks).reset_index()


def recall(recalls: dict[str, pd.DataFrame]) -> Axes:
    """Recall per emotion with its 95 % interval, one colour per split.

    Args:
        recalls: by split, a frame with columns images, value, low, high, in label order.
    """
    figure, ax = plt.subplots(figsize=(WIDTH, 3.8))
    places = np.arange(len(EMOTIONS))
    for number, (split, frame) in enumerate(recalls.items()):
        ax.errorbar(
            frame["value"],
            places + (number - (len(recalls) - 1) / 2) * 0.28,
            xerr=[frame["value"] - frame["low"], frame["high"] - frame["value"]],
            fmt="os"[number % 2], color=(INDIGO, ROSE)[number % 2], label=split, ms=5, lw=1.5,
            clip_on=False,
        )  # fmt: skip
    images = next(iter(recalls.values()))["images"]
    ax.set_yticks(places, [f"{name} ({count:,})" for name, count in images.items()])
    ax.invert_yaxis()
    ax.set(xlim=(0, 1), xlabel="recall, with 95 % interval")
    percent_axis(ax.xaxis)
    ax.grid(axis="x")
    legend_below(figure, *ax.get_legend_handles_labels(), len(recalls))
    figure.plotted = (
        pd.concat(recalls, names=["split", "emotion"])[["images", *INTERVAL]]
        .rename(columns=dict(zip(INTERVAL, ("recall_share", *ENDS), strict=True)))
        .reset_index()
    )
    return ax


def reliability(calibrations: dict[str, pd.DataFrame]) -> np.ndarray:
    """Reliability diagrams side by side, each above the share of the answers by confidence.

    On the diagonal, accuracy is what the confidence promises; below it, it is less.

    Args:
        calibrations: by title, a frame as `metrics.calibration` gives it.

    Returns:
        The axes, (2, diagrams).
    """
    side = 5.2 / len(calibrations)  # inches, so that the diagrams are nearly square
    figure, axes = plt.subplots(
        2, len(calibrations), figsize=(WIDTH, side + 1.6), height_ratios=(side, 0.7),
        sharex=True, sharey="row", squeeze=False,
    )  # fmt: skip
    for (diagram, shares), (title, frame) in zip(axes.T, calibrations.items(), strict=True):
        _diagram(diagram, frame)
        diagram.set_title(title.replace(" (", "\n("))
        middles, widths = frame.index.mid, frame.index.length
        shares.bar(middles, frame["images"] / frame["images"].sum(), widths, color=GREY)
    for ax in axes[:, 0]:
        percent_axis(ax.yaxis)
    axes[0, 0].set(ylabel="accuracy", ylim=(0, 1))
    axes[1, 0].set_ylabel("answers")
    axes[1, 0].xaxis.set_major_locator(MultipleLocator(0.5))
    percent_axis(axes[1, 0].xaxis)
    figure.supxlabel("confidence")
    frames = [_bins(frame).assign(diagram=title) for title, frame in calibrations.items()]
    figure.plotted = pd.concat(frames).set_index("diagram").reset_index()
    return axes


def _bins(frame: pd.DataFrame) -> pd.DataFrame:
    """What a reliability diagram shows, a bin of confidences a row."""
    accuracy = frame[INTERVAL].where(frame["images"] > 0)
    columns = {
        "confidence_above": frame.index.left,
        "confidence_to": frame.index.right,
        "images": frame["images"],
        "share_of_answers": frame["images"] / frame["images"].sum(),
        "mean_confidence_share": frame["confidence"],
    } | dict(zip(["accuracy_share", *ENDS], accuracy.T.to_numpy(), strict=True))
    return pd.DataFrame(columns, index=frame.index)


def _diagram(ax: Axes, frame: pd.DataFrame) -> None:
    """Accuracy with its interval against confidence, bin by bin, and the diagonal."""
    found = frame[frame["images"] > 0]
    errors = [found["value"] - found["low"], found["high"] - found["value"]]
    ax.plot([0, 1], [0, 1], "--", color=GREY, lw=1)
    ax.errorbar(
        found["confidence"], found["value"], errors, fmt="o", color=INDIGO, ms=4, lw=1.3,
        clip_on=False,
    )  # fmt: skip
    ax.set_xlim(0, 1)


def class_balance(counts: dict[str, list[int]]) -> Axes:
    """The share of each emotion in each split.

    Args:
        counts: by split, images per emotion in label order.
    """
    figure, ax = plt.subplots(figsize=(WIDTH, 3.3))
    frame = pd.DataFrame(counts, index=pd.Index(EMOTIONS, name="emotion"))[list(SPLITS)]
    shares = frame / frame.sum()
    places, width = np.arange(len(EMOTIONS)), 0.27
    for number, (split, colour) in enumerate(zip(SPLITS, (INDIGO, ROSE, GREEN), strict=True)):
        ax.bar(places + (number - 1) * width, shares[split], width * 0.92, color=colour)
    ax.set_xticks(places, EMOTIONS)
    ax.set_ylabel("share of the split")
    percent_axis(ax.yaxis)
    legend_below(figure, ax.containers, SPLITS, len(SPLITS))
    table = {"images": frame.unstack(), "share_of_split": shares.unstack()}
    figure.plotted = pd.DataFrame(table).rename_axis(["split", "emotion"]).reset_index()
    return ax


def architecture(layers: Sequence[Layer]) -> Axes:
    """A network as a row of boxes: height is the width of the maps, colour the type of layer.

    Layers of one shape that follow each other stand together; the label below a group gives its
    shape.
    """
    figure, ax = plt.subplots(figsize=(WIDTH, 4.0))
    place = 0.0
    for shape, group in _groups(layers):
        start, height = place, 0.35 + 0.65 * (shape[0] / 48 if len(shape) == 3 else 0.35)
        for layer in group:
            box = FancyBboxPatch(
                (place, -height / 2), 0.8, height, boxstyle="round,pad=0,rounding_size=0.12",
                facecolor=LAYER_COLOURS[layer.type], edgecolor=INK, lw=0.6,
            )  # fmt: skip
            ax.add_patch(box)
            place += 1.0
        text = "×".join(map(str, shape))
        ax.text((start + place) / 2 - 0.1, -height / 2 - 0.05, text, ha="center", va="top",
                rotation=90)  # fmt: skip
        place += 0.6
    used = [kind for kind in LAYER_COLOURS if any(layer.type == kind for layer in layers)]
    handles = [plt.Rectangle((0, 0), 1, 1, fc=LAYER_COLOURS[kind], ec=INK, lw=0.6) for kind in used]
    legend_below(figure, handles, used, 3)
    ax.set(xlim=(-0.5, place), ylim=(-0.95, 0.55))
    ax.axis("off")
    figure.plotted = pd.DataFrame(
        {
            "layer": layer.name,
            "type": layer.type,
            "output_shape": "×".join(map(str, layer.output_shape)),
            "parameters": layer.parameters,
        }
        for layer in layers
    )
    return ax


def _groups(layers: Sequence[Layer]) -> list[tuple[tuple[int, ...], list[Layer]]]:
    """Layers that follow each other with the same output shape."""
    groups: list[tuple[tuple[int, ...], list[Layer]]] = []
    for layer in layers:
        shape = tuple(layer.output_shape)
        if not groups or groups[-1][0] != shape:
            groups.append((shape, []))
        groups[-1][1].append(layer)
    return groups


def claimed_and_measured(table: pd.DataFrame) -> np.ndarray:
    """The paper's final figures beside ours: a diamond for the paper, a point per run for ours.

    Args:
        table: rows with columns model, measure (a history column), claimed, margin (rounding plus
            margin of equivalence), measured (list, one value per run), low and high (the
            prediction interval of one more, NaN where nothing was measured).

    Returns:
        The two axes: accuracies, losses.
    """
    figure, axes = plt.subplots(1, 2, figsize=(WIDTH, 3.5), sharey=True)
    for ax, quantity in zip(axes, ("accuracy", "loss"), strict=True):
        rows = table[table["measure"].str.endswith(quantity)].reset_index(drop=True)
        for place, row in rows.iterrows():
            _claim_row(ax, place, row)
        ax.set_yticks(range(len(rows)), [_row_name(row) for _, row in rows.iterrows()])
        ax.grid(axis="x")
        ax.margins(x=0.08)
    axes[0].invert_yaxis()
    percent_axis(axes[0].xaxis)
    axes[0].xaxis.set_major_locator(MultipleLocator(0.2))
    axes[0].set_title("Accuracy")
    axes[1].set_title("Loss (nats)")
    axes[1].xaxis.set_major_locator(MultipleLocator(0.5))
    axes[1].set_xlim(left=0)
    handles = [
        Line2D([], [], marker="D", ls="", mfc=PAGE, mec=INK),
        Line2D([], [], lw=7, color=BAND),
        Line2D([], [], marker="o", lw=2, ms=5, color=INDIGO),
    ]
    labels = ["the paper", "its rounding, our margin", "our runs, prediction interval"]
    legend_below(figure, handles, labels, 2)
    figure.plotted = (
        table.explode("measured")
        .rename(columns={"low": "interval_low", "high": "interval_high"})
        .assign(unit=table["measure"].map(UNITS))
    )
    return axes


def _claim_row(ax: Axes, place: int, row: pd.Series) -> None:
    """The paper's figure above the line of its row, our runs and their interval below."""
    above, below = place - 0.17, place + 0.17
    low, high = row["claimed"] - row["margin"], row["claimed"] + row["margin"]
    ax.plot([low, high], [above, above], lw=7, color=BAND, solid_capstyle="butt", zorder=1)
    ax.plot(row["claimed"], above, "D", mfc=PAGE, mec=INK, ms=5.5, zorder=2)
    measured = row["measured"]
    ax.plot([row["low"], row["high"]], [below, below], lw=2, color=INDIGO, alpha=0.5, zorder=2)
    ax.plot(measured, [below] * len(measured), "o", mfc=INDIGO, mec=INDIGO, ms=4, zorder=3)


def _row_name(row: pd.Series) -> str:
    part = row["measure"].split("_")[0]
    return f"{row['model']}, {part}"


def forest(leads: pd.DataFrame) -> np.ndarray:
    """By how much one network of a pair leads the other, with its interval: a panel per split.

    Args:
        leads: as `comparison_tables.leads` gives it; shares, intervals of NaN where unknown.

    Returns:
        The axes, one per split.
    """
    splits, pairs = (leads[column].unique() for column in ("split", "networks"))
    figure, axes = plt.subplots(
        1, len(splits), figsize=(WIDTH, 1.2 + 0.6 * len(pairs)), sharey=True, squeeze=False
    )
    marks = {"new": (INDIGO, "o", 0.0), "known": (ROSE, "s", 0.22), "all": (GREY, "D", -0.22)}
    for ax, split in zip(axes[0], splits):
        for row in leads[leads["split"] == split].itertuples():
            colour, mark, off = marks[row.faces]
            place = list(pairs).index(row.networks) + off
            ax.plot([100 * row.low, 100 * row.high], [place] * 2, lw=2, color=colour)
            ax.plot(100 * row.value, place, mark, color=colour, ms=5)
        ax.axvline(0, color=INK, lw=0.8)
        ax.set(title=split, xlabel="points")
        ax.grid(axis="x")
    axes[0, 0].set_yticks(range(len(pairs)), [one.replace(" and ", "\nover ") for one in pairs])
    axes[0, 0].invert_yaxis()
    handles = [
        Line2D([], [], color=one, marker=mark, lw=2, ms=5) for one, mark, _ in marks.values()
    ]
    legend_below(figure, handles, [f"{one} faces" for one in marks], 3)
    shares = {"value": "difference_share", "low": ENDS[0], "high": ENDS[1]}
    figure.plotted = leads.drop(columns="runs").rename(columns=shares)
    return axes[0]


def readings(table: pd.DataFrame) -> np.ndarray:
    """Readings of the paper beside its figures: a line for the paper, a point per run, its mean.

    Args:
        table: as `reading_tables.readings` gives it, in its order: four measures.

    Returns:
        The four axes, one per measure.
    """
    names = table.drop_duplicates(["network", "recipe"])[["network", "recipe"]]
    places = {tuple(one): place for place, one in enumerate(names.to_numpy())}
    height = 2 * (0.8 + 0.27 * len(places))
    figure, axes = plt.subplots(2, 2, figsize=(WIDTH, height), sharey=True)
    for ax, measure in zip(axes.flat, UNITS):
        rows = table[table["measure"] == measure]
        for network, some in rows.groupby("network", sort=False):
            own = [places[network, recipe] for recipe in some["recipe"]]
            ends = [min(own) - 0.4, max(own) + 0.4]
            ax.plot([some["claimed"].iloc[0]] * 2, ends, lw=2, color=ROSE)
            for place, values in zip(own, some["measured"]):
                ax.plot(values, [place] * len(values), "o", mfc="none", mec=INDIGO, ms=5)
                ax.plot(np.mean(values), place, "|", color=INDIGO, ms=11, mew=2)
        ax.set_title(measure.replace("_", " "))
        ax.grid(axis="x")
        ax.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
        if measure.endswith("accuracy"):
            percent_axis(ax.xaxis)
    labels = names["recipe"].where(names["network"].duplicated(), names.agg(", ".join, axis=1))
    axes[0, 0].set_yticks(range(len(places)), labels)
    axes[0, 0].set_ylim(len(places) - 0.4, -0.6)
    handles = [
        Line2D([], [], lw=2, color=ROSE),
        Line2D([], [], marker="o", ls="", mfc="none", mec=INDIGO, ms=5),
        Line2D([], [], marker="|", ls="", color=INDIGO, ms=11, mew=2),
    ]
    legend_below(figure, handles, ["the paper", "a run", "mean of the runs"], 3)
    shown = table.explode(["seeds", "measured"]).rename(columns={"seeds": "seed"})
    figure.plotted = shown.drop(columns="printed").assign(unit=shown["measure"].map(UNITS))
    return axes.ravel()


def familiarity(table: pd.DataFrame) -> np.ndarray:
    """Accuracy on new and on known faces: a thin line per run, a thick one for a network's mean.

    Args:
        table: rows with columns network, run, split, faces ("new", "known"), accuracy_share.

    Returns:
        The axes, one per split.
    """
    splits, networks = (table[column].unique() for column in ("split", "network"))
    figure, axes = plt.subplots(1, len(splits), figsize=(WIDTH, 3.6), sharey=True, squeeze=False)
    colours = dict(zip(networks, (INDIGO, ROSE, GREEN, GREY, SILVER)))
    for ax, split in zip(axes[0], splits):
        for network, some in table[table["split"] == split].groupby("network", sort=False):
            lines = some.pivot(index="faces", columns="run", values="accuracy_share")
            lines = lines.loc[["new", "known"]]
            ax.plot(lines, color=colours[network], lw=0.8, alpha=0.5)
            ax.plot(lines.mean(axis=1), color=colours[network], lw=2.5, marker="o")
        ax.set(title=split, xlim=(-0.2, 1.2))
        ax.set_xticks([0, 1], ["new faces", "known faces"])
        ax.grid(axis="y")
    axes[0, 0].set_ylim(bottom=0)
    percent_axis(axes[0, 0].yaxis)
    handles = [Line2D([], [], color=colours[one], lw=2.5, marker="o") for one in networks]
    legend_below(figure, handles, list(networks), 3)
    figure.plotted = table
    return axes[0]


def accuracies(table: pd.DataFrame) -> np.ndarray:
    """Accuracy of each network, a point per run with its 95 % interval, an axis per split.

    Args:
        table: as `comparison_tables.accuracies` gives it.

    Returns:
        The axes, one per split.
    """
    splits, networks = table["split"].unique(), list(table["network"].unique())
    height = 1.3 + 0.5 * len(networks)
    figure, axes = plt.subplots(1, len(splits), figsize=(WIDTH, height), sharex=True, sharey=True)
    for ax, split in zip(axes, splits):
        for faces, (marker, colour, apart) in OF_FACES.items():
            some = table[(table["split"] == split) & (table["faces"] == faces)]
            places = [networks.index(name) + apart for name in some["network"]]
            ax.hlines(places, *(some[end] for end in ENDS), color=colour, lw=2, alpha=0.4)
            ax.plot(some["accuracy_share"], places, marker, mfc="none", mec=colour, label=faces)
        ax.set(title=split, xlabel="accuracy")
        ax.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
        percent_axis(ax.xaxis)
        ax.grid(axis="x")
    axes[0].set_yticks(range(len(networks)), [name.replace(", ", ",\n", 1) for name in networks])
    axes[0].set_ylim(len(networks) - 0.5, -0.5)
    legend_below(figure, *axes[0].get_legend_handles_labels(), 2)
    figure.plotted = table
    return axes


def means(table: pd.DataFrame) -> Axes:
    """The held-out accuracy of several runs, row by row: a point per run, the mean, its interval.

    Args:
        table: rows with columns name, seeds and measured (lists, one value per run), value (the
            mean), low and high (its interval); shares, NaN where nothing was measured.
    """
    figure, ax = plt.subplots(figsize=(WIDTH, 1.3 + 0.6 * len(table)))
    for place, row in table.iterrows():
        above, below = place - 0.15, place + 0.15
        ax.plot(row["measured"], [above] * len(row["measured"]), "o", mfc="none", mec=INDIGO, ms=6)
        ax.plot([row["low"], row["high"]], [below, below], lw=2, color=INDIGO, alpha=0.5)
        ax.plot(row["value"], below, "s", color=INDIGO, ms=6)
        if not row["measured"]:
            ax.text(0.5, place, "no record yet", transform=ax.get_yaxis_transform(), ha="center",
                    va="center")  # fmt: skip
    if not any(table["measured"]):
        ax.set_xlim(0, 1)
    ax.set_yticks(range(len(table)), table["name"])
    ax.set(ylim=(len(table) - 0.5, -0.5), xlabel="held-out accuracy")
    ax.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    percent_axis(ax.xaxis, decimals=None)
    ax.grid(axis="x")
    handles = [
        Line2D([], [], marker="o", ls="", mfc="none", mec=INDIGO, ms=6),
        Line2D([], [], marker="s", lw=2, color=INDIGO, ms=6),
    ]
    legend_below(figure, handles, ["a run", "mean of the runs, its 95 % interval"], 2)
    names = ("mean_share", *ENDS, "held_out_accuracy_share", "seed")
    columns = dict(zip([*INTERVAL, "measured", "seeds"], names, strict=True))
    figure.plotted = table.explode(["seeds", "measured"]).rename(columns=columns)
    return ax
