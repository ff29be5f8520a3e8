"""Runs commands in one process of its own, and ends it as kill -9 does where it is told to.

Reads a JSON list of commands, each a list of arguments, from standard input, and writes how each
ended. KILL=STAGE:NUMBER ends the process after so many replies are stored (answers, judge), after
a sheet is written (sheets) or a table of the page (page).
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
    folder = Path(sys.argv[1])
    commands = json.load(sys.stdin)
    json.dump([ended(folder, *command)._asdict() for command in commands], sys.stdout)
