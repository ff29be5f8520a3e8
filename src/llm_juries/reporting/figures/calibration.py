"""Figures of what probabilities are worth, and of how many questions are enough."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from .options import FigureOptions
from .style import PLAIN, Sheet, curves, em, ink, logarithmic, voter_colours, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def reliability_diagram(
    rows: pd.DataFrame,
    ax: Axes | None = None,
    *,
    note: str = "",
    level: float = 0.95,
    options: FigureOptions | None = None,
) -> Axes:
    """Draw how often the label is positive at each probability; the diagonal is calibrated.

    Parameters
    ----------
    rows : DataFrame
        As `analysis.calibration.reliability_curve` returns, of one dataset.
    ax : Axes, optional
    note : str
        The source, for the caption.
    level : float
        Of the intervals.
    options : FigureOptions, optional
    """
    options = options or PLAIN
    rows = options.chosen(rows)
    sheet = Sheet(ax, 30 * em(), options)
    axis = sheet.ax
    axis.plot([0, 1], [0, 1], color=ink(0.4), linewidth=0.8, linestyle="--")
    colours = voter_colours(rows[["voter", "kind"]].drop_duplicates())
    for voter, own in rows.groupby("voter", sort=False):
        shade = colours[str(voter)]
        at = own["probability"]
        axis.vlines(at, own["ci_low"], own["ci_high"], color=shade, linewidth=0.9, alpha=0.75)
        axis.plot(at, own["positive"], "-", color=shade, linewidth=1, label=str(voter))
        sizes = 8 + 60 * own["n"] / own["n"].max()
        axis.scatter(at, own["positive"], s=sizes, color=shade, linewidths=0)
    axis.set_xlabel(
        wrapped("mean probability of the bin (larger marks: more votes)", 0.8 * sheet.width)
    )
    axis.set_ylabel(f"share of positive labels\n({level:.0%} interval)")
    curves(sheet, f"{options.name(rows['dataset'].iloc[0])}: probabilities and labels", note)
    return axis


def detectable_differences(
    rows: pd.DataFrame,
    ax: Axes | None = None,
    *,
    note: str = "",
    options: FigureOptions | None = None,
) -> Axes:
    """Draw the smallest difference that numbers of questions find with a power of 80%.

    Parameters
    ----------
    rows : DataFrame
        Those of juries named beforehand, as `analysis.power.power` returns, of one dataset.
    ax : Axes, optional
    note : str
        The source, for the caption.
    options : FigureOptions, optional
    """
    options = options or PLAIN
    rows = options.chosen(rows)
    sheet = Sheet(ax, 26 * em(), options)
    axis = sheet.ax
    questions = np.geomspace(20, max(5000, 2 * rows["questions"].max()), 60)
    colours = voter_colours(pd.DataFrame({"voter": rows["voter"], "kind": "jury"}))
    for _, row in rows.iterrows():
        shade = colours[str(row["voter"])]
        found = row["detectable"] * np.sqrt(row["questions"] / questions)
        axis.plot(questions, found, color=shade, label=f"{row['first']} beside {row['second']}")
        axis.plot(row["questions"], abs(row["difference"]), "o", color=shade)
    logarithmic(axis)
    axis.set_xlabel(
        wrapped("questions (a dot: those there are, and the difference seen)", 0.8 * sheet.width)
    )
    axis.set_ylabel(
        wrapped(
            f"smallest difference of {rows['measure'].iloc[0].replace('_', ' ')} found", 24 * em()
        )
    )
    curves(sheet, f"{options.name(rows['dataset'].iloc[0])}: how much is enough", note)
    return axis
