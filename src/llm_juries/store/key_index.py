"""A compact map from keys to places in a store: 32 bytes a verdict.

Keys and places are held in sorted arrays. Newer ones are held in a dictionary, which is merged into
the arrays when it reaches a share of their size: a million verdicts take 32 MB and a look-up takes
microseconds.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

RECENT_AT_LEAST, RECENT_SHARE = 1 << 14, 32
CODE, PLACE = np.dtype("S16"), np.dtype([("segment", "u4"), ("offset", "u8"), ("size", "u4")])
_HEX = re.compile(r"[0-9a-f]{32}").fullmatch
_DIGITS = np.full(256, 255, np.uint8)
_DIGITS[np.frombuffer(b"0123456789abcdef", np.uint8)] = range(16)


class Place(NamedTuple):
    """Where a verdict is: `size` bytes at `offset` of a segment, given by its number.

    In a Parquet file, which has a number too, `offset` is the row and `size` is 0.
    """

    segment: int
    offset: int
    size: int


class Places:
    """A mapping from keys to places."""

    def __init__(self) -> None:
        self._codes: npt.NDArray[np.bytes_] = np.empty(0, CODE)
        self._sorted: npt.NDArray[Any] = np.empty(0, PLACE)
        self._recent: dict[bytes, Place] = {}

    def __len__(self) -> int:
        self._merge()
        return len(self._codes)

    def get(self, key: str) -> Place | None:
        """Return the place of a key, None where there is none."""
        return self.at(code(key))

    def at(self, code: bytes) -> Place | None:
        """Return the place of a key's code, None where there is none."""
        return self._recent.get(code) or self._settled(code)

    def put(self, key: str, place: Place) -> None:
        """Set the place of a key."""
        self._recent[code(key)] = place
        if len(self._recent) > max(RECENT_AT_LEAST, len(self._codes) // RECENT_SHARE):
            self._merge()

    def fill(self, codes: npt.NDArray[np.bytes_], places: npt.NDArray[Any]) -> int:
        """Set many places at once in an empty map; return how many codes were repeated.

        The first place of a repeated code stays.
        """
        order = _argsort(codes)
        codes = codes[order]
        first = np.ones(len(codes), bool)
        first[1:] = codes[1:] != codes[:-1]
        self._codes, self._sorted = codes[first], places[order[first]]
        return len(codes) - len(self._codes)

    def __iter__(self) -> Iterator[Place]:
        """Yield all places in file order, segment by segment."""
        return (place for _, place in self.items())

    def items(self) -> Iterator[tuple[bytes, Place]]:
        """Yield the codes and places of all keys, in file order."""
        self._merge()
        codes, places = self._codes, self._sorted
        for at in np.lexsort((places["offset"], places["segment"])):
            yield bytes(codes[at]).ljust(CODE.itemsize, b"\0"), _place(places[at])

    def offsets(self, segment: int) -> list[int]:
        """Return the offsets of one segment's verdicts, ascending."""
        self._merge()
        found = self._sorted["offset"][self._sorted["segment"] == segment]
        listed: list[int] = np.sort(found).tolist()
        return listed

    def _settled(self, code: bytes) -> Place | None:
        if not len(self._codes):
            return None
        at = int(self._codes.searchsorted(code))
        # NumPy strips trailing zero bytes.
        if at == len(self._codes) or self._codes[at] != code.rstrip(b"\0"):
            return None
        return _place(self._sorted[at])

    def _merge(self) -> None:
        if not self._recent:
            return
        codes = np.array(list(self._recent), CODE)
        places = np.array(list(self._recent.values()), PLACE)
        order = codes.argsort()
        codes, places = codes[order], places[order]
        at = self._codes.searchsorted(codes)
        known = np.zeros(len(codes), bool)
        inside = at < len(self._codes)
        known[inside] = self._codes[at[inside]] == codes[inside]
        self._sorted[at[known]] = places[known]
        self._codes = np.insert(self._codes, at[~known], codes[~known])
        self._sorted = np.insert(self._sorted, at[~known], places[~known])
        self._recent = {}


def code(key: str) -> bytes:
    """Return a key's 16-byte code: its bytes if it is 32 hex digits, else a hash of it."""
    return (
        bytes.fromhex(key) if _HEX(key) else hashlib.blake2b(key.encode(), digest_size=16).digest()
    )


def codes_of(keys: Any) -> npt.NDArray[np.bytes_]:
    """Return the codes of keys, given as an Arrow array of strings without nulls.

    Takes a few nanoseconds each if all are 32 hex digits, as real keys are.
    """
    n = len(keys)
    starts = np.frombuffer(keys.buffers()[1], np.int32)[keys.offset : keys.offset + n + 1]
    if n and (np.diff(starts) == 32).all():
        letters = np.frombuffer(keys.buffers()[2], np.uint8)[starts[0] : starts[-1]]
        digits = _DIGITS[letters].reshape(n, 16, 2)
        if digits.max() < 16:
            return (digits[:, :, 0] << 4 | digits[:, :, 1]).view(CODE).ravel()
    return np.array([code(key) for key in keys.to_pylist()], CODE)


def _argsort(codes: npt.NDArray[np.bytes_]) -> npt.NDArray[np.intp]:
    """Sort by the first 8 bytes, which is fast and nearly always enough, else by all 16."""
    halves = np.ascontiguousarray(codes).view(">u8").reshape(-1, 2)[:, 0].astype(np.uint64)
    order = halves.argsort(kind="stable")
    if (np.diff(halves[order]) == 0).any():
        return codes.argsort(kind="stable")
    return order


def _place(row: Any) -> Place:
    return Place(*row.item())
