"""Other ways of pooling votes decide as their libraries and a plain reading of their rules do."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from crowdkit.aggregation import GLAD, DawidSkene
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import cohen_kappa_score

from llm_juries.data.dataset import Dataset
from llm_juries.errors import JuriesError
from llm_juries.juries.folds import Folds
from llm_juries.juries.label_models import LabelModel
from llm_juries.juries.pooling import Context, Pooling, context_of
from llm_juries.juries.recusal import LeaveFamilyOut
from llm_juries.juries.rules import Jury
from llm_juries.juries.stacking import Stacking, features
from llm_juries.juries.votes import Voter, Votes
from llm_juries.juries.weighting import Veto, Weighted
from llm_juries.types import Item
from recorded_votes import TRIO, nq301, trio_votes

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:crowdkit")

NAN = math.nan
SEATS = ("a", "b", "c", "d", "e")

a_vote = st.sampled_from([0, 1, 0.5, NAN])
labels_of = st.integers(1, 5).flatmap(
    lambda seats: hnp.arrays(
        float,
        st.tuples(st.integers(1, 8), st.just(seats)),
        elements=a_vote,
    )
)


def votes(labels: Any, families: tuple[str, ...] = ()) -> Votes:
    labels = np.asarray(labels, dtype=float)
    names = SEATS[: labels.shape[1]]
    return Votes(
        tuple(Voter(n, "judge", f) for n, f in zip(names, families or names, strict=True)),
        labels,
        np.full(labels.shape, NAN),
        np.where(np.isnan(labels), "unparsed", "ok"),
    )


def decisions(jury: Any, given: Votes, context: Context | None = None) -> list[Any]:
    decided = jury.decide(given, context)
    return [
        (None if math.isnan(label) else label, str(outcome))
        for label, outcome in zip(decided.labels[:, 0], decided.outcomes[:, 0], strict=True)
    ]


def simulated(seed: int, n: int = 120) -> tuple[Votes, Context]:
    """Return votes of three judges of known accuracy and what humans said, two units a question."""
    rng = np.random.default_rng(seed)
    human = rng.integers(2, size=n).astype(float)
    right = rng.random((n, 3)) < [0.9, 0.7, 0.6]
    labels = np.where(right, human[:, None], 1 - human[:, None])
    labels[rng.random(labels.shape) < 0.1] = NAN
    candidates = [f"m{i % 2}" for i in range(n)]
    questions = [f"q{i // 2}" for i in range(n)]
    context = Context(human, questions, candidates, (), {"m0": "a", "m1": ""})
    return votes(labels), context


def nq301_context() -> Context:
    table = nq301()
    return Context(table["human"].to_numpy(float), table["item"].astype(str).tolist())


def every_rule() -> list[Pooling]:
    members = SEATS[:3]
    return [
        Weighted("w", members, {"a": 2, "b": 1.5, "c": 1}),
        Weighted("learnt", members),
        Veto("v", members),
        LabelModel("ds", members, iterations=10),
        LabelModel("glad", members, "glad", iterations=2),
        Stacking("s", members),
        LeaveFamilyOut("l", members),
    ]


@given(labels_of)
@settings(max_examples=100, deadline=None)
def test_equal_weights_are_the_majority_over_seats(labels: np.ndarray):
    members = SEATS[: labels.shape[1]]
    equal = Weighted("j", members, dict.fromkeys(members, 0.1))
    assert decisions(equal, votes(labels)) == decisions(Jury("j", members), votes(labels))


@given(labels_of, st.data())
@settings(max_examples=100, deadline=None)
def test_no_missing_vote_could_overturn_a_weighted_decision(labels: np.ndarray, data: Any):
    members = SEATS[: labels.shape[1]]
    drawn = data.draw(st.lists(st.integers(1, 9), min_size=len(members), max_size=len(members)))
    jury = Weighted("j", members, dict(zip(members, map(float, drawn), strict=True)))
    first = decisions(jury, votes(labels))
    for filler in (0.0, 1.0, 0.5):
        filled = decisions(jury, votes(np.where(np.isnan(labels), filler, labels)))
        for told, whole in zip(first, filled, strict=True):
            assert told[0] is None or told == whole


def test_learnt_weights_are_the_log_odds_of_accuracy_on_other_questions():
    given_votes, context = simulated(3)
    for learn, apply in Folds().split(context, "j"):
        assert set(np.array(context.questions)[learn]).isdisjoint(
            np.array(context.questions)[apply]
        )
        weights = []
        for judge in range(3):
            pairs = [
                (vote, true)
                for vote, true in zip(
                    given_votes.labels[learn, judge], context.human[learn], strict=True
                )
                if not math.isnan(vote)
            ]
            accuracy = (sum(v == t for v, t in pairs) + 1) / (len(pairs) + 2)
            weights.append(math.log(accuracy / (1 - accuracy)))
        fixed = Weighted("j", SEATS[:3], dict(zip(SEATS, weights, strict=False)))
        learnt = Weighted("j", SEATS[:3])
        told = np.array(decisions(learnt, given_votes, context), object)[apply].tolist()
        assert told == np.array(decisions(fixed, given_votes), object)[apply].tolist()


@pytest.mark.parametrize("jury", [Weighted("j", SEATS[:3]), Stacking("j", SEATS[:3])])
def test_no_item_is_decided_by_a_label_of_its_own_question(jury: Any):
    given_votes, context = simulated(1)
    before = jury.decide(given_votes, context)
    for question in ("q0", "q17", "q59"):
        own = np.array(context.questions) == question
        lied = replace(context, human=np.where(own, 1 - context.human, context.human))
        after = jury.decide(given_votes, lied)
        np.testing.assert_array_equal(after.labels[own], before.labels[own])
        np.testing.assert_array_equal(after.scores[own], before.scores[own])


def test_few_labels_are_those_of_a_few_questions_and_decide_all_items():
    _, context = simulated(0)
    few = list(Folds(questions=10).split(context, "j"))
    more = list(Folds(questions=20).split(context, "j"))
    questions = np.array(context.questions)

    def seen(pairs: Any) -> set[str]:
        return {str(q) for learn, _ in pairs for q in questions[learn]}

    assert len(seen(few)) == 10
    assert seen(few) < seen(more)
    assert (np.sum([apply for _, apply in few], axis=0) == 1).all()


@pytest.mark.parametrize(
    ("row", "missing", "decision"),
    [
        ([1, 1, 1], "undecided", (1.0, "ok")),
        ([1, 1, 0], "undecided", (0.0, "ok")),
        ([1, 1, NAN], "undecided", (None, "no_quorum")),
        ([1, 1, NAN], "passes", (1.0, "ok")),
        ([1, 1, NAN], "vetoes", (0.0, "ok")),
        ([0, NAN, NAN], "passes", (0.0, "ok")),
        ([1, NAN, NAN], "passes", (None, "no_quorum")),
        ([NAN, NAN, NAN], "vetoes", (0.0, "ok")),
    ],
)
def test_a_missing_vote_of_a_vetoer_does_what_the_jury_says(row: Any, missing: Any, decision: Any):
    assert decisions(Veto("j", SEATS[:3], missing=missing), votes([row])) == [decision]


@given(labels_of)
@settings(max_examples=100, deadline=None)
def test_a_named_veto_only_turns_a_majority_to_negative(labels: np.ndarray):
    members = SEATS[: labels.shape[1]]
    jury = Veto("j", members, (members[0],), "passes")
    plain = decisions(Jury("j", members), votes(labels))
    expected = [
        (0.0, "ok") if row[0] == 0 else said for row, said in zip(labels, plain, strict=True)
    ]
    assert decisions(jury, votes(labels)) == expected


def crowdkit_probabilities(model: Any, labels: np.ndarray) -> np.ndarray:
    rows = [
        (task, worker, int(vote))
        for task, row in enumerate(labels)
        for worker, vote in enumerate(row)
        if not math.isnan(vote)
    ]
    table = model.fit_predict_proba(pd.DataFrame(rows, columns=["task", "worker", "label"]))
    return table[1].reindex(range(len(labels))).to_numpy()


@pytest.mark.parametrize(
    ("name", "model"), [("dawid_skene", DawidSkene(100)), ("glad", GLAD(5, silent=True))]
)
def test_label_models_are_those_of_crowd_kit(name: Any, model: Any):
    given_votes, _ = simulated(5)
    # The least quorum, so that every vote counts as in crowd-kit.
    iterations = 100 if name == "dawid_skene" else 5
    found = LabelModel("j", SEATS[:3], name, 1, iterations).decide(given_votes)
    expected = crowdkit_probabilities(model, given_votes.labels)
    np.testing.assert_allclose(found.scores[:, 0], expected, atol=2e-4)
    sure = np.abs(expected - 0.5) > 1e-3
    np.testing.assert_array_equal(found.labels[sure, 0], expected[sure] > 0.5)


def test_dawid_skene_on_recorded_votes_is_crowd_kits():
    given_votes = trio_votes()
    found = LabelModel("j", TRIO, quorum=1).decide(given_votes)
    expected = crowdkit_probabilities(DawidSkene(100), given_votes.labels)
    np.testing.assert_allclose(found.scores[:, 0], expected, atol=1e-6)


def test_label_models_take_votes_of_one_kind_and_none_at_all():
    for model in ("dawid_skene", "glad"):
        jury = LabelModel("j", SEATS[:2], model)  # type: ignore[arg-type]
        assert decisions(jury, votes([[1, 1], [1, NAN], [NAN, NAN]])) == [
            (1.0, "ok"), (None, "no_quorum"), (None, "no_quorum"),
        ]  # fmt: skip
        assert decisions(jury, votes([[NAN, NAN]])) == [(None, "no_quorum")]


def test_a_pair_s_votes_for_neither_are_a_label_of_their_own():
    given_votes, context = simulated(5)
    given_votes.labels[::5] = np.where(np.isnan(given_votes.labels[::5]), NAN, 0.5)
    context.human[::5] = 0.5
    for rule in every_rule():
        found = rule.decide(given_votes, context)
        assert set(found.labels[~np.isnan(found.labels)]) <= {0.0, 0.5, 1.0}
    found = LabelModel("j", SEATS[:3], quorum=1).decide(given_votes)
    rows = [
        (task, worker, vote)
        for (task, worker), vote in np.ndenumerate(given_votes.labels)
        if not math.isnan(vote)
    ]
    table = pd.DataFrame(rows, columns=["task", "worker", "label"])
    expected = DawidSkene(100).fit_predict(table).reindex(range(len(context.human)))
    np.testing.assert_array_equal(found.labels[:, 0], expected)


def test_stacking_is_scikit_learns_regression_on_the_other_questions():
    given_votes, context = simulated(2)
    found = Stacking("j", SEATS[:3], 1).decide(given_votes, context)
    inputs = features(given_votes)
    for learn, apply in Folds().split(context, "j"):
        model = LogisticRegression(max_iter=5000, tol=1e-8).fit(inputs[learn], context.human[learn])
        expected = model.predict_proba(inputs[apply])[:, 1]
        voted = ~np.isnan(given_votes.labels[apply]).all(axis=1)
        np.testing.assert_allclose(found.scores[apply, 0][voted], expected[voted], atol=2e-3)


def test_stacked_scores_are_calibrated_on_recorded_votes():
    human = nq301_context().human
    scores = Stacking("j", TRIO).decide(trio_votes(), nq301_context()).scores[:, 0]
    assert scores.mean() == pytest.approx(human.mean(), abs=0.005)
    for low, high in ((0.0, 0.3), (0.3, 0.8), (0.8, 1.0)):
        at = (scores >= low) & (scores < high)
        assert at.sum() > 30
        assert scores[at].mean() == pytest.approx(human[at].mean(), abs=0.08)


def test_members_leave_their_seats_for_answers_of_their_own_family():
    labels = [[1, 1, 0], [1, 1, 0], [0, 1, 1], [1, 0, 1]]
    given_votes = votes(labels, ("x", "x", "y"))
    families = {"mx": "x", "my": "y", "mz": "z", "none": ""}
    context = Context(np.full(4, NAN), list("abcd"), ["mx", "mz", "my", "none"], (), families)
    expected = [(0.0, "ok"), (1.0, "ok"), (None, "tie"), (1.0, "ok")]
    assert decisions(LeaveFamilyOut("j", SEATS[:3]), given_votes, context) == expected
    pairs = replace(context, opponents=["my", "mz", "my", "none"])
    expected[0] = (None, "no_quorum")  # no member is left
    assert decisions(LeaveFamilyOut("j", SEATS[:3]), given_votes, pairs) == expected


def test_candidates_are_grouped_by_family_or_by_vendor():
    voter = Voter("a", "judge", "gpt-4-turbo", vendor="openai")
    assert voter.group({"openai", "anthropic"}) == "openai"
    assert voter.group({"gpt-4-turbo", "gpt-4"}) == "gpt-4-turbo"
    assert Voter("a", "judge", "x").group({""}) == "x"
    given_votes = votes([[1, 1, 0]], ("x", "x", "y"))
    by_vendor = replace(
        given_votes,
        voters=tuple(
            replace(one, family=f"base-{one.name}", vendor=one.family) for one in given_votes.voters
        ),
    )
    context = Context(np.full(1, NAN), list("a"), ["mx"], (), {"mx": "x"})
    jury = LeaveFamilyOut("j", SEATS[:3])
    assert decisions(jury, by_vendor, context) == decisions(jury, given_votes, context)


def test_a_context_is_what_the_items_say():
    items = [
        Item("d", "q", "m", human="a", opponent="k"),
        Item("d", "r", "k", human=None, opponent="m"),
    ]
    found = context_of(Dataset("d", tuple(items)), {"m": "x", "k": ""})
    np.testing.assert_array_equal(found.human, [1.0, NAN])
    assert (found.questions, found.candidates, found.opponents) == (
        ("q", "r"), ("m", "k"), ("k", "m"),
    )  # fmt: skip
    alone = tuple(replace(item, opponent="", human=None) for item in items)
    assert context_of(Dataset("d", alone)).opponents == ()
    given_votes = votes([[1, 0, 1], [1, 1, 0]], ("x", "y", "y"))
    expected = [(None, "tie"), (None, "tie")]
    assert decisions(LeaveFamilyOut("j", SEATS[:3]), given_votes, found) == expected


def test_only_those_of_the_answers_family_are_recused_on_recorded_votes():
    table, given_votes = nq301(), trio_votes()
    families = {name: "openai" if "davinci" in name else "" for name in table["model"].unique()}
    context = replace(
        nq301_context(), candidates=table["model"].tolist(), candidate_families=families
    )
    found = LeaveFamilyOut("j", TRIO).decide(given_votes, context).labels[:, 0]
    own = table["model"].str.contains("davinci").to_numpy()
    np.testing.assert_array_equal(found[own], table["bem"].to_numpy()[own])
    plain = Jury("j", TRIO).decide(given_votes).labels[:, 0]
    np.testing.assert_array_equal(found[~own], plain[~own])


def test_a_jury_that_no_family_concerns_says_so(caplog: pytest.LogCaptureFixture):
    given_votes = votes([[1, 1, 0]], ("x", "x", "y"))
    with caplog.at_level("INFO"):
        for families in ({"m": "y"}, {"m": "X"}):  # another word for x is no word for it
            context = Context(np.full(1, NAN), ["a"], ["m"], (), families)
            LeaveFamilyOut("j", SEATS[:3]).decide(given_votes, context)
    (said,) = caplog.messages
    assert said.startswith("jury j: no answer is of a member's family (x, y)")


@pytest.mark.parametrize("jury", every_rule(), ids=lambda jury: jury.name)
def test_nothing_depends_on_the_order_of_items_or_judges(jury: Any):
    given_votes, context = simulated(7)
    rng = np.random.default_rng(0)
    rows = rng.permutation(len(context.human))
    before = jury.decide(given_votes, context)
    turned = replace(
        given_votes.columns(("c", "a", "b")),
        labels=given_votes.labels[rows][:, [2, 0, 1]],
        scores=given_votes.scores[rows][:, [2, 0, 1]],
        outcomes=given_votes.outcomes[rows][:, [2, 0, 1]],
    )
    shuffled = replace(
        context,
        human=context.human[rows],
        questions=[context.questions[row] for row in rows],
        candidates=[context.candidates[row] for row in rows],
    )
    after = replace(jury, members=("b", "c", "a")).decide(turned, shuffled)
    np.testing.assert_array_equal(after.labels, before.labels[rows])
    np.testing.assert_array_equal(after.scores, before.scores[rows])
    np.testing.assert_array_equal(after.outcomes, before.outcomes[rows])
    assert before.voters == (Voter(jury.name, "jury", members=jury.members),)


KAPPAS = {
    "majority": (Jury("majority", TRIO), 0.6886),
    "weighted": (Weighted("weighted", TRIO), 0.6886),
    "dawid_skene": (LabelModel("dawid_skene", TRIO), 0.6876),
    "veto": (Veto("veto", TRIO), 0.6370),
    "stacking": (Stacking("stacking", TRIO), 0.6671),
}


@pytest.mark.parametrize("name", KAPPAS)
def test_kappas_on_recorded_votes_are_those_of_the_documentation(name: str):
    jury, kappa = KAPPAS[name]
    found = jury.decide(trio_votes(), nq301_context()).labels[:, 0]
    known = ~np.isnan(found)
    human = nq301()["human"].to_numpy()[known]
    assert cohen_kappa_score(human, found[known]) == pytest.approx(kappa, abs=0.001)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Weighted("j", ("a", "b"), {"a": 1}), "weights: 'b' is missing"),
        (lambda: Weighted("j", ("a",), {"a": 1, "z": 1}), "weights: 'z' is not a member"),
        (lambda: Weighted("j", ("a",), {"a": -1}), "has -1; set 0 or more"),
        (lambda: Weighted("j", ("a",), {"a": 0}), "weights: all are 0"),
        (lambda: Veto("j", ("a",), ("z",)), "vetoers: 'z' is not a member"),
        (lambda: LabelModel("j", ("a",), quorum=2), "a quorum of 2"),
        (lambda: Stacking("j", ()), "has no members"),
        (lambda: Stacking("j", ("a",), strength=0), "strength is 0"),
        (lambda: Folds(1), "number is 1"),
        (lambda: Folds(questions=1), "questions is 1"),
        (lambda: Weighted("j", ("a",)).decide(votes([[1]])), "learns from human labels"),
        (
            lambda: Stacking("j", ("a",)).decide(votes([[1]]), Context(np.array([1.0]), ["q"])),
            "1 questions have a human label",
        ),
        (
            lambda: Stacking("j", ("a",)).decide(
                votes([[1], [0]]), Context(np.array([1.0, 0.0]), ["q", "r"])
            ),
            "all of one kind",
        ),
        (lambda: LeaveFamilyOut("j", ("a",)).decide(votes([[1]])), "candidates and their families"),
        (
            lambda: LeaveFamilyOut("j", ("a",)).decide(
                votes([[1]]), Context(np.array([1.0]), ["q"], ["m"])
            ),
            "candidate_families: 'm' is missing",
        ),
    ],
)
def test_a_mistake_is_told_in_one_line(make: Any, said: str):
    with pytest.raises(JuriesError) as error:
        make()
    assert said in str(error.value)
    assert "\n" not in str(error.value)
