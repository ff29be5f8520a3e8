"""Figure of a difference: the change of each voter's agreement, as a forest plot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ...errors import JuriesError
from .options import FigureOptions
from .style import (
    MARKERS,
    PLAIN,
    Sheet,
    all_fitting,
    bars,
    colour,
    em,
    hollow_note,
    ink,
    name_rows,
    row_height,
    wrapped,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_ROWS = 40
INTERVAL = ("ci_low", "ci_high")


def change_forest(
    changes: pd.DataFrame,
    ax: Axes | None = None,
    *,
    note: str = "",
    level: float = 0.95,
    options: FigureOptions | None = None,
) -> Axes:
    """Draw how much each voter's agreement with humans changed, the largest gain first.

    Of many voters the smallest changes are left out.

    Parameters
    ----------
    changes : DataFrame
        As `analysis.changes.changes` returns, of one or more datasets.
    ax : Axes, optional
    note : str
        The source, for the caption.
    level : float
        Of the intervals.
    options : FigureOptions, optional

    Raises
    ------
    JuriesError
        If nobody has a change.
    """
    options = options or PLAIN
    rows = changes[changes["change"].notna()]
    if options.voters:
        rows = rows[rows["voter"].isin(options.voters)]
    if rows.empty:
        raise JuriesError("changes, change: no voter to draw has one; nothing to draw")
    left_out = len(rows) - MOST_ROWS
    rows = rows.sort_values("change", key=abs, ascending=False, kind="stable").head(MOST_ROWS)
    rows = rows.sort_values("change", ascending=False, kind="stable")
    several = len(set(changes["dataset"])) > 1
    labels = [_label(row, options, several=several) for _, row in rows.iterrows()]
    sheet = Sheet(ax, row_height() * (len(rows) + 0.4) + 3.2 * em(), options)
    axis, at = sheet.ax, np.arange(len(rows), dtype=float)[::-1]
    margin = float(rows["margin"].iloc[0])
    axis.axvspan(-margin, margin, color=ink(0.08), linewidth=0, zorder=0)
    axis.axvline(0, color=ink(0.5), linewidth=0.8, zorder=0)
    for kind in dict.fromkeys(rows["kind"]):
        own = (rows["kind"] == kind).to_numpy()
        bars(axis, rows["change"][own], rows["ci_low"][own], rows["ci_high"][own], at[own],
             colour(str(kind)), MARKERS[str(kind)])  # fmt: skip
    name_rows(axis, at, all_fitting(labels, 0.45 * sheet.width), [""] * len(rows))
    measures = sorted({str(name).replace("_", " ") for name in rows["measure"]})
    what = measures[0] if len(measures) == 1 else "agreement"
    axis.set_xlabel(
        wrapped(f"change of {what} ({level:.0%} interval; grey: ±{margin:g})", 0.55 * sheet.width)
    )
    sheet.head("Change of agreement with humans")
    more = f"not drawn: {left_out} smaller changes, see tables/changes.csv" if left_out > 0 else ""
    sheet.foot(note, hollow_note(rows, *INTERVAL), more)
    return axis


def _label(row: pd.Series[Any], options: FigureOptions, *, several: bool) -> str:
    name = options.name(str(row["voter"]))
    if row["replaced_by"]:
        name = f"{name} → {options.name(str(row['replaced_by']))}"
    return f"{options.name(str(row['dataset']))}: {name}" if several else name
