"""The GPUs of this machine, asked of NVIDIA's own tool."""

from __future__ import annotations

import os
import subprocess
from typing import NamedTuple

QUERY = ("nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader,nounits")
MIB_A_GB = 1e9 / 2**20


class Gpu(NamedTuple):
    """A GPU: its card's name and its memory in GB (10^9 bytes)."""

    name: str
    memory_gb: float


def gpus_here() -> list[Gpu]:
    """Return the GPUs that nvidia-smi lists; none where it is missing or fails."""
    try:
        done = subprocess.run(  # noqa: S603 - fixed arguments
            QUERY, capture_output=True, text=True, check=True, timeout=30
        )
    except (OSError, subprocess.SubprocessError):
        return []
    found = []
    for line in done.stdout.splitlines():
        name, _, memory = line.rpartition(",")
        if memory.strip().isdigit():  # "[N/A]" on some boards
            found.append(Gpu(name.strip(), int(memory) / MIB_A_GB))
    return found


def gpus_visible() -> int | None:
    """Return how many GPUs a process started here sees, None where nothing says so.

    As CUDA reads it, CUDA_VISIBLE_DEVICES ends at its first entry that is no device.
    """
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is None:
        return len(gpus_here()) or None
    entries = [entry.strip() for entry in named.split(",")]
    ends = (n for n, entry in enumerate(entries) if not entry or entry.startswith("-"))
    return next(ends, len(entries))
