"""The index of a store: where each key's verdict is, in segments and Parquet files.

Only the location of a verdict is held in memory (see `key_index`): replies may be long and many.
"""

from __future__ import annotations

import errno
import logging
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..errors import JuriesError
from ..types import Outcome, Verdict
from . import segments, snapshots
from .key_index import PLACE, Place, Places, codes_of
from .parquet import Rows, batches, opened
from .segments import Mark
from .snapshots import File, Snapshot

log = logging.getLogger(__name__)
RETRIES = 20
GONE = (errno.ENOENT, errno.ESTALE)


@dataclass
class Found:
    """What was found while reading, for `verify`.

    `lines` counts the complete lines of segments that no Parquet file holds, `again` the verdicts
    whose key was read before, `conflicts` the keys whose verdicts have different values,
    `uncompared` those whose replies differ and were parsed in different ways.
    """

    lines: int = 0
    torn: int = 0
    damaged: int = 0
    again: int = 0
    conflicts: set[str] = field(default_factory=set)
    uncompared: set[str] = field(default_factory=set)


class Index:
    """The place of each key's verdict: of several, the one that counts.

    Attributes
    ----------
    sources : list of Path
        Parquet files first, then segments; places refer to them by position.
    number, snapshot
        The snapshot that was read.
    read : mapping of int to Mark
        How far each segment was read, by its number: up to its first damaged or incomplete line.
    stale : mapping of int to set of int
        The rows of each Parquet file that were superseded.
    own : int
        The number of the segment that this process writes, -1 if it writes none.
    """

    def __init__(self, store: Path) -> None:
        self.store = store
        self.sources: list[Path] = []
        self.number, self.snapshot = 0, Snapshot()
        self.read: dict[int, Mark] = {}
        self.stale: dict[int, set[int]] = defaultdict(set)
        self.found = Found()
        self.own = -1
        self._places = Places()
        self._rows = Rows()
        self._reading: BinaryIO | None = None

    @classmethod
    def of(cls, store: Path, own: Path | None = None) -> Index:
        """Read the index of a store.

        Raises
        ------
        JuriesError
            If a Parquet file is damaged, missing or of a newer version, or something can't be read.
        """
        for _ in range(RETRIES):
            made = cls(store)
            try:
                made._load(own)
            except FileNotFoundError as error:  # a compaction took it meanwhile
                made.close()
                gone = error.filename or error
            except OSError as error:
                made.close()
                raise JuriesError(
                    f"store {store}: can't read {error.filename} ({error.strerror})"
                ) from None
            else:
                return made
        raise JuriesError(f"{gone}: missing, though the store lists it; restore it from a copy")

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[tuple[bytes, Place]]:
        return self._places.items()

    def place(self, key: str) -> Place | None:
        """Return the place of a key, None where there is none."""
        return self._places.get(key)

    def place_of(self, code: bytes) -> Place | None:
        """Return the place of a key's code, None where there is none."""
        return self._places.at(code)

    @property
    def tables(self) -> int:
        """How many of the sources are Parquet files."""
        return len(self.snapshot.files)

    def verdict(self, place: Place) -> Verdict:
        """Return the verdict at a place. Raises FileNotFoundError if a compaction has moved it."""
        source = self.sources[place.segment]
        try:
            if place.segment < self.tables:
                return self._rows.verdict(source, place.offset)
            # Verdicts are mostly read in the order they were written, so one open file is enough.
            if self._reading is None or self._reading.name != str(source):
                if self._reading is not None:
                    self._reading.close()
                    self._reading = None
                self._reading = source.open("rb")
            self._reading.seek(place.offset)
            return segments.decode(self._reading.read(place.size))
        except OSError as error:
            if error.errno in GONE:
                raise FileNotFoundError(errno.ENOENT, "gone", str(source)) from None
            raise

    def keep(self, verdict: Verdict, place: Place) -> None:
        """Record a verdict's place unless another verdict of its key counts."""
        old = self._places.get(verdict.key)
        if old is not None:
            other = self.verdict(old)
            self.found.again += 1
            if conflict(other, verdict):
                self.found.conflicts.add(verdict.key)
            if uncomparable(other, verdict):
                self.found.uncompared.add(verdict.key)
            if not counts(verdict, other) and not (place.segment == self.own and other == verdict):
                return
            if old.segment < self.tables:
                self.stale[old.segment].add(old.offset)
        self._places.put(verdict.key, place)

    def fresh(self, *, damaged: bool = False) -> Iterator[Verdict]:
        """Yield the verdicts that count and are in no Parquet file, in the order of the segments.

        Those after a damaged line are yielded only if `damaged`: a compaction leaves them.
        """
        for number, mark in self.read.items():
            segment = self.sources[number]
            held = self.snapshot.held.get(segments.stem(segment))
            offsets = iter(self._places.offsets(number))
            at = next(offsets, None)
            for line in segments.lines(segment, held, None if damaged else mark.size):
                if line.offset == at:
                    at = next(offsets, None)
                    assert line.verdict is not None  # noqa: S101 - it has a place
                    yield line.verdict

    def close(self) -> None:
        """Close all files."""
        self._rows.close()
        if self._reading is not None:
            self._reading.close()
            self._reading = None

    def _load(self, own: Path | None) -> None:
        listed = segments.segments(self.store)  # before the snapshot; see `snapshots`
        self.number, self.snapshot = snapshots.newest(self.store)
        if self.snapshot.files:
            self._fill(self.snapshot.files)
        for segment in listed:
            number, begun = len(self.sources), self.snapshot.held.get(segments.stem(segment))
            self.sources.append(segment)
            if own is not None and segments.stem(segment) == segments.stem(own):
                self.own, begun = number, None  # all of it: see Store.appended_since
            self._read(segment, number, begun or Mark())

    def _fill(self, files: tuple[File, ...]) -> None:
        codes, places = [], []
        for number, file in enumerate(files):
            path = snapshots.checked(self.store, file)
            self.sources.append(path)
            with opened(path) as parquet:
                rows = 0
                for batch in batches(parquet, path, 1 << 16, ["key"]):
                    if batch.column(0).null_count:
                        raise JuriesError(f"{path}: a row has no key; restore it from a copy")
                    codes.append(codes_of(batch.column(0)))
                    places.append(np.zeros(len(batch), PLACE))
                    places[-1]["segment"] = number
                    places[-1]["offset"] = np.arange(rows, rows + len(batch))
                    rows += len(batch)
        self.found.again += self._places.fill(np.concatenate(codes), np.concatenate(places))

    def _read(self, segment: Path, number: int, begun: Mark) -> None:
        clean = True
        mark = begun
        for line in segments.lines(segment, begun):
            if line.verdict is not None:
                self.found.lines += 1
                self.keep(line.verdict, Place(number, line.offset, line.size))
            elif line.torn:
                self.found.torn += 1
                log.warning("%s: dropped an incomplete last line of %d bytes", segment, line.size)
                break
            else:
                self.found.damaged += 1
                log.warning("%s: dropped damaged line %d (%s)", segment, line.number, line.error)
                clean = False
            if clean:
                mark = Mark(line.offset + line.size, line.number)
        self.read[number] = mark


def precedence(verdict: Verdict) -> tuple[int, float]:
    """Return the rank of a verdict among those of one key: the lowest counts.

    A value beats a reply without one, which beats a failed request. Of two values the earlier
    counts (it may have been published), of two others the later.
    """
    match verdict.outcome:
        case Outcome.OK:
            return 0, verdict.asked_at
        case Outcome.FAILED:
            return 2, -verdict.asked_at
        case _:
            return 1, -verdict.asked_at


def counts(new: Verdict, old: Verdict) -> bool:
    """Return whether the new of two verdicts of one key counts, whichever was written first."""
    one, other = precedence(new), precedence(old)
    return one < other or (one == other and segments.encode(new) < segments.encode(old))


def conflict(one: Verdict, other: Verdict) -> bool:
    """Return whether two verdicts of one key have different values.

    Values that were parsed in different ways are not compared: one may spell "True" what is "1"
    to the other, as stores of format 1 do.
    """
    both = one.outcome is Outcome.OK and other.outcome is Outcome.OK
    return both and one.reader == other.reader and one.value != other.value


def uncomparable(one: Verdict, other: Verdict) -> bool:
    """Return whether two verdicts of one key were parsed in different ways from different replies.

    Whether their values differ is then not known.
    """
    both = one.outcome is Outcome.OK and other.outcome is Outcome.OK
    return both and one.reader != other.reader and one.reply.text != other.reply.text
