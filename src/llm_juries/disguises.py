"""Find a key in a text that escapes it, encodes it, splits it, spaces it out or masks its middle.

Only letters and digits are compared, without their case: all that such a disguise adds or changes
is something else. So one plain search finds the key, whatever stands between its characters. Of a
masked key only its ends are left: they are found beside the mask.
"""

from __future__ import annotations

import base64
import itertools
import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

LEAST = 16  # letters and digits of a key, or of a code of it, that are searched for in disguise
_PIECE = re.compile(
    r"%(?:25)*(?P<percent>[0-9a-fA-F]{2})"
    r"|\\\\*(?:u(?P<u>[0-9a-fA-F]{4})|u\{(?P<braced>[0-9a-fA-F]{1,6})\}|x(?P<x>[0-9a-fA-F]{2})"
    r"|(?P<octal>[0-7]{3})|[nrtbf])"
    r"|&#(?:x(?P<hexadecimal>[0-9a-fA-F]{1,6})|(?P<decimal>\d{1,7}));|&[a-zA-Z]{2,8};"
    r"|</?[a-zA-Z]{1,10}/?>"
)
"""What stands for one character, or for none that matters, in URLs, JSON, code and HTML."""
_MASK = re.compile(
    r"\s?(?:"
    r"(?:(?:\\?[*.•●∙·⋅…#█■_]|\\u(?:2026|2022)|&(?:hellip|bull|middot);)\s?){2,}"
    r"|…|\\u2026|&hellip;|[xX]{3,}"
    r"|[\[({<](?:\.\.\.?|…|\*+|[a-zA-Z]{4,12})[\])}>]"
    r")\s?"
)
"""What stands for the middle of a masked key: stars, dots, an ellipsis, "[redacted]"."""
ENDS = 5  # characters of both ends of a key beside a mask that are enough to be the key's
TAIL, HEAD = 4, 8  # of one end alone; many keys of a vendor begin alike
_KEPT = bytes(range(256)).lower()
_DROPPED = bytes(code for code in range(256) if not (code < 128 and chr(code).isalnum()))


class _Core(NamedTuple):
    """The letters and digits of one code of a key, with the part that is searched for first."""

    whole: str
    middle: str
    at: int


@lru_cache(maxsize=256)
def _cores(key: str) -> tuple[_Core, ...]:
    """Return the codes of a key without signs and cases, which separators and escapes leave."""
    raw = key.encode()
    coded = [key, raw.hex(), "".join(map(str, raw)), base64.b32encode(raw).decode().rstrip("=")]
    coded += ["".join(f"{code:03o}" for code in raw), "".join(f"0x{code:02x}" for code in raw)]
    for inner in (raw, base64.b64encode(raw), key.encode("utf-16-le")):
        for before in range(3):
            whole = base64.b64encode(bytes(before) + inner).decode().rstrip("=")
            coded.append(whole[-(-before * 8 // 6) : (before + len(inner)) * 8 // 6])
    plain = dict.fromkeys(core_of(code) for code in coded)
    return tuple(
        _Core(core, core[len(core) // 4 : -(len(core) // 4)], len(core) // 4)
        for core in plain
        if len(core) >= LEAST
    )


def core_of(text: str) -> str:
    """Return the letters and digits of ASCII that a text has, in lower case."""
    return text.encode(errors="ignore").translate(_KEPT, _DROPPED).decode()


def without_disguised(text: str, key: str, instead: str) -> str:
    """Return a text without a key that is escaped, split, spaced out, or lacks less than a quarter.

    A key of fewer than `LEAST` letters and digits is searched for only in its longer codes.
    """
    cores = _cores(key)
    if len(text) < LEAST or not cores:
        return text
    known = text if text.isascii() else unicodedata.normalize("NFKC", text)
    plain = core_of(_PIECE.sub(_piece, known))
    if not any(core.middle in plain for core in cores):
        return text
    text = known
    signs, places = [], []  # the same letters and digits, and where each is in the text
    at = 0
    for piece in [*_PIECE.finditer(text), None]:
        parts = [(sign, at + n, at + n + 1) for n, sign in enumerate(text[at : _start(piece)])]
        if piece:
            parts.append((_piece(piece), *piece.span()))
            at = piece.end()
        for part, begin, end in parts:
            for sign in core_of(part):
                signs.append(sign)
                places.append((begin, end))
    plain = "".join(signs)
    found = [span for core in cores for span in _spans(plain, core)]
    kept, at = [], 0
    for first, last in sorted((places[begin][0], places[end - 1][1]) for begin, end in found):
        if first >= at:
            kept += [text[at:first], instead]
        at = max(at, last)
    return "".join([*kept, text[at:]])


def without_masked(text: str, key: str, instead: str) -> str:
    """Return a text without what a mask has left of a key: "sk-A****StUv", "...StUv"."""
    if not _MASK.search(text):
        return text
    heads, tails = _ends(key)
    known, kept, at = text.lower(), [], 0
    for mask in _MASK.finditer(text):
        begin, end = mask.start(), mask.end()
        before, after = known[max(at, begin - len(key)) : begin], known[end : end + len(key)]
        head = next((len(h) for h in heads.get(before[-1:], ()) if before.endswith(h)), 0)
        tail = next((len(t) for t in tails.get(after[:1], ()) if after.startswith(t)), 0)
        if (head and tail and head + tail >= ENDS) or head >= HEAD or tail >= TAIL:
            found = mask[0]  # the space beside it is the key's only where there is an end of it
            begin += -head or len(found) - len(found.lstrip())
            kept += [text[at:begin], instead]
            at = end + tail if tail else mask.start() + len(found.rstrip())
    return "".join([*kept, text[at:]])


@lru_cache(maxsize=256)
def _ends(key: str) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Return a key's beginnings by their last character and its ends by their first.

    In lower case, the longest first.
    """
    heads, tails = dict[str, list[str]](), dict[str, list[str]]()
    known = key.lower()
    for length in range(len(known) - 1, 0, -1):
        heads.setdefault(known[length - 1], []).append(known[:length])
        tails.setdefault(known[-length], []).append(known[-length:])
    return heads, tails


def _start(found: re.Match[str] | None) -> int | None:
    return found.start() if found else None


def _piece(found: re.Match[str]) -> str:
    """Return the character that an escape stands for."""
    name = found.lastgroup
    if name is None:
        return ""
    code = int(found[name], {"decimal": 10, "octal": 8}.get(name, 16))
    return unicodedata.normalize("NFKC", chr(code)) if code <= sys.maxunicode else ""


def _spans(plain: str, core: _Core) -> Iterator[tuple[int, int]]:
    """Yield where a text has a code of a key, or most of it."""
    at = plain.find(core.middle)
    while at >= 0:
        begin, end = at, at + len(core.middle)
        head, tail = core.whole[: core.at], core.whole[core.at + len(core.middle) :]
        begin -= _equal(reversed(head), reversed(plain[max(0, at - len(head)) : at]))
        end += _equal(tail, plain[end : end + len(tail)])
        if end - begin >= max(LEAST, len(core.whole) * 3 // 4):
            yield begin, end
        at = plain.find(core.middle, at + 1)


def _equal(one: Iterable[str], other: Iterable[str]) -> int:
    """Return with how many equal characters two texts begin."""
    return sum(
        1
        for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
    )
