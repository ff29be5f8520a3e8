"""Prompts: render an item into the messages that a judge sees, and name the reader of its reply.

A prompt is one yaml file in conf/prompt: an instruction, a template, the shots and the verdict
words. Judged answers are untrusted text: the template is compiled once and they are passed as
values, so braces in an answer stay braces; `one_line` joins their lines, so that an answer can't
imitate another shot, and `unmarked` breaks up marker lines, so that it can't imitate the other
answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Literal, Protocol

import jinja2
import jinja2.meta
import jinja2.sandbox

from ..errors import JuriesError, nearest
from ..scale import Scale
from ..types import Item, Message, Order
from .parsers import LEAST_MASS, LabelReader, NumberReader, Reader
from .special_tokens import apart, looking_special

TEXTS = ("question", "references", "answer", "opponent_answer")
FIELDS = (*TEXTS, "criterion", "criterion_description")

# The word before the colon that a template ends with, and the words that it begins with; in the
# first, * stands for what an item fills in.
_ASKS = re.compile(r"([^\s:：{}%|.!?。*_][^\n:：{}%|.!?。]{0,40}?)(?:\*\*)?\s?[:：][*_\s]*\Z")
_BEGINS = re.compile(r"\s*([^\s{][^\n{]*)")


class Askable(Protocol):
    """The interface of prompts, so that models can be asked for other things than verdicts."""

    @property
    def name(self) -> str:
        """Recorded with every verdict."""

    @property
    def choices(self) -> tuple[str, ...]:
        """The verdict words; none if the reply is free text."""

    @property
    def reader(self) -> Reader:
        """The reader of replies."""

    @property
    def turned_reader(self) -> Reader:
        """The reader of replies about a pair shown in swapped order."""

    @property
    def shared(self) -> int:
        """How many characters of the last message all items share."""

    @property
    def special(self) -> tuple[str, ...]:
        """The special tokens that the prompt's own text holds, which keep their meaning."""

    def render(self, item: Item, order: Order = Order.ORIGINAL) -> tuple[Message, ...]:
        """Return the messages for one item."""

    def check_disjoint(self, items: Iterable[Item]) -> None:
        """Raise JuriesError if the prompt reveals the answer to an item."""


@dataclass(frozen=True)
class Shot:
    """A worked example: an item's texts and its correct verdict word."""

    question: str
    answer: str
    label: str
    references: tuple[str, ...] = ()
    opponent_answer: str = ""
    criterion: str = ""


@dataclass(frozen=True)
class Decision:
    """How decision models are asked, which answer typed questions and see no template.

    Parameters
    ----------
    instruction : str, optional
        The task in place of the prompt's instruction, without a word on how to reply.
    meanings : mapping of str to str
        What verdict words mean. The levels of a score are shown by these alone, so each needs one.
    fields : mapping of str to str
        What the item's texts are called where the instruction calls them otherwise than `FIELDS`:
        {answer: answer of A, opponent_answer: answer of B}.
    """

    instruction: str | None = None
    meanings: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Prompt:
    """A judging prompt.

    Parameters
    ----------
    name : str
        Recorded with every verdict. Verdicts remain valid when a prompt is renamed, not when it is
        edited.
    template : str
        Jinja2 template of one item, with the variables question, answer, references (a list),
        opponent_answer, criterion and criterion_description and two filters of its own: `one_line`,
        and `unmarked` for texts between marker lines such as <<<<< ANSWER >>>>>. The verdict word
        is expected at its end.
    labels : mapping of str to float
        The verdict words and their numbers: the scale is inferred from them (see `scale_of`). Words
        with the same number mean the same.
    scale : Scale, optional
        In place of `labels`, or to say what they mean: the words are then words of the scale. An
        interval without labels is a number, read from text.
    instruction : str
        The judge's task.
    instruction_as : {"user", "system"}
        Whether the instruction begins the user message or is in a system message.
    shots : sequence of Shot
        Worked examples, shared by all items, so they come first and can be cached.
    shots_as : {"text", "turns"}
        "text": all in one user message; "turns": each shot a user and an assistant message.
    system : str
        A text for the system message. An instruction in the system message follows it after an
        empty line: not every chat template accepts two system messages.
    criteria : mapping of str to str, optional
        What answers are judged on, each criterion with its description: one call a criterion. They
        are those of a dataset that names none; of one that does, only descriptions are taken.
    least_mass : float
        Where the probabilities of verdict tokens are read: a reply whose verdict words together are
        less likely than this has no verdict by them. Not part of a verdict's key.
    decision : Decision, optional
        How decision models are asked.
    """

    name: str
    template: str
    labels: Mapping[str, float] = field(default_factory=dict)
    instruction: str = ""
    instruction_as: Literal["user", "system"] = "user"
    shots: tuple[Shot, ...] = ()
    shots_as: Literal["text", "turns"] = "text"
    system: str = ""
    scale: Scale | None = None
    criteria: Mapping[str, str] | None = None
    least_mass: float = LEAST_MASS
    decision: Decision | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.least_mass <= 1:
            raise JuriesError(
                f"prompt {self.name}: least_mass is {self.least_mass:g}; set it between 0 and 1"
            )
        if self.scale is None and len(set(self.labels.values())) < 2:
            raise JuriesError(f"prompt {self.name}: labels must have two different values or more")
        try:
            self._check_words()
        except JuriesError as error:
            raise JuriesError(f"prompt {self.name}: {error}") from None
        self._check_decision()
        unknown = self._shown - set(FIELDS)
        for variable in sorted(unknown):
            raise JuriesError(
                f"prompt {self.name}: the template has an unknown variable "
                f"{variable!r}{nearest(variable, FIELDS)}"
            )
        if self.criteria and "criterion" not in self._shown:
            raise JuriesError(
                f"prompt {self.name}: has criteria, but its template does not name the criterion; "
                "add {{ criterion }} to it"
            )
        for number, shot in enumerate(self.shots, 1):
            if not self.choices:
                self.parser_scale.value_at(shot.label, f"prompt {self.name}: shot {number}")
            elif shot.label not in self.choices:
                raise JuriesError(
                    f"prompt {self.name}: shot {number} has the unknown label {shot.label!r}"
                    f"{nearest(shot.label, self.choices)}"
                )

    def _check_words(self) -> None:
        """Raise JuriesError if the verdict words are not on the scale."""
        scale = self.parser_scale
        if isinstance(self.reader, LabelReader):
            self.reader.values  # noqa: B018
        elif self.compares:
            raise JuriesError(
                f"scale: is {scale}, and the prompt compares two answers; set labels, or a "
                "preference"
            )

    def _check_decision(self) -> None:
        """Raise JuriesError if a meaning is of no verdict word, or a text's name of no text."""
        decision = self.decision or Decision()
        for keys, known, what in (
            (decision.meanings, self.choices, "verdict word"),
            (decision.fields, TEXTS, "text"),
        ):
            for key in keys:
                if key not in known:
                    raise JuriesError(
                        f"prompt {self.name}: decision: {key!r} is not a {what} of the prompt"
                        f"{nearest(key, known)}"
                    )
        names = {decision.fields.get(text, text) for text in TEXTS}
        if len(names) < len(TEXTS) or "" in names:
            raise JuriesError(
                f"prompt {self.name}: decision.fields: two texts have one name, or one has none"
            )

    @property
    def choices(self) -> tuple[str, ...]:
        """The verdict words; none where the verdict is any number of an interval."""
        return tuple(self.labels) or self.parser_scale.levels

    @cached_property
    def parser_scale(self) -> Scale:
        """The scale of its verdicts: as given, else as its labels say."""
        return self.scale or scale_of(self.labels, compares=self.compares)

    @property
    def compares(self) -> bool:
        """Whether it shows both answers of a pair."""
        return "opponent_answer" in self._shown

    @property
    def texts(self) -> tuple[str, ...]:
        """Which of an item's texts it shows, of `TEXTS`."""
        return tuple(name for name in TEXTS if name in self._shown)

    @cached_property
    def _shown(self) -> set[str]:
        """The variables of the template."""
        return variables(self.template)

    @cached_property
    def reader(self) -> LabelReader | NumberReader:
        """The reader of replies to this prompt."""
        return self._reader(turned=False)

    @cached_property
    def turned_reader(self) -> LabelReader | NumberReader:
        """The reader of replies about a pair shown in swapped order."""
        return self._reader(turned=self.compares)

    def _reader(self, *, turned: bool) -> LabelReader | NumberReader:
        ending = re.sub(r"\{\{[^{}]*\}\}", "*", self.template.rpartition("\n")[2])
        asks, begins = _ASKS.search(ending), _BEGINS.match(self.template)
        name, opening = asks[1].strip() if asks else "", begins[1].strip() if begins else ""
        if not self.choices:
            return NumberReader(self.parser_scale, name, opening)
        return LabelReader(
            self.parser_scale, self.choices, turned, name, opening, least_mass=self.least_mass
        )

    @cached_property
    def special(self) -> tuple[str, ...]:
        """What looks like a special token in the prompt's own text; no text to judge forges it."""
        return tuple(sorted(looking_special(self.template, self.instruction, self.system)))

    @property
    def shared(self) -> int:
        """How many characters of the last message all items share."""
        return len(self._head[-1].content)

    def render(self, item: Item, order: Order = Order.ORIGINAL) -> tuple[Message, ...]:
        """Return the messages for one item; SWAPPED exchanges a pair's answers."""
        answer, opponent_answer = item.answer, item.opponent_answer
        if order is Order.SWAPPED:
            answer, opponent_answer = opponent_answer, answer
        try:
            question = self._compiled.render(
                question=item.question,
                answer=answer,
                references=item.references,
                opponent_answer=opponent_answer,
                **self.criterion_of(item),
            )
        except jinja2.TemplateError as error:
            raise JuriesError(
                f"prompt {self.name}: rendering failed for {item.dataset} item {item.item_id} of "
                f"{item.candidate}: {error}"
            ) from None
        *head, (role, content) = self._head
        return (*head, Message(role, content + question))

    def criterion_of(self, item: Item) -> dict[str, str]:
        """Return the criterion of an item and its description, where the template shows them.

        Two criteria would share one verdict if they were not shown.
        """
        shown, place = "criterion" in self._shown, f"prompt {self.name}: "
        if not (item.criterion or shown):
            return {}
        where = f"{item.dataset} item {item.item_id}"
        if not shown:
            raise JuriesError(
                f"{place}does not show the criterion, and {where} is judged on {item.criterion!r}; "
                "take one that does, such as prompt=criteria"
            )
        if not item.criterion:
            raise JuriesError(
                f"{place}shows a criterion, and {where} has none; add a column criterion, or set "
                "prompt.criteria"
            )
        description = item.criterion_description or (self.criteria or {}).get(item.criterion, "")
        if "criterion_description" in self._shown and not description:
            raise JuriesError(
                f"{place}has no description of the criterion {item.criterion!r} of {where}"
                f"{nearest(item.criterion, self.criteria or {})}; set prompt.criteria"
            )
        return {"criterion": item.criterion, "criterion_description": description}

    @cached_property
    def _compiled(self) -> jinja2.Template:
        made = environment()
        if self.special:
            made.finalize = lambda shown: apart(str(shown), self.special)
        compiled = made.from_string(self.template)
        compiled.globals = dict(compiled.globals)  # a ChainMap would be copied key by key
        return compiled

    @cached_property
    def _head(self) -> tuple[Message, ...]:
        """Everything before the item: whole messages, then the beginning of the last one."""
        system, opening = [self.system], ""
        if self.instruction_as == "system":
            system.append(self.instruction)
        elif self.instruction:
            opening = f"{self.instruction}\n\n"
        said = "\n\n".join(filter(None, system))
        messages = [Message("system", said)] if said else []
        for shot in self.shots:
            text = opening + self._compiled.render(
                question=shot.question,
                answer=shot.answer,
                references=shot.references,
                opponent_answer=shot.opponent_answer,
                criterion=shot.criterion,
                criterion_description=(self.criteria or {}).get(shot.criterion, ""),
            )
            if self.shots_as == "turns":
                messages += [Message("user", text), Message("assistant", shot.label)]
                opening = ""
            else:
                opening = f"{text} {shot.label}\n\n"
        return (*messages, Message("user", opening))

    def check_disjoint(self, items: Iterable[Item]) -> None:
        """Raise JuriesError if a shot asks an item's question: it would reveal the answer.

        Case, punctuation, spaces and articles are ignored.
        """
        shots = {_bare(shot.question) for shot in self.shots} - {""}
        for item in items:
            if _bare(item.question) in shots:
                raise JuriesError(
                    f"prompt {self.name}: a shot asks the question of {item.dataset} item "
                    f"{item.item_id} ({item.question!r}); use another prompt or remove the item"
                )


def scale_of(labels: Mapping[str, float], *, compares: bool = False) -> Scale:
    """Return the scale that verdict words with numbers describe.

    Two different numbers make a binary scale, more an ordinal one; of a prompt that compares two
    answers it is a preference for the first, whose numbers must lie evenly about their middle. The
    numbers themselves are known as spellings, as stores of format 1 hold them.

    Raises
    ------
    JuriesError
        If the numbers of a comparison are not even.
    """
    first: dict[float, str] = {}
    for word, number in labels.items():
        first.setdefault(float(number), word)
    numbers = sorted(first)
    values = tuple(first[number] for number in numbers)
    words = {word: first[float(number)] for word, number in labels.items()}
    taken = {word.casefold() for word in words}
    words |= {f"{n:g}": first[n] for n in numbers if f"{n:g}" not in taken}
    if compares:
        steps = {round(b - a, 9) for a, b in pairwise(numbers)}
        if len(steps) > 1:
            raise JuriesError(
                f"labels: the numbers {', '.join(f'{n:g}' for n in numbers)} of a comparison must "
                "be evenly spaced"
            )
        return Scale("preference", values=values, words=words)
    if len(numbers) == 2:
        return Scale("binary", values=values, words=words)
    return Scale("ordinal", values=values, numbers=tuple(numbers), words=words)


def _bare(question: str) -> str:
    """Return a question's letters and digits without its articles, for comparison."""
    words = re.findall(r"\w+", question.casefold())
    return "".join(word for word in words if word not in ("a", "an", "the"))


def _one_line(text: str) -> str:
    return " ".join(text.split())


# Full-width and other angle brackets look like < and > to a model; the double ones count twice.
_ANGLES = "<＜﹤‹〈〈⟨>＞﹥›〉〉⟩"
_DOUBLE = "≪⟪《«≫⟫》»"
_RUN = re.compile(
    f"[{_ANGLES}{_DOUBLE}](?:[\u200b-\u200f\u2060\ufeff\u00ad]*[{_ANGLES}{_DOUBLE}])+"
)


def _unmarked(text: str) -> str:
    """Return a text without markers: runs of five or more < or > are spaced out."""

    def spaced(run: re.Match[str]) -> str:
        signs = [sign for sign in run[0] if sign in _ANGLES or sign in _DOUBLE]
        width = len(signs) + sum(sign in _DOUBLE for sign in signs)
        return " ".join(signs) if width >= 5 else run[0]

    return _RUN.sub(spaced, text)


def environment() -> jinja2.Environment:
    """Return the templates' environment: a sandbox, strict about names, with our filters."""
    # Not HTML: escaping would change the judged text.
    made = jinja2.sandbox.ImmutableSandboxedEnvironment(
        undefined=jinja2.StrictUndefined,
        autoescape=False,
    )
    made.filters |= {"one_line": _one_line, "unmarked": _unmarked}
    return made


def variables(template: str) -> set[str]:
    """Return the variables of a template; raise JuriesError if its syntax is wrong."""
    try:
        return jinja2.meta.find_undeclared_variables(environment().parse(template))
    except jinja2.TemplateSyntaxError as error:
        raise JuriesError(f"the template, line {error.lineno}: {error.message}") from None
