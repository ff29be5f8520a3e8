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
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import msgspec

from ..errors import JuriesError
from ..files import check_data, read_data
from .parquet import FORMAT, check_format
from .segments import Mark

NUMBER = re.compile(r"[0-9]+").fullmatch
MANIFEST, WORK = "_manifest.json", "."  # names that readers of Parquet folders skip


class File(msgspec.Struct, frozen=True):
    """A Parquet file of one judge's verdicts on one dataset; `path` starts from `parquet`."""

    path: str
    dataset: str
    judge: str
    rows: int
    size: int
    sha256: str

    @property
    def inside(self) -> bool:
        """Whether the path stays in the folder of the snapshots."""
        parts = self.path.split("/")
        odd = {"", ".", ".."} & set(parts) or "\0" in self.path
        return NUMBER(parts[0]) is not None and not odd


class Snapshot(msgspec.Struct, frozen=True):
    """The valid Parquet files, and how far they hold each segment, by its stem.

    Each key occurs once in all of them together. `checksum` is that of the rest; manifests of
    earlier versions have none.
    """

    format: int = FORMAT
    files: tuple[File, ...] = ()
    held: dict[str, Mark] = msgspec.field(default_factory=dict)
    checksum: str = ""

    @property
    def expected(self) -> str:
        """The checksum of what it holds."""
        return hashlib.sha256(msgspec.json.encode([self.format, self.files, self.held])).hexdigest()


class _Format(msgspec.Struct):
    format: int


def home(store: Path) -> Path:
    """Return the folder of a store's snapshots."""
    return store / "parquet"


def numbers(store: Path) -> list[int]:
    """Return the numbers of a store's snapshots, ascending."""
    try:
        found = home(store).iterdir() if home(store).is_dir() else ()
        return sorted(int(path.name) for path in found if NUMBER(path.name))
    except PermissionError as error:
        raise JuriesError(f"{home(store)}: can't be read ({error.strerror})") from None


def newest(store: Path) -> tuple[int, Snapshot]:
    """Return the newest snapshot and its number, an empty one and 0 if there is none.

    Raises
    ------
    JuriesError
        If it was made by a newer version, or its manifest is damaged or names a file that is not
        one of the store.
    """
    while found := numbers(store):
        path = folder(store, found[-1]) / MANIFEST
        try:
            raw = read_data(path, store)
            check_format(msgspec.json.decode(raw, type=_Format).format, str(path))
            snapshot = msgspec.json.decode(raw, type=Snapshot)
            if snapshot.checksum not in ("", snapshot.expected):
                raise msgspec.DecodeError("it differs from its checksum")
            for file in snapshot.files:
                if not file.inside:
                    raise msgspec.DecodeError(f"it names the file {file.path!r}, outside the store")
                with suppress(FileNotFoundError):  # reading it will tell
                    check_data(home(store) / file.path, store)
            return found[-1], snapshot
        except OSError as error:
            if numbers(store)[-1:] == found[-1:]:  # else it was replaced meanwhile
                raise JuriesError(
                    f"{path}: can't be read ({error.strerror}); restore it from a copy"
                ) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
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
    signed = msgspec.structs.replace(snapshot, checksum=snapshot.expected)
    manifest.write_bytes(msgspec.json.format(msgspec.json.encode(signed), indent=1))
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
        if path.is_symlink():
            continue
        if path.name.startswith(WORK):
            # A compaction whose number is taken has lost already, so this is safe.
            if _number(path) <= number:
                shutil.rmtree(path, ignore_errors=True)
        elif NUMBER(path.name) and int(path.name) < number:
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
    return int(digits) if NUMBER(digits) else 0


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


def checked(store: Path, file: File) -> Path:
    """Return the path of a valid file, once it is known to be as it was written.

    Pages have checksums of their own; what describes them in a Parquet file has none, and a changed
    byte there can exchange columns or values.

    Raises
    ------
    FileNotFoundError
        If it no longer exists: a compaction has replaced it.
    JuriesError
        If it was changed since.
    """
    path = home(store) / file.path
    facts = path.stat()
    if _sha256(path, facts.st_size, facts.st_mtime_ns) != file.sha256:
        raise JuriesError(f"{path}: differs from its checksum; restore it from a copy")
    return path


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@lru_cache(maxsize=4096)
def _sha256(path: Path, size: int, changed_at: int) -> str:  # noqa: ARG001
    """Return the SHA-256 of a file, once for each state of it."""
    return sha256(path)
