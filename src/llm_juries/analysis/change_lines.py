"""A difference in a few lines: the answer, flips, juries, ranks, and on which items."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from .replaceability import ALPHA

NAMED = 3  # voters of a line
SAME = "the same votes"
"""The finding on a voter none of whose votes changed."""
CLEARLY = "clearly"
"""How the finding on a change begins whose interval leaves out 0."""
MOVED = ("changed", "only_before", "only_after")
"""The columns of `changes.flips` that count votes that differ, or that one side lacks."""


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
    if not flipped[list(MOVED)].any(axis=None):
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
        still = _still(table, flipped)
        alike, moved = table[still]["voter"].tolist(), table[~still]
        judges = moved[moved["kind"] != "jury"]
        shown = judges if len(judges) else moved
        if len(shown) <= NAMED:
            said = [_change(row) for _, row in shown.iterrows()]
            said += [f"{some(alike)}: {SAME}"] * bool(alike)
            yield "Answer", "; ".join(said)
        else:
            yield "Answer", _counted(table)
            most = table.sort_values("change", key=abs, ascending=False).iloc[0]
            yield "Largest", _change(most)
    if len(flipped) and not table.empty:
        singles = flipped[(flipped["kind"] != "jury") & flipped[list(MOVED)].any(axis=1)]
        often = singles.sort_values(list(MOVED), ascending=False, kind="stable").head(NAMED)
        if len(often):
            yield "Flips", "; ".join(_flip(row) for _, row in often.iterrows())
    juries = table[table["kind"] == "jury"] if len(table) else table
    juries = juries[~_still(juries, flipped)] if len(juries) else juries
    if len(juries):
        each = flipped.set_index("voter")
        yield (
            "Juries",
            "; ".join(
                f"{_called(row)}: {_verdicts(each.loc[row['voter']])}: {_measured(row)}"
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


def _still(table: pd.DataFrame, flipped: pd.DataFrame) -> pd.Series[bool]:
    """Return the rows of voters that have the same votes on the same items before and after."""
    lacking = flipped.set_index("voter")[["only_before", "only_after"]].any(axis=1)
    still: pd.Series[bool] = table["finding"].str.startswith(SAME) & ~table["voter"].map(lacking)
    return still


def _called(row: pd.Series[Any]) -> str:
    return f"{row['replaced_by']} for {row['voter']}" if row["replaced_by"] else str(row["voter"])


def _change(row: pd.Series[Any]) -> str:
    return f"{_called(row)}: {_measured(row)}"


def _measured(row: pd.Series[Any]) -> str:
    """Say how the agreement of a voter changed."""
    measure = str(row["measure"]).replace("_", " ")
    interval = (
        f" [{row['ci_low']:+.3f}, {row['ci_high']:+.3f}]" * bool(pd.notna(row["ci_low"]))
        or ", without an interval"
    )
    few = f" ({row['caution']}, so a rough guide only)" * str(row["caution"]).startswith("few ")
    return (
        f"{measure} {row['before']:.3f} before, {row['after']:.3f} after, "
        f"{row['change']:+.3f}{interval} on {row['n']:,} items, {row['finding']}{few}"
    )


def _counted(table: pd.DataFrame) -> str:
    """Say how many voters are better, worse, as good or neither, those that changed first.

    Of many voters some seem to have changed by chance, so the correction for all of them is named.
    """
    kinds = table["finding"].str.partition(",")[0]
    clear, others = [], []
    for finding, rows in table.groupby(kinds, sort=False):
        said = f"{len(rows)} {finding} ({some(rows['voter'].tolist())}"
        if str(finding).startswith(CLEARLY):
            kept = (rows["p_holm"] < ALPHA).sum()
            clear.append(f"{said}; {kept} after Holm's correction)")
        else:
            others.append(f"{said})")
    return f"of {len(table)} voters " + ", ".join([*clear, *others])


def some(names: Sequence[str]) -> str:
    """Return the first of some names, and how many more there are."""
    more = f" and {len(names) - NAMED} more" * (len(names) > NAMED)
    return ", ".join(names[:NAMED]) + more


def _flip(row: pd.Series[Any]) -> str:
    by = f"{_called(row)}: {row['changed']:,} of {row['n']:,} votes changed"
    if row["changed"] and pd.notna(row.get("improved", np.nan)):
        by += f", {row['improved']:,.0f} for the better, {row['worsened']:,.0f} for the worse"
    return ", ".join([by, *_lacking(row)])


def _lacking(row: pd.Series[Any]) -> list[str]:
    """Say how many votes one side has alone."""
    return [
        f"{row[name]:,} {what}"
        for name, what in (("only_before", "lost"), ("only_after", "gained"))
        if row[name]
    ]


def _verdicts(row: pd.Series[Any]) -> str:
    """Say how many of a jury's verdicts changed."""
    interval = f" [{row['ci_low']:.1%}, {row['ci_high']:.1%}]" * bool(pd.notna(row["ci_low"]))
    return ", ".join([f"{row['share']:.1%}{interval} of the verdicts changed", *_lacking(row)])


def _places(ranks: pd.DataFrame) -> Iterator[tuple[str, str]]:
    """Say who is first and who moved most, of three voters or more."""
    if ranks.empty:
        return
    there, then = ranks["rank_before"].notna(), ranks["rank_after"].notna()
    placed = ranks[there & then]
    if len(placed) < 3:
        return
    first = ranks.loc[ranks["rank_before"] == 1, "voter"].iloc[0]
    best = ranks.iloc[0]
    now = best["replaced_by"] or best["voter"]
    said = f"{now} is first, as before" if now == first else f"{now} is first, {first} was"
    moves = placed[placed["moved"] != 0]
    if (there != then).any():  # ranks among other voters are no moves
        said += "".join(
            f"; {which}: {some(ranks.loc[only, 'voter'].tolist())}"
            for which, only in (
                ("ranked before only", there & ~then),
                ("ranked after only", then & ~there),
            )
            if only.any()
        )
    elif len(moves):
        most = moves.sort_values("moved", key=abs, ascending=False, kind="stable").iloc[0]
        said += (
            f"; {len(moves)} of {len(placed)} moved, {_called(most)} from "
            f"{most['rank_before']:.0f} to {most['rank_after']:.0f}"
        )
    yield "Ranks", said
