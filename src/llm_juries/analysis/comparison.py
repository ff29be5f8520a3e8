"""Table of juries compared with the best single judge, on the items both voted on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from ..juries.panel import Panel
from ..metrics import agreement
from ..metrics.arrays import Array
from ..metrics.bootstrap import Bootstrap, cluster_sums
from ..metrics.measure import AnyMeasure, Ratings, estimates
from .measured import headline, ratings


def against_best(panel: Panel, bootstrap: Bootstrap) -> pd.DataFrame:
    """Compare each jury with the best single judge: of its members, and of all that voted.

    The difference is taken within each resample, so what is common to both cancels. The best judge
    is picked on the items it is measured on, which is optimistically biased.

    Returns
    -------
    DataFrame
        Two rows a jury: dataset, jury, beside ("best member" or "best judge"), judge (str); n and
        missing, the labelled items both voted on and the others (int); jury_kappa and judge_kappa
        over those n items, difference = jury - judge with ci_low and ci_high (float). On other
        scales it is the headline measure instead of kappa: jury_pearson, judge_pearson ...
    """
    compared = _TwoByTwo(panel, bootstrap) if panel.sided else _ByHeadline(panel, bootstrap)
    voters, value, name = panel.votes.voters, compared.value, compared.name
    singles = [at for at, voter in enumerate(voters) if voter.kind != "jury"]
    rows = []
    for at, jury in enumerate(voters):
        if jury.kind != "jury":
            continue
        members = [one for one in singles if voters[one].name in jury.members]
        for beside, candidates in (("best member", members), ("best judge", singles)):
            measured = [one for one in candidates if not np.isnan(value[one])]
            if not measured:
                continue
            best = max(measured, key=lambda one: (value[one], voters[one].name))
            n, own, other, low, high = compared.pair(at, best)
            rows.append(
                {
                    "dataset": panel.dataset.name,
                    "jury": jury.name,
                    "beside": beside,
                    "judge": voters[best].name,
                    "n": n,
                    "missing": compared.labelled - n,
                    f"jury_{name}": own,
                    f"judge_{name}": other,
                    "difference": own - other,
                    "ci_low": low,
                    "ci_high": high,
                }
            )
    return pd.DataFrame(rows)


Pair = tuple[int, float, float, float, float]
"""Items that both voted on, the value of each on them, the ends of the difference's interval."""


class _TwoByTwo:
    """Kappa of two sides, from counts."""

    name = "kappa"

    def __init__(self, panel: Panel, bootstrap: Bootstrap) -> None:
        self.panel, self.bootstrap = panel, bootstrap
        self.labelled = int((~np.isnan(panel.human)).sum())
        self.cells = agreement.outcomes(panel.votes.labels, panel.human)
        self.value: Array = agreement.cohen_kappa(self.cells.sum(axis=0))

    def pair(self, jury: int, judge: int) -> Pair:
        """Compare two voters over the same items."""
        pair = self.cells[:, [jury, judge]]
        both = pair.sum(axis=2).all(axis=1)
        sums = cluster_sums(pair * both[:, None, None], self.panel.questions)
        draws = self.bootstrap.draws(agreement.cohen_kappa, sums)
        low, high = self.bootstrap.ends(draws[:, 0] - draws[:, 1])
        own, other = agreement.cohen_kappa(sums.sum(axis=0))
        return int(both.sum()), own, other, float(low), float(high)


class _ByHeadline:
    """The headline measure of any other scale; see `metrics.measure.estimates` for intervals."""

    def __init__(self, panel: Panel, bootstrap: Bootstrap) -> None:
        self.measure: AnyMeasure = headline(panel)
        self.name, self.bootstrap = self.measure.name, bootstrap
        self.rated: Ratings = ratings(panel)
        self.labelled = int((~np.isnan(self.rated.human)).sum())
        self.value = self.measure.over(self.rated).point

    def pair(self, jury: int, judge: int) -> Pair:
        """Compare two voters over the same items."""
        rated = replace(self.rated, votes=self.rated.votes[:, [jury, judge]]).common()
        own, other = self.measure.over(rated).point
        gap = estimates([self.measure], rated, self.bootstrap, _difference)[self.name]
        n = int(rated.both.all(axis=1).sum())
        return n, own, other, float(gap.low[0]), float(gap.high[0])


def _difference(values: Array) -> Array:
    return values[..., :1] - values[..., 1:]
