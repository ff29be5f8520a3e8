"""Read the node `analysis` of a config: how votes are counted, measured, ranked and searched."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from omegaconf import DictConfig, OmegaConf

from ..analysis.jury_search import Criteria
from ..analysis.rankings import Rankings
from ..analysis.settings import Analysis, Settings
from ..errors import JuriesError, nearest
from ..metrics.bootstrap import Bootstrap
from .build import read

PARTS = {"bootstrap": Bootstrap, "ranking": Rankings, "search": Criteria}


def read_analysis(node: DictConfig) -> Analysis:
    """Build the settings of an analysis from the node `analysis`.

    Raises
    ------
    JuriesError
        In one line: an unknown key, or a value that is wrong.
    """
    known = [*PARTS, *(field.name for field in fields(Settings))]
    for key in map(str, node):
        if key not in known:
            raise JuriesError(f"analysis.{key}: no such key{nearest(key, known)}")
    parts: dict[str, Any] = {
        name: read(kind, node[name], f"analysis.{name}")
        for name, kind in PARTS.items()
        if name in node
    }
    rest = OmegaConf.masked_copy(node, [str(key) for key in node if key not in PARTS])
    return Analysis(read(Settings, rest, "analysis"), **parts)
