"""How commands end: exit codes and one line on a mistake, an interrupt or a closed pipe."""

from __future__ import annotations

import atexit
import gc
import io
import os
import signal
import sys
import threading
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from contextlib import redirect_stderr
from typing import NoReturn

from ..errors import JuriesError

CLOSED_PIPE = 141
"""The exit code when the reader of the output has gone, as of a program that SIGPIPE ends."""
STOPPED = 128
"""Added to a signal's number it is the exit code of what the signal has stopped."""
ENDING_S = 2.0


def parsed(parser: ArgumentParser, name: str) -> Namespace:
    """Parse the arguments of a command.

    Raises
    ------
    JuriesError
        For a wrong flag, in place of the parser's usage of many lines.
    """
    said = io.StringIO()
    try:
        with redirect_stderr(said):
            return parser.parse_args()
    except SystemExit as end:
        if not end.code:
            raise
        problem = said.getvalue().rstrip().rpartition("error: ")[2]
        raise JuriesError(f"{problem}; see llm-juries {name} --help") from None


def guarded(main: Callable[[], None]) -> None:
    """Call a function; a user's mistake, an interrupt and a closed pipe end without a traceback."""
    atexit.register(gc.freeze)  # else Python looks through all objects before it ends: 0.3 s
    try:
        main()
        sys.stdout.flush()  # here a closed pipe can still be handled
    except KeyboardInterrupt:
        print("stopped; every reply received so far is stored", file=sys.stderr)
        _end_soon(STOPPED + signal.SIGINT)
        sys.exit(STOPPED + signal.SIGINT)
    except SystemExit as end:
        if isinstance(end.code, int) and end.code > STOPPED:
            _end_soon(end.code)
        raise
    except BrokenPipeError:
        end_of_pipe()
    except Exception as error:
        from .mistakes import TRACEBACKS, is_mistake, stop

        if TRACEBACKS or not is_mistake(error):
            raise
        stop(error)


def _end_soon(code: int) -> None:
    """End within seconds even if a thread does not: a model may still be computing in one."""
    ending = threading.Timer(ENDING_S, os._exit, (code,))
    ending.daemon = True
    ending.start()


def end_of_pipe() -> NoReturn:
    """End because the reader of the output has gone, as in `llm-juries judge --help | head -1`."""
    # Python flushes standard output once more at its end, which would fail again.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(CLOSED_PIPE)
