"""Verify a store: every Parquet file's checksum and every line of its segments."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import JuriesError
from . import snapshots
from .index import Index
from .parquet import opened


@dataclass(frozen=True)
class Verified:
    """What a sound store holds.

    Attributes
    ----------
    keys : int
    snapshot, rows, files : int
        The newest snapshot's number, and the rows and Parquet files in it.
    lines, segments, torn : int
        Complete lines in the segments that were read; last lines that a killed process left
        incomplete.
    repeated : int
        Keys that were stored again.
    conflicts : tuple of str
        Those of them whose verdicts have different values.
    uncompared : tuple of str
        Those of them whose replies differ and were parsed in different ways.
    obsolete : int
        Parquet files that the next compaction deletes.
    """

    keys: int
    snapshot: int
    rows: int
    files: int
    lines: int
    segments: int
    torn: int
    repeated: int
    conflicts: tuple[str, ...]
    uncompared: tuple[str, ...]
    obsolete: int


def verify(store: Path) -> Verified:
    """Check every Parquet file's checksum and every line of the segments.

    Raises
    ------
    JuriesError
        If a Parquet file is missing, differs from its checksum or was made by a newer version, or a
        line in the middle of a segment is damaged. Incomplete last lines and repeated keys are
        counted and are not errors: a killed process, or a second request, leaves them.
    """
    number, snapshot = snapshots.newest(store)
    for file in snapshot.files:
        _check(snapshots.home(store) / file.path, file)
    index = Index.of(store)
    index.close()
    found = index.found
    if found.damaged:
        raise JuriesError(
            f"store {store}: {found.damaged} damaged lines in its segments, listed above; the "
            f"other verdicts ({len(index):,} keys) can be read"
        )
    return Verified(
        keys=len(index),
        snapshot=number,
        rows=sum(file.rows for file in snapshot.files),
        files=len(snapshot.files),
        lines=found.lines,
        segments=len(index.read),
        torn=found.torn,
        repeated=found.again,
        conflicts=tuple(sorted(found.conflicts)),
        uncompared=tuple(sorted(found.uncompared)),
        obsolete=len(list(snapshots.obsolete(store))),
    )


def _check(path: Path, file: snapshots.File) -> None:
    try:
        found = snapshots.sha256(path)  # read anew, whatever is known of it
    except OSError as error:
        raise JuriesError(f"{path}: {error.strerror}; restore it from a copy") from None
    if found != file.sha256:
        raise JuriesError(f"{path}: differs from its checksum; restore it from a copy")
    with opened(path) as parquet:
        if parquet.metadata.num_rows != file.rows:
            raise JuriesError(f"{path}: holds {parquet.metadata.num_rows} rows, not {file.rows}")
