"""Child processes that run vLLM: their errors are kept, and they end with all they started."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import signal
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

log = logging.getLogger(__name__)
ELSEWHERE = "See root cause above"  # the error is that of vLLM's engine process, logged before
LOGGED = re.compile(r"^\(\w+ pid=\d+\) (?:[A-Z]+ \S+ \S+ \[[^]]+\] )?")
WORKER = Path(__file__).with_name("worker.py")
LONGEST_LINE = 1 << 30  # bytes of one batch's replies


class Child:
    """A process in a session of its own, its standard error kept for error messages.

    Attributes
    ----------
    process : asyncio.subprocess.Process
        With a pipe for its standard input, and one for its output if it replies there.
    """

    def __init__(self, process: Process, log: IO[bytes]) -> None:
        self.process = process
        self._log = log

    @classmethod
    async def start(
        cls, command: Sequence[str], environment: Mapping[str, str], *, replies: bool
    ) -> Child:
        """Start a command with further environment variables."""
        written = tempfile.NamedTemporaryFile(prefix="vllm-", suffix=".log")  # noqa: SIM115
        # It shows the progress of long loads and downloads.
        log.info("starting vLLM; its own log while it runs: %s", written.name)
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=PIPE,
            stdout=PIPE if replies else written,
            stderr=written,
            env={**os.environ, **environment},
            limit=LONGEST_LINE,
            start_new_session=True,
        )
        return cls(process, written)

    @property
    def ended(self) -> bool:
        """Whether it has exited."""
        return self.process.returncode is not None

    async def stop(self) -> None:
        """End it and all that it started, and wait until it and its memory are gone."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        await self.process.wait()
        if self.process.stdin is not None:
            self.process.stdin.close()
            with contextlib.suppress(ConnectionError):
                await self.process.stdin.wait_closed()
        self._log.close()

    def last_error(self) -> str:
        """Return the last error that it logged, else its last line, once it has exited."""
        self._log.seek(0)
        lines = [line for line in self._log.read().decode(errors="replace").splitlines() if line]
        errors = [line for line in lines if "Error" in line and ELSEWHERE not in line]
        return LOGGED.sub("", (errors or lines or ["no error message"])[-1]).strip()[-300:]
