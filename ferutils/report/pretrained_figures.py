"""Accuracies of AlexNet, CapsNet, VGG16 and the paper's networks -> axes in the house style.

Reads what it is given; writes nothing.
"""

from itertools import product

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.lines import Line2D

from ferutils.records.pretrained import CAPSULES, CHANGES
from ferutils.report.figures import INDIGO, ROSE, WIDTH, legend_below, percent_axis
from ferutils.report.pretrained_tables import title


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
    still_open = pd.DataFrame(product(looks, CHANGES), columns=["network", "kind"])
    figure.plotted = still_open.reindex(columns=table.columns) if new.empty else table
    return axes
