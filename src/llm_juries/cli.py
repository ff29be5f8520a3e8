"""How the scripts meet the user: one clear line for a mistake, a traceback only for a bug."""

from __future__ import annotations

import functools
import os
import re
import sys
from collections.abc import Callable
from typing import NoReturn

from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from .prompts import nearest
from .types import JuriesError

# Asked before `run` sets the variable for Hydra.
TRACEBACKS = os.environ.get("HYDRA_FULL_ERROR") == "1"

USERS = (JuriesError, HydraException, OmegaConfBaseException, YAMLError)


def task(main: Callable[[DictConfig], None]) -> Callable[[DictConfig], None]:
    """Make a user's mistake end a single run before Hydra tells of it in lines of its own.

    In a multirun it stays an exception: the other jobs go on.
    """

    @functools.wraps(main)
    def told(cfg: DictConfig) -> None:
        try:
            main(cfg)
        except USERS as error:
            if HydraConfig.get().mode is RunMode.MULTIRUN or TRACEBACKS:
                raise
            stop(error)

    return told


def run(main: Callable[[], None]) -> None:
    """Run a Hydra main; a user's mistake ends in one line on standard error and exit code 2.

    HYDRA_FULL_ERROR=1 shows the traceback of those too.
    """
    if TRACEBACKS:
        main()
        return
    os.environ["HYDRA_FULL_ERROR"] = "1"  # else Hydra prints the error itself, at length
    try:
        main()
    except USERS as error:
        stop(error)
    except KeyboardInterrupt:
        print("stopped; what was received is stored", file=sys.stderr)  # noqa: T201
        sys.exit(130)


def experiment() -> str | None:
    """Return the name of the experiment that was chosen on the command line, None without one."""
    return HydraConfig.get().runtime.choices.get("experiment")


def stop(error: Exception) -> NoReturn:
    """Print an error in one line and exit with code 2."""
    print(f"error: {one_line(error)}", file=sys.stderr)  # noqa: T201
    sys.exit(2)


def one_line(error: BaseException) -> str:
    """Return an error's message in one line, with the nearest names where there are any."""
    # Hydra wraps the errors of a config's parts: the innermost is the one that tells.
    while isinstance(error.__cause__, USERS):
        error = error.__cause__
    text = str(error)
    if found := re.search(r"Could not find '([^']+)/([^'/]+)'", text):
        group, option = found.groups()
        options = re.search(r"Available options in '[^']+':\n((?:\t.*\n?)+)", text)
        known = options[1].split() if options else []
        return f"there is no {group}={option}{nearest(option, known)}"
    if isinstance(error, OmegaConfBaseException) and "is not in struct" in text:
        node = error.parent_node
        known = [str(key) for key in node] if OmegaConf.is_dict(node) else []
        return f"{error.full_key}: no such key{nearest(str(error.key), known)}"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return "; ".join(line for line in lines if "HYDRA_FULL_ERROR" not in line)
