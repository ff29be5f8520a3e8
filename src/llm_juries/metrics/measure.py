"""The mechanism of all measures: sums over items, a formula on them, and an interval.

A measure is a function of how often each cluster (question) counts. Most are a formula on sums of
statistics an item (`Measure`), so that all bootstrap resamples are one matrix product; rank
correlations and the ROC AUC (`ranks`) are functions of all items, but of the clusters' weights too.
So one function, `estimates`, gives every measure its value and its cluster-robust interval: see
`metrics.intervals`. A measure without meaning (no item, one class only, a constant column) is NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Protocol, Self

import numpy as np

from ..errors import JuriesError
from ..scale import Kind, Scale
from .arrays import Array, Index, Labels, Mask, numbered, ratio
from .bootstrap import Bootstrap, cluster_sums
from .intervals import (
    CHUNK,
    Contrast,
    Interval,
    Reweighted,
    Transform,
    additive,
    cluster_t,
    imagined_size,
)

SAME = 1e-9  # numbers that differ by less are equal: means of votes carry rounding
MOST_CLUSTERS = 1000  # left out one at a time; more are left out in groups
MOST_LEVELS = 7  # of a scale of which every cell is imagined


@dataclass(frozen=True, eq=False)
class Ratings:
    """The votes of k voters on n items beside the human labels, as codes of a scale.

    Attributes
    ----------
    votes : array of shape (n, k)
        Codes as `Scale.encode` gives them, NaN where missing. Means of levels may lie between two.
    human : array of shape (n,)
        Codes of the same scale (0 and 1 for `roc_auc`), NaN where there is no label.
    scale : Scale
        Of the votes.
    clusters : sequence of n labels
        The question each item belongs to: what is resampled.
    subsets : sequence of n labels, optional
        The subset or criterion of each item.
    """

    votes: Array
    human: Array
    scale: Scale
    clusters: Labels
    subsets: Labels | None = None

    @property
    def both(self) -> Mask:
        """Where a voter and the humans have a label, of shape (n, k)."""
        return ~np.isnan(self.votes) & ~np.isnan(self.human)[:, None]

    def only(self, rows: Mask) -> Self:
        """Return the ratings with all votes missing outside some rows; the clusters stay."""
        return replace(self, votes=np.where(rows[:, None], self.votes, np.nan))

    def common(self) -> Self:
        """Return the ratings with the items that any voter misses missing for all."""
        return self.only(np.asarray(~np.isnan(self.votes).any(axis=1)))


class AnyMeasure(Protocol):
    """What has a name, the kinds of scale it is for, a transform and a value of ratings."""

    @property
    def name(self) -> str:
        """The name of its column in tables."""

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds of scale it is for."""

    @property
    def transform(self) -> Transform:
        """Where its interval is symmetric."""

    def over(self, ratings: Ratings, *, jointly: bool = False) -> Reweighted:
        """Return the measure of these ratings as a function of the clusters' weights.

        With `jointly` the values of two voters are to be compared: imagined cells are those of both
        votes and the label.
        """


Cells = Sequence[tuple[float, float]]
"""Votes beside labels that can be imagined, each as likely as the others."""


def few_levels(scale: Scale) -> Sequence[float]:
    """Return the values of a scale that has few, else none."""
    return scale.codes if len(scale.codes) <= MOST_LEVELS else ()


def every_cell(scale: Scale) -> Cells:
    """Return each pair of values, none of a scale of many."""
    levels = few_levels(scale)
    return list(product(levels, levels))


def hit_or_miss(scale: Scale) -> Cells:
    """Return the pairs of the lowest and the highest value: two are hits and two are misses."""
    ends = scale.codes[:1] + scale.codes[-1:]
    return list(product(ends, ends))


def no_cell(scale: Scale) -> Cells:  # noqa: ARG001
    """Return no pair."""
    return ()


@dataclass(frozen=True)
class Measure:
    """A measure that is a formula on sums over items.

    Attributes
    ----------
    name : str
    kinds : tuple of Kind
        The kinds of scale it is for.
    statistics : callable
        From ratings to an array of shape (n, k, s) whose sums over any items suffice for the
        measure of these items. All zero where a label is missing.
    formula : callable
        From sums of shape (..., s) to values of shape (...), NaN where they have no meaning.
    transform : {"identity", "fisher", "logit", "log"}
        Where it lies, and the transform under which its interval is symmetric where nothing can be
        imagined.
    cells : callable
        From a scale to imagined votes beside labels; see `metrics.intervals`.
    pooled : bool
        Whether all voters have one value together, without labels: then the votes of two of them
        are imagined.
    sparing : bool
        Whether cells are imagined only where the data alone give no interval.
    """

    name: str
    kinds: tuple[Kind, ...]
    statistics: Callable[[Ratings], Array]
    formula: Callable[[Array], Array]
    transform: Transform = "identity"
    cells: Callable[[Scale], Cells] = every_cell
    pooled: bool = False
    sparing: bool = False

    def over(self, ratings: Ratings, *, jointly: bool = False) -> Reweighted:
        """Return the measure of these ratings as a function of the clusters' weights."""
        check_kind(self, ratings)
        n = len(ratings.human)
        if not n:
            return additive(self.statistics(ratings), self.formula)
        imagined = self.imagined(ratings.scale, ratings.votes.shape[1], jointly=jointly)
        every = replace(
            ratings,
            votes=np.vstack([ratings.votes, imagined[:, :-1]]),
            human=np.concatenate([ratings.human, imagined[:, -1]]),
        )
        if len(imagined):  # statistics of single items: what they belong to does not matter
            every = replace(every, clusters=range(len(every.human)), subsets=None)
        statistics = self.statistics(every)
        own, of_cells = statistics[:n], statistics[n:]
        counted = (own != 0).any(axis=-1).astype(float)
        both = cluster_sums(np.concatenate([own, counted[..., None]], axis=-1), ratings.clusters)
        return self.of_sums(both[..., :-1], both[..., -1], of_cells)

    def of_sums(self, sums: Array, items: Array, of_cells: Array) -> Reweighted:
        """Return the measure of sums over clusters as a function of the clusters' weights.

        Parameters
        ----------
        sums : array of shape (clusters, ..., s)
            Of the statistics.
        items : array of shape (clusters, ...)
            How many items they are of.
        of_cells : array of shape (cells, ..., s)
            The statistics of imagined votes.
        """
        size = imagined_size(items)[..., None]
        return additive(sums, self.formula, size * of_cells, items > 0, sparing=self.sparing)

    def imagined(self, scale: Scale, k: int, *, jointly: bool = False) -> Array:
        """Return imagined votes of k voters beside their labels, a row a cell: (cells, k + 1).

        With `jointly` voters are compared two by two: the first with the second, and so on.
        """
        cells = self.cells(scale)
        if not cells or (self.pooled and k < 2) or (jointly and k % 2):
            return np.full((0, k + 1), np.nan)
        if self.pooled:
            return np.array([(*pair, *[np.nan] * (k - 1)) for pair in cells])
        if jointly:
            pairs = [(a, b, y) for a, y in cells for b, other in cells if y == other]
            return np.array([(*[a, b] * (k // 2), y) for a, b, y in pairs])
        return np.array([(*[vote] * k, label) for vote, label in cells])


def check_kind(measure: AnyMeasure, ratings: Ratings) -> None:
    """Raise where a measure has no meaning on the ratings' scale."""
    if ratings.scale.kind not in measure.kinds:
        raise JuriesError(
            f"{measure.name}: is for {' and '.join(measure.kinds)} scales; these labels are "
            f"{ratings.scale}"
        )


@dataclass(frozen=True)
class MeanOverSubsets:
    """The mean over subsets (or criteria) of a measure of each; all subsets weigh the same.

    NaN for a voter whose measure has no meaning in one of them: means over different subsets could
    not be compared. A subset in which no voter can be measured is left out.
    """

    measure: AnyMeasure

    @property
    def name(self) -> str:
        """The measure's name, marked."""
        return f"{self.measure.name}_mean_over_subsets"

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds of scale the measure is for."""
        return self.measure.kinds

    @property
    def transform(self) -> Transform:
        """The measure's."""
        return self.measure.transform

    def over(self, ratings: Ratings, *, jointly: bool = False) -> Reweighted:
        """Return the mean of the subsets' values as a function of the clusters' weights."""
        if ratings.subsets is None:
            raise JuriesError(f"{self.name}: the items have no subsets or criteria")
        labels = np.asarray(ratings.subsets)
        parts = [
            self.measure.over(ratings.only(labels == one), jointly=jointly)
            for one in np.unique(labels)
        ]
        measured = [part for part in parts if part.used.any()] or parts[:1]
        return combined(measured, lambda values: np.mean(values, axis=0))


@dataclass(frozen=True)
class MeanOverClusters:
    """The mean over clusters (questions) of a measure within each.

    Clusters in which it has no meaning (one item only, a voter or the humans without a difference)
    count for nothing, so that it may rest on fewer clusters than there are.
    """

    measure: AnyMeasure

    @property
    def name(self) -> str:
        """The measure's name, marked."""
        return f"{self.measure.name}_mean_over_clusters"

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds of scale the measure is for."""
        return self.measure.kinds

    @property
    def transform(self) -> Transform:
        """The measure's."""
        return self.measure.transform

    def over(self, ratings: Ratings, *, jointly: bool = False) -> Reweighted:  # noqa: ARG002
        """Return the mean of the clusters' values as a function of their weights."""
        bound = self.measure.over(ratings)
        number = len(bound.used)
        rows = max(1, CHUNK // max(1, number))
        parts = [bound.values(np.zeros((0, number)))]
        for start in range(0, number, rows):
            alone = np.arange(start, min(start + rows, number))[:, None] == np.arange(number)
            parts.append(bound.values(alone.astype(float)))
        return additive(with_number(np.concatenate(parts)), mean)


@dataclass(frozen=True)
class Pairwise:
    """A symmetric measure of each two voters; needs no human labels.

    Its values are in the order of `itertools.combinations(range(k), 2)`.
    """

    measure: AnyMeasure

    @property
    def name(self) -> str:
        """The measure's name, marked."""
        return f"{self.measure.name}_pairwise"

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds of scale the measure is for."""
        return self.measure.kinds

    @property
    def transform(self) -> Transform:
        """The measure's."""
        return self.measure.transform

    def over(self, ratings: Ratings, *, jointly: bool = False) -> Reweighted:  # noqa: ARG002
        """Return all pairs' values as a function of the clusters' weights."""
        votes = ratings.votes
        if votes.shape[1] < 2:
            raise JuriesError(f"{self.name}: needs two voters or more")
        parts = [
            self.measure.over(replace(ratings, votes=votes[:, at + 1 :], human=votes[:, at]))
            for at in range(votes.shape[1] - 1)
        ]
        return combined(parts, lambda values: np.concatenate(values, axis=-1))


@dataclass(frozen=True)
class MeanOverPairs:
    """The mean of a symmetric measure over all pairs of voters."""

    measure: AnyMeasure

    @property
    def name(self) -> str:
        """The measure's name."""
        return self.measure.name

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds of scale the measure is for."""
        return self.measure.kinds

    @property
    def transform(self) -> Transform:
        """The measure's."""
        return self.measure.transform

    def over(self, ratings: Ratings, *, jointly: bool = False) -> Reweighted:  # noqa: ARG002
        """Return the mean of the pairs' values, of one column."""
        return combined(
            [Pairwise(self.measure).over(ratings)],
            lambda values: np.mean(values[0], axis=-1, keepdims=True),
        )


def combined(parts: Sequence[Reweighted], how: Callable[[Sequence[Array]], Array]) -> Reweighted:
    """Return a function of several statistics of the same clusters, and of the same cells."""
    return Reweighted(
        lambda weights: how([part.at(weights) for part in parts]),
        how([part.used.astype(float) for part in parts]) > 0,
        parts[0].cells,
        lambda weights: how([part.without_each(weights) for part in parts]),
        parts[0].sparing,
    )


def quick(measure: AnyMeasure) -> bool:
    """Return whether a measure is a formula on sums, so that leaving a cluster out is quick."""
    if isinstance(measure, (MeanOverSubsets, Pairwise, MeanOverPairs)):
        return quick(measure.measure)
    return isinstance(measure, (Measure, MeanOverClusters))


def grouped(ratings: Ratings, seed: int) -> Ratings:
    """Return ratings whose clusters, where they are more than `MOST_CLUSTERS`, are as many groups.

    The groups are independent as the clusters are, so they too can be left out or drawn whole.
    """
    number, at = numbered(ratings.clusters)
    if number <= MOST_CLUSTERS:
        return ratings
    dealt = np.random.default_rng(seed).permutation(number) % MOST_CLUSTERS
    return replace(ratings, clusters=dealt[at])


def estimates(
    measures: Sequence[AnyMeasure],
    ratings: Ratings,
    options: Bootstrap,
    contrast: Contrast | None = None,
) -> dict[str, Interval]:
    """Return measures with cluster-robust t intervals, by name, in their order.

    With more than `MOST_CLUSTERS` clusters, those of rank correlations and the ROC AUC are dealt
    into as many groups that are left out whole (the delete-a-group jackknife, Kott 2001).

    Parameters
    ----------
    measures, ratings
    options : Bootstrap
        Its level, and its seed for the groups.
    contrast : callable, optional
        Estimate this of the voters' values, such as differences.
    """
    groups = ratings if all(map(quick, measures)) else grouped(ratings, options.seed)
    return {
        measure.name: cluster_t(
            measure.over(ratings if quick(measure) else groups, jointly=contrast is not None),
            measure.transform,
            options.level,
            contrast,
        )
        for measure in measures
    }


def with_number(values: Array) -> Array:
    """Return the statistics of a mean: one and the value, zero where the value is NaN."""
    known = ~np.isnan(values)
    return np.stack([known, np.where(known, values, 0.0)], axis=-1).astype(float)


def mean(sums: Array) -> Array:
    """Return the mean from sums of `with_number`."""
    return ratio(sums[..., 1], sums[..., 0])


def groups_of(ratings: Ratings) -> Index:
    """Return the number of each row's question (and subset, where there are any)."""
    _, cluster = numbered(ratings.clusters)
    _, subset = np.unique(
        np.asarray(ratings.clusters if ratings.subsets is None else ratings.subsets),
        return_inverse=True,
    )
    found: Index = cluster * (subset.max(initial=0) + 1) + subset
    return found
