"""Scan a store column by column, by judge, dataset and prompt, without rendering prompts.

`plan.look_up` renders the prompt of every item to find its key, which is exact, but slow for
millions. Here verdicts are found by the names they were stored with. Those that are not in Parquet
yet are read too, but held in memory: compact a large store first.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..errors import JuriesError
from ..types import Outcome, Verdict
from . import segments, snapshots
from .index import Index
from .parquet import batches, columns_of, opened, schema, table_of, upgraded

MANY, SOME = 1 << 18, 1 << 13  # rows a batch, without and with their replies
APART = "\x1f"  # separates the parts of an item's identity


@dataclass(frozen=True)
class Wanted:
    """Which verdicts to read: those of some datasets, judges and prompts, all by default."""

    datasets: tuple[str, ...] = ()
    judges: tuple[str, ...] = ()
    prompts: tuple[str, ...] = ()

    def has(self, dataset: str, judge: str) -> bool:
        """Return whether verdicts of a judge on a dataset may be wanted."""
        return (not self.datasets or dataset in self.datasets) and (
            not self.judges or judge in self.judges
        )


@dataclass(frozen=True)
class Part:
    """Some verdicts of one judge on one dataset, as an Arrow record batch."""

    dataset: str
    judge: str
    rows: Any


def parts(
    store: Path, columns: Sequence[str] | None = None, wanted: Wanted | None = None
) -> Iterator[Part]:
    """Yield the verdicts that count, each key once, sorted by dataset and judge.

    Parameters
    ----------
    store : Path
    columns : sequence of str, optional
        See `parquet.schema`; all by default.
    wanted : Wanted, optional

    Raises
    ------
    JuriesError
        If a Parquet file is damaged or of a newer version, or the store was compacted twice during
        the scan.
    """
    wanted = wanted or Wanted()
    names = list(columns) if columns is not None else schema().names
    files, stale, fresh = _state(store)
    there = {(file.dataset, file.judge) for file in files} | set(fresh)
    for dataset, judge in sorted(there):
        if not wanted.has(dataset, judge):
            continue
        for file in files:
            if (file.dataset, file.judge) == (dataset, judge):
                try:
                    path = snapshots.checked(store, file)
                    for rows in _rows(path, names, stale.get(file)):
                        yield Part(dataset, judge, under_prompts(rows, wanted))
                except FileNotFoundError:
                    raise JuriesError(
                        f"store {store}: compacted twice while it was read; run again"
                    ) from None
        if (dataset, judge) in fresh:
            for rows in table_of(fresh[dataset, judge]).select(_with(names)).to_batches():
                yield Part(dataset, judge, under_prompts(rows, wanted))


def _state(
    store: Path,
) -> tuple[
    Sequence[snapshots.File],
    dict[snapshots.File, set[int]],
    dict[tuple[str, str], list[Verdict]],
]:
    """Return the Parquet files, their superseded rows, and the verdicts in segments only."""
    fresh: dict[tuple[str, str], list[Verdict]] = defaultdict(list)
    try:
        listed = segments.segments(store)
        _, snapshot = snapshots.newest(store)
        if not any(_has_more(each, snapshot.held.get(segments.stem(each))) for each in listed):
            return snapshot.files, {}, fresh
    except OSError:  # moved to Parquet meanwhile, or the index will say why it can't be read
        pass
    index = Index.of(store)
    for verdict in index.fresh(damaged=True):
        fresh[verdict.dataset, verdict.judge].append(verdict)
    index.close()
    files = index.snapshot.files
    return files, {files[number]: rows for number, rows in index.stale.items()}, fresh


def _has_more(segment: Path, held: segments.Mark | None) -> bool:
    """Return whether a segment has a complete line that no Parquet file holds."""
    line = next(segments.lines(segment, held), None)
    return line is not None and not line.torn


def _with(names: Sequence[str]) -> list[str]:
    return list(dict.fromkeys([*names, "prompt"]))


def _rows(path: Path, names: Sequence[str], stale: set[int] | None) -> Iterator[Any]:
    import pyarrow as pa

    with opened(path) as file:
        first = 0
        size = SOME if "reply" in names else MANY
        wanted = _with(names)
        for read in batches(file, path, size, columns_of(file, wanted)):
            rows = upgraded(read, wanted, path)
            there = np.arange(first, first + len(rows))
            first += len(rows)
            if stale:
                yield rows.filter(pa.array(~np.isin(there, list(stale))))
            else:
                yield rows


def under_prompts(rows: Any, wanted: Wanted) -> Any:
    """Return the rows under the wanted prompts."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not wanted.prompts:
        return rows
    return rows.filter(pc.is_in(rows["prompt"], pa.array(wanted.prompts, pa.string())))


def outcome_counts(store: Path, wanted: Wanted | None = None) -> pd.DataFrame:
    """Count the verdicts of each dataset, judge and prompt.

    Returns
    -------
    DataFrame
        Sorted by dataset, judge, prompt (str); verdicts and a column for each outcome (int).
    """
    import pyarrow as pa

    counts: Counter[tuple[str, str, str, str]] = Counter()
    for part in parts(store, ("prompt", "outcome"), wanted):
        table = pa.Table.from_batches([part.rows]).group_by(["prompt", "outcome"])
        for row in table.aggregate([([], "count_all")]).to_pylist():
            key = part.dataset, part.judge, row["prompt"], row["outcome"]
            counts[key] += row["count_all"]
    rows: dict[tuple[str, str, str], dict[str, Any]] = {}
    for (dataset, judge, prompt, outcome), number in sorted(counts.items()):
        row = rows.setdefault(
            (dataset, judge, prompt),
            {"dataset": dataset, "judge": judge, "prompt": prompt, "verdicts": 0}
            | dict.fromkeys(map(str, Outcome), 0),
        )
        row["verdicts"] += number
        row[outcome] += number
    columns = ["dataset", "judge", "prompt", "verdicts", *map(str, Outcome)]
    return pd.DataFrame(list(rows.values()), columns=columns)
