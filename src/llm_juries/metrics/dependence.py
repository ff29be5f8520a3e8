"""How far the errors of several judges depend on each other, against a human reference.

Judges that fail on the same items are worth fewer votes than they are seats: "Nine Judges, Two
Effective Votes" (Kohli 2026, arXiv 2605.29800) finds about two in nine. Labels are binary, so two
judges that are both wrong always agree; what is measured is how often they are wrong together,
against what independent errors of the same rates would give. Everything is a function of sums over
items, so `metrics.intervals` gives its intervals.

How many votes a panel is worth has several definitions, which answer different questions and can
be far apart: `effective_votes`, `optimal_votes`, `participation_votes` and `majority_votes`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .arrays import Array, Labels, Mask, ratio
from .bootstrap import cluster_sums
from .intervals import SHARE_CELLS, Interval, Transform, additive, cluster_t, imagined_size

BOTH_VOTED, WRONG, BOTH_WRONG = range(3)
WHOLE, MAJORITY_RIGHT, MAJORITY_WRONG = range(3)
MOST_VOTES = 201  # of independent judges that a majority is compared with
OPPOSED = -1e-9  # an eigenvalue below this is no rounding: votes missing on unlike items


@dataclass(frozen=True)
class PairErrors:
    """The errors of each two of k judges; arrays have the shape (k, k) and are symmetric.

    Attributes
    ----------
    n : array
        The labelled items both voted on: all else here is over these.
    correlation : Interval
        Phi of the two error indicators.
    both_wrong, by_chance : array
        The share of items both are wrong on, and the product of the two error rates.
    ratio : Interval
        Of the two: 1 where errors are independent.
    """

    n: Array
    correlation: Interval
    both_wrong: Array
    by_chance: Array
    ratio: Interval


@dataclass(frozen=True)
class PanelErrors:
    """The errors of a panel of k judges as a whole.

    Attributes
    ----------
    mean_correlation : Interval
        Of all pairs, each over the items both voted on.
    effective_votes, optimal_votes, participation_votes, majority_votes : Interval
        How many votes the panel is worth, by the functions of these names. An upper end above
        `MOST_VOTES` is infinite: common errors are too few to bound it.
    n, questions : float, int
        The labelled items that every judge voted on, over which the accuracies are, and their
        questions.
    independent, observed, gap : Interval
        The majority's accuracy if the judges erred independently, as it is, and the first less the
        second (a Condorcet gap).
    """

    mean_correlation: Interval
    effective_votes: Interval
    optimal_votes: Interval
    participation_votes: Interval
    majority_votes: Interval
    n: float
    questions: int
    independent: Interval
    observed: Interval
    gap: Interval


def pair_errors(
    labels: Array,
    human: Array,
    clusters: Labels,
    level: float = 0.95,
) -> PairErrors:
    """Measure the errors of each two judges, with intervals clustered by question.

    Parameters
    ----------
    labels : array of shape (n, k)
        Votes, 1.0 or 0.0, NaN where missing; 0.5 (neither of a pair) counts as missing.
    human : array of shape (n,)
        The reference, NaN where there is none.
    clusters : sequence of n labels
        The question each item belongs to.
    level : float
        Of the intervals.
    """
    sums = cluster_sums(pair_counts(labels, human), clusters)
    counts = sums.sum(axis=0)
    cells, used = _pair_cells(sums), sums[:, BOTH_VOTED] > 0

    n, wrong, both = counts
    return PairErrors(
        n=n,
        correlation=cluster_t(additive(sums, error_correlation, cells, used), "fisher", level),
        both_wrong=ratio(both, n),
        by_chance=ratio(wrong * wrong.T, n * n),
        ratio=cluster_t(additive(sums, wrong_together, cells, used), "log", level),
    )


def panel_errors(
    labels: Array,
    human: Array,
    clusters: Labels,
    level: float = 0.95,
) -> PanelErrors:
    """Measure how many votes a panel is worth, and what its majority loses by common errors.

    Parameters are those of `pair_errors`; there are two judges or more.
    """
    pairs = cluster_sums(pair_counts(labels, human), clusters)
    whole = cluster_sums(majority_counts(labels, human), clusters)

    used = np.asarray((pairs[:, BOTH_VOTED] > 0).any(axis=(1, 2))), whole[:, WHOLE] > 0

    def of_pairs(statistic: Callable[[Array], Array], transform: Transform) -> Interval:
        return cluster_t(additive(pairs, statistic, _pair_cells(pairs), used[0]), transform, level)

    # Of the majority's decisions, one right and one wrong with all judges alike
    one = SHARE_CELLS[:, [0, 1, 0, *[1] * labels.shape[1]]]
    one[:, MAJORITY_WRONG] = one[:, WHOLE] - one[:, MAJORITY_RIGHT]
    cells = imagined_size(whole[:, WHOLE]) * one

    def of_majority(statistic: Callable[[Array], Array], transform: Transform) -> Interval:
        return cluster_t(additive(whole, statistic, cells, used[1]), transform, level)

    return PanelErrors(
        mean_correlation=of_pairs(mean_correlation, "fisher"),
        effective_votes=_bounded(of_pairs(effective_votes, "log")),
        optimal_votes=_bounded(of_pairs(optimal_votes, "log")),
        participation_votes=_bounded(of_pairs(participation_votes, "log")),
        majority_votes=_bounded(of_majority(majority_votes, "log")),
        n=float(whole[:, WHOLE].sum()),
        questions=int(used[1].sum()),
        independent=of_majority(independent_accuracy, "logit"),
        observed=of_majority(majority_accuracy, "logit"),
        gap=of_majority(condorcet_gap, "identity"),
    )


def _bounded(votes: Interval) -> Interval:
    """Return numbers of votes with an upper end of infinity where the data do not bound them."""
    return votes._replace(high=np.where(votes.high > MOST_VOTES, np.inf, votes.high))


def _pair_cells(sums: Array) -> Array:
    """Return what an imagined item adds in which the first, the second, both or neither is wrong.

    Judge i of the pair (i, j) is the first where i < j, so that all pairs share the four cells.
    """
    k = sums.shape[-1]
    upper, lower = np.triu(np.ones((k, k))), np.tril(np.ones((k, k)), -1)
    cells = np.array(
        [
            [np.ones((k, k)), first * upper + second * lower, np.full((k, k), first * second)]
            for first in (0.0, 1.0)
            for second in (0.0, 1.0)
        ]
    )
    at = np.arange(k)
    cells[:, BOTH_WRONG, at, at] = cells[:, WRONG, at, at]  # a judge beside itself
    size: Array = imagined_size(sums[:, BOTH_VOTED])
    return cells * size


def pair_counts(labels: Array, human: Array) -> Array:
    """Return what each item adds to the counts of each two judges.

    Returns
    -------
    array of shape (n, 3, k, k)
        Whether judges i and j both voted, whether i was wrong there, whether both were.
    """
    voted = _sided(labels) & _sided(human)[:, None]
    wrong = voted & (labels != human[:, None])
    pairs = [(voted, voted), (wrong, voted), (wrong, wrong)]
    return np.stack([one[:, :, None] & other[:, None] for one, other in pairs], 1).astype(float)


def error_correlation(counts: Array) -> Array:
    """Return phi, Pearson's correlation of two error indicators, over the items both voted on.

    Parameters
    ----------
    counts : array of shape (..., 3, k, k)
        Sums of `pair_counts`.

    Returns
    -------
    array of shape (..., k, k)
        NaN where one of the two is never or always wrong.
    """
    n, one, both = (counts[..., at, :, :] for at in (BOTH_VOTED, WRONG, BOTH_WRONG))
    other = np.swapaxes(one, -1, -2)
    # Multiplied by n squared so that whole numbers stay exact
    return ratio(n * both - one * other, np.sqrt(one * (n - one) * other * (n - other)))


def wrong_together(counts: Array) -> Array:
    """Return how often two judges are wrong together, as a multiple of what chance would give."""
    n, one, both = (counts[..., at, :, :] for at in (BOTH_VOTED, WRONG, BOTH_WRONG))
    return ratio(n * both, one * np.swapaxes(one, -1, -2))


def mean_correlation(counts: Array) -> Array:
    """Return the mean error correlation of all pairs, NaN where a pair has none."""
    k = counts.shape[-1]
    one, other = np.triu_indices(k, 1)
    pairs = error_correlation(counts)[..., one, other]
    return pairs.mean(axis=-1) if k > 1 else np.full(pairs.shape[:-1], np.nan)


def effective_votes(counts: Array) -> Array:
    """Return Kish's effective number of votes, k / (1 + (k - 1) r), r the mean error correlation.

    It is the number of independent votes whose mean would vary as much (the design effect of equal
    correlation: Kish 1965, Survey Sampling; for panels of models arXiv 2605.29800).
    Above k where errors are rather opposed; NaN where they are so far opposed that no number is.
    """
    k = counts.shape[-1]
    return ratio(np.asarray(float(k)), 1 + (k - 1) * mean_correlation(counts))


def _correlations(counts: Array) -> Array:
    """Return the matrix of error correlations, of shape (..., k, k), with ones on its diagonal."""
    found = error_correlation(counts)
    k = found.shape[-1]
    found[..., np.arange(k), np.arange(k)] = 1.0
    return found


def optimal_votes(counts: Array) -> Array:
    """Return the votes that the panel is worth if its judges are weighted as well as can be.

    1' R^-1 1 with R the matrix of error correlations: the number of independent votes whose mean
    varies as much as the best weighted mean of these, at equal error rates (generalised least
    squares: Aitken 1935). Never below Kish's number; by the pseudo-inverse copies of a judge count
    once. NaN where a pair has no correlation, or missing votes make R no correlation matrix.
    """
    matrix = _correlations(counts)
    defined: Mask = np.asarray(~np.isnan(matrix).any(axis=(-2, -1)))
    matrix = np.where(defined[..., None, None], matrix, np.eye(matrix.shape[-1]))
    defined &= np.linalg.eigvalsh(matrix)[..., 0] > OPPOSED
    inverse = np.linalg.pinv(matrix, rcond=1e-10, hermitian=True)
    return np.where(defined, inverse.sum(axis=(-2, -1)), np.nan)


def participation_votes(counts: Array) -> Array:
    """Return how many directions the errors vary in: the participation ratio of eigenvalues.

    (sum of eigenvalues)^2 / (sum of their squares) of the matrix of error correlations, which is
    k^2 over the sum of all squared correlations (Bell and Dean 1970): between 1 and k.
    """
    matrix = _correlations(counts)
    return np.asarray(matrix.shape[-1] ** 2 / (matrix**2).sum(axis=(-2, -1)))


def majority_votes(counts: Array) -> Array:
    """Return how many independent judges of the mean accuracy have as accurate a majority.

    Linear between odd numbers of judges, and below one between a coin's accuracy and one judge's.
    NaN where the judges are no better than a coin, where the majority is right on every item, or
    better than that of `MOST_VOTES`.

    Parameters
    ----------
    counts : array of shape (..., 3 + k)
        Sums of `majority_counts`.
    """
    from scipy.special import betainc

    observed, single = majority_accuracy(counts), ratio(counts[..., 3:], counts[..., [WHOLE]])
    mean = single.mean(axis=-1)
    sizes = np.arange(1.0, MOST_VOTES + 1, 2)
    # The chance that a majority of m judges is right, a regularised incomplete beta function
    with np.errstate(invalid="ignore"):
        right = betainc((sizes + 1) / 2, (sizes + 1) / 2, mean[..., None])
    sizes = np.concatenate([[0.0], sizes])
    right = np.concatenate([np.full((*mean.shape, 1), 0.5), right], axis=-1)
    at = np.clip((right < observed[..., None]).sum(axis=-1), 1, len(sizes) - 1)
    low, high = (np.take_along_axis(right, some[..., None], -1)[..., 0] for some in (at - 1, at))
    with np.errstate(divide="ignore", invalid="ignore"):
        found = sizes[at - 1] + (sizes[at] - sizes[at - 1]) * (observed - low) / (high - low)
    reached = (mean > 0.5) & (observed > 0.5) & (observed < 1) & (observed <= right[..., -1])
    return np.where(reached, found, np.nan)


def majority_counts(labels: Array, human: Array) -> Array:
    """Return what each item that all k judges voted on adds to the counts of their majority.

    Returns
    -------
    array of shape (n, 3 + k)
        Whether it is such an item, whether the majority was right, whether it was wrong (neither
        in a tie), and whether each judge was right.
    """
    k = labels.shape[1]
    whole = _sided(labels).all(axis=1) & _sided(human)
    right = (labels == human[:, None]) & whole[:, None]
    votes = right.sum(axis=1)
    decided = [whole, whole & (2 * votes > k), whole & (2 * votes < k)]
    return np.column_stack([*decided, right]).astype(float)


def majority_accuracy(counts: Array) -> Array:
    """Return the share of the majority's decisions that are right, ties left out."""
    right, wrong = counts[..., MAJORITY_RIGHT], counts[..., MAJORITY_WRONG]
    return ratio(right, right + wrong)


def independent_accuracy(counts: Array) -> Array:
    """Return the majority's accuracy if judges of these accuracies erred independently.

    The number of right votes is then Poisson-binomial (Condorcet's jury theorem for unequal
    jurors); as for the observed majority, ties are left out.

    Parameters
    ----------
    counts : array of shape (..., 3 + k)
        Sums of `majority_counts`.
    """
    accuracies = ratio(counts[..., 3:], counts[..., [WHOLE]])
    k = accuracies.shape[-1]
    number = np.zeros((*accuracies.shape[:-1], k + 1))  # the distribution of the right votes
    number[..., 0] = 1.0
    for judge in range(k):
        p = accuracies[..., [judge]]
        number[..., 1:] = number[..., 1:] * (1 - p) + number[..., :-1] * p
        number[..., :1] *= 1 - p
    votes = np.arange(k + 1)
    right, wrong = (number[..., side].sum(-1) for side in (2 * votes > k, 2 * votes < k))
    return ratio(right, right + wrong)


def condorcet_gap(counts: Array) -> Array:
    """Return the independent less the observed accuracy of a majority: what common errors cost.

    Items differ in difficulty, and on hard ones all judges err more: that alone makes a gap.
    """
    return independent_accuracy(counts) - majority_accuracy(counts)


def _sided(labels: Array) -> Mask:
    """Return where a label is 0 or 1: a missing one, or neither of a pair, is not an error."""
    return np.isin(labels, (0, 1))
