"""May this jury replace people, or the large judge? Voters beside single annotators and judges.

A judge is mostly measured against a label that several people made together. A person is worse than
that label, too. So voters and people are measured here on the same footing: each against single
annotators, or against the majority of the others, on the same items.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from ..errors import JuriesError, nearest
from ..juries.panel import Panel
from ..juries.rules import side
from ..metrics.alternative import Comparisons
from ..metrics.arrays import Array, Labels, Mask, ratio
from ..metrics.equivalence import Estimate
from ..metrics.intervals import (
    Interval,
    Jackknifed,
    caution,
    cautions,
    cluster_t,
    jackknifed,
)
from ..metrics.measure import Measure, Ratings, combined
from ..metrics.measures import measures_of
from ..metrics.nominal import KAPPA_HALF
from ..scale import Scale
from .measured import COVERAGE, best_of, compared, credited, questions_of
from .order import by_voter, in_order

MARGIN, EPSILON = 0.02, 0.1
SINGLE, OTHERS = "single annotators", "majority of the others"  # against whom
SEEN = 0.5  # an annotator with fewer labels than this share of the median labelled a selection
ALPHA = 0.05
STEPS = 30  # of the bisection for the epsilon from which the test is passed


@dataclass(frozen=True)
class _Footing:
    """What voters and annotators are measured by, alike."""

    measure: Measure
    scale: Scale
    votes: Array
    annotations: Array
    names: tuple[str, ...]
    questions: Labels

    def rated(self, columns: Array, reference: Array) -> Ratings:
        """Return columns beside a reference."""
        return Ratings(columns, reference, self.scale, self.questions)

    def pairs(self) -> Iterator[tuple[str, Array, Array]]:
        """Yield against whom, an annotator's labels, and the reference: each beside each other.

        With three annotators or more also each beside the majority of the others (their mean where
        labels are graded).
        """
        columns = self.annotations.T
        for at, own in enumerate(columns):
            for number, other in enumerate(columns):
                if number != at:
                    yield SINGLE, own, other
            if len(columns) > 2:
                yield OTHERS, own, self._together(np.delete(columns, at, axis=0))

    def _together(self, others: Array) -> Array:
        there = ~np.isnan(others)
        number = there.sum(axis=0)
        if self.scale.graded:
            total = np.where(there, others, 0.0).sum(axis=0)
            return np.where(number, total / np.maximum(number, 1), np.nan)
        values = np.unique(others[there])
        counts = np.stack([(others == value).sum(axis=0) for value in values])
        first = np.where(2 * counts.max(axis=0) > number, values[counts.argmax(axis=0)], np.nan)
        return np.where(number > 0, first, np.nan)


def _footing(panel: Panel) -> _Footing | None:
    """Return how voters and annotators are measured alike, None without two of the latter."""
    given, names = panel.annotations, panel.dataset.annotators
    if given.shape[1] < 2 or panel.scale.kind != panel.label_scale.kind:
        return None
    there = ~np.isnan(given)
    shared = there & (there.sum(axis=1, keepdims=True) >= 2)
    number = shared.sum(axis=0)
    if not number.any():
        return None
    kept = np.flatnonzero((number > 0) & (number >= SEEN * np.median(number[number > 0])))
    if len(kept) < 2:
        return None
    votes, annotations, scale = panel.votes.labels, given[:, kept], panel.scale
    if panel.sided:
        votes = credited(panel.votes)
        annotations = side(annotations) if scale.kind == "preference" else annotations
    if scale.kind == "preference":
        scale = Scale.preference()
    measure = KAPPA_HALF if scale.kind == "binary" else measures_of(scale)[0]
    if not isinstance(measure, Measure):
        return None
    return _Footing(
        measure, scale, votes, annotations, tuple(names[at] for at in kept), panel.clusters
    )


def human_ceiling(panel: Panel, level: float = 0.95, coverage: float = COVERAGE) -> pd.DataFrame:
    """Measure each voter and the annotators alike: how well either agrees with an annotator.

    Each annotator in turn is left out and compared with the voter by the agreement with each of the
    others, and with three or more also with the majority of the others, on the items that all
    labelled. Ties and inconsistent pairs count as half. An annotator who labelled few of the items
    with two labels, such as one who settled the disputed ones, is left out: see `annotators`.

    Returns
    -------
    DataFrame
        A row a voter and `against` ("single annotators", "majority of the others"): dataset, voter,
        kind, against, annotators, those compared (str); n and missing, the items with two labels
        that the voter voted on, and the others (int); kappa, the voter's mean over annotators (or
        the headline measure of the scale), human_kappa, the annotators' own, difference = voter -
        human with ci_low and ci_high, cluster-robust t (float); finding ("below the annotators",
        "above", "not told apart", "voted on too few items") and caution (str). Empty without two
        annotators.
    """
    footing = _footing(panel)
    if footing is None:
        return pd.DataFrame()
    frames = []
    name = footing.measure.name
    for against in ("single annotators", "majority of the others"):
        found = [_beside_people(footing, at, against) for at in range(len(panel.votes.voters))]
        if any(one is None for one in found):
            continue
        rows = [one for one in found if one is not None]
        gaps = [gap.interval(level=level) for *_, gap in rows]
        ends = [(float(gap.low), float(gap.high)) for gap in gaps]
        both = _with_two(footing)
        n = [int((both & ~np.isnan(votes)).sum()) for votes in footing.votes.T]
        frames.append(
            by_voter(
                panel,
                panel.votes.voters,
                {
                    "against": against,
                    "annotators": ", ".join(footing.names),
                    "n": n,
                    "missing": [int(both.sum()) - one for one in n],
                    name: [voter for voter, *_ in rows],
                    f"human_{name}": [human for _, human, _ in rows],
                    "difference": [float(gap.value) for gap in gaps],
                    "ci_low": [low for low, _ in ends],
                    "ci_high": [high for _, high in ends],
                    "finding": [
                        _below_or_above(low, high)
                        if one >= coverage * both.sum()
                        else "voted on too few items"
                        for (low, high), one in zip(ends, n, strict=True)
                    ],
                    "caution": [
                        caution(int(gap.clusters), found)
                        for (*_, gap), found in zip(rows, gaps, strict=True)
                    ],
                },
            )
        )
    return in_order(pd.concat(frames, ignore_index=True), "against")


def _with_two(footing: _Footing) -> Mask:
    two: Mask = (~np.isnan(footing.annotations)).sum(axis=1) >= 2
    return two


def _below_or_above(low: float, high: float) -> str:
    if high < 0:
        return "below the annotators"
    if low > 0:
        return "above the annotators"
    return "not told apart"


def _beside_people(
    footing: _Footing, at: int, against: str
) -> tuple[float, float, Jackknifed] | None:
    """Return a voter's mean agreement, the annotators', and the difference."""
    parts, weights = [], []
    for whom, own, reference in footing.pairs():
        if whom != against:
            continue
        columns = np.stack([footing.votes[:, at], own], axis=1)
        pair = footing.rated(columns, reference).common()
        parts.append(footing.measure.over(pair, jointly=True))
        weights.append(pair.both.all(axis=1).sum())
    if not parts:
        return None
    share = np.array(weights, float)

    def means(values: Sequence[Array]) -> Array:
        each = np.stack(values, axis=-2)  # (..., pairs, 2)
        known: Mask = np.isfinite(each.sum(axis=-1))
        weight = np.where(known, share, 0.0)[..., None]
        total = (np.where(known[..., None], each, 0.0) * weight).sum(axis=-2)
        return ratio(total, weight.sum(axis=-2))

    together = combined(parts, means)
    voter, human = together.point
    return float(voter), float(human), jackknifed(together).seen(_gap)


def single_annotators(panel: Panel, level: float = 0.95) -> pd.DataFrame:
    """Measure each voter against each annotator alone, not only against what they made together.

    Returns
    -------
    DataFrame
        A row a voter and annotator: dataset, voter, kind, annotator (str); n and missing, the
        annotator's items that the voter voted on, and the others (int); kappa, or the headline
        measure of the scale, with ci_low and ci_high (float; cluster-robust t); caution (str). All
        annotators are in it, those too who labelled few items. Empty without two annotators.
    """
    footing = _footing(panel)
    if footing is None:
        return pd.DataFrame()
    labels, name = panel.annotations, footing.measure.name
    labels = side(labels) if panel.scale.kind == "preference" else labels
    frames = []
    for at, annotator in enumerate(panel.dataset.annotators):
        known = ~np.isnan(labels[:, at])
        if not known.any():
            continue
        rated, measure = footing.rated(footing.votes, labels[:, at]), footing.measure
        found = cluster_t(measure.over(rated), measure.transform, level)
        n = [int((known & ~np.isnan(votes)).sum()) for votes in footing.votes.T]
        columns = {
            "annotator": annotator,
            "n": n,
            "missing": [int(known.sum()) - one for one in n],
            name: found.value,
            "ci_low": found.low,
            "ci_high": found.high,
            "caution": cautions(questions_of(rated), found),
        }
        frames.append(by_voter(panel, panel.votes.voters, columns))
    return in_order(pd.concat(frames, ignore_index=True), "annotator")


def alt_test(
    panel: Panel, epsilon: float = EPSILON, level: float = 0.95, coverage: float = COVERAGE
) -> pd.DataFrame:
    """Test whether each voter may take an annotator's place (Calderon et al. 2025).

    Returns
    -------
    DataFrame
        A row a voter: dataset, voter, kind, annotators, those left out in turn (str); n, the items
        with two labels that it voted on, and missing, the others (int); advantage, the mean share
        of items on which it agrees with the others at least as well as the annotator left out;
        epsilon; winning_rate, the share of annotators that it wins against; passes_from, the
        smallest epsilon with which it would pass (float); verdict ("passes", "fails", "voted on too
        few items") (str). The authors ask for three annotators; with two the test is weak. Empty
        without two annotators.
    """
    footing = _footing(panel)
    if footing is None:
        return pd.DataFrame()
    both = _with_two(footing)
    rows: dict[str, list[object]] = {}
    for votes in footing.votes.T:
        compared = Comparisons.of(
            votes, footing.annotations, footing.questions, graded=footing.scale.graded
        )
        found, n = compared.tested(epsilon, level), int((both & ~np.isnan(votes)).sum())
        enough = n >= coverage * both.sum()
        verdict = ("passes" if found.passes else "fails") if enough else "voted on too few items"
        for column, value in {
            "n": n,
            "missing": int(both.sum()) - n,
            "advantage": found.advantage,
            "epsilon": epsilon,
            "winning_rate": found.winning_rate,
            "passes_from": _smallest(compared, level),
            "verdict": verdict,
        }.items():
            rows.setdefault(column, []).append(value)
    return by_voter(panel, panel.votes.voters, {"annotators": ", ".join(footing.names), **rows})


def _smallest(compared: Comparisons, level: float) -> float:
    """Return the smallest epsilon in [0, 1] that passes, NaN where none does."""

    def passes(epsilon: float) -> bool:
        return compared.tested(epsilon, level).passes

    if not passes(1.0):
        return np.nan
    low, high = 0.0, 1.0
    if passes(0.0):
        return 0.0
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if passes(middle) else (middle, high)
        if high - low < 5e-4:
            break
    return round(high, 3)


def equivalence(
    panel: Panel,
    margin: float = MARGIN,
    large_judge: str | None = None,
    level: float = 0.95,
    coverage: float = COVERAGE,
) -> pd.DataFrame:
    """Test whether each jury is as good as the best judge, a large judge and the annotators.

    Superiority is one question; whether a cheaper jury is worse by less than a margin that was set
    beforehand is another. Both voters are measured on the items on which both have a vote, ties for
    half; the annotators as in `human_ceiling`.

    Returns
    -------
    DataFrame
        A row a jury and `beside` ("best judge", "large judge", "annotators"; the last for single
        judges too): dataset, voter, kind, beside, reference (str); n and missing, the labelled
        items compared and the others (int); difference = voter - reference with ci_low and ci_high;
        margin; p_not_inferior, of the test that the voter is worse by the margin or more,
        p_equivalent, of two one-sided tests (float); verdict ("better", "equivalent", "not
        inferior", "inferior", "not shown", "voted on too few items") and caution (str). Empty where
        there is nothing to compare.

    Raises
    ------
    JuriesError
        If the large judge is not there.
    """
    voters = panel.votes.voters
    judges = [voter.name for voter in voters if voter.kind != "jury"]
    if large_judge is not None and large_judge not in judges:
        raise JuriesError(
            f"large_judge: {panel.dataset.name} has no judge {large_judge!r}"
            f"{nearest(large_judge, judges)}"
        )
    rows = [
        {
            "dataset": panel.dataset.name,
            "voter": voters[at].name,
            "kind": voters[at].kind,
            "beside": beside,
            "reference": reference,
            "n": n,
            "missing": labelled - n,
            "difference": float(found.value),
            "ci_low": float(found.low),
            "ci_high": float(found.high),
            "margin": margin,
            "p_not_inferior": Estimate.of(gap).above(-margin),
            "p_equivalent": Estimate.of(gap).equivalent(margin),
            "verdict": verdict(Estimate.of(gap), found, margin)
            if n >= coverage * labelled
            else "voted on too few items",
            "caution": caution(int(gap.clusters), found),
        }
        for at, beside, reference, n, labelled, gap in _comparisons(panel, large_judge, coverage)
        for found in [gap.interval(level=level)]
    ]
    return in_order(pd.DataFrame(rows), "beside") if rows else pd.DataFrame()


Compared = tuple[int, str, str, int, int, Jackknifed]
"""A voter's column, beside what, its name, the items compared, all there are, the difference."""


def _comparisons(panel: Panel, large_judge: str | None, coverage: float) -> Iterator[Compared]:
    measure, rated = compared(panel)
    voters = panel.votes.voters
    labelled = int((~np.isnan(rated.human)).sum())
    singles = [at for at, voter in enumerate(voters) if voter.kind != "jury"]
    if isinstance(measure, Measure) and labelled and singles:
        value, n = measure.over(rated).point[singles], rated.both.sum(axis=0)[singles]
        names = [voters[at].name for at in singles]
        best = best_of(value, n, labelled, names, coverage)
        references = [] if best is None else [("best judge", singles[best])]
        references += [("large judge", at) for at in singles if voters[at].name == large_judge]
        for at, jury in enumerate(voters):
            for beside, reference in references if jury.kind == "jury" else ():
                pair = replace(rated, votes=rated.votes[:, [at, reference]]).common()
                gap = jackknifed(measure.over(pair, jointly=True)).seen(_gap)
                together = int(pair.both.all(axis=1).sum())
                yield at, beside, voters[reference].name, together, labelled, gap
    footing = _footing(panel)
    if footing is not None:
        both = _with_two(footing)
        for at in range(len(voters)):
            found = _beside_people(footing, at, "single annotators")
            if found is not None:
                n_both = int((both & ~np.isnan(footing.votes[:, at])).sum())
                yield at, "annotators", "single annotators", n_both, int(both.sum()), found[2]


def _gap(values: Array) -> Array:
    difference: Array = values[..., 0] - values[..., 1]
    return difference


def verdict(gap: Estimate, found: Interval, margin: float) -> str:
    """Say what an interval and a margin show of a difference."""
    if found.low > margin:
        return "better"
    if gap.equivalent(margin) < ALPHA:
        return "equivalent"
    if gap.above(-margin) < ALPHA:
        return "not inferior"
    if found.high < -margin:
        return "inferior"
    return "not shown"
