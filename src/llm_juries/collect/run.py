"""Run a collection: the one way in which commands and the Python API ask judges for verdicts."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from ..errors import JuriesError
from ..judges.recorded import RecordedJudge
from ..store.plan import Plan, check_distinct
from ..store.store import Store
from ..study import Study
from .batch import collect_batches
from .budget import Budget, budget_of
from .live import collect_live
from .policy import Policy, check_lifetimes, counted
from .sequential import collect_by_jury
from .tally import Tally, is_remote, taken
from .worker import NoProgress, Progress

log = logging.getLogger(__name__)


def collect(
    wanted: Sequence[Plan | Study],
    store: Store,
    policy: Policy | None = None,
    progress: Progress | None = None,
    budget: Budget | None = None,
) -> list[Tally]:
    """Ask for the verdicts that are missing from the store, as the policy says.

    Recorded verdicts are taken as they are: they are neither asked for nor stored.

    Parameters
    ----------
    wanted : sequence of Plan or Study
        A study stands for its plans. Its juries matter where `policy.asking` is not "all".
    store : Store
    policy : Policy, optional
        `dry_run` asks nothing and counts what is stored. `mode="batch"` submits batches to judges
        behind an API, stores the replies of batches that have ended, and waits for none; rules and
        recordings answer at once.
    progress : Progress, optional
    budget : Budget, optional
        Shared by calls that together must not exceed `max_cost_usd`, whose caller closes it; by
        default one of this call, or of the sweep that the policy names.

    Returns
    -------
    list of Tally
        One a plan, in their order; with `asking` other than "all" one a judge and round.

    Raises
    ------
    JuriesError
        Before anything is asked: if a model to be asked is retired, a few-shot example has the
        question of an item, two seats would share every verdict, a remote judge has no price while
        `max_cost_usd` is set, no judge can be asked in batches where `mode` wants them, or no jury
        decides by majority where `asking` needs one. Also if a judge is unavailable.
    """
    policy = policy or Policy()
    progress = progress or NoProgress()
    studies = [one if isinstance(one, Study) else Study(one.dataset, (one,), ()) for one in wanted]
    plans = [plan for study in studies for plan in study.plans]
    _check(plans, store, policy)
    if policy.dry_run:
        return [counted(plan, store, policy) for plan in plans]
    own = budget or budget_of(policy, store)
    try:
        tallies = _collected(studies, plans, store, policy, progress, own)
    finally:
        if budget is None:
            own.close()
    for voter, swap in dict.fromkeys((tally.judge, tally.swap) for tally in tallies if tally.swap):
        log.warning("judge %s: %s; check that its verdicts may stand under one name", voter, swap)
    for voter, moved in dict.fromkeys((t.judge, t.moved) for t in tallies if t.moved):
        log.warning("judge %s: %s", voter, moved)
    return tallies


def _collected(
    studies: Sequence[Study],
    plans: Sequence[Plan],
    store: Store,
    policy: Policy,
    progress: Progress,
    budget: Budget,
) -> list[Tally]:
    if policy.asking != "all":
        return collect_by_jury(studies, store, policy, progress, budget)
    tallies = {
        id(plan): taken(plan, plan.judge) for plan in plans if isinstance(plan.judge, RecordedJudge)
    }
    asked = [plan for plan in plans if id(plan) not in tallies]
    live = [plan for plan in asked if policy.mode == "live" or plan.judge.free]
    batched = [plan for plan in asked if policy.mode == "batch" and not plan.judge.free]
    for part, collected in (
        (live, collect_live(live, store, policy, progress, budget) if live else []),
        (batched, collect_batches(batched, store, policy, budget) if batched else []),
    ):
        tallies |= {id(plan): tally for plan, tally in zip(part, collected, strict=True)}
    return [tallies[id(plan)] for plan in plans]


def _check(plans: Sequence[Plan], store: Store, policy: Policy) -> None:
    check_lifetimes(plans, store, policy)
    asked = [plan for plan in plans if not isinstance(plan.judge, RecordedJudge)]
    pairs = {(id(p.prompt), id(p.dataset)): (p.prompt, p.dataset) for p in asked}
    for prompt, dataset in pairs.values():
        prompt.check_disjoint(dataset.items)
    check_distinct(plans)
    for plan in plans:
        judge = plan.judge
        if policy.max_cost_usd is not None and is_remote(judge) and judge.price is None:
            raise JuriesError(
                f"judge {judge.name}: has no price, so max_cost_usd can't be enforced; set a price "
                "in its yaml, or max_cost_usd=null"
            )
