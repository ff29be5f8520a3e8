"""The verdict store: append-only, content-addressed, safe to kill.

A store is a folder of segments, to which each writing process appends one of its own (see
`segments`), so writers need no lock, on one machine or on a cluster's shared file system; and of
Parquet files, into which a compaction moves what the segments hold (see `compaction`). Both read
as one.

A verdict's key is a hash of all that determines the reply (see `judges.base.key_of`), so a verdict
found here is never asked again, and one whose prompt, model or decoding changed is never found.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from ..errors import JuriesError
from ..types import Verdict
from . import segments
from .index import RETRIES, Index
from .key_index import Place


class Store:
    """A folder of verdicts, opened for reading and appending.

    Parameters
    ----------
    path : str or Path
        The folder; made on the first write.

    Raises
    ------
    JuriesError
        If the path is a file, or can't be written when a verdict is appended; if its Parquet files
        are damaged or of a newer version, when it is first read.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        try:
            if self.path.exists() and not self.path.is_dir():
                raise JuriesError(f"store {self.path}: is a file; a store is a folder")
        except PermissionError as error:
            raise JuriesError(f"store {self.path}: can't be read ({error.strerror})") from None
        self._writing: BinaryIO | None = None
        self._own: Path | None = None  # the last segment that this object wrote
        self._known: Index | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def get(self, key: str) -> Verdict | None:
        """Return the verdict kept under a key, None where there is none."""
        for _ in range(RETRIES):
            place = self._index.place(key)
            if place is None:
                return None
            try:
                return self._index.verdict(place)
            except FileNotFoundError:
                self._read_anew()
        raise JuriesError(f"store {self.path}: changes faster than it can be read; try again")

    def __iter__(self) -> Iterator[Verdict]:
        """Yield the verdict that counts for each key."""
        first = self._index
        for code, known in first:
            while True:
                index = self._index  # another since a compaction has moved things
                place = known if index is first else index.place_of(code)
                try:
                    found = None if place is None else index.verdict(place)
                except FileNotFoundError:
                    self._read_anew()
                else:
                    break
            if found is not None:
                yield found

    def __len__(self) -> int:
        return len(self._index)

    def mark(self) -> int:
        """Return a mark of all that has been appended to this store object so far."""
        return 0 if self._writing is None else self._writing.tell()

    def appended_since(self, key: str, mark: int) -> bool:
        """Return whether the verdict kept under a key was appended here after a mark."""
        index = self._index
        place = index.place(key)
        return place is not None and place.segment == index.own and place.offset >= mark

    def append(self, verdict: Verdict) -> None:
        """Keep a verdict; it survives a kill of this process from the moment this returns."""
        index = self._index
        if self._writing is None:
            try:
                self._writing = segments.begin(self.path)
            except OSError as error:
                raise JuriesError(f"store {self.path}: can't write ({error.strerror})") from None
            self._own = Path(self._writing.name)
            index.own = len(index.sources)
            index.sources.append(self._own)
        line = segments.encode(verdict) + b"\n"
        offset = self._writing.tell()
        try:
            if self._writing.write(line) < len(line):  # as where the disk is full
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            self._writing.close()  # so that nothing is ever written after a torn line
            self._writing = None
            raise JuriesError(
                f"store {self.path}: can't write ({error.strerror}); "
                "all verdicts so far are kept, run again to go on"
            ) from None
        place = Place(index.own, offset, len(line))
        try:
            index.keep(verdict, place)
        except FileNotFoundError:  # the other verdict of its key has moved
            self._read_anew()

    def close(self) -> None:
        """Flush this process's segment to the disk and close it for good."""
        if self._known is not None:
            self._known.close()
        if self._writing is not None:
            self._own = segments.end(self._writing)
            self._writing = None
            if self._known is not None and self._known.own >= 0:
                self._known.sources[self._known.own] = self._own

    @property
    def _index(self) -> Index:
        if self._known is None:
            self._known = Index.of(self.path, self._own)
        return self._known

    def _read_anew(self) -> None:
        """Let the places be read again: a compaction has moved verdicts since."""
        if self._known is not None:
            self._known.close()
        self._known = None
