"""Work in a process beside this one, which goes on with its own.

Only `fork` is worth it: a process that is spawned would import everything again, and run a user's
script again if that starts without `if __name__ == "__main__"`. Without fork, or beside other
threads of Python, whose locks a forked process could wait for, it is not safe.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from ..errors import JuriesError


def worth_forking() -> bool:
    """Return whether it is safe to fork here, and there is a CPU for another process."""
    return sys.platform == "linux" and threading.active_count() == 1 and cpus() > 1


def cpus() -> int:
    """Return how many CPUs this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else 1


def context() -> Any:
    """Return what makes forked processes and what they share."""
    return multiprocessing.get_context("fork")


class Forked:
    """A process that calls a function on what it is sent and sends back what that returns.

    Parameters
    ----------
    function : function of one argument
    killed : str
        What is said if the process is killed: place: problem; remedy.
    begin : function without arguments, optional
        Called at once.
    """

    def __init__(
        self,
        function: Callable[[Any], Any],
        killed: str,
        begin: Callable[[], None] | None = None,
    ) -> None:
        self._killed = killed
        self._pipe, theirs = context().Pipe()
        self._process = context().Process(target=self._serve, args=(theirs, function, begin))
        self._process.start()
        theirs.close()

    def _serve(
        self,
        pipe: Connection,
        function: Callable[[Any], Any],
        begin: Callable[[], None] | None,
    ) -> None:
        self._pipe.close()  # else the end of the other process would not be seen
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)  # end in silence
        if begin is not None:
            begin()
        gc.freeze()  # a collection would copy all that this process shares with the other
        while True:
            try:
                given = pipe.recv()
            except EOFError:
                return
            try:
                found, error = function(given), None
            except Exception as raised:
                raised.add_note(traceback.format_exc())
                found, error = None, raised
            try:
                pipe.send((found, error))
            except OSError:  # nobody waits any more
                return

    def send(self, value: Any) -> None:
        """Call the function on a value in the other process."""
        try:
            self._pipe.send(value)
        except OSError:
            raise JuriesError(self._killed) from None

    def receive(self) -> Any:
        """Wait for what the function returns; raise what it raises."""
        try:
            found, error = self._pipe.recv()
        except (EOFError, OSError):
            raise JuriesError(self._killed) from None
        if error is not None:
            raise error
        return found

    def close(self) -> None:
        """Let the process end, at once if it does what nobody waits for any more."""
        self._pipe.close()
        self._process.terminate()
        self._process.join()
