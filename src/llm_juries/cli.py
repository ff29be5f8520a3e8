"""How the scripts meet the user: one clear line for a mistake, a traceback only for a bug."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable

from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from .prompts import nearest
from .types import JuriesError


def run(main: Callable[[], None]) -> None:
    """Run a Hydra main; a user's mistake ends in one line on standard error and exit code 2.

    HYDRA_FULL_ERROR=1 shows the traceback of those too.
    """
    if os.environ.get("HYDRA_FULL_ERROR") == "1":
        main()
        return
    os.environ["HYDRA_FULL_ERROR"] = "1"  # else Hydra prints the error itself, at length
    try:
        main()
    except (JuriesError, HydraException, OmegaConfBaseException) as error:
        print(f"error: {one_line(error)}", file=sys.stderr)  # noqa: T201
        sys.exit(2)
    except KeyboardInterrupt:
        print("stopped; what was received is stored", file=sys.stderr)  # noqa: T201
        sys.exit(130)


def one_line(error: Exception) -> str:
    """Return an error's message in one line, with the nearest names where Hydra lists them all."""
    # Hydra wraps the errors of a config's parts: the first cause is the one that tells.
    while isinstance(error.__cause__, (JuriesError, HydraException, OmegaConfBaseException)):
        error = error.__cause__
    text = str(error)
    if found := re.search(r"Could not find '([^']+)/([^'/]+)'", text):
        group, option = found.groups()
        options = re.search(r"Available options in '[^']+':\n((?:\t.*\n?)+)", text)
        known = options[1].split() if options else []
        return f"there is no {group}={option}{nearest(option, known)}"
    if found := re.search(r"Could not override '([^']+)'", text):
        keys = re.search(r"Key '([^']+)' is not in struct", text)
        return (
            f"{found[1]}: no such key{f' ({keys[1]})' if keys else ''}; "
            f"--cfg job prints those there are, +{found[1]}=VALUE adds one"
        )
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return "; ".join(line for line in lines if "HYDRA_FULL_ERROR" not in line)
