"""Figures for reports, drawn from the tables of an analysis with matplotlib."""

from .agreement import gains, kappa_per_voter, printed_beside_ours, printed_rows
from .battles import battle_heat_map
from .bias import delta_per_candidate, length_bias, position_bias
from .calibration import detectable_differences, reliability_diagram
from .changes import change_forest
from .datasets import agreement_map
from .juries import error_correlations, kappa_against_cost, risk_coverage
from .levels import MOST_LEVELS, confusion_maps, value_shares, votes_at_labels
from .options import FigureOptions, shortened
from .processes import Drawers, Drawn, Order, Planned, drawers
from .ranks import bump_chart, rank_against_reference
from .style import save

__all__ = [
    "MOST_LEVELS",
    "Drawers",
    "Drawn",
    "FigureOptions",
    "Order",
    "Planned",
    "agreement_map",
    "battle_heat_map",
    "bump_chart",
    "change_forest",
    "confusion_maps",
    "delta_per_candidate",
    "detectable_differences",
    "drawers",
    "error_correlations",
    "gains",
    "kappa_against_cost",
    "kappa_per_voter",
    "length_bias",
    "position_bias",
    "printed_beside_ours",
    "printed_rows",
    "rank_against_reference",
    "reliability_diagram",
    "risk_coverage",
    "save",
    "shortened",
    "value_shares",
    "votes_at_labels",
]
