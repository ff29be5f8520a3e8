"""Which values voters give: how often each, where the humans give which, and how widely spread."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from ..juries.panel import Panel
from ..juries.rules import side
from ..metrics.arrays import Array, Index, ratio
from ..metrics.measure import SAME
from ..scale import Scale
from .measured import labelled
from .order import in_order
from .pairs import HUMAN

MOST_STEPS = 21  # numbers that are counted one by one; more are counted in parts of their range
PARTS = 10
QUANTILES = {"p10": 0.1, "p25": 0.25, "median": 0.5, "p75": 0.75, "p90": 0.9}


@dataclass(frozen=True)
class Steps:
    """A scale's values as places in a table: its levels, or parts of an interval.

    Attributes
    ----------
    names : tuple of k str
    cuts : array of shape (k - 1,)
        The numbers from which on a value belongs to the next place.
    """

    names: tuple[str, ...]
    cuts: Array

    @classmethod
    def of(cls, scale: Scale) -> Steps:
        """Return a scale's levels; of a preference the sides; of an interval its whole numbers.

        More than 21 levels or whole numbers, and an interval with other ends, are counted in ten
        equal parts of the range.
        """
        if scale.kind == "preference":
            three = scale.levels if len(scale.levels) == 3 else ("second", "tie", "first")
            return cls(three, np.array([0.25, 0.75]))
        if scale.kind != "interval" and not (scale.graded and len(scale.levels) > MOST_STEPS):
            codes = np.array(scale.codes)
            return cls(scale.levels, (codes[1:] + codes[:-1]) / 2)
        low, high = scale.ends
        if low == int(low) and high == int(high) and 1 < high - low < MOST_STEPS:
            whole = np.arange(low, high + 1)
            return cls(tuple(f"{number:g}" for number in whole), (whole[1:] + whole[:-1]) / 2)
        edges = np.linspace(low, high, PARTS + 1)
        names = (f"{a:g} to {b:g}" for a, b in pairwise(edges))
        return cls(tuple(names), edges[1:-1])

    def at(self, codes: Array) -> Index:
        """Return the place of each code, the higher of two where it is between; -1 for NaN."""
        places = np.searchsorted(self.cuts, np.nan_to_num(codes) + SAME, side="right")
        return np.where(np.isnan(codes), -1, places)


def value_shares(panel: Panel) -> pd.DataFrame:
    """Count how often each voter gives each value, and how often the humans do.

    Returns
    -------
    DataFrame
        A row a voter and value, the humans first, on all items: dataset, voter, kind, scale (its
        kind), value (str; of an interval the nearest whole number, or a part of it); n (int);
        share, of the voter's votes, NaN where it has none (float). Empty where a value is yes or
        no, or one of two sides.
    """
    scale = panel.scale
    if not _several_values(panel):
        return pd.DataFrame()
    steps = Steps.of(scale)
    columns = list(zip(panel.votes.voters, panel.votes.labels.T, strict=True))
    if labelled(panel) and (panel.graded or not scale.graded):
        columns.insert(0, (HUMAN, panel.preferences))
    frames = []
    for voter, codes in columns:
        places = steps.at(side(codes) if scale.kind == "preference" else codes)
        n = np.bincount(places[places >= 0], minlength=len(steps.names))
        head = {"dataset": panel.dataset.name, "voter": voter.name, "kind": voter.kind}
        shares = ratio(n.astype(float), np.full(len(n), float(n.sum())))
        counts = {"scale": scale.kind, "value": steps.names, "n": n, "share": shares}
        frames.append(pd.DataFrame({**head, **counts}))
    return in_order(pd.concat(frames, ignore_index=True))


def confusion(panel: Panel) -> pd.DataFrame:
    """Count which value each voter gave where the humans gave which.

    Returns
    -------
    DataFrame
        A row a voter and pair of values that occurs: dataset, voter, kind, human, voted (str; empty
        where the voter has no vote); n (int); share, of the votes on the human's value, NaN where
        there is no vote (float). A jury's number between two levels counts as the nearer one, in
        the middle as the higher. Empty unless votes and labels are on one nominal or ordinal scale,
        or preferences with ties.
    """
    scale = panel.scale
    if not labelled(panel) or not _several_values(panel) or scale.kind == "interval":
        return pd.DataFrame()
    if scale.graded and not panel.graded:
        return pd.DataFrame()
    steps = Steps.of(scale)
    sided = scale.kind == "preference"
    human = steps.at(side(panel.preferences) if sided else panel.preferences)
    votes = steps.at(side(panel.votes.labels) if sided else panel.votes.labels)
    size = len(steps.names)
    names = (*steps.names, "")  # the last column: no vote
    frames = []
    for at, voter in enumerate(panel.votes.voters):
        voted = np.where(votes[:, at] < 0, size, votes[:, at])[human >= 0]
        crossed = human[human >= 0] * (size + 1) + voted
        table = np.bincount(crossed, minlength=size * (size + 1)).reshape(size, size + 1)
        shares = ratio(
            table.astype(float), table[:, :size].sum(axis=1, keepdims=True).astype(float)
        )
        shares[:, size] = np.nan
        true, cast = np.nonzero(table)
        frames.append(
            pd.DataFrame(
                {
                    "dataset": panel.dataset.name,
                    "voter": voter.name,
                    "kind": voter.kind,
                    "human": [steps.names[level] for level in true],
                    "voted": [names[level] for level in cast],
                    "n": table[true, cast],
                    "share": shares[true, cast],
                }
            )
        )
    return in_order(pd.concat(frames, ignore_index=True))


def votes_by_label(panel: Panel) -> pd.DataFrame:
    """Measure where graded votes lie at each human label.

    Returns
    -------
    DataFrame
        A row a voter and label that occurs: dataset, voter, kind, human (str; of an interval the
        nearest whole number, or a part of it); n and missing (int); mean, p10, p25, median, p75,
        p90 of the votes, NaN without one; low and high, the ends of the votes' scale (float). Empty
        unless votes are graded and items have labels.
    """
    if not panel.scale.graded or not labelled(panel):
        return pd.DataFrame()
    steps = Steps.of(panel.scale if panel.graded else panel.label_scale)
    human = steps.at(panel.preferences)
    low, high = panel.scale.ends
    rows = []
    for at, voter in enumerate(panel.votes.voters):
        for place, name in enumerate(steps.names):
            votes = panel.votes.labels[human == place, at]
            given = votes[~np.isnan(votes)]
            if not len(votes):
                continue
            found = np.quantile(given, list(QUANTILES.values())) if len(given) else np.nan
            rows.append(
                {
                    "dataset": panel.dataset.name,
                    "voter": voter.name,
                    "kind": voter.kind,
                    "human": name,
                    "n": len(given),
                    "missing": len(votes) - len(given),
                    "mean": given.mean() if len(given) else np.nan,
                    **dict(zip(QUANTILES, np.broadcast_to(found, len(QUANTILES)), strict=True)),
                    "low": low,
                    "high": high,
                }
            )
    return in_order(pd.DataFrame(rows))


def _several_values(panel: Panel) -> bool:
    """Return whether a vote or label can be more than one of two: preferences only where some are.

    The shares and rates of two values are in other tables.
    """
    if panel.scale.kind != "preference":
        return panel.scale.kind != "binary"
    ties = (side(panel.votes.labels) == 0.5).any() or (side(panel.preferences) == 0.5).any()
    return bool(ties)
