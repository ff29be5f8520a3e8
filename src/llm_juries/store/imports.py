"""Take verdicts into a store: from exports and files, or from other stores, each key once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from ..errors import JuriesError
from ..types import Verdict
from . import segments, snapshots
from .index import conflict, counts, uncomparable
from .parquet import batches, columns_of, opened, schema, upgraded, verdicts_of
from .store import Store


@dataclass
class Imported:
    """What became of the verdicts that were read.

    `new` keys were missing here, `better` ones replace a verdict that counts less (a failure, or a
    later one), `known` ones change nothing. `conflicts` are keys whose two verdicts have different
    values: the earlier verdict counts. `uncompared` are keys whose two replies differ and were
    parsed in different ways.
    """

    read: int = 0
    new: int = 0
    better: int = 0
    known: int = 0
    conflicts: list[str] = field(default_factory=list)
    uncompared: list[str] = field(default_factory=list)


def import_files(into: Path, sources: Iterable[Path]) -> Imported:
    """Import the verdicts of exports' folders, .parquet and .jsonl files.

    It can be killed and run again: what was imported before is known then.

    Raises
    ------
    JuriesError
        If a source does not exist, is the store itself, or holds a row that is not a verdict. What
        was read before that is kept.
    """
    sources = _others(sources, into)
    return _import(into, (verdict for source in sources for verdict in read(source)))


def merge(into: Path, sources: Iterable[Path]) -> Imported:
    """Import the verdicts of other stores.

    It can be killed and run again: what was imported before is known then.

    Raises
    ------
    JuriesError
        If a source is not a store or is the store itself, before anything is read.
    """
    sources = _others(sources, into)
    for source in sources:
        if not source.is_dir():
            raise JuriesError(f"sources: there is no store {source}")
        if not segments.segments(source) and not snapshots.numbers(source):
            raise JuriesError(
                f"sources: {source} is not a store; if it is an export, use action=import"
            )
    return _import(into, (verdict for source in sources for verdict in Store(source)))


def _others(sources: Iterable[Path], into: Path) -> list[Path]:
    found = list(sources)
    for source in found:
        if source.resolve() == into.resolve():
            raise JuriesError(f"sources: {source} is the store itself")
    return found


def _import(into: Path, verdicts: Iterable[Verdict]) -> Imported:
    done = Imported()
    with Store(into) as store:
        for verdict in verdicts:
            _take(store, verdict, done)
    return done


def _take(store: Store, verdict: Verdict, done: Imported) -> None:
    done.read += 1
    known = store.get(verdict.key)
    if known is not None and conflict(known, verdict):
        done.conflicts.append(verdict.key)
    if known is not None and uncomparable(known, verdict):
        done.uncompared.append(verdict.key)
    if known is None:
        done.new += 1
    elif counts(verdict, known):
        done.better += 1
    else:
        done.known += 1
        return
    store.append(verdict)


def read(source: Path) -> Iterator[Verdict]:
    """Yield the verdicts of an export's folder, a .parquet or a .jsonl file.

    Raises
    ------
    JuriesError
        Naming the file, and the line or column.
    """
    if source.is_dir():
        files = sorted([*source.glob("*.parquet"), *source.glob("data/*.parquet")])
        if not files:
            raise JuriesError(f"sources: {source} holds no data/*.parquet, as an export does")
    elif source.is_file():
        files = [source]
    else:
        raise JuriesError(f"sources: there is no file or folder {source}")
    for file in files:
        match file.suffix.lower():
            case ".parquet":
                yield from _parquet(file)
            case ".jsonl":
                yield from _jsonl(file)
            case ending:
                raise JuriesError(
                    f"{file}: unknown file extension {ending!r}; supported: .jsonl, .parquet"
                )


def _jsonl(file: Path) -> Iterator[Verdict]:
    for line in segments.lines(file):
        if line.verdict is None:
            said = line.error or "incomplete: no line break at its end"
            raise JuriesError(f"{file}, line {line.number}: not a verdict ({said})")
        yield line.verdict


def _parquet(file: Path) -> Iterator[Verdict]:
    import pyarrow as pa

    with opened(file) as parquet:
        try:
            for batch in batches(parquet, file, 1024, columns_of(parquet, schema().names)):
                table = pa.Table.from_batches([upgraded(batch, schema().names, file)])
                for verdict in verdicts_of(table):
                    yield msgspec.convert(msgspec.to_builtins(verdict), Verdict)
        except (pa.ArrowException, msgspec.ValidationError) as error:
            said = " ".join(str(error).split())
            raise JuriesError(f"{file}: holds a row that is not a verdict ({said})") from None
