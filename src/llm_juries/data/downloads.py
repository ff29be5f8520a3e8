"""Files of public repositories, fetched at a pinned commit and checked against their SHA-256."""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from ..errors import JuriesError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PublicFile:
    """A file of a public repository.

    Parameters
    ----------
    path : str
        In the repository.
    sha256 : str
        Of the file, in hex; empty where no one could state it: it is then logged, not checked.
    """

    path: str
    sha256: str = ""


def find(file: PublicFile, home: str, folder: str | None) -> Path:
    """Return a local path of a public file, fetching it on the first call.

    Parameters
    ----------
    file : PublicFile
    home : str
        The URL that the file's path is relative to, with the commit in it.
    folder : str, optional
        A clone of the repository, or a folder with the file in it. Nothing is fetched then, and a
        file with another checksum is taken with a warning: it is the user's own.

    Raises
    ------
    JuriesError
        If the file can't be fetched, has another checksum, or is not in the folder.
    """
    if folder is not None:
        return _own(file, Path(folder).expanduser())
    import pooch
    import requests

    url = f"{home.rstrip('/')}/{quote(file.path)}"
    commit = hashlib.sha256(url.encode()).hexdigest()[:12]
    pooch.get_logger().setLevel(logging.WARNING)  # it tells of each file in two lines
    log.info("looking for %s", url)
    try:
        found = pooch.retrieve(
            url,
            known_hash=f"sha256:{file.sha256}" if file.sha256 else None,
            fname=f"{commit}-{Path(file.path).name}",
            path=cache_folder() / "data",
            downloader=pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), timeout=30),
        )
    except requests.RequestException as error:
        said = f"can't be fetched ({type(error).__name__})"
    except ValueError as error:  # the checksum
        said = f"is another file than the pinned one ({' '.join(str(error).split())})"
    except OSError as error:
        full = "the disk is full" if error.errno == errno.ENOSPC else error.strerror or error
        said = f"can't be kept in {cache_folder() / 'data'} ({full})"
    else:
        if not file.sha256:
            digest = hashlib.sha256(Path(found).read_bytes()).hexdigest()
            log.info("%s: its checksum was never stated; it is sha256 %s", url, digest)
        return Path(found)
    raise JuriesError(f"{url}: {said}; set dataset.folder=FOLDER to a folder with a copy of it")


def _own(file: PublicFile, folder: Path) -> Path:
    for path in (folder / file.path, folder / Path(file.path).name):
        if path.is_file():
            break
    else:
        raise JuriesError(f"{folder}: has neither {file.path} nor {Path(file.path).name}")
    if file.sha256 and hashlib.sha256(path.read_bytes()).hexdigest() != file.sha256:
        log.warning("%s: is not the published file (its sha256 is another)", path)
    return path


def cache_folder() -> Path:
    """Return where fetched files are kept: $LLM_JURIES_CACHE or the user's cache folder."""
    import platformdirs

    named = os.environ.get("LLM_JURIES_CACHE")
    return Path(named) if named else platformdirs.user_cache_path("llm_juries")
