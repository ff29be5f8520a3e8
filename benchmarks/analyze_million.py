"""Time `llm-juries analyze` on a long table of recorded verdicts, from the file to the page.

    python benchmarks/analyze_million.py
    python benchmarks/analyze_million.py --items 10000 --beside ../old   # and by another checkout

The table is Parquet with a row a verdict: 10 simulated judges, 70% to 90% right, on the answers of
4 candidates to each question, with a human label each; about 1 verdict in 200 is missing. The
command runs in a process of its own, in an empty folder, with its default options. Wall-clock
seconds depend on what else the machine does; CPU seconds do so less, the ratio between two
checkouts, run in turn, least. The peak is the process's resident set.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from llm_juries.markdown import markdown

ROOT = Path(__file__).parents[1]
JUDGES, CANDIDATES = 10, 4


def write(path: Path, items: int, seed: int) -> None:
    """Write the verdicts on so many answers, in the order of the answers."""
    rng = np.random.default_rng(seed)
    item = np.arange(items)
    skill = rng.normal(0.0, 0.3, CANDIDATES)[item % CANDIDATES]
    ease = rng.normal(size=items // CANDIDATES + 1)[item // CANDIDATES] + rng.normal(size=items)
    human = (skill + rng.normal(size=items) < 0.3).astype(int)
    sharp = np.linspace(0.8, 2.0, JUDGES)
    right = sharp + ease[:, None] / 1.5 + rng.normal(size=(items, JUDGES)) > 0
    label = np.where(right, human[:, None], 1 - human[:, None]).ravel()
    table = pd.DataFrame(
        {
            "item_id": np.repeat([f"question-{n // CANDIDATES:06}" for n in item], JUDGES),
            "candidate": np.repeat([f"model-{n % CANDIDATES}" for n in item], JUDGES),
            "human": np.repeat(human, JUDGES),
            "judge": np.tile([f"judge_{n:02}" for n in range(JUDGES)], items),
            "label": label,
        }
    )
    table[rng.random(len(table)) >= 0.005].to_parquet(path, index=False)


def analyzed(table: Path, checkout: Path, options: list[str]) -> dict[str, float]:
    """Run the command by the code of a checkout; return its seconds and its peak memory."""
    with TemporaryDirectory() as folder:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        began = time.perf_counter()
        script = checkout / "scripts" / "analyze.py"  # of commits without `python -m llm_juries`
        package = checkout / "src" / "llm_juries" / "__main__.py"
        program = ["-m", "llm_juries", "analyze"] if package.exists() else [str(script)]
        done = subprocess.run(
            [sys.executable, *program, "dataset=verdicts", f"dataset.path={table}", *options],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(checkout / "src")},
            capture_output=True,
            text=True,
            check=False,
        )
        wall = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(f"{checkout}: {done.stderr.strip()}")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    # ru_maxrss is the largest of all children so far: one child a process of this script
    return {"wall_s": wall, "cpu_s": cpu, "peak_gb": used.ru_maxrss * 1024 / 1e9}


def main() -> None:
    """Write the table and print a row a checkout."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--beside", type=Path, help="another checkout of this project")
    parser.add_argument(
        "--option", action="append", default=[], help="of analyze: figures.draw=none"
    )
    parser.add_argument("--table", type=Path, help="where to write the table; else it is temporary")
    parser.add_argument("--only", type=Path, help=argparse.SUPPRESS)  # one checkout, as JSON
    chosen = parser.parse_args()
    if chosen.only:
        print(json.dumps(analyzed(chosen.table, chosen.only, chosen.option)))
        return
    with TemporaryDirectory() as folder:
        table = (chosen.table or Path(folder) / "long.parquet").resolve()
        write(table, chosen.items, chosen.seed)
        rows = []
        for checkout in filter(None, (ROOT, chosen.beside)):
            again = ["--table", table, "--only", checkout.resolve()]
            options = [f"--option={option}" for option in chosen.option]
            said = subprocess.run(
                [sys.executable, __file__, *map(str, again), *options],
                stdout=subprocess.PIPE, text=True, check=True,
            ).stdout  # fmt: skip
            rows.append({"checkout": checkout.name, **json.loads(said)})
    found = pd.DataFrame(rows)
    found["cpu_ratio"] = found["cpu_s"] / found["cpu_s"].iloc[0]
    print(f"{chosen.items * JUDGES:,} verdicts\n\n{markdown(found.round(2))}")


if __name__ == "__main__":
    main()
