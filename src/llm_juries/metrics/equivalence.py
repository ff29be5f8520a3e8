"""Whether one voter is as good as another: tests of a difference with a margin.

Not to find a difference is no proof that there is none. Non-inferiority and equivalence take a
margin that was set beforehand, and show that the difference is smaller.
"""

from __future__ import annotations

from typing import NamedTuple, Self

from scipy.special import stdtr

from .intervals import NO_SPREAD, Jackknifed


class Estimate(NamedTuple):
    """An estimate with its standard error over `clusters` clusters; NaN where there is none.

    `centre` is what tests and intervals are about: the estimate beside the imagined questions of
    `intervals.cluster_t`, the value itself where there are none.
    """

    value: float
    centre: float
    error: float
    clusters: int

    @classmethod
    def of(cls, found: Jackknifed) -> Self:
        """Return a jackknifed statistic of one value."""
        value, centre, error = (float(x) for x in (found.value, found.centre, found.error))
        return cls(value, centre, error, int(found.clusters))

    def below(self, bound: float) -> float:
        """Return the p value of the test that shows the true value to lie below a bound."""
        if self.error <= NO_SPREAD:  # all clusters say the same
            return float(self.centre >= bound)
        return float(stdtr(self.clusters - 1, (self.centre - bound) / self.error))

    def above(self, bound: float) -> float:
        """Return the p value of the test that shows the true value to lie above a bound."""
        return self._replace(value=-self.value, centre=-self.centre).below(-bound)

    def equivalent(self, margin: float) -> float:
        """Return the p value of two one-sided tests: within the margin (Schuirmann 1987)."""
        return max(self.above(-margin), self.below(margin))
