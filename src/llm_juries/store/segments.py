"""Segments of a store: JSON Lines files of verdicts, one for each writing process.

A line is written with one call, so a killed process leaves at most one incomplete line, at the end
of its segment. A process that ends normally renames its segment NAME.jsonl to NAME.closed.jsonl:
nothing will be added to it.
"""

from __future__ import annotations

import math
import os
import re
import secrets
import socket
import time
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, BinaryIO, NamedTuple

import msgspec

from ..errors import JuriesError
from ..files import check_data
from ..types import Verdict

try:
    import fcntl
except ImportError:  # on Windows
    fcntl = None  # type: ignore[assignment]
CHECKSUM = re.compile(rb',"checksum":"([0-9a-f]{8})"\}\s*\Z')
CHECKED = len(',"checksum":"00000000"}')
FORMER_LABEL = re.compile(rb'"label":(null|-?[0-9][0-9.eE+-]*)(?=,"score":)')
ENDING, CLOSED = ".jsonl", ".closed"
LONGEST = 1 << 28  # bytes of a line; a longer one is no verdict, and may not fit into memory
Size = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
LARGEST_COUNT = (1 << 63) - 1  # that Parquet's columns hold
UNFIT = (  # what encoding a field of a wrong type raises
    msgspec.MsgspecError, ArithmeticError, AttributeError, RecursionError, TypeError, ValueError,
)  # fmt: skip
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Verdict).decode


class Mark(msgspec.Struct, frozen=True):
    """How far a segment was read, in bytes and in lines."""

    size: Size = 0
    lines: Size = 0


class Line(NamedTuple):
    """A line of a segment; `verdict` is None if the line is incomplete or damaged (see `error`)."""

    number: int
    offset: int
    size: int
    verdict: Verdict | None
    error: str = ""
    torn: bool = False


def encode(verdict: Verdict) -> bytes:
    """Return a verdict as a line of JSON, without its line break.

    JSON has no infinity: a log-probability of -inf, a probability of 0, is written as null; nan and
    +inf carry no information and are left out. Lone surrogates, which UTF-8 can't encode, become
    question marks.
    """
    logprobs = verdict.reply.choice_logprobs
    if not all(map(math.isfinite, logprobs.values())):
        finite = {word: value for word, value in logprobs.items() if value < math.inf}
        verdict = replace(verdict, reply=replace(verdict.reply, choice_logprobs=finite))
    try:
        line = _encode(verdict)
    except UnicodeEncodeError:
        line = _encode(_without_surrogates(msgspec.to_builtins(verdict)))
    return b'%s,"checksum":"%08x"}' % (line[:-1], zlib.crc32(line[:-1]))


def checked(verdict: Verdict) -> bytes:
    """Return a verdict as a line of JSON that reads back, here and from Parquet.

    Raises
    ------
    ValueError
        If a field has another type or range than it should.
    """
    try:
        line = encode(verdict)
        decode(line)
    except UNFIT as error:
        raise ValueError(str(error)) from None
    reply = verdict.reply
    counts = (reply.input_tokens, reply.cached_tokens, reply.cache_write_tokens)
    for count in (*counts, reply.output_tokens, reply.thinking_tokens, verdict.attempts):
        if count is not None and abs(count) > LARGEST_COUNT:
            raise ValueError(f"{count} tokens or attempts are more than a column can hold")
    return line


def _without_surrogates(value: Any) -> Any:
    match value:
        case str():
            return value.encode(errors="replace").decode()
        case dict():
            return {
                _without_surrogates(key): _without_surrogates(part) for key, part in value.items()
            }
    return value


def decode(line: bytes) -> Verdict:
    """Return the verdict that a line of JSON holds.

    Lines of format 1 have no checksum, and a number `label` where `value` is now.

    Raises
    ------
    msgspec.DecodeError
        If it is no verdict, or not the one that was written.
    """
    if checked := CHECKSUM.search(line, len(line.rstrip()) - CHECKED):
        if zlib.crc32(line[: checked.start()]) != int(checked[1], 16):
            raise msgspec.DecodeError("it differs from its checksum")
    elif b'"label":' not in line:
        raise msgspec.DecodeError("it has no checksum")
    elif former := FORMER_LABEL.search(line):
        value = former[1] if former[1] == b"null" else b'"%g"' % float(former[1])
        line = b'%s"value":%s%s' % (line[: former.start()], value, line[former.end() :])
    try:
        return _decode(line)
    except RecursionError:
        raise msgspec.DecodeError("it is nested too deeply") from None
    except msgspec.ValidationError:
        match msgspec.json.decode(line):
            case {"reply": {"choice_logprobs": {**logprobs}}} as found if None in logprobs.values():
                found["reply"]["choice_logprobs"] = {
                    word: -math.inf if value is None else value for word, value in logprobs.items()
                }
                return msgspec.convert(found, Verdict)
        raise


def segments(store: Path) -> list[Path]:
    """Return the segments of a store, in the order in which they were started.

    Raises
    ------
    JuriesError
        If the folder can't be read (glob would report it as empty, and everything would be asked
        for again), or a segment is not a file of the store.
    """
    try:
        found = store.iterdir() if store.is_dir() else ()
        listed = sorted(path for path in found if path.name.endswith(ENDING))
    except PermissionError as error:
        raise JuriesError(f"store {store}: can't be read ({error.strerror})") from None
    there = []
    for path in listed:
        with suppress(FileNotFoundError):  # moved to Parquet meanwhile
            check_data(path, store)
            there.append(path)
    return there


def stem(segment: Path) -> str:
    """Return the part of a segment's name that it keeps when it is closed."""
    return segment.name.removesuffix(ENDING).removesuffix(CLOSED)


def begin(store: Path) -> BinaryIO:
    """Start a segment for this process. Raises OSError."""
    # Host and random part: two nodes may have the same time and pid.
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    name = f"{stamp}-{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}{ENDING}"
    store.mkdir(parents=True, exist_ok=True)
    begun = (store / name).open("xb", buffering=0)
    lock(begun, exclusive=True)  # shows compactions that this process lives; nobody waits for it
    return begun


def end(segment: BinaryIO) -> Path:
    """Flush a segment to the disk and close it for good; return its new path."""
    path = Path(segment.name)
    os.fsync(segment.fileno())
    segment.close()
    closed = path.with_name(f"{stem(path)}{CLOSED}{ENDING}")
    try:
        path.rename(closed)
    except OSError:  # it then looks like the segment of a killed process, which is harmless
        return path
    return closed


def lines(segment: Path, after: Mark | None = None, to: int | None = None) -> Iterator[Line]:
    """Yield the lines of a segment after a mark, up to a size in bytes.

    Raises
    ------
    FileNotFoundError
        If the segment no longer exists: a compaction has moved its verdicts.
    JuriesError
        If a line is too long to be a verdict.
    """
    offset, number = (after.size, after.lines) if after else (0, 0)
    with segment.open("rb") as stream:
        stream.seek(offset)
        while raw := stream.readline(LONGEST):
            if to is not None and offset >= to:
                return
            number += 1
            if len(raw) == LONGEST:
                raise JuriesError(
                    f"{segment}: line {number} has more than {LONGEST:,} bytes, so this is not a "
                    "segment of a store; move the file away"
                )
            # No line break at the end: the writer was killed while writing, or is still writing.
            if not raw.endswith(b"\n"):
                yield Line(number, offset, len(raw), None, "", torn=True)
                return
            try:
                yield Line(number, offset, len(raw), decode(raw))
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                yield Line(number, offset, len(raw), None, str(error))
            offset += len(raw)


def finished(segment: Path) -> bool:
    """Return whether it is certain that nothing will be added to a segment.

    It was closed, or its writer ran on this machine and has ended. A process killed on another
    machine can't be distinguished from one that is waiting.
    """
    if segment.name.endswith(f"{CLOSED}{ENDING}"):
        return True
    head, _, rest = segment.name.partition("-")
    host, *ids = rest.rsplit("-", 2)
    if not head or len(ids) != 2 or not ids[0].isdigit() or host != socket.gethostname():
        return False
    if fcntl is None or alive(int(ids[0])):
        return False
    # A writer in a container may have this host name, and a pid that is not visible here.
    with segment.open("rb") as stream:
        return lock(stream, exclusive=False)


def alive(pid: int) -> bool:
    """Return whether a process of this machine runs."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def lock(stream: BinaryIO, *, exclusive: bool) -> bool:
    """Lock a file until it is closed; return whether that succeeded."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(stream, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except OSError:  # already locked, or a file system without locks
        return False
    return True
