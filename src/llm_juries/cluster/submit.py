"""Submit a sweep: a job for each cell of the grid that misses verdicts and has no live job."""

from __future__ import annotations

import secrets
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ..collect.policy import Policy
from ..config.resources import Resources
from ..config.seating import voters_of
from ..config.settings import settings
from ..data.dataset import Shard
from ..errors import JuriesError
from ..judges.base import Judge
from ..judges.lifetimes import check_served, today
from ..store.leases import Other, codes_of, held
from ..store.store import Store
from .coverage import Coverage, coverage
from .grid import Cell, needs, subject
from .jobs import (
    LIVE,
    Local,
    Part,
    Slurm,
    Submitted,
    cell_of,
    ended,
    record,
    recorded,
    states,
    submit,
)  # fmt: skip


@dataclass(frozen=True)
class Workload:
    """One cell of the grid: its verdicts, those missing, what it needs, and its live job if any.

    A run that nobody submitted, but that holds a lease on what is missing, counts as a live job.
    """

    cell: Cell
    parts: tuple[Part, ...]
    shard: Shard
    verdicts: int
    missing: int
    needs: Resources
    live_job: str = ""

    @property
    def judges(self) -> str:
        """The names of its voters."""
        return ", ".join(sorted({part.voter for part in self.parts}))

    @property
    def datasets(self) -> str:
        """The names of its datasets."""
        return ", ".join(sorted({part.dataset for part in self.parts}))

    @property
    def open(self) -> bool:
        """Whether a job needs to be submitted."""
        return self.missing > 0 and not self.live_job


def workloads(cells: Sequence[Cell], store: Store, policy: Policy) -> list[Workload]:
    """Count what each cell misses, and find a live job that was submitted for it earlier.

    Raises
    ------
    JuriesError
        For a mistake in any cell, two equal cells, or retired models that would be asked, before
        anything is submitted.
    """
    _check_distinct(cells)
    covered = coverage((cell.cfg for cell in cells), store)
    before = recorded(store.path)
    state = states(before, store.path)
    live = {job.identity: job.job_id for job in before if state[job.job_id] in LIVE}
    leases = held(store.path)
    found = []
    asked: list[Judge] = []
    for cell in cells:
        part = settings(cell.cfg).part
        voters = voters_of(cell.cfg)
        own = [one for one in covered[subject(cell.cfg)] if one.judge in voters]
        if not own:
            raise JuriesError("judge: none is named; set some, such as judge=qwen3_4b,phi4_mini")
        counts = [one.count(part, policy.again) for one in own]
        asked += [one.asked for one, (_, n) in zip(own, counts, strict=True) if n and one.asked]
        if not sum(verdicts for verdicts, _ in counts):
            raise JuriesError(
                f"dataset {own[0].dataset}: shard {part.shard} of {part.shards} has no "
                "questions; use fewer shards"
            )
        found.append(
            Workload(
                cell,
                tuple(
                    Part(one.judge, one.dataset, one.prompt, "".join(one.keys_of(part)))
                    for one in own
                ),
                part,
                sum(verdicts for verdicts, _ in counts),
                sum(missing for _, missing in counts),
                needs(cell.cfg),
                live.get(cell_of(cell.overrides), "") or _leased(own, part, leases),
            )
        )
    if not policy.allow_retired:
        check_served(asked, today())
    return found


def _leased(covered: Sequence[Coverage], part: Shard, leases: Sequence[Other]) -> str:
    """Return which run is asking for some verdicts of a cell, "" if none is."""
    if not leases:
        return ""
    codes = codes_of(key for one in covered for key in one.keys_of(part))
    busy = (one for one in leases if np.intersect1d(codes, one.codes).size)
    return next((f"a run ({one.holder})" for one in busy), "")


def _check_distinct(cells: Sequence[Cell]) -> None:
    """Raise JuriesError if two jobs would ask, and pay, for the same verdicts."""
    if len(stores := sorted({str(cell.cfg.store) for cell in cells})) > 1:
        raise JuriesError(f"store: a sweep needs one store, not {' and '.join(stores)}")
    met: set[str] = set()
    for cell in cells:
        if (same := cell_of(cell.overrides)) in met:
            raise JuriesError(
                f"{' '.join(cell.overrides)}: is in the sweep twice and would be asked twice; "
                "list each value once"
            )
        met.add(same)


def table(found: Sequence[Workload]) -> pd.DataFrame:
    """Return a row a cell: judge, dataset, shard, verdicts, missing, what it needs, its job."""
    return pd.DataFrame(
        [
            {
                "judge": one.judges,
                "dataset": one.datasets,
                "shard": "all" if (n := one.shard.shard) is None else f"{n} of {one.shard.shards}",
                "verdicts": one.verdicts,
                "missing": one.missing,
                **asdict(one.needs),
                "memory_gb": f"{one.needs.memory_gb:g}",
                "job": _job(one),
            }
            for one in found
        ]
    )


def _job(one: Workload) -> str:
    if one.live_job:
        return f"{one.live_job} is live"
    return "to submit" if one.open else "none needed"


def send(
    found: Sequence[Workload],
    where: Slurm | Local,
    logs: Path,
    program: Sequence[str],
    store: Path,
    searched: Path | None = None,
) -> list[Submitted]:
    """Submit the open workloads and record their jobs in the store, even if some are rejected.

    Parameters
    ----------
    found : sequence of Workload
    where : Slurm or Local
    logs : Path
        A folder on a file system that all nodes share.
    program : sequence of str
        The command line that runs the judge command.
    store : Path
    searched : Path, optional
        A folder of the user's own yamls.

    Raises
    ------
    JuriesError
        If the cluster rejects a job; if the logs or the record of the jobs can't be written, before
        anything is submitted.
    """
    logs = (logs / time.strftime("%Y-%m-%d_%H-%M-%S")).absolute()
    flags = [f"--config-dir={searched.absolute()}"] if searched else []
    open_ = [one for one in found if one.open]
    if not open_:
        return []
    _check_writable(logs, "logs")
    _check_writable(store, "store")
    jobs, tokens = [], []
    for number, one in enumerate(open_):
        folder = f"{logs}/run{number}".replace("\\", "\\\\").replace("'", "\\'")
        sweep = [] if one.cell.cfg.sweep else [f"sweep=submit_{logs.name}"]
        command = [*program, *flags, *one.cell.overrides, *sweep, f"hydra.run.dir='{folder}'"]
        tokens.append(secrets.token_hex(8))
        jobs.append((where.job(command, logs, ended(store, tokens[-1]).absolute()), one.needs))
    sent: list[Submitted] = []
    try:
        for number, job_id in submit(jobs, where, logs):
            one = open_[number]
            sent.append(
                Submitted(
                    job_id,
                    where.name,
                    str(logs),
                    cell_of(one.cell.overrides),
                    one.parts,
                    time.time(),
                    tokens[number],
                )
            )
    finally:
        if sent:
            record(store, sent)
    return sent


def _check_writable(folder: Path, key: str) -> None:
    """Create a folder; raise JuriesError if it is not writable."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise JuriesError(f"{key}: can't write to {folder} ({error.strerror})") from None
