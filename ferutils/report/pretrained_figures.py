"""Accuracies of AlexNet, VGG16 and the paper's networks -> matplotlib axes in the house style.

Reads what it is given; writes nothing.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from ferutils.report.figures import ENDS, INDIGO, ROSE, WIDTH, legend_below, percent_axis

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
