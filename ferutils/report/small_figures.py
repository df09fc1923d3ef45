"""Networks for a phone -> matplotlib axes in the house style of `figures`.

Reads what it is given; writes nothing.
"""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import EngFormatter

from ferutils.report.figures import (
    GREEN,
    INDIGO,
    ROSE,
    SILVER,
    WIDTH,
    legend_below,
    percent_axis,
)

WHOSE = {"this report's": INDIGO, "the paper's": ROSE, "published": GREEN}


def sizes(table: pd.DataFrame, limits: Sequence[int]) -> Axes:
    """Accuracy against bytes, a point per file, with each network's name beside its outermost.

    Args:
        table: rows with columns network, form, whose, bytes and accuracy_share.
        limits: bytes that are marked by dashed lines.
    """
    figure, ax = plt.subplots(figsize=(WIDTH, 4.4))
    for at in limits:
        ax.axvline(at, ls="--", lw=1, color=SILVER, zorder=0)
    for (whose, colour), marker in zip(WHOSE.items(), "osD", strict=True):
        some = table[table["whose"] == whose]
        ax.plot(some["bytes"], some["accuracy_share"], marker, mfc="none", mec=colour, label=whose)
    for name, some in table.groupby("network", sort=False):
        left = some["whose"].iloc[0] == "published"  # ours are of its size, to its right
        outermost = some[some["bytes"] == (some["bytes"].min() if left else some["bytes"].max())]
        ax.annotate(name, (outermost["bytes"].iloc[0], outermost["accuracy_share"].mean()),
                    (-7 if left else 7, 0), textcoords="offset points", va="center",
                    ha="right" if left else "left")  # fmt: skip
    ax.set(xscale="log", xlabel="size of the file", ylabel="accuracy on PrivateTest")
    ax.margins(0.26, 0.1)
    ax.xaxis.set_major_formatter(EngFormatter("B", sep="\u00a0"))
    percent_axis(ax.yaxis, decimals=None)
    ax.grid(axis="y")
    legend_below(figure, *ax.get_legend_handles_labels(), 3)
    figure.plotted = table
    return ax
