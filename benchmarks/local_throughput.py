"""Measure the throughput of local judges: llama.cpp, vLLM and a plain transformers loop.

    LLM_JURIES_VLLM_PYTHON=.venv-vllm/bin/python python benchmarks/local_throughput.py

All use the same few-shot prompts and the same SmolLM2-135M in one run; ratios are relative to the
plain loop. With `--shape llama_8b` vLLM runs random weights of that shape instead, for a GPU
without model weights at hand: the verdicts mean nothing, the speed does. Tokens per second are then
shown beside the limits of the machine's memory and arithmetic, measured in the same run.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from llm_juries.config.build import build
from llm_juries.judges.base import as_text
from llm_juries.judges.decoding import Decoding
from llm_juries.judges.model_files import cache
from llm_juries.markdown import markdown
from llm_juries.prompts.prompt import Prompt
from llm_juries.types import Item, Order, Reply, Request

ROOT = Path(__file__).parent.parent
ONE_TOKEN = Decoding(verdict_by="logprobs", max_tokens=1)
WORDS = 8  # tokens of a verdict in free text
DECODED = 128  # tokens a prompt, to time decoding

# The shapes of Llama 3 8B, and of a toy model to try this script with.
LAYERS, HEADS = "num_hidden_layers", "num_attention_heads"
SHAPES: dict[str, dict[str, int]] = {
    "llama_8b": {
        "hidden_size": 4096, "intermediate_size": 14336, LAYERS: 32, HEADS: 32,
        "num_key_value_heads": 8, "vocab_size": 128256,
    },
    "toy": {
        "hidden_size": 512, "intermediate_size": 1024, LAYERS: 4, HEADS: 8,
        "num_key_value_heads": 4, "vocab_size": 49152,
    },
}  # fmt: skip


def configured(name: str, **changed: Any) -> tuple[Any, Prompt]:
    """Return a judge of conf/judge, with some options changed, and the default prompt."""
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        cfg = compose("judge", [f"judge={name}", "output_dir=unused"])
    node = cfg.judges[name]
    OmegaConf.set_struct(node, False)
    for key, value in changed.items():
        node[key] = value
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


def compared(python: str, folder: Path, number: int) -> pd.DataFrame:
    """Time all backends on the same prompts."""
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
        ("vLLM, one token, bfloat16", {"dtype": "bfloat16"}),
        ("vLLM, one token, float32, no prefix cache", {"prefix_caching": False}),
        (
            f"vLLM, {WORDS} tokens of text, float32",
            {"decoding": {"verdict_by": "text", "max_tokens": WORDS}},
        ),
    ):
        judge, _ = configured("smollm2_vllm", path=str(folder), **changed)
        add(name, *_shares(*timed(judge, requests)))
    return pd.DataFrame(rows)


def _shares(seconds: float, replies: Sequence[Reply]) -> tuple[float, str]:
    given = sum(reply.input_tokens or 0 for reply in replies)
    return seconds, f"{sum(reply.cached_tokens or 0 for reply in replies) / given:.0%}"


def shaped(shape: str, tokenizer: Path, folder: Path) -> int:
    """Write the folder of a Llama of some shape, without weights; return its parameters."""
    size = SHAPES[shape]
    config = json.loads((tokenizer / "config.json").read_text()) | size
    config |= {"head_dim": size["hidden_size"] // size[HEADS], "tie_word_embeddings": False}
    for path in tokenizer.glob("*token*"):
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "config.json").write_text(json.dumps(config))
    hidden, keys = size["hidden_size"], config["head_dim"] * size["num_key_value_heads"]
    layer = 2 * hidden * (hidden + keys) + 3 * hidden * size["intermediate_size"]
    return size[LAYERS] * layer + size["vocab_size"] * hidden


def beside_the_roofline(
    python: str, tokenizer: Path, shape: str, device: str, number: int
) -> pd.DataFrame:
    """Time reading and writing of random weights beside the limits of the machine.

    Reading takes two operations a token and parameter; each step of writing reads all parameters
    from memory once for all prompts at work.
    """
    allowed = helper(python, {"what": "machine", "dtype": "bfloat16"})
    changed: dict[str, Any] = {"device": device, "dtype": "bfloat16", "prefix_caching": False}
    changed |= {
        "batch": number,
        "engine": {"load_format": "dummy", "enforce_eager": device == "cpu"},
    }
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        parameters = shaped(shape, tokenizer, Path(folder))
        read = write = 0.0
        for phase in ("reading", "writing"):
            judge, prompt = configured("smollm2_vllm", path=folder, **changed)
            if phase == "writing":
                more = {"ignore_eos": True, "min_tokens": DECODED}
                text = Decoding(verdict_by="text", max_tokens=DECODED, extra=more)
                judge._engine.how = {**judge._engine.how, "decoding": asdict(text)}
            seconds, replies = timed(judge, requests_of(judge, prompt, number))
            most = allowed["flops"] / (2 * parameters)
            if phase == "reading":
                read, tokens = seconds, sum(reply.input_tokens or 0 for reply in replies)
            else:
                write, tokens = seconds - read, sum(reply.output_tokens or 0 for reply in replies)
                most = min(most, number * allowed["bytes_a_second"] / (2 * parameters))
            speed = tokens / (read if phase == "reading" else write)
            rows.append(
                {"phase": phase, "tokens/s": round(speed), "allowed": round(most),
                 "share of it": f"{speed / most:.0%}"}
            )  # fmt: skip
    print(
        f"random weights of shape {shape}: {parameters / 1e9:.2f}e9 parameters, bfloat16, {number} "
        f"prompts at once\nmeasured here: {allowed['bytes_a_second'] / 1e9:.0f} GB/s, "
        f"{allowed['flops'] / 1e12:.2f}e12 operations a second"
    )
    return pd.DataFrame(rows)


def main() -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--prompts", type=int, default=200)
    parser.add_argument("--shape", choices=sorted(SHAPES))
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
    if arguments.shape:
        table = beside_the_roofline(
            python, folder, arguments.shape, arguments.device, arguments.prompts
        )
    else:
        print(f"{arguments.prompts} few-shot prompts, SmolLM2-135M")
        table = compared(python, folder, arguments.prompts)
    print(markdown(table))


if __name__ == "__main__":
    main()
