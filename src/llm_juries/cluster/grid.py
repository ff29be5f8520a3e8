"""The grid of a sweep: from sweep-style overrides to configs, and each job's resources."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import msgspec
from omegaconf import DictConfig, OmegaConf

from ..config.build import RESOURCES, read
from ..config.composing import composed, key_of
from ..config.resources import Resources
from ..config.seating import seats_of_run
from ..config.study import SUBJECT


@dataclass(frozen=True)
class Cell:
    """One job of a sweep: the overrides of `llm-juries judge` that describe it, and its config."""

    overrides: tuple[str, ...]
    cfg: DictConfig


def needs(cfg: DictConfig) -> Resources:
    """Return the resources for all judges of a config: the largest of each, as they run in turn.

    A judge's GPUs are never fewer than its engine takes: all of each of its copies.

    Raises
    ------
    JuriesError
        If a judge's `resources` has an unknown key, or a value out of range.
    """
    wanted = []
    for name, node in sorted(cfg.judges.items()):
        need = read(Resources, node.get(RESOURCES) or DictConfig({}), f"judges.{name}.{RESOURCES}")
        wanted.append(replace(need, gpus=max(need.gpus, _engine_gpus(node))))
    wanted = wanted or [Resources()]
    names = [field.name for field in fields(Resources)]
    return Resources(*(max(getattr(one, name) for one in wanted) for name in names))


def _engine_gpus(node: DictConfig) -> int:
    """Return the GPUs that a judge's own engine takes, 0 where it has none."""
    engine, runtime = node.get("engine"), node.get("runtime") or {}
    if not isinstance(engine, DictConfig) or node.get("device") != "gpu":
        return 0
    if runtime.get("base_url") is not None:
        return 0
    splits = ("tensor_parallel", "pipeline_parallel", "data_parallel")
    return math.prod(int(engine.get(name, 1)) for name in splits)


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
    """Return one config for all that have the same `subject`: all their seats, no shard, no jury.

    So a dataset is loaded once, however many judges and shards a sweep has.
    """
    found: dict[bytes, DictConfig] = {}
    for cfg in configs:
        key = subject(cfg)
        if key not in found:
            found[key] = cfg.copy()
            OmegaConf.set_struct(found[key], False)
            found[key].update(shard=None, shards=1, judges={}, juries={}, seats=[])
        found[key].judges.update(cfg.judges)
        prompts = {**(found[key].get("seat_prompts") or {}), **(cfg.get("seat_prompts") or {})}
        found[key].seat_prompts = prompts
        seats = {*found[key].seats, *(str(seat) for seat in seats_of_run(cfg))}
        found[key].seats = sorted(seats)
    return found
