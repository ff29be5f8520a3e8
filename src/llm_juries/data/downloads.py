"""Download files of public repositories at a pinned commit, checked against their SHA-256."""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from ..errors import JuriesError, nearest

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PublicFile:
    """A file of a public repository.

    Parameters
    ----------
    path : str
        In the repository.
    sha256 : str
        Of the file, in hex; empty if unknown: it is then logged, not checked.
    """

    path: str
    sha256: str = ""


@dataclass(frozen=True)
class PublicFiles:
    """Files of one public repository.

    Parameters
    ----------
    home : str
        The URL that the files' paths are relative to, with the commit in it.
    files : mapping of str to PublicFile
    folder : str, optional
        A clone of the repository, or a folder with the files in it. Nothing is downloaded then, and
        a file with another checksum is accepted with a warning: it is the user's own.
    """

    home: str
    files: Mapping[str, PublicFile]
    folder: str | None = None

    @property
    def held(self) -> bool:
        """Whether all of the files are on this machine; nothing is sent."""
        if self.folder is not None:
            return Path(self.folder).expanduser().is_dir()
        return all(_kept(file, self.home).is_file() for file in self.files.values())

    def find(self, name: str) -> Path:
        """Return a local path of one of the files, downloading it on the first call.

        Raises
        ------
        JuriesError
            If the file is not named, can't be downloaded, has another checksum, or is not in the
            folder.
        """
        if name not in self.files:
            raise JuriesError(f"source.files: has no {name!r}{nearest(name, self.files)}")
        if self.folder is not None:
            return _own(self.files[name], Path(self.folder).expanduser())
        return _download(self.files[name], self.home)


def _download(file: PublicFile, home: str) -> Path:
    import pooch
    import requests

    url, kept = _url(file, home), _kept(file, home)
    pooch.get_logger().setLevel(logging.WARNING)  # it logs two lines per file
    log.info("looking for %s", url)
    try:
        found = pooch.retrieve(
            url,
            known_hash=f"sha256:{file.sha256}" if file.sha256 else None,
            fname=kept.name,
            path=kept.parent,
            downloader=pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), timeout=30),
        )
    except requests.RequestException as error:
        said = f"download failed ({type(error).__name__})"
    except ValueError as error:  # the checksum
        said = f"not the pinned file ({' '.join(str(error).split())})"
    except OSError as error:
        full = "the disk is full" if error.errno == errno.ENOSPC else error.strerror or error
        said = f"can't be written to {cache_folder() / 'data'} ({full})"
    else:
        if not file.sha256:
            digest = hashlib.sha256(Path(found).read_bytes()).hexdigest()
            log.info("%s: no checksum is set; sha256 is %s", url, digest)
        return Path(found)
    raise JuriesError(
        f"{url}: {said}; set dataset.source.folder=FOLDER to a folder with a copy of the file"
    )


def _url(file: PublicFile, home: str) -> str:
    return f"{home.rstrip('/')}/{quote(file.path)}"


def _kept(file: PublicFile, home: str) -> Path:
    """Return where a downloaded file is kept."""
    commit = hashlib.sha256(_url(file, home).encode()).hexdigest()[:12]
    return cache_folder() / "data" / f"{commit}-{Path(file.path).name}"


def _own(file: PublicFile, folder: Path) -> Path:
    for path in (folder / file.path, folder / Path(file.path).name):
        if path.is_file():
            break
    else:
        raise JuriesError(
            f"{folder}: has neither {file.path} nor {Path(file.path).name}; set "
            "dataset.source.folder to a folder with a copy of the file"
        )
    if file.sha256 and hashlib.sha256(path.read_bytes()).hexdigest() != file.sha256:
        log.warning("%s: not the published file (its sha256 differs)", path)
    return path


def cache_folder() -> Path:
    """Return the folder of downloads: $LLM_JURIES_CACHE or the user's cache folder."""
    import platformdirs

    named = os.environ.get("LLM_JURIES_CACHE")
    return Path(named) if named else platformdirs.user_cache_path("llm_juries")
