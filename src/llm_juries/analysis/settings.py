"""Settings of an analysis: how to count votes, make intervals, rank models and search juries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..errors import JuriesError
from ..juries.stored import Inconsistent, Vote
from ..metrics.bootstrap import Bootstrap
from .jury_search import Criteria
from .measured import COVERAGE
from .rankings import Rankings
from .replaceability import EPSILON, MARGIN


@dataclass(frozen=True)
class Settings:
    """How votes are counted, and what is known of the candidates.

    Parameters
    ----------
    inconsistent : {"missing", "tie", "mean"}
        What a pair counts as whose two orders point to different sides; see `juries.stored`.
    candidate_families : mapping of str to str, optional
        The model family of each candidate, named as in the judges' `family` or `vendor`.
    labelled_questions : int, optional
        Correct accuracies as if only this many questions had human labels; see
        `analysis.few_labels`.
    interval_width : float
        The width of an interval, as a share of 1, for which the number of human labels it takes is
        reported.
    threshold : float, optional
        From which on a graded value is positive: the same for judges, juries and humans, after
        juries have pooled.
    coverage : float
        The share of the labelled items that a voter must have voted on to be called the best, or to
        be what juries are compared with.
    margin : float
        What a voter may be worse by and still be as good, stated beforehand.
    large_judge : str, optional
        A judge that juries are to replace, compared with each of them.
    epsilon : float
        Of the alternative annotator test: what an annotator must be better by.
    slices : tuple of {"subset", "criterion", "candidate"}
        By what agreement is measured on parts of the items too; see `analysis.agreement_by`.
    vote : {"most_probable", "expected"}
        What a judge's token probabilities vote for; see `juries.stored`.
    same_voters : mapping of str to sequence of str, optional
        What a voter is called on other datasets: see `analysis.overview`.
    """

    inconsistent: Inconsistent = "missing"
    candidate_families: Mapping[str, str] | None = None
    labelled_questions: int | None = None
    interval_width: float = 0.1
    threshold: float | None = None
    coverage: float = COVERAGE
    margin: float = MARGIN
    large_judge: str | None = None
    epsilon: float = EPSILON
    slices: tuple[str, ...] = ("subset", "criterion")
    vote: Vote = "most_probable"
    same_voters: Mapping[str, tuple[str, ...]] | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.coverage <= 1:
            raise JuriesError(f"coverage: {self.coverage} must be between 0 and 1")
        if not 0 < self.margin < 1:
            raise JuriesError(f"margin: {self.margin} must be above 0 and below 1")
        if not 0 <= self.epsilon < 1:
            raise JuriesError(f"epsilon: {self.epsilon} must be 0 or more and below 1")

    @property
    def families(self) -> dict[str, str]:
        """The candidates' families, empty where they are not known."""
        return dict(self.candidate_families or {})


@dataclass(frozen=True)
class Analysis:
    """All settings of an analysis; the defaults search no juries."""

    settings: Settings = field(default_factory=Settings)
    bootstrap: Bootstrap = field(default_factory=Bootstrap)
    ranking: Rankings = field(default_factory=Rankings)
    search: Criteria = field(default_factory=lambda: Criteria(rules=()))
