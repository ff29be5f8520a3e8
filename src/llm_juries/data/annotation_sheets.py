"""Labelling by hand: a blind, shuffled sheet for a spreadsheet, and its labels read back.

A row of the sheet shows one answer (or the two of a pair) and nothing of who gave it. Its id is a
hash of the answer and a seed, so no key file lies about that would tell: the same dataset and seed
are given again at the import, and turn the ids back into items.
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
from ..files import write_text
from ..types import Item
from .dataset import Dataset
from .human_labels import COLUMNS, NEITHER, Identity
from .tables import BINARY, located, rows

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would run a cell that begins so
PREFERENCES = {"a": 1.0, "b": 0.0, "tie": NEITHER}  # for the answer shown as A


@dataclass(frozen=True)
class Task:
    """What to do with a sheet.

    Parameters
    ----------
    action : {"export", "import"}
    sheet : str
        The CSV file that is labelled.
    seed : int
        Of the shuffling and the rows' ids; an import needs that of the export.
    annotator : str, optional
        Whose labels they are; an import needs it.
    out : str
        Where an import adds the labels, as CSV.
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
                raise JuriesError(f"{field}: is {path!r}; a name that ends in .csv is needed")
        if self.action == "import" and not (self.annotator or "").strip():
            raise JuriesError("annotator: is needed to import labels; set it with annotator=NAME")

    def run(self, dataset: Dataset) -> str:
        """Do it; return what was done, in words.

        Raises
        ------
        JuriesError
            See `export_sheet` and `import_sheet`.
        """
        if self.action == "export":
            number = export_sheet(dataset, self.sheet, self.seed, overwrite=self.overwrite)
            words = "A, B or tie" if dataset.pairwise else "1 for correct, 0 for not"
            return (
                f"{number} rows to label in {self.sheet}: fill its last column with {words}; what "
                "stays empty is not imported"
            )
        annotator = str(self.annotator).strip()
        found = import_sheet(dataset, self.sheet, annotator, self.out, self.seed)
        return (
            f"{found.filled} labels of {annotator} now in {self.out}; {found.unfilled} rows of "
            f"{self.sheet} have no label and were not imported"
        )


@dataclass(frozen=True)
class Imported:
    """How many rows of a sheet had a label, and how many had none."""

    filled: int
    unfilled: int


def export_sheet(dataset: Dataset, sheet: str, seed: int = 0, *, overwrite: bool = False) -> int:
    """Write a blind sheet in a shuffled order; return its number of rows.

    CSV in UTF-8 with a byte order mark, as spreadsheets like it, with the columns row, question,
    reference, answer (answer_a and answer_b for pairs) and label, which is empty. A text that a
    spreadsheet would take for a formula gets an apostrophe before it.

    Raises
    ------
    JuriesError
        If the sheet exists and `overwrite` is not set, or an item has no text to label.
    """
    path = Path(sheet).expanduser()
    if path.exists() and not overwrite:
        raise JuriesError(
            f"sheet: {path} exists already and may hold labels; choose another name, or set "
            "overwrite=true"
        )
    pairwise = dataset.pairwise
    answers = ("answer_a", "answer_b") if pairwise else ("answer",)
    shown = []
    for item in dataset.items:
        if not item.question:
            raise JuriesError(
                f"dataset {dataset.name}: item {item.item_id!r} has no text, only the numbers of "
                "recorded verdicts; choose a dataset with questions and answers"
            )
        texts = [item.answer, item.opponent_answer] if pairwise else [item.answer]
        if pairwise and _turned(item, seed):
            texts.reverse()
        cells = [item.question, " | ".join(item.references), *texts]
        shown.append([_row_id(item, seed), *map(_harmless, cells), ""])
    shown.sort(key=lambda cells: cells[0])  # the order of hashes is a shuffle that the seed makes
    _write(path, ("row", "question", "reference", *answers, "label"), shown, mark="\ufeff")
    return len(shown)


def import_sheet(dataset: Dataset, sheet: str, annotator: str, out: str, seed: int = 0) -> Imported:
    """Read a filled sheet and merge its labels into a file that `human=` takes.

    An annotator's earlier labels of the sheet's rows are replaced; all other labels in the file
    stay. The file is written whole or not at all.

    Raises
    ------
    JuriesError
        In one line, naming the file, the line and the field: a row that is not of this dataset and
        seed, or stands there twice; a label that is none; a sheet without a label; a file of
        labels with other columns.
    """
    file, into = located(sheet), Path(out).expanduser()
    cells = _cells(file)
    items = {row: item for item in dataset.items if (row := _row_id(item, seed)) in cells}
    labels: dict[Identity, float | None] = {}
    for row, (place, cell) in cells.items():
        if row not in items:
            raise JuriesError(
                f"{file}, {place}, field row: {row!r} is no row of {dataset.name} with seed "
                f"{seed}; give the dataset and the seed that the sheet was exported with"
            )
        where = f"{file}, {place}, field label"
        labels[Identity.of(items[row])] = _label(cell, items[row], seed, where)
    filled = {identity: label for identity, label in labels.items() if label is not None}
    if not filled:
        raise JuriesError(f"{file}: no row has a label; fill the column label first")
    kept = [
        [old[column] or "" for column in COLUMNS]
        for old in _labelled(into)
        if old["annotator"] != annotator or _identity(old) not in labels
    ]
    new = [[*identity, f"{label:g}", annotator] for identity, label in sorted(filled.items())]
    _write(into, COLUMNS, [*kept, *new])
    return Imported(len(filled), len(labels) - len(filled))


def _cells(sheet: Path) -> dict[str, tuple[str, object]]:
    """Return the place and the label's cell of each row of a sheet, by the row's id."""
    with sheet.open("rb") as stream:
        if b"," not in stream.readline():  # some languages' spreadsheets write semicolons
            raise JuriesError(
                f"{sheet}, line 1: has no comma; save the sheet as CSV in UTF-8 with commas "
                "between its cells"
            )
    found: dict[str, tuple[str, object]] = {}
    for place, row in rows(sheet):
        _check_columns(row, ("row", "label"), sheet)
        if not any(row.values()):
            continue  # spreadsheets like to add such lines
        row_id = str(row["row"] or "").strip()
        if row_id in found:
            raise JuriesError(
                f"{sheet}, {place}, field row: {row_id!r} stands already in {found[row_id][0]}; "
                "keep one of the two"
            )
        found[row_id] = place, row["label"]
    return found


def _row_id(item: Item, seed: int) -> str:
    # It begins with a letter, or a spreadsheet would take some ids for numbers and round them.
    return f"r{_hash(item, seed, b'row').hexdigest()}"


def _turned(item: Item, seed: int) -> bool:
    """Return whether a pair is shown with the opponent's answer as A: nothing of it in the id."""
    return _hash(item, seed, b"order").digest()[0] % 2 == 1


def _hash(item: Item, seed: int, use: bytes) -> hashlib.blake2b:
    """Hash who answered and what is shown: a label never goes to a text that was changed since."""
    content = [item.dataset, *Identity.of(item), item.question, item.answer, item.opponent_answer]
    key = str(seed).encode()
    return hashlib.blake2b(json.dumps(content).encode(), digest_size=8, key=key, person=use)


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA) else text


def _label(value: object, item: Item, seed: int, place: str) -> float | None:
    """Return a sheet's cell as a label of the item's own candidate, None if it is empty."""
    word = "" if value is None else str(value).strip().casefold()
    if not word:
        return None
    words = PREFERENCES if item.opponent else BINARY
    if word not in words:
        raise JuriesError(f"{place}: is {value!r}; a label is one of {', '.join(words)}, or empty")
    return 1 - words[word] if item.opponent and _turned(item, seed) else words[word]


def _labelled(path: Path) -> Iterable[Mapping[str, Any]]:
    """Return the rows of a file of labels, none if there is no such file yet."""
    if not path.exists():
        return []
    found = [row for _, row in rows(path)]
    for row in found[:1]:
        _check_columns(row, COLUMNS, path)
        for column in row:
            if column not in COLUMNS:
                raise JuriesError(
                    f"{path}: has a column {column!r}, which no import writes; choose another out="
                )
    return found


def _identity(row: Mapping[str, Any]) -> Identity:
    return Identity(*(row[column] or "" for column in Identity._fields))


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
