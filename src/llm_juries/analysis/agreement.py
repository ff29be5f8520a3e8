"""Tables of agreement with the human labels, and of annotators and judges among themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd

from ..errors import JuriesError, nearest
from ..juries.panel import Panel
from ..juries.rules import SIDED
from ..juries.votes import DECIDED
from ..metrics import agreement as counts
from ..metrics import bias
from ..metrics.arrays import Array, Index, ratio
from ..metrics.bootstrap import Bootstrap
from ..metrics.graded import PEARSON
from ..metrics.intervals import Interval, cautions
from ..metrics.measure import (
    SAME,
    AnyMeasure,
    MeanOverClusters,
    MeanOverSubsets,
    Pairwise,
    Ratings,
    estimates,
    few_levels,
)
from ..metrics.measures import ALPHA, measures_of
from ..metrics.nominal import BINARY, WITH_TIES, sides
from ..metrics.ranks import KENDALL, ROC_AUC, SPEARMAN
from ..scale import Scale
from ..types import Item
from .costs import PAID, TODAY, dollars
from .measured import (
    COVERAGE,
    columns,
    comparable,
    credited,
    labelled,
    measures,
    of_sides,
    questions_of,
    questions_on,
    ratings,
    several,
    two_sided,
)
from .order import by_voter, in_order

MOSTLY_THERE = 0.02  # with a larger share missing, bounds are shown
SLICES = ("subset", "criterion", "candidate")


def agreement(
    panel: Panel, bootstrap: Bootstrap, *, common: bool = False, coverage: float = COVERAGE
) -> pd.DataFrame:
    """Measure each voter against the human labels, by the measures of the panel's scale.

    Intervals are cluster-robust, over whole questions: see `metrics.intervals`.

    Parameters
    ----------
    panel : Panel
    bootstrap : Bootstrap
    common : bool
        Whether only the items on which all voters have a vote count.
    coverage : float
        The share of the labelled items that a voter must have voted on to be called the best.

    Returns
    -------
    DataFrame
        A row a voter, sorted by kind and name, with the columns dataset, voter, kind (str); n, the
        labelled items it voted on, and missing, those it did not (int); then measures (float), the
        headline measure with ci_low and ci_high and the others with _low and _high; questions, of
        the n items (int); caution, why the headline's interval is missing or cannot be trusted
        (str, "ok" where it can); eligible (bool), whether it voted on enough items, ties and
        inconsistent pairs included; where any cost is known usd_per_1000 and usd_per_1000_today
        (float): see `costs`.

        Of votes of two sides also what the items left out of these measures would change:
        undecided (int), how many of the missing are ties or turned with the order of a pair;
        kappa_half and accuracy_half, these for a half; accuracy_failed, all other missing votes
        counted wrong beside it; and where more than 2% are missing accuracy_worst and
        accuracy_best, all of them wrong, or all right. Of nominal votes the last three. Of graded
        ones mae_worst and mae_best: all missing votes at the end of the scale that is farther from
        the label, or at the label.

        Binary and preference: kappa, accuracy, tpr, tnr, balanced_accuracy; the ties of preferences
        are left out. Where there are any: accuracy_ties over all pairs, a tie of either side for
        half, and accuracy_decided over the pairs that humans decided, a voter's tie for half.

        Nominal: kappa; accuracy, recall and precision of each value. Ordinal: weighted_kappa
        (quadratic weights); linear_kappa, exact, within_one, mae, spearman, kendall_tau_b.
        Interval: pearson; icc (agreement of single ratings), mae, spearman, kendall_tau_b. Graded
        votes beside binary labels: roc_auc. See `analysis.measured.measures` for the means over
        questions and subsets and for picks_best.
    """
    kinds = BINARY if panel.sided else measures(panel)
    rated = two_sided(panel, common=common) if panel.sided else ratings(panel, common=common)
    found = estimates(kinds, rated, bootstrap)
    if panel.scale.kind == "preference" and panel.sided:
        with_ties = ratings(panel, common=common)
        if (with_ties.votes == 0.5).any() or (with_ties.human == 0.5).any():
            found |= estimates(WITH_TIES, of_sides(with_ties), bootstrap)
    n, questions = rated.both.sum(axis=0), questions_of(rated)
    made = {
        "n": n,
        "missing": int((~np.isnan(rated.human)).sum()) - n,
        **columns(found),
        "questions": questions,
        "caution": _below_chance(kinds[0], next(iter(found.values())), questions),
        **with_missing(panel, coverage, common=common),
    }
    if prices := dollars(panel):
        paid, today = np.array([prices[voter.name] for voter in panel.votes.voters]).T
        made |= {PAID: paid, TODAY: today}
    return by_voter(panel, panel.votes.voters, made)


def _below_chance(measure: AnyMeasure, found: Interval, questions: Index) -> list[str]:
    """Return cautions; a voter that surely agrees less than by chance may read labels inverted."""
    chance = {"fisher": 0.0}.get(measure.transform, 0.5 if measure is ROC_AUC else -np.inf)
    said = cautions(questions, found)
    below = found.high < chance
    return [
        "below chance: does its prompt invert the labels?" if under and one == "ok" else one
        for under, one in zip(below, said, strict=True)
    ]


def with_missing(panel: Panel, coverage: float, *, common: bool = False) -> dict[str, Array]:
    """Return the columns of `agreement` that count what its measures leave out."""
    human = panel.human
    labelled = np.array((~np.isnan(human)).sum())
    votes = credited(panel.votes) if panel.sided else panel.votes.labels
    if common:
        votes = np.where(np.isnan(votes).any(axis=1, keepdims=True), np.nan, votes)
    voted = (~np.isnan(votes) & ~np.isnan(human)[:, None]).sum(axis=0)
    made: dict[str, Array] = {"eligible": (voted > 0) & (voted >= coverage * labelled)}
    if panel.scale.graded:
        return made | _worst_errors(panel, votes, labelled)
    if panel.sided:
        halves = counts.with_halves(votes, human).sum(axis=0)
        decided = np.isin(votes, (0, 1)) & ~np.isnan(human)[:, None]
        right, sure = counts.accuracy(halves) * voted, decided.sum(axis=0)
        made |= {
            "undecided": voted - sure,
            "kappa_half": counts.cohen_kappa(halves),
            "accuracy_half": counts.accuracy(halves),
        }
        surely = (decided & (votes == human[:, None])).sum(axis=0)
    else:
        sure = voted
        surely = right = (np.abs(votes - human[:, None]) < SAME).sum(axis=0)
    missing = labelled - sure
    bounded = missing > MOSTLY_THERE * labelled
    made |= {
        "accuracy_failed": ratio(np.nan_to_num(right), labelled),
        "accuracy_worst": np.where(bounded, ratio(surely, labelled), np.nan),
        "accuracy_best": np.where(bounded, ratio(surely + missing, labelled), np.nan),
    }
    return made


def _worst_errors(panel: Panel, votes: Array, labelled: Array) -> dict[str, Array]:
    """Return the bounds of the mean absolute error with all votes there, beside graded labels."""
    if not panel.graded:
        return {}
    human = panel.human
    away = np.abs(votes - human[:, None])
    low, high = panel.scale.ends
    farthest = np.maximum(human - low, high - human)[:, None]
    missing = np.isnan(votes) & ~np.isnan(human)[:, None]
    bounded = missing.sum(axis=0) > MOSTLY_THERE * labelled
    surely = np.nansum(away, axis=0)
    worst = surely + np.where(missing, farthest, 0.0).sum(axis=0)
    return {
        "mae_worst": np.where(bounded, ratio(worst, labelled), np.nan),
        "mae_best": np.where(bounded, ratio(surely, labelled), np.nan),
    }


def agreement_by(
    panel: Panel,
    bootstrap: Bootstrap,
    slices: Sequence[str] = ("subset", "criterion"),
    coverage: float = COVERAGE,
) -> pd.DataFrame:
    """Measure each voter against the human labels on each part of the items by itself.

    Parameters
    ----------
    panel : Panel
    bootstrap : Bootstrap
    slices : sequence of {"subset", "criterion", "candidate"}
        By what the items are parted, one after the other. The candidates of a pair are both.
    coverage : float
        See `agreement`.

    Returns
    -------
    DataFrame
        A row a slice, value and voter: dataset, slice, value (str), then as `agreement`. Empty
        where all items are in one part, and without human labels.
    """
    if not labelled(panel):
        return pd.DataFrame()
    frames = []
    for by in slices:
        if by not in SLICES:
            raise JuriesError(f"slices: there is no {by!r}{nearest(by, SLICES)}")
        parts = np.array([_part(item, by) for item in panel.dataset.items])
        values = sorted(set(parts.tolist()))
        if len(values) < 2:
            continue
        for value in values:
            table = agreement(panel.where(parts == value), bootstrap, coverage=coverage)
            table.insert(1, "slice", by)
            table.insert(2, "value", value)
            frames.append(table)
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def _part(item: Item, by: str) -> str:
    if by == "candidate" and item.opponent:
        return f"{item.candidate} / {item.opponent}"
    return str(getattr(item, by))


def correlations(panel: Panel, bootstrap: Bootstrap) -> pd.DataFrame:
    """Measure how graded votes go with the labels: over all items, and within parts of them.

    Votes can go with the labels over all items because questions differ, and yet say nothing about
    the answers to one question; the means over questions see only the latter.

    Returns
    -------
    DataFrame
        A row a voter, measure and `over`: dataset, voter, kind, measure (pearson, spearman,
        kendall_tau_b; against binary labels roc_auc), over ("all items", "mean over questions",
        "mean over subsets", "mean over criteria") (str); value with ci_low and ci_high (float);
        caution, why an interval is missing or cannot be trusted (str). Empty unless votes are
        graded and items have labels.
    """
    if not panel.scale.graded or not labelled(panel):
        return pd.DataFrame()
    items = tuple(panel.dataset.items)
    rated = ratings(panel)
    kinds: tuple[AnyMeasure, ...] = (PEARSON, SPEARMAN, KENDALL)
    if not panel.graded:
        kinds = (ROC_AUC,)
    overs: list[tuple[str, Callable[[AnyMeasure], AnyMeasure], list[str]]] = [
        ("all items", lambda measure: measure, [])
    ]
    if several(panel.questions):
        overs.append(("mean over questions", MeanOverClusters, []))
    for name, parts in (
        ("mean over subsets", [item.subset for item in items]),
        ("mean over criteria", [item.criterion for item in items]),
    ):
        if len(set(parts)) > 1:
            overs.append((name, MeanOverSubsets, parts))
    frames = []
    for over, of, parts in overs:
        found = estimates(
            [of(kind) for kind in kinds], replace(rated, subsets=parts or None), bootstrap
        )
        for kind, one in zip(kinds, found.values(), strict=True):
            head = {"measure": kind.name, "over": over}
            values = {"value": one.value, "ci_low": one.low, "ci_high": one.high}
            said = {"caution": cautions(questions_of(rated), one)}
            frames.append(by_voter(panel, panel.votes.voters, {**head, **values, **said}))
    return in_order(pd.concat(frames, ignore_index=True))


def reliability(panel: Panel, bootstrap: Bootstrap) -> pd.DataFrame:
    """Measure how far annotators, judges and the members of each jury agree among themselves.

    Returns
    -------
    DataFrame
        A row a group of two voters or more: dataset, among ("annotators", "judges" or a jury's
        name), measure (alpha_nominal, alpha_ordinal, alpha_interval) (str); voters, n, the items
        with two votes or more (int); alpha, Krippendorff's, with ci_low and ci_high (float);
        caution, why the interval is missing or cannot be trusted (str). No human label is needed.
    """
    votes = panel.votes
    judges = tuple(voter.name for voter in votes.voters if voter.kind == "judge")
    seats = [("judges", judges)]
    seats += [(voter.name, voter.members) for voter in votes.voters if voter.kind == "jury"]
    groups = [("annotators", panel.annotations, _label_codes(panel))]
    groups += [(name, votes.columns(members).labels, panel.scale) for name, members in seats]
    rows = []
    for among, codes, scale in groups:
        several_votes = (~np.isnan(codes)).sum(axis=1) >= 2
        if not several_votes.any():
            continue
        measure = ALPHA[scale.kind]
        rated = Ratings(codes, np.full(len(codes), np.nan), scale, panel.clusters)
        one = estimates([measure], rated, bootstrap)[measure.name]
        rows.append(
            {
                "dataset": panel.dataset.name,
                "among": among,
                "measure": measure.name,
                "voters": codes.shape[1],
                "n": int(several_votes.sum()),
                "alpha": float(one.value[0]),
                "ci_low": float(one.low[0]),
                "ci_high": float(one.high[0]),
                "caution": cautions(np.array([questions_on(panel, several_votes)]), one)[0],
            }
        )
    return pd.DataFrame(rows)


def _label_codes(panel: Panel) -> Scale:
    """Return the scale that the annotators' codes are on."""
    nominal = panel.scale.kind == "nominal"
    return panel.scale if nominal else panel.label_scale


def outcomes(panel: Panel) -> pd.DataFrame:
    """Count what became of each voter's votes, on labelled and unlabelled items.

    Returns
    -------
    DataFrame
        A row a voter: dataset, voter, kind (str); items and a column for each outcome met (int).
    """
    found = panel.votes.outcomes
    met = sorted(np.unique(found), key=lambda name: (name != DECIDED, name))
    counts = {str(name): (found == name).sum(axis=0) for name in met}
    return by_voter(panel, panel.votes.voters, {"items": len(found), **counts})


def deltas(panel: Panel, bootstrap: Bootstrap) -> pd.DataFrame:
    """Compare each candidate's accuracy, or mean grade, under each voter with that under humans.

    Returns
    -------
    DataFrame
        A row a voter and candidate: dataset, voter, kind, candidate (str); n and missing (int);
        judged, human, delta = judged - human with ci_low and ci_high (float; shares of 1, on a
        graded scale means in its numbers); caution, why an interval is missing or cannot be trusted
        (str). Empty for pairs, whose labels are preferences, and
        where votes or labels have no mean that could be compared.
    """
    if not comparable(panel):
        return pd.DataFrame()
    candidates = [item.candidate for item in panel.dataset.items]
    found = bias.accuracy_deltas(
        panel.votes.labels,
        panel.human,
        candidates,
        panel.clusters,
        bootstrap.level,
        (0.0, 1.0) if panel.sided else few_levels(panel.scale),
    )
    labelled = pd.Series(~np.isnan(panel.human)).groupby(np.array(candidates)).sum()
    frames = [
        pd.DataFrame(
            {
                "dataset": panel.dataset.name,
                "voter": voter.name,
                "kind": voter.kind,
                "candidate": found.candidates,
                "n": found.n[:, at].astype(int),
                "missing": labelled[list(found.candidates)].to_numpy() - found.n[:, at].astype(int),
                "judged": found.judged[:, at],
                "human": found.human[:, at],
                "delta": found.delta[:, at],
                "ci_low": found.low[:, at],
                "ci_high": found.high[:, at],
                "caution": cautions(
                    found.questions[:, at],
                    Interval(found.delta[:, at], found.low[:, at], found.high[:, at]),
                ),
            }
        )
        for at, voter in enumerate(panel.votes.voters)
    ]
    return in_order(pd.concat(frames, ignore_index=True), "candidate")


def annotators(panel: Panel, bootstrap: Bootstrap) -> pd.DataFrame:
    """Measure how far the annotators agree among themselves.

    Returns
    -------
    DataFrame
        A row for Krippendorff's alpha over all annotators, then one for Cohen's kappa of each two
        that labelled an item in common: dataset, measure ("krippendorff_alpha" or "cohen_kappa"; on
        other scales "alpha_ordinal" and the like, and the scale's headline measure),
        annotators (str); n, the items with two labels or more, or with both (int); agreement with
        ci_low and ci_high (float); caution, why an interval is missing or cannot be trusted (str).
        Empty where no item has two labels.
    """
    votes, names = panel.annotations, panel.dataset.annotators
    given = ~np.isnan(votes)
    two_labels = given.sum(axis=1) >= 2
    several = int(two_labels.sum())
    if not several:
        return pd.DataFrame()
    both = given.T.astype(int) @ given
    pairs = [(one, other) for one, other in combinations(range(len(names)), 2) if both[one, other]]
    scale, of_two = _label_codes(panel), "cohen_kappa" if panel.sided else ""
    codes = sides(votes) if scale.kind == "preference" else votes
    scale = Scale.preference() if scale.kind == "preference" else scale
    rated = Ratings(codes, np.full(len(codes), np.nan), scale, panel.clusters)
    alpha, pair = ALPHA[scale.kind], Pairwise(measures_of(scale)[0])
    found = estimates([alpha, pair], rated, bootstrap)
    at = [list(combinations(range(len(names)), 2)).index(two) for two in pairs]
    labelled_by = [given[:, list(two)].all(axis=1) for two in pairs]
    value, low, high = (
        np.concatenate([whole, each[at]])
        for whole, each in zip(found[alpha.name], found[pair.name], strict=True)
    )
    return pd.DataFrame(
        {
            "dataset": panel.dataset.name,
            "measure": [
                "krippendorff_alpha" if panel.sided else alpha.name,
                *[of_two or pair.measure.name] * len(pairs),
            ],
            "annotators": ["all", *(f"{names[one]}, {names[other]}" for one, other in pairs)],
            "n": [several, *(int(both[two]) for two in pairs)],
            "agreement": value,
            "ci_low": low,
            "ci_high": high,
            "caution": cautions(
                np.array([questions_on(panel, rows) for rows in (two_labels, *labelled_by)]),
                Interval(value, low, high),
            ),
        }
    )


def between_judges(panel: Panel, bootstrap: Bootstrap) -> pd.DataFrame:
    """Measure how far each two judges agree with each other; no human label is needed.

    Returns
    -------
    DataFrame
        A row for each two voters that are no juries, by name: dataset, judge, other (str); n, the
        items both voted on, and missing, the others (int); kappa with ci_low and ci_high, and
        accuracy, the share of n with the same label (float); caution, why the interval is missing
        or cannot be trusted (str). Ties of pairs are left out. On other scales the headline measure
        with ci_low and ci_high, and on nominal and ordinal ones `exact`, the share of n with the
        same value. Empty with fewer than two.
    """
    names = sorted(voter.name for voter in panel.votes.voters if voter.kind != "jury")
    labels = panel.votes.columns(tuple(names)).labels
    pairs = list(combinations(range(len(names)), 2))
    if not pairs:
        return pd.DataFrame()
    scale = panel.scale
    if scale.kind in SIDED:
        labels, scale = np.where(np.isin(labels, (0, 1)), labels, np.nan), Scale.binary()
    head = measures_of(scale)[0]
    none = np.full(len(labels), np.nan)
    rated = Ratings(labels, none, scale, panel.clusters)
    one = estimates([Pairwise(head)], rated, bootstrap)[f"{head.name}_pairwise"]
    both = [~np.isnan(labels[:, a]) & ~np.isnan(labels[:, b]) for a, b in pairs]
    made = {
        "dataset": panel.dataset.name,
        "judge": [names[a] for a, _ in pairs],
        "other": [names[b] for _, b in pairs],
        "n": [int(there.sum()) for there in both],
        "missing": [int((~there).sum()) for there in both],
        head.name: one.value,
        "ci_low": one.low,
        "ci_high": one.high,
    }
    if scale.kind != "interval":
        same = [
            np.abs(labels[:, a] - labels[:, b])[there] < SAME
            for (a, b), there in zip(pairs, both, strict=True)
        ]
        share = [float(one.mean()) if len(one) else np.nan for one in same]
        made["accuracy" if scale.kind == "binary" else "exact"] = share
    made["caution"] = cautions(np.array([questions_on(panel, there) for there in both]), one)
    return pd.DataFrame(made)
