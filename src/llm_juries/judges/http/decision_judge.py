"""Decision models as judges: they answer typed questions with probabilities and write no text.

The criteria of one item are questions of one call. A call that fails costs the votes it was to
give and no others.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, cast

from ...errors import JuriesError
from ...prompts.prompt import Askable, Prompt
from ...prompts.questions import as_json, question_of
from ...prompts.special_tokens import apart, looking_special
from ...types import Item, Message, Order, Question, Reply, Request
from ..base import Limits, key_of
from ..decoding import Decoding
from ..errors import TransientError
from ..lifetimes import Lifetime
from ..pricing import Price
from .decision_wire import Capacity, shared_out
from .judge import HttpJudge, raw_of
from .server import Server
from .wire import Json, MalformedError, Wire, name_of, plain
from .wires import DECISION_WIRES

MOST_OUTPUT = 16  # tokens that a server may report for a question, though it writes no text


class DecisionJudge(HttpJudge):
    """A decision model behind an API.

    A prompt's scale becomes a yes/no question, a choice or a score: see `prompts.questions`. The
    probabilities are read where those of verdict tokens are. Values that are exactly as likely are
    no verdict: the vote is unparsed, and its reply says which they are.

    Parameters
    ----------
    name, family, vendor : str
        See `Judge`.
    wire : {"systemone", "decisions"}
        The server's protocol: System One's (/v1/systemone) or OpenAI's (/v1/decisions).
    model : str
        The server's name for the model.
    revision : str
        Which weights that name stands for, if the name alone does not say; part of every key.
    server : Server, optional
        The protocol's own provider by default.
    capacity : Capacity, optional
        What the server's questions hold; what servers of the protocol usually take by default.
    extra : mapping
        Further fields of the request body, sent as they are; part of every key.
    limits : Limits, optional
        `batch` is how many questions about one item travel in one call.
    price : Price, optional
    lifetime : Lifetime, optional
        How long the model is served.
    note : str
        For reports.
    """

    samples = False

    def __init__(
        self,
        name: str,
        family: str,
        wire: Literal["systemone", "decisions"],
        model: str,
        revision: str = "",
        server: Server | None = None,
        capacity: Capacity | None = None,
        extra: Mapping[str, Any] | None = None,
        limits: Limits | None = None,
        price: Price | None = None,
        lifetime: Lifetime | None = None,
        note: str = "",
        vendor: str = "",
    ) -> None:
        self.decisions = DECISION_WIRES[wire]
        self.capacity = capacity or self.decisions.capacity
        super().__init__(
            name,
            family,
            wire,
            model,
            revision,
            server,
            Decoding("logprobs", MOST_OUTPUT, extra=extra or {}),
            limits or Limits(in_flight=16, batch=16),
            price=price,
            lifetime=lifetime,
            note=note,
            vendor=vendor,
        )

    @property
    def questions_a_call(self) -> int:
        """How many questions about one item travel in one call at most."""
        return min(self.limits.batch, self.capacity.questions)

    def _wire(self, name: str) -> Wire:
        return cast(Wire, DECISION_WIRES[name])  # its place and headers are what is used

    def request(self, item: Item, order: Order, prompt: Askable) -> Request | None:
        """Put the prompt as a question; None where there is no text to judge.

        Raises
        ------
        JuriesError
            If the prompt's scale is no question that the server takes, or the prompt asks for text.
        """
        if not item.question:
            return None  # only the numbers of a recorded judgement are known
        if not isinstance(prompt, Prompt):
            raise JuriesError(
                f"judge {self.name}: is a decision model, which writes no text; name another"
            )
        question = self._plain_state(question_of(prompt, item, order))
        try:
            self.capacity.check(question, self.name)
        except JuriesError as error:
            raise JuriesError(f"prompt {prompt.name}: {error}") from None
        state = as_json(question.state)
        options = "".join(f"\n{word}: {meaning}" for word, meaning in question.options)
        content = [question.kind, question.state, question.instructions, question.options]
        return Request(
            key_of(self.fingerprint, content),
            item,
            order,
            prompt.name,
            (Message("system", question.instructions + options), Message("user", state)),
            prompt.choices,
            question=question,
            call=state,
        )

    async def ask(self, requests: Sequence[Request]) -> list[Reply]:
        """Send the requests, those about one state in one call; see `Judge.ask`.

        Where some calls succeed, the requests of those that may be repeated have failed.
        """
        calls: dict[str, list[int]] = {}
        for place, request in enumerate(requests):
            calls.setdefault(request.call, []).append(place)
        most = self.capacity.questions
        parts = [all_[n : n + most] for all_ in calls.values() for n in range(0, len(all_), most)]
        asked = (self._call([requests[place] for place in part]) for part in parts)
        answers = await asyncio.gather(*asked, return_exceptions=True)
        errors = [answer for answer in answers if isinstance(answer, BaseException)]
        if fatal := [error for error in errors if not isinstance(error, TransientError)]:
            raise fatal[0]
        if len(errors) == len(parts) and errors:
            raise errors[0]
        replies: dict[int, Reply] = {}
        for part, answer in zip(parts, answers, strict=True):
            if isinstance(answer, BaseException):
                failed = Reply(stop="error", error=str(answer), text=getattr(answer, "raw", ""))
                answer = [failed] * len(part)
            replies |= dict(zip(part, answer, strict=True))
        return [replies[place] for place in range(len(requests))]

    def _plain_state(self, question: Question) -> Question:
        """Return a question whose state holds no special token that a server might read as one."""
        texts = [t for v in question.state.values() for t in ([v] if isinstance(v, str) else v)]
        forged = looking_special(*texts)
        if not (forged and self.parses_special):
            return question
        state = {
            name: apart(text, forged)
            if isinstance(text, str)
            else [apart(one, forged) for one in text]
            for name, text in question.state.items()
        }
        return replace(question, state=state)

    async def _call(self, requests: Sequence[Request]) -> list[Reply]:
        began = time.monotonic()
        questions = [request.question for request in requests if request.question is not None]
        body = self.decisions.body(self.model, questions, self.decoding.extra)
        response = await self._posted(body)
        held = self._held(response)
        if isinstance(held, Reply):
            replies = [held] * len(requests)
        else:
            replies = self._answers(held, questions, raw_of(response))
        seconds = time.monotonic() - began
        return [
            self._checked(request, reply, latency_s=seconds)
            for request, reply in zip(requests, replies, strict=True)
        ]

    def _answers(self, body: Json, questions: Sequence[Question], raw: str) -> list[Reply]:
        """Return the replies that a successful response holds, each with its share of the tokens.

        Raises TransientError if it holds none.
        """
        try:
            replies = self.decisions.replies(body, questions)
        except TransientError as error:
            error.raw = plain(raw)
            raise
        except MalformedError as error:
            said = f"malformed reply: {error}"
            failed = Reply(stop="error", error=said, text=plain(raw), model=name_of(body))
            replies = [failed] * len(questions)
        return shared_out(replies, self.decisions.usage(body))
