"""Requested and stored verdicts: what a judge is asked about a dataset, and what the store has.

Shared by everything that reads or fills a store: `collect` asks for what is missing, `estimate`
counts it, `analysis` reads what is there.
"""

from __future__ import annotations

import functools
import logging
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

from ..data.dataset import Dataset
from ..errors import JuriesError
from ..judges.base import Judge, always_same, key_of
from ..judges.recorded import RecordedJudge
from ..prompts.prompt import Askable
from ..scale import Scale
from ..seats import Seat
from ..types import Outcome, Reply, Request, Verdict
from .store import Store

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """One seat's part of a run, a judge on a dataset: every verdict wanted, stored or not.

    Parameters
    ----------
    judge : Judge
    dataset : Dataset
    prompt : Askable
    repeat : int
        Which answer of the judge, from 1. The first one's keys are those of the judge's own
        requests; the others' are made from them and the repeat.
    under : str
        The prompt's name as part of the seat's; "" for the prompt of the run.

    Raises
    ------
    JuriesError
        If a further answer would be a copy of the first.
    """

    judge: Judge
    dataset: Dataset
    prompt: Askable
    repeat: int = 1
    under: str = ""

    def __post_init__(self) -> None:
        if self.repeat > 1 and (reason := always_same(self.judge)):
            remedy = (
                "name it once"
                if self.judge.free or not getattr(self.judge, "samples", True)
                else "set its decoding to verdict_by: text and a temperature above 0, or name it "
                "once"
            )
            raise JuriesError(
                f"seat {self.voter}: would be a copy of {self.seat.first}: {self.judge.name} "
                f"{reason}; {remedy}"
            )

    @property
    def seat(self) -> Seat:
        """The seat that this plan fills."""
        return Seat(self.judge.name, self.under, self.repeat)

    @property
    def voter(self) -> str:
        """The seat's name: that of its column of votes."""
        return str(self.seat)

    def requests(self) -> Iterator[Request]:
        """Yield a request for each item and order the judge can be asked about.

        Requests are rendered again on each call: prompts are long, and most are only needed for
        their key.
        """
        for item in self.dataset.items:
            for order in self.dataset.orders:
                request = self.judge.request(item, order, self.prompt)
                if request is None:
                    continue
                if self.repeat > 1:
                    key = key_of({"repeat": self.repeat}, request.key)
                    request = replace(request, key=key, repeat=self.repeat)
                yield request


def check_distinct(plans: Sequence[Plan]) -> None:
    """Check that no two seats of models would share every verdict on a dataset.

    Raises
    ------
    JuriesError
        If two would: one request has one answer, so the second vote would be a copy.
    """
    met: dict[tuple[int, str], list[Plan]] = {}
    for plan in plans:
        if plan.judge.free:
            continue
        first = next(plan.requests(), None)
        if first is None:
            continue
        others = met.setdefault((id(plan.dataset), first.key), [])
        for other in others:
            pairs = zip_longest(plan.requests(), other.requests())
            if all(one and two and one.key == two.key for one, two in pairs):
                raise JuriesError(_same(other, plan))
        others.append(plan)


def _same(one: Plan, other: Plan) -> str:
    if one.judge is other.judge:
        return (
            f"seats {one.voter} and {other.voter}: their prompts show the same, so they would be "
            "one vote twice; name one of them"
        )
    servers = [getattr(plan.judge, "address", "") for plan in (one, other)]
    if servers[0] != servers[1]:
        return (
            f"judges {one.judge.name} and {other.judge.name}: ask one model's name at two servers "
            f"({' and '.join(servers)}), and verdicts are stored by the model's name; set another "
            "revision for one if the weights differ, or name one of them"
        )
    return (
        f"judges {one.judge.name} and {other.judge.name}: have the same model and decoding, so "
        f"{other.voter} would be a copy of {one.voter}; change the decoding of one, or name "
        f"{one.judge.name}*2 for two answers of one judge"
    )


def look_up(
    plan: Plan, store: Store, requests: Iterable[Request] | None = None
) -> Iterator[tuple[Request, Verdict | None]]:
    """Yield each request of a plan with its stored verdict, None where there is none.

    A verdict is keyed by what was asked, so two items with the same text share one; it is returned
    with the identity of the item at hand. A reply that an older parser read is parsed again; how
    many then read otherwise is logged, once. `requests` are those of the plan that an earlier look
    has rendered, and counted; all by default.
    """
    if isinstance(plan.judge, RecordedJudge):  # what it says is at hand, and never stored
        for request in plan.requests() if requests is None else requests:
            yield request, verdict_of(plan, request, plan.judge.reply(request), 1, math.nan)
        return
    changed: Counter[str] = Counter()
    readers = {order: plan.judge.reader(plan.prompt, order) for order in plan.dataset.orders}
    ids = {order: reader.id for order, reader in readers.items()}
    for request in plan.requests() if requests is None else requests:
        stored = store.get(request.key)
        if stored is None:
            yield request, None
            continue
        order, item = request.order, request.item
        if stored.reader == ids[order] and _is_of(stored, plan, request):
            yield request, stored
            continue
        outcome, value, score = stored.outcome, stored.value, stored.score
        if stored.reader != ids[order]:
            outcome, value, score = readers[order].read(stored.reply)
            before = _shown(stored.outcome, stored.value, readers[order].scale)
            if before != _shown(outcome, value, readers[order].scale):
                changed[f"{before} is now {_shown(outcome, value, readers[order].scale)}"] += 1
        yield (
            request,
            replace(
                stored,
                judge=plan.judge.name,
                prompt=request.prompt,
                dataset=plan.dataset.name,
                item_id=item.item_id,
                candidate=item.candidate,
                opponent=item.opponent,
                order=order,
                outcome=outcome,
                value=value,
                score=score,
                reader=ids[order],
                repeat=plan.repeat,
                criterion=item.criterion,
            ),
        )
    if changed and requests is None:  # some of them were looked up, and counted, before
        kinds = "; ".join(f"{number} x {kind}" for kind, number in changed.most_common(5))
        kinds += "; ..." if len(changed) > 5 else ""
        _say(
            f"judge {plan.voter}, prompt {plan.prompt.name}: {changed.total()} stored replies are "
            f"read otherwise than before, by a newer parser or other labels ({kinds})"
        )


def verdict_of(
    plan: Plan, request: Request, reply: Reply, attempts: int, asked_at: float
) -> Verdict:
    """Return a reply as a verdict: parsed, priced and dated (Unix time in seconds)."""
    reader = plan.judge.reader(plan.prompt, request.order)
    outcome, value, score = reader.read(reply)
    item = request.item
    return Verdict(
        key=request.key,
        judge=plan.judge.name,
        prompt=request.prompt,
        dataset=plan.dataset.name,
        item_id=item.item_id,
        candidate=item.candidate,
        opponent=item.opponent,
        order=request.order,
        outcome=outcome,
        value=value,
        score=score,
        reader=reader.id,
        reply=reply,
        cost_usd=plan.judge.price.of(reply) if plan.judge.price else None,
        attempts=attempts,
        asked_at=asked_at,
        repeat=request.repeat,
        criterion=item.criterion,
    )


def _is_of(stored: Verdict, plan: Plan, request: Request) -> bool:
    """Return whether a verdict was stored for this very request, not for one with the same text."""
    item = request.item
    return (
        stored.item_id == item.item_id
        and stored.candidate == item.candidate
        and stored.judge == plan.judge.name
        and stored.dataset == plan.dataset.name
        and stored.prompt == request.prompt
        and stored.opponent == item.opponent
        and stored.order == request.order
        and stored.repeat == plan.repeat
        and stored.criterion == item.criterion
    )


def _shown(outcome: Outcome, value: str | None, scale: Scale) -> str:
    """Return a reading in a word; stores of format 1 spell values as numbers."""
    if value is None:
        return str(outcome)
    try:
        return scale.value(value) or str(outcome)
    except JuriesError:
        return value


@functools.cache
def _say(message: str) -> None:
    """Log a warning, once in a process: plans are looked up several times in a run."""
    log.warning(message)
