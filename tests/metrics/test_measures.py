"""Every measure equals an independent computation, at any weights of the clusters."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import krippendorff
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as sk

from llm_juries.errors import JuriesError
from llm_juries.metrics import nominal, reliability
from llm_juries.metrics.bootstrap import Bootstrap, cluster_sums
from llm_juries.metrics.graded import MAE, ORDINAL, PEARSON, PICKS_BEST, QUADRATIC_KAPPA
from llm_juries.metrics.intervals import Contrast, Interval
from llm_juries.metrics.measure import (
    AnyMeasure,
    MeanOverClusters,
    MeanOverPairs,
    MeanOverSubsets,
    Pairwise,
    Ratings,
    estimates,
)
from llm_juries.metrics.measures import ALPHA, BY_KIND, measures_of
from llm_juries.metrics.ranks import KENDALL, ROC_AUC, SPEARMAN
from llm_juries.scale import Scale

NAN = math.nan
Array = np.ndarray
SCALES = {
    "binary": Scale.binary(),
    "nominal": Scale.nominal("supported", "refuted", "unknown"),
    "ordinal": Scale.ordinal(1, 5),
    "uneven": Scale.ordinal(levels=("bad", "fair", "good", "best"), numbers=(0, 1, 4, 10)),
    "interval": Scale.interval(0, 100),
    "preference": Scale.preference(),
    "preference5": Scale.preference("B>>A", "B>A", "tie", "A>B", "A>>B"),
}


def simulated(name: str, n: int = 150, k: int = 3, seed: int = 0, missing: float = 0.15) -> Ratings:
    """Votes that follow the human labels, with missing ones, clusters and subsets."""
    rng, scale = np.random.default_rng(seed), SCALES[name]
    levels = len(scale.codes) or 40
    human = rng.integers(levels, size=n)
    noise = rng.integers(levels, size=(n, k))
    votes = np.where(rng.random((n, k)) < 0.5, human[:, None], noise)
    codes = np.array(scale.codes or np.round(np.sort(rng.uniform(0, 100, levels)), 4))
    given = [codes[side] for side in (votes, human)]
    for side in given:
        side[rng.random(side.shape) < missing] = NAN
    clusters = [f"q{at % 40}" for at in range(n)]
    return Ratings(given[0], given[1], scale, clusters, [f"s{at % 3}" for at in range(n)])


def estimate(
    measure: AnyMeasure, ratings: Ratings, level: float = 0.95, contrast: Contrast | None = None
) -> Interval:
    return estimates([measure], ratings, Bootstrap(2, level=level), contrast)[measure.name]


def known(votes: Array, human: Array) -> tuple[Array, Array]:
    both = ~np.isnan(votes) & ~np.isnan(human)
    return votes[both], human[both]


def weighted_kappa(power: int) -> Callable[[Array, Array, Scale], float]:
    """From the whole table of cells, as in Cohen (1968)."""

    def value(x: Array, y: Array, scale: Scale) -> float:
        codes = np.array(scale.codes)
        table = np.array([[np.sum((x == a) & (y == b)) for b in codes] for a in codes]) / len(x)
        weights = np.abs(codes[:, None] - codes) ** power
        expected = (weights * np.outer(table.sum(1), table.sum(0))).sum()
        return float(1 - (weights * table).sum() / expected)

    return value


def icc_a1(x: Array, y: Array, scale: Scale) -> float:
    """From the sums of squares of the two-way table, as in McGraw and Wong (1996)."""
    table = np.stack([x, y], axis=1)
    n, k = table.shape
    grand = table.mean()
    rows = k * ((table.mean(axis=1) - grand) ** 2).sum() / (n - 1)
    columns = n * ((table.mean(axis=0) - grand) ** 2).sum() / (k - 1)
    residual = table - table.mean(axis=1, keepdims=True) - table.mean(axis=0) + grand
    error = (residual**2).sum() / ((n - 1) * (k - 1))
    return float((rows - error) / (rows + (k - 1) * error + k / n * (columns - error)))


def kappa(x: Array, y: Array, scale: Scale) -> float:
    words = [[f"{value:g}" for value in side] for side in (x, y)]
    return float(sk.cohen_kappa_score(*words))


def side(codes: Array) -> Array:
    return np.where(codes > 0.5, 1.0, np.where(codes < 0.5, 0.0, 0.5))


def rate(name: str) -> Callable[[Array, Array, Scale], float]:
    score = sk.recall_score if name.startswith("recall") else sk.precision_score
    level = name.partition("_")[2]

    def value(x: Array, y: Array, scale: Scale) -> float:
        code = scale.encode(level)
        return float(score(y == code, x == code, zero_division=NAN))

    return value


def preference_accuracy(x: Array, y: Array, scale: Scale, *, decided: bool = False) -> float:
    shares = []
    for one, other in zip(side(x), side(y), strict=True):
        if decided and other == 0.5:
            continue
        shares.append(1.0 if one == other else 0.5 if 0.5 in (one, other) else 0.0)
    return float(np.mean(shares))


REFERENCES: dict[str, Callable[[Array, Array, Scale], float]] = {
    "kappa": kappa,
    "accuracy": lambda x, y, _: float(np.mean(x == y)),
    "tpr": lambda x, y, _: float(sk.recall_score(y, x)),
    "tnr": lambda x, y, _: float(sk.recall_score(y, x, pos_label=0)),
    "balanced_accuracy": lambda x, y, _: float(sk.balanced_accuracy_score(y, x)),
    "weighted_kappa": weighted_kappa(2),
    "linear_kappa": weighted_kappa(1),
    "exact": lambda x, y, _: float(np.mean(x == y)),
    "within_one": lambda x, y, s: float(
        np.mean(
            [
                abs(s.codes.index(a) - s.codes.index(b)) <= 1
                for a, b in zip(x.tolist(), y.tolist(), strict=True)
            ]
        )
    ),
    "mae": lambda x, y, _: float(sk.mean_absolute_error(y, x)),
    "pearson": lambda x, y, _: float(stats.pearsonr(x, y).statistic),
    "icc": icc_a1,
    "spearman": lambda x, y, _: float(stats.spearmanr(x, y).statistic),
    "kendall_tau_b": lambda x, y, _: float(stats.kendalltau(x, y).statistic),
}
OF_PREFERENCE = {
    "kappa": lambda x, y, s: kappa(side(x), side(y), s),
    "accuracy_ties": preference_accuracy,
    "accuracy_decided": lambda x, y, s: preference_accuracy(x, y, s, decided=True),
}


def reference_of(measure: AnyMeasure, scale: Scale) -> Callable[[Array, Array, Scale], float]:
    if scale.kind == "preference":
        return OF_PREFERENCE[measure.name]
    return REFERENCES.get(measure.name) or rate(measure.name)


CASES = [
    pytest.param(name, measure, id=f"{name}-{measure.name}")
    for name, scale in SCALES.items()
    for measure in measures_of(scale)
]


@pytest.mark.parametrize(("name", "measure"), CASES)
def test_each_measure_equals_an_independent_computation(name: str, measure: AnyMeasure) -> None:
    ratings = simulated(name)
    reference = reference_of(measure, ratings.scale)
    expected = [reference(*known(one, ratings.human), ratings.scale) for one in ratings.votes.T]
    np.testing.assert_allclose(measure.over(ratings).point, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize(("name", "measure"), CASES)
def test_weights_are_how_often_a_cluster_is_drawn(name: str, measure: AnyMeasure) -> None:
    ratings = simulated(name, seed=1)
    names, index = np.unique(ratings.clusters, return_inverse=True)
    weights = np.random.default_rng(2).multinomial(len(names), np.ones(len(names)) / len(names), 3)
    found = measure.over(ratings).values(weights.astype(float))
    reference = reference_of(measure, ratings.scale)
    for row, times in zip(found, weights, strict=True):
        drawn = np.repeat(np.arange(len(index)), times[index])
        expected = [
            reference(*known(one[drawn], ratings.human[drawn]), ratings.scale)
            for one in ratings.votes.T
        ]
        np.testing.assert_allclose(row, expected, rtol=0, atol=1e-9)


def test_both_ways_to_sum_kendalls_pairs_are_the_same() -> None:
    """Few cells and many clusters, and the other way round."""
    ratings = simulated("interval", n=120, missing=0.1)
    expected = [stats.kendalltau(*known(v, ratings.human)).statistic for v in ratings.votes.T]
    for clusters in ([f"q{at}" for at in range(120)], [f"q{at % 4}" for at in range(120)]):
        found = KENDALL.over(replace(ratings, clusters=clusters)).point
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def test_quadratic_and_linear_kappa_are_scikit_learns_on_even_levels() -> None:
    ratings = simulated("ordinal")
    x, y = known(ratings.votes[:, 0], ratings.human)
    for measure, weights in ((QUADRATIC_KAPPA, "quadratic"), (ORDINAL[1], "linear")):
        expected = sk.cohen_kappa_score(x.astype(int), y.astype(int), weights=weights)
        assert measure.over(ratings).point[0] == pytest.approx(expected, abs=1e-12)


def test_votes_between_levels_are_measured_as_they_are() -> None:
    """The mean of three voters, as a jury gives it."""
    ratings = simulated("ordinal", missing=0)
    mean = ratings.votes.mean(axis=1)
    jury, human = replace(ratings, votes=mean[:, None]), ratings.human
    observed = np.abs(mean - human).mean()
    expected = np.abs(mean[:, None] - human).mean()
    values = {m.name: m.over(jury).point[0] for m in BY_KIND["ordinal"]}
    assert values["linear_kappa"] == pytest.approx(1 - observed / expected, abs=1e-12)
    squared = ((mean[:, None] - human) ** 2).mean()
    assert values["weighted_kappa"] == pytest.approx(
        1 - ((mean - human) ** 2).mean() / squared, abs=1e-12
    )
    assert values["exact"] == np.mean(np.isclose(mean, human))
    assert values["within_one"] == np.mean(np.abs(mean - human) <= 1 + 1e-9)
    with pytest.raises(ValueError, match="none of the values"):
        nominal.confusion(jury)


def test_confusion_counts_are_scikit_learns() -> None:
    ratings = simulated("nominal")
    cells = cluster_sums(nominal.confusion(ratings), ratings.clusters).sum(axis=0)
    for column, found in zip(ratings.votes.T, cells, strict=True):
        x, y = known(column, ratings.human)
        np.testing.assert_array_equal(found, sk.confusion_matrix(x, y))


@pytest.mark.parametrize("name", ["ordinal", "interval"])
def test_roc_auc_is_scikit_learns(name: str) -> None:
    ratings = simulated(name)
    human = np.where(np.isnan(ratings.human), NAN, ratings.human > np.nanmedian(ratings.human))
    against = replace(ratings, human=human)
    expected = [sk.roc_auc_score(*known(human, column)) for column in ratings.votes.T]
    np.testing.assert_allclose(ROC_AUC.over(against).point, expected, rtol=0, atol=1e-12)
    with pytest.raises(JuriesError, match="binary human labels"):
        ROC_AUC.over(ratings)


def test_picks_best_splits_ties_and_leaves_out_questions_with_a_missing_vote() -> None:
    votes = np.array([[5, 5], [5, 4], [3, 3], [2, 2], [4, NAN], [1, 1], [9, 9], [3, 3], [3, 3]])
    human = np.array([1, 0, 0, 0, 1, 0, 1, 1, 1], float)
    clusters = list("aaa") + list("bbb") + ["c"] + list("dd")
    votes[3:6, 0] = 2, 4, 4  # the best of b ties with a worse one
    human[3:6] = 0, 1, 0
    found = PICKS_BEST.over(Ratings(votes.astype(float), human, Scale.interval(1, 10), clusters))
    # First: half of a's tie and half of b's. Second: a is right, b has a vote missing. One
    # candidate only (c) and candidates that humans found alike (d) are no choice.
    np.testing.assert_allclose(found.point, [0.5, 1.0])
    np.testing.assert_array_equal(found.used, [[1, 1], [1, 0], [0, 0], [0, 0]])


def test_picks_best_equals_a_loop() -> None:
    ratings = simulated("ordinal", n=200)
    frame = pd.DataFrame(ratings.votes).assign(human=ratings.human, q=ratings.clusters)
    frame["s"] = ratings.subsets
    expected = []
    for voter in range(3):
        shares = []
        for _, rows in frame.dropna(subset="human").groupby(["q", "s"]):
            best = set(rows.index[rows.human == rows.human.max()])
            if len(best) == len(rows) or rows[voter].isna().any():
                continue
            top = set(rows.index[rows[voter] == rows[voter].max()])
            shares.append(len(top & best) / len(top))
        expected.append(np.mean(shares))
    np.testing.assert_allclose(PICKS_BEST.over(ratings).point, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("measure", [PEARSON, SPEARMAN, KENDALL, MAE])
def test_means_over_subsets_and_over_clusters_equal_loops(measure: AnyMeasure) -> None:
    ratings = simulated("interval", n=240)
    reference = REFERENCES[measure.name]
    for mean, groups in (
        (MeanOverSubsets(measure), ratings.subsets),
        (MeanOverClusters(measure), ratings.clusters),
    ):
        labels = np.array(groups)
        expected = []
        for column in ratings.votes.T:
            values = []
            for label in np.unique(labels):
                x, y = known(column[labels == label], ratings.human[labels == label])
                if len(x) and (measure is MAE or (len(set(x)) > 1 and len(set(y)) > 1)):
                    values.append(reference(x, y, ratings.scale))
            expected.append(np.mean(values))
        np.testing.assert_allclose(mean.over(ratings).point, expected, rtol=0, atol=1e-9)


def test_a_mean_over_subsets_is_nan_for_a_voter_without_one_of_them() -> None:
    ratings = simulated("interval")
    votes, subsets = ratings.votes.copy(), np.array(ratings.subsets)
    votes[subsets == "s1", 0] = NAN
    found = MeanOverSubsets(PEARSON).over(replace(ratings, votes=votes)).point
    assert np.isnan(found).tolist() == [True, False, False]
    human = np.where(subsets == "s1", NAN, ratings.human)  # a subset without human labels
    assert not np.isnan(MeanOverSubsets(PEARSON).over(replace(ratings, human=human)).point).any()
    with pytest.raises(JuriesError, match="no subsets"):
        MeanOverSubsets(PEARSON).over(replace(ratings, subsets=None))


@pytest.mark.parametrize(
    ("name", "measure", "level"),
    [
        ("binary", reliability.ALPHA_NOMINAL, "nominal"),
        ("nominal", reliability.ALPHA_NOMINAL, "nominal"),
        ("preference", reliability.ALPHA_NOMINAL, "nominal"),
        ("ordinal", reliability.ALPHA_ORDINAL, "ordinal"),
        ("uneven", reliability.ALPHA_ORDINAL, "ordinal"),
        ("ordinal", reliability.ALPHA_INTERVAL, "interval"),
        ("uneven", reliability.ALPHA_INTERVAL, "interval"),
        ("interval", reliability.ALPHA_INTERVAL, "interval"),
    ],
)
def test_alpha_is_that_of_krippendorff(name: str, measure: AnyMeasure, level: str) -> None:
    ratings = simulated(name, k=4, missing=0.4)
    bound = measure.over(ratings)
    names, index = np.unique(ratings.clusters, return_inverse=True)
    weights = np.random.default_rng(0).integers(0, 3, size=(2, len(names)))
    weights[0] = 1
    for found, times in zip(bound.values(weights.astype(float)), weights, strict=True):
        votes = ratings.votes[np.repeat(np.arange(len(index)), times[index])]
        expected = krippendorff.alpha(reliability_data=votes.T, level_of_measurement=level)
        np.testing.assert_allclose(found, [expected], rtol=0, atol=1e-9)
    assert ALPHA[ratings.scale.kind].over(ratings).point.shape == (1,)


@pytest.mark.parametrize(("name", "at"), [("nominal", 0), ("ordinal", 0), ("interval", 3)])
def test_pairwise_measures_need_no_human_labels(name: str, at: int) -> None:
    ratings = replace(simulated(name, k=4), human=np.full(150, NAN))
    measure = BY_KIND[ratings.scale.kind][at]
    found = Pairwise(measure).over(ratings)
    reference = reference_of(measure, ratings.scale)
    expected = [
        reference(*known(ratings.votes[:, i], ratings.votes[:, j]), ratings.scale)
        for i, j in combinations(range(4), 2)
    ]
    np.testing.assert_allclose(found.point, expected, rtol=0, atol=1e-9)
    with pytest.raises(JuriesError, match="two voters"):
        Pairwise(measure).over(replace(ratings, votes=ratings.votes[:, :1]))


PERFECT = [case for case in CASES if "mae" not in str(case.id)]


@pytest.mark.parametrize(("name", "measure"), PERFECT)
def test_perfect_agreement_is_one(name: str, measure: AnyMeasure) -> None:
    ratings = simulated(name)
    perfect = replace(ratings, votes=np.stack([ratings.human] * 2, axis=1))
    np.testing.assert_allclose(measure.over(perfect).point, 1, rtol=0, atol=1e-12)


CORRELATIONS = {"pearson", "spearman", "kendall_tau_b", "roc_auc"}
BEYOND_CHANCE = CORRELATIONS | {"kappa", "weighted_kappa", "linear_kappa", "icc"}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("name", "measure"), [*CASES, ("interval", ROC_AUC), ("ordinal", ROC_AUC)])
def test_without_meaning_it_is_nan_without_a_warning(name: str, measure: AnyMeasure) -> None:
    scale = SCALES[name]
    ends = min(scale.codes or [3.3]), max(scale.codes or [9.9])
    low, high = (0.0, 1.0) if measure is ROC_AUC else ends

    def value(votes: list[float], human: list[float]) -> Array:
        shape = len(votes), 1
        given = np.array(votes).reshape(shape), np.array(human, float), scale
        found = estimate(measure, Ratings(*given, list(range(len(votes)))))
        assert np.isnan(found.low).all() or (found.low < found.high).all()
        return found.value

    assert np.isnan(value([], [])).all()
    assert np.isnan(value([low, NAN, high], [NAN, high, NAN])).all()
    if measure.name in BEYOND_CHANCE:
        assert np.isnan(value([low], [low])).all()
        assert np.isnan(value([low] * 7, [low] * 7)).all()
    if measure.name in CORRELATIONS:
        assert np.isnan(value([low, high, high], [low] * 3)).all()
    if measure.name in CORRELATIONS - {"roc_auc"}:
        assert np.isnan(value([high] * 3, [low, high, high])).all()


def test_rounding_is_no_spread() -> None:
    """Means of the same votes in another order differ in the last digit."""
    votes = np.array([[0.1 + 0.2 + 0.3, 1.0]] * 5 + [[0.3 + 0.2 + 0.1, 2.0]] * 5) * 10
    human = np.arange(10.0)
    ratings = Ratings(votes, human, Scale.interval(0, 20), list(range(10)))
    for measure in (PEARSON, SPEARMAN, KENDALL):
        assert np.isnan(measure.over(ratings).point).tolist() == [True, False]


def test_a_measure_refuses_another_scale() -> None:
    with pytest.raises(JuriesError, match="pearson: is for ordinal and interval scales"):
        PEARSON.over(simulated("nominal"))


@st.composite
def tables(draw: st.DrawFn) -> Ratings:
    """Up to 30 items of an ordinal scale with missing labels and clusters."""
    n = draw(st.integers(2, 30))
    cell = st.sampled_from([1.0, 2.0, 3.0, 4.0, 5.0, NAN])
    column = st.lists(cell, min_size=n, max_size=n)
    votes = np.array([draw(column), draw(column)]).T
    clusters = draw(st.lists(st.sampled_from("abcde"), min_size=n, max_size=n))
    return Ratings(votes, np.array(draw(column)), SCALES["ordinal"], clusters)


GRADED = (*BY_KIND["ordinal"], PEARSON)
BOUNDED = [measure for measure in GRADED if measure is not MAE]


@settings(deadline=None, max_examples=60)
@given(ratings=tables(), seed=st.integers(0, 2**16))
def test_the_order_of_items_and_their_clusters_change_no_value(ratings: Ratings, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(ratings.human))
    moved = replace(
        ratings,
        votes=ratings.votes[order],
        human=ratings.human[order],
        clusters=[ratings.clusters[at] for at in order],
    )
    apart = replace(ratings, clusters=list(range(len(order))))
    for measure in GRADED:
        value = measure.over(ratings).point
        for other in (moved, apart):
            np.testing.assert_allclose(measure.over(other).point, value, rtol=0, atol=1e-9)


@settings(deadline=None, max_examples=60)
@given(ratings=tables())
def test_values_stay_in_range_and_are_symmetric(ratings: Ratings) -> None:
    first, human = ratings.votes[:, :1], ratings.human
    swapped = replace(ratings, votes=human[:, None], human=first[:, 0])
    for measure in BOUNDED:
        value = measure.over(replace(ratings, votes=first)).point
        assert np.isnan(value).all() or (np.abs(value) <= 1 + 1e-12).all()
        np.testing.assert_allclose(measure.over(swapped).point, value, rtol=0, atol=1e-9)


@settings(deadline=None, max_examples=60)
@given(ratings=tables())
def test_a_rising_change_of_votes_leaves_ranks_and_a_linear_one_pearson(ratings: Ratings) -> None:
    wide = replace(ratings, scale=Scale.interval(0, 200))
    curved = replace(wide, votes=np.exp(ratings.votes))
    linear = replace(wide, votes=30 * ratings.votes + 7)
    for measure in (SPEARMAN, KENDALL):
        value = measure.over(wide).point
        np.testing.assert_allclose(measure.over(curved).point, value, rtol=0, atol=1e-12)
    np.testing.assert_allclose(
        PEARSON.over(linear).point, PEARSON.over(wide).point, rtol=0, atol=1e-9
    )


@settings(deadline=None, max_examples=60)
@given(ratings=tables(), seed=st.integers(0, 2**16))
def test_names_of_classes_mean_nothing_to_nominal_kappa(ratings: Ratings, seed: int) -> None:
    scale = Scale.nominal("a", "b", "c", "d", "e")
    named = replace(ratings, votes=ratings.votes - 1, human=ratings.human - 1, scale=scale)
    new = np.append(np.random.default_rng(seed).permutation(5).astype(float), NAN)
    renamed = replace(
        named,
        votes=new[np.nan_to_num(named.votes, nan=5).astype(int)],
        human=new[np.nan_to_num(named.human, nan=5).astype(int)],
    )
    kappa = BY_KIND["nominal"][0]
    np.testing.assert_allclose(
        kappa.over(renamed).point, kappa.over(named).point, rtol=0, atol=1e-12
    )


@settings(deadline=None, max_examples=40)
@given(ratings=tables())
def test_any_small_table_gives_scipys_ranks(ratings: Ratings) -> None:
    for measure in (SPEARMAN, KENDALL, PEARSON, QUADRATIC_KAPPA):
        found = measure.over(ratings).point
        for value, column in zip(found, ratings.votes.T, strict=True):
            x, y = known(column, ratings.human)
            spread = len(set(x)), len(set(y))
            if len(x) < 2 or (min(spread) < 2 and measure is not QUADRATIC_KAPPA):
                assert math.isnan(value) or measure is QUADRATIC_KAPPA
                continue
            if measure is QUADRATIC_KAPPA and len(set(x) | set(y)) < 2:
                assert math.isnan(value)
                continue
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                expected = reference_of(measure, ratings.scale)(x, y, ratings.scale)
            assert value == pytest.approx(expected, abs=1e-9)


def test_a_mean_over_pairs_is_that_of_scikit_learns_kappas() -> None:
    ratings = simulated("binary", missing=0)
    pairs = list(combinations(ratings.votes.T.astype(int), 2))
    expected = np.mean([sk.cohen_kappa_score(*pair) for pair in pairs])
    found = estimate(MeanOverPairs(BY_KIND["binary"][0]), ratings)
    assert found.value.tolist() == pytest.approx([expected])
    assert found.low[0] < expected < found.high[0]


# Figures of real verdicts, recorded by others

ATLAS = next(
    (
        folder
        for parent in Path(__file__).resolve().parents
        if (folder := parent / "shared" / "recorded_atlas").is_dir()
    ),
    None,
)
recorded = pytest.mark.skipif(ATLAS is None, reason="the recorded verdicts are not there")


def read(name: str, scale: Scale, judges: Sequence[str]) -> tuple[Ratings, Any]:
    assert ATLAS is not None
    frame = pd.read_csv(ATLAS / name)
    votes, human = frame[list(judges)].to_numpy(float), frame["human"].to_numpy(float)
    return Ratings(votes, human, scale, frame["cluster"].tolist(), _subsets(frame)), frame


def _subsets(frame: pd.DataFrame) -> list[str] | None:
    return frame["subset"].tolist() if "subset" in frame else None


@recorded
def test_hanna_mean_over_six_criteria() -> None:
    judges = ("orcaplatypus", "beluga_13b", "mistral_7b", "llama_13b", "chatgpt")
    ratings, _ = read("hanna.csv", Scale.interval(1, 5), judges)
    jury = np.nanmean(ratings.votes, axis=1, keepdims=True)
    every = replace(ratings, votes=np.hstack([ratings.votes, jury]))
    found = MeanOverSubsets(PEARSON).over(every).point
    assert found[[0, -1]].round(3).tolist() == [0.466, 0.545]
    assert found[0] == found[:-1].max()
    assert MeanOverSubsets(PEARSON).over(every.common()).point[-1].round(3) == 0.549


@recorded
def test_rewardbench_picks_the_best_of_four() -> None:
    small = ("gpt_5_4_mini", "gpt_5_4_nano", "claude_haiku_4_5")
    judges = (*small, "gpt_5_4", "claude_sonnet_4_6")
    ratings, frame = read("rewardbench2_composo.csv", Scale.interval(1, 10), judges)
    votes = ratings.votes
    voters = [
        votes[:, 2],
        votes[:, :3].mean(axis=1),
        np.median(votes[:, :3], axis=1),
        votes.mean(axis=1),
        frame["claude_haiku_4_5_k3"],
    ]
    whole = pd.Series(~np.isnan(votes).any(axis=1)).groupby(frame["cluster"]).transform("all")
    found = PICKS_BEST.over(replace(ratings, votes=np.stack(voters, axis=1)).only(whole.to_numpy()))
    assert found.used[:, 0].sum() == 1651
    assert found.point.round(3).tolist() == [0.796, 0.821, 0.790, 0.858, 0.841]


@recorded
def test_prd_accuracy_with_ties_as_half() -> None:
    judges = ("bard", "claude", "gpt35", "gpt4")
    ratings, _ = read("prd_vicuna80.csv", Scale.preference(), judges)
    jury = nominal.sides(nominal.sides(ratings.votes[:, :3]).mean(axis=1))
    every = replace(ratings, votes=np.stack([ratings.votes[:, 3], jury], axis=1))
    values = {m.name: m.over(every).point.round(3).tolist() for m in nominal.PREFERENCE}
    assert values["accuracy_decided"] == [0.777, 0.786]
    assert values["accuracy_ties"] == [0.768, 0.761]
    sums = nominal.PREFERENCE[2].statistics(every).sum(axis=0)
    assert sums[:, 0].tolist() == [685, 685]


@recorded
def test_llmjudge_and_realmistake_kappas() -> None:
    scale, kappa = Scale.ordinal(0, 3), BY_KIND["binary"][0]
    judges = ("h2oloo_fewself", "Olz_gpt4o", "willia_umbrela1")
    ratings, _ = read("llmjudge_trec_dl23.csv", scale, judges)
    votes, human = (scale.at_least(side, 2) for side in (ratings.votes, ratings.human))
    binary = replace(ratings, votes=votes, human=human, scale=Scale.binary())
    assert kappa.over(binary).point[:2].round(3).tolist() == [0.428, 0.366]
    named = replace(ratings, scale=Scale.nominal("0", "1", "2", "3"))
    assert BY_KIND["nominal"][0].over(named).point.round(4)[[2, 0]].tolist() == [0.2863, 0.2774]
    ratings, _ = read("realmistake.csv", Scale.binary(), ("gpt_4_0125_preview",))
    assert kappa.over(ratings).point.round(3).tolist() == [0.321]
