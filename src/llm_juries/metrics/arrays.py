"""Types of arrays, and division that is NaN where there is nothing to divide by."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Index = npt.NDArray[np.intp]
Names = npt.NDArray[np.str_]


def ratio(part: Array, whole: Array, least: Array | float = 0.0) -> Array:
    """Return part / whole, NaN where the whole is not above `least`."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(whole > least, part / whole, np.nan)
