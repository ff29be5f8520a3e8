"""Runs commands in processes of their own, and ends them as kill -9 does where it is told to.

Each line of standard input is a job in JSON; each is run in a process forked from this one, which
has imported what they need. A job is its `commands`, each a list of arguments; to `kill`
"STAGE:NUMBER", its process is ended after so many replies are stored (answers, judge), sheets
(sheets) or tables of the page (page) are written; without `drawn` no figures are. A command that
begins with "unkeyed" finds no keys. Writes a line of JSON on how each command ended, and one with
the exit code of their process.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from in_process import ended
from llm_juries.reporting import tables
from llm_juries.reporting.figures.processes import Drawn
from llm_juries.reporting.paper import page as paper_page
from llm_juries.reproduction import stages
from llm_juries.store.store import Store

POINTS: dict[str, tuple[Any, str]] = {
    "answers": (Store, "append"),
    "judge": (Store, "append"),
    "sheets": (stages, "export_sheet"),
    "page": (tables, "write"),
}

# What commands import when they need it, which takes seconds.
IMPORTED = (
    "bm25s",
    "bpe_openai",
    "datasets",
    "llm_juries.answers.rounds",
    "llm_juries.collect.run",
    "llm_juries.commands.hydra_app",
    "llm_juries.judges.http.judge",
    "llm_juries.reporting.paper",
)


def kill_at(stage: str, number: int) -> None:
    """End this process without a word once something was done so many times."""
    where, name = POINTS[stage]
    done: Callable[..., Any] = getattr(where, name)
    left = [number]

    def counted(*given: Any, **named: Any) -> Any:
        found = done(*given, **named)
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)
        return found

    setattr(where, name, counted)


def run(folder: Path, commands: list[list[str]], kill: str, drawn: bool) -> None:
    """Run a job's commands in this process."""
    if kill:
        stage, _, number = kill.partition(":")
        kill_at(stage, int(number))
    if not drawn:  # figures take seconds
        paper_page.draw = lambda *_: Drawn((), ())
    keys = {name: key for name, key in os.environ.items() if name.endswith("_API_KEY")}
    for command in commands:
        unkeyed = command[0] == "unkeyed"
        os.environ.update(dict.fromkeys(keys, "") if unkeyed else keys)
        print(json.dumps(ended(folder, *command[unkeyed:])._asdict()), flush=True)


if __name__ == "__main__":
    for module in IMPORTED:
        import_module(module)
    for line in sys.stdin:
        job = {"folder": Path(sys.argv[1]), **json.loads(line)}
        process = multiprocessing.get_context("fork").Process(target=run, kwargs=job)
        process.start()
        process.join()
        print(process.exitcode, flush=True)
