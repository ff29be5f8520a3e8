"""Nothing that ought not to matter does: judge order, concurrency, timing, the hash seed."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_run import Fake

from conftest import Run
from llm_juries.analysis.run import measure
from llm_juries.analysis.settings import Analysis
from llm_juries.collect import rate_limit as pacing
from llm_juries.collect.run import collect
from llm_juries.data.dataset import Dataset
from llm_juries.judges.base import Limits
from llm_juries.judges.errors import TransientError
from llm_juries.judges.lexical import LexicalJudge
from llm_juries.juries.rules import Jury
from llm_juries.metrics.bootstrap import Bootstrap
from llm_juries.store.plan import Plan
from llm_juries.store.store import Store
from llm_juries.study import Study
from llm_juries.types import Item, Reply, Request
from shared_prompts import QUESTION_AND_ANSWER as PROMPT

DATASET = Dataset(
    "d",
    tuple(
        Item("d", f"q{n // 2}", f"m{n % 2}", f"Q{n}?", f"A{n}", ("A1",), human=float(n % 3 == 0))
        for n in range(24)
    ),
)


class Moody(Fake):
    """Takes its time, and fails now and then; what it says depends on the text alone."""

    def __init__(self, name: str, limits: Limits, waits: Sequence[int], fails: Sequence[int]):
        super().__init__(name, self.opinion, limits)
        self.waits, self.fails = list(waits), list(fails)

    def opinion(self, request: Request) -> Reply:
        number = int(request.item.answer[1:])
        if number % 11 == 5:
            return Reply("Who knows?")
        return Reply(str((number + len(self.name)) % 3 == 0))

    async def ask(self, requests: Sequence[Request]) -> list[Reply]:
        for _ in range(self.waits.pop() if self.waits else 0):
            await asyncio.sleep(0)
        if self.fails and len(self.asked) == self.fails[-1]:
            self.fails.pop()
            raise TransientError("HTTP 529", overloaded=True)
        return await super().ask(requests)


def measured(judges: Sequence[Any], juries: Sequence[Jury]) -> dict[str, list[dict[str, Any]]]:
    """Return all tables of a study, as plain rows."""
    with tempfile.TemporaryDirectory() as folder, Store(folder) as store:
        plans = tuple(Plan(judge, DATASET, PROMPT) for judge in judges)
        collect(plans, store)
        plans = tuple(sorted(plans, key=lambda plan: plan.judge.name))
        study = Study(DATASET, plans, tuple(juries))
        tables = measure([study], store, Analysis(bootstrap=Bootstrap(resamples=50))).tables
    return {name: table.astype(object).to_dict("records") for name, table in tables.items()}


def panel(limits: Limits, waits: Sequence[int], fails: Sequence[int]) -> list[Any]:
    moody = [Moody(name, limits, waits, fails) for name in ("a", "bb", "ccc")]
    return [*moody, LexicalJudge("em", "exact_match")]


JURY = Jury("jury", members=("a", "bb", "ccc"), rule="majority")


@pytest.fixture(scope="module")
def calm() -> dict[str, list[dict[str, Any]]]:
    return measured(panel(Limits(), [], []), [JURY])


def test_a_calm_run_measures_something(calm: dict[str, list[dict[str, Any]]]):
    voters = {row["voter"]: row for row in calm["agreement"]}
    assert set(voters) >= {"a", "bb", "ccc", "em", "jury"}
    assert len({row["kappa"] for row in voters.values()}) > 2


@settings(max_examples=25, deadline=None)
@given(
    order=st.permutations(range(4)),
    limits=st.builds(
        Limits, in_flight=st.integers(1, 9), batch=st.integers(1, 5), alone=st.booleans()
    ),
    waits=st.lists(st.integers(0, 12), max_size=24),
    fails=st.lists(st.integers(0, 20), max_size=4, unique=True).map(
        lambda fails: sorted(fails, reverse=True)
    ),
    seats=st.permutations(JURY.members),
)
def test_tables_do_not_depend_on_order_concurrency_or_timing(
    calm: dict[str, Any],
    order: list[int],
    limits: Limits,
    waits: list[int],
    fails: list[int],
    seats: list[str],
):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pacing, "BACKOFF_S", 0.0)
        judges = panel(limits, waits, fails)
        turned = [judges[at] for at in order]
        again = measured(turned, [replace(JURY, members=tuple(seats))])
    assert repr(again) == repr(calm)


def test_files_do_not_depend_on_the_hash_seed_or_the_order_of_judges(
    run_process: Run, tmp_path: Path
):
    written = []
    for seed, judges in (
        ("1", "exact_match,contains,token_f1"),
        ("2", "token_f1,contains,exact_match"),
    ):
        done = run_process(
            "analyze", f"judge=[{judges}]", "analysis.search.rules=[majority]",
            "analysis.bootstrap.resamples=200", "figures.draw=none",
            f"hydra.run.dir={tmp_path / seed}", f"store={tmp_path / ('store' + seed)}",
            PYTHONHASHSEED=seed,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        tables = sorted((tmp_path / seed / "tables").iterdir())
        written.append({path.name: path.read_bytes() for path in tables})
    assert written[0] == written[1]
    assert len(written[0]) >= 9
