"""Where conf/ lies: the copy inside an installed package, else the one of the checkout."""

from __future__ import annotations

from pathlib import Path

from ..errors import JuriesError
from ..files import bundled


def conf_dir() -> Path:
    """Return the folder of the configs that come with this project.

    Raises
    ------
    JuriesError
        If there is none: the package was copied without it.
    """
    folder = bundled("conf")
    if not folder.is_dir():
        raise JuriesError(f"{folder}: the configs are missing; install the package again")
    return folder
