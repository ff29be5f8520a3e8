"""Time the plain transformers loop that vLLM is compared with, and this machine's limits.

Run by local_throughput.py with the interpreter that has torch and transformers: reads a job from
standard input as JSON and writes its figures to standard output as JSON.
"""

from __future__ import annotations

import json
import sys
import time

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer


def loop(folder: str, prompts: list[str], words: list[str], dtype: str) -> dict[str, float]:
    """Score the verdict words after each prompt, one prompt at a time."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, dtype)).to(device)
    ids = [tokenizer.encode(f" {word}", add_special_tokens=False)[0] for word in words]
    with torch.inference_mode():
        model(**tokenizer(prompts[0], return_tensors="pt").to(device))  # warm
        began = time.monotonic()
        for prompt in prompts:
            given = tokenizer(prompt, return_tensors="pt").to(device)
            logits = model(**given, logits_to_keep=1).logits[0, -1].float()
            logits[ids].argmax().item()
        return {"seconds": time.monotonic() - began}


def machine(dtype: str) -> dict[str, float]:
    """Measure bytes per second of a large copy and operations per second of a large product."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    kind = getattr(torch, dtype)
    size = 1 << (30 if device == "cuda" else 27)
    source = torch.ones(size // kind.itemsize, dtype=kind, device=device)
    side = 8192 if device == "cuda" else 2048
    factor = torch.randn(side, side, device=device).to(kind)

    def fastest(act: object) -> float:
        times = []
        for _ in range(8):
            began = time.monotonic()
            act()  # type: ignore[operator]
            if device == "cuda":
                torch.cuda.synchronize()
            times.append(time.monotonic() - began)
        return min(times)

    copied = fastest(lambda: source.clone())
    multiplied = fastest(lambda: factor @ factor)
    return {"bytes_a_second": 2 * size / copied, "flops": 2 * side**3 / multiplied}


if __name__ == "__main__":
    job = json.load(sys.stdin)
    result = (
        machine(job["dtype"])
        if job["what"] == "machine"
        else loop(job["folder"], job["prompts"], job["words"], job["dtype"])
    )
    print(json.dumps(result))
