"""From a sweep's grid to submitted jobs: only what lacks verdicts and has no job at work."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from ..collect.policy import Policy
from ..config.build import pick
from ..data.dataset import Shard
from ..errors import JuriesError
from ..store.store import Store
from .coverage import survey
from .grid import Cell, Resources, needs, subject
from .jobs import LIVE, Local, Slurm, Submitted, record, recorded, states, submit


@dataclass(frozen=True)
class Task:
    """One cell of the grid: what it wants, lacks and needs; `at_work` is a job that is on it."""

    cell: Cell
    judges: tuple[str, ...]
    datasets: tuple[str, ...]
    part: Shard
    verdicts: int
    lacking: int
    needs: Resources
    at_work: str = ""

    @property
    def open(self) -> bool:
        """Whether a job is to be submitted."""
        return self.lacking > 0 and not self.at_work


def tasks(cells: Sequence[Cell], store: Store, policy: Policy) -> list[Task]:
    """Look at what each cell lacks, and whether a job that was submitted earlier is still on it.

    Raises
    ------
    JuriesError
        For any mistake in any cell, or two that are the same, before anything is submitted.
    """
    _check_distinct(cells)
    looks = survey((cell.cfg for cell in cells), store)
    before = recorded(store.path)
    state = states(before)
    live = {_identity(job.overrides): job.job_id for job in before if state[job.job_id] in LIVE}
    found = []
    for cell in cells:
        part = pick(cell.cfg, Shard)
        own = [look for look in looks[subject(cell.cfg)] if look.judge in cell.cfg.judges]
        if not own:
            raise JuriesError("no judge is to be asked; name some: judge=qwen3_4b,phi4_mini")
        counts = [look.count(part, policy.again) for look in own]
        if not sum(verdicts for verdicts, _ in counts):
            raise JuriesError(
                f"dataset {own[0].dataset}: no question falls into shard {part.shard} of "
                f"{part.shards}; take fewer shards"
            )
        found.append(
            Task(
                cell,
                tuple(sorted({look.judge for look in own})),
                tuple(sorted({look.dataset for look in own})),
                part,
                sum(verdicts for verdicts, _ in counts),
                sum(lacking for _, lacking in counts),
                needs(cell.cfg),
                live.get(_identity(cell.overrides), ""),
            )
        )
    return found


def _check_distinct(cells: Sequence[Cell]) -> None:
    """Raise JuriesError where two jobs would ask, and pay for, the same."""
    if len(stores := sorted({str(cell.cfg.store) for cell in cells})) > 1:
        raise JuriesError(f"store: a sweep has one, not {' and '.join(stores)}")
    met: set[tuple[str, ...]] = set()
    for cell in cells:
        if (same := _identity(cell.overrides)) in met:
            raise JuriesError(
                f"{' '.join(cell.overrides)}: stands in the sweep twice and would be asked twice; "
                "name each once"
            )
        met.add(same)


def _identity(overrides: Sequence[str]) -> tuple[str, ...]:
    """Return what two jobs that ask the same have in common."""
    return tuple(sorted(overrides))


def table(found: Sequence[Task]) -> pd.DataFrame:
    """Return a row a cell: judge, dataset, shard, verdicts, lacking, what it needs, its job."""
    return pd.DataFrame(
        [
            {
                "judge": ", ".join(task.judges),
                "dataset": ", ".join(task.datasets),
                "shard": "all" if (n := task.part.shard) is None else f"{n} of {task.part.shards}",
                "verdicts": task.verdicts,
                "lacking": task.lacking,
                **asdict(task.needs),
                "memory_gb": f"{task.needs.memory_gb:g}",
                "job": _job(task),
            }
            for task in found
        ]
    )


def _job(task: Task) -> str:
    if task.at_work:
        return f"{task.at_work} is at work"
    return "to submit" if task.open else "none needed"


def send(
    found: Sequence[Task],
    where: Slurm | Local,
    logs: Path,
    program: Sequence[str],
    store: Path,
    searched: Path | None = None,
) -> list[Submitted]:
    """Submit the open tasks and keep a record of them beside the store, even if not all are taken.

    Parameters
    ----------
    found : sequence of Task
    where : Slurm or Local
    logs : Path
        A folder that all nodes see.
    program : sequence of str
        The interpreter and scripts/judge.py.
    store : Path
    searched : Path, optional
        A folder of the user's own yamls.

    Raises
    ------
    JuriesError
        If the cluster does not take a job; if the logs or the record of the jobs can't be
        written, before anything is submitted.
    """
    logs = (logs / time.strftime("%Y-%m-%d_%H-%M-%S")).absolute()
    flags = [f"--config-dir={searched.absolute()}"] if searched else []
    open_ = [task for task in found if task.open]
    if not open_:
        return []
    _check_writable(logs, "logs")
    _check_writable(store, "store")
    jobs = []
    for number, task in enumerate(open_):
        folder = f"{logs}/run{number}".replace("\\", "\\\\").replace("'", "\\'")
        command = [*program, *flags, *task.cell.overrides, f"hydra.run.dir='{folder}'"]
        jobs.append((where.job(command, logs), task.needs))
    sent: list[Submitted] = []
    try:
        for number, job_id in submit(jobs, where, logs):
            task = open_[number]
            sent.append(
                Submitted(
                    job_id,
                    where.name,
                    str(logs),
                    task.cell.overrides,
                    str(searched.absolute()) if searched else None,
                    task.judges,
                    task.datasets,
                    time.time(),
                )
            )
    finally:
        if sent:
            record(store, sent)
    return sent


def _check_writable(folder: Path, key: str) -> None:
    """Make a folder; raise JuriesError if nothing can be written there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise JuriesError(f"{key}: can't write to {folder} ({error.strerror})") from None
