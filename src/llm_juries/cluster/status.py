"""Status of a sweep: verdicts in the store, jobs on the cluster. Asks and changes nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from omegaconf import DictConfig

from ..config.composing import check_names, composed, key_of
from ..config.keys import own_keys
from ..config.study import VOTERS
from ..errors import JuriesError
from ..store.store import Store
from .coverage import coverage, table
from .grid import expand, without
from .jobs import recorded, states


@dataclass(frozen=True)
class Watch:
    """How often to print the status, and over which time to take the rate.

    Parameters
    ----------
    watch : float, optional
        Seconds between two prints; printed once by default.
    recent_minutes : float
        The time over which the rate is taken.
    """

    watch: float | None = None
    recent_minutes: float = 10.0

    def __post_init__(self) -> None:
        if self.watch is not None and self.watch <= 0:
            raise JuriesError(f"watch: is {self.watch}; must be more than 0 seconds, or null")
        if self.recent_minutes <= 0:
            raise JuriesError(f"recent_minutes: is {self.recent_minutes}; must be more than 0")


def configs(
    overrides: Sequence[str], searched: Path | None = None
) -> tuple[DictConfig, list[DictConfig]]:
    """Return the config of the command itself, and those of the sweep it reports on.

    The sweep is that of the overrides, or everything submitted to the store if they name no judge.
    Its shards are merged.

    Raises
    ------
    JuriesError
        If no judge is named and nothing was submitted.
    """
    not_the_sweeps = [*(key.name for key in own_keys("status")), "wandb"]
    check_names(overrides, "status")
    own = [o for o in overrides if key_of(o) == "store" or not without([o], not_the_sweeps)]
    cfg = composed("status", own, searched)
    sweeps: list[tuple[Path | None, Sequence[str]]]
    if any(not without([o], VOTERS) for o in overrides):
        sweeps = [(searched, job) for job in expand(overrides)]
    else:
        if ignored := [o for o in overrides if o not in own]:
            raise JuriesError(
                f"{ignored[0]}: says what a sweep judges, and no judge is named; add judge=a,b"
            )
        jobs = recorded(Path(cfg.store))
        if not jobs:
            raise JuriesError(
                f"store {cfg.store}: nothing was submitted to it; name a sweep: "
                "judge=a,b dataset=x,y"
            )
        sweeps = [(Path(job.searched) if job.searched else None, job.overrides) for job in jobs]
    distinct = {(where, tuple(without(job, ("shard", "shards")))) for where, job in sweeps}
    ordered = sorted(distinct, key=lambda found: (str(found[0]), found[1]))
    return cfg, [composed("status", job, where) for where, job in ordered]


def sweep_status(wanted: Sequence[DictConfig], store: Path, watch: Watch) -> pd.DataFrame:
    """Return the table of `coverage.table`, with the states of the submitted jobs."""
    jobs = recorded(store)
    state = states(jobs)
    own: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for job in jobs:
        for judge in job.judges:
            for dataset in job.datasets:
                own[judge, dataset].append(state[job.job_id])
    with Store(store) as opened:
        covered = [one for found in coverage(wanted, opened).values() for one in found]
    return table(covered, own, 60 * watch.recent_minutes)
