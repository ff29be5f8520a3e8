"""Snapshots: which Parquet files of a store count, and what of its segments they hold.

Each compaction makes one. It writes its files and a manifest into a hidden folder of the store's
folder `parquet` and gives that a number by renaming it: all of it counts at once or nothing does.
The manifest names every file that counts, in this folder or in earlier ones, so the highest number
alone says what counts. Of two compactions that began from the same snapshot only one gets the
number; whatever takes a number below the highest counts for nothing.

A reader must list the segments before it reads the snapshot: a segment is deleted only after the
snapshot that holds it is there.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from ..errors import JuriesError
from .parquet import FORMAT, check_format
from .segments import Mark

MANIFEST, WORK = "_manifest.json", "."  # names that readers of Parquet folders pass over


class File(msgspec.Struct, frozen=True):
    """A Parquet file of one judge's verdicts on one dataset; `path` starts from `parquet`."""

    path: str
    dataset: str
    judge: str
    rows: int
    size: int
    sha256: str


class Snapshot(msgspec.Struct, frozen=True):
    """The Parquet files that count, and how far they hold each segment, by its stem.

    In all of them together each key stands once.
    """

    format: int = FORMAT
    files: tuple[File, ...] = ()
    held: dict[str, Mark] = msgspec.field(default_factory=dict)


class _Format(msgspec.Struct):
    format: int


def home(store: Path) -> Path:
    """Return the folder of a store's snapshots."""
    return store / "parquet"


def numbers(store: Path) -> list[int]:
    """Return the numbers of the snapshots that lie there, ascending."""
    try:
        found = home(store).iterdir() if home(store).is_dir() else ()
        return sorted(int(path.name) for path in found if path.name.isdigit())
    except PermissionError as error:
        raise JuriesError(f"{home(store)}: can't be read ({error.strerror})") from None


def newest(store: Path) -> tuple[int, Snapshot]:
    """Return the snapshot that counts with its number, an empty one with 0 where there is none.

    Raises
    ------
    JuriesError
        If it was made by a newer version, or its manifest is damaged.
    """
    while there := numbers(store):
        path = folder(store, there[-1]) / MANIFEST
        try:
            raw = path.read_bytes()
            check_format(msgspec.json.decode(raw, type=_Format).format, str(path))
            return there[-1], msgspec.json.decode(raw, type=Snapshot)
        except OSError as error:
            if numbers(store)[-1:] == there[-1:]:  # else it was replaced meanwhile
                said = f"can't be read ({error.strerror})"
                raise JuriesError(f"{path}: {said}; restore it from a copy") from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise JuriesError(f"{path}: is damaged ({error}); restore it from a copy") from None
    return 0, Snapshot()


def folder(store: Path, number: int) -> Path:
    """Return the folder of a snapshot."""
    return home(store) / f"{number:06d}"


def work_folder(store: Path, number: int, suffix: str) -> Path:
    """Return the hidden folder in which a snapshot is made."""
    return home(store) / f"{WORK}{number:06d}-{suffix}"


def commit(store: Path, work: Path, number: int, snapshot: Snapshot) -> bool:
    """Make a snapshot count; return False, with nothing changed, if another was quicker.

    The files in the work folder must be on the disk.
    """
    manifest = work / MANIFEST
    manifest.write_bytes(msgspec.json.format(msgspec.json.encode(snapshot), indent=1))
    to_disk([manifest, *(path for path in work.rglob("*") if path.is_dir()), work])
    final = folder(store, number)
    try:
        work.rename(final)
    except OSError:  # the number is taken, or a later compaction has cleared the work away
        shutil.rmtree(work, ignore_errors=True)
        return False
    to_disk([home(store)])
    if numbers(store)[-1] != number:
        shutil.rmtree(final, ignore_errors=True)
        return False
    return True


def clear(store: Path, number: int, keep: Iterable[File]) -> None:
    """Delete what no snapshot from a number on needs, but for the files to keep."""
    kept = {home(store) / file.path for file in keep}
    for path in home(store).iterdir():
        if path.name.startswith(WORK):
            # Who works at a number that is taken can't win any more, so this hurts nobody.
            if _number(path) <= number:
                shutil.rmtree(path, ignore_errors=True)
        elif path.name.isdigit() and int(path.name) < number:
            files = set(path.rglob("*.parquet"))
            if not files & kept:
                shutil.rmtree(path, ignore_errors=True)
                continue
            for file in files - kept:
                file.unlink(missing_ok=True)
                with suppress(OSError):  # others lie there
                    file.parent.rmdir()
                    file.parent.parent.rmdir()


def strays(store: Path) -> Iterator[Path]:
    """Yield the Parquet files that don't count, and unfinished work."""
    if not home(store).is_dir():
        return
    counting = {home(store) / file.path for file in newest(store)[1].files}
    yield from sorted(set(home(store).rglob("*.parquet")) - counting)


def _number(work: Path) -> int:
    digits = work.name.removeprefix(WORK).partition("-")[0]
    return int(digits) if digits.isdigit() else 0


def to_disk(paths: Iterable[Path]) -> None:
    """Flush files and folders to the disk, where the system can."""
    for path in paths:
        try:
            number = os.open(path, os.O_RDONLY)
        except OSError:  # a folder on Windows
            continue
        try:
            os.fsync(number)
        except OSError:
            continue
        finally:
            os.close(number)


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
