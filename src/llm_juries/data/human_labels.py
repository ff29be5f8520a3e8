"""Human labels: join them from a separate file by id, and combine those of several annotators.

A file is long, a row a label, or wide, a row an item and a column an annotator; in any of the
formats of `data.tables`:

==================  ====================  ==================================================
column              value                 meaning
==================  ====================  ==================================================
item_id             text or number        the question's id in the dataset; required
candidate           text                  required if the dataset has several candidates
opponent            text                  in a pair: required if there are several opponents
criterion           text                  required if the dataset has several criteria
label, or human     a value of the scale  in a pair: a (or 1) if the candidate is preferred
annotator           text                  who gave the label; "annotator" by default
(any other column)  a value of the scale  without label and human: an annotator's labels
==================  ====================  ==================================================
"""

from __future__ import annotations

import difflib
import logging
import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Literal, NamedTuple

from ..errors import JuriesError, nearest
from ..scale import Scale
from ..types import Item
from .columns import is_measurement, named
from .dataset import Dataset
from .tables import Row, Table, as_text, located, rows

log = logging.getLogger(__name__)
LabelRule = Literal["majority", "median", "mean", "adjudicated"]
"""How the labels of an item's annotators become its label.

"majority": what more than half of them gave. "median", "mean": of the levels' numbers.
"adjudicated": the adjudicator's, else what all others gave.
"""
COLUMNS = ("item_id", "candidate", "opponent", "label", "annotator")
SYNONYMS = {"id": "item_id", "model": "candidate"}
SOMEONE = "annotator"  # the annotator's name if the file has none
MOST_COMPARED = 10_000  # known ids compared with an unknown one


class Identity(NamedTuple):
    """What identifies an item within its dataset."""

    item_id: str
    candidate: str
    opponent: str
    criterion: str = ""

    @classmethod
    def of(cls, item: Item) -> Identity:
        """Return an item's identity."""
        return cls(item.item_id, item.candidate, item.opponent, item.criterion)


@dataclass(frozen=True)
class HumanLabels:
    """The source of the human labels, and how those of several annotators combine.

    Parameters
    ----------
    human : str, optional
        A file of labels, which replace those of the dataset; the dataset's own by default.
    adjudicator : str, optional
        The annotator whose label, where there is one, decides. It is a decision, not a vote, so it
        does not count in the annotators' agreement.
    label_rule : {"majority", "median", "mean", "adjudicated"}, optional
        How annotators' labels combine; by default the mean on an interval, the median on an ordinal
        scale, and the majority on all others. Set, it also combines the dataset's own annotators
        anew. Where it gives no label, the item has none, and keeps the annotators' labels.
    annotators : sequence of str
        The columns of a wide file that hold labels; by default all whose every cell is a label.

    Raises
    ------
    JuriesError
        If an adjudicator is set, but no file, or the reverse of what a rule needs.
    """

    human: str | None = None
    adjudicator: str | None = None
    label_rule: LabelRule | None = None
    annotators: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.adjudicator is not None and self.human is None:
            raise JuriesError(
                f"adjudicator: {self.adjudicator!r} needs a file of labels; set human=FILE too"
            )
        if self.annotators and self.human is None:
            raise JuriesError("annotators: names columns of a file of labels; set human=FILE too")
        if self.label_rule == "adjudicated" and self.adjudicator is None:
            raise JuriesError("label_rule: adjudicated labels need adjudicator=NAME")

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
        overall = tuple(dataset.overall)
        if overall:  # labels of answers as a whole are among the others, without a criterion
            whole = replace(dataset, items=(*dataset.items, *overall), overall=())
            done = self.join(whole, sampled=sampled)
            return replace(
                done,
                items=tuple(item for item in done.items if item.criterion),
                overall=tuple(item for item in done.items if not item.criterion),
            )
        if self.human is None:
            return dataset if self.label_rule is None else combined(dataset, self.label_rule)
        file = located(self.human)
        if dataset.annotated_on is not None:  # the file's labels replace those that were combined
            dataset = replace(dataset, scale=dataset.annotated_on, annotated_on=None)
        given = _read(_long(file, dataset.label_scale, self.annotators), dataset, sampled=sampled)
        known = sorted({annotator for votes in given.values() for annotator in votes})
        if self.adjudicator is not None and self.adjudicator not in known:
            raise JuriesError(
                f"adjudicator: {file} has no label of {self.adjudicator!r}"
                f"{nearest(self.adjudicator, known)}"
            )
        annotators = tuple(name for name in known if name != self.adjudicator)
        # An analysis keeps a row of votes per item in memory anyway.
        items = tuple(
            self._labelled(item, given.get(Identity.of(item), {}), annotators)
            for item in dataset.items
        )
        rule = self.label_rule or usual_rule(dataset.label_scale)
        voted = replace(
            dataset, items=items, labels=self._described(annotators, rule), annotators=annotators
        )
        decided = {
            Identity.of(item): votes[self.adjudicator]
            for item in items
            if self.adjudicator in (votes := given.get(Identity.of(item), {}))
        }
        done = combined(voted, self.label_rule, decided)
        joined = sum(Identity.of(item) in given for item in items)
        labelled = sum(item.human is not None for item in done.items)
        log.info(
            "%s: labels of %s joined to %d of %d items of %s; %d of them have a label now",
            file, ", ".join(known), joined, len(items), dataset.name, labelled,
        )  # fmt: skip
        return done

    def _labelled(self, item: Item, votes: Mapping[str, str], annotators: tuple[str, ...]) -> Item:
        return replace(
            item,
            human=None,
            human_votes=tuple(votes.get(name) for name in annotators) if votes else (),
        )

    def _described(self, annotators: tuple[str, ...], rule: LabelRule) -> str:
        """Return who labelled, for reports."""
        several = len(annotators) > 1
        how = "all" if rule == "adjudicated" else rule
        who = [f"{how} of {len(annotators)} annotators"] if several else list(annotators)
        who += [f"{self.adjudicator} adjudicating"] if self.adjudicator is not None else []
        return f"{Path(str(self.human)).name} ({', '.join(who)})"


def usual_rule(scale: Scale) -> LabelRule:
    """Return how annotators' labels on a scale combine by default."""
    return {"interval": "mean", "ordinal": "median"}.get(scale.kind, "majority")  # type: ignore[return-value]


def combined(
    dataset: Dataset,
    rule: LabelRule | None = None,
    decided: Mapping[Identity, str] | None = None,
) -> Dataset:
    """Return a dataset whose items have the label that their annotators' labels combine to.

    The annotators' labels stay. Items without a label are counted in a warning. A mean or median
    may fall between the levels of an ordinal scale: then the labels are on the interval with the
    same ends, which a message says.

    Parameters
    ----------
    dataset : Dataset
    rule : {"majority", "median", "mean", "adjudicated"}, optional
        By default that of `usual_rule`.
    decided : mapping of Identity to str, optional
        Labels that stand whatever the annotators say: an adjudicator's.

    Raises
    ------
    JuriesError
        If the dataset has no annotators, or the scale has no means and medians.
    """
    given = dataset.label_scale
    scale = dataset.annotated_on or given
    rule = rule or usual_rule(scale)
    if not dataset.annotators and not decided:
        raise JuriesError(
            f"label_rule: {dataset.name} has no labels of single annotators to combine"
        )
    if rule in ("median", "mean") and not scale.graded:
        raise JuriesError(
            f"label_rule: the labels of {dataset.name} are {scale}, which has no {rule}; use "
            "majority"
        )
    items, codes, split = [], [], 0
    for item in dataset.items:
        votes = [_recoded(str(vote), given, scale) for vote in item.human_votes if vote is not None]
        own = (decided or {}).get(Identity.of(item))
        code = scale.encode(own) if own is not None else _combine(votes, rule, scale)
        split += code is None and len(votes) > 0
        items.append(item)
        codes.append(code)
    between = scale.kind == "ordinal" and not {*codes} <= {None, *scale.codes}
    labels = Scale.interval(*scale.ends) if between else scale
    if between:
        log.warning(
            "%s: the %s of annotators' labels falls between levels; labels are %s",
            dataset.name, rule, labels,
        )  # fmt: skip
    if split:
        log.warning(
            "%s: %d of %d items have no label by %s, because annotators are split; the annotators' "
            "labels stay", dataset.name, split, len(items), rule,
        )  # fmt: skip
    done = (
        replace(
            item,
            human=None if code is None else labels.decode(code),
            human_votes=tuple(
                None if vote is None else _recoded(vote, given, labels) for vote in item.human_votes
            ),
        )
        for item, code in zip(items, codes, strict=True)
    )
    return replace(
        dataset,
        items=tuple(done),
        scale=labels if between else dataset.annotated_on or dataset.scale,
        annotated_on=scale if between else None,
    )


def _recoded(vote: str, given: Scale, wanted: Scale) -> str:
    """Return an annotator's label as it is written on another scale with the same numbers."""
    return vote if wanted == given else wanted.decode(given.encode(vote)) or vote


def _combine(votes: Sequence[str], rule: LabelRule, scale: Scale) -> float | None:
    """Return the code of the votes' label, None if they have none."""
    if not votes:
        return None
    codes = [scale.encode(vote) for vote in votes]
    match rule:
        case "mean":
            return statistics.fmean(codes)
        case "median":
            return statistics.median(codes)
        case "majority":
            code, most = Counter(codes).most_common(1)[0]
            return code if 2 * most > len(codes) else None
        case "adjudicated":
            return codes[0] if len(set(codes)) == 1 else None


def _long(file: Path, scale: Scale, annotators: tuple[str, ...]) -> Table:
    """Return a file of labels as a table with a row a label."""
    found = named(
        Table(str(file), lambda: rows(file)),
        synonyms=SYNONYMS,
    )
    head = [*found.own, *found.others]
    if "item_id" not in found.own and head:
        raise JuriesError(f"{file}: has no column 'item_id'{nearest('item_id', head)}")
    if not annotators and ("label" in found.own or "human" in found.own):
        return found.table
    wide = annotators or _annotators(found.table, found.others, scale)
    for column in wide:
        if column not in found.others:
            raise JuriesError(f"{file}: has no column {column!r}{nearest(column, head)}")
    misspelt = difflib.get_close_matches("label", wide, n=1, cutoff=0.75)
    if (not wide or (misspelt and not annotators)) and head:
        raise JuriesError(f"{file}: has no column 'label'{nearest('label', head)}")
    log.info("%s: a column an annotator: %s", file, ", ".join(wide))

    def made() -> Iterator[Row]:
        for place, row in found.table.rows():
            for column in wide:
                yield place, {**row, "label": row.get(column), "annotator": column}

    return Table(str(file), made)


def _annotators(table: Table, columns: Sequence[str], scale: Scale) -> tuple[str, ...]:
    """Return the columns whose every cell is a label, and of which one at least is filled."""
    fitting = [column for column in columns if not is_measurement(column)]
    filled = set()
    for _, row in table.rows():
        for column in tuple(fitting):
            try:
                if scale.value(row.get(column)) is not None:
                    filled.add(column)
            except JuriesError:
                fitting.remove(column)
    return tuple(column for column in fitting if column in filled and column != "annotator")


def _read(table: Table, dataset: Dataset, *, sampled: bool) -> dict[Identity, dict[str, str]]:
    """Return the labels of each item by annotator, after checking that the items exist."""
    sides = tuple({Identity.of(item)[1:]: None for item in dataset.items})
    given: dict[Identity, dict[str, str]] = {}
    places: dict[Identity, str] = {}
    first: dict[tuple[Identity, str], str] = {}
    scale = dataset.label_scale
    for place, row in table.rows():
        where = f"{table.name}, {place}"
        identity = _identity(row, where, sides, dataset.name)
        places.setdefault(identity, place)
        annotator = str(row.get("annotator") or SOMEONE).strip()
        field = "label" if "label" in row else "human"
        label = scale.value_at(row.get(field), f"{where}, field {field}")
        if label is None:
            continue
        if (identity, annotator) in first:
            raise JuriesError(
                f"{where}, field annotator: {annotator!r} labelled item "
                f"{identity.item_id!r} of {identity.candidate!r} already in "
                f"{first[identity, annotator]}; keep one label per annotator, or use two names"
            )
        first[identity, annotator] = place
        given.setdefault(identity, {})[annotator] = label
    if not given:
        raise JuriesError(f"{table.name}: has no label; fill the column label first")
    if not sampled:
        _check_known(places, dataset, table.name)
    return given


def _identity(
    row: Mapping[str, Any], place: str, sides: tuple[tuple[str, ...], ...], dataset: str
) -> Identity:
    """Return the item of a row; what the row leaves out must be unique in the dataset."""
    item_id, *given = (as_text(row.get(field)) or "" for field in Identity._fields)
    if not item_id:
        raise JuriesError(f"{place}, field item_id: is empty; set it")
    fitting = sides
    for at, (field, value) in enumerate(zip(Identity._fields[1:], given, strict=True)):
        known = sorted({side[at] for side in fitting})
        if value and value not in known:
            raise JuriesError(
                f"{place}, field {field}: {dataset} has no {field} {value!r}{nearest(value, known)}"
            )
        if not value and len(known) > 1 and known[0]:  # none is one: the answer as a whole
            raise JuriesError(
                f"{place}, field {field}: is empty, but {dataset} has several{nearest('', known)}"
            )
        fitting = tuple(side for side in fitting if side[at] == (value or known[0]))
    return Identity(item_id, *fitting[0])


def _check_known(places: Mapping[Identity, str], dataset: Dataset, file: str) -> None:
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
