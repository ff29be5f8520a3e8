"""Compute with numpy on all cores."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager


@contextmanager
def threads() -> Iterator[ThreadPoolExecutor]:
    """Give a pool of a thread a core, since numpy computes outside of Python's lock.

    In them BLAS takes one core a call: its own threads would wait for each other.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, "blas"), ThreadPoolExecutor(os.cpu_count()) as pool:
        yield pool
