"""Generate candidate answers: models answer a dataset's questions, in one round or in several.

Answers are requested as verdicts are, through the same judges, `collect` and store: what a round
shows a model is part of the reply's key, so a killed run resumes and pays for no round twice. A
missing answer has an outcome, and never becomes an answer.

Documents are untrusted text: they enter the template as values, and only a model's own reply is
parsed for its answer.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import jinja2

from ..collect.budget import Budget, budget_of
from ..collect.policy import Policy
from ..collect.run import collect
from ..collect.tally import Tally
from ..collect.worker import Progress
from ..data.dataset import Dataset
from ..errors import JuriesError, nearest
from ..judges.base import Judge, PromptedJudge
from ..prompts.parsers import unanswered
from ..prompts.prompt import environment, variables
from ..prompts.visible import without_thinking
from ..scale import Scale
from ..store.plan import Plan, look_up
from ..store.store import Store
from ..types import Item, Message, Order, Outcome, Passage, Reading, Reply
from .retrieval import Gold, NoRetrieval, Retriever

FIELDS = ("question", "documents", "searches", "round", "rounds")
STEP = re.compile(r"^[\s*_#>-]*(search|answer)[*_ ]*:(.*)", re.IGNORECASE | re.MULTILINE)


class Document(NamedTuple):
    """A passage as it is shown to a model, numbered among all documents shown to it."""

    number: int
    title: str
    text: str
    passage_id: str


class Search(NamedTuple):
    """A query, and the documents it found that were not found before."""

    query: str
    documents: tuple[Document, ...]


@dataclass(frozen=True)
class Answering:
    """How candidates answer: the template, and how many documents and rounds.

    Parameters
    ----------
    name : str
        Recorded with every answer. A new name asks nothing again; other changes may.
    template : str
        Jinja2 template of one question in one round, with the variables question, documents (all
        found so far, each with number, title and text), searches (each with query and documents),
        round and rounds, and the filter `one_line`.
    instruction : str
        What the model should do; placed before the question.
    k : int
        Documents a question or search; 0 for answers from memory.
    rounds : int
        With 1, documents are retrieved by the question and the reply is the answer. With more, the
        model searches: a reply holds a line "Search: ..." or the answer after "Answer:", whichever
        comes first; the reply of the last round is the answer, with or without "Answer:".
    max_tokens : int
        The most tokens of a reply, long enough for the answers that the instruction asks for. The
        yamls of candidates take it as ${answering.max_tokens}; one may have another number.
    """

    name: str
    template: str
    instruction: str = ""
    k: int = 0
    rounds: int = 1
    max_tokens: int = 256

    def __post_init__(self) -> None:
        if self.k < 0 or self.rounds < 1:
            raise JuriesError(
                f"k={self.k}, rounds={self.rounds}: set k to 0 or more and rounds to 1 or more"
            )
        if self.max_tokens < 1:
            raise JuriesError(f"max_tokens={self.max_tokens}: set it to 1 or more")
        if self.rounds > 1 and not self.k:
            raise JuriesError("k=0: searches would find nothing; set k to 1 or more")
        for variable in sorted(variables(self.template) - set(FIELDS)):
            raise JuriesError(
                f"template: there is no variable {variable!r}{nearest(variable, FIELDS)}"
            )

    @property
    def opening(self) -> str:
        """The beginning of every message."""
        return f"{self.instruction}\n\n" if self.instruction else ""

    @cached_property
    def compiled(self) -> jinja2.Template:
        """The template, ready to render."""
        return environment().from_string(self.template)


@dataclass(frozen=True)
class StepReader:
    """Checks that a reply has what its round asks for; the label is always None.

    A reply that was cut off is TRUNCATED whatever it contains, as its end is missing.
    """

    several: bool
    last: bool

    @property
    def id(self) -> str:
        """The kind of round and the version of the rules."""
        kind = "answer" if not self.several else "last" if self.last else "step"
        return f"{kind}2"

    @property
    def scale(self) -> Scale:
        """The scale of a reply that has what was asked for or not; there are no labels."""
        return Scale.binary()

    def read(self, reply: Reply) -> Reading:
        """Read one reply."""
        if reading := unanswered(reply):
            return reading
        if reply.stop == "length":
            return Reading(Outcome.TRUNCATED)
        return Reading(Outcome.OK if any(self.step(reply)) else Outcome.UNPARSED)

    def probabilities(self, reply: Reply) -> Mapping[str, float]:  # noqa: ARG002
        """Return nothing: an answer is no verdict."""
        return {}

    def step(self, reply: Reply) -> tuple[str, str]:
        """Return a reply's query and answer: one of them, or both if it has neither, are empty.

        Reasoning in think tags is ignored.
        """
        text = without_thinking(reply.text)
        if not self.several:
            return "", text
        found = STEP.search(text)
        if found is None:
            return "", text if self.last else ""
        if found[1].lower() == "answer":
            return "", text[found.start(2) :].strip(" \t\r\n*_")
        return ("" if self.last else found[2].strip(" \t\r\"'*_")), ""


@dataclass(frozen=True)
class Round:
    """The prompt of one round, as a `Plan` takes it.

    Parameters
    ----------
    answering : Answering
    number : int
        From 1.
    searches : mapping of str to sequence of Search
        The searches so far and what they found, by item_id.
    """

    answering: Answering
    number: int
    searches: Mapping[str, tuple[Search, ...]]
    choices: tuple[str, ...] = ()
    special: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name of the way of answering."""
        return self.answering.name

    @property
    def reader(self) -> StepReader:
        """The reader of this round's replies."""
        return StepReader(self.answering.rounds > 1, self.number == self.answering.rounds)

    @property
    def turned_reader(self) -> StepReader:
        """The same reader, as there are no pairs."""
        return self.reader

    @property
    def shared(self) -> int:
        """How many characters at the beginning of the message are the same for all questions."""
        return len(self.answering.opening)

    def render(self, item: Item, order: Order = Order.ORIGINAL) -> tuple[Message, ...]:  # noqa: ARG002
        """Return the one message for a question."""
        searches = self.searches.get(item.item_id, ())
        try:
            text = self.answering.compiled.render(
                question=item.question,
                documents=[document for search in searches for document in search.documents],
                searches=searches,
                round=self.number,
                rounds=self.answering.rounds,
            )
        except jinja2.TemplateError as error:
            raise JuriesError(
                f"answering {self.name}: template fails on {item.dataset} item {item.item_id}: "
                f"{error}"
            ) from None
        return (Message("user", self.answering.opening + text),)

    def check_disjoint(self, items: Iterable[Item]) -> None:
        """Do nothing: there are no few-shot examples."""


@dataclass(frozen=True)
class Answer:
    """One candidate's answer to one question.

    `text` is empty if there is no answer; `outcome` is None if the question was not asked in every
    round, for instance because of the budget. `documents` are the ids of those shown, and
    `asked_at` is the Unix time of the last reply.
    """

    item: Item
    candidate: str
    outcome: Outcome | None
    text: str
    documents: tuple[str, ...]
    asked_at: float | None = None


def questions_of(dataset: Dataset) -> Dataset:
    """Return each question of a dataset once, without answers or labels.

    They are held in memory, unlike a dataset's answers, as each is used in several rounds.

    Raises
    ------
    JuriesError
        If the dataset has no texts.
    """
    found: dict[str, Item] = {}
    for item in dataset.items:
        if item.question and item.item_id not in found:
            found[item.item_id] = Item(
                dataset=item.dataset,
                item_id=item.item_id,
                candidate="",
                question=item.question,
                references=item.references,
                passages=item.passages,
            )
    if not found:
        raise JuriesError(
            f"dataset {dataset.name}: has no questions to answer; use a dataset with texts"
        )
    return Dataset(dataset.name, tuple(found.values()), note=dataset.note)


def check(answering: Answering, candidates: Sequence[Judge], retriever: object) -> None:
    """Raise JuriesError if parts of a config are incompatible."""
    if not candidates:
        raise JuriesError("candidate: none is named; set one, such as candidate=qwen25_coder")
    for judge in candidates:
        if not isinstance(judge, PromptedJudge):
            raise JuriesError(
                f"candidate {judge.name}: not a language model; name one that answers"
            )
        if (by := judge.decoding.verdict_by) != "text":
            raise JuriesError(
                f"candidates.{judge.name}.decoding.verdict_by: is {by!r}; set 'text' for answers"
            )
    finds = not isinstance(retriever, NoRetrieval)
    if answering.k and not finds:
        raise JuriesError(
            f"answering={answering.name}: shows documents; set retrieval=bm25 retrieval.path=FILE, "
            "or retrieval=gold"
        )
    if isinstance(retriever, Gold) and answering.rounds > 1:
        raise JuriesError(
            f"answering={answering.name}: models write queries, but retrieval=gold finds passages "
            "only by the dataset's questions; set retrieval=bm25 retrieval.collection=dataset"
        )
    if finds and not answering.k:
        raise JuriesError(f"answering={answering.name}: shows no documents; set retrieval=none")


class Rounds:
    """All rounds of some candidates over the questions of a dataset.

    Parameters
    ----------
    questions : Dataset
        See `questions_of`.
    candidates : sequence of Judge
    answering : Answering
    retriever : Retriever
        Ready to search; see `retrieval.over`.
    """

    def __init__(
        self,
        questions: Dataset,
        candidates: Sequence[Judge],
        answering: Answering,
        retriever: Retriever,
    ) -> None:
        self.questions = questions
        self.candidates = candidates
        self.answering = answering
        self.retriever = retriever
        self._answers: dict[tuple[str, str], Answer] = {}

    def first(self) -> list[Plan]:
        """Return the plans of the first round, one a candidate."""
        shown: dict[str, tuple[Search, ...]] = {}
        if self.answering.k and self.answering.rounds == 1:
            asked = {item.item_id: item.question for item in self.questions.items}
            shown = self._found(asked, {})
        return [self._plan(judge, self.questions.items, 1, shown) for judge in self.candidates]

    def run(
        self,
        store: Store,
        policy: Policy,
        progress: Progress | None = None,
        budget: Budget | None = None,
    ) -> tuple[list[Answer], list[Tally]]:
        """Ask round after round until every question is answered.

        Parameters
        ----------
        store, policy, progress
        budget : Budget, optional
            Shared with other runs, by a caller who closes it; one of this run by default.

        Returns
        -------
        answers : list of Answer
            In the order of the questions, then of the candidates.
        tallies : list of Tally
            One a candidate and round.
        """
        if budget is not None:
            tallies = self._rounds(store, policy, progress, budget)
        else:
            with contextlib.closing(budget_of(policy, store)) as own:
                tallies = self._rounds(store, policy, progress, own)
        pairs = ((i.item_id, judge.name) for i in self.questions.items for judge in self.candidates)
        return [self._answers[pair] for pair in pairs], tallies

    def _rounds(
        self, store: Store, policy: Policy, progress: Progress | None, budget: Budget
    ) -> list[Tally]:
        tallies: list[Tally] = []
        plans = self.first()
        for number in range(1, self.answering.rounds + 1):
            asked = collect(plans, store, policy, progress, budget)
            tallies += asked
            plans = [
                further
                for plan, tally in zip(plans, asked, strict=True)
                if (further := self._further(plan, tally, store, number)) is not None
            ]
            if not plans:
                break
        return tallies

    def _further(self, plan: Plan, tally: Tally, store: Store, number: int) -> Plan | None:
        """Record a round's answers; return the next round's plan for the unanswered questions."""
        prompt = plan.prompt
        assert isinstance(prompt, Round)  # noqa: S101 - made by _plan
        name = plan.judge.name
        halted = bool(tally.gave_up or tally.stopped or tally.unavailable)
        queries: dict[str, str] = {}
        for request, stored in look_up(plan, store):
            item, outcome = request.item, stored.outcome if stored else None
            query, text = "", ""
            if stored is not None and outcome is Outcome.OK:
                query, text = prompt.reader.step(stored.reply)
            if query:
                queries[item.item_id] = query
                outcome = None
            shown = tuple(
                document.passage_id
                for search in prompt.searches.get(item.item_id, ())
                for document in search.documents
            )
            when = stored.asked_at if stored else None
            self._answers[item.item_id, name] = Answer(item, name, outcome, text, shown, when)
        if halted or not queries:
            return None
        items = [item for item in plan.dataset.items if item.item_id in queries]
        found = self._found(queries, prompt.searches)
        return self._plan(plan.judge, items, number + 1, found)

    def _plan(
        self,
        judge: Judge,
        items: Iterable[Item],
        number: int,
        searches: Mapping[str, tuple[Search, ...]],
    ) -> Plan:
        asked = tuple(replace(item, candidate=judge.name) for item in items)
        prompt = Round(self.answering, number, searches)
        return Plan(judge, Dataset(self.questions.name, asked), prompt)

    def _found(
        self, queries: Mapping[str, str], earlier: Mapping[str, tuple[Search, ...]]
    ) -> dict[str, tuple[Search, ...]]:
        """Run each item's query; return its searches including this one."""
        results = self.retriever.search(list(queries.values()), self.answering.k)
        searches = {}
        for (item_id, query), passages in zip(queries.items(), results, strict=True):
            before = earlier.get(item_id, ())
            searches[item_id] = (*before, Search(query, _new(passages, before)))
        return searches


def _new(passages: Iterable[Passage], before: Sequence[Search]) -> tuple[Document, ...]:
    """Return the passages that were not shown before, numbered after those that were."""
    shown = [document for search in before for document in search.documents]
    known = {(document.title, document.text) for document in shown}
    fresh = [p for p in passages if (p.title, p.text) not in known]
    return tuple(
        Document(number, p.title, p.text, p.passage_id)
        for number, p in enumerate(fresh, len(shown) + 1)
    )
