"""Measure the throughput of local judges: llama.cpp, vLLM and a plain transformers loop.

    LLM_JURIES_VLLM_PYTHON=.venv-vllm/bin/python python benchmarks/local_throughput.py

All use the same few-shot prompts and the same SmolLM2-135M in one run; ratios are relative to the
plain loop. With `--device gpu` vLLM and the plain loop run on a GPU, and llama.cpp on the CPU as
ever. For random weights of 8B parameters on a GPU: vllm_gpu.py.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from llm_juries.config.build import build
from llm_juries.judges.base import as_text
from llm_juries.judges.model_files import cache
from llm_juries.markdown import markdown
from llm_juries.prompts.prompt import Prompt
from llm_juries.types import Item, Order, Reply, Request

ROOT = Path(__file__).parent.parent
WORDS = 8  # tokens of a verdict in free text


def configured(name: str, **changed: Any) -> tuple[Any, Prompt]:
    """Return a judge of conf/judge, with some options changed, and the default prompt."""
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        cfg = compose("judge", [f"judge={name}", "output_dir=unused"])
    node = cfg.judges[name]
    for key, value in changed.items():
        OmegaConf.update(node, key.replace("__", "."), value, force_add=True)
    return build(node, f"judges.{name}"), build(cfg.prompt, "prompt")


def requests_of(judge: Any, prompt: Prompt, number: int) -> list[Request]:
    """Return the judge's requests about simulated items of a typical length."""
    made = []
    for n in range(number):
        question, answer = f"Which number comes after {n}?", f"It is {n + 1 + n % 2}."
        item = Item("b", f"q{n}", "m", question, answer, (str(n + 1),))
        made.append(judge.request(item, Order.ORIGINAL, prompt))
    return made


def timed(judge: Any, requests: Sequence[Request]) -> tuple[float, list[Reply]]:
    """Return the seconds a judge takes, without loading and a first request, and its replies."""

    async def act() -> tuple[float, list[Reply]]:
        await judge.ready()
        await judge.open()
        try:
            await judge.ask(requests[:1])
            began = time.monotonic()
            replies = await judge.ask(requests)
            return time.monotonic() - began, replies
        finally:
            await judge.close()

    return asyncio.run(act())


def helper(python: str, job: dict[str, Any]) -> dict[str, float]:
    """Run transformers_loop.py on a job."""
    command = [python, str(Path(__file__).with_name("transformers_loop.py"))]
    done = subprocess.run(
        command, input=json.dumps(job), stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def weights(gguf: Path, python: str) -> Path:
    """Return a Hugging Face folder with the weights of the GGUF file."""
    folder = cache() / "SmolLM2-135M-Instruct-from-gguf"
    if not (folder / "config.json").is_file():
        convert = [python, str(ROOT / "tests/local/gguf_to_hf.py"), str(gguf), str(folder)]
        subprocess.run(convert, check=True)
    return folder


def compared(python: str, folder: Path, number: int, device: str) -> pd.DataFrame:
    """Time all backends on the same prompts; vLLM on a device, "cpu" or "gpu"."""
    rows: list[dict[str, Any]] = []

    def add(name: str, seconds: float, cached: str = "") -> None:
        loop = rows[0]["seconds"] if rows else seconds
        rows.append(
            {"judge": name, "seconds": round(seconds, 2), "verdicts/s": round(number / seconds, 1),
             "x the plain loop": round(loop / seconds, 2), "input from the cache": cached}
        )  # fmt: skip

    small, prompt = configured("smollm2")
    requests = requests_of(small, prompt, number)
    texts = [as_text(request.messages) for request in requests]
    job = {"what": "loop", "folder": str(folder), "prompts": texts, "words": prompt.choices}
    add("transformers, one by one, float32", helper(python, job | {"dtype": "float32"})["seconds"])
    add("llama.cpp, Q4_1, prefix cached", *_shares(*timed(small, requests)))
    for name, changed in (
        ("vLLM, one token, float32", {}),
        ("vLLM, one token, bfloat16", {"engine__dtype": "bfloat16"}),
        ("vLLM, one token, float32, no prefix cache", {"engine__prefix_caching": False}),
        (
            f"vLLM, {WORDS} tokens of text, float32",
            {"decoding": {"verdict_by": "text", "max_tokens": WORDS}},
        ),
    ):
        judge, _ = configured("smollm2_vllm", model__path=str(folder), device=device, **changed)
        add(name, *_shares(*timed(judge, requests)))
    return pd.DataFrame(rows)


def _shares(seconds: float, replies: Sequence[Reply]) -> tuple[float, str]:
    given = sum(reply.input_tokens or 0 for reply in replies)
    return seconds, f"{sum(reply.cached_tokens or 0 for reply in replies) / given:.0%}"


def main() -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--prompts", type=int, default=200)
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    python = os.environ.get("LLM_JURIES_VLLM_PYTHON")
    if not python:
        sys.exit(
            "LLM_JURIES_VLLM_PYTHON names no interpreter with vLLM; make test-vllm sets one up"
        )
    small, _ = configured("smollm2")
    folder = weights(small.file.find(), python)
    print(f"{arguments.prompts} few-shot prompts, SmolLM2-135M")
    table = compared(python, folder, arguments.prompts, arguments.device)
    print(markdown(table))


if __name__ == "__main__":
    main()
