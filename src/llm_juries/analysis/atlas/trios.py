"""All trios of all sources: what they gain over their best member, and whether that is foreseeable.

A trio's best member, how far it is ahead of the others, and how far the members err together are
taken from a random half of the questions, and the gain from the other half; means over many
halvings. Else the luck of the best member would count as its lead and as the jury's loss.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats

from ...metrics.arrays import Array, Index, Mask
from .contrasts import gap
from .dependence import Moments
from .source import TRIO, Source

HALVINGS = 20
PREDICTORS = ("lead", "correlation")
POINT_COLUMNS = ("dataset", "shares", "trio", "small", *PREDICTORS, "gain")
FEWEST = 3  # sources, for a model of two predictors to be left one out


def trio_points(source: Source, seed: int = 0, halvings: int = HALVINGS) -> pd.DataFrame:
    """Measure each trio of a source's judges against its best member.

    Returns
    -------
    DataFrame
        A row a trio: dataset, shares, trio, small, whether all are known to be small (bool); lead,
        of the best member over the mean of the two others, and correlation, the mean partial
        correlation of the members' votes given the label, both of one half of the questions; gain,
        of the trio over that member, on the other half (float).
    """
    halves = _halves(source, seed, halvings)
    rows = []
    for members in combinations(source.seated, TRIO):
        lead, correlation, gain = trio_point(source, members, halves)
        rows.append(
            {
                "dataset": source.name,
                "shares": source.panel.dataset.about.shares or source.name,
                "trio": " + ".join(members),
                "small": all(source.size(name) == "small" for name in members),
                "lead": lead,
                "correlation": correlation,
                "gain": gain,
            }
        )
    return pd.DataFrame(rows)


Halves = list[tuple[Index, Index]]


def _halves(source: Source, seed: int = 0, halvings: int = HALVINGS) -> Halves:
    """Return random halves of the questions, each also the other way round."""
    known = np.flatnonzero(source.sums.any(axis=(1, 2)))
    rng = np.random.default_rng(seed)
    halves: Halves = []
    for _ in range(halvings):
        order = rng.permutation(known)
        middle = len(order) // 2
        halves += [(order[:middle], order[middle:]), (order[middle:], order[:middle])]
    return halves


def trio_point(
    source: Source, members: tuple[str, ...], halves: Halves | None = None
) -> tuple[float, float, float]:
    """Return a trio's lead, error correlation and gain; see `trio_points`."""
    formula = source.yardstick.formula
    own = [source.voters.index((name,)) for name in members]
    trio = source.voters.index(members)
    pairs = [source.pair(trio, at) for at in own]
    moments = Moments(source, members)
    found = []
    for first, second in halves or _halves(source):
        values = formula(source.sums[first][:, own].sum(axis=0))
        if np.isnan(values).any():
            continue  # labels of one value only
        best = int(values.argmax())
        lead = values[best] - np.delete(values, best).mean()
        gain = gap(formula(pairs[best][second].sum(axis=0)))
        found.append((lead, moments.mean_correlation(first), gain))
    known = np.array(found).reshape(-1, 3)
    means = [
        float(np.mean(one[~np.isnan(one)])) if (~np.isnan(one)).any() else np.nan for one in known.T
    ]
    return means[0], means[1], means[2]


@dataclass(frozen=True)
class Model:
    """gain = intercept + lead * its slope + correlation * its slope, each source with one weight.

    Attributes
    ----------
    table : DataFrame
        A row a term: term, estimate, ci_low, ci_high (leaving one source out, by t).
    error : float
        The root mean squared error of the gains of a source that was left out.
    baseline : float
        That of predicting the mean gain of the other sources.
    """

    table: pd.DataFrame
    coefficients: Array
    error: float
    baseline: float

    def predict(self, lead: float, correlation: float) -> float:
        """Return the gain that the model expects."""
        return float(self.coefficients @ np.array([1.0, lead, correlation]))


def weights_of(points: pd.DataFrame) -> Array:
    """Return a weight for each trio; those of a source add up to one."""
    return np.asarray(1 / points.groupby("dataset")["trio"].transform("size"), float)


def _fit(points: pd.DataFrame) -> Array:
    root = np.sqrt(weights_of(points))
    x = np.column_stack([np.ones(len(points)), points[[*PREDICTORS]]]) * root[:, None]
    found: Array = np.linalg.lstsq(x, points["gain"].to_numpy(float) * root, rcond=None)[0]
    return found


def fit(points: pd.DataFrame, level: float = 0.95) -> Model:
    """Fit the gain of trios, and test the fit on each source (and those it shares data with).

    Trios that could not be measured are left out. With fewer than three others there is no fit.
    """
    points = measured(points)
    coefficients = (
        _fit(points) if len(points) > len(PREDICTORS) else np.full(1 + len(PREDICTORS), np.nan)
    )
    groups = sorted(points["shares"].unique())
    left, errors, plain, weights = [], [], [], []
    for group in groups if len(groups) > FEWEST else []:
        out: Mask = (points["shares"] == group).to_numpy()
        others, own = points[~out], points[out]
        left.append(_fit(others))
        x = np.column_stack([np.ones(len(own)), own[[*PREDICTORS]]])
        errors.append(own["gain"].to_numpy() - x @ left[-1])
        plain.append(
            own["gain"].to_numpy() - np.average(others["gain"], weights=weights_of(others))
        )
        weights.append(weights_of(points)[out])
    reach, error, baseline = np.full(len(coefficients), np.nan), np.nan, np.nan
    if left:
        g, away = len(groups), np.array(left) - np.mean(left, axis=0)
        reach = stats.t.ppf((1 + level) / 2, g - 1) * np.sqrt((g - 1) / g * (away**2).sum(axis=0))
        each = np.concatenate(weights)
        error, baseline = (
            float(np.sqrt(np.average(np.concatenate(one) ** 2, weights=each)))
            for one in (errors, plain)
        )
    table = pd.DataFrame(
        {
            "term": ["intercept", *PREDICTORS],
            "estimate": coefficients,
            "ci_low": coefficients - reach,
            "ci_high": coefficients + reach,
        }
    )
    return Model(table, coefficients, error, baseline)


def measured(points: pd.DataFrame) -> pd.DataFrame:
    """Return the trios that could be measured: not on a few items with labels of one value."""
    return points.dropna(subset=[*PREDICTORS, "gain"])


Decide = Callable[[pd.DataFrame, pd.DataFrame], Mask]
"""From the trios of other sources and those of one: which of the latter to seat."""


def _always(_: pd.DataFrame, own: pd.DataFrame) -> Mask:
    return np.ones(len(own), bool)


def _never(_: pd.DataFrame, own: pd.DataFrame) -> Mask:
    return np.zeros(len(own), bool)


def _by_model(others: pd.DataFrame, own: pd.DataFrame) -> Mask:
    x = np.column_stack([np.ones(len(own)), own[[*PREDICTORS]]])
    return np.asarray(x @ _fit(others) > 0)


def threshold(points: pd.DataFrame) -> float:
    """Return the lead below which seating trios gains most; below all of them, if none gains."""
    order = points.assign(weight=weights_of(points)).sort_values("lead", kind="stable")
    total = np.concatenate([[0.0], (order["gain"] * order["weight"]).cumsum()])
    at = int(total.argmax())
    leads = np.concatenate([[-np.inf], order["lead"], [np.inf]])
    return float((leads[at] + leads[at + 1]) / 2) if 0 < at < len(order) else float(leads[at])


def _by_lead(others: pd.DataFrame, own: pd.DataFrame) -> Mask:
    return np.asarray(own["lead"] < threshold(others))


RULES: dict[str, Decide] = {
    "always seat the trio": _always,
    "never: the best member": _never,
    "seat it if the lead is small": _by_lead,
    "seat it if the model expects a gain": _by_model,
}


RULE_COLUMNS = ("rule", "right", "worth", "of_possible", "sources_right", "sources")


def rules(points: pd.DataFrame) -> pd.DataFrame:
    """Try rules of thumb on each source, learnt on the others.

    Returns
    -------
    DataFrame
        A row a rule: rule (str); right, the share of trios on which it decides as hindsight would;
        worth, the mean gain over taking the best member; of_possible, that as a share of what
        hindsight would gain (float). Every source has one weight. sources_right, on how many
        sources more than half of the decisions are right, of `sources` (int). Without a second
        source to try a rule on there is no row.
    """
    points = measured(points)
    if points["shares"].nunique() < 2:
        return pd.DataFrame(columns=RULE_COLUMNS)
    weight = weights_of(points)
    gain = points["gain"].to_numpy(float)
    possible = float(np.average(np.clip(gain, 0, None), weights=weight))
    rows = []
    for name, decide in RULES.items():
        seat = np.zeros(len(points), bool)
        for group in sorted(points["shares"].unique()):
            out = (points["shares"] == group).to_numpy()
            seat[out] = decide(points[~out], points[out]) if (~out).any() else False
        right = seat == (gain > 0)
        by_source = pd.Series(right).groupby(points["dataset"].to_numpy()).mean()
        worth = float(np.average(np.where(seat, gain, 0.0), weights=weight))
        rows.append(
            {
                "rule": name,
                "right": float(np.average(right, weights=weight)),
                "worth": worth,
                "of_possible": worth / possible if possible else np.nan,
                "sources_right": int((by_source > 0.5).sum()),
                "sources": len(by_source),
            }
        )
    return pd.DataFrame(rows)


def all_points(sources: Sequence[Source]) -> pd.DataFrame:
    """Return the trios of all sources that have three judges or more."""
    found = [trio_points(source) for source in sources if len(source.seated) >= TRIO]
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=POINT_COLUMNS)
