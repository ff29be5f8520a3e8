"""Escalation: small judges decide where they are confident, a large judge decides the rest.

The confidence threshold is calibrated on few human labels so that, with a chosen probability, the
small judges' verdicts are wrong no more often than a target (Jung, Brahman and Choi 2024, "Trust or
Escalate", arXiv 2407.18370). Thresholds are tried from the strictest down, up to the first whose
upper bound on the risk (Clopper and Pearson 1934) is above the target; the one before it is taken.
Tests in a sequence fixed beforehand need no correction for their number (Bauer 1991).

The guarantee covers the verdicts that the small judges decide, on items like those labelled. It
says nothing about the large judge's verdicts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..errors import JuriesError, nearest
from ..metrics.arrays import Array
from .policies import Cast, check_judges, majority_of
from .pooling import Context, check_scale, name_seats, needed
from .rules import SIDED, majority
from .votes import Votes, one_voter

Evidence = Literal["labels", "scores"]
TOLERANCE = 1e-9
STEPS = 100  # thresholds tried between 0 and 1


@dataclass(frozen=True)
class Escalation:
    """Ask the members; where they are not confident enough, the large judge decides alone.

    Parameters
    ----------
    members : tuple of str
        The small judges, whose verdict is the majority over seats. One is enough if it gives
        scores.
    large : str
    threshold : float
        Verdicts with at least this confidence are kept (see `confidence`); above 1, none are.
    evidence : {"labels", "scores"}
        What confidence is made of.
    """

    members: tuple[str, ...]
    large: str
    threshold: float
    evidence: Evidence = "labels"
    name: str = "escalation"

    def __post_init__(self) -> None:
        check_judges(self.name, self.judges)

    @property
    def judges(self) -> tuple[str, ...]:
        """The members, then the large judge."""
        return (*self.members, self.large)

    def next_judge(self, given: Mapping[str, Cast], question: str = "") -> str | None:  # noqa: ARG002
        """Return the next member, then the large judge if the members are not confident enough."""
        for member in self.members:
            if member not in given:
                return member
        return None if self.large in given or self._kept(given) else self.large

    def verdict(self, given: Mapping[str, Cast]) -> tuple[float, str]:
        """Return the large judge's vote where it was asked, else the members' majority."""
        return majority_of(given, (self.large,) if self.large in given else self.members)

    def _kept(self, given: Mapping[str, Cast]) -> bool:
        cast = [given[member] for member in self.members]
        labels = np.array([[one.label for one in cast]])
        scores = np.array([[one.score for one in cast]])
        return bool(confidence(labels, scores, self.evidence)[0] >= self.threshold - TOLERANCE)


def confidence(labels: Array, scores: Array, evidence: Evidence) -> Array:
    """Return a jury's confidence in its majority, of shape (n,), from votes of shape (n, k).

    Each vote counts, for or against the verdict, by the distance of its evidence (with "scores" its
    score, or its label without one) from one half; the difference is divided by the number of
    seats. With labels it is the margin of the majority. In [0, 1]; 0 where there is no verdict, and
    lower with missing votes.
    """
    verdict, _ = majority(labels)
    strength = np.where(np.isnan(scores), labels, scores) if evidence == "scores" else labels
    pull = np.where(np.isnan(labels), 0.0, 2 * strength - 1).sum(axis=1) / labels.shape[1]
    found: Array = np.where(np.isnan(verdict), 0.0, np.maximum(pull * (2 * verdict - 1), 0.0))
    return found


@dataclass(frozen=True)
class Calibration:
    """A threshold and what it was found on.

    Attributes
    ----------
    threshold : float
        Infinite where no threshold meets the target: then every item goes to the large judge.
    risk, error : float
        The target, and the probability of missing it.
    n : int
        The labelled items it was found on, one a question.
    kept, wrong : int
        How many of them the small judges decide, and how many of those they decide wrongly.
    bound : float
        The upper bound on the risk of what the small judges decide, NaN where they decide nothing.
    questions : frozenset of str
        The questions whose labels were used: exclude them when measuring the risk.
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
    """Find the lowest threshold above which the small judges are wrong no more often than `risk`.

    The bound assumes independent items. Answers to one question are not, so one labelled answer of
    each question is drawn. The first threshold tried is the strictest that leaves enough items to
    pass if half the tolerated number of them are wrong: that number does not depend on the labels,
    and with fewer items a single wrong one would end the search at once.

    Parameters
    ----------
    members : Votes
        Of the small judges, and of no others.
    human : array of shape (n,)
    questions : sequence of n str
    risk, error : float
        In (0, 1).
    labelled : int, optional
        Use the labels of this many questions only, drawn at random; all by default.
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
            raise JuriesError(f"escalation: {field} is {value}; it must be between 0 and 1")
    sure = confidence(members.labels, members.scores, evidence)
    verdict, _ = majority(members.labels)
    rows = _one_a_question(human, questions, verdict, sure, seed)[:labelled]
    if not len(rows):
        raise JuriesError("escalation: no item has a human label to calibrate on; label some")
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

    Rows of a question are first sorted by their content, so that their order does not matter: rows
    that tie are interchangeable.
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
    """Return Clopper and Pearson's upper bound on a share, exceeded with probability `error`."""
    from scipy.stats import beta

    return 1.0 if wrong == n else float(beta.ppf(1 - error, wrong + 1, n - wrong))


@dataclass(frozen=True)
class EscalatingJury:
    """A jury whose small members decide where they are confident, and its large one the rest.

    The threshold is calibrated on the dataset's human labels, so it needs some. `asking=sequential`
    collects it: the small members are asked about everything, the large one about the rest.

    Parameters
    ----------
    name : str
    members : tuple of str
        The small judges and the large one.
    large : str
        The member that decides where the others are not confident enough.
    risk : float
        The target: how often the verdicts of the small members may be wrong.
    error : float
        The probability of missing the target.
    labelled : int, optional
        Calibrate on the labels of this many questions only, which leaves the others to measure on;
        all by default.
    evidence : {"labels", "scores"}
        What confidence is made of; see `confidence`.
    seed : int
        Of the draw of labelled answers.
    """

    name: str
    members: tuple[str, ...]
    large: str
    risk: float
    error: float = 0.1
    labelled: int | None = None
    evidence: Evidence = "labels"
    seed: int = 0

    def __post_init__(self) -> None:
        name_seats(self, "members")
        check_judges(f"jury {self.name}", self.members)
        if self.large not in self.members:
            raise JuriesError(
                f"jury {self.name}: large={self.large!r} is not a member"
                f"{nearest(self.large, self.members)}"
            )
        if not self.small:
            raise JuriesError(f"jury {self.name}: has no small members; add some to members")
        for key, value in (("risk", self.risk), ("error", self.error)):
            if not 0 < value < 1:
                raise JuriesError(f"jury {self.name}: {key} is {value}; it must be between 0 and 1")

    @property
    def small(self) -> tuple[str, ...]:
        """The members that are asked first."""
        return tuple(member for member in self.members if member != self.large)

    def calibrate(self, votes: Votes, context: Context) -> Calibration:
        """Find the threshold on the human labels of a dataset (ties are not used)."""
        human = np.where(context.human == 0.5, np.nan, context.human)
        return calibrate(
            votes.columns(self.small),
            human,
            context.questions,
            self.risk,
            self.error,
            self.labelled,
            self.seed,
            self.evidence,
        )

    def policy(self, found: Calibration) -> Escalation:
        """Return the policy that asks for the votes this jury needs."""
        return Escalation(self.small, self.large, found.threshold, self.evidence)

    def decide(self, votes: Votes, context: Context | None = None) -> Votes:
        """Return the jury's decisions as the votes of one voter.

        Raises
        ------
        JuriesError
            If there is no human label to calibrate on.
        """
        check_scale(self.name, "escalation", votes.scale, SIDED)
        threshold = self.calibrate(votes, needed(context, self.name)).threshold
        small, large = votes.columns(self.small), votes.columns((self.large,))
        kept = confidence(small.labels, small.scores, self.evidence) >= threshold - TOLERANCE
        labels, outcomes = (
            np.where(kept, own, other)
            for own, other in zip(majority(small.labels), majority(large.labels), strict=True)
        )
        return one_voter(self.name, self.members, labels, outcomes)
