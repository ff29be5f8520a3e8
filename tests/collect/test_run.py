"""Judges are asked once for what the store lacks, and no reply is lost."""

from __future__ import annotations

import asyncio
import gc
import signal
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from llm_juries.collect import live
from llm_juries.collect.policy import Policy
from llm_juries.collect.run import collect
from llm_juries.collect.tally import Tally
from llm_juries.data.dataset import Dataset
from llm_juries.errors import JuriesError
from llm_juries.judges.base import Limits, PromptedJudge
from llm_juries.judges.decoding import Decoding
from llm_juries.judges.errors import JudgeUnavailableError
from llm_juries.judges.lexical import LexicalJudge
from llm_juries.judges.pricing import Price
from llm_juries.prompts.parsers import CellReader, Reader
from llm_juries.prompts.prompt import Prompt, Shot
from llm_juries.scale import Scale
from llm_juries.store.plan import Plan, look_up
from llm_juries.store.store import Store
from llm_juries.types import Item, Order, Outcome, Reply, Request, Verdict
from shared_prompts import QUESTION_AND_ANSWER as PROMPT

ITEMS = tuple(
    Item("d", f"q{n}", "m", question=f"Q{n}?", answer=f"A{n}", references=(f"A{n % 3}",))
    for n in range(12)
)
DATASET = Dataset("d", ITEMS)

Says = Callable[[Request], Reply]


def by_number(request: Request) -> Reply:
    """Say that answers of even number are correct."""
    return Reply(str(int(request.item.answer[1:]) % 2 == 0))


class Fake(PromptedJudge):
    """A judge that notes what it is asked."""

    kind: Any = "judge"
    family = "fake"
    free = False
    note = ""
    decoding = Decoding()

    def __init__(
        self,
        name: str = "fake",
        says: Says = by_number,
        limits: Limits | None = None,
        price: Price | None = None,
        absent: str = "",
        reads: Reader | None = None,
    ) -> None:
        self.name = name
        self.says = says
        self.limits = limits or Limits()
        self.price = price
        self.absent = absent
        self.reads = reads
        self.fingerprint = {"model": name}
        self.asked: list[Request] = []
        self.sizes: list[int] = []
        self.at_once = 0
        self.most_at_once = 0
        self.is_open = False

    def reader(self, prompt: Prompt, order: Order) -> Reader:
        return self.reads or super().reader(prompt, order)

    async def ready(self) -> None:
        if self.absent == "ready":
            raise JudgeUnavailableError(f"judge {self.name}: no key")

    async def open(self) -> None:
        if self.absent == "open":
            raise JudgeUnavailableError(f"judge {self.name}: no file")
        self.is_open = True

    async def ask(self, requests: Sequence[Request]) -> list[Reply]:
        assert self.is_open
        self.sizes.append(len(requests))
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        for _ in range(3):
            await asyncio.sleep(0)
        self.at_once -= 1
        replies = [self.says(request) for request in requests]
        self.asked += requests
        return replies

    def estimate(self, request: Request) -> tuple[int, int]:
        return 10, 1

    async def close(self) -> None:
        self.is_open = False

    @property
    def keys(self) -> list[str]:
        return [request.key for request in self.asked]


def run(
    folder: Path, *judges: Any, dataset: Dataset = DATASET, policy: Policy | None = None
) -> list[Tally]:
    with Store(folder) as store:
        return collect([Plan(judge, dataset, PROMPT) for judge in judges], store, policy)


def found(
    folder: Path, judge: Any, dataset: Dataset = DATASET, prompt: Prompt = PROMPT
) -> dict[tuple[str, Order], Verdict | None]:
    pairs = look_up(Plan(judge, dataset, prompt), Store(folder))
    return {(request.item.item_id, request.order): verdict for request, verdict in pairs}


def labels(folder: Path, judge: Any, dataset: Dataset = DATASET) -> list[str | None]:
    return [v.value if v else None for v in found(folder, judge, dataset).values()]


EVEN = ["True", "False"] * 6


def test_every_answer_gets_a_verdict(tmp_path: Path):
    judge = Fake()
    run(tmp_path, judge)
    assert labels(tmp_path, judge) == EVEN


def test_nothing_is_asked_twice_within_a_run(tmp_path: Path):
    judge = Fake(limits=Limits(in_flight=4, batch=2))
    run(tmp_path, judge)
    assert len(judge.keys) == len(set(judge.keys)) == len(ITEMS)


def test_a_store_that_can_not_be_written_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    append = Store.append

    def full(self: Store, verdict: Verdict) -> None:
        if len(self) == 5:
            raise JuriesError(f"store {self.path}: can't write (No space left on device)")
        append(self, verdict)

    monkeypatch.setattr(Store, "append", full)
    judge = Fake(limits=Limits(in_flight=2))
    with pytest.raises(JuriesError, match=r"^store .*: can't write \(No space left on device\)$"):
        run(tmp_path, judge)
    assert len(judge.asked) <= 5 + 2 * 2  # those in flight, and those sent before it failed
    assert len(Store(tmp_path)) == 5


def test_replies_that_arrive_at_once_are_stored_as_they_come(tmp_path: Path):
    """Nothing but a wait gives the event loop its turn."""
    unstored = []

    class AtOnce(Fake):
        async def ask(self, requests: Sequence[Request]) -> list[Reply]:
            unstored.append(len(self.asked) - len(Store(tmp_path)))
            self.asked += requests
            return [self.says(request) for request in requests]

    run(tmp_path, AtOnce(limits=Limits(in_flight=3)))
    assert len(unstored) == len(ITEMS)
    assert max(unstored) <= 3


def test_garbage_is_collected_less_often_while_a_run_asks_and_as_before_afterwards(tmp_path: Path):
    during = []

    class Watching(Fake):
        async def ask(self, requests: Sequence[Request]) -> list[Reply]:
            during.append(gc.get_threshold())
            return await super().ask(requests)

    before = gc.get_threshold()
    run(tmp_path, Watching())
    assert gc.get_threshold() == before
    assert {first for first, *_ in during} == {live.COLLECT_AFTER}


@pytest.mark.parametrize(("room", "times"), [(live.MOST_HELD, 1), (3000, 2)])
def test_what_was_rendered_is_sent_where_there_is_room_to_hold_it(
    room: int, times: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(live, "MOST_HELD", room)
    rendered: Counter[str] = Counter()

    class Counting(Fake):
        def request(self, item: Item, order: Order, prompt: Prompt) -> Request | None:
            rendered[item.item_id] += 1
            return super().request(item, order, prompt)

    asked = Counting()
    (tally,) = run(tmp_path, asked)
    assert tally.outcomes == {Outcome.OK: 12}
    assert [request.item.item_id for request in asked.asked] == [item.item_id for item in ITEMS]
    assert rendered["q11"] == times


def test_a_second_run_asks_nothing(tmp_path: Path):
    run(tmp_path, Fake())
    judge = Fake()
    (tally,) = run(tmp_path, judge)
    assert judge.asked == []
    assert (tally.requests, tally.kept, tally.asked) == (12, 12, 0)


def test_a_second_run_asks_only_for_what_is_new(tmp_path: Path):
    run(tmp_path, Fake(), dataset=Dataset("d", ITEMS[:5]))
    judge = Fake()
    run(tmp_path, judge)
    assert {request.item.item_id for request in judge.asked} == {f"q{n}" for n in range(5, 12)}


def test_a_judge_under_another_name_is_not_asked_again(tmp_path: Path):
    run(tmp_path, Fake("old"))
    judge = Fake("old")
    judge.name = "new"
    run(tmp_path, judge)
    assert judge.asked == []
    assert {verdict.judge for verdict in found(tmp_path, judge).values()} == {"new"}


TWINS = Dataset("d", (ITEMS[0], replace(ITEMS[0], item_id="twin", candidate="n"), ITEMS[1]))


def test_identical_texts_are_asked_about_once(tmp_path: Path):
    judge = Fake(limits=Limits(in_flight=3))
    run(tmp_path, judge, dataset=TWINS)
    assert len(judge.asked) == 2


def test_identical_texts_share_a_verdict_under_their_own_identities(tmp_path: Path):
    judge = Fake()
    run(tmp_path, judge, dataset=TWINS)
    twin = found(tmp_path, judge, TWINS)["twin", Order.ORIGINAL]
    assert (twin.item_id, twin.candidate, twin.value) == ("twin", "n", "True")


@pytest.mark.parametrize("alone", [False, True])
def test_identical_texts_of_two_datasets_are_asked_about_once(alone: bool, tmp_path: Path):
    judge = Fake(limits=Limits(alone=alone))
    other = Dataset("e", tuple(replace(item, dataset="e") for item in ITEMS[:4]))
    with Store(tmp_path) as store:
        collect([Plan(judge, dataset, PROMPT) for dataset in (DATASET, other)], store)
    assert len(judge.keys) == len(set(judge.keys))
    assert labels(tmp_path, judge, other) == EVEN[:4]


REPLIES = {
    Outcome.OK: Reply("True"),
    Outcome.UNPARSED: Reply("It is not True"),
    Outcome.REFUSED: Reply("I won't", stop="refusal"),
    Outcome.TRUNCATED: Reply("Let me see", stop="length"),
    Outcome.FAILED: Reply(stop="error", error="no reply"),
}


def says_once(item_id: str, reply: Reply) -> Says:
    return lambda request: reply if request.item.item_id == item_id else by_number(request)


@pytest.mark.parametrize("outcome", REPLIES)
def test_only_failures_are_asked_for_again(outcome: Outcome, tmp_path: Path):
    (tally,) = run(tmp_path, Fake(says=says_once("q5", REPLIES[outcome])))
    assert tally.outcomes[outcome] >= 1
    judge = Fake()
    run(tmp_path, judge)
    assert [r.item.item_id for r in judge.asked] == ["q5"] * (outcome is Outcome.FAILED)


def test_a_reply_after_a_failure_counts(tmp_path: Path):
    run(tmp_path, Fake(says=says_once("q4", REPLIES[Outcome.FAILED])))
    run(tmp_path, Fake())
    assert labels(tmp_path, Fake()) == EVEN


def test_another_outcome_is_asked_for_again_where_the_policy_says_so(tmp_path: Path):
    policy = Policy(again=(Outcome.UNPARSED,))
    run(tmp_path, Fake(says=says_once("q4", REPLIES[Outcome.UNPARSED])))
    judge = Fake()
    run(tmp_path, judge, policy=policy)
    assert [request.item.item_id for request in judge.asked] == ["q4"]


def test_what_was_asked_for_again_counts_and_is_not_asked_for_a_third_time(tmp_path: Path):
    policy = Policy(again=(Outcome.UNPARSED,))
    run(tmp_path, Fake(says=says_once("q4", REPLIES[Outcome.UNPARSED])))
    run(tmp_path, Fake(), policy=policy)
    judge = Fake()
    run(tmp_path, judge, policy=policy)
    assert judge.asked == []
    assert labels(tmp_path, judge) == EVEN


def test_another_reader_reads_stored_replies_anew_and_asks_nothing(tmp_path: Path):
    low, high = (LexicalJudge("f1", "token_f1", threshold) for threshold in (0.5, 0.9))
    items = (Item("d", "q", "m", question="Q", answer="Mary Jane", references=("Mary",)),)
    dataset = Dataset("d", items)
    run(tmp_path, low, dataset=dataset)
    (tally,) = run(tmp_path, high, dataset=dataset)
    assert (tally.asked, tally.kept) == (0, 1)
    assert (labels(tmp_path, low, dataset), labels(tmp_path, high, dataset)) == (["1"], ["0"])


def test_what_todays_reader_can_read_is_not_asked_for_again(tmp_path: Path):
    policy = Policy(again=(Outcome.UNPARSED,))
    run(tmp_path, Fake(says=lambda _: Reply("aye"), reads=CellReader(Scale.binary())))
    judge = Fake(reads=CellReader(Scale.binary(words={"aye": "1"})))
    run(tmp_path, judge, policy=policy)
    assert judge.asked == []


@pytest.mark.parametrize("absent", ["ready", "open"])
@pytest.mark.parametrize("alone", [False, True])
def test_an_unavailable_judge_stops_the_run_where_it_is_to(
    absent: str, alone: bool, tmp_path: Path
):
    with pytest.raises(JudgeUnavailableError, match="judge fake: no"):
        run(tmp_path, Fake(absent=absent, limits=Limits(alone=alone)))


@pytest.mark.parametrize("absent", ["ready", "open"])
@pytest.mark.parametrize("alone", [False, True])
def test_an_unavailable_judge_is_skipped_and_said_so_where_it_is_to(
    absent: str, alone: bool, tmp_path: Path
):
    gone, here = Fake("gone", absent=absent, limits=Limits(alone=alone)), Fake("here")
    tallies = run(tmp_path, gone, here, policy=Policy(on_unavailable="skip"))
    assert tallies[0].unavailable.startswith("judge gone: no ")
    assert labels(tmp_path, gone) == [None] * 12
    assert labels(tmp_path, here) == EVEN


def test_an_unavailable_judge_is_not_missed_where_all_is_stored(tmp_path: Path):
    run(tmp_path, Fake())
    (tally,) = run(tmp_path, Fake(absent="ready"))
    assert (tally.kept, tally.unavailable) == (12, "")


def judged(folder: Path, judges: Sequence[Fake]) -> dict[tuple[str, str], Any]:
    run(folder, *judges)
    return {
        (judge.name, item_id): (verdict.key, verdict.outcome, verdict.value)
        for judge in judges
        for (item_id, _), verdict in found(folder, judge).items()
    }


def wrong_on_odd(request: Request) -> Reply:
    return REPLIES[Outcome.UNPARSED] if request.item.item_id in ("q1", "q7") else by_number(request)


@pytest.mark.parametrize(
    "limits",
    [Limits(), Limits(in_flight=5), Limits(batch=5), Limits(3, 4), Limits(2, 2, alone=True)],
    ids=["one by one", "at once", "in batches", "batches at once", "alone"],
)
def test_verdicts_do_not_depend_on_how_judges_are_asked(limits: Limits, tmp_path: Path):
    calm = judged(tmp_path / "calm", [Fake("a", wrong_on_odd), Fake("b")])
    turned = [Fake("b", limits=limits), Fake("a", wrong_on_odd, limits)]
    assert judged(tmp_path / "turned", turned) == calm


@pytest.mark.parametrize(("in_flight", "batch"), [(1, 1), (3, 1), (1, 5), (2, 4)])
def test_a_judges_limits_are_kept(in_flight: int, batch: int, tmp_path: Path):
    judge = Fake(limits=Limits(in_flight, batch))
    run(tmp_path, judge)
    assert judge.most_at_once <= in_flight
    assert max(judge.sizes) == batch


def test_requests_are_under_way_at_once_where_the_limits_let_them(tmp_path: Path):
    judge = Fake(limits=Limits(in_flight=4))
    run(tmp_path, judge)
    assert judge.most_at_once == 4


def test_judges_that_need_the_machine_are_open_one_at_a_time(tmp_path: Path):
    judges: list[Fake] = []
    opened: list[int] = []

    def says(request: Request) -> Reply:
        opened.append(sum(judge.is_open for judge in judges))
        return by_number(request)

    judges += [Fake(name, says, Limits(alone=True)) for name in "abc"]
    run(tmp_path, *judges)
    assert set(opened) == {1}


def failing(after: int, error: Callable[[], None]) -> Says:
    answered = 0

    def says(request: Request) -> Reply:
        nonlocal answered
        answered += 1
        if answered > after:
            error()
        return by_number(request)

    return says


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda n: n.name)
def test_replies_of_a_stopped_run_are_kept_and_the_rest_is_not_asked_for(
    number: signal.Signals, tmp_path: Path
):
    judge = Fake(says=failing(4, lambda: signal.raise_signal(number)))
    with pytest.raises((KeyboardInterrupt, SystemExit, asyncio.CancelledError)):
        run(tmp_path, judge)
    kept = {key for key in judge.keys if Store(tmp_path).get(key)}
    assert kept == set(judge.keys)
    assert 5 <= len(kept) < len(ITEMS)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda n: n.name)
def test_a_run_after_a_stopped_one_asks_for_the_holes_alone(number: signal.Signals, tmp_path: Path):
    first = Fake(says=failing(4, lambda: signal.raise_signal(number)))
    with pytest.raises((KeyboardInterrupt, SystemExit, asyncio.CancelledError)):
        run(tmp_path, first)
    second = Fake()
    run(tmp_path, second)
    assert not set(first.keys) & set(second.keys)
    assert labels(tmp_path, second) == EVEN


def crash() -> None:
    raise RuntimeError("a bug")


def test_replies_before_a_crash_are_kept(tmp_path: Path):
    with pytest.raises(RuntimeError, match="a bug"):
        run(tmp_path, Fake(says=failing(4, crash)))
    assert labels(tmp_path, Fake()) == EVEN[:4] + [None] * 8


@pytest.mark.parametrize("alone", [False, True])
def test_a_judge_is_closed_after_a_run(alone: bool, tmp_path: Path):
    judge = Fake(limits=Limits(alone=alone))
    run(tmp_path, judge)
    assert judge.asked
    assert not judge.is_open


@pytest.mark.parametrize("alone", [False, True])
def test_a_judge_is_closed_after_a_crash(alone: bool, tmp_path: Path):
    judge = Fake(says=failing(4, crash), limits=Limits(alone=alone))
    with pytest.raises(RuntimeError, match="a bug"):
        run(tmp_path, judge)
    assert judge.asked
    assert not judge.is_open


def test_a_crash_leaves_no_further_error_behind(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    with pytest.raises(RuntimeError, match="a bug"):
        run(tmp_path, Fake(says=failing(4, crash)))
    assert [record.getMessage() for record in caplog.records] == []


def test_a_shot_that_asks_an_items_question_ends_the_run_before_anything_is_asked(tmp_path: Path):
    judge = Fake()
    prompt = replace(PROMPT, shots=(Shot("q3?", "A", "True"),))
    with (
        Store(tmp_path) as store,
        pytest.raises(JuriesError, match="asks the question of d item q3"),
    ):
        collect([Plan(judge, DATASET, prompt)], store)
    assert judge.asked == []


def test_a_stored_verdict_keeps_the_raw_reply(tmp_path: Path):
    reply = Reply("True.", input_tokens=7, output_tokens=2, latency_s=0.25)
    judge = Fake(says=lambda _: reply)
    run(tmp_path, judge)
    assert [verdict.reply for verdict in found(tmp_path, judge).values()] == [reply] * 12


USED = Reply("True", input_tokens=1000, output_tokens=10)


def test_known_costs_are_summed(tmp_path: Path):
    (tally,) = run(tmp_path, Fake(says=lambda _: USED, price=Price(2.0, 10.0, "2024-04")))
    assert tally.cost_usd == pytest.approx(12 * (1000 * 2.0 + 10 * 10.0) / 1e6)
    assert tally.unpriced == 0


def test_replies_of_a_judge_without_a_price_are_counted(tmp_path: Path):
    (tally,) = run(tmp_path, Fake(says=lambda _: USED))
    assert (tally.cost_usd, tally.unpriced) == (0.0, 12)


def test_a_priced_reply_without_usage_is_counted_as_of_unknown_cost(tmp_path: Path):
    says, price = says_once("q0", Reply("True")), Price(2.0, 10.0, "2024-04")
    (tally,) = run(tmp_path, Fake(says=says, price=price), dataset=Dataset("d", ITEMS[:1]))
    assert tally.unpriced == 1


def test_a_tally_counts_what_became_of_every_request(tmp_path: Path):
    run(tmp_path, Fake("a"), dataset=Dataset("d", ITEMS[:3]))
    (tally,) = run(tmp_path, Fake("a", says_once("q5", REPLIES[Outcome.REFUSED])))
    assert (tally.judge, tally.dataset) == ("a", "d")
    assert (tally.requests, tally.kept, tally.asked) == (12, 3, 9)
    assert tally.outcomes == {Outcome.OK: 8, Outcome.REFUSED: 1}


class Noted:
    def __init__(self) -> None:
        self.begun: list[tuple[str, int]] = []
        self.told: list[str] = []

    def begin(self, tally: Tally, missing: int) -> None:
        self.begun.append((tally.judge, missing))

    def advance(self, tally: Tally, verdict: Verdict) -> None:
        self.told.append(verdict.key)


def test_progress_is_told_of_every_new_verdict_once(tmp_path: Path):
    progress = Noted()
    run(tmp_path, Fake(), dataset=Dataset("d", ITEMS[:3]))
    judge = Fake(limits=Limits(2, 2, alone=True))
    with Store(tmp_path) as store:
        collect([Plan(judge, DATASET, PROMPT)], store, progress=progress)
    assert progress.begun == [("fake", 9)]
    assert sorted(progress.told) == sorted(judge.keys)


def test_verdicts_are_collected_where_a_loop_runs_already(tmp_path: Path):
    async def notebook() -> list[Tally]:
        return run(tmp_path, Fake())

    (tally,) = asyncio.run(notebook())
    assert tally.asked == 12


PAIRS = Dataset(
    "d",
    (
        Item("d", "q0", "m", "Q", "good", opponent="n", opponent_answer="bad"),
        Item("d", "q1", "m", "Q", "bad", opponent="n", opponent_answer="good"),
    ),
    orders=(Order.ORIGINAL, Order.SWAPPED),
)
FIRST_OR_SECOND = Prompt(
    "pair", "{{ question }} 1: {{ answer }} 2: {{ opponent_answer }}", {"1": 1.0, "2": 0.0}
)


def likes_good(request: Request) -> Reply:
    return Reply("1" if "1: good" in request.messages[-1].content else "2")


@pytest.mark.parametrize("order", Order)
def test_a_pairs_label_is_about_its_own_candidate_in_either_order(order: Order, tmp_path: Path):
    judge = Fake(says=likes_good)
    with Store(tmp_path) as store:
        collect([Plan(judge, PAIRS, FIRST_OR_SECOND)], store)
    verdicts = found(tmp_path, judge, PAIRS, FIRST_OR_SECOND)
    assert [verdicts[item_id, order].value for item_id in ("q0", "q1")] == ["1", "2"]


def test_stored_replies_that_are_read_otherwise_than_before_are_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    judge, dataset = Fake("changed", lambda _: Reply("Verdict: True")), Dataset("d", ITEMS[:3])
    run(tmp_path, judge, dataset=dataset)
    key = next(Plan(judge, dataset, PROMPT).requests()).key
    older = Store(tmp_path).get(key)
    assert older is not None
    with Store(tmp_path / "older") as store:
        store.append(replace(older, outcome=Outcome.UNPARSED, value=None, reader="label3:old"))
    for _ in range(2):
        assert labels(tmp_path / "older", judge, dataset) == ["True", None, None]
    told = [record.getMessage() for record in caplog.records if "otherwise" in record.getMessage()]
    assert told == [
        "judge changed, prompt p: 1 stored replies are read otherwise than before, by a newer "
        "parser or other labels (1 x unparsed is now True)"
    ]
