"""Write files atomically, read data of others, and locate the files that ship with the project."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from .errors import JuriesError

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


def check_path(path: str | None, key: str) -> None:
    """Raise JuriesError where a path is empty, which would be the folder at hand."""
    if path is not None and not path.strip():
        raise JuriesError(f"{key}: is empty; name a path, . for the folder you are in")


def file_name(name: str) -> str:
    """Return a name as part of a file's: without signs that systems mind, and of at most 80 bytes.

    What is replaced or cut is told apart by a hash.
    """
    safe = re.sub(r"[^\w.-]", "_", name)
    cut = safe.encode()[:80].decode(errors="ignore")
    if cut == name and cut.strip("."):
        return name
    return f"{cut[:60]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def check_data(path: Path, within: Path) -> None:
    """Check that a file of somebody else's folder is one that can be read as data.

    Reading a pipe or a device would wait or never end, and a link could name any file of the
    reader's.

    Raises
    ------
    FileNotFoundError
        If there is none.
    JuriesError
        If it is not a regular file, or lies outside the folder.
    """
    if path.is_symlink() and not path.exists():
        raise JuriesError(f"{path}: is a link that leads nowhere; restore its file, or delete it")
    real = Path(os.path.realpath(path, strict=True))
    if not real.is_relative_to(within.resolve()):
        raise JuriesError(f"{path}: leads out of {within}; put the file itself there, or delete it")
    if not real.is_file():
        raise JuriesError(f"{path}: is not a regular file; delete it or move it away")


def check_folders(store: Path) -> None:
    """Check that no folder in somebody else's folder is a link out of it: we write into them.

    Raises
    ------
    JuriesError
        If one is.
    """
    with os.scandir(store) as entries:
        links = [Path(entry.path) for entry in entries if entry.is_symlink() and entry.is_dir()]
    for path in sorted(links):
        if not path.resolve().is_relative_to(store.resolve()):
            raise JuriesError(
                f"{path}: leads out of {store}; put the folder itself there, or delete it"
            )


def read_data(path: Path, within: Path) -> bytes:
    """Return the bytes of a file of somebody else's folder; see `check_data`."""
    check_data(path, within)
    return path.read_bytes()


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
