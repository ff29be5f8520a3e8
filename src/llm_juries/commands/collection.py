"""Print a collection: what was asked, what it cost and what went wrong, as text."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ..collect.progress import notes, tally_table
from ..collect.tally import Tally
from ..markdown import markdown

SELDOM = ("in_batches", "cached_tokens", "unpriced", "answered_as")
"""Columns that are left out where they are empty."""


def summary(tallies: Sequence[Tally], models: Collection[str], store: str) -> str:
    """Return a collection's table, notes and totals; `models` names the judges that are models."""
    asked = [tally for tally in tallies if tally.judge in models]
    lines = []
    if asked:
        table = tally_table(asked)
        empty = [
            c
            for c in ("in_batches", "cached_tokens", "unpriced", "answered_as")
            if not table[c].any()
        ]
        table["usd"] = [f"{t.cost_usd:.4f}" if t.cost_usd else "" for t in asked]
        lines.append(markdown(table.drop(columns=empty)))
    lines += notes(tallies)
    said = f"{sum(t.asked for t in asked)} model calls made; "
    said += f"{sum(t.kept for t in asked)} verdicts of models were in the store ({store})"
    if cost := sum(t.cost_usd for t in asked):
        said += f"; ${cost:.4f} spent"
    if unpriced := sum(t.unpriced for t in asked):
        said += f"; what {unpriced} replies cost is not known"
    if free := sum(t.asked for t in tallies if t.judge not in models):
        said += f"; {free} verdicts of rules and recordings taken"
    return "\n\n".join([*lines, said])
