"""Figure of battles: the share each model won against each other model, by one voter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ...errors import JuriesError
from ...metrics.arrays import Array
from .style import PALETTE, blank, footnote, named, shortened

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def battle_heat_map(battles: pd.DataFrame, note: str) -> Figure:
    """Draw the share of its battles each model won against each other, by one voter.

    A cell shows the row model's share and the number of battles; it is empty where the two never
    met. Models are sorted by their mean share over opponents, the best at the top.

    Parameters
    ----------
    battles : DataFrame
        first, second (models), n (battles), share (that `first` won, 0 to 1). A pair may come
        in both orders: the battles are added up. Rows without a share are left out.
    note : str
        A line under the figure: which voter, of what.

    Raises
    ------
    JuriesError
        If no row has a share.
    """
    from matplotlib.colors import LinearSegmentedColormap, ListedColormap

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

    longest = min(40, max(map(len, names)))
    size = max(2.2, 0.46 * len(names))
    figure = blank(size + 1.6 + 0.07 * longest, size + 1.3 + 0.07 * longest)
    axis = figure.subplots()
    shades = LinearSegmentedColormap.from_list("won", [PALETTE[1], "#F7F7F7", PALETTE[0]])
    image = axis.imshow(np.ma.masked_invalid(shares), cmap=shades, vmin=0, vmax=1)
    itself = np.ma.masked_equal(np.eye(len(names)), 0)
    axis.imshow(itself, cmap=ListedColormap(["0.88"]))  # not the white of those who never met
    for row, column in np.argwhere(~np.isnan(shares)):
        share = shares[row, column]
        axis.text(
            column,
            row,
            f"{share:.2f}\n({counts[row, column]:,.0f})",
            ha="center",
            va="center",
            fontsize=6.5,
            color="white" if abs(share - 0.5) > 0.42 else "black",
        )
    at = range(len(names))
    labels = [shortened(name) for name in names]
    axis.set_yticks(at, labels, fontsize=7.5)
    axis.set_xticks(at, labels, fontsize=7.5, rotation=90)
    axis.set_xticks(np.arange(len(names) + 1) - 0.5, minor=True)
    axis.set_yticks(np.arange(len(names) + 1) - 0.5, minor=True)
    axis.grid(which="minor", color="0.85", linewidth=0.6)
    axis.tick_params(which="both", length=0)
    bar = figure.colorbar(image, ax=axis, shrink=0.7)
    bar.set_label("share won by the row model (in brackets: battles)", fontsize=7.5)
    bar.ax.tick_params(labelsize=7)
    pairs = [f"{a} and {b}" for a, b in zip(lost["first"], lost["second"], strict=True)]
    footnote(figure, note, named("no share, so not drawn", pairs))
    return figure


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
    with np.errstate(invalid="ignore"):
        return np.where(counts > 0, wins / counts, np.nan), counts
