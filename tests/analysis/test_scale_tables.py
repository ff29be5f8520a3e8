"""Tables of panels on every scale have the numbers that SciPy and scikit-learn give."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from typing import Any

import krippendorff
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn import metrics as sk

import llm_juries as lj
from llm_juries.analysis import tables
from llm_juries.analysis.jury_search import Criteria
from llm_juries.analysis.run import _searched, joined
from llm_juries.analysis.settings import Analysis, Settings
from llm_juries.analysis.tables import TABLES, Subject
from llm_juries.errors import JuriesError
from llm_juries.study import Study

FEW = lj.Bootstrap(resamples=60)
JUDGES = ("ada", "bob", "cyd")
SCALES = {
    "binary": lj.Scale.binary(),
    "nominal": lj.Scale.nominal("supported", "refuted", "not enough"),
    "ordinal": lj.Scale.ordinal(1, 5),
    "interval": lj.Scale.interval(0, 10),
    "preference": lj.Scale.preference(),
}
PERCENTILES = ("ranking", "spread")
"""Tables whose intervals are not cluster-robust."""
HEADLINE = {"nominal": "kappa", "ordinal": "weighted_kappa", "interval": "pearson"}


def frame(kind: str, n: int = 90, *, human: bool = True, missing: float = 0.1) -> pd.DataFrame:
    """Votes of three judges that go with the labels, three candidates a question."""
    rng, scale = np.random.default_rng(5), SCALES[kind]
    size = len(scale.levels) or 41
    true = rng.integers(0, size, n)
    votes = [
        np.where(rng.random(n) < skill, true, rng.integers(0, size, n)) for skill in (0.8, 0.6, 0.4)
    ]

    def cells(at: Any) -> list[Any]:
        return [scale.levels[i] if scale.levels else float(i) / 4 for i in at]

    made = pd.DataFrame(
        {
            "item_id": [f"q{at // 3}" for at in range(n)],
            "candidate": [f"c{at % 3}" for at in range(n)],
            "subset": ["easy" if at < n // 2 else "hard" for at in range(n)],
            **({"opponent": "base"} if kind == "preference" else {}),
            **({"human": cells(true)} if human else {}),
            **{name: cells(at) for name, at in zip(JUDGES, votes, strict=True)},
        }
    )
    for name in JUDGES:
        made.loc[rng.random(n) < missing, name] = None
    return made


def panel_of(kind: str, given: pd.DataFrame | None = None, **options: Any) -> lj.Panel:
    return lj.read_verdicts(
        frame(kind) if given is None else given, JUDGES, SCALES[kind], name=kind, **options
    )


def row(panel: lj.Panel, voter: str, **options: Any) -> pd.Series[Any]:
    return lj.agreement(panel, FEW, **options).set_index("voter").loc[voter]


def known(panel: lj.Panel, voter: str) -> tuple[Any, Any]:
    votes = panel.votes.columns((voter,)).labels[:, 0]
    both = ~np.isnan(votes) & ~np.isnan(panel.human)
    return votes[both], panel.human[both]


@pytest.mark.parametrize("voter", JUDGES)
def test_agreement_of_categories(voter: str) -> None:
    panel = panel_of("nominal")
    found, (x, y) = row(panel, voter), known(panel, voter)
    assert found["n"] == len(x)
    assert found["missing"] == 90 - len(x)
    assert found["kappa"] == pytest.approx(sk.cohen_kappa_score(y, x), abs=1e-9)
    assert found["accuracy"] == pytest.approx(sk.accuracy_score(y, x), abs=1e-9)
    recall = sk.recall_score(y, x, average=None)
    precision = sk.precision_score(y, x, average=None)
    for at, level in enumerate(SCALES["nominal"].levels):
        assert found[f"recall_{level}"] == pytest.approx(recall[at], abs=1e-9)
        assert found[f"precision_{level}"] == pytest.approx(precision[at], abs=1e-9)
    assert found["ci_low"] < found["kappa"] < found["ci_high"]
    cells = tables.confusion(panel).query(f"voter == '{voter}'")
    levels = list(SCALES["nominal"].levels)
    square = cells.pivot_table("n", "human", "voted").reindex(levels)[levels]
    np.testing.assert_array_equal(square.fillna(0), sk.confusion_matrix(y, x))


@pytest.mark.parametrize("voter", JUDGES)
def test_agreement_of_levels(voter: str) -> None:
    panel = panel_of("ordinal")
    found, (x, y) = row(panel, voter), known(panel, voter)
    wanted = {
        "weighted_kappa": sk.cohen_kappa_score(y, x, weights="quadratic"),
        "linear_kappa": sk.cohen_kappa_score(y, x, weights="linear"),
        "exact": np.mean(x == y),
        "within_one": np.mean(np.abs(x - y) <= 1),
        "mae": sk.mean_absolute_error(y, x),
        "spearman": stats.spearmanr(x, y).statistic,
        "kendall_tau_b": stats.kendalltau(x, y).statistic,
    }
    for name, value in wanted.items():
        assert found[name] == pytest.approx(value, abs=1e-9), name
        prefix = "ci" if name == "weighted_kappa" else name
        assert found[f"{prefix}_low"] <= found[name] <= found[f"{prefix}_high"]


def test_missing_grades_bound_the_mean_error_from_both_sides() -> None:
    panel = panel_of("ordinal")
    table = tables.agreement(panel, FEW).set_index("voter")
    human, votes = panel.human, panel.votes
    for at, name in enumerate(votes.names):
        low, high = [], []
        for vote, true in zip(votes.labels[:, at], human, strict=True):
            if math.isnan(true):
                continue
            far = max(true - 1, 5 - true)
            low.append(0.0 if math.isnan(vote) else abs(vote - true))
            high.append(far if math.isnan(vote) else abs(vote - true))
        found = table.loc[name]
        assert found["mae_best"] == pytest.approx(np.mean(low))
        assert found["mae_worst"] == pytest.approx(np.mean(high))
        assert found["mae_best"] < found["mae"] < found["mae_worst"]


def test_every_table_with_intervals_says_whether_they_can_be_trusted() -> None:
    for kind in SCALES:
        panel = panel_of(kind)
        for name in lj.list_tables():
            try:
                table = lj.table(panel, name, FEW)
            except JuriesError:
                continue
            if "ci_low" in table and name not in PERCENTILES:
                assert table["caution"].map(bool).all(), (kind, name)


@pytest.mark.parametrize("voter", JUDGES)
def test_agreement_of_numbers(voter: str) -> None:
    panel = panel_of("interval")
    found, (x, y) = row(panel, voter), known(panel, voter)
    assert found["pearson"] == pytest.approx(stats.pearsonr(x, y).statistic, abs=1e-9)
    assert found["spearman"] == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-9)
    assert found["kendall_tau_b"] == pytest.approx(stats.kendalltau(x, y).statistic, abs=1e-9)
    assert found["mae"] == pytest.approx(sk.mean_absolute_error(y, x), abs=1e-9)
    votes = panel.votes.columns((voter,)).labels[:, 0]
    subsets = np.array([item.subset for item in panel.dataset.items])
    means = []
    for subset in ("easy", "hard"):
        own = (subsets == subset) & ~np.isnan(votes)
        means.append(stats.pearsonr(votes[own], panel.human[own]).statistic)
    assert found["pearson_mean_over_subsets"] == pytest.approx(np.mean(means), abs=1e-9)
    by = lj.agreement(panel, FEW, by="subset").query(f"voter == '{voter}'")
    np.testing.assert_allclose(by["pearson"], means, atol=1e-9)


def test_common_items_are_those_on_which_all_voted() -> None:
    panel = panel_of("interval")
    everyone = ~np.isnan(panel.votes.labels).any(axis=1)
    found = lj.agreement(panel, FEW, common=True)
    assert set(found["n"]) == {everyone.sum()}
    for at, name in enumerate(panel.votes.names):
        value = stats.pearsonr(panel.votes.labels[everyone, at], panel.human[everyone]).statistic
        assert found.set_index("voter").loc[name, "pearson"] == pytest.approx(value, abs=1e-9)
    with pytest.raises(JuriesError, match="takes by or common, not both"):
        lj.agreement(panel, FEW, by="subset", common=True)


def test_graded_votes_beside_binary_labels_have_the_roc_auc() -> None:
    given = frame("interval", missing=0.0)
    given["human"] = [str(int(value >= 6)) for value in given["human"]]
    panel = panel_of("interval", given, human_scale=lj.Scale.binary())
    found = lj.agreement(panel, FEW).set_index("voter")
    assert list(found.columns[4:7]) == ["roc_auc", "ci_low", "ci_high"]
    for name in JUDGES:
        x, y = known(panel, name)
        assert found.loc[name, "roc_auc"] == pytest.approx(sk.roc_auc_score(y, x), abs=1e-9)
        assert found.loc[name, "picks_best"] == pytest.approx(picked(given, name), abs=1e-9)
    cut = panel.cut(6)
    for name in JUDGES:
        x, y = known(panel, name)
        kappa = lj.agreement(cut, FEW).set_index("voter").loc[name, "kappa"]
        assert kappa == pytest.approx(sk.cohen_kappa_score(y, x >= 6), abs=1e-9)


def picked(given: pd.DataFrame, name: str) -> float:
    credit = []
    for _, part in given.groupby("item_id"):
        human = part["human"].astype(float)
        if human.nunique() < 2:
            continue
        top = part[name] == part[name].max()
        credit.append((top & (human == human.max())).sum() / top.sum())
    return float(np.mean(credit))


def test_juries_pool_before_a_threshold_cuts() -> None:
    panel = panel_of("ordinal")
    before = panel.add(lj.Jury("mean", JUDGES, rule="mean")).cut(4)
    after = panel.cut(4).add(lj.Jury("mean", JUDGES, rule="mean"))
    np.testing.assert_array_equal(before.votes.labels, after.votes.labels)
    mean = panel.add(lj.Jury("mean", JUDGES, rule="mean")).votes.columns(("mean",)).labels[:, 0]
    own = before.votes.columns(("mean",)).labels[:, 0]
    np.testing.assert_array_equal(own, np.where(np.isnan(mean), np.nan, mean >= 4))


@pytest.mark.parametrize("rule", ["mean", "median"])
def test_searched_juries_pool_grades_before_a_threshold_cuts(rule: Any) -> None:
    panel = panel_of("ordinal", frame("ordinal", missing=0)).cut(3)
    found = lj.search_juries(panel, (rule,), bootstrap=FEW)
    assert len(found.juries) == 7
    for _, row_ in found.juries.iterrows():
        members = tuple(row_["jury"].split(" + "))
        added = panel.add(lj.Jury("jury", members, rule))
        measured = row(added, "jury")
        x, y = known(added, "jury")
        assert row_["kappa"] == pytest.approx(sk.cohen_kappa_score(y, x), abs=1e-9)
        assert (row_["n"], row_["missing"]) == (measured["n"], measured["missing"])
    assert "kappa" in found.chosen


@pytest.mark.parametrize("kind", ["nominal", "ordinal", "interval"])
def test_comparison_is_by_the_headline_over_the_items_of_both(kind: str) -> None:
    rule = "plurality" if kind == "nominal" else "mean"
    panel = panel_of(kind).add(lj.Jury("trio", JUDGES, rule=rule))
    found = lj.compare(panel, FEW).set_index("beside").loc["best judge"]
    name = HEADLINE[kind]
    jury, judge = (panel.votes.columns((one,)).labels[:, 0] for one in ("trio", found["judge"]))
    both = ~np.isnan(jury) & ~np.isnan(judge)
    assert found["n"] == both.sum()
    measure: Callable[[Any, Any], float] = {
        "kappa": sk.cohen_kappa_score,
        "pearson": lambda x, y: float(stats.pearsonr(x, y).statistic),
        # Of numbers between levels: Lin's concordance, which quadratic weights make of kappa
        "weighted_kappa": lambda x, y: float(
            2 * np.cov(x, y, bias=True)[0, 1] / (x.var() + y.var() + (x.mean() - y.mean()) ** 2)
        ),
    }[name]
    for side, votes in (("jury", jury), ("judge", judge)):
        wanted = measure(votes[both], panel.human[both])
        assert found[f"{side}_{name}"] == pytest.approx(wanted, abs=1e-9)
    assert found["ci_low"] <= found["difference"] <= found["ci_high"]


@pytest.mark.parametrize("kind", ["nominal", "ordinal", "interval"])
def test_a_search_of_juries_measures_each_as_a_comparison_does(kind: str) -> None:
    rule = "majority" if kind == "nominal" else "median"
    panel = panel_of(kind)
    found = lj.search_juries(panel, (rule,), bootstrap=FEW)  # type: ignore[arg-type]
    name = HEADLINE[kind]
    assert len(found.juries) == 7
    for size in (2, 3):
        for members in combinations(JUDGES, size):
            jury = " + ".join(members)
            decided = lj.Jury(jury, members, rule=rule).decide(panel.votes)  # type: ignore[arg-type]
            searched = found.juries.set_index("jury").loc[jury]
            labelled = ~np.isnan(panel.preferences)
            open_ = np.isnan(decided.labels[:, 0])
            assert searched["undecided"] == (labelled & open_).sum()
            # Where it decides nothing, its best member does, then the next
            labels = decided.labels
            worth = {one: tuple(row(panel, one)[["eligible", name]]) for one in members}
            for member in sorted(members, key=lambda one: worth[one], reverse=True):
                labels = np.where(np.isnan(labels), panel.votes.columns((member,)).labels, labels)
            filled = replace(panel, votes=replace(decided, labels=labels))
            own = row(filled, jury)
            assert searched[name] == pytest.approx(own[name], abs=1e-9)
            assert searched["n"] == own["n"]
            assert searched["ci_low"] == pytest.approx(own["ci_low"], abs=0.2)
    whole = found.juries.set_index("jury").loc["ada + bob + cyd", name]
    assert found.judges["shapley"].sum() == pytest.approx(whole, abs=1e-9)
    assert set(found.chosen["judge"]) <= set(JUDGES)
    assert (
        found.chosen[f"{name}_seen"].iloc[0] == found.juries[found.juries["eligible"]][name].max()
    )


@pytest.mark.parametrize("kind", SCALES)
def test_reliability_is_krippendorffs_alpha_of_the_scale(kind: str) -> None:
    panel = panel_of(kind)
    found = tables.reliability(panel, FEW).set_index("among").loc["judges"]
    level = {"binary": "nominal", "preference": "nominal"}.get(kind, kind)
    assert found["measure"] == f"alpha_{level}"
    wanted = krippendorff.alpha(panel.votes.labels.T, level_of_measurement=level)
    assert found["alpha"] == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize("kind", ["nominal", "ordinal", "interval"])
def test_judges_are_compared_with_each_other_without_labels(kind: str) -> None:
    panel = panel_of(kind, frame(kind, human=False))
    found = lj.dependence(panel, FEW, pairs=True).set_index(["judge", "other"])
    x, y = (panel.votes.columns((name,)).labels[:, 0] for name in ("ada", "bob"))
    both = ~np.isnan(x) & ~np.isnan(y)
    wanted = {
        "nominal": lambda: sk.cohen_kappa_score(x[both], y[both]),
        "ordinal": lambda: sk.cohen_kappa_score(x[both], y[both], weights="quadratic"),
        "interval": lambda: stats.pearsonr(x[both], y[both]).statistic,
    }[kind]()
    one = found.loc[("ada", "bob")]
    assert one[HEADLINE[kind]] == pytest.approx(wanted, abs=1e-9)
    assert (one["n"], one["missing"]) == (both.sum(), 90 - both.sum())
    with pytest.raises(JuriesError, match="no human labels"):
        lj.agreement(panel)


def test_annotators_of_levels_have_the_alpha_of_levels() -> None:
    given = frame("ordinal")
    for at, name in enumerate(JUDGES, 1):
        given[f"human_{at}"] = given[name]
    panel = panel_of("ordinal", given)
    found = tables.annotators(panel, FEW)
    assert list(found["measure"]) == ["alpha_ordinal", *["weighted_kappa"] * 3]
    wanted = krippendorff.alpha(panel.annotations.T, level_of_measurement="ordinal")
    assert found["agreement"].iloc[0] == pytest.approx(wanted, abs=1e-9)
    judges = tables.between_judges(panel, FEW)
    np.testing.assert_allclose(found["agreement"].iloc[1:], judges["weighted_kappa"])


def test_deltas_are_differences_of_mean_grades() -> None:
    panel = panel_of("interval")
    found = tables.deltas(panel, FEW).set_index(["voter", "candidate"])
    x = panel.votes.columns(("ada",)).labels[:, 0]
    own = np.array([item.candidate == "c1" for item in panel.dataset.items]) & ~np.isnan(x)
    wanted = (x[own] - panel.human[own]).mean()
    assert found.loc[("ada", "c1"), "delta"] == pytest.approx(wanted, abs=1e-9)
    assert tables.deltas(panel_of("nominal"), FEW).empty


def test_correlations_say_over_what_they_are() -> None:
    panel = panel_of("interval", frame("interval", missing=0.0))
    found = tables.correlations(panel, FEW).set_index(["voter", "measure", "over"])
    x = panel.votes.columns(("ada",)).labels[:, 0]
    within = []
    for question in sorted(set(panel.questions)):
        own = np.array(panel.questions) == question
        if len(set(x[own])) > 1 and len(set(panel.human[own])) > 1:
            within.append(stats.spearmanr(x[own], panel.human[own]).statistic)
    one = found.loc[("ada", "spearman", "mean over questions"), "value"]
    assert one == pytest.approx(np.mean(within), abs=1e-9)
    assert set(found.index.get_level_values("over")) == {
        "all items", "mean over questions", "mean over subsets",
    }  # fmt: skip


@pytest.mark.parametrize("human", [True, False])
@pytest.mark.parametrize("kind", SCALES)
def test_every_table_is_made_of_every_panel(kind: str, human: bool) -> None:
    """Without a traceback, and with no kappa where kappa has no meaning."""
    panel = panel_of(kind, frame(kind, human=human)).add(lj.Jury("most", JUDGES))
    families = {"c0": "x", "c1": "y", "c2": "z", "base": ""}
    settings = Settings(candidate_families=families, slices=("subset", "candidate"))
    analysis = Analysis(settings, FEW, search=Criteria(("majority",)))
    study = Study(panel.dataset, panel.plans, panel.juries)  # type: ignore[attr-defined]
    searched = _searched(panel, analysis, {}, alone=True)
    subject = Subject(panel, study, analysis, {}, searched)
    made = {table.name: table.make(subject) for table in TABLES}
    if kind in ("ordinal", "interval"):
        for name, table in made.items():
            assert "kappa" not in table.columns, name
    assert made["agreement"]["voter"].tolist() == [*JUDGES, "most"]
    assert not made["between_judges"].empty
    assert made["agreement_by"].empty != human


def test_tables_of_datasets_on_other_scales_stand_in_one() -> None:
    found = joined(
        [tables.agreement(panel_of(kind), FEW) for kind in ("binary", "ordinal", "interval")]
    )
    own = found.set_index(["dataset", "voter"])
    assert math.isnan(own.loc[("ordinal", "ada"), "kappa"])
    assert math.isnan(own.loc[("binary", "ada"), "pearson"])
    assert found["n"].dtype == int
