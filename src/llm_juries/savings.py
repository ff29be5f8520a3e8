"""Asking fewer judges: who is asked next about an item, and when there is enough.

A policy plans for one item at a time: given the votes so far it names the next judge, or none. The
same policy plans a live collection (`collect_in_rounds`) and is replayed on votes that are there
already (`replay`), to see what it would have saved and what it would have changed.

Votes that were collected this way are not those of a full collection: a judge that is asked only
where others disagree sees the hard items, so its own agreement with humans must not be compared
with that of a judge that saw all.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from .aggregation import Pooling
from .asking import Progress
from .collect import collect
from .data import Dataset
from .experiment import Study
from .judges.base import Judge
from .juries import Array, Jury, Voter, Votes, majority
from .metrics.resampling import bootstrap, cluster_sums, percentile_interval
from .pacing import Purse
from .plans import Plan, Policy, Tally
from .seating import NOT_ASKED, Inconsistent, pool, read
from .store import Store
from .types import Item, JuriesError

if TYPE_CHECKING:
    import pandas as pd

NAN = math.nan


class Cast(NamedTuple):
    """What a judge that was asked about an item said: NaN where that is no vote, or no score."""

    label: float
    score: float = NAN


class Planner(Protocol):
    """Decides whom to ask about an item."""

    @property
    def name(self) -> str:
        """How the policy is called in tables."""

    @property
    def judges(self) -> tuple[str, ...]:
        """All judges that may be asked."""

    def next_judge(self, said: Mapping[str, Cast], question: str) -> str | None:
        """Return whom to ask next about an item of a question, None where no one is needed.

        `said` holds those that were asked already, also where they gave no vote.
        """

    def verdict(self, said: Mapping[str, Cast]) -> tuple[float, str]:
        """Return the label of the votes that were asked for, and the outcome (see `Votes`)."""


@dataclass(frozen=True)
class SequentialMajority:
    """Ask one judge after the other while the majority is open.

    The verdict is always that of the whole jury under rule majority: votes that can't change it are
    all that is saved. With three judges the third is asked only where the first two differ or one
    of them gave no vote (Badshah and Sajjad 2025, arXiv 2503.08542).

    Parameters
    ----------
    judges : tuple of str
        In the order of asking; see `by_price`.
    """

    judges: tuple[str, ...]
    name: str = "sequential_majority"

    def __post_init__(self) -> None:
        check_judges(self.name, self.judges)

    def next_judge(self, said: Mapping[str, Cast], question: str = "") -> str | None:  # noqa: ARG002
        """Return the first judge not asked, None once no further vote could change the verdict."""
        labels = [said[judge].label for judge in self.judges if judge in said]
        left, seats = len(self.judges) - len(labels), len(self.judges)
        most = max(labels.count(value) for value in (1.0, 0.0, 0.5))
        lacking = any(math.isnan(label) for label in labels)
        # Without a majority, whether that is a tie turns on there being a missing vote.
        if most * 2 > seats or (lacking and (most + left) * 2 <= seats):
            return None
        return next((judge for judge in self.judges if judge not in said), None)

    def verdict(self, said: Mapping[str, Cast]) -> tuple[float, str]:
        """Return the majority over all seats, those that were not asked among them."""
        return majority_of(said, self.judges)


@dataclass(frozen=True)
class CyclicAssignment:
    """Ask one judge about each question, the judges in rotation (Zhu et al. 2026, 2603.01865).

    All answers to a question go to the same judge and each judge gets as many questions as the
    others, but for one: so a judge that is lenient is so to all candidates alike, and a candidate's
    mean is an estimate of its mean under the whole panel. It is made for such means, not for the
    verdict on a single item: see `cyclic_means`.

    Parameters
    ----------
    judges : tuple of str
    questions : sequence of str
        All questions there are; repeated names count once.
    seed : int
        Of the order in which the questions are dealt.
    """

    judges: tuple[str, ...]
    questions: Sequence[str]
    seed: int = 0
    name: str = "cyclic_assignment"

    def __post_init__(self) -> None:
        check_judges(self.name, self.judges)

    @cached_property
    def assigned(self) -> dict[str, str]:
        """Which judge each question is given to."""
        questions = np.unique(np.asarray(self.questions))
        order = np.random.default_rng(self.seed).permutation(len(questions))
        return {
            str(questions[at]): self.judges[number % len(self.judges)]
            for number, at in enumerate(order)
        }

    def next_judge(self, said: Mapping[str, Cast], question: str) -> str | None:
        """Return the question's judge if it was not asked yet."""
        if question not in self.assigned:
            raise JuriesError(f"{self.name}: does not know the question {question!r}")
        judge = self.assigned[question]
        return None if judge in said else judge

    def verdict(self, said: Mapping[str, Cast]) -> tuple[float, str]:
        """Return the one vote."""
        label = next((said[judge].label for judge in self.judges if judge in said), NAN)
        return majority_of({"": Cast(label)}, ("",))


def check_judges(name: str, judges: tuple[str, ...]) -> None:
    """Raise JuriesError if there is no judge, or one is named twice."""
    if not judges:
        raise JuriesError(f"{name}: names no judge")
    if len(set(judges)) < len(judges):
        raise JuriesError(f"{name}: names a judge twice")


def majority_of(said: Mapping[str, Cast], judges: tuple[str, ...]) -> tuple[float, str]:
    """Return the majority over all seats of some judges, and the outcome."""
    row = np.array([[said[judge].label if judge in said else NAN for judge in judges]])
    labels, outcomes = majority(row)
    return float(labels[0]), str(outcomes[0])


def by_price(
    judges: Sequence[Judge], input_tokens: int = 1000, output_tokens: int = 1
) -> tuple[str, ...]:
    """Return the judges' names, the cheapest first, those of unknown price last.

    Rules and recordings cost nothing. A model on one's own machine has no price, which is not the
    same as none: put it where you want it. Equal prices go by name.

    Parameters
    ----------
    judges : sequence of Judge
    input_tokens, output_tokens : int
        Of a call that prices are compared for.
    """

    def rank(judge: Judge) -> tuple[float, str]:
        if judge.price is not None:
            return judge.price.at_most(input_tokens, output_tokens), judge.name
        return (0.0 if judge.free else float("inf")), judge.name

    return tuple(judge.name for judge in sorted(judges, key=rank))


@dataclass(frozen=True)
class Replay:
    """A policy replayed on n units.

    Attributes
    ----------
    planner : Planner
    votes : Votes
        The policy's verdicts, as the votes of one voter.
    asked : array of bool of shape (n, k)
        Whom it asked, in the order of the policy's judges.
    """

    planner: Planner
    votes: Votes
    asked: npt.NDArray[np.bool_]


def replay(planner: Planner, votes: Votes, questions: Sequence[str]) -> Replay:
    """Let a policy ask for votes that are there already.

    Raises
    ------
    JuriesError
        If it asks for a vote that was never asked for: nobody knows what it would have been.
    """
    seats = votes.columns(planner.judges)
    n = len(seats.labels)
    asked = np.zeros((n, len(planner.judges)), bool)
    labels, outcomes = np.full(n, np.nan), [""] * n
    for row, question in enumerate(questions):
        said: dict[str, Cast] = {}
        while (judge := planner.next_judge(said, question)) is not None:
            at = planner.judges.index(judge)
            if seats.outcomes[row, at] == NOT_ASKED:
                raise JuriesError(
                    f"{planner.name}: {judge} was never asked about an item of question "
                    f"{question!r}, so the policy can't be replayed; leave the judge or item out"
                )
            said[judge] = Cast(float(seats.labels[row, at]), float(seats.scores[row, at]))
            asked[row, at] = True
        labels[row], outcomes[row] = planner.verdict(said)
    voter = Voter(planner.name, "jury", members=planner.judges)
    decided = Votes((voter,), labels[:, None], np.full((n, 1), np.nan), np.array(outcomes)[:, None])
    return Replay(planner, decided, asked)


def savings_table(
    replays: Sequence[Replay],
    full: Votes,
    usd_a_call: Mapping[str, float | None] | None = None,
    orders: int = 1,
) -> pd.DataFrame:
    """Compare what policies asked with asking all of their judges about everything.

    Parameters
    ----------
    replays : sequence of Replay
    full : Votes
        One voter: the verdicts to compare with, such as a jury's on all votes.
    usd_a_call : mapping of str to float, optional
        What a call of each judge costs; a sum with an unknown part is unknown.
    orders : int
        Calls that a vote takes: 2 for pairs shown both ways round.

    Returns
    -------
    DataFrame
        A row a policy: policy (str); items, calls, calls_of_all (int); calls_saved (float, a share
        of 1); usd, usd_of_all, usd_saved (float, NaN where not known); verdicts and verdicts_of_all
        (int), the items with a label; same (float), the share of items with the same label or none
        on both sides.
    """
    import pandas as pd

    prices = usd_a_call or {}
    rows = []
    for one in replays:
        price = np.array([_or_nan(prices.get(judge)) for judge in one.planner.judges])
        calls = one.asked.sum(axis=0) * orders
        everything = len(one.asked) * orders
        usd = float(np.where(calls > 0, calls * price, 0.0).sum())
        of_all = float((everything * price).sum())
        own, other = one.votes.labels[:, 0], full.labels[:, 0]
        rows.append(
            {
                "policy": one.planner.name,
                "items": len(one.asked),
                "calls": int(calls.sum()),
                "calls_of_all": everything * len(price),
                "calls_saved": 1 - calls.sum() / (everything * len(price)),
                "usd": usd,
                "usd_of_all": of_all,
                "usd_saved": of_all - usd,
                "verdicts": int((~np.isnan(own)).sum()),
                "verdicts_of_all": int((~np.isnan(other)).sum()),
                "same": float(((own == other) | (np.isnan(own) & np.isnan(other))).mean()),
            }
        )
    return pd.DataFrame(rows)


def _or_nan(value: float | None) -> float:
    return NAN if value is None else value


def cyclic_means(
    one: Replay,
    votes: Votes,
    candidates: Sequence[str],
    questions: Sequence[str],
    resamples: int = 10_000,
    seed: int = 0,
    level: float = 0.95,
) -> pd.DataFrame:
    """Estimate each candidate's mean under the panel from one judge a question.

    The estimate is the mean over judges of a candidate's mean under each, so a judge whose votes
    are missing more often weighs as much as the others.

    Parameters
    ----------
    one : Replay
        Of a `CyclicAssignment`, on the same units.
    votes : Votes
        All votes, for the panel's own means; NaN for votes not known.
    candidates, questions : sequence of n str
    resamples, seed, level
        Of the bootstrap over questions. It holds which judge each question went to.

    Returns
    -------
    DataFrame
        A row a candidate: candidate (str); n, the votes used (int); mean with ci_low and ci_high,
        panel, the mean over judges of its means under all votes (float).
    """
    import pandas as pd

    names, index = np.unique(np.asarray(candidates), return_inverse=True)
    labels = votes.columns(one.planner.judges).labels
    own = np.eye(len(names))[index]

    def sums(used: Array) -> Array:
        cells = np.stack([~np.isnan(used), np.nan_to_num(used)], axis=-1)
        return cluster_sums(own[:, :, None, None] * cells[:, None], questions)

    def mean(totals: Array) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            found: Array = (totals[..., 1] / totals[..., 0]).mean(axis=-1)
        return found

    used = sums(np.where(one.asked, labels, np.nan))
    low, high = percentile_interval(bootstrap(mean, used, resamples, seed), level)
    return pd.DataFrame(
        {
            "candidate": [str(name) for name in names],
            "n": used.sum(axis=0)[..., 0].sum(axis=-1).astype(int),
            "mean": mean(used.sum(axis=0)),
            "ci_low": low,
            "ci_high": high,
            "panel": mean(sums(labels).sum(axis=0)),
        }
    )


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
