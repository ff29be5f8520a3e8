"""A panel as measures take it: its votes and labels as codes, and which measures it has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from ..juries.panel import Panel
from ..juries.votes import TIE, Votes
from ..metrics.arrays import Array, Index, Mask, numbered
from ..metrics.graded import PICKS_BEST
from ..metrics.intervals import Interval
from ..metrics.measure import AnyMeasure, MeanOverClusters, MeanOverSubsets, Ratings
from ..metrics.measures import measures_of
from ..metrics.nominal import KAPPA_HALF
from ..metrics.ranks import ROC_AUC
from ..scale import Scale

HEADLINES = ("kappa", "weighted_kappa", "pearson", "roc_auc")
"""The measures that come first in tables of agreement, by scale; a row has one of them."""


COVERAGE = 0.9
"""The share of the labelled items that a voter must have voted on to be called the best."""


def headline_of(rows: pd.DataFrame) -> str:
    """Return the measure that ci_low and ci_high are of, in rows of one dataset."""
    there = [name for name in HEADLINES if name in rows]
    filled = [name for name in there if rows[name].notna().any()]
    return [*filled, *there, HEADLINES[0]][0]


def ranked_by(rows: pd.DataFrame) -> str:
    """Return the column by which voters of one dataset are compared, in rows of `agreement`."""
    halves = "kappa_half" in rows and rows["kappa_half"].notna().any()
    return "kappa_half" if halves else headline_of(rows)


def best_first(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows of `agreement` of one dataset, the best first; those not eligible come last."""
    by = ranked_by(rows)
    return rows.sort_values(
        ["eligible", by, "voter"],
        ascending=[False, False, False],
        na_position="last",
        kind="stable",
    )


def ratings(panel: Panel, *, common: bool = False) -> Ratings:
    """Return all voters' votes beside the human labels.

    Parameters
    ----------
    panel : Panel
    common : bool
        Whether an item on which a voter has no vote is missing for all of them.
    """
    votes, human = panel.votes.labels, panel.preferences
    found = Ratings(votes, human, panel.scale, panel.clusters, panel.subsets)
    return found.common() if common else found


UNDECIDED = (TIE, "inconsistent")
"""Outcomes of a voter that was asked and came down on neither side: no failures."""


def credited(votes: Votes) -> Array:
    """Return votes of two sides, 0.5 where a voter was tied or turned with the order of a pair.

    Such a vote counts for half: left out, a voter could win by deciding the easy items only.
    """
    return np.where(np.isin(votes.outcomes, UNDECIDED), 0.5, votes.labels)


def two_sided(panel: Panel, *, common: bool = False) -> Ratings:
    """Return the votes and labels of two sides as binary ones: those of neither are missing."""
    rated = ratings(panel, common=common)
    votes = np.where(np.isin(rated.votes, (0.0, 1.0)), rated.votes, np.nan)
    return replace(rated, votes=votes, human=panel.human, scale=Scale.binary())


def questions_of(rated: Ratings) -> Index:
    """Return on how many questions each voter and the humans both have a label, of shape (k,)."""
    _, at = numbered(rated.clusters)
    return np.array([np.count_nonzero(np.bincount(at[rows])) for rows in rated.both.T], np.intp)


def questions_on(panel: Panel, rows: Mask) -> int:
    """Return on how many questions some items are."""
    return int(np.count_nonzero(np.bincount(panel.clusters[rows])))


def of_sides(rated: Ratings) -> Ratings:
    """Return votes of two sides, where some are ties, as preferences."""
    return replace(rated, scale=Scale.preference())


def comparable(panel: Panel) -> bool:
    """Return whether a candidate's mean vote and its mean label can be subtracted.

    Not of pairs, whose labels are preferences, nor of nominal values, nor of graded votes beside
    binary labels.
    """
    means = panel.sided or (panel.graded and labelled(panel))
    return means and not panel.dataset.pairwise


def labelled(panel: Panel) -> bool:
    """Return whether any item has a human label."""
    return bool((~np.isnan(panel.preferences)).any())


def one_label(panel: Panel) -> bool:
    """Return whether all human labels are the same, so that agreement beyond chance is undefined.

    Kappa is then 0 for every voter that ever errs, and none for one that never does.
    """
    human = panel.human[~np.isnan(panel.human)]
    return human.size > 0 and bool((human == human[0]).all())


def headline(panel: Panel) -> AnyMeasure:
    """Return the first measure of a panel's votes against its labels."""
    return base_measures(panel)[0]


def compared(panel: Panel) -> tuple[AnyMeasure, Ratings]:
    """Return the measure by which voters are compared, and the votes it is taken of.

    The headline measure; of votes of two sides kappa with ties, and pairs whose preference turns
    with the order, for half.
    """
    if not panel.sided:
        return headline(panel), ratings(panel)
    rated = replace(ratings(panel), votes=credited(panel.votes), human=panel.human)
    return KAPPA_HALF, rated


def best_of(
    values: Array, n: Index, labelled: int, names: Sequence[str], coverage: float
) -> int | None:
    """Return the column of the highest value, of equals the last name; None where none may be.

    Left out are those without a value and those with votes on less than a share `coverage` of the
    labelled items: some are right on the three items they voted on.
    """
    may = [
        at
        for at, value in enumerate(values)
        if not np.isnan(value) and n[at] >= coverage * labelled
    ]
    return max(may, key=lambda at: (values[at], names[at]), default=None)


def base_measures(panel: Panel) -> tuple[AnyMeasure, ...]:
    """Return the measures of a panel's votes against its labels, over all items.

    Graded votes beside binary labels have the ROC AUC: it needs no threshold.
    """
    if panel.scale.graded and panel.label_scale.kind == "binary" and labelled(panel):
        return (ROC_AUC,)
    return measures_of(panel.scale)


def measures(panel: Panel) -> tuple[AnyMeasure, ...]:
    """Return all measures of a table of agreement, the headline first.

    The headline's means over questions, subsets and criteria come where there are several items in
    some question, several subsets or criteria; how often the best of a question's candidates is
    picked where votes are graded and a question has several.
    """
    found = list(base_measures(panel))
    if not panel.scale.graded:
        return tuple(found)
    items = tuple(panel.dataset.items)
    if np.bincount(panel.clusters).max(initial=0) > 1:
        found.append(MeanOverClusters(found[0]))
    if len({(item.subset, item.criterion) for item in items}) > 1:
        found.append(MeanOverSubsets(found[0]))
    groups = [(item.drawn_with, item.subset, item.criterion) for item in items]
    if several(groups):
        found.append(PICKS_BEST)
    return tuple(found)


def several(groups: Iterable[Hashable]) -> bool:
    """Return whether some group has two items or more."""
    return max(Counter(groups).values(), default=0) > 1


def columns(found: Mapping[str, Interval]) -> dict[str, object]:
    """Return measures as columns of a table: the first with ci_low and ci_high, others NAME_low."""
    made: dict[str, object] = {}
    for at, (name, one) in enumerate(found.items()):
        prefix = "ci" if at == 0 else name
        made |= {name: one.value, f"{prefix}_low": one.low, f"{prefix}_high": one.high}
    return made
