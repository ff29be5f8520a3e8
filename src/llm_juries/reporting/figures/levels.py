"""Figures of values: confusion with the humans', shares of each value, votes at each label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ...metrics.arrays import Array, ratio
from .style import (
    COLOURS,
    PALETTE,
    blank,
    footnote,
    hide_unused,
    named,
    shortened,
    wrapped,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_LEVELS = 21  # of a confusion map: more would not fit a page
SHORT = 4  # a label of so many letters fits its cell
MOST_PANELS = 12
NONE = "no vote"


def confusion_maps(confusion: pd.DataFrame, values: Sequence[str], note: str) -> Figure:
    """Draw which value each voter gave where the humans gave which, a map for each voter.

    A cell has the count, shaded by its share of the votes on the humans' value; the last column
    counts the missing votes. Juries come first; more than twelve voters are listed below.

    Parameters
    ----------
    confusion : DataFrame
        As `analysis.confusion` returns, of one dataset.
    values : sequence of str
        All values, in order.
    note : str
        A line under the figure.
    """
    from matplotlib.patches import Rectangle

    voters, left_out = _few(confusion)
    missing = bool((confusion["voted"] == "").any())
    size = len(values)
    cells = size + 1.2 * missing
    labels = [shortened(value, 18) for value in values]
    longest = max(map(len, labels))
    cell = 0.42 if size <= 3 else 0.34 if size <= 7 else 0.3
    wide = cell * cells + 0.2
    columns, lines = _grid(len(voters), wide)
    ticks = 0.1 + 0.065 * longest * (longest > SHORT)
    uneven = len(voters) % columns > 0  # then the second row has labels in its midst
    figure = blank(
        max(4.8, 1.3 + 0.06 * longest + wide * columns),
        1.15 + ticks * (1 + uneven) + (cell * size + 0.35) * lines,
    )
    axes = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False)
    hide_unused(axes, len(voters))
    for place, (axis, voter) in enumerate(zip(axes.flat, voters, strict=False)):
        own = confusion[confusion["voter"] == voter]
        counts = _crossed(own, values)
        given = counts[:, :size]
        shares = ratio(given, given.sum(axis=1, keepdims=True))
        image = axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for row, column in np.argwhere(given > 0).tolist():
            colour = "white" if shares[row, column] > 0.6 else "0.1"
            _count(axis, column, row, given[row, column], colour)
        for row in np.flatnonzero(counts[:, -1]).tolist():
            _count(axis, size + 0.2, row, counts[row, -1], "0.45")
        for at in range(size):
            axis.add_patch(Rectangle((at - 0.5, at - 0.5), 1, 1, fill=False, ec="0.4", lw=0.6))
        axis.set_xlim(-0.5, cells - 0.5)
        axis.set_ylim(size - 0.5, -0.5)
        if missing:
            axis.axvline(size - 0.5, color="0.3", linewidth=0.8)
        kind = str(own["kind"].iloc[0])
        axis.set_title(wrapped(shortened(voter), wide * 12), fontsize=8, color=COLOURS[kind])
        axis.set_yticks(range(size), labels, fontsize=7)
        axis.set_xticks([*range(size)], labels, fontsize=7, rotation=90 * (longest > SHORT))
        if missing and place + columns >= len(voters):
            axis.text(size + 0.2, size - 0.35, "no\nvote", ha="center", va="top", fontsize=7)
        axis.tick_params(length=0)
    bar = figure.colorbar(
        image, ax=axes, shrink=min(0.9, 3 / (lines * cell * size + 0.1)), aspect=25
    )
    bar.set_label("share of the votes on the row", fontsize=7)
    bar.ax.tick_params(labelsize=6.5)
    figure.suptitle(f"{confusion['dataset'].iloc[0]}: votes and human labels", fontsize=10)
    figure.supylabel("human label", fontsize=8)
    footnote(
        figure,
        "vote (numbers: items)",
        note,
        named("not drawn, see tables/confusion.csv", left_out),
    )
    return figure


def value_shares(shares: pd.DataFrame, note: str) -> Figure:
    """Draw how often each voter gives each value, a bar for each voter, the humans first.

    Parameters
    ----------
    shares : DataFrame
        As `analysis.value_shares` returns, of one dataset.
    note : str
        A line under the figure.
    """
    values = list(dict.fromkeys(shares["value"]))
    voters = list(dict.fromkeys(shares["voter"]))
    kinds = dict(zip(shares["voter"], shares["kind"], strict=True))
    votes = shares.groupby("voter", sort=False)["n"].sum()
    colours = _colours(str(shares["scale"].iloc[0]), len(values))
    room = 5.2 / (0.5 + 0.07 * max(len(shortened(value, 24)) for value in values))
    across = max(1, min(len(values), int(room)))
    room = 5.4 / (0.45 + 0.065 * max(len(shortened(value, 24)) for value in values))
    keys = -(-len(values) // max(1, int(room)))  # lines of the legend
    across = -(-len(values) // keys)
    figure = blank(7.2, 1.5 + 0.27 * len(voters) + 0.18 * keys)
    axis = figure.subplots()
    at = np.arange(len(voters))[::-1]
    left = np.zeros(len(voters))
    for value, colour in zip(values, colours, strict=True):
        own = shares[shares["value"] == value].set_index("voter").loc[voters, "share"]
        wide = own.fillna(0).to_numpy(float)
        axis.barh(at, wide, left=left, height=0.78, color=colour, label=shortened(value, 24))
        for place, start, share in zip(at, left, wide, strict=True):
            if share >= 0.05:
                axis.text(
                    start + share / 2,
                    place,
                    f"{100 * share:.0f}",
                    ha="center",
                    va="center",
                    fontsize=6.5,
                    color=_readable(colour),
                )
        left += wide
    labels = [f"{shortened(voter)}  ({votes[voter]:,})" for voter in voters]
    axis.set_yticks(at, labels, fontsize=8)
    for tick, voter in zip(axis.get_yticklabels(), voters, strict=True):
        tick.set_color(COLOURS[str(kinds[voter])])
    for place in at[votes.loc[voters].to_numpy() == 0]:
        axis.text(0.01, place, NONE, fontsize=7, color="0.5", va="center")
    axis.set_xlim(0, 1)
    axis.set_ylim(-0.6, len(voters) - 0.4)
    axis.set_xticks(np.linspace(0, 1, 5), [f"{share:.0%}" for share in np.linspace(0, 1, 5)])
    axis.tick_params(axis="x", labelsize=7.5)
    axis.tick_params(axis="y", length=0)
    axis.spines[["top", "right", "left"]].set_visible(False)
    title = f"{shares['dataset'].iloc[0]}: how often each value is given"
    pad = 8 + 13 * keys  # points
    axis.set_title(title, loc="left", fontsize=10, fontweight="bold", pad=pad)
    axis.legend(
        loc="lower left",
        bbox_to_anchor=(-0.01, 0.985),
        ncols=across,
        fontsize=7.5,
        frameon=False,
        handlelength=1.2,
        columnspacing=1.2,
    )
    whole = "; a number counts as the nearest of these" * (shares["scale"].iloc[0] == "interval")
    footnote(figure, f"share of the voter's votes (in brackets: how many){whole}", note)
    return figure


def votes_at_labels(spread: pd.DataFrame, note: str) -> Figure:
    """Draw where each voter's votes lie at each human label, a panel of boxes for each voter.

    Boxes are quartiles, whiskers the middle 80 percent, a dot the mean. Juries come first; more
    than twelve voters are listed below.

    Parameters
    ----------
    spread : DataFrame
        As `analysis.votes_by_label` returns, of one dataset.
    note : str
        A line under the figure.
    """
    voters, left_out = _few(spread)
    labels = list(dict.fromkeys(spread["human"]))
    wide = max(1.5, 0.24 * len(labels) + 0.5)
    columns, lines = _grid(len(voters), wide)
    figure = blank(max(4.6, 0.7 + wide * columns), 1.3 + 1.75 * lines)
    axes = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False)
    hide_unused(axes, len(voters))
    for axis, voter in zip(axes.flat, voters, strict=False):
        own = spread[(spread["voter"] == voter) & (spread["n"] > 0)]
        kind = str(spread.loc[spread["voter"] == voter, "kind"].iloc[0])
        colour = COLOURS[kind]
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
        line = {"color": colour, "linewidth": 1}
        axis.bxp(
            boxes,
            [labels.index(label) for label in own["human"]],
            widths=0.6,
            showfliers=False,
            showmeans=True,
            showcaps=False,
            boxprops=line,
            whiskerprops=line,
            medianprops={**line, "linewidth": 2},
            meanprops={"marker": "o", "mfc": colour, "mec": "white", "markersize": 4},
        )
        n, missing = own["n"].sum(), spread.loc[spread["voter"] == voter, "missing"].sum()
        title = f"{shortened(voter, 28)}\n{n:,} votes" + f", {missing:,} missing" * bool(missing)
        axis.set_title(title, fontsize=7.5, color=colour)
        turned = max(map(len, labels)) > SHORT
        axis.set_xticks(range(len(labels)), labels, fontsize=7, rotation=90 * turned)
        axis.set_xlim(-0.6, len(labels) - 0.4)
        low, high = spread["low"].iloc[0], spread["high"].iloc[0]
        axis.set_ylim(low - 0.04 * (high - low), high + 0.04 * (high - low))
        axis.tick_params(axis="y", labelsize=7)
        axis.grid(axis="y", color="0.92")
        axis.set_axisbelow(True)
    figure.suptitle(f"{spread['dataset'].iloc[0]}: votes at each human label", fontsize=10)
    figure.supylabel("vote", fontsize=8)
    footnote(
        figure,
        "human label (box: quartiles, line: from 10% to 90%, dot: mean)",
        note,
        named("not drawn, see tables/votes_by_label.csv", left_out),
    )
    return figure


def _few(rows: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Return the voters to draw, juries first, and those that there is no room for."""
    kinds = dict(zip(rows["voter"], rows["kind"], strict=True))
    voters = sorted(kinds, key=lambda voter: kinds[voter] != "jury")
    return voters[:MOST_PANELS], voters[MOST_PANELS:]


def _grid(panels: int, wide: float) -> tuple[int, int]:
    """Return the columns and lines of panels of that width on a page, the last line well filled."""
    lines = -(-panels // max(1, min(4, int(7.4 // wide))))
    return -(-panels // lines), lines


def _crossed(rows: pd.DataFrame, values: Sequence[str]) -> Array:
    """Return one voter's counts, a row a value of the humans, the missing votes at the end."""
    counts = np.zeros((len(values), len(values) + 1))
    human = rows["human"].map(list(values).index)
    voted = rows["voted"].map([*values, ""].index)
    counts[human, voted] = rows["n"]
    return counts


def _count(axis: Axes, column: float, row: int, count: float, colour: str) -> None:
    text = f"{count:,.0f}" if count < 10_000 else f"{count / 1000:,.0f}k"
    axis.text(column, row, text, ha="center", va="center", fontsize=6.5, color=colour)


def _colours(kind: str, count: int) -> list[Any]:
    """Return a colour a value: of categories any, of levels from pale to dark, of sides two."""
    from matplotlib import colormaps

    if kind == "nominal" and count <= len(PALETTE):
        return list(PALETTE[:count])
    if kind == "nominal":
        return [colormaps["tab20"](at % 20) for at in range(count)]
    if kind == "preference":
        return [PALETTE[1], "0.85", PALETTE[0]]
    return [colormaps["Blues"](share) for share in np.linspace(0.12, 0.95, count)]


def _readable(colour: Any) -> str:
    """Return black or white, whichever is read better on a colour."""
    from matplotlib.colors import to_rgb

    red, green, blue = to_rgb(colour)
    return "black" if 0.3 * red + 0.59 * green + 0.11 * blue > 0.5 else "white"
