"""Tables of agreement with the human labels, and of the annotators among themselves."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd

from ..juries.panel import Panel
from ..juries.votes import DECIDED
from ..metrics import agreement as measures
from ..metrics import annotation, bias
from ..metrics.bootstrap import Bootstrap, cluster_sums
from .order import by_voter, in_order


def agreement(panel: Panel, bootstrap: Bootstrap) -> pd.DataFrame:
    """Measure each voter against the human labels.

    Returns
    -------
    DataFrame
        A row a voter, sorted by kind and name, with the columns dataset, voter, kind (str); n, the
        labelled items it voted on, and missing, those it did not (int); kappa with ci_low and
        ci_high, accuracy, tpr, tnr, balanced_accuracy (float).
    """
    cells = measures.outcomes(panel.votes.labels, panel.human)
    sums = cluster_sums(cells, panel.questions)
    counts = sums.sum(axis=0)
    kappa, low, high = bootstrap.interval(measures.cohen_kappa, sums)
    labelled = int((~np.isnan(panel.human)).sum())
    n = counts.sum(-1).astype(int)
    columns = {
        "n": n,
        "missing": labelled - n,
        "kappa": kappa,
        "ci_low": low,
        "ci_high": high,
        "accuracy": measures.accuracy(counts),
        "tpr": measures.true_positive_rate(counts),
        "tnr": measures.true_negative_rate(counts),
        "balanced_accuracy": measures.balanced_accuracy(counts),
    }
    return by_voter(panel, panel.votes.voters, columns)


def outcomes(panel: Panel) -> pd.DataFrame:
    """Count what became of each voter's votes, on labelled and unlabelled items.

    Returns
    -------
    DataFrame
        A row a voter: dataset, voter, kind (str); items and a column for each outcome met (int).
    """
    found = panel.votes.outcomes
    met = sorted(np.unique(found), key=lambda name: (name != DECIDED, name))
    counts = {str(name): (found == name).sum(axis=0) for name in met}
    return by_voter(panel, panel.votes.voters, {"items": len(found), **counts})


def deltas(panel: Panel, bootstrap: Bootstrap) -> pd.DataFrame:
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
        bootstrap,
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


def annotators(panel: Panel, bootstrap: Bootstrap) -> pd.DataFrame:
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
        bootstrap.draws(alpha, units)[:, None],
        bootstrap.draws(kappa, tables),
    ]
    low, high = bootstrap.ends(np.hstack(draws))
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


def between_judges(panel: Panel, bootstrap: Bootstrap) -> pd.DataFrame:
    """Measure how far each two judges agree with each other; no human label is needed.

    Returns
    -------
    DataFrame
        A row for each two voters that are no juries, by name: dataset, judge, other (str); n, the
        items both voted on, and missing, the others (int); kappa with ci_low and ci_high, and
        accuracy, the share of n with the same label (float). Ties of pairs are left out.
    """
    names = sorted(voter.name for voter in panel.votes.voters if voter.kind != "jury")
    labels = panel.votes.columns(tuple(names)).labels
    pairs = list(combinations(range(len(names)), 2))
    cells = np.concatenate(
        [measures.outcomes(labels[:, [one]], labels[:, other]) for one, other in pairs], axis=1
    )
    sums = cluster_sums(cells, panel.questions)
    counts = sums.sum(axis=0)
    kappa, low, high = bootstrap.interval(measures.cohen_kappa, sums)
    n = counts.sum(-1).astype(int)
    return pd.DataFrame(
        {
            "dataset": panel.dataset.name,
            "judge": [names[one] for one, _ in pairs],
            "other": [names[other] for _, other in pairs],
            "n": n,
            "missing": len(labels) - n,
            "kappa": kappa,
            "ci_low": low,
            "ci_high": high,
            "accuracy": measures.accuracy(counts),
        }
    )
