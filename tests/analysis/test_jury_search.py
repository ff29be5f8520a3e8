"""A search finds what plain loops over juries, resamples and folds find."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from matplotlib.text import Text
from sklearn.metrics import cohen_kappa_score

from conftest import ROOT
from llm_juries.analysis import jury_patterns, jury_validation
from llm_juries.analysis.agreement import agreement
from llm_juries.analysis.dependence import effective_votes, error_pairs
from llm_juries.analysis.found_juries import difference, pareto_front
from llm_juries.analysis.jury_patterns import Patterns
from llm_juries.analysis.jury_search import Criteria, search_juries
from llm_juries.data.dataset import Dataset
from llm_juries.errors import JuriesError
from llm_juries.juries.panel import Panel
from llm_juries.juries.rules import Jury, Rule
from llm_juries.juries.votes import Voter, Votes
from llm_juries.metrics.bootstrap import Bootstrap
from llm_juries.metrics.measure import Ratings, estimates
from llm_juries.metrics.nominal import ACCURACY_HALF, KAPPA_HALF
from llm_juries.reporting import figures
from llm_juries.scale import Scale
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
    seed: int = 0, judges: int = 4, questions: int = 60, missing: float = 0.02, names: Any = None
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
    """Return Cohen's kappa, a label of 0.5 being half a vote for either side."""
    return _kappa(labels.astype(float).tobytes(), human.astype(float).tobytes())


@cache
def _kappa(labels: bytes, human: bytes) -> float:
    said, true, weight = [], [], []
    for one, other in zip(np.frombuffer(labels), np.frombuffer(human), strict=True):
        if math.isnan(one) or math.isnan(other):
            continue
        sides = (0.0, 1.0) if one == 0.5 else (one,)
        said += sides
        true += [other] * len(sides)
        weight += [1 / len(sides)] * len(sides)
    if len(set(said) | set(true)) < 2:
        return NAN
    return float(cohen_kappa_score(true, said, sample_weight=weight))


def credited(votes: Votes) -> np.ndarray:
    half = (votes.outcomes == "tie") | (votes.outcomes == "inconsistent")
    return np.where(half, 0.5, votes.labels)


def counted(
    court: Panel, jury: str, rule: Any, undecided: str = "best_member", coverage: float = 0.9
) -> np.ndarray:
    """Return what a jury's decisions count as, item by item."""
    known = ~np.isnan(court.human)
    names = list(court.votes.names)

    def own(labels: np.ndarray) -> np.ndarray:
        if undecided == "wrong":
            human = court.human.reshape(-1, *[1] * (labels.ndim - 1))
            return np.where(np.isin(labels, (0, 1)), labels, 1 - human)
        return labels

    votes = own(credited(court.votes))
    worth = {}
    for at, name in enumerate(names):
        enough = (~np.isnan(votes[known, at])).sum() >= coverage * known.sum()
        value = kappa(votes[:, at], court.human)
        worth[name] = (enough and not math.isnan(value), -math.inf if math.isnan(value) else value)
    members = sorted(jury.split(" + "), key=lambda name: (worth[name], -names.index(name)))[::-1]
    if " + " not in jury:
        return votes[:, names.index(jury)]
    decision = Jury(jury, tuple(jury.split(" + ")), rule).decide(court.votes)
    found = []
    for row, label in enumerate(credited(decision)[:, 0]):
        sides = [v for v in (votes[row, names.index(m)] for m in members) if v in (0, 1)]
        halves = [v for v in (votes[row, names.index(m)] for m in members) if v == 0.5]
        if undecided == "best_member" and label not in (0, 1):
            label = (sides or ([label] if label == 0.5 else halves) or [NAN])[0]
        found.append(label)
    return own(np.array(found))


@given(
    st.integers(0, 10**6),
    st.integers(1, 5),
    st.sampled_from(RULES),
    st.floats(0, 0.6),
    st.sampled_from(["best_member", "half", "wrong"]),
)
@settings(max_examples=40, deadline=None)
def test_every_jurys_measures_are_those_of_its_decisions(
    seed: int, judges: int, rule: Any, missing: float, undecided: Any
):
    court = panel(seed, judges, 20, missing)
    # As in pairs: some votes for neither, and some middling scores that are ties without a label
    rng = np.random.default_rng(seed)
    labels, outcomes = court.votes.labels, court.votes.outcomes
    labels[rng.random(labels.shape) < missing / 4] = 0.5
    tied = rng.random(labels.shape) < missing / 4
    labels[tied], outcomes[tied], court.votes.scores[tied] = NAN, "tie", 0.5
    known = ~np.isnan(court.human)
    singles = [counted(court, name, rule, undecided, 0) for name in court.votes.names]
    assume(any(not math.isnan(kappa(labels, court.human)) for labels in singles))
    criteria = Criteria((rule,), undecided=undecided)
    found = search_juries(court, Bootstrap(2), criteria, coverage=0).juries
    assert len(found) == 2**judges - 1
    for row in found.to_dict("records"):
        labels = counted(court, row["jury"], rule, undecided, 0)
        both = ~np.isnan(labels) & known
        assert row["n"] == both.sum()
        assert row["missing"] == known.sum() - both.sum()
        alone = np.isin(decided(court, row["jury"], rule), (0, 1))
        if " + " not in row["jury"]:
            alone = np.isin(court.votes.columns((row["jury"],)).labels[:, 0], (0, 1))
        assert row["undecided"] == (known & ~alone).sum()
        assert row["kappa"] == pytest.approx(kappa(labels, court.human), abs=1e-12, nan_ok=True)
        right = 1 - np.abs(labels[both] - court.human[both])
        expected = right.mean() if both.any() else NAN
        assert row["accuracy"] == pytest.approx(expected, abs=1e-12, nan_ok=True)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("undecided", ["half", "best_member"])
def test_intervals_are_those_of_every_other_table(rule: Any, undecided: str):
    court = panel(missing=0.02)
    found = search_juries(court, FEW, Criteria((rule,), undecided=undecided)).juries
    (best,) = set(found["beside"])
    judge = counted(court, best, rule, undecided)
    assert set(found["caution"]) == {"ok"}
    for row in found.to_dict("records"):
        votes = np.stack([counted(court, row["jury"], rule, undecided), judge], axis=1)
        rated = Ratings(votes, court.human, Scale.binary(), court.questions)
        for measure, prefix in ((KAPPA_HALF, "ci"), (ACCURACY_HALF, "accuracy")):
            one = estimates([measure], replace(rated, votes=votes[:, :1]), FEW)[measure.name]
            ends = [row[measure.name], row[f"{prefix}_low"], row[f"{prefix}_high"]]
            assert ends == pytest.approx(np.concatenate(one).tolist(), abs=1e-12)
        gap = estimates([KAPPA_HALF], rated.common(), FEW, difference)["kappa"]
        ends = [row["difference"], row["difference_low"], row["difference_high"]]
        if gap.value[0] == 0 and np.isnan(ends[1]):  # as good as the judge by its vote alone
            assert (votes[:, 0] == votes[:, 1])[~np.isnan(votes).any(axis=1)].all()
            continue
        assert ends == pytest.approx(np.concatenate(gap).tolist(), abs=1e-12, nan_ok=True)


def resampled(court: Panel, seed: int, number: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return the rows that each resample drew, and those of questions that it did not draw."""
    questions = np.array(court.questions)
    rows = [np.flatnonzero(questions == name) for name in sorted(set(questions))]
    drawn = np.random.default_rng(seed).integers(len(rows), size=(number, len(rows)))
    inside = [np.concatenate([rows[at] for at in draw]) for draw in drawn]
    everything = range(len(rows))
    outside = [
        np.concatenate([rows[at] for at in everything if at not in set(draw)]) for draw in drawn
    ]
    return inside, outside


@pytest.mark.parametrize(
    ("missing", "rule"), [(0, "majority"), (0.05, "majority"), (0.3, "any"), (0.1, "mean")]
)
@pytest.mark.parametrize("undecided", ["half", "best_member"])
def test_draws_are_those_of_a_loop_over_resamples(missing: float, rule: Any, undecided: Any):
    court = panel(2, missing=missing)
    found = Patterns(court, tuple("abcd"), rule, undecided, 0.5)
    found.judge_eligible[[1, 2]] = False
    some = ("a", "d", "a + d", "a + b + c", "b + c + d")
    draws = found.resampled(Bootstrap(20, seed=1), np.isin(found.juries, some))
    human, judge = court.human, counted(court, "abcd"[found.best], rule, undecided, 0.5)
    inside, _ = resampled(court, 1, 20)
    own = []
    for name in some:
        labels = counted(court, name, rule, undecided, 0.5)
        both = np.where(np.isnan(labels + judge), NAN, 0.0)
        one, other = labels + both, judge + both
        own.append([kappa(labels[taken], human[taken]) for taken in inside])
        gaps = [
            kappa(one[taken], human[taken]) - kappa(other[taken], human[taken]) for taken in inside
        ]
        at = found.juries.index(name)
        np.testing.assert_allclose(draws.difference[at], gaps, atol=1e-6)
    for first, names, values in (
        (draws.winners, some, np.array(own)),
        (draws.judge_winners, "ad", np.array(own[:2])),
    ):
        taken = [names.index(found.juries[at]) for at in first]
        assert values[taken, range(20)] == pytest.approx(values.max(axis=0), abs=1e-6)


def test_differences_from_the_best_judge_are_on_common_items():
    court = panel(2, missing=0.05)
    found = search_juries(court, FEW).juries.set_index("jury")
    (best,) = set(found["beside"])
    assert best == max("abcd", key=lambda name: kappa(decided(court, name, "any"), court.human))
    human, judge = court.human, decided(court, best, "majority")
    for name in ("a + b + c", "a + d", "b + c + d"):
        labels = counted(court, name, "majority")
        both = ~np.isnan(labels) & ~np.isnan(judge)
        one, other = np.where(both, labels, NAN), np.where(both, judge, NAN)
        row = found.loc[name]
        assert row["n_both"] == (both & ~np.isnan(human)).sum()
        assert row["judge_kappa"] == pytest.approx(kappa(other, human), abs=1e-12)
        value = kappa(one, human) - kappa(other, human)
        assert row["difference"] == pytest.approx(value, abs=1e-12)
        within = row["difference_low"] <= 0 <= row["difference_high"]
        assert math.isnan(row["p"]) or (row["p"] >= 0.05) == within


def test_p_values_are_corrected_for_all_juries_that_could_differ():
    found = search_juries(panel(2, missing=0.02), FEW).juries
    tested = found["p"].notna()
    assert math.isnan(found.set_index("jury").loc[found.loc[0, "beside"], "p"])  # itself
    corrected = found.loc[tested, "p_max_t"]
    assert found.loc[~tested, "p_max_t"].isna().all()
    one_sided = np.where(found["difference"] > 0, found["p"] / 2, 1 - found["p"] / 2)
    assert (corrected >= one_sided[tested] - 0.05).all()  # no less than one test's, but noise


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


def easy_and_hard(judges: int) -> Panel:
    """Return judges as good as each other whose errors are independent."""
    rng = np.random.default_rng(0)
    given = panel(judges=judges, questions=200, missing=0)
    right = rng.random(given.votes.labels.shape) < 0.8
    labels = np.where(right, given.human[:, None], 1 - given.human[:, None])
    return Panel(given.dataset, replace(given.votes, labels=labels))


def test_juries_that_leave_the_hard_items_undecided_do_not_win_by_it():
    # Two judges that are right four times in five: where they agree, they mostly are.
    court = easy_and_hard(2)
    decided_only = kappa(decided(court, "a + b", "majority"), court.human)
    assert decided_only > max(kappa(decided(court, n, "majority"), court.human) for n in "ab") + 0.1
    for undecided in ("best_member", "half", "wrong"):
        found = search_juries(court, FEW, Criteria(undecided=undecided))
        rows = found.juries.set_index("jury")
        assert rows.loc["a + b", "n"] == len(court.human)
        assert rows.loc["a + b", "undecided"] > 100
        assert rows["kappa"].idxmax() in ("a", "b")
        assert found.chosen.loc[0, "jury"] in ("a", "b")


def test_a_jury_of_six_seats_does_not_win_by_its_ties():
    # A trio decides everything; six seats leave one item in twenty undecided, the hard ones.
    rng = np.random.default_rng(3)
    given = panel(judges=6, questions=300, missing=0)
    ease = rng.normal(size=(len(given.human), 1))
    right = 0.9 + 0.8 * ease + rng.normal(size=(len(ease), 6)) > 0
    labels = np.where(right, given.human[:, None], 1 - given.human[:, None])
    court = Panel(given.dataset, replace(given.votes, labels=labels))
    alone = {
        jury: kappa(decided(court, jury, "majority"), court.human)
        for jury in ("a + b + c + d + e", "a + b + c + d + e + f")
    }
    assert alone["a + b + c + d + e + f"] > alone["a + b + c + d + e"] + 0.02
    for undecided in ("best_member", "half", "wrong"):
        rows = search_juries(court, FEW, Criteria(undecided=undecided)).juries.set_index("jury")
        assert (rows["n"] == len(court.human)).all()
        six, most = rows.loc["a + b + c + d + e + f"], rows[rows["seats"] == 5]["kappa"].max()
        assert 0.03 < six["undecided"] / len(court.human) < 0.12
        assert six["kappa"] < most + 0.01


def test_a_judge_that_voted_on_a_few_items_is_no_comparator():
    court = panel(5, missing=0)
    labels = court.votes.labels.copy()
    labels[:, 0] = NAN
    labels[:3, 0] = court.human[:3]
    outcomes = np.where(np.isnan(labels), "failed", "ok").astype("U16")
    few = Panel(court.dataset, replace(court.votes, labels=labels, outcomes=outcomes))
    found = search_juries(few, FEW)
    rows = found.juries.set_index("jury")
    assert rows.loc["a", "kappa"] == 1
    assert not rows.loc["a", "eligible"]
    assert "a" not in set(found.juries["beside"]) | set(found.chosen["judge"])
    assert "a: " not in found.chosen.loc[0, "judge_chosen"]
    with pytest.raises(JuriesError, match="no judge has a kappa and votes on 90%"):
        search_juries(few.__class__(few.dataset, few.votes.columns(("a",))), FEW)


def test_wins_are_shares_of_the_resamples_among_those_that_can_be_chosen():
    found = search_juries(panel(), FEW).juries
    assert found["wins"].sum() == pytest.approx(1)
    assert (found.loc[~found["eligible"], "wins"] == 0).all()


def test_the_choice_is_measured_on_the_questions_that_a_resample_left_out():
    court = panel(4, questions=25, missing=0.03)
    found = search_juries(court, Bootstrap(60, seed=1))
    human, names = court.human, list(found.juries["jury"])
    labels = {name: counted(court, name, "majority") for name in names}
    enough = {
        name: (~np.isnan(one) & ~np.isnan(human)).sum() >= 0.9 * (~np.isnan(human)).sum()
        for name, one in labels.items()
    }
    values, picked = [], []
    for inside, outside in zip(*resampled(court, 1, 60), strict=True):

        def best(candidates: Any, inside: Any = inside) -> str:
            fit = {
                name: round(kappa(labels[name][inside], human[inside]), 9)
                for name in candidates
                if enough[name]
            }
            return max(fit, key=lambda name: fit[name])

        jury, judge = best(names), best("abcd")
        one, other, true = labels[jury][outside], labels[judge][outside], human[outside]
        both = np.where(np.isnan(one + other), NAN, 0.0)
        values.append([kappa(one, true), kappa(other, true)])
        values[-1].append(kappa(one + both, true) - kappa(other + both, true))
        picked.append(jury)
    row = found.chosen.iloc[0]
    low, high = np.nanquantile(values, [0.025, 0.975], axis=0)
    for at, head in enumerate(
        (("kappa", "ci_low", "ci_high"), ("judge_kappa", "judge_low", "judge_high"),
         ("gain", "gain_low", "gain_high"))
    ):  # fmt: skip
        assert row[head[0]] == pytest.approx(np.nanmean(values, axis=0)[at])
        ends = [low[at], high[at]] if low[at] < high[at] else [NAN, NAN]
        assert [row[head[1]], row[head[2]]] == pytest.approx(ends, nan_ok=True)
    most = max(set(picked), key=picked.count)
    assert f"{most}: {picked.count(most) / 60:.0%}" in row["chosen"]


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
    whole = search_juries(panel(), FEW)
    monkeypatch.setattr(jury_patterns, "HELD_COUNTS", 4000)
    monkeypatch.setattr(jury_patterns, "BLOCK", 7)
    monkeypatch.setattr(jury_validation, "HELD_SUMS", 4000)
    found = search_juries(panel(), FEW)
    pd.testing.assert_frame_equal(found.juries, whole.juries, atol=1e-6)
    pd.testing.assert_frame_equal(found.chosen, whole.chosen)


def test_each_rule_is_searched_by_itself():
    both = search_juries(panel(), FEW, Criteria(("any", "median"))).juries
    for rule in ("any", "median"):
        alone = search_juries(panel(), FEW, Criteria((rule,))).juries
        pd.testing.assert_frame_equal(both[both["rule"] == rule].reset_index(drop=True), alone)


def test_the_figures_name_what_is_on_the_front_and_what_is_not_drawn():
    court = panel()
    found = search_juries(court, FEW, Criteria(dollars={"a": 0.25, "b": 0.5, "c": 0.1})).juries
    drawn = figures.kappa_against_cost(found, note="made").figure
    said = "\n".join(text.get_text() for text in drawn.findobj(Text))
    assert all(name in said for name in found.loc[found["pareto"], "jury"])
    assert "not drawn, of unknown cost or without a kappa: 8" in said
    pairs = error_pairs(court, FEW)
    map_ = figures.error_correlations(pairs, note="made").figure
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
    found = search_juries(court, Bootstrap(10_000))
    rows = found.juries.set_index("jury")
    chosen = found.chosen.iloc[0]
    page = (ROOT / "docs" / "choose_a_jury.md").read_text()
    pair, trio = rows.loc["gpt_4 + text_davinci_003"], rows.loc[chosen["jury"]]
    alone = agreement(every_jury(court, "majority"), Bootstrap(2)).set_index("voter")
    whole = effective_votes(court, Bootstrap(50)).loc[0]
    assert pair["undecided"] == 314
    for value in (
        f"{chosen['gain']:+.3f} [{chosen['gain_low']:.3f}, {chosen['gain_high']:.3f}]",
        f"kappa {chosen['kappa']:.3f} [{chosen['ci_low']:.3f}, {chosen['ci_high']:.3f}]",
        f"{chosen['judge_kappa']:.3f}",
        f"{trio['difference']:+.3f}\n[{trio['difference_low']:.3f}, {trio['difference_high']:.3f}]",
        f"p {trio['p']:.2f}, and p {trio['p_max_t']:.2f} after",
        f"kappa of {alone.loc['gpt_4 + text_davinci_003', 'kappa']:.3f}",
        f"{whole['effective_votes']:.2f} [",
        f"| {whole['independent']:.3f} | {whole['observed']:.3f} | {whole['n']:,} |",
    ):
        assert value in page, value


def unlabelled() -> Panel:
    given = panel()
    items = tuple(replace(item, human=None) for item in given.dataset.items)
    return Panel(replace(given.dataset, items=items), given.votes)


@pytest.mark.parametrize(
    ("court", "criteria", "said"),
    [
        (lambda: panel(judges=13), {}, "made has 13 voters, 12 at most; leave some out"),
        (unlabelled, {}, "made has no item with both a human label and a vote"),
        (panel, {"undecided": "rong"}, "there is no 'rong'; did you mean wrong?"),
        (lambda: panel(missing=0.3), {}, "no judge has a kappa and votes on 90% of the labelled"),
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
