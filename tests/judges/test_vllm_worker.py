"""vLLM's worker process itself, with a stand-in for vLLM."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from llm_juries.judges.errors import JudgeUnavailableError
from llm_juries.judges.vllm import child
from llm_juries.judges.vllm.child import Child, running
from llm_juries.judges.vllm.judge import VllmJudge
from llm_juries.judges.vllm.options import HubModel, Runtime

# As vLLM does on CUDA, it runs its engine in a forked process.
STAND_IN = """
import multiprocessing
import os
import sys
from types import SimpleNamespace

__version__ = "0.32.0"


def engine(model):
    if model == "large":
        text = "(EngineCore pid=9) ERROR 11-26 20:17:53 [core.py:12] ValueError: Free memory: 1 GiB"
        print(text, file=sys.stderr, flush=True)
        os._exit(1)


class LLM:
    def __init__(self, model, **arguments):
        process = multiprocessing.get_context("fork").Process(target=engine, args=(model,))
        process.start()
        process.join(10)
        if process.exitcode is None:
            process.kill()
            raise RuntimeError("the forked process hangs")
        if process.exitcode:
            raise RuntimeError("Engine core initialization failed. See root cause above. {}")
        self.model_config = SimpleNamespace(max_model_len=9, head_dtype="torch.float32")

    def get_tokenizer(self):
        return SimpleNamespace(get_added_vocab=dict, all_special_tokens=[])
"""


@pytest.fixture
def runtime(tmp_path: Path) -> Runtime:
    (tmp_path / "vllm.py").write_text(STAND_IN)
    return Runtime(environment={"PYTHONPATH": str(tmp_path)})


def open_and_close(judge: VllmJudge) -> None:
    async def act() -> None:
        try:
            await judge.open()
        finally:
            await judge.close()

    asyncio.run(act())


def test_vllm_may_fork_while_the_worker_waits_for_its_next_line(runtime: Runtime):
    open_and_close(VllmJudge("j", "f", HubModel("m"), runtime=runtime))


def test_an_error_of_vllms_engine_process_is_reported_not_where_to_look_for_it(runtime: Runtime):
    with pytest.raises(JudgeUnavailableError) as error:
        open_and_close(VllmJudge("j", "f", HubModel("large"), runtime=runtime))
    assert str(error.value) == "judge j: ValueError: Free memory: 1 GiB"


def started_and_stopped() -> None:
    async def act() -> None:
        await (await Child.start(["sleep", "60"], {}, replies=False)).stop()

    asyncio.run(act())


def test_a_worker_is_stopped_when_all_that_it_started_has_ended(monkeypatch: pytest.MonkeyPatch):
    """A killed engine takes a while to give back a GPU's memory, as a run on an H100 showed."""
    rounds = [[7, 8], [8], []]
    monkeypatch.setattr(child, "running", lambda _: rounds.pop(0))
    started_and_stopped()
    assert rounds == []


def test_processes_that_never_end_are_told_and_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(child, "running", lambda _: [7, 8])
    monkeypatch.setattr(child, "LONGEST_END", 0.1)
    with caplog.at_level(logging.WARNING):
        started_and_stopped()
    assert "vLLM's processes 7, 8 were killed and still run" in caplog.text


# The first thread ends, and another one goes on: so a process looks that gives back its memory.
LAST_THREAD = """
import ctypes, threading, time
threading.Thread(target=time.sleep, args=(60,)).start()
print(flush=True)
ctypes.CDLL(None).pthread_exit(None)
"""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="this system has no /proc")
def test_a_process_runs_until_its_last_thread_has_ended():
    command = [sys.executable, "-S", "-c", LAST_THREAD]
    process = subprocess.Popen(command, start_new_session=True, stdout=subprocess.PIPE)
    stat = Path(f"/proc/{process.pid}/stat")
    assert process.stdout is not None
    with process.stdout:
        process.stdout.readline()
    while stat.read_text().rpartition(")")[2].split()[0] != "Z":
        time.sleep(0.01)
    assert running(process.pid) == [process.pid]
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert stat.exists()  # it has ended, and nobody has asked for it yet
    assert running(process.pid) == []
    process.wait()
