"""scripts/judge.py over three APIs, killed, stopped and searched for keys as a user runs it."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from conftest import ROOT, Run, options
from faulty_api import Remote, in_a_process
from forked import Forked
from llm_juries.store.store import Store
from llm_juries.types import Outcome

IN_FLIGHT, ITEMS, KILLS = 8, 500, 20
SAMPLED = "verdict_by: text, max_tokens: 16, temperature: 0.7"
KEY = "sk-planted-0123456789abcdef"
WIRES = {"a": ("openai", "/v1"), "b": ("anthropic", "/v1"), "c": ("cohere", "/v2")}


@pytest.fixture
def api() -> Iterator[Remote]:
    with in_a_process(latency=0.04) as server:
        yield server


def user(folder: Path, api: Remote, items: int = ITEMS) -> list[str]:
    """Write a user's own judges and answers; return what selects them."""
    conf = folder / "conf" / "judge"
    conf.mkdir(parents=True, exist_ok=True)
    for name, (wire, root) in WIRES.items():
        judge = {
            "_target_": "llm_juries.judges.http.judge.HttpJudge",
            "name": name,
            "family": name,
            "wire": wire,
            "model": f"model-{name}",
            "server": {"base_url": api.base_url + root, "key_env": "PLANTED_KEY"},
            "limits": {"in_flight": IN_FLIGHT},
        }
        text = f"# @package judges.{name}\n{yaml.safe_dump(judge)}"
        (conf / f"{name}.yaml").write_text(text)
    rows = ({"question": f"Q{n}?", "answer": f"A{n}", "references": ["A"]} for n in range(items))
    (folder / "mine.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return ["dataset=jsonl", f"dataset.path={folder / 'mine.jsonl'}", "judge=[a,b,c]"]


def started(folder: Path, *overrides: str) -> Forked:
    given = options(folder, f"--config-dir={folder / 'conf'}", *overrides)
    return Forked("judge", *given, environment={"PLANTED_KEY": KEY})


def finished(folder: Path, *overrides: str) -> tuple[int | None, str, str]:
    with started(folder, *overrides) as process:
        out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def labels(folder: Path) -> dict[str, str | None]:
    """Return every stored verdict by its key; all of them are good."""
    found = {}
    for verdict in Store(folder / "store"):
        assert verdict.outcome is Outcome.OK
        found[verdict.key] = verdict.value
    return found


def wait_for_first_request(api: Remote, before: int) -> None:
    deadline = time.monotonic() + 60
    while sum(api.stats()["arrivals"].values()) == before:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_kills_lose_no_verdict_and_pay_for_none_twice(api: Remote, tmp_path: Path):
    chance = random.Random(20)
    overrides = user(tmp_path, api)
    arrived, lost = 0, 0
    for _ in range(KILLS):
        with started(tmp_path, *overrides) as process:
            wait_for_first_request(api, arrived)
            time.sleep(chance.uniform(0, 0.15))
            process.kill()
        time.sleep(0.1)  # what was under way arrives, or never does
        arrived = sum(api.stats()["arrivals"].values())
        in_flight = arrived - len(labels(tmp_path)) - lost
        assert 0 <= in_flight <= 3 * IN_FLIGHT
        lost += in_flight
    assert len(labels(tmp_path)) < 3 * ITEMS
    code, _, err = finished(tmp_path, *overrides)
    assert (code, err.count("Traceback")) == (0, 0)
    assert sum(api.stats()["arrivals"].values()) == 3 * ITEMS + lost

    calm = tmp_path / "calm"
    with in_a_process() as quick:
        finished(calm, *user(calm, quick))
    assert labels(tmp_path) == labels(calm)
    assert len(labels(calm)) == 3 * ITEMS


def test_kills_lose_no_repeat_and_pay_for_none_twice(api: Remote, tmp_path: Path):
    chance, items, repeats, kills = random.Random(3), 120, 3, 8
    *overrides, _ = user(tmp_path, api, items)
    overrides += ["seats=[a*3,b*3,c]", "judge=[a,b,c]"]
    overrides += [f"+judges.{name}.decoding={{{SAMPLED}}}" for name in ("a", "b")]
    arrived, lost = 0, 0
    for _ in range(kills):
        with started(tmp_path, *overrides) as process:
            wait_for_first_request(api, arrived)
            time.sleep(chance.uniform(0, 0.15))
            process.kill()
        time.sleep(0.1)
        arrived = sum(api.stats()["arrivals"].values())
        in_flight = arrived - len(labels(tmp_path)) - lost
        assert 0 <= in_flight <= 3 * IN_FLIGHT
        lost += in_flight
    assert len(labels(tmp_path)) < 7 * items
    code, _, err = finished(tmp_path, *overrides)
    assert (code, err.count("Traceback")) == (0, 0)
    assert sum(api.stats()["arrivals"].values()) == 7 * items + lost
    seats = Counter((verdict.judge, verdict.repeat) for verdict in Store(tmp_path / "store"))
    assert seats == {
        **{(name, n): items for name in ("a", "b") for n in range(1, repeats + 1)},
        ("c", 1): items,
    }
    lines = [line for p in (tmp_path / "store").glob("*.jsonl") for line in p.open()]
    assert len({json.loads(line)["key"] for line in lines if line.endswith("\n")}) == 7 * items
    code, *_ = finished(tmp_path, *overrides)  # all is there: nothing is asked again
    assert code == 0
    assert sum(api.stats()["arrivals"].values()) == 7 * items + lost


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda n: n.name)
def test_a_stopped_run_stores_all_it_asked_for(number: signal.Signals, api: Remote, tmp_path: Path):
    overrides = user(tmp_path, api)
    with started(tmp_path, *overrides) as process:
        wait_for_first_request(api, 0)
        time.sleep(0.3)
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 128 + number
    assert "Traceback" not in err
    asked = sum(api.stats()["arrivals"].values())
    assert 0 < asked < 3 * ITEMS
    assert len(labels(tmp_path)) == asked
    finished(tmp_path, *overrides)
    assert sum(api.stats()["arrivals"].values()) == len(labels(tmp_path)) == 3 * ITEMS


def test_a_signal_that_comes_twice_at_once_is_one(api: Remote, tmp_path: Path):
    overrides = user(tmp_path, api)
    with started(tmp_path, *overrides) as process:
        wait_for_first_request(api, 0)
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGTERM
    assert len(labels(tmp_path)) == sum(api.stats()["arrivals"].values())


def holding(folder: Path, text: str) -> list[Path]:
    """Return the files under a folder that hold a text."""
    return [p for p in folder.rglob("*") if p.is_file() and text.encode() in p.read_bytes()]


FAULTS = [
    {"kind": "echo", "every": 3},
    {"kind": "prose", "every": 7},
    {"kind": "401", "after": 60, "model": "model-b"},
]


def test_a_key_is_in_nothing_that_is_written_or_said(run_process: Run, tmp_path: Path):
    with in_a_process(faults=FAULTS) as api:
        flag = f"--config-dir={tmp_path / 'conf'}"
        overrides = [flag, *user(tmp_path, api, 100), "wandb=offline", "hydra.verbose=true"]
        done = run_process("judge", *overrides, PLANTED_KEY=KEY)
    assert done.returncode == 2  # a judge was given up on
    assert "GAVE UP: b on mine: judge b (model-b at http://127.0.0.1" in done.stdout
    assert holding(tmp_path, KEY) == []
    assert KEY not in done.stdout + done.stderr
    # The search would have found it, and what the server echoed was stored.
    assert holding(tmp_path, "[key]")
    assert list(tmp_path.rglob("run-*.wandb"))


def test_an_interrupt_in_a_notebook_stops_sending(tmp_path: Path):
    """As ipykernel does: a loop runs in the main thread, and the interrupt arrives there."""
    program = f"""
import asyncio, os, signal, sys, threading, time
from pathlib import Path
sys.path.insert(0, {str(ROOT / "tests")!r})
from faulty_api import FaultyApi, in_a_thread
from llm_juries.collect.run import collect
from llm_juries.data.dataset import Dataset
from llm_juries.judges.base import Limits
from llm_juries.judges.http.judge import HttpJudge
from llm_juries.judges.http.server import Server
from llm_juries.prompts.prompt import Prompt
from llm_juries.store.plan import Plan
from llm_juries.store.store import Store
from llm_juries.types import Item

PROMPT = Prompt("p", "{{{{ question }}}} {{{{ answer }}}}", {{"True": 1.0, "False": 0.0}})
items = tuple(Item("d", f"q{{n}}", "m", f"Q{{n}}?", f"A{{n}}") for n in range(400))
with in_a_thread(FaultyApi(latency=0.2)) as api:
    judge = HttpJudge(
        "j", "f", "openai", "m", server=Server(api.base_url + "/v1"), limits=Limits(in_flight=4)
    )

    async def cell():
        def interrupt():
            while api.arrivals.total() < 8:
                time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGINT)
        threading.Thread(target=interrupt).start()
        with Store({str(tmp_path)!r}) as store:
            try:
                collect([Plan(judge, Dataset("d", items), PROMPT)], store)
            except KeyboardInterrupt:
                return len(store)

    stored = asyncio.new_event_loop().run_until_complete(cell())
    print(stored, api.arrivals.total(), api.asked.total())
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, "OPENAI_API_KEY": "planted"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    stored, arrived, answered = map(int, done.stdout.split())
    assert 8 <= stored == answered == arrived < 100
