"""Whether a judge gives verdicts at all: it is not asked further where its first replies have none.

A model that thinks longer than its token limit, or never writes the verdict word, would otherwise
be paid for every item.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..types import Outcome

UNUSABLE = (Outcome.TRUNCATED, Outcome.UNPARSED)
REMEDIES = {
    Outcome.TRUNCATED: "raise decoding.max_tokens in its yaml, or lower its thinking",
    Outcome.UNPARSED: "change the prompt, or decoding.verdict_by in its yaml",
}


@dataclass
class Trial:
    """The replies of one judge under one prompt, until one of them has a verdict.

    Parameters
    ----------
    most : int, optional
        How many replies without a verdict are enough; None to go on whatever comes.
    """

    most: int | None
    passed: bool = False
    unusable: Counter[Outcome] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.passed = self.passed or self.most is None

    def count(self, outcomes: Mapping[Outcome, int]) -> None:
        """Count outcomes, of stored or new verdicts. Refusals and failures decide nothing."""
        self.passed = self.passed or outcomes.get(Outcome.OK, 0) > 0
        for outcome in UNUSABLE:
            self.unusable[outcome] += outcomes.get(outcome, 0)

    def room(self, in_flight: int) -> bool:
        """Return whether a further request may be sent while so many are in flight."""
        return self.passed or self.unusable.total() + in_flight < (self.most or 0)

    @property
    def failed(self) -> str:
        """Why the judge is not asked further, with the remedy; "" while it may be."""
        if self.passed or self.unusable.total() < (self.most or 0):
            return ""
        return (
            f"its first {self.unusable.total()} replies hold no verdict "
            f"({counts_in_words(self.unusable)}); {remedy(self.unusable)}; or set "
            "stop_after_unusable=null to go on"
        )


def counts_in_words(outcomes: Mapping[Outcome, int]) -> str:
    """Return outcomes that occurred: "18 truncated, 2 unparsed"."""
    return ", ".join(f"{n} {outcome}" for outcome, n in sorted(outcomes.items()) if n)


def remedy(outcomes: Mapping[Outcome, int]) -> str:
    """Return what to do about the more frequent of truncated and unparsed replies."""
    return REMEDIES[max(UNUSABLE, key=lambda outcome: outcomes.get(outcome, 0))]
