"""Download one very large public file: resumed after a break, checked against size and SHA-256."""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..errors import JuriesError
from ..files import file_name, write_text
from .downloads import cache_folder

log = logging.getLogger(__name__)
CHUNK = 1 << 20  # bytes
TIMEOUT = 60  # seconds without a byte
ATTEMPTS = 5  # in a row that bring nothing
PAUSE = 2.0  # seconds before the second attempt, doubled for each further one
BETWEEN = 30.0  # seconds between two log lines
SPARE = 1 << 28  # bytes of the disk that are left free


@dataclass(frozen=True)
class LargeFile:
    """A public file of many gigabytes, kept in the cache folder.

    While it is incomplete it has the ending .part, and the next call continues there. A file under
    its own name is complete and was checked.

    Parameters
    ----------
    url : str
        Where it is. Redirects are refused.
    size : int
        Its size in bytes.
    sha256 : str
        In hex; empty if unknown: that of the first download is then logged and written beside it.
    """

    url: str
    size: int
    sha256: str = ""

    def __post_init__(self) -> None:
        if urlsplit(self.url).scheme not in ("http", "https") or not urlsplit(self.url).hostname:
            raise JuriesError(f"url: {self.url!r} is not a URL; write https://HOST/FILE")
        if self.size < 1:
            raise JuriesError(f"size: is {self.size}; set the file's size in bytes")

    @property
    def path(self) -> Path:
        """Where the complete file is, or will be."""
        name = Path(urlsplit(self.url).path).name
        known = hashlib.sha256(f"{self.url} {self.sha256}".encode()).hexdigest()[:12]
        return cache_folder() / "large" / known / file_name(name or "file")

    @property
    def missing(self) -> int:
        """The number of bytes that are still to be downloaded."""
        if _size(self.path) == self.size:
            return 0
        return max(self.size - _size(_part(self.path)), 0)

    def fetch(self) -> Path:
        """Return the complete file, downloading first what is missing of it.

        Raises
        ------
        JuriesError
            If the disk is too full, the download fails, or the file is not the published one.
        """
        path = self.path
        if found := _size(path):
            if found != self.size:
                raise JuriesError(
                    f"{path}: has {found:,} bytes, not {self.size:,}; delete it to download it anew"
                )
            return path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with _alone(path):
                if not path.exists():  # nor downloaded by another process in the meantime
                    self._complete(_part(path))
                    self._check(_part(path))
                    _part(path).rename(path)
        except OSError as error:
            full = "the disk is full" if error.errno == errno.ENOSPC else error.strerror or error
            raise JuriesError(
                f"{path.parent}: can't be written ({full}); set LLM_JURIES_CACHE to another folder"
            ) from None
        return path

    def _complete(self, part: Path) -> None:
        """Download until all bytes are there; a connection that breaks is opened again."""
        import requests

        check_space(part.parent, self.size - _size(part), self.url)
        if _size(part):
            log.info("%s: continues at %s of %s", self.url, gb(_size(part)), gb(self.size))
        else:
            log.info("%s: downloading %s to %s", self.url, gb(self.size), part.parent)
        pace = Pace(part.name, self.size, "bytes")
        idle = 0
        while (before := _size(part)) < self.size:
            try:
                with requests.Session() as session:
                    session.trust_env = True  # proxies; a login in .netrc is not for a public file
                    session.auth = _no_login
                    self._continue(session, part, pace)
                said = "the server closed the connection"
            except requests.RequestException as error:
                said = type(error).__name__
            idle = 0 if _size(part) > before else idle + 1
            if idle == ATTEMPTS:
                raise JuriesError(
                    f"{self.url}: download stopped at {gb(_size(part))} of {gb(self.size)} "
                    f"({said}); run again to continue, or set retrieval.path to a copy of the file"
                )
            if idle:
                time.sleep(PAUSE * 2 ** (idle - 1))

    def _continue(self, session: Any, part: Path, pace: Pace) -> None:
        """Ask for the bytes that are missing and append what comes."""
        start = _size(part)
        headers = {"Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
            if version := _version(part):
                headers["If-Range"] = version
        with session.get(
            self.url, headers=headers, stream=True, timeout=TIMEOUT, allow_redirects=False
        ) as response:
            if response.is_redirect:
                to = urlsplit(response.headers["Location"]).hostname or "another page"
                raise JuriesError(
                    f"{self.url}: redirects to {to}, which is not followed; set "
                    "retrieval.source.url to where the file is, or retrieval.path to a copy of it"
                )
            if response.status_code >= 500:
                response.raise_for_status()  # tried again
            if response.status_code not in (200, 206):
                raise JuriesError(
                    f"{self.url}: download failed (HTTP {response.status_code}); check "
                    "retrieval.source.url, or set retrieval.path to a copy of the file"
                )
            if response.status_code == 200:  # all of it: no ranges, or another version
                if start:
                    log.warning("%s: the server can't continue; starts again", self.url)
                start = 0
            self._check_sizes(response, start)
            _keep_version(part, response.headers)
            with part.open("r+b" if start else "wb") as stream:
                stream.seek(start)
                for piece in response.iter_content(CHUNK):
                    stream.write(piece)
                    pace.at(stream.tell())

    def _check_sizes(self, response: Any, start: int) -> None:
        """Raise JuriesError if the server has a file of another size."""
        length = response.headers.get("Content-Length", "")
        said = start + int(length) if length.isdigit() else self.size
        span = response.headers.get("Content-Range", "")
        wrong = response.status_code == 206 and not span.startswith(f"bytes {start}-")
        if wrong or said != self.size:
            what = f"answers with {span!r}" if wrong else f"has {said:,} bytes"
            raise JuriesError(
                f"{self.url}: {what}, not the published {self.size:,} from byte {start:,}; it may "
                "have changed: set retrieval.source.size and retrieval.source.sha256, or "
                "retrieval.path to a copy of the file"
            )

    def _check(self, part: Path) -> None:
        digest = hashlib.sha256()
        pace = Pace(f"{part.name}: checking", self.size, "bytes")
        with part.open("rb") as stream:
            while piece := stream.read(CHUNK):
                digest.update(piece)
                pace.at(stream.tell())
        found = digest.hexdigest()
        if not self.sha256:
            log.warning("%s: no sha256 is set, so it was not checked; it is %s", self.url, found)
            write_text(part.with_suffix(".sha256"), f"{found}\n")
        elif found != self.sha256.lower():
            part.unlink()
            raise JuriesError(
                f"{self.url}: not the published file (sha256 {found}, not {self.sha256}); it was "
                "deleted: run again, or set retrieval.path to a copy of the file"
            )


class Pace:
    """Logs how far a long task is, and the time left, every half minute.

    Parameters
    ----------
    name : str
    total : int
        0 if unknown.
    unit : str
        "bytes" are written as GB.
    """

    def __init__(self, name: str, total: int, unit: str) -> None:
        self.name, self.total, self.unit = name, total, unit
        self.first: int | None = None
        self.began = self.logged = time.monotonic()

    def at(self, done: int) -> None:
        """Take note of how much is done; the first call says where the task began."""
        now = time.monotonic()
        if self.first is None:
            self.first, self.began, self.logged = done, now, now
        if now - self.logged < BETWEEN:
            return
        self.logged = now
        left = ""
        if self.total and done > self.first:
            seconds = (now - self.began) * (self.total - done) / (done - self.first)
            left = f", about {duration(seconds)} left"
        log.info("%s: %s%s", self.name, self._amount(done), left)

    def _amount(self, done: int) -> str:
        if self.unit == "bytes":
            return f"{gb(done)} of {gb(self.total)}"
        return f"{done:,} of {self.total:,} {self.unit}" if self.total else f"{done:,} {self.unit}"


def gb(size: float) -> str:
    """Return a size in bytes as text: "4.7 GB"."""
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"


def duration(seconds: float) -> str:
    """Return a time as text: "2 h 10 min"."""
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"{max(round(seconds), 1)} s"
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"


def check_space(folder: Path, needed: int, what: str) -> None:
    """Raise JuriesError if the disk of a folder has too little space for so many bytes."""
    free = shutil.disk_usage(folder).free
    if free < needed + SPARE:
        raise JuriesError(
            f"{what}: needs {gb(needed)} in {folder}, whose disk has {gb(free)} free; make room, "
            "or set another folder (LLM_JURIES_CACHE for downloads, retrieval.index for an index)"
        )


def _no_login(request: Any) -> Any:
    return request


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _part(path: Path) -> Path:
    return path.with_name(f"{path.name}.part")


def _version(part: Path) -> str:
    """Return the ETag under which a file's beginning was downloaded, if there was one."""
    kept = part.with_suffix(".version")
    try:
        return str(json.loads(kept.read_text(encoding="utf-8"))) if kept.is_file() else ""
    except ValueError:
        return ""


def _keep_version(part: Path, headers: Any) -> None:
    tag = headers.get("ETag", "")
    if tag and not tag.startswith("W/"):  # a weak one can't be asked for
        write_text(part.with_suffix(".version"), json.dumps(tag))


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep a second process from downloading the same file. The lock ends with its process."""
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    with path.with_name(f"{path.name}.lock").open("a") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise JuriesError(
                f"{path}: another process is downloading it; run again when it is done"
            ) from None
        yield
