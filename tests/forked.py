"""Commands and functions in processes of their own, forked from one that has imported all.

Each begun by itself would import modules for seconds.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from in_process import ROOT

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(
    [
        "aiohttp",
        "llm_juries.collect.estimate",
        "llm_juries.collect.progress",
        "llm_juries.collect.run",
        "llm_juries.commands.collection",
        "llm_juries.commands.hydra_app",
        "llm_juries.config.settings",
        "llm_juries.data.answer_tables",
        "llm_juries.judges.http.judge",
        "llm_juries.reporting.tracking",
        "pandas",
        "tabulate",
    ]
)


def at_once(function: Callable[..., Any], calls: Iterable[tuple[Any, ...]]) -> list[Any]:
    """Call a function with each tuple of arguments in a process of its own, all at once.

    It must be in a module that imports little more than the package: each process imports it.
    """
    running = []
    for given in calls:
        ours, theirs = CONTEXT.Pipe(duplex=False)
        process = CONTEXT.Process(target=_send, args=(theirs, function, given))
        process.start()
        theirs.close()  # else the end of a process that failed would not be seen
        running.append((ours, process))
    found = [ours.recv() for ours, _ in running]
    for _, process in running:
        process.join()
    return found


def _send(pipe: Connection, function: Callable[..., Any], given: tuple[Any, ...]) -> None:
    pipe.send(function(*given))


class Forked:
    """`llm-juries ARGUMENTS` in the checkout and a process of its own, as subprocess.Popen is."""

    def __init__(self, *arguments: str, environment: Mapping[str, str]) -> None:
        self._said = Path(tempfile.mkdtemp())
        given = (arguments, dict(environment), self._said)
        self._process = CONTEXT.Process(target=_run, args=given)
        self._process.start()

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def send_signal(self, number: signal.Signals) -> None:
        assert self._process.pid is not None
        os.kill(self._process.pid, number)

    def kill(self) -> None:
        self._process.kill()

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Wait for its end; return its output and its errors."""
        self._process.join(timeout)
        if self._process.is_alive():
            raise subprocess.TimeoutExpired("llm-juries", timeout or 0.0)
        return (self._said / "out").read_text(), (self._said / "err").read_text()

    def __enter__(self) -> Forked:
        return self

    def __exit__(self, kind: object, error: object, where: object) -> None:
        if error is not None:
            self.kill()
        self._process.join()


def _run(arguments: tuple[str, ...], environment: dict[str, str], said: Path) -> None:
    from llm_juries.__main__ import main

    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(said / name, os.O_WRONLY | os.O_CREAT), number)
    os.environ.update(environment)
    os.chdir(ROOT)
    sys.argv = ["llm-juries", *arguments]
    main()
