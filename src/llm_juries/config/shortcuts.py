"""Compose configs a third faster: leave out what Hydra and OmegaConf do for nothing.

Hydra copies thousands of nodes for each config, and `copy.deepcopy` takes the metadata of each (its
key, types and flags) apart, value by value. And of each yaml's list of defaults Hydra 1.3 makes a
config in case one of them is chosen by another, as in `db: ${server}`; Hydra 1.4 does not.
"""

from __future__ import annotations

from collections import defaultdict
from copy import deepcopy
from typing import Any

from hydra._internal import defaults_list as hydra_defaults
from hydra.core.default_element import InputDefault
from omegaconf import DictConfig
from omegaconf.base import Metadata

_of_hydra: Any = getattr(hydra_defaults, "_create_interpolation_map", None)


def use_shortcuts() -> None:
    """Let OmegaConf copy metadata as a whole, and Hydra map choices where needed, from here on."""
    Metadata.__deepcopy__ = _copied  # type: ignore[attr-defined]
    if _of_hydra is not None:
        hydra_defaults._create_interpolation_map = _choices


def _copied(metadata: Metadata, memo: dict[int, Any]) -> Metadata:
    """Return a copy that shares what OmegaConf replaces and never changes in place."""
    copied = object.__new__(type(metadata))
    vars(copied).update(vars(metadata))
    copied.flags = dict(metadata.flags or {})
    cache = metadata.resolver_cache
    copied.resolver_cache = deepcopy(cache, memo) if cache else defaultdict(dict)
    return copied


def _choices(overrides: Any, defaults_list: list[InputDefault], self_added: bool) -> DictConfig:
    """Return what interpolated defaults may refer to, nothing where no default is."""
    if any(default.is_interpolation() for default in defaults_list):
        found: DictConfig = _of_hydra(overrides, defaults_list, self_added)
        return found
    return DictConfig({})
