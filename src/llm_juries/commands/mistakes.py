"""A user's mistake as one line on standard error; a bug keeps its traceback."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import NoReturn

from hydra.errors import HydraException, OverrideParseException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from ..config.keys import PACKAGES, choices
from ..errors import JuriesError, nearest
from ..escaping import terminal
from ..redaction import cleaned

TRACEBACKS = os.environ.get("HYDRA_FULL_ERROR") == "1"
"""Whether to show the tracebacks of mistakes too. Read before `command_line` sets the variable."""
NAMED = {node: group for group, node in PACKAGES.items()}
USER_ERRORS = (JuriesError, HydraException, OmegaConfBaseException, YAMLError)
HIDDEN = ("hydra", "_target_")
"""Keys that are not suggested in place of a wrong one."""


def is_mistake(error: BaseException) -> bool:
    """Return whether the user can mend an error: a file that can't be read or written, too."""
    return isinstance(error, USER_ERRORS) or (
        isinstance(error, OSError) and error.filename is not None
    )


def stop(error: Exception) -> NoReturn:
    """Print an error in one line and exit with code 2."""
    line = " ".join(cleaned(one_line(error)).splitlines())
    print(f"error: {terminal(line)}", file=sys.stderr)
    sys.exit(2)


def one_line(error: BaseException) -> str:
    """Return an error's message in one line, with the nearest names where there are any."""
    # Hydra wraps the errors of a config's parts; the innermost names the cause.
    while isinstance(error.__cause__, USER_ERRORS):
        error = error.__cause__
    if isinstance(error, OSError) and not isinstance(error, USER_ERRORS):
        reason = f"{error.strerror or error}".lower()
        return f"{error.filename}: can't be used ({reason}); check the path and its permissions"
    if isinstance(error, OverrideParseException):
        return _unreadable(error)
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
        known = [str(key) for key in node if key not in HIDDEN] if OmegaConf.is_dict(node) else []
        section, _, chosen = str(error.full_key).partition(".")
        if group := NAMED.get(section) if chosen == str(error.key) else None:
            there = choices(group)
            add = f"; add {group}={chosen}" if chosen in there else nearest(chosen, known or there)
            return f"{error.full_key}: {group}={chosen} is not chosen{add}"
        return f"{error.full_key}: no such key{nearest(str(error.key), known)}"
    if found := re.match(r"Ambiguous value for argument '(([^=]+)=(.*))'", text):
        given, key, names = found.groups()
        several = f"{key}s" if key in ("dataset", "prompt") else key
        return (
            f"{given}: takes one value; add -m to run a job for each, or set {several}=[{names}] "
            "for one run with all"
        )
    return _joined(text)


def _unreadable(error: OverrideParseException) -> str:
    """Return one line on an argument that Hydra can't read."""
    if "=" not in error.override:
        return f"{error.override}: is not KEY=VALUE; see --help for the keys"
    detail = _joined(error.message.partition("See https://")[0])
    argument = " ".join(error.override.split())
    return f"{argument}: can't be read ({detail}); close brackets, quote values: KEY='VALUE'"


def _joined(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return "; ".join(line for line in lines if "HYDRA_FULL_ERROR" not in line)
