"""Which jury to take: all juries of a panel's voters, measured at once against the human labels.

Picking the best of thousands of juries on the items they are measured on is optimistically biased.
What the picking is worth is measured on held-out questions: see `analysis.jury_validation`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..errors import JuriesError, nearest
from ..juries.panel import Panel
from ..juries.rules import Rule
from ..metrics.agreement import cohen_kappa
from ..metrics.arrays import Array
from ..metrics.bootstrap import Bootstrap
from ..metrics.significance import holm, normal_p_values
from .found_juries import JurySearch, pareto_front, wins_of
from .graded_search import GradedSearch
from .jury_patterns import Patterns, Resampled, intervals, measures, own_counts
from .jury_validation import chosen

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
    folds : int
        Of the cross-validation over questions.
    coverage : float
        A jury can be chosen if it decides at least this share of the labelled items that the judge
        with most votes votes on. Without such a floor those juries would win that decide the easy
        items only: under "majority", two judges that differ decide nothing.
    """

    rules: tuple[Rule, ...] = ("majority",)
    dollars: Mapping[str, float] | None = None
    folds: int = 5
    coverage: float = 0.95

    def __post_init__(self) -> None:
        if self.folds < 2:
            raise JuriesError(f"folds: {self.folds} is too few; set 2 or more")
        if not 0 <= self.coverage <= 1:
            raise JuriesError(f"coverage: {self.coverage} must be between 0 and 1")
        for name, dollars in (self.dollars or {}).items():
            if not dollars >= 0:
                raise JuriesError(f"dollars.{name}: {dollars} must be 0 or more")


def search_juries(
    panel: Panel, bootstrap: Bootstrap, criteria: Criteria | None = None
) -> JurySearch:
    """Measure all 2^k - 1 juries of a panel's k voters, single ones too, against the human labels.

    Under "majority" and "any" items collapse into patterns of votes (12 judges, 5,000 items, 10,000
    resamples: seconds). Under the other rules scores are part of a pattern, so continuous ones
    do not collapse: time and memory then grow with items x juries. On graded and nominal scales the
    headline measure takes the place of kappa in all tables, and there is no accuracy.

    Raises
    ------
    JuriesError
        If there are more than twelve voters, nothing to measure, fewer questions than folds,
        dollars for a judge that is not there, or a graded panel that was cut at a threshold.
    """
    criteria = criteria or Criteria()
    names = tuple(sorted(v.name for v in panel.votes.voters if v.kind != "jury"))
    if len(names) > MOST_VOTERS:
        raise JuriesError(
            f"jury search: {panel.dataset.name} has {len(names)} voters, {MOST_VOTERS} at most; "
            "leave some out"
        )
    if panel.uncut is not None:
        # The search would pool votes after the cut, and a panel's own juries pool before it.
        raise JuriesError(
            f"jury search: {panel.dataset.name} was cut at a threshold, before which juries pool; "
            "search without analysis.threshold"
        )
    prices = criteria.dollars or {}
    for name in prices:
        if name not in names:
            raise JuriesError(f"dollars.{name}: there is no such judge{nearest(name, names)}")
    dollars = np.array([prices.get(name, np.nan) for name in names], float)
    parts: list[JurySearch] = []
    for rule in criteria.rules:
        if not panel.sided:
            found = GradedSearch(panel, names, rule, criteria.coverage)
            parts.append(found.tables(bootstrap, criteria.folds, dollars))
            continue
        patterns = Patterns(panel, names, rule, criteria.coverage)
        draws = patterns.resampled(bootstrap)
        parts.append(
            JurySearch(
                _juries(patterns, draws, bootstrap, dollars),
                _judges(patterns, draws, bootstrap, dollars),
                chosen(patterns, bootstrap, criteria.folds),
            )
        )
    joined = {
        name: pd.concat([getattr(part, name) for part in parts], ignore_index=True)
        for name in ("juries", "judges", "chosen")
    }
    for table in joined.values():
        table.insert(0, "dataset", panel.dataset.name)
    return JurySearch(**joined)


def _juries(
    patterns: Patterns, draws: Resampled, bootstrap: Bootstrap, dollars: Array
) -> pd.DataFrame:
    """Measure each jury.

    Returns
    -------
    DataFrame
        A row a jury, small ones first: rule, jury (str); seats, n, the labelled items it decided,
        and missing, the others (int); kappa with ci_low and ci_high, accuracy with accuracy_low
        and accuracy_high, usd_per_item, NaN where a member's is not known (float); eligible, if it
        may be chosen; pareto, if no eligible jury of known cost has a higher kappa for no more, or
        no lower one for less (bool); wins, the share of resamples in which it has the highest kappa
        of the eligible (float); beside, the best eligible judge (str); difference, the jury's
        kappa less that judge's on the items both decided, with difference_low, difference_high, p
        (NaN where the two never differ), and p_holm, corrected for all juries of the rule (Holm
        1979). That judge is picked on the same items, which is optimistically
        biased.
    """
    cells = patterns.cells(patterns.total)[..., 0]
    own = own_counts(cells)
    kappa, share, difference = measures(cells)
    n = own.sum(axis=-1).astype(int)
    usd = np.where(patterns.members, dollars, 0.0).sum(axis=1)
    may_win = patterns.eligible(own[:, None], patterns.total)[:, 0]
    low, high = intervals(draws.kappa, bootstrap)
    accuracy_low, accuracy_high = intervals(draws.accuracy, bootstrap)
    difference_low, difference_high = intervals(draws.difference, bootstrap)
    p = normal_p_values(difference, draws.difference)
    return pd.DataFrame(
        {
            "rule": patterns.rule,
            "jury": [jury.name for jury in patterns.juries],
            "seats": patterns.members.sum(axis=1),
            "n": n,
            "missing": int(patterns.total.sum()) - n,
            "kappa": kappa,
            "ci_low": low,
            "ci_high": high,
            "accuracy": share,
            "accuracy_low": accuracy_low,
            "accuracy_high": accuracy_high,
            "usd_per_item": usd,
            "eligible": ~np.isnan(may_win),
            "pareto": pareto_front(usd, may_win),
            "wins": wins_of(draws.kappa, ~np.isnan(may_win)),
            "beside": patterns.names[patterns.best],
            "difference": difference,
            "difference_low": difference_low,
            "difference_high": difference_high,
            "p": p,
            "p_holm": holm(p),
        }
    )


def _judges(
    patterns: Patterns, draws: Resampled, bootstrap: Bootstrap, dollars: Array
) -> pd.DataFrame:
    """Measure what each judge is worth alone, and to juries.

    Returns
    -------
    DataFrame
        A row a judge, by name: rule, judge (str); n and missing (int); kappa, its own;
        shapley, its Shapley value (see `Patterns.shapley`) with ci_low and ci_high, NaN where some
        jury has no kappa; usd_per_item (float). The values of all judges sum to the kappa of the
        jury of all.
    """
    own = patterns.judge_counts(patterns.total)[:, 0]
    n = own.sum(axis=-1).astype(int)
    kappas = cohen_kappa(own_counts(patterns.cells(patterns.total)[..., 0]))
    low, high = intervals(patterns.shapley.astype(draws.kappa.dtype) @ draws.kappa, bootstrap)
    return pd.DataFrame(
        {
            "rule": patterns.rule,
            "judge": patterns.names,
            "n": n,
            "missing": int(patterns.total.sum()) - n,
            "kappa": cohen_kappa(own),
            "shapley": patterns.shapley @ kappas,
            "ci_low": low,
            "ci_high": high,
            "usd_per_item": dollars,
        }
    )
