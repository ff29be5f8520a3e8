"""Retrieval: find the passages to answer a question from.

A retriever is anything with `search(queries, k)`; a yaml in conf/retrieval names its class. One
that needs the dataset, or an index, also has `over(dataset)`, which returns the one that searches.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import logging
import shutil
import tempfile
from array import array
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal, Protocol

from ..data.dataset import Dataset
from ..data.large_files import duration, gb
from ..data.tables import located
from ..errors import JuriesError
from ..types import Passage
from .passages import passages_of, words_of

log = logging.getLogger(__name__)
LAYOUT = 1  # of an index's folder; another number rebuilds all indexes
EVERY = 100_000  # passages between two log lines
SAME = 4  # decimals: scores that differ by less are tied
ORDINARY = "The station opened in 1912 and was rebuilt by the company after the fire of 1936."
BYTES_A_SECOND = 5e6  # of a file of passages that are indexed in memory; for estimates
INDEX_BYTES = 2.0  # of an index a byte of that file


class Retriever(Protocol):
    """Finds passages."""

    def search(self, queries: Sequence[str], k: int) -> list[list[Passage]]:
        """Return at most k passages for each query, the best first.

        The same query must always find the same passages: they are part of what models are asked.
        """


def over(retriever: Any, dataset: Dataset) -> Retriever:
    """Return a configured retriever, ready to search for a dataset's questions."""
    ready: Retriever = retriever.over(dataset) if hasattr(retriever, "over") else retriever
    return ready


@dataclass(frozen=True)
class Preparation:
    """What a retriever has to do before it can search, found without doing any of it.

    Parameters
    ----------
    index : Path
        The folder of its index.
    ready : bool
        Whether the index is there and complete.
    size : int
        The bytes of the index on disk; estimated if it is not ready.
    seconds : float
        The estimated time of what is left to build, without downloads; 0 if it is ready.
    download : int
        Bytes that are still to be downloaded.
    passages : int
        In the collection; 0 if unknown before it is read.
    words : int
        Of a passage, on average, for estimates of what models are shown.
    indexed : int
        Passages that a build which was stopped has indexed; the next one continues after them.
    """

    index: Path
    ready: bool
    size: int
    seconds: float = 0.0
    download: int = 0
    passages: int = 0
    words: int = 100
    indexed: int = 0

    def __str__(self) -> str:
        if self.ready:
            return f"index {self.index}: ready ({gb(self.size)})"
        first = f"a download of {gb(self.download)}, then " if self.download else ""
        many = f"{self.passages:,} passages, " if self.passages else ""
        state = f"stopped after {self.indexed:,} passages" if self.indexed else "not built"
        return (
            f"index {self.index}: {state}; it takes {first}about {duration(self.seconds)} and "
            f"{gb(self.size)} of disk ({many}estimated)"
        )


def preparation(retriever: Any, dataset: Dataset) -> Preparation | None:
    """Return what a configured retriever has to do before it can search; None if nothing ever.

    Nothing is built, downloaded or written.
    """
    if not hasattr(retriever, "preparation"):
        return None
    found: Preparation = retriever.preparation(dataset)
    return found


def without_building(retriever: Any, dataset: Dataset) -> tuple[Retriever, str]:
    """Return a retriever for a dry run and, where its index is missing, a line that says so.

    Without an index it finds passages of the usual length instead, for estimates of tokens only.
    """
    needed = preparation(retriever, dataset)
    if needed is None or needed.ready:
        return over(retriever, dataset), ""
    return _Typical(needed.words), (
        f"{needed}. The input tokens assume documents of {needed.words} words, and no answer "
        "counts as stored"
    )


@dataclass(frozen=True)
class _Typical:
    """Finds passages of some number of words."""

    words: int

    def search(self, queries: Sequence[str], k: int) -> list[list[Passage]]:
        """Return k passages of ordinary English for each query."""
        cycle = itertools.islice(itertools.cycle(ORDINARY.split()), self.words)
        passage = Passage("The old station", " ".join(cycle))
        return [[passage] * k for _ in queries]


class NoRetrieval:
    """Finds nothing, for answering without documents."""

    def search(self, queries: Sequence[str], k: int) -> list[list[Passage]]:  # noqa: ARG002
        """Return no passages."""
        return [[] for _ in queries]


class Gold:
    """The passages that hold the answer according to the dataset: the ideal retriever."""

    def over(self, dataset: Dataset) -> Retriever:
        """Return a retriever of each question's own passages.

        Raises
        ------
        JuriesError
            If a question has none.
        """
        passages: dict[str, dict[Passage, None]] = {}
        for item in dataset.items:
            if not item.passages:
                raise JuriesError(
                    f"retrieval=gold: dataset {dataset.name} has no passages for item "
                    f"{item.item_id}; set retrieval=bm25 or answering=closed_book"
                )
            passages.setdefault(item.question, {}).update(dict.fromkeys(item.passages))
        return _OwnPassages({question: list(found) for question, found in passages.items()})


@dataclass(frozen=True)
class _OwnPassages:
    passages: Mapping[str, list[Passage]]

    def search(self, queries: Sequence[str], k: int) -> list[list[Passage]]:  # noqa: ARG002
        """Return all passages of each question, however many."""
        for query in queries:
            if query not in self.passages:
                raise JuriesError(
                    f"retrieval=gold: finds passages only by the dataset's questions, not by "
                    f"{query!r}; set retrieval=bm25 if models search"
                )
        return [self.passages[query] for query in queries]


@dataclass(frozen=True)
class Bm25:
    """BM25 over a collection of passages, in Lucene's form (Robertson and Zaragoza 2009).

    Parameters
    ----------
    path : str, optional
        The passages: .jsonl, .csv or .parquet with the columns text, title and passage_id (the last
        two may be absent), or a .tsv with id, text and title, as DPR's psgs_w100.tsv.
    collection : {"file", "dataset"}
        "dataset": the passages of all the dataset's items, as one collection.
    index : str
        The folder for indexes. Each is built once, under a name that depends on the passages and
        the parameters.
    k1, b : float
        The saturation of repeated words, and the penalty on long passages.
    stopwords : sequence of str
        Words that are left out, for a smaller index of a large collection.
    """

    path: str | None = None
    collection: Literal["file", "dataset"] = "file"
    index: str = "outputs/index"
    k1: float = 0.9
    b: float = 0.4
    stopwords: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.collection == "file" and not self.path:
            raise JuriesError("path: missing; set retrieval.path=passages.jsonl")
        if self.collection == "dataset" and self.path:
            raise JuriesError(
                f"path: {self.path!r} is not used with collection=dataset, which uses those "
                "of the dataset; set one of the two"
            )

    def preparation(self, dataset: Dataset) -> Preparation:
        """Return whether the index is there, and what it would take; nothing is built."""
        folder, passages = self._collection(dataset)
        if folder.is_dir():
            size = sum(file.stat().st_size for file in folder.iterdir())
            return Preparation(folder, ready=True, size=size)
        if self.collection == "dataset":
            own = list(passages)
            read = sum(len(passage.text.encode()) for passage in own)
            words = round(sum(len(words_of(p.text)) for p in own) / len(own))
        else:
            own, words = [], 100
            read = located(self.path or "").stat().st_size
        size, seconds = round(INDEX_BYTES * read), read / BYTES_A_SECOND
        return Preparation(folder, False, size, seconds, passages=len(own), words=words)

    def over(self, dataset: Dataset) -> Retriever:
        """Open the index, building it first if needed.

        Raises
        ------
        JuriesError
            If bm25s is not installed, the file can't be read or there are no passages.
        """
        try:
            import bm25s  # noqa: F401
        except ImportError:
            raise JuriesError(
                "retrieval=bm25: needs the extra 'retrieval' (pip install 'llm-juries[retrieval]')"
            ) from None
        folder, passages = self._collection(dataset)
        if not folder.is_dir():
            self._build(passages, folder)
        return _Bm25Index(folder, frozenset(self.stopwords))

    def _collection(self, dataset: Dataset) -> tuple[Path, Iterable[Passage]]:
        """Return the folder of the index, whether it exists or not, and the passages."""
        try:
            made_with = version("bm25s")
        except PackageNotFoundError:
            made_with = "none"  # no index then
        passages: Iterable[Passage]
        source: list[object]
        if self.collection == "dataset":
            own = dict.fromkeys(p for item in dataset.items for p in item.passages)
            if not own:
                raise JuriesError(
                    f"retrieval.collection=dataset: dataset {dataset.name} has no passages; "
                    "set retrieval.collection=file and retrieval.path"
                )
            passages = own
            source = [[p.title, p.text, p.passage_id] for p in own]
        else:
            file = located(self.path or "")
            stat = file.stat()
            passages = passages_of(file)
            source = [str(file.resolve()), stat.st_size, stat.st_mtime_ns]
        made_by = [LAYOUT, made_with, self.k1, self.b, sorted(self.stopwords)]
        name = hashlib.sha256(json.dumps([source, made_by]).encode()).hexdigest()[:16]
        return Path(self.index) / f"bm25-{name}", passages

    def _build(self, passages: Iterable[Passage], folder: Path) -> None:
        """Build an index in a temporary folder, then rename that: an index is always complete."""
        import bm25s

        logging.getLogger("bm25s").setLevel(logging.WARNING)  # importing it sets DEBUG
        log.info("building the index %s", folder)
        folder.parent.mkdir(parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(prefix=".building-", dir=folder.parent))
        try:
            vocabulary: dict[str, int] = {}
            tokens: list[array[int]] = []  # a list of ints would take three times the memory
            with (building / "passages.jsonl").open("wb") as texts:
                offsets = [0]
                for number, passage in enumerate(passages, 1):
                    words = words_of(f"{passage.title} {passage.text}", self.stopwords)
                    numbers = [vocabulary.setdefault(word, len(vocabulary)) for word in words]
                    tokens.append(array("i", numbers))
                    row = [passage.title, passage.text, passage.passage_id]
                    texts.write(json.dumps(row).encode() + b"\n")
                    offsets.append(texts.tell())
                    if number % EVERY == 0:
                        log.info("%s: read %s passages", folder.name, f"{number:,}")
            if not vocabulary:
                raise JuriesError(f"{self.path}: no passage has words; check the column text")
            log.info("%s: indexing %s passages", folder.name, f"{len(tokens):,}")
            index = bm25s.BM25(k1=self.k1, b=self.b, method="lucene")
            index.index((tokens, vocabulary), show_progress=False)
            index.save(building, show_progress=False)
            _save_offsets(building, offsets)
            with suppress(OSError):  # another process was faster; its index is the same
                building.rename(folder)
        finally:
            shutil.rmtree(building, ignore_errors=True)


class _Bm25Index:
    """An index on disk, memory-mapped."""

    def __init__(self, folder: Path, stopwords: frozenset[str]) -> None:
        import bm25s
        import numpy as np

        self.index = bm25s.BM25.load(folder, mmap=True, show_progress=False)
        self.passages = np.memmap(folder / "passages.jsonl", mode="r", dtype=np.uint8)
        self.offsets = np.load(folder / "offsets.npy", mmap_mode="r")
        self.stopwords = stopwords

    def search(self, queries: Sequence[str], k: int) -> list[list[Passage]]:
        """Return the passages with the highest scores; ties are in the collection's order.

        A passage that shares no word with the query is never returned.
        """
        found = []
        for number, query in enumerate(queries, 1):
            found.append([self._passage(at) for at in self._best(query, k)])
            if number % 1000 == 0:
                log.info("searched for %s of %s queries", f"{number:,}", f"{len(queries):,}")
        return found

    def _best(self, query: str, k: int) -> list[int]:
        import numpy as np

        words = self.index.get_tokens_ids(words_of(query, self.stopwords))
        if not words:
            return []
        # Sums of 32-bit floats: scores that are equal by the formula may differ in the last digits.
        scores = np.round(self.index.get_scores_from_ids(words), SAME)
        # bm25s' own selection does not define the order of ties, nor which of them it returns.
        least = np.partition(scores, -k)[-k] if k < scores.size else 0.0
        near = np.flatnonzero((scores >= least) & (scores > 0))
        best = near[np.argsort(-scores[near], kind="stable")][:k]
        return [int(at) for at in best]

    def _passage(self, at: int) -> Passage:
        line = self.passages[self.offsets[at] : self.offsets[at + 1]].tobytes()
        return Passage(*json.loads(line))


def _save_offsets(folder: Path, offsets: Sequence[int]) -> None:
    import numpy as np

    np.save(folder / "offsets.npy", np.asarray(offsets, dtype=np.int64))
