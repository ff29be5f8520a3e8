"""Table of juries compared with the best single judge, on the items both voted on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from ..juries.panel import Panel
from ..metrics.arrays import Array
from ..metrics.bootstrap import Bootstrap
from ..metrics.intervals import cautions
from ..metrics.measure import estimates
from ..metrics.power import detectable_difference, questions_needed, standard_error
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
            pair = replace(rated, votes=rated.votes[:, [at, candidates[best]]]).common()
            own, other = measure.over(pair).point
            gap = estimates([measure], pair, bootstrap, difference)[name]
            both, questions = int(pair.both.all(axis=1).sum()), questions_of(pair)[:1]
            many = questions.astype(float)
            error = standard_error(gap.low, gap.high, many, bootstrap.level)
            rows.append(
                {
                    "dataset": panel.dataset.name,
                    "jury": jury.name,
                    "beside": beside,
                    "judge": names[best],
                    "n": both,
                    "missing": labelled - both,
                    f"jury_{name}": own,
                    f"judge_{name}": other,
                    "difference": own - other,
                    "ci_low": float(gap.low[0]),
                    "ci_high": float(gap.high[0]),
                    "questions": int(questions[0]),
                    "detectable": float(detectable_difference(error, many)[0]),
                    "questions_needed": float(questions_needed(gap.value, error, many)[0]),
                    "eligible": both >= coverage * labelled,
                    "caution": cautions(questions, gap)[0],
                }
            )
    return pd.DataFrame(rows)


def difference(values: Array) -> Array:
    """Return the first of two values less the second, as a contrast of `measure.estimates`."""
    return values[..., :1] - values[..., 1:]
