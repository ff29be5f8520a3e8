"""Measure how a store scales: compacting, opening and analysing it.

    python benchmarks/store_scale.py --verdicts 100000 1000000
    python benchmarks/store_scale.py --verdicts 10000000 --compacted

The verdicts are simulated (10 judges, 10 datasets, one prompt; keys as random as real ones, replies
of 50 to 100 characters), so their agreement means nothing. Each step runs in its own process; the
peak is that process's resident set, the CPU seconds those of all its threads. "analyse" reads the
store for outcome counts of each judge and dataset and for each judge's agreement with the human
labels, with intervals from 200 resamples of whole questions. "get" looks keys up one by one, in
storage order and in random order. Ten million verdicts take 6 GB of disk before compaction; with
--compacted the store is written directly as Parquet.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from llm_juries.markdown import markdown

JUDGES, DATASETS, CANDIDATES = 10, 10, 4
STEPS = ("write", "compact", "open", "gets", "analyse")
GETS = 20_000
WORDS = [f"{first}{rest}" for first in "bcdfglmprstw" for rest in ("ean", "ore", "ight", "all")]


def identities(answers: int) -> Iterator[tuple[str, str, float]]:
    """Yield question, candidate and human label of the answers of a dataset."""
    for n in range(answers):
        yield f"question-{n // CANDIDATES:07d}", f"model-{n % CANDIDATES}", float(n * 7 % 11 < 6)


def write(store: Path, verdicts: int) -> dict[str, float]:
    """Write closed segments, one per judge, as a collection would."""
    chance = random.Random(0)
    texts = [" ".join(chance.choices(WORDS, k=9 + n % 7)) for n in range(5000)]
    answers = verdicts // (JUDGES * DATASETS)
    store.mkdir()
    for judge in range(JUDGES):
        with (store / f"20260101T00000{judge}Z-host-1-{judge:08x}.closed.jsonl").open("w") as file:
            for dataset in range(DATASETS):
                for n, (question, candidate, human) in enumerate(identities(answers)):
                    label = human if chance.random() < 0.8 else 1 - human
                    outcome, said = "ok", f'"{label:g}"'
                    if chance.random() < 0.02:
                        outcome, said = "unparsed", "null"
                    line = (
                        f'{{"key":"{chance.getrandbits(128):032x}","judge":"judge_{judge}",'
                        f'"prompt":"few_shot","dataset":"dataset_{dataset}",'
                        f'"item_id":"{question}","candidate":"{candidate}","opponent":"",'
                        f'"order":"original","outcome":"{outcome}","value":{said},"score":null,'
                        f'"reader":"5f0c3a1e9b77d210","reply":{{"text":"{chance.choice(texts)}","stop":"stop",'
                        '"error":"","thinking":"","earlier":"","choice_logprobs":{},'
                        f'"input_tokens":{400 + n % 90},"cached_tokens":null,'
                        '"cache_write_tokens":null,"output_tokens":14,"latency_s":0.613,'
                        '"batched":false},"cost_usd":0.000125,"attempts":1,'
                        f'"asked_at":{1.7e9 + n * 0.01:.2f}'
                    )
                    file.write(f'{line},"checksum":"{zlib.crc32(line.encode()):08x}"}}\n')
    return {}


def write_compacted(store: Path, verdicts: int) -> dict[str, float]:
    """Write what `write` does as a snapshot, as if it had been compacted, which is much faster."""
    import numpy as np
    import pyarrow as pa

    from llm_juries.store import snapshots
    from llm_juries.store.compaction import Writers
    from llm_juries.store.parquet import schema

    rng = np.random.default_rng(0)
    chance = random.Random(0)
    texts = pa.array(" ".join(chance.choices(WORDS, k=9 + n % 7)) for n in range(5000))
    answers = verdicts // (JUDGES * DATASETS)
    question, candidate, human = (list(column) for column in zip(*identities(answers), strict=True))
    labels = np.array(human)
    (reply,) = (field.type for field in schema() if field.name == "reply")
    work = snapshots.work_folder(store, 1, "benchmark")
    writers = Writers(work, snapshots.folder(store, 1).name)
    for judge, dataset in itertools.product(range(JUDGES), range(DATASETS)):
        ok = rng.random(answers) >= 0.02
        label = np.where(rng.random(answers) < 0.8, labels, 1 - labels)
        said = {
            "text": texts.take(pa.array(rng.integers(len(texts), size=answers))),
            "stop": pa.repeat("stop", answers),
            **{name: pa.repeat("", answers) for name in ("error", "thinking", "earlier")},
            "choice_logprobs": pa.array([[]], reply.field("choice_logprobs").type).take(
                pa.array(np.zeros(answers, int))
            ),
            "input_tokens": pa.array(400 + np.arange(answers) % 90),
            "output_tokens": pa.repeat(14, answers),
            "latency_s": pa.repeat(0.613, answers),
            "batched": pa.repeat(False, answers),
        }
        columns = {
            "key": pa.array(rng.bytes(16).hex() for _ in range(answers)),
            "judge": pa.repeat(f"judge_{judge}", answers),
            "prompt": pa.repeat("few_shot", answers),
            "dataset": pa.repeat(f"dataset_{dataset}", answers),
            "item_id": pa.array(question),
            "candidate": pa.array(candidate),
            "opponent": pa.repeat("", answers),
            "order": pa.repeat("original", answers),
            "outcome": pa.array(np.where(ok, "ok", "unparsed").tolist()),
            "value": pa.array([f"{x:g}" for x in label], mask=~ok),
            "reader": pa.repeat("5f0c3a1e9b77d210", answers),
            "reply": pa.StructArray.from_arrays(
                [
                    said[field.name].cast(field.type)
                    if field.name in said
                    else pa.nulls(answers, field.type)
                    for field in reply
                ],
                fields=list(reply),
            ),
            "cost_usd": pa.repeat(0.000125, answers),
            "attempts": pa.repeat(1, answers),
            "asked_at": pa.array(1.7e9 + np.arange(answers) * 0.01),
        }
        table = pa.table(
            [columns.get(field.name, pa.nulls(answers, field.type)) for field in schema()],
            names=schema().names,
        ).cast(schema())
        for batch in table.to_batches():
            writers.add_table((f"dataset_{dataset}", f"judge_{judge}"), batch)
    files = tuple(writers.close())
    assert snapshots.commit(store, work, 1, snapshots.Snapshot(files=files))
    return {}


def compacted(store: Path) -> dict[str, float]:
    """Compact."""
    from llm_juries.store.compaction import compact

    return {"files": compact(store).files}


def opened(store: Path) -> dict[str, float]:
    """Open the store for look-ups."""
    from llm_juries.store.store import Store

    return {"keys": len(Store(store))}


def gets(store: Path) -> dict[str, float]:
    """Look keys up; return microseconds per look-up."""
    import pyarrow.parquet as pq

    from llm_juries.store.store import Store

    path = max(store.rglob("*.parquet"), key=lambda file: file.stat().st_size)
    keys = pq.read_table(path, columns=["key"])["key"].to_pylist()[:GETS]
    everywhere = [
        key
        for file in store.rglob("*.parquet")
        for key in pq.read_table(file, columns=["key"])["key"].to_pylist()[:: 10 * DATASETS]
    ]
    random.Random(1).shuffle(everywhere)
    with Store(store) as one:
        one.get(keys[0])
        began = time.perf_counter()
        assert all(one.get(key) for key in keys)
        in_order = (time.perf_counter() - began) / len(keys)
        began = time.perf_counter()
        assert all(one.get(key) for key in everywhere[:1000])
        at_random = (time.perf_counter() - began) / len(everywhere[:1000])
    return {"in order us": 1e6 * in_order, "at random us": 1e6 * at_random}


def analysed(store: Path, answers: int) -> dict[str, float]:
    """Count outcomes and measure agreement on every dataset."""
    from llm_juries.analysis.agreement import agreement
    from llm_juries.analysis.scanned import panel
    from llm_juries.data.dataset import Dataset, Streamed
    from llm_juries.metrics.bootstrap import Bootstrap
    from llm_juries.store.scan import outcome_counts
    from llm_juries.types import Item

    counts = outcome_counts(store)
    assert len(counts) == JUDGES * DATASETS
    votes = 0
    for number in range(DATASETS):
        name = f"dataset_{number}"
        items = Streamed(
            lambda name=name: (Item(name, q, c, human=h) for q, c, h in identities(answers))
        )
        table = agreement(panel(store, Dataset(name, items), "few_shot"), Bootstrap(200))
        assert table["kappa"].between(0.4, 0.8).all() or answers < 100
        votes += int(table["n"].sum())
    assert votes == counts["ok"].sum()
    return {"votes": votes}


def step(name: str, store: Path, verdicts: int) -> dict[str, float]:
    """Run a step; return its seconds and the peak of this process in MB."""
    began = time.perf_counter()
    match name:
        case "write":
            found = write(store, verdicts)
        case "write_compacted":
            found = write_compacted(store, verdicts)
        case "compact":
            found = compacted(store)
        case "open":
            found = opened(store)
        case "gets":
            found = gets(store)
        case _:
            found = analysed(store, verdicts // (JUDGES * DATASETS))
    found["s"] = time.perf_counter() - began
    found["CPU s"] = time.process_time()
    found["peak MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return found


def main() -> None:
    """Print one row per size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--verdicts", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--compacted", action="store_true", help="start with Parquet, not segments")
    parser.add_argument("--step", nargs=3, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.step:
        name, store, verdicts = asked.step
        print(json.dumps(step(name, Path(store), int(verdicts))))
        return
    rows = []
    for verdicts in asked.verdicts:
        with tempfile.TemporaryDirectory() as folder:
            store = Path(folder) / "store"
            row: dict[str, object] = {"verdicts": verdicts}
            for name in ("write_compacted", *STEPS[2:]) if asked.compacted else STEPS:
                ran = subprocess.run(
                    [sys.executable, __file__, "--step", name, str(store), str(verdicts)],
                    check=True,
                    stdout=subprocess.PIPE,
                    text=True,
                )
                found = json.loads(ran.stdout)
                print(verdicts, name, found, file=sys.stderr, flush=True)
                if name.startswith(("write", "compact")):
                    kind = "JSONL" if name == "write" else "Parquet"
                    row[f"{kind} MB"] = _size(store)
                if name.startswith("write"):
                    continue
                if name == "gets":
                    row["get in order us"] = round(found["in order us"])
                    row["get at random us"] = round(found["at random us"])
                else:
                    row[f"{name} s"] = round(found["s"], 1)
                    row[f"{name} CPU s"] = round(found["CPU s"], 1)
                    row[f"{name} peak MB"] = round(found["peak MB"])
            rows.append(row)
    print(markdown(pd.DataFrame(rows)))
    print(f"\n{os.cpu_count()} cores")


def _size(folder: Path) -> int:
    return round(sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()) / 1e6)


if __name__ == "__main__":
    main()
