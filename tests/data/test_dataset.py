"""Datasets are sampled by whole questions, always the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_juries.data.dataset import Dataset, Shard, Streamed, check_unique
from llm_juries.errors import JuriesError
from llm_juries.types import Item


def items(questions: Sequence[str], candidates: Sequence[str] = ("a", "b")) -> tuple[Item, ...]:
    return tuple(Item("d", question, name) for question in questions for name in candidates)


QUESTIONS = [f"q{number}" for number in range(12)]


def test_a_sample_holds_all_answers_to_its_questions_in_order():
    sampled = Dataset("d", items(QUESTIONS)).sample(5, seed=3).loaded()
    questions = list(dict.fromkeys(item.item_id for item in sampled.items))
    assert len(questions) == 5
    assert sampled.items == items([question for question in QUESTIONS if question in questions])


def test_without_a_seed_the_first_questions_are_taken():
    assert Dataset("d", items(QUESTIONS)).sample(3, None).loaded().items == items(QUESTIONS[:3])


def test_answers_to_one_question_need_not_stand_together():
    turned = tuple(sorted(items(QUESTIONS), key=lambda item: item.candidate))
    sampled = Dataset("d", turned).sample(2, None).loaded()
    assert [item.item_id for item in sampled.items] == ["q0", "q1", "q0", "q1"]


@given(st.randoms(use_true_random=False), st.integers(1, 12), st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_a_sample_depends_on_the_seed_and_the_ids_alone(rnd: Any, limit: int, seed: int):
    rows = list(items(QUESTIONS))
    calm = Dataset("d", tuple(rows)).sample(limit, seed).loaded()
    rnd.shuffle(rows)
    assert set(Dataset("d", tuple(rows)).sample(limit, seed).loaded().items) == set(calm.items)


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_a_larger_sample_holds_a_smaller_one(one: int, other: int, seed: int):
    small, large = sorted((one, other))
    dataset = Dataset("d", items(QUESTIONS))
    sampled = [set(dataset.sample(limit, seed).items) for limit in (small, large)]
    assert sampled[0] <= sampled[1]


def test_streamed_items_are_made_anew_on_each_pass():
    made: list[str] = []

    def make() -> Iterator[Item]:
        for item in items(QUESTIONS):
            made.append(item.item_id)
            yield item

    dataset = Dataset("d", Streamed(make)).sample(3, None)
    made.clear()
    assert tuple(dataset.items) == tuple(dataset.items) == items(QUESTIONS[:3])
    assert len(made) == 2 * 2 * len(QUESTIONS)
    assert dataset.loaded().items == items(QUESTIONS[:3])


def test_another_seed_takes_other_questions():
    samples = {Dataset("d", items(QUESTIONS)).sample(4, seed).loaded().items for seed in range(10)}
    assert len(samples) > 5


@pytest.mark.parametrize("seed", [None, 0])
def test_a_limit_above_all_questions_takes_all(seed: int | None):
    assert Dataset("d", items(QUESTIONS)).sample(99, seed).loaded().items == items(QUESTIONS)


def test_no_limit_takes_all():
    dataset = Dataset("d", items(QUESTIONS))
    assert dataset.sample(None, 0).loaded() == dataset


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_below_one_is_told(limit: int):
    with pytest.raises(JuriesError, match=f"dataset d: limit is {limit}; set 1 or more, or null"):
        Dataset("d", items(QUESTIONS)).sample(limit, None).loaded()


def test_a_dataset_without_items_is_told():
    with pytest.raises(JuriesError, match="dataset d: has no items"):
        Dataset("d", ())


@pytest.mark.parametrize(("opponent", "pairwise"), [("", False), ("other", True)])
def test_items_with_an_opponent_are_pairs(opponent: str, pairwise: bool):
    assert Dataset("d", (Item("d", "q", "a", opponent=opponent),)).pairwise is pairwise


@pytest.mark.parametrize(
    "other",
    [Item("d", "q", "b"), Item("d", "r", "a"), Item("d", "q", "a", opponent="b")],
    ids=["candidate", "question", "opponent"],
)
def test_answers_that_differ_in_an_id_are_unique(other: Item):
    assert check_unique([("line 1", Item("d", "q", "a")), ("line 2", other)], "t.csv") is None


def test_two_rows_of_one_answer_are_told_by_both_places():
    twice = [Item("d", "q", "a", answer="x"), Item("d", "q", "a", answer="y")]
    with pytest.raises(JuriesError, match=r"^t\.csv, line 2: .* already in line 1"):
        check_unique(tuple(zip(("line 1", "line 2"), twice, strict=True)), "t.csv")


def shards(dataset: Dataset, number: int) -> list[frozenset[Item]]:
    """Return the items of each shard; none for a shard without questions."""
    found = []
    for n in range(number):
        part = Shard(n, number)
        if any(part.holds(item.question or item.item_id) for item in dataset.items):
            found.append(frozenset(dataset.shard(part).items))
    return found


@given(st.randoms(use_true_random=False), st.integers(1, 20))
@settings(max_examples=60, deadline=None)
def test_shards_part_the_questions_whatever_their_order(rnd: Any, number: int):
    rows = list(items(QUESTIONS))
    parts = shards(Dataset("d", tuple(rows)), number)
    assert sum(map(len, parts)) == len(rows)
    assert frozenset().union(*parts) == frozenset(rows)
    questions = [{item.item_id for item in part} for part in parts]
    assert sum(map(len, questions)) == len(QUESTIONS)  # no question is in two
    rnd.shuffle(rows)
    assert shards(Dataset("d", tuple(rows)), number) == parts


def test_a_question_that_stands_under_two_ids_is_in_one_shard():
    rows = [Item("d", f"{q}-{n}", "m", f"Q{q}?") for q in range(30) for n in range(2)]
    for part in shards(Dataset("d", tuple(rows)), 7):
        for item in part:
            twins = {other for other in rows if other.question == item.question}
            assert twins <= part


def test_no_shard_is_all():
    dataset = Dataset("d", items(QUESTIONS))
    assert dataset.shard(Shard(None, 4)) == dataset


@pytest.mark.parametrize(
    ("shard", "number", "said"),
    [
        (3, 3, "shard: 3 is out of range; with shards=3, set 0 to 2"),
        (-1, 3, "shard: -1 is out of range"),
        (0, 0, "shards"),
    ],
)
def test_a_wrong_shard_is_told(shard: int, number: int, said: str):
    with pytest.raises(JuriesError, match=said):
        Shard(shard, number)


def test_a_shard_without_questions_is_told():
    one = Dataset("d", items(["q"]))
    (empty,) = [n for n in range(2) if not Shard(n, 2).holds("q")]
    with pytest.raises(JuriesError, match="set fewer shards"):
        one.shard(Shard(empty, 2))
