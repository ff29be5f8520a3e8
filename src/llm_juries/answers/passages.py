"""Read collections of passages: tables, DPR's .tsv, and the pages of KILT's knowledge source."""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import msgspec

from ..data.tables import LONGEST_CELL, rows
from ..errors import JuriesError, nearest
from ..types import Passage

WORD = re.compile(r"\w+")
SENTENCE = re.compile(r"(?<=[.!?])\s+")
PASSAGE_WORDS = 100  # of a passage of KILT's pages, as in KILT's and DPR's own splits


def words_of(text: str, stopwords: Iterable[str] = ()) -> list[str]:
    """Return the words of a text as indexed: lower case, without stopwords."""
    words = WORD.findall(text.lower())
    if not stopwords:
        return words
    left_out = frozenset(stopwords)
    return [word for word in words if word not in left_out]


def passages_of(file: Path) -> Iterator[Passage]:
    """Yield the passages of a file.

    Parameters
    ----------
    file : Path
        .jsonl, .csv or .parquet with text, title and passage_id; or .tsv with id, text and title,
        as DPR's psgs_w100.tsv, also as .tsv.gz.

    Raises
    ------
    JuriesError
        Naming the file, the row and the field at fault.
    """
    tsv = file.name.lower().endswith((".tsv", ".tsv.gz"))
    for number, (place, row) in enumerate(_tsv(file) if tsv else rows(file), 1):
        if number == 1 and "text" not in row:
            found = [str(column)[:40] for column in row]
            raise JuriesError(f"{file}: has no column 'text'{nearest('text', found)}")
        text, title = row.get("text"), row.get("title") or ""
        if not isinstance(text, str) or not isinstance(title, str):
            field = "text" if isinstance(title, str) else "title"
            raise JuriesError(
                f"{file}, {place}, field {field}: is {row.get(field)!r}; must be a text"
            )
        named = row.get("passage_id", row.get("id"))
        yield Passage(title, text, str(number if named is None else named))


class Page(msgspec.Struct):
    """What is used of a page of KILT's knowledge source."""

    wikipedia_id: str | int
    wikipedia_title: str
    text: list[str]


def kilt_passages(file: Path) -> Iterator[Passage]:
    """Yield passages of about 100 words of the pages of KILT's knowledge source, a JSON a line.

    They are cut much as by KILT's scripts/create_kilt_data_paragraphs.py: without the title's
    paragraph and headings; whole sentences of a section, up to 100 words. Sentences end here at
    . ! or ? before a space, not where spaCy would end them, so the passages are not quite those of
    KILT's own split. A passage's id is PAGE:NUMBER.

    Raises
    ------
    JuriesError
        Naming the file, the line and what is wrong.
    """
    decoder = msgspec.json.Decoder(Page)
    number = 0
    with _opened(file) as stream:
        for number, line in enumerate(stream, 1):
            if not line.strip():
                continue
            try:
                page = decoder.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                raise JuriesError(
                    f"{file}, line {number}: is not a page of KILT's knowledge source ({error}); "
                    "check the file"
                ) from None
            for at, text in enumerate(split_page(page.text[1:]), 1):
                yield Passage(page.wikipedia_title, text, f"{page.wikipedia_id}:{at}")


def split_page(paragraphs: Sequence[str]) -> Iterator[str]:
    """Yield a page's passages of at most 100 words, none across two sections."""
    held: list[str] = []
    for paragraph in paragraphs:
        if "Section::::" in paragraph:  # a heading
            if held:
                yield " ".join(held)
            held = []
            continue
        for sentence in SENTENCE.split(paragraph):
            words = sentence.split()
            if len(held) + len(words) > PASSAGE_WORDS:
                if held:
                    yield " ".join(held)
                held = []
            while len(words) > PASSAGE_WORDS:  # a table, or a text without full stops
                yield " ".join(words[:PASSAGE_WORDS])
                words = words[PASSAGE_WORDS:]
            held += words
    if held:
        yield " ".join(held)


def _tsv(file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the rows of a .tsv file, quoted as DPR's."""
    csv.field_size_limit(LONGEST_CELL)
    with _opened(file) as raw:
        table = csv.reader(_lines(raw, file), delimiter="\t", strict=True)
        try:
            header = next(table, [])
            if len(set(header)) < len(header):
                raise JuriesError(f"{file}, line 1: has a column twice; rename one")
            for cells in table:
                place = f"line {table.line_num}"
                if len(cells) != len(header):
                    raise JuriesError(
                        f"{file}, {place}: has a different number of cells than the header "
                        f"({len(cells)} and {len(header)}); fix the row"
                    )
                yield place, dict(zip(header, cells, strict=True))
        except csv.Error as error:
            raise JuriesError(f"{file}, line {table.line_num}: {error}; fix the row") from None


def _lines(raw: IO[bytes], file: Path) -> Iterator[str]:
    """Yield the lines as text."""
    for number, line in enumerate(raw, 1):
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            raise JuriesError(f"{file}, line {number}: is not UTF-8; fix the line") from None


@contextmanager
def _opened(file: Path) -> Iterator[IO[bytes]]:
    """Open a file, unpacking one that ends in .gz."""
    try:
        with gzip.open(file) if file.suffix.lower() == ".gz" else file.open("rb") as stream:
            yield stream  # type: ignore[misc]
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise JuriesError(f"{file}: is cut off or damaged ({error}); get it again") from None
