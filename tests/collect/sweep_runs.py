"""What runs of one sweep do in processes of their own."""

from __future__ import annotations

import asyncio
from pathlib import Path

from llm_juries.collect.policy import Policy
from llm_juries.collect.rate_limit import Pace
from llm_juries.collect.run import collect
from llm_juries.data.dataset import Dataset
from llm_juries.judges.base import Limits
from llm_juries.judges.http.judge import HttpJudge, Server
from llm_juries.judges.pricing import Price
from llm_juries.store.ledger import Ledger
from llm_juries.store.plan import Plan
from llm_juries.store.store import Store
from llm_juries.types import Item
from shared_prompts import QUESTION_AND_ANSWER as PROMPT


def claimed(store: Path, limits: Limits, tokens: int) -> list[float]:
    """Return the times of ten requests that a run claims."""

    async def claim() -> list[float]:
        pace = Pace(limits, Ledger(store, "rate"))
        return [await pace.start(tokens) for _ in range(10)]

    return asyncio.run(claim())


def stopped(url: str, store: Path, number: int, limit: float) -> str:
    """Ask for ten verdicts within a limit on the sweep's cost; return why the judge stopped."""
    judge = HttpJudge(
        "j", "f", "openai", "m", server=Server(url + "/v1", key_env=""),
        limits=Limits(4, requests_per_minute=600), price=Price(1.0, 1.0, "2026-11"),
    )  # fmt: skip
    ids = [f"{number}-{n}" for n in range(10)]
    items = tuple(Item("d", one, "m", question=f"Q{one}", answer="A") for one in ids)
    with Store(store) as opened:
        policy = Policy(max_cost_usd=limit, sweep="s")
        (tally,) = collect([Plan(judge, Dataset("d", items), PROMPT)], opened, policy)
    return tally.stopped
