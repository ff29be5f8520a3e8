"""Run commands in this process, as the console program does: a fraction of a second each."""

from __future__ import annotations

import contextlib
import gc
import io
import logging
import subprocess
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig

from llm_juries.__main__ import main

ROOT = Path(__file__).parent.parent


class Ended(NamedTuple):
    """How a command ended; `bug` is the traceback of an exception that nothing handled."""

    code: int
    out: str
    err: str
    bug: str


def ended(
    folder: Path,
    *arguments: str,
    tracebacks: bool = False,
    environment: Mapping[str, str] | None = None,
) -> Ended:
    """Run `llm-juries ARGUMENTS` in a folder, with Hydra's own tracebacks or without."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    collected = gc.get_threshold()
    out, err = io.StringIO(), io.StringIO()
    code, bug = 0, ""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("HYDRA_FULL_ERROR", str(int(tracebacks)))  # commands set it; here it is undone
        for name, value in (environment or {}).items():
            patch.setenv(name, value)
        patch.setattr(sys, "argv", ["llm-juries", *arguments])
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                main()
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else 1
            except Exception:
                code, bug = 1, traceback.format_exc()
    for handler in set(root.handlers) - set(before[0]):
        handler.close()
    root.handlers[:], root.level = before
    gc.set_threshold(*collected)
    GlobalHydra.instance().clear()
    HydraConfig.instance().cfg = None
    return Ended(code, out.getvalue(), err.getvalue(), bug)


def completed(
    *arguments: str, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Return what a process of its own would return for `llm-juries ARGUMENTS` in the checkout."""
    done = ended(ROOT, *arguments, environment=environment)
    return subprocess.CompletedProcess(arguments, done.code, done.out, done.err + done.bug)
