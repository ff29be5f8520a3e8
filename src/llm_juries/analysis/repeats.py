"""Judges that were asked several times: how often they agree with themselves, and what it is worth.

A judge's repeats are seats of one judge under one prompt: haiku, haiku:2, haiku:3.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import get_args

import numpy as np
import pandas as pd

from ..juries.panel import Panel
from ..juries.rules import Jury, Rule
from ..juries.votes import Voter
from ..metrics.arrays import Array
from ..metrics.bootstrap import Bootstrap
from ..metrics.intervals import Interval
from ..metrics.measure import SAME, MeanOverPairs, Measure, Ratings, estimates, hit_or_miss, mean
from ..metrics.measures import measures_of
from ..metrics.variance import RESIDUAL, components, noise
from ..scale import Kind
from ..seats import Seat, seat_of
from .measured import columns, headline, labelled, ratings

RULES: dict[Kind, Rule] = {
    "binary": "majority",
    "preference": "majority",
    "nominal": "plurality",
    "ordinal": "median",
    "interval": "mean",
}
"""How a judge's answers are pooled, by scale."""


def _differs(ratings: Ratings) -> Array:
    both = ratings.both
    differs = both & (np.abs(ratings.votes - ratings.human[:, None]) > SAME)
    return np.stack([both, differs], axis=-1).astype(float)


FLIP_RATE = Measure("flip_rate", get_args(Kind), _differs, mean, "logit", hit_or_miss)


def self_agreement(panel: Panel, bootstrap: Bootstrap) -> pd.DataFrame:
    """Measure how far each judge that was asked several times agrees with itself.

    No human label is needed. All figures are means over each two of its answers, on the items to
    which all of them are there.

    Returns
    -------
    DataFrame
        A row a judge and prompt with several answers: dataset, judge, prompt (str; "" for the
        prompt of the run); repeats, n and missing, the items with all answers and the others
        (int); the measure of the scale between two answers (kappa, weighted_kappa or pearson) with
        ci_low and ci_high; flip_rate, the share of items on which two answers differ, with
        flip_rate_low and flip_rate_high (float).
    """
    measures = [MeanOverPairs(measures_of(panel.scale)[0]), MeanOverPairs(FLIP_RATE)]
    rows = []
    for seat, names in repeated(panel.votes.voters).items():
        votes = panel.votes.columns(names).labels
        unlabelled = np.full(len(votes), np.nan)
        rated = Ratings(votes, unlabelled, panel.scale, panel.clusters).common()
        known = int((~np.isnan(rated.votes[:, 0])).sum())
        found = estimates(measures, rated, bootstrap)
        named = {name: Interval(*(end[0] for end in one)) for name, one in found.items()}
        rows.append(
            {
                "dataset": panel.dataset.name,
                "judge": seat.judge,
                "prompt": seat.prompt,
                "repeats": len(names),
                "n": known,
                "missing": len(votes) - known,
                **columns(named),
            }
        )
    return pd.DataFrame(rows)


def self_ensembles(
    panel: Panel, bootstrap: Bootstrap, usd_a_call: Mapping[str, float | None]
) -> pd.DataFrame:
    """Set several answers of one judge beside each jury, for as many calls and for as much money.

    The answers are pooled by majority (levels by the median, numbers by the mean). Both are
    measured on the items that both decide; the interval is that of their difference.

    Parameters
    ----------
    panel, bootstrap
    usd_a_call : mapping of str to float or None
        The mean cost of a call of each voter, None where it is not known.

    Returns
    -------
    DataFrame
        Up to two rows a judge with several answers and a jury of others: dataset, judge, prompt,
        jury (str); equal, "calls" (as many answers as the jury has seats) or "usd" (as many as the
        jury's price pays for, of those that are there) (str); repeats and jury_seats, the calls
        for each item and order (int); repeats_usd and jury_usd, what these cost (float, NaN where
        it is not known); n and missing, the labelled items both decide and the others (int); the
        measure of the scale of both (repeats_kappa and jury_kappa, or another) and
        difference = jury - repeats with ci_low and ci_high (float).
    """
    if not labelled(panel):
        return pd.DataFrame()
    rows = []
    for seat, names in repeated(panel.votes.voters).items():
        for jury in panel.votes.voters:
            if jury.kind != "jury" or set(jury.members) <= set(names):
                continue
            for equal, number in _numbers(names, jury, usd_a_call):
                rows.append(
                    {
                        "dataset": panel.dataset.name,
                        "judge": seat.judge,
                        "prompt": seat.prompt,
                        "jury": jury.name,
                        "equal": equal,
                        "repeats": number,
                        "jury_seats": len(jury.members),
                        "repeats_usd": _usd(names[:number], usd_a_call),
                        "jury_usd": _usd(jury.members, usd_a_call),
                        **_beside(panel, bootstrap, names[:number], jury),
                    }
                )
    return pd.DataFrame(rows)


def variance_components(panel: Panel) -> pd.DataFrame:
    """Split the variance of votes into items, judges, prompts and repeats, and their combinations.

    Over the judges, prompts and repeats that are all there together, and the items on which all of
    them voted; no human label is needed. What varies with the judge or the prompt on the same items
    is what further seats of that kind take away.

    Returns
    -------
    DataFrame
        A row a component ("items", "judges", "items x judges", ... and "residual", which holds the
        repeats): dataset, component (str); levels, n, the items (int); variance, by the analysis of
        variance, below zero where it is noise about zero; share, of their sum; noise, in the rows
        of judges, prompts and the residual, the variance of one seat's vote about its item's mean,
        and noise_with_two, that of the mean of two seats which differ in this alone (float). Empty
        on nominal scales and without two seats that make a grid.
    """
    grid = _grid(panel)
    if grid is None or panel.scale.kind == "nominal":
        return pd.DataFrame()
    shape = grid.shape
    found = components(grid, ("items", "judges", "prompts"))
    seats = {"judges": 1, "prompts": 1, "repeats": 1}
    total = sum(max(one, 0.0) for one in found.values())
    levels = dict(zip(("items", *seats), shape, strict=True))
    rows = []
    for name, variance in found.items():
        kind = "repeats" if name == RESIDUAL else name
        adds = kind in seats and levels[kind] > 1
        rows.append(
            {
                "dataset": panel.dataset.name,
                "component": name,
                "levels": prod(levels[one] for one in kind.split(" x ")),
                "n": shape[0],
                "variance": variance,
                "share": max(variance, 0.0) / total if total else np.nan,
                "noise": noise(found, seats) if adds else np.nan,
                "noise_with_two": noise(found, {**seats, kind: 2}) if adds else np.nan,
            }
        )
    return pd.DataFrame(rows)


def _grid(panel: Panel) -> Array | None:
    """Return votes of shape (items, judges, prompts, repeats) without a gap."""
    seats = [seat_of(voter.name) for voter in panel.votes.voters if voter.kind == "judge"]
    judges = sorted({seat.judge for seat in seats})
    prompts = sorted({s.prompt for s in seats if all(_has(seats, j, s.prompt) for j in judges)})
    if not prompts:
        return None
    number = min(
        sum(seat.judge == judge and seat.prompt == prompt for seat in seats)
        for judge in judges
        for prompt in prompts
    )
    names = [
        str(sorted(seat for seat in seats if (seat.judge, seat.prompt) == (judge, prompt))[at])
        for judge in judges
        for prompt in prompts
        for at in range(number)
    ]
    votes = panel.votes.columns(tuple(names)).labels
    votes = votes[~np.isnan(votes).any(axis=1)]
    if len(names) < 2 or len(votes) < 2:
        return None
    grid: Array = votes.reshape(len(votes), len(judges), len(prompts), number)
    return grid


def _has(seats: Sequence[Seat], judge: str, prompt: str) -> bool:
    return any(seat.judge == judge and seat.prompt == prompt for seat in seats)


def repeated(voters: Iterable[Voter]) -> dict[Seat, tuple[str, ...]]:
    """Return the voters of each judge and prompt with two answers or more, by its first seat."""
    found: dict[Seat, list[Seat]] = {}
    for voter in voters:
        if voter.kind == "judge":
            seat = seat_of(voter.name)
            found.setdefault(seat.first, []).append(seat)
    return {
        first: tuple(map(str, sorted(seats)))
        for first, seats in sorted(found.items())
        if len(seats) > 1
    }


def _numbers(
    names: Sequence[str], jury: Voter, usd_a_call: Mapping[str, float | None]
) -> list[tuple[str, int]]:
    """Return how many of a judge's answers a jury's calls, and its dollars, are worth."""
    found = [("calls", len(jury.members))] if len(jury.members) <= len(names) else []
    prices = [_usd(names[:number], usd_a_call) for number in range(1, len(names) + 1)]
    paid = [
        number for number, usd in enumerate(prices, 1) if 0 < usd <= _usd(jury.members, usd_a_call)
    ]
    return [*found, *([("usd", paid[-1])] if paid else [])]


def _usd(names: Iterable[str], usd_a_call: Mapping[str, float | None]) -> float:
    costs = [usd_a_call.get(name) for name in names]
    return float(sum(np.nan if cost is None else cost for cost in costs))


def _beside(
    panel: Panel, bootstrap: Bootstrap, names: tuple[str, ...], jury: Voter
) -> dict[str, float]:
    pooled = Jury(" + ".join(names), names, RULES[panel.scale.kind]).decide(panel.votes)
    both = np.hstack([pooled.labels, panel.votes.columns((jury.name,)).labels])
    rated = replace(ratings(panel), votes=both).common()
    measure = headline(panel)
    name = measure.name
    value = measure.over(rated).point
    gap = estimates([measure], rated, bootstrap, _difference)[name]
    n = int(rated.both[:, 0].sum())
    return {
        "n": n,
        "missing": int((~np.isnan(rated.human)).sum()) - n,
        f"repeats_{name}": float(value[0]),
        f"jury_{name}": float(value[1]),
        "difference": float(gap.value[0]),
        "ci_low": float(gap.low[0]),
        "ci_high": float(gap.high[0]),
    }


def _difference(values: Array) -> Array:
    return values[..., 1:] - values[..., :1]
