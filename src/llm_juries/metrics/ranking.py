"""Rankings of models from battles, with intervals.

Every estimate here is a function of weighted sums over battles, so a bootstrap resample is a
weighting of the questions and all resamples are fitted at once: win rates are ratios of the sums,
and Bradley-Terry strengths, with style controlled for or without, are logistic regressions solved
by one batched Newton iteration. The point estimate and its resamples go through the same code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..errors import JuriesError
from .arrays import Array, Index, Labels, Mask, numbered
from .bootstrap import HELD_WEIGHTS, Bootstrap
from .correlation import correlations, order_bounds, rank_sets, ranks, score_bounds
from .logistic import Design, logistic
from .significance import decided_pairs

TIE = 0.5
ELO = 400 / np.log(10)  # Elo points a unit of log odds: 400 points are odds of ten to one
ANCHOR = 1000.0  # where Chatbot Arena and Arena-Hard put their anchor
FEW_COLUMNS = 64  # of sums by question: with more, most are 0
EXACT = 2.0**52  # whole numbers below it have no rounding
MOST_CELLS = 1 << 22  # of voters' tables of questions and models that are resampled together


@dataclass(frozen=True)
class Battles:
    """Which of two models was preferred, battle by battle.

    A battle is one pair of answers. Votes in both orders are pooled into its score first, so no
    battle counts twice.

    Parameters
    ----------
    models : tuple of m names
        Sorted, so that nothing depends on the order in which models were seen.
    first, second : int arrays of shape (n,)
        Indices of the two models.
    score : array of shape (n,)
        The first's share, in [0, 1]: 1 a win, 0.5 a tie, 0 a loss; of five levels, a slight win is
        0.75 and a slight loss 0.25. NaN is a missing vote: the battle is left out, it is not a tie.
    clusters : sequence of n labels
        The question each battle is about.

    Raises
    ------
    JuriesError
        Naming the field and the value, if the arrays do not fit together.
    """

    models: tuple[str, ...]
    first: Index
    second: Index
    score: Array
    clusters: Labels

    def __post_init__(self) -> None:
        if not self.models:
            raise JuriesError("battles: there are none to rank; check the candidates' names")
        if list(self.models) != sorted(set(self.models)):
            raise JuriesError("battles, field models: names must be sorted and unique")
        n = len(self.score)
        for name in ("first", "second", "clusters"):
            if len(getattr(self, name)) != n:
                raise JuriesError(
                    f"battles, field {name}: has {len(getattr(self, name))} rows, score has {n}"
                )
        if n == 0:
            return
        for name, side in (("first", self.first), ("second", self.second)):
            if side.min() < 0 or side.max() >= len(self.models):
                raise JuriesError(
                    f"battles, field {name}: holds an index outside 0..{len(self.models) - 1}"
                )
        if (self.first == self.second).any():
            at = int(np.flatnonzero(self.first == self.second)[0])
            raise JuriesError(
                f"battles, row {at}: {self.models[self.first[at]]!r} is compared with itself; "
                "leave it out"
            )
        wrong = (self.score < 0) | (self.score > 1)
        if wrong.any():
            raise JuriesError(
                f"battles, field score: is {self.score[wrong][0]:g} in row "
                f"{int(np.flatnonzero(wrong)[0])}; a score is from 0 to 1, or NaN"
            )

    @classmethod
    def between(
        cls,
        first: Sequence[str],
        second: Sequence[str],
        score: npt.ArrayLike,
        clusters: Labels,
    ) -> Battles:
        """Return battles between models given by name."""
        models = tuple(sorted({*first, *second}))
        at = {model: index for index, model in enumerate(models)}
        here, there = (
            np.array([at[name] for name in side], dtype=np.intp) for side in (first, second)
        )
        return cls(models, here, there, np.asarray(score, dtype=float), clusters)


@dataclass(frozen=True)
class Weights:
    """How much a battle counts.

    The defaults count each battle once, by its share. Arena-Hard v0.1 counts otherwise: a much
    better answer (A>>B) is three wins and a better one (A>B) is one whole win (`show_result.py` of
    lmarena/arena-hard-auto, option `weight`); that is `Weights(strong=3, slight="win")` on battles
    that are single games.

    Parameters
    ----------
    strong : float, optional
        The weight of a battle that was won outright, with a score of exactly 1 or 0, against 1 of
        any other; at least 0. Where shares are pooled over both orders, both must be outright; of
        votes that only say who won, every win is outright and the weight is against ties.
    slight : {"share", "win"}, optional
        Whether a score such as 0.75 gives three quarters of a win to one side and a quarter to the
        other, or the whole win to the side that has more.
    ties : {"half", "none"}, optional
        Whether a tie is half a win for each side or is left out.

    Raises
    ------
    JuriesError
        Naming the field and the value, if it is none of these.
    """

    strong: float = 1.0
    slight: Literal["share", "win"] = "share"
    ties: Literal["half", "none"] = "half"

    def __post_init__(self) -> None:
        if not (np.isfinite(self.strong) and self.strong >= 0):
            raise JuriesError(f"weights, field strong: is {self.strong!r}; set it to 0 or more")
        for name, known in (("slight", ("share", "win")), ("ties", ("half", "none"))):
            if getattr(self, name) not in known:
                raise JuriesError(
                    f"weights, field {name}: is {getattr(self, name)!r}; set it to one of "
                    f"{', '.join(known)}"
                )

    def wins(self, score: Array) -> tuple[Array, Array]:
        """Return how many wins each battle gives to its first and to its second side."""
        share = score
        if self.slight == "win":
            share = (np.sign(score - TIE) + 1) / 2
        weight = np.where((score == 0) | (score == 1), self.strong, 1.0)
        counted = ~np.isnan(score)
        if self.ties == "none":
            counted &= score != TIE
        weight = np.where(counted, weight, 0.0)
        share = np.where(counted, share, 0.0)
        return weight * share, weight * (1 - share)


@dataclass(frozen=True)
class Ranking:
    """Scores of models with percentile intervals, and their ranks.

    Arrays have the shape (m,), in the order of `models`; `n` counts the battles or answers of each
    model with a vote. Rank 1 is the highest score; equal scores share the mean of their ranks. The
    interval of a rank holds all ranks that no other model's surely higher or lower score rules out;
    all of them hold at once (Mogstad et al. 2024). `draws`, of shape (resamples, m), are the scores
    in each resample. NaN where a score has no meaning, and then in the intervals too.
    """

    models: tuple[str, ...]
    n: Array
    score: Array
    low: Array
    high: Array
    rank: Array
    rank_low: Array
    rank_high: Array
    draws: Array


def _ranking(
    models: tuple[str, ...], n: Array, score: Array, drawn: Array, bootstrap: Bootstrap
) -> Ranking:
    low, high = bootstrap.ends(drawn)
    rank_low, rank_high = rank_sets(decided_pairs(score, drawn, bootstrap.level), score)
    return Ranking(models, n, score, low, high, ranks(score), rank_low, rank_high, drawn)


def win_rate(
    battles: Battles,
    weights: Weights,
    bootstrap: Bootstrap,
    baseline: str | None = None,
) -> Ranking:
    """Return each model's share of wins, against a baseline or over its opponents.

    Parameters
    ----------
    battles, weights
    bootstrap : Bootstrap
    baseline : str, optional
        Against this model; its own rate is 0.5 by definition, if it has any battles. By default the
        mean of the shares against each opponent that the model met, all opponents counting the
        same. Such means compare models that met the same opponents.

    Raises
    ------
    JuriesError
        If no battle has the baseline.
    """
    m = len(battles.models)
    at = None if baseline is None else _place(battles, baseline)

    def rate(wins: Array) -> Array:
        total = wins + wins.swapaxes(-1, -2)
        with np.errstate(invalid="ignore"):
            share = np.where(total > 0, wins / total, np.nan)
        if at is not None:
            share[..., at, at] = np.where(total[..., at].sum(-1) > 0, TIE, np.nan)
            return np.asarray(share[..., at])
        met = total > 0
        with np.errstate(invalid="ignore"):
            opponents = np.where(met.any(-1), met.sum(-1), np.nan)
            return np.asarray(np.where(met, share, 0.0).sum(-1) / opponents)

    table = _win_table(battles, weights)
    drawn = [rate(_matrices(some, m)) for some in _totals(table, bootstrap, m * m)]
    score = rate(_matrices(_all(table), m))[0]
    return _ranking(battles.models, _number_voted(battles), score, _joined(drawn, m), bootstrap)


def bradley_terry(battles: Battles, weights: Weights, anchor: str | None = None) -> Array:
    """Return the strengths of the Bradley-Terry model (Bradley and Terry 1952).

    The first side's odds of a win are exp(its strength - the other's). Strengths maximise the
    likelihood of the wins as weighted; a share counts as that much of a win and the rest of a loss.

    The maximum exists only if, however the models are split in two, some model of each part won
    against one of the other (Ford 1957; Hunter 2004, assumption 1): the graph with an edge from
    each winner to whom it won against is strongly connected. Otherwise all strengths are NaN;
    `connected` returns the groups of models that can be compared.

    Parameters
    ----------
    battles, weights
    anchor : str, optional
        Put strengths on Elo's scale, 400 points for odds of ten to one, with this model at 1000,
        as Arena-Hard does with its baseline. By default they are natural log odds of mean 0.

    Returns
    -------
    array of shape (m,)
    """
    wins = _matrices(_all(_win_table(battles, weights)), len(battles.models))
    point = _strengths(wins, np.zeros(wins.shape[-1]))[0]
    return _scaled(point, battles, anchor)


def bradley_terry_bootstrap(
    battles: Battles,
    weights: Weights,
    bootstrap: Bootstrap,
    anchor: str | None = None,
) -> Ranking:
    """Return Bradley-Terry strengths with intervals from resampled questions.

    Resamples are reduced to matrices of wins and fitted together. One whose comparison graph is not
    strongly connected has no estimate and is left out of the intervals, which are NaN where that is
    more than one in twenty. On Elo's scale the anchor has no interval: differences to it are what
    is measured.

    See Also
    --------
    bradley_terry : The model and the parameters.
    """
    m = len(battles.models)
    table = _win_table(battles, weights)
    point = _strengths(_matrices(_all(table), m), np.zeros(m))
    start = np.nan_to_num(point[0])
    drawn = [_strengths(_matrices(some, m), start) for some in _totals(table, bootstrap, m * m)]
    return _ranking(
        battles.models,
        _number_voted(battles),
        _scaled(point, battles, anchor)[0],
        _scaled(_joined(drawn, m), battles, anchor),
        bootstrap,
    )


def connected(battles: Battles, weights: Weights) -> tuple[tuple[str, ...], ...]:
    """Return the groups of models within which strengths can be estimated, the largest first.

    They are the strongly connected parts of the graph of wins. With more than one, no strength of
    all models together exists.
    """
    from scipy.sparse.csgraph import connected_components  # type: ignore[import-untyped, unused-ignore]

    wins = _matrices(_all(_win_table(battles, weights)), len(battles.models))[0]
    number, part = connected_components(wins > 0, directed=True, connection="strong")
    groups = [
        tuple(model for model, own in zip(battles.models, part, strict=True) if own == one)
        for one in range(number)
    ]
    return tuple(sorted(groups, key=lambda group: (-len(group), group)))


@dataclass(frozen=True)
class StyleControlled:
    """A ranking with style controlled for, and what style is worth.

    `coefficients`, `low` and `high` have the shape (f,): the log odds that a first answer gains
    when its feature's difference is larger by one root mean square of all differences. NaN for a
    feature that never differs. `draws` has the shape (resamples, f).
    """

    ranking: Ranking
    coefficients: Array
    low: Array
    high: Array
    draws: Array


def style_controlled(
    battles: Battles,
    features: Array,
    weights: Weights,
    bootstrap: Bootstrap,
    anchor: str | None = None,
) -> StyleControlled:
    """Return Bradley-Terry strengths with differences of style beside them.

    As Chatbot Arena controls for style (Li, Angelopoulos and Chiang 2024, "Does style matter?",
    lmsys.org/blog/2024-08-28-style-control): a battle's log odds are the difference of strengths
    plus a weighted sum of differences of style, and the strengths are what is left of each model
    with style held equal. Unlike there, no penalty shrinks the estimates, and differences are
    scaled without taking off their mean: taking it off would favour whichever answer is called the
    first.

    Parameters
    ----------
    battles, weights
    features : array of shape (n, f)
        The first answer's style less the second's, in any unit; see `analysis.style`.
    bootstrap : Bootstrap
        All resamples share one scale of the features.
    anchor : str, optional
        As for `bradley_terry`.

    Returns
    -------
    StyleControlled
        All NaN where there is no single most likely estimate: the graph of wins is not strongly
        connected, features and models tell every win from every loss, or a feature is a
        combination of the models and other features. Such resamples are left out of the intervals.

    Raises
    ------
    JuriesError
        If there are not as many rows of features as battles, or one is not finite where the
        battle has a vote.
    """
    n, m = len(battles.score), len(battles.models)
    if features.ndim != 2 or len(features) != n or not features.shape[1]:
        raise JuriesError(
            f"features: have the shape {features.shape}; set a row for each of {n} battles "
            "and a column for each feature"
        )
    voted = np.flatnonzero(~np.isnan(battles.score))
    if not np.isfinite(features[voted]).all():
        row = int(voted[np.flatnonzero(~np.isfinite(features[voted]).all(axis=1))[0]])
        raise JuriesError(f"features, row {row}: holds a value that is not finite")
    f = features.shape[1]
    # Rows in an order of their own, so that sums do not depend on how the battles came.
    labels = numbered(battles.clusters)[1]
    keys = (battles.score, *features.T, battles.second, battles.first, labels)
    rows = np.lexsort(keys)
    rows = rows[~np.isnan(battles.score[rows])]
    won, lost = (side[rows] for side in weights.wins(battles.score))
    size = np.sqrt(np.mean(features[rows] ** 2, axis=0)) if len(rows) else np.zeros(f)
    differs = size > 0
    scaled = features[rows][:, differs] / size[differs]
    d = m + int(differs.sum())
    columns = np.empty((len(rows), 2 + d - m), dtype=np.intp)
    columns[:, 0], columns[:, 1], columns[:, 2:] = (
        battles.first[rows], battles.second[rows], np.arange(m, d)
    )  # fmt: skip
    values = np.concatenate([np.broadcast_to([1.0, -1.0], (len(rows), 2)), scaled], axis=1)

    design = Design(columns, values, m, d)
    table = _win_table(battles, weights)

    def estimate(drawn: Array, start: Array) -> Array:
        able = _strongly_connected(_matrices(np.asarray(drawn @ table), m))
        found = np.full((len(drawn), d), np.nan)
        times = drawn[able][:, labels[rows]]
        found[able] = logistic(design, times * won, times * lost, start)
        return found

    clusters = table.shape[0]
    point = estimate(np.ones((1, clusters)), np.zeros(d))
    parts = [np.full((0 if clusters else bootstrap.resamples, d), np.nan)]
    at_a_time = max(1, HELD_WEIGHTS // 8 // max(1, len(rows)))
    for drawn in bootstrap.weights(clusters) if clusters else ():
        parts += [
            estimate(drawn[begin : begin + at_a_time], np.nan_to_num(point[0]))
            for begin in range(0, len(drawn), at_a_time)
        ]
    fitted = np.concatenate(parts)
    coefficients = np.full((1 + bootstrap.resamples, f), np.nan)
    coefficients[:, differs] = np.concatenate([point, fitted])[:, m:]
    low, high = bootstrap.ends(coefficients[1:])
    ranking = _ranking(
        battles.models,
        _number_voted(battles),
        _scaled(point[:, :m], battles, anchor)[0],
        _scaled(fitted[:, :m], battles, anchor),
        bootstrap,
    )
    return StyleControlled(ranking, coefficients[0], low, high, coefficients[1:])


def mean_scores(
    scores: Array,
    candidates: Sequence[str],
    clusters: Labels,
    bootstrap: Bootstrap,
) -> list[Ranking]:
    """Return the mean score of each candidate under each voter, as the PoLL paper ranks 1-5 scores.

    Parameters
    ----------
    scores : array of shape (n, k)
        One answer's score by each of k voters, NaN where there is none.
    candidates : sequence of n names
        The model that gave each answer.
    clusters : sequence of n labels
        The question each answer belongs to.
    bootstrap : Bootstrap
    """
    names, index = np.unique(np.asarray(candidates), return_inverse=True)
    m = len(names)
    models = tuple(str(name) for name in names)
    number, question = numbered(clusters)

    def sums(column: Array) -> Any:
        known = ~np.isnan(column)
        return _table(
            np.tile(question, 2),
            np.concatenate([index, m + index]),
            np.concatenate([np.where(known, column, 0.0), known]),
            2 * m,
        )

    def mean(totals: Array) -> Array:
        with np.errstate(invalid="ignore"):
            return np.where(totals[..., m:] > 0, totals[..., :m] / totals[..., m:], np.nan)

    found = []
    # Voters that are measured on the same resamples at once
    together = max(1, MOST_CELLS // max(1, number * 2 * m))
    for begin in range(0, scores.shape[1], together):
        tables = [sums(column) for column in scores.T[begin : begin + together]]
        if number and len(tables) > 1 and all(map(_in_quarters, tables)):
            drawn = bootstrap.draws(mean, np.stack([one.toarray() for one in tables], axis=1))
        else:
            each = ([mean(some) for some in _totals(one, bootstrap, 2 * m)] for one in tables)
            drawn = np.stack([_joined(parts, m) for parts in each], axis=1)
        for at, table in enumerate(tables):
            (totals,) = _all(table)
            ranking = _ranking(models, totals[m:], mean(totals), drawn[:, at], bootstrap)
            found.append(ranking)
    return found


@dataclass(frozen=True)
class Comparison:
    """A ranking against a reference: correlations over `models`, by name, with intervals.

    `missing` are the ranked models without a score in the reference, `unscored` those without one
    of ours; both are left out.
    """

    models: tuple[str, ...]
    missing: tuple[str, ...]
    unscored: tuple[str, ...]
    value: dict[str, float]
    low: dict[str, float]
    high: dict[str, float]


def compare(ranking: Ranking, reference: Mapping[str, float], bootstrap: Bootstrap) -> Comparison:
    """Return the correlations of a ranking with a reference leaderboard's scores, by model name.

    Intervals say how the questions drawn move the ranking, and take the reference and the choice of
    models as given. Resampled rankings are noisier than the ranking, so their percentiles lie too
    low; these intervals are bounds instead (see `correlation.order_bounds` and `score_bounds`).
    """
    unscored = [bool(np.isnan(score)) for score in ranking.score]
    known = [model in reference for model in ranking.models]
    used = [
        at for at, (in_it, no) in enumerate(zip(known, unscored, strict=True)) if in_it and not no
    ]
    names = ranking.models
    theirs = np.array([reference[names[at]] for at in used], dtype=float)
    score, drawn = ranking.score[used], ranking.draws[:, used]
    value = correlations(score, theirs)
    spans = order_bounds(decided_pairs(score, drawn, bootstrap.level), theirs)
    spans["pearson"] = score_bounds(score, drawn, theirs, bootstrap.level)
    spans = {
        name: (np.minimum(low, value[name]), np.maximum(high, value[name]))
        for name, (low, high) in spans.items()
    }
    return Comparison(
        models=tuple(names[at] for at in used),
        missing=tuple(n for n, in_it in zip(names, known, strict=True) if not in_it),
        unscored=tuple(
            n for n, in_it, no in zip(names, known, unscored, strict=True) if in_it and no
        ),
        value={name: float(one) for name, one in value.items()},
        low={name: float(span[0]) for name, span in spans.items()},
        high={name: float(span[1]) for name, span in spans.items()},
    )


def _place(battles: Battles, model: str) -> int:
    if model not in battles.models:
        raise JuriesError(
            f"baseline or anchor: no battle has {model!r}; set one of {', '.join(battles.models)}"
        )
    return battles.models.index(model)


def _scaled(strengths: Array, battles: Battles, anchor: str | None) -> Array:
    """Return strengths of shape (..., m) on the scale asked for."""
    if anchor is None:
        return strengths
    at = _place(battles, anchor)
    return np.asarray(ELO * (strengths - strengths[..., at, None]) + ANCHOR)


def _number_voted(battles: Battles) -> Array:
    """Return each model's number of battles with a vote, of shape (m,)."""
    voted = ~np.isnan(battles.score)
    sides = np.concatenate([battles.first[voted], battles.second[voted]])
    return np.bincount(sides, minlength=len(battles.models)).astype(float)


def _joined(parts: list[Array], width: int) -> Array:
    return np.concatenate([np.empty((0, width)), *parts])


def _table(clusters: npt.ArrayLike, columns: Index, values: Array, width: int) -> Any:
    """Return the sums of values by cluster and column, a sparse matrix of shape (c, width)."""
    from scipy.sparse import coo_array  # type: ignore[import-untyped, unused-ignore]

    number, index = numbered(clusters)
    # Summed in an order of their own, so that the last digit does not depend on the rows' order.
    order = np.lexsort((values, columns, index))
    cells = (values[order], (index[order], columns[order]))
    return coo_array(cells, shape=(number, width)).tocsr()


def _win_table(battles: Battles, weights: Weights) -> Any:
    """Return the wins of each model over each other (column winner * m + loser) by question."""
    m = len(battles.models)
    won, lost = weights.wins(battles.score)
    return _table(
        np.tile(np.asarray(battles.clusters), 2),
        np.concatenate([battles.first * m + battles.second, battles.second * m + battles.first]),
        np.concatenate([won, lost]),
        m * m,
    )


def _all(table: Any) -> Array:
    """Return the totals over all clusters once, of shape (1, width)."""
    return np.asarray(np.ones((1, table.shape[0])) @ table)


def _totals(table: Any, bootstrap: Bootstrap, width: int) -> Any:
    """Yield bootstrap totals in chunks of shape (some, width)."""
    if not table.shape[0]:
        yield np.zeros((bootstrap.resamples, width))
        return
    at_a_time = max(1, HELD_WEIGHTS // max(1, width))
    if width <= FEW_COLUMNS and _in_quarters(table):
        table = table.toarray()  # half the time
    for times in bootstrap.weights(table.shape[0]):
        for begin in range(0, len(times), at_a_time):
            yield np.asarray(times[begin : begin + at_a_time] @ table)


def _in_quarters(table: Any) -> bool:
    """Return whether sums are exact, so that no digit depends on how they are added up."""
    quarters = 4 * table.data
    most = np.abs(quarters).sum() * table.shape[0]
    return bool((quarters == np.rint(quarters)).all() and most < EXACT)


def _matrices(totals: Array, m: int) -> Array:
    return totals.reshape(len(totals), m, m)


def _strongly_connected(wins: Array) -> Mask:
    """Return whether each of b graphs of wins, of shape (b, m, m), is strongly connected.

    It is if the first model reaches all others along wins and all others reach it.
    """
    b, m = wins.shape[:2]
    edges = wins > 0
    whole = np.ones(b, dtype=bool)
    for graph in (edges, edges.swapaxes(1, 2)):
        reached = np.zeros((b, m), dtype=bool)
        reached[:, :1] = True
        for _ in range(m):
            further = reached | (reached[:, :, None] & graph).any(axis=1)
            if (further == reached).all():
                break
            reached = further
        whole &= reached.all(axis=1)
    return whole


def _strengths(wins: Array, start: Array) -> Array:
    """Return the Bradley-Terry strengths of each of b matrices of wins, of shape (b, m).

    The pairs of models are the rows of a logistic regression.
    """
    b, m = wins.shape[:2]
    found = np.full((b, m), np.nan)
    able = np.flatnonzero(_strongly_connected(wins))
    if not len(able):
        return found
    first, second = np.triu_indices(m, 1)
    met = (wins[able][:, first, second] + wins[able][:, second, first] > 0).any(axis=0)
    first, second = first[met], second[met]
    values = np.broadcast_to([1.0, -1.0], (len(first), 2))
    design = Design(np.stack([first, second], axis=1), values, m, m)
    own = wins[able]
    found[able] = logistic(design, own[:, first, second], own[:, second, first], start)
    return found
