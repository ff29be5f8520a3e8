"""Child processes that run vLLM: their errors are kept, and they end with all they started."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import signal
import tempfile
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

log = logging.getLogger(__name__)
ELSEWHERE = "See root cause above"  # the error is that of vLLM's engine process, logged before
LOGGED = re.compile(r"^\(\w+ pid=\d+\) (?:[A-Z]+ \S+ \S+ \[[^]]+\] )?")
WORKER = Path(__file__).with_name("worker.py")
LONGEST_END = 30.0  # seconds that killed processes take to give back a GPU's memory, at most
LONGEST_LINE = 1 << 30  # bytes of one batch's replies
THREADS = 17  # where their number stands in /proc/PID/stat, counted from the state


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
        await self._others_end()
        if self.process.stdin is not None:
            self.process.stdin.close()
            with contextlib.suppress(ConnectionError):
                await self.process.stdin.wait_closed()
        self._log.close()

    async def _others_end(self) -> None:
        """Wait for what it started: vLLM's engine, a process of its own, holds the GPU's memory."""
        deadline = time.monotonic() + LONGEST_END
        while left := running(self.process.pid):
            if time.monotonic() > deadline:
                log.warning(
                    "vLLM's processes %s were killed and still run after %.0f s; memory of a GPU "
                    "that they hold is not free",
                    ", ".join(map(str, left)),
                    LONGEST_END,
                )
                return
            await asyncio.sleep(0.05)

    def last_error(self) -> str:
        """Return the last error that it logged, else its last line, once it has exited."""
        self._log.seek(0)
        lines = [line for line in self._log.read().decode(errors="replace").splitlines() if line]
        errors = [line for line in lines if "Error" in line and ELSEWHERE not in line]
        return LOGGED.sub("", (errors or lines or ["no error message"])[-1]).strip()[-300:]


def running(group: int) -> list[int]:
    """Return the processes of a group that have not ended; none where there is no /proc.

    One that has ended may stay listed until its parent asks for it, which in a container may be
    never. One whose first thread alone has ended still holds its memory.
    """
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The name, in brackets, may hold spaces. After it: state, parent, group, and so on.
            fields = path.read_text(errors="replace").rpartition(")")[2].split()
        except OSError:  # ended meanwhile
            continue
        ended = fields[0] in "ZX" and int(fields[THREADS]) <= 1
        if int(fields[2]) == group and not ended:
            found.append(int(path.parent.name))
    return found
