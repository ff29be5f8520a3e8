"""The mechanism of all measures: sums over items, a formula on them, and an interval.

A measure is a function of how often each cluster (question) counts. Most are a formula on sums of
statistics an item (`Measure`), so that all bootstrap resamples are one matrix product; rank
correlations and the ROC AUC (`ranks`) are functions of all items, but of the clusters' weights too.
So one pair of interval functions serves every measure: a new one gets its point, its percentile
bootstrap and its cluster-robust t interval for nothing. A measure without meaning (no item, one
class only, a constant column) is NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, Self

import numpy as np
from scipy import stats
from scipy.special import expit, logit

from ..errors import JuriesError
from ..scale import Kind, Scale
from .arrays import Array, Index, Mask, ratio
from .bootstrap import Bootstrap, cluster_sums
from .intervals import Interval

Transform = Literal["identity", "fisher", "logit", "log"]
SAME = 1e-9  # numbers that differ by less are equal: means of votes carry rounding
MOST_CLUSTERS = 1000  # left out one at a time; more are left out in groups
NO_SPREAD = 1e-13  # a standard error below this is rounding
CHUNK = 1 << 22  # numbers held at a time


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
    clusters: Sequence[Any]
    subsets: Sequence[Any] | None = None

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


@dataclass(frozen=True)
class Reweighted:
    """A measure of given ratings: its value at any weights of the clusters.

    Attributes
    ----------
    at : callable
        From weights of shape (b, clusters), how often each cluster counts, to values of shape
        (b, k). Clusters are in the order of their sorted labels.
    used : array of shape (clusters, k)
        Whether a cluster has anything for a voter's value.
    """

    at: Callable[[Array], Array]
    used: Mask

    @property
    def point(self) -> Array:
        """The value over all items, of shape (k,)."""
        value: Array = self.at(np.ones((1, len(self.used))))[0]
        return value

    def one_each(self, *, left_out: bool) -> Array:
        """Return the values without each cluster, or of each cluster alone: (clusters, k)."""
        number = len(self.used)
        rows = max(1, CHUNK // max(1, number))
        parts = [self.at(np.zeros((0, number)))]
        for start in range(0, number, rows):
            at = np.arange(start, min(start + rows, number))
            weights = np.full((len(at), number), float(left_out))
            weights[np.arange(len(at)), at] = float(not left_out)
            parts.append(self.at(weights))
        return np.concatenate(parts)


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

    def over(self, ratings: Ratings) -> Reweighted:
        """Return the measure of these ratings as a function of the clusters' weights."""


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
        The transform under which its interval is symmetric.
    """

    name: str
    kinds: tuple[Kind, ...]
    statistics: Callable[[Ratings], Array]
    formula: Callable[[Array], Array]
    transform: Transform = "identity"

    def over(self, ratings: Ratings) -> Reweighted:
        """Return the measure of these ratings as a function of the clusters' weights."""
        check_kind(self, ratings)
        statistics = self.statistics(ratings)
        if not len(statistics):
            return bind(statistics, self.formula)
        return bind(cluster_sums(statistics, ratings.clusters), self.formula)


def bind(sums: Array, formula: Callable[[Array], Array]) -> Reweighted:
    """Return a formula on cluster sums of shape (clusters, k, s) as a function of weights."""
    rows = max(1, CHUNK // max(1, sums[:1].size))

    def at(weights: Array) -> Array:
        parts = [weights[at : at + rows] for at in range(0, max(1, len(weights)), rows)]
        return np.concatenate([formula(np.tensordot(part, sums, 1)) for part in parts])

    return Reweighted(at, (sums != 0).any(axis=-1))


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

    def over(self, ratings: Ratings) -> Reweighted:
        """Return the mean of the subsets' values as a function of the clusters' weights."""
        if ratings.subsets is None:
            raise JuriesError(f"{self.name}: the items have no subsets or criteria")
        labels = np.asarray(ratings.subsets)
        parts = [self.measure.over(ratings.only(labels == one)) for one in np.unique(labels)]
        measured = [part for part in parts if part.used.any()]
        if not measured:
            return parts[0]
        return Reweighted(
            lambda weights: np.mean([part.at(weights) for part in measured], axis=0),
            np.any([part.used for part in measured], axis=0),
        )


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

    def over(self, ratings: Ratings) -> Reweighted:
        """Return the mean of the clusters' values as a function of their weights."""
        alone = self.measure.over(ratings).one_each(left_out=False)
        return bind(with_number(alone), mean)


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

    def over(self, ratings: Ratings) -> Reweighted:
        """Return all pairs' values as a function of the clusters' weights."""
        votes = ratings.votes
        if votes.shape[1] < 2:
            raise JuriesError(f"{self.name}: needs two voters or more")
        parts = [
            self.measure.over(replace(ratings, votes=votes[:, at + 1 :], human=votes[:, at]))
            for at in range(votes.shape[1] - 1)
        ]
        return Reweighted(
            lambda weights: np.concatenate([part.at(weights) for part in parts], axis=-1),
            np.concatenate([part.used for part in parts], axis=-1),
        )


def additive(measure: AnyMeasure) -> bool:
    """Return whether a measure is a formula on sums, so that a bootstrap of it is quick."""
    inner = getattr(measure, "measure", None)
    if isinstance(measure, (MeanOverSubsets, Pairwise)) and inner is not None:
        return additive(inner)
    return isinstance(measure, (Measure, MeanOverClusters))


Contrast = Callable[[Array], Array]
"""From values of shape (..., k) to what is estimated, such as differences, of shape (..., m)."""


def percentile_estimates(
    measures: Iterable[AnyMeasure],
    ratings: Ratings,
    options: Bootstrap,
    contrast: Contrast | None = None,
) -> dict[str, Interval]:
    """Return measures with percentile intervals of the cluster bootstrap, by name.

    All measures see the same resamples. `contrast` estimates, say, differences between voters. The
    interval is NaN where fewer than two clusters are there to be drawn.
    """
    seen = contrast or (lambda values: values)
    bound = {measure.name: measure.over(ratings) for measure in measures}
    number = len(np.unique(np.asarray(ratings.clusters)))
    found = {name: [np.full_like(seen(one.point), np.nan)[None]] for name, one in bound.items()}
    resampled = options.weights(number) if number > 1 else ()
    for weights in resampled:
        for name, one in bound.items():
            found[name].append(seen(one.at(weights)))
    return {
        name: Interval(
            seen(bound[name].point),
            *options.ends(np.concatenate(parts[1:] or parts)),
        )
        for name, parts in found.items()
    }


def estimates(
    measures: Sequence[AnyMeasure],
    ratings: Ratings,
    options: Bootstrap,
    contrast: Contrast | None = None,
) -> dict[str, Interval]:
    """Return measures with intervals, by name, in their order.

    Formulas on sums have percentile intervals of the cluster bootstrap, all of the same resamples.
    The others (rank correlations, the ROC AUC) have the jackknife's, since a bootstrap of them is
    slow; with more than `MOST_CLUSTERS` clusters these are dealt into as many groups that are left
    out whole (the delete-a-group jackknife, Kott 2001).
    """
    quick = [measure for measure in measures if additive(measure)]
    found = percentile_estimates(quick, ratings, options, contrast)
    grouped = ratings
    names, at = np.unique(np.asarray(ratings.clusters), return_inverse=True)
    if len(names) > MOST_CLUSTERS:
        dealt = np.random.default_rng(options.seed).permutation(len(names)) % MOST_CLUSTERS
        grouped = replace(ratings, clusters=dealt[at].tolist())
    for measure in measures:
        if measure.name not in found:
            found[measure.name] = jackknife_estimate(measure, grouped, options.level, contrast)
    return {measure.name: found[measure.name] for measure in measures}


def jackknife_estimate(
    measure: AnyMeasure, ratings: Ratings, level: float = 0.95, contrast: Contrast | None = None
) -> Interval:
    """Return a measure with a cluster-robust t interval.

    The standard error is the jackknife's over clusters (Efron 1982; Cameron, Gelbach and Miller
    2008), carried into the measure's transform by the delta method; the quantile is Student's t
    with one degree of freedom less than the clusters that a voter has votes in. NaN where fewer
    than two have, where the value loses its meaning without one of them, and at the ends of the
    transform or without any spread: such an interval would have no width.

    Parameters
    ----------
    measure, ratings
    level : float
        Of the interval.
    contrast : callable, optional
        Estimate this of the voters' values, on the identity scale; its clusters are those that any
        voter has.
    """
    bound = measure.over(ratings)
    value, left = bound.point, bound.one_each(left_out=True)
    used, transform = bound.used, measure.transform
    if contrast is not None:
        value, left, transform = contrast(value), contrast(left), "identity"
        used = np.broadcast_to(used.any(axis=1, keepdims=True), left.shape)
    number = used.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean_left = np.where(used, left, 0.0).sum(axis=0) / number
        squares = np.where(used, (left - mean_left) ** 2, 0.0).sum(axis=0)
        error = np.sqrt((number - 1) / number * squares)
        error = np.where((number >= 2) & (error > NO_SPREAD), error, np.nan)
        there, back, slope = _TRANSFORMS[transform]
        at = np.where(np.isfinite(there(value)), there(value), np.nan)
        reach = stats.t.ppf((1 + level) / 2, np.maximum(number - 1, 1)) * error * slope(value)
        return Interval(value, back(at - reach), back(at + reach))


_TRANSFORMS: dict[Transform, tuple[Callable[[Array], Array], ...]] = {
    "identity": (np.array, np.array, np.ones_like),
    "fisher": (np.arctanh, np.tanh, lambda r: 1 / (1 - r**2)),
    "logit": (logit, expit, lambda p: 1 / (p * (1 - p))),
    "log": (np.log, np.exp, lambda x: 1 / x),
}
"""Each with its inverse and its derivative."""


def with_number(values: Array) -> Array:
    """Return the statistics of a mean: one and the value, zero where the value is NaN."""
    known = ~np.isnan(values)
    return np.stack([known, np.where(known, values, 0.0)], axis=-1).astype(float)


def mean(sums: Array) -> Array:
    """Return the mean from sums of `with_number`."""
    return ratio(sums[..., 1], sums[..., 0])


def groups_of(ratings: Ratings) -> Iterator[Index]:
    """Yield the rows of each question (and subset, where there are any)."""
    _, cluster = np.unique(np.asarray(ratings.clusters), return_inverse=True)
    _, subset = np.unique(
        np.asarray(ratings.clusters if ratings.subsets is None else ratings.subsets),
        return_inverse=True,
    )
    group = cluster * (subset.max(initial=0) + 1) + subset
    order = np.argsort(group, kind="stable")
    yield from np.split(order, np.flatnonzero(np.diff(group[order])) + 1)
