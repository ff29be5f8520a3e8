"""Collection through batch APIs: submit now, collect later (`mode=batch`).

A ticket in the store's folder `batches` lists the keys of a submitted batch, so that no run asks
for them again while the batch is pending. The ticket is written before the batch is submitted and
deleted after its replies are stored: a crash in between loses no reply and pays for none twice. If
the provider's answer was lost, its list of batches is searched for the batch.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import TypeVar

import msgspec

from ..errors import JuriesError
from ..files import write_text
from ..judges.base import Judge
from ..judges.errors import JudgeUnavailableError, RateLimitedError, TransientError
from ..judges.http.batch_api import Submission, batch_api_of
from ..judges.http.judge import HttpJudge
from ..seats import Seat
from ..store.leases import code_of, codes_of
from ..store.pending_batches import Ticket, folder, pending_keys, tickets
from ..store.plan import Plan, verdict_of
from ..store.store import Store
from ..types import Outcome, Request
from . import event_loop
from .budget import Budget
from .claims import cell_of, claimed
from .live import raise_unavailable
from .policy import Policy, counted, missing
from .rate_limit import RateLimiter, backoff
from .tally import Tally, keep, unpaid
from .trial import Trial

log = logging.getLogger(__name__)
Answer = TypeVar("Answer")
LARGEST = 10_000  # requests a batch; providers take 50,000 and more


def collect_batches(
    plans: Sequence[Plan], store: Store, policy: Policy, budget: Budget
) -> list[Tally]:
    """Store the replies of the batches that have ended, submit what is missing, and do not wait.

    Run again later to take the rest; a request that failed in a batch is submitted again then. A
    judge without a batch API is not asked, which its tally says where verdicts are missing.

    What went wrong with one judge is raised after all others have been dealt with.

    Raises
    ------
    JuriesError
        If no judge has a batch API, or a crash left open whether a batch was submitted; if judges
        are unavailable, naming all that are.
    """
    reasons = [_not_batchable(plan.judge) for plan in plans]
    if plans and all(reasons):
        raise JuriesError(f"mode=batch: {reasons[0]}; set mode=live")
    return event_loop.run(_collect(plans, reasons, store, policy, budget))


def _not_batchable(judge: Judge) -> str:
    """Return why a judge can't be asked in batches, "" if it can."""
    if not isinstance(judge, HttpJudge):
        return f"judge {judge.name} is not behind an API"
    try:
        batch_api_of(judge.wire_name, judge.wire, judge.server.batch)
    except JuriesError as error:
        return f"judge {judge.name}: {error}"
    return ""


async def _collect(
    plans: Sequence[Plan], reasons: Sequence[str], store: Store, policy: Policy, budget: Budget
) -> list[Tally]:
    tallies = []
    unavailable = await _opened(
        [plan.judge for plan, reason in zip(plans, reasons, strict=True) if not reason]
    )
    errors: list[str] = []
    try:
        if policy.on_unavailable == "stop":
            raise_unavailable(list(unavailable.values()))
        for plan, reason in zip(plans, reasons, strict=True):
            judge = plan.judge
            if reason or not isinstance(judge, HttpJudge):
                tally = counted(plan, store, policy)
                if tally.requests > tally.kept + tally.pending:
                    tally.stopped = f"{reason}; ask it with mode=live"
            elif judge.name in unavailable:
                tally = counted(plan, store, policy)
                tally.unavailable = unavailable[judge.name]
            else:
                try:
                    tally = await _one(plan, judge, store, policy, budget)
                except JuriesError as error:
                    errors.append(str(error))
                    continue
                except TransientError as error:
                    errors.append(f"judge {judge.name}: {error}; run again later")
                    continue
            tallies.append(tally)
    finally:
        for judge in {plan.judge for plan in plans}:
            await judge.close()
    raise_unavailable(errors)
    return tallies


async def _opened(judges: Iterable[Judge]) -> dict[str, str]:
    """Open judges; return why some are unavailable, by their names."""
    found = {}
    for judge in dict.fromkeys(judges):
        try:
            await judge.ready()
            await judge.open()
        except JudgeUnavailableError as error:
            found[judge.name] = str(error)
    return found


async def _one(plan: Plan, judge: HttpJudge, store: Store, policy: Policy, budget: Budget) -> Tally:
    tally = Tally.of(plan)
    began = time.monotonic()
    own = {
        path: ticket
        for path, ticket in tickets(store).items()
        if (ticket.model, ticket.base_url) == (judge.model, judge.base_url)
    }
    for path, ticket in own.items():
        if not ticket.batch and not await _found(judge, store, path, ticket):
            raise JuriesError(
                f"{path}: a run ended while it submitted this batch, which may be pending; look "
                f"for it at {judge.base_url}, where its list of batches shows none that is certain "
                "to be this one, and write its id into the file, or delete the file to submit it "
                "again"
            )
    submitted = {key for ticket in own.values() for key in ticket.keys}
    requests = {r.key: r for r in plan.requests() if r.key in submitted}
    for path, ticket in own.items():
        if requests.keys() & set(ticket.keys):  # else it belongs to another dataset or prompt
            await _take(plan, judge, store, policy, path, ticket, requests, tally)
    pending = pending_keys(store)
    unanswered = _unanswered(plan, store, policy, tally)
    cells = {cell_of(plan): codes_of(unanswered)} if unanswered else {}
    async with claimed(store, cells, policy) as claims:
        if store.refresh() or pending_keys(store) != pending:  # another run may have ended since
            unanswered = _unanswered(plan, store, policy, tally)
        trial = Trial(policy.stop_after_unusable)
        trial.count(tally.stored + tally.outcomes)
        requests_left = list(unanswered.values())
        if requests_left and (stopped := trial.failed or tally.stopped):
            tally.stopped = stopped
            requests_left = []
        elif other := claims.left.get(cell_of(plan)):
            tally.stopped = other.reason
            requests_left = [r for r in requests_left if code_of(r.key) not in other.codes]
        for start in range(0, len(requests_left), LARGEST):
            if claims.lapsed:
                tally.stopped = (
                    "this run was suspended for longer than its lease lasts, and another may have "
                    "submitted the same meanwhile"
                )
                break
            part = requests_left[start : start + LARGEST]
            await _submit(judge, store, policy, budget, part, tally)
    tally.seconds = time.monotonic() - began
    return tally


async def _when_allowed(
    judge: HttpJudge, policy: Policy, ask: Callable[[], Awaitable[Answer]]
) -> Answer:
    """Return what a batch API answers, waiting while its rate limit is used up, as live mode does.

    Raises
    ------
    JudgeUnavailableError
        If it asks to wait longer than `longest_wait_s`, or again and again.
    TransientError
        As `batch_api.call` does for anything but a rate limit.
    """
    limiter = RateLimiter(judge.limits, policy.longest_wait_s, judge.name)
    for attempt in count(1):
        sent_at = limiter.sent()
        try:
            return await ask()
        except RateLimitedError as error:
            limiter.failed(error, sent_at)
            if limiter.overdue or attempt == judge.limits.attempts:
                why = f"{limiter.overdue} ({error})" if limiter.overdue else error
                raise JudgeUnavailableError(f"judge {judge.name}: {why}") from None
            await limiter.wait(backoff(attempt))
    raise AssertionError  # the loop has no end


def _unanswered(plan: Plan, store: Store, policy: Policy, tally: Tally) -> dict[str, Request]:
    """Return the missing requests of a plan by key; count what is stored and pending."""
    known = Tally.of(plan)
    found: dict[str, Request] = {}
    for request in missing(plan, store, policy, tally=known):
        if request is not None:
            found.setdefault(request.key, request)
    tally.requests, tally.pending = known.requests, known.pending
    tally.models, tally.servers = known.models, known.servers
    tally.stored = known.stored - tally.outcomes
    tally.kept = tally.stored.total()
    return found


async def _take(
    plan: Plan,
    judge: HttpJudge,
    store: Store,
    policy: Policy,
    path: Path,
    ticket: Ticket,
    requests: dict[str, Request],
    tally: Tally,
) -> None:
    """Store the replies of a batch if it has ended; requests that failed are missing again."""
    wanted = {key: requests[key] for key in ticket.keys if key in requests}
    try:
        results = await _when_allowed(
            judge, policy, lambda: judge.batch_results(ticket.batch, wanted)
        )
    except JudgeUnavailableError as error:
        raise JudgeUnavailableError(
            f"{error}; if the batch is gone, delete {path} to submit its requests again"
        ) from None
    if results is None:
        return
    failed: list[str] = []
    stored = 0
    for key, request in wanted.items():
        reply, known = results.get(key), store.get(key)
        if reply is None or (reply.stop == "error" and unpaid(reply)):
            failed += [reply.error] if reply else []
            continue
        if reply.stop == "error":  # paid for: submitted again, it would be paid for at each run
            reply = replace(reply, stop="rejected")
        stored += 1
        if known is None or known.outcome is Outcome.FAILED:
            verdict = keep(store, verdict_of(plan, request, reply, 1, time.time()))
            tally.count(verdict, judge)
    if not stored:  # submitted again at once, its requests would fail again
        why = failed[0] if failed else "there are no results"
        tally.stopped = f"batch {ticket.batch} ended without a reply: {why}"
    elif failed:
        log.warning(
            "judge %s: batch %s: %d of %d requests failed (%s)",
            *(judge.name, ticket.batch, len(failed), len(wanted), failed[0]),
        )
    ticket.keys = [key for key in ticket.keys if key not in requests]
    if ticket.keys:  # those of items that are not in this run
        _write(path, ticket)
    else:
        path.unlink(missing_ok=True)  # another run may have taken the same replies


async def _found(judge: HttpJudge, store: Store, path: Path, ticket: Ticket) -> bool:
    """Look for a batch that may have been started among those that the server lists; note its id.

    Nothing is submitted again as long as it may be pending.
    """
    known = frozenset(other.batch for other in tickets(store).values())
    submission = Submission(ticket.file, len(ticket.keys), ticket.written_at, known)
    with contextlib.suppress(JudgeUnavailableError, TransientError):
        ticket.batch = await judge.batch_find(submission)
    if ticket.batch:
        log.warning("judge %s: found batch %s, which had been started", judge.name, ticket.batch)
        _write(path, ticket)
    return bool(ticket.batch)


def _write(path: Path, ticket: Ticket) -> None:
    write_text(path, msgspec.json.encode(ticket).decode())


async def _submit(
    judge: HttpJudge,
    store: Store,
    policy: Policy,
    budget: Budget,
    requests: Sequence[Request],
    tally: Tally,
) -> None:
    affordable, reserved = [], []
    for request in requests:
        most = judge.price.at_most(*judge.estimate(request), batched=True) if judge.price else 0.0
        if not budget.reserve(most):
            tally.stopped = budget.exceeded
            break
        affordable.append(request)
        reserved.append(most)
    if not affordable:
        return
    keys = [request.key for request in affordable]
    ticket = Ticket(judge.name, judge.model, judge.base_url, keys, time.time())
    path = folder(store) / f"{Seat(judge.name).file_name}-{secrets.token_hex(6)}.json"
    _write(path, ticket)
    try:
        ticket.file = await _when_allowed(judge, policy, lambda: judge.batch_upload(affordable))
    except (JudgeUnavailableError, TransientError):
        path.unlink()  # an upload starts nothing
        raise
    _write(path, ticket)
    try:
        ticket.batch = await _when_allowed(
            judge, policy, lambda: judge.batch_submit(affordable, ticket.file)
        )
    except JudgeUnavailableError:
        path.unlink()  # the provider rejected it
        raise
    except TransientError as error:
        if not await _found(judge, store, path, ticket):
            raise JuriesError(
                f"judge {judge.name}: it is unknown whether a batch was submitted ({error}); run "
                f"again to look for it: the message about {path} says what to do if it isn't found"
            ) from None
    _write(path, ticket)
    for most in reserved:  # what it costs is known when its replies are taken
        budget.settle(most, most)
    tally.submitted += len(affordable)
