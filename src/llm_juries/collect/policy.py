"""How a run collects verdicts, and which of the requested ones are missing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from ..arguments import check_fields
from ..errors import JuriesError
from ..judges.http.wire import tell_once
from ..judges.lifetimes import check_served, today, warnings
from ..store.pending_batches import pending_keys
from ..store.plan import Plan, look_up
from ..store.store import Store
from ..types import Outcome, Request
from .rate_limit import LONGEST_WAIT_S
from .tally import Tally


@dataclass(frozen=True)
class Policy:
    """How to collect.

    Parameters
    ----------
    again : sequence of Outcome
        Stored outcomes to ask for again: by default only requests that got no reply.
    on_unavailable : {"stop", "skip"}
        What to do about a judge that is unavailable: "stop" raises before any other is asked,
        "skip" notes it in the tally and leaves its verdicts missing.
    ask_once_more : bool
        Whether to answer a reply that can't be parsed with one request for the bare verdict word.
        Both replies are kept.
    max_cost_usd : float, optional
        Stop before this run, or all runs of its sweep together, may spend more.
    sweep : str, optional
        Runs of this name, on one store, share `max_cost_usd`; None for a run of its own.
    allow_retired : bool
        Ask models that their vendors have switched off, for those with access elsewhere.
    dry_run : bool
        Ask nothing; see `estimate.forecast` for the calls and their cost.
    mode : {"live", "batch"}
        "batch": submit batches and store the replies of those that have ended; see `batch`.
    asking : {"all", "sequential", "cyclic"}
        Whether to ask all judges about everything, or only what a jury needs; see `sequential`.
    longest_wait_s : float
        How long a provider may make the run wait (Retry-After, a spent quota or daily limit)
        without a good reply in between. A judge that asks for more is given up on: its verdicts
        are stored as failed, and the others go on.
    stop_after_unusable : int, optional
        Stop asking a judge if so many first replies under a prompt are all truncated or unparsed;
        None to go on.
    on_other_run : {"skip", "ask"}
        What to do about verdicts that another run on the same store is asking for: leave them to
        it, or ask for them too, and pay twice.
    progress : {"auto", "table", "json", "none"}
        How progress is shown on standard error: "auto" is a table where it is a terminal (never in
        Python), else nothing; "json" are lines of JSON.
    """

    again: tuple[Outcome, ...] = (Outcome.FAILED,)
    on_unavailable: Literal["stop", "skip"] = "stop"
    ask_once_more: bool = False
    max_cost_usd: float | None = None
    sweep: str | None = None
    allow_retired: bool = False
    dry_run: bool = False
    mode: Literal["live", "batch"] = "live"
    asking: Literal["all", "sequential", "cyclic"] = "all"
    longest_wait_s: float = LONGEST_WAIT_S
    stop_after_unusable: int | None = 20
    on_other_run: Literal["skip", "ask"] = "skip"
    progress: Literal["auto", "table", "json", "none"] = "auto"

    def __post_init__(self) -> None:
        check_fields(self, "policy")
        if not self.longest_wait_s >= 0:
            raise JuriesError(f"longest_wait_s: is {self.longest_wait_s}; must be 0 or more")
        if self.stop_after_unusable is not None and self.stop_after_unusable < 1:
            raise JuriesError(
                f"stop_after_unusable: is {self.stop_after_unusable}; must be 1 or more, or null"
            )
        if self.max_cost_usd is not None and not self.max_cost_usd >= 0:  # NaN too
            raise JuriesError(f"max_cost_usd: is {self.max_cost_usd}; must be 0 or more, or null")
        if self.mode == "batch" and self.asking != "all":
            raise JuriesError(
                f"asking={self.asking}: can't be combined with mode=batch, which submits every "
                "request at once; set mode=live or asking=all"
            )


def check_lifetimes(plans: Sequence[Plan], store: Store, policy: Policy) -> None:
    """Refuse to ask retired models, all in one message; warn once of what soon is, or is old.

    Raises
    ------
    JuriesError
        If verdicts of a retired model are missing, unless the policy allows it.
    """
    day = today()
    if not policy.allow_retired:
        retired = [p for p in plans if p.judge.lifetime and p.judge.lifetime.retired(day)]
        asked = (p for p in retired if any(missing(p, store, policy)))
        check_served((plan.judge for plan in asked), day)
    for line in warnings((plan.judge for plan in plans), day):
        tell_once(line, line)


def missing(
    plan: Plan,
    store: Store,
    policy: Policy,
    *,
    tally: Tally | None = None,
    mark: int | None = None,
    requests: Iterable[Request] | None = None,
) -> Iterator[Request | None]:
    """Yield each request of a plan that is missing from the store, None for each that is not.

    Items with the same text have the same key: all of them are missing until a verdict is stored.
    Requests in a pending batch are not missing.

    Parameters
    ----------
    tally : Tally, optional
        Counts all requests, and those that are stored or pending.
    mark : int, optional
        Whatever was stored since this mark of the store is not missing, whatever its outcome: a
        request that fails is not sent again in the same run.
    requests : iterable of Request, optional
        Only these of the plan's; they are not rendered again.
    """
    pending: frozenset[str] = frozenset() if plan.judge.free else pending_keys(store)
    for request, stored in look_up(plan, store, requests):
        kept = stored is not None and (
            stored.outcome not in policy.again
            or (mark is not None and store.appended_since(request.key, mark))
        )
        in_batch = not kept and request.key in pending
        if tally is not None:
            tally.requests += 1
            tally.kept += kept
            if kept and stored is not None:
                tally.stored[stored.outcome] += 1
                tally.count_model(stored.reply)
            tally.pending += in_batch
        yield None if kept or in_batch else request


def counted(plan: Plan, store: Store, policy: Policy) -> Tally:
    """Return the tally of a plan before anything is asked: its requests, stored and pending."""
    tally = Tally.of(plan)
    for _ in missing(plan, store, policy, tally=tally):
        pass
    return tally
