"""Figures of what probabilities are worth, and of how many questions are enough."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from .style import blank, curves, logarithmic, voter_colours

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def reliability_diagram(rows: pd.DataFrame, note: str, level: float) -> Figure:
    """Draw how often the label is positive at each probability; the diagonal is calibrated.

    Parameters
    ----------
    rows : DataFrame
        As `analysis.calibration.reliability_curve` returns, of one dataset.
    note : str
        A line under the title.
    level : float
        Of the intervals.
    """
    figure = blank(7.2, 4.6)
    axis = figure.subplots()
    axis.plot([0, 1], [0, 1], color="0.6", linewidth=0.8, linestyle="--")
    colours = voter_colours(rows[["voter", "kind"]].drop_duplicates())
    for voter, own in rows.groupby("voter", sort=False):
        colour = colours[str(voter)]
        at = own["probability"]
        axis.vlines(at, own["ci_low"], own["ci_high"], color=colour, linewidth=0.9, alpha=0.75)
        axis.plot(at, own["positive"], "-", color=colour, linewidth=1, label=str(voter))
        sizes = 8 + 60 * own["n"] / own["n"].max()
        axis.scatter(at, own["positive"], s=sizes, color=colour, linewidths=0)
    axis.set_xlabel("mean probability of the bin (larger marks: more votes)", fontsize=8)
    axis.set_ylabel(f"share of positive labels\n({level:.0%} interval)", fontsize=8)
    curves(figure, axis, f"{rows['dataset'].iloc[0]}: probabilities and labels", note)
    return figure


def detectable_differences(rows: pd.DataFrame, note: str) -> Figure:
    """Draw the smallest difference that numbers of questions find with a power of 80%.

    Parameters
    ----------
    rows : DataFrame
        Those of juries named beforehand, as `analysis.power.power` returns, of one dataset.
    note : str
        A line under the title.
    """
    figure = blank(7.2, 4.6)
    axis = figure.subplots()
    questions = np.geomspace(20, max(5000, 2 * rows["questions"].max()), 60)
    colours = voter_colours(pd.DataFrame({"voter": rows["voter"], "kind": "jury"}))
    for _, row in rows.iterrows():
        colour = colours[str(row["voter"])]
        found = row["detectable"] * np.sqrt(row["questions"] / questions)
        name = f"{row['first']} beside {row['second']}"
        axis.plot(questions, found, color=colour, linewidth=1.2, label=name)
        axis.plot(row["questions"], abs(row["difference"]), "o", color=colour, markersize=5)
    logarithmic(axis)
    axis.set_xlabel("questions (a dot: those there are, and the difference seen)", fontsize=8)
    axis.set_ylabel(f"smallest difference of {rows['measure'].iloc[0]} found", fontsize=8)
    curves(figure, axis, f"{rows['dataset'].iloc[0]}: how much is enough", note)
    return figure
