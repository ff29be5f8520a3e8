"""Annotation sheets: export a blind, shuffled CSV file to label, and import its labels.

A row of the sheet shows one answer (or the two of a pair), but not who gave it. Its id is a hash of
the answer and a seed, so that no key file could reveal it: at the import, the same dataset and seed
turn the ids back into items.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..errors import JuriesError, nearest
from ..escaping import spreadsheet
from ..files import write_text
from ..scale import Scale
from ..types import Item
from .dataset import Dataset
from .human_labels import COLUMNS, Identity
from .tables import located, rows


@dataclass(frozen=True)
class Task:
    """What to do with a sheet.

    Parameters
    ----------
    action : {"export", "import"}
    sheet : str
        The CSV file to label.
    seed : int
        Of the shuffling and the rows' ids; the same for export and import.
    annotator : str, optional
        Who labelled; required for an import.
    out : str
        The CSV file to which an import adds the labels.
    overwrite : bool
        Whether an export may replace a sheet.
    """

    action: Literal["export", "import"]
    sheet: str
    seed: int = 0
    annotator: str | None = None
    out: str = "labels.csv"
    overwrite: bool = False

    def __post_init__(self) -> None:
        for field, path in (("sheet", self.sheet), ("out", self.out)):
            if not path.lower().endswith(".csv"):
                raise JuriesError(
                    f"{field}: {path!r} is not a CSV file; set a name that ends in .csv"
                )
        if self.action == "import" and not (self.annotator or "").strip():
            raise JuriesError("annotator: required to import labels; set annotator=NAME")

    def run(self, dataset: Dataset) -> str:
        """Export or import; return what was done, as a message.

        Raises
        ------
        JuriesError
            See `export_sheet` and `import_sheet`.
        """
        if self.action == "export":
            number = export_sheet(dataset, self.sheet, self.seed, overwrite=self.overwrite)
            words = _instruction(dataset.label_scale)
            return (
                f"{number} rows to label in {self.sheet}: fill the last column with {words}; empty "
                "cells are not imported"
            )
        annotator = str(self.annotator).strip()
        found = import_sheet(dataset, self.sheet, annotator, self.out, self.seed)
        return (
            f"{found.filled} labels of {annotator} are now in {self.out}; {found.unfilled} rows of "
            f"{self.sheet} have no label and were not imported"
        )


def _instruction(scale: Scale) -> str:
    """Return what the last column of a sheet is to be filled with."""
    if scale == Scale.binary():
        return "1 for correct, 0 for not"
    if scale == Scale.preference():
        return "A, B or tie"
    if scale.kind == "interval":
        return f"a number from {scale.low:g} to {scale.high:g}"
    return f"one of {', '.join(scale.levels)}"


@dataclass(frozen=True)
class Imported:
    """How many rows of a sheet had a label or none, and how many are of other answers."""

    filled: int
    unfilled: int
    others: int = 0


def export_sheet(dataset: Dataset, sheet: str, seed: int = 0, *, overwrite: bool = False) -> int:
    """Write a blind sheet in a shuffled order; return its number of rows.

    CSV in UTF-8 with a byte order mark, as spreadsheets expect, with the columns row, question,
    reference, answer (answer_a and answer_b for pairs) and label, which is empty. A text that
    looks like a formula is preceded by an apostrophe.

    Raises
    ------
    JuriesError
        If the sheet exists and `overwrite` is not set, or an item has no text to label.
    """
    path = Path(sheet).expanduser()
    if path.exists() and not overwrite:
        raise JuriesError(
            f"sheet: {path} already exists and may contain labels; choose another name, or set "
            "overwrite=true"
        )
    pairwise = dataset.pairwise
    answers = ("answer_a", "answer_b") if pairwise else ("answer",)
    criteria = any(item.criterion for item in dataset.items)
    shown = []
    for item in dataset.items:
        if not item.question:
            raise JuriesError(
                f"dataset {dataset.name}: item {item.item_id!r} has no text, only recorded "
                "verdicts; choose a dataset with questions and answers"
            )
        texts = [item.answer, item.opponent_answer] if pairwise else [item.answer]
        if pairwise and _turned(item, seed):
            texts.reverse()
        cells = [item.question, " | ".join(item.references), *texts]
        cells += [item.criterion] if criteria else []
        shown.append([_row_id(item, seed), *map(spreadsheet, cells), ""])
    shown.sort(key=lambda cells: cells[0])  # sorting by hash is a shuffle that the seed determines
    judged_on = ("criterion",) if criteria else ()
    head = ("row", "question", "reference", *answers, *judged_on, "label")
    _write(path, head, shown, mark="\ufeff")
    return len(shown)


def unlisted(dataset: Dataset, sheets: Iterable[str], seed: int = 0) -> tuple[Item, ...]:
    """Return the items of a dataset that no row of some sheets shows."""
    shown = {row for sheet in sheets for row in _cells(located(sheet))}
    return tuple(item for item in dataset.items if _row_id(item, seed) not in shown)


def import_sheet(
    dataset: Dataset, sheet: str, annotator: str, out: str, seed: int = 0, *, sampled: bool = False
) -> Imported:
    """Read a filled sheet and merge its labels into a file that `human=` takes.

    An annotator's earlier labels of the sheet's rows are replaced; all other labels in the file
    remain. The file is written atomically. With `sampled`, rows of other answers than the dataset's
    are left out and counted; nothing is written where no row with a label is left.

    Raises
    ------
    JuriesError
        In one line, naming the file, the line and the field: a row of another dataset or seed, a
        duplicate row, an invalid label, a sheet without labels, a file of labels with other
        columns.
    """
    file, into = located(sheet), Path(out).expanduser()
    cells = _cells(file)
    items = {row: item for item in dataset.items if (row := _row_id(item, seed)) in cells}
    others = len(cells) - len(items)
    if sampled:
        cells = {row: cell for row, cell in cells.items() if row in items}
    labels: dict[Identity, str | None] = {}
    for row, (place, cell) in cells.items():
        if row not in items:
            raise JuriesError(
                f"{file}, {place}, field row: {row!r} is not a row of {dataset.name} with seed "
                f"{seed}; set the dataset and the seed of the export"
            )
        where = f"{file}, {place}, field label"
        labels[Identity.of(items[row])] = _label(cell, items[row], seed, where, dataset.label_scale)
    filled = {identity: label for identity, label in labels.items() if label is not None}
    if not filled and sampled:
        return Imported(0, len(labels), others)
    if not filled:
        raise JuriesError(f"{file}: no row has a label; fill the column label first")
    criteria = any(identity.criterion for identity in labels)
    columns = (*COLUMNS[:3], "criterion", *COLUMNS[3:]) if criteria else COLUMNS
    kept = [
        [old[column] or "" for column in columns]
        for old in _labelled(into, columns)
        if old["annotator"] != annotator or _identity(old) not in labels
    ]
    new = [
        [*identity[: len(columns) - 2], label, annotator]
        for identity, label in sorted(filled.items())
    ]
    _write(into, columns, [*kept, *new])
    return Imported(len(filled), len(labels) - len(filled), others)


def _cells(sheet: Path) -> dict[str, tuple[str, object]]:
    """Return the place and the label's cell of each row of a sheet, by the row's id."""
    found: dict[str, tuple[str, object]] = {}
    for place, row in rows(sheet):
        _check_columns(row, ("row", "label"), sheet)
        if not any(row.values()):
            continue  # spreadsheets may add empty lines
        row_id = str(row["row"] or "").strip()
        if row_id in found:
            raise JuriesError(
                f"{sheet}, {place}, field row: {row_id!r} is already in {found[row_id][0]}; keep "
                "one of the two"
            )
        found[row_id] = place, row["label"]
    return found


def _row_id(item: Item, seed: int) -> str:
    # It begins with a letter; otherwise a spreadsheet would round some ids as numbers.
    return f"r{_hash(item, seed, b'row').hexdigest()}"


def _turned(item: Item, seed: int) -> bool:
    """Return whether a pair is shown with the opponent's answer as A; the id does not reveal it."""
    return _hash(item, seed, b"order").digest()[0] % 2 == 1


def _hash(item: Item, seed: int, use: bytes) -> hashlib.blake2b:
    """Hash who answered and what is shown, so that no label is assigned to a changed text."""
    who = [*Identity.of(item)] if item.criterion else [*Identity.of(item)[:3]]
    content = [item.dataset, *who, item.question, item.answer, item.opponent_answer]
    key = str(seed).encode()
    return hashlib.blake2b(json.dumps(content).encode(), digest_size=8, key=key, person=use)


def _label(value: object, item: Item, seed: int, place: str, scale: Scale) -> str | None:
    """Return a sheet's cell as a label of the item's own candidate, None if it is empty."""
    label = scale.value_at(value, place)
    turned = label is not None and item.opponent and _turned(item, seed)
    return scale.mirrored(label) if label is not None and turned else label


def _labelled(path: Path, columns: Sequence[str]) -> Iterable[Mapping[str, Any]]:
    """Return the rows of a file of labels, none if the file does not exist yet."""
    if not path.exists():
        return []
    found = [row for _, row in rows(path)]
    for row in found[:1]:
        _check_columns(row, columns, path)
        for column in row:
            if column not in columns:
                raise JuriesError(f"{path}: has an unknown column {column!r}; choose another out=")
    return found


def _identity(row: Mapping[str, Any]) -> Identity:
    return Identity(*(row.get(column) or "" for column in Identity._fields))


def _check_columns(row: Mapping[str, Any], columns: Sequence[str], file: Path) -> None:
    for column in columns:
        if column not in row:
            raise JuriesError(f"{file}: has no column {column!r}{nearest(column, row)}")


def _write(
    path: Path, header: Sequence[str], table: Iterable[Sequence[str]], mark: str = ""
) -> None:
    text = io.StringIO(mark)
    text.seek(0, io.SEEK_END)
    writer = csv.writer(text)
    writer.writerow(header)
    writer.writerows(table)
    write_text(path, text.getvalue())
