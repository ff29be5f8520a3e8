"""What a search of juries found: its tables, the Pareto front, and which juries win resamples."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import comb
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from ..metrics.arrays import Array, Index, Mask
from ..metrics.bootstrap import Bootstrap
from ..metrics.intervals import (
    Interval,
    Jackknifed,
    cautions,
    cluster_t,
    jackknifed,
    p_values,
)
from ..metrics.power import questions_needed, standard_error
from ..metrics.significance import step_down_max_t
from ..metrics.threads import threads
from .comparison import difference
from .every_jury import Resampled, Search, slices
from .jury_validation import chosen

T = TypeVar("T")
HELD_SUMS = 1 << 18  # sums a question in memory at a time, so that they stay in the cache


@dataclass(frozen=True)
class JurySearch:
    """The tables of a search; every row has its dataset and rule.

    Attributes
    ----------
    juries : DataFrame
        A row a jury; see `juries_table`.
    judges : DataFrame
        A row a judge, and what it adds to juries; see `judges_table`.
    chosen : DataFrame
        What choosing by kappa is worth on other questions; see `jury_validation.chosen`.
    """

    juries: pd.DataFrame
    judges: pd.DataFrame
    chosen: pd.DataFrame


@dataclass(frozen=True)
class _Measured:
    """The values of all juries.

    Attributes
    ----------
    own : mapping of str to Interval of arrays of shape (j,)
    difference : Interval of arrays of shape (j,)
    judge : array of shape (j,)
        The best judge's value on the items both have a vote on.
    questions, common : arrays of shape (j,)
        Of the items a jury has a vote on, and of those both have one on.
    worth : Jackknifed
        The judges' Shapley values.
    """

    own: Mapping[str, Interval]
    difference: Interval
    judge: Array
    questions: Index
    common: Index
    worth: Jackknifed


_Part = tuple[dict[str, Interval], Interval, tuple[Array, Index, Index], Jackknifed]


def tables(search: Search, bootstrap: Bootstrap, dollars: Array) -> JurySearch:
    """Return the tables of a search, with the intervals of one bootstrap's level.

    `dollars` are those of one item by each judge, NaN where they are not known.
    """
    found = _measured(search, bootstrap)
    values = found.own[search.measure].value
    enough = (search.n > 0) & (search.n >= search.coverage * search.human_items)
    eligible = enough & ~np.isnan(values)
    draws = search.resampled(bootstrap, eligible)
    return JurySearch(
        juries_table(search, found, draws, eligible, bootstrap, dollars),
        judges_table(search, found.worth, bootstrap, dollars),
        chosen(search, values, eligible, draws, bootstrap),
    )


def juries_table(
    search: Search,
    found: _Measured,
    draws: Resampled,
    eligible: Mask,
    bootstrap: Bootstrap,
    dollars: Array,
) -> pd.DataFrame:
    """Measure each jury.

    Returns
    -------
    DataFrame
        A row a jury, small ones first: rule, jury (str); seats, n, the labelled items it has a vote
        on, missing, the others, and undecided, those of all that its rule does not decide (int);
        kappa with ci_low and ci_high, accuracy with accuracy_low and accuracy_high, usd_per_item,
        NaN where a member's is not known (float); eligible, if it may be chosen; pareto, if no
        eligible jury of known cost has a higher kappa for no more, or no lower one for less
        (bool); wins, the share of resamples in which it has the highest kappa of the eligible
        (float); beside, the best eligible judge (str); n_both, the items on which both have a vote
        (int); judge_kappa, that judge's on them, and difference, the jury's kappa on them less that
        judge's, with difference_low, difference_high, p (NaN where the two never differ), and
        p_max_t, of the jury being no better, corrected for all juries of the rule (see
        `metrics.significance.step_down_max_t`); questions_needed, how many would find the
        difference with a power of 80% in such a search; caution, why an interval of kappa is
        missing or cannot be trusted (str). Intervals and p are cluster-robust. Juries and that
        judge are picked on the items they are measured on. On other scales it is the headline
        measure instead of kappa, and there is no accuracy.
    """
    own, gap = found.own[search.measure], found.difference
    never = (draws.difference == 0).all(axis=1)  # the two differ: the judge, and who follows it
    gap = Interval(gap.value, *(np.where(never, np.nan, end) for end in gap[1:]))
    usd = np.where(search.members, dollars, 0.0).sum(axis=1)
    error = standard_error(gap.low, gap.high, found.common.astype(float), bootstrap.level)
    together = step_down_max_t(gap.value, draws.difference, "greater", bootstrap.level)
    columns: dict[str, Any] = {
        "rule": search.rule,
        "jury": search.juries,
        "seats": search.members.sum(axis=1),
        "n": search.n,
        "missing": search.human_items - search.n,
        "undecided": search.undecided,
    }
    for name, interval in found.own.items():
        prefix = "ci" if name == search.measure else name
        columns |= {
            name: interval.value,
            f"{prefix}_low": interval.low,
            f"{prefix}_high": interval.high,
        }
    columns |= {
        "usd_per_item": usd,
        "eligible": eligible,
        "pareto": pareto_front(usd, np.where(eligible, own.value, np.nan)),
        "wins": wins_of(draws.winners, len(search.juries)),
        "beside": search.judges[search.best],
        "n_both": search.n_both,
        f"judge_{search.measure}": found.judge,
        "difference": gap.value,
        "difference_low": gap.low,
        "difference_high": gap.high,
        "p": p_values(gap, found.common, bootstrap.level),
        "p_max_t": together.p,
        "questions_needed": questions_needed(
            gap.value, error, search.questions, critical=together.critical
        ),
        "caution": cautions(found.questions, own),
    }
    return pd.DataFrame(columns)


def judges_table(
    search: Search, worth: Jackknifed, bootstrap: Bootstrap, dollars: Array
) -> pd.DataFrame:
    """Measure what each judge is worth alone, and to juries.

    Returns
    -------
    DataFrame
        A row a judge, by name: rule, judge (str); n and missing (int); kappa, its own;
        shapley, its Shapley value (see `shapley`) with ci_low and ci_high, NaN where some jury has
        no kappa; usd_per_item (float); caution, of that interval (str). The values of all judges
        sum to the kappa of the jury of all.
    """
    found = worth.interval(level=bootstrap.level)
    return pd.DataFrame(
        {
            "rule": search.rule,
            "judge": search.judges,
            "n": search.judge_n,
            "missing": search.human_items - search.judge_n,
            search.measure: search.judge_values,
            "shapley": found.value,
            "ci_low": found.low,
            "ci_high": found.high,
            "usd_per_item": dollars,
            "caution": cautions(np.full(len(dollars), search.questions), found),
        }
    )


def _measured(search: Search, bootstrap: Bootstrap) -> _Measured:
    """Return all values and intervals, some juries at a time."""
    shares = shapley(search.members)

    def measured(some: slice) -> _Part:
        own, beside = search.own(some), search.beside(some)
        head = own[search.measure][0]
        left = jackknifed(head)
        intervals = {
            name: cluster_t(bound, transform, bootstrap.level)
            if bound.sparing or bound is not head
            else left.interval(transform, bootstrap.level)
            for name, (bound, transform) in own.items()
        }
        gap = cluster_t(beside, level=bootstrap.level, contrast=difference)
        gap = Interval(*(end[..., 0] for end in gap))
        common: Index = beside.used.any(axis=-1).sum(axis=0)
        others = beside.point[..., 1], left.clusters, common
        return intervals, gap, others, left.seen(lambda values: values @ shares[:, some].T)

    parts = _in_parts(search, measured)
    own, gap, other, worth = next(parts)
    owns, gaps, others = [own], [gap], [other]
    for own, gap, other, left in parts:
        owns.append(own)
        gaps.append(gap)
        others.append(other)
        worth = worth.plus(left)
    judge, questions, common = (np.concatenate(one) for one in zip(*others, strict=True))
    together = {name: _joined([own[name] for own in owns]) for name in owns[0]}
    return _Measured(together, _joined(gaps), judge, questions, common, worth)


def _joined(parts: Sequence[Interval]) -> Interval:
    return Interval(*(np.concatenate(one) for one in zip(*parts, strict=True)))


def _in_parts(search: Search, function: Callable[[slice], T]) -> Iterator[T]:
    """Yield a function of some juries after the other, on all cores."""
    with threads() as pool:
        yield from pool.map(function, slices(len(search.juries), max(1, HELD_SUMS // search.sums)))


def shapley(members: Mask) -> Array:
    """Return the matrix of shape (k, j) that makes the judges' Shapley values of juries' measures.

    The value of a judge is the mean change of the measure when it joins those before it, over all
    orders in which judges can join (Shapley 1953): each size of jury weighs the same. The empty
    jury has 0, which is chance. `members` has the shape (j, k).
    """
    k, size = members.shape[1], members.sum(axis=1)
    joined = np.array([1 / (k * comb(k - 1, s - 1)) for s in size])
    without = np.array([1 / (k * comb(k - 1, s)) if s < k else 0.0 for s in size])
    return np.where(members.T, joined, -without)


def pareto_front(cost: Array, value: Array) -> Mask:
    """Return which have no rival that costs no more, is worth no less, and differs in one.

    Parameters
    ----------
    cost, value : arrays of shape (n,)
        One with a NaN in either is neither on the front nor a rival.
    """
    front = np.zeros(len(cost), bool)
    known = ~np.isnan(cost) & ~np.isnan(value)
    best = -np.inf
    for dollars in np.unique(cost[known]):
        at = known & (cost == dollars)
        top = value[at].max()
        if top > best:
            front |= at & (value == top)
            best = top
    return front


def wins_of(winners: Index, juries: int) -> Array:
    """Return in which share of resamples each jury wins; a winner of -1 is none."""
    decided = winners[winners >= 0]
    return np.bincount(decided, minlength=juries) / max(len(decided), 1)
