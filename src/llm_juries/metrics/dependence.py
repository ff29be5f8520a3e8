"""How far the errors of several judges depend on each other, against a human reference.

Judges that fail on the same items are worth fewer votes than they are seats: "Nine Judges, Two
Effective Votes" (Kohli 2026, arXiv 2605.29800) finds about two in nine. Labels are binary, so two
judges that are both wrong always agree; what is measured is how often they are wrong together,
against what independent errors of the same rates would give. Everything is a function of sums over
items, so `metrics.bootstrap` gives its intervals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .arrays import Array, Mask, ratio
from .bootstrap import Bootstrap, cluster_sums
from .intervals import Interval

BOTH_VOTED, WRONG, BOTH_WRONG = range(3)
WHOLE, MAJORITY_RIGHT, MAJORITY_WRONG = range(3)


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
    effective_votes : Interval
        Kish's effective number of votes.
    n : float
        The labelled items that every judge voted on: the accuracies are over these.
    independent, observed, gap : Interval
        The majority's accuracy if the judges erred independently, as it is, and the first less the
        second (a Condorcet gap).
    """

    mean_correlation: Interval
    effective_votes: Interval
    n: float
    independent: Interval
    observed: Interval
    gap: Interval


def pair_errors(
    labels: Array,
    human: Array,
    clusters: Sequence[Any],
    bootstrap: Bootstrap,
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
    bootstrap : Bootstrap
    """
    sums = cluster_sums(pair_counts(labels, human), clusters)
    counts = sums.sum(axis=0)

    n, wrong, both = counts
    return PairErrors(
        n=n,
        correlation=bootstrap.interval(error_correlation, sums),
        both_wrong=ratio(both, n),
        by_chance=ratio(wrong * wrong.T, n * n),
        ratio=bootstrap.interval(wrong_together, sums),
    )


def panel_errors(
    labels: Array,
    human: Array,
    clusters: Sequence[Any],
    bootstrap: Bootstrap,
) -> PanelErrors:
    """Measure how many votes a panel is worth, and what its majority loses by common errors.

    Parameters are those of `pair_errors`; there are two judges or more.
    """
    pairs = cluster_sums(pair_counts(labels, human), clusters)
    whole = cluster_sums(majority_counts(labels, human), clusters)

    return PanelErrors(
        mean_correlation=bootstrap.interval(mean_correlation, pairs),
        effective_votes=bootstrap.interval(effective_votes, pairs),
        n=float(whole[:, WHOLE].sum()),
        independent=bootstrap.interval(independent_accuracy, whole),
        observed=bootstrap.interval(majority_accuracy, whole),
        gap=bootstrap.interval(condorcet_gap, whole),
    )


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
    """Return the independent less the observed accuracy of a majority: what common errors cost."""
    return independent_accuracy(counts) - majority_accuracy(counts)


def _sided(labels: Array) -> Mask:
    """Return where a label is 0 or 1: a missing one, or neither of a pair, is not an error."""
    return np.isin(labels, (0, 1))
