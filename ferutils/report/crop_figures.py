"""Accuracy by margin -> matplotlib axes in the house style of `figures`.

Reads what it is given; writes nothing.
"""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from ferutils.report.figures import (
    GREEN,
    INDIGO,
    ROSE,
    SILVER,
    WIDTH,
    legend_below,
    percent_axis,
)


def curve(table: pd.DataFrame, margin: float) -> Axes:
    """Accuracy by margin, a line per run, with what the published images give.

    Args:
        table: rows with columns run, margin (NaN: as published) and accuracy_share; of three runs
            at most.
        margin: that of FER-2013, which is marked.
    """
    figure, ax = plt.subplots(figsize=(WIDTH, 3.6))
    ax.axvline(margin, ls="--", lw=1, color=SILVER, zorder=0, label="margin of FER-2013")
    for (run, some), colour in zip(table.groupby("run", sort=False), (INDIGO, ROSE, GREEN)):
        name, cut = run.partition("-")[0], some.dropna()
        ax.plot(cut["margin"], cut["accuracy_share"], "o-", color=colour, label=name)
        published = some.loc[some["margin"].isna(), "accuracy_share"].iloc[0]
        ax.axhline(published, ls=":", color=colour, label=f"{name}, as published")
    ax.set(xlabel="side of the square, in sides of the box", ylabel="accuracy")
    percent_axis(ax.yaxis, decimals=None)
    ax.grid(axis="y")
    legend_below(figure, *ax.get_legend_handles_labels(), 3)
    figure.plotted = table
    return ax
