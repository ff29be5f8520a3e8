"""Collection of only the votes a jury needs, in rounds (`asking=sequential`, `cyclic`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ..data.dataset import Dataset
from ..errors import JuriesError
from ..judges.base import by_price
from ..juries.escalation import Calibration, EscalatingJury
from ..juries.policies import Cast, CyclicAssignment, Planner, SequentialMajority
from ..juries.pooling import Pooling, context_of
from ..juries.rules import Jury
from ..juries.stored import NOT_ASKED, Inconsistent, pool
from ..juries.votes import Voter, Votes
from ..scale import Scale
from ..store.plan import Plan
from ..store.store import Store
from ..study import Study, read
from ..types import Item
from .budget import Budget, budget_of
from .live import collect_live
from .policy import Policy
from .tally import Tally
from .worker import NoProgress, Progress


def collect_in_rounds(
    plans: Sequence[Plan],
    planner: Planner,
    store: Store,
    policy: Policy | None = None,
    progress: Progress | None = None,
    budget: Budget | None = None,
    inconsistent: Inconsistent = "missing",
) -> list[Tally]:
    """Collect what a planner asks for: one judge on all items, the next on those still open ...

    Each round asks all due judges concurrently, so there are as many rounds as judges that an item
    may need, not as items. Stored votes are used and not asked for again. A judge that gives no
    vote, or is unavailable, counts as a missing vote.

    Parameters
    ----------
    plans : sequence of Plan
        One for each of the planner's judges, all on the same dataset.
    planner : Planner
    store, policy, progress, budget
        See `run.collect`.
    inconsistent : {"missing", "tie", "mean"}
        How to count a pair whose two orders differ; the same as in the analysis.

    Returns
    -------
    list of Tally
        One a judge and round in which it was asked.

    Raises
    ------
    JuriesError
        If a judge of the planner has no plan, the plans have different datasets, or as `collect`.
    """
    by_name = {plan.voter: plan for plan in plans}
    for judge in planner.judges:
        if judge not in by_name:
            raise JuriesError(f"{planner.name}: no plan asks judge {judge!r}")
    plans = [by_name[judge] for judge in planner.judges]
    if any(plan.dataset is not plans[0].dataset for plan in plans):
        raise JuriesError(f"{planner.name}: its judges have plans on different datasets")
    policy, progress = policy or Policy(), progress or NoProgress()
    budget = budget or budget_of(policy, store)
    dataset = plans[0].dataset.loaded()
    known = _KnownVotes(dataset, policy, inconsistent)
    for plan in plans:
        known.update(plan, list(dataset.items), store, asked=False)
    tallies: list[Tally] = []
    while due := known.due(planner):
        part = [
            replace(by_name[judge], dataset=replace(dataset, items=tuple(items)))
            for judge, items in due.items()
        ]
        found = collect_live(part, store, policy, progress, budget)
        tallies += found
        if any(tally.stopped for tally in found):
            break
        for judge, items in due.items():
            known.update(by_name[judge], items, store, asked=True)
    return tallies


def collect_by_jury(
    studies: Sequence[Study], store: Store, policy: Policy, progress: Progress, budget: Budget
) -> list[Tally]:
    """Collect only what each jury needs, as `Policy.asking` says.

    "sequential": a majority jury's next judge only while its majority is open, an escalating jury's
    large judge only where its small ones are not confident; "cyclic": one of a majority jury's
    judges a question. Judges that are in no such jury are asked about everything.

    Raises
    ------
    JuriesError
        If there is no such jury, before anything is asked.
    """
    if not any(_spares(jury, policy) for study in studies for jury in study.juries):
        escalates = " or escalates" if policy.asking == "sequential" else ""
        raise JuriesError(
            f"asking={policy.asking}: needs a jury that decides by majority{escalates}; add one "
            "with jury=..., or set asking=all"
        )
    tallies: list[Tally] = []
    for study in studies:
        asked: set[str] = set()
        for jury in study.juries:
            if not _spares(jury, policy):
                continue
            asked |= set(jury.members)
            own = [plan for plan in study.plans if plan.voter in jury.members]
            planner: Planner
            if isinstance(jury, EscalatingJury):
                small = [plan for plan in own if plan.voter in jury.small]
                tallies += (found := collect_live(small, store, policy, progress, budget))
                if any(tally.stopped for tally in found):
                    break
                planner = jury.policy(_calibrated(jury, small, store))
            elif policy.asking == "cyclic":
                order = by_price({plan.voter: plan.judge for plan in own})
                planner = CyclicAssignment(order, [i.item_id for i in study.dataset.items])
            else:
                planner = SequentialMajority(by_price({plan.voter: plan.judge for plan in own}))
            tallies += collect_in_rounds(own, planner, store, policy, progress, budget)
        others = [plan for plan in study.plans if plan.voter not in asked]
        tallies += collect_live(others, store, policy, progress, budget) if others else []
    return tallies


def _spares(jury: Pooling, policy: Policy) -> bool:
    """Return whether a jury can decide without all of its members' votes."""
    if isinstance(jury, EscalatingJury):
        return policy.asking == "sequential"
    return isinstance(jury, Jury) and jury.rule == "majority"


def _calibrated(jury: EscalatingJury, small: Sequence[Plan], store: Store) -> Calibration:
    dataset = small[0].dataset.loaded()
    stored = read([replace(plan, dataset=dataset) for plan in small], dataset, store)
    scale = sided_scale(dataset)
    pooled = pool(*stored.on(scale), stored.outcomes, "missing", scale)
    voters = tuple(Voter(plan.voter, "judge") for plan in small)
    return jury.calibrate(Votes(voters, *pooled, scale), context_of(dataset))


def sided_scale(dataset: Dataset) -> Scale:
    """Return the scale on which votes have two sides, as asking one judge after another needs."""
    return Scale.preference() if dataset.pairwise else Scale.binary()


@dataclass
class _KnownVotes:
    """The votes known about each item between two rounds."""

    dataset: Dataset
    policy: Policy
    inconsistent: Inconsistent
    votes: dict[int, dict[str, Cast]] = field(default_factory=dict)  # by the item's id()

    def due(self, planner: Planner) -> dict[str, list[Item]]:
        """Return the items to ask each judge about next, by judge in their order."""
        found: dict[str, list[Item]] = {judge: [] for judge in planner.judges}
        for item in self.dataset.items:
            judge = planner.next_judge(self.votes.get(id(item), {}), item.item_id)
            if judge is not None:
                found[judge].append(item)
        return {judge: items for judge, items in found.items() if items}

    def update(self, plan: Plan, items: list[Item], store: Store, *, asked: bool) -> None:
        """Record a judge's stored votes; if it was just asked, its missing votes too."""
        part = replace(self.dataset, items=tuple(items))
        stored = read([replace(plan, dataset=part)], part, store)
        open_outcomes = [NOT_ASKED] if asked else [NOT_ASKED, *self.policy.again]
        unknown = np.asarray(np.isin(stored.outcomes, open_outcomes)).any(axis=(1, 2))
        scale = sided_scale(self.dataset)
        pooled, strength, _ = pool(*stored.on(scale), stored.outcomes, self.inconsistent, scale)
        for at in np.flatnonzero(~unknown | asked):
            vote = Cast(float(pooled[at, 0]), float(strength[at, 0]))
            self.votes.setdefault(id(items[at]), {})[plan.voter] = vote
