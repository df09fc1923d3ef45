"""Accuracies of AlexNet, CapsNet, VGG16 and the paper's networks -> axes in the house style.

Reads what it is given; writes nothing.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from ferutils.records.pretrained import CAPSULES, CHANGES
from ferutils.report.figures import ENDS, INDIGO, ROSE, WIDTH, legend_below, percent_axis
from ferutils.report.pretrained_tables import title

# By faces: marker, colour, and how far from the middle of its row.
MARKS = {"all faces": ("o", INDIGO, -0.16), "new faces": ("s", ROSE, 0.16)}


def accuracies(table: pd.DataFrame) -> np.ndarray:
    """Accuracy of each network, a point per run with its 95 % interval, an axis per split.

    Args:
        table: rows with columns network, seed, split, faces, accuracy_share, interval_low_share and
            interval_high_share.

    Returns:
        The axes, one per split.
    """
    splits, networks = table["split"].unique(), list(table["network"].unique())
    height = 1.3 + 0.5 * len(networks)
    figure, axes = plt.subplots(1, len(splits), figsize=(WIDTH, height), sharex=True, sharey=True)
    for ax, split in zip(axes, splits):
        for faces, (marker, colour, apart) in MARKS.items():
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


def capsules(table: pd.DataFrame) -> np.ndarray:
    """Accuracy of CapsNet and its twin on new faces by kind and strength of a change.

    Args:
        table: as `pretrained_tables.steps` gives it.

    Returns:
        The axes, one per kind: a line per network, the mean of its runs; a point per run, the mean
        of both held-out splits. Without runs each says that it is open.
    """
    figure, axes = plt.subplots(1, len(CHANGES), figsize=(WIDTH, 3.4), sharey=True)
    looks = dict(zip(map(title, CAPSULES), ("o-", "s--")))
    colours = dict(zip(looks, (INDIGO, ROSE)))
    new = table[table["faces"] == "new"]
    for ax, (kind, (unit, strengths)) in zip(axes, CHANGES.items()):
        for name, some in new[new["kind"] == kind].groupby("network", sort=False):
            marker, dash = looks[name][0], looks[name][1:]
            runs = some.groupby(["step", "seed"])["accuracy_share"].mean()
            ax.plot(runs.groupby("step").mean(), dash, color=colours[name], lw=1.5)
            steps = runs.index.get_level_values("step")
            ax.plot(steps, runs, marker, mfc="none", mec=colours[name], ms=5)
        if new.empty:
            ax.text(0.5, 0.5, "open", ha="center", transform=ax.transAxes)
        ax.set_xticks(range(len(strengths) + 1), ["0", *(f"{one:g}" for one in strengths)])
        ax.set(title=kind, xlabel=unit)
        ax.grid(axis="y")
    percent_axis(axes[0].yaxis)
    handles = [
        Line2D([], [], color=colours[name], marker=look[0], ls=look[1:], mfc="none", ms=5)
        for name, look in looks.items()
    ]
    legend_below(figure, handles, list(looks), 2)
    figure.plotted = table
    return axes
