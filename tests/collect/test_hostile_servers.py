"""Three judges, one of whose servers is hostile: each reply costs at most its own vote."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from faulty_api import in_a_thread
from hostile_api import FAILED, MODES, OK, REPLIES, HostileApi
from llm_juries.collect import rate_limit
from llm_juries.collect.policy import Policy
from llm_juries.collect.progress import check_complete
from llm_juries.collect.run import collect
from llm_juries.collect.tally import Tally
from llm_juries.data.dataset import Dataset
from llm_juries.errors import JuriesError
from llm_juries.judges.base import Limits
from llm_juries.judges.http import client
from llm_juries.judges.http.judge import HttpJudge
from llm_juries.judges.http.server import Server
from llm_juries.judges.pricing import Price
from llm_juries.store.compaction import compact
from llm_juries.store.plan import Plan, look_up
from llm_juries.store.scan import outcome_counts
from llm_juries.store.store import Store
from llm_juries.store.verify import verify
from llm_juries.types import Item, Outcome, Verdict
from shared_prompts import QUESTION_AND_ANSWER as PROMPT

DATASET = Dataset(
    "d", tuple(Item("d", f"q{n}", "m", question=f"Q{n}?", answer=f"A{n}") for n in range(12))
)
HIT = [f"q{n}" for n in range(12) if n % 3 == 2]
LIVE = {"a": ("openai", "/v1"), "b": ("anthropic", "/v1"), "c": ("cohere", "/v2")}
BATCH = {"a": ("openai", "/v1"), "b": ("anthropic", "/v1"), "c": ("openai", "/v1")}
PRICE = Price(2.0, 10.0, "2024-04")


@pytest.fixture(scope="module")
def api() -> Iterator[HostileApi]:
    with in_a_thread(HostileApi(polls=0)) as server:
        yield server


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, api: HostileApi) -> None:
    monkeypatch.setattr(rate_limit, "BACKOFF_S", 0.001)
    monkeypatch.setattr(client, "LARGEST", 2 << 20)
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "CO_API_KEY"):
        monkeypatch.setenv(name, "planted-key")
    api.mode, api.changed = None, 0
    api.bodies.clear()


def judges(
    api: HostileApi, wires: dict[str, Any] = LIVE, timeout_s: float = 2.0
) -> list[HttpJudge]:
    return [
        HttpJudge(
            name,
            f"f{name}",
            wire,
            f"model-{name}",
            server=Server(api.base_url + root, timeout_s=timeout_s),
            limits=Limits(in_flight=8, attempts=2, patience_s=5.0),
            price=PRICE,
        )
        for name, (wire, root) in wires.items()
    ]


def run(folder: Path, asked: list[HttpJudge], policy: Policy | None = None) -> dict[str, Tally]:
    with Store(folder) as store:
        tallies = collect([Plan(each, DATASET, PROMPT) for each in asked], store, policy)
    return {tally.judge: tally for tally in tallies}


def verdicts(folder: Path, asked: HttpJudge) -> dict[str, Verdict | None]:
    found = look_up(Plan(asked, DATASET, PROMPT), Store(folder))
    return {request.item.item_id: verdict for request, verdict in found}


def values(folder: Path, asked: list[HttpJudge]) -> dict[str, dict[str, Any]]:
    return {
        each.name: {
            name: (v.outcome, v.value) if v else None for name, v in verdicts(folder, each).items()
        }
        for each in asked
    }


def calm_values(api: HostileApi, folder: Path, wires: dict[str, Any]) -> dict[str, dict[str, Any]]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "CO_API_KEY"):
            patch.setenv(name, "planted-key")
        run(folder, judges(api, wires))
        return values(folder, judges(api, wires))


@pytest.fixture(scope="module")
def calm(api: HostileApi, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What three judges of different formats say where nothing goes wrong."""
    return calm_values(api, tmp_path_factory.mktemp("calm"), LIVE)


@pytest.fixture(scope="module")
def calm_batches(
    api: HostileApi, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, Any]]:
    return calm_values(api, tmp_path_factory.mktemp("calm"), BATCH)


@pytest.mark.parametrize("name", MODES)
def test_a_hostile_reply_costs_at_most_its_own_vote(
    name: str, api: HostileApi, calm: dict[str, Any], tmp_path: Path
):
    mode = api.mode = MODES[name]
    tallies = run(tmp_path, asked := judges(api))
    assert api.changed
    found = values(tmp_path, asked)
    assert (found["b"], found["c"]) == (calm["b"], calm["c"])
    hit = {item: found["a"].pop(item) for item in HIT}
    if mode.ends:
        assert tallies["a"].gave_up
        assert {vote[0] for vote in found["a"].values()} <= {OK, FAILED}
        assert {vote[0] for vote in hit.values()} == {FAILED}
        with pytest.raises(JuriesError, match=r"^incomplete: a \("):
            check_complete(list(tallies.values()))
    else:
        assert found["a"] == {item: calm["a"][item] for item in found["a"]}
        if mode.outcome is OK:
            assert hit == {item: calm["a"][item] for item in HIT}
        else:
            assert set(hit.values()) == {(mode.outcome, None)}
        check_complete(list(tallies.values()))
    for verdict in verdicts(tmp_path, asked[0]).values():
        assert verdict is not None
        assert verdict.cost_usd is None or 0 < verdict.cost_usd < 0.05
        assert verdict.outcome is not FAILED or verdict.reply.error
    assert verify(tmp_path).keys == 36

    api.mode = None
    api.bodies.clear()
    run(tmp_path, again := judges(api))
    failed = 12 if mode.ends else len(HIT)
    assert len(api.bodies) <= failed * (mode.outcome is FAILED)
    left = {vote[0] for vote in values(tmp_path, again)["a"].values()}
    assert left == ({OK} if mode.outcome is FAILED else {OK, mode.outcome})
    assert outcome_counts(tmp_path)["ok"].sum() >= 36 - len(HIT)
    compact(tmp_path)
    assert verify(tmp_path).keys == 36


@pytest.mark.parametrize("name", REPLIES)
def test_a_hostile_reply_in_a_batch_costs_at_most_its_own_vote(
    name: str, api: HostileApi, calm_batches: dict[str, Any], tmp_path: Path
):
    mode = api.mode = REPLIES[name]
    batches = Policy(mode="batch")
    run(tmp_path, asked := judges(api, BATCH), batches)  # submits
    assert api.changed
    api.mode = None
    run(tmp_path, asked, batches)  # takes, and submits what failed
    found = values(tmp_path, asked)
    assert (found["b"], found["c"]) == (calm_batches["b"], calm_batches["c"])
    hit = {item: found["a"].pop(item) for item in HIT}
    assert found["a"] == {item: calm_batches["a"][item] for item in found["a"]}
    if mode.outcome is OK:
        assert hit == {item: calm_batches["a"][item] for item in HIT}
    elif mode.outcome is FAILED:  # or was paid for and can't be read: not to be asked for again
        assert set(hit.values()) in ({None}, {(FAILED, None)}, {(Outcome.REJECTED, None)})
    else:
        assert set(hit.values()) == {(mode.outcome, None)}
    verify(tmp_path)
    (tally, *_) = run(tmp_path, asked, batches).values()
    assert tally.submitted == 0
    left = {vote and vote[0] for vote in values(tmp_path, asked)["a"].values()}
    final = {Outcome.REJECTED} if (Outcome.REJECTED, None) in hit.values() else set()
    assert left == ({OK} | final if mode.outcome is FAILED else {OK, mode.outcome})
    assert verify(tmp_path).keys == 36


@pytest.mark.parametrize("name", [name for name in REPLIES if name.startswith("count_")])
def test_counts_that_can_not_be_true_do_not_lift_the_limit_on_the_cost(
    name: str, api: HostileApi, tmp_path: Path
):
    api.mode = REPLIES[name]
    one = judges(api)[:1]
    (most,) = [one[0].price.at_most(450, 16) for _ in "1" if one[0].price]
    tally = run(tmp_path, one, Policy(max_cost_usd=5 * most))["a"]
    assert tally.stopped
    assert tally.cost_usd <= 5 * most
    assert 1 <= tally.asked < 12


def test_the_modes_are_many():
    assert len(MODES) >= 130
