"""What the tests of real vLLM share: small models and a server of one."""

from __future__ import annotations

import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from conftest import ROOT
from llm_juries.judges.vllm.child import WORKER
from llm_juries.judges.vllm.judge import DEVICES

ON_GPU = any(Path(path).exists() for path in DEVICES)
"""Whether the tests run on a GPU: vLLM's build for CUDA takes one wherever there is one."""
SHARE = 0.15
"""Of a GPU's memory, for each of several models that run beside one another."""


def random_model(python: str, kind: str, folder: Path) -> Path:
    """Write a small model with random weights (see random_model.py) to a folder."""
    subprocess.run(
        [python, str(ROOT / "tests/local/random_model.py"), kind, str(folder)],
        check=True,
        capture_output=True,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
    )
    return folder


@contextmanager
def vllm_serve(python: str, model: Path, *options: str) -> Iterator[str]:
    """Serve a model for as long as the context lasts; yields the address of its API."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        python, str(WORKER), "serve", str(model), "--host=127.0.0.1", f"--port={port}",
        "--dtype=float32", "--max-model-len=2048", "--enforce-eager", *options,
    ]  # fmt: skip
    command += [f"--gpu-memory-utilization={SHARE}"] if ON_GPU else []
    environment = {"VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1"}
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **environment, "VLLM_LOGGING_LEVEL": "ERROR"},
        start_new_session=True,
    ) as process:
        assert process.stdin is not None
        try:
            while not _healthy(port):
                assert process.poll() is None, "vLLM exited"
                time.sleep(0.5)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.stdin.close()  # the worker then ends with all that it started


def _healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as response:
            return response.status == 200
    except OSError:
        return False
