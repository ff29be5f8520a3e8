"""Reading a store of many verdicts column by column, without their replies and prompts.

`plans.look_up` renders the prompt of every item to find its key: sure, but slow where there are
millions. Here verdicts are found by what they were stored as: judge, prompt, dataset and item.
What is not in Parquet yet is read too, but is held in memory: compact a large store first.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from . import segments, snapshots
from .columns import opened, schema, table_of
from .data import Dataset
from .index import Index
from .juries import Voter, Votes
from .prompts import nearest
from .seating import NOT_ASKED, Inconsistent, Panel, pool
from .types import JuriesError, Outcome, Verdict

MANY, SOME = 1 << 18, 1 << 13  # rows held at a time, without and with their replies
APART = "\x1f"  # between the parts of an item's identity


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
        See `columns.schema`; all by default.
    wanted : Wanted, optional

    Raises
    ------
    JuriesError
        If a Parquet file is damaged, of a newer version, or was replaced by two compactions since
        the reading began.
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
                    for rows in _rows(snapshots.home(store) / file.path, names, stale.get(file)):
                        yield Part(dataset, judge, _of_prompts(rows, wanted))
                except FileNotFoundError:
                    raise JuriesError(
                        f"store {store}: was compacted twice while it was read; run again"
                    ) from None
        if (dataset, judge) in fresh:
            for rows in table_of(fresh[dataset, judge]).select(_with(names)).to_batches():
                yield Part(dataset, judge, _of_prompts(rows, wanted))


def _state(
    store: Path,
) -> tuple[
    Sequence[snapshots.File],
    dict[snapshots.File, set[int]],
    dict[tuple[str, str], list[Verdict]],
]:
    """Return the Parquet files, their rows that count no more, and what is in segments alone."""
    fresh: dict[tuple[str, str], list[Verdict]] = defaultdict(list)
    try:
        listed = segments.segments(store)
        _, snapshot = snapshots.newest(store)
        if not any(_has_more(each, snapshot.held.get(segments.stem(each))) for each in listed):
            return snapshot.files, {}, fresh
    except OSError:  # it is in a Parquet file by now, or the index says why it can't be read
        pass
    index = Index.of(store)
    for verdict in index.fresh(damaged=True):
        fresh[verdict.dataset, verdict.judge].append(verdict)
    index.close()
    files = index.snapshot.files
    return files, {files[number]: rows for number, rows in index.stale.items()}, fresh


def _has_more(segment: Path, held: segments.Mark | None) -> bool:
    """Return whether a segment has a whole line that no Parquet file holds."""
    line = next(segments.lines(segment, held), None)
    return line is not None and not line.torn


def _with(names: Sequence[str]) -> list[str]:
    return list(dict.fromkeys([*names, "prompt"]))


def _rows(path: Path, names: Sequence[str], stale: set[int] | None) -> Iterator[Any]:
    import pyarrow as pa

    with opened(path) as file:
        first = 0
        size = SOME if "reply" in names else MANY
        for rows in file.iter_batches(size, columns=_with(names)):
            there = np.arange(first, first + len(rows))
            first += len(rows)
            if stale:
                yield rows.filter(pa.array(~np.isin(there, list(stale))))
            else:
                yield rows


def _of_prompts(rows: Any, wanted: Wanted) -> Any:
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


def panel(
    store: Path,
    dataset: Dataset,
    prompt: str,
    voters: Sequence[Voter] | None = None,
    scale: tuple[float, float] = (0.0, 1.0),
    inconsistent: Inconsistent = "missing",
) -> Panel:
    """Read judges' votes on a dataset as they were stored, for `analysis` to measure.

    An item that shares its text with another, whose verdict was stored under the other's identity,
    has no vote here, and a changed reader of replies reads nothing anew: `seating.seat` does both.

    Parameters
    ----------
    store : Path
    dataset : Dataset
        All of its items are held; of the verdicts, a label, a score and an outcome each.
    prompt : str
        The prompt's name.
    voters : sequence of Voter, optional
        By default all judges that the store has on the dataset.
    scale : (float, float)
        The lowest and the highest label of the prompt.
    inconsistent : {"missing", "tie", "mean"}
        See `seating`.

    Raises
    ------
    JuriesError
        If the store has nothing on the dataset under the prompt, nothing of a voter, or two
        verdicts of a judge on one item: its model or decoding changed, and only a judge's yaml
        can tell which is meant.
    """
    import pyarrow as pa

    dataset = dataset.loaded()
    items = pa.array(
        (APART.join((item.item_id, item.candidate, item.opponent)) for item in dataset.items),
        pa.string(),
    )
    orders = {str(order): at for at, order in enumerate(dataset.orders)}
    shape = len(items), len(orders)
    wanted = Wanted((dataset.name,), tuple(voter.name for voter in voters or ()))
    labels: dict[str, Any] = {}
    scores: dict[str, Any] = {}
    outcomes: dict[str, Any] = {}
    names = ("item_id", "candidate", "opponent", "order", "outcome", "label", "score", "prompt")
    prompts: set[str] = set()
    codes = pa.array([NOT_ASKED, *map(str, Outcome)])
    for part in parts(store, names, wanted):
        prompts.update(part.rows["prompt"].unique().to_pylist())
        rows = _of_prompts(part.rows, Wanted(prompts=(prompt,)))
        if not len(rows):
            continue
        at = _rows_of(rows, items, orders)
        known = at >= 0
        column = outcomes.setdefault(part.judge, np.zeros(shape, np.uint8))
        column = column.reshape(-1)
        at = at[known]
        if column[at].any() or len(np.unique(at)) < len(at):
            raise JuriesError(
                f"store {store}: has two verdicts of judge {part.judge!r} on an item of "
                f"{dataset.name} under prompt {prompt}, whose model or decoding has changed; "
                "measure it with scripts/analyze.py, which tells them apart"
            )
        column[at] = _codes(rows["outcome"], codes)[known]
        for name, into in (("label", labels), ("score", scores)):
            values = into.setdefault(part.judge, np.full(shape, np.nan)).reshape(-1)
            values[at] = rows[name].to_numpy(zero_copy_only=False)[known]
    _check_there(store, dataset.name, prompt, prompts, voters, outcomes)
    voters = voters or [Voter(name, "judge", "unknown") for name in sorted(outcomes)]
    texts = np.array(codes.to_pylist())
    low, high = scale

    def stacked(columns: dict[str, Any]) -> Any:
        return np.stack([columns[voter.name] for voter in voters], axis=1)

    pooled = pool(
        (stacked(labels) - low) / (high - low),
        (stacked(scores) - low) / (high - low),
        texts[stacked(outcomes)],
        inconsistent,
        pairs=dataset.pairwise,
    )
    return Panel(dataset, Votes(tuple(voters), *pooled), scale=scale)


def _check_there(
    store: Path,
    dataset: str,
    prompt: str,
    prompts: set[str],
    voters: Sequence[Voter] | None,
    found: dict[str, Any],
) -> None:
    if not prompts:
        raise JuriesError(f"store {store}: has no verdicts on {dataset} of those judges")
    if prompt not in prompts:
        raise JuriesError(
            f"store {store}: has nothing under prompt {prompt!r} on {dataset}"
            f"{nearest(prompt, prompts)}"
        )
    for voter in voters or ():
        if voter.name not in found:
            raise JuriesError(
                f"store {store}: has no verdicts of judge {voter.name!r} on {dataset} under prompt "
                f"{prompt}"
            )


def _rows_of(rows: Any, items: Any, orders: dict[str, int]) -> Any:
    """Return the cell of each verdict: item by item, its orders beside each other; -1 for none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    identities = pc.binary_join_element_wise(
        rows["item_id"], rows["candidate"], rows["opponent"], APART
    )
    item = pc.fill_null(pc.index_in(identities, items), -1).to_numpy(zero_copy_only=False)
    order = _codes(rows["order"], pa.array(list(orders)))
    return np.where((item >= 0) & (order >= 0), item.astype(np.int64) * len(orders) + order, -1)


def _codes(column: Any, values: Any) -> Any:
    """Return the number of each value among some, -1 where it is none of them."""
    import pyarrow.compute as pc

    return pc.fill_null(pc.index_in(column, values), -1).to_numpy(zero_copy_only=False)
