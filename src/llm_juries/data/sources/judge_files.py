"""Recorded verdicts that were published as a file a judge, with the human labels in another one.

Files have a line of one number an item, in the same order, or they are tables with a row an item.
Of tables only ids, labels and verdicts are kept: no text.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ...errors import JuriesError
from ...scale import Scale
from ..dataset import NOTHING_KNOWN, About, Dataset
from ..downloads import PublicFiles
from ..tables import Row, Table, rows
from ..verdicts import Layout, RecordedColumn, Scales, Voters, read

log = logging.getLogger(__name__)
HUMAN = "human"
ITEM = ("item_id", "cluster", "criterion", HUMAN)


def load(
    source: PublicFiles,
    name: str,
    judges: Mapping[str, RecordedColumn],
    columns: Mapping[str, str] | None = None,
    about: About = NOTHING_KNOWN,
    scale: Scale | None = None,
    human_scale: Scale | None = None,
    limit: int | None = None,
    seed: int | None = None,
) -> Dataset:
    """Load the recorded verdicts.

    Parameters
    ----------
    source : PublicFiles
        A file a judge, and one of "human" unless the judges' tables have the labels; SUBSET/JUDGE
        and SUBSET/human where there are several subsets.
    name : str
        The dataset's name in tables.
    judges : mapping of str to RecordedColumn
        Those to read.
    columns : mapping of str to str, optional
        Of tables, what they call `verdict`, item_id, cluster, criterion and human. Items without an
        id are numbered. Without columns files are lines of numbers.
    about : About
    scale, human_scale : Scale, optional
        Of verdicts and labels. A number off the scale counts as unparsed; how many is logged.
    limit, seed : int, optional
        See `Dataset.sample`.

    Raises
    ------
    JuriesError
        Naming the file: one that is missing, or has other rows than the others.
    """
    own = scale or Scale.binary()
    subsets = sorted({key.rpartition("/")[0] for key in source.files})
    found: list[Row] = []
    for subset in subsets:
        prefix = f"{subset}/" if subset else ""
        human = f"{prefix}{HUMAN}"
        parts = {judge: source.find(f"{prefix}{judge}") for judge in judges}
        first = source.find(human) if human in source.files else parts[next(iter(judges))]
        items = list(_cells(first, columns or {}))
        verdicts = {
            judge: _verdicts(file, items, columns or {}, own) for judge, file in parts.items()
        }
        for at, (place, item) in enumerate(items):
            number = item.get("item_id", at + 1)
            cells = {**item, "item_id": f"{prefix}{number}", "subset": subset or None}
            cells |= {judge: said[at] for judge, said in verdicts.items()}
            found.append((f"{first.name}, {place}", cells))
    digest = hashlib.sha256(repr(found).encode()).hexdigest()
    table = Table(name, lambda: iter(found))
    layout, scales = Layout(empty="unparsed"), Scales(verdicts=scale, labels=human_scale)
    return read(table, digest, name, layout, Voters(judges), scales, about).dataset.sample(
        limit, seed
    )


def _cells(file: Path, columns: Mapping[str, str]) -> Iterator[Row]:
    """Yield an item's cells, with its place in the file."""
    if not columns:
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            yield f"line {number}", {HUMAN: line.strip(), "verdict": line.strip()}
        return
    for place, row in rows(file):
        for column in columns.values():
            if column not in row:
                raise JuriesError(f"{file}, {place}: has no column {column!r}; use its pinned file")
        yield place, {name: row[column] for name, column in columns.items()}


def _verdicts(file: Path, items: list[Row], columns: Mapping[str, str], scale: Scale) -> list[Any]:
    """Return a judge's verdicts in the items' order, None where one is off the scale."""
    own = list(_cells(file, columns))
    if len(own) != len(items):
        raise JuriesError(
            f"{file}: has {len(own)} rows instead of {len(items)}; use its pinned file"
        )
    identity = [name for name in ITEM if name in columns]
    said, off = [], 0
    for (place, cells), (_, item) in zip(own, items, strict=True):
        for one in identity:
            if cells[one] != item[one]:
                raise JuriesError(
                    f"{file}, {place}, column {columns[one]}: is {cells[one]!r}, and "
                    f"{item[one]!r} in another judge's file; use the pinned files"
                )
        verdict = cells["verdict"]
        try:
            scale.value(verdict)
        except JuriesError:
            verdict, off = None, off + 1
        said.append(verdict)
    if off:
        log.warning("%s: %d of %d verdicts are off the scale %s", file, off, len(own), scale)
    return said
