"""A sweep on a real Ray cluster of two nodes on loopback, from an environment of its own."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from conftest import ROOT
from llm_juries.store.store import Store

PYTHON = os.environ.get("LLM_JURIES_RAY_PYTHON", "")
HEAD, WORKER, PORT = "127.0.0.2", "127.0.0.3", 6390  # 127.0.0.1 is not kept by Ray

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PYTHON, reason="LLM_JURIES_RAY_PYTHON names no Python (make test-ray)"),
]


def ended(node: subprocess.Popen[bytes], token: str) -> None:
    """End a node and all that it has started, known by the token."""
    node.terminate()
    try:
        node.wait(20)
    except subprocess.TimeoutExpired:
        node.kill()
    for process in psutil.process_iter():
        try:
            if process.environ().get("RAY_AUTH_TOKEN") == token and process.pid != os.getpid():
                process.send_signal(signal.SIGKILL)
        except psutil.Error:
            continue


@pytest.fixture
def ray(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Start a head and a worker; yield the environment of a driver."""
    token = secrets.token_hex(16)
    environment = os.environ | {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": token,
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_ADDRESS": f"{HEAD}:{PORT}",
    }
    start = [str(Path(PYTHON).parent / "ray"), "start", "--block", "--num-cpus=2"]
    start += ["--object-store-memory=100000000", "--disable-usage-stats"]
    # Sockets lie in the folder, and their paths may not be long.
    folder = f"/tmp/ray-{token[:8]}"  # noqa: S108
    head = ["--head", f"--port={PORT}", f"--node-ip-address={HEAD}", f"--temp-dir={folder}"]
    head.append("--include-dashboard=false")
    nodes = []
    with (tmp_path / "nodes.log").open("w") as log:
        try:
            for options in (head, [f"--address={HEAD}:{PORT}", f"--node-ip-address={WORKER}"]):
                nodes.append(
                    subprocess.Popen([*start, *options], env=environment, stdout=log, stderr=log)
                )
                deadline = time.monotonic() + 120
                while (tmp_path / "nodes.log").read_text().count("runtime started") < len(nodes):
                    assert nodes[-1].poll() is None, (tmp_path / "nodes.log").read_text()
                    assert time.monotonic() < deadline
                    time.sleep(0.5)
            yield environment
        finally:
            for node in nodes[::-1]:
                ended(node, token)


def test_a_sweep_runs_on_two_nodes_and_again_asks_nothing(ray: dict[str, str], tmp_path: Path):
    sweep = ["judge=contains,exact_match", "dataset=sample_qa", "shard=0,1,2", "shards=3"]
    where = [f"store={tmp_path / 'store'}", f"hydra.sweep.dir={tmp_path / 'sweep'}"]
    command = [PYTHON, "scripts/judge.py", "-m", *sweep, *where, "hydra/launcher=ray_cluster"]

    def run() -> str:
        done = subprocess.run(
            command, cwd=ROOT, env=ray, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout + done.stderr

    said = run()
    lines = [
        line for p in (tmp_path / "store").glob("*.jsonl") for line in p.read_text().splitlines()
    ]
    found = list(Store(tmp_path / "store"))
    print(f"6 jobs, {len(lines)} verdicts; on the second node: {WORKER in said}")
    assert len(found) == len({v.key for v in found})
    assert {verdict.judge for verdict in found} == {"contains", "exact_match"}
    assert WORKER in said  # SPREAD used both
    size = sum(p.stat().st_size for p in (tmp_path / "store").glob("*.jsonl"))
    run()
    assert sum(p.stat().st_size for p in (tmp_path / "store").glob("*.jsonl")) == size
