"""Figures of bias: by candidate, by position in a pair, and by answer length."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .options import FigureOptions
from .style import (
    MARKERS,
    PLAIN,
    Sheet,
    all_fitting,
    bars_by_voter,
    colour,
    diverging,
    em,
    grid_of,
    hide_unused,
    hollow_note,
    ink,
    longest,
    name_rows,
    readable,
    row_height,
    row_places,
    shades,
    small,
    upright,
    voter_colours,
    width_of,
    wrapped,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_OVERLAID_LINES = 6


def delta_per_candidate(
    deltas: pd.DataFrame,
    ax: Axes | None = None,
    *,
    note: str = "",
    level: float = 0.95,
    graded: bool = False,
    options: FigureOptions | None = None,
) -> Axes:
    """Draw each candidate's accuracy under each voter less that under humans, as a map.

    A row is a voter, a column a candidate, from the one that all voters favour most. Bold: the
    interval excludes 0. The last column is the standard deviation over the candidates.

    Parameters
    ----------
    deltas : DataFrame
        As `analysis.deltas` returns, of one dataset.
    ax : Axes, optional
    note : str
        The source, for the caption.
    level : float
        Of the intervals.
    graded : bool
        Whether deltas are of mean grades.
    options : FigureOptions, optional
    """
    options = options or PLAIN
    rows = options.chosen(deltas)
    what, unit, times, places = "accuracy", "percentage points", 100, 0
    if graded:
        what, unit, times, places = "mean grade", "on the scale of the grades", 1, 2
    voters = list(dict.fromkeys(rows["voter"]))
    kinds = rows.drop_duplicates("voter").set_index("voter")["kind"]
    mean = rows.groupby("candidate")["delta"].mean()
    candidates = list(mean.sort_values(ascending=False, kind="stable").index)
    table = rows.set_index(["voter", "candidate"])[["delta", "ci_low", "ci_high"]]

    def grid(column: str) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
        return times * table[column].unstack().reindex(voters, axis=0)[candidates].to_numpy(float)  # noqa: PD010

    value, low, high = grid("delta"), grid("ci_low"), grid("ci_high")
    spread = np.array([_spread(row) for row in value])
    width = width_of(ax)
    names = all_fitting(voters, 0.28 * width)
    heads = all_fitting([str(name) for name in candidates], 1.3 * width / 5, small())
    cell = (width - longest(names) - 0.35) / (len(candidates) + 1.3)
    size = min(0.95 * small(), 72 * cell / (0.66 * (5 if graded else 3) + 0.3))
    numbered = size >= 0.7 * small()
    flat = longest(heads, small()) < 0.92 * cell
    above = 1.5 * em() if flat else 0.72 * longest(heads, small()) + em()
    sheet = Sheet(ax, row_height() * len(voters) + above, options)
    axis = sheet.ax
    most = max(np.nanmax(np.abs(value), initial=0), 1e-9)
    map_of = diverging().reversed()
    at = len(voters) - 1 - row_places([str(kinds[voter]) for voter in voters])
    at = at - at.min()
    for row, height in enumerate(at):
        extent = (-0.5, len(candidates) - 0.5, height + 0.5, height - 0.5)
        axis.imshow(
            value[row : row + 1], cmap=map_of, vmin=-most, vmax=most, aspect="auto", extent=extent,
            interpolation="nearest",
        )  # fmt: skip
        for column in np.flatnonzero(~np.isnan(value[row])).tolist() if numbered else ():
            one = value[row, column]
            clear = low[row, column] > 0 or high[row, column] < 0
            axis.text(
                column, height, _signed(one, places), ha="center", va="center",
                fontsize=size, fontweight="bold" if clear else "normal",
                color=readable(map_of((one / most + 1) / 2)[:3]),
            )  # fmt: skip
        if not np.isnan(spread[row]):
            axis.text(
                len(candidates) + 0.3, height, f"{spread[row]:.{places + 1 if not graded else 2}f}",
                ha="center", va="center", fontsize=0.95 * small(),
            )  # fmt: skip
    turned: dict[str, Any] = (
        {} if flat else {"rotation": 40, "ha": "left", "rotation_mode": "anchor"}
    )
    axis.set_xticks(
        [*range(len(candidates)), len(candidates) + 0.3],
        [*heads, "sd"],
        fontsize=small(),
        **({} if flat else turned),
    )
    axis.set_yticks(at, names)
    for tick, voter in zip(axis.get_yticklabels(), voters, strict=True):
        tick.set_color(colour(str(kinds[voter])))
    axis.tick_params(top=True, labeltop=True, bottom=False, labelbottom=False, length=0)
    axis.set_xlim(-0.5, len(candidates) + 0.9)
    axis.set_ylim(at.max(initial=0) + 0.5, -0.5)
    axis.spines[:].set_visible(False)
    dataset = options.name(deltas["dataset"].iloc[0])
    sheet.head(f"{dataset}: {what} of each candidate, voter less humans")
    remark = f"{unit}; bold: the {level:.0%} interval excludes 0; sd: over the candidates"
    sheet.foot(
        note,
        remark if numbered else f"colours up to ±{most:.{places}f} {unit}; sd: over the candidates",
    )
    return axis


def _signed(value: float, places: int) -> str:
    text = f"{value:+.{places}f}"
    return text.lstrip("+-") if float(text) == 0 else text.replace("-", "−")


def _spread(row: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
    known = row[~np.isnan(row)]
    return float(known.std(ddof=1)) if len(known) > 1 else float("nan")


def position_bias(
    position: pd.DataFrame,
    ax: Axes | None = None,
    *,
    note: str = "",
    level: float = 0.95,
    options: FigureOptions | None = None,
) -> Axes:
    """Draw how often each voter's verdict follows the place of an answer rather than the answer.

    Left, the share of pairs whose winner changed when their answers changed places; right, the
    share of verdicts for the answer shown first, 0.5 without a preference.

    Parameters
    ----------
    position : DataFrame
        dataset, voter, kind, pairs, flip_rate, flip_low, flip_high, first_place, first_low,
        first_high; of one dataset, a row a voter.
    ax : Axes, optional
        Divided in two.
    note : str
        The source, for the caption.
    level : float
        Of the intervals.
    options : FigureOptions, optional
    """
    options = options or PLAIN
    rows = options.chosen(position)
    at = row_places(list(rows["kind"]))
    sheet = Sheet(ax, row_height() * (at.max(initial=0) + 1.3) + 3.6 * em(), options)
    names = all_fitting(list(rows["voter"]), 0.3 * sheet.width)
    labels = [
        f"{voter} ({pairs:,.0f} pairs)" if options.missing else voter
        for voter, pairs in zip(names, rows["pairs"].fillna(0), strict=True)
    ]
    left, right = sheet.panels(1, 2, sharey=True)[0]
    colours = shades(rows, options)
    for axis, columns in (
        (left, ("flip_rate", "flip_low", "flip_high")),
        (right, ("first_place", "first_low", "first_high")),
    ):
        bars_by_voter(axis, rows, at, columns, colours)
        for height in at[rows[columns[0]].isna()]:
            axis.text(0.02, height, "no value", fontsize=small(), color=ink(0.5), va="center")
        axis.set_xlim(-0.02, 1.02)
        name_rows(axis, at, labels, list(rows["kind"]))
    right.axvline(0.5, color=ink(0.5), linewidth=0.9, zorder=0)
    room = (sheet.width - longest(labels)) / 2 - 0.15
    left.set_xlabel(wrapped("share of pairs whose winner flips with the order", room))
    right.set_xlabel(wrapped("share for the answer shown first (0.5: no preference)", room))
    sheet.head(f"{options.name(''.join(rows['dataset'].iloc[:1]))}: position bias", colours.handles)
    hollow = [
        hollow_note(rows[rows["flip_rate"].notna()], "flip_low", "flip_high"),
        hollow_note(rows[rows["first_place"].notna()], "first_low", "first_high"),
    ]
    sheet.foot(note, f"{level:.0%} intervals", max(hollow))
    return sheet.ax


def length_bias(
    bins: pd.DataFrame,
    ax: Axes | None = None,
    *,
    note: str = "",
    level: float = 0.95,
    options: FigureOptions | None = None,
) -> Axes:
    """Draw how often the first answer of a pair wins against how much longer it is.

    A voter blind to length need not be flat, for better answers may be longer: compare it with the
    humans' line, which has the colour of the text. Up to six voters share one panel; more have a
    panel each, with the humans in every one.

    Parameters
    ----------
    bins : DataFrame
        dataset, voter, kind, low, high (the bin of (a - b) / (a + b), a and b the lengths of the
        first and second answer), n (pairs), share (won by the first), ci_low, ci_high; of one
        dataset.
    ax : Axes, optional
        Divided if there are more than six voters.
    note : str
        The source, for the caption.
    level : float
        Of the intervals.
    options : FigureOptions, optional
    """
    options = options or PLAIN
    bins = options.chosen(bins)
    order = list(dict.fromkeys(bins["voter"]))
    bins = bins.assign(middle=(bins["low"] + bins["high"]) / 2).sort_values("low", kind="stable")
    kinds = dict(zip(bins["voter"], bins["kind"], strict=True))
    humans = [voter for voter in order if kinds[voter] == "human"]
    others = [voter for voter in order if kinds[voter] != "human"]
    overlaid = len(order) <= MOST_OVERLAID_LINES
    shown = [[*others, *humans]] if overlaid else [[voter, *humans] for voter in others]
    width = width_of(ax)
    lines, columns = (1, 1) if overlaid else grid_of(len(shown), 13 * em(), width)
    sheet = Sheet(ax, (26 if overlaid else 12.5) * em() * lines, options)
    axes = (
        np.array([[sheet.ax]])
        if overlaid
        else sheet.panels(lines, columns, sharex=True, sharey=True)
    )
    hide_unused(axes, len(shown))
    colours = voter_colours(bins)
    apart = 0.012 if overlaid else 0.02
    for axis, group in zip(axes.flat, shown, strict=False):
        axis.axhline(0.5, color=ink(0.4), linewidth=0.8, zorder=0)
        axis.axvline(0, color=ink(0.4), linewidth=0.8, zorder=0)
        for place, voter in enumerate(group):
            own = bins[bins["voter"] == voter]
            shade = colours[voter] if overlaid or voter in humans else colour(kinds[voter])
            x = own["middle"] + apart * (place - (len(group) - 1) / 2)
            axis.plot(x, own["share"], color=shade, lw=1.1)
            upright(
                axis,
                x,
                own["share"],
                own["ci_low"],
                own["ci_high"],
                shade=shade,
                marker=MARKERS[kinds[voter]],
                label=voter,
            )
        if not overlaid:
            axis.set_title(wrapped(group[0], width / columns - 0.3), color=colour(kinds[group[0]]))
        axis.set_ylim(-0.03, 1.03)
        axis.grid()
    handles = axes[0, 0].get_legend_handles_labels()[0] if overlaid else ()
    mark = ": ▲ the humans" if humans and not overlaid else ""
    across, up = (
        "length difference (a − b) / (a + b); above 0 the first is longer",
        f"share won by the first answer ({level:.0%} interval)",
    )
    empty = bins[bins["share"].isna()]
    sheet.head(f"{options.name(''.join(bins['dataset'].iloc[:1]))}: length bias{mark}", handles)
    remarks = (
        f"bins without a share, so not drawn: {len(empty)}" if len(empty) else "",
        hollow_note(bins[bins["share"].notna()], "ci_low", "ci_high"),
    )
    if overlaid:
        sheet.ax.set_xlabel(wrapped(across, 0.8 * width))
        sheet.ax.set_ylabel(wrapped(up, 20 * em()))
        sheet.foot(note, *remarks)
    else:
        sheet.part.supylabel(up, fontsize="medium")
        sheet.foot(note, *remarks, label=across)
    return sheet.ax
