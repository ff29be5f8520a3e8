"""Sides of a source compared: each chosen on some questions and measured on the others."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from ...metrics.arrays import Array
from ...metrics.bootstrap import Bootstrap
from ...metrics.equivalence import Estimate
from ...metrics.intervals import Jackknifed, additive, jackknifed
from ...metrics.significance import max_t_bounds
from ..jury_validation import often
from ..replaceability import MARGIN, verdict
from .source import Source

FOLDS, SPLITS = 10, 20
SIDES = (
    "best trio of the pool",
    "all of the pool",
    "best trio of all",
    "all judges",
    "one judge three times",
)
CONTRASTS = (
    *((side, "best judge") for side in SIDES),
    *((side, "best large judge") for side in SIDES),
    ("best of the pool", "best judge"),
    ("best trio of the pool", "one judge three times"),
)
HEADLINE = ("best trio of the pool", "best judge")


@dataclass(frozen=True)
class CrossFitted:
    """A side and another one, chosen on other questions than they are measured on.

    Attributes
    ----------
    sums : array of shape (clusters, 2, s)
        Of both, over the items on which both have a vote; means over random splits.
    chosen, other : str
        Whom the splits chose, the most frequent first, with shares.
    members, other_members : tuple of str
        The most frequent choice.
    gap : Jackknifed
        Of the side less the other.
    measured : tuple of float
        Of both.
    """

    sums: Array
    chosen: str
    other: str
    members: tuple[str, ...]
    other_members: tuple[str, ...]
    gap: Jackknifed
    measured: tuple[float, float]

    @property
    def gain(self) -> float:
        """The side less the other."""
        return float(self.gap.value)

    @property
    def error(self) -> float:
        """Its cluster-robust standard error."""
        return float(self.gap.error)

    def ends(self, level: float = 0.95) -> tuple[float, float]:
        """Return the ends of its cluster-robust t interval."""
        found = self.gap.interval(level=level)
        return float(found.low), float(found.high)

    def verdict(self, margin: float, level: float = 0.95) -> str:
        """Say what the gain shows beside a margin; see `replaceability.equivalence`.

        "not shown" without an interval: that two voters never differed on these questions does not
        show that they never will.
        """
        if np.isnan(self.ends(level)).any():
            return "not shown"
        return verdict(Estimate.of(self.gap), self.gap.interval(level=level), margin)


def cross_fitted(
    source: Source, side: str, other: str, seed: int = 0, splits: int = SPLITS
) -> CrossFitted | None:
    """Compare two sides; in each fold both are chosen on the questions of the others.

    Splits into folds are drawn anew `splits` times, so that no one split decides. The error is that
    of the questions, given the choices. None where a side has nobody.
    """
    sides = [source.at(name) for name in (side, other)]
    if not all(sides):
        return None
    clusters, formula = len(source.sums), source.yardstick.formula
    known = np.flatnonzero(source.sums.any(axis=(1, 2)))
    total = source.sums.sum(axis=0)
    sums = np.zeros((clusters, 2, source.sums.shape[-1]))
    picked: tuple[Counter[int], Counter[int]] = Counter(), Counter()
    rng = np.random.default_rng(seed)
    folds = min(FOLDS, len(known))
    fixed = all(len(one) == 1 for one in sides)
    for _ in range(1 if fixed else splits):
        order = rng.permutation(known)
        for fold in range(folds):
            rows = order[fold::folds]
            values = formula(total - source.sums[rows].sum(axis=0))
            pair = [_best(values, one) for one in sides]
            for at, one in enumerate(pair):
                picked[at][one] += 1
            sums[rows] += source.pair(*pair)[rows]
    sums /= 1 if fixed else splits
    own, theirs = formula(sums.sum(axis=0))
    names = [[" + ".join(source.voters[at]) for at in one.elements()] for one in picked]
    most = [max(one, key=lambda at: (one[at], -at)) for one in picked]
    return CrossFitted(
        sums,
        often(names[0]),
        often(names[1]),
        source.voters[most[0]],
        source.voters[most[1]],
        jackknifed(additive(sums, formula)).seen(gap),
        (float(own), float(theirs)),
    )


def _best(values: Array, columns: list[int]) -> int:
    own = np.nan_to_num(values[columns], nan=-np.inf)
    return columns[int(own.argmax())]


def gap(values: Array) -> Array:
    """Return the first of two values less the second."""
    found: Array = values[..., 0] - values[..., 1]
    return found


def contrasts(
    sources: list[Source], bootstrap: Bootstrap, margin: float = MARGIN, splits: int = SPLITS
) -> tuple[pd.DataFrame, dict[tuple[str, str, str], CrossFitted]]:
    """Compare the sides of each source.

    Returns
    -------
    DataFrame
        A row a source and contrast: dataset, side, beside (str); measure (str); value and
        beside_value, cross-fitted, on the items on which both have a vote; gain, their difference,
        with its standard error, ci_low and ci_high (cluster-robust t); all_low and all_high, which
        hold for all rows at once (max-T); margin; verdict of non-inferiority and equivalence (str);
        cost_ratio, of the most frequent choices, NaN where a price is not known (float); chosen and
        beside_chosen, whom the splits chose, with shares (str).
    dict
        What each row was made of.
    """
    rows: list[dict[str, object]] = []
    made: dict[tuple[str, str, str], CrossFitted] = {}
    draws, values = [], []
    for number, source in enumerate(sources):
        drawn = replace(bootstrap, seed=bootstrap.seed + number)  # sources are independent
        for side, other in CONTRASTS:
            found = cross_fitted(source, side, other, splits=splits)
            if found is None:
                continue
            made[source.name, side, other] = found
            formula = source.yardstick.formula
            draws.append(drawn.draws(lambda sums, f=formula: gap(f(sums)), found.sums))  # type: ignore[misc]
            values.append(found.gain)
            low, high = found.ends(bootstrap.level)
            rows.append(
                {
                    "dataset": source.name,
                    "side": side,
                    "beside": other,
                    "measure": source.yardstick.name,
                    "value": found.measured[0],
                    "beside_value": found.measured[1],
                    "gain": found.gain,
                    "error": found.error,
                    "ci_low": low,
                    "ci_high": high,
                    "margin": margin,
                    "verdict": found.verdict(margin, bootstrap.level),
                    "cost_ratio": _usd(source, found.members) / _usd(source, found.other_members),
                    "chosen": found.chosen,
                    "beside_chosen": found.other,
                }
            )
    table = pd.DataFrame(rows)
    bounds = max_t_bounds(np.array(values), np.array(draws), bootstrap.level)
    at = list(table).index("margin")
    table.insert(at, "all_low", bounds.low)
    table.insert(at + 1, "all_high", bounds.high)
    return table, made


def _usd(source: Source, members: tuple[str, ...]) -> float:
    return float(sum(source.usd(name) for name in members))
