"""Figures for choosing a jury: kappa against cost, risk against coverage, correlated errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ...analysis.measured import headline_of
from .options import FigureOptions
from .style import (
    MARKERS,
    PLAIN,
    Sheet,
    all_fitting,
    colour,
    curves,
    diverging,
    em,
    ink,
    longest,
    named,
    readable,
    small,
    voter_colours,
    width_of,
    wrapped,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_LABELLED = 60  # judges


def kappa_against_cost(
    juries: pd.DataFrame,
    ax: Axes | None = None,
    *,
    note: str = "",
    level: float = 0.95,
    options: FigureOptions | None = None,
) -> Axes:
    """Draw kappa (or the headline measure) of all juries against cost, and the Pareto front.

    Parameters
    ----------
    juries : DataFrame
        Rows of `jury_search.JurySearch.juries` of one dataset and rule. Those of unknown cost or
        without a kappa are left out, and counted on the figure.
    ax : Axes, optional
    note : str
        The source, for the caption.
    level : float
        Of the intervals, for the axis.
    options : FigureOptions, optional
    """
    options = options or PLAIN
    measure = headline_of(juries)
    said = measure.replace("_", " ")
    known = juries[juries["usd_per_item"].notna() & juries[measure].notna()]
    sheet = Sheet(ax, 32 * em(), options)
    axis = sheet.ax
    cents = 100 * known["usd_per_item"]
    single = known["seats"] == 1
    low = ~known["eligible"]
    cloud = {
        "votes on too few items to be chosen": (low, ink(0.3), "x"),
        "jury": (~single & ~low, colour("jury"), MARKERS["jury"]),
        "single judge": (single & ~low, colour("judge"), MARKERS["judge"]),
    }
    crowded = len(known) > 200
    for label, (rows, shade, marker) in cloud.items():
        if rows.any():
            axis.scatter(
                cents[rows],
                known[measure][rows],
                s=14 if crowded else 24,
                c=shade,
                marker=marker,
                alpha=0.5 if crowded else 0.9,
                linewidths=0.8,
                label=f"{label} ({int(rows.sum()):,})",
            )
    front = known[known["pareto"]].sort_values(["usd_per_item", "jury"])
    if not front.empty:
        at = 100 * front["usd_per_item"]
        axis.step(at, front[measure], where="post", color=ink(), linewidth=1, label="Pareto front")
        axis.vlines(at, front["ci_low"], front["ci_high"], color=ink(), linewidth=1)
        for number, (x, y) in enumerate(zip(at, front[measure], strict=True), 1):
            axis.annotate(
                str(number), (x, y), (4, -9), textcoords="offset points", fontsize=small(), zorder=5
            )
    remarks = [
        f"{number}: {options.name(row['jury'])}, {row[measure]:.3f}"
        for number, (_, row) in enumerate(front.iterrows(), 1)
    ]
    if unknown := len(juries) - len(known):
        remarks.append(f"not drawn, of unknown cost or without a {said}: {unknown:,}")
    axis.set_xlabel("US cents for an item")
    what = "Cohen's kappa" if measure == "kappa" else said
    axis.set_ylabel(f"{what} with the human labels\n(front: {level:.0%} interval)")
    dataset, rule = juries["dataset"].iloc[0], juries["rule"].iloc[0]
    curves(sheet, f"{options.name(dataset)}: all juries, rule {rule}", note, *remarks)
    return axis


def risk_coverage(
    rows: pd.DataFrame,
    ax: Axes | None = None,
    *,
    note: str = "",
    level: float = 0.95,
    options: FigureOptions | None = None,
) -> Axes:
    """Draw each voter's risk on the items that it is surest of, and the best judge's on the same.

    Parameters
    ----------
    rows : DataFrame
        As `analysis.abstention.risk_coverage` returns, of one dataset.
    ax : Axes, optional
    note : str
        The source, for the caption.
    level : float
        Of the intervals.
    options : FigureOptions, optional
    """
    from matplotlib import rcParams

    options = options or PLAIN
    rows = options.chosen(rows)
    sheet = Sheet(ax, 28 * em(), options)
    axis = sheet.ax
    colours = voter_colours(rows[["voter", "kind"]].drop_duplicates())
    stroke = 0.8 * rcParams["lines.linewidth"]
    judges = []
    for voter, own in rows.groupby("voter", sort=False):
        at, shade = own["coverage"], colours[str(voter)]
        axis.vlines(at, own["ci_low"], own["ci_high"], color=shade, linewidth=stroke, alpha=0.75)
        axis.plot(at, own["risk"], "-o", color=shade, linewidth=stroke, label=str(voter))
        if own["judge_risk"].notna().any():
            axis.plot(at, own["judge_risk"], "--", color=shade, linewidth=stroke)
            judges.append(options.name(own["judge"].iloc[0]))
    dashed = named("dashed, on the items of the voter of that colour", [*dict.fromkeys(judges)])
    axis.set_xlabel(
        wrapped("coverage: share of the labelled items, the surest first", 0.8 * sheet.width)
    )
    axis.set_ylabel(f"risk: share decided wrongly\n({level:.0%} interval)")
    curves(sheet, f"{options.name(rows['dataset'].iloc[0])}: risk against coverage", note, dashed)
    return axis


def error_correlations(
    pairs: pd.DataFrame,
    ax: Axes | None = None,
    *,
    note: str = "",
    options: FigureOptions | None = None,
) -> Axes:
    """Draw how far the errors of each two judges go together, as a map.

    Judges too many for numbers in the cells have colours only, and those too many for names none.

    Parameters
    ----------
    pairs : DataFrame
        As `jury_search.error_pairs` returns, of one dataset.
    ax : Axes, optional
    note : str
        The source, for the caption.
    options : FigureOptions, optional
    """
    options = options or PLAIN
    pairs = options.chosen(pairs)
    names = sorted(set(pairs["judge"]) | set(pairs["other"]))
    place = {name: at for at, name in enumerate(names)}
    # A pair once, below the diagonal, whatever the order of its display names.
    at = np.sort(np.c_[pairs["judge"].map(place), pairs["other"].map(place)], axis=1)
    values = np.full((len(names), len(names)), np.nan)
    values[at[:, 1], at[:, 0]] = pairs["correlation"]
    width = width_of(ax)
    shown = all_fitting(names, 0.3 * width, small())
    side = longest(shown, small())
    cell = min(5.5 * em(), (width - side - 0.9) / max(1, len(names) - 1))
    numbered = cell >= 3.2 * small() / 72
    counted = cell >= 5 * small() / 72
    labelled = len(names) <= MOST_LABELLED
    tall = max(0.55 * cell if counted else cell * 0.8, 2.6 * small() / 72 if counted else 0.05)
    flat = longest(shown[:-1], small()) < 0.95 * cell
    under = 1.5 * em() if flat else 0.75 * side + em()
    sheet = Sheet(ax, max(tall * (len(names) - 1) + under * labelled, 1.2), options)
    axis = sheet.ax
    shades = diverging().reversed()
    image = axis.imshow(values, cmap=shades, vmin=-1, vmax=1, aspect="auto")
    if numbered:
        for (y, x), n in zip(np.c_[at[:, 1], at[:, 0]], pairs["n"], strict=True):
            value = values[y, x]
            text = "none" if np.isnan(value) else f"{value:.2f}"
            axis.text(
                x, y, f"{text}\nn {n:,}" if counted and options.missing else text,
                ha="center", va="center", fontsize=0.95 * small(), linespacing=1.1,
                color=ink() if np.isnan(value) else readable(shades((value + 1) / 2)[:3]),
            )  # fmt: skip
    size = small() if numbered else max(3.0, min(small(), 60 * cell))
    turned: dict[str, Any] = {} if flat else {"rotation": 40 if numbered else 90, "ha": "right"}
    if turned and numbered:
        turned["rotation_mode"] = "anchor"
    axis.set_xticks(range(len(names) - 1), shown[:-1], fontsize=size, **turned)
    axis.set_yticks(range(1, len(names)), shown[1:], fontsize=size)
    axis.tick_params(length=0)
    remarks = [] if numbered else ["numbers are in the table error_pairs"]
    if not labelled:
        axis.set_xticks([])
        axis.set_yticks([])
        remarks.append(f"{len(names)} judges, sorted by name")
    axis.set_xlim(-0.5, len(names) - 1.5)
    axis.set_ylim(len(names) - 0.5, 0.5)
    axis.spines[:].set_visible(False)
    bar = axis.figure.colorbar(image, ax=axis, fraction=0.04, pad=0.02)
    bar.set_label("correlation (phi)", fontsize=small())
    bar.outline.set_visible(False)
    title = f"{options.name(pairs['dataset'].iloc[0])}: are the judges wrong on the same items?"
    sheet.head(title)
    sheet.foot(note, *remarks)
    return axis
