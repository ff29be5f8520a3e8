"""Escalation from small judges to a large one: its threshold, and what it saves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..errors import JuriesError
from ..juries.escalation import TOLERANCE, Evidence, confidence
from ..juries.rules import majority
from ..juries.votes import Array, Votes
from ..metrics.bootstrap import bootstrap, cluster_sums
from ..metrics.intervals import percentile_interval
from .savings import Replay

if TYPE_CHECKING:
    import pandas as pd


STEPS = 100  # thresholds tried between 0 and 1


@dataclass(frozen=True)
class Calibration:
    """A threshold and what it was found on.

    Attributes
    ----------
    threshold : float
        Infinite where no threshold keeps to the target: then every item goes to the large judge.
    risk, error : float
        The target, and the probability that it is missed all the same.
    n : int
        The labelled items it was found on, one a question.
    kept, wrong : int
        How many of them it keeps, and how many of those are wrong.
    bound : float
        The upper bound on the risk of what is kept, NaN where nothing is.
    questions : frozenset of str
        The questions whose labels were used: not to be measured on.
    """

    threshold: float
    risk: float
    error: float
    n: int
    kept: int
    wrong: int
    bound: float
    questions: frozenset[str]


def calibrate(
    members: Votes,
    human: Array,
    questions: Sequence[str],
    risk: float,
    error: float = 0.1,
    labelled: int | None = None,
    seed: int = 0,
    evidence: Evidence = "labels",
) -> Calibration:
    """Find the lowest threshold whose kept verdicts are wrong no more often than `risk`.

    The bound takes items to be independent. Answers to one question are not, so of each question
    one labelled answer is drawn. The first threshold tried is the strictest that keeps enough items
    to pass if half as many of them are wrong as may be: how many that is does not depend on the
    labels, and with fewer a single unlucky item would end the search at once.

    Parameters
    ----------
    members : Votes
        Of the small judges, and of no others.
    human : array of shape (n,)
    questions : sequence of n str
    risk, error : float
        In (0, 1).
    labelled : int, optional
        Use so many questions' labels only, drawn at random; all by default.
    seed : int
        Of both draws.
    evidence : {"labels", "scores"}

    Raises
    ------
    JuriesError
        If `risk` or `error` lies outside of (0, 1), or there is no human label.
    """
    for field, value in (("risk", risk), ("error", error)):
        if not 0 < value < 1:
            raise JuriesError(f"escalation: {field} is {value}; take a share between 0 and 1")
    sure = confidence(members.labels, members.scores, evidence)
    verdict, _ = majority(members.labels)
    rows = _one_a_question(human, questions, verdict, sure, seed)[:labelled]
    if not len(rows):
        raise JuriesError("escalation: no item has a human label to find the threshold on")
    wrong = verdict[rows] != human[rows]
    found, kept_at, wrong_at, bound_at = np.inf, 0, 0, float("nan")
    enough = next(
        (m for m in range(1, len(rows)) if upper_bound(int(m * risk / 2), m, error) <= risk),
        len(rows),
    )
    for step in range(STEPS, 0, -1):
        threshold = step / STEPS
        kept = sure[rows] >= threshold - TOLERANCE
        if kept.sum() < enough:
            continue
        bound = upper_bound(int(wrong[kept].sum()), int(kept.sum()), error)
        if bound > risk:
            break
        found, bound_at = threshold, bound
        kept_at, wrong_at = int(kept.sum()), int(wrong[kept].sum())
    used = frozenset(str(questions[row]) for row in rows)
    return Calibration(found, risk, error, len(rows), kept_at, wrong_at, bound_at, used)


def _one_a_question(
    human: Array, questions: Sequence[str], verdict: Array, sure: Array, seed: int
) -> list[int]:
    """Return a labelled row of each question that has one, questions in random order.

    Rows of a question are first sorted by what is known of them, so that their order is of no
    consequence: rows that tie are the same to the calibration.
    """
    names = np.asarray(questions)
    known = np.flatnonzero(~np.isnan(human))
    keys = (human[known], np.nan_to_num(verdict[known], nan=-1.0), sure[known], names[known])
    known = known[np.lexsort(keys)]
    rng = np.random.default_rng(seed)
    _, first, counts = np.unique(names[known], return_index=True, return_counts=True)
    drawn = known[first + rng.integers(counts)]
    return [int(row) for row in rng.permutation(drawn)]


def upper_bound(wrong: int, n: int, error: float) -> float:
    """Return the upper bound of Clopper and Pearson on a share, that fails with `error` at most."""
    from scipy.stats import beta

    return 1.0 if wrong == n else float(beta.ppf(1 - error, wrong + 1, n - wrong))


def escalation_table(
    one: Replay,
    found: Calibration,
    votes: Votes,
    human: Array,
    questions: Sequence[str],
    resamples: int = 10_000,
    seed: int = 0,
    level: float = 0.95,
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
    resamples, seed, level
        Of the bootstrap over questions.

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
        with np.errstate(divide="ignore", invalid="ignore"):
            part: Array = totals[..., 1] / totals[..., 0]
        return part

    low, high = percentile_interval(bootstrap(share, sums, resamples, seed), level)
    total = sums.sum(axis=0)
    return pd.DataFrame(
        {
            "measure": ["coverage", "risk_kept", "risk", "risk_large", "target", "bound"],
            "n": [*total[:, 0].astype(int), found.n, found.n],
            "value": [*share(total), found.risk, found.bound],
            "ci_low": [*low, np.nan, np.nan],
            "ci_high": [*high, np.nan, np.nan],
        }
    )
