"""A difference in a few lines: the answer, flips, juries, ranks, and on which items."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

NAMED = 3  # voters of a line
SAME = "the same votes"
"""The finding on a voter none of whose votes changed."""


def lines(
    table: pd.DataFrame,
    flipped: pd.DataFrame,
    ranks: pd.DataFrame,
    items: int,
    only: tuple[int, int],
    notes: Sequence[str] = (),
) -> Iterator[tuple[str, str]]:
    """Yield what a line is about and its sentence, at most six.

    Parameters
    ----------
    table, flipped, ranks : DataFrame
        As of `changes.Difference`.
    items : int
        In both.
    only : (int, int)
        Items in one side only.
    notes : sequence of str
    """
    if not flipped["changed"].any() and not flipped[["only_before", "only_after"]].any(axis=None):
        yield "Answer", f"no vote differs on the {items:,} items; these are the same votes"
    elif table.empty:
        yield (
            "Answer",
            (
                "no human labels of two values, so only the votes are compared: "
                + "; ".join(_flip(row) for _, row in flipped.iterrows())
            ),
        )
    else:
        alike = table[table["finding"] == SAME]["voter"].tolist()
        moved = table[table["finding"] != SAME]
        judges = moved[moved["kind"] != "jury"]
        shown = judges if len(judges) else moved
        if len(shown) <= NAMED:
            said = [_change(row) for _, row in shown.iterrows()]
            said += [f"{_some(alike)}: {SAME}"] * bool(alike)
            yield "Answer", "; ".join(said)
        else:
            yield "Answer", _counted(table)
            most = table.sort_values("change", key=abs, ascending=False).iloc[0]
            yield "Largest", _change(most)
    if len(flipped) and not table.empty:
        singles = flipped[(flipped["kind"] != "jury") & (flipped["changed"] > 0)]
        often = singles.sort_values("changed", ascending=False, kind="stable").head(NAMED)
        if len(often):
            yield "Flips", "; ".join(_flip(row) for _, row in often.iterrows())
    juries = table[table["kind"] == "jury"] if len(table) else table
    juries = juries[juries["finding"] != SAME] if len(juries) else juries
    if len(juries):
        each = flipped.set_index("voter")
        yield (
            "Juries",
            "; ".join(
                f"{_share_of(each.loc[row['voter']])} of the verdicts of {_change(row)}"
                for _, row in juries.head(NAMED).iterrows()
            ),
        )
    yield from _places(ranks)
    left = [
        f"{count:,} {side} only"
        for count, side in zip(only, ("before", "after"), strict=True)
        if count
    ]
    yield "Items", "; ".join([f"{items:,} in both", *left, *notes])


def _called(row: pd.Series[Any]) -> str:
    return f"{row['replaced_by']} for {row['voter']}" if row["replaced_by"] else str(row["voter"])


def _change(row: pd.Series[Any]) -> str:
    measure = str(row["measure"]).replace("_", " ")
    interval = (
        f" [{row['ci_low']:+.3f}, {row['ci_high']:+.3f}]" * bool(pd.notna(row["ci_low"]))
        or ", without an interval"
    )
    return (
        f"{_called(row)}: {measure} {row['before']:.3f} before, {row['after']:.3f} after, "
        f"{row['change']:+.3f}{interval} on {row['n']:,} items, {row['finding']}"
    )


def _counted(table: pd.DataFrame) -> str:
    """Say how many voters are better, worse, as good or neither."""
    kinds = table["finding"].str.partition(",")[0]
    said = []
    for finding, names in table["voter"].groupby(kinds, sort=False):
        said.append(f"{len(names)} {finding} ({_some(names.tolist())})")
    return f"of {len(table)} voters " + ", ".join(said)


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" * (len(names) > NAMED)
    return ", ".join(names[:NAMED]) + more


def _flip(row: pd.Series[Any]) -> str:
    by = f"{_called(row)}: {row['changed']:,} of {row['n']:,} votes changed"
    if pd.notna(row.get("improved", np.nan)):
        by += f", {row['improved']:,.0f} for the better, {row['worsened']:,.0f} for the worse"
    return by


def _share_of(row: pd.Series[Any]) -> str:
    interval = f" [{row['ci_low']:.1%}, {row['ci_high']:.1%}]" * bool(pd.notna(row["ci_low"]))
    gone = [
        f"{row[name]:,} {what}"
        for name, what in (("only_before", "lost"), ("only_after", "gained"))
        if row[name]
    ]
    return f"{row['share']:.1%}{interval}{' (' * bool(gone)}{', '.join(gone)}{')' * bool(gone)}"


def _places(ranks: pd.DataFrame) -> Iterator[tuple[str, str]]:
    """Say who is first and who moved most, of three voters or more."""
    placed = (
        ranks[ranks["rank_before"].notna() & ranks["rank_after"].notna()] if len(ranks) else ranks
    )
    if len(placed) < 3:
        return
    first = placed.loc[placed["rank_before"] == 1, "voter"].iloc[0]
    then = placed.iloc[0]
    now = then["replaced_by"] or then["voter"]
    said = f"{now} is first, as before" if now == first else f"{now} is first, {first} was"
    moves = placed[placed["moved"] != 0]
    if len(moves):
        most = moves.sort_values("moved", key=abs, ascending=False, kind="stable").iloc[0]
        said += (
            f"; {len(moves)} of {len(placed)} moved, {_called(most)} from "
            f"{most['rank_before']:.0f} to {most['rank_after']:.0f}"
        )
    yield "Ranks", said
