"""What choosing the best of many juries is worth, measured out of bag.

The best of thousands of juries is optimistically biased on the items it was chosen on. So the
choice is made anew in each bootstrap resample, and measured on the questions that the resample left
out (Tsamardinos, Greasidou and Borboudakis 2018, "Bootstrapping the out-of-sample predictions").
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np
import pandas as pd

from ..metrics.arrays import Array, Index, Mask
from ..metrics.bootstrap import Bootstrap
from ..metrics.intervals import UNDEFINED
from .every_jury import Resampled, Search, first_of, slices

NAMED = 3  # of the juries chosen most often
HELD_SUMS = 1 << 20  # in memory at a time


def chosen(
    search: Search, values: Array, eligible: Mask, draws: Resampled, bootstrap: Bootstrap
) -> pd.DataFrame:
    """Measure what it is worth to choose the jury with the highest measure, out of bag.

    In each resample the best jury and the best judge are chosen anew, and measured on the labelled
    questions that were not drawn. The mean over resamples is what to expect of such a choice on
    other questions, and the ends of the interval are percentiles of the resamples: they hold both
    the luck of the choice and that of the questions it is measured on, and are wide rather than
    narrow, since a resample leaves out 37% of the questions only.

    Parameters
    ----------
    search : Search of j juries
    values, eligible : arrays of shape (j,)
        The juries' measure over all items, and whether they may be chosen.
    draws : Resampled
    bootstrap : Bootstrap
        The one that the draws are of.

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
    best, best_judge = (
        first_of(values, eligible),
        first_of(search.judge_values, search.judge_eligible),
    )
    found = out_of_bag(search, draws, bootstrap)
    found = np.stack([found[:, 0], found[:, 1], found[:, 2] - found[:, 3]], axis=1)
    low, high = bootstrap.ends(found)
    defined = np.isnan(found).mean(axis=0) <= UNDEFINED
    mean = np.where(defined, np.nanmean(np.where(defined, found, 0.0), axis=0), np.nan)
    name, n = search.measure, int(search.n[best])
    row = {
        "rule": search.rule,
        "jury": search.juries[best],
        f"{name}_seen": float(values[best]),
        "n": n,
        "missing": search.human_items - n,
        name: mean[0],
        "ci_low": low[0],
        "ci_high": high[0],
        "judge": search.judges[best_judge],
        "judge_seen": float(search.judge_values[best_judge]),
        f"judge_{name}": mean[1],
        "judge_low": low[1],
        "judge_high": high[1],
        "gain": mean[2],
        "gain_low": low[2],
        "gain_high": high[2],
        "chosen": often(search.juries[at] for at in draws.winners if at >= 0),
        "judge_chosen": often(search.judges[at] for at in draws.judge_winners if at >= 0),
    }
    return pd.DataFrame([row])


def out_of_bag(search: Search, draws: Resampled, bootstrap: Bootstrap) -> Array:
    """Return what each resample chose, measured on the questions that it did not draw.

    Returns
    -------
    array of shape (b, 4)
        The jury, the judge, and both on common items; NaN where nothing could be chosen.
    """
    found = np.full((bootstrap.resamples, 4), np.nan)
    start = 0
    for drawn in bootstrap.weights(search.clusters):
        at = slice(start, start := start + len(drawn))
        juries, judges = draws.winners[at], draws.judge_winners[at]
        both = (juries >= 0) & (judges >= 0)
        left_out = (drawn[both] == 0).astype(float)
        found[at][both] = _on_questions(search, juries[both], judges[both], left_out)
    return found


def _on_questions(search: Search, juries: Index, judges: Index, weights: Array) -> Array:
    """Return values of pairs of a jury and a judge, each on its weights of the questions."""
    found = np.empty((len(juries), 4))
    chosen_pairs = np.stack([juries, judges], axis=1)
    pairs, which = np.unique(chosen_pairs, axis=0, return_inverse=True)
    rows = np.split(
        np.argsort(which.ravel(), kind="stable"), np.bincount(which.ravel()).cumsum()[:-1]
    )
    for some in slices(len(pairs), max(1, HELD_SUMS // search.sums)):
        sums = search.pairs(*pairs[some].T)
        for number, at in enumerate(rows[some]):
            totals = np.tensordot(weights[at], sums[:, number], 1)
            found[at] = search.formula(totals)
    return found


def often(names: Iterable[str]) -> str:
    """Return the names that come most often with their shares, and how many more there are."""
    counts = sorted(Counter(names).items(), key=lambda one: (-one[1], one[0]))
    total = sum(times for _, times in counts)
    shown = [f"{name}: {times / total:.0%}" for name, times in counts[:NAMED]]
    more = len(counts) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
