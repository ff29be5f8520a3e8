"""vLLM on a real GPU: what judges leave of its memory, and what they say where it is too small."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path
from typing import Any

import pytest
from real_vllm import SHARE, random_model

from llm_juries.judges.devices import MIB_A_GB, gpus_here
from llm_juries.judges.errors import JudgeUnavailableError
from llm_juries.judges.vllm.judge import VllmJudge
from llm_juries.judges.vllm.options import EngineOptions, HubModel, Runtime
from llm_juries.types import Item, Order, Request
from shared_prompts import QUESTION_AND_ANSWER as PROMPT

pytestmark = [
    pytest.mark.usefixtures("vllm_python"),
    pytest.mark.skipif(not gpus_here(), reason="nvidia-smi lists no GPU"),
]
ITEM = Item("d", "q", "m", question="Which metal is Au?", answer="Gold")


@pytest.fixture(scope="module")
def folder(vllm_python: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_model(vllm_python, "qwen3", tmp_path_factory.mktemp("qwen3"))


def judge_of(python: str, folder: Path, **engine: Any) -> VllmJudge:
    further = {"enforce_eager": True}
    options = {"gpu_memory_utilization": SHARE, "max_model_len": 1024, "further": further} | engine
    return VllmJudge(
        "j",
        "f",
        HubModel("qwen/random", path=str(folder)),
        prompt_as="text",
        engine=EngineOptions(**options),
        runtime=Runtime(python, {"HF_HUB_OFFLINE": "1"}),
    )


def used_gb() -> float:
    query = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits", "--id=0"]
    done = subprocess.run(query, capture_output=True, text=True, check=True)
    return int(done.stdout) / MIB_A_GB


def request_of(judge: VllmJudge) -> Request:
    request = judge.request(ITEM, Order.ORIGINAL, PROMPT)
    assert request is not None
    return request


def test_a_judges_memory_is_free_once_it_is_closed_and_the_next_has_it(
    vllm_python: str, folder: Path
):
    share = 0.6  # two at once would not fit

    async def loaded() -> tuple[float, float, float]:
        judge = judge_of(vllm_python, folder, gpu_memory_utilization=share)
        await judge.ready()
        before = used_gb()
        await judge.open()
        try:
            (reply,) = await judge.ask([request_of(judge)])
            assert PROMPT.reader.read(reply).value
            meanwhile = used_gb()
        finally:
            await judge.close()
        return before, meanwhile, used_gb()

    for _ in range(2):
        before, meanwhile, after = asyncio.run(loaded())
        assert meanwhile - before > 0.5 * share * gpus_here()[0].memory_gb
        assert after == pytest.approx(before, abs=0.5)


def test_two_judges_share_a_gpu_and_a_third_says_what_is_free(vllm_python: str, folder: Path):
    async def act() -> None:
        two = [judge_of(vllm_python, folder), judge_of(vllm_python, folder)]
        try:
            for judge in two:
                await judge.open()
            replies = [await judge.ask([request_of(judge)]) for judge in two]
            assert replies[0][0].choice_logprobs == replies[1][0].choice_logprobs
            third = judge_of(vllm_python, folder, gpu_memory_utilization=0.95)
            with pytest.raises(JudgeUnavailableError, match=r"judge j: .*Free memory on device"):
                await third.open()
            assert await two[0].ask([request_of(two[0])]) == replies[0]
        finally:
            for judge in two:
                await judge.close()

    asyncio.run(act())


def test_more_copies_than_gpus_are_refused_before_loading(vllm_python: str, folder: Path):
    judge = judge_of(vllm_python, folder, data_parallel=len(gpus_here()) + 1)
    with pytest.raises(JudgeUnavailableError, match=r"judge j: GPUs needed: "):
        asyncio.run(judge.ready())
