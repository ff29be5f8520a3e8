"""Collecting only the votes a jury needs, judge after judge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ..data.dataset import Dataset
from ..errors import JuriesError
from ..judges.base import by_price
from ..juries.aggregation import Pooling
from ..juries.panel import NOT_ASKED, Inconsistent, pool
from ..juries.policies import Cast, CyclicAssignment, Planner, SequentialMajority
from ..juries.rules import Jury
from ..store.plan import Plan, Policy, Tally
from ..store.store import Store
from ..study import Study, read
from ..types import Item
from .budget import Purse
from .run import collect
from .worker import Progress


def collect_in_rounds(
    plans: Sequence[Plan],
    planner: Planner,
    store: Store,
    policy: Policy | None = None,
    progress: Progress | None = None,
    purse: Purse | None = None,
    inconsistent: Inconsistent = "missing",
) -> list[Tally]:
    """Collect live what a policy asks for: a judge on all items, the next on those still open ...

    Each round asks all judges that are due at once, so there are as many rounds as judges that an
    item may need, not as items. What the store has already is used and not asked again. A judge
    that gives no vote, or can't be asked, counts as a missing vote.

    Parameters
    ----------
    plans : sequence of Plan
        One for each of the policy's judges, all on the same dataset.
    planner : Planner
    store, policy, progress, purse
        See `collect`.
    inconsistent : {"missing", "tie", "mean"}
        What becomes of a pair whose two orders differ; take what the analysis will take.

    Returns
    -------
    list of Tally
        A tally for each judge and round that asked it.

    Raises
    ------
    JuriesError
        If a judge of the policy has no plan, the plans have different datasets, or as `collect`.
    """
    by_name = {plan.judge.name: plan for plan in plans}
    for judge in planner.judges:
        if judge not in by_name:
            raise JuriesError(f"{planner.name}: there is no judge {judge!r} to ask")
    plans = [by_name[judge] for judge in planner.judges]
    if any(plan.dataset is not plans[0].dataset for plan in plans):
        raise JuriesError(f"{planner.name}: its judges are to be asked about different datasets")
    policy = policy or Policy()
    purse = purse or Purse(policy.max_cost_usd)
    dataset = plans[0].dataset.loaded()
    rounds = _Rounds(dataset, policy, inconsistent)
    for plan in plans:
        rounds.hear(plan, list(dataset.items), store, asked=False)
    tallies: list[Tally] = []
    while due := rounds.due(planner):
        part = [
            replace(by_name[judge], dataset=replace(dataset, items=tuple(items)))
            for judge, items in due.items()
        ]
        found = collect(part, store, policy, progress, purse)
        tallies += found
        if any(tally.stopped for tally in found):
            break
        for judge, items in due.items():
            rounds.hear(by_name[judge], items, store, asked=True)
    return tallies


def collect_sparingly(
    studies: Sequence[Study],
    store: Store,
    policy: Policy,
    progress: Progress | None = None,
) -> list[Tally]:
    """Collect all that is asked for, or what each jury by majority needs: see `Policy.asking`.

    Judges that sit in no such jury are asked about everything.

    Raises
    ------
    JuriesError
        If no jury decides by majority, before anything is asked; or as `collect_in_rounds`.
    """
    if policy.asking == "all":
        return collect([p for study in studies for p in study.plans], store, policy, progress)
    if not any(_by_majority(jury) for study in studies for jury in study.juries):
        raise JuriesError(
            f"asking={policy.asking}: no jury here decides by majority; name one with jury=..., "
            "or set asking=all"
        )
    purse = Purse(policy.max_cost_usd)
    tallies: list[Tally] = []
    for study in studies:
        members: set[str] = set()
        for jury in study.juries:
            if not _by_majority(jury):
                continue
            members |= set(jury.members)
            own = [plan for plan in study.plans if plan.judge.name in jury.members]
            order = by_price([plan.judge for plan in own])
            planner: Planner = SequentialMajority(order)
            if policy.asking == "cyclic":
                planner = CyclicAssignment(order, [i.item_id for i in study.dataset.items])
            tallies += collect_in_rounds(own, planner, store, policy, progress, purse)
        others = [plan for plan in study.plans if plan.judge.name not in members]
        tallies += collect(others, store, policy, progress, purse) if others else []
    return tallies


def _by_majority(jury: Jury | Pooling) -> bool:
    return isinstance(jury, Jury) and jury.rule == "majority"


@dataclass
class _Rounds:
    """What is known of each item between two rounds."""

    dataset: Dataset
    policy: Policy
    inconsistent: Inconsistent
    said: dict[int, dict[str, Cast]] = field(default_factory=dict)  # by the item's id()

    def due(self, planner: Planner) -> dict[str, list[Item]]:
        """Return the items that each judge is to be asked about next, judges in their order."""
        found: dict[str, list[Item]] = {judge: [] for judge in planner.judges}
        for item in self.dataset.items:
            judge = planner.next_judge(self.said.get(id(item), {}), item.item_id)
            if judge is not None:
                found[judge].append(item)
        return {judge: items for judge, items in found.items() if items}

    def hear(self, plan: Plan, items: list[Item], store: Store, *, asked: bool) -> None:
        """Take note of a judge's stored votes; if it was just asked, also of those that lack."""
        part = replace(self.dataset, items=tuple(items))
        labels, scores, outcomes = read([replace(plan, dataset=part)], part, store)
        holes = [NOT_ASKED] if asked else [NOT_ASKED, *self.policy.again]
        lacking = np.asarray(np.isin(outcomes, holes)).any(axis=(1, 2))
        pooled, strength, _ = pool(
            labels, scores, outcomes, self.inconsistent, pairs=self.dataset.pairwise
        )
        for at in np.flatnonzero(~lacking | asked):
            vote = Cast(float(pooled[at, 0]), float(strength[at, 0]))
            self.said.setdefault(id(items[at]), {})[plan.judge.name] = vote
