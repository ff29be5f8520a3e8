"""Read dataset repositories of the Hugging Face hub at one revision, cached or streamed.

A snapshot of the requested files is downloaded first and read from the disk: offline, `datasets`
itself silently uses any cached copy, whatever the revision. The hub's own cache, token and settings
apply (HF_HOME, HF_TOKEN, HF_HUB_OFFLINE, HF_ENDPOINT).
"""

from __future__ import annotations

import atexit
import errno
import logging
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache, cached_property
from itertools import islice
from pathlib import Path
from typing import Any

from ..errors import JuriesError, nearest
from ..types import Item, Order
from .dataset import About, Dataset, Streamed

log = logging.getLogger(__name__)
Columns = Mapping[str, Any]
"""Column names and types: "text", "number", [type of elements], {field: type}, or None for any."""
COMMIT = re.compile(r"[0-9a-f]{40}")
SHARD = re.compile(r"-\d{5}-of-(\d{5})")
STREAM_ROWS, STREAM_BUFFER = 64, 1 << 20  # rows, and bytes of each column, read at a time
ARROW_EXIT_S = 0.2
HUB_TIMEOUT_S = 5.0  # for the hub's first answer
READERS = {".parquet": "parquet", ".jsonl": "json", ".json": "json"}


@dataclass(frozen=True)
class Table:
    """The rows of some files of a repository (or a local folder), read anew on each pass.

    Parameters
    ----------
    repo : str
    revision : str
        The commit they come from; empty for a local folder.
    rows : iterable of dict
        With the columns' types in `features`, as in datasets.Dataset.
    streaming : bool
        Whether each pass downloads them again.
    """

    repo: str
    revision: str
    rows: Any
    streaming: bool = False

    @property
    def place(self) -> str:
        """Where the rows come from, for messages."""
        return f"{self.repo} at {self.revision}" if self.revision else self.repo

    def __iter__(self) -> Iterator[dict[str, Any]]:
        with one_line_errors(self.repo, self.revision):
            yield from self.rows


@dataclass(frozen=True)
class HubFiles:
    """Files of a dataset repository, which form one table.

    Parameters
    ----------
    repo : str
        "owner/name" on the hub, or a local folder: a path that is absolute or begins with . or ~.
    revision : str
        A commit's 40 hex digits. A branch works too; its current commit is then logged.
    files : tuple of str
        Paths or patterns inside the repository, all .parquet or all .jsonl.
    streaming : bool
        Read over the network, downloading only what is iterated, instead of from the cache.
    """

    repo: str
    revision: str
    files: tuple[str, ...]
    streaming: bool = False


def is_held(source: HubFiles) -> bool:
    """Return whether the files are on this machine; nothing is sent."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    repo = source.repo
    if source.streaming:
        return False
    with suppress(LocalEntryNotFoundError, JuriesError):
        folder = Path(repo).expanduser()
        if not repo.startswith((".", "~")) and not folder.is_absolute():
            held = snapshot_download(
                repo, repo_type="dataset", revision=source.revision, local_files_only=True
            )
            folder = Path(held)
        return bool(_paths(folder, source.files, repo))
    return False


def table(source: HubFiles, columns: Columns) -> Table:
    """Open the files of a dataset repository as one table.

    Parameters
    ----------
    source : HubFiles
    columns : mapping
        The required columns and their types; others are ignored.

    Raises
    ------
    JuriesError
        In one line: no such repository, revision or file, a gated repository, no network, not in
        the cache, a full disk, a column that is missing or of another type.
    """
    repo, revision, files = source.repo, source.revision, source.files
    if repo.startswith((".", "~")) or Path(repo).is_absolute():
        folder = Path(repo).expanduser()
        if not folder.is_dir():
            raise JuriesError(f"{folder}: no such folder; fix dataset.source.repo")
        return _opened(repo, "", _paths(folder, files, repo), columns)
    with one_line_errors(repo, revision):
        if source.streaming:
            commit, paths = _remote(repo, revision, files)
        else:
            commit, paths = _cached(repo, revision, files)
    if commit != revision:
        log.info("dataset %s: revision %s is now commit %s", repo, revision, commit)
    return _opened(repo, commit, paths, columns, source.streaming)


def dataset(
    name: str,
    source: Table,
    make: Callable[[], Iterator[Item]],
    about: About,
    limit: int | None,
    seed: int | None,
    *,
    orders: tuple[Order, ...] = (Order.ORIGINAL,),
    annotators: tuple[str, ...] = (),
    one_each: bool = True,
) -> Dataset:
    """Return a sample of the items that `make` yields, with their source added to the note.

    If each question has one item (`one_each`), a limit without a seed reads only that many rows.
    A sample of a streamed table is kept in memory, so that it is downloaded once.
    """
    first = needed(limit, seed) if one_each else None
    items: Iterable[Item] = Streamed(lambda: islice(make(), first))
    if source.streaming and first is not None:
        items = tuple(items)
    note = f"{about.note.strip()} Read from {source.place}.".strip()
    whole = Dataset(name, items, about.labels, note, orders, annotators=annotators)
    sample = whole.sample(limit, seed)
    return sample.loaded() if source.streaming and limit is not None else sample


def needed(limit: int | None, seed: int | None) -> int | None:
    """Return from how many of the first questions a sample is drawn; None for all of them."""
    return limit if seed is None and limit is not None and limit > 0 else None


def _opened(
    repo: str, revision: str, paths: Sequence[str], columns: Columns, streaming: bool = False
) -> Table:
    import datasets

    datasets.disable_progress_bars()
    _wait_for_arrow_at_exit()
    reader = READERS.get(Path(paths[0]).suffix)
    if reader is None:
        raise JuriesError(f"{repo}: can't read {paths[0]}; supported are {', '.join(READERS)}")
    rows: Any
    with one_line_errors(repo, revision):
        if streaming and reader == "parquet":
            rows = _StreamedParquet(tuple(paths))
        else:
            rows = datasets.load_dataset(
                reader, data_files={"rows": list(paths)}, split="rows", streaming=streaming
            )
        if rows.features is None:  # known from the first rows only
            rows = rows._resolve_features()  # as `datasets` itself does to join tables
    opened = Table(repo, revision, rows, streaming)
    if said := _mismatch(columns, rows.features, ""):
        raise JuriesError(f"{opened.place}: {said}")
    return opened


@cache
def _wait_for_arrow_at_exit() -> None:
    """Make the process wait a moment before it exits.

    Some processes that had read with Arrow were aborted at exit, most likely because an Arrow
    thread released a Python file only then; none was after a wait (docs/decisions.md).
    """
    atexit.register(time.sleep, ARROW_EXIT_S)


@dataclass(frozen=True)
class _StreamedParquet:
    """The rows of Parquet files on the hub, downloaded as they are read, in this thread only.

    `datasets` reads ahead in Arrow's threads. A pass that stops early leaves them running, and a
    process that exits meanwhile waits for them forever (apache/arrow issue 45214).
    """

    paths: tuple[str, ...]

    @cached_property
    def features(self) -> Any:
        """The columns, as `datasets` represents them."""
        import datasets
        import pyarrow.parquet as pq
        from huggingface_hub import HfFileSystem

        with HfFileSystem().open(self.paths[0], "rb") as file:
            return datasets.Features.from_arrow_schema(pq.read_schema(file))

    def __iter__(self) -> Iterator[dict[str, Any]]:
        import pyarrow.parquet as pq
        from huggingface_hub import HfFileSystem

        for path in self.paths:
            # Otherwise whole columns are downloaded for the first row.
            little = {"pre_buffer": False, "buffer_size": STREAM_BUFFER}
            file = HfFileSystem().open(path, "rb")
            with file, pq.ParquetFile(file, **little) as table:
                for batch in table.iter_batches(STREAM_ROWS, use_threads=False):
                    yield from batch.to_pylist()


def _cached(repo: str, revision: str, files: Sequence[str]) -> tuple[str, list[str]]:
    """Return the commit and the local paths of the files, downloaded if necessary."""
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError
    from huggingface_hub.utils.tqdm import disable_progress_bars

    def snapshot(local: bool) -> Path:
        folder = snapshot_download(
            repo,
            repo_type="dataset",
            revision=revision,
            allow_patterns=list(files),
            local_files_only=local,
        )
        return Path(folder)

    # The content of a commit never changes: a cached copy needs no request.
    if COMMIT.fullmatch(revision) or constants.HF_HUB_OFFLINE:
        with suppress(LocalEntryNotFoundError, JuriesError):
            folder = snapshot(local=True)
            return folder.name, _paths(folder, files, repo)
    _reach(repo, revision)
    log.info("downloading %s of %s at %s", ", ".join(files), repo, revision)
    if not sys.stderr.isatty():
        disable_progress_bars()
    folder = snapshot(local=False)
    with suppress(JuriesError):
        return folder.name, _paths(folder, files, repo)
    # A file is missing: the snapshot has only the requested files, the hub lists all of them.
    _chosen(_listed(repo, folder.name), files, f"{repo} at {folder.name}")
    raise JuriesError(f"{repo} at {folder.name}: only partly downloaded; run again")


def _remote(repo: str, revision: str, files: Sequence[str]) -> tuple[str, list[str]]:
    """Return the commit and the hub's addresses of the files; nothing is downloaded."""
    from huggingface_hub import HfApi, get_hf_file_metadata, hf_hub_url

    _reach(repo, revision)
    commit = str(HfApi().dataset_info(repo, revision=revision).sha)
    paths = _chosen(_listed(repo, commit), files, f"{repo} at {commit}")
    # Checked here, because later errors about a gated file are less clear.
    get_hf_file_metadata(hf_hub_url(repo, paths[0], repo_type="dataset", revision=commit))
    return commit, [f"hf://datasets/{repo}@{commit}/{path}" for path in paths]


def _listed(repo: str, commit: str) -> list[str]:
    from huggingface_hub import HfApi

    return sorted(HfApi().list_repo_files(repo, repo_type="dataset", revision=commit))


def _paths(folder: Path, files: Sequence[str], place: str) -> list[str]:
    held = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    return [str(folder / path) for path in _chosen(held, files, place)]


def _chosen(held: Sequence[str], files: Sequence[str], place: str) -> list[str]:
    """Return the paths that match a pattern.

    Raises
    ------
    JuriesError
        If a pattern matches no file, or one of a table's numbered files is missing.
    """
    chosen: dict[str, None] = {}
    for pattern in files:
        found = [path for path in held if fnmatch(path, pattern)]
        scripts = [path for path in held if path.endswith(".py")]
        if not found and scripts:
            raise JuriesError(
                f"{place}: has no file {pattern}, only a loading script ({scripts[0]}), which is "
                "never run; set a revision with data files, such as refs/convert/parquet"
            )
        if not found:
            raise JuriesError(f"{place}: has no file {pattern}{nearest(pattern, held)}")
        numbered = [int(match[1]) for path in found if (match := SHARD.search(path))]
        if numbered and len(numbered) != max(numbered):
            raise JuriesError(
                f"{place}: has {len(numbered)} of the {max(numbered)} files of {pattern}; set "
                "another revision"
            )
        chosen |= dict.fromkeys(found)
    return list(chosen)


def _reach(repo: str, revision: str) -> None:
    """Raise JuriesError if the hub is offline or unreachable.

    One short request: the client itself retries for half a minute without a connection.
    """
    from huggingface_hub import constants, get_session

    for client in ("httpx", "httpx2"):  # a line per request, with signed addresses
        logging.getLogger(client).setLevel(logging.WARNING)
    if constants.HF_HUB_OFFLINE:
        raise JuriesError(
            f"{repo}: revision {revision} is not in the cache ({constants.HF_HUB_CACHE}), "
            "and HF_HUB_OFFLINE forbids downloading; run once online with HF_HUB_OFFLINE=0"
        )
    try:
        get_session().head(constants.ENDPOINT, timeout=HUB_TIMEOUT_S)
    except Exception as error:
        raise JuriesError(
            f"{repo}: can't reach {constants.ENDPOINT} ({type(error).__name__}) to download "
            f"revision {revision}; check your connection, or use the cache with HF_HUB_OFFLINE=1"
        ) from None


@contextmanager
def one_line_errors(repo: str, revision: str) -> Iterator[None]:
    """Turn errors of the hub's client and of `datasets` into one actionable line."""
    try:
        yield
    except (JuriesError, GeneratorExit):
        raise
    except Exception as error:
        raise JuriesError(f"{repo}: {_message(error, repo, revision)}") from None


def _message(error: Exception, repo: str, revision: str) -> str:
    from huggingface_hub import constants, errors, get_token

    page = f"{constants.ENDPOINT}/datasets/{repo}"
    for cause in _causes(error):
        match cause:
            case errors.GatedRepoError() if get_token():
                return f"is gated and your token has no access; accept its terms at {page}"
            case errors.GatedRepoError():
                return f"is gated; accept its terms at {page}, then set HF_TOKEN to your token"
            case errors.RevisionNotFoundError():
                return f"has no revision {revision}; set a commit of {page}/commits/main"
            case errors.RepositoryNotFoundError():
                return (
                    f"no such dataset at {page}, or it is private; check the name or set HF_TOKEN"
                )
            case errors.HFValidationError():
                return "not a repository name; set owner/name, or a folder as ./NAME"
            case errors.HfHubHTTPError() if cause.response is not None:
                return f"{constants.ENDPOINT} answered {cause.response.status_code}; try again"
            case OSError() if cause.errno == errno.ENOSPC or "disk space" in str(cause):
                return (
                    f"the disk of {constants.HF_HOME} is full; set HF_HOME to a folder on a larger "
                    "one, or stream: dataset.source.streaming=true"
                )
            case errors.OfflineModeIsEnabled():
                return "HF_HUB_OFFLINE forbids streaming; set HF_HUB_OFFLINE=0"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    at = f" at {revision}" if revision else ""
    return (
        f"can't be read{at} ({type(error).__name__}: {lines[0] if lines else 'no error message'})"
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and its causes: `datasets` wraps errors."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _mismatch(expected: Any, found: Any, path: str) -> str:
    """Describe how a column differs from the expected type, "" where it does not."""
    if expected is None:
        return ""
    if isinstance(expected, Mapping):
        if not isinstance(found, Mapping):
            return f"column {path} contains {_kind(found)}, not fields {', '.join(expected)}"
        for name, inner in expected.items():
            inside = f"{path}.{name}" if path else name
            if name not in found:
                return f"has no column {inside}{nearest(name, found)}"
            if said := _mismatch(inner, found[name], inside):
                return said
        return ""
    if isinstance(expected, list):
        if not hasattr(found, "feature"):
            return f"column {path} contains {_kind(found)}, not a list"
        return _mismatch(expected[0], found.feature, f"{path}[]")
    return (
        "" if _kind(found) == expected else f"column {path} contains {_kind(found)}, not {expected}"
    )


def _kind(feature: Any) -> str:
    if isinstance(feature, Mapping):
        return f"fields {', '.join(feature)}"
    if hasattr(feature, "feature"):
        return "a list"
    kind = str(getattr(feature, "dtype", type(feature).__name__))
    if kind in ("string", "large_string"):
        return "text"
    return "number" if re.fullmatch(r"u?int\d+", kind) else kind
