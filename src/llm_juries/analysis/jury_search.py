"""Which jury to seat: all juries of a panel's voters, measured at once. Asks no model.

The same votes come back in many items, so items are reduced to the distinct patterns of votes and
human label. Each jury decides each pattern once, and then all counts of all resamples are products
of matrices: how often a resample drew each pattern, times what each jury decided there.

Picking the best of thousands of juries on the items they are measured on flatters the one picked.
What the picking is worth is measured on questions that had no say in it (`_cross_validated`).
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from math import comb
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..errors import JuriesError, nearest
from ..juries.panel import Panel
from ..juries.rules import Jury, Rule
from ..juries.votes import TIE, Votes
from ..metrics import agreement
from ..metrics import bootstrap as resampling
from ..metrics.agreement import accuracy, cohen_kappa
from ..metrics.bootstrap import Bootstrap, bootstrap
from ..metrics.intervals import percentile_interval

Array = npt.NDArray[np.float64]
Counts = npt.NDArray[Any]  # float32 where that is exact
MOST_VOTERS = 12  # 4,095 juries
EXACT = 1 << 24  # up to here float32 counts exactly
HELD = 1 << 26  # counts held at a time
CACHED = 1 << 15  # resampled juries measured at a time: what is made of them stays in the cache
DISTINCT = 1e-9  # two kappas closer than this are the same but for rounding
UNDECIDED = -1
NO_VOTE = 2


@dataclass(frozen=True)
class Criteria:
    """What to search, and how to choose.

    Parameters
    ----------
    rules : tuple of rule
        Each is searched by itself; none: no search.
    dollars : mapping of str to float, optional
        What one item costs with a judge. A jury with a judge that is not named has no known cost.
    folds : int
        Of the cross-validation over questions.
    coverage : float
        A jury can be chosen if it decides at least this share of the labelled items that the judge
        with most votes votes on. Without such a floor those juries would win that decide the easy
        items only: under "majority", two judges that differ decide nothing.
    """

    rules: tuple[Rule, ...] = ("majority",)
    dollars: Mapping[str, float] | None = None
    folds: int = 5
    coverage: float = 0.95

    def __post_init__(self) -> None:
        if self.folds < 2:
            raise JuriesError(f"folds: {self.folds} is too few; set 2 or more")
        if not 0 <= self.coverage <= 1:
            raise JuriesError(f"coverage: {self.coverage} is no share; set 0 to 1")
        for name, dollars in (self.dollars or {}).items():
            if not dollars >= 0:
                raise JuriesError(f"dollars.{name}: {dollars} is no price; set 0 or more")


@dataclass(frozen=True)
class Search:
    """The tables of a search; every row has its dataset and rule.

    Attributes
    ----------
    juries : DataFrame
        As `_jury_table` returns: a row a jury.
    judges : DataFrame
        As `_judge_table` returns: a row a judge, and what it adds to juries.
    chosen : DataFrame
        As `_cross_validated` returns: what choosing by kappa is worth on other questions.
    """

    juries: pd.DataFrame
    judges: pd.DataFrame
    chosen: pd.DataFrame


def search(panel: Panel, options: Bootstrap, criteria: Criteria | None = None) -> Search:
    """Measure all 2^k - 1 juries of a panel's k voters, single ones too, against the human labels.

    Under "majority" and "any" items collapse into patterns of votes (12 judges, 5,000 items, 10,000
    resamples: seconds). Under the other rules scores are part of a pattern, so continuous ones
    do not collapse: time and memory then grow with items x juries.

    Raises
    ------
    JuriesError
        If there are more than twelve voters, nothing to measure, fewer questions than folds, or
        dollars for a judge that is not there.
    """
    criteria = criteria or Criteria()
    names = tuple(sorted(v.name for v in panel.votes.voters if v.kind != "jury"))
    if len(names) > MOST_VOTERS:
        raise JuriesError(
            f"jury search: {panel.dataset.name} has {len(names)} voters, {MOST_VOTERS} at most; "
            "leave some out"
        )
    for name in criteria.dollars or {}:
        if name not in names:
            raise JuriesError(f"dollars.{name}: there is no such judge{nearest(name, names)}")
    parts = []
    for rule in criteria.rules:
        court = _Court(panel, names, rule, criteria.coverage)
        draws = court.resampled(options)
        parts.append(
            (
                _jury_table(court, draws, options, criteria),
                _judge_table(court, draws, options, criteria),
                _cross_validated(court, options, criteria),
            )
        )
    joined = [pd.concat(tables, ignore_index=True) for tables in zip(*parts, strict=True)]
    for table in joined:
        table.insert(0, "dataset", panel.dataset.name)
    return Search(*joined)


@dataclass(frozen=True)
class _Draws:
    """Measures of j juries in b resamples, each of shape (j, b)."""

    kappa: Counts
    accuracy: Counts
    difference: Counts


class _Court:
    """All juries of some voters under one rule, on the distinct patterns of votes.

    Attributes
    ----------
    juries : tuple of j Jury
        Small ones first, then by name: of equals, the first is chosen.
    decisions : array of shape (j, p)
        1, 0, or UNDECIDED, of each jury on each pattern.
    human, voted : arrays of shape (p,) and (k, p)
        The human label; the judges' own votes, 1, 0 or NO_VOTE.
    best : int
        The best judge of those that vote on enough items.
    counts : sparse array of shape (questions, p)
        How often each pattern comes in each question, in the order of the sorted questions.
    """

    def __init__(self, panel: Panel, names: tuple[str, ...], rule: Rule, coverage: float) -> None:
        from scipy.sparse import csr_array

        self.dataset, self.names, self.rule = panel.dataset.name, names, rule
        self.juries = tuple(
            Jury(" + ".join(members), members, rule)
            for size in range(1, len(names) + 1)
            for members in combinations(names, size)
        )
        self.members = np.array([[n in jury.members for n in names] for jury in self.juries])

        votes = panel.votes.columns(names)
        labelled = np.flatnonzero(~np.isnan(panel.human))
        if not labelled.size or np.isnan(votes.labels[labelled]).all():
            raise JuriesError(
                f"jury search: {self.dataset} has no item with both a human label and a vote; "
                "label some, or ask the judges first"
            )
        seen = np.column_stack([panel.human, votes.labels])
        if rule not in ("majority", "any"):  # a tied vote's score counts, a missing one's does not
            seen = np.column_stack([seen, votes.scores, votes.outcomes == TIE])
        _, first, pattern = np.unique(
            np.nan_to_num(seen[labelled], nan=-np.inf),  # as a NaN equals nothing
            axis=0,
            return_index=True,
            return_inverse=True,
        )
        patterns = _rows(votes, labelled[first])
        self.human = panel.human[labelled[first]].astype(int)
        self.voted = _sided(patterns.labels.T, NO_VOTE)
        # Questions without a label are drawn too, as for every other interval of the package.
        questions, question = np.unique(np.asarray(panel.questions), return_inverse=True)
        counts = csr_array(
            (np.ones(len(labelled)), (question[labelled], pattern.ravel())),
            shape=(len(questions), len(first)),
        )
        self.counts = counts
        kappa = _eligible(self.judge_counts(self.total), self.most(self.total), coverage)
        self.best = _first_best(kappa[:, 0], f"on {self.dataset}")

        # Those of one human label and one vote of the best judge side by side, to be summed over
        order = np.lexsort((self.voted[self.best], self.human))
        self.human, self.voted, self.counts = (
            self.human[order],
            self.voted[:, order],
            counts[:, order],
        )
        self.blocks = {}
        for true in (0, 1):
            for vote in (0, 1, NO_VOTE):
                at = np.flatnonzero((self.human == true) & (self.voted[self.best] == vote))
                if at.size:
                    self.blocks[true, vote] = slice(at[0], at[-1] + 1)
        patterns = _rows(patterns, order)
        self.decisions = np.empty((len(self.juries), len(first)), np.int8)
        for seat, jury in enumerate(self.juries):
            self.decisions[seat] = _sided(jury.decide(patterns).labels[:, 0], UNDECIDED)

    @property
    def total(self) -> Array:
        """How often each pattern comes, of shape (p, 1)."""
        return np.asarray(self.counts.sum(axis=0), float).reshape(-1, 1)

    def judge_counts(self, weights: Array) -> Array:
        """Return each judge's own counts, of shape (k, w, 4), for weights of shape (p, w)."""
        votes = np.where(self.voted == NO_VOTE, np.nan, self.voted).T
        cells = agreement.outcomes(votes, self.human.astype(float))
        return np.asarray(np.einsum("pkc,pw->kwc", cells, weights))

    def most(self, weights: Array) -> Array:
        """Return how many labelled items the judge with most votes votes on, of shape (w,)."""
        return np.asarray(self.judge_counts(weights).sum(axis=-1).max(axis=0))

    def dollars(self, criteria: Criteria) -> Array:
        """Return what an item costs with each judge, NaN where that is not known."""
        return np.array([(criteria.dollars or {}).get(name, np.nan) for name in self.names], float)

    def dealt(self, folds: int, seed: int) -> Array:
        """Deal the labelled questions into folds: ones and zeros of shape (questions, folds)."""
        labelled = np.flatnonzero(self.counts.sum(axis=1))
        if len(labelled) < folds:
            raise JuriesError(
                f"folds: {self.dataset} has {len(labelled)} labelled questions, which can't be "
                f"dealt into {folds} folds; set fewer"
            )
        dealt = np.zeros((self.counts.shape[0], folds))
        order = np.random.default_rng(seed).permutation(labelled)
        dealt[order, np.arange(len(order)) % folds] = 1
        return dealt

    def cells(self, weights: Counts) -> Counts:
        """Count items by human label, the best judge's vote, and each jury's decision.

        Parameters
        ----------
        weights : array of shape (p, w)
            How often each pattern comes, in each of w draws.

        Returns
        -------
        array of shape (2, 3, 2, j, w)
            Undecided items are left out.
        """
        cells = np.zeros((2, 3, 2, len(self.juries), weights.shape[1]), weights.dtype)
        for (true, vote), at in self.blocks.items():
            said = self.decisions[:, at]
            for label in (0, 1):
                np.matmul(
                    (said == label).astype(weights.dtype), weights[at], cells[true, vote, label]
                )
        return cells

    def resampled(self, options: Bootstrap) -> _Draws:
        """Return the measures in all resamples: those of every other table of the same seed."""
        largest = int(self.counts.sum(axis=1).max())
        exact = np.float32 if self.counts.shape[0] * largest < EXACT else np.float64
        by_pattern = self.counts.T.tocsr()
        shape = len(self.juries), options.resamples
        draws = _Draws(*(np.empty(shape, np.float32) for _ in range(3)))
        rows = max(1, HELD // (12 * len(self.juries) + len(self.human)))
        done = 0
        with ThreadPoolExecutor(os.cpu_count()) as pool:  # numpy computes outside of Python's lock
            for drawn in resampling.draws(self.counts.shape[0], options.resamples, options.seed):
                for of_drawn in _slices(len(drawn), rows):
                    cells = self.cells((by_pattern @ drawn[of_drawn].T).astype(exact))
                    to = slice(done, done + cells.shape[-1])
                    done = to.stop
                    blocks = _slices(len(self.juries), max(1, CACHED // cells.shape[-1]))
                    list(pool.map(partial(self._measure, draws, cells, to), blocks))
        return draws

    @staticmethod
    def _measure(draws: _Draws, cells: Counts, to: slice, some: slice) -> None:
        """Write some juries' measures in some resamples; blocks of juries do not touch."""
        kappa, share, difference = _measures(cells[..., some, :])
        draws.kappa[some, to], draws.accuracy[some, to] = kappa, share
        draws.difference[some, to] = difference

    @property
    def shapley(self) -> Array:
        """The matrix of shape (k, j) that makes the judges' Shapley values of the juries' kappas.

        The value of a judge is the mean change of kappa when it joins those before it, over all
        orders in which judges can join (Shapley 1953): each size of jury weighs the same. The
        jury of nobody has kappa 0, which is chance.
        """
        k, size = len(self.names), self.members.sum(axis=1)
        joined = np.array([1 / (k * comb(k - 1, s - 1)) for s in size])
        without = np.array([1 / (k * comb(k - 1, s)) if s < k else 0.0 for s in size])
        return np.where(self.members.T, joined, -without)


def _sided(labels: Array, otherwise: int) -> npt.NDArray[np.int_]:
    """Return labels as integers; neither of a pair is no side that a human could agree with."""
    return np.where(labels == 1, 1, np.where(labels == 0, 0, otherwise))


def _rows(votes: Votes, at: npt.NDArray[np.intp]) -> Votes:
    return Votes(votes.voters, votes.labels[at], votes.scores[at], votes.outcomes[at])


def _slices(length: int, step: int) -> Iterator[slice]:
    for start in range(0, length, step):
        yield slice(start, min(length, start + step))


def _table(positive: Counts, negative: Counts) -> Array:
    """Return counts as `agreement` takes them, from arrays of shape (2, ...) by human label."""
    cells = np.stack([positive[1], positive[0], negative[1], negative[0]], dtype=float)
    return np.moveaxis(cells, 0, -1)


def _own(cells: Counts) -> Array:
    """Return each jury's counts over the items it decided."""
    said = cells.sum(axis=1)
    return _table(said[:, 1], said[:, 0])


def _measures(cells: Counts) -> tuple[Array, Array, Array]:
    """Return the juries' kappa, accuracy, and kappa less that of the best judge.

    The difference is over the items that both decided.
    """
    both = cells[:, :NO_VOTE]
    jury, judge = both.sum(axis=1), both.sum(axis=2)
    difference = cohen_kappa(_table(jury[:, 1], jury[:, 0])) - cohen_kappa(
        _table(judge[:, 1], judge[:, 0])
    )
    own = _own(cells)
    return cohen_kappa(own), accuracy(own), difference


def _eligible(counts: Array, most: Array, coverage: float) -> Array:
    """Return the kappas of those that decide enough, NaN for the others."""
    return np.where(counts.sum(axis=-1) >= coverage * most, cohen_kappa(counts), np.nan)


def _first_best(kappa: Array, place: str) -> int:
    """Return the first of the highest, passing over those without meaning."""
    if np.isnan(kappa).all():
        raise JuriesError(
            f"jury search: no judge or jury has a kappa {place}: humans and judges must have said "
            "both yes and no; label more items, or set fewer folds"
        )
    return int(np.flatnonzero(kappa >= np.nanmax(kappa) - DISTINCT)[0])


def _intervals(draws: Counts, level: float) -> tuple[Array, Array]:
    """Return the intervals of draws of shape (j, b)."""
    parts = [  # sorted first, as NumPy's quantiles are three times as fast then
        percentile_interval(np.sort(draws[some], axis=1).T, level)
        for some in _slices(len(draws), 256)
    ]
    low, high = (np.concatenate(side) for side in zip(*parts, strict=True))
    return low, high


def _jury_table(
    court: _Court, draws: _Draws, options: Bootstrap, criteria: Criteria
) -> pd.DataFrame:
    """Measure each jury.

    The p value is two-sided, of the difference over its bootstrap standard error, by the normal
    distribution: one counted from B draws is never below 2 / (B + 1), which Holm's factor of
    thousands would turn into 1.

    Returns
    -------
    DataFrame
        A row a jury, small ones first: rule, jury (str); seats, n, the labelled items it decided,
        and missing, the others (int); kappa with ci_low and ci_high, accuracy with accuracy_low
        and accuracy_high, usd_per_item, NaN where a member's is not known (float); eligible, if it
        may be chosen; pareto, if no eligible jury of known cost has a higher kappa for no more, or
        no lower one for less (bool); wins, the share of resamples in which it has the highest kappa
        of the eligible (float); beside, the best eligible judge (str); difference, the jury's
        kappa less that judge's on the items both decided, with difference_low, difference_high, p
        (NaN where the two never differ), and p_holm, corrected for all juries of the rule (Holm
        1979). That judge is picked on the same items, which flatters it.
    """
    cells = court.cells(court.total)[..., 0]
    own = _own(cells)
    kappa, share, difference = _measures(cells)
    n = own.sum(axis=-1).astype(int)
    usd = np.where(court.members, court.dollars(criteria), 0.0).sum(axis=1)
    may_win = _eligible(own, court.most(court.total)[0], criteria.coverage)
    low, high = _intervals(draws.kappa, options.level)
    accuracy_low, accuracy_high = _intervals(draws.accuracy, options.level)
    difference_low, difference_high = _intervals(draws.difference, options.level)
    p = _p_values(difference, draws.difference)
    return pd.DataFrame(
        {
            "rule": court.rule,
            "jury": [jury.name for jury in court.juries],
            "seats": court.members.sum(axis=1),
            "n": n,
            "missing": int(court.total.sum()) - n,
            "kappa": kappa,
            "ci_low": low,
            "ci_high": high,
            "accuracy": share,
            "accuracy_low": accuracy_low,
            "accuracy_high": accuracy_high,
            "usd_per_item": usd,
            "eligible": ~np.isnan(may_win),
            "pareto": pareto_front(usd, may_win),
            "wins": _wins(draws.kappa, ~np.isnan(may_win)),
            "beside": court.names[court.best],
            "difference": difference,
            "difference_low": difference_low,
            "difference_high": difference_high,
            "p": p,
            "p_holm": _holm(p),
        }
    )


def pareto_front(cost: Array, value: Array) -> npt.NDArray[np.bool_]:
    """Return which have no rival that costs no more, is worth no less, and differs in one.

    Parameters
    ----------
    cost, value : arrays of shape (n,)
        One with a NaN in either is neither on the front nor a rival.
    """
    front = np.zeros(len(cost), bool)
    known = ~np.isnan(cost) & ~np.isnan(value)
    best = -np.inf
    for dollars in np.unique(cost[known]):
        at = known & (cost == dollars)
        top = value[at].max()
        if top > best:
            front |= at & (value == top)
            best = top
    return front


def _wins(kappa: Counts, eligible: npt.NDArray[np.bool_]) -> Array:
    """Return in which share of resamples each jury has the highest kappa, the first of equals."""
    best = np.full(kappa.shape[1], -np.inf, kappa.dtype)
    winner = np.full(kappa.shape[1], -1)
    for at in np.flatnonzero(eligible):
        higher = kappa[at] > best  # never where it is NaN
        best[higher], winner[higher] = kappa[at][higher], at
    decided = winner[winner >= 0]
    return np.bincount(decided, minlength=len(kappa)) / max(len(decided), 1)


def _p_values(difference: Array, draws: Counts) -> Array:
    from scipy.stats import norm

    defined = ~np.isnan(draws)
    error = np.array(
        [
            np.std(row[known], ddof=1) if known.mean() >= 0.95 else 0.0
            for row, known in zip(draws.astype(float), defined, strict=True)
        ]
    )
    z = np.divide(difference, error, out=np.full(len(error), np.nan), where=error > 0)
    return np.asarray(2 * norm.sf(np.abs(z)))


def _holm(p: Array) -> Array:
    from statsmodels.stats.multitest import multipletests

    corrected, tested = np.full(len(p), np.nan), ~np.isnan(p)
    if tested.any():
        corrected[tested] = multipletests(p[tested], method="holm")[1]
    return corrected


def _judge_table(
    court: _Court, draws: _Draws, options: Bootstrap, criteria: Criteria
) -> pd.DataFrame:
    """Measure what each judge is worth alone, and to juries.

    Returns
    -------
    DataFrame
        A row a judge, by name: rule, judge (str); n and missing (int); kappa, its own;
        shapley, its Shapley value (see `_Court.shapley`) with ci_low and ci_high, NaN where some
        jury has no kappa; usd_per_item (float). The values of all judges sum to the kappa of the
        jury of all.
    """
    own = court.judge_counts(court.total)[:, 0]
    n = own.sum(axis=-1).astype(int)
    low, high = _intervals(court.shapley.astype(draws.kappa.dtype) @ draws.kappa, options.level)
    return pd.DataFrame(
        {
            "rule": court.rule,
            "judge": court.names,
            "n": n,
            "missing": int(court.total.sum()) - n,
            "kappa": cohen_kappa(own),
            "shapley": court.shapley @ cohen_kappa(_own(court.cells(court.total)[..., 0])),
            "ci_low": low,
            "ci_high": high,
            "usd_per_item": court.dollars(criteria),
        }
    )


def _cross_validated(court: _Court, options: Bootstrap, criteria: Criteria) -> pd.DataFrame:
    """Measure what it is worth to choose the jury with the highest kappa.

    Questions are dealt into folds. For each fold the jury, and the single judge, with the highest
    kappa on the other folds' questions are chosen and measured on the fold's, and the folds' counts
    are added up: this is what to expect of the winner of all items, whatever its kappa on them is.
    Where two are about as good, the one with good luck on the other folds is chosen and so the one
    with bad luck on this one: that errs on the low side, for the judge as for the jury, and more so
    for the one whose choice changes from fold to fold. Intervals resample questions and keep each
    fold's choice.

    Returns
    -------
    DataFrame
        One row: rule (str), folds (int); jury, the winner on all items (str), and its kappa there,
        kappa_seen; n and missing (int), kappa with ci_low and ci_high, of the folds' winners on
        their folds; the same of the best judge as judge, judge_seen, judge_kappa with judge_low and
        judge_high; difference, of the two on the items both decided, with difference_low and
        difference_high (float); chosen and judge_chosen, the folds' winners and how often (str).
    """
    dealt = court.dealt(criteria.folds, options.seed)
    held = court.counts.T @ dealt  # (p, folds)
    juries = [_own(court.cells(w)) for w in (court.total, court.total - held)]
    judges = [court.judge_counts(w) for w in (court.total, court.total - held)]
    floors = [court.most(w) for w in (court.total, court.total - held)]

    def winners(counts: list[Array]) -> list[list[int]]:
        places = ("on all items", "outside of a fold")
        return [
            [_first_best(kappa, place) for kappa in _eligible(own, most, criteria.coverage).T]
            for own, most, place in zip(counts, floors, places, strict=True)
        ]

    (best_jury,), fold_juries = winners(juries)
    (best_judge,), fold_judges = winners(judges)
    sums = np.zeros((len(dealt), 4, 4))
    for fold, (jury, judge) in enumerate(zip(fold_juries, fold_judges, strict=True)):
        labels = np.stack([court.decisions[jury], court.voted[judge]], axis=1)
        cells = agreement.outcomes(labels.astype(float), court.human.astype(float))
        both = cells.sum(axis=2).all(axis=1)
        cells = np.concatenate([cells, cells * both[:, None, None]], axis=1)
        of_fold = dealt[:, [fold]] * (court.counts @ cells.reshape(len(cells), -1))
        sums += of_fold.reshape(sums.shape)

    def kappas(counts: Array) -> Array:
        kappa = cohen_kappa(counts)
        return np.stack([kappa[..., 0], kappa[..., 1], kappa[..., 2] - kappa[..., 3]], axis=-1)

    values = kappas(sums.sum(axis=0))
    low, high = percentile_interval(
        bootstrap(kappas, sums, options.resamples, options.seed), options.level
    )
    n = int(sums[:, 0].sum())
    row = {
        "rule": court.rule,
        "folds": criteria.folds,
        "jury": court.juries[best_jury].name,
        "kappa_seen": cohen_kappa(juries[0])[best_jury, 0],
        "n": n,
        "missing": int(court.total.sum()) - n,
        "kappa": values[0],
        "ci_low": low[0],
        "ci_high": high[0],
        "judge": court.names[best_judge],
        "judge_seen": cohen_kappa(judges[0])[best_judge, 0],
        "judge_kappa": values[1],
        "judge_low": low[1],
        "judge_high": high[1],
        "difference": values[2],
        "difference_low": low[2],
        "difference_high": high[2],
        "chosen": _often(court.juries[jury].name for jury in fold_juries),
        "judge_chosen": _often(court.names[judge] for judge in fold_judges),
    }
    return pd.DataFrame([row])


def _often(names: Iterable[str]) -> str:
    counts = sorted(Counter(names).items(), key=lambda one: (-one[1], one[0]))
    return ", ".join(f"{name}: {times}" for name, times in counts)
