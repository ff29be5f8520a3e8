"""What a sweep wants, what the store has of it, and how fast it comes. Reads only."""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd
from omegaconf import DictConfig

from ..config.study import studies
from ..data.dataset import Shard
from ..store.plan import look_up
from ..store.store import Store
from ..types import Outcome
from .grid import merged


@dataclass
class Look:
    """One judge on one dataset: of each verdict that is wanted, its question and what is stored.

    `cost_usd` sums the costs that are known, and is NaN where none is.
    """

    judge: str
    dataset: str
    questions: list[str] = field(default_factory=list)
    outcomes: list[Outcome | None] = field(default_factory=list)
    asked_at: list[float] = field(default_factory=list)
    cost_usd: float = math.nan

    def count(self, part: Shard, again: Collection[Outcome]) -> tuple[int, int]:
        """Return how many verdicts a shard wants, and how many of these are lacking."""
        wanted = [
            outcome
            for question, outcome in zip(self.questions, self.outcomes, strict=True)
            if part.holds(question)
        ]
        return len(wanted), sum(outcome is None or outcome in again for outcome in wanted)


def survey(configs: Iterable[DictConfig], store: Store) -> dict[bytes, list[Look]]:
    """Return a look at each judge and dataset of some configs, by the configs' `subject`.

    Raises
    ------
    JuriesError
        As `experiment.studies` does.
    """
    found: dict[bytes, list[Look]] = {}
    for key, cfg in merged(configs).items():
        found[key] = []
        for study in studies(cfg):
            for plan in study.plans:
                if plan.judge.name not in cfg.judges:
                    continue  # it came with the data
                look = Look(plan.judge.name, study.dataset.name)
                keys: set[str] = set()
                for request, stored in look_up(plan, store):
                    look.questions.append(request.item.question or request.item.item_id)
                    look.outcomes.append(stored.outcome if stored else None)
                    if stored and request.key not in keys:  # two items may share a verdict
                        keys.add(request.key)
                        look.asked_at.append(stored.asked_at)
                        if stored.cost_usd is not None:
                            known = 0.0 if math.isnan(look.cost_usd) else look.cost_usd
                            look.cost_usd = known + stored.cost_usd
                found[key].append(look)
    return found


def table(
    looks: Sequence[Look],
    states: Mapping[tuple[str, str], Sequence[str]],
    lately_s: float,
    now: float | None = None,
) -> pd.DataFrame:
    """Return a row a judge and dataset.

    Parameters
    ----------
    looks : sequence of Look
    states : mapping of (judge, dataset) to sequence of str
        The states of its jobs.
    lately_s : float
        What the rate is taken over: from the first verdict that is no older than this until now.
    now : float, optional
        Unix time.

    Returns
    -------
    DataFrame
        judge, dataset, jobs (str); verdicts, done, failed, missing (int; failed ones came to
        nothing and are asked for again); per_minute (float), 0 where none came lately;
        minutes_left (float), NaN where none came lately; usd (float), the sum of what
        is known, NaN where nothing is.
    """
    now = time.time() if now is None else now
    rows = []
    for look in looks:
        failed = look.outcomes.count(Outcome.FAILED)
        missing = look.outcomes.count(None)
        recent = [at for at in look.asked_at if now - lately_s <= at <= now]
        # One second at least: a rate over an instant is none.
        rate = 60 * len(recent) / max(now - min(recent), 1.0) if recent else 0.0
        left = failed + missing
        own = states.get((look.judge, look.dataset), ())
        rows.append(
            {
                "judge": look.judge,
                "dataset": look.dataset,
                "verdicts": len(look.outcomes),
                "done": len(look.outcomes) - left,
                "failed": failed,
                "missing": missing,
                "per_minute": rate,
                "minutes_left": left / rate if rate else (float("nan") if left else 0.0),
                "usd": look.cost_usd,
                "jobs": ", ".join(f"{own.count(s)} {s}" for s in sorted(set(own))),
            }
        )
    return pd.DataFrame(rows)


def total(rows: pd.DataFrame) -> str:
    """Return a table's sum in words."""
    done, wanted = int(rows["done"].sum()), int(rows["verdicts"].sum())
    said = f"{done} of {wanted} verdicts done, {int(rows['failed'].sum())} failed, "
    said += f"{int(rows['missing'].sum())} missing; {rows['per_minute'].sum():.0f} a minute lately"
    if cost := rows["usd"].sum():
        said += f"; ${cost:.4f} so far"
    return said
