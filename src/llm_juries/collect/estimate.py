"""What a collection would ask and cost, before anything is asked (`dry_run=true`)."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from ..store.plan import Plan, Policy, Tally, holes
from ..store.store import Store


def forecast(
    plans: Sequence[Plan], store: Store, policy: Policy, *, batched: bool = False
) -> pd.DataFrame:
    """Count the calls that the store does not make needless, their tokens and dollars.

    Returns
    -------
    DataFrame
        A row a judge that is no rule or recording, and dataset: dataset, judge (str); verdicts,
        stored, calls (int); input_tokens and how they were counted (int, str);
        output_tokens_at_most (int); usd_at_most, None where there is no price, and prices_of, the
        date of the price. A prompt cache makes it cheaper; a retry or a second question dearer.
    """
    rows = []
    for plan in plans:
        if plan.judge.free:
            continue
        tally = Tally(plan.judge.name, plan.dataset.name)
        lacking: set[str] = set()
        sent, received = 0, 0
        for request in holes(plan, store, policy, tally=tally):
            if request is not None and request.key not in lacking:
                lacking.add(request.key)
                tokens, most = plan.judge.estimate(request)
                sent += tokens
                received += most
        price = plan.judge.price
        rows.append(
            {
                "dataset": tally.dataset,
                "judge": tally.judge,
                "verdicts": tally.requests,
                "stored": tally.kept,
                "calls": len(lacking),
                "input_tokens": sent,
                "counted": plan.judge.counted_by,
                "output_tokens_at_most": received,
                "usd_at_most": price.at_most(sent, received, batched=batched) if price else None,
                "prices_of": price.as_of if price else "no price",
            }
        )
    return pd.DataFrame(rows)


def total(table: pd.DataFrame) -> str:
    """Return a forecast's sum in words; judges without a price are named, never counted as $0."""
    if table.empty:
        return "No model would be asked."
    asked = table[table["calls"] > 0]
    priced = asked["usd_at_most"].notna()
    said = f"{table['calls'].sum()} calls"
    if priced.any():
        said += f", at most ${asked.loc[priced, 'usd_at_most'].sum():.4f}"
    if unpriced := sorted(set(asked.loc[~priced, "judge"])):
        said += f"; what {', '.join(unpriced)} would cost is not known (no price)"
    return said
