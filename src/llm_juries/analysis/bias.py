"""Tables of bias toward candidates: even-handedness, error rates, and self-preference."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd

from ..errors import JuriesError
from ..juries.panel import Panel
from ..metrics import self_preference as measures
from ..metrics.bootstrap import Bootstrap
from ..metrics.measure import few_levels
from ..metrics.significance import holm
from .measured import comparable, labelled
from .order import by_voter, in_order

log = logging.getLogger(__name__)


def spread(panel: Panel, bootstrap: Bootstrap) -> pd.DataFrame:
    """Measure how unevenly each voter treats the candidates: the paper's standard deviation.

    Returns
    -------
    DataFrame
        A row a voter: dataset, voter, kind (str); candidates (int); spread, the standard deviation
        over candidates of their accuracy under the voter less that under humans, with ci_low and
        ci_high (float; shares of 1, or the numbers of a graded scale). Empty for pairs, on nominal
        scales, without human labels, and with fewer than two candidates.
    """
    candidates = [item.candidate for item in panel.dataset.items]
    if not comparable(panel) or not labelled(panel) or len(set(candidates)) < 2:
        return pd.DataFrame()
    value, low, high = measures.spread(
        panel.votes.labels,
        panel.human,
        candidates,
        panel.clusters,
        bootstrap,
    )
    columns = {
        "candidates": len(set(candidates)),
        "spread": value,
        "ci_low": low,
        "ci_high": high,
    }
    return by_voter(panel, panel.votes.voters, columns)


def rates(panel: Panel, bootstrap: Bootstrap) -> pd.DataFrame:
    """Measure how many of each candidate's right and wrong answers each voter recognises.

    Returns
    -------
    DataFrame
        A row a voter and candidate: dataset, voter, kind, candidate; positives, negatives; tpr and
        tnr, each with _low and _high. Empty unless single answers are right or wrong, and labelled.
    """
    if not panel.sided or not comparable(panel) or not labelled(panel):
        return pd.DataFrame()
    kinds = {voter.name: voter.kind for voter in panel.votes.voters}
    table = measures.candidate_rates(
        panel.votes.labels,
        panel.human,
        [item.candidate for item in panel.dataset.items],
        panel.clusters,
        panel.votes.names,
        bootstrap.level,
    )
    table.insert(0, "dataset", panel.dataset.name)
    table.insert(2, "kind", table["voter"].map(kinds))
    return in_order(table, "candidate")


def families(
    panel: Panel, bootstrap: Bootstrap, candidate_families: dict[str, str]
) -> pd.DataFrame:
    """Compare each judge's accuracies with the humans' on the answers of each family of models.

    Returns
    -------
    DataFrame
        A row a judge and family; see `metrics.self_preference.family_deltas`. Empty for pairs, on
        nominal scales, without human labels, and where the candidates' families are not given.
    """
    if not comparable(panel) or not labelled(panel) or not candidate_families:
        return pd.DataFrame()
    judges = _judges(panel)
    of_answers = measures.family_of(
        [item.candidate for item in panel.dataset.items], candidate_families
    )
    table = measures.family_deltas(
        panel.votes.columns(judges).labels,
        panel.human,
        of_answers,
        panel.clusters,
        judges,
        [voter.group(of_answers) for voter in panel.votes.columns(judges).voters],
        bootstrap.level,
        (0.0, 1.0) if panel.sided else few_levels(panel.scale),
    )
    table.insert(0, "dataset", panel.dataset.name)
    return table


def self_preference(
    panel: Panel, bootstrap: Bootstrap, candidate_families: dict[str, str]
) -> pd.DataFrame:
    """Estimate what being of a judge's own family adds to its positive votes, by regression.

    Returns
    -------
    DataFrame
        A row for all judges and one for each that can be told apart: dataset, judge (str); own with
        ci_low and ci_high, p, and p_holm, corrected for all single judges; placebo, the share of
        placebos (a judge beside a candidate that is not of its family) that stand out as much;
        odds, the odds ratio of a conditional logit, with odds_low and odds_high (float); n, votes
        (int). Being of the judge's family is confounded with what else the family's answers are,
        such as better or sharper: a small p with many placebos as large is no preference. Empty for
        pairs, without human labels, on graded and nominal scales, where the candidates' families
        are not given, and where no judge is of a candidate's family.
    """
    if not panel.sided or not comparable(panel) or not labelled(panel) or not candidate_families:
        return pd.DataFrame()
    judges = _judges(panel)
    of_answers = measures.family_of(
        [item.candidate for item in panel.dataset.items], candidate_families
    )
    try:
        found = measures.preference_regression(
            panel.votes.columns(judges).labels,
            panel.human,
            list(range(len(of_answers))),
            of_answers,
            panel.clusters,
            judges,
            [voter.group(of_answers) for voter in panel.votes.columns(judges).voters],
            bootstrap.level,
            [item.candidate for item in panel.dataset.items],
        )
    except JuriesError as error:
        log.info("%s: %s", panel.dataset.name, error)
        return pd.DataFrame()
    return pd.DataFrame(
        {
            "dataset": panel.dataset.name,
            "judge": [one.judge for one in found],
            "own": [one.own for one in found],
            "ci_low": [one.low for one in found],
            "ci_high": [one.high for one in found],
            "p": [one.p for one in found],
            "p_holm": holm(
                np.array([np.nan if one.judge == "all" else one.p for one in found], float)
            ),
            "placebo": [one.placebo for one in found],
            "odds": [one.odds for one in found],
            "odds_low": [one.odds_low for one in found],
            "odds_high": [one.odds_high for one in found],
            "n": [one.n for one in found],
            "votes": [one.votes for one in found],
        }
    )


def _judges(panel: Panel) -> tuple[str, ...]:
    return tuple(sorted(voter.name for voter in panel.votes.voters if voter.kind == "judge"))
