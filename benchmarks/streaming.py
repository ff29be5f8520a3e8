"""Measure how the memory of a collection grows with the number of items.

    python benchmarks/streaming.py --items 10000 100000 1000000

Each size is collected in its own process, from a generated JSON Lines file through loader, prompt,
collection and store, by a judge that answers immediately; then a second time, with all verdicts
cached. The peak is the resident set of the whole process; the first row shows what it takes with
almost no items.
"""

from __future__ import annotations

import argparse
import json
import logging
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from llm_juries.collect.run import collect
from llm_juries.data import tables as table
from llm_juries.judges.base import Limits, PromptedJudge
from llm_juries.judges.decoding import Decoding
from llm_juries.markdown import markdown
from llm_juries.prompts.prompt import Prompt
from llm_juries.store.plan import Plan
from llm_juries.store.store import Store
from llm_juries.types import Reply, Request

PROMPT = Prompt(
    name="benchmark",
    instruction="Say whether the provided answer is right, by exactly one word: True or False.",
    template="Question: {{ question }}\nProvided Answer: {{ answer }}\n"
    "Reference Answer: {{ references | join(' or ') }}\nCorrect:",
    labels={"True": 1.0, "False": 0.0},
)


class AtOnce(PromptedJudge):
    """A judge that answers immediately, with a meaningless reply."""

    name, family, kind, free, note, price = "at_once", "none", "judge", False, "", None
    limits = Limits(in_flight=8, batch=64)
    decoding = Decoding()
    fingerprint = {"backend": "at once"}  # noqa: RUF012

    async def ready(self) -> None:
        """Do nothing."""

    async def open(self) -> None:
        """Do nothing."""

    async def ask(self, requests: Sequence[Request]) -> list[Reply]:
        """Answer immediately."""
        return [Reply("True", input_tokens=80, output_tokens=1) for _ in requests]

    async def close(self) -> None:
        """Do nothing."""


def write(path: Path, items: int) -> None:
    """Write a file of simulated answers of a typical length."""
    with path.open("w") as file:
        for n in range(items):
            row = {
                "item_id": f"question-{n:08d}",
                "candidate": "model",
                "question": f"In which year did the event with the number {n} take place?",
                "answer": f"It took place in the year {n % 2000}, as most sources say. " * 2,
                "references": [str(n % 2000)],
            }
            file.write(json.dumps(row) + "\n")


def measure(items: int) -> dict[str, float]:
    """Collect twice; return seconds and the peak of this process in MB."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "answers.jsonl"
        write(path, items)
        seconds = []
        for _ in range(2):
            with Store(Path(folder) / "store") as store:
                began = time.perf_counter()
                collect([Plan(AtOnce(), table.load(str(path)), PROMPT)], store)
                seconds.append(time.perf_counter() - began)
                assert len(store) == items
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"first": seconds[0], "again": seconds[1], "peak": peak}


def main() -> None:
    """Print one row per size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--measure", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    if asked.measure:
        print(json.dumps(measure(asked.measure)))
        return
    rows = []
    for items in (100, *asked.items):
        ran = subprocess.run(
            [sys.executable, __file__, "--measure", str(items)],
            check=True,
            capture_output=True,
            text=True,
        )
        found = json.loads(ran.stdout)
        above = found["peak"] - (rows[0]["peak MB"] if rows else found["peak"])
        rows.append(
            {
                "items": items,
                "verdicts/s": round(items / found["first"]),
                "kept/s on the second run": round(items / found["again"]),
                "peak MB": round(found["peak"]),
                "bytes an item above the first row": round(above * 1024**2 / items),
            }
        )
    print(markdown(pd.DataFrame(rows)))


if __name__ == "__main__":
    main()
