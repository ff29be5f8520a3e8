"""Measure how fast the report page opens, and filters, in Chromium.

    python benchmarks/page.py --items 12500 --judges 4      50,000 verdicts

A simulated study is written as a page, with replies of about 300 characters that are all different,
and opened from disk several times, each time in a new process. "ready" is the time from the start
of the navigation until the first items are shown; a filter's time is from the input until the list
is redrawn, including layout and painting. The last column divides each time by that of a page with
the same text and no script, since machines differ.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from playwright.async_api import Browser, async_playwright

from llm_juries.analysis.run import measure
from llm_juries.analysis.settings import Analysis
from llm_juries.collect.run import collect
from llm_juries.data.dataset import Dataset
from llm_juries.judges.base import Limits, PromptedJudge
from llm_juries.judges.decoding import Decoding
from llm_juries.juries.rules import Jury
from llm_juries.markdown import markdown
from llm_juries.metrics.bootstrap import Bootstrap
from llm_juries.prompts.prompt import Prompt
from llm_juries.reporting.page import page
from llm_juries.store.plan import Plan
from llm_juries.store.store import Store
from llm_juries.study import Study
from llm_juries.types import Item, Reply, Request

PROMPT = Prompt("p", "{{ question }} {{ answer }}\nCorrect:", {"True": 1.0, "False": 0.0})
SENTENCE = "the answer names a place and year that reference gives although its wording differs"
WORDS = SENTENCE.split()
CONTROLS = {
    "against humans": "document.querySelector('[data-flag=against]').click()",
    "judges disagree too": "document.querySelector('[data-flag=dissent]').click()",
    "of one judge": "set('voter', 'judge_1')",
    "search, first time": "set('search', 'reference year')",
    "search again": "set('search', 'year that')",
    "all cleared": "document.getElementById('clear').click()",
}
TIMED = """() => new Promise((done) => {
  const set = (id, value) => {
    const control = document.getElementById(id);
    control.value = value;
    control.dispatchEvent(new Event(id === "search" ? "input" : "change"));
  };
  const began = performance.now();
  ACT;
  requestAnimationFrame(() => setTimeout(() => done(performance.now() - began), 0));
})"""


class Prosy(PromptedJudge):
    """A judge that answers immediately and at length, usually with a verdict at the end."""

    family, kind, free, note, price = "none", "judge", False, "", None
    limits = Limits(in_flight=1, batch=1024)
    decoding = Decoding()

    def __init__(self, name: str, seed: int) -> None:
        self.name = name
        self.fingerprint = {"backend": name}
        self._random = np.random.default_rng(seed)

    async def ready(self) -> None:
        """Do nothing."""

    async def open(self) -> None:
        """Do nothing."""

    async def ask(self, requests: Sequence[Request]) -> list[Reply]:
        """Answer immediately."""
        verdicts = self._random.choice(["True", "False", ""], len(requests), p=(0.5, 0.48, 0.02))
        return [Reply(f"{text(self._random, 50)}.\n{verdict}") for verdict in verdicts]

    async def close(self) -> None:
        """Do nothing."""


def text(random: np.random.Generator, length: int) -> str:
    """Return that many words."""
    return " ".join(WORDS[at] for at in random.integers(len(WORDS), size=length))


def study(items: int, judges: int, seed: int) -> Study:
    """Return a study of simulated answers."""
    random = np.random.default_rng(seed)
    answers = tuple(
        Item(
            "made_up", f"q{n // 5}", f"model_{n % 5}", f"Question {n // 5}: {text(random, 12)}?",
            text(random, 40), (text(random, 4),), human=float(random.integers(2)),
        )
        for n in range(items)
    )  # fmt: skip
    dataset = Dataset("made_up", answers, labels="made up")
    names = tuple(f"judge_{at}" for at in range(judges))
    plans = tuple(Plan(Prosy(name, at), dataset, PROMPT) for at, name in enumerate(names))
    return Study(dataset, plans, (Jury("jury", names),))


async def opened(browser: Browser, path: Path) -> dict[str, float]:
    """Return the milliseconds of one opening and of each filter."""
    tab = await browser.new_page(viewport={"width": 1280, "height": 860})
    await tab.goto(path.as_uri() + "#items")
    await tab.wait_for_selector(".row")
    found = {"ready": await tab.evaluate("performance.getEntriesByName('ready')[0].startTime")}
    for name, act in CONTROLS.items():
        # As separate code: the page's policy forbids eval.
        found[name] = await tab.evaluate(TIMED.replace("ACT", act))
    return found


async def bare(browser: Browser, path: Path) -> float:
    """Return the milliseconds until a page without a script is loaded."""
    tab = await browser.new_page(viewport={"width": 1280, "height": 860})
    await tab.goto(path.as_uri())
    entry = "performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"
    return float(await tab.evaluate(entry))


async def measured(path: Path, without: Path, runs: int) -> pd.DataFrame:
    """Open the page repeatedly; return medians, maxima, and ratios to the bare page."""
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    times: list[dict[str, float]] = []
    loads: list[float] = []
    async with async_playwright() as playwright:
        for _ in range(runs):
            for target in (without, path):
                browser = await playwright.chromium.launch(
                    executable_path=shutil.which("chromium"),
                    args=["--no-sandbox"] if root else [],
                )
                if target == path:
                    times.append(await opened(browser, path))
                else:
                    loads.append(await bare(browser, without))
                await browser.close()
    base = statistics.median(loads)
    rows = [{"what": "the text alone, no script", "median_ms": base, "slowest_ms": max(loads)}]
    for name in times[0]:
        own = [one[name] for one in times]
        rows.append({"what": name, "median_ms": statistics.median(own), "slowest_ms": max(own)})
    return pd.DataFrame(rows).assign(ratio=lambda table: table["median_ms"] / base)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=12_500)
    parser.add_argument("--judges", type=int, default=4)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    one = study(options.items, options.judges, options.seed)
    with tempfile.TemporaryDirectory() as name:
        path, without = Path(name) / "report.html", Path(name) / "bare.html"
        with Store(Path(name) / "store") as store:
            collect(one.plans, store)
            results = measure([one], store, Analysis(bootstrap=Bootstrap(resamples=20)))
            began = time.perf_counter()
            page.write(results, store, path, options=page.Options(items=10**9, megabytes=1e9))
            seconds = time.perf_counter() - began
        html = path.read_text(encoding="utf-8")
        without.write_text(html[: html.rindex("<script>")], encoding="utf-8")
        verdicts = options.items * options.judges
        size = path.stat().st_size / 1e6
        print(f"{verdicts:,} verdicts, {size:.1f} MB, written in {seconds:.1f} s\n")
        print(markdown(asyncio.run(measured(path, without, options.runs))))


if __name__ == "__main__":
    main()
