"""A search finds what plain loops over juries, resamples and folds find."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.text import Text
from sklearn.metrics import accuracy_score, cohen_kappa_score
from statsmodels.stats.multitest import multipletests

from conftest import ROOT
from llm_juries.analysis import jury_patterns
from llm_juries.analysis.agreement import agreement
from llm_juries.analysis.dependence import effective_votes, error_pairs
from llm_juries.analysis.found_juries import pareto_front
from llm_juries.analysis.jury_search import Criteria, search_juries
from llm_juries.data.dataset import Dataset
from llm_juries.errors import JuriesError
from llm_juries.juries.panel import Panel
from llm_juries.juries.rules import Jury, Rule
from llm_juries.juries.votes import Voter, Votes
from llm_juries.metrics.bootstrap import Bootstrap
from llm_juries.reporting import figures
from llm_juries.types import Item

NAN = math.nan
RULES = ("majority", "any", "mean", "median", "majority_or_mean")
FEW = Bootstrap(resamples=200, seed=1)


def every_jury(panel: Panel, rule: Rule) -> Panel:
    """Return the panel of its single voters and all juries of two of them or more."""
    names = [voter.name for voter in panel.votes.voters if voter.kind != "jury"]
    juries = [
        Jury(" + ".join(members), members, rule).decide(panel.votes)
        for size in range(2, len(names) + 1)
        for members in itertools.combinations(names, size)
    ]
    return Panel(panel.dataset, panel.votes.columns(tuple(names)).joined(*juries))


def panel(
    seed: int = 0, judges: int = 4, questions: int = 60, missing: float = 0.1, names: Any = None
) -> Panel:
    """Return judges with errors in common on three answers a question, a few without a label."""
    rng = np.random.default_rng(seed)
    n = 3 * questions
    human = np.where(rng.random(n) < 0.6, 1.0, 0.0)
    skill = np.linspace(0.3, 1.5, judges)
    right = skill + rng.normal(size=(n, 1)) + rng.normal(size=(n, judges)) > 0
    labels = np.where(right, human[:, None], 1 - human[:, None])
    labels[rng.random(labels.shape) < missing] = NAN
    scores = np.round(np.abs(labels - 0.6 * rng.random(labels.shape)), 2)
    human[rng.random(n) < missing / 2] = NAN
    items = tuple(
        Item("made", f"q{at // 3:03}", f"m{at % 3}", human=None if math.isnan(true) else true)
        for at, true in enumerate(human)
    )
    voters = tuple(Voter(name, "judge") for name in names or "abcdefghijklm"[:judges])
    outcomes = np.where(np.isnan(labels), "unparsed", "ok").astype("U16")
    return Panel(Dataset("made", items), Votes(voters, labels, scores, outcomes))


def decided(court: Panel, jury: str, rule: Any) -> np.ndarray:
    return Jury(jury, tuple(jury.split(" + ")), rule).decide(court.votes).labels[:, 0]


def kappa(labels: np.ndarray, human: np.ndarray) -> float:
    both = np.isin(labels, (0, 1)) & ~np.isnan(human)
    said, true = labels[both], human[both]
    return NAN if len(set(said) | set(true)) < 2 else float(cohen_kappa_score(true, said))


@given(st.integers(0, 10**6), st.integers(1, 5), st.sampled_from(RULES), st.floats(0, 0.6))
@settings(max_examples=40, deadline=None)
def test_every_jurys_measures_are_those_of_its_decisions(
    seed: int, judges: int, rule: Any, missing: float
):
    court = panel(seed, judges, 20, missing)
    # As in pairs: some votes for neither, and some middling scores that are ties without a label
    rng = np.random.default_rng(seed)
    labels, outcomes = court.votes.labels, court.votes.outcomes
    labels[rng.random(labels.shape) < missing / 4] = 0.5
    tied = rng.random(labels.shape) < missing / 4
    labels[tied], outcomes[tied], court.votes.scores[tied] = NAN, "tie", 0.5
    found = search_juries(court, Bootstrap(2), Criteria((rule,), folds=2, coverage=0)).juries
    assert len(found) == 2**judges - 1
    for row in found.to_dict("records"):
        labels = decided(court, row["jury"], rule)
        both = np.isin(labels, (0, 1)) & ~np.isnan(court.human)
        assert row["n"] == both.sum()
        assert row["missing"] == (~np.isnan(court.human)).sum() - both.sum()
        assert row["kappa"] == pytest.approx(kappa(labels, court.human), abs=1e-12, nan_ok=True)
        expected = accuracy_score(court.human[both], labels[both]) if both.any() else NAN
        assert row["accuracy"] == pytest.approx(expected, abs=1e-12, nan_ok=True)


@pytest.mark.parametrize("rule", RULES)
def test_intervals_are_those_of_the_table_of_all_juries(rule: Any):
    court = panel()
    found = search_juries(court, FEW, Criteria((rule,))).juries.set_index("jury")
    table = agreement(every_jury(court, rule), FEW).set_index("voter")
    juries = [name for name in found.index if " + " in name]
    for column in ("kappa", "ci_low", "ci_high"):
        np.testing.assert_allclose(found.loc[juries, column], table.loc[juries, column], atol=1e-6)


def test_differences_from_the_best_judge_are_those_of_a_loop_over_resamples():
    court = panel(2)
    found = search_juries(court, FEW, Criteria(coverage=0)).juries.set_index("jury")
    (best,) = set(found["beside"])
    assert best == max("abcd", key=lambda name: kappa(decided(court, name, "any"), court.human))
    questions, human = np.array(court.questions), court.human
    rows = [np.flatnonzero(questions == name) for name in sorted(set(questions))]
    drawn = np.random.default_rng(1).integers(len(rows), size=(200, len(rows)))
    judge = decided(court, best, "majority")
    for name in ("a + b + c", "a + d", "b + c + d"):
        labels = decided(court, name, "majority")
        both = ~np.isnan(labels) & ~np.isnan(judge)
        one, other = np.where(both, labels, NAN), np.where(both, judge, NAN)
        draws = []
        for draw in drawn:
            taken = np.concatenate([rows[at] for at in draw])
            draws.append(kappa(one[taken], human[taken]) - kappa(other[taken], human[taken]))
        row = found.loc[name]
        value = kappa(one, human) - kappa(other, human)
        assert row["difference"] == pytest.approx(value, abs=1e-12)
        np.testing.assert_allclose(
            row[["difference_low", "difference_high"]].astype(float),
            np.quantile(draws, [0.025, 0.975]),
            atol=1e-6,
        )
        spread = np.std(draws, ddof=1)
        expected = math.erfc(abs(value) / spread / math.sqrt(2)) if spread else NAN
        assert row["p"] == pytest.approx(expected, abs=1e-5, nan_ok=True)


def test_p_values_are_corrected_for_all_juries_that_could_differ():
    found = search_juries(panel(2), FEW).juries
    tested = found["p"].notna()
    assert math.isnan(found.set_index("jury").loc[found.loc[0, "beside"], "p"])  # itself
    expected = multipletests(found.loc[tested, "p"], method="holm")[1]
    np.testing.assert_allclose(found.loc[tested, "p_holm"], expected)
    assert found.loc[~tested, "p_holm"].isna().all()


def test_shapley_values_are_the_mean_of_what_a_judge_adds_over_all_orders():
    court = panel(3, missing=0)
    found = search_juries(court, FEW)
    kappas = {frozenset(): 0.0} | {
        frozenset(name.split(" + ")): value
        for name, value in zip(found.juries["jury"], found.juries["kappa"], strict=True)
    }
    orders = list(itertools.permutations("abcd"))
    for judge, value in zip(found.judges["judge"], found.judges["shapley"], strict=True):
        gains = []
        for order in orders:
            before = frozenset(order[: order.index(judge)])
            gains.append(kappas[before | {judge}] - kappas[before])
        assert value == pytest.approx(np.mean(gains))
    assert found.judges["shapley"].sum() == pytest.approx(kappas[frozenset("abcd")])


@given(st.lists(st.tuples(st.sampled_from([0, 1, 2, NAN]), st.sampled_from([0, 1, 2, NAN]))))
@settings(max_examples=100, deadline=None)
def test_a_front_holds_those_that_no_rival_beats(points: list[tuple[float, float]]):
    known = [p for p in points if not math.isnan(p[0] + p[1])]
    expected = [
        p in known and not any(c <= p[0] and v >= p[1] and (c, v) != p for c, v in known)
        for p in points
    ]
    cost, value = np.array(points, float).reshape(-1, 2).T
    assert pareto_front(cost, value).tolist() == expected


def test_a_jury_costs_what_its_judges_do_and_nothing_is_known_where_one_is_not():
    found = search_juries(panel(), FEW, Criteria(dollars={"a": 0.25, "b": 0.5, "c": 0})).juries
    costs = found.set_index("jury")["usd_per_item"]
    assert costs[["a", "b", "c", "a + b", "a + b + c"]].tolist() == [0.25, 0.5, 0, 0.75, 0.75]
    assert costs[[name for name in costs.index if "d" in name]].isna().all()
    assert not found.loc[found["usd_per_item"].isna(), "pareto"].any()


def test_juries_that_decide_the_easy_items_only_can_not_be_chosen():
    # Two judges that are right four times in five: where they agree, they mostly are.
    rng = np.random.default_rng(0)
    given = panel(judges=2, questions=100, missing=0)
    right = rng.random(given.votes.labels.shape) < 0.8
    labels = np.where(right, given.human[:, None], 1 - given.human[:, None])
    court = Panel(given.dataset, replace(given.votes, labels=labels))
    found = search_juries(court, FEW)
    rows = found.juries.set_index("jury")
    assert rows["kappa"].idxmax() == "a + b"
    assert rows["eligible"].to_dict() == {"a": True, "b": True, "a + b": False}
    assert found.chosen.loc[0, "jury"] in ("a", "b")
    free = search_juries(court, FEW, Criteria(coverage=0))
    assert free.chosen.loc[0, "jury"] == "a + b"


def test_wins_are_shares_of_the_resamples_among_those_that_can_be_chosen():
    found = search_juries(panel(), FEW).juries
    assert found["wins"].sum() == pytest.approx(1)
    assert (found.loc[~found["eligible"], "wins"] == 0).all()


def test_what_is_chosen_is_measured_on_questions_that_had_no_say():
    court = panel(4)
    found = search_juries(court, FEW, Criteria(folds=3))
    # The same folds by hand, juries and judges chosen by plain loops
    questions = np.array(court.questions)
    names = sorted({q for q, h in zip(questions, court.human, strict=True) if not math.isnan(h)})
    at = {question: number for number, question in enumerate(sorted(set(questions)))}
    dealt = np.random.default_rng(1).permutation([at[name] for name in names])
    fold = {sorted(at)[number]: place % 3 for place, number in enumerate(dealt)}
    of = np.array([fold.get(question, -1) for question in questions])
    labelled = ~np.isnan(court.human)
    winners, judges, pooled, single = [], [], np.full(len(of), NAN), np.full(len(of), NAN)
    for number in range(3):
        seen = labelled & (of != number)
        most = max((~np.isnan(court.votes.labels[seen, j])).sum() for j in range(4))

        def best(candidates: list[str], seen: Any = seen, most: int = most) -> str:
            fit = {}
            for name in candidates:
                labels = decided(court, name, "majority")[seen]
                if (~np.isnan(labels)).sum() >= 0.95 * most:
                    fit[name] = kappa(labels, court.human[seen])
            return max(fit, key=lambda name: fit[name])

        jury, judge = best(list(found.juries["jury"])), best(list("abcd"))
        winners.append(jury)
        judges.append(judge)
        pooled[of == number] = decided(court, jury, "majority")[of == number]
        single[of == number] = decided(court, judge, "majority")[of == number]
    row = found.chosen.iloc[0]
    assert row["kappa"] == pytest.approx(kappa(pooled, court.human))
    assert row["judge_kappa"] == pytest.approx(kappa(single, court.human))
    both = ~np.isnan(pooled) & ~np.isnan(single)
    apart = kappa(np.where(both, pooled, NAN), court.human) - kappa(
        np.where(both, single, NAN), court.human
    )
    assert row["difference"] == pytest.approx(apart)
    assert row["n"] == (~np.isnan(pooled) & labelled).sum()
    for name in winners:
        assert f"{name}: {winners.count(name)}" in row["chosen"]
    for name in judges:
        assert f"{name}: {judges.count(name)}" in row["judge_chosen"]


def test_choosing_among_judges_that_guess_is_worth_nothing_on_other_questions():
    rng = np.random.default_rng(0)
    given = panel(0, judges=7, questions=100, missing=0)
    labels = rng.integers(2, size=given.votes.labels.shape).astype(float)
    court = Panel(given.dataset, replace(given.votes, labels=labels))
    row = search_juries(court, FEW).chosen.iloc[0]
    assert row["kappa_seen"] > 0.05  # the best of 127 coins
    assert row["ci_low"] < 0 < row["ci_high"]
    assert row["kappa"] < row["kappa_seen"]


def test_a_search_depends_on_the_order_of_neither_rows_nor_judges():
    court = panel(6)
    rng = np.random.default_rng(0)
    rows, columns = rng.permutation(len(court.human)), rng.permutation(4)
    votes = court.votes.columns(tuple(court.votes.names[at] for at in columns))
    mixed = Panel(
        replace(court.dataset, items=tuple(court.dataset.items[at] for at in rows)),
        Votes(votes.voters, votes.labels[rows], votes.scores[rows], votes.outcomes[rows]),
    )
    found, expected = search_juries(mixed, FEW), search_juries(court, FEW)
    for name in ("juries", "judges", "chosen"):
        pd.testing.assert_frame_equal(getattr(found, name), getattr(expected, name))


def test_draws_do_not_depend_on_how_many_are_held_at_a_time(monkeypatch: pytest.MonkeyPatch):
    whole = search_juries(panel(), FEW).juries
    monkeypatch.setattr(jury_patterns, "HELD_COUNTS", 4000)
    monkeypatch.setattr(jury_patterns, "CACHED_MEASURES", 7)
    pd.testing.assert_frame_equal(search_juries(panel(), FEW).juries, whole, atol=1e-6)


def test_each_rule_is_searched_by_itself():
    both = search_juries(panel(), FEW, Criteria(("any", "median"))).juries
    for rule in ("any", "median"):
        alone = search_juries(panel(), FEW, Criteria((rule,))).juries
        pd.testing.assert_frame_equal(both[both["rule"] == rule].reset_index(drop=True), alone)


def test_the_figures_name_what_is_on_the_front_and_what_is_not_drawn():
    court = panel()
    found = search_juries(court, FEW, Criteria(dollars={"a": 0.25, "b": 0.5, "c": 0.1})).juries
    drawn = figures.kappa_against_cost(found, "made", 0.95)
    said = "\n".join(text.get_text() for text in drawn.findobj(Text))
    assert all(name in said for name in found.loc[found["pareto"], "jury"])
    assert "not drawn, of unknown cost or without a kappa: 8" in said
    pairs = error_pairs(court, FEW)
    map_ = figures.error_correlations(pairs, "made")
    cells = [text.get_text() for text in map_.findobj(Text) if "\nn " in text.get_text()]
    expected = [f"{r:.2f}\nn {n}" for r, n in zip(pairs["correlation"], pairs["n"], strict=True)]
    assert sorted(cells) == sorted(expected)


def nq301() -> Panel:
    sheet = pd.read_csv(ROOT / "results" / "recorded" / "nq301_qa.csv")
    names = ("gpt_4", "text_davinci_003", "bem", "exact_match", "contains", "token_f1")
    votes = sheet[list(names)]
    labels = (votes >= 0.5).astype(float).where(votes.notna()).to_numpy()
    items = tuple(
        Item("nq301", str(row.item), row.model, human=float(row.human))
        for row in sheet.itertuples()
    )
    outcomes = np.where(np.isnan(labels), "unparsed", "ok").astype("U16")
    voters = tuple(Voter(name, "judge") for name in names)
    return Panel(Dataset("nq301", items), Votes(voters, labels, labels, outcomes))


def test_the_recorded_figures_are_those_of_the_documentation():
    court = nq301()
    found = search_juries(court, Bootstrap(50))
    rows = found.juries.set_index("jury")
    page = (ROOT / "docs" / "choose_a_jury.md").read_text()
    assert found.chosen.loc[0, "chosen"] == "gpt_4 + text_davinci_003 + token_f1: 5"
    assert rows.loc["gpt_4 + text_davinci_003", "missing"] == 314
    whole = effective_votes(court, Bootstrap(50)).loc[0]
    for value in (
        f"kappa {found.chosen.loc[0, 'kappa']:.3f}",
        f"reached {found.chosen.loc[0, 'judge_kappa']:.3f}",
        f"{found.chosen.loc[0, 'difference']:+.3f}",
        f"{rows.loc['gpt_4 + text_davinci_003 + token_f1', 'difference']:+.3f}",
        f"gpt_4 ({rows.loc['gpt_4', 'kappa']:.3f})",
        f"gpt_4 + text_davinci_003, {rows.loc['gpt_4 + text_davinci_003', 'kappa']:.3f}",
        f"{whole['effective_votes']:.2f} [",
        f"| {whole['independent']:.3f} | {whole['observed']:.3f} | {whole['n']:,} |",
    ):
        assert value in page


def unlabelled() -> Panel:
    given = panel()
    items = tuple(replace(item, human=None) for item in given.dataset.items)
    return Panel(replace(given.dataset, items=items), given.votes)


@pytest.mark.parametrize(
    ("court", "criteria", "said"),
    [
        (lambda: panel(judges=13), {}, "made has 13 voters, 12 at most; leave some out"),
        (unlabelled, {}, "made has no item with both a human label and a vote"),
        (panel, {"folds": 61}, "which can't be dealt into 61 folds; set fewer"),
        (panel, {"folds": 1}, "folds: 1 is too few"),
        (panel, {"coverage": 1.5}, "coverage: 1.5 must be between 0 and 1"),
        (panel, {"dollars": {"a": -1}}, "dollars.a: -1 must be 0 or more"),
        (lambda: panel(names=("gpt", "b", "c", "d")), {"dollars": {"gtp": 1}}, "did you mean gpt?"),
    ],
)
def test_what_can_not_be_searched_is_told_in_one_line(court: Any, criteria: Any, said: str):
    with pytest.raises(JuriesError) as caught:
        search_juries(court(), FEW, Criteria(**criteria))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_pairs_and_panels_have_a_row_each():
    court = panel()
    trio = Jury("trio", ("c", "a", "b"))
    seated = Panel(court.dataset, court.votes.joined(trio.decide(court.votes)))
    pairs, panels = error_pairs(seated, FEW), effective_votes(seated, FEW)
    assert list(zip(pairs["judge"], pairs["other"], strict=True)) == list(
        itertools.combinations("abcd", 2)
    )
    assert panels["jury"].tolist() == ["all voters", "trio"]
    assert panels["seats"].tolist() == [4, 3]
    in_trio = pairs[(pairs["judge"] != "d") & (pairs["other"] != "d")]["correlation"]
    assert panels.loc[1, "mean_correlation"] == pytest.approx(in_trio.mean())
