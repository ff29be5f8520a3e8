"""Seats are asked like judges: each repeat once, under a key and a seed of its own."""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faulty_api import FaultyApi, in_a_thread
from llm_juries.collect.estimate import forecast
from llm_juries.collect.policy import Policy
from llm_juries.collect.run import collect
from llm_juries.collect.tally import Tally
from llm_juries.data.dataset import Dataset
from llm_juries.errors import JuriesError
from llm_juries.judges.base import Limits
from llm_juries.judges.decoding import Decoding
from llm_juries.judges.http.judge import HttpJudge
from llm_juries.judges.http.server import Server
from llm_juries.judges.lexical import LexicalJudge
from llm_juries.judges.pricing import Price
from llm_juries.juries.rules import Jury
from llm_juries.prompts.prompt import Prompt
from llm_juries.store.plan import Plan, look_up
from llm_juries.store.store import Store
from llm_juries.study import Study, read
from llm_juries.types import Item, Order, Outcome, Reply, Request, Verdict

WORDS = {"True": 1.0, "False": 0.0}
PROMPT = Prompt("p", "Q: {{ question }} A: {{ answer }} True or False?", WORDS)
OTHER = Prompt("other", "{{ question }} {{ answer }} Say True or False.", WORDS)
DATASET = Dataset(
    "d", tuple(Item("d", f"q{n}", "m", question=f"Q{n}?", answer=f"A{n}") for n in range(20))
)
WIRES: dict[str, tuple[Any, str]] = {
    "a": ("openai", "/v1"),
    "b": ("anthropic", "/v1"),
    "c": ("cohere", "/v2"),
}
PRICE = Price(2.0, 10.0, "2024-04", batch_factor=0.5)


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "CO_API_KEY"):
        monkeypatch.setenv(name, "planted")


@pytest.fixture
def api() -> Iterator[FaultyApi]:
    """A server that may say something else each time it is asked the same."""
    times: Counter[str] = Counter()

    def say(text: str) -> str:
        times[text] += 1
        return str(hashlib.sha256(f"{times[text]}{text}".encode()).digest()[0] % 2 == 0)

    with in_a_thread(FaultyApi(say=say)) as server:
        yield server


def judge(api: FaultyApi, name: str = "a", **changed: Any) -> HttpJudge:
    wire, root = WIRES[name]
    given: dict[str, Any] = {
        "server": Server(api.base_url + root),
        "decoding": Decoding(temperature=0.7),
        "limits": Limits(in_flight=4),
        "price": PRICE,
    }
    return HttpJudge(name, f"f{name}", wire, f"model-{name}", **given | changed)


def repeats(one: Any, number: int, prompt: Prompt = PROMPT, under: str = "") -> list[Plan]:
    return [Plan(one, DATASET, prompt, repeat, under) for repeat in range(1, number + 1)]


def run(folder: Path, plans: Sequence[Plan], policy: Policy | None = None) -> list[Tally]:
    with Store(folder) as store:
        return collect(plans, store, policy)


def stored(folder: Path, plan: Plan) -> list[Verdict | None]:
    with Store(folder) as store:
        return [verdict for _, verdict in look_up(plan, store)]


def votes(folder: Path, plans: Sequence[Plan]) -> np.ndarray[Any, Any]:
    with Store(folder) as store:
        found = read(plans, DATASET, store)
    return found.given_labels[:, :, 0]


def test_the_first_answer_has_the_key_of_the_judges_own_request(api: FaultyApi):
    one = judge(api)
    own = one.request(DATASET.items[0], Order.ORIGINAL, PROMPT)
    first, second = (next(plan.requests()) for plan in repeats(one, 2))
    assert first == own
    assert second == replace(first, key=second.key, repeat=2)
    keys = {request.key for plan in repeats(one, 5) for request in plan.requests()}
    assert len(keys) == 5 * len(DATASET.items)


def test_repeats_are_three_calls_for_each_item_and_three_different_columns(
    api: FaultyApi, tmp_path: Path
):
    plans = repeats(judge(api), 3)
    tallies = run(tmp_path, plans)
    assert [tally.judge for tally in tallies] == ["a", "a:2", "a:3"]
    assert [tally.asked for tally in tallies] == [20, 20, 20]
    assert set(api.asked.values()) == {3}
    found = votes(tmp_path, plans)
    for one, other in itertools.combinations(range(3), 2):
        assert (found[:, one] != found[:, other]).any()
    for number, plan in enumerate(plans, 1):
        assert {v.repeat if v else None for v in stored(tmp_path, plan)} == {number}
    assert [tally.asked for tally in run(tmp_path, plans)] == [0, 0, 0]


@pytest.mark.parametrize(
    ("name", "decoding", "own"),
    [
        ("a", Decoding(temperature=0.7), None),
        ("a", Decoding(temperature=0.7, seed=10), 10),
        ("a", Decoding(temperature=None), None),
        ("a", Decoding(temperature=0.7, extra={"seed": 4}), 4),
        ("c", Decoding(temperature=0.7), None),
    ],
)
def test_further_answers_have_the_judges_temperature_and_a_seed_each(
    api: FaultyApi, tmp_path: Path, name: str, decoding: Decoding, own: int | None
):
    run(tmp_path, repeats(judge(api, name, decoding=decoding), 3))
    seeds = Counter(body.get("seed") for body in api.bodies)
    assert seeds.pop(own) == 20
    assert set(seeds.values()) == {1}  # one seed for all items would be one random number for all
    assert len(seeds) == 40
    assert {body.get("temperature") for body in api.bodies} == {decoding.temperature}


def test_anthropic_takes_no_seed_and_samples_anew(api: FaultyApi, tmp_path: Path):
    run(tmp_path, repeats(judge(api, "b"), 3))
    assert not any("seed" in body for body in api.bodies)
    assert {body["temperature"] for body in api.bodies} == {0.7}


def test_an_old_store_has_the_first_answers(api: FaultyApi, tmp_path: Path):
    run(tmp_path, [Plan(judge(api), DATASET, PROMPT)])
    first, second = run(tmp_path, repeats(judge(api), 2))
    assert (first.asked, second.asked) == (0, 20)


@pytest.mark.parametrize("mode", ["order", "concurrency"])
def test_keys_depend_on_neither_the_order_of_seats_nor_concurrency(
    api: FaultyApi, tmp_path: Path, mode: str
):
    def says(folder: str, plans: Sequence[Plan]) -> dict[str, str]:
        run(tmp_path / folder, plans)
        found = [v for plan in plans for v in stored(tmp_path / folder, plan) if v]
        return {verdict.key: f"{verdict.repeat} {verdict.item_id}" for verdict in found}

    plans = repeats(judge(api), 3) + repeats(judge(api, "b"), 2)
    other = repeats(judge(api, limits=Limits(in_flight=1)), 3) + repeats(judge(api, "b"), 2)
    assert says("one", plans) == says("two", plans[::-1] if mode == "order" else other)


class Seeded(HttpJudge):
    """A model whose replies follow from what it is shown and its seed, without a server."""

    async def ready(self) -> None:
        pass

    async def open(self) -> None:
        pass

    async def ask(self, requests: Sequence[Request]) -> list[Reply]:
        def said(request: Request) -> Reply:
            seed = self.decoding.seeded(request.seed).seed
            text = f"{seed}{request.messages}"
            return Reply(str(hashlib.sha256(text.encode()).digest()[0] % 2 == 0))

        return [said(request) for request in requests]


def test_verdicts_do_not_depend_on_the_order_of_seats_or_on_concurrency(tmp_path: Path):
    def found(folder: str, in_flight: int, turn: int) -> np.ndarray[Any, Any]:
        limits, decoding = Limits(in_flight=in_flight), Decoding(temperature=1.0, seed=0)
        one = Seeded("s", "f", "openai", "m", limits=limits, decoding=decoding)
        run(tmp_path / folder, repeats(one, 3)[::turn])
        return votes(tmp_path / folder, repeats(one, 3))

    calm = found("calm", 1, 1)
    assert len(np.unique(calm, axis=1).T) == 3
    np.testing.assert_array_equal(found("turned", 1, -1), calm)
    np.testing.assert_array_equal(found("concurrent", 16, 1), calm)


def test_a_run_that_was_stopped_goes_on_and_asks_nothing_twice(api: FaultyApi, tmp_path: Path):
    plans = repeats(judge(api), 3)
    whole = sum(tally.asked for tally in run(tmp_path / "whole", plans))
    api.asked.clear()
    cheap = Policy(max_cost_usd=25 * PRICE.at_most(300, 16))
    stopped = sum(tally.asked for tally in run(tmp_path / "parts", plans, cheap))
    assert 0 < stopped < whole
    again = sum(tally.asked for tally in run(tmp_path / "parts", plans))
    assert stopped + again == whole
    assert set(api.asked.values()) == {3}


def test_seats_of_two_prompts_are_two_votes(api: FaultyApi, tmp_path: Path):
    one = judge(api)
    plans = [*repeats(one, 2), *repeats(one, 2, OTHER, "other")]
    tallies = run(tmp_path, plans)
    assert [tally.judge for tally in tallies] == ["a", "a:2", "a@other", "a@other:2"]
    assert {tally.asked for tally in tallies} == {20}
    assert {v.prompt if v else "" for v in stored(tmp_path, plans[2])} == {"other"}


@pytest.mark.parametrize(
    ("decoding", "reason"),
    [
        (Decoding(), "has temperature 0"),
        (Decoding(temperature=0.7, extra={"temperature": 0}), "has temperature 0"),
        (Decoding(temperature=0.7, verdict_by="logprobs"), "scores tokens"),
    ],
)
def test_a_repeat_that_would_be_a_copy_is_one_clear_line(
    api: FaultyApi, decoding: Decoding, reason: str
):
    one = judge(api, decoding=decoding)
    Plan(one, DATASET, PROMPT)
    with pytest.raises(JuriesError, match=f"^seat a:2: would be a copy of a: a {reason}"):
        Plan(one, DATASET, PROMPT, 2)


def test_a_rule_is_named_once():
    with pytest.raises(JuriesError, match=r"^seat c@p:3: would be a copy .*; name it once$"):
        Plan(LexicalJudge("c", "contains"), DATASET, PROMPT, 3, "p")


def test_two_judges_that_would_share_every_verdict_are_an_error(api: FaultyApi, tmp_path: Path):
    one, other = judge(api), judge(api)
    other.name = "z"
    with pytest.raises(JuriesError, match=r"^judges a and z: have the same model and decoding"):
        run(tmp_path, [Plan(one, DATASET, PROMPT), Plan(other, DATASET, PROMPT)])
    with pytest.raises(JuriesError, match=r"z:2 would be a copy of a:2"):
        run(tmp_path, [Plan(one, DATASET, PROMPT, 2), Plan(other, DATASET, PROMPT, 2)])
    same = replace(PROMPT, name="same")
    with pytest.raises(JuriesError, match=r"^seats a and a@same: their prompts show the same"):
        run(tmp_path, [Plan(one, DATASET, PROMPT), Plan(one, DATASET, same, under="same")])
    assert api.bodies == []
    different = judge(api, decoding=Decoding(temperature=0.8))
    different.name = "z"
    run(tmp_path, [Plan(one, DATASET, PROMPT), Plan(different, DATASET, PROMPT)])


def test_a_dry_run_counts_each_seat(api: FaultyApi, tmp_path: Path):
    plans = repeats(judge(api), 3)
    run(tmp_path, plans[:1])
    with Store(tmp_path) as store:
        table = forecast(plans, store, Policy())
    assert table["judge"].tolist() == ["a", "a:2", "a:3"]
    assert table["calls"].tolist() == [0, 20, 20]


def test_repeats_go_through_a_batch_api_too(api: FaultyApi, tmp_path: Path):
    plans = repeats(judge(api), 2)
    batch = Policy(mode="batch")
    assert [tally.submitted for tally in run(tmp_path, plans, batch)] == [20, 20]
    run(tmp_path, plans, batch)
    run(tmp_path, plans, batch)
    for number, plan in enumerate(plans, 1):
        found = stored(tmp_path, plan)
        assert {v.outcome if v else None for v in found} == {Outcome.OK}
        assert {v.repeat if v else None for v in found} == {number}


def test_a_jury_of_repeats_is_asked_one_after_another_while_its_majority_is_open(
    api: FaultyApi, tmp_path: Path
):
    plans = repeats(judge(api), 3)
    study = Study(DATASET, tuple(plans), (Jury("thrice", ("a*3",)),))
    with Store(tmp_path) as store:
        tallies = collect([study], store, Policy(asking="sequential"))
    asked = Counter[str]()
    for tally in tallies:
        asked[tally.judge] += tally.asked
    assert asked["a"] == asked["a:2"] == 20
    found = votes(tmp_path, plans)
    np.testing.assert_array_equal(np.isnan(found[:, 2]), found[:, 0] == found[:, 1])
    assert 0 < asked["a:3"] < 20
