"""Compaction: move the verdicts in a store's segments into Parquet, while writers run.

The verdicts that count are copied into Parquet files, one or more a dataset and judge, and become a
new snapshot (see `snapshots`); then the finished segments that it holds completely are deleted. A
kill at any time leaves the store as it was before or after the snapshot: nothing is lost and
nothing counts twice.
"""

from __future__ import annotations

import hashlib
import logging
import os
import secrets
import shutil
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ..errors import JuriesError
from ..types import Verdict
from . import segments, snapshots
from .index import Index
from .parquet import GROUP, REPEATED, batches, opened, schema, table_of, upgraded
from .snapshots import File, Snapshot

log = logging.getLogger(__name__)
BUFFERED, WRITERS = 1 << 16, 64  # rows in memory and open files, at most
LONGEST_NAME = 200  # bytes of a part of a path; systems take up to 255
FOLDED = 2  # a file with at most this multiple of its partition's new rows is rewritten
Partition = tuple[str, str]  # dataset and judge


@dataclass(frozen=True)
class Compacted:
    """What a compaction did.

    `moved` verdicts went into Parquet, which now holds `rows` in `files`. `retired` segments were
    deleted, `left` may still be written to or hold a damaged line. `lost_race`: a concurrent
    compaction finished first; this one changed nothing.
    """

    moved: int
    rows: int
    files: int
    retired: int
    left: int
    lost_race: bool = False


def compact(store: Path, *, no_writers: bool = False) -> Compacted:
    """Move the verdicts in the segments of a store into Parquet.

    Parameters
    ----------
    store : Path
    no_writers : bool
        Whether no process writes to the store now, on any machine: then the segments of processes
        that were killed on other machines are deleted too. Whatever is appended to a deleted
        segment is lost.

    Raises
    ------
    JuriesError
        If the store can't be read or written.
    """
    index = Index.of(store)
    number = index.number + 1
    work = snapshots.work_folder(
        store, number, f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
    )
    moved, snapshot = 0, index.snapshot
    try:
        writers = Writers(work, snapshots.folder(store, number).name)
        for verdict in index.fresh():
            writers.add(verdict)
            moved += 1
        files = _written(index, writers)
        held = _held(index)
        if (files, held) != (index.snapshot.files, index.snapshot.held):
            snapshot = Snapshot(files=files, held=held)
            work.mkdir(parents=True, exist_ok=True)
            if not snapshots.commit(store, work, number, snapshot):
                raise FileNotFoundError
            snapshots.clear(store, number, (*files, *index.snapshot.files))
    except FileNotFoundError:  # a concurrent compaction deleted what this one read or wrote
        return Compacted(0, 0, 0, 0, len(segments.segments(store)), lost_race=True)
    except OSError as error:
        raise JuriesError(
            f"store {store}: can't be compacted ({error.strerror or error}); nothing has changed"
        ) from None
    finally:
        shutil.rmtree(work, ignore_errors=True)
        index.close()
    retired, left = _retire(store, snapshot, no_writers=no_writers)
    rows = sum(file.rows for file in snapshot.files)
    return Compacted(moved, rows, len(snapshot.files), retired, left)


def _written(index: Index, writers: Writers) -> tuple[File, ...]:
    """Rewrite the files that need it; return the files of the new snapshot."""
    kept = []
    # The smallest first, so that files of similar size are merged and big ones stay.
    for number, file in sorted(enumerate(index.snapshot.files), key=lambda each: each[1].rows):
        partition = (file.dataset, file.judge)
        stale = index.stale.get(number, set())
        if stale or file.rows <= FOLDED * writers.rows(partition):
            _copy(index.sources[number], stale, writers, partition)
        else:
            kept.append(file)
    return tuple(sorted((*kept, *writers.close()), key=lambda file: file.path))


def _copy(source: Path, stale: set[int], writers: Writers, partition: Partition) -> None:
    """Copy the rows of a file that were not superseded."""
    import numpy as np

    with opened(source) as parquet:
        first = 0
        for batch in batches(parquet, source, GROUP):
            there = np.arange(first, first + len(batch))
            first += len(batch)
            writers.add_table(
                partition,
                upgraded(batch, schema().names, source),
                ~np.isin(there, list(stale)) if stale else None,
            )


def _held(index: Index) -> dict[str, segments.Mark]:
    marks = {segments.stem(index.sources[number]): mark for number, mark in index.read.items()}
    return {stem: mark for stem, mark in sorted(marks.items()) if mark.size}


def _retire(store: Path, snapshot: Snapshot, *, no_writers: bool) -> tuple[int, int]:
    """Delete the segments that a snapshot holds completely; return how many, and how many stay."""
    retired, left = 0, 0
    for segment in segments.segments(store):
        mark = snapshot.held.get(segments.stem(segment))
        try:
            # Check first that it is finished: only then is its size final.
            if mark and (no_writers or segments.finished(segment)) and _whole(segment, mark.size):
                segment.unlink()
                retired += 1
                continue
        except FileNotFoundError:
            continue  # deleted by another compaction
        left += 1
    return retired, left


def _whole(segment: Path, size: int) -> bool:
    """Return whether nothing but an incomplete last line, never acknowledged, is not held."""
    with segment.open("rb") as stream:
        stream.seek(size)
        return not stream.readline().endswith(b"\n")


def _quoted(name: str) -> str:
    """Return a name as Hive partitions have it; a long one is cut, and told apart by a hash."""
    quoted = quote(name, safe="") or "__HIVE_DEFAULT_PARTITION__"
    if len(quoted) <= LONGEST_NAME:
        return quoted
    return f"{quoted[: LONGEST_NAME - 20]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


@dataclass
class _Partition:
    """The files being written for one dataset and judge."""

    folder: Path
    buffer: list[Verdict] = field(default_factory=list)
    tables: list[Any] = field(default_factory=list)
    waiting: int = 0  # rows in tables
    rows: int = 0
    writer: Any = None
    paths: list[Path] = field(default_factory=list)


class Writers:
    """Parquet files being written, one or more a partition, under a folder.

    Parameters
    ----------
    folder : Path
        Created on the first write.
    called : str
        The folder's name in the paths of the files that `close` returns.
    """

    def __init__(self, folder: Path, called: str) -> None:
        self.folder, self.called = folder, called
        self._parts: dict[Partition, _Partition] = {}
        self._buffered = 0

    def rows(self, partition: Partition) -> int:
        """Return how many rows were added to a partition so far."""
        part = self._parts.get(partition)
        return part.rows if part else 0

    def add(self, verdict: Verdict) -> None:
        """Write a verdict."""
        part = self._part((verdict.dataset, verdict.judge))
        part.buffer.append(verdict)
        part.rows += 1
        self._buffered += 1
        if len(part.buffer) == GROUP:
            self._convert(part)
        elif self._buffered > BUFFERED:
            self._convert(max(self._parts.values(), key=lambda each: len(each.buffer)))

    def add_table(self, partition: Partition, batch: Any, which: Any = None) -> None:
        """Write Arrow rows: all, or those that a mask selects."""
        import pyarrow as pa

        table = pa.Table.from_batches([batch]).select(schema().names).cast(schema())
        if which is not None:
            table = table.filter(pa.array(which))
        part = self._part(partition)
        self._convert(part)
        part.rows += table.num_rows
        self._add(part, table)

    def close(self) -> list[File]:
        """Write what is buffered; return all files, flushed to the disk."""
        found = []
        for (dataset, judge), part in sorted(self._parts.items()):
            self._convert(part)
            self._flush(part)
            self._end(part)
            for path in part.paths:
                inside = path.relative_to(self.folder).as_posix()
                found.append(self._file(path, f"{self.called}/{inside}", dataset, judge))
        snapshots.to_disk(path for part in self._parts.values() for path in part.paths)
        return found

    def _file(self, path: Path, called: str, dataset: str, judge: str) -> File:
        import pyarrow.parquet as pq

        rows = pq.read_metadata(path).num_rows
        size = path.stat().st_size
        return File(called, dataset, judge, rows, size, snapshots.sha256(path))

    def _part(self, partition: Partition) -> _Partition:
        part = self._parts.get(partition)
        if part is None:
            dataset, judge = map(_quoted, partition)
            folder = self.folder / f"dataset={dataset}" / f"judge={judge}"
            part = self._parts[partition] = _Partition(folder)
        return part

    def _convert(self, part: _Partition) -> None:
        if part.buffer:
            table = table_of(part.buffer)
            self._buffered -= len(part.buffer)
            part.buffer = []
            self._add(part, table)

    def _add(self, part: _Partition, table: Any) -> None:
        part.tables.append(table)
        part.waiting += table.num_rows
        if part.waiting >= GROUP:
            self._flush(part)

    def _flush(self, part: _Partition) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        if not part.waiting:
            part.tables = []
            return
        if part.writer is None:
            writing = [each for each in self._parts.values() if each.writer is not None]
            if len(writing) >= WRITERS:  # a process may open a limited number of files
                self._end(max(writing, key=lambda each: each.rows))
            part.folder.mkdir(parents=True, exist_ok=True)
            part.paths.append(part.folder / f"verdicts-{len(part.paths):04d}.parquet")
            part.writer = pq.ParquetWriter(
                part.paths[-1],
                schema(),
                compression="zstd",
                use_dictionary=REPEATED,
                write_page_checksum=True,
            )
        part.writer.write_table(pa.concat_tables(part.tables), row_group_size=GROUP)
        part.tables, part.waiting = [], 0

    def _end(self, part: _Partition) -> None:
        if part.writer is not None:
            part.writer.close()
            part.writer = None
