"""Provenance of results: versions of packages, platform, git commit."""

from __future__ import annotations

import contextlib
import importlib.metadata
import platform
import re
import subprocess
import time
from functools import cache
from pathlib import Path
from typing import Any


def provenance() -> dict[str, Any]:
    """Return the time, Python, platform, package versions and git commit."""
    return {
        "made_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": dict(_packages()),
        "git_commit": _git("rev-parse", "HEAD"),
        "git_changed_files": len((_git("status", "--porcelain") or "").splitlines()),
    }


@cache
def _packages() -> dict[str, str]:
    named = importlib.metadata.requires("llm-juries") or []
    packages = {"llm-juries": importlib.metadata.version("llm-juries")}
    for name in sorted({re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in named}):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):  # of another extra
            packages[name] = importlib.metadata.version(name)
    return packages


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603 - fixed arguments
            ["git", *arguments],  # noqa: S607
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
