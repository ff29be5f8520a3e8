"""What a search of juries found: its tables, the Pareto front, and which juries win resamples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..metrics.arrays import Array, Mask
from .jury_validation import first_of_each

Numbers = npt.NDArray[Any]


@dataclass(frozen=True)
class JurySearch:
    """The tables of a search; every row has its dataset and rule.

    Attributes
    ----------
    juries : DataFrame
        A row a jury; see `jury_search`.
    judges : DataFrame
        A row a judge, and what it adds to juries; see `jury_search`.
    chosen : DataFrame
        What choosing by kappa is worth on other questions; see `jury_validation.chosen`.
    """

    juries: pd.DataFrame
    judges: pd.DataFrame
    chosen: pd.DataFrame


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


def wins_of(draws: Numbers, eligible: Mask) -> Array:
    """Return in which share of resamples each jury has the highest value, the first of equals."""
    winner = first_of_each(draws, eligible)
    decided = winner[winner >= 0]
    return np.bincount(decided, minlength=len(draws)) / max(len(decided), 1)
