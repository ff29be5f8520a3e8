"""Copy configs faster: OmegaConf spends most of a copy on its nodes' metadata.

To compose a command's config, Hydra copies thousands of nodes, and `copy.deepcopy` takes the
metadata of each (its key, types and flags) apart, value by value.
"""

from __future__ import annotations

from collections import defaultdict
from copy import deepcopy
from typing import Any

from omegaconf.base import Metadata


def use_fast_copies() -> None:
    """Let OmegaConf copy metadata as a whole from here on."""
    Metadata.__deepcopy__ = _copied  # type: ignore[attr-defined]


def _copied(metadata: Metadata, memo: dict[int, Any]) -> Metadata:
    """Return a copy that shares what OmegaConf replaces and never changes in place."""
    copied = object.__new__(type(metadata))
    vars(copied).update(vars(metadata))
    copied.flags = dict(metadata.flags or {})
    cache = metadata.resolver_cache
    copied.resolver_cache = deepcopy(cache, memo) if cache else defaultdict(dict)
    return copied
