"""Figures for choosing a jury: kappa against cost, and correlated errors of the judges."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ...analysis.measured import headline_of
from .style import COLOURS, MARKERS, blank, curves, heading, voter_colours

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def kappa_against_cost(juries: pd.DataFrame, note: str, level: float) -> Figure:
    """Draw kappa (or the headline measure) of all juries against cost, and the Pareto front.

    Parameters
    ----------
    juries : DataFrame
        Rows of `jury_search.JurySearch.juries` of one dataset and rule. Those of unknown cost or
        without a kappa are left out, and counted on the figure.
    note : str
        A line under the title.
    level : float
        Of the intervals, for the axis.
    """
    measure = headline_of(juries)
    said = measure.replace("_", " ")
    figure = blank(7.2, 4.6)
    axis = figure.subplots()
    known = juries[juries["usd_per_item"].notna() & juries[measure].notna()]
    cents = 100 * known["usd_per_item"]
    single = known["seats"] == 1
    low = ~known["eligible"]
    cloud = {
        "votes on too few items to be chosen": (low, "#BBBBBB", "x"),
        "jury": (~single & ~low, COLOURS["jury"], MARKERS["jury"]),
        "single judge": (single & ~low, COLOURS["judge"], MARKERS["judge"]),
    }
    size = 14 if len(known) > 200 else 24
    for label, (rows, colour, marker) in cloud.items():
        if rows.any():
            axis.scatter(
                cents[rows],
                known[measure][rows],
                s=size,
                c=colour,
                marker=marker,
                alpha=0.5 if len(known) > 200 else 0.9,
                linewidths=0.8,
                label=f"{label} ({int(rows.sum()):,})",
            )
    front = known[known["pareto"]].sort_values(["usd_per_item", "jury"])
    if not front.empty:
        at = 100 * front["usd_per_item"]
        axis.step(
            at, front[measure], where="post", color="black", linewidth=1, label="Pareto front"
        )
        axis.vlines(at, front["ci_low"], front["ci_high"], color="black", linewidth=1)
        for number, (x, y) in enumerate(zip(at, front[measure], strict=True), 1):
            axis.annotate(
                str(number), (x, y), (4, -9), textcoords="offset points", fontsize=7.5, zorder=5
            )
    named = [
        f"{number}: {row['jury']}, {row[measure]:.3f}"
        for number, (_, row) in enumerate(front.iterrows(), 1)
    ]
    unknown = len(juries) - len(known)
    if unknown:
        named.append(f"not drawn, of unknown cost or without a {said}: {unknown:,}")
    axis.set_xlabel("US cents for an item", fontsize=8)
    what = "Cohen's kappa" if measure == "kappa" else said
    axis.set_ylabel(f"{what} with the human labels\n(front: {level:.0%} interval)", fontsize=8)
    axis.tick_params(labelsize=7.5)
    axis.grid(color="0.92")
    axis.set_axisbelow(True)
    title = f"{juries['dataset'].iloc[0]}: all juries, rule {juries['rule'].iloc[0]}"
    heading(axis, title, note, figure.get_figwidth() - 1.0)
    axis.legend(fontsize=7.5, loc="lower right")
    figure.supxlabel("\n".join(named), fontsize=7, x=0.02, ha="left")
    return figure


def risk_coverage(rows: pd.DataFrame, note: str, level: float) -> Figure:
    """Draw each voter's risk on the items that it is surest of, and the best judge's on the same.

    Parameters
    ----------
    rows : DataFrame
        As `analysis.abstention.risk_coverage` returns, of one dataset.
    note : str
        A line under the title.
    level : float
        Of the intervals.
    """
    figure = blank(7.2, 4.6)
    axis = figure.subplots()
    colours = voter_colours(rows[["voter", "kind"]].drop_duplicates())
    for voter, own in rows.groupby("voter", sort=False):
        at, colour = own["coverage"], colours[str(voter)]
        axis.vlines(at, own["ci_low"], own["ci_high"], color=colour, linewidth=0.9, alpha=0.75)
        axis.plot(at, own["risk"], "-o", color=colour, markersize=4, linewidth=1, label=str(voter))
        if own["judge_risk"].notna().any():
            name = f"{own['judge'].iloc[0]} on the same items"
            axis.plot(at, own["judge_risk"], "--", color=colour, linewidth=1, label=name)
    axis.set_xlabel("coverage: share of the labelled items, the surest first", fontsize=8)
    axis.set_ylabel(f"risk: share decided wrongly\n({level:.0%} interval)", fontsize=8)
    curves(figure, axis, f"{rows['dataset'].iloc[0]}: risk against coverage", note)
    return figure


MOST_NUMBERED, MOST_LABELLED = 24, 60  # judges


def error_correlations(pairs: pd.DataFrame, note: str) -> Figure:
    """Draw how far the errors of each two judges go together, as a map.

    With more than `MOST_NUMBERED` judges it has colours only, in a figure of fixed size, and with
    more than `MOST_LABELLED` no names.

    Parameters
    ----------
    pairs : DataFrame
        As `jury_search.error_pairs` returns, of one dataset.
    note : str
        A line under the title.
    """
    names = sorted(set(pairs["judge"]) | set(pairs["other"]))
    values = np.full((len(names), len(names)), np.nan)
    place = {name: at for at, name in enumerate(names)}
    numbered = len(names) <= MOST_NUMBERED
    wide = len(names) if numbered else MOST_NUMBERED // 2
    figure = blank(2.6 + 0.75 * wide, 1.6 + 0.55 * wide)
    axis = figure.subplots()
    across, down = pairs["judge"].map(place), pairs["other"].map(place)
    values[down, across] = pairs["correlation"]
    cells = zip(across, down, pairs["correlation"], pairs["n"], strict=True) if numbered else ()
    for x, y, correlation, n in cells:
        shown = "none" if np.isnan(correlation) else f"{correlation:.2f}"
        pale = np.isnan(correlation) or abs(correlation) < 0.6
        axis.text(
            x,
            y,
            f"{shown}\nn {n:,}",
            ha="center",
            va="center",
            fontsize=7,
            color="black" if pale else "white",
        )
    image = axis.imshow(values, cmap="RdBu_r", vmin=-1, vmax=1, aspect="auto")
    size = 7.5 if numbered else max(3.0, 4.5 * MOST_NUMBERED / len(names))
    turned = 30 if numbered else 90
    axis.set_xticks(range(len(names) - 1), names[:-1], fontsize=size, rotation=turned, ha="right")
    axis.set_yticks(range(1, len(names)), names[1:], fontsize=size)
    if len(names) > MOST_LABELLED:
        axis.set_xticks([])
        axis.set_yticks([])
        note = f"{note}; {len(names)} judges, sorted by name"
    axis.set_xlim(-0.5, len(names) - 1.5)
    axis.set_ylim(len(names) - 0.5, 0.5)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
    bar = figure.colorbar(image)
    bar.set_label("correlation of errors (phi)", fontsize=8)
    bar.ax.tick_params(labelsize=7.5)
    title = f"{pairs['dataset'].iloc[0]}: are the judges wrong on the same items?"
    longest = max(map(len, names))
    if not numbered:
        note = f"{note}; numbers are in the table error_pairs"
    heading(axis, title, note, figure.get_figwidth() - 0.3 - 0.065 * longest)
    return figure
