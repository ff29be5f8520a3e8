"""A ledger that several runs share: what each has spent or reserved, or when it may ask next.

Each run appends to a file of its own in `ledger/ACCOUNT/` of the store, and reads the last line of
every other's. There are no locks, so it works on a shared file system: a run writes a claim before
it reads the claims of others, so of two that claim at once at least one sees the other and
withdraws. A file stays when its run ends: what a killed run had reserved may have been spent.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import socket
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, BinaryIO

import msgspec

from ..errors import JuriesError
from ..files import check_data
from .segments import alive, lock

FOLDER, ENDING = "ledger", ".jsonl"
SILENT_S = 60.0  # a run on another machine that has written nothing for so long has ended
TAIL = 4096  # bytes in which a file's last line lies
FAR_S = 30 * 86400.0  # no request has to wait for so long
Amount = Annotated[float, msgspec.Meta(ge=0)]


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a run last said of itself.

    `committed` US dollars are spent or reserved, of which `spent` are spent. The next request may
    start at `next_request`, and at `next_tokens` by the tokens that were sent, in Unix time.
    """

    committed: Amount = 0.0
    spent: Amount = 0.0
    next_request: Amount = 0.0
    next_tokens: Amount = 0.0


@dataclass
class Ledger:
    """One run's view of an account. Its own file is made when it first writes.

    Parameters
    ----------
    store : Path
    account : str
        What is shared; runs with the same name share it.
    """

    store: Path
    account: str
    _file: BinaryIO | None = field(default=None, init=False)
    _path: Path | None = field(default=None, init=False)

    @property
    def folder(self) -> Path:
        """The account's folder."""
        return self.store / FOLDER / re.sub(r"[^\w.-]", "_", self.account)

    def write(self, line: Line) -> None:
        """Append a line, and have it on the disk before this returns.

        Raises
        ------
        JuriesError
            If the store can't be written.
        """
        try:
            if self._file is None:
                self.folder.mkdir(parents=True, exist_ok=True)
                self._check_place()
                stamp = f"{time.time_ns():020d}-{socket.gethostname()}-{os.getpid()}"
                self._path = self.folder / f"{stamp}-{secrets.token_hex(4)}{ENDING}"
                hidden = self._path.with_suffix(".new")
                self._file = hidden.open("xb", buffering=0)
                lock(self._file, exclusive=True)  # shows that this run lives; nobody waits for it
                hidden.rename(self._path)
            self._file.write(msgspec.json.encode(line) + b"\n")
            os.fsync(self._file.fileno())
        except OSError as error:
            raise JuriesError(f"store {self.store}: can't write ({error.strerror})") from None

    def _check_place(self) -> None:
        if not self.folder.resolve().is_relative_to(self.store.resolve()):
            raise JuriesError(
                f"{self.folder}: leads out of {self.store}; put the folder itself there, or delete "
                "it"
            )

    def others(self) -> list[tuple[Path, Line]]:
        """Return the last whole lines of the other runs, with their files.

        Raises
        ------
        JuriesError
            If a file is damaged or can't be read: what its run has spent is not known.
        """
        with contextlib.suppress(OSError):  # so that a shared file system looks the folder up again
            os.utime(self.folder)
        paths = sorted(self.folder.glob(f"*{ENDING}"))
        lines = ((path, _last(path, self.store)) for path in paths if path != self._path)
        return [(path, line) for path, line in lines if line is not None]

    def close(self) -> None:
        """Write nothing more; others see that this run has ended."""
        if self._file is not None:
            self._file.close()
            self._file = None


def lives(path: Path) -> bool:
    """Return whether the run of a file may still write to it."""
    try:
        host, pid = path.name.split("-", 1)[1].rsplit("-", 2)[:2]
        with path.open("rb") as file:
            if host != socket.gethostname():
                return abs(time.time() - os.fstat(file.fileno()).st_mtime) < SILENT_S
            return alive(int(pid)) and not lock(file, exclusive=False)
    except (OSError, ValueError):
        return False


def _last(path: Path, store: Path) -> Line | None:
    """Return the last whole line of a file, None if there is none.

    A line that is still being written has not been counted on yet: its run reads ours after it.

    Raises
    ------
    JuriesError
        If the line is none, or the file can't be read.
    """
    try:
        check_data(path, store)
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - TAIL))
            whole, _, _ = file.read().rpartition(b"\n")
        line = msgspec.json.decode(whole.rpartition(b"\n")[2], type=Line) if whole else None
    except FileNotFoundError:
        return None  # it was deleted meanwhile
    except OSError as error:
        raise JuriesError(f"{path}: can't be read ({error.strerror})") from None
    except msgspec.MsgspecError as error:
        raise _damaged(path, str(error)) from None
    if line is not None and max(line.next_request, line.next_tokens) > time.time() + FAR_S:
        raise _damaged(path, "it claims a time that is more than 30 days ahead")
    return line


def _damaged(path: Path, why: str) -> JuriesError:
    return JuriesError(
        f"{path}: its last line is damaged ({why}), so what its run has spent or claimed is not "
        "known; delete the file if that run has ended, and mind what it spent"
    )
