"""Types of arrays, and division that is NaN where there is nothing to divide by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Index = npt.NDArray[np.intp]
Names = npt.NDArray[np.str_]
Labels: TypeAlias = "Sequence[Any] | Index"
"""The question, or another group, that each row belongs to: names, or their numbers."""


def numbered(labels: npt.ArrayLike) -> tuple[int, Index]:
    """Return how many different labels there are, and each one's number in their sorted order.

    Labels that are such numbers already, 0, 1, 2 ... without a gap, stay as they are.
    """
    given = np.asarray(labels)
    if given.dtype == np.intp and given.size and given.min() == 0 and given.max() < given.size:
        count = int(given.max()) + 1
        if np.bincount(given, minlength=count).all():
            return count, given
    names, index = np.unique(given, return_inverse=True)
    return len(names), index


def ratio(part: Array, whole: Array, least: Array | float = 0.0) -> Array:
    """Return part / whole, NaN where the whole is not above `least`."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(whole > least, part / whole, np.nan)
