"""How far a sweep is: its verdicts from the store, its jobs from the cluster. Reads only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from omegaconf import DictConfig

from ..errors import JuriesError
from ..store.store import Store
from .coverage import survey, table
from .grid import composed, expand, key_of, without
from .jobs import recorded, states

OWN = ("watch", "lately_minutes", "wandb", "logs")  # keys of a look, not of what is looked at
GRID = ("judge", "jury", "judges", "experiment")  # keys that say what a sweep asks


@dataclass(frozen=True)
class Watch:
    """How to look.

    Parameters
    ----------
    watch : float, optional
        Seconds between two looks; one look by default.
    lately_minutes : float
        What a rate is taken over.
    """

    watch: float | None = None
    lately_minutes: float = 10.0

    def __post_init__(self) -> None:
        if self.watch is not None and self.watch <= 0:
            raise JuriesError(f"watch: is {self.watch}; take seconds above 0, or null")
        if self.lately_minutes <= 0:
            raise JuriesError(f"lately_minutes: is {self.lately_minutes}; take more than 0")


def configs(
    conf: Path, overrides: Sequence[str], searched: Path | None = None
) -> tuple[DictConfig, list[DictConfig]]:
    """Return the config of the look itself, and those of the sweep that is looked at.

    The sweep is that of the overrides, or all that was submitted to the store where they name no
    judge. Its shards are put together.

    Raises
    ------
    JuriesError
        If no judge is named and nothing was submitted.
    """
    own = [o for o in overrides if key_of(o) == "store" or o not in without([o], OWN)]
    cfg = composed(conf, "status", own, searched)
    sweeps: list[tuple[Path | None, Sequence[str]]]
    if any(o not in without([o], GRID) for o in overrides):
        sweeps = [(searched, job) for job in expand(overrides)]
    else:
        jobs = recorded(Path(cfg.store))
        if not jobs:
            raise JuriesError(
                f"store {cfg.store}: nothing was submitted to it; say what to look at: "
                "judge=a,b dataset=x,y"
            )
        sweeps = [(Path(job.searched) if job.searched else None, job.overrides) for job in jobs]
    distinct = {(where, tuple(without(job, ("shard", "shards")))) for where, job in sweeps}
    ordered = sorted(distinct, key=lambda found: (str(found[0]), found[1]))
    return cfg, [composed(conf, "status", job, where) for where, job in ordered]


def look(wanted: Sequence[DictConfig], store: Path, watch: Watch) -> pd.DataFrame:
    """Return the table of `survey.table`, with the states of the jobs that were submitted."""
    jobs = recorded(store)
    state = states(jobs)
    own: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for job in jobs:
        for judge in job.judges:
            for dataset in job.datasets:
                own[judge, dataset].append(state[job.job_id])
    with Store(store) as opened:
        looks = [look for found in survey(wanted, opened).values() for look in found]
    return table(looks, own, 60 * watch.lately_minutes)
