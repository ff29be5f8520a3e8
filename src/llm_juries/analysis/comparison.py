"""Tables of voters compared with each other, on the items both voted on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import pandas as pd

from ..errors import JuriesError, nearest
from ..juries.panel import Panel
from ..metrics.arrays import Array, Index
from ..metrics.bootstrap import Bootstrap
from ..metrics.intervals import Interval, cautions, p_values
from ..metrics.measure import AnyMeasure, Ratings, estimates
from ..metrics.power import detectable_difference, questions_needed, standard_error
from ..metrics.significance import holm
from .measured import COVERAGE, best_of, compared, one_label, questions_of


def against_best(panel: Panel, bootstrap: Bootstrap, coverage: float = COVERAGE) -> pd.DataFrame:
    """Compare each jury with the best single judge: of its members, and of all that voted.

    Both are measured on the items on which both have a vote; a tie, and a pair whose preference
    turns with the order, count for half. The interval is the cluster-robust t interval of the
    difference, so what is common to both cancels. The best judge is picked on the items it is
    measured on, which is optimistically biased.

    Parameters
    ----------
    panel : Panel
    bootstrap : Bootstrap
    coverage : float
        The share of the labelled items that a judge must have voted on to be the best.

    Returns
    -------
    DataFrame
        Up to two rows a jury, none where no judge voted on enough items or all human labels are
        the same: dataset, jury, beside ("best member" or "best judge"), judge (str); n and
        missing, the labelled items both voted on and the others (int); jury_kappa and judge_kappa
        over those n items, difference = jury - judge with ci_low and ci_high (float); questions,
        of the n items (int); detectable, the smallest difference that so many find with a power of
        80%, and questions_needed, how many find the difference seen, both for a jury named
        beforehand (float); eligible, whether n is a share `coverage` of the labelled items (bool);
        caution, why the interval is missing or cannot be trusted (str). On other scales it is the
        headline measure instead of kappa: jury_pearson, judge_pearson ...
    """
    if one_label(panel):
        return pd.DataFrame()  # nobody agrees more than by chance, so nobody is the best
    measure, rated = compared(panel)
    name, voters = measure.name, panel.votes.voters
    labelled = int((~np.isnan(rated.human)).sum())
    value, n = measure.over(rated).point, rated.both.sum(axis=0)
    singles = [at for at, voter in enumerate(voters) if voter.kind != "jury"]
    rows = []
    for at, jury in enumerate(voters):
        if jury.kind != "jury":
            continue
        members = [one for one in singles if voters[one].name in jury.members]
        for beside, candidates in (("best member", members), ("best judge", singles)):
            names = [voters[one].name for one in candidates]
            best = best_of(value[candidates], n[candidates], labelled, names, coverage)
            if best is None:
                continue
            found = Pair.of(measure, rated, at, candidates[best], bootstrap)
            rows.append(
                {
                    "dataset": panel.dataset.name,
                    "jury": jury.name,
                    "beside": beside,
                    "judge": names[best],
                    "n": found.n,
                    "missing": labelled - found.n,
                    f"jury_{name}": found.own,
                    f"judge_{name}": found.other,
                    **found.difference(bootstrap.level),
                    "eligible": found.n >= coverage * labelled,
                    "caution": cautions(found.questions, found.gap)[0],
                }
            )
    return pd.DataFrame(rows)


def against(
    panel: Panel, bootstrap: Bootstrap, named: Sequence[str], coverage: float = COVERAGE
) -> pd.DataFrame:
    """Compare each voter, judge or jury, with each of those named, on the items both voted on.

    Ties count for half, as in `against_best`.

    Returns
    -------
    DataFrame
        A row for each two: dataset, voter, kind, beside (str); n and missing (int); kappa and
        beside_kappa over the n items, difference with ci_low and ci_high, p and p_holm, corrected
        for all rows (float); questions, detectable, questions_needed, eligible and caution, as in
        `against_best`. On other scales it is the headline measure instead of kappa.

    Raises
    ------
    JuriesError
        If no voter is named, or one twice, or a name is not that of a voter.
    """
    if not named or len(set(named)) < len(named):
        raise JuriesError(f"beside: got {[*named]}; name one voter or more, each once")
    voters, names = panel.votes.voters, panel.votes.names
    for one in named:
        if one not in names:
            raise JuriesError(f"{panel.dataset.name}: no voter {one!r}{nearest(one, names)}")
    measure, rated = compared(panel)
    name, labelled = measure.name, int((~np.isnan(rated.human)).sum())
    rows = []
    for number, reference in enumerate(named):
        for at, voter in enumerate(voters):
            if voter.name == reference or voter.name in named[:number]:  # compared already
                continue
            found = Pair.of(measure, rated, at, names.index(reference), bootstrap)
            rows.append(
                {
                    "dataset": panel.dataset.name,
                    "voter": voter.name,
                    "kind": voter.kind,
                    "beside": reference,
                    "n": found.n,
                    "missing": labelled - found.n,
                    name: found.own,
                    f"beside_{name}": found.other,
                    **found.difference(bootstrap.level),
                    "p": float(p_values(found.gap, found.questions, bootstrap.level)[0]),
                    "p_holm": np.nan,
                    "eligible": found.n >= coverage * labelled,
                    "caution": cautions(found.questions, found.gap)[0],
                }
            )
    table = pd.DataFrame(rows)
    if len(table):
        table["p_holm"] = holm(table["p"].to_numpy())
    return table


@dataclass(frozen=True)
class Pair:
    """Two voters on the n items both voted on, and their difference over these questions."""

    own: float
    other: float
    n: int
    questions: Index
    gap: Interval

    @classmethod
    def of(
        cls, measure: AnyMeasure, rated: Ratings, at: int, other: int, bootstrap: Bootstrap
    ) -> Self:
        """Return the voter of column `at` less that of column `other`."""
        pair = replace(rated, votes=rated.votes[:, [at, other]]).common()
        own, beside = measure.over(pair).point
        gap = estimates([measure], pair, bootstrap, difference)[measure.name]
        return cls(own, beside, int(pair.both.all(axis=1).sum()), questions_of(pair)[:1], gap)

    def difference(self, level: float) -> dict[str, float]:
        """Return the columns of the difference, and of how many questions find it."""
        many = self.questions.astype(float)
        error = standard_error(self.gap.low, self.gap.high, many, level)
        return {
            "difference": self.own - self.other,
            "ci_low": float(self.gap.low[0]),
            "ci_high": float(self.gap.high[0]),
            "questions": int(self.questions[0]),
            "detectable": float(detectable_difference(error, many)[0]),
            "questions_needed": float(questions_needed(self.gap.value, error, many)[0]),
        }


def difference(values: Array) -> Array:
    """Return the first of two values less the second, as a contrast of `measure.estimates`."""
    return values[..., :1] - values[..., 1:]
