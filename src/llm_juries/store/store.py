"""The verdict store: append-only, content-addressed, safe to kill.

A store is a folder of segments and Parquet files, read as one. Each writing process appends to its
own segment (see `segments`), so writers need no lock, on one machine or on a shared file system. A
compaction moves verdicts from segments into Parquet files (see `compaction`).

A verdict's key is a hash of everything that determines the reply (see `judges.base.key_of`): a
stored verdict is never asked for again, and a change of prompt, model or decoding is another key.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from ..errors import JuriesError
from ..files import check_folders
from ..types import Verdict
from . import segments
from .index import RETRIES, Index
from .key_index import Place


class UnstorableError(JuriesError):
    """A verdict that could not be read back; nothing was written."""


class Store:
    """A folder of verdicts, opened for reading and appending.

    Parameters
    ----------
    path : str or Path
        The folder; created on the first write.

    Raises
    ------
    JuriesError
        If the path is a file, or one of its folders a link that leads out of it; if it can't be
        written when a verdict is appended; if its Parquet files are damaged or of a newer version,
        when it is first read.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        try:
            if self.path.exists():
                if not self.path.is_dir():
                    raise JuriesError(f"store {self.path}: is a file; a store is a folder")
                check_folders(self.path)
        except PermissionError as error:
            raise JuriesError(f"store {self.path}: can't be read ({error.strerror})") from None
        self._writing: BinaryIO | None = None
        self._own: Path | None = None  # the last segment that this object wrote
        self._known: Index | None = None
        self._seen: dict[str, int] = {}

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
        """Return the verdict stored under a key, None if there is none."""
        for _ in range(RETRIES):
            place = self._index.place(key)
            if place is None:
                return None
            try:
                return self._index.verdict(place)
            except FileNotFoundError:
                self._reload()
        raise JuriesError(
            f"store {self.path}: is compacted again and again while it is read; try again later"
        )

    def __iter__(self) -> Iterator[Verdict]:
        """Yield the verdict that counts for each key."""
        first = self._index
        for code, known in first:
            while True:
                index = self._index  # a new one after a compaction
                place = known if index is first else index.place_of(code)
                try:
                    found = None if place is None else index.verdict(place)
                except FileNotFoundError:
                    self._reload()
                else:
                    break
            if found is not None:
                yield found

    def __len__(self) -> int:
        return len(self._index)

    def refresh(self) -> bool:
        """Read the index again if other processes have written since; return whether they had."""
        if self._known is None or self._sizes() == self._seen:
            return False
        self._reload()
        return True

    def mark(self) -> int:
        """Return a mark at the end of what this object has appended so far."""
        return 0 if self._writing is None else self._writing.tell()

    def appended_since(self, key: str, mark: int) -> bool:
        """Return whether the verdict of a key was appended by this object after a mark."""
        index = self._index
        place = index.place(key)
        return place is not None and place.segment == index.own and place.offset >= mark

    def append(self, verdict: Verdict) -> None:
        """Store a verdict; once this returns, it survives a kill of this process.

        Raises
        ------
        UnstorableError
            If its line could not be read back.
        JuriesError
            If the store can't be written.
        """
        try:
            line = segments.checked(verdict) + b"\n"
        except ValueError as error:
            raise UnstorableError(f"store {self.path}: key {verdict.key}: {error}") from None
        index = self._index
        if self._writing is None:
            try:
                self._writing = segments.begin(self.path)
            except OSError as error:
                raise JuriesError(f"store {self.path}: can't write ({error.strerror})") from None
            self._own = Path(self._writing.name)
            index.own = len(index.sources)
            index.sources.append(self._own)
        offset = self._writing.tell()
        try:
            if self._writing.write(line) < len(line):  # as where the disk is full
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            self._writing.close()  # nothing may be written after an incomplete line
            self._writing = None
            raise JuriesError(
                f"store {self.path}: can't write ({error.strerror}); "
                "the verdicts so far are stored; run again to resume"
            ) from None
        place = Place(index.own, offset, len(line))
        try:
            index.keep(verdict, place)
        except FileNotFoundError:  # a compaction moved the other verdict of its key
            self._reload()

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
            self._seen = self._sizes()  # first: what is written meanwhile is read, or noticed
            self._known = Index.of(self.path, self._own)
        return self._known

    def _sizes(self) -> dict[str, int]:
        """Return the sizes of the segments of other processes."""
        own = segments.stem(self._own) if self._own else None
        found = {}
        for path in segments.segments(self.path):
            with contextlib.suppress(FileNotFoundError):  # a compaction moved its verdicts
                if segments.stem(path) != own:
                    found[segments.stem(path)] = path.stat().st_size
        return found

    def _reload(self) -> None:
        """Read the index again on the next use: a compaction has moved verdicts."""
        if self._known is not None:
            self._known.close()
        self._known = None
