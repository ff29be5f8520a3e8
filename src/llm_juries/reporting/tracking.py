"""Experiment tracking with Weights & Biases: config, metrics, tables, figures, verdicts, files.

`wandb.mode=offline` needs no account and no network: the run is a folder, uploaded later with
`wandb sync` if wanted. Tracking never stops a job: any failure of it (no login, no network, a full
disk, a broken installation) is one line of warning.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from ..errors import JuriesError
from ..redaction import cleaned, without_secrets
from ..seats import Seat, seat_of
from ..store.plan import Plan
from ..store.store import Store
from .forked import Forked, worth_forking

if TYPE_CHECKING:
    import wandb

    from .verdict_sample import Sample


log = logging.getLogger(__name__)
BESIDE_HEADLINES = ("ci_low", "ci_high", "accuracy", "n", "missing")


@dataclass(frozen=True)
class Finished:
    """A finished job, as a run has it.

    Parameters
    ----------
    folder : Path
        The run's own folder is created in it.
    name : str
        W&B's job_type: "judge", "analyze".
    config : mapping
        Logged without secrets: see `redaction.without_secrets`.
    tables : mapping of str to DataFrame
    figures : sequence of Path
    metrics : mapping of str to float
        For plots across runs, in the run's history and summary; NaN is left out.
    summary : mapping of str to float or str
        The fields that runs of all kinds have: see `reporting.summary_fields`.
    group : str, optional
        Used if the config names none.
    files : sequence of Path
        Files and folders of the report, logged as an artifact.
    """

    folder: Path
    name: str
    config: Mapping[str, Any]
    tables: Mapping[str, pd.DataFrame]
    figures: Sequence[Path] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)
    summary: Mapping[str, float | str] = field(default_factory=dict)
    group: str | None = None
    files: Sequence[Path] = ()


class Logged(NamedTuple):
    """The folder of a run, None where there is none, and what could not be logged."""

    place: Path | None
    problems: list[str]


@dataclass(frozen=True)
class Tracking:
    """Where a run is logged, and what of it.

    Parameters
    ----------
    mode : {"disabled", "offline", "online"}
    project : str
    entity, name : str, optional
        W&B's own defaults where null.
    group : str, optional
        W&B shows the runs of a group together; by default, the experiment or the dataset.
    tags : sequence of str
    verdicts : int
        Rows of the table of sampled verdicts; 0 for none.
    export : int
        Rows of the Parquet artifact of sampled verdicts, which begins with those of the table; 0
        for none.
    seed : int
        Of both samples.
    timeout_s : float
        How long to wait for the server at the start, and for the uploads at the end. What was not
        sent by then stays in the run's folder, for `wandb sync`.
    """

    mode: Literal["disabled", "offline", "online"] = "disabled"
    project: str = "llm-juries"
    entity: str | None = None
    name: str | None = None
    group: str | None = None
    tags: tuple[str, ...] = ()
    verdicts: int = 1_000
    export: int = 50_000
    seed: int = 0
    timeout_s: float = 60.0

    @contextlib.contextmanager
    def beside(self, plans: Sequence[Plan], store: Store) -> Iterator[Here | Beside]:
        """Yield what logs a job as `log` does, in a process beside this one where that is safe.

        That process imports W&B and samples the plans' verdicts, which takes a second each, while
        this one does what there will be to log.
        """
        if self.mode == "disabled" or not worth_forking():
            yield Here(self, plans, store)
            return
        sampled: Sample | None = None
        filled: Filled | None = None

        def prepare() -> None:
            nonlocal sampled
            logging.disable()  # what there is to say of the store, the other process says
            with contextlib.suppress(Exception):  # to be tried again when it is logged, and noted
                _import_all()
                with Store(store.path) as own:  # as open files have one place to read at
                    sampled = self._sampled(plans, own)
            logging.disable(logging.NOTSET)

        def step(job: Finished) -> Logged | None:
            nonlocal filled
            if filled is None:
                filled = Filled.of(self, job)
                return None
            return filled.end(job, lambda: sampled or self._sampled(plans, store))

        forked = Forked(step, "the process that logs was killed", prepare)
        try:
            yield Beside(forked)
        finally:
            forked.close()

    def log(
        self, job: Finished, plans: Sequence[Plan] = (), store: Store | None = None
    ) -> Path | None:
        """Log one finished job as one run, with a sample of the plans' verdicts in a store.

        Returns
        -------
        Path or None
            The run's folder; None if W&B is disabled or failed. What can't be logged is named in
            one warning, and the rest is logged.
        """
        if self.mode == "disabled":
            return None
        sampled = None if store is None else partial(self._sampled, plans, store)
        return _told(*Filled.of(self, job).end(job, sampled))

    def _sampled(self, plans: Sequence[Plan], store: Store) -> Sample:
        from .verdict_sample import sample

        return sample(plans, store, max(self.verdicts, self.export), self.seed)

    def start(self, job: Finished) -> wandb.Run:
        """Start a job's run.

        Raises
        ------
        Exception
            Of any kind that W&B raises.
        """
        loaded = _import_quietly()
        if self.mode == "online" and not loaded.login(prompt=False, verify=False):
            raise JuriesError("no login: run `wandb login`, set WANDB_API_KEY, or wandb=offline")
        job.folder.mkdir(parents=True, exist_ok=True)
        run: wandb.Run = loaded.init(
            mode=self.mode,
            project=self.project,
            entity=self.entity,
            name=self.name,
            group=self.group or job.group,
            tags=list(self.tags),
            job_type=job.name,
            dir=job.folder,
            config=without_secrets(dict(job.config)),
            settings=loaded.Settings(
                silent=True,
                console="off",
                save_code=False,
                # The metadata include the command line, which may hold a key.
                x_disable_meta=True,
                x_disable_stats=True,
                init_timeout=self.timeout_s,
                finish_timeout=self.timeout_s,
            ),
        )
        return run


@dataclass
class Filled:
    """A run of W&B that has a job's tables and numbers; None where it could not be started."""

    tracking: Tracking
    run: wandb.Run | None
    problems: list[str]

    @classmethod
    def of(cls, tracking: Tracking, job: Finished) -> Filled:
        """Start a run, and log tables, metrics and summary."""
        filled = cls(tracking, None, [])
        with _noted(filled.problems):
            # Not as a context, which prints the traceback of what is raised in it.
            filled.run = tracking.start(job)
            filled._fill(filled.run, job)
            with _noted(filled.problems):
                filled.run.summary.update(dict(job.summary))
        return filled

    def end(self, job: Finished, sampled: Callable[[], Sample] | None) -> Logged:
        """Log a job's figures, its files and the sampled verdicts; finish the run."""
        run, place = self.run, None
        if run is not None:
            with _noted(self.problems):
                self._show(run, job)
                with _noted(self.problems):
                    _add_files(run, job)
                with _noted(self.problems):
                    if sampled and max(self.tracking.verdicts, self.tracking.export) > 0:
                        self._add_verdicts(run, job, sampled())
                run.finish(exit_code=1 if self.problems else 0)
                place = Path(run.settings.sync_dir)
        return Logged(place, self.problems)

    def _fill(self, run: wandb.Run, job: Finished) -> None:
        tables: dict[str, Any] = {}
        for name, table in job.tables.items():
            if not table.empty:
                with _noted(self.problems):
                    tables[f"tables/{name}"] = _table(table)
        # One step, which the figures end: a run is one point in a plot across runs.
        numbers = {key: value for key, value in job.metrics.items() if math.isfinite(value)}
        logged = len(self.problems)
        with _noted(self.problems):
            run.log(tables | numbers, commit=False)
        if len(self.problems) > logged:
            run.log(numbers, commit=False)

    def _show(self, run: wandb.Run, job: Finished) -> None:
        import wandb

        figures: dict[str, Any] = {}
        for path in job.figures:
            with _noted(self.problems):
                figures[f"figures/{path.stem}"] = wandb.Image(str(path))
        with _noted(self.problems):
            run.log(figures)

    def _add_verdicts(self, run: wandb.Run, job: Finished, drawn: Sample) -> None:
        import wandb

        if drawn.table.empty:
            return
        costs = {f"stored_usd/{d}/{judge}": usd for (d, judge), usd in sorted(drawn.costs.items())}
        run.summary.update({"verdicts": drawn.total, **costs})
        verdicts, export = self.tracking.verdicts, self.tracking.export
        if verdicts:
            shown = drawn.table.head(verdicts)
            run.log({"verdicts/sample": _table(shown)})
        if export:
            exported = drawn.table.head(export)
            path = job.folder / "verdicts.parquet"
            exported.to_parquet(path, index=False)
            facts = {"rows": len(exported), "of": drawn.total, "seed": self.tracking.seed}
            artifact = wandb.Artifact(f"{job.name}-verdicts", "verdicts", metadata=facts)
            artifact.add_file(str(path), name=path.name)
            run.log_artifact(artifact)


class Here:
    """Logs a job in this process, all of it at the end."""

    def __init__(self, tracking: Tracking, plans: Sequence[Plan], store: Store) -> None:
        self._log = partial(tracking.log, plans=plans, store=store)

    def begin(self, job: Finished) -> None:
        """Begin with what is known: tables, metrics and summary."""

    def end(self, job: Finished) -> Path | None:
        """Log the job with its figures and files; return the run's folder as `log` does."""
        return self._log(job)


class Beside:
    """Logs a job in a process beside this one."""

    def __init__(self, forked: Forked) -> None:
        self._forked = forked
        self._problems: list[str] = []

    def begin(self, job: Finished) -> None:
        """Begin with what is known: tables, metrics and summary."""
        with _noted(self._problems):
            self._forked.send(job)

    def end(self, job: Finished) -> Path | None:
        """Log the job's figures and files; return the run's folder as `log` does."""
        with _noted(self._problems):
            self._forked.send(replace(job, tables={}))
            self._forked.receive()
            logged: Logged = self._forked.receive()
            return _told(*logged)
        return _told(None, self._problems)


def _import_quietly() -> Any:
    """Import W&B, which then says nothing and asks no network about an offline run."""
    # Without this, an offline run still resolves a host name.
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    os.environ.setdefault("WANDB_SILENT", "true")  # also for its process, which outlives ours
    import wandb

    return wandb


def _import_all() -> None:
    """Import W&B with what a run imports when it starts."""
    _import_quietly()
    with contextlib.suppress(ImportError):  # in other versions it has another place
        import wandb.sdk.launch.inputs.internal  # noqa: F401


def _add_files(run: wandb.Run, job: Finished) -> None:
    import wandb

    if not job.files:
        return
    artifact = wandb.Artifact(f"{job.name}-report", "report")
    for path in job.files:
        name = path.relative_to(job.folder).as_posix()
        if path.is_dir():
            artifact.add_dir(str(path), name=name)
        elif path.is_file():
            artifact.add_file(str(path), name=name)
    run.log_artifact(artifact)


def _told(place: Path | None, problems: Sequence[str]) -> Path | None:
    """Return the folder of a run; warn in one line of what could not be logged."""
    if problems:
        log.warning(
            "W&B: this run was not logged completely (%s)", "; ".join(dict.fromkeys(problems))
        )
    return place


@contextlib.contextmanager
def _noted(problems: list[str]) -> Iterator[None]:
    """Note what is raised, in one line: tracking must never cost the results."""
    try:
        yield
    except Exception as error:
        problems.append(cleaned(" ".join(f"{type(error).__name__}: {error}".split()))[:300])


def _table(frame: pd.DataFrame) -> wandb.Table:
    """Return a table whose cells JSON has: W&B's own conversion fails on missing values."""
    import wandb

    rows: list[Any] = [[*map(_cell, row)] for row in frame.itertuples(index=False, name=None)]
    return wandb.Table([str(name) for name in frame.columns], rows, allow_mixed_types=True)


def _cell(value: Any) -> Any:
    """Return a cell as JSON has it: missing as null, infinities and other types as text."""
    if isinstance(value, list | tuple):
        return [_cell(inner) for inner in value]
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or value is pd.NA or value is pd.NaT or value != value:
        return None
    if isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return str(value).encode(errors="replace").decode()


def _safe(voter: str) -> str:
    """Return a voter's name in a metric's: of a seat without the signs that W&B's queries mind."""
    seat = seat_of(voter)
    return voter if seat == Seat(voter) else seat.file_name


def agreement_metrics(agreement: pd.DataFrame) -> dict[str, float]:
    """Return metrics such as "kappa/DATASET/VOTER", from `analysis.agreement.agreement`."""
    from ..analysis.measured import HEADLINES  # here: it takes half a second, which judge saves

    return {
        f"{measure}/{row['dataset']}/{_safe(row['voter'])}": float(row[measure])
        for _, row in agreement.iterrows()
        for measure in (*HEADLINES, *BESIDE_HEADLINES)
        if measure in row and pd.notna(row[measure])
    }


def tally_metrics(collected: pd.DataFrame) -> dict[str, float]:
    """Return metrics such as "asked/DATASET/JUDGE", and totals, from `progress.tally_table`."""
    counts = [
        column for column in collected if pd.api.types.is_numeric_dtype(collected[column].dtype)
    ]
    each = {
        f"{column}/{row['dataset']}/{_safe(row['judge'])}": float(row[column])
        for row in collected.to_dict("records")
        for column in counts
    }
    return each | {f"total/{column}": float(collected[column].sum()) for column in counts}
