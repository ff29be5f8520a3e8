"""Seat a jury or not: what a pilot of labelled items says, and beside it what the atlas expects.

The pilot alone decides. Pooled with the pilot, the atlas's map is right as often over three
sources, and on one of them less often than a coin: `benchmarks/advise_pilots.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from ...data.tables import located
from ...errors import JuriesError, nearest
from ...juries.panel import Panel
from ...metrics.intervals import FEW_CLUSTERS
from ...metrics.power import questions_needed
from ..replaceability import MARGIN
from . import trios
from .contrasts import CrossFitted, cross_fitted
from .source import Source
from .summary import OTHER_RULES

SIDES = ("best trio of all", "all judges")
TRIOS = "package:results/atlas/tables/trios.csv"


@dataclass(frozen=True, repr=False)
class Advice:
    """What to do, and how sure that is.

    Attributes
    ----------
    dataset : str
    jury : tuple of str
        The members of the jury to compare with.
    rule : str
    judge : str
        The best single judge.
    decision : str
        "seat the jury", "ask the judge alone" or "not decided"; the last wherever fewer than 20
        questions have a label.
    gain, error, ci_low, ci_high : float
        Of the jury over the judge, each chosen on other questions than it is measured on, with its
        standard error and interval.
    verdict : str
        Of non-inferiority with the margin.
    expected, expected_error : float
        What the atlas expects of a trio with this lead and error correlation, and by how much it is
        wrong on a source that it does not know; NaN where the atlas says nothing.
    questions, questions_needed : float
        Labelled questions, and how many find the gain seen with a power of 80%; NaN with fewer than
        20, which are too few to plan from.
    usd, judge_usd, usd_needed : float
        What an item costs with either, and verdicts of all judges on the questions needed; NaN
        where a price is not known.
    lines : tuple of str
        All of that in words.
    """

    dataset: str
    jury: tuple[str, ...]
    rule: str
    judge: str
    decision: str
    gain: float
    error: float
    ci_low: float
    ci_high: float
    verdict: str
    expected: float
    expected_error: float
    questions: int
    questions_needed: float
    usd: float
    judge_usd: float
    usd_needed: float
    lines: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return the lines."""
        return "\n".join(self.lines)

    __repr__ = __str__


def advise(
    panel: Panel,
    points: pd.DataFrame,
    dollars: Mapping[str, float] | None = None,
    margin: float = MARGIN,
    level: float = 0.95,
) -> Advice:
    """Advise on a jury from a pilot, and place the case on the atlas's map.

    The jury is the best trio, or all judges, whichever does better on questions that had no say in
    the choice of either.

    Parameters
    ----------
    panel : Panel
        With judges and human labels.
    points : DataFrame
        The atlas's trios; see `trios.trio_points`. May be empty.
    dollars : mapping of str to float, optional
        What an item costs with each judge.
    margin, level : float

    Raises
    ------
    JuriesError
        If there are fewer than two judges or labels of one value only, or dollars for a judge that
        is not there, or that are not a number from 0 on.
    """
    source = Source(panel)
    for name, usd in (dollars or {}).items():
        if name not in source.seated:
            raise JuriesError(
                f"dollars.{name}: there is no such judge{nearest(name, source.seated)}"
            )
        if not 0 <= usd < np.inf:
            raise JuriesError(f"dollars.{name}: is {usd:g}; give what an item costs, 0 or more")
    sides = {side: cross_fitted(source, side, "best judge") for side in SIDES}
    found = max(
        (one for one in sides.values() if one is not None),
        key=lambda one: np.nan_to_num(one.gain, nan=-np.inf),
    )
    trio = sides[SIDES[0]]
    low, high = found.ends(level)
    questions = source.questions
    lead, correlation, expected, error = _on_the_map(
        source, trio.members if trio else (), points, level
    )
    needed = float(
        questions_needed(
            np.array([found.gain]), np.array([found.error]), np.array([float(questions)])
        )[0]
    )
    enough = questions >= FEW_CLUSTERS
    prices = _prices(source, dollars)
    usd, judge_usd, all_usd = (
        float(sum(prices[name] for name in names))
        for names in (found.members, found.other_members, source.seated)
    )
    items = float((~np.isnan(panel.preferences)).sum())
    decision = "not decided"
    if enough and (low > 0 or high < 0):
        decision = "seat the jury" if low > 0 else "ask the judge alone"
    advice = Advice(
        source.name,
        found.members,
        source.rule_name,
        found.other_members[0],
        decision,
        found.gain,
        found.error,
        low,
        high,
        found.verdict(margin, level),
        expected,
        error,
        questions,
        needed if enough else np.nan,
        usd,
        judge_usd,
        all_usd * needed * items / questions if enough else np.nan,
    )
    return replace(advice, lines=tuple(_lines(advice, source, found, (lead, correlation), margin)))


def known_trios() -> pd.DataFrame:
    """Return the trios of the atlas that comes with the package."""
    return pd.read_csv(located(TRIOS))


def _on_the_map(
    source: Source, trio: tuple[str, ...], points: pd.DataFrame, level: float
) -> tuple[float, float, float, float]:
    """Return a trio's lead and error correlation, the gain the atlas expects, and its error."""
    if not trio or points.empty:
        return np.nan, np.nan, np.nan, np.nan
    lead, correlation, _ = trios.trio_point(source, trio)
    model = trios.fit(points, level)
    return lead, correlation, model.predict(lead, correlation), model.error


def _prices(source: Source, dollars: Mapping[str, float] | None) -> dict[str, float]:
    """Return what an item costs with each judge, NaN where it is not known."""
    stored = source.panel.stored.usd_a_call() if source.panel.stored else {}
    labelled = ~np.isnan(source.panel.preferences)
    each = labelled.sum() / max(1, len(set(np.array(source.panel.questions)[labelled])))
    found = {}
    for name in source.seated:
        call = stored.get(name)
        if dollars is not None and name in dollars:
            found[name] = dollars[name]
        elif call:
            found[name] = call * len(source.panel.dataset.orders)
        else:
            found[name] = source.usd(name) / each
    return found


def _lines(
    advice: Advice,
    source: Source,
    found: CrossFitted,
    place: tuple[float, float],
    margin: float,
) -> list[str]:
    own, other = found.measured
    name, jury = source.yardstick.name, " + ".join(advice.jury)
    others = [rule for rule in OTHER_RULES[source.panel.scale.kind] if rule != advice.rule]
    tried = {rule: cross_fitted(source.under(rule), "all judges", "best judge") for rule in others}
    gains = ", ".join(f"{rule} {one.gain:+.3f}" for rule, one in tried.items() if one)
    items = int((~np.isnan(source.panel.preferences)).sum())
    dropped = f"; too few votes: {', '.join(source.left_out)}" if source.left_out else ""
    return [
        f"{advice.dataset}: {items} labelled items of {advice.questions} questions, "
        f"{len(source.seated)} judges{dropped}",
        f"decision: {_decided(advice)}",
        f"jury: {jury}, rule {advice.rule}; chosen in held-out folds: {found.chosen}",
        f"judge: {advice.judge}; chosen: {found.other}",
        f"{name} on questions that did not choose: jury {own:.3f}, judge {other:.3f}; gain "
        f"{advice.gain:+.3f} [{advice.ci_low:.3f}, {advice.ci_high:.3f}]",
        f"worse by less than {margin:g}? {advice.verdict}",
        f"other rules, all judges: {gains or 'none on this scale'}",
        f"labels: {_labels(advice)}",
        f"cost an item: jury {_usd(advice.usd)}, judge {_usd(advice.judge_usd)}; verdicts on the "
        f"questions needed: {_usd(advice.usd_needed)}",
        f"on the atlas's map: {_map(advice, place)}",
    ]


def _decided(advice: Advice) -> str:
    if advice.decision != "not decided":
        return (
            f"{advice.decision} ({advice.judge})" if "alone" in advice.decision else "seat the jury"
        )
    if advice.questions < FEW_CLUSTERS:
        return f"not decided: fewer than {FEW_CLUSTERS} labelled questions decide nothing"
    if np.isnan(advice.gain) or advice.gain == 0:
        return "not decided by these labels, which lean to neither side"
    side = "the jury" if advice.gain > 0 else f"{advice.judge} alone"
    return f"not decided by these labels; they lean to {side}"


def _labels(advice: Advice) -> str:
    if advice.questions < FEW_CLUSTERS:
        return f"{advice.questions} questions are too few to plan from; label {FEW_CLUSTERS} first"
    if not np.isfinite(advice.questions_needed):
        return "how many would decide cannot be said"
    return (
        f"{advice.questions_needed:,.0f} questions would find a gain of {advice.gain:+.3f} with a "
        f"power of 80%; there are {advice.questions}"
    )


def _usd(value: float) -> str:
    return "unknown" if np.isnan(value) else f"${value:,.4g}"


def _map(advice: Advice, place: tuple[float, float]) -> str:
    if np.isnan(advice.expected):
        return (
            "no place: there is no trio whose strength and errors can be measured on half of these "
            "labels"
        )
    return (
        f"the best trio's best member leads by {place[0]:.3f}, errors correlate by {place[1]:.2f}; "
        f"such trios gain {advice.expected:+.3f}, wrong by {advice.expected_error:.3f} on unknown "
        "sources: a hint, which decides nothing here"
    )
