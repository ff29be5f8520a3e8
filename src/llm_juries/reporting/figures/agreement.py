"""Figures of agreement with humans: kappa of each voter, and the paper's kappas beside ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ...analysis.measured import headline_of
from .style import COLOURS, MARKERS, bars_by_kind, blank, heading, legend

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def kappa_per_voter(agreement: pd.DataFrame, notes: dict[str, str], level: float) -> Figure:
    """Draw kappa (or the headline measure) of each voter with its interval, a panel a dataset.

    Parameters
    ----------
    agreement : DataFrame
        As `analysis.agreement` returns, of one or more datasets.
    notes : dict of str to str
        A line under each dataset's title.
    level : float
        Of the intervals, for the axis.
    """
    datasets = list(dict.fromkeys(agreement["dataset"]))
    sizes = [int((agreement["dataset"] == name).sum()) for name in datasets]
    figure = blank(7.2, 0.9 * len(datasets) + 0.27 * sum(sizes) + 0.8)
    axes = figure.subplots(
        len(datasets), 1, sharex=True, squeeze=False, height_ratios=[size + 1 for size in sizes]
    )[:, 0]
    others = False
    for axis, name in zip(axes, datasets, strict=True):
        rows = agreement[agreement["dataset"] == name]
        measure = headline_of(rows)
        said = "" if measure == "kappa" else f": {measure.replace('_', ' ')}"
        others |= bool(said)
        _points(axis, rows, measure)
        room = figure.get_figwidth() - 0.3 - 0.065 * max(map(len, _labels(rows)))
        heading(axis, f"{name}{said}", notes.get(name, ""), room)
    what = "Agreement" if others else "Cohen's kappa"
    axes[-1].set_xlabel(f"{what} with the human labels ({level:.0%} interval, questions resampled)")
    legend(figure, agreement["kind"])
    return figure


def printed_beside_ours(
    printed: pd.DataFrame, agreement: pd.DataFrame, notes: dict[str, str], level: float
) -> Figure:
    """Draw the paper's printed kappas beside ours, each marked as what it is.

    Parameters
    ----------
    printed : DataFrame
        The paper's Table 1: judge, dataset, kappa.
    agreement : DataFrame
        As `analysis.agreement` returns.
    notes : dict of str to str
        A line on each of our datasets.
    level : float
        Of our intervals; the paper prints none.
    """
    figure = blank(10.5, 1.9 + 0.22 * max(len(agreement) + 6, len(printed)))
    left, right = figure.subplots(1, 2, sharex=True)
    rows = printed.iloc[::-1].reset_index(drop=True)
    left.plot(rows["kappa"], rows.index, MARKERS["printed"], color=COLOURS["printed"])
    left.set_yticks(rows.index, rows["judge"] + "  " + rows["dataset"], fontsize=7.5)
    left.set_title("printed in the paper (no intervals)\n", fontsize=9, loc="left")
    datasets = dict.fromkeys(agreement["dataset"])
    ours = pd.concat([agreement[agreement["dataset"] == name] for name in datasets])
    _points(right, ours.assign(voter=ours["voter"] + "  " + ours["dataset"]), "kappa")
    right.set_title(f"ours ({level:.0%} intervals)\n", fontsize=9, loc="left")
    for axis in (left, right):
        axis.set_xlabel("Cohen's kappa with human labels", fontsize=8)
        axis.grid(axis="x", color="0.92")
        axis.tick_params(axis="x", labelsize=7.5)
    figure.suptitle(
        "Not the same experiment: other models, other answers, other human labels", fontsize=10
    )
    sources = "\n".join(f"{name}: {note}" for name, note in notes.items() if name in datasets)
    figure.supxlabel(sources, fontsize=7, x=0.02, ha="left")
    return figure


def _points(axis: Axes, rows: pd.DataFrame, column: str) -> None:
    """Draw a row a voter, the first at the top."""
    rows = rows.iloc[::-1]
    at = np.arange(len(rows))
    bars_by_kind(axis, rows, column, "ci_low", "ci_high")
    axis.set_yticks(at, _labels(rows), fontsize=8)
    axis.set_ylim(-0.7, len(rows) - 0.3)
    axis.axvline(0, color="0.8", linewidth=0.8, zorder=0)
    axis.grid(axis="x", color="0.92")


def _labels(rows: pd.DataFrame) -> list[str]:
    return [
        f"{voter}  ({missing} missing)" if missing else str(voter)
        for voter, missing in zip(rows["voter"], rows["missing"], strict=True)
    ]
