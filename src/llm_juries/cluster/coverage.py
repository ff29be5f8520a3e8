"""Coverage of a sweep: verdicts requested, stored, failed and missing, and the recent rate."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd
from omegaconf import DictConfig

from ..config.study import studies
from ..data.dataset import Shard
from ..judges.base import Judge
from ..store.plan import look_up
from ..store.store import Store
from ..types import Outcome, Verdict
from .grid import merged
from .jobs import Submitted


@dataclass
class Coverage:
    """One judge on one dataset: of each requested verdict, its question and stored outcome.

    `cost_usd` sums the known costs, NaN where none is known; `asked` is the judge, None where only
    the records of jobs are read.
    """

    judge: str
    dataset: str
    questions: list[str] = field(default_factory=list)
    outcomes: list[Outcome | None] = field(default_factory=list)
    asked_at: list[float] = field(default_factory=list)
    cost_usd: float = math.nan
    prompt: str = ""
    keys: list[str] = field(default_factory=list)
    asked: Judge | None = None

    def add(self, question: str, key: str, stored: Verdict | None, *, first: bool) -> None:
        """Add a requested verdict; `first` is whether none before it has the same key."""
        self.questions.append(question)
        self.keys.append(key)
        self.outcomes.append(stored.outcome if stored else None)
        if stored and first:  # two items may share a verdict
            self.asked_at.append(stored.asked_at)
            if stored.cost_usd is not None:
                known = 0.0 if math.isnan(self.cost_usd) else self.cost_usd
                self.cost_usd = known + stored.cost_usd

    def keys_of(self, part: Shard) -> list[str]:
        """Return the keys of the verdicts that a shard requests."""
        asked = zip(self.questions, self.keys, strict=True)
        return [key for question, key in asked if part.holds(question)]

    def count(self, part: Shard, again: Collection[Outcome]) -> tuple[int, int]:
        """Return how many verdicts a shard requests, and how many of these are missing."""
        wanted = [
            outcome
            for question, outcome in zip(self.questions, self.outcomes, strict=True)
            if part.holds(question)
        ]
        return len(wanted), sum(outcome is None or outcome in again for outcome in wanted)


def coverage(configs: Iterable[DictConfig], store: Store) -> dict[bytes, list[Coverage]]:
    """Return the coverage of each judge and dataset of some configs, by the configs' `subject`.

    Raises
    ------
    JuriesError
        As `config.study.studies`.
    """
    found: dict[bytes, list[Coverage]] = {}
    for key, cfg in merged(configs).items():
        found[key] = []
        for study in studies(cfg):
            for plan in study.plans:
                if plan.judge.name not in cfg.judges:
                    continue  # a recorded judge of the dataset
                one = Coverage(
                    plan.voter, study.dataset.name, prompt=plan.prompt.name, asked=plan.judge
                )
                met: set[str] = set()
                for request, stored in look_up(plan, store):
                    question = request.item.question or request.item.item_id
                    one.add(question, request.key, stored, first=request.key not in met)
                    met.add(request.key)
                found[key].append(one)
    return found


def coverage_of_jobs(jobs: Iterable[Submitted], store: Store) -> list[Coverage]:
    """Return the coverage of what was submitted, by the keys in the jobs' records alone.

    Of equal cells the one submitted last counts; a key that several cells share counts once.
    """
    latest = {job.identity: job for job in jobs}
    wanted: dict[tuple[str, str, str], Counter[str]] = {}
    for part in (part for job in latest.values() for part in job.parts):
        counts = wanted.setdefault((part.voter, part.dataset, part.prompt), Counter())
        counts |= Counter(part.each())  # in place
    found = []
    for (voter, dataset, prompt), counts in sorted(wanted.items()):
        one = Coverage(voter, dataset, prompt=prompt)
        for key, times in counts.items():
            stored = store.get(key)
            for time_ in range(times):
                one.add("", key, stored, first=time_ == 0)
        found.append(one)
    return found


def table(
    covered: Sequence[Coverage],
    states: Mapping[tuple[str, str], Sequence[str]],
    recent_s: float,
    now: float | None = None,
) -> pd.DataFrame:
    """Return a row a judge and dataset.

    Parameters
    ----------
    covered : sequence of Coverage
    states : mapping of (judge, dataset) to sequence of str
        The states of its jobs.
    recent_s : float
        The rate is that since the oldest verdict that is at most this old.
    now : float, optional
        Unix time.

    Returns
    -------
    DataFrame
        judge, dataset, jobs (str); verdicts, done, failed, missing (int; failed ones got no
        reply and are asked for again); per_minute (float), 0 where none is recent; minutes_left
        (float), NaN where none is recent; usd (float), the sum of the known costs, NaN where none
        is known.
    """
    now = time.time() if now is None else now
    rows = []
    for one in covered:
        failed = one.outcomes.count(Outcome.FAILED)
        missing = one.outcomes.count(None)
        recent = [at for at in one.asked_at if now - recent_s <= at <= now]
        # At least one second, so that the rate is finite.
        rate = 60 * len(recent) / max(now - min(recent), 1.0) if recent else 0.0
        left = failed + missing
        own = states.get((one.judge, one.dataset), ())
        rows.append(
            {
                "judge": one.judge,
                "dataset": one.dataset,
                "verdicts": len(one.outcomes),
                "done": len(one.outcomes) - left,
                "failed": failed,
                "missing": missing,
                "per_minute": rate,
                "minutes_left": left / rate if rate else (float("nan") if left else 0.0),
                "usd": one.cost_usd,
                "jobs": ", ".join(f"{own.count(s)} {s}" for s in sorted(set(own))),
            }
        )
    return pd.DataFrame(rows)


def total(rows: pd.DataFrame) -> str:
    """Return the totals of a status table as text."""
    done, wanted = int(rows["done"].sum()), int(rows["verdicts"].sum())
    text = f"{done} of {wanted} verdicts done, {int(rows['failed'].sum())} failed, "
    text += (
        f"{int(rows['missing'].sum())} missing; {rows['per_minute'].sum():.0f} a minute recently"
    )
    if cost := rows["usd"].sum():
        text += f"; ${cost:.4f} so far"
    return text
