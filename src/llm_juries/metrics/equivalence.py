"""Whether one voter is as good as another: cluster-robust differences, and tests with a margin.

Not to find a difference is no proof that there is none. Non-inferiority and equivalence take a
margin that was set beforehand, and show that the difference is smaller.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import stats

from .arrays import Array

NO_SPREAD = 1e-13  # a standard error below this is rounding


class Estimate(NamedTuple):
    """An estimate with its standard error over `clusters` clusters; NaN where there is none."""

    value: float
    error: float
    clusters: int

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Return the ends of the t interval."""
        reach = stats.t.ppf((1 + level) / 2, self.clusters - 1) * self.error
        return float(self.value - reach), float(self.value + reach)

    def below(self, bound: float) -> float:
        """Return the p value of the test that shows the true value to lie below a bound."""
        if self.error <= NO_SPREAD:  # all clusters say the same
            return float(self.value >= bound)
        return float(stats.t.cdf((self.value - bound) / self.error, self.clusters - 1))

    def above(self, bound: float) -> float:
        """Return the p value of the test that shows the true value to lie above a bound."""
        return Estimate(-self.value, self.error, self.clusters).below(-bound)

    def equivalent(self, margin: float) -> float:
        """Return the p value of two one-sided tests: within the margin (Schuirmann 1987)."""
        return max(self.above(-margin), self.below(margin))


def jackknifed(sums: Array, formula: Callable[[Array], Array]) -> Estimate:
    """Return a function of sums with its delete-one-cluster standard error.

    Parameters
    ----------
    sums : array of shape (clusters, ...)
        As `bootstrap.cluster_sums` returns. Clusters that are all zero count for nothing.
    formula : function
        From totals of shape (b, ...) to values of shape (b,).
    """
    used = sums.reshape(len(sums), -1).any(axis=1)
    number = int(used.sum())
    total = sums.sum(axis=0)
    value = float(formula(total[None])[0])
    if number < 2:
        return Estimate(value, np.nan, number)
    left = formula(total[None] - sums[used])
    error = np.sqrt((number - 1) / number * ((left - left.mean()) ** 2).sum())
    return Estimate(value, float(error), number)
