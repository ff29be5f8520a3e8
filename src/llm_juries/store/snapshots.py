"""Snapshots of a store: the valid Parquet files, and how far they hold each segment.

Each compaction makes one. It writes its files and a manifest into a hidden folder under the store's
folder `parquet`, then renames that folder to a number, so a snapshot becomes valid as a whole or
not at all. The manifest lists every valid file, in this folder or in earlier ones, so only the
snapshot with the highest number counts. Of two compactions that began from the same snapshot one
gets the number; a snapshot with a lower number than the highest is ignored.

A reader must list the segments before it reads the snapshot: a segment is deleted only after a
snapshot that holds it exists.
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

MANIFEST, WORK = "_manifest.json", "."  # names that readers of Parquet folders skip


class File(msgspec.Struct, frozen=True):
    """A Parquet file of one judge's verdicts on one dataset; `path` starts from `parquet`."""

    path: str
    dataset: str
    judge: str
    rows: int
    size: int
    sha256: str


class Snapshot(msgspec.Struct, frozen=True):
    """The valid Parquet files, and how far they hold each segment, by its stem.

    Each key occurs once in all of them together.
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
    """Return the numbers of a store's snapshots, ascending."""
    try:
        found = home(store).iterdir() if home(store).is_dir() else ()
        return sorted(int(path.name) for path in found if path.name.isdigit())
    except PermissionError as error:
        raise JuriesError(f"{home(store)}: can't be read ({error.strerror})") from None


def newest(store: Path) -> tuple[int, Snapshot]:
    """Return the newest snapshot and its number, an empty one and 0 if there is none.

    Raises
    ------
    JuriesError
        If it was made by a newer version, or its manifest is damaged.
    """
    while found := numbers(store):
        path = folder(store, found[-1]) / MANIFEST
        try:
            raw = path.read_bytes()
            check_format(msgspec.json.decode(raw, type=_Format).format, str(path))
            return found[-1], msgspec.json.decode(raw, type=Snapshot)
        except OSError as error:
            if numbers(store)[-1:] == found[-1:]:  # else it was replaced meanwhile
                raise JuriesError(
                    f"{path}: can't be read ({error.strerror}); restore it from a copy"
                ) from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise JuriesError(f"{path}: damaged ({error}); restore it from a copy") from None
    return 0, Snapshot()


def folder(store: Path, number: int) -> Path:
    """Return the folder of a snapshot."""
    return home(store) / f"{number:06d}"


def work_folder(store: Path, number: int, suffix: str) -> Path:
    """Return the hidden folder in which a snapshot is made."""
    return home(store) / f"{WORK}{number:06d}-{suffix}"


def commit(store: Path, work: Path, number: int, snapshot: Snapshot) -> bool:
    """Make a snapshot valid; return False, with nothing changed, if another came first.

    The files in the work folder must be flushed to the disk.
    """
    manifest = work / MANIFEST
    manifest.write_bytes(msgspec.json.format(msgspec.json.encode(snapshot), indent=1))
    to_disk([manifest, *(path for path in work.rglob("*") if path.is_dir()), work])
    final = folder(store, number)
    try:
        work.rename(final)
    except OSError:  # the number is taken, or a later compaction deleted the work folder
        shutil.rmtree(work, ignore_errors=True)
        return False
    to_disk([home(store)])
    if numbers(store)[-1] != number:
        shutil.rmtree(final, ignore_errors=True)
        return False
    return True


def clear(store: Path, number: int, keep: Iterable[File]) -> None:
    """Delete everything older than a snapshot, except the files to keep."""
    kept = {home(store) / file.path for file in keep}
    for path in home(store).iterdir():
        if path.name.startswith(WORK):
            # A compaction whose number is taken has lost already, so this is safe.
            if _number(path) <= number:
                shutil.rmtree(path, ignore_errors=True)
        elif path.name.isdigit() and int(path.name) < number:
            files = set(path.rglob("*.parquet"))
            if not files & kept:
                shutil.rmtree(path, ignore_errors=True)
                continue
            for file in files - kept:
                file.unlink(missing_ok=True)
                with suppress(OSError):  # not empty
                    file.parent.rmdir()
                    file.parent.parent.rmdir()


def obsolete(store: Path) -> Iterator[Path]:
    """Yield the Parquet files that are not valid any more, or not yet."""
    if not home(store).is_dir():
        return
    valid = {home(store) / file.path for file in newest(store)[1].files}
    yield from sorted(set(home(store).rglob("*.parquet")) - valid)


def _number(work: Path) -> int:
    digits = work.name.removeprefix(WORK).partition("-")[0]
    return int(digits) if digits.isdigit() else 0


def to_disk(paths: Iterable[Path]) -> None:
    """Flush files and folders to the disk, where the system supports it."""
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
