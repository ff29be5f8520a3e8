"""vLLM's worker process itself, with a stand-in for vLLM."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from llm_juries.judges.errors import JudgeUnavailableError
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
