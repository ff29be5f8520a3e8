"""Command-line error handling: one line for a user's mistake, a traceback only for a bug."""

from __future__ import annotations

import argparse
import functools
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from ..config.composing import finish, register
from ..config.locations import conf_dir
from ..errors import JuriesError, nearest
from .help import help_of

# Read before `run` sets the variable for Hydra.
TRACEBACKS = os.environ.get("HYDRA_FULL_ERROR") == "1"
USER_ERRORS = (JuriesError, HydraException, OmegaConfBaseException, YAMLError)


def hydra_main(name: str, command: Callable[[DictConfig], None]) -> Callable[[], None]:
    """Return a function that lets Hydra compose conf/NAME.yaml and runs a command on the result."""
    register()
    decorate = hydra.main(config_path=str(conf_dir()), config_name=name, version_base="1.3")
    composed: Callable[[], None] = decorate(task(name, command))
    return composed


def task(name: str, command: Callable[[DictConfig], None]) -> Callable[[DictConfig], None]:
    """Return a command as Hydra runs it: on a finished config, ending with one line on a mistake.

    In a multirun a mistake stays an exception, so that the other jobs go on.
    """

    @functools.wraps(command)
    def run_task(cfg: DictConfig) -> None:
        try:
            command(finish(cfg, HydraConfig.get(), name))
        except USER_ERRORS as error:
            if HydraConfig.get().mode is RunMode.MULTIRUN or TRACEBACKS:
                raise
            stop(error)

    return run_task


def name_action() -> None:
    """Let a first word stand for `action=WORD`, as in `llm-juries store verify`."""
    if sys.argv[1:] and sys.argv[1].isalpha():
        sys.argv[1] = f"action={sys.argv[1]}"


def run(name: str, main: Callable[[], None], *, hydra: bool = True) -> None:
    """Run a command's main; a user's mistake ends in one line on standard error and exit code 2.

    HYDRA_FULL_ERROR=1 shows the traceback of a mistake too.

    Parameters
    ----------
    name : str
        Of the command, for --help.
    main : function
    hydra : bool
        Whether main is Hydra's own.
    """
    if {"-h", "--help"} & set(sys.argv[1:]):
        print(help_of(name))
        return
    if TRACEBACKS:
        main()
        return
    if hydra:
        os.environ["HYDRA_FULL_ERROR"] = "1"  # else Hydra prints the error itself, at length
    try:
        main()
    except USER_ERRORS as error:
        stop(error)
    except KeyboardInterrupt:
        print("stopped; every reply received so far is stored", file=sys.stderr)
        sys.exit(130)


def experiment() -> str | None:
    """Return the name of the experiment that was chosen on the command line, None without one."""
    return HydraConfig.get().runtime.choices.get("experiment")


def sweep_arguments() -> argparse.Namespace:
    """Parse a command line of sweep-style overrides, which Hydra takes with its own sweeper only.

    Returns a namespace of `overrides` and `config_dir`.
    """
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--config-dir", "-cd", type=Path)
    parser.add_argument("overrides", nargs="*")
    return parser.parse_args()


def stop(error: Exception) -> NoReturn:
    """Print an error in one line and exit with code 2."""
    print(f"error: {one_line(error)}", file=sys.stderr)
    sys.exit(2)


def one_line(error: BaseException) -> str:
    """Return an error's message in one line, with the nearest names where there are any."""
    # Hydra wraps the errors of a config's parts; the innermost names the cause.
    while isinstance(error.__cause__, USER_ERRORS):
        error = error.__cause__
    text = str(error)
    if found := re.search(r"Could not find '([^']+)/([^'/]+)'", text):
        group, option = found.groups()
        options = re.search(r"Available options in '[^']+':\n((?:\t.*\n?)+)", text)
        known = options[1].split() if options else []
        return f"there is no {group}={option}{nearest(option, known)}"
    if found := re.search(r"Could not load '([^']+)/([^'/]+)'", text):  # one of a list
        group, option = found.groups()
        folders = re.findall(r"path=file://(.+)", text)
        known = [path.stem for folder in folders for path in Path(folder, group).glob("*.yaml")]
        return f"there is no {group}={option}{nearest(option, known)}"
    if isinstance(error, OmegaConfBaseException) and "is not in struct" in text:
        node = error.parent_node
        known = [str(key) for key in node if key != "hydra"] if OmegaConf.is_dict(node) else []
        return f"{error.full_key}: no such key{nearest(str(error.key), known)}"
    if found := re.match(r"Ambiguous value for argument '(([^=]+)=(.*))'", text):
        given, key, names = found.groups()
        several = f"{key}s" if key in ("dataset", "prompt") else key
        return (
            f"{given}: takes one value; add -m to run a job for each, or set {several}=[{names}] "
            "for one run with all"
        )
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return "; ".join(line for line in lines if "HYDRA_FULL_ERROR" not in line)
