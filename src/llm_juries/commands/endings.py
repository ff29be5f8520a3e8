"""How commands end: exit codes and one line on a mistake, an interrupt or a closed pipe."""

from __future__ import annotations

import io
import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from contextlib import redirect_stderr
from typing import NoReturn

from ..errors import JuriesError

CLOSED_PIPE = 141
"""The exit code when the reader of the output has gone, as of a program that SIGPIPE ends."""


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
    try:
        main()
        sys.stdout.flush()  # here a closed pipe can still be handled
    except KeyboardInterrupt:
        print("stopped; every reply received so far is stored", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        end_of_pipe()
    except Exception as error:
        from .mistakes import TRACEBACKS, is_mistake, stop

        if TRACEBACKS or not is_mistake(error):
            raise
        stop(error)


def end_of_pipe() -> NoReturn:
    """End because the reader of the output has gone, as in `llm-juries judge --help | head -1`."""
    # Python flushes standard output once more at its end, which would fail again.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(CLOSED_PIPE)
