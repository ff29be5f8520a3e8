"""Recorded verdicts that were published as a file a judge, with the human labels in another one.

Files have a line of one number an item, in the same order, or they are tables with a row an item.
Of tables only ids, labels and verdicts are kept: no text. A verdict or label inside an object or a
list of a JSON row is called by its path: judgments.0.decision.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
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
SWAPPED = " swapped"
ITEM = ("item_id", "cluster", "subset", "criterion", HUMAN)


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
        Of tables, what they call `verdict`, item_id, cluster, subset, criterion and human. Items
        without an id are numbered. `question` is a text: its digest becomes the cluster. `swapped`
        is the verdict on a pair in swapped order, in terms of what was shown first. Without columns
        files are lines of numbers.
    about : About
    scale, human_scale : Scale, optional
        Of verdicts and labels. A number off the scale counts as unparsed; how many is logged. If
        labels are preferences, so are verdicts, of judges with a threshold too.
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
            f"{judge}{order}": said
            for judge, file in parts.items()
            for order, said in _verdicts(file, items, columns or {}, own).items()
        }
        for at, (place, item) in enumerate(items):
            number = item.get("item_id", at + 1)
            cells = {"subset": subset or None, **item, "item_id": f"{prefix}{number}"}
            cells |= {column: said[at] for column, said in verdicts.items()}
            found.append((f"{first.name}, {place}", cells))
    digest = hashlib.sha256(repr(found).encode()).hexdigest()
    table = Table(name, lambda: iter(found))
    pairs = human_scale is not None and human_scale.kind == "preference"
    layout, scales = Layout(empty="unparsed"), Scales(pairs, scale, human_scale)
    if "swapped" in (columns or {}):
        judges = {
            judge: replace(facts, swapped=f"{judge}{SWAPPED}") for judge, facts in judges.items()
        }
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
        cells = {name: _at(row, path, f"{file}, {place}") for name, path in columns.items()}
        if "question" in cells:
            text = str(cells.pop("question"))
            cells["cluster"] = hashlib.sha256(text.encode()).hexdigest()[:12]
        yield place, cells


def _at(row: Mapping[str, Any], path: str, place: str) -> Any:
    """Return the cell of a column, or what is at a path inside it; None inside an empty cell."""
    if path in row:
        return row[path]
    found: Any = row
    for part in path.split("."):
        try:
            found = found[int(part)] if isinstance(found, list) else found[part]
        except (KeyError, IndexError, TypeError, ValueError):
            if found is None:
                return None
            raise JuriesError(f"{place}: has no column {path!r}; use its pinned file") from None
    return found


def _verdicts(
    file: Path, items: list[Row], columns: Mapping[str, str], scale: Scale
) -> dict[str, list[str | None]]:
    """Return a judge's verdicts in the items' order, by order; None where there is none."""
    own = list(_cells(file, columns))
    if len(own) != len(items):
        raise JuriesError(
            f"{file}: has {len(own)} rows instead of {len(items)}; use its pinned file"
        )
    identity = [name for name in ITEM if columns and own and name in own[0][1]]
    for (place, cells), (_, item) in zip(own, items, strict=True):
        for one in identity:
            if cells[one] != item[one]:
                called = columns.get(one) or columns["question"]
                raise JuriesError(
                    f"{file}, {place}, column {called}: is {cells[one]!r}, and "
                    f"{item[one]!r} in another judge's file; use the pinned files"
                )
    said = {"": [_on(scale, cells["verdict"]) for _, cells in own]}
    if "swapped" in columns:
        turned = (_on(scale, cells["swapped"]) for _, cells in own)
        said[SWAPPED] = [value and scale.mirrored(value) for value in turned]
    if off := sum(value is None for values in said.values() for value in values):
        log.warning(
            "%s: %d of %d verdicts are empty or off the scale %s",
            file, off, len(own) * len(said), scale,
        )  # fmt: skip
    return said


def _on(scale: Scale, verdict: object) -> str | None:
    """Return a verdict as a value of the scale, None if it is none."""
    try:
        return scale.value(verdict)
    except JuriesError:
        return None
