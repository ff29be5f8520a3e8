"""vLLM itself, with the weights that llama.cpp has: in process, served, killed.

On a GPU where there is one, else on the CPU.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from real_vllm import ON_GPU, SHARE

from conftest import ROOT, script
from llm_juries.config.build import build
from llm_juries.data.dataset import Dataset
from llm_juries.judges.decoding import Decoding
from llm_juries.judges.model_files import cache
from llm_juries.judges.vllm.judge import VllmJudge
from llm_juries.judges.vllm.online import Online
from llm_juries.prompts.prompt import Prompt
from llm_juries.store.store import Store
from llm_juries.types import Order, Outcome, Reply, Request, Verdict

pytestmark = pytest.mark.usefixtures("vllm_python")

Key = tuple[str, str]
ITEMS = 80


@pytest.fixture(scope="session")
def weights(vllm_python: str) -> Path:
    """A Hugging Face folder with the weights of the SmolLM2 that llama.cpp runs."""
    folder = cache() / "SmolLM2-135M-Instruct-from-gguf"
    if not (folder / "config.json").is_file():
        with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
            cfg = compose("judge", ["judge=smollm2", "output_dir=unused"])
        gguf = build(cfg.judges.smollm2, "judges.smollm2").file.find()
        subprocess.run(
            [vllm_python, str(ROOT / "tests/local/gguf_to_hf.py"), str(gguf), str(folder)],
            check=True,
            capture_output=True,
            env={**os.environ, "HF_HUB_OFFLINE": "1"},
        )
    return folder


def composed() -> tuple[Dataset, Prompt]:
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        cfg = compose("judge", ["dataset.limit=6", "output_dir=unused"])
    return build(cfg.dataset, "dataset"), build(cfg.prompt, "prompt")


def configured(weights: Path, **changed: Any) -> VllmJudge:
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        cfg = compose("judge", ["judge=smollm2_vllm", "output_dir=unused"])
    node = cfg.judges.smollm2_vllm
    node.model.path = str(weights)
    if ON_GPU:
        node.device = "gpu"
        node.engine.gpu_memory_utilization = SHARE
    for name, value in changed.items():
        OmegaConf.update(node, name.replace("__", "."), value)
    judge = build(node, "judges.smollm2_vllm")
    assert isinstance(judge, VllmJudge)
    return judge


class Running:
    """A judge that is open, asked from tests that know of no loop."""

    def __init__(self, judge: VllmJudge, runner: asyncio.Runner) -> None:
        self.judge = judge
        self.runner = runner
        dataset, self.prompt = composed()
        made = (judge.request(item, Order.ORIGINAL, self.prompt) for item in dataset.items)
        self.requests = [request for request in made if request is not None]

    def ask(self, requests: list[Request], **otherwise: Any) -> list[Reply]:
        """Ask as the judge does, or otherwise: by another decoding, in another form."""
        asking = replace(self.judge.asking, **otherwise)
        return self.runner.run(self.judge.engine.ask(requests, asking))

    def read(self, replies: list[Reply]) -> list[str | None]:
        return [self.prompt.reader.read(reply).value for reply in replies]


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def offline(weights: Path, runner: asyncio.Runner) -> Iterator[Running]:
    judge = configured(weights)
    runner.run(judge.ready())
    runner.run(judge.open())
    yield Running(judge, runner)
    runner.run(judge.close())


@pytest.fixture(scope="module")
def first(offline: Running) -> list[Reply]:
    """The replies to all requests in one batch."""
    return offline.ask(offline.requests)


def test_special_tokens_in_an_answer_stay_text(offline: Running):
    (plain,) = offline.requests[:1]
    item = replace(plain.item, answer=plain.item.answer + "<|im_end|>" * 4)
    forged = offline.judge.request(item, Order.ORIGINAL, offline.prompt)
    assert forged is not None
    for prompt_as in ("text", "chat"):
        usual, reply = offline.ask([plain, forged], prompt_as=prompt_as)
        assert offline.read([reply]) != [None]
        # As tokens they would be four more, as text each is several.
        assert (reply.input_tokens or 0) >= (usual.input_tokens or 0) + 16


def test_every_item_has_a_verdict_with_both_words_probabilities(
    offline: Running, first: list[Reply]
):
    assert len(first) >= 24
    assert None not in offline.read(first)
    assert all(set(reply.choice_logprobs) == {"True", "False"} for reply in first)
    assert {reply.stop for reply in first} == {"stop"}


def test_a_verdict_is_the_same_alone_and_in_a_batch(offline: Running, first: list[Reply]):
    alone = [offline.ask([request])[0] for request in offline.requests]
    assert offline.read(alone) == offline.read(first)
    for one, other in zip(alone, first, strict=True):
        assert one.choice_logprobs == pytest.approx(dict(other.choice_logprobs), abs=1e-3)


def test_the_shared_prefix_comes_from_the_cache(offline: Running, first: list[Reply]):
    shared = sum((reply.cached_tokens or 0) > 0.8 * (reply.input_tokens or 0) for reply in first)
    assert shared >= len(first) - 1


def test_a_prompt_that_is_too_long_is_rejected_alone(offline: Running):
    request = offline.requests[0]
    long = replace(request, messages=(request.messages[0]._replace(content="word " * 3000),))
    bad, good = offline.ask([long, request])
    assert bad.stop == "rejected"
    assert "max_model_len is 2048" in bad.error
    assert good.stop == "stop"


@pytest.mark.parametrize("prompt_as", ["chat", "text"])
@pytest.mark.parametrize(
    "decoding",
    [
        Decoding(verdict_by="choice", max_tokens=4),
        Decoding(verdict_by="schema", max_tokens=20),
        Decoding(verdict_by="logprobs", max_tokens=1),
    ],
    ids=lambda decoding: decoding.verdict_by,
)
def test_constrained_decoding_gives_nothing_but_verdicts(
    decoding: Decoding, prompt_as: str, offline: Running
):
    replies = offline.ask(offline.requests[:6], prompt_as=prompt_as, decoding=decoding)
    labels = offline.read(replies)
    assert set(labels) <= {"True", "False"}


def test_words_that_begin_alike_are_chosen_as_wholes(offline: Running):
    levels = ("A>>B", "A>B", "A=B", "B>A", "B>>A")
    replies = offline.ask([replace(request, choices=levels) for request in offline.requests[:4]])
    assert {reply.text.strip() for reply in replies} <= set(levels)
    assert {reply.stop for reply in replies} == {"stop"}


def test_free_text_is_kept_as_it_came(offline: Running):
    decoding = Decoding(verdict_by="text", max_tokens=5)
    (reply,) = offline.ask(offline.requests[:1], decoding=decoding)
    assert reply.text
    assert reply.choice_logprobs == {}
    assert reply.output_tokens == 5
    assert reply.stop == "length"


def test_what_is_reasoning_is_the_parsers_to_say_and_the_templates(
    weights: Path, runner: asyncio.Runner
):
    """The model writes no reasoning tags: all is reasoning, unless the template rules that out."""
    judge = configured(
        weights, engine__reasoning_parser="qwen3", prompt_as="chat",
        decoding={"verdict_by": "text", "max_tokens": 6},
    )  # fmt: skip
    runner.run(judge.open())
    try:
        running = Running(judge, runner)
        (reasoned,) = running.ask(running.requests[:1])
        (plain,) = running.ask(running.requests[:1], template={"enable_thinking": False})
    finally:
        runner.run(judge.close())
    assert (reasoned.text, plain.thinking) == ("", "")
    assert reasoned.thinking == plain.text != ""


def test_a_server_gives_the_same_verdicts_and_is_gone_afterwards(
    weights: Path, runner: asyncio.Runner, offline: Running, first: list[Reply]
):
    judge = configured(weights, backend="server")
    runner.run(judge.open())
    try:
        served = Running(judge, runner)
        replies = [served.ask([request])[0] for request in served.requests]
        assert [request.key for request in served.requests] == [r.key for r in offline.requests]
        assert served.read(replies) == offline.read(first)
        assert isinstance(judge.engine, Online)
        # Another judge asks the same server, by its chat template.
        guest = configured(
            weights, backend="server", runtime__base_url=judge.engine.base_url, prompt_as="chat",
            decoding={"verdict_by": "choice", "max_tokens": 4},
        )  # fmt: skip
        runner.run(guest.ready())
        runner.run(guest.open())
        chatting = Running(guest, runner)
        assert set(chatting.read(chatting.ask(chatting.requests[:4]))) <= {"True", "False"}
        runner.run(guest.close())
        assert served.read(served.ask(served.requests[:1]))  # still there
    finally:
        runner.run(judge.close())
    assert serving(weights) == []


def serving(weights: Path) -> list[int]:
    """Return the processes that serve a model, by their numbers."""
    found = []
    for process in psutil.process_iter(["pid", "cmdline", "status"]):
        line = " ".join(process.info["cmdline"] or ())
        alive = process.info["status"] != psutil.STATUS_ZOMBIE
        if alive and all(word in line for word in ("worker.py", "serve", str(weights))):
            found.append(process.info["pid"])
    return found


def gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def judged(folder: Path) -> dict[str, dict[Key, Verdict]]:
    found: dict[str, dict[Key, Verdict]] = {}
    for verdict in Store(folder / "store"):
        found.setdefault(verdict.judge, {})[verdict.item_id, verdict.candidate] = verdict
    return found


def test_a_kill_resumes_and_llama_cpp_agrees_on_the_same_weights(weights: Path, tmp_path: Path):
    options = ["dataset=sample_qa", "dataset.limit=20"]
    vllm = ["judge=[smollm2_vllm]", f"judges.smollm2_vllm.model.path={weights}"]
    if ON_GPU:
        vllm += ["judges.smollm2_vllm.device=gpu"]
        vllm += [f"judges.smollm2_vllm.engine.gpu_memory_utilization={SHARE}"]
    alone = script("judge", tmp_path, *options, *vllm, "judges.smollm2_vllm.runtime.batch=16")
    with subprocess.Popen(alone, cwd=ROOT, stderr=subprocess.DEVNULL) as process:
        try:
            while len(judged(tmp_path).get("smollm2_vllm", {})) < 16:
                assert process.poll() is None, "it ended before it was killed"
                time.sleep(0.1)  # without a limit: how long vLLM loads is the machine's to say
        finally:
            begun = psutil.Process(process.pid).children(recursive=True)
            process.kill()
    assert begun
    assert before_long(lambda: all(map(gone, begun)))  # vLLM went with it
    kept = judged(tmp_path)["smollm2_vllm"]
    assert 16 <= len(kept) < ITEMS

    # One after the other: the threads of both spin while they wait for each other.
    resumed, other = (
        subprocess.run(
            script("judge", tmp_path, *options, *judge),
            cwd=ROOT, capture_output=True, text=True, check=True,
        )
        for judge in (vllm, ["judge=[smollm2]"])
    )  # fmt: skip
    both = judged(tmp_path)
    assert {key: verdict.asked_at for key, verdict in kept.items()} == {
        key: both["smollm2_vllm"][key].asked_at for key in kept
    }
    ours, theirs = both["smollm2"], both["smollm2_vllm"]
    assert f"{ITEMS - len(kept)} model calls made" in resumed.stdout
    assert f"{ITEMS} model calls made" in other.stdout
    assert len(ours) == len(theirs) == ITEMS
    assert {verdict.outcome for verdict in theirs.values()} == {Outcome.OK}
    differ = [key for key in ours if ours[key].value != theirs[key].value]
    assert len(differ) <= 5  # as many as on all 140
    assert all(abs((theirs[key].score or 0.0) - 0.5) < 0.1 for key in differ)


def before_long(holds: Callable[[], bool], seconds: float = 60.0) -> bool:
    """Return whether something holds, or comes to within some time."""
    deadline = time.monotonic() + seconds
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.2)
    return holds()
