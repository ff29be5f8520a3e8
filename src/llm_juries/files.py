"""Write files atomically, and locate the files that ship with the project."""

from __future__ import annotations

import os
from pathlib import Path

PACKAGE = Path(__file__).parent


def write_text(path: Path, text: str) -> None:
    """Write a file atomically, creating its folder if needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def bundled(inside: str) -> Path:
    """Return the path of a file that ships with the project, whatever the working directory.

    conf/ and results/ are copied into an installed package; in a checkout they are at its top.
    Other paths are relative to the package's data folder.

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
