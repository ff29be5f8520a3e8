"""Jobs of a sweep on Slurm or on this machine, through submitit: submit, requeue, look up state.

A job is `llm-juries judge` with the overrides of one cell of the grid, in a process of its own. Its
replies are in the store, so a job that is preempted, timed out, killed or submitted again asks only
for missing verdicts.

What the store holds of a job is data from whoever wrote the store: names, keys and a state in plain
words. It is checked and compared; none of it is run, built, unpickled or opened as a path.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import msgspec

from ..config.resources import Resources
from ..errors import JuriesError
from ..files import read_data, write_text

POLL_S = 0.2
LINGER_S = 60.0  # how long a stopped job waits for the signal that requeues it
WEEK_MIN = 7 * 24 * 60
ENDED_WELL, FAILED = "COMPLETED", "FAILED"
GONE = "GONE"
"""The state of a job that left no trace: it was killed, or Slurm no longer knows it."""
LIVE = frozenset(
    {
        *("PENDING", "CONFIGURING", "RUNNING", "COMPLETING", "STOPPED", "SUSPENDED", "SIGNALING"),
        *("PREEMPTED", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT", "STAGE_OUT"),
        *("RESIZING", "RESV_DEL_HOLD"),
    }
)
"""States of a job that may still ask judges. A preempted job is about to be requeued."""


@dataclass(frozen=True)
class Job:
    """What submitit runs: a command in its own process, stopped and restarted on request.

    Parameters
    ----------
    command : tuple of str
    slots : str, optional
        A folder of lock files that limit how many jobs run at once, where no scheduler does.
    at_once : int
        How many.
    ended : str, optional
        A file in which it writes how it ended.
    """

    command: tuple[str, ...]
    slots: str | None = None
    at_once: int = 1
    ended: str | None = None

    def __call__(self) -> None:
        """Run the command.

        A preemption or a time-out is passed on as SIGTERM, on which the command stores the replies
        in flight and ends; then submitit's own handler requeues the job. That handler alone would
        requeue at once, and the requests in flight would be paid for twice.

        Raises
        ------
        RuntimeError
            If the command failed, so that Slurm says so too.
        """
        with _slot(self.slots, self.at_once):
            self._run()

    def checkpoint(self) -> Any:
        """Return what is run after a requeue: the same. submitit calls this."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)

    def _run(self) -> None:
        received: set[int] = set()
        stop = _requeue_signal()
        requeue = signal.getsignal(stop)
        for number in (signal.SIGTERM, stop):
            signal.signal(number, lambda got, _: received.add(got))
        process = subprocess.Popen(self.command, preexec_fn=_as_a_child)  # noqa: S603
        passed_on = False
        while process.poll() is None:
            if received and not passed_on:
                process.terminate()
                passed_on = True
            time.sleep(POLL_S)
        if process.returncode == 0:
            self._end(ENDED_WELL)
            return
        if received:
            # SIGTERM may arrive before the signal that requeues, or before the job's end.
            received_at = time.monotonic()
            while stop not in received and time.monotonic() < received_at + LINGER_S:
                time.sleep(POLL_S)
            if stop in received and callable(requeue):
                requeue(stop, None)
        self._end(FAILED)
        raise RuntimeError(f"the command ended with {process.returncode}: {self.command}")

    def _end(self, state: str) -> None:
        if self.ended is not None:
            with contextlib.suppress(OSError):  # then its state is only known while Slurm knows it
                write_text(Path(self.ended), f"{state}\n")


def _requeue_signal() -> signal.Signals:
    from submitit import JobEnvironment

    return signal.Signals[f"SIG{JobEnvironment.USR_SIG}"]


def _as_a_child() -> None:
    """Leave the cluster's signals to the parent process, and end with it."""
    # Some clusters signal all processes of a job: ignored by the child, and by its children.
    signal.signal(_requeue_signal(), signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


@contextlib.contextmanager
def _slot(folder: str | None, at_once: int) -> Iterator[None]:
    """Hold one of some locks, waiting for it; the system frees it when the process ends."""
    if folder is None:
        yield
        return
    import fcntl

    with contextlib.ExitStack() as opened:
        files = [
            opened.enter_context((Path(folder) / f"slot{n}").open("w")) for n in range(at_once)
        ]
        while True:
            for file in files:
                with contextlib.suppress(BlockingIOError):
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    yield
                    return
            time.sleep(POLL_S)


@dataclass(frozen=True)
class Slurm:
    """Jobs on Slurm: an array for all jobs that need the same.

    Parameters
    ----------
    partition, account, qos, constraint : str, optional
        As sbatch has them.
    at_once : int
        How many jobs of an array run at the same time.
    timeouts : int
        How often a job may hit its time limit and be requeued. Preemptions do not count, except
        where the limit is ten minutes or less: then submitit takes every signal for a time-out.
    notice_s : int
        How long before its time limit a job is signalled to stop.
    setup : sequence of str
        Shell commands before the job.
    sbatch : mapping
        Further options of sbatch.
    """

    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None
    at_once: int = 64
    timeouts: int = 20
    notice_s: int = 90
    setup: tuple[str, ...] = ()
    sbatch: Mapping[str, Any] = field(default_factory=dict)

    name: ClassVar[Literal["slurm"]] = "slurm"

    def __post_init__(self) -> None:
        _check_least(self, {"at_once": 1, "timeouts": 0, "notice_s": 1})

    def job(self, command: Sequence[str], logs: Path, ended: Path) -> Job:  # noqa: ARG002
        """Return a job; the scheduler limits how many run at once."""
        return Job(tuple(command), ended=str(ended))

    def executor(self, logs: Path, need: Resources) -> Any:
        """Return submitit's executor for jobs that need the same."""
        submitit = _submitit()
        try:
            made = submitit.AutoExecutor(
                logs / "%j", cluster="slurm", slurm_max_num_timeout=self.timeouts
            )
        except RuntimeError as error:
            raise JuriesError(
                f"cluster=slurm: {error} Submit from a login node, or set cluster=local"
            ) from None
        made.update_parameters(
            name="llm-juries",
            timeout_min=need.minutes,
            mem_gb=need.memory_gb,
            cpus_per_task=need.cpus,
            gpus_per_node=need.gpus or None,
            slurm_partition=self.partition,
            slurm_account=self.account,
            slurm_qos=self.qos,
            slurm_constraint=self.constraint,
            slurm_array_parallelism=self.at_once,
            slurm_signal_delay_s=self.notice_s,
            slurm_setup=list(self.setup) or None,
            slurm_additional_parameters=dict(self.sbatch) or None,
            # Since Slurm 22.05 srun does not take this over from sbatch.
            slurm_srun_args=[f"--cpus-per-task={need.cpus}"],
        )
        return made


@dataclass(frozen=True)
class Local:
    """Jobs on this machine, in the background; they survive a closed terminal.

    Parameters
    ----------
    at_once : int
        How many run at a time; the others wait. Their `resources` are ignored.
    """

    at_once: int = 1

    name: ClassVar[Literal["local"]] = "local"

    def __post_init__(self) -> None:
        _check_least(self, {"at_once": 1})

    def job(self, command: Sequence[str], logs: Path, ended: Path) -> Job:
        """Return a job that waits for its turn."""
        return Job(tuple(command), str(logs), self.at_once, str(ended))

    def executor(self, logs: Path, need: Resources) -> Any:  # noqa: ARG002
        """Return submitit's executor."""
        made = _submitit().AutoExecutor(logs / "%j", cluster="local")
        made.update_parameters(timeout_min=WEEK_MIN)
        return made


def _check_least(where: Slurm | Local, least: Mapping[str, int]) -> None:
    for name, number in least.items():
        if (value := getattr(where, name)) < number:
            raise JuriesError(f"{name}: is {value}; must be {number} or more")


def _submitit() -> Any:
    try:
        import submitit
    except ImportError:
        raise JuriesError(
            "submit: needs the package submitit; pip install 'llm-juries[cluster]'"
        ) from None
    return submitit


class Part(msgspec.Struct, frozen=True):
    """The verdicts that a job asks for of one voter on one dataset: their keys, joined."""

    voter: str
    dataset: str
    prompt: str
    keys: Annotated[str, msgspec.Meta(pattern=r"^([0-9a-f]{32})*\Z")]

    def each(self) -> Iterator[str]:
        """Yield the keys."""
        return (self.keys[at : at + 32] for at in range(0, len(self.keys), 32))


class Submitted(msgspec.Struct, frozen=True):
    """The record of a submitted job, kept in the store.

    Attributes
    ----------
    job_id, cluster : str
        As the cluster calls it.
    logs : str
        The folder of its output, by which its process is recognised; never opened.
    cell : str
        A hash of what it was asked to do: see `cell_of`.
    parts : tuple of Part
        Empty in records of earlier versions.
    submitted_at : float
    ended : str
        The name of the file, beside the record, in which it says how it ended.
    overrides : tuple of str
        Only in records of earlier versions, which had no `cell`.
    """

    job_id: Annotated[str, msgspec.Meta(pattern=r"^[0-9]+(_[0-9]+)?\Z")]
    cluster: Literal["slurm", "local"]
    logs: str
    cell: str = ""
    parts: tuple[Part, ...] = ()
    submitted_at: float = 0.0
    ended: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]*\Z")] = ""
    overrides: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """Who judges what."""
        voters = sorted({part.voter for part in self.parts})
        return f"{', '.join(voters)} on {', '.join(sorted({p.dataset for p in self.parts}))}"

    @property
    def identity(self) -> str:
        """What equal jobs share, whenever they were submitted."""
        return self.cell or cell_of(self.overrides)


def cell_of(overrides: Iterable[str]) -> str:
    """Return a hash of a job's overrides, in whatever order they are."""
    return hashlib.sha256("\n".join(sorted(overrides)).encode()).hexdigest()


def submit(
    jobs: Sequence[tuple[Job, Resources]], where: Slurm | Local, logs: Path
) -> Iterator[tuple[int, str]]:
    """Submit jobs, one array for equal resources; yield each one's number and its job's id.

    Raises
    ------
    JuriesError
        If the cluster rejects them; those it accepted before have been yielded.
    """
    from submitit.core.utils import FailedJobError, FailedSubmissionError

    logs.mkdir(parents=True, exist_ok=True)
    for need in sorted({need for _, need in jobs}):
        own = [number for number, (_, other) in enumerate(jobs) if other == need]
        executor = where.executor(logs, need)
        try:
            with executor.batch():
                made = [executor.submit(jobs[number][0]) for number in own]
        except (FailedJobError, FailedSubmissionError) as error:
            said = " ".join(str(error).split())
            raise JuriesError(f"cluster={where.name}: rejected the jobs ({said})") from None
        yield from zip(own, (job.job_id for job in made), strict=True)


def folder(store: Path) -> Path:
    """Return the folder of a store's records of jobs."""
    return store / "jobs"


def record(store: Path, jobs: Sequence[Submitted]) -> Path:
    """Write a record of submitted jobs into the store; return the file."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    path = folder(store) / f"{stamp}-{secrets.token_hex(4)}.jsonl"
    write_text(path, "".join(f"{msgspec.json.encode(job).decode()}\n" for job in jobs))
    return path


def recorded(store: Path) -> list[Submitted]:
    """Return all jobs that were submitted for a store, the oldest first.

    Raises
    ------
    JuriesError
        If a file is no record of jobs.
    """
    found = []
    for path in sorted(folder(store).glob("*.jsonl")):
        raw = read_data(path, store)
        try:
            found += [msgspec.json.decode(line, type=Submitted) for line in raw.splitlines()]
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise JuriesError(
                f"{path}: not a record of jobs ({error}); restore or delete it"
            ) from None
    return sorted(found, key=lambda job: job.submitted_at)


def states(jobs: Iterable[Submitted], store: Path) -> dict[str, str]:
    """Return the state of each job by its id, in Slurm's words.

    From sacct if there is accounting, else from squeue for live jobs, else from what the job wrote
    into the store when it ended. A job that left nothing is GONE.
    """
    jobs = list(jobs)
    known = _of_slurm([job.job_id for job in jobs if job.cluster == "slurm"])
    return {job.job_id: known.get(job.job_id) or _left_behind(job, store) for job in jobs}


def _of_slurm(ids: Sequence[str]) -> dict[str, str]:
    if not ids:
        return {}
    arrays = sorted({name.partition("_")[0] for name in ids})
    queue = _said(["squeue", "--noheader", "--array", "--format=%i|%T"])
    found = dict(line.split("|", 1) for line in queue.splitlines() if "|" in line)
    listed = [part for name in arrays for part in ("-j", name)]
    accounts = _said(["sacct", "-o", "JobID,State,NodeList", "--parsable2", *listed])
    for name, facts in _submitit().SlurmJob.watcher.read_info(accounts).items():
        found.setdefault(name, facts["State"].partition(" ")[0])  # as in "CANCELLED by 0"
    return found


def _said(command: list[str]) -> str:
    """Return the output of a command, "" if it fails or does not exist."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout


def _left_behind(job: Submitted, store: Path) -> str:
    if job.ended:
        with contextlib.suppress(OSError):
            raw = read_data(ended(store, job.ended), store)
            return ENDED_WELL if raw.strip() == ENDED_WELL.encode() else FAILED
    return "RUNNING" if job.cluster == "local" and _alive(job) else GONE


def ended(store: Path, token: str) -> Path:
    """Return the file in which a job writes how it ended."""
    return folder(store) / f"{token}.ended"


def _alive(job: Submitted) -> bool:
    """Return whether a job on this machine runs, by its process id, which is submitit's job id."""
    if sys.platform == "linux":
        # Its command line names the logs: after a reboot, or in another container, another process
        # may have the id. A zombie has no command line, nor has a process that is just starting.
        command = Path(f"/proc/{job.job_id}/cmdline")
        with contextlib.suppress(OSError):
            if not command.read_bytes():
                time.sleep(POLL_S)
            return os.fsencode(job.logs) in command.read_bytes()
        return False
    try:
        os.kill(int(job.job_id), 0)
    except OSError:
        return False
    return True
