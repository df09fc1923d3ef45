"""Records and arrays -> matplotlib axes, in one house style.

Reads what it is given; writes nothing. A function takes data and, where it draws one panel, an
optional `ax`; it returns the axes, and neither computes scores, nor loads, nor shows.
"""

from collections.abc import Sequence

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch
from matplotlib.ticker import MaxNLocator, MultipleLocator, PercentFormatter

from ferutils.data import EMOTIONS, SPLITS
from ferutils.records import Layer, Record

# Paul Tol's muted colours: told apart with any colour vision.
# Source: https://personal.sron.nl/~pault/ (colour schemes, 2021).
INDIGO, ROSE, TEAL, SAND, WINE, GREY = (
    "#332288",
    "#CC6677",
    "#44AA99",
    "#DDCC77",
    "#882255",
    "#8C8C8C",
)
LAYER_COLOURS = {
    "Conv2D": INDIGO,
    "BatchNormalization": SAND,
    "MaxPooling2D": TEAL,
    "Dropout": GREY,
    "Flatten": "#BBBBBB",
    "Dense": WINE,
}
WIDTH = 6.3  # inches; narrow, so that letters stay legible on a phone


def house_style() -> None:
    """Set the style of all figures, and vector output in a notebook."""
    sns.set_theme(style="ticks", context="notebook", font_scale=0.95)
    matplotlib.rcParams.update(
        {
            "axes.spines.right": False,
            "axes.spines.top": False,
            "axes.titlelocation": "left",
            "axes.titleweight": "bold",
            "axes.titlesize": "medium",
            "figure.constrained_layout.use": True,
            "legend.frameon": False,
            "savefig.facecolor": "white",
            "svg.hashsalt": "ferutils",  # the same figure gives the same file
        }
    )
    from matplotlib_inline.backend_inline import set_matplotlib_formats

    set_matplotlib_formats("svg", metadata={"Date": None})


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
        rows, columns, figsize=(WIDTH, rows * (WIDTH / columns + 0.25)), squeeze=False
    )
    for ax in axes.flat:
        ax.axis("off")
    for ax, image, title in zip(axes.flat, images, titles, strict=False):
        ax.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        ax.set_title(title, loc="center", fontsize=9, fontweight="normal")
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
    figure, axes = plt.subplots(1, 2, figsize=(WIDTH, 3.1))
    last = max(int(record.history["epoch"].max()) for record in records)
    for ax, quantity in zip(axes, ("accuracy", "loss"), strict=True):
        for part, colour, dash in (("training", INDIGO, "--"), ("validation", ROSE, "-")):
            column = f"{part}_{quantity}"
            for number, record in enumerate(records):
                label = part if number == 0 else None
                history = record.history
                ax.plot(
                    history["epoch"], history[column], dash, color=colour, label=label, lw=1.6,
                    marker=".",  # or one epoch alone would draw nothing
                )  # fmt: skip
            if claims and column in claims:
                ax.plot(last, claims[column], "D", mfc="white", mec=colour, ms=7, clip_on=False)
        ax.set(title=quantity.capitalize(), xlabel="epoch", xlim=(0.7, last + 0.3))
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes[0].yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes[0].set_title("Accuracy")
    axes[1].set_title("Loss (nats)")
    axes[1].set_ylim(bottom=0)
    if claims:
        axes[0].plot([], [], "D", mfc="white", mec=GREY, ms=7, label="the paper's Table 3")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return axes


def confusion(counts: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """A confusion matrix: in each field the share of the true emotion, below it the images.

    Args:
        counts: images by true (rows) and predicted (columns) emotion.
        ax: drawn on; a new figure without it.
    """
    ax = ax or plt.subplots(figsize=(WIDTH, 6.0))[1]
    shares = counts.div(counts.sum(axis=1).clip(lower=1), axis=0)
    sns.heatmap(
        shares, cmap="mako_r", vmin=0, vmax=1, square=True, ax=ax, linewidths=0.5, cbar=False
    )
    for row, column in np.ndindex(counts.shape):
        share, place = shares.iat[row, column], (column + 0.5, row + 0.5)
        text = {"ha": "center", "color": "white" if share > 0.4 else "black"}
        ax.annotate(f"{100 * share:.0f} %", place, va="bottom", fontsize=11, **text)
        ax.annotate(f"{counts.iat[row, column]}", place, (0, -2), va="top", fontsize=9,
                    textcoords="offset points", **text)  # fmt: skip
    ax.set(xlabel="predicted", ylabel="true")
    ax.tick_params(length=0)
    ax.set_xticklabels(ax.get_xticklabels(), rotation=45, ha="right")
    ax.set_yticklabels(ax.get_yticklabels(), rotation=0)
    return ax


def recall(recalls: dict[str, pd.DataFrame]) -> Axes:
    """Recall per emotion with its 95 % interval, one colour per split.

    Args:
        recalls: by split, a frame with columns images, value, low, high, in label order.
    """
    _, ax = plt.subplots(figsize=(WIDTH, 3.2))
    places = np.arange(len(EMOTIONS))
    for number, (split, frame) in enumerate(recalls.items()):
        ax.errorbar(
            frame["value"],
            places + (number - (len(recalls) - 1) / 2) * 0.28,
            xerr=[frame["value"] - frame["low"], frame["high"] - frame["value"]],
            fmt="os"[number % 2], color=(INDIGO, ROSE)[number % 2], label=split, ms=5, lw=1.5,
        )  # fmt: skip
    images = next(iter(recalls.values()))["images"]
    ax.set_yticks(places, [f"{name} ({count})" for name, count in images.items()])
    ax.invert_yaxis()
    ax.set(xlim=(0, 1), xlabel="recall, with 95 % interval")
    ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    ax.grid(axis="x", color="#E5E5E5")
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
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
        diagram.set_title(title)
        middles, widths = frame.index.mid, frame.index.length
        shares.bar(middles, frame["images"] / frame["images"].sum(), widths, color=GREY)
    for ax in axes[:, 0]:
        ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes[0, 0].set(ylabel="accuracy", ylim=(0, 1))
    axes[1, 0].set_ylabel("answers")
    axes[1, 0].xaxis.set_major_locator(MultipleLocator(0.5))
    axes[1, 0].xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    figure.supxlabel("confidence", fontsize="medium")
    return axes


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
    _, ax = plt.subplots(figsize=(WIDTH, 2.8))
    places, width = np.arange(len(EMOTIONS)), 0.27
    for number, (split, colour) in enumerate(zip(SPLITS, (INDIGO, ROSE, TEAL), strict=True)):
        shares = np.array(counts[split]) / sum(counts[split])
        ax.bar(places + (number - 1) * width, shares, width * 0.92, color=colour, label=split)
    ax.set_xticks(places, EMOTIONS)
    ax.set_ylabel("share of the split")
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    ax.legend(ncols=3, loc="upper left")
    ax.margins(y=0.2)
    return ax


def architecture(layers: Sequence[Layer]) -> Axes:
    """A network as a row of boxes: height is the width of the maps, colour the type of layer.

    Layers of one shape that follow each other stand together; the label below a group gives its
    shape.
    """
    _, ax = plt.subplots(figsize=(WIDTH, 3.2))
    place = 0.0
    for shape, group in _groups(layers):
        start, height = place, 0.35 + 0.65 * (shape[0] / 48 if len(shape) == 3 else 0.35)
        for layer in group:
            box = FancyBboxPatch(
                (place, -height / 2), 0.8, height, boxstyle="round,pad=0,rounding_size=0.12",
                facecolor=LAYER_COLOURS[layer.type], edgecolor="white", lw=0.6,
            )  # fmt: skip
            ax.add_patch(box)
            place += 1.0
        text = "×".join(map(str, shape))
        ax.text((start + place) / 2 - 0.1, -height / 2 - 0.05, text, ha="center", va="top",
                fontsize=7.5, rotation=90 if len(group) < 4 else 0)  # fmt: skip
        place += 0.6
    used = [kind for kind in LAYER_COLOURS if any(layer.type == kind for layer in layers)]
    handles = [plt.Rectangle((0, 0), 1, 1, color=LAYER_COLOURS[kind]) for kind in used]
    ax.legend(handles, used, ncols=len(used), loc="upper center", fontsize=7.5,
              handlelength=1, columnspacing=1.2, bbox_to_anchor=(0.5, 1.12))  # fmt: skip
    ax.set(xlim=(-0.5, place), ylim=(-0.85, 0.6))
    ax.axis("off")
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
            tolerance), measured (list, one value per run), low and high (the interval of their
            mean, NaN where nothing was measured), reduced.

    Returns:
        The two axes: accuracies, losses.
    """
    figure, axes = plt.subplots(1, 2, figsize=(WIDTH, 2.9), sharey=True)
    for ax, quantity in zip(axes, ("accuracy", "loss"), strict=True):
        rows = table[table["measure"].str.endswith(quantity)].reset_index(drop=True)
        for place, row in rows.iterrows():
            _claim_row(ax, place, row)
        ax.set_yticks(range(len(rows)), [_row_name(row) for _, row in rows.iterrows()])
        ax.grid(axis="x", color="#E5E5E5")
    axes[0].invert_yaxis()
    axes[0].xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes[0].xaxis.set_major_locator(MultipleLocator(0.2))
    axes[0].set_title("Accuracy")
    axes[1].set_title("Loss (nats)")
    axes[1].xaxis.set_major_locator(MultipleLocator(0.5))
    axes[1].set_xlim(left=0)
    handles = [
        plt.Line2D([], [], marker="D", ls="", mfc="white", mec="black", label="the paper"),
        plt.Line2D([], [], lw=7, color="#DDDDDD", label="its rounding and our tolerance"),
        plt.Line2D([], [], marker="o", lw=2, ms=5, color=INDIGO, label="our runs, interval"),
        plt.Line2D([], [], marker="o", ls="", mfc="none", mec=INDIGO, label="ours, reduced"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=4, fontsize=8)
    return axes


def _claim_row(ax: Axes, place: int, row: pd.Series) -> None:
    """The paper's figure above the line of its row, our runs and their interval below."""
    above, below = place - 0.17, place + 0.17
    low, high = row["claimed"] - row["margin"], row["claimed"] + row["margin"]
    ax.plot([low, high], [above, above], lw=7, color="#DDDDDD", solid_capstyle="butt", zorder=1)
    ax.plot(row["claimed"], above, "D", mfc="white", mec="black", ms=5.5, zorder=2)
    measured, fill = row["measured"], "none" if row["reduced"] else INDIGO
    ax.plot([row["low"], row["high"]], [below, below], lw=2, color=INDIGO, alpha=0.5, zorder=2)
    ax.plot(measured, [below] * len(measured), "o", mfc=fill, mec=INDIGO, ms=4, zorder=3)


def _row_name(row: pd.Series) -> str:
    part = row["measure"].split("_")[0]
    return f"{row['model']}, {part}"
