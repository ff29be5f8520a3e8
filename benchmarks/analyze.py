"""Time three commands as users run them: an analysis, a second quickstart, and the reproduction.

    python benchmarks/analyze.py
    python benchmarks/analyze.py --beside ../old --rounds 3 --commands analyze reproduce

`--beside` is the folder of another checkout, whose commands run in turn with this one's, by the
same Python. Each command runs in processes of its own and a folder that it has not seen, once
uncounted, so that byte code is written and the quickstart's models are there. The second quickstart
runs in the first one's folder: its verdicts are stored.

`wall_s` is what a user waits. `starved_s` is how long the first of a command's processes waited for
a CPU that others had: on a busy machine the difference is nearer to what an idle one takes. `cpu_s`
are CPU seconds of all processes, which rise with the load too, but by less. `peak_mb` is the
resident memory of the largest process. All are medians.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from llm_juries.markdown import markdown

ROOT = Path(__file__).parents[1]
COMMANDS = {
    "analyze": (("analyze", "dataset=recorded_nq301", "jury=nq301_trio"),),
    "reproduce": (("reproduce", "results=reproduction"),),
    "quickstart": (("judge", "experiment=quickstart"), ("analyze", "experiment=quickstart")),
}
POLL_S = 0.1


def timed(command: Sequence[str], folder: Path, environment: dict[str, str]) -> dict[str, float]:
    """Run a command to its end; return its times and memory.

    Raises
    ------
    SystemExit
        If it fails, with the last line of its errors.
    """
    errors = folder / "errors.txt"
    began = time.perf_counter()
    with errors.open("w") as said:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=said
        )
    starved = 0.0
    while True:
        pid, status, used = os.wait4(process.pid, os.WNOHANG)
        if pid:
            break
        starved = waited(process.pid) or starved
        time.sleep(POLL_S)
    wall = time.perf_counter() - began
    if status:
        lines = errors.read_text().strip().splitlines() or ["no error message"]
        sys.exit(f"{' '.join(command)}: {lines[-1]}")
    return {
        "wall_s": wall,
        "starved_s": starved,
        "cpu_s": used.ru_utime + used.ru_stime,
        "peak_mb": used.ru_maxrss / 1024,
    }


def waited(pid: int) -> float:
    """Return the seconds for which a process was ready to run and had no CPU; 0 if unknown."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0


def program(checkout: Path, name: str) -> list[str]:
    """Return how a command of a checkout begins: scripts were all that old ones had."""
    if (checkout / "src" / "llm_juries" / "__main__.py").exists():
        return [sys.executable, "-m", "llm_juries", name]
    return [sys.executable, str(checkout / "scripts" / f"{name}.py")]


def run(name: str, checkout: Path, folder: Path) -> dict[str, float]:
    """Run the commands of a name in a folder; return the sums of their times and the peak."""
    folder.mkdir(parents=True, exist_ok=True)
    for shared in ("conf", "results"):  # which old configs look for in the working directory
        if not (folder / shared).exists():
            (folder / shared).symlink_to(checkout / shared)
    environment = {**os.environ, "PYTHONPATH": str(checkout / "src")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    environment["PYTHONPYCACHEPREFIX"] = str(folder.parents[1] / "byte_code")
    runs = [
        timed([*program(checkout, first), *rest], folder, environment)
        for first, *rest in COMMANDS[name]
    ]
    sums = {key: sum(one[key] for one in runs) for key in runs[0]}
    return sums | {"peak_mb": max(one["peak_mb"] for one in runs)}


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--beside", type=Path, help="the folder of another checkout")
    parser.add_argument("--commands", nargs="*", default=list(COMMANDS), choices=COMMANDS)
    given = parser.parse_args(arguments)
    checkouts = {"here": ROOT}
    if given.beside is not None:
        checkouts["beside"] = given.beside.resolve()
    rows = []
    with TemporaryDirectory() as temporary:
        for number in range(given.rounds + 1):
            for name in given.commands:
                for called, checkout in checkouts.items():
                    at = 0 if name == "quickstart" else number
                    folder = Path(temporary) / called / f"{name}_{at}"
                    found = run(name, checkout, folder)
                    if number:
                        rows.append({"command": name, "code": called, **found})
    table = pd.DataFrame(rows).groupby(["command", "code"], sort=False).median().reset_index()
    if given.beside is not None:
        for column in ("wall_s", "cpu_s"):
            base = table[table["code"] == "beside"].set_index("command")[column]
            table[f"{column[:-2]}_ratio"] = table[column] / table["command"].map(base)
    print(markdown(table.round(2)))


if __name__ == "__main__":
    main()
