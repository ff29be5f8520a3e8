"""Figure of battles: the share each model won against each other model, by one voter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ...errors import JuriesError
from ...metrics.arrays import Array
from .options import FigureOptions
from .style import (
    PLAIN,
    Sheet,
    all_fitting,
    diverging,
    ink,
    longest,
    named,
    readable,
    small,
    wide,
    width_of,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_TURNED = 10  # models whose names stand below their columns, too


def battle_heat_map(
    battles: pd.DataFrame,
    ax: Axes | None = None,
    *,
    title: str = "",
    note: str = "",
    options: FigureOptions | None = None,
) -> Axes:
    """Draw the share of its battles each model won against each other, by one voter.

    A cell shows the row model's share and the number of battles; it is empty where the two never
    met. Models are sorted by their mean share over opponents, the best at the top.

    Parameters
    ----------
    battles : DataFrame
        first, second (models), n (battles), share (that `first` won, 0 to 1). A pair may come
        in both orders: the battles are added up. Rows without a share are left out.
    ax : Axes, optional
    title : str
        Which voter, of what.
    note : str
        The source, for the caption.
    options : FigureOptions, optional

    Raises
    ------
    JuriesError
        If no row has a share.
    """
    from matplotlib.colors import ListedColormap

    options = options or PLAIN
    battles = options.chosen(battles)
    known = battles[(battles["n"] > 0) & battles["share"].notna()]
    if known.empty:
        raise JuriesError("battles, share: no pair of models has one; nothing to draw")
    lost = battles[(battles["n"] > 0) & battles["share"].isna()]
    names = sorted({*known["first"], *known["second"]})
    shares, counts = _both_ways(known, names)
    with np.errstate(invalid="ignore"):
        order = np.argsort(-np.nanmean(shares, axis=1), kind="stable")
    names = [names[at] for at in order]
    shares, counts = shares[np.ix_(order, order)], counts[np.ix_(order, order)]

    width = width_of(ax)
    labels = all_fitting(names, 0.3 * width, small())
    side = longest(labels, small())
    cell = min(5.2 * small() / 72, (width - side - 0.8) / len(names))
    columns, turned = labels, True
    if len(names) > MOST_TURNED:  # their names once, and a number for each column
        columns, turned = [str(at) for at in range(1, len(names) + 1)], False
        labels = [f"{name}  {at}" for name, at in zip(labels, columns, strict=True)]
        side += wide("  00", small())
        cell = min(cell, (width - side - 0.8) / len(names))
    numbered, counted = cell >= 2.9 * small() / 72, cell >= 4.4 * small() / 72
    under = side if turned else 1.5 * small() / 72
    sheet = Sheet(ax, max(1.3, cell * len(names) * 0.85 + under + 0.1), options)
    axis = sheet.ax
    shades = diverging()
    image = axis.imshow(np.ma.masked_invalid(shares), cmap=shades, vmin=0, vmax=1, aspect="auto")
    itself = np.ma.masked_equal(np.eye(len(names)), 0)
    axis.imshow(itself, cmap=ListedColormap([ink(0.12)]), aspect="auto")  # not as if never met
    for row, column in np.argwhere(~np.isnan(shares)) if numbered else ():
        share = shares[row, column]
        battled = f"\n({counts[row, column]:,.0f})" if counted and options.missing else ""
        axis.text(
            column,
            row,
            f"{share:.2f}{battled}",
            ha="center",
            va="center",
            fontsize=0.95 * small(),
            linespacing=1.1,
            color=readable(shades(share)[:3]),
        )
    at = range(len(names))
    axis.set_yticks(at, labels, fontsize=small())
    axis.set_xticks(at, columns, fontsize=small(), rotation=90 * turned)
    axis.set_xticks(np.arange(len(names) + 1) - 0.5, minor=True)
    axis.set_yticks(np.arange(len(names) + 1) - 0.5, minor=True)
    axis.grid(which="minor", linewidth=0.6)
    axis.tick_params(which="both", length=0)
    axis.spines[:].set_visible(False)
    bar = axis.figure.colorbar(image, ax=axis, fraction=0.04, pad=0.02)
    bar.set_label("share won by the row model", fontsize=small())
    bar.outline.set_visible(False)
    pairs = [f"{a} and {b}" for a, b in zip(lost["first"], lost["second"], strict=True)]
    brackets = "in brackets: battles" if numbered and counted and options.missing else ""
    sheet.head(title)
    sheet.foot(note, brackets, named("no share, so not drawn", pairs))
    return axis


def _both_ways(known: pd.DataFrame, names: Sequence[str]) -> tuple[Array, Array]:
    """Return each row model's share against each column model, NaN if none, and the battles."""
    place = {name: at for at, name in enumerate(names)}
    first, second = known["first"].map(place), known["second"].map(place)
    n, won = known["n"].to_numpy(float), (known["n"] * known["share"]).to_numpy(float)
    counts = np.zeros((len(names), len(names)))
    wins = counts.copy()
    for a, b, mine in ((first, second, won), (second, first, n - won)):
        np.add.at(counts, (a, b), n)
        np.add.at(wins, (a, b), mine)
    np.fill_diagonal(counts, 0)  # a model against itself says nothing
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(counts > 0, wins / counts, np.nan), counts
