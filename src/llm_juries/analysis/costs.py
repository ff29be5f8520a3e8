"""What voters cost, from the tokens that their replies are stored with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from ..juries.panel import Panel
from ..juries.stored import NOT_ASKED
from ..juries.votes import Voter
from ..metrics.arrays import Array, Mask
from ..store.plan import Plan

ITEMS = 1000
TOKENS = ("input_tokens", "cached_tokens", "output_tokens")
PAID, TODAY = "usd_per_1000", "usd_per_1000_today"


def costs(panel: Panel, plans: Sequence[Plan], large: str | None = None) -> pd.DataFrame:
    """Return what each voter costs, at the prices of the days of asking and at today's.

    Parameters
    ----------
    panel : Panel
    plans : sequence of Plan
        For the dates of today's prices, which are those of the judges' yamls.
    large : str, optional
        The judge that juries are to replace.

    Returns
    -------
    DataFrame
        A row a judge and jury with stored calls, where any has a known cost: dataset, voter, kind
        (str); calls, and priced, those whose cost is known (int); input_tokens, cached_tokens (of
        the input) and output_tokens, with reasoning, for one item: both orders of a pair, of a jury
        all members together; usd_per_1000 and usd_per_1000_today, the dollars for 1,000 items
        at the prices of the days of asking and at those of the yamls now (float); prices_of, the
        dates of the latter (str); times_cheaper and times_cheaper_today, than the large judge
        (float). The means are those over the priced calls. A jury is priced as if all its members
        were asked about each item, at no less than each member's price: `policies` says what
        asking fewer costs. String rules cost nothing; any other unknown cost is NaN, never 0.
    """
    per_1000 = dollars(panel)
    if not per_1000 or panel.stored is None:
        return pd.DataFrame()
    stored = panel.stored
    asked = {name: stored.outcomes[:, at] != NOT_ASKED for at, name in enumerate(stored.judges)}
    priced = {name: ~np.isnan(stored.usd[:, at]) for at, name in enumerate(stored.judges)}
    dates = {plan.voter: plan.judge.price.as_of for plan in plans if plan.judge.price}
    orders = len(panel.dataset.orders)
    tokens = {
        name: orders * _mean(stored.tokens[:, at], priced[name])
        for at, name in enumerate(stored.judges)
    }
    rows = []
    for voter in panel.votes.voters:
        seats = [name for name in voter.members or (voter.name,) if name in asked]
        if not seats:
            continue
        calls = sum(int(asked[name].sum()) for name in seats)
        rows.append(
            {
                "dataset": panel.dataset.name,
                "voter": voter.name,
                "kind": voter.kind,
                "calls": calls,
                "priced": sum(int(priced[name].sum()) for name in seats),
                **dict(zip(TOKENS, np.sum([tokens[name] for name in seats], axis=0), strict=True)),
                PAID: per_1000[voter.name][0],
                TODAY: per_1000[voter.name][1],
                "prices_of": ", ".join(sorted({dates[name] for name in seats if name in dates})),
            }
        )
    table = pd.DataFrame(rows)
    for column, ratio in ((PAID, "times_cheaper"), (TODAY, "times_cheaper_today")):
        of_large = table.loc[table["voter"] == large, column].max()  # NaN where there is none
        table[ratio] = of_large / table[column].replace(0, np.nan)
    return table


def dollars(panel: Panel) -> dict[str, tuple[float, float]]:
    """Return each voter's dollars for 1,000 items, at the prices of asking and at today's.

    NaN where they are not known; empty where no cost is known.
    """
    stored = panel.stored
    if stored is None or np.isnan(stored.usd).all():
        return {}
    scale = ITEMS * len(panel.dataset.orders)
    of_judges: dict[str, Array] = {}
    for at, name in enumerate(stored.judges):
        both = np.stack([stored.usd[:, at], stored.usd_today[:, at]], axis=-1)
        of_judges[name] = scale * _mean(both, np.asarray(~np.isnan(both).any(axis=-1)))
    kinds = {voter.name: voter.kind for voter in panel.votes.voters}
    for name, kind in kinds.items():
        if kind == "lexical":
            of_judges[name] = np.zeros(2)
    return {voter.name: _of(voter, of_judges) for voter in panel.votes.voters}


def _of(voter: Voter, of_judges: Mapping[str, Array]) -> tuple[float, float]:
    unknown = np.full(2, np.nan)
    members = [of_judges.get(name, unknown) for name in voter.members or (voter.name,)]
    paid, today = np.sum(members, axis=0)
    return float(paid), float(today)


def _mean(values: Array, known: Mask) -> Array:
    """Return the means of the last axis's entries over the known calls, NaN where there is none."""
    return values[known].mean(axis=0) if known.any() else np.full(values.shape[-1], np.nan)
