"""Files: written whole or not at all, and where those that ship with the project lie."""

from __future__ import annotations

import os
from pathlib import Path

PACKAGE = Path(__file__).parent


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all, in a folder that is made if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def bundled(inside: str) -> Path:
    """Return where a file that comes with the project lies, whatever the working directory is.

    conf/ and results/ are copied into the package when it is installed; in a checkout they lie at
    its top. Everything else is relative to the package's data folder.

    Parameters
    ----------
    inside : str
        Such as "results/recorded/nq301_qa.csv", "conf" or "sample_qa.jsonl".
    """
    top = Path(inside).parts[:1]
    if top not in (("conf",), ("results",)):
        return PACKAGE / "data" / inside
    root = PACKAGE if PACKAGE.joinpath(*top).is_dir() else PACKAGE.parents[1]
    return root / inside
