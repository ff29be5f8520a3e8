"""From replies to verdicts, and the count of what a run did."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np

from ..errors import MOST_NAMED
from ..judges.base import Judge
from ..judges.http.judge import HttpJudge
from ..judges.http.served import same_model
from ..judges.recorded import RecordedJudge
from ..store.plan import Plan
from ..store.store import Store, UnstorableError
from ..types import Order, Outcome, Reply, Verdict

MOST_KEPT = 1 << 16  # characters of a reply that can't be stored as it is


@dataclass
class Tally:
    """What one run did about one plan.

    `kept` counts the verdicts that were stored before, `stored` their outcomes, `pending` the
    requests that were in a batch before, `submitted` those this run submitted in one. `model`
    is the one that was asked for; `models` counts the names under which the server says that it
    answered, then and now; `server` and `servers` likewise. `cost_usd` sums the
    replies whose cost is known, `unpriced` counts the others. `unavailable` says why a judge was
    not asked at all, `gave_up` why the run gave up on it (its remaining verdicts are stored as
    failed), `stopped` why it was not asked further (they stay missing).
    """

    judge: str
    dataset: str
    requests: int = 0
    kept: int = 0
    pending: int = 0
    submitted: int = 0
    asked: int = 0
    seconds: float = 0.0
    cost_usd: float = 0.0
    unpriced: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    stored: Counter[Outcome] = field(default_factory=Counter)
    model: str = ""
    models: Counter[str] = field(default_factory=Counter)
    server: str = ""
    servers: Counter[str] = field(default_factory=Counter)
    unavailable: str = ""
    gave_up: str = ""
    stopped: str = ""

    @classmethod
    def of(cls, plan: Plan) -> Self:
        """Return a plan's tally before anything is counted."""
        judge = plan.judge
        if not isinstance(judge, HttpJudge):
            return cls(plan.voter, plan.dataset.name)
        return cls(plan.voter, plan.dataset.name, model=judge.model, server=judge.address)

    @property
    def swap(self) -> str:
        """What is odd about the models that the server says it answered with; "" for nothing."""
        others = [name for name in self.models if not same_model(self.model, name)]
        if not self.model or (len(self.models) < 2 and not others):
            return ""
        reported = ", ".join(
            f"{name} ({n} verdicts)" for name, n in self.models.most_common(MOST_NAMED)
        )
        return f"asked for the model {self.model}; the server answered as {reported}"

    @property
    def moved(self) -> str:
        """What is odd about the servers that the verdicts came from; "" for nothing."""
        others = {name: n for name, n in self.servers.items() if name != self.server}
        if not self.server or not others:
            return ""
        named = ", ".join(f"{name} ({n} verdicts)" for name, n in sorted(others.items()))
        return (
            f"asks {self.model} at {self.server}, and stored verdicts came from {named}; if the "
            "weights there are others, set another revision"
        )

    def include(self, earlier: Tally) -> None:
        """Add what an earlier part of the same run did: this one has found it stored."""
        self.stored -= earlier.outcomes
        self.kept = self.stored.total()
        self.asked += earlier.asked
        self.outcomes += earlier.outcomes
        self.seconds += earlier.seconds
        self.cost_usd += earlier.cost_usd
        self.unpriced += earlier.unpriced
        self.input_tokens += earlier.input_tokens
        self.cached_tokens += earlier.cached_tokens
        self.output_tokens += earlier.output_tokens

    def count_model(self, reply: Reply) -> None:
        """Count the model that a reply says it is from, and the server that sent it."""
        if reply.server:
            self.servers[reply.server] += 1
        if reply.model:
            self.models[reply.model] += 1

    def count(self, verdict: Verdict, judge: Judge) -> None:
        """Count a judge's new verdict."""
        reply = verdict.reply
        replied = verdict.outcome is not Outcome.FAILED and not unpaid(reply)
        self.asked += verdict.attempts > 0
        self.outcomes[verdict.outcome] += 1
        self.count_model(reply)
        self.cost_usd += verdict.cost_usd or 0.0
        self.unpriced += verdict.cost_usd is None and replied and is_remote(judge)
        self.input_tokens += reply.input_tokens or 0
        self.cached_tokens += reply.cached_tokens or 0
        self.output_tokens += reply.output_tokens or 0


def taken(plan: Plan, judge: RecordedJudge) -> Tally:
    """Return the tally of a recorded judge: its verdicts are taken as they are, and not stored."""
    reader = judge.reader(plan.prompt, Order.ORIGINAL)
    cells = judge.cells
    codes = cells.on(plan.dataset.items, plan.dataset.orders)
    times = np.bincount(codes[codes >= 0], minlength=len(cells.texts)).tolist()
    tally = Tally.of(plan)
    tally.requests = tally.asked = sum(times)
    for text, number in zip(cells.texts, times, strict=True):
        tally.outcomes[reader.read(Reply(text)).outcome] += number
    tally.outcomes = +tally.outcomes  # without those that are 0
    return tally


def keep(store: Store, verdict: Verdict) -> Verdict:
    """Store a verdict and return it; a failed one in place of one that the store can't hold."""
    try:
        store.append(verdict)
    except UnstorableError as error:
        said = f"the reply can't be stored ({error})"
        reply = Reply(stop="error", error=said, text=repr(verdict.reply)[:MOST_KEPT])
        verdict = replace(
            verdict, outcome=Outcome.FAILED, value=None, score=None, cost_usd=None, reply=reply
        )
        store.append(verdict)
    return verdict


def unpaid(reply: Reply) -> bool:
    """Return whether no reply came that can have cost something, only an error."""
    return bool(reply.error) and not reply.text and reply.output_tokens is None


def is_remote(judge: Judge) -> bool:
    """Return whether a judge answers over a network: it may cost money, and may stop responding."""
    return not judge.free and not judge.limits.alone
