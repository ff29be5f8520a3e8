"""What a voter would reach if it left its least sure decisions to somebody else.

Risk against coverage (El-Yaniv and Wiener 2010): the surer decisions are the better ones for any
sensible voter, so two voters can be compared only at the same coverage, or on the same items.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..juries.panel import Panel
from ..juries.votes import Voter
from ..metrics import agreement
from ..metrics.arrays import Array
from ..metrics.bootstrap import cluster_sums
from ..metrics.intervals import caution, share_t
from ..metrics.measure import SAME, mean
from .measured import COVERAGE, best_of, compared, credited
from .order import by_voter, in_order

MOST_LEVELS = 11  # with more, the coverages 0.1, 0.2 ... 1


def risk_coverage(panel: Panel, level: float = 0.95, coverage: float = COVERAGE) -> pd.DataFrame:
    """Measure voters on the items that they are sure of, at each degree of sureness.

    A jury is as sure as its votes are of one mind: the share of its seats for one side less that
    for the other. A judge that gives a probability is as sure as that is far from the middle. A
    decision for neither side counts for half.

    Parameters
    ----------
    panel : Panel
    level : float
        Of the intervals.
    coverage : float
        The share of the labelled items that a judge must have voted on to be the best.

    Returns
    -------
    DataFrame
        A row a voter and degree: dataset, voter, kind (str); sure, the least sureness of the items
        in it (float, 0 to 1); n and missing, these items and the other labelled ones (int);
        coverage, n as a share of them; risk, the share decided wrongly, with ci_low and ci_high
        (cluster-robust t), and kappa; judge, the best judge (str), and judge_risk, its own on those
        of the same n items that it voted on (float); caution (str). Empty unless votes have two
        sides and labels, and a voter is a jury or gives probabilities.
    """
    if not panel.sided or np.isnan(panel.human).all():
        return pd.DataFrame()
    voters, human = panel.votes.voters, panel.human
    labelled = int((~np.isnan(human)).sum())
    measure, rated = compared(panel)
    cells = agreement.with_halves(rated.votes, human)
    singles = [at for at, voter in enumerate(voters) if voter.kind != "jury"]
    value, n = measure.over(rated).point[singles], rated.both.sum(axis=0)[singles]
    best = best_of(value, n, labelled, [voters[at].name for at in singles], coverage)
    frames = []
    for at, voter in enumerate(voters):
        sure = _sureness(panel, at, voter)
        if sure is None:
            continue
        sure = np.where(rated.both[:, at], sure, np.nan)
        for least in _levels(sure):
            inside = sure >= least - SAME
            sums = cluster_sums(cells[:, at] * inside[:, None], panel.clusters)
            items = sums.sum(axis=-1)
            wrong = sums[:, agreement.FP] + sums[:, agreement.FN]
            risk = share_t(np.stack([items, wrong], axis=-1), mean, level)
            columns: dict[str, object] = {
                "sure": least,
                "n": int(inside.sum()),
                "missing": labelled - int(inside.sum()),
                "coverage": inside.sum() / labelled,
                "risk": float(risk.value),
                "ci_low": float(risk.low),
                "ci_high": float(risk.high),
                "kappa": float(agreement.cohen_kappa(sums.sum(axis=0))),
                "judge": "" if best is None else voters[singles[best]].name,
                "judge_risk": np.nan
                if best is None
                else float(1 - agreement.accuracy(cells[inside, singles[best]].sum(axis=0))),
                "caution": caution(int((items > 0).sum()), risk),
            }
            frames.append(by_voter(panel, (voter,), columns))
    if not frames:
        return pd.DataFrame()
    return in_order(pd.concat(frames, ignore_index=True), "sure")


def _sureness(panel: Panel, at: int, voter: Voter) -> Array | None:
    """Return how sure a voter is of each decision, from 0 to 1; None where nothing says so."""
    if voter.kind == "jury":
        if not set(voter.members) <= set(panel.votes.names) or len(voter.members) < 2:
            return None
        votes = credited(panel.votes.columns(voter.members))
        balance = np.nansum(2 * votes - 1, axis=1) / len(voter.members)
        return np.asarray(np.abs(balance))
    scores = panel.votes.scores[:, at]
    between = ~np.isnan(scores) & (scores > SAME) & (scores < 1 - SAME)
    if not between.any():
        return None
    return np.abs(2 * scores - 1)


def _levels(sure: Array) -> list[float]:
    """Return degrees of sureness to measure at, from the lowest: all, or ten quantiles."""
    known = sure[~np.isnan(sure)]
    found = np.unique(np.round(known, 9))
    if len(found) > MOST_LEVELS:
        found = np.unique(np.quantile(known, np.arange(10) / 10, method="higher"))
    return [float(one) for one in found]
