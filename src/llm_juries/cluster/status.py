"""Status of a sweep: verdicts in the store, jobs on the cluster. Asks and changes nothing."""

from __future__ import annotations

import logging
import math
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
from .coverage import coverage, coverage_of_jobs, table
from .grid import expand, without
from .jobs import Submitted, recorded, states

log = logging.getLogger(__name__)


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
        if self.watch is not None and not 0 < self.watch < math.inf:
            raise JuriesError(f"watch: is {self.watch}; must be more than 0 seconds, or null")
        if not self.recent_minutes > 0:
            raise JuriesError(f"recent_minutes: is {self.recent_minutes}; must be more than 0")


def configs(
    overrides: Sequence[str], searched: Path | None = None
) -> tuple[DictConfig, list[DictConfig]]:
    """Return the config of the command itself, and those of the sweep that the overrides name.

    There are none if they name no judge: then the status is that of what was submitted to the
    store. The sweep's shards are merged.

    Raises
    ------
    JuriesError
        If overrides say what is judged and none says by whom.
    """
    not_the_sweeps = [*(key.name for key in own_keys("status")), "wandb"]
    check_names(overrides, "status")
    own = [o for o in overrides if key_of(o) == "store" or not without([o], not_the_sweeps)]
    cfg = composed("status", own, searched)
    if any(not without([o], VOTERS) for o in overrides):
        sweep = {tuple(without(job, ("shard", "shards"))) for job in expand(overrides)}
        return cfg, [composed("status", job, searched) for job in sorted(sweep)]
    if ignored := [o for o in overrides if o not in own]:
        raise JuriesError(
            f"{ignored[0]}: says what a sweep judges, and no judge is named; add judge=a,b"
        )
    return cfg, []


def sweep_status(wanted: Sequence[DictConfig], store: Path, watch: Watch) -> pd.DataFrame:
    """Return the table of `coverage.table`, with the states of the submitted jobs.

    Parameters
    ----------
    wanted : sequence of DictConfig
        The configs of a sweep. If there are none, the status is that of everything submitted to the
        store, from the jobs' records, which hold keys and names: nothing in them is built or run.
    store : Path
    watch : Watch

    Raises
    ------
    JuriesError
        If nothing is wanted and nothing was submitted.
    """
    jobs = recorded(store)
    state = states(jobs, store)
    own: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for job in jobs:
        for voter, dataset in {(part.voter, part.dataset) for part in job.parts}:
            own[voter, dataset].append(state[job.job_id])
    if not wanted:
        _check_keys(jobs, store)
    with Store(store) as opened:
        covered = (
            [one for found in coverage(wanted, opened).values() for one in found]
            if wanted
            else coverage_of_jobs(jobs, opened)
        )
    return table(covered, own, 60 * watch.recent_minutes)


def _check_keys(jobs: Sequence[Submitted], store: Path) -> None:
    if not jobs:
        raise JuriesError(
            f"store {store}: nothing was submitted to it; name a sweep: judge=a,b dataset=x,y"
        )
    former = sum(not job.parts for job in jobs)
    said = f"store {store}: {former} jobs were recorded by an earlier version, without their keys"
    if former == len(jobs):
        raise JuriesError(f"{said}; name the sweep: judge=a,b dataset=x,y")
    if former:
        log.warning("%s, and are left out; name the sweep to see them: judge=a,b dataset=x,y", said)
