"""A budget and rates that hold for all runs of a sweep together, through a ledger in the store."""

from __future__ import annotations

import asyncio
import itertools
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import sweep_runs

from faulty_api import FaultyApi, in_a_thread
from forked import at_once
from llm_juries.collect.budget import AHEAD, SweepBudget, budget_of
from llm_juries.collect.policy import Policy
from llm_juries.collect.rate_limit import Pace
from llm_juries.errors import JuriesError
from llm_juries.judges.base import Limits
from llm_juries.store.ledger import ENDING, Ledger, Line, lives
from llm_juries.store.store import Store

RUNS = 8


def budget(store: Path, limit: float = 1.0) -> SweepBudget:
    return SweepBudget(limit, Ledger(store, "sweep-s"))


def committed(store: Path) -> float:
    return sum(line.committed for _, line in Ledger(store, "sweep-s").others())


def test_two_runs_share_a_budget_and_what_one_gives_back_the_other_may_spend(tmp_path: Path):
    one, other = budget(tmp_path), budget(tmp_path)
    assert one.reserve(0.7)
    assert not other.reserve(0.4)
    assert "max_cost_usd=1, which holds for the runs of the sweep sweep-s" in other.exceeded
    one.settle(0.7, 0.1)
    assert other.reserve(0.4)
    other.settle(0.4, 0.4)
    one.close()
    other.close()
    assert committed(tmp_path) == pytest.approx(0.5)
    assert not budget(tmp_path).reserve(0.51)  # a run of the same sweep, later


def test_a_run_reserves_some_requests_ahead_and_gives_back_the_rest(tmp_path: Path):
    one = budget(tmp_path)
    assert one.reserve(0.01)
    assert committed(tmp_path) == pytest.approx(AHEAD * 0.01)
    lines = next(Ledger(tmp_path, "sweep-s").folder.iterdir()).read_bytes().count(b"\n")
    for _ in range(AHEAD - 1):
        assert one.reserve(0.01)
    assert next(Ledger(tmp_path, "sweep-s").folder.iterdir()).read_bytes().count(b"\n") == lines
    for _ in range(AHEAD):
        one.settle(0.01, 0.004)
    assert committed(tmp_path) == pytest.approx(AHEAD * 0.004)


def test_a_run_waits_until_another_has_settled_what_it_reserved(tmp_path: Path):
    async def race() -> bool:
        one, other = budget(tmp_path), budget(tmp_path)
        assert one.reserve(0.9)
        asyncio.get_running_loop().call_later(0.3, one.settle, 0.9, 0.2)
        return await other.reserve_in_turn(0.5)

    assert asyncio.run(race())
    assert committed(tmp_path) == pytest.approx(0.7)


def test_what_a_killed_run_reserved_counts_as_spent(tmp_path: Path):
    script = (
        "import os, sys\nfrom pathlib import Path\n"
        "from llm_juries.store.ledger import Ledger, Line\n"
        f"Ledger(Path({str(tmp_path)!r}), 'sweep-s').write(Line(committed=0.8, spent=0.1))\n"
        "os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=False)
    (path,) = Ledger(tmp_path, "sweep-s").folder.iterdir()
    assert not lives(path)
    assert not asyncio.run(budget(tmp_path).reserve_in_turn(0.3))  # nobody will settle it
    with path.open("ab") as torn:
        torn.write(b'{"committed": 5')  # killed while it wrote
    assert asyncio.run(budget(tmp_path).reserve_in_turn(0.1))


@pytest.mark.parametrize(
    ("written", "why"),
    [
        (b"garbage\n", "last line is damaged"),
        (b'{"committed": -5}\n', "last line is damaged"),
        (b'{"committed": 1e999}\n', "last line is damaged"),
        (b'{"next_request": 1e300}\n', "more than 30 days ahead"),
        (b'{"committed": 1}' + b" " * 5000 + b"\n", "last line is damaged"),
    ],
)
def test_a_damaged_ledger_is_refused_and_not_counted_as_nothing(
    written: bytes, why: str, tmp_path: Path
):
    folder = Ledger(tmp_path, "sweep-s").folder
    folder.mkdir(parents=True)
    (folder / f"other{ENDING}").write_bytes(written)
    with pytest.raises(JuriesError, match=rf"other\.jsonl: .*{why}.*; delete the file"):
        budget(tmp_path)
    with pytest.raises(JuriesError, match=why):
        Pace(Limits(requests_per_minute=60), Ledger(tmp_path, "sweep-s"))


def test_a_ledger_of_pipes_and_links_is_refused_and_does_not_hang(tmp_path: Path):
    store, outside = tmp_path / "store", tmp_path / "outside"
    folder = Ledger(store, "sweep-s").folder
    folder.mkdir(parents=True)
    outside.mkdir()
    pipe = folder / f"pipe{ENDING}"
    os.mkfifo(pipe)
    with pytest.raises(JuriesError, match="is not a regular file"):
        budget(store)
    pipe.unlink()
    (outside / "file").write_bytes(b'{"committed": 1}\n')
    pipe.symlink_to(outside / "file")
    with pytest.raises(JuriesError, match="leads out of"):
        budget(store)
    pipe.unlink()
    folder.rmdir()
    folder.symlink_to(outside)
    with pytest.raises(JuriesError, match="leads out of"):
        budget(store).reserve(0.1)
    assert [path.name for path in outside.iterdir()] == ["file"]


def test_a_run_of_its_own_has_no_ledger(tmp_path: Path):
    with Store(tmp_path) as store:
        assert type(budget_of(Policy(max_cost_usd=1), store)) is not SweepBudget
        assert type(budget_of(Policy(sweep="s"), store)) is not SweepBudget
        assert type(budget_of(Policy(max_cost_usd=1, sweep="s"), store)) is SweepBudget


@pytest.mark.parametrize(
    ("limits", "tokens", "gap"),
    [
        ({"requests_per_minute": 600}, 0, 0.1),
        ({"requests_per_minute": 60_000, "tokens_per_minute": 6_000}, 10, 0.1),
        ({"requests_per_minute": 3_000}, 0, 0.02),  # claimed some at a time
    ],
)
def test_the_times_that_eight_processes_claim_keep_the_distance(
    tmp_path: Path, limits: dict[str, int], tokens: int, gap: float
):
    calls = [(tmp_path, Limits(**limits), tokens)] * RUNS
    times = sorted(itertools.chain(*at_once(sweep_runs.claimed, calls)))
    assert len(times) == 10 * RUNS
    assert min(b - a for a, b in itertools.pairwise(times)) > gap - 1e-4


@pytest.mark.slow
def test_eight_shards_spend_what_one_run_may_and_ask_as_fast_as_one(tmp_path: Path):
    limit = 0.02  # enough for some 60 of 80 requests
    with in_a_thread(FaultyApi()) as api:

        def sweep(limit: float) -> list[str]:
            calls = ((api.base_url, tmp_path, number, limit) for number in range(RUNS))
            return at_once(sweep_runs.stopped, calls)

        stopped = sweep(limit)
        with Store(tmp_path) as store:
            found = list(store)
        spent = sum(verdict.cost_usd or 0.0 for verdict in found)
        assert 0.9 * limit < spent <= limit
        assert len(found) == api.arrivals.total() < 10 * RUNS
        assert any("sweep-s together" in reason for reason in stopped)
        times = sorted(verdict.asked_at for verdict in found)
        assert times[-1] - times[0] > 0.5 * 0.1 * (len(times) - 1)  # eight times as fast: 0.125
        assert sweep(1.0) == [""] * RUNS
        assert api.arrivals.total() == 10 * RUNS


def test_limits_that_are_not_set_write_nothing(tmp_path: Path):
    pace = Pace(Limits(), Ledger(tmp_path, "rate"))
    assert asyncio.run(pace.start(100)) <= time.time()
    pace.close()
    assert not (tmp_path / "ledger").exists()


def test_claims_of_runs_that_ended_long_ago_are_deleted(tmp_path: Path):
    old = Ledger(tmp_path, "rate")
    old.write(Line(next_request=time.time() - 4000))
    recent = Ledger(tmp_path, "rate")
    recent.write(Line(next_request=time.time() - 40))
    old.close()
    recent.close()
    pace = Pace(Limits(requests_per_minute=60), Ledger(tmp_path, "rate"))
    asyncio.run(pace.start())
    pace.close()
    files = list(old.folder.glob(f"*{ENDING}"))
    assert len(files) == 2
    assert all(str(os.getpid()) in path.name for path in files)
