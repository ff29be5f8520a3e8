"""Judges through vLLM, with a stand-in for the process that runs it (the real one: tests/local)."""

from __future__ import annotations

import asyncio
import json
import math
import os
import re
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from llm_juries.errors import JuriesError
from llm_juries.judges.base import key_of
from llm_juries.judges.decoding import Decoding
from llm_juries.judges.errors import JudgeUnavailableError
from llm_juries.judges.vllm import judge as vllm
from llm_juries.judges.vllm.judge import VllmJudge
from llm_juries.judges.vllm.online import serve_options
from llm_juries.judges.vllm.options import EngineOptions, HubModel, Runtime
from llm_juries.judges.vllm.worker import check_version
from llm_juries.prompts.prompt import Prompt
from llm_juries.types import Item, Order, Reply, Request
from shared_prompts import QUESTION_AND_ANSWER as PROMPT

# Speaks as worker.py does; answers with its own pid and what it was asked.
STAND_IN = """
import json, os, subprocess, sys, time

def say(what):
    print(json.dumps(what), flush=True)

arguments = json.loads(sys.stdin.readline())
if arguments["model"] == "broken":
    print("noise", file=sys.stderr)
    print("ValueError: no such model", file=sys.stderr)
    sys.exit(1)
if arguments["model"] == "refused":
    say({"error": "OutOfMemoryError: too large"})
    time.sleep(60)
child = subprocess.Popen(["sleep", "60"])
say({"ready": True, "vllm": "0.32.0", "head_dtype": "float32"})
for line in sys.stdin:
    asked = json.loads(line)
    texts = [prompt[-1]["content"] for prompt in asked["prompts"]]
    if any("die" in text for text in texts):
        print("RuntimeError: CUDA error", file=sys.stderr, flush=True)
        os._exit(1)
    replies = []
    for text in texts:
        if "arguments" in text:
            text = json.dumps(arguments)
        if "long" in text:
            replies.append({"error": "too long"})
            continue
        replies.append({
            "text": text, "thinking": f"{os.getpid()} {child.pid} "
            + os.environ.get("CUDA_VISIBLE_DEVICES", "-"),
            "stop": "stop", "finish_reason": "length",
            "likely": [[" True", -0.5], ["True", -3.0], ["False", -1.5]],
            "input_tokens": 7, "cached_tokens": 5, "output_tokens": 1,
        })
    say({"replies": replies})
"""


@pytest.fixture
def python(tmp_path: Path) -> str:
    """An interpreter that runs the stand-in, whatever file it is given."""
    (tmp_path / "stand_in.py").write_text(STAND_IN)
    path = tmp_path / "python"
    path.write_text(f"#!/bin/sh\nexec {sys.executable} {tmp_path / 'stand_in.py'}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def judge(python: str | None = None, model: HubModel | str = "m", **changed: Any) -> VllmJudge:
    weights = HubModel(model) if isinstance(model, str) else model
    given = {"model": weights, "runtime": Runtime(python), "device": "cpu"}
    return VllmJudge("j", "f", **(given | changed))


def requests(one: VllmJudge, *answers: str) -> list[Request]:
    items = (Item("d", f"q{n}", "m", "Q", answer) for n, answer in enumerate(answers))
    made = [one.request(item, Order.ORIGINAL, PROMPT) for item in items]
    return [request for request in made if request is not None]


def asked(one: VllmJudge, *answers: str) -> list[Reply]:
    async def act() -> list[Reply]:
        await one.open()
        try:
            return await one.ask(requests(one, *answers))
        finally:
            await one.close()

    return asyncio.run(act())


def gone(pid: int) -> bool:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.02)
    return False


def test_replies_come_in_the_order_of_the_requests(python: str):
    replies = asked(judge(python), "one", "two", "three")
    assert [reply.text for reply in replies] == ["Q one", "Q two", "Q three"]


def test_a_reply_holds_the_verdict_words_probabilities_and_the_tokens(python: str):
    (reply,) = asked(judge(python), "one")
    both = math.log(math.exp(-0.5) + math.exp(-3.0))  # "True" and " True" add up
    assert reply.choice_logprobs == pytest.approx({"True": both, "False": -1.5})
    assert (reply.input_tokens, reply.cached_tokens, reply.output_tokens) == (7, 5, 1)
    assert reply.finish_reason == "length"
    assert reply.label_mass == pytest.approx(math.exp(-0.5) + math.exp(-3) + math.exp(-1.5))
    among = judge(python, engine=EngineOptions(further={"logprobs_mode": "processed_logprobs"}))
    assert asked(among, "one")[0].label_mass is None


def test_words_that_begin_alike_are_decoded_by_choice_and_the_key_says_so():
    levels = Prompt("p", "{{ question }}", {"A>>B": 5.0, "A>B": 4.0, "B>A": 2.0, "B>>A": 1.0})
    item = Item("d", "q", "m", "Q", "A", opponent="n", opponent_answer="B")
    made = judge().request(item, Order.ORIGINAL, levels)
    single = judge().request(item, Order.ORIGINAL, PROMPT)
    assert made is not None
    assert single is not None
    usual = judge().fingerprint
    facts = Decoding(verdict_by="choice", max_tokens=5).facts
    subject = [levels.render(item), levels.choices]
    assert made.key == key_of({**usual, "decoding": facts}, subject)
    assert single.key == key_of(usual, [PROMPT.render(item), PROMPT.choices])


def test_a_prompt_that_can_not_be_given_fails_alone(python: str):
    replies = asked(judge(python), "one", "long", "two")
    assert [(r.stop, r.error) for r in replies] == [
        ("stop", ""),
        ("rejected", "too long"),
        ("stop", ""),
    ]


def test_copies_of_the_model_share_the_work_on_gpus_of_their_own(
    python: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    replies = asked(
        judge(python, engine=EngineOptions(data_parallel=2, tensor_parallel=2)), *"abcde"
    )
    assert [reply.text for reply in replies] == [f"Q {letter}" for letter in "abcde"]
    told = {tuple(reply.thinking.split()) for reply in replies}
    assert len(told) == 2
    assert {gpus for _, _, gpus in told} == {"0,1", "2,3"}


def test_copies_are_given_of_the_gpus_that_are_named(python: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    replies = asked(judge(python, engine=EngineOptions(data_parallel=2)), "a", "b")
    assert {reply.thinking.split()[2] for reply in replies} == {"4", "7"}


def test_closing_ends_the_process_and_all_that_it_started(python: str):
    (reply,) = asked(judge(python), "one")
    worker, child, _ = reply.thinking.split()
    assert gone(int(worker))
    assert gone(int(child))


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("broken", "judge j: vLLM exited: ValueError: no such model"),
        ("refused", "judge j: OutOfMemoryError: too large"),
    ],
)
def test_a_model_that_can_not_be_loaded_is_told_in_vllms_own_words(
    python: str, model: str, said: str
):
    with pytest.raises(JudgeUnavailableError) as told:
        asked(judge(python, model=model), "one")
    assert str(told.value) == said


def test_a_process_that_dies_is_told_in_its_last_words(python: str):
    with pytest.raises(JudgeUnavailableError, match="vLLM exited: RuntimeError: CUDA error"):
        asked(judge(python), "die")


def test_without_vllm_the_extra_is_named():
    with pytest.raises(JudgeUnavailableError, match=r"has no vLLM; install the extra 'vllm'"):
        asyncio.run(judge(python=sys.executable, device="cpu").ready())


def test_an_interpreter_that_is_not_there_has_no_vllm(tmp_path: Path):
    assert not vllm.has_vllm(str(tmp_path / "none"))


def test_without_a_gpu_the_cpu_must_be_asked_for(python: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(vllm, "DEVICES", ("/nowhere",))
    monkeypatch.setattr(vllm, "has_vllm", lambda _: True)
    with pytest.raises(
        JudgeUnavailableError, match=r"found no GPU on this machine; set judges\.j\.device=cpu"
    ):
        asyncio.run(judge(python, device="gpu").ready())
    asyncio.run(judge(python, device="cpu").ready())


def test_more_gpus_than_are_visible_are_refused_before_loading(
    python: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(vllm, "DEVICES", ("/",))
    monkeypatch.setattr(vllm, "has_vllm", lambda _: True)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7,5")
    engine = EngineOptions(tensor_parallel=2, data_parallel=2)
    with pytest.raises(JudgeUnavailableError, match=r"judge j: GPUs needed: 4 .*, visible: 3; "):
        asyncio.run(judge(python, device="gpu", engine=engine).ready())
    asyncio.run(judge(python, device="gpu", engine=EngineOptions(tensor_parallel=2)).ready())
    over = EngineOptions(tensor_parallel=8, further={"distributed_executor_backend": "ray"})
    asyncio.run(judge(python, device="gpu", engine=over).ready())


def test_a_folder_without_a_model_is_told(python: str, tmp_path: Path):
    with pytest.raises(JudgeUnavailableError, match=r"judges\.j\.model\.path: .*no config\.json"):
        asyncio.run(judge(python, model=HubModel("m", path=str(tmp_path))).ready())


def test_a_url_belongs_to_a_server():
    with pytest.raises(JuriesError, match="used with backend=server only"):
        judge(runtime=Runtime(base_url="http://127.0.0.1:8000/v1"))


@pytest.mark.parametrize(
    "changed",
    [
        {"model": "n"},
        {"model": HubModel("m", revision="abc")},
        {"engine": EngineOptions(dtype="float16")},
        {"engine": EngineOptions(quantization="fp8")},
        {"engine": EngineOptions(reasoning_parser="qwen3")},
        {"prompt_as": "text"},
        {"template": {"enable_thinking": False}},
        {"decoding": Decoding(verdict_by="choice")},
        {"decoding": Decoding(verdict_by="logprobs", max_tokens=1, temperature=0.5)},
        {"engine": EngineOptions(further={"hf_overrides": {"head_dtype": "model"}})},
    ],
    ids=str,
)
def test_what_changes_the_reply_changes_the_key(changed: dict[str, Any]):
    (one,), (other,) = (requests(j, "a") for j in (judge(), judge(**changed)))
    assert one.key != other.key


@pytest.mark.parametrize(
    "changed",
    [
        {"backend": "server"},
        {"model": HubModel("m", path="/models/m")},
        {"device": "gpu"},
        {"engine": EngineOptions(tensor_parallel=4, data_parallel=2)},
        {"engine": EngineOptions(gpu_memory_utilization=0.5, prefix_caching=False)},
        {"engine": EngineOptions(further={"block_size": 32})},
        {"runtime": Runtime(batch=7)},
    ],
    ids=str,
)
def test_how_it_runs_leaves_the_key(changed: dict[str, Any]):
    (one,), (other,) = (requests(j, "a") for j in (judge(), judge(**changed)))
    assert one.key == other.key


def test_code_of_the_model_is_never_trusted_unasked(python: str):
    (reply,) = asked(judge(python), "arguments")
    assert json.loads(reply.text)["trust_remote_code"] is False


def test_verdicts_say_which_vllm_and_which_head_gave_them(python: str):
    one = judge(python, HubModel("owner/name", path=None))
    (reply,) = asked(one, "a")
    assert reply.model == "owner/name (vLLM 0.32.0, head float32)"


def test_a_copy_in_stages_of_layers_has_gpus_for_each(python: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3,4,5,6,7")
    engine = EngineOptions(tensor_parallel=2, pipeline_parallel=2, data_parallel=2)
    one = judge(python, engine=engine)
    assert one.launch.arguments["pipeline_parallel_size"] == 2
    assert "--pipeline-parallel-size=2" in serve_options(one.launch.arguments)
    seen = {reply.thinking.split()[-1] for reply in asked(one, "a", "b")}
    assert seen == {"0,1,2,3", "4,5,6,7"}
    assert "pipeline_parallel_size" not in judge(python).launch.arguments


@pytest.mark.parametrize("version", ["0.25.1", "0.11.0+cpu"])
def test_a_vllm_that_ignores_float32_heads_is_refused(version: str):
    heads = {"hf_overrides": {"head_dtype": "float32"}}
    with pytest.raises(RuntimeError, match=rf"vLLM {re.escape(version)} ignores head_dtype"):
        check_version(version, heads)
    check_version(version, {"model": "m"})
    for newer in ("0.26.0", "0.32.0+cpu", "1.0.0", "0.33.0rc1", "dev"):
        check_version(newer, heads)


def test_a_server_is_given_what_the_engine_is():
    arguments = {"model": "m", "dtype": "auto", "enable_prefix_caching": False}
    arguments |= {"enforce_eager": True, "hf_overrides": {"head_dtype": "float32"}}
    assert serve_options(arguments)[2:] == [
        "--dtype=auto",
        "--no-enable-prefix-caching",
        "--enforce-eager",
        '--hf-overrides={"head_dtype": "float32"}',
    ]


def test_a_server_that_is_not_there_is_told():
    one = judge(backend="server", runtime=Runtime(base_url="http://127.0.0.1:9/v1"))
    with pytest.raises(
        JudgeUnavailableError, match=r"judge j: can.t reach http://127.0.0.1:9/v1/mo"
    ):
        asked(one, "a")


def test_the_worker_needs_nothing_of_this_package():
    path = Path(vllm.__file__).with_name("worker.py")
    environment = {**os.environ, "PYTHONPATH": ""}
    code = f"import runpy; runpy.run_path({json.dumps(str(path))}, run_name='other')"
    subprocess.run([sys.executable, "-I", "-S", "-c", code], env=environment, check=True)
