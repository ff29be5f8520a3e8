"""The verdict store: append-only, content-addressed, safe to kill.

A store is a folder of segments. Each writing process appends to a segment of its own, so writers
need no lock, on one machine or on a cluster's shared file system. A segment is JSON Lines, a
verdict a line; a line is written with one call once the verdict is whole, so a killed process
leaves at most one torn line at the end of its segment, which readers drop and report.

A verdict's key is a hash of all that determines the reply (see `judges.base.key_of`), so a verdict
found here is never asked again, and one whose prompt, model or decoding changed is never found.
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
        self._segment: BinaryIO | None = None
        self._verdicts: dict[str, Verdict] | None = None

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
        return self._loaded().get(key)

    def __iter__(self) -> Iterator[Verdict]:
        """Yield the verdict that counts for each key."""
        return iter(self._loaded().values())

    def __len__(self) -> int:
        return len(self._loaded())

    def append(self, verdict: Verdict) -> None:
        """Keep a verdict; it survives a kill of this process from the moment this returns."""
        if self._segment is None:
            self._segment = self._new_segment()
        line = _encode(verdict) + b"\n"
        try:
            if self._segment.write(line) < len(line):  # as where the disk is full
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            raise JuriesError(
                f"store {self.path}: can't write ({error.strerror}); "
                "all verdicts so far are kept, run again to go on"
            ) from None
        keep(self._loaded(), verdict)

    def close(self) -> None:
        """Flush this process's segment to the disk."""
        if self._segment is not None:
            os.fsync(self._segment.fileno())
            self._segment.close()
            self._segment = None

    def _loaded(self) -> dict[str, Verdict]:
        if self._verdicts is None:
            self._verdicts = {}
            for verdict in self._read():
                keep(self._verdicts, verdict)
        return self._verdicts

    def _read(self) -> Iterator[Verdict]:
        for segment in sorted(self.path.glob("*.jsonl")):
            *lines, tail = segment.read_bytes().split(b"\n")
            if (
                tail
            ):  # not ended by a line break: the writer was killed in mid-line, or still writes
                log.warning("%s: dropped a torn last line of %d bytes", segment, len(tail))
            for number, line in enumerate(lines, 1):
                try:
                    yield _decode(line)
                except (msgspec.DecodeError, UnicodeDecodeError) as error:
                    log.warning("%s: dropped damaged line %d (%s)", segment, number, error)

    def _new_segment(self) -> BinaryIO:
        # The host and a random part keep two nodes that share a clock and a pid apart.
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        name = f"{stamp}-{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}.jsonl"
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            return (self.path / name).open("xb", buffering=0)
        except OSError as error:
            raise JuriesError(f"store {self.path}: can't write ({error.strerror})") from None


def keep(verdicts: dict[str, Verdict], new: Verdict) -> None:
    """Keep the verdict that counts for its key, whatever the order in which they are read.

    A verdict beats a reply without one, that beats a failure to get a reply; of two verdicts the
    earlier counts (it was paid first and may have been published), of two others the later.
    """
    old = verdicts.get(new.key)
    if old is not None:
        ranks = _rank(old), _rank(new)
        if ranks[0] < ranks[1] or (ranks[0] == ranks[1] and _encode(old) <= _encode(new)):
            return
    verdicts[new.key] = new


def _rank(verdict: Verdict) -> tuple[int, float]:
    match verdict.outcome:
        case Outcome.OK:
            return 0, verdict.asked_at
        case Outcome.FAILED:
            return 2, -verdict.asked_at
        case _:
            return 1, -verdict.asked_at
