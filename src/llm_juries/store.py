"""The verdict store: append-only, content-addressed, safe to kill.

A store is a folder of segments. Each writing process appends to a segment of its own, so writers
need no lock, on one machine or on a cluster's shared file system. A segment is JSON Lines, a
verdict a line; a line is written with one call once the verdict is whole, so a killed process
leaves at most one torn line at the end of its segment, which readers drop and report.

A verdict's key is a hash of all that determines the reply (see `judges.base.key_of`), so a verdict
found here is never asked again, and one whose prompt, model or decoding changed is never found.

Of each verdict only its place is held in memory (see `places`): replies may be long and many.
"""

from __future__ import annotations

import errno
import logging
import os
import secrets
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import msgspec

from .places import Place, Places
from .types import JuriesError, Outcome, Verdict

log = logging.getLogger(__name__)

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Verdict).decode


class Store:
    """A folder of verdicts, opened for reading and appending.

    Parameters
    ----------
    path : str or Path
        The folder; made on the first write.

    Raises
    ------
    JuriesError
        If the path is a file, or can't be written when a verdict is appended.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if self.path.exists() and not self.path.is_dir():
            raise JuriesError(f"store {self.path}: is a file; a store is a folder")
        self._writing: BinaryIO | None = None
        self._reading: BinaryIO | None = None
        self._places: Places | None = None
        self._segments: list[Path] = []  # by their numbers in places
        self._own = -1  # the number of the segment that this process writes

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
        place = self._index.get(key)
        return None if place is None else _decode(self._line(place))

    def __iter__(self) -> Iterator[Verdict]:
        """Yield the verdict that counts for each key."""
        return (_decode(self._line(place)) for place in self._index)

    def __len__(self) -> int:
        return len(self._index)

    def mark(self) -> int:
        """Return a mark of all that has been appended to this store object so far."""
        return 0 if self._writing is None else self._writing.tell()

    def appended_since(self, key: str, mark: int) -> bool:
        """Return whether the verdict kept under a key was appended here after a mark."""
        place = self._index.get(key)
        return place is not None and place.segment == self._own and place.offset >= mark

    def append(self, verdict: Verdict) -> None:
        """Keep a verdict; it survives a kill of this process from the moment this returns."""
        index = self._index
        if self._writing is None:
            self._writing = self._new_segment()
            self._own = len(self._segments)
            self._segments.append(Path(self._writing.name))
        line = _encode(verdict) + b"\n"
        offset = self._writing.tell()
        try:
            if self._writing.write(line) < len(line):  # as where the disk is full
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            raise JuriesError(
                f"store {self.path}: can't write ({error.strerror}); "
                "all verdicts so far are kept, run again to go on"
            ) from None
        self._keep(index, verdict, Place(self._own, offset, len(line)))

    def close(self) -> None:
        """Flush this process's segment to the disk."""
        if self._writing is not None:
            os.fsync(self._writing.fileno())
            self._writing.close()
            self._writing = None
        if self._reading is not None:
            self._reading.close()
            self._reading = None

    @property
    def _index(self) -> Places:
        if self._places is None:
            self._places = Places()
            for segment in sorted(self.path.glob("*.jsonl")):
                self._read(segment, self._places)
        return self._places

    def _read(self, segment: Path, index: Places) -> None:
        own, offset = len(self._segments), 0
        self._segments.append(segment)
        with segment.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                # Not ended by a line break: the writer was killed in mid-line, or still writes.
                if not line.endswith(b"\n"):
                    log.warning("%s: dropped a torn last line of %d bytes", segment, len(line))
                    break
                try:
                    self._keep(index, _decode(line), Place(own, offset, len(line)))
                except (msgspec.DecodeError, UnicodeDecodeError) as error:
                    log.warning("%s: dropped damaged line %d (%s)", segment, number, error)
                offset += len(line)

    def _keep(self, index: Places, verdict: Verdict, place: Place) -> None:
        """Note a verdict's place unless another of its key counts, whichever was read first."""
        old = index.get(verdict.key)
        if old is not None:
            line = self._line(old)
            kept, new = precedence(_decode(line)), precedence(verdict)
            if kept < new or (kept == new and line <= self._line(place)):
                return
        index.put(verdict.key, place)

    def _line(self, place: Place) -> bytes:
        segment = self._segments[place.segment]
        # Verdicts are mostly read in the order they were written, so one open file will do.
        if self._reading is None or self._reading.name != str(segment):
            if self._reading is not None:
                self._reading.close()
            self._reading = segment.open("rb")
        self._reading.seek(place.offset)
        return self._reading.read(place.size)

    def _new_segment(self) -> BinaryIO:
        # The host and a random part keep two nodes that share a clock and a pid apart.
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        name = f"{stamp}-{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}.jsonl"
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            return (self.path / name).open("xb", buffering=0)
        except OSError as error:
            raise JuriesError(f"store {self.path}: can't write ({error.strerror})") from None


def precedence(verdict: Verdict) -> tuple[int, float]:
    """Return what decides between verdicts of one key: the least counts.

    A verdict beats a reply without one, that beats a failure to get a reply; of two verdicts the
    earlier counts (it was paid first and may have been published), of two others the later.
    """
    match verdict.outcome:
        case Outcome.OK:
            return 0, verdict.asked_at
        case Outcome.FAILED:
            return 2, -verdict.asked_at
        case _:
            return 1, -verdict.asked_at
