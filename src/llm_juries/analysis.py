"""From votes to numbers: agreement with humans, deltas, juries beside judges. Asks no model.

Every number comes with its interval and the count of the votes it lacks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from .juries import DECIDED, Voter
from .metrics import agreement, annotation, bias
from .metrics.resampling import bootstrap, cluster_sums, percentile_interval
from .seating import Inconsistent, Panel
from .types import JuriesError

FEWEST = 2  # resamples that have a spread
KINDS = ("human", "reference", "judge", "lexical", "jury")


@dataclass(frozen=True)
class Bootstrap:
    """How intervals are made: resamples of whole questions, a seed, and the level."""

    resamples: int = 10_000
    seed: int = 0
    level: float = 0.95

    def __post_init__(self) -> None:
        if self.resamples < FEWEST:
            raise JuriesError(f"resamples: {self.resamples} are too few; set {FEWEST} or more")
        if self.seed < 0:
            raise JuriesError(f"seed: is {self.seed}; set 0 or more")
        if not 0 < self.level < 1:
            raise JuriesError(f"level: is {self.level}; set a share between 0 and 1, such as 0.95")


@dataclass(frozen=True)
class Options:
    """What to measure, and how.

    Parameters
    ----------
    inconsistent : {"missing", "tie", "mean"}
        What a pair counts as whose two orders point to different sides; see `seating`.
    candidate_families : mapping of str to str, optional
        The family of each model that answered, in the words of the judges' families.
    labelled_questions : int, optional
        Correct accuracies by the human labels of this many questions only; see `corrected`.
    interval_width : float
        For which it is told how many human labels it takes, from end to end, a share of 1.
    paper_table1 : str, optional
        CSV of the paper's printed kappas, to be drawn beside ours.
    """

    inconsistent: Inconsistent = "missing"
    candidate_families: Mapping[str, str] | None = None
    labelled_questions: int | None = None
    interval_width: float = 0.1
    paper_table1: str | None = None


def agreement_table(panel: Panel, options: Bootstrap) -> pd.DataFrame:
    """Measure each voter against the human labels.

    Returns
    -------
    DataFrame
        A row a voter, sorted by kind and name, with the columns dataset, voter, kind (str); n, the
        labelled items it voted on, and missing, those it did not (int); kappa with ci_low and
        ci_high, accuracy, tpr, tnr, balanced_accuracy (float).
    """
    cells = agreement.outcomes(panel.votes.labels, panel.human)
    sums = cluster_sums(cells, panel.questions)
    counts = sums.sum(axis=0)
    draws = bootstrap(agreement.cohen_kappa, sums, options.resamples, options.seed)
    low, high = percentile_interval(draws, options.level)
    labelled = int((~np.isnan(panel.human)).sum())
    n = counts.sum(-1).astype(int)
    columns = {
        "n": n,
        "missing": labelled - n,
        "kappa": agreement.cohen_kappa(counts),
        "ci_low": low,
        "ci_high": high,
        "accuracy": agreement.accuracy(counts),
        "tpr": agreement.true_positive_rate(counts),
        "tnr": agreement.true_negative_rate(counts),
        "balanced_accuracy": agreement.balanced_accuracy(counts),
    }
    return by_voter(panel, panel.votes.voters, columns)


def outcome_table(panel: Panel) -> pd.DataFrame:
    """Count what became of each voter's votes, on labelled and unlabelled items.

    Returns
    -------
    DataFrame
        A row a voter: dataset, voter, kind (str); items and a column for each outcome met (int).
    """
    outcomes = panel.votes.outcomes
    met = sorted(np.unique(outcomes), key=lambda name: (name != DECIDED, name))
    counts = {str(name): (outcomes == name).sum(axis=0) for name in met}
    return by_voter(panel, panel.votes.voters, {"items": len(outcomes), **counts})


def delta_table(panel: Panel, options: Bootstrap) -> pd.DataFrame:
    """Compare each candidate's accuracy under each voter with its accuracy under humans.

    Returns
    -------
    DataFrame
        A row a voter and candidate: dataset, voter, kind, candidate (str); n and missing (int);
        judged, human, delta = judged - human with ci_low and ci_high (float, shares of 1). Empty
        for pairs, whose labels are preferences.
    """
    if panel.dataset.pairwise:
        return pd.DataFrame()
    candidates = [item.candidate for item in panel.dataset.items]
    found = bias.accuracy_deltas(
        panel.votes.labels,
        panel.human,
        candidates,
        panel.questions,
        options.resamples,
        options.seed,
        options.level,
    )
    labelled = pd.Series(~np.isnan(panel.human)).groupby(np.array(candidates)).sum()
    frames = [
        pd.DataFrame(
            {
                "dataset": panel.dataset.name,
                "voter": voter.name,
                "kind": voter.kind,
                "candidate": found.candidates,
                "n": found.n[:, at].astype(int),
                "missing": labelled[list(found.candidates)].to_numpy() - found.n[:, at].astype(int),
                "judged": found.judged[:, at],
                "human": found.human[:, at],
                "delta": found.delta[:, at],
                "ci_low": found.low[:, at],
                "ci_high": found.high[:, at],
            }
        )
        for at, voter in enumerate(panel.votes.voters)
    ]
    return in_order(pd.concat(frames, ignore_index=True), "candidate")


def against_best_table(panel: Panel, options: Bootstrap) -> pd.DataFrame:
    """Set each jury beside the best single judge: of its members, and of all that voted.

    The difference is taken within each resample, so what is common to both cancels. The best judge
    is picked on the same items it is measured on, which flatters it.

    Returns
    -------
    DataFrame
        Two rows a jury: dataset, jury, beside ("best member" or "best judge"), judge (str); n and
        missing, the labelled items both voted on and the others (int); jury_kappa and judge_kappa
        over those n items, difference = jury - judge with ci_low and ci_high (float).
    """
    labels, human = panel.votes.labels, panel.human
    cells = agreement.outcomes(labels, human)
    kappa = agreement.cohen_kappa(cells.sum(axis=0))
    voters = panel.votes.voters
    singles = [at for at, voter in enumerate(voters) if voter.kind != "jury"]
    rows = []
    for at, jury in enumerate(voters):
        if jury.kind != "jury":
            continue
        members = [one for one in singles if voters[one].name in jury.members]
        for beside, candidates in (("best member", members), ("best judge", singles)):
            measured = [one for one in candidates if not np.isnan(kappa[one])]
            if not measured:
                continue
            best = max(measured, key=lambda one: (kappa[one], voters[one].name))
            pair = cells[:, [at, best]]
            both = pair.sum(axis=2).all(axis=1)  # the same items for both
            sums = cluster_sums(pair * both[:, None, None], panel.questions)
            draws = bootstrap(agreement.cohen_kappa, sums, options.resamples, options.seed)
            low, high = percentile_interval(draws[:, 0] - draws[:, 1], options.level)
            own, other = agreement.cohen_kappa(sums.sum(axis=0))
            rows.append(
                {
                    "dataset": panel.dataset.name,
                    "jury": jury.name,
                    "beside": beside,
                    "judge": voters[best].name,
                    "n": int(both.sum()),
                    "missing": int((~np.isnan(human)).sum() - both.sum()),
                    "jury_kappa": own,
                    "judge_kappa": other,
                    "difference": own - other,
                    "ci_low": float(low),
                    "ci_high": float(high),
                }
            )
    return pd.DataFrame(rows)


def annotator_table(panel: Panel, options: Bootstrap) -> pd.DataFrame:
    """Measure how far the annotators agree among themselves.

    Returns
    -------
    DataFrame
        A row for Krippendorff's alpha over all annotators, then one for Cohen's kappa of each two
        that labelled an item in common: dataset, measure ("krippendorff_alpha" or "cohen_kappa"),
        annotators (str); n, the items with two labels or more, or with both (int); agreement with
        ci_low and ci_high (float). Empty where no item has two labels.
    """
    votes, names = panel.annotations, panel.dataset.annotators
    given = ~np.isnan(votes)
    several = int((given.sum(axis=1) >= 2).sum())
    if not several:
        return pd.DataFrame()
    both = given.T.astype(int) @ given
    pairs = [(one, other) for one, other in combinations(range(len(names)), 2) if both[one, other]]
    units = cluster_sums(annotation.coincidences(votes), panel.questions)
    crossed = [annotation.crossed(votes[:, one], votes[:, other]) for one, other in pairs]
    tables = np.stack([cluster_sums(cells, panel.questions) for cells in crossed], axis=1)
    alpha, kappa = annotation.krippendorff_alpha, annotation.cohen_kappa
    draws = [
        bootstrap(alpha, units, options.resamples, options.seed)[:, None],
        bootstrap(kappa, tables, options.resamples, options.seed),
    ]
    low, high = percentile_interval(np.hstack(draws), options.level)
    return pd.DataFrame(
        {
            "dataset": panel.dataset.name,
            "measure": ["krippendorff_alpha", *["cohen_kappa"] * len(pairs)],
            "annotators": ["all", *(f"{names[one]}, {names[other]}" for one, other in pairs)],
            "n": [several, *(int(both[pair]) for pair in pairs)],
            "agreement": [float(alpha(units.sum(axis=0))), *kappa(tables.sum(axis=0))],
            "ci_low": low,
            "ci_high": high,
        }
    )


def by_voter(panel: Panel, voters: Sequence[Voter], columns: Mapping[str, object]) -> pd.DataFrame:
    """Return a table of a panel's dataset, a row a voter, sorted by kind and name."""
    head = {
        "dataset": panel.dataset.name,
        "voter": [voter.name for voter in voters],
        "kind": [voter.kind for voter in voters],
    }
    return in_order(pd.DataFrame({**head, **columns}))


def in_order(table: pd.DataFrame, *then: str) -> pd.DataFrame:
    """Sort by kind, name and more, so that tables do not depend on the order of a config."""
    rank = table["kind"].map({kind: at for at, kind in enumerate(KINDS)})
    return (
        table.assign(_rank=rank)
        .sort_values(["dataset", "_rank", "voter", *then], kind="stable")
        .drop(columns="_rank")
        .reset_index(drop=True)
    )
