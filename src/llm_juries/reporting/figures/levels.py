"""Figures of values: confusion with the humans', shares of each value, votes at each label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ...metrics.arrays import Array, ratio
from .options import FigureOptions
from .style import (
    PLAIN,
    Sheet,
    all_fitting,
    colour,
    em,
    grid_of,
    ground,
    hide_unused,
    ink,
    longest,
    named,
    palette,
    readable,
    rising,
    row_height,
    small,
    width_of,
    wrapped,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_LEVELS = 21  # of a confusion map: more would not fit a page
SHORT = 4  # a label of so many letters fits its cell
MOST_PANELS = 12
NONE = "no vote"


def confusion_maps(
    confusion: pd.DataFrame,
    values: Sequence[str],
    ax: Axes | None = None,
    *,
    note: str = "",
    options: FigureOptions | None = None,
) -> Axes:
    """Draw which value each voter gave where the humans gave which, a map for each voter.

    A cell has the count, shaded by its share of the votes on the humans' value; the last column
    counts the missing votes. Juries come first; more than twelve voters are listed below.

    Parameters
    ----------
    confusion : DataFrame
        As `analysis.confusion` returns, of one dataset.
    values : sequence of str
        All values, in order.
    ax : Axes, optional
        Divided into the maps.
    note : str
        The source, for the caption.
    options : FigureOptions, optional
    """
    from matplotlib.patches import Rectangle

    options = options or PLAIN
    confusion = options.chosen(confusion)
    voters, left_out = _few(confusion)
    missing = options.missing and bool((confusion["voted"] == "").any())
    size = len(values)
    cells = size + 1.2 * missing
    labels = all_fitting(list(values), 9 * em(), small())
    side = longest(labels, small())
    upright = max(map(len, labels)) > SHORT
    width = width_of(ax)
    room = width - side - 0.75  # beside the labels and the bar
    wanted = (3.4 if size <= 3 else 2.5) * small() / 72
    lines, columns = grid_of(len(voters), wanted * cells + 0.15, room)
    cell = min(wanted, room / columns / (cells + 0.4))
    ticks = 1.2 * em() + (side if upright else 0)
    uneven = len(voters) % columns > 0  # then the second row has labels in its midst
    sheet = Sheet(ax, ticks * (1 + uneven) + (cell * size + 2.4 * em()) * lines + 0.1, options)
    axes = sheet.panels(lines, columns, sharex=True, sharey=True)
    hide_unused(axes, len(voters))
    shades = rising()
    for place, (axis, voter) in enumerate(zip(axes.flat, voters, strict=False)):
        own = confusion[confusion["voter"] == voter]
        counts = _crossed(own, values)
        given = counts[:, :size]
        shares = ratio(given, given.sum(axis=1, keepdims=True))
        image = axis.imshow(shares, cmap=shades, vmin=0, vmax=1)
        for row, column in np.argwhere(given > 0).tolist():
            shade = readable(shades(shares[row, column])[:3])
            _count(axis, column, row, given[row, column], shade, cell)
        for row in np.flatnonzero(counts[:, -1]).tolist() if missing else ():
            _count(axis, size + 0.2, row, counts[row, -1], ink(0.6), cell)
        for at in range(size):
            axis.add_patch(Rectangle((at - 0.5, at - 0.5), 1, 1, fill=False, ec=ink(0.6), lw=0.6))
        axis.set_xlim(-0.5, cells - 0.5)
        axis.set_ylim(size - 0.5, -0.5)
        if missing:
            axis.axvline(size - 0.5, color=ink(0.7), linewidth=0.8)
        kind = str(own["kind"].iloc[0])
        title = wrapped(voter, max(cell * cells, room / columns) - 0.05)
        axis.set_title(title, fontsize=small(), color=colour(kind))
        axis.set_yticks(range(size), labels, fontsize=small())
        axis.set_xticks([*range(size)], labels, fontsize=small(), rotation=90 * upright)
        if missing and place + columns >= len(voters):
            axis.text(size + 0.2, size - 0.35, "no\nvote", ha="center", va="top", fontsize=small())
        axis.tick_params(length=0)
        axis.spines[:].set_visible(False)
    bar = sheet.part.colorbar(image, ax=axes, fraction=0.03, pad=0.02, aspect=25)
    bar.set_label("share of the row", fontsize=small())
    bar.outline.set_visible(False)
    sheet.part.supylabel("human label", fontsize="medium")
    dataset = options.name(confusion["dataset"].iloc[0])
    sheet.head(f"{dataset}: votes and human labels")
    left = named("not drawn, see tables/confusion.csv", left_out)
    sheet.foot(note, left, label="vote (numbers: items)")
    return sheet.ax


def value_shares(
    shares: pd.DataFrame,
    ax: Axes | None = None,
    *,
    note: str = "",
    options: FigureOptions | None = None,
) -> Axes:
    """Draw how often each voter gives each value, a bar for each voter, the humans first.

    Parameters
    ----------
    shares : DataFrame
        As `analysis.value_shares` returns, of one dataset.
    ax : Axes, optional
    note : str
        The source, for the caption.
    options : FigureOptions, optional
    """
    options = options or PLAIN
    shares = options.chosen(shares)
    values = list(dict.fromkeys(shares["value"]))
    kinds = dict(zip(shares["voter"], shares["kind"], strict=True))
    voters = sorted(kinds, key=lambda voter: kinds[voter] != "human")
    votes = shares.groupby("voter", sort=False)["n"].sum()
    colours = _colours(str(shares["scale"].iloc[0]), len(values))
    sheet = Sheet(ax, row_height() * (len(voters) + 0.6) + 2.8 * em(), options)
    axis = sheet.ax
    at = np.arange(len(voters))[::-1]
    left = np.zeros(len(voters))
    names = all_fitting(voters, 0.32 * sheet.width)
    labels = [
        f"{shown} ({votes[voter]:,})" if options.missing else shown
        for shown, voter in zip(names, voters, strict=True)
    ]
    inside = sheet.width - longest(labels) - 0.2
    for value, shade in zip(values, colours, strict=True):
        own = shares[shares["value"] == value].set_index("voter").loc[voters, "share"]
        wide = own.fillna(0).to_numpy(float)
        axis.barh(at, wide, left=left, height=0.78, color=shade, label=str(value))
        for place, start, share in zip(at, left, wide, strict=True):
            if share * inside >= 1.9 * small() / 72:
                axis.text(
                    start + share / 2,
                    place,
                    f"{100 * share:.0f}",
                    ha="center",
                    va="center",
                    fontsize=0.95 * small(),
                    color=readable(shade),
                )
        left += wide
    axis.set_yticks(at, labels)
    for tick, voter in zip(axis.get_yticklabels(), voters, strict=True):
        tick.set_color(colour(str(kinds[voter])))
    for place in at[votes.loc[voters].to_numpy() == 0]:
        axis.text(0.01, place, NONE, fontsize=small(), color=ink(0.5), va="center")
    axis.set_xlim(0, 1)
    axis.set_ylim(-0.6, len(voters) - 0.4)
    axis.set_xticks(np.linspace(0, 1, 5), [f"{share:.0%}" for share in np.linspace(0, 1, 5)])
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)
    counts = " (in brackets: how many)" if options.missing else ""
    axis.set_xlabel(wrapped(f"share of the voter's votes{counts}", inside))
    handles, _ = axis.get_legend_handles_labels()
    dataset = options.name(shares["dataset"].iloc[0])
    sheet.head(f"{dataset}: how often each value is given", handles)
    whole = "a number counts as the nearest of these" * (shares["scale"].iloc[0] == "interval")
    sheet.foot(note, whole)
    return axis


def votes_at_labels(
    spread: pd.DataFrame,
    ax: Axes | None = None,
    *,
    note: str = "",
    options: FigureOptions | None = None,
) -> Axes:
    """Draw where each voter's votes lie at each human label, a panel of boxes for each voter.

    Boxes are quartiles, whiskers the middle 80 percent, a dot the mean. Juries come first; more
    than twelve voters are listed below.

    Parameters
    ----------
    spread : DataFrame
        As `analysis.votes_by_label` returns, of one dataset.
    ax : Axes, optional
        Divided into the panels.
    note : str
        The source, for the caption.
    options : FigureOptions, optional
    """
    from matplotlib import rcParams

    options = options or PLAIN
    given, spread = spread, options.chosen(spread)
    voters, left_out = _few(spread)
    labels = list(dict.fromkeys(given["human"]))
    width = width_of(ax)
    wide = max(11 * em(), (2 * len(labels) + 3) * em())
    lines, columns = grid_of(len(voters), wide, width - 0.4)
    upright = max(map(len, labels)) > SHORT
    under = (longest(labels, small()) if upright else em()) + 0.1
    sheet = Sheet(ax, 14 * em() * lines + under, options)
    axes = sheet.panels(lines, columns, sharex=True, sharey=True)
    hide_unused(axes, len(voters))
    thin, size = rcParams["lines.linewidth"] / 1.2, rcParams["font.size"]
    for axis, voter in zip(axes.flat, voters, strict=False):
        own = spread[(spread["voter"] == voter) & (spread["n"] > 0)]
        kind = str(spread.loc[spread["voter"] == voter, "kind"].iloc[0])
        shade = colour(kind)
        boxes = [
            {
                "whislo": row["p10"],
                "q1": row["p25"],
                "med": row["median"],
                "q3": row["p75"],
                "whishi": row["p90"],
                "mean": row["mean"],
            }
            for _, row in own.iterrows()
        ]
        line = {"color": shade, "linewidth": thin}
        axis.bxp(
            boxes,
            [labels.index(label) for label in own["human"]],
            widths=0.6,
            showfliers=False,
            showmeans=True,
            showcaps=False,
            boxprops=line,
            whiskerprops=line,
            medianprops={**line, "linewidth": 2 * thin},
            meanprops={"marker": "o", "mfc": shade, "mec": ground(), "markersize": 0.55 * size},
        )
        n, missing = own["n"].sum(), spread.loc[spread["voter"] == voter, "missing"].sum()
        counts = f"\n{n:,} votes" + f", {missing:,} missing" * bool(missing)
        title = wrapped(voter, width / columns - 0.3) + counts * options.missing
        axis.set_title(title, fontsize=small(), color=shade)
        axis.set_xticks(range(len(labels)), labels, fontsize=small(), rotation=90 * upright)
        axis.set_xlim(-0.6, len(labels) - 0.4)
        low, high = spread["low"].iloc[0], spread["high"].iloc[0]
        axis.set_ylim(low - 0.04 * (high - low), high + 0.04 * (high - low))
        axis.grid(axis="y")
    sheet.part.supylabel("vote", fontsize="medium")
    sheet.head(f"{options.name(spread['dataset'].iloc[0])}: votes at each human label")
    left = named("not drawn, see tables/votes_by_label.csv", left_out)
    label = "human label (box: quartiles, line: from 10% to 90%, dot: mean)"
    sheet.foot(note, left, label=label)
    return sheet.ax


def _few(rows: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Return the voters to draw, juries first, and those that there is no room for."""
    kinds = dict(zip(rows["voter"], rows["kind"], strict=True))
    voters = sorted(kinds, key=lambda voter: kinds[voter] != "jury")
    return voters[:MOST_PANELS], voters[MOST_PANELS:]


def _crossed(rows: pd.DataFrame, values: Sequence[str]) -> Array:
    """Return one voter's counts, a row a value of the humans, the missing votes at the end."""
    counts = np.zeros((len(values), len(values) + 1))
    human = rows["human"].map(list(values).index)
    voted = rows["voted"].map([*values, ""].index)
    counts[human, voted] = rows["n"]
    return counts


def _count(axis: Axes, column: float, row: int, count: float, shade: str, cell: float) -> None:
    text = f"{count:,.0f}" if count < 10_000 else f"{count / 1000:,.0f}k"
    size = min(0.95 * small(), 72 * 0.92 * cell / (0.6 * len(text)))
    axis.text(column, row, text, ha="center", va="center", fontsize=size, color=shade)


def _colours(kind: str, count: int) -> list[Any]:
    """Return a colour a value: of categories any, of levels from pale to dark, of sides two."""
    from matplotlib import colormaps

    shades = palette()
    if kind == "nominal":
        more = colormaps["tab20"]
        return shades[:count] if count <= len(shades) else [more(at % 20) for at in range(count)]
    if kind == "preference":
        return [colour("jury"), ink(0.15), colour("judge")]
    return [rising()(share) for share in np.linspace(0.12, 1, count)]
