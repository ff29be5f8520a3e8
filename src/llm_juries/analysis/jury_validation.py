"""What choosing the best of many juries is worth, measured out of bag.

The best of thousands of juries is optimistically biased on the items it was chosen on. So the
choice is made anew in each bootstrap resample, and measured on the questions that the resample left
out (Tsamardinos, Greasidou and Borboudakis 2018, "Bootstrapping the out-of-sample predictions").
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..metrics.arrays import Array, Index, Mask
from ..metrics.bootstrap import Bootstrap
from ..metrics.intervals import UNDEFINED

Numbers = npt.NDArray[Any]
NAMED = 3  # of the juries chosen most often


@dataclass(frozen=True)
class Candidates:
    """What a search chooses from: j juries and k judges, in b resamples.

    Attributes
    ----------
    rule, measure : str
    juries, judges : sequences of str
    jury_values, judge_values : arrays of shape (j,) and (k,)
        The measure over all items.
    jury_winners, judge_winners : arrays of shape (b,)
        Which has the highest measure in each resample, -1 where none has.
    questions : int
        How many a resample draws.
    jury_eligible, judge_eligible : arrays of shape (j,) and (k,)
        Whether they may be chosen.
    on_questions : function
        From b juries, b judges and weights of the questions, of shape (b, questions), to values of
        shape (b, 4): of the jury, of the judge, and of both on the items both have a vote on.
    """

    rule: str
    measure: str
    juries: tuple[str, ...]
    judges: tuple[str, ...]
    jury_values: Array
    judge_values: Array
    jury_winners: Index
    judge_winners: Index
    questions: int
    jury_eligible: Mask
    judge_eligible: Mask
    on_questions: Callable[[Index, Index, Array], Array]


def chosen(candidates: Candidates, bootstrap: Bootstrap, n: int, labelled: int) -> pd.DataFrame:
    """Measure what it is worth to choose the jury with the highest measure, out of bag.

    In each resample the best jury and the best judge are chosen anew, and measured on the labelled
    questions that were not drawn. The mean over resamples is what to expect of such a choice on
    other questions, and the ends of the interval are percentiles of the resamples: they hold both
    the luck of the choice and that of the questions it is measured on, and are wide rather than
    narrow, since a resample leaves out 37% of the questions only.

    Parameters
    ----------
    candidates : Candidates
    bootstrap : Bootstrap
        The one that the draws are of.
    n, labelled : int
        The labelled items that the winner on all items has a vote on, and all.

    Returns
    -------
    DataFrame
        One row: rule (str); jury, the winner on all items (str), and its kappa there, kappa_seen;
        n and missing (int), the labelled items it has a vote on and the others; kappa with ci_low
        and ci_high, of the juries chosen, out of bag; the same of the best judge as judge,
        judge_seen, judge_kappa with judge_low and judge_high; gain, of choosing the jury over
        choosing the judge on the items on which both have a vote, with gain_low and gain_high
        (float); chosen and judge_chosen, in which share of the resamples which was chosen (str).
        On other scales it is the headline measure instead of kappa.
    """
    best = first_of(candidates.jury_values, candidates.jury_eligible)
    best_judge = first_of(candidates.judge_values, candidates.judge_eligible)
    picked, judges = candidates.jury_winners, candidates.judge_winners
    values = np.full((bootstrap.resamples, 3), np.nan)
    start = 0
    for drawn in bootstrap.weights(candidates.questions):
        rows = np.arange(start, start + len(drawn))
        both = (picked[rows] >= 0) & (judges[rows] >= 0)
        left_out, at = (drawn[both] == 0).astype(float), rows[both]
        found = candidates.on_questions(picked[at], judges[at], left_out)
        values[at] = np.stack([found[:, 0], found[:, 1], found[:, 2] - found[:, 3]], axis=1)
        start += len(drawn)
    low, high = bootstrap.ends(values)
    defined = np.isnan(values).mean(axis=0) <= UNDEFINED
    mean = np.where(defined, np.nanmean(np.where(defined, values, 0.0), axis=0), np.nan)
    name = candidates.measure
    row = {
        "rule": candidates.rule,
        "jury": candidates.juries[best],
        f"{name}_seen": float(candidates.jury_values[best]),
        "n": n,
        "missing": labelled - n,
        name: mean[0],
        "ci_low": low[0],
        "ci_high": high[0],
        "judge": candidates.judges[best_judge],
        "judge_seen": float(candidates.judge_values[best_judge]),
        f"judge_{name}": mean[1],
        "judge_low": low[1],
        "judge_high": high[1],
        "gain": mean[2],
        "gain_low": low[2],
        "gain_high": high[2],
        "chosen": often(candidates.juries[at] for at in picked if at >= 0),
        "judge_chosen": often(candidates.judges[at] for at in judges if at >= 0),
    }
    return pd.DataFrame([row])


SAME = 1e-9  # values closer than this differ by rounding alone


def first_of(values: Array, eligible: Mask) -> int:
    """Return the first of the highest that may be chosen."""
    able = np.where(eligible, values, np.nan)
    return int(np.flatnonzero(able >= np.nanmax(able) - SAME)[0])


def first_of_each(draws: Numbers, eligible: Mask) -> Index:
    """Return which has the highest value in each column, the first of equals; -1 where none has."""
    best = np.full(draws.shape[1], -np.inf, draws.dtype)
    winner = np.full(draws.shape[1], -1)
    for at in np.flatnonzero(eligible):
        higher = draws[at] > best  # never where it is NaN
        best[higher], winner[higher] = draws[at][higher], at
    return winner


def often(names: Iterable[str]) -> str:
    """Return the names that come most often with their shares, and how many more there are."""
    counts = sorted(Counter(names).items(), key=lambda one: (-one[1], one[0]))
    total = sum(times for _, times in counts)
    shown = [f"{name}: {times / total:.0%}" for name, times in counts[:NAMED]]
    more = len(counts) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
