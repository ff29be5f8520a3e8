"""Join human labels from a separate file to a dataset's items by id.

A row is one annotator's label of one answer, in .csv, .jsonl or .parquet:

=========  ==========================  ============================================================
column     value                       meaning
=========  ==========================  ============================================================
item_id    text or whole number        the question's id in the dataset; required
candidate  text                        required if the dataset has several candidates
opponent   text                        in a pair: required if there are several opponents
label      0, 1, true, false or empty  in a pair: 1 if the candidate is preferred; 0.5: neither
annotator  text                        who labelled; "annotator" by default
=========  ==========================  ============================================================

The column `label` may also be called `human`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import JuriesError, nearest
from ..scale import Scale
from ..types import Item
from .dataset import Dataset
from .tables import located, rows

log = logging.getLogger(__name__)
COLUMNS = ("item_id", "candidate", "opponent", "label", "annotator")
SOMEONE = "annotator"  # the annotator's name if the file has none
MOST_COMPARED = 10_000  # known ids compared with an unknown one


class Identity(NamedTuple):
    """What identifies an item within its dataset."""

    item_id: str
    candidate: str
    opponent: str

    @classmethod
    def of(cls, item: Item) -> Identity:
        """Return an item's identity."""
        return cls(item.item_id, item.candidate, item.opponent)


@dataclass(frozen=True)
class HumanLabels:
    """The source of the human labels.

    Parameters
    ----------
    human : str, optional
        A file of labels, which replace those of the dataset; the dataset's own by default. With
        several annotators, the label is the one that more than half of them gave; without such a
        majority, the item has none.
    adjudicator : str, optional
        The annotator whose label, where there is one, decides. It is a decision, not a vote, so it
        does not count in the annotators' agreement.

    Raises
    ------
    JuriesError
        If an adjudicator is set, but no file.
    """

    human: str | None = None
    adjudicator: str | None = None

    def __post_init__(self) -> None:
        if self.adjudicator is not None and self.human is None:
            raise JuriesError(
                f"adjudicator: {self.adjudicator!r} needs a file of labels; set human=FILE too"
            )

    def join(self, dataset: Dataset, *, sampled: bool = False) -> Dataset:
        """Return the dataset with these labels in place of its own.

        If the dataset is `sampled`, labels of missing items are ignored: they may belong to the
        rest of it.

        Raises
        ------
        JuriesError
            In one line, naming the file, the line and the field: an unknown item, candidate
            or opponent, an invalid label, two labels by one annotator for one item, an adjudicator
            without a label.
        """
        if self.human is None:
            return dataset
        file = located(self.human)
        given = _read(file, dataset, sampled=sampled)
        named = sorted({annotator for votes in given.values() for annotator in votes})
        if self.adjudicator is not None and self.adjudicator not in named:
            raise JuriesError(
                f"adjudicator: {file} has no label of {self.adjudicator!r}"
                f"{nearest(self.adjudicator, named)}"
            )
        annotators = tuple(name for name in named if name != self.adjudicator)
        # An analysis keeps a row of votes per item in memory anyway.
        items = tuple(
            self._labelled(item, given.get(Identity.of(item), {}), annotators)
            for item in dataset.items
        )
        joined = sum(Identity.of(item) in given for item in items)
        decided = sum(item.human is not None for item in items)
        log.info(
            "%s: labels of %s joined to %d of %d items of %s; %d of them have a label now",
            file, ", ".join(named), joined, len(items), dataset.name, decided,
        )  # fmt: skip
        return replace(
            dataset, items=items, labels=self._described(annotators), annotators=annotators
        )

    def _labelled(self, item: Item, votes: Mapping[str, str], annotators: tuple[str, ...]) -> Item:
        human = votes.get(self.adjudicator) if self.adjudicator is not None else None
        if human is None:
            human = majority(votes)
        return replace(
            item,
            human=human,
            human_votes=tuple(votes.get(name) for name in annotators) if votes else (),
        )

    def _described(self, annotators: tuple[str, ...]) -> str:
        """Return who labelled, for reports."""
        several = len(annotators) > 1
        who = [f"majority of {len(annotators)} annotators"] if several else list(annotators)
        who += [f"{self.adjudicator} adjudicating"] if self.adjudicator is not None else []
        return f"{Path(str(self.human)).name} ({', '.join(who)})"


def majority(votes: Mapping[str, str]) -> str | None:
    """Return the label that more than half of the annotators gave, None if there is none."""
    given = list(votes.values())
    return next((label for label in set(given) if 2 * given.count(label) > len(given)), None)


def _read(file: Path, dataset: Dataset, *, sampled: bool) -> dict[Identity, dict[str, str]]:
    """Return the labels of each item by annotator, after checking that the items exist."""
    sides = {(item.candidate, item.opponent): None for item in dataset.items}
    given: dict[Identity, dict[str, str]] = {}
    places: dict[Identity, str] = {}
    first: dict[tuple[Identity, str], str] = {}
    for place, row in rows(file):
        if not places:
            _check_columns(row, file)
        identity = _identity(row, f"{file}, {place}", tuple(sides), dataset.name)
        places.setdefault(identity, place)
        label = _label(row, f"{file}, {place}", dataset.label_scale)
        if label is None:
            continue
        annotator = str(row.get("annotator") or SOMEONE).strip()
        if (identity, annotator) in first:
            raise JuriesError(
                f"{file}, {place}, field annotator: {annotator!r} labelled item "
                f"{identity.item_id!r} of {identity.candidate!r} already in "
                f"{first[identity, annotator]}; keep one label per annotator, or use two names"
            )
        first[identity, annotator] = place
        given.setdefault(identity, {})[annotator] = label
    if not given:
        raise JuriesError(f"{file}: has no label; fill the column label first")
    if not sampled:
        _check_known(places, dataset, file)
    return given


def _check_columns(row: Mapping[str, Any], file: Path) -> None:
    for column in ("item_id", "label"):
        if column not in row and not (column == "label" and "human" in row):
            raise JuriesError(f"{file}: has no column {column!r}{nearest(column, row)}")


def _identity(
    row: Mapping[str, Any], place: str, sides: tuple[tuple[str, str], ...], dataset: str
) -> Identity:
    """Return the item of a row; what the row leaves out must be unique in the dataset."""
    cells = [row.get(column) for column in ("item_id", "candidate", "opponent")]
    item_id, candidate, opponent = ("" if cell is None else str(cell) for cell in cells)
    if not item_id:
        raise JuriesError(f"{place}, field item_id: is empty; set it")
    fitting = sides
    for at, (field, value) in enumerate((("candidate", candidate), ("opponent", opponent))):
        known = sorted({side[at] for side in fitting})
        if value and value not in known:
            raise JuriesError(
                f"{place}, field {field}: {dataset} has no {field} {value!r}{nearest(value, known)}"
            )
        if not value and len(known) > 1:
            raise JuriesError(
                f"{place}, field {field}: is empty, but {dataset} has several{nearest('', known)}"
            )
        fitting = tuple(side for side in fitting if side[at] == (value or known[0]))
    return Identity(item_id, *fitting[0])


def _label(row: Mapping[str, Any], place: str, scale: Scale) -> str | None:
    field = "label" if "label" in row else "human"
    value = row.get(field)
    return scale.value_at(value, f"{place}, field {field}")


def _check_known(places: Mapping[Identity, str], dataset: Dataset, file: Path) -> None:
    """Raise JuriesError for the first row whose item is not in the dataset."""
    unknown = set(places)
    for item in dataset.items:
        unknown.discard(Identity.of(item))
    identity = next((one for one in places if one in unknown), None)
    if identity is None:
        return
    known = (item.item_id for item in dataset.items if item.candidate == identity.candidate)
    raise JuriesError(
        f"{file}, {places[identity]}, field item_id: {dataset.name} has no item "
        f"{identity.item_id!r} of {identity.candidate!r}"
        f"{nearest(identity.item_id, islice(known, MOST_COMPARED))}"
    )
