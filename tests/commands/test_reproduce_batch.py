"""scripts/reproduce.py collects as it is told: in batches, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import Run
from faulty_api import FaultyApi, in_a_thread

KEYS = dict.fromkeys(("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "CO_API_KEY"), "planted")
ITEMS = 4


@pytest.fixture
def api() -> Iterator[FaultyApi]:
    with in_a_thread(FaultyApi(api_key="planted", polls=0)) as server:
        yield server


def table1(api: FaultyApi, folder: Path, *overrides: str) -> list[str]:
    """Return the overrides of Table 1 against the mock, on a few answers of the sample."""
    judges = ("gpt_4_turbo", "gpt_35_turbo", "claude_3_haiku")
    return [
        "experiment=paper_table1",
        "allow_retired=true",
        *(f"datasets.{number}.jsonl.path=package:sample_qa.jsonl" for number in range(2)),
        *(f"+datasets.{number}.jsonl.limit={ITEMS}" for number in range(2)),
        *(f"judges.{name}.server.base_url={api.base_url}/v1" for name in judges),
        f"judges.command_r.server.base_url={api.base_url}/v2",
        f"results={folder / 'results'}",
        *overrides,
    ]


def test_batches_are_submitted_and_nothing_is_asked_live(
    api: FaultyApi, run_script: Run, tmp_path: Path
):
    batch = table1(api, tmp_path, "collect=true", "mode=batch")
    done = run_script("reproduce", *batch, **KEYS)
    assert api.arrivals.total() == 0
    assert len(api.batches) == 3
    # Cohere has no batch API: its judge is named, and the exit code says that it is missing.
    assert "STOPPED: command_r on kilt_nq" in done.stdout
    assert done.stderr.startswith("error: incomplete: command_r")
    assert done.returncode == 2

    live = table1(api, tmp_path, "collect=true")
    assert run_script("reproduce", *live, **KEYS).returncode == 0
    assert set(api.arrivals) == {"command-r-03-2024"}


def test_a_dry_run_asks_nothing(api: FaultyApi, run_script: Run, tmp_path: Path):
    dry = table1(api, tmp_path, "collect=true", "mode=batch", "dry_run=true")
    done = run_script("reproduce", *dry, **KEYS)
    assert done.returncode == 0, done.stderr
    assert "usd_at_most" in done.stdout
    assert (api.arrivals.total(), api.batches) == (0, {})
