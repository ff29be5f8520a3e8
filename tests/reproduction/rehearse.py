"""Runs commands in one process of its own, and ends it as kill -9 does where it is told to.

Reads a JSON list of commands, each a list of arguments, from standard input, and writes a line of
JSON on how each ended. One that begins with "unkeyed" finds no keys. KILL=STAGE:NUMBER ends the
process after so many replies are stored (answers, judge), sheets (sheets) or tables of the page
(page) are written. DRAWN=1 draws figures.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
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


if __name__ == "__main__":
    if point := os.environ.get("KILL"):
        stage, _, number = point.partition(":")
        kill_at(stage, int(number))
    if not os.environ.get("DRAWN"):  # figures take seconds
        paper_page.draw = lambda *_: Drawn((), ())
    folder = Path(sys.argv[1])
    keys = {name: key for name, key in os.environ.items() if name.endswith("_API_KEY")}
    for command in json.load(sys.stdin):
        unkeyed = command[0] == "unkeyed"
        os.environ.update(dict.fromkeys(keys, "") if unkeyed else keys)
        print(json.dumps(ended(folder, *command[unkeyed:])._asdict()), flush=True)
