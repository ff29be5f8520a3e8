"""A sweep on a real Slurm of one node: jobs fail, are preempted and killed, no verdict is lost."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import yaml

from conftest import ROOT
from faulty_api import Remote, in_a_process
from llm_juries.cluster.jobs import Submitted, recorded, states
from llm_juries.store.store import Store
from llm_juries.types import Outcome

HERE = Path(__file__).parent
PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch")
ITEMS, IN_FLIGHT = 120, 2
JUDGES = ("good", "keyless", "preempted", "killed")
VARIABLE = "LATER_KEY"
SHORT = "judges.killed.resources.minutes=7"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        "LLM_JURIES_SLURM" not in os.environ, reason="LLM_JURIES_SLURM is not set (make test-slurm)"
    ),
    pytest.mark.skipif(not all(map(shutil.which, PROGRAMS)), reason="Slurm is not installed"),
    pytest.mark.skipif(
        not hasattr(os, "geteuid") or os.geteuid() != 0, reason="a Slurm of one's own needs root"
    ),
]


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Start a Slurm; yield the environment variables that lead to it."""
    folder = tmp_path_factory.mktemp("slurm")
    try:
        subprocess.run(["bash", HERE / "slurm_up.sh", folder], check=True, timeout=60)
        yield {
            "SLURM_CONF": str(folder / "slurm.conf"),
            "PATH": f"{HERE}{os.pathsep}{os.environ['PATH']}",  # for sacct
        }
    finally:
        subprocess.run(["bash", HERE / "slurm_down.sh", folder], check=False, timeout=60)


@pytest.fixture
def on_slurm(slurm: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in slurm.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv(VARIABLE, raising=False)


@pytest.fixture
def api() -> Iterator[Remote]:
    with in_a_process(latency=0.2) as server:
        yield server


def user(folder: Path, api: Remote) -> list[str]:
    """Write a user's own judges and answers; return what selects them."""
    conf = folder / "conf" / "judge"
    conf.mkdir(parents=True)
    for name in JUDGES:
        judge = {
            "_target_": "llm_juries.judges.http.judge.HttpJudge",
            "name": name,
            "family": name,
            "wire": "openai",
            "model": f"model-{name}",
            "server": {
                "base_url": f"{api.base_url}/v1",
                "key_env": VARIABLE if name == "keyless" else "HOME",
            },
            "limits": {"in_flight": 8 * IN_FLIGHT if name == "good" else IN_FLIGHT},
            "resources": {"cpus": 1, "memory_gb": 0.5, "minutes": 30},
        }
        (conf / f"{name}.yaml").write_text(f"# @package judges.{name}\n{yaml.safe_dump(judge)}")
    rows = ({"question": f"Q{n}?", "answer": f"A{n}", "references": ["A"]} for n in range(ITEMS))
    (folder / "mine.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return ["dataset=jsonl", f"dataset.path={folder / 'mine.jsonl'}", f"judge={','.join(JUDGES)}"]


def run(name: str, folder: Path, *overrides: str) -> str:
    """Run scripts/NAME.py as a user does; return what it says."""
    usual = [f"--config-dir={folder / 'conf'}", f"store={folder / 'store'}"]
    done = subprocess.run(
        [sys.executable, f"scripts/{name}.py", *usual, f"logs={folder / 'logs'}", *overrides],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def until(true: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.3)


def verdicts(folder: Path) -> Counter[str]:
    """Count the verdicts of each judge; all of them are good, and none is stored twice."""
    lines = [json.loads(line) for p in (folder / "store").glob("*.jsonl") for line in p.open()]
    assert len(lines) == len({line["key"] for line in lines})
    found = list(Store(folder / "store"))
    assert all(verdict.outcome is Outcome.OK for verdict in found)
    return Counter(verdict.judge for verdict in found)


def shown(job_id: str) -> str:
    """Return what Slurm knows of a job."""
    command = ["scontrol", "--oneliner", "show", "job", job_id]
    return subprocess.run(command, capture_output=True, text=True).stdout


def processes(job: Submitted) -> list[psutil.Process]:
    """Return the processes of a job that run Python, submitit's own first."""
    found = []
    for process in psutil.process_iter():
        try:
            environment = process.environ()
            command = " ".join(process.cmdline())
        except psutil.Error:
            continue
        array, task = (environment.get(f"SLURM_ARRAY_{part}") for part in ("JOB_ID", "TASK_ID"))
        if f"{array}_{task}" == job.job_id and ("submitit" in command or "judge.py" in command):
            found.append(("submitit.core._submit" not in command, process))
    return [process for _, process in sorted(found, key=lambda pair: (pair[0], pair[1].pid))]


def test_a_sweep_outlives_failure_preemption_and_kill(
    on_slurm: None, api: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    overrides = user(tmp_path, api)
    began = time.monotonic()
    said = run("submit", tmp_path, *overrides)
    assert "4 jobs submitted" in said
    print(f"submitted and returned after {time.monotonic() - began:.1f} s")
    jobs = {job.parts[0].voter: job for job in recorded(tmp_path / "store")}
    assert set(jobs) == set(JUDGES)

    def state(name: str) -> str:
        return states([jobs[name]], tmp_path / "store")[jobs[name].job_id]

    # One is killed as a whole machine's memory would have it: no handler runs.
    until(lambda: verdicts(tmp_path)["killed"] >= 10)
    first, *others = processes(jobs["killed"])
    first.send_signal(signal.SIGKILL)
    psutil.wait_procs(others, timeout=20)
    assert not processes(jobs["killed"])  # what asks does not live on
    until(lambda: state("killed") == "FAILED")
    until(lambda: state("keyless") == "FAILED")
    until(lambda: state("good") == "COMPLETED")
    after_kill = verdicts(tmp_path)["killed"]
    assert 10 <= after_kill < ITEMS

    # One is preempted by a job that needs the whole node, is queued again and goes on.
    assert state("preempted") == "RUNNING"
    before = verdicts(tmp_path)["preempted"]
    assert before < ITEMS
    options = ["--partition=high", "--cpus-per-task=4", "--output=/dev/null", "--wrap=sleep 2"]
    submitted = subprocess.run(
        ["sbatch", "--parsable", *options], check=True, capture_output=True, text=True
    )
    urgent = submitted.stdout.strip()
    until(lambda: "Restarts=1" in shown(jobs["preempted"].job_id))
    at_requeue = verdicts(tmp_path)["preempted"]
    assert before <= at_requeue < ITEMS
    said = run("status", tmp_path)
    assert "1 COMPLETED" in said
    until(lambda: state("preempted") == "COMPLETED")
    assert "JobState=COMPLETED" in shown(urgent)
    counted = verdicts(tmp_path)
    print(f"before the second submission: {dict(counted)}; preempted at {at_requeue} of {ITEMS}")
    assert counted == {"good": ITEMS, "preempted": ITEMS, "killed": after_kill}
    assert api.stats()["arrivals"]["model-preempted"] == ITEMS  # nothing was paid twice

    # Submitted again: two jobs for what is lacking, none for what is there.
    monkeypatch.setenv(VARIABLE, "sk-now-there")
    said = run("submit", tmp_path, *overrides)
    assert "2 jobs submitted" in said
    again = run("submit", tmp_path, *overrides)
    assert "0 jobs submitted" in again  # they are at work
    assert again.count("is live") == 2
    jobs |= {job.parts[0].voter: job for job in recorded(tmp_path / "store")}
    until(lambda: state("killed") == state("keyless") == "COMPLETED")
    assert verdicts(tmp_path) == dict.fromkeys(JUDGES, ITEMS)
    lost = api.stats()["arrivals"]["model-killed"] - ITEMS
    assert 0 <= lost <= IN_FLIGHT  # what was under way at the kill
    said = run("status", tmp_path)
    assert f"{4 * ITEMS} of {4 * ITEMS} verdicts done, 0 failed, 0 missing" in said
    assert "1 COMPLETED, 1 FAILED" in said
    print(f"after it: {dict(verdicts(tmp_path))}; asked twice: {lost}\n{said}")


def test_a_sweep_of_seats_fills_every_repeat_and_prompt_once(
    on_slurm: None, api: Remote, tmp_path: Path
):
    overrides = [
        *user(tmp_path, api)[:2], "judge=good",
        "seats=[good*3],[good@zero_shot]",
        "+judges.good.decoding={verdict_by: text, max_tokens: 16, temperature: 0.7}",
        "dataset.limit=40",
    ]  # fmt: skip
    said = run("submit", tmp_path, *overrides)
    assert "2 jobs submitted" in said
    jobs = recorded(tmp_path / "store")
    until(lambda: set(states(jobs, tmp_path / "store").values()) == {"COMPLETED"})
    found = list(Store(tmp_path / "store"))
    assert Counter((verdict.prompt, verdict.repeat) for verdict in found) == {
        ("few_shot_standard", 1): 40, ("few_shot_standard", 2): 40, ("few_shot_standard", 3): 40,
        ("zero_shot", 1): 40,
    }  # fmt: skip
    assert verdicts(tmp_path) == {"good": 160}
    assert api.stats()["arrivals"]["model-good"] == 160  # nothing was paid twice
    said = run("status", tmp_path)
    assert "160 of 160 verdicts done, 0 failed, 0 missing" in said
    assert "0 jobs submitted" in run("submit", tmp_path, *overrides)
    print(said)


def test_a_job_that_is_told_of_its_time_limit_is_queued_again_and_goes_on(
    on_slurm: None, api: Remote, tmp_path: Path
):
    overrides = [*user(tmp_path, api)[:2], "judge=killed"]
    # With a limit this short every notice is taken for one of the limit; Slurm's own would come
    # after minutes.
    assert "1 jobs submitted" in run("submit", tmp_path, *overrides, SHORT)
    (job,) = recorded(tmp_path / "store")
    until(lambda: verdicts(tmp_path)["killed"] >= 10)
    subprocess.run(["scancel", "--signal=USR2", job.job_id], check=True)
    until(lambda: "Restarts=1" in shown(job.job_id))
    assert 10 <= verdicts(tmp_path)["killed"] < ITEMS
    until(lambda: states([job], tmp_path / "store")[job.job_id] == "COMPLETED")
    assert verdicts(tmp_path)["killed"] == ITEMS
    assert api.stats()["arrivals"]["model-killed"] == ITEMS
    log = "".join(path.read_text() for path in (tmp_path / "logs").rglob("*_log.*"))
    assert "this job is timed-out" in log


def test_states_are_known_without_accounts(
    on_slurm: None, api: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    # The real sacct is found, which knows of nothing.
    monkeypatch.setenv("PATH", os.environ["PATH"].removeprefix(f"{HERE}{os.pathsep}"))
    overrides = [*user(tmp_path, api)[:2], "judge=keyless,contains"]
    assert "2 jobs submitted" in run("submit", tmp_path, *overrides)
    jobs = {job.parts[0].voter: job for job in recorded(tmp_path / "store")}
    assert set(states(jobs.values(), tmp_path / "store").values()) <= {
        "PENDING",
        "RUNNING",
        "COMPLETING",
    }
    ends = {jobs["keyless"].job_id: "FAILED", jobs["contains"].job_id: "COMPLETED"}
    until(lambda: states(jobs.values(), tmp_path / "store") == ends)


def test_a_job_asks_for_what_its_judge_needs(on_slurm: None, api: Remote, tmp_path: Path):
    overrides = [*user(tmp_path, api)[:2], "judge=good"]
    more = [f"judges.good.resources.{need}" for need in ("cpus=3", "minutes=7")]
    more.append("+judges.good.resources.gpus=2")
    assert "1 jobs submitted" in run("submit", tmp_path, *overrides, *more)
    (job,) = recorded(tmp_path / "store")
    facts = shown(job.job_id)
    subprocess.run(["scancel", job.job_id], check=True)
    assert "NumCPUs=3 " in facts
    assert "TimeLimit=00:07:00 " in facts
    assert "MinMemoryNode=512M " in facts
    assert "TresPerNode=gres:gpu:2" in facts
    (script,) = (tmp_path / "logs").rglob("*_submission.sh")
    assert "--cpus-per-task=3" in script.read_text().partition("srun")[2]
    until(lambda: states([job], tmp_path / "store")[job.job_id] == "CANCELLED")


def test_hydras_own_launcher_makes_a_job_a_judge_and_shard(on_slurm: None, tmp_path: Path):
    where = [f"store={tmp_path / 'store'}", f"hydra.sweep.dir={tmp_path / 'sweep'}"]
    asked = [f"hydra.launcher.{need}" for need in ("cpus_per_task=1", "mem_gb=1", "timeout_min=15")]
    sweep = ["judge=contains,token_f1", "dataset=sample_qa", "shards=2", "shard=0,1"]
    command = [sys.executable, "scripts/judge.py", "-m", *sweep, *where, *asked]
    done = subprocess.run(
        [*command, "hydra/launcher=slurm_gpu"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    assert len({verdict.key for verdict in Store(tmp_path / "store")}) == len(
        list(Store(tmp_path / "store"))
    )
    assert {verdict.judge for verdict in Store(tmp_path / "store")} == {"contains", "token_f1"}
    (script,) = (tmp_path / "sweep").rglob("*_submission.sh")
    assert "--array=0-3%4" in script.read_text()
    assert "--gpus-per-node=1" in script.read_text()
