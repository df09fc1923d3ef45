"""Probed networks -> matplotlib axes in the house style of `figures`.

Reads what it is given; writes nothing.
"""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Arc, Ellipse
from matplotlib.ticker import MaxNLocator

from ferutils.dataset.fer2013 import EMOTIONS, IMAGE_SIZE
from ferutils.records.probes import CHANGES, Probe, Probed
from ferutils.report import probe_tables
from ferutils.report.figures import (
    GREEN,
    GREY,
    HEAT,
    INDIGO,
    INK,
    ROSE,
    SILVER,
    WIDTH,
    legend_below,
    percent_axis,
)

COLOURS = (INDIGO, ROSE, GREEN, GREY, SILVER)
SHARES = {"accuracy_share": "-", "changed_share": ":"}


def _colours(networks: Sequence[str]) -> dict[str, str]:
    return dict(zip(networks, COLOURS))


def _handles(colours: dict[str, str]) -> tuple[list[Line2D], list[str]]:
    """A line for each network; what all their names end with is left out."""
    lines = [Line2D([], [], color=one, lw=2, marker="o", ms=4) for one in colours.values()]
    ends = {name.partition(", ")[2] for name in colours}
    return lines, [name.partition(", ")[0] if len(ends) == 1 else name for name in colours]


def steadiness(table: pd.DataFrame) -> np.ndarray:
    """Accuracy on new faces, and answers that changed, by kind and strength of a change.

    Args:
        table: as `probe_tables.steps` gives it.

    Returns:
        The axes, one per kind: two lines per run, each the mean of both held-out splits.
    """
    figure, axes = plt.subplots(3, 2, figsize=(WIDTH, 7.6), sharey=True)
    colours = _colours(table["network"].unique())
    new = table[table["faces"] == "new"]
    for ax, (kind, (unit, strengths)) in zip(axes.flat, CHANGES.items()):
        some = new[new["kind"] == kind]
        for (network, _), run in some.groupby(["network", "seed"], sort=False):
            for share, dash in SHARES.items():
                line = run.groupby("step")[share].mean()
                ax.plot(line, dash, color=colours[network], marker="o", ms=3, lw=1.5)
        ax.set_xticks(range(len(strengths) + 1), ["none", *(f"{one:g}" for one in strengths)])
        ax.set(title=kind, xlabel=unit)
        ax.grid(axis="y")
    axes[0, 0].set_ylim(bottom=0)
    axes[0, 0].margins(y=0.1)
    for ax in axes[:, 0]:
        percent_axis(ax.yaxis)
    dashes = [Line2D([], [], color=INK, ls=dash, lw=1.5) for dash in SHARES.values()]
    handles, labels = _handles(colours)
    legend_below(figure, [*handles, *dashes], [*labels, "accuracy", "answers changed"], 3)
    figure.plotted = table
    return axes


def weights(table: pd.DataFrame) -> np.ndarray:
    """How the norm of each kernel grew, and how unsteady the runs are by the size of their weights.

    Args:
        table: as `probe_tables.layers` gives it.

    Returns:
        The two axes: growth by depth, a line per run; unsteadiness by size, a point per run.
    """
    figure, axes = plt.subplots(1, 2, figsize=(WIDTH, 3.4))
    colours = _colours(table["network"].unique())
    for (network, _), run in table.groupby(["network", "seed"], sort=False):
        growth = run["norm_end"] / run["norm_start"]
        axes[0].plot(run["depth"], growth, color=colours[network], marker="o", ms=4, lw=1.5)
        first = run.iloc[0]
        axes[1].plot(first["size"], first["changed_share"], "o", color=colours[network])
    axes[0].set(xlabel="first layer to last", ylabel="norm, times that at the start")
    axes[0].set_xticks([])
    axes[1].set(xlabel="size of the weights", ylabel="answers changed")
    axes[1].set_xlim(left=0)
    axes[1].yaxis.set_major_locator(MaxNLocator(steps=[1, 2, 5, 10]))
    percent_axis(axes[1].yaxis)
    for ax in axes:
        ax.set_ylim(bottom=0)
        ax.margins(0.1)
        ax.grid(axis="y")
    legend_below(figure, *_handles(colours), 3)
    figure.plotted = table
    return axes


MAPS = {"occlusion": "covered", "grad_cam": "Grad-CAM"}


def attention(probed: Sequence[Probed]) -> np.ndarray:
    """Where each network looks for each emotion: means over the images and runs.

    Args:
        probed: one or more runs.

    Returns:
        The axes: for each network a row of occlusion maps and one of Grad-CAM, an emotion each;
        each map from nothing (pale) to its own largest value.
    """
    networks = probe_tables.by_network(probed)
    rows = [(name, kind) for name in networks for kind in MAPS]
    figure, axes = plt.subplots(
        max(1, len(rows)), 7, figsize=(WIDTH, 1.0 + len(rows)), squeeze=False
    )
    for (name, kind), some in zip(rows, axes):
        for emotion, ax in zip(EMOTIONS, some):
            values = _mean_map(networks[name], emotion, kind)
            edges = np.linspace(0, IMAGE_SIZE, len(values) + 1)
            ax.pcolormesh(edges, edges, values, cmap=HEAT, vmin=0)  # as paths: dark pages recolour
            _face(ax)
        some[0].set_ylabel(f"{name.split(',')[0]}\n{MAPS[kind]}")
    for emotion, ax in zip(EMOTIONS, axes[0]):
        ax.set_title(emotion, loc="center", fontweight="normal")
    figure.plotted = _values(networks)
    return axes


def _mean_map(some: Sequence[Probe], emotion: str, kind: str) -> np.ndarray:
    return np.mean([getattr(one.attention[emotion], kind) for one in some], axis=0).clip(0)


def _face(ax: Axes) -> None:
    """Draw where brows, eyes, nose and mouth lie, on a map of 48 x 48 pixels."""
    line = {"fill": False, "ec": INK, "lw": 0.8}
    ax.add_patch(Ellipse((24, 24), 36, 50, **line))
    for centre in (15.5, 32.5):
        ax.add_patch(Ellipse((centre, 17.5), 8, 4, **line))
        ax.add_patch(Arc((centre, 13.5), 10, 4, theta1=180, theta2=360, ec=INK, lw=0.8))
    ax.plot([24, 21.5, 26], [20, 29, 29], color=INK, lw=0.8)
    ax.add_patch(Ellipse((24, 38), 14, 4, **line))
    ax.set(xlim=(0, IMAGE_SIZE), ylim=(IMAGE_SIZE, 0), xticks=[], yticks=[], aspect="equal")
    for side in ax.spines.values():
        side.set_visible(False)


def _values(networks: dict[str, list[Probe]]) -> pd.DataFrame:
    rows = []
    for name, some in networks.items():
        for kind in MAPS:
            for emotion in EMOTIONS:
                found = _mean_map(some, emotion, kind)
                rows += [
                    {"network": name, "map": kind, "emotion": emotion, "row": row,
                     "column": column, "value": value}
                    for (row, column), value in np.ndenumerate(found)
                ]  # fmt: skip
    return pd.DataFrame(rows)


def filters(probed: Sequence[Probed]) -> np.ndarray:
    """The kernels of the first convolution of one run of each network, largest first.

    Args:
        probed: one or more runs.

    Returns:
        The axes, one per network: kernels side by side, dark below zero, pale above, each to its
        own largest absolute value.
    """
    networks = probe_tables.by_network(probed)
    size = (WIDTH, 1.2 * max(1, len(networks)))
    axes = plt.subplots(max(1, len(networks)), 1, figsize=size, squeeze=False)[1]
    for (name, some), ax in zip(networks.items(), axes[:, 0]):
        kernels = np.array(some[0].filters)
        kernels = kernels[np.argsort(-np.linalg.norm(kernels, axis=(1, 2)))]
        ax.imshow(_beside(kernels / np.abs(kernels).max(axis=(1, 2), keepdims=True)),
                  cmap="gray", vmin=-1, vmax=1)  # fmt: skip
        ax.set(title=name, xticks=[], yticks=[])
        for side in ax.spines.values():
            side.set_visible(False)
    axes[0, 0].figure.plotted = pd.DataFrame(
        [
            {"network": name, "kernel": kernel, "row": row, "column": column, "weight": value}
            for name, some in networks.items()
            for (kernel, row, column), value in np.ndenumerate(some[0].filters)
        ]
    )
    return axes[:, 0]


def _beside(kernels: np.ndarray, columns: int = 16) -> np.ndarray:
    """Kernels (n, 3, 3) as one picture with gaps, which are not a number."""
    padded = np.pad(kernels, ((0, -len(kernels) % columns), (0, 1), (0, 1)), constant_values=np.nan)
    tall, wide = padded.shape[1:]
    rows = padded.reshape(-1, columns, tall, wide).transpose(0, 2, 1, 3)
    return rows.reshape(-1, columns * wide)
