"""The command line: --help without heavy imports, then a command and its one line on a mistake."""

from __future__ import annotations

import gc
import logging
import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import JuriesError
from .endings import guarded, parsed

if TYPE_CHECKING:
    from omegaconf import DictConfig


def run(name: str, command: Callable[[DictConfig], None]) -> None:
    """Run a command on the config that Hydra composes from the command line.

    A user's mistake ends in one line on standard error and exit code 2; HYDRA_FULL_ERROR=1 shows
    its traceback.
    """

    def main() -> None:
        if _helped(name):
            return
        from .mistakes import TRACEBACKS  # reads the variable that is set next

        if not TRACEBACKS:
            os.environ["HYDRA_FULL_ERROR"] = "1"  # else Hydra prints the error itself, at length
            # Of a log file on a full disk: its lines are on standard error too.
            logging.raiseExceptions = False
        from .hydra_app import check_arguments, hydra_main

        check_arguments(name)
        # What a command makes lives until it ends: to search it for cycles at every turn takes a
        # twentieth of the time.
        gc.set_threshold(100_000)
        hydra_main(name, command)()

    guarded(main)


def run_sweep(name: str, command: Callable[[Namespace], None]) -> None:
    """Run a command that composes sweeps itself, as `run` does.

    It is called with a namespace of `overrides`, in which commas are swept over, and `config_dir`.
    """

    def main() -> None:
        if _helped(name):
            return
        parser = ArgumentParser(prog=f"llm-juries {name}", add_help=False)
        parser.add_argument("--config-dir", "-cd", type=Path)
        parser.add_argument("overrides", nargs="*")
        given = parsed(parser, name)
        if given.config_dir is not None and not given.config_dir.is_dir():
            raise JuriesError(f"--config-dir {given.config_dir}: there is no such folder")
        command(given)

    guarded(main)


def name_action() -> None:
    """Let a first word stand for `action=WORD`, as in `llm-juries store verify`."""
    if sys.argv[1:] and sys.argv[1].isalpha():
        sys.argv[1] = f"action={sys.argv[1]}"


def _helped(name: str) -> bool:
    if not {"-h", "--help"} & set(sys.argv[1:]):
        return False
    from .help import help_of

    print(help_of(name))
    return True
