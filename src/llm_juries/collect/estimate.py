"""Estimate a collection's calls, tokens and dollars before anything is asked (`dry_run`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import pandas as pd

from ..judges.base import Judge
from ..judges.http.decision_judge import DecisionJudge
from ..store.plan import Plan
from ..store.store import Store
from ..types import Reply, Request
from .policy import Policy, check_lifetimes, missing
from .tally import Tally


def forecast(plans: Sequence[Plan], store: Store, policy: Policy) -> pd.DataFrame:
    """Estimate the calls for the verdicts that are missing, their tokens and dollars.

    Returns
    -------
    DataFrame
        A row a dataset and a judge that is not a rule or recording: dataset, judge (str); verdicts,
        stored, calls (int); input_tokens and how they were counted (int, str);
        output_tokens_at_most (int); usd_at_most, None where there is no price; usd_if_cached, the
        same where all requests but the first read the part that they share from the provider's
        cache, None where cached input has no price of its own; and prices_of, the date of the
        price. What a decision model is asked about one item, as its criteria, is one call.
        Providers cache long prompts only; retries and second requests raise the cost.

    Raises
    ------
    JuriesError
        If this is a dry run and a retired model would be asked, as in a run.
    """
    if policy.dry_run:
        check_lifetimes(plans, store, policy)
    rows = []
    batched = policy.mode == "batch"
    for plan in plans:
        if plan.judge.free:
            continue
        tally = Tally.of(plan)
        asked: set[str] = set()
        together: Counter[str] = Counter()
        sent, received = 0, 0
        price = plan.judge.price
        dollars, from_cache = 0.0, 0.0
        for request in missing(plan, store, policy, tally=tally):
            if request is not None and request.key not in asked:
                tokens, most = plan.judge.estimate(request)
                sent += tokens
                received += most
                if price is not None:
                    cached = int(tokens * _shared(request)) if asked else 0
                    reply = Reply(
                        input_tokens=tokens,
                        cached_tokens=cached,
                        output_tokens=most,
                        batched=batched,
                    )
                    dollars += price.at_most(tokens, most, batched=batched)
                    from_cache += price.of(reply) or 0.0
                asked.add(request.key)
                together[request.call] += 1
        has_cached = price is not None and price.cached_input_usd is not None  # which may be 0
        rows.append(
            {
                "dataset": tally.dataset,
                "judge": tally.judge,
                "verdicts": tally.requests,
                "stored": tally.kept,
                "calls": _calls(plan.judge, together),
                "input_tokens": sent,
                "counted": plan.judge.counted_by,
                "output_tokens_at_most": received,
                "usd_at_most": dollars if price else None,
                "usd_if_cached": from_cache if has_cached else None,
                "prices_of": price.as_of if price else "no price",
            }
        )
    return pd.DataFrame(rows)


def _calls(judge: Judge, together: Mapping[str, int]) -> int:
    """Return the calls for requests, of which some may travel together.

    The first is asked alone, before a judge is asked much.
    """
    if not isinstance(judge, DecisionJudge) or not together:
        return sum(together.values())
    first, *others = together.values()
    return 1 + sum(-(-number // judge.questions_a_call) for number in (first - 1, *others))


def _shared(request: Request) -> float:
    """Return the share of a request's text that is the same for all items of its prompt."""
    lengths = [len(message.content) for message in request.messages]
    return (sum(lengths[:-1]) + request.shared) / max(sum(lengths), 1)


def total(table: pd.DataFrame) -> str:
    """Return a forecast's total in words; judges without a price are named, never counted as $0."""
    if table.empty:
        return "No model would be asked."
    asked = table[table["calls"] > 0]
    priced = asked["usd_at_most"].notna()
    text = f"{table['calls'].sum()} calls"
    if priced.any():
        text += f", at most ${asked.loc[priced, 'usd_at_most'].sum():.4f}"
    if unpriced := sorted(set(asked.loc[~priced, "judge"])):
        text += f"; cost of {', '.join(unpriced)} unknown (no price)"
    return text
