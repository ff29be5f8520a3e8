"""Two runs on one store: the second sees the first, and nothing is paid twice."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from faulty_api import FaultyApi, in_a_thread
from llm_juries.collect import claims
from llm_juries.collect.policy import Policy
from llm_juries.collect.progress import check_complete
from llm_juries.collect.run import collect
from llm_juries.collect.tally import Tally
from llm_juries.data.dataset import Dataset
from llm_juries.errors import JuriesError
from llm_juries.judges.base import Limits
from llm_juries.judges.http.judge import HttpJudge
from llm_juries.judges.http.server import Server
from llm_juries.store import leases
from llm_juries.store.leases import Leases, codes_of
from llm_juries.store.plan import Plan
from llm_juries.store.store import Store
from llm_juries.types import Item, Outcome
from shared_prompts import QUESTION_AND_ANSWER as PROMPT

ITEMS = tuple(Item("d", f"q{n}", "m", question=f"Q{n}?", answer=f"A{n}") for n in range(40))
DATASET = Dataset("d", ITEMS)
CELL = ("a", "d", PROMPT.name)


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "planted")


@pytest.fixture
def api() -> Iterator[FaultyApi]:
    with in_a_thread(FaultyApi()) as server:
        yield server


def plan(api: FaultyApi, items: Sequence[Item] = ITEMS) -> Plan:
    limits = Limits(in_flight=2)
    judge = HttpJudge("a", "f", "openai", "a", server=Server(f"{api.base_url}/v1"), limits=limits)
    return Plan(judge, replace(DATASET, items=tuple(items)), PROMPT)


def run(folder: Path, one: Plan, policy: Policy | None = None) -> Tally:
    with Store(folder) as store:
        (tally,) = collect([one], store, policy)
    return tally


def held(folder: Path, one: Plan) -> Leases:
    """Return leases that a run of this process would hold on a plan."""
    found = Leases(folder)
    codes = codes_of(request.key for request in one.requests())
    found.claim({CELL: codes})
    found.hold(CELL, codes)
    return found


def test_the_second_run_leaves_to_the_first_what_that_is_asking_for(api: FaultyApi, tmp_path: Path):
    api.latency = 0.1
    first = threading.Thread(target=run, args=(tmp_path, plan(api, ITEMS[:30])))
    first.start()
    while not list(tmp_path.glob("leases/*.lease")):
        time.sleep(0.01)
    tally = run(tmp_path, plan(api))
    first.join()
    assert tally.outcomes == {Outcome.OK: 10}
    assert f"another run (process {os.getpid()} on " in tally.stopped
    assert ") is asking for 30 of these verdicts; run again when it has ended" in tally.stopped
    with pytest.raises(JuriesError, match=r"^incomplete: a \(another run"):
        check_complete([tally])
    assert run(tmp_path, plan(api)).kept == 40
    assert (api.asked.total(), max(api.asked.values())) == (40, 1)
    assert not (tmp_path / "leases").exists()


def test_runs_that_begin_at_once_ask_for_nothing_twice(api: FaultyApi, tmp_path: Path):
    api.latency = 0.02
    with ThreadPoolExecutor(6) as threads:
        tallies = list(threads.map(lambda _: run(tmp_path, plan(api)), range(6)))
    assert max(api.asked.values(), default=1) == 1
    assert sum(tally.asked for tally in tallies) == api.asked.total() <= 40
    run(tmp_path, plan(api))
    assert api.asked.total() == 40


@pytest.mark.parametrize("other", [True, False])
def test_a_run_that_was_suspended_looks_again_before_it_sends_anything(
    other: bool,
    api: FaultyApi,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    now, later, holding = leases.clock, [0.0], []

    def wake(prompt: str) -> str:
        if api.asked.total() == 9:  # meanwhile another run has begun
            later[0] = 100.0
            if other:
                holding.append(held(tmp_path, plan(api, ITEMS[20:])))
        return "True"

    monkeypatch.setattr(leases, "clock", lambda: now() + later[0])
    api.say = wake
    tally = run(tmp_path, plan(api))
    for one in holding:
        one.__exit__(None, None, None)
    assert "this run was suspended for longer than its leases last (55 s)" in caplog.text
    assert (tally.requests, tally.kept, tally.asked) == (40, 0, 20 if other else 40)
    assert tally.outcomes == {Outcome.OK: tally.asked}
    assert (api.asked.total(), max(api.asked.values())) == (tally.asked, 1)
    assert ("is asking for 20 of these verdicts" in tally.stopped) == other


def test_a_lease_that_was_not_renewed_in_time_is_not_renewed_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    with held(tmp_path, plan(FaultyApi(base_url="http://127.0.0.1:9"))) as own:
        assert not own.lapsed
        (path,) = tmp_path.glob("leases/*.lease")
        os.utime(path, (1.0, 1.0))
        now = leases.clock
        monkeypatch.setattr(leases, "clock", lambda: now() + 56)
        own.others()
        assert own.lapsed
        assert path.stat().st_mtime == 1.0


def test_a_claim_that_becomes_a_lease_while_another_run_looks_is_seen(tmp_path: Path):
    codes = codes_of(["0" * 32])
    with Leases(tmp_path) as one, Leases(tmp_path) as two:
        one.claim({CELL: codes})
        two.claim({CELL: codes})
        looking = leases.leases(one.folder)
        first = next(looking)
        one.hold(CELL, codes)
        two.hold(CELL, codes)
        assert next(looking).run != first.run
        assert first.alive
        assert [other.held for other in leases.leases(one.folder)] == [True, True]
    assert not one.folder.exists()


def test_a_folder_that_another_run_removes_meanwhile_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    mkdir, made = Path.mkdir, []

    def make(path: Path, *args: Any, **options: Any) -> None:
        mkdir(path, *args, **options)
        made.append(path)
        if len(made) == 1:
            path.rmdir()

    monkeypatch.setattr(Path, "mkdir", make)
    with Leases(tmp_path) as one:
        one.claim({CELL: codes_of(["0" * 32])})
        assert len(list(one.folder.iterdir())) == 1


def test_what_another_run_stored_meanwhile_is_not_asked_for(api: FaultyApi, tmp_path: Path):
    with Store(tmp_path) as store:
        assert store.get("0" * 32) is None  # the index is read
        run(tmp_path, plan(api))
        (tally,) = collect([plan(api)], store)
    assert (tally.kept, tally.asked, api.asked.total()) == (40, 0, 40)


@pytest.mark.parametrize("mode", ["live", "batch"])
def test_whoever_wishes_asks_all_the_same(mode: Any, api: FaultyApi, tmp_path: Path):
    with held(tmp_path, plan(api)):
        tally = run(tmp_path, plan(api), Policy(mode=mode))
        assert (tally.asked, tally.submitted, len(api.batches)) == (0, 0, 0)
        assert "another run" in tally.stopped
        tally = run(tmp_path, plan(api), Policy(mode=mode, on_other_run="ask"))
    assert tally.asked + tally.submitted == 40


def forge(folder: Path, one: Plan, **changes: Any) -> Path:
    """Write a lease that is not this process's."""
    with held(folder, one):
        (path,) = folder.glob("leases/*.lease")
        head, _, keys = path.read_bytes().partition(b"\n")
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(msgspec.json.encode({**msgspec.json.decode(head), **changes}) + b"\n" + keys)
    return path


def test_the_lease_of_a_killed_run_does_not_count(api: FaultyApi, tmp_path: Path):
    gone = os.fork()
    if not gone:
        os._exit(0)
    os.waitpid(gone, 0)
    forge(tmp_path, plan(api), pid=gone)
    assert run(tmp_path, plan(api)).outcomes == {Outcome.OK: 40}
    assert not (tmp_path / "leases").exists()


def test_a_lease_of_another_machine_that_is_not_renewed_expires(
    api: FaultyApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):  # fmt: skip
    monkeypatch.setattr(leases, "EXPIRES_S", 1.5)
    monkeypatch.setattr(claims, "EXPIRES_S", 1.5)
    path = forge(tmp_path, plan(api), host="elsewhere", pid=7)
    with caplog.at_level(logging.WARNING):
        tally = run(tmp_path, plan(api))
    assert (tally.outcomes, tally.stopped) == ({Outcome.OK: 40}, "")
    assert "a on d: another run (process 7 on elsewhere, since" in caplog.text
    assert not path.exists()


def test_a_lease_of_another_machine_that_is_renewed_counts(api: FaultyApi, tmp_path: Path):
    path = forge(tmp_path, plan(api), host="elsewhere", pid=7)
    done = threading.Event()

    def renew() -> None:
        while not done.wait(0.2):
            os.utime(path)

    thread = threading.Thread(target=renew)
    thread.start()
    tally = run(tmp_path, plan(api))
    done.set()
    thread.join()
    assert "another run (process 7 on elsewhere" in tally.stopped
    assert (tally.asked, api.arrivals.total()) == (0, 0)


def test_what_is_no_lease_is_passed_over(api: FaultyApi, tmp_path: Path):
    folder = tmp_path / "leases"
    folder.mkdir()
    for name, content in (("1.lease", b""), ("2.lease", b"{}\n12"), ("3.lease", b'{"judge": 1}\n')):
        (folder / name).write_bytes(content)
    (folder / "4.lease").mkdir()
    os.mkfifo(folder / "5.lease")
    assert run(tmp_path, plan(api)).outcomes == {Outcome.OK: 40}


def test_a_lease_is_small_and_renewed_and_ends_with_its_run(
    api: FaultyApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(leases, "RENEW_S", 0.05)
    with held(tmp_path, plan(api)):
        files = list(tmp_path.glob("leases/*"))
        assert sorted(path.suffix for path in files) == [".claim", ".lease"]
        assert max(path.stat().st_size for path in files) < 40 * 8 + 300
        for path in files:
            os.utime(path, (1, 1))
        while min(path.stat().st_mtime for path in files) < 2:
            time.sleep(0.01)
    assert not path.parent.exists()


def test_a_run_within_a_loop_holds_leases_too(api: FaultyApi, tmp_path: Path):
    async def cell() -> Tally:
        return run(tmp_path, plan(api))

    with held(tmp_path, plan(api, ITEMS[:39])):
        assert asyncio.run(cell()).outcomes == {Outcome.OK: 1}
