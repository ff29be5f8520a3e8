"""Figure of several datasets: a map of each voter's agreement with humans on each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ...errors import JuriesError
from .options import FigureOptions
from .style import (
    PLAIN,
    Sheet,
    all_fitting,
    colour,
    em,
    longest,
    named,
    readable,
    rising,
    small,
    width_of,
    wrapped,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_ROWS = 40
POOLED = "all, pooled"


def agreement_map(
    ranks: pd.DataFrame,
    pooled: pd.DataFrame | None = None,
    ax: Axes | None = None,
    *,
    note: str = "",
    options: FigureOptions | None = None,
) -> Axes:
    """Draw each voter's agreement with humans on each dataset, its rank in brackets.

    Voters measured on most datasets come first, then those of the best mean rank. An empty cell is
    a voter that was not measured there.

    Parameters
    ----------
    ranks : DataFrame
        As `analysis.overview.voter_ranks` returns, of one or more datasets.
    pooled : DataFrame, optional
        As `analysis.overview.pooled` returns: a last column for voters of two datasets or more, of
        the measure of most of them.
    ax : Axes, optional
    note : str
        The source, for the caption.
    options : FigureOptions, optional

    Raises
    ------
    JuriesError
        If nobody has a value.
    """
    options = options or PLAIN
    ranks = ranks[ranks["agreement"].notna()]
    if options.voters:
        ranks = ranks[ranks["voter"].isin(options.voters)]
    if ranks.empty:
        raise JuriesError("ranks, agreement: no voter to draw has one; nothing to draw")
    values, places = _wide(ranks, "agreement"), _wide(ranks, "rank")
    order = pd.DataFrame(
        {"datasets": -values.notna().sum(axis=1), "rank": places.mean(axis=1)}
    ).sort_values(["datasets", "rank"], kind="stable")
    shown = order.index[:MOST_ROWS]
    left_out = [options.name(str(name)) for name in order.index[MOST_ROWS:]]
    values, places = values.loc[shown], places.loc[shown]
    datasets = [options.name(str(name)) for name in values]
    if pooled is not None and (pooled["datasets"] > 1).any():
        several = pooled[pooled["datasets"] > 1].drop_duplicates("voter").set_index("voter")
        values[POOLED] = several["agreement"].reindex(values.index)
        places[POOLED] = np.nan
        datasets.append(POOLED)
    voters = [options.name(str(name)) for name in values.index]

    width = width_of(ax)
    side = all_fitting(voters, 0.32 * width)
    inside = width - longest(side) - 0.9
    cell = inside / len(datasets)
    height = max(1.5 * em(), min(2.6 * small() / 72, cell))
    heads = [wrapped(name, max(cell - 0.08, 0.5), small()) for name in datasets]
    turned = cell - 0.08 < max(longest(head.split("\n"), small()) for head in heads)
    heads = all_fitting(datasets, max(1.6, 0.2 * width), small()) if turned else heads
    above = longest(heads, small()) if turned else max(h.count("\n") + 1 for h in heads) * em()
    sheet = Sheet(ax, height * len(voters) + above + 0.15, options)
    axis, shades = sheet.ax, rising()
    image = axis.imshow(
        np.ma.masked_invalid(values.to_numpy(float)), cmap=shades, vmin=0, vmax=1, aspect="auto"
    )
    marks = places.to_numpy(float)
    numbered = cell >= 2.9 * small() / 72
    ranked = cell >= 5.6 * small() / 72
    for (row, column), value in np.ndenumerate(values.to_numpy(float)):
        if numbered and not np.isnan(value):
            place = marks[row, column]
            text = f"{value:.2f}" + f" ({place:.0f})" * bool(ranked and not np.isnan(place))
            shade = readable(shades(min(max(value, 0.0), 1.0))[:3])
            axis.text(
                column, row, text, ha="center", va="center", fontsize=0.95 * small(), color=shade
            )
    axis.set_yticks(range(len(voters)), side)
    kinds = ranks.drop_duplicates("voter").set_index("voter")["kind"]
    for tick, name in zip(axis.get_yticklabels(), values.index, strict=True):
        tick.set_color(colour(str(kinds[name])))
    axis.xaxis.tick_top()
    axis.set_xticks(range(len(datasets)), heads, fontsize=small(), rotation=90 * turned)
    axis.set_xticks(np.arange(len(datasets) + 1) - 0.5, minor=True)
    axis.set_yticks(np.arange(len(voters) + 1) - 0.5, minor=True)
    axis.grid(which="minor", linewidth=0.6)
    axis.tick_params(which="both", length=0)
    axis.spines[:].set_visible(False)
    if POOLED in datasets:
        axis.axvline(len(datasets) - 1.5, color=colour("human"), linewidth=1)
    measures = list(dict.fromkeys(ranks["measure"].str.replace("_", " ")))
    bar = axis.figure.colorbar(image, ax=axis, fraction=0.03, pad=0.02)
    bar.set_label(wrapped(", ".join(measures), height * len(voters), small()), fontsize=small())
    bar.outline.set_visible(False)
    mixed = "pooled: values of one measure" * (POOLED in datasets and len(measures) > 1)
    brackets = "in brackets: rank on the dataset; none: voted on too few items" if ranked else ""
    empty = (
        "empty: not measured there"
        if values.drop(columns=POOLED, errors="ignore").isna().any(axis=None)
        else ""
    )
    sheet.head("Agreement with humans, by voter and dataset")
    sheet.foot(note, "; ".join(filter(None, (brackets, empty, mixed))),
               named("not drawn, see tables/by_dataset.csv", left_out))  # fmt: skip
    return axis


def _wide(ranks: pd.DataFrame, values: str) -> pd.DataFrame:
    """Return a row a voter and a column a dataset, in the order given."""
    wide = ranks.set_index(["voter", "dataset"])[values].unstack()  # noqa: PD010
    return wide.astype(float).loc[
        list(dict.fromkeys(ranks["voter"])), list(dict.fromkeys(ranks["dataset"]))
    ]
