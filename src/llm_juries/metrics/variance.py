"""Variance components of a balanced crossed design, by the estimators of the analysis of variance.

Searle, Casella and McCulloch (1992), Variance Components, chapter 4: mean squares are set equal to
their expectations. In balanced data that is REML, as long as no estimate is below zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from math import prod

import numpy as np

from .arrays import Array

RESIDUAL = "residual"


def components(values: Array, factors: Sequence[str]) -> dict[str, float]:
    """Return the variance of each factor, of each combination of them, and the residual.

    Parameters
    ----------
    values : array of shape (l1, l2, ..., repeats)
        An axis a factor, then the repeats of each cell. A factor of one level has no variance.
    factors : sequence of str

    Returns
    -------
    dict of str to float
        By "items", "items x judges" and so on; estimates may be below zero, which is noise about
        zero. "residual" is what repeats of one cell vary by, and without repeats the combination of
        all factors as well.
    """
    used = [at for at, _ in enumerate(factors) if values.shape[at] > 1]
    dropped = tuple(at for at, _ in enumerate(factors) if at not in used)
    cells = values.mean(axis=dropped) if dropped else values
    levels, repeats = cells.shape[:-1], cells.shape[-1]
    mean = cells.mean(axis=-1)
    axes = range(len(used))
    effects = [chosen for size in axes for chosen in combinations(axes, size + 1)]
    squares = {}
    for chosen in effects:
        part = np.zeros_like(mean)
        for size in range(len(chosen) + 1):
            for kept in combinations(chosen, size):
                out = tuple(axis for axis in axes if axis not in kept)
                part = part + (-1) ** (len(chosen) - size) * mean.mean(axis=out, keepdims=True)
        freedom = prod(levels[axis] - 1 for axis in chosen)
        squares[chosen] = repeats * float((part**2).sum()) / freedom
    everything = tuple(axes)
    if repeats > 1:
        within = float(((cells - mean[..., None]) ** 2).sum())
        residual = within / (prod(levels) * (repeats - 1))
    else:
        residual = squares.pop(everything)
    found: dict[tuple[int, ...], float] = {}
    for chosen in sorted(squares, key=len, reverse=True):
        above = sum(
            variance * _times(other, levels, repeats)
            for other, variance in found.items()
            if set(chosen) < set(other)
        )
        found[chosen] = (squares[chosen] - residual - above) / _times(chosen, levels, repeats)
    named = {
        " x ".join(factors[used[axis]] for axis in chosen): found[chosen]
        for chosen in effects
        if chosen in found
    }
    return {**named, RESIDUAL: residual}


def _times(chosen: tuple[int, ...], levels: Sequence[int], repeats: int) -> int:
    """Return how many values share one level of a combination."""
    return repeats * prod(level for axis, level in enumerate(levels) if axis not in chosen)


def noise(variances: Mapping[str, float], seats: Mapping[str, int]) -> float:
    """Return the variance about an item's own mean of the mean vote of some seats.

    Parameters
    ----------
    variances : mapping of str to float
        Of `components`; below zero counts as zero.
    seats : mapping of str to int
        How many of each factor there are; the residual is divided by all of them.
    """
    total = 0.0
    for name, variance in variances.items():
        parts = seats if name == RESIDUAL else [one for one in name.split(" x ") if one != "items"]
        if name != "items":
            total += max(variance, 0.0) / prod(seats[one] for one in parts)
    return total
