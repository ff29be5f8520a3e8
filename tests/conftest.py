"""What the tests share: commands run as a user runs them, in this process where that is enough."""

from __future__ import annotations

import gc
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

# A BLAS with a thread for each core, in several processes at once, spends its time waiting: a test
# took 146 s in the suite and 8 s alone. Before numpy is imported; scripts inherit it.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# A hundred processes, and each worker, would else compile the package and the tests again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# The day by which the tests see models retired and prices old, so that no test fails by itself.
os.environ["LLM_JURIES_TODAY"] = "2026-11-26"

from in_process import ROOT, completed  # noqa: E402 - after what it inherits

Run = Callable[..., subprocess.CompletedProcess[str]]


def pytest_xdist_auto_num_workers() -> int:
    """Return three workers for two CPUs: a third of their time they wait for what they started."""
    cpus = os.cpu_count() or 1
    return cpus + cpus // 2


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that have slow tests: a worker that meets one last works on alone."""
    slow = {item.path for item in items if any(map(item.get_closest_marker, ("slow", "model")))}
    items.sort(key=lambda item: item.path not in slow)


def pytest_collection_finish() -> None:
    """Leave out of every garbage collection what the thousands of tests themselves are.

    And collect less often: every 700 objects take 5% of the time of tests that compose configs.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000)


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture
def run_script(tmp_path: Path) -> Run:
    """Return a function that runs a command in this process, its output under tmp_path."""

    def run(name: str, *overrides: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return completed(name, *options(tmp_path, *overrides), environment=environment)

    return run


@pytest.fixture
def run_process(tmp_path: Path) -> Run:
    """Return a function that runs scripts/NAME.py as `run_script` does, in a process of its own."""

    def run(name: str, *overrides: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            script(name, tmp_path, *overrides),
            cwd=ROOT,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=600,
        )

    return run


def script(name: str, folder: Path, *overrides: str) -> list[str]:
    """Return the command of a script whose store and output lie in a folder of the test's."""
    return [sys.executable, f"scripts/{name}.py", *options(folder, *overrides)]


def options(folder: Path, *overrides: str) -> list[str]:
    """Return the arguments of a command whose store and output lie in a folder of the test's."""
    flags = [override for override in overrides if override.startswith("-")]
    values = [override for override in overrides if not override.startswith("-")]
    # Hydra takes flags before the overrides only.
    return [*flags, f"store={folder / 'store'}", f"hydra.run.dir={folder / 'out'}", *values]


@pytest.fixture(scope="session")
def vllm_python() -> str:
    """Return an interpreter that has vLLM."""
    python = os.environ.get("LLM_JURIES_VLLM_PYTHON")
    if not python:
        pytest.skip("no interpreter with vLLM is named; make test-vllm sets one up")
    return python


@pytest.fixture(autouse=True)
def _no_delayed_exit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands that are stopped end their process after seconds; here that would be pytest's."""
    monkeypatch.setattr("llm_juries.commands.endings._end_soon", lambda _: None)


@pytest.fixture(autouse=True)
def _one_thread_a_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """llama.cpp's threads spin while they wait for each other: with busy cores, for minutes."""
    monkeypatch.setattr("llm_juries.judges.llamacpp.cores", lambda: 1)


@pytest.fixture(autouse=True)
def _no_handlers_left() -> Iterator[None]:
    """Hydra, run in pytest's process, leaves a handler that writes to this test's captured output.

    A later test that logs would print that it is closed, with a traceback.
    """
    before = list(logging.root.handlers)
    yield
    for handler in set(logging.root.handlers).difference(before):
        logging.root.removeHandler(handler)
