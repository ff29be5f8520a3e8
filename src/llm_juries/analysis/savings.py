"""Tables of what asking fewer judges would have saved, by replaying policies on stored votes."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..errors import JuriesError
from ..judges.base import by_price
from ..juries.panel import Panel
from ..juries.policies import NAN, Cast, CyclicAssignment, Planner, SequentialMajority
from ..juries.pooling import Pooling
from ..juries.rules import SIDED, Jury
from ..juries.stored import NOT_ASKED
from ..juries.votes import Voter, Votes
from ..metrics.arrays import Array, Mask, ratio
from ..metrics.bootstrap import Bootstrap, cluster_sums
from ..store.plan import Plan

log = logging.getLogger(__name__)
FEWEST_SEATS = 3  # of two, both are always asked


def policies(
    panel: Panel,
    plans: Sequence[Plan],
    juries: Sequence[Pooling],
    usd_a_call: Mapping[str, float | None],
) -> pd.DataFrame:
    """Replay the policies of `savings` on each jury that decides by majority.

    Returns
    -------
    DataFrame
        A row a jury and policy ("sequential_majority", the cheapest judge first, whose verdicts are
        the jury's own; "cyclic_assignment", one judge a question, for means over many answers):
        dataset, jury, policy, order (str), then as `savings`. Empty where no jury of
        three judges or more decides by majority, one was not asked about everything, or votes are
        graded or nominal.
    """
    if panel.scale.kind not in SIDED:
        return pd.DataFrame()
    judges = {plan.voter: plan.judge for plan in plans}
    frames = []
    for jury in juries:
        if not (isinstance(jury, Jury) and jury.rule == "majority"):
            continue
        if len(jury.members) < FEWEST_SEATS:
            continue
        order = by_price({member: judges[member] for member in jury.members})
        try:
            replays: list[Replay] = [
                replay(planner, panel.votes, panel.questions)
                for planner in (
                    SequentialMajority(order),
                    CyclicAssignment(order, panel.questions),
                )
            ]
        except JuriesError as error:
            log.info("%s, jury %s: %s", panel.dataset.name, jury.name, error)
            continue
        whole = Jury(jury.name, jury.members).decide(panel.votes)
        table = savings(replays, whole, usd_a_call, len(panel.dataset.orders))
        table.insert(0, "dataset", panel.dataset.name)
        table.insert(1, "jury", jury.name)
        table.insert(3, "order", " > ".join(order))
        frames.append(table)
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


@dataclass(frozen=True)
class Replay:
    """A policy replayed on n units.

    Attributes
    ----------
    planner : Planner
    votes : Votes
        The policy's verdicts, as the votes of one voter.
    asked : array of bool of shape (n, k)
        Which judges it asked, in the order of the policy's judges.
    """

    planner: Planner
    votes: Votes
    asked: Mask


def replay(planner: Planner, votes: Votes, questions: Sequence[str]) -> Replay:
    """Replay a policy on stored votes.

    Raises
    ------
    JuriesError
        If it asks for a vote that was never collected.
    """
    seats = votes.columns(planner.judges)
    n = len(seats.labels)
    asked = np.zeros((n, len(planner.judges)), bool)
    labels, outcomes = np.full(n, np.nan), [""] * n
    for row, question in enumerate(questions):
        given: dict[str, Cast] = {}
        while (judge := planner.next_judge(given, question)) is not None:
            at = planner.judges.index(judge)
            if seats.outcomes[row, at] == NOT_ASKED:
                raise JuriesError(
                    f"{planner.name}: {judge} was never asked about an item of question "
                    f"{question!r}, so the policy cannot be replayed; leave the judge or item out"
                )
            given[judge] = Cast(float(seats.labels[row, at]), float(seats.scores[row, at]))
            asked[row, at] = True
        labels[row], outcomes[row] = planner.verdict(given)
    voter = Voter(planner.name, "jury", members=planner.judges)
    decided = Votes((voter,), labels[:, None], np.full((n, 1), np.nan), np.array(outcomes)[:, None])
    return Replay(planner, decided, asked)


def savings(
    replays: Sequence[Replay],
    full: Votes,
    usd_a_call: Mapping[str, float | None] | None = None,
    orders: int = 1,
) -> pd.DataFrame:
    """Compare what policies asked with asking all of their judges about everything.

    Parameters
    ----------
    replays : sequence of Replay
    full : Votes
        One voter: the verdicts to compare with, such as a jury's on all votes.
    usd_a_call : mapping of str to float, optional
        What a call of each judge costs; a sum with an unknown part is unknown.
    orders : int
        Calls that a vote takes: 2 for pairs shown both ways round.

    Returns
    -------
    DataFrame
        A row a policy: policy (str); items, calls, calls_of_all (int); calls_saved (float, a share
        of 1); usd, usd_of_all, usd_saved (float, NaN where not known); verdicts and verdicts_of_all
        (int), the items with a label; same (float), the share of items with the same label or none
        on both sides.
    """
    import pandas as pd

    prices = usd_a_call or {}
    rows = []
    for one in replays:
        price = np.array([_or_nan(prices.get(judge)) for judge in one.planner.judges])
        calls = one.asked.sum(axis=0) * orders
        everything = len(one.asked) * orders
        usd = float(np.where(calls > 0, calls * price, 0.0).sum())
        of_all = float((everything * price).sum())
        own, other = one.votes.labels[:, 0], full.labels[:, 0]
        rows.append(
            {
                "policy": one.planner.name,
                "items": len(one.asked),
                "calls": int(calls.sum()),
                "calls_of_all": everything * len(price),
                "calls_saved": 1 - calls.sum() / (everything * len(price)),
                "usd": usd,
                "usd_of_all": of_all,
                "usd_saved": of_all - usd,
                "verdicts": int((~np.isnan(own)).sum()),
                "verdicts_of_all": int((~np.isnan(other)).sum()),
                "same": float(((own == other) | (np.isnan(own) & np.isnan(other))).mean()),
            }
        )
    return pd.DataFrame(rows)


def _or_nan(value: float | None) -> float:
    return NAN if value is None else value


def cyclic_means(
    one: Replay,
    votes: Votes,
    candidates: Sequence[str],
    questions: Sequence[str],
    bootstrap: Bootstrap,
) -> pd.DataFrame:
    """Estimate each candidate's mean under the panel from one judge a question.

    The estimate is the mean over judges of a candidate's mean under each, so a judge whose votes
    are missing more often weighs as much as the others.

    Parameters
    ----------
    one : Replay
        Of a `CyclicAssignment`, on the same units.
    votes : Votes
        All votes, for the panel's own means; NaN for votes not known.
    candidates, questions : sequence of n str
    bootstrap : Bootstrap
        Over questions, with the judge that each was assigned to.

    Returns
    -------
    DataFrame
        A row a candidate: candidate (str); n, the votes used (int); mean with ci_low and ci_high,
        panel, the mean over judges of its means under all votes (float).
    """
    import pandas as pd

    names, index = np.unique(np.asarray(candidates), return_inverse=True)
    labels = votes.columns(one.planner.judges).labels
    own = np.eye(len(names))[index]

    def sums(used: Array) -> Array:
        cells = np.stack([~np.isnan(used), np.nan_to_num(used)], axis=-1)
        return cluster_sums(own[:, :, None, None] * cells[:, None], questions)

    def mean(totals: Array) -> Array:
        return np.asarray(ratio(totals[..., 1], totals[..., 0]).mean(axis=-1))

    used = sums(np.where(one.asked, labels, np.nan))
    value, low, high = bootstrap.interval(mean, used)
    return pd.DataFrame(
        {
            "candidate": [str(name) for name in names],
            "n": used.sum(axis=0)[..., 0].sum(axis=-1).astype(int),
            "mean": value,
            "ci_low": low,
            "ci_high": high,
            "panel": mean(sums(labels).sum(axis=0)),
        }
    )
