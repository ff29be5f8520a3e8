"""Collecting through batch APIs: submit, leave, collect later (`mode=batch`).

A ticket in the store's folder `batches` says which keys a batch was handed in for, so that no run
asks for them again while it is at work. The ticket is written before the batch is handed in and
deleted after its replies are stored: a crash in between can lose no reply and pay for none twice.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from ..errors import JuriesError
from ..files import write_text
from ..judges.errors import JudgeUnavailableError, TransientError
from ..judges.http.judge import HttpJudge
from ..store.pending_batches import Ticket, folder, tickets
from ..store.plan import Plan, Policy, Tally, count, holes, verdict_of
from ..store.store import Store
from ..types import Outcome, Request
from .budget import Purse

LARGEST = 10_000  # requests a batch; providers take 50,000 and more


def collect_batched(plans: Sequence[Plan], store: Store, policy: Policy) -> list[Tally]:
    """Take what batches have ended, store their replies, hand in what is lacking.

    Call it again later to take the rest; a reply that failed in a batch is handed in again then.

    Raises
    ------
    JuriesError
        If a judge has no batch API, or a crash left open whether a batch was handed in.
    """
    for plan in plans:
        plan.prompt.check_disjoint(plan.dataset.items)
        if not isinstance(plan.judge, HttpJudge):
            raise JuriesError(f"mode=batch: judge {plan.judge.name} is not behind an API")
    return asyncio.run(_collect(plans, store, policy))


async def _collect(plans: Sequence[Plan], store: Store, policy: Policy) -> list[Tally]:
    purse = Purse(policy.max_cost_usd)
    tallies = []
    for plan in plans:
        judge = plan.judge
        assert isinstance(judge, HttpJudge)  # noqa: S101 - checked by collect_batched
        await judge.ready()
        await judge.open()
        try:
            tallies.append(await _one(plan, judge, store, policy, purse))
        finally:
            await judge.close()
    return tallies


async def _one(plan: Plan, judge: HttpJudge, store: Store, policy: Policy, purse: Purse) -> Tally:
    tally = Tally(judge.name, plan.dataset.name)
    began = time.monotonic()
    own = {
        path: ticket
        for path, ticket in tickets(store).items()
        if (ticket.model, ticket.base_url) == (judge.model, judge.base_url)
    }
    for path, ticket in own.items():
        if not ticket.batch:
            raise JuriesError(
                f"{path}: a run ended while it handed this batch in, so it may be at work; look "
                f"it up at {judge.base_url} and put its id into the file, or delete the file to "
                "hand it in again"
            )
    handed_in = {key for ticket in own.values() for key in ticket.keys}
    requests = {r.key: r for r in plan.requests() if r.key in handed_in}
    for path, ticket in own.items():
        if requests.keys() & set(ticket.keys):  # else it is of another dataset or prompt
            await _take(plan, judge, store, path, ticket, requests, tally)
    counted = Tally(judge.name, plan.dataset.name)
    lacking: dict[str, Request] = {}
    for request in holes(plan, store, policy, tally=counted):
        if request is not None:
            lacking.setdefault(request.key, request)
    tally.requests, tally.kept, tally.pending = counted.requests, counted.kept, counted.pending
    tally.kept -= sum(tally.outcomes.values())
    waiting = list(lacking.values())
    for start in range(0, len(waiting), LARGEST):
        await _hand_in(judge, store, purse, waiting[start : start + LARGEST], tally)
    tally.seconds = time.monotonic() - began
    return tally


async def _take(
    plan: Plan,
    judge: HttpJudge,
    store: Store,
    path: Path,
    ticket: Ticket,
    requests: dict[str, Request],
    tally: Tally,
) -> None:
    """Store the replies of a batch if it has ended; what failed in it becomes a hole again."""
    choices = dict.fromkeys(ticket.keys, plan.prompt.choices)
    results = await judge.batch_results(ticket.batch, choices)
    if results is None:
        return
    for key in set(ticket.keys) & requests.keys():
        reply, known = results.get(key), store.get(key)
        if reply is None or reply.stop == "error":
            continue
        if known is None or known.outcome is Outcome.FAILED:
            verdict = verdict_of(plan, requests[key], reply, attempts=1)
            store.append(verdict)
            count(tally, verdict, judge)
    ticket.keys = [key for key in ticket.keys if key not in requests]
    if ticket.keys:  # of items that are not in this run
        write_text(path, msgspec.json.encode(ticket).decode())
    else:
        path.unlink()


async def _hand_in(
    judge: HttpJudge, store: Store, purse: Purse, requests: Sequence[Request], tally: Tally
) -> None:
    affordable = []
    for request in requests:
        most = judge.price.at_most(*judge.estimate(request), batched=True) if judge.price else 0.0
        if not purse.take(most):
            tally.stopped = f"max_cost_usd={purse.dollars:g} might be passed"
            break
        affordable.append(request)
    if not affordable:
        return
    keys = [request.key for request in affordable]
    ticket = Ticket(judge.name, judge.model, judge.base_url, keys, time.time())
    path = folder(store) / f"{judge.name}-{secrets.token_hex(6)}.json"
    write_text(path, msgspec.json.encode(ticket).decode())
    try:
        ticket.batch = await judge.batch_submit(affordable)
    except JudgeUnavailableError:
        path.unlink()  # the provider said no
        raise
    except TransientError as error:
        raise JuriesError(
            f"judge {judge.name}: the connection broke while a batch was handed in ({error}); "
            f"{path} says what to do"
        ) from None
    write_text(path, msgspec.json.encode(ticket).decode())
    tally.submitted += len(affordable)
