"""A user's mistake as one line on standard error; a bug keeps its traceback."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import NoReturn

from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from ..errors import JuriesError, nearest

TRACEBACKS = os.environ.get("HYDRA_FULL_ERROR") == "1"
"""Whether to show the tracebacks of mistakes too. Read before `command_line` sets the variable."""
USER_ERRORS = (JuriesError, HydraException, OmegaConfBaseException, YAMLError)


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
