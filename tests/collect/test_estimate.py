"""Dry runs: retired models, and dollars with the provider's cache and without."""

from __future__ import annotations

import datetime
import logging
from pathlib import Path

import pytest

from llm_juries.collect.estimate import forecast, total
from llm_juries.collect.policy import Policy
from llm_juries.collect.run import collect
from llm_juries.data.dataset import Dataset
from llm_juries.errors import JuriesError
from llm_juries.judges.http.judge import HttpJudge
from llm_juries.judges.lifetimes import Lifetime
from llm_juries.judges.pricing import LongContext, Price
from llm_juries.prompts.prompt import Prompt
from llm_juries.store.plan import Plan, verdict_of
from llm_juries.store.store import Store
from llm_juries.types import Item, Reply

INSTRUCTION = "Say True or False. " * 40
PROMPT = Prompt("p", "{{ question }} {{ answer }}", {"True": 1.0, "False": 0.0}, INSTRUCTION)
DATASET = Dataset(
    "d", tuple(Item("d", f"q{n}", "m", question=f"Q{n}?", answer="A") for n in range(4))
)
GONE = Lifetime("m", datetime.date(2026, 10, 23), "newer")
DRY = Policy(dry_run=True)


def plan(price: Price | None = None, lifetime: Lifetime | None = None, name: str = "j") -> Plan:
    return Plan(
        HttpJudge(name, "f", "openai", "m", price=price, lifetime=lifetime), DATASET, PROMPT
    )


def test_a_dry_run_and_a_run_of_retired_models_are_refused_alike(tmp_path: Path):
    with Store(tmp_path) as store:
        said = []
        for run in (forecast, collect):
            with pytest.raises(JuriesError) as caught:
                run([plan(lifetime=GONE)], store, DRY)
            said.append(str(caught.value))
        assert said[0] == said[1]
        assert said[0].startswith("1 model is retired and no longer served: j (m, until 2026-10-23")
        allowed = Policy(dry_run=True, allow_retired=True)
        assert forecast([plan(lifetime=GONE)], store, allowed)["calls"].tolist() == [4]
        # Only what a command asks is refused: a plan looks at what is missing without a word.
        assert forecast([plan(lifetime=GONE)], store, Policy())["calls"].tolist() == [4]


def test_a_retired_model_whose_verdicts_are_all_stored_is_not_refused(tmp_path: Path):
    retired = plan(lifetime=GONE)
    with Store(tmp_path) as store:
        for request in retired.requests():
            store.append(verdict_of(retired, request, Reply("True"), 1, 0.0))
    with Store(tmp_path) as store:
        assert forecast([retired], store, DRY)["calls"].tolist() == [0]
        (tally,) = collect([retired], store)
        assert (tally.kept, tally.asked) == (4, 0)


def test_old_prices_are_warned_of_once(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    old = plan(Price(1.0, 1.0, "2024-04"), name="an_old_price")
    with Store(tmp_path) as store, caplog.at_level(logging.WARNING):
        for _ in range(2):
            forecast([old], store, DRY)
    assert [record.getMessage()[:44] for record in caplog.records] == [
        "judge an_old_price: its price is of 2024-04,"
    ]


def test_the_shared_part_of_a_prompt_costs_less_from_the_cache(tmp_path: Path):
    cheap = Price(1.0, 4.0, "2026-11", cached_input_usd=0.1, batch_factor=0.5)
    with Store(tmp_path) as store:
        (row,) = forecast([plan(cheap)], store, DRY).to_dict("records")
        (half,) = forecast([plan(cheap)], store, Policy(dry_run=True, mode="batch")).to_dict(
            "records"
        )
        (plain,) = forecast([plan(Price(1.0, 4.0, "2026-11"))], store, DRY).to_dict("records")
    output = row["output_tokens_at_most"] * 4.0 / 1e6
    assert row["usd_at_most"] == pytest.approx(row["input_tokens"] / 1e6 + output)
    assert 0.3 < (row["usd_if_cached"] - output) / (row["usd_at_most"] - output) < 0.45
    assert half["usd_if_cached"] == pytest.approx(row["usd_if_cached"] / 2)
    assert plain["usd_at_most"] == row["usd_at_most"]
    assert plain["usd_if_cached"] is None
    assert row["prices_of"] == "2026-11"


def test_only_single_requests_are_long(tmp_path: Path):
    price = Price(1.0, 4.0, "2026-11", long_context=LongContext(1000, 5.0, 5.0))
    with Store(tmp_path) as store:
        table = forecast([plan(price)], store, DRY)
    assert 700 < table["input_tokens"].sum() < 4 * 1000
    assert table["usd_at_most"].sum() < 2 * (table["input_tokens"].sum() + 64 * 4) / 1e6
    assert total(table).startswith("4 calls, at most $0.00")
