"""Whether voters' probabilities can be taken at their word."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..juries.panel import Panel
from ..metrics.arrays import Array
from ..metrics.bootstrap import Bootstrap, cluster_sums
from ..metrics.calibration import BINS, CALIBRATION, ECE_BY_CHANCE, binned
from ..metrics.intervals import cautions, share_t
from ..metrics.measure import Ratings, estimates, mean
from ..scale import Scale
from .measured import questions_of
from .order import by_voter, in_order


def calibration(panel: Panel, bootstrap: Bootstrap) -> pd.DataFrame:
    """Measure the probabilities of judges, and of juries that have any, against the labels.

    Returns
    -------
    DataFrame
        A row a voter with probabilities: dataset, voter, kind (str); n, the labelled votes with
        one, and missing, the other labelled items (int); brier with ci_low and ci_high; log_loss
        and ece, the expected calibration error of ten bins, with _low and _high; ece_by_chance,
        what probabilities that are right would have (float); caution (str). Empty unless votes are
        yes or no, some have a probability that is neither 0 nor 1, and items have labels.
    """
    rated, voters = _probabilities(panel)
    if not voters:
        return pd.DataFrame()
    found = estimates(CALIBRATION, rated, bootstrap)
    n, questions = rated.both.sum(axis=0), questions_of(rated)
    made: dict[str, object] = {"n": n, "missing": int((~np.isnan(rated.human)).sum()) - n}
    for at, (name, one) in enumerate(found.items()):
        prefix = name if at else "ci"
        made |= {name: one.value, f"{prefix}_low": one.low, f"{prefix}_high": one.high}
    made["ece_by_chance"] = ECE_BY_CHANCE.over(rated).point
    made["caution"] = cautions(questions, found["brier"])
    return by_voter(panel, [panel.votes.voters[at] for at in voters], made)


def reliability_curve(panel: Panel, bootstrap: Bootstrap) -> pd.DataFrame:
    """Compare probabilities with how often the label is positive, in ten bins.

    Returns
    -------
    DataFrame
        A row a voter and bin that holds labelled votes: dataset, voter, kind (str); low and high,
        the bin's ends; n (int); probability, its mean; positive, the share of positive labels, with
        ci_low and ci_high (float). Empty where `calibration` is.
    """
    rated, voters = _probabilities(panel)
    if not voters:
        return pd.DataFrame()
    sums = cluster_sums(binned(rated), panel.clusters)
    parts = sums.reshape(*sums.shape[:2], 4, BINS)
    number, given = parts.sum(axis=0)[:, 0], parts.sum(axis=0)[:, 1]  # each (k, bins)
    share, low, high = share_t(np.moveaxis(parts[:, :, [0, 2]], 2, -1), mean, bootstrap.level)
    rows = []
    for at, column in enumerate(voters):
        voter = panel.votes.voters[column]
        rows += [
            {
                "dataset": panel.dataset.name,
                "voter": voter.name,
                "kind": voter.kind,
                "low": one / BINS,
                "high": (one + 1) / BINS,
                "n": int(number[at, one]),
                "probability": given[at, one] / number[at, one],
                "positive": share[at, one],
                "ci_low": low[at, one],
                "ci_high": high[at, one],
            }
            for one in np.flatnonzero(number[at])
        ]
    return in_order(pd.DataFrame(rows), "low")


def _probabilities(panel: Panel) -> tuple[Ratings, list[int]]:
    """Return scores as numbers from 0 to 1 beside the labels, and the voters that have any.

    Scores that are all 0, one half or 1 are votes written as numbers, and those of string rules are
    likenesses: neither are probabilities.
    """
    scores: Array = panel.votes.scores
    if panel.scale.kind != "binary" or not panel.sided:
        scores = np.full(scores.shape, np.nan)
    judges = np.array([voter.kind in ("judge", "jury") for voter in panel.votes.voters])
    told = (
        judges
        & ~np.isnan(scores)
        & ~np.isin(scores, (0.0, 0.5, 1.0))
        & ~np.isnan(panel.human)[:, None]
    )
    voters = [int(at) for at in np.flatnonzero(told.any(axis=0))]
    rated = Ratings(scores[:, voters], panel.human, Scale.interval(0, 1), panel.clusters)
    return rated, voters
