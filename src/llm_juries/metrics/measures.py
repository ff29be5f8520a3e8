"""Which measures a scale has: the first of each is its headline."""

from __future__ import annotations

from ..scale import Kind, Scale
from .graded import INTERVAL, ORDINAL, PICKS_BEST
from .measure import AnyMeasure
from .nominal import BINARY, NOMINAL, PREFERENCE, class_rates
from .ranks import KENDALL, ROC_AUC, SPEARMAN
from .reliability import ALPHA_INTERVAL, ALPHA_NOMINAL, ALPHA_ORDINAL

BY_KIND: dict[Kind, tuple[AnyMeasure, ...]] = {
    "binary": BINARY,
    "nominal": NOMINAL,
    "ordinal": (*ORDINAL, SPEARMAN, KENDALL),
    "interval": (*INTERVAL, SPEARMAN, KENDALL),
    "preference": PREFERENCE,
}
ALPHA: dict[Kind, AnyMeasure] = {
    "binary": ALPHA_NOMINAL,
    "nominal": ALPHA_NOMINAL,
    "ordinal": ALPHA_ORDINAL,
    "interval": ALPHA_INTERVAL,
    "preference": ALPHA_NOMINAL,
}
AGAINST_BINARY: tuple[AnyMeasure, ...] = (ROC_AUC, PICKS_BEST)
"""Of graded votes against binary labels, without a threshold."""


def measures_of(scale: Scale) -> tuple[AnyMeasure, ...]:
    """Return the measures of votes against human labels on a scale, the headline first."""
    rates = class_rates(scale) if scale.kind == "nominal" else ()
    return (*BY_KIND[scale.kind], *rates)
