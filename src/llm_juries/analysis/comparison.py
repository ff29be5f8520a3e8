"""Table of juries compared with the best single judge, on the items both voted on."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..juries.panel import Panel
from ..metrics import agreement
from ..metrics.bootstrap import Bootstrap, cluster_sums


def against_best(panel: Panel, bootstrap: Bootstrap) -> pd.DataFrame:
    """Compare each jury with the best single judge: of its members, and of all that voted.

    The difference is taken within each resample, so what is common to both cancels. The best judge
    is picked on the items it is measured on, which is optimistically biased.

    Returns
    -------
    DataFrame
        Two rows a jury: dataset, jury, beside ("best member" or "best judge"), judge (str); n and
        missing, the labelled items both voted on and the others (int); jury_kappa and judge_kappa
        over those n items, difference = jury - judge with ci_low and ci_high (float).
    """
    labels, human = panel.votes.labels, panel.human
    cells = agreement.outcomes(labels, human)
    kappa = agreement.cohen_kappa(cells.sum(axis=0))
    voters = panel.votes.voters
    singles = [at for at, voter in enumerate(voters) if voter.kind != "jury"]
    rows = []
    for at, jury in enumerate(voters):
        if jury.kind != "jury":
            continue
        members = [one for one in singles if voters[one].name in jury.members]
        for beside, candidates in (("best member", members), ("best judge", singles)):
            measured = [one for one in candidates if not np.isnan(kappa[one])]
            if not measured:
                continue
            best = max(measured, key=lambda one: (kappa[one], voters[one].name))
            pair = cells[:, [at, best]]
            both = pair.sum(axis=2).all(axis=1)  # the same items for both
            sums = cluster_sums(pair * both[:, None, None], panel.questions)
            draws = bootstrap.draws(agreement.cohen_kappa, sums)
            low, high = bootstrap.ends(draws[:, 0] - draws[:, 1])
            own, other = agreement.cohen_kappa(sums.sum(axis=0))
            rows.append(
                {
                    "dataset": panel.dataset.name,
                    "jury": jury.name,
                    "beside": beside,
                    "judge": voters[best].name,
                    "n": int(both.sum()),
                    "missing": int((~np.isnan(human)).sum() - both.sum()),
                    "jury_kappa": own,
                    "judge_kappa": other,
                    "difference": own - other,
                    "ci_low": float(low),
                    "ci_high": float(high),
                }
            )
    return pd.DataFrame(rows)
