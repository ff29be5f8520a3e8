"""Escalation from small judges to a large one: coverage and risk, on held-out questions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..errors import JuriesError
from ..juries.escalation import Calibration
from ..juries.votes import Votes
from ..metrics.arrays import Array, ratio
from ..metrics.bootstrap import Bootstrap, cluster_sums
from ..metrics.intervals import share_t
from .savings import Replay

if TYPE_CHECKING:
    import pandas as pd


def escalation(
    one: Replay,
    found: Calibration,
    votes: Votes,
    human: Array,
    questions: Sequence[str],
    bootstrap: Bootstrap,
) -> pd.DataFrame:
    """Measure an escalation on the items whose questions it was not calibrated on.

    Parameters
    ----------
    one : Replay
        Of an `Escalation` with the threshold that was found, on all n units.
    found : Calibration
    votes : Votes
        All votes, for the large judge's own.
    human : array of shape (n,)
    questions : sequence of n str
    bootstrap : Bootstrap

    Returns
    -------
    DataFrame
        A row a measure: measure (str); n (int), the items it is taken over; value with ci_low and
        ci_high (float). "coverage", the share that the members keep; "risk_kept", the share of
        those that are wrong; "risk", that of all verdicts; "risk_large", the large judge's on all
        items. Then the calibration's "target" and "bound" with n the labels it used, without
        intervals. Missing verdicts are in the coverage and in no risk.
    """
    import pandas as pd

    held = ~np.isnan(human) & np.array([question not in found.questions for question in questions])
    if not held.any():
        raise JuriesError("escalation: no labelled question is left to measure the risk on")
    large = votes.columns(one.planner.judges[-1:]).labels[:, 0]
    kept = ~one.asked[:, -1]
    label = one.votes.labels[:, 0]
    parts = [
        (np.ones(len(human)), kept),
        (kept & ~np.isnan(label), label != human),
        (~np.isnan(label), label != human),
        (~np.isnan(large), large != human),
    ]
    cells = np.stack(
        [np.stack([held & (of > 0), held & (of > 0) & hit], axis=-1) for of, hit in parts], axis=1
    ).astype(float)
    sums = cluster_sums(cells[held], np.asarray(questions)[held].tolist())

    def share(totals: Array) -> Array:
        return ratio(totals[..., 1], totals[..., 0])

    value, low, high = share_t(sums, share, bootstrap.level)
    total = sums.sum(axis=0)
    return pd.DataFrame(
        {
            "measure": ["coverage", "risk_kept", "risk", "risk_large", "target", "bound"],
            "n": [*total[:, 0].astype(int), found.n, found.n],
            "value": [*value, found.risk, found.bound],
            "ci_low": [*low, np.nan, np.nan],
            "ci_high": [*high, np.nan, np.nan],
        }
    )
