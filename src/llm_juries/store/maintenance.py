"""What scripts/store.py does with a store: verify, compact, count, export, import, merge."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgspec

from ..errors import JuriesError
from ..types import Verdict
from . import segments, snapshots
from .compaction import compact
from .index import Index, conflict, counts
from .parquet import opened, schema, verdicts_of
from .store import Store

SHARD = 500_000  # rows a file of an export
NAMED = 3  # keys named in a summary
SIZES = ("n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M")  # of the Hub


@dataclass(frozen=True)
class Task:
    """What to do with a store.

    Parameters
    ----------
    action : {"verify", "compact", "count", "export", "import", "merge"}
    store : str
        The store's folder.
    out : str, optional
        Where an export is written: a folder that is not there yet.
    sources : tuple of str
        What is imported (folders of exports, .jsonl, .parquet) or merged (other stores).
    licence : str
        Of an export, as the Hugging Face Hub names it.
    quiet : bool
        See `compaction.compact`.
    """

    action: Literal["verify", "compact", "count", "export", "import", "merge"]
    store: str
    out: str | None = None
    sources: tuple[str, ...] = ()
    licence: str = "unknown"
    quiet: bool = False

    def __post_init__(self) -> None:
        if self.action == "export" and not self.out:
            raise JuriesError("out: is needed to export; set it with out=FOLDER")
        if self.action in ("import", "merge") and not self.sources:
            raise JuriesError(f"sources: are needed to {self.action}; set them with sources=[PATH]")

    def run(self) -> str:
        """Do it; return what was done, in words.

        Raises
        ------
        JuriesError
            If there is no such store (but to import and merge), something in it is damaged, or a
            source or the place of an export is no good.
        """
        store = Path(self.store)
        if self.action in ("import", "merge"):
            sources = [Path(source).expanduser() for source in self.sources]
            return str(gather(store, sources, stores=self.action == "merge"))
        if not store.is_dir():
            raise JuriesError(f"store: there is no folder {store}")
        match self.action:
            case "verify":
                return verify(store)
            case "compact":
                return _compacted(store, quiet=self.quiet)
            case "count":
                from ..markdown import markdown
                from .scan import outcome_counts

                return markdown(outcome_counts(store))
            case _:
                rows = export(store, Path(str(self.out)).expanduser(), self.licence)
                return f"{rows:,} verdicts in {self.out}: load it with datasets.load_dataset"


def _compacted(store: Path, *, quiet: bool) -> str:
    done = compact(store, quiet=quiet)
    if done.lost_race:
        return "another compaction was at work and came first; this one changed nothing"
    left = f"; {done.left} may still be written to or hold a damaged line" if done.left else ""
    return (
        f"{done.moved:,} verdicts moved into Parquet, which holds {done.rows:,} in {done.files} "
        f"files; {done.retired} segments deleted{left}"
    )


def verify(store: Path) -> str:
    """Check every Parquet file's checksum and every line of the segments; return what is there.

    Raises
    ------
    JuriesError
        If a Parquet file is gone, differs from its checksum or was made by a newer version, or a
        line in a segment's middle is damaged. Torn last lines and keys that stand twice are
        told, and no error: a killed process or a vote asked for again leaves them.
    """
    number, snapshot = snapshots.newest(store)
    for file in snapshot.files:
        _check(snapshots.home(store) / file.path, file)
    index = Index.of(store)
    index.close()
    found = index.found
    if found.damaged:
        raise JuriesError(
            f"store {store}: {found.damaged} damaged lines in its segments, named above; all other "
            f"verdicts ({len(index):,} keys) can be read"
        )
    rows = sum(file.rows for file in snapshot.files)
    named = ", ".join(sorted(found.conflicts)[:NAMED])
    strays = len(list(snapshots.strays(store)))
    told = [
        f"{len(index):,} verdicts by their keys",
        f"{rows:,} in {len(snapshot.files)} Parquet files of snapshot {number}, all as written",
        f"{found.lines:,} whole lines in {len(index.read)} segments, {found.torn} torn last lines",
        f"{found.again} keys stored again, {len(found.conflicts)} of them with another label"
        + (f" ({named} ...)" if named else ""),
    ]
    if strays:
        told.append(f"{strays} Parquet files that a later compaction deletes")
    return "\n".join(told)


def _check(path: Path, file: snapshots.File) -> None:
    try:
        found = snapshots.sha256(path)
    except OSError as error:
        raise JuriesError(f"{path}: {error.strerror}; restore it from a copy") from None
    if found != file.sha256:
        raise JuriesError(f"{path}: differs from its checksum; restore it from a copy")
    with opened(path) as parquet:
        if parquet.metadata.num_rows != file.rows:
            raise JuriesError(f"{path}: holds {parquet.metadata.num_rows} rows, not {file.rows}")


@dataclass
class Gathered:
    """What became of verdicts that were read from elsewhere.

    `new` keys were lacking here, `better` ones replace a verdict that counts less (a failure, a
    later one), `known` ones change nothing. `conflicts` are keys whose two verdicts have different
    labels: the earlier counts.
    """

    read: int = 0
    new: int = 0
    better: int = 0
    known: int = 0
    conflicts: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        said = (
            f"{self.read:,} verdicts read: {self.new:,} new, {self.known:,} known, {self.better:,} "
            "instead of one that counts less"
        )
        if self.conflicts:
            named = ", ".join(sorted(self.conflicts)[:NAMED])
            said += f"\n{len(self.conflicts)} keys with two labels, the earlier counts: {named}"
        return said


def gather(into: Path, sources: Iterable[Path], *, stores: bool) -> Gathered:
    """Take over the verdicts of other stores, or of files, each key once.

    It can be killed and run again: what is there already is known then.

    Raises
    ------
    JuriesError
        If a source is not there, is the store itself, is to be merged and no store, or holds a row
        that is no verdict. What was read before that is kept.
    """
    sources = list(sources)
    for source in sources:
        if source.resolve() == into.resolve():
            raise JuriesError(f"sources: {source} is the store itself")
        if stores and not source.is_dir():
            raise JuriesError(f"sources: there is no store {source}")
        if stores and not segments.segments(source) and not snapshots.numbers(source):
            raise JuriesError(
                f"sources: {source} holds no verdicts as a store does; take over an export with "
                "action=import"
            )
    told = Gathered()
    with Store(into) as store:
        for source in sources:
            for verdict in Store(source) if stores else read(source):
                _take(store, verdict, told)
    return told


def _take(store: Store, verdict: Verdict, told: Gathered) -> None:
    told.read += 1
    known = store.get(verdict.key)
    if known is not None and conflict(known, verdict):
        told.conflicts.append(verdict.key)
    if known is None:
        told.new += 1
    elif counts(verdict, known):
        told.better += 1
    else:
        told.known += 1
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
            raise JuriesError(f"sources: {source} holds no data/*.parquet; is it an export?")
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
                    f"{file}: unknown file ending {ending!r}; there are: .jsonl, .parquet"
                )


def _jsonl(file: Path) -> Iterator[Verdict]:
    for line in segments.lines(file):
        if line.verdict is None:
            said = line.said or "it is torn: no line break ends it"
            raise JuriesError(f"{file}, line {line.number}: is no verdict ({said})")
        yield line.verdict


def _parquet(file: Path) -> Iterator[Verdict]:
    import pyarrow as pa

    with opened(file) as parquet:
        try:
            for batch in parquet.iter_batches(1024, columns=schema().names):
                table = pa.Table.from_batches([batch]).select(schema().names).cast(schema())
                for verdict in verdicts_of(table):
                    yield msgspec.convert(msgspec.to_builtins(verdict), Verdict)
        except (pa.ArrowException, KeyError, TypeError, ValueError, msgspec.ValidationError) as e:
            said = " ".join(str(e).split())
            raise JuriesError(f"{file}: holds a row that is no verdict ({said})") from None


def export(store: Path, out: Path, licence: str = "unknown") -> int:
    """Write a store as a folder that datasets.load_dataset reads; return the number of verdicts.

    The verdicts that count, each key once, go into data/*.parquet; README.md is the card.

    Raises
    ------
    JuriesError
        If the store holds nothing, or the folder is there already or can't be written.
    """
    from ..files import write_text
    from ..markdown import markdown
    from .scan import outcome_counts, parts

    if out.exists():
        raise JuriesError(f"out: {out} is there already; choose another name")
    table = outcome_counts(store)
    if table.empty:
        raise JuriesError(f"store {store}: holds no verdicts to export")
    beside = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        (beside / "data").mkdir(parents=True)
        rows = _shards((part.rows for part in parts(store)), beside / "data")
        write_text(beside / "README.md", _card(table, markdown(table), rows, licence))
        beside.rename(out)
    except OSError as error:
        raise JuriesError(f"out: {out} can't be written ({error.strerror or error})") from None
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return rows


def _shards(batches: Iterable[Any], folder: Path) -> int:
    """Write batches into files of a limited number of rows; return the number of all rows."""
    import pyarrow.parquet as pq

    batches = (batch.select(schema().names).cast(schema()) for batch in batches)
    rows = 0
    for number in itertools.count():
        if (batch := next(iter(batches), None)) is None:
            return rows
        with pq.ParquetWriter(
            folder / f"verdicts-{number:05d}.parquet", schema(), compression="zstd"
        ) as shard:
            written = 0
            while batch is not None:
                shard.write_batch(batch)
                written += len(batch)
                batch = None if written >= SHARD else next(batches, None)
        rows += written
    return rows


def _card(table: Any, counted: str, rows: int, licence: str) -> str:
    size = SIZES[sum(rows >= 10**power for power in range(3, 3 + len(SIZES) - 1))]

    def listed(column: str) -> str:
        return ", ".join(f"`{name}`" for name in sorted(set(table[column])))

    return f"""---
license: {msgspec.json.encode(licence).decode()}
pretty_name: Verdicts of LLM judges
size_categories: [{size}]
tags: [llm-as-a-judge, evaluation]
configs:
- config_name: default
  data_files:
  - split: train
    path: data/*.parquet
---

# Verdicts of LLM judges

{rows:,} verdicts, exported from a store of llm-juries. A row is one judge's answer about one item
under one prompt, with its raw reply. A key is a hash of all that determines the reply; each stands
here once.

- Datasets judged: {listed("dataset")}
- Judges: {listed("judge")}
- Prompts: {listed("prompt")}
- Licence: {licence}. Raw replies may quote the datasets that were judged, which have their own.

The labels are what judges said: they are no human labels, and those are not in here.

{counted}

## Columns

| column | |
| --- | --- |
| key | hash of the model, its decoding and what it was asked |
| judge, prompt, dataset | their names in the configs |
| item_id, candidate, opponent | which answer was judged; `opponent` in pairs |
| order | which way round a pair was shown |
| outcome | ok, unparsed, refused, truncated or failed; only ok has a label |
| label | the verdict on the prompt's scale, in terms of the candidate; empty where there is none |
| score | the evidence behind the label, where there is any |
| reader | what read the reply |
| reply | the reply as it came: text, stop, thinking, log-probabilities, tokens, latency_s |
| cost_usd | US dollars, empty where unknown |
| attempts, asked_at | requests sent; Unix time in seconds |

`python scripts/store.py import store=FOLDER sources=[THIS_FOLDER]` reads it back.
"""
