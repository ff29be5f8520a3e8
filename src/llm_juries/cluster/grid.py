"""The grid of a sweep: from sweep-style overrides to configs, and each job's resources."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import msgspec
from omegaconf import DictConfig, OmegaConf

from ..config.build import RESOURCES
from ..config.composing import composed, key_of
from ..config.study import SUBJECT
from ..errors import JuriesError, nearest


@dataclass(frozen=True, order=True)
class Resources:
    """The resources of a job: the node `resources` of a judge's yaml.

    Parameters
    ----------
    gpus, cpus : int
        On one node.
    memory_gb : float
        Of the machine, not of the GPUs.
    minutes : int
        The time limit. A job that hits it is requeued, so this does not limit the work.
    """

    gpus: int = 0
    cpus: int = 1
    memory_gb: float = 4.0
    minutes: int = 60

    def __post_init__(self) -> None:
        for name, least in (("gpus", 0), ("cpus", 1), ("memory_gb", 0.1), ("minutes", 1)):
            if getattr(self, name) < least:
                raise JuriesError(f"{name}: is {getattr(self, name)}; must be {least} or more")


@dataclass(frozen=True)
class Cell:
    """One job of a sweep: the overrides of `llm-juries judge` that describe it, and its config."""

    overrides: tuple[str, ...]
    cfg: DictConfig


def needs(cfg: DictConfig) -> Resources:
    """Return the resources for all judges of a config: the largest of each, as they run in turn.

    Raises
    ------
    JuriesError
        If a judge's `resources` has an unknown key, or a value out of range.
    """
    known = [field.name for field in fields(Resources)]
    wanted = []
    for name, node in sorted(cfg.judges.items()):
        said = OmegaConf.to_container(node.get(RESOURCES) or DictConfig({}), resolve=True)
        assert isinstance(said, dict)  # noqa: S101 - a DictConfig always becomes a dict
        place = f"judges.{name}.{RESOURCES}"
        for key in map(str, said):
            if key not in known:
                raise JuriesError(f"{place}.{key}: no such key{nearest(key, known)}")
        try:
            wanted.append(msgspec.convert(said, Resources))
        except (msgspec.ValidationError, JuriesError) as error:
            raise JuriesError(f"{place}: {error}") from None
    if not wanted:
        return Resources()
    return Resources(*(max(getattr(w, name) for w in wanted) for name in known))


def expand(overrides: Sequence[str]) -> list[list[str]]:
    """Return the overrides of each job of a sweep, as Hydra's own sweeper does.

    "judge=a,b" and "shard=range(4)" are swept over, "judge=[a,b]" is one value.
    """
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
    from hydra.core.override_parser.overrides_parser import OverridesParser

    parsed = OverridesParser.create().parse_overrides(list(overrides))
    return [list(job) for job in BasicSweeper.split_arguments(parsed, max_batch_size=None)[0]]


def grid(
    name: str, overrides: Sequence[str], searched: Path | None = None, own: Sequence[str] = ()
) -> list[Cell]:
    """Compose the config of each job of a sweep.

    Parameters
    ----------
    name : str
        The primary config.
    overrides : sequence of str
        Sweep-style.
    searched : Path, optional
        A folder of the user's own yamls.
    own : sequence of str
        Keys that are not the job's: they are composed but left out of the cell's overrides.
    """
    return [
        Cell(tuple(without(job, own)), composed(name, job, searched)) for job in expand(overrides)
    ]


def without(overrides: Iterable[str], keys: Sequence[str]) -> list[str]:
    """Return the overrides that set neither one of some keys nor anything below one."""
    return [o for o in overrides if not any(f"{key_of(o)}.".startswith(f"{k}.") for k in keys)]


def subject(cfg: DictConfig) -> bytes:
    """Return, as text, the part of a config that determines a verdict besides the judge."""
    node = OmegaConf.to_container(OmegaConf.masked_copy(cfg, list(SUBJECT)), resolve=True)
    return msgspec.json.encode(node, order="deterministic")


def merged(configs: Iterable[DictConfig]) -> dict[bytes, DictConfig]:
    """Return one config for all that have the same `subject`: all their judges, no shard, no jury.

    So a dataset is loaded once, however many judges and shards a sweep has.
    """
    found: dict[bytes, DictConfig] = {}
    for cfg in configs:
        key = subject(cfg)
        if key not in found:
            found[key] = cfg.copy()
            OmegaConf.set_struct(found[key], False)
            found[key].update(shard=None, shards=1, judges={}, juries={})
        found[key].judges.update(cfg.judges)
    return found
