"""What is done of a sweep: counts, rates and time left, from stored verdicts alone."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from conftest import ROOT
from llm_juries.cluster.coverage import Coverage, coverage, table, total
from llm_juries.cluster.grid import grid, subject
from llm_juries.cluster.submit import table as table_of
from llm_juries.cluster.submit import workloads
from llm_juries.collect.policy import Policy
from llm_juries.collect.run import collect
from llm_juries.config.composing import composed
from llm_juries.config.study import studies
from llm_juries.data.dataset import Shard
from llm_juries.store.leases import Leases, codes_of
from llm_juries.store.store import Store
from llm_juries.types import Outcome

NOW = 1_000_000.0
FAILED = (Outcome.FAILED,)


def look(
    outcomes: Sequence[Outcome | None], ages: Sequence[float] = (), usd: float = 0.0
) -> Coverage:
    questions = [f"q{n}" for n in range(len(outcomes))]
    return Coverage("j", "d", questions, list(outcomes), [NOW - age for age in ages], usd)


def test_a_row_counts_what_is_done_failed_and_missing():
    one = look([Outcome.OK, Outcome.UNPARSED, Outcome.FAILED, None, None], [30, 20, 10], 0.5)
    (row,) = table([one], {("j", "d"): ["RUNNING", "FAILED", "RUNNING"]}, 600, NOW).to_dict(
        "records"
    )
    assert [row[c] for c in ("verdicts", "done", "failed", "missing")] == [5, 2, 1, 2]
    assert row["per_minute"] == pytest.approx(3 / 0.5)  # three in the half minute since the first
    assert row["minutes_left"] == pytest.approx(3 / 6)
    assert (row["usd"], row["jobs"]) == (0.5, "1 FAILED, 2 RUNNING")


def test_what_came_long_ago_is_no_rate_and_no_time_left_is_made_up():
    rows = table([look([Outcome.OK, None], [3600]), look([Outcome.OK], [3600])], {}, 600, NOW)
    assert list(rows["per_minute"]) == [0.0, 0.0]
    assert math.isnan(rows["minutes_left"][0])
    assert rows["minutes_left"][1] == 0.0
    assert total(rows) == "2 of 3 verdicts done, 0 failed, 1 missing; 0 a minute recently"


def test_shards_add_up_to_all():
    outcomes = [Outcome.OK, None, Outcome.FAILED, Outcome.OK] * 10
    one = look(outcomes)
    parts = [one.count(Shard(n, 3), FAILED) for n in range(3)]
    assert tuple(map(sum, zip(*parts, strict=True))) == one.count(Shard(), FAILED) == (40, 20)


def test_a_survey_sees_what_a_collection_stored_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(ROOT)
    half = composed("judge", ["judge=contains", "shard=0", "shards=2", "output_dir=unused"])
    other = composed("judge", ["judge=token_f1", "output_dir=unused"])
    with Store(tmp_path) as store:
        collect([plan for study in studies(half) for plan in study.plans], store, Policy())
        stored = len(store)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with Store(tmp_path) as store:
        looks = coverage([half, other], store)
    contains, token_f1 = looks[subject(half)]
    assert contains.count(Shard(0, 2), FAILED)[1] == 0
    assert contains.count(Shard(1, 2), FAILED)[1] == 140 - contains.count(Shard(0, 2), FAILED)[0]
    assert token_f1.count(Shard(), FAILED) == (140, 140)
    assert len(contains.asked_at) == stored
    assert math.isnan(contains.cost_usd)  # a rule has no price: unknown, and no 0
    assert all(abs(at - time.time()) < 300 for at in contains.asked_at)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_costs_that_are_known_add_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(ROOT)
    cfg = composed("judge", ["judge=contains", "output_dir=unused"])
    with Store(tmp_path) as store:
        collect([plan for study in studies(cfg) for plan in study.plans], store, Policy())
        stored = sorted(store, key=lambda verdict: verdict.key)
        for one, usd in zip(stored, (0.25, 0.0, 0.5), strict=False):
            store.append(replace(one, cost_usd=usd, asked_at=one.asked_at - 1))
        ((look,),) = coverage([cfg], store).values()
    assert look.cost_usd == 0.75


def test_what_a_run_is_asking_for_is_not_submitted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(ROOT)
    cells = grid("submit", ["judge=contains", "shards=2", "shard=0,1", f"store={tmp_path}"], None)
    (study,) = studies(cells[0].cfg)
    with Leases(tmp_path) as leases, Store(tmp_path) as store:
        codes = codes_of(request.key for plan in study.plans for request in plan.requests())
        leases.claim({("contains", "sample_qa", ""): codes})
        leases.hold(("contains", "sample_qa", ""), codes)
        found = workloads(cells, store, Policy())
        assert [one.open for one in found] == [False, True]
        (said, _) = table_of(found)["job"]
    assert said.startswith(f"a run (process {os.getpid()} on ")
    assert said.endswith(") is live")
