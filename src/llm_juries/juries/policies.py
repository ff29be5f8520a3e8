"""Policies that ask fewer judges: which judge to ask next about an item, and when to stop.

A policy plans for one item at a time: given the votes so far it names the next judge, or none. The
same policy drives a live collection (`collect.sequential`) and is replayed on stored votes
(`analysis.savings`), to see what it would have saved and changed.

Votes collected this way are not those of a full collection: a judge that is asked only where others
disagree sees the hard items, so its agreement with humans must not be compared with that of a judge
that saw all items.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple, Protocol

import numpy as np

from ..errors import JuriesError
from .rules import majority

NAN = math.nan


class Cast(NamedTuple):
    """A judge's vote on an item; NaN where it gave no label, or no score."""

    label: float
    score: float = NAN


class Planner(Protocol):
    """Decides which judges to ask about an item."""

    @property
    def name(self) -> str:
        """The policy's name in tables."""

    @property
    def judges(self) -> tuple[str, ...]:
        """All judges that may be asked."""

    def next_judge(self, given: Mapping[str, Cast], question: str) -> str | None:
        """Return the judge to ask next about an item of a question, None if no more are needed.

        `given` holds the votes of the judges asked so far, missing votes included.
        """

    def verdict(self, given: Mapping[str, Cast]) -> tuple[float, str]:
        """Return the label that follows from the votes given, and the outcome (see `Votes`)."""


@dataclass(frozen=True)
class SequentialMajority:
    """Ask one judge after the other while the majority is open.

    The verdict is always that of the whole jury under rule majority: only votes that cannot change
    it are saved. With three judges the third is asked only where the first two differ or one
    of them gave no vote (Badshah and Sajjad 2025, arXiv 2503.08542).

    Parameters
    ----------
    judges : tuple of str
        In the order of asking; see `by_price`.
    """

    judges: tuple[str, ...]
    name: str = "sequential_majority"

    def __post_init__(self) -> None:
        check_judges(self.name, self.judges)

    def next_judge(self, given: Mapping[str, Cast], question: str = "") -> str | None:  # noqa: ARG002
        """Return the first judge not asked, None once no further vote could change the verdict."""
        labels = [given[judge].label for judge in self.judges if judge in given]
        left, seats = len(self.judges) - len(labels), len(self.judges)
        most = max(labels.count(value) for value in (1.0, 0.0, 0.5))
        missing = any(math.isnan(label) for label in labels)
        # Without a majority, whether that is a tie turns on there being a missing vote.
        if most * 2 > seats or (missing and (most + left) * 2 <= seats):
            return None
        return next((judge for judge in self.judges if judge not in given), None)

    def verdict(self, given: Mapping[str, Cast]) -> tuple[float, str]:
        """Return the majority over all seats, those that were not asked among them."""
        return majority_of(given, self.judges)


@dataclass(frozen=True)
class CyclicAssignment:
    """Ask one judge about each question, the judges in rotation (Zhu et al. 2026, 2603.01865).

    All answers to a question go to the same judge, and the judges' numbers of questions differ by
    one at most. So a lenient judge is lenient to all candidates alike, and a candidate's mean
    estimates its mean under the whole panel. Use it for such means, not for verdicts on single
    items: see `analysis.savings.cyclic_means`.

    Parameters
    ----------
    judges : tuple of str
    questions : sequence of str
        Of the whole dataset; repeated names count once.
    seed : int
        Of the order in which the questions are dealt.
    """

    judges: tuple[str, ...]
    questions: Sequence[str]
    seed: int = 0
    name: str = "cyclic_assignment"

    def __post_init__(self) -> None:
        check_judges(self.name, self.judges)

    @cached_property
    def assigned(self) -> dict[str, str]:
        """Which judge each question is given to."""
        questions = np.unique(np.asarray(self.questions))
        order = np.random.default_rng(self.seed).permutation(len(questions))
        return {
            str(questions[at]): self.judges[number % len(self.judges)]
            for number, at in enumerate(order)
        }

    def next_judge(self, given: Mapping[str, Cast], question: str) -> str | None:
        """Return the question's judge if it was not asked yet."""
        if question not in self.assigned:
            raise JuriesError(
                f"{self.name}: unknown question {question!r}; create the policy with all questions"
            )
        judge = self.assigned[question]
        return None if judge in given else judge

    def verdict(self, given: Mapping[str, Cast]) -> tuple[float, str]:
        """Return the one vote."""
        label = next((given[judge].label for judge in self.judges if judge in given), NAN)
        return majority_of({"": Cast(label)}, ("",))


def check_judges(name: str, judges: tuple[str, ...]) -> None:
    """Raise JuriesError if there is no judge, or one is named twice."""
    if not judges:
        raise JuriesError(f"{name}: names no judge; name one or more")
    if len(set(judges)) < len(judges):
        raise JuriesError(f"{name}: names a judge twice; name each once")


def majority_of(given: Mapping[str, Cast], judges: tuple[str, ...]) -> tuple[float, str]:
    """Return the majority over all seats of some judges, and the outcome."""
    votes = (given[judge].label if judge in given else NAN for judge in judges)
    return _majority(tuple(None if math.isnan(vote) else vote for vote in votes))


@lru_cache(maxsize=4096)  # a replay asks for a few patterns of votes thousands of times
def _majority(votes: tuple[float | None, ...]) -> tuple[float, str]:
    row = np.array([[NAN if vote is None else vote for vote in votes]])
    labels, outcomes = majority(row)
    return float(labels[0]), str(outcomes[0])
