"""Measure vLLM on this machine's GPU with random weights: roofline, prefix cache, memory freed.

    LLM_JURIES_VLLM_PYTHON=.venv-vllm/bin/python python benchmarks/vllm_gpu.py --shape llama_8b

Never run on a GPU by this project. `--shape toy --device cpu` tries the script on a
CPU, and its figures mean nothing. The weights are random (vLLM's load_format=dummy), so the
verdicts mean nothing either; the speed does.

Prints, with the card's name: tokens per second of reading and of writing beside what the card's
memory and arithmetic allow, measured in the same run; verdicts per second with and without prefix
caching; and the GPU's memory before a judge, while it is loaded, and after it has been closed.
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
from pathlib import Path
from typing import Any

import pandas as pd
from local_throughput import configured, helper, requests_of, weights

from llm_juries.markdown import markdown
from llm_juries.types import Reply, Request

DECODED = 128  # tokens a prompt, to time writing
LAYERS, HEADS = "num_hidden_layers", "num_attention_heads"
# The shapes of Llama 3 8B and Mistral 7B, and of a toy model to try this script with.
SHAPES: dict[str, dict[str, int]] = {
    "llama_8b": {
        "hidden_size": 4096, "intermediate_size": 14336, LAYERS: 32, HEADS: 32,
        "num_key_value_heads": 8, "vocab_size": 128256,
    },
    "mistral_7b": {
        "hidden_size": 4096, "intermediate_size": 14336, LAYERS: 32, HEADS: 32,
        "num_key_value_heads": 8, "vocab_size": 49152,
    },
    "toy": {
        "hidden_size": 256, "intermediate_size": 512, LAYERS: 2, HEADS: 4,
        "num_key_value_heads": 2, "vocab_size": 49152,
    },
}  # fmt: skip


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


def cards() -> list[tuple[str, float]]:
    """Return the name and the used memory, in GB, of each of this machine's GPUs."""
    query = ["nvidia-smi", "--query-gpu=name,memory.used", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return []
    rows = (line.rpartition(",") for line in done.stdout.splitlines())
    return [(name.strip(), float(used) / 1024) for name, _, used in rows]


def used() -> float:
    """Return the GPUs' used memory in GB, 0 without any."""
    return sum(memory for _, memory in cards())


def timed(judge: Any, requests: Sequence[Request]) -> tuple[float, list[Reply], dict[str, float]]:
    """Return the seconds of a judge without loading, its replies, and the memory used meanwhile."""
    memory = {"before": used()}

    async def act() -> tuple[float, list[Reply]]:
        await judge.ready()
        await judge.open()
        try:
            await judge.ask(requests[:1])
            memory["loaded"] = used()
            began = time.monotonic()
            replies = await judge.ask(requests)
            return time.monotonic() - began, replies
        finally:
            await judge.close()

    seconds, replies = asyncio.run(act())
    memory["closed"] = used()
    return seconds, replies, memory


def measured(shape: str, device: str, number: int, python: str) -> dict[str, pd.DataFrame]:
    """Return the tables: roofline, prefix cache, memory."""
    allowed = helper(python, {"what": "machine", "dtype": "bfloat16"})
    small, _ = configured("smollm2")
    tokenizer = weights(small.file.find(), python)
    roofline, caching, freed = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        parameters = shaped(shape, tokenizer, Path(folder))
        common: dict[str, Any] = {
            "device": device,
            "engine__dtype": "bfloat16",
            "model__path": folder,
            "runtime__batch": number,
            "engine__further": {"load_format": "dummy", "enforce_eager": device == "cpu"},
        }
        text = {"verdict_by": "text", "max_tokens": DECODED}
        text["extra"] = {"ignore_eos": True, "min_tokens": DECODED}
        seconds: dict[str, float] = {}
        for name, changed in (
            ("verdicts, prefix cached", {}),
            ("verdicts, each prompt anew", {"engine__prefix_caching": False}),
            ("writing", {"engine__prefix_caching": False, "decoding": text}),
        ):
            judge, prompt = configured("smollm2_vllm", **common, **changed)
            took, replies, memory = timed(judge, requests_of(judge, prompt, number))
            seconds[name] = took
            freed.append({"judge": name, **{k: f"{v:.1f} GB" for k, v in memory.items()}})
            read = sum(reply.input_tokens or 0 for reply in replies)
            if name != "writing":
                hit = sum(reply.cached_tokens or 0 for reply in replies) / read
                caching.append(
                    {"": name, "verdicts/s": f"{number / took:.1f}", "input cached": f"{hit:.0%}"}
                )
            if name == "verdicts, each prompt anew":
                # Two operations a token and parameter.
                most = allowed["flops"] / (2 * parameters)
                roofline.append(_beside("reading", read / took, most))
            if name == "writing":
                # Each step reads all parameters from memory once, for all prompts at work.
                most = number * allowed["bytes_a_second"] / (2 * parameters)
                most = min(most, allowed["flops"] / (2 * parameters))
                written = sum(reply.output_tokens or 0 for reply in replies)
                took = max(took - seconds["verdicts, each prompt anew"], 1e-9)
                roofline.append(_beside("writing", written / took, most))
    print(
        f"{', '.join(name for name, _ in cards()) or 'no GPU'}; random weights of shape {shape}: "
        f"{parameters / 1e9:.2f}e9 parameters, bfloat16, {number} prompts at once; measured here: "
        f"{allowed['bytes_a_second'] / 1e9:.0f} GB/s, {allowed['flops'] / 1e12:.2f}e12 operations "
        "a second\n"
    )
    return {
        "roofline": pd.DataFrame(roofline),
        "prefix cache": pd.DataFrame(caching),
        "GPU memory": pd.DataFrame(freed),
    }


def _beside(phase: str, speed: float, most: float) -> dict[str, Any]:
    share = f"{speed / most:.0%}"
    return {"phase": phase, "tokens/s": round(speed), "allowed": round(most), "share of it": share}


def main() -> None:
    """Run the benchmark and print its tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--prompts", type=int, default=1000)
    parser.add_argument("--shape", choices=sorted(SHAPES), default="llama_8b")
    parser.add_argument("--device", choices=("cpu", "gpu"), default="gpu")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    python = os.environ.get("LLM_JURIES_VLLM_PYTHON")
    if not python:
        sys.exit("LLM_JURIES_VLLM_PYTHON names no interpreter with vLLM; see docs/local_judges.md")
    if arguments.device == "gpu" and not cards():
        sys.exit("nvidia-smi shows no GPU; --shape toy --device cpu tries this script without one")
    tables = measured(arguments.shape, arguments.device, arguments.prompts, python)
    for title, table in tables.items():
        print(f"{title}\n\n{markdown(table)}\n")


if __name__ == "__main__":
    main()
