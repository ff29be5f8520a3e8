"""Parse yamls with libyaml: PyYAML's own parser takes ten times as long.

Hydra and OmegaConf 2.3 name PyYAML's parser and take no other, so what OmegaConf makes a loader of
is put in its place. The loader keeps OmegaConf's rules: no key twice, 1e-3 is a number.
"""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf, _utils
from yaml.constructor import SafeConstructor
from yaml.resolver import Resolver

_of_omegaconf: Any = getattr(_utils, "get_yaml_loader", None)


@cache
def _loader() -> Any:
    rules = _of_omegaconf()
    if not yaml.__with_libyaml__:
        return rules
    from yaml._yaml import CParser

    class Loader(CParser, rules):  # type: ignore[misc, valid-type]
        def __init__(self, stream: Any) -> None:
            CParser.__init__(self, stream)
            SafeConstructor.__init__(self)
            Resolver.__init__(self)

    return Loader


def use_libyaml() -> None:
    """Let OmegaConf and Hydra parse with libyaml from here on."""
    if _of_omegaconf is not None:  # OmegaConf 2.4 does by itself
        _utils.get_yaml_loader = _loader


def version_of(path: Path) -> tuple[int, ...]:
    """Return what changes when a file is written again or replaced."""
    status = path.stat()
    return status.st_ino, status.st_mtime_ns, status.st_size


def load(path: Path) -> Any:
    """Return the config that a yaml holds; each version of a file is parsed once."""
    use_libyaml()
    return deepcopy(_loaded(path, version_of(path)))


@cache
def _loaded(path: Path, _version: tuple[int, ...]) -> Any:
    return OmegaConf.load(path)
