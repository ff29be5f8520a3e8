"""Index made-up passages on disk and search them: time, disk, memory, and the ranking's overlap.

    nice -n 10 python -P benchmarks/disk_index.py --passages 2000000 --folder /tmp/disk_index
    python -P benchmarks/disk_index.py --compare 50000   # with bm25s, at the same k1 and b

Words follow Zipf's law over a million of them; passages have about 100; queries are 3 to 9 words of
one passage. Each step runs in a process of its own, so that its memory is its own. A build that was
killed continues. Delete the folder afterwards.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import logging
import multiprocessing
import resource
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from llm_juries.answers.disk_index import DiskBm25
from llm_juries.answers.retrieval import Bm25, over
from llm_juries.data.dataset import Dataset
from llm_juries.types import Item

DATASET = Dataset("benchmark", (Item("benchmark", "1", "", "?"),))
WORDS = 1_000_000
BLOCK = 20_000
WIKIPEDIA = 21_015_324


def word(rank: int) -> str:
    """Return the word of a rank: the more frequent, the shorter."""
    letters = ""
    rank += 12**3  # four letters at least: as long, on average, as English words
    while rank:
        rank, letter = divmod(rank, 12)
        letters += "aeiounrstlmd"[letter]
    return letters


def blocks(passages: int, seed: int) -> Iterator[pa.StringArray]:
    """Yield the texts of all passages, a block at a time; they depend on nothing but the seed."""
    chance = np.random.default_rng(seed)
    words = pa.array([word(rank) for rank in range(WORDS)])
    share = np.cumsum(1 / (np.arange(WORDS) + 2.7))  # Zipf and Mandelbrot
    table = np.searchsorted(share / share[-1], np.linspace(0, 1, 1 << 24, endpoint=False))
    for start in range(0, passages, BLOCK):
        lengths = np.clip(chance.normal(100, 15, min(BLOCK, passages - start)), 10, 250).astype(int)
        drawn = words.take(pa.array(table[chance.integers(0, len(table), lengths.sum())]))
        ends = np.concatenate([[0], np.cumsum(lengths)])
        yield pc.binary_join(pa.ListArray.from_arrays(pa.array(ends, pa.int32()), drawn), " ")


def write(path: Path, passages: int) -> None:
    """Write a collection as DPR's: id, text, title."""
    if path.exists():
        return
    part = path.with_suffix(".part")
    number = itertools.count(1)
    with part.open("w") as stream:
        stream.write("id\ttext\ttitle\n")
        for block in blocks(passages, 0):
            stream.writelines(
                f'{next(number)}\t"{text}"\t{text[:12]}\n' for text in block.to_pylist()
            )
    part.rename(path)


def questions(count: int) -> list[str]:
    """Return queries, each of some words of one passage."""
    chance = np.random.default_rng(1)
    texts = next(blocks(BLOCK, 0)).to_pylist()
    picked = chance.integers(0, len(texts), count)
    return [" ".join(chance.choice(texts[at].split(), chance.integers(3, 10))) for at in picked]


def build(path: Path, folder: Path, passages: int) -> dict[str, float]:
    """Build the index, or go on with it."""
    most, done = {"disk": 0}, threading.Event()

    def watch() -> None:
        while not done.wait(1):
            most["disk"] = max(most["disk"], size(folder))

    threading.Thread(target=watch, daemon=True).start()
    over(DiskBm25(str(path), index=str(folder), count=passages), DATASET)
    done.set()
    return {"index_bytes": size(folder), "most_disk_bytes": most["disk"]}


def search(path: Path, folder: Path, count: int) -> dict[str, float]:
    """Open the index and search."""
    began = time.perf_counter()
    ready = over(DiskBm25(str(path), index=str(folder)), DATASET)
    opened = time.perf_counter() - began
    asked = questions(count)
    began, cpu = time.perf_counter(), time.process_time()
    found = ready.search(asked, 10)
    wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    return {
        "open_s": opened,
        "wall_ms_a_query": 1000 * wall / count,
        "cpu_ms_a_query": 1000 * cpu / count,
        "found": float(np.mean([len(one) for one in found])),
    }


def compare(path: Path, folder: Path, count: int) -> dict[str, float]:
    """Search with both indexes: how many of the ten best are the same, and how they are ranked."""
    from scipy.stats import kendalltau

    asked = questions(count)
    result = {}
    for k1, b in ((0.9, 0.4), (1.2, 0.75)):
        one = over(DiskBm25(str(path), index=str(folder), k1=k1, b=b), DATASET)
        other = over(Bm25(str(path), index=str(folder), k1=k1, b=b), DATASET)
        pairs = [
            ([p.passage_id for p in disk], [p.passage_id for p in memory])
            for disk, memory in zip(one.search(asked, 10), other.search(asked, 10), strict=True)
        ]
        shared = [[name for name in disk if name in memory] for disk, memory in pairs]
        taus = [
            kendalltau(range(len(names)), [memory.index(name) for name in names]).statistic
            for names, (_, memory) in zip(shared, pairs, strict=True)
            if len(names) > 1
        ]
        result |= {
            f"overlap@10 {k1} {b}": float(
                np.mean([len(s) / len(m) for s, (_, m) in zip(shared, pairs, strict=True) if m])
            ),
            f"same ten {k1} {b}": float(np.mean([disk == memory for disk, memory in pairs])),
            f"same first {k1} {b}": float(np.mean([d[:1] == m[:1] for d, m in pairs])),
            f"kendall of the shared {k1} {b}": float(np.mean(taus)),
        }
    return result


def size(folder: Path) -> int:
    """Return the bytes of a folder's files, some of which may vanish meanwhile."""
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            total += path.stat().st_size
    return total


def memory() -> int:
    """Return the bytes of memory of this process that are not pages of files."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) * 1024
    return 0


def measured(function: Callable[..., Any], *arguments: Any) -> None:
    """Run a function in a process of its own; print what it returns and what it took."""
    process = multiprocessing.get_context("spawn").Process(
        target=_measured, args=(function, arguments)
    )
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit(f"{function.__name__}: failed")


def _measured(function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    most, done = [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.2):
            most[0] = max(most[0], memory())

    threading.Thread(target=watch, daemon=True).start()
    began = time.perf_counter()
    result = function(*arguments) or {}
    done.set()
    usage = resource.getrusage(resource.RUSAGE_SELF)
    result |= {
        "wall_s": time.perf_counter() - began,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "peak_rss_mb": usage.ru_maxrss / 1024,
        "peak_anonymous_mb": most[0] / 2**20,
    }
    print(function.__name__, {key: round(value, 4) for key, value in result.items()}, flush=True)


def main() -> None:
    """Run the steps."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--passages", type=int, default=0)
    parser.add_argument("--compare", type=int, default=0)
    parser.add_argument("--queries", type=int, default=300)
    parser.add_argument("--folder", type=Path, default=Path("/tmp/disk_index"))
    chosen = parser.parse_args()
    for step, passages in (("search", chosen.passages), ("compare", chosen.compare)):
        if not passages:
            continue
        folder = chosen.folder / f"{passages}"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "passages.tsv"
        measured(write, path, passages)
        if step == "compare":
            measured(compare, path, folder / "index", chosen.queries)
            continue
        measured(build, path, folder / "index", passages)
        measured(search, path, folder / "index", chosen.queries)
        index = size(folder / "index")
        more = WIKIPEDIA / passages
        print(f"Wikipedia: x {more:.1f}: index {index * more / 1e9:.1f} GB")
    print(f"free: {shutil.disk_usage(chosen.folder).free / 1e9:.0f} GB; delete {chosen.folder}")


if __name__ == "__main__":
    main()
