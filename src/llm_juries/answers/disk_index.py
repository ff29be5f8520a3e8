"""BM25 over a collection as large as Wikipedia, in an index on disk (tantivy).

Tantivy's own scores have k1 = 1.2, b = 0.75 and lengths of passages rounded to one byte, none of
which can be set. So it only finds candidates, `depth` a query. They are scored again by the formula
that `retrieval.Bm25` uses, with exact lengths and any k1 and b. A passage is lost only if tantivy
ranks it below the candidates; tests/answers/test_disk_index.py measures how often.

An index is built in a folder named .building-NAME, with a commit every `COMMIT` passages, and
renamed when it is complete. A build that was killed continues after its last commit.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from ..data.dataset import Dataset
from ..data.large_files import LargeFile, Pace, check_space
from ..data.tables import located
from ..errors import JuriesError
from ..types import Passage
from .passages import kilt_passages, passages_of, words_of
from .retrieval import SAME, Preparation, Retriever

log = logging.getLogger(__name__)
LAYOUT = 1  # of an index's folder; another number rebuilds all indexes
COMMIT = 500_000  # passages that a killed build loses at most
THREADS = 2  # that index, beside the one that reads and cuts into words
HEAP = 256_000_000  # bytes of memory for passages that are not yet on disk
MOST = 20_000  # candidates a query, however many are tied
LONGEST = 60_000  # bytes: tantivy drops a word of more than 65,530
# Measured by benchmarks/disk_index.py; see docs/decisions.md.
PASSAGES_A_SECOND = 10_000
BYTES_A_PASSAGE = 750  # of an index, with the passages' texts
ROOM = 1.6  # of its size, for parts of it that are being merged


@dataclass(frozen=True)
class DiskBm25:
    """BM25 over a large collection, which is downloaded if it is not at hand.

    Parameters
    ----------
    path : str, optional
        The collection: see `passages.passages_of` and `kilt_passages`. Without one, it is `source`.
    source : LargeFile, optional
        A public collection, downloaded into the cache folder on first use.
    form : {"table", "kilt"}
        Passages in a table, or pages of KILT's knowledge source, cut into passages.
    count : int
        The passages of the collection, for estimates and progress; 0 if unknown.
    index : str
        The folder for indexes. Each is built once, under a name that depends on the collection and
        on `stopwords`.
    k1, b : float
        The saturation of repeated words, and the penalty on long passages. They may be changed
        without a new index.
    stopwords : sequence of str
        Words that are left out.
    depth : int
        Candidates a query that are scored by the formula; more if the last of them is tied with one
        of the best.
    """

    path: str | None = None
    source: LargeFile | None = None
    form: Literal["table", "kilt"] = "table"
    count: int = 0
    index: str = "outputs/index"
    k1: float = 0.9
    b: float = 0.4
    stopwords: tuple[str, ...] = ()
    depth: int = 200

    def __post_init__(self) -> None:
        if not self.path and self.source is None:
            raise JuriesError("path: missing; set retrieval.path=passages.jsonl")
        if self.depth < 1 or self.count < 0:
            raise JuriesError(
                f"depth={self.depth}, count={self.count}: set depth to 1 or more and count to 0 "
                "or more"
            )
        if not (0 <= self.b <= 1 and 0 <= self.k1 < math.inf):
            raise JuriesError(
                f"k1={self.k1}, b={self.b}: set k1 to 0 or more and b to between 0 and 1"
            )

    def preparation(self, dataset: Dataset) -> Preparation:  # noqa: ARG002
        """Return whether the index is there, and what it would take; nothing is built."""
        folder = self._folder()
        if folder.is_dir():
            size = sum(file.stat().st_size for file in folder.iterdir())
            return Preparation(folder, ready=True, size=size, passages=self.count)
        download = self.source.missing if self.source is not None and not self.path else 0
        indexed = _committed(_building(folder))
        return Preparation(
            folder,
            ready=False,
            size=self._expected() * BYTES_A_PASSAGE,
            seconds=max(self._expected() - indexed, 0) / PASSAGES_A_SECOND,
            download=download,
            passages=self.count,
            indexed=indexed,
        )

    def over(self, dataset: Dataset) -> Retriever:  # noqa: ARG002
        """Open the index; first download the collection and build it if needed.

        Raises
        ------
        JuriesError
            If tantivy is not installed, the collection can't be read or downloaded, it has no
            words, the disk is too full, or another process is building this index.
        """
        _tantivy()  # before a long download
        folder = self._folder()
        if not folder.is_dir():
            with _readable_errors(folder):
                self._build(folder)
        with _readable_errors(folder):
            return _DiskIndex(folder, self)

    def _folder(self) -> Path:
        if self.path:
            file = located(self.path)
            stat = file.stat()
            collection = [str(file.resolve()), stat.st_size, stat.st_mtime_ns]
        else:
            assert self.source is not None  # noqa: S101 - checked in __post_init__
            collection = [self.source.url, self.source.size, self.source.sha256]
        made_by = [LAYOUT, self.form, sorted(self.stopwords)]
        name = hashlib.sha256(json.dumps([collection, made_by]).encode()).hexdigest()[:16]
        return Path(self.index) / f"disk-{name}"

    def _file(self) -> Path:
        """Return the collection's file, downloading it first if needed."""
        if self.source is not None and not self.path:
            return self.source.fetch()
        return located(self.path or "")

    def _expected(self) -> int:
        """Return about how many passages there are."""
        if self.count:
            return self.count
        file = located(self.path or "")
        return file.stat().st_size // (200 if file.suffix == ".gz" else 600)

    def _build(self, folder: Path) -> None:
        """Index the collection, or what a killed build left of it, then rename the folder."""
        file = self._file()
        building = _building(folder)
        building.mkdir(parents=True, exist_ok=True)
        index = _tantivy().Index(_schema(), path=str(building))
        writer = index.writer(HEAP, THREADS)
        # From here on no other process writes into the folder; one may have finished just before.
        if not folder.is_dir():
            try:
                self._fill(index, writer, file, building)
            except JuriesError:  # what is there is of no use: a mended file has another index
                writer.rollback()
                writer.wait_merging_threads()
                shutil.rmtree(building, ignore_errors=True)
                raise
            writer.wait_merging_threads()
            with suppress(OSError):
                building.rename(folder)
        shutil.rmtree(building, ignore_errors=True)

    def _fill(self, index: Any, writer: Any, file: Path, building: Path) -> None:
        done = index.searcher().num_docs
        if done:
            log.info("%s: continuing after %s passages", building, f"{done:,}")
        else:
            log.info("building the index %s", building)
        there = sum(part.stat().st_size for part in building.iterdir())
        needed = int(self._expected() * BYTES_A_PASSAGE * ROOM)
        check_space(building, max(needed - there, 0), str(building))
        pace = Pace(building.name, self._expected(), "passages")
        passages = kilt_passages(file) if self.form == "kilt" else passages_of(file)
        for number, passage in enumerate(islice(passages, done, None), done + 1):
            writer.add_document(self._document(passage, number))
            pace.at(number)
            if number % COMMIT == 0:
                writer.commit()
        writer.commit()
        index.reload()
        if not _words_in(index.searcher()):
            raise JuriesError(f"{file}: no passage has words; check the column text")

    def _document(self, passage: Passage, number: int) -> Any:
        words = _terms(f"{passage.title} {passage.text}", self.stopwords)
        row = [passage.title, passage.text, passage.passage_id]
        document = _tantivy().Document()
        document.add_text("words", " ".join(words))
        document.add_unsigned("number", number)
        document.add_unsigned("length", len(words))
        document.add_bytes("passage", json.dumps(row).encode())
        return document


class _DiskIndex:
    """A complete index, memory-mapped."""

    def __init__(self, folder: Path, options: DiskBm25) -> None:
        index = _tantivy().Index.open(str(folder))
        index.config_reader("manual")  # without a thread that watches for changes
        index.reload()
        self.options = options
        self.schema = index.schema
        self.searcher = index.searcher()
        self.mean_length = _words_in(self.searcher) / self.searcher.num_docs

    def search(self, queries: Sequence[str], k: int) -> list[list[Passage]]:
        """Return the passages with the highest scores; ties are in the collection's order.

        A passage that shares no word with the query is never returned. A query's characters have no
        meaning beyond the words between them: it is never parsed as query syntax.
        """
        found = []
        pace = Pace("searching", len(queries), "queries")
        for number, query in enumerate(queries, 1):
            found.append(self._best(query, k))
            pace.at(number)
        return found

    def _best(self, text: str, k: int) -> list[Passage]:
        words = Counter(_terms(text, self.options.stopwords))
        idf = {word: self._idf(count) for word in words if (count := self._holding(word))}
        if not idf or k < 1:
            return []
        query = self._query({word: words[word] for word in idf})
        weights = {word: words[word] * idf[word] for word in idf}
        depth = max(self.options.depth, k)
        while True:
            hits = self.searcher.search(query, limit=depth, count=False).hits
            scored = self._scored([address for _, address in hits], weights)
            best = sorted(scored, key=lambda one: (-one[0], one[1]))[:k]
            lowest = min(hits[at][0] for *_, at in best)
            if len(hits) < depth or depth >= MOST or hits[-1][0] < lowest:
                return [passage for _, _, passage, _ in best]
            depth = min(4 * depth, MOST)  # which of the tied are candidates would be chance

    def _scored(
        self, addresses: list[Any], weights: dict[str, float]
    ) -> list[tuple[float, int, Passage, int]]:
        """Return each candidate's score, number in the collection, passage and rank."""
        k1, b = self.options.k1, self.options.b
        numbers = self.searcher.fast_field_values("number", addresses)
        lengths = self.searcher.fast_field_values("length", addresses)
        scored = []
        for at, address in enumerate(addresses):
            passage = Passage(*json.loads(self.searcher.doc(address)["passage"][0]))
            counts = Counter(_terms(f"{passage.title} {passage.text}"))
            norm = k1 * (1 - b + b * lengths[at] / self.mean_length)
            score = sum(
                weight * counts[word] / (counts[word] + norm)
                for word, weight in weights.items()
                if counts[word]
            )
            scored.append((round(score, SAME), numbers[at], passage, at))
        return scored

    def _query(self, words: dict[str, int]) -> Any:
        """Return the query of some words and how often each stands in the question."""
        tantivy = _tantivy()
        terms = (
            (tantivy.Query.term_query(self.schema, "words", word, index_option="freq"), times)
            for word, times in words.items()
        )
        return tantivy.Query.boolean_query(
            [
                (tantivy.Occur.Should, tantivy.Query.boost_query(term, float(times)))
                for term, times in terms
            ]
        )

    def _holding(self, word: str) -> int:
        return int(self.searcher.doc_freq("words", word))

    def _idf(self, holding: int) -> float:
        return math.log(1 + (self.searcher.num_docs - holding + 0.5) / (holding + 0.5))


def _building(folder: Path) -> Path:
    """Return the folder that an index has until it is complete."""
    return folder.with_name(f".building-{folder.name}")


def _committed(building: Path) -> int:
    """Return how many passages a build that was stopped has indexed; 0 if that can't be read."""
    try:
        meta = json.loads((building / "meta.json").read_bytes())
        return sum(int(segment["max_doc"]) for segment in meta["segments"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def _schema() -> Any:
    builder = _tantivy().SchemaBuilder()
    builder.add_text_field("words", tokenizer_name="whitespace", index_option="freq")
    builder.add_unsigned_field("number", fast=True)
    builder.add_unsigned_field("length", fast=True)
    builder.add_bytes_field("passage", stored=True)
    return builder.build()


def _terms(text: str, stopwords: Sequence[str] = ()) -> list[str]:
    """Return a text's words; one that tantivy would drop for its length is replaced by its hash."""
    words = words_of(text, stopwords)
    if len(text) * 4 <= LONGEST:
        return words
    return [
        word if len(word.encode()) <= LONGEST else f"#{hashlib.sha256(word.encode()).hexdigest()}"
        for word in words
    ]


def _words_in(searcher: Any) -> int:
    """Return the number of words of all passages."""
    total = {"words": {"sum": {"field": "length"}}}
    return int(searcher.aggregate(_tantivy().Query.all_query(), total)["words"]["value"])


@contextmanager
def _readable_errors(folder: Path) -> Iterator[None]:
    """Turn tantivy's errors and those of the disk into one line."""
    try:
        yield
    except (ValueError, OSError) as error:
        said = " ".join(str(error).split())
        if "LockBusy" in said:
            raise JuriesError(
                f"{folder}: another process is building this index; run again when it is done"
            ) from None
        raise JuriesError(
            f"{folder}: the index can't be used ({said}); check the disk, or delete the folder and "
            "run again"
        ) from None


def _tantivy() -> Any:
    try:
        import tantivy
    except ImportError:
        raise JuriesError(
            "retrieval: an index on disk needs the extra 'retrieval' "
            "(pip install 'llm-juries[retrieval]')"
        ) from None
    return tantivy
