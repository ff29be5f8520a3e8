"""A stopped run ends, whatever a judge is stuck in; a second signal ends it at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conftest import ROOT

# Where a model may be stuck that computes in a thread, as llama.cpp does: in a call, in loading, or
# in freeing it. What blocks the event loop itself is the worst of them.
PLACES = ("ask", "open", "close", "loop")
PROGRAM = """
import asyncio, sys, threading, time
from concurrent.futures import ThreadPoolExecutor
sys.path[:0] = [{tests!r}, {tests!r} + "/collect"]
from llm_juries.collect import live
from llm_juries.collect.run import collect
from llm_juries.commands import endings
from llm_juries.data.dataset import Dataset
from llm_juries.judges.base import Limits
from llm_juries.store.plan import Plan
from llm_juries.store.store import Store
from llm_juries.types import Item
from shared_prompts import QUESTION_AND_ANSWER as PROMPT
from test_run import Fake

live.DRAIN_S, live.SAME_STOP_S, live.ENDING_S = {drain}, 0.2, 0.2
endings.ENDING_S = 0.2
PLACE = {place!r}
threads = ThreadPoolExecutor(1)

async def stuck(place):
    if place == PLACE:
        print("stuck", flush=True)
        await asyncio.get_running_loop().run_in_executor(threads, time.sleep, 600)

class Stuck(Fake):
    async def open(self):
        await super().open()
        await stuck("open")

    async def ask(self, requests):
        await stuck("ask")
        if PLACE == "loop":
            print("stuck", flush=True)
            threading.Event().wait(600)
        return await super().ask(requests)

    async def close(self):
        await super().close()
        await stuck("close")

def main():
    items = tuple(Item("d", f"q{{n}}", "m", f"Q{{n}}?", f"A{{n}}") for n in range(3))
    judge = Stuck(limits=Limits(alone=True))
    with Store({store!r}) as store:
        collect([Plan(judge, Dataset("d", items), PROMPT)], store)

endings.guarded(main)
"""


def started(place: str, drain: float, folder: Path) -> subprocess.Popen[str]:
    tests = str(ROOT / "tests")
    program = PROGRAM.format(tests=tests, place=place, drain=drain, store=str(folder))
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{tests}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    said = process.stdout.readline()
    assert said == "stuck\n", process.communicate()[1]
    return process


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda n: n.name)
def test_a_stopped_run_ends_though_its_judge_is_stuck(
    place: str, number: signal.Signals, tmp_path: Path
):
    with started(place, 0.2, tmp_path) as process:
        process.send_signal(number)
        process.communicate(timeout=60)
    assert process.returncode == 128 + number


@pytest.mark.parametrize("place", PLACES)
def test_a_second_signal_does_not_wait(place: str, tmp_path: Path):
    with started(place, 500, tmp_path) as process:
        process.send_signal(signal.SIGTERM)
        time.sleep(0.7)
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
