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
from ..metrics.agreement import cohen_kappa
from ..metrics.arrays import Array
from ..metrics.bootstrap import Bootstrap
from ..metrics.power import questions_needed
from ..metrics.significance import (
    max_t_quantile,
    normal_p_values,
    standard_errors,
    step_down_max_t,
)
from .found_juries import JurySearch, pareto_front, wins_of
from .graded_search import GradedSearch
from .jury_patterns import Patterns, Resampled, both_counts, intervals, measures, own_counts
from .jury_validation import Candidates, chosen, first_of
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
            parts.append(found.tables(bootstrap, dollars))
            continue
        patterns = Patterns(panel, names, rule, criteria.undecided, coverage)
        draws = patterns.resampled(bootstrap)
        parts.append(
            JurySearch(
                _juries(patterns, draws, bootstrap, dollars),
                _judges(patterns, draws, bootstrap, dollars),
                _chosen(patterns, draws, bootstrap),
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
        A row a jury, small ones first: rule, jury (str); seats, n, the labelled items it has a vote
        on, missing, the others, and undecided, those of all that its rule does not decide (int);
        kappa with ci_low and ci_high, accuracy with accuracy_low and accuracy_high, usd_per_item,
        NaN where a member's is not known (float); eligible, if it may be chosen; pareto, if no
        eligible jury of known cost has a higher kappa for no more, or no lower one for less
        (bool); wins, the share of resamples in which it has the highest kappa of the eligible
        (float); beside, the best eligible judge (str); n_both, the items on which both have a vote
        (int); judge_kappa, that judge's on them, and difference, the jury's kappa on them less that
        judge's, with difference_low, difference_high, p (NaN where the two never differ), and
        p_max_t, of the jury being no better, corrected for all juries of the rule (see
        `metrics.significance.step_down_max_t`); questions_needed, how many would find the
        difference with a power of 80% in such a search.
        Juries and that judge are picked on the items they are measured on.
    """
    cells = patterns.cells(patterns.total)[..., 0]
    own = own_counts(cells)
    kappa, share, difference = measures(cells)
    of_judge = both_counts(cells)[1]
    n = own.sum(axis=-1).astype(int)
    labelled = int(patterns.total.sum())
    usd = np.where(patterns.members, dollars, 0.0).sum(axis=1)
    may_win = patterns.eligible(own[:, None], patterns.total)[:, 0]
    low, high = intervals(draws.kappa, bootstrap)
    accuracy_low, accuracy_high = intervals(draws.accuracy, bootstrap)
    difference_low, difference_high = intervals(draws.difference, bootstrap)
    return pd.DataFrame(
        {
            "rule": patterns.rule,
            "jury": [jury.name for jury in patterns.juries],
            "seats": patterns.members.sum(axis=1),
            "n": n,
            "missing": labelled - n,
            "undecided": labelled - patterns.alone,
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
            "n_both": of_judge.sum(axis=-1).astype(int),
            "judge_kappa": cohen_kappa(of_judge),
            "difference": difference,
            "difference_low": difference_low,
            "difference_high": difference_high,
            "p": normal_p_values(difference, draws.difference),
            "p_max_t": step_down_max_t(difference, draws.difference, "greater"),
            "questions_needed": questions_needed(
                difference,
                standard_errors(draws.difference),
                int((patterns.counts.sum(axis=1) > 0).sum()),
                critical=max_t_quantile(difference, draws.difference, bootstrap.level, "greater"),
            ),
        }
    )


def _chosen(patterns: Patterns, draws: Resampled, bootstrap: Bootstrap) -> pd.DataFrame:
    """Measure what the choice is worth; see `jury_validation.chosen`."""
    total = patterns.total
    own = own_counts(patterns.cells(total)[..., 0])
    judges = patterns.judge_counts(total)
    juries = patterns.eligible(own[:, None], total)[:, 0]
    found = patterns.eligible(judges, total)[:, 0]
    sums = (patterns.counts @ patterns.judge_cells.reshape(len(patterns.human), -1)).reshape(
        -1, *patterns.judge_cells.shape[1:]
    )
    candidates = Candidates(
        patterns.rule,
        "kappa",
        tuple(jury.name for jury in patterns.juries),
        patterns.names,
        cohen_kappa(own),
        cohen_kappa(judges[:, 0]),
        draws.kappa,
        bootstrap.draws(cohen_kappa, sums).T,
        ~np.isnan(juries),
        ~np.isnan(found),
        patterns.beside,
        cohen_kappa,
    )
    labelled = int(total.sum())
    at = first_of(candidates.jury_values, candidates.jury_eligible)
    return chosen(candidates, bootstrap, int(own[at].sum()), labelled)


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
