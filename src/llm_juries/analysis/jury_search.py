"""Which jury to take: all juries of a panel's voters, measured at once against the human labels.

Picking the best of thousands of juries on the items they are measured on is optimistically biased.
What the picking is worth is measured out of bag: see `analysis.jury_validation`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

import numpy as np
import pandas as pd

from ..errors import JuriesError, nearest
from ..juries.panel import Panel
from ..juries.rules import Rule
from ..metrics.bootstrap import Bootstrap
from .found_juries import JurySearch, tables
from .graded_search import GradedSearch
from .jury_patterns import Patterns
from .measured import COVERAGE, one_label
from .undecided import Undecided

MOST_VOTERS = 12  # 4,095 juries


@dataclass(frozen=True)
class Criteria:
    """What to search, and how to choose.

    Parameters
    ----------
    rules : tuple of rule
        Each is searched separately; none: no search.
    dollars : mapping of str to float, optional
        What one item costs with a judge. A jury with a judge that is not named has no known cost.
    undecided : {"best_member", "half", "wrong"}
        What counts where a jury comes to no decision: the vote of its best member that took a side,
        half a vote for either side, or a wrong vote. Were such items left out, those juries would
        win that decide the easy items only. "wrong" counts missing votes of judges as wrong, too.
        On graded and nominal scales only "best_member".
    """

    rules: tuple[Rule, ...] = ("majority",)
    dollars: Mapping[str, float] | None = None
    undecided: Undecided = "best_member"

    def __post_init__(self) -> None:
        if self.undecided not in get_args(Undecided):
            known = nearest(self.undecided, get_args(Undecided))
            raise JuriesError(f"undecided: there is no {self.undecided!r}{known}")
        for name, dollars in (self.dollars or {}).items():
            if not dollars >= 0:
                raise JuriesError(f"dollars.{name}: {dollars} must be 0 or more")


def search_juries(
    panel: Panel,
    bootstrap: Bootstrap,
    criteria: Criteria | None = None,
    coverage: float = COVERAGE,
) -> JurySearch:
    """Measure all 2^k - 1 juries of a panel's k voters, single ones too, against the human labels.

    Under "majority" and "any" items collapse into patterns of votes (12 judges, 5,000 items, 10,000
    resamples: seconds). Under the other rules scores are part of a pattern, so continuous ones
    do not collapse: time and memory then grow with items x juries. On graded and nominal scales the
    headline measure takes the place of kappa in all tables, and there is no accuracy. Where a
    threshold cuts, juries pool the grades and are cut then.

    Parameters
    ----------
    panel : Panel
    bootstrap : Bootstrap
    criteria : Criteria, optional
    coverage : float
        The share of the labelled items that a jury, and the judge it is compared with, must have a
        vote on.

    Raises
    ------
    JuriesError
        If there are more than twelve voters, nothing to measure, human labels that are all the
        same, no judge that votes on enough items, or dollars for a judge that is not there.
    """
    criteria = criteria or Criteria()
    names = tuple(sorted(v.name for v in panel.votes.voters if v.kind != "jury"))
    if len(names) > MOST_VOTERS:
        raise JuriesError(
            f"jury search: {panel.dataset.name} has {len(names)} voters, {MOST_VOTERS} at most; "
            "leave some out"
        )
    if one_label(panel):
        raise JuriesError(
            f"jury search: all human labels of {panel.dataset.name} are the same, so agreement "
            "beyond chance can't tell juries apart; add labels of other values"
        )
    prices = criteria.dollars or {}
    for name in prices:
        if name not in names:
            raise JuriesError(f"dollars.{name}: there is no such judge{nearest(name, names)}")
    dollars = np.array([prices.get(name, np.nan) for name in names], float)
    parts: list[JurySearch] = []
    for rule in criteria.rules:
        if not panel.sided or panel.uncut is not None:  # juries pool grades before the cut
            found = GradedSearch(panel, names, rule, criteria.undecided, coverage)
            parts.append(tables(found, bootstrap, dollars))
            continue
        patterns = Patterns(panel, names, rule, criteria.undecided, coverage)
        parts.append(tables(patterns, bootstrap, dollars))
    joined = {
        name: pd.concat([getattr(part, name) for part in parts], ignore_index=True)
        for name in ("juries", "judges", "chosen")
    }
    for table in joined.values():
        table.insert(0, "dataset", panel.dataset.name)
    return JurySearch(**joined)
