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

from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from ..config.locations import conf_dir
from ..errors import JuriesError, nearest

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


def hydra_main(name: str, main: Callable[[DictConfig], None]) -> Callable[[], None]:
    """Return a function that lets Hydra compose conf/NAME.yaml and calls main with the config."""
    import hydra

    decorate = hydra.main(config_path=str(conf_dir()), config_name=name, version_base="1.3")
    composed: Callable[[], None] = decorate(task(main))
    return composed


def name_action() -> None:
    """Let a first word stand for `action=WORD`, as in `llm-juries store verify`."""
    if sys.argv[1:] and sys.argv[1].isalpha():
        sys.argv[1] = f"action={sys.argv[1]}"


def run(main: Callable[[], None], *, hydra: bool = True) -> None:
    """Run a script's main; a user's mistake ends in one line on standard error and exit code 2.

    HYDRA_FULL_ERROR=1 shows the traceback of those too. `hydra` says that main is Hydra's own.
    """
    if TRACEBACKS:
        main()
        return
    if hydra:
        os.environ["HYDRA_FULL_ERROR"] = "1"  # else Hydra prints the error itself, at length
    try:
        main()
    except USERS as error:
        stop(error)
    except KeyboardInterrupt:
        print("stopped; what was received is stored", file=sys.stderr)
        sys.exit(130)


def experiment() -> str | None:
    """Return the name of the experiment that was chosen on the command line, None without one."""
    return HydraConfig.get().runtime.choices.get("experiment")


def sweep_arguments(does: str, conf: Path) -> argparse.Namespace:
    """Parse a command line of sweep-style overrides, which Hydra takes with its own sweeper only.

    Returns a namespace of `overrides` and `config_dir`. The head of the yaml is part of the help.
    """
    head = conf.read_text().partition("\ndefaults:")[0]
    keys = conf.read_text().partition("  - _self_\n")[2]
    parser = argparse.ArgumentParser(
        description=does,
        epilog=f"{head}\n{keys}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config-dir", "-cd", type=Path, help="a folder of your own yamls")
    parser.add_argument("overrides", nargs="*", help="as for llm-juries judge, swept over commas")
    return parser.parse_args()


def stop(error: Exception) -> NoReturn:
    """Print an error in one line and exit with code 2."""
    print(f"error: {one_line(error)}", file=sys.stderr)
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
    if found := re.search(r"Could not load '([^']+)/([^'/]+)'", text):  # one of a list
        group, option = found.groups()
        folders = re.findall(r"path=file://(.+)", text)
        known = [path.stem for folder in folders for path in Path(folder, group).glob("*.yaml")]
        return f"there is no {group}={option}{nearest(option, known)}"
    if isinstance(error, OmegaConfBaseException) and "is not in struct" in text:
        node = error.parent_node
        known = [str(key) for key in node] if OmegaConf.is_dict(node) else []
        return f"{error.full_key}: no such key{nearest(str(error.key), known)}"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return "; ".join(line for line in lines if "HYDRA_FULL_ERROR" not in line)
