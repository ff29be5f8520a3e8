"""Jobs in the background of this machine, and how a job stops; tests/cluster does it on Slurm."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import get_object

from conftest import ROOT
from in_process import completed
from llm_juries.cluster.jobs import GONE, Job, Part, Slurm, Submitted, record, recorded, states
from llm_juries.config.resources import Resources
from llm_juries.errors import JuriesError
from llm_juries.store.store import Store

SWEEP = ("judge=contains,exact_match", "dataset=sample_qa", "shards=2", "shard=0,1")


def until(true: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def script(name: str, folder: Path, *overrides: str) -> subprocess.CompletedProcess[str]:
    return completed(name, *places(folder), *overrides)


def places(folder: Path) -> list[str]:
    return [f"store={folder / 'store'}", f"logs={folder / 'logs'}"]


def process(name: str, folder: Path, *overrides: str) -> subprocess.CompletedProcess[str]:
    """Run a script in a process of its own: the jobs it submits are then nobody's children."""
    command = [sys.executable, f"scripts/{name}.py", *places(folder), *overrides]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)


@pytest.mark.slow
def test_a_sweep_runs_in_the_background_and_is_complete(tmp_path: Path):
    dry = script("submit", tmp_path, *SWEEP, "dry_run=true")
    assert "4 jobs would be submitted" in dry.stdout
    assert not (tmp_path / "store").exists()

    sent = process("submit", tmp_path, *SWEEP, "cluster=local", "cluster.at_once=2")
    assert "4 jobs submitted" in sent.stdout, sent.stderr
    jobs = recorded(tmp_path / "store")
    assert len(jobs) == 4
    again = process("submit", tmp_path, *SWEEP, "cluster=local")
    assert "0 jobs submitted" in again.stdout  # each is at work, or done already
    until(lambda: set(states(jobs, tmp_path / "store").values()) == {"COMPLETED"})
    assert len(Store(tmp_path / "store")) == len({v.key for v in Store(tmp_path / "store")})

    said = script("status", tmp_path)
    assert "280 of 280 verdicts done, 0 failed, 0 missing" in said.stdout
    assert said.stdout.count("2 COMPLETED") == 2
    grid = script("status", tmp_path, "judge=contains,token_f1", "wandb=offline")
    assert "140 of 280 verdicts done" in grid.stdout
    assert list((tmp_path / "logs").rglob("run-*.wandb"))


@pytest.mark.slow
def test_a_watch_looks_again_until_it_is_stopped(tmp_path: Path):
    command = [sys.executable, "scripts/status.py", f"store={tmp_path}", "judge=contains"]
    with subprocess.Popen(
        [*command, "watch=0.2"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        looks = 0
        while looks < 3:
            looks += "0 of 140 verdicts done" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err.count("\n")) == (130, 1)
    assert not list(tmp_path.iterdir())  # it only reads


@pytest.mark.parametrize(
    "path", sorted((ROOT / "conf/hydra/launcher").glob("*.yaml")), ids=lambda p: p.stem
)
def test_a_launchers_yaml_composes_with_its_plugin(path: Path):
    if path.stem == "ray_cluster":
        pytest.importorskip("hydra_plugins.hydra_ray_launcher")
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        cfg = compose("judge", [f"hydra/launcher={path.stem}"], return_hydra_config=True)
    assert get_object(cfg.hydra.launcher._target_)
    assert f"hydra/launcher={path.stem}" in path.read_text() or path.stem == "local"


@pytest.mark.slow
def test_a_failing_job_is_said_to_have_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    sent = process("submit", tmp_path, "judge=gpt_6_luna", "cluster=local")
    assert "1 jobs submitted" in sent.stdout, sent.stderr
    jobs = recorded(tmp_path / "store")
    until(lambda: set(states(jobs, tmp_path / "store").values()) == {"FAILED"})
    said = script("status", tmp_path)
    assert "1 FAILED" in said.stdout
    (log,) = (tmp_path / "logs").rglob("*_log.err")
    assert "\nerror: judge gpt_6_luna: " in f"\n{log.read_text()}"  # the job's own line


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["dataset=sample_qa"], "judge: none is named; set some, such as judge="),
        (["judge=contians"], "did you mean contains"),
        (["judge=[exact_match,contians]"], "there is no judge=contians; did you mean contains"),
        (["judge=contains,contains"], "is in the sweep twice"),
        (["judge=contains", "cluster=local,slurm"], "is in the sweep twice"),
        (
            ["judge=contains", "store=here,there"],
            "a sweep needs one store, not here and",
        ),
        (["judge=contains", "cluster=local", "cluster.at_once=0"], "at_once: is 0; must be 1"),
        (["judge=contains", "cluster=local", "logs=/dev/null"], "logs: can't write to /dev/null"),
        (["judge=contains", "shards=5000", "shard=1"], "use fewer shards"),
        (["judge=contains", "shards=2", "shard=2"], "set 0 to 1"),
        (["judge=contains", "cluster.partion=x"], "partition"),
        (["judge=contains", "cluster=slrum"], "did you mean slurm"),
        (["judge=contains", "+judges.contains.resources.gpu=1"], "did you mean gpus"),
    ],
)
def test_a_mistake_is_told_in_one_line_before_anything_is_submitted(
    tmp_path: Path, overrides: list[str], said: str
):
    done = script("submit", tmp_path, *overrides)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert said in done.stderr
    assert not (tmp_path / "store").exists()


def test_nothing_is_submitted_that_could_not_be_recorded(tmp_path: Path):
    (tmp_path / "file").write_text("")
    store = f"store={tmp_path / 'file' / 'store'}"
    done = script("submit", tmp_path, "judge=contains", "cluster=local", store)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "file/store (Not a directory)" in done.stderr
    assert not list((tmp_path / "logs").rglob("*.pkl"))


def test_a_status_of_nothing_says_what_to_do(tmp_path: Path):
    done = script("status", tmp_path)
    assert done.returncode == 2
    assert "nothing was submitted to it; name a sweep" in done.stderr


@pytest.mark.parametrize("name", ["submit", "status"])
def test_help_comes_without_the_heavy_imports(name: str):
    command = [sys.executable, "-X", "importtime", f"scripts/{name}.py", "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert not imported & {"pandas", "numpy", "submitit", "wandb", "datasets", "torch"}
    assert "judge=" in done.stdout


def test_a_machine_without_slurm_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(JuriesError, match=r"cluster=slurm: .*cluster=local"):
        Slurm().executor(tmp_path, Resources())


def test_records_come_back_and_a_job_that_left_nothing_is_gone(tmp_path: Path):
    logs = str(tmp_path / "logs")
    jobs = [
        Submitted(name, "local", logs, "cell", (Part("a", "d", "p", "0" * 64),), at, "aa")
        for name, at in (("4194305", 2.0), ("4194306", 1.0))  # no such process can be
    ]
    record(tmp_path, jobs[:1])
    record(tmp_path, jobs[1:])
    assert recorded(tmp_path) == jobs[::-1]
    assert set(states(jobs, tmp_path).values()) == {GONE}
    assert len(Store(tmp_path)) == 0  # records are no verdicts


@pytest.mark.skipif(sys.platform != "linux", reason="commands are read from /proc")
def test_another_process_with_the_id_of_a_job_is_not_taken_for_it(tmp_path: Path):
    logs = str(tmp_path / "logs")
    with (
        subprocess.Popen(["sleep", "60"]) as other,
        subprocess.Popen(
            [sys.executable, "-c", "import time; time.sleep(60)", f"{logs}/%j"]
        ) as own,
    ):
        jobs = [Submitted(str(process.pid), "local", logs, "cell") for process in (other, own)]
        assert list(states(jobs, tmp_path).values()) == [GONE, "RUNNING"]
        for process in (other, own):
            process.kill()
    assert list(states(jobs, tmp_path).values()) == [GONE, GONE]


def line(**changed: object) -> str:
    return json.dumps(
        {"job_id": "1", "cluster": "slurm", "logs": "x", "submitted_at": 1.0} | changed
    )


@pytest.mark.parametrize(
    "record",
    [
        line(job_id=1),
        line(job_id="../../etc/passwd"),
        line(job_id="--help"),
        line(job_id="1\n2"),
        line(cluster="llm_juries.cluster.jobs.Local"),
        line(ended="../outside"),
        line(parts=[{"voter": "a", "dataset": "d", "prompt": "p", "keys": "../../x"}]),
        line(parts=[{"voter": "a", "dataset": "d", "prompt": "p", "keys": "0" * 31}]),
        line(parts={"_target_": "os.system"}),
        line(submitted_at="now"),
        line(submitted_at=10**400),
        '{"job_id": ' + "[" * 100_000,
        line(further=0)[:-2] + "[" * 100_000 + "]" * 100_000 + "}",
        "",
        "\ud800".encode(errors="surrogatepass").decode(errors="surrogateescape"),
        "null",
        "cos\nsystem\n(S'touch PWNED'\ntR.",
        "!!python/object/apply:os.system ['touch PWNED']",
    ],
)
def test_a_record_that_is_none_is_told_in_one_line(tmp_path: Path, record: str):
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "x.jsonl").write_bytes(f"{record}\n".encode(errors="surrogateescape"))
    with pytest.raises(JuriesError, match=r"x\.jsonl: not a record of jobs") as told:
        recorded(tmp_path)
    assert "\n" not in str(told.value)


HOSTILE = {"overrides": ["judge=contains", "+judges.x._target_=subprocess.getoutput",
                         "+judges.x.cmd='touch PWNED'"], "searched": "evil", "judges": ["contains"],
           "datasets": ["sample_qa"]}  # fmt: skip


def test_nothing_that_a_store_says_of_its_jobs_is_run(tmp_path: Path):
    """Overrides that instantiate, a folder of yamls, a pickle where submitit would have put one."""
    store = tmp_path / "store"
    (store / "jobs").mkdir(parents=True)
    logs = tmp_path / "logs"
    logs.mkdir()
    for job_id in ("1", "2"):
        stolen = b"cos\nsystem\n(S'touch %s'\ntR." % os.fsencode(tmp_path / "PWNED")
        (logs / f"{job_id}_0_result.pkl").write_bytes(stolen)
        (logs / job_id).mkdir()
        (logs / job_id / f"{job_id}_0_result.pkl").write_bytes(stolen)
    (logs / "judge").mkdir()
    (logs / "judge" / "contains.yaml").write_text("_target_: os.abort\n")
    records = [
        line(
            job_id="1", logs=str(logs / "%j"), cluster=cluster, **HOSTILE | {"searched": str(logs)}
        )
        for cluster in ("local", "slurm")
    ]
    (store / "jobs" / "x.jsonl").write_text("\n".join(records))
    done = script("status", tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "2 jobs were recorded by an earlier version" in done.stderr
    named = script("status", tmp_path, "judge=contains")
    assert "0 of 140 verdicts done" in named.stdout, named.stderr
    assert not list(tmp_path.rglob("PWNED"))
    assert not (ROOT / "PWNED").exists()


@pytest.mark.parametrize("kind", ["pipe", "folder", "out", "loop"])
def test_a_record_that_is_no_file_of_the_store_is_not_read(tmp_path: Path, kind: str):
    (tmp_path / "store" / "jobs").mkdir(parents=True)
    path = tmp_path / "store" / "jobs" / "x.jsonl"
    outside = tmp_path / "outside.jsonl"
    outside.write_text(line())
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case "out":
            path.symlink_to(outside)
        case "loop":
            path.symlink_to(path)
    with pytest.raises((JuriesError, OSError), match=r"x\.jsonl"):
        recorded(tmp_path / "store")


def in_a_process(code: str) -> subprocess.Popen[str]:
    start = "import signal, sys, time\nfrom llm_juries.cluster import jobs\n"
    return subprocess.Popen(
        [sys.executable, "-c", start + code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


CHILD = """
import signal, sys, time
def stop(number, frame):
    time.sleep(0.5)
    print("stored", flush=True)
    sys.exit(143)
signal.signal(signal.SIGTERM, stop)
print("begun", flush=True)  # from now on a signal is heard
time.sleep(60)
"""
JOB = f"""
signal.signal(signal.SIGUSR2, lambda *_: (print("requeued", flush=True), sys.exit(0)))
jobs.LINGER_S = 1.0
jobs.Job((sys.executable, "-c", {CHILD!r}))()
"""


@pytest.mark.parametrize(
    ("sent", "said", "code"),
    [
        ([signal.SIGUSR2], ["stored", "requeued"], 0),
        ([signal.SIGTERM, signal.SIGUSR2], ["stored", "requeued"], 0),
        ([signal.SIGTERM], ["stored"], 1),  # cancelled: it is not begun again
    ],
)
def test_a_job_stores_what_is_under_way_before_it_is_requeued(
    sent: list[signal.Signals], said: list[str], code: int
):
    with in_a_process(JOB) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        for number in sent:
            process.send_signal(number)
        out, _ = process.communicate(timeout=60)
    assert out.split() == said
    assert process.returncode == code


def test_what_a_job_runs_does_not_outlive_it():
    with in_a_process(JOB) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.kill()
        assert process.stdout.read() == "stored\n"  # read to the end: nobody writes any more


def test_what_a_job_runs_is_left_alone_by_a_signal_to_all_of_its_processes():
    code = "import os, signal; os.kill(os.getpid(), signal.SIGUSR2)"
    Job((sys.executable, "-c", code))()


def test_a_command_that_fails_fails_its_job():
    with pytest.raises(RuntimeError, match="ended with 3"):
        Job((sys.executable, "-c", "raise SystemExit(3)"))()


def test_only_some_jobs_run_at_a_time(tmp_path: Path):
    child = "import time; print('in', flush=True); time.sleep(0.3); print('out', flush=True)"
    job = f"jobs.Job((sys.executable, '-c', {child!r}), {str(tmp_path)!r}, 1)()"
    with (tmp_path / "said").open("w") as said:
        start = "import sys\nfrom llm_juries.cluster import jobs\n"
        command = [sys.executable, "-c", start + job]
        for process in [subprocess.Popen(command, stdout=said) for _ in range(3)]:
            assert process.wait(60) == 0
    assert (tmp_path / "said").read_text().split() == ["in", "out"] * 3


def test_a_sweep_of_retired_models_is_refused_before_anything_is_submitted(tmp_path: Path):
    judges = "judge=gpt_4_turbo,claude_3_haiku,contains"
    refused = script("submit", tmp_path, judges, "cluster=local")
    assert refused.returncode == 2
    assert refused.stderr.startswith("error: 2 models are retired and no longer served: claude_3_")
    assert "use gpt_5_6_sol" in refused.stderr
    assert recorded(tmp_path / "store") == []
    allowed = script("submit", tmp_path, judges, "allow_retired=true", "dry_run=true")
    assert "3 jobs would be submitted" in allowed.stdout
