"""Self-preference is measured as statsmodels and plain loops do, and found where it was put."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from sklearn.metrics import recall_score
from statsmodels.discrete.conditional_models import ConditionalLogit

from llm_juries.errors import JuriesError
from llm_juries.metrics.bias import accuracy_deltas
from llm_juries.metrics.bootstrap import Bootstrap
from llm_juries.metrics.logistic import conditional_logit
from llm_juries.metrics.self_preference import (
    candidate_rates,
    family_deltas,
    family_of,
    preference_regression,
    spread,
)
from recorded_votes import TRIO, nq301

NAN = math.nan
JUDGES, MAKERS = ("p", "q", "r"), ("x", "y", "z")


def simulated(seed: int, bonus: float = 0.0, questions: int = 60) -> tuple[Any, ...]:
    """Return votes of three judges on four candidates' answers; `p` may favour those of x.

    The bonus is the chance that p calls a wrong or missed answer of its own family right.
    """
    rng = np.random.default_rng(seed)
    clusters = np.repeat(np.arange(questions), 4)
    families = ["x", "x", "y", ""] * questions
    quality = np.tile([0.7, 0.5, 0.6, 0.4], questions) + np.repeat(rng.normal(0, 0.2, questions), 4)
    human = (rng.random(4 * questions) < quality).astype(float)
    right = rng.random((4 * questions, 3)) < [0.85, 0.8, 0.75]
    labels = np.where(right, human[:, None], 1 - human[:, None])
    favoured = (np.array(families) == "x") & (rng.random(4 * questions) < bonus)
    labels[favoured, 0] = 1.0
    labels[rng.random(labels.shape) < 0.05] = NAN
    human[rng.random(len(human)) < 0.05] = NAN
    return labels, human, families, clusters


def test_a_recorded_judge_scores_its_own_answers_6_points_above_humans():
    """text-davinci-003 as a judge of text-davinci-003, zero-shot (Kamalloo et al. 2023)."""
    table = nq301()
    candidates = table["model"].tolist()
    mapping = dict.fromkeys(candidates, "") | {"text-davinci-003_zeroshot": "davinci"}
    found = family_deltas(
        table[list(TRIO)].to_numpy(float),
        table["human"].to_numpy(float),
        family_of(candidates, mapping),
        table["item"],
        TRIO,
        ("gpt", "davinci", "bert"),
    )
    own = found[found["own"]].iloc[0]
    assert own["judge"] == "text_davinci_003"
    assert [own["judged"], own["human"]] == pytest.approx([0.776, 0.712], abs=5e-4)
    assert own["delta"] == pytest.approx(0.064, abs=5e-4)
    assert own["ci_low"] > 0
    assert own["p_holm"] < 0.05
    others = found[~found["own"]]
    assert (others["delta"] < 0).all()


def test_the_recorded_judge_favours_itself_beside_others_on_the_same_answers():
    table = nq301()
    own = (table["model"] == "text-davinci-003_zeroshot").map({True: "davinci", False: ""})
    everyone, single = preference_regression(
        table[list(TRIO)].to_numpy(float),
        table["human"].to_numpy(float),
        range(len(table)),
        own.tolist(),
        table["item"],
        TRIO,
        ("gpt", "davinci", "bert"),
    )
    assert (everyone.judge, single.judge) == ("all", "text_davinci_003")
    assert single.own == pytest.approx(0.0935, abs=5e-4)  # as in the documentation
    assert single.low > 0.04
    assert single.n == 295
    assert everyone.own == pytest.approx(single.own)


def test_tests_of_deltas_are_statsmodels_with_holms_steps():
    labels, human, families, clusters = simulated(1, 0.3)
    found = family_deltas(labels, human, families, clusters, JUDGES, MAKERS)
    expected = accuracy_deltas(labels, human, families, clusters)
    for _, row in found.iterrows():
        judge = JUDGES.index(row["judge"])
        error = labels[:, judge] - human
        used = (np.array(families) == row["family"]) & ~np.isnan(error)
        fit = sm.OLS(error[used], np.ones(used.sum())).fit(
            cov_type="cluster", cov_kwds={"groups": clusters[used]}, use_t=True
        )
        assert row["delta"] == pytest.approx(fit.params[0])
        assert row["p"] == pytest.approx(fit.pvalues[0])
        assert row["n"] == used.sum()
        assert row["own"] == (row["family"] == MAKERS[judge])
        at = expected.candidates.index(row["family"]), judge
        assert [row["ci_low"], row["ci_high"]] == [expected.low[at], expected.high[at]]
    ordered = np.sort(found["p"])
    holm = np.minimum(1, np.maximum.accumulate(ordered * np.arange(len(ordered), 0, -1)))
    np.testing.assert_allclose(np.sort(found["p_holm"]), holm)


@pytest.mark.parametrize("effects", ["answers", "questions"])
def test_the_regression_is_that_with_a_dummy_for_each_effect(effects: str):
    labels, human, families, clusters = simulated(2, 0.3, 25)
    items = clusters if effects == "questions" else np.arange(len(human))
    found = preference_regression(labels, human, items, families, clusters, JUDGES, MAKERS)

    row, judge = np.nonzero(~np.isnan(labels) & ~np.isnan(human)[:, None])
    table = pd.DataFrame({"vote": labels[row, judge], "judge": judge, "item": items[row]})
    table["human"], table["cluster"] = human[row], clusters[row]
    table["own"] = np.array(families)[row] == np.array(MAKERS)[judge]
    table = table[table.groupby("item")["vote"].transform("size") > 1].reset_index(drop=True)
    controls = pd.get_dummies(table["judge"] * 2 + table["human"], dtype=float)
    dummies = pd.get_dummies(table["item"], dtype=float)

    def fit(own: pd.DataFrame) -> Any:
        design = np.column_stack([own.astype(float), controls, dummies])
        kept: list[int] = []
        for at in range(design.shape[1]):
            if np.linalg.matrix_rank(design[:, [*kept, at]]) > len(kept):
                kept.append(at)
        model = sm.OLS(table["vote"].to_numpy(), design[:, kept])
        return model.fit(cov_type="cluster", cov_kwds={"groups": table["cluster"]}, use_t=True)

    everyone = fit(table[["own"]])
    single = fit(pd.DataFrame({n: table["own"] & (table["judge"] == n) for n in (0, 1)}))
    assert [one.judge for one in found] == ["all", "p", "q"]
    assert found[0].own == pytest.approx(everyone.params[0])
    assert [one.own for one in found[1:]] == pytest.approx(single.params[:2])
    assert found[0].votes == len(table)
    assert found[0].n == table["own"].sum()
    # Effects within clusters cost no degrees of freedom; statsmodels counts their dummies.
    n, columns = len(table), everyone.model.exog.shape[1]
    ours = columns - len(dummies.columns)
    scale = math.sqrt((n - columns) / (n - ours))
    half = (found[0].high - found[0].low) / 2
    low, high = everyone.conf_int()[0]
    assert half == pytest.approx((high - low) / 2 * scale, rel=0.02)


def test_a_preference_that_was_put_in_is_found_and_one_that_was_not_is_not():
    """A simulation: p calls 30 % of its own family's answers right whatever they are."""
    found, alarms = [], 0
    for seed in range(40):
        _, p, _ = regression(*simulated(seed, 0.3))
        found.append(p.own)
        alarms += regression(*simulated(1000 + seed))[1].p < 0.05
    assert np.mean(found) == pytest.approx(0.13, abs=0.04)  # of those it would have called wrong
    assert alarms <= 6


def regression(labels: Any, human: Any, families: Any, clusters: Any) -> Any:
    items = range(len(human))
    return preference_regression(labels, human, items, families, clusters, JUDGES, MAKERS)


def test_nothing_depends_on_the_order_of_rows_or_judges():
    labels, human, families, clusters = simulated(4, 0.3)
    rows = np.random.default_rng(0).permutation(len(human))
    turned = labels[rows][:, [2, 0, 1]], human[rows], np.array(families)[rows], clusters[rows]
    names, makers = ("r", "p", "q"), ("z", "x", "y")
    before = regression(labels, human, families, clusters)
    after = preference_regression(*turned[:2], rows, *turned[2:], names, makers)
    for one, other in zip(before, after, strict=True):
        assert one.judge == other.judge
        assert [one.own, one.low, one.p] == pytest.approx([other.own, other.low, other.p])
    first = family_deltas(labels, human, families, clusters, JUDGES, MAKERS)
    second = family_deltas(*turned, names, makers)
    pd.testing.assert_frame_equal(first, second)


def test_the_spread_is_the_standard_deviation_of_the_deltas():
    labels, human, _, clusters = simulated(5)
    candidates = ["a", "b", "c", "d"] * 60
    value, low, high = spread(labels, human, candidates, clusters, Bootstrap(300, 2))
    deltas = accuracy_deltas(labels, human, candidates, clusters).delta
    assert value == pytest.approx(deltas.std(axis=0, ddof=1))
    assert (low < high).all()
    drawn = np.random.default_rng(2).integers(60, size=(300, 60))
    slow = []
    for draw in drawn:
        taken = (draw[:, None] * 4 + np.arange(4)).ravel()
        error = pd.Series(labels[taken, 1] - human[taken])
        slow.append(error.groupby(np.tile(candidates[:4], 60)).mean().std(ddof=1))
    assert [low[1], high[1]] == pytest.approx(np.quantile(slow, [0.025, 0.975]))


def test_rates_by_candidate_are_scikit_learns_recalls():
    labels, human, _, clusters = simulated(6)
    candidates = np.array(["a", "b", "c", "d"] * 60)
    found = candidate_rates(labels, human, candidates, clusters, JUDGES)
    for _, row in found.iterrows():
        vote = labels[:, JUDGES.index(row["voter"])]
        used = (candidates == row["candidate"]) & ~np.isnan(vote) & ~np.isnan(human)
        for label, name, count in ((1, "tpr", "positives"), (0, "tnr", "negatives")):
            assert row[name] == pytest.approx(
                recall_score(human[used], vote[used], pos_label=label)
            )
            assert row[f"{name}_low"] <= row[name] <= row[f"{name}_high"]
            assert row[count] == (human[used] == label).sum()


def test_a_family_without_labels_has_no_delta_and_no_test():
    labels, human, families, clusters = simulated(7)
    human[np.array(families) == "y"] = NAN
    found = family_deltas(labels, human, families, clusters, JUDGES, MAKERS)
    lost = found["family"] == "y"
    assert found.loc[lost, ["delta", "ci_low", "p", "p_holm"]].isna().all(axis=None)
    assert (found.loc[lost, "n"] == 0).all()
    assert found.loc[~lost, "p_holm"].notna().all()


def test_mistakes_are_told():
    labels, human, families, clusters = simulated(8)
    with pytest.raises(JuriesError, match="candidate_families: 'b' is missing"):
        family_of(["a", "b"], {"a": "x"})
    items, everyone = range(len(human)), ["x"] * len(human)
    given = labels, human, items
    with pytest.raises(JuriesError, match="no judge voted on an answer of its own family"):
        preference_regression(*given, families, clusters, JUDGES, ("u", "v", "w"))
    with pytest.raises(JuriesError, match="add a judge of another family"):
        preference_regression(*given, everyone, clusters, JUDGES, ("x", "x", "x"))


def test_a_conditional_logit_is_statsmodels_with_a_clustered_sandwich():
    labels, human, families, clusters = simulated(3, 0.3, 40)
    row, judge = np.nonzero(~np.isnan(labels) & ~np.isnan(human)[:, None])
    votes = labels[row, judge]
    own = (np.array(families)[row] == np.array(MAKERS)[judge]).astype(float)
    design = np.column_stack([own, judge == 1, (judge == 1) * human[row], (judge == 2) * 1.0])
    _, question = np.unique(np.asarray(clusters), return_inverse=True)
    beta, error = conditional_logit(votes, design, row, question[row])
    model = ConditionalLogit(votes, design, groups=row)
    fit = model.fit(method="BFGS", disp=False, gtol=1e-7)
    np.testing.assert_allclose(beta, fit.params, atol=2e-3)
    of_group = [question[row[np.asarray(ix)][0]] for ix in _groups(row, votes)]
    scores = np.zeros((question.max() + 1, 4))
    for at, cluster in enumerate(of_group):
        scores[cluster] += model.score_grp(at, fit.params)
    bread = np.linalg.inv(-model.hessian(fit.params))
    expected = np.sqrt(np.diag(bread @ scores.T @ scores @ bread))
    np.testing.assert_allclose(error, expected, rtol=1e-2)


def _groups(strata: np.ndarray, outcomes: np.ndarray) -> list[np.ndarray]:
    """Return the rows of the strata that have both outcomes, in the order of their numbers."""
    rows = [np.flatnonzero(strata == one) for one in np.unique(strata)]
    return [at for at in rows if 0 < outcomes[at].sum() < len(at)]


def test_outcomes_that_are_told_apart_for_sure_have_no_odds():
    strata = np.repeat(np.arange(20), 2)
    sure = np.tile([1.0, 0.0], 20)
    beta, error = conditional_logit(sure, sure[:, None], strata, strata)
    assert np.isnan(beta).all()
    assert np.isnan(error).all()


def test_a_planted_preference_stands_out_from_the_placebos_and_none_does_without():
    planted = preference_regression(*_arguments(simulated(5, 0.5, 150)))
    favoured = next(one for one in planted if one.judge == "p")
    assert favoured.placebo <= 0.25
    assert favoured.odds_low > 1
    none = preference_regression(*_arguments(simulated(5, 0.0, 150)))
    assert next(one for one in none if one.judge == "p").odds_low < 1


def _arguments(made: Any) -> tuple[Any, ...]:
    labels, human, families, clusters = made
    return labels, human, np.arange(len(human)), families, clusters, JUDGES, MAKERS
