"""Leases: what a run is asking for right now, so that another run does not pay for it too.

A run writes one small file for each judge and dataset it asks, in the store's folder `leases`: who
it is, and 8 bytes of the key of each request. It renews the file every few seconds by touching it,
and deletes it at its end; the file of a run that was killed expires. Nobody waits for a lease to
read or to write, and none is ever taken over: names are used once.

A run that was suspended for longer than its leases last (SIGSTOP, a laptop's sleep) has lost them
when it wakes, whatever the files say: it claims again before it asks for anything.

There are no locks, so it works on a shared file system. Two runs that begin at once both write a
claim before they read those of others, so at least one of them sees the other; the claim with the
earlier name goes first, and a claim never goes before a lease that is held already. A claim stays
beside the lease it becomes, so whoever lists the folder meanwhile sees one of them. In the worst
case both leave a verdict to the other; never do both ask for it.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..errors import JuriesError
from .key_index import code
from .segments import alive, lock

RENEW_S, EXPIRES_S = 5.0, 60.0
RETRIES = 20  # of writing to a folder that another run removes, since its own lease was the last
LAPSES_S = EXPIRES_S - RENEW_S  # a run counts its own leases as lost before others do
FOLDER, CLAIM, LEASE = "leases", ".claim", ".lease"
SLEEPLESS = getattr(time, "CLOCK_BOOTTIME", None)  # runs on while the machine sleeps
Codes = NDArray[np.uint64]
Cell = tuple[str, str, str]
"""A judge's seat, a dataset and a prompt."""


class Holder(msgspec.Struct, frozen=True):
    """Who holds a lease, and on what."""

    judge: str
    dataset: str
    prompt: str
    host: str
    pid: int
    since: float

    def __str__(self) -> str:
        at = time.strftime("%H:%M", time.localtime(self.since))
        return f"process {self.pid} on {self.host}, since {at}"


@dataclass(frozen=True)
class Other:
    """Another run's lease, or its claim of one: the keys it asks for, and when it was renewed."""

    path: Path
    holder: Holder
    codes: Codes
    renewed: float

    @property
    def run(self) -> str:
        """The run it is of: a process may have several, and a process id may be used again."""
        return self.path.stem.rpartition("-")[0]

    @property
    def held(self) -> bool:
        """Whether it is more than a claim."""
        return self.path.suffix == LEASE

    @property
    def alive(self) -> bool | None:
        """Whether its process lives; None where only its renewal can tell.

        On this machine the process id tells, but a container of the same name has others: so the
        lock on the file has to agree.
        """
        if self.holder.host != socket.gethostname():
            return None
        running = alive(self.holder.pid)
        try:
            with self.path.open("rb") as file:
                locked = not lock(file, exclusive=False)
        except FileNotFoundError:
            return False
        return running if running == locked else None

    def expired(self, now: float) -> bool:
        """Return whether it is not renewed any more, by the file system's clock."""
        return abs(now - self.renewed) > EXPIRES_S or self.alive is False


def clock() -> float:
    """Return seconds by a clock that runs on while this process is suspended."""
    return time.monotonic() if SLEEPLESS is None else time.clock_gettime(SLEEPLESS)


def code_of(key: str) -> int:
    """Return 8 bytes of a verdict's key as a number."""
    return int.from_bytes(code(key)[:8], "little")


def codes_of(keys: Iterable[str]) -> Codes:
    """Return the distinct `code_of` of keys, sorted."""
    return np.unique(np.fromiter(map(code_of, keys), np.uint64))


class Leases:
    """The claims and leases of a run on a store: a context in which they are renewed.

    Parameters
    ----------
    store : Path
        The store's folder.
    """

    def __init__(self, store: Path) -> None:
        self.folder = store / FOLDER
        self._own: dict[Cell, Path] = {}
        self._files: dict[Path, BinaryIO] = {}
        self._done = threading.Event()
        self._renewed_at = clock()
        self._lost = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._done.set()
        for path, file in self._files.items():
            path.unlink(missing_ok=True)
            file.close()
        self._own, self._files = {}, {}
        with contextlib.suppress(OSError):  # others have leases, or there were none
            self.folder.rmdir()

    @property
    def lapsed(self) -> bool:
        """Whether they were not renewed in time, so that others may be asking for the same."""
        self._lost = self._lost or (bool(self._files) and clock() - self._renewed_at > LAPSES_S)
        return self._lost

    def claim(self, cells: Mapping[Cell, Codes]) -> None:
        """Claim the keys of cells.

        Raises
        ------
        JuriesError
            If the store can't be written.
        """
        stamp = f"{time.time_ns():020d}-{secrets.token_hex(4)}"
        self._renewed_at = clock()
        for number, (cell, codes) in enumerate(cells.items()):
            self._write(cell, self.folder / f"{stamp}-{number}{CLAIM}", codes)
        if cells:
            threading.Thread(target=self._renew, daemon=True).start()

    def hold(self, cell: Cell, codes: Codes) -> None:
        """Turn a claim into a lease, on the keys that are left."""
        self._write(cell, self._own[cell].with_suffix(LEASE), codes)

    def others(self) -> list[Other]:
        """Return the claims and leases of other runs; delete those that have expired."""
        self._touch()
        # Times are compared as the file system sets them: clocks of machines differ.
        times = [os.fstat(file.fileno()).st_mtime for file in self._files.values()]
        found = []
        for other in leases(self.folder):
            if other.path in self._files:
                continue
            if other.expired(max(times, default=time.time())):
                for suffix in (CLAIM, LEASE):
                    other.path.with_suffix(suffix).unlink(missing_ok=True)
            else:
                found.append(other)
        return found

    def goes_before(self, other: Other, cell: Cell) -> bool:
        """Return whether another claim or lease goes before that of a cell."""
        own = self._own[cell]
        return (other.held and own.suffix == CLAIM) or other.path.stem < own.stem

    def _write(self, cell: Cell, path: Path, codes: Codes) -> None:
        holder = Holder(*cell, socket.gethostname(), os.getpid(), time.time())
        hidden = path.with_name(f".{path.name}")
        try:
            file = self._created(hidden)
            lock(file, exclusive=True)  # shows that this process lives; nobody waits for it
            file.write(msgspec.json.encode(holder) + b"\n" + codes.astype("<u8").tobytes())
            hidden.rename(path)
        except OSError as error:
            store = self.folder.parent
            raise JuriesError(f"store {store}: can't write ({error.strerror})") from None
        self._own[cell], self._files[path] = path, file

    def _created(self, path: Path) -> BinaryIO:
        for _ in range(RETRIES):
            with contextlib.suppress(FileNotFoundError, FileExistsError):
                self.folder.mkdir(parents=True, exist_ok=True)
                return path.open("xb", buffering=0)
        self.folder.mkdir(parents=True, exist_ok=True)
        return path.open("xb", buffering=0)

    def _touch(self) -> None:
        now = clock()  # before the files: it may be suspended while it touches them
        if self.lapsed:
            return
        for file in list(self._files.values()):
            with contextlib.suppress(OSError, ValueError):  # dropped meanwhile
                os.utime(file.fileno())
        self._renewed_at = now

    def _renew(self) -> None:
        while not self._done.wait(RENEW_S):
            self._touch()


def leases(folder: Path) -> Iterator[Other]:
    """Yield all leases in a folder and the claims that are none yet, expired ones too.

    What is neither is skipped.
    """
    try:
        listed = set(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return
    for path in sorted(listed):
        if path.suffix not in (CLAIM, LEASE) or path.name.startswith(".") or not path.is_file():
            continue
        if path.suffix == CLAIM and path.with_suffix(LEASE) in listed:
            continue
        # Opened, since a shared file system looks up again what it has cached only then.
        with (
            contextlib.suppress(OSError, msgspec.MsgspecError, ValueError),
            path.open("rb") as file,
        ):
            head, _, keys = file.read().partition(b"\n")
            holder = msgspec.json.decode(head, type=Holder)
            codes = np.frombuffer(keys, "<u8").astype(np.uint64)
            yield Other(path, holder, codes, os.fstat(file.fileno()).st_mtime)


def held(store: Path) -> list[Other]:
    """Return the leases on a store that have not expired."""
    now = time.time()
    return [one for one in leases(store / FOLDER) if one.held and not one.expired(now)]
