"""Measure collection from API judges against the ideal time, and how fast verdicts are read.

    python benchmarks/api_throughput.py --items 1000 --latency 0.05 --in-flight 64

Three judges and a mock server in its own process share this machine's cores. The same run also
times a bare aiohttp loop that stores nothing and, where it is installed, the official openai
client, against the same server. "x ideal" is the time divided by calls * latency / in flight.

All take turns, `--repeat` times after one run that is not counted; the table has medians, and the
range. The server sends canned bytes, so that it takes little of the cores; `--server tests` takes
that of the tests, which costs as much CPU time as a client. To compare another commit, run this
file with PYTHONPATH=THAT/src.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import canned_api

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from faulty_api import Remote, in_a_process
from llm_juries.collect.run import collect
from llm_juries.data.dataset import Dataset
from llm_juries.judges.base import Limits
from llm_juries.judges.decoding import Decoding
from llm_juries.judges.http.judge import HttpJudge
from llm_juries.judges.http.server import Server
from llm_juries.judges.pricing import Price
from llm_juries.markdown import markdown
from llm_juries.prompts.prompt import Prompt, Shot
from llm_juries.store.plan import Plan, look_up
from llm_juries.store.store import Store
from llm_juries.types import Item

JUDGES = 3
SHOTS = tuple(
    Shot(f"What is shot {n}?", f"Answer {n}", "True" if n % 2 else "False", (f"Answer {n}",))
    for n in range(10)
)
PROMPT = Prompt(
    name="benchmark",
    instruction="Say whether the provided answer is right, by exactly one word: True or False.",
    template="Question: {{ question }}\nProvided Answer: {{ answer }}\n"
    "Reference Answer: {{ references | join(' or ') }}\nCorrect:",
    labels={"True": 1.0, "False": 0.0},
    shots=SHOTS,
)


def dataset(items: int) -> Dataset:
    """Return simulated items of a typical length."""
    return Dataset(
        "benchmark",
        tuple(
            Item("benchmark", f"q{n}", "model", f"What is number {n}?", f"It is {n}.", (f"{n}",))
            for n in range(items)
        ),
    )


def plans(server: Remote, items: Dataset, in_flight: int) -> list[Plan]:
    """Return one plan per judge; the judges share the limit of requests in flight."""
    shares = [in_flight // JUDGES + (n < in_flight % JUDGES) for n in range(JUDGES)]
    judges = [
        HttpJudge(
            name=f"judge_{n}",
            family="mock",
            wire="openai",
            model=f"model-{n}",
            server=Server(f"{server.base_url}/v1", key_env=""),
            decoding=Decoding(),
            limits=Limits(in_flight=share),
            price=Price(0.5, 1.5, "2026-11", "mock server"),
        )
        for n, share in enumerate(shares)
    ]
    return [Plan(judge, items, PROMPT) for judge in judges]


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Return the wall-clock and CPU seconds of some work in this process."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


async def bare(server: Remote, items: Dataset, in_flight: int) -> None:
    """Send the same requests with a bare aiohttp loop that stores nothing."""
    import aiohttp

    bodies = iter(
        [
            {"model": f"model-{n}", "messages": [m._asdict() for m in PROMPT.render(item)]}
            for n in range(JUDGES)
            for item in items.items
        ]
    )
    url = f"{server.base_url}/v1/chat/completions"
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=in_flight)) as session:

        async def work() -> None:
            for body in bodies:
                async with session.post(url, json=body) as response:
                    await response.json()

        await asyncio.gather(*(work() for _ in range(in_flight)))


async def official(server: Remote, items: Dataset, in_flight: int) -> None:
    """Send the same requests with the official client."""
    import openai

    bodies = iter(
        [
            {"model": f"model-{n}", "messages": [m._asdict() for m in PROMPT.render(item)]}
            for n in range(JUDGES)
            for item in items.items
        ]
    )
    async with openai.AsyncOpenAI(base_url=f"{server.base_url}/v1", api_key="none") as client:

        async def work() -> None:
            for body in bodies:
                await client.chat.completions.create(**body)

        await asyncio.gather(*(work() for _ in range(in_flight)))


@contextmanager
def served(which: str, latency: float) -> Iterator[Remote]:
    """Serve from a process of its own."""
    if which == "tests":
        with in_a_process(latency=latency) as server:
            yield server
    else:
        with canned_api.in_a_process(latency) as base_url:
            yield Remote(base_url)


def peak_mb() -> float:
    """Return this process's peak memory in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def main() -> None:
    """Print a table of the collections and a line on reading verdicts back."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=1000)
    parser.add_argument("--latency", type=float, default=0.05)
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--server", choices=("canned", "tests"), default="canned")
    parser.add_argument("--clients", nargs="*", help="of llm-juries, bare, openai; all by default")
    parser.add_argument("--replayed", type=int, default=100_000)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)

    import aiohttp  # noqa: F401 - imports are not timed

    items = dataset(arguments.items)
    calls = JUDGES * arguments.items
    ideal = calls * arguments.latency / arguments.in_flight
    with served(arguments.server, arguments.latency) as server:

        def ask() -> None:
            with tempfile.TemporaryDirectory() as folder, Store(folder) as store:
                tallies = collect(plans(server, items, arguments.in_flight), store)
            assert sum(tally.asked for tally in tallies) == calls, tallies

        clients: dict[str, Callable[[], None]] = {"llm-juries": ask}
        for name, client in {"bare": bare, "openai": official}.items():
            clients[name] = lambda c=client: asyncio.run(c(server, items, arguments.in_flight))
        try:
            import openai  # noqa: F401
        except ImportError:
            del clients["openai"]
        clients = {k: v for k, v in clients.items() if k in (arguments.clients or clients)}
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in clients}
        for turn in range(arguments.repeat + 1):
            for name, work in clients.items():
                done = timed(work)
                found[name] += [done] if turn else []
    import pandas as pd

    print(f"{calls} calls, {arguments.latency:g} s latency, {arguments.in_flight} in flight")
    print(markdown(pd.DataFrame([_row(n, done, ideal, calls) for n, done in found.items()])))
    print(f"peak {peak_mb():.0f} MB")
    if arguments.replayed:
        replay(arguments.replayed)


def _row(
    client: str, done: list[tuple[float, float]], ideal: float, calls: int
) -> dict[str, object]:
    walls, cpus = zip(*done, strict=True)
    ratios = [wall / ideal for wall in walls]
    return {
        "client": client,
        "x ideal": statistics.median(ratios),
        "from": min(ratios),
        "to": max(ratios),
        "verdicts/s": round(calls / statistics.median(walls)),
        "CPU ms per call": 1000 * statistics.median(cpus) / calls,
    }


def replay(number: int) -> None:
    """Store verdicts, then time opening the store, rendering, keying and reading them."""
    items = dataset(number)
    (plan, *_) = plans(Remote("http://127.0.0.1:9"), items, 3)
    with tempfile.TemporaryDirectory() as folder:
        from llm_juries.store.plan import verdict_of
        from llm_juries.types import Reply

        with Store(folder) as store:
            reply = Reply("True", input_tokens=300, output_tokens=1)
            for request in plan.requests():
                store.append(verdict_of(plan, request, reply, 1, 0.0))
        size = sum(path.stat().st_size for path in Path(folder).iterdir())
        found = 0

        def read() -> None:
            nonlocal found
            found = sum(verdict is not None for _, verdict in look_up(plan, Store(folder)))

        wall, cpu = timed(read)
    assert found == number
    print(
        json.dumps(
            {
                "replayed": found,
                "verdicts/s": round(found / wall),
                "CPU s": round(cpu, 2),
                "store MB": round(size / 1e6),
                "peak MB": round(peak_mb()),
            }
        )
    )


if __name__ == "__main__":
    main()
