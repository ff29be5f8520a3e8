"""Small judges first, a large one where they are not sure enough, under a target risk.

The threshold is found on few human labels so that, with a probability that is chosen, the verdicts
the small judges keep are wrong no more often than the target (Jung, Brahman and Choi 2024, "Trust
or Escalate", arXiv 2407.18370): thresholds are tried from the strictest down, and the last before
the first whose upper bound on the risk (Clopper and Pearson 1934) passes the target is taken. Tests
in a sequence that was fixed beforehand need no correction for their number (Bauer 1991).

The promise is about verdicts that are kept, on items like those labelled; what the large judge says
is as good as the large judge.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from .policies import Cast, check_judges, majority_of
from .rules import majority
from .votes import Array

Evidence = Literal["labels", "scores"]
TOLERANCE = 1e-9


@dataclass(frozen=True)
class Escalation:
    """Ask the members; where their verdict is not sure enough, the large judge decides alone.

    Parameters
    ----------
    members : tuple of str
        The small judges; their verdict is the majority over seats. One will do if it gives scores.
    large : str
    threshold : float
        The confidence from which a verdict is kept (see `confidence`); above 1 keeps none.
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

    def next_judge(self, said: Mapping[str, Cast], question: str = "") -> str | None:  # noqa: ARG002
        """Return the next member, then the large judge where the members are not sure enough."""
        for member in self.members:
            if member not in said:
                return member
        return None if self.large in said or self._kept(said) else self.large

    def verdict(self, said: Mapping[str, Cast]) -> tuple[float, str]:
        """Return the large judge's vote where it was asked, else the members' majority."""
        return majority_of(said, (self.large,) if self.large in said else self.members)

    def _kept(self, said: Mapping[str, Cast]) -> bool:
        cast = [said[member] for member in self.members]
        labels = np.array([[one.label for one in cast]])
        scores = np.array([[one.score for one in cast]])
        return bool(confidence(labels, scores, self.evidence)[0] >= self.threshold - TOLERANCE)


def confidence(labels: Array, scores: Array, evidence: Evidence) -> Array:
    """Return how sure a jury is of its majority, of shape (n,), from votes of shape (n, k).

    For and against its verdict, a vote counts by how far its evidence (with "scores" its score, the
    label where there is none) lies from one half; the difference is divided by the seats. So with
    labels it is the margin of the majority. In [0, 1]; 0 where there is no verdict, and a missing
    vote makes a jury less sure.
    """
    verdict, _ = majority(labels)
    said = np.where(np.isnan(scores), labels, scores) if evidence == "scores" else labels
    pull = np.where(np.isnan(labels), 0.0, 2 * said - 1).sum(axis=1) / labels.shape[1]
    found: Array = np.where(np.isnan(verdict), 0.0, np.maximum(pull * (2 * verdict - 1), 0.0))
    return found
