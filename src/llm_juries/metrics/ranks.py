"""Measures of order alone: Spearman, Kendall's tau-b and the ROC AUC.

They are no formula on a fixed number of sums, but on how often each pair of values (voter, human)
occurs; the pairs that occur are the cells here. On a scale of levels these are few, so a bootstrap
stays one matrix product.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy import sparse

from ..errors import JuriesError
from ..scale import Kind
from .arrays import Array, Index, Mask, numbered, ratio
from .intervals import CHUNK, Reweighted, Transform
from .measure import Ratings, check_kind

DECIMALS = 8  # values that differ by less share a rank


@dataclass(frozen=True)
class Cells:
    """The pairs of values that occur.

    Attributes
    ----------
    x, y : arrays of shape (m,)
        Which value a cell has on each side, counted from the lowest.
    human : array of shape (m,)
        The human's value itself.
    counts : sparse array of shape (clusters + imagined, m)
        How often a cell occurs in a cluster, and then in each imagined question.
    """

    x: Index
    y: Index
    human: Array
    counts: sparse.csr_array

    @classmethod
    def of(cls, votes: Array, human: Array, cluster: Index, highest: Mask) -> Cells:
        """Return the cells of one voter.

        Parameters
        ----------
        votes, human, cluster : arrays of shape (n,)
            `cluster` numbers each item's cluster.
        highest : array of shape (imagined, 2)
            Whether an imagined vote, and its label, is the highest there is, else the lowest.
        """
        known = ~np.isnan(votes) & ~np.isnan(human)
        number, n = int(cluster.max(initial=-1)) + 1, int(known.sum())
        clusters, times = cluster[known], np.ones(n)
        values = [np.round(side[known], DECIMALS) + 0.0 for side in (votes, human)]
        if n:
            values = [
                np.append(side, np.where(up, side.max(), side.min()))
                for side, up in zip(values, highest.T, strict=True)
            ]
            size = np.sqrt(n / len(np.unique(clusters)))
            times = np.append(times, np.full(len(highest), size))
            clusters = np.append(clusters, number + np.arange(len(highest)))
        x, y = (np.unique(side, return_inverse=True)[1] for side in values)
        pair = x * (y.max(initial=0) + 1) + y
        _, first, cell = np.unique(pair, return_index=True, return_inverse=True)
        shape = (number + len(highest), len(first))
        counts = sparse.csr_array((times, (clusters, cell)), shape=shape)
        return cls(x[first], y[first], values[1][first], counts)

    def totals(self, weights: Array) -> Array:
        """Return how often each cell occurs, of shape (b, m)."""
        return np.asarray((self.counts.T @ weights.T).T)


def _sides(index: Index, totals: Array) -> Array:
    """Return totals by the value of one side, of shape (b, values)."""
    number = int(index.max(initial=-1)) + 1
    member = sparse.csr_array(
        (np.ones(len(index)), (index, np.arange(len(index)))), (number, len(index))
    )
    return np.asarray((member @ totals.T).T)


def _spearman(cells: Cells) -> Callable[[Array], Array]:
    def at(weights: Array) -> Array:
        totals = cells.totals(weights)
        n = totals.sum(-1, keepdims=True)
        ranks, spread = [], []
        for index in (cells.x, cells.y):
            given = _sides(index, totals)
            middle = given.cumsum(-1) - given / 2 - n / 2  # the shared rank less the mean rank
            ranks.append(middle[:, index])
            spread.append((given * middle**2).sum(-1))
        together = (totals * ranks[0] * ranks[1]).sum(-1)
        return ratio(together, np.sqrt(spread[0] * spread[1]))

    return at


def _signs(index: Index, part: slice) -> Array:
    """Return the sign of some cells' values less all cells' values."""
    values = index.astype(float)
    away: Array = np.subtract.outer(values[part], values)
    return np.sign(away, out=away)


def _kendall(cells: Cells) -> Callable[[Array], Array]:
    number, m = cells.counts.shape
    by_cells = m <= number  # the smaller of two quadratic forms with the same value
    form = np.zeros((m, m) if by_cells else (number, number))
    rows = max(1, CHUNK // max(1, m))
    columns = sparse.csr_array(cells.counts.T)
    for start in range(0, m, rows):
        part = np.s_[start : start + rows]
        concordance = _signs(cells.x, part)
        concordance *= _signs(cells.y, part)
        if by_cells:
            form[part] = concordance
        else:
            form += (cells.counts[:, part] @ concordance) @ columns

    def at(weights: Array) -> Array:
        totals = cells.totals(weights)
        units = totals if by_cells else weights
        agreed = ((units @ form) * units).sum(-1)
        n = totals.sum(-1)
        untied = [n**2 - (_sides(index, totals) ** 2).sum(-1) for index in (cells.x, cells.y)]
        return ratio(agreed, np.sqrt(untied[0] * untied[1]))

    return at


def _roc_auc(cells: Cells) -> Callable[[Array], Array]:
    def at(weights: Array) -> Array:
        totals = cells.totals(weights)
        given = _sides(cells.x, totals)
        positive = _sides(cells.x, totals * (cells.human == 1))
        negative = given - positive
        below = negative.cumsum(-1) - negative / 2
        pairs = positive.sum(-1) * negative.sum(-1)
        return ratio((positive * below).sum(-1), pairs)

    return at


@dataclass(frozen=True)
class RankMeasure:
    """A measure of order: a function of the cells of one voter and the humans.

    Attributes
    ----------
    name, kinds, transform
        As of `Measure`.
    value : callable
        From a voter's cells to a function from weights (b, clusters) to values (b,).
    binary : bool
        Whether the human labels must be 0 and 1.
    """

    name: str
    kinds: tuple[Kind, ...]
    value: Callable[[Cells], Callable[[Array], Array]]
    transform: Transform = "fisher"
    binary: bool = False

    def over(self, ratings: Ratings, *, jointly: bool = False) -> Reweighted:
        """Return the measure of these ratings as a function of the clusters' weights."""
        check_kind(self, ratings)
        human = ratings.human
        if self.binary and not np.isin(human[~np.isnan(human)], (0.0, 1.0)).all():
            raise JuriesError(f"{self.name}: needs binary human labels; set a threshold for them")
        cluster = numbered(ratings.clusters)[1]
        k = ratings.votes.shape[1]
        ends = np.array(list(product((False, True), repeat=3 if jointly else 2)))
        if jointly and k != 2:
            ends = ends[:0]
        of_vote = list(range(2)) if jointly else [0] * k
        cells = [
            Cells.of(column, human, cluster, ends[:, [of_vote[at] if len(ends) else 0, -1]])
            for at, column in enumerate(ratings.votes.T)
        ]
        values = [self.value(one) for one in cells]
        most = max(1, *(one.counts.shape[1] for one in cells))
        rows = max(1, CHUNK // most)

        def at(weights: Array) -> Array:
            found = np.full((len(weights), len(values)), np.nan)
            for start in range(0, len(weights), rows):
                part = np.s_[start : start + rows]
                for column, value in enumerate(values):
                    found[part, column] = value(weights[part])
            return found

        counted = np.stack([np.asarray(one.counts.sum(axis=1)) > 0 for one in cells], axis=-1)
        used = counted[: len(counted) - len(ends)]
        return Reweighted(at, used, len(ends), sparing=True)


SPEARMAN = RankMeasure("spearman", ("ordinal", "interval"), _spearman)
KENDALL = RankMeasure("kendall_tau_b", ("ordinal", "interval"), _kendall)
ROC_AUC = RankMeasure("roc_auc", ("binary", "ordinal", "interval"), _roc_auc, "logit", binary=True)
"""Of votes on any ordered scale, or probabilities, against binary labels; needs no threshold."""
