"""Figures of bias: by candidate, by position in a pair, and by answer length."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from .style import (
    COLOURS,
    MARKERS,
    bars,
    bars_by_kind,
    blank,
    footnote,
    hide_unused,
    hollow_note,
    legend,
    shortened,
    upright,
    voter_colours,
    wrapped,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_OVERLAID_LINES = 6


def delta_per_candidate(
    deltas: pd.DataFrame, note: str, level: float, *, graded: bool = False
) -> Figure:
    """Draw each candidate's accuracy under each voter less that under humans, a panel a voter.

    Parameters
    ----------
    deltas : DataFrame
        As `analysis.deltas` returns, of one dataset.
    note : str
        A line under the title.
    level : float
        Of the intervals, for the axis.
    graded : bool
        Whether deltas are of mean grades.
    """
    what, unit, times = "accuracy", "percentage points", 100
    if graded:
        what, unit, times = "mean grade", "difference on the scale of the grades", 1
    voters = list(dict.fromkeys(deltas["voter"]))
    candidates = sorted(set(deltas["candidate"]), reverse=True)
    columns = min(4, len(voters))
    lines = -(-len(voters) // columns)
    figure = blank(2.0 + 1.9 * columns, 1.2 + lines * (0.7 + 0.2 * len(candidates)))
    axes = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False)
    for axis in axes.flat[len(voters) :]:
        axis.set_visible(False)
    for axis, voter in zip(axes.flat, voters, strict=False):
        own = deltas[deltas["voter"] == voter]
        kind = str(own["kind"].iloc[0])
        rows = own.set_index("candidate").reindex(candidates)  # one not judged yet has no point
        at = np.arange(len(rows))
        drawn = times * rows[["delta", "ci_low", "ci_high"]]
        bars(axis, drawn["delta"], drawn["ci_low"], drawn["ci_high"], at, kind)
        spread = drawn["delta"].std(ddof=1)
        axis.set_title(
            f"{voter}  (sd {spread:.{2 if graded else 1}f})", fontsize=8, color=COLOURS[kind]
        )
        axis.axvline(0, color="0.6", linewidth=0.8, zorder=0)
        axis.set_yticks(at, candidates, fontsize=7.5)
        axis.tick_params(axis="x", labelsize=7.5)
        axis.grid(axis="y", color="0.92")
    figure.suptitle(f"{deltas['dataset'].iloc[0]}: {what} of each candidate, voter less humans")
    figure.supxlabel(
        f"{unit} ({level:.0%} interval, questions resampled; sd: over the candidates)\n{note}",
        fontsize=8,
    )
    return figure


def position_bias(position: pd.DataFrame, note: str, level: float) -> Figure:
    """Draw how often each voter's verdict follows the place of an answer rather than the answer.

    Left, the share of pairs whose winner changed when their answers changed places; right, the
    share of verdicts for the answer shown first, 0.5 without a preference.

    Parameters
    ----------
    position : DataFrame
        dataset, voter, kind, pairs, flip_rate, flip_low, flip_high, first_place, first_low,
        first_high; of one dataset, a row a voter.
    note : str
        A line under the figure.
    level : float
        Of the intervals, for the axes.
    """
    rows = position.iloc[::-1]  # the first at the top
    at = np.arange(len(rows))
    labels = [
        f"{shortened(voter)}  ({pairs:,.0f} pairs)"
        for voter, pairs in zip(rows["voter"], rows["pairs"].fillna(0), strict=True)
    ]
    figure = blank(5.6 + 0.065 * max(map(len, labels), default=0), 1.9 + 0.27 * len(rows))
    left, right = figure.subplots(1, 2, sharey=True)
    for axis, value, low, high in (
        (left, "flip_rate", "flip_low", "flip_high"),
        (right, "first_place", "first_low", "first_high"),
    ):
        bars_by_kind(axis, rows, value, low, high)
        for height in at[rows[value].isna()]:
            axis.text(0.02, height, "no value", fontsize=7, color="0.5", va="center")
        axis.set_xlim(-0.02, 1.02)
        axis.set_ylim(-0.7, len(rows) - 0.3)
        axis.tick_params(axis="x", labelsize=7.5)
        axis.grid(axis="x", color="0.92")
    left.set_yticks(at, labels, fontsize=8)
    right.axvline(0.5, color="0.5", linewidth=0.9, zorder=0)
    left.set_xlabel("share of pairs whose winner flips\nwith the order", fontsize=8)
    right.set_xlabel(
        "share of verdicts for the answer\nshown first (0.5: no preference)", fontsize=8
    )
    legend(figure, rows["kind"])
    dataset = "".join(rows["dataset"].iloc[:1])
    left.set_title(f"{dataset}: position bias", loc="left", fontsize=10, fontweight="bold")
    hollow = [
        hollow_note(rows[rows["flip_rate"].notna()], "flip_low", "flip_high"),
        hollow_note(rows[rows["first_place"].notna()], "first_low", "first_high"),
    ]
    footnote(figure, f"{level:.0%} intervals", note, max(hollow))
    return figure


def length_bias(bins: pd.DataFrame, note: str, level: float) -> Figure:
    """Draw how often the first answer of a pair wins against how much longer it is.

    A voter blind to length need not be flat, for better answers may be longer: compare it with the
    humans' line, which is black. Up to six voters share one panel; more have a panel each, with the
    humans in every one.

    Parameters
    ----------
    bins : DataFrame
        dataset, voter, kind, low, high (the bin of (a - b) / (a + b), a and b the lengths of the
        first and second answer), n (pairs), share (won by the first), ci_low, ci_high; of one
        dataset.
    note : str
        A line under the figure.
    level : float
        Of the intervals, for the axis.
    """
    order = list(dict.fromkeys(bins["voter"]))
    bins = bins.assign(middle=(bins["low"] + bins["high"]) / 2).sort_values("low", kind="stable")
    kinds = dict(zip(bins["voter"], bins["kind"], strict=True))
    humans = [voter for voter in order if kinds[voter] == "human"]
    others = [voter for voter in order if kinds[voter] != "human"]
    overlaid = len(order) <= MOST_OVERLAID_LINES
    shown = [[*others, *humans]] if overlaid else [[voter, *humans] for voter in others]
    columns = min(4, len(shown))
    lines = -(-len(shown) // columns)
    width, height = (6.4, 4.2) if overlaid else (2.5, 2.1)
    figure = blank(0.7 + width * columns, 1.1 + height * lines)
    axes = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False)
    hide_unused(axes, len(shown))
    colours = voter_colours(bins)
    apart = 0.012 if overlaid else 0.02
    for axis, group in zip(axes.flat, shown, strict=False):
        axis.axhline(0.5, color="0.6", linewidth=0.8, zorder=0)
        axis.axvline(0, color="0.6", linewidth=0.8, zorder=0)
        for place, voter in enumerate(group):
            own = bins[bins["voter"] == voter]
            human = voter in humans
            colour = colours[voter] if overlaid or human else COLOURS[kinds[voter]]
            x = own["middle"] + apart * (place - (len(group) - 1) / 2)
            axis.plot(x, own["share"], color=colour, lw=1.1)
            upright(
                axis,
                x,
                own["share"],
                own["ci_low"],
                own["ci_high"],
                colour=colour,
                marker=MARKERS[kinds[voter]],
                label=shortened(voter),
            )
        if not overlaid:
            axis.set_title(
                wrapped(group[0], width * 14), fontsize=8, color=COLOURS[kinds[group[0]]]
            )
        axis.tick_params(labelsize=7.5)
        axis.set_ylim(-0.03, 1.03)
        axis.grid(color="0.94")
    if overlaid:
        figure.legend(
            *axes[0, 0].get_legend_handles_labels(), loc="outside right upper", fontsize=7.5
        )
    black = " (black: humans)" if humans and not overlaid else ""
    figure.suptitle(f"{''.join(bins['dataset'].iloc[:1])}: length bias{black}", fontsize=10)
    figure.supylabel(f"share won by the first answer ({level:.0%} interval)", fontsize=8)
    empty = bins[bins["share"].isna()]
    footnote(
        figure,
        "length difference (a - b) / (a + b): above 0 the first answer is the longer one",
        note,
        f"bins without a share, so not drawn: {len(empty)}" if len(empty) else "",
        hollow_note(bins[bins["share"].notna()], "ci_low", "ci_high"),
    )
    return figure
