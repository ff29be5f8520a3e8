"""Read tables of answers to judge, single or in pairs.

Columns; the names in brackets are read too, and `columns` says what yours are called:

====================  ==========================  ==============================================
column                value                       meaning
====================  ==========================  ==============================================
question              text, required              the question, or a conversation that ends with it
answer                text, required              the answer to judge
messages              list of messages            in place of question, or of question and answer
                                                  [conversation]
references            list of texts, or one text  the correct answers [reference]
item_id               text or number              the question's id; the row's number by default
                                                  [id]
candidate             text                        the model that answered; "candidate" by default
                                                  [model]
human                 a value of the scale        the human label; of a pair a, b or tie [label]
human_1, human_2 ...  values of the scale         the labels of single annotators
human_votes           list of such values         the same in one column
opponent              text                        in a pair: the other model
opponent_answer       text                        in a pair: the other answer
cluster               text or number              the unit of resampling; item_id by default
subset                text                        the part of the dataset that the row belongs to
criterion             text                        what the answer is judged on; with criteria, a row
                                                  without one is about the answer as a whole
====================  ==========================  ==============================================

In CSV, a list is written as JSON: ["Mary Shelley", "Shelley"]. A conversation is a list of
messages, [{"role": "user", "content": "Who wrote Emma?"}, ...]; where it ends with the assistant's
and the row has no answer, that is the answer. The label of a pair says which answer humans
prefer: a (or 1) the candidate's, b (or 0) the opponent's, tie (or 0.5) neither. A
table has pairs or single answers, not both; pairs are shown in both orders, and judges never see a
model's name. The answers of a pair that names neither model are called first and second, and are
not ranked.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import JuriesError, nearest
from ..scale import Scale
from ..types import Item, Order
from .columns import SYNONYMS, Given, Named, annotators_of, named
from .conversations import as_text as conversation_text
from .conversations import is_conversation, messages_of, without_markers
from .dataset import AS_GIVEN, UNNAMED, About, Dataset, Streamed, check_unique
from .human_labels import combined
from .tables import Table, as_text, located, rows, texts

log = logging.getLogger(__name__)
COLUMNS = (
    "item_id", "cluster", "candidate", "opponent", "criterion", "subset", "question", "answer",
    "opponent_answer", "references", "human", "human_votes", "messages",
)  # fmt: skip
BESIDES = ("documents", "answering")  # written by the command `answer`, for information
BOTH_WAYS = (Order.ORIGINAL, Order.SWAPPED)
SUSPECTED = ("|", ";", "\n")  # what people write between several references


@dataclass(frozen=True)
class Options:
    """How a table of answers is read; see `load`."""

    answered: bool = True
    orders: tuple[Order, ...] = BOTH_WAYS
    columns: Given | None = None
    scale: Scale | None = None
    criteria: Mapping[str, str] = field(default_factory=dict)


PLAIN = Options()


def load(
    path: str,
    name: str | None = None,
    about: About = AS_GIVEN,
    answered: bool = True,
    orders: tuple[Order, ...] = BOTH_WAYS,
    columns: Mapping[str, str | tuple[str, ...]] | None = None,
    scale: Scale | None = None,
    criteria: Mapping[str, str] | None = None,
    limit: int | None = None,
    seed: int | None = None,
) -> Dataset:
    """Load answers from a .jsonl, .json, .csv, .tsv, .xlsx or .parquet file.

    Parameters
    ----------
    path : str
        The file; "package:NAME" is a file that comes with this package.
    name : str, optional
        The dataset's name in tables; the file's name without its ending by default.
    about : About
    answered : bool
        False: the file has only questions, one per row, for the command `answer`.
    orders : sequence of Order
        The orders in which a pair is shown; single answers have one.
    columns : mapping, optional
        What the file calls known columns: {"question": "prompt", "item_id": ["set", "number"]}.
    scale : Scale, optional
        Of the human labels; by default right or wrong, of pairs a preference.
    criteria : mapping, optional
        What the answers are judged on, with a description for the prompt: see `by_criteria` of
        `Dataset`.
    limit, seed : int, optional
        See `Dataset.sample`.

    Raises
    ------
    JuriesError
        Naming the file, the row and the field.
    """
    file = located(path)
    table = Table(str(file), lambda: rows(file))
    options = Options(answered, orders, columns, scale, criteria or {})
    return read(table, name or file.stem, about, options).sample(limit, seed)


def read(table: Table, name: str, about: About = AS_GIVEN, options: Options = PLAIN) -> Dataset:
    """Return the answers of a table as a dataset; see `load`."""
    found = named(table, options.columns, {**SYNONYMS, "label": "human"})
    empty = next(table.rows(), None) is None
    if not empty:
        _check_columns(found, options)
    placed = _Placed(found, name, options)
    check_unique(placed, table.name)  # it also checks each row
    _warn_of_separators(found)
    orders = options.orders if _paired(placed) else (Order.ORIGINAL,)
    items = Streamed(lambda: (item for _, item in placed))
    annotators = annotators_of(found, items)
    dataset = Dataset(
        name, items, about.labels, about.note, orders, annotators=annotators, scale=options.scale
    )
    if annotators and "human" not in found.own:
        dataset = combined(dataset)
    return dataset.by_criteria(options.criteria)


@dataclass(frozen=True)
class _Placed:
    """The items of a table, each with its place in it, read anew on each pass."""

    found: Named
    dataset: str
    options: Options

    def __iter__(self) -> Iterator[tuple[str, Item]]:
        for number, (place, row) in enumerate(self.found.table.rows(), 1):
            if not self.options.answered:
                row = {**row, "candidate": "", "answer": ""}
            yield (
                place,
                _Cells(self.found, row, place, self.options.scale).item(self.dataset, str(number)),
            )


def _paired(placed: _Placed) -> bool:
    """Return whether a table has pairs. Raises JuriesError if only some rows are pairs."""
    first: tuple[str, bool] | None = None
    for place, item in placed:
        pair = bool(item.opponent)
        if first is not None and pair != first[1]:
            one, other = ("a pair", "a single answer") if pair else ("a single answer", "a pair")
            raise JuriesError(
                f"{placed.found.table.name}, {place}, field opponent: makes the row {one}, but "
                f"{first[0]} is {other}; put pairs and single answers into separate files"
            )
        first = first or (place, pair)
    return first is not None and first[1]


def _check_columns(found: Named, options: Options) -> None:
    if "messages" in found.own and "question" in found.own:
        raise JuriesError(
            f"{found.table.name}: has the columns {found.called('question')} and "
            f"{found.called('messages')}; a conversation ends with the question: leave one out"
        )
    needs = () if "messages" in found.own else ("question", "answer")[: 1 + options.answered]
    head = [*found.others, *(column for parts in found.own.values() for column in parts)]
    for needed in needs:
        if needed not in found.own:
            raise JuriesError(
                f"{found.table.name}: has no column {needed!r}{nearest(needed, head)}"
            )
    others = [c for c in found.others if c not in (*BESIDES, *found.annotators)]
    verdicts = [name for name in ("order", "judge", "label", "prompt") if name in found.own]
    others += [name for name in verdicts if found.own[name] != found.own.get("human")]
    for column in others:
        like = nearest(column, set(COLUMNS) - set(found.own))
        if "did you mean" in like:
            log.warning("%s: column %r is not used%s", found.table.name, column, like)
    if others:
        log.info("%s: columns that are not used: %s", found.table.name, ", ".join(others))


def _warn_of_separators(found: Named) -> None:
    """Warn where one reference looks like several that something separates."""
    cells = (row.get("references") for _, row in found.table.rows())
    suspected = [
        cell
        for cell in cells
        if isinstance(cell, str)
        and not cell.lstrip().startswith("[")
        and any(mark in cell.strip() for mark in SUSPECTED)
    ]
    if suspected:
        log.warning(
            "%s, column %s: %d cells are read as one reference each, though they may hold several, "
            'such as %r; write several as a JSON list: ["one", "another"]',
            found.table.name, found.called("references"), len(suspected), suspected[0][:80],
        )  # fmt: skip


@dataclass(frozen=True)
class _Cells:
    """The cells of one row, read as the parts of an item."""

    found: Named
    row: Mapping[str, Any]
    place: str
    scale: Scale | None

    def at(self, field: str) -> str:
        """Return where a cell stands, for errors."""
        return f"{self.found.table.name}, {self.place}, field {self.found.called(field)}"

    def text(self, field: str, default: str | None = None) -> str:
        """Return a cell as text; without a default it must not be blank."""
        value = self.row.get(field)
        if field == "answer" and default is not None and field not in self.row:
            raise JuriesError(
                f"{self.at(field)}: is missing; add it, empty if the candidate gave none"
            )
        try:
            text = as_text(value)
        except TypeError:
            raise JuriesError(f"{self.at(field)}: {value!r} is not a text; set a text") from None
        if text is None and default is not None:
            return default
        if text is None or (default is None and not text.strip()):
            raise JuriesError(f"{self.at(field)}: {value!r} is not a text; set a text")
        return text

    def asked(self) -> tuple[str, str]:
        """Return the question and the answer, out of a conversation where there is one."""
        field = "messages" if "messages" in self.row else "question"
        value = self.row.get(field)
        if value is None or not (field == "messages" or is_conversation(value)):
            return self.text(field), self.reply("answer")
        *before, last = messages = messages_of(value, self.at(field))
        if last.role == "user":
            return conversation_text(messages), self.reply("answer")
        if last.role == "system" or self.row.get("opponent_answer") is not None:
            raise JuriesError(
                f"{self.at(field)}: ends with the {last.role}'s message; end it with the user's"
            )
        if self.row.get("answer") is not None:
            raise JuriesError(
                f"{self.at(field)}: ends with the assistant's message, and the row has an answer "
                "too; leave one of them out"
            )
        return conversation_text(before), without_markers(last.content)

    def reply(self, field: str) -> str:
        """Return an answer; beside a conversation it can't pose as one of its turns.

        An empty one means that the candidate failed to answer; it is judged like any other.
        """
        text = self.text(field, "")
        value = self.row.get("messages", self.row.get("question"))
        return without_markers(text) if is_conversation(value) else text

    def item(self, dataset: str, number: str) -> Item:
        """Return the row as an item; `number` is its id if it has none."""
        paired = self.row.get("opponent_answer") is not None
        models = self.row.get("candidate"), self.row.get("opponent")
        places = UNNAMED if paired and models == (None, None) else ("candidate", "opponent")
        opponent = self.text("opponent", places[1] if paired else "")
        if opponent and "opponent_answer" not in self.row:
            raise JuriesError(
                f"{self.at('opponent_answer')}: is missing; the row names an opponent, {opponent!r}"
            )
        scale = self.scale or (Scale.preference() if opponent else Scale.binary())
        question, answer = self.asked()
        return Item(
            dataset=dataset,
            item_id=self.text("item_id", number),
            candidate=self.text("candidate", places[0]),
            question=question,
            answer=answer,
            references=texts(self.row.get("references"), self.at("references")),
            opponent=opponent,
            opponent_answer=self.reply("opponent_answer"),
            human=scale.value_at(self.row.get("human"), self.at("human")),
            human_votes=self.found.votes(self.row, self.place, scale),
            cluster=self.text("cluster", ""),
            subset=self.text("subset", ""),
            criterion=self.text("criterion", ""),
        )
