"""Where the verdicts of a store lie, in little memory: 32 bytes a verdict.

Keys and places are held in sorted arrays, and what came since in a dictionary that is merged into
them once it has grown by a share of their size, so that a million verdicts take 32 MB and each of
them is looked up in microseconds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

RECENT_AT_LEAST, RECENT_SHARE = 1 << 14, 32

_CODE, _PLACE = np.dtype("S16"), np.dtype([("segment", "u4"), ("offset", "u8"), ("size", "u4")])


class Place(NamedTuple):
    """The bytes of one verdict: `size` of them at `offset` of a segment, by its number."""

    segment: int
    offset: int
    size: int


class Places:
    """The place of each key. A mapping in all but the order of its values."""

    def __init__(self) -> None:
        self._codes: npt.NDArray[np.bytes_] = np.empty(0, _CODE)
        self._sorted: npt.NDArray[Any] = np.empty(0, _PLACE)
        self._recent: dict[bytes, Place] = {}

    def __len__(self) -> int:
        self._merge()
        return len(self._codes)

    def get(self, key: str) -> Place | None:
        """Return the place of a key, None where there is none."""
        code = _code(key)
        return self._recent.get(code) or self._settled(code)

    def put(self, key: str, place: Place) -> None:
        """Set the place of a key."""
        self._recent[_code(key)] = place
        if len(self._recent) > max(RECENT_AT_LEAST, len(self._codes) // RECENT_SHARE):
            self._merge()

    def __iter__(self) -> Iterator[Place]:
        """Yield all places as they lie, segment by segment."""
        self._merge()
        order = np.lexsort((self._sorted["offset"], self._sorted["segment"]))
        yield from map(_place, self._sorted[order])

    def _settled(self, code: bytes) -> Place | None:
        at = int(self._codes.searchsorted(code))
        if at == len(self._codes) or self._codes[at] != code:
            return None
        return _place(self._sorted[at])

    def _merge(self) -> None:
        if not self._recent:
            return
        codes = np.array(list(self._recent), _CODE)
        places = np.array(list(self._recent.values()), _PLACE)
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


def _code(key: str) -> bytes:
    # NumPy cuts zero bytes off the end of a text, so no code may end in one.
    return hashlib.blake2b(key.encode(), digest_size=15).digest() + b"."


def _place(row: Any) -> Place:
    return Place(*row.item())
