"""Commands as Hydra runs them: on configs that it composed and `config.composing` finished."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Collection
from pathlib import Path

import hydra
from hydra._internal import hydra as _hydra
from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from ..config.composing import check_overrides, composed, finish, key_of, register
from ..config.locations import conf_dir
from ..config.study import SUBJECT, VOTERS
from ..errors import JuriesError
from .endings import end_of_pipe, parsed
from .mistakes import TRACEBACKS, is_mistake, stop

Command = Callable[[DictConfig], None]
MODE = {"hydra", "hydra.mode", "hydra.searchpath"}
"""Keys that say whether a run is a multirun, or where else a yaml may say so."""


class ComposedOnce(_hydra.Hydra):
    """Hydra composes a config twice, at first only to see a `hydra.mode`; no yaml here sets it."""

    def get_mode(self, config_name: str | None, overrides: list[str]) -> RunMode | None:
        """Return the mode that the user set, in an override or a yaml of their own."""
        searched = {source.path for source in self.config_loader.get_search_path().get_path()}
        usual = {"pkg://hydra.conf", str(conf_dir()), "structured://"}
        if searched <= usual and not MODE & set(map(key_of, overrides)):
            return None
        mode: RunMode | None = super().get_mode(config_name, overrides)
        return mode


def check_arguments(name: str) -> None:
    """Check the flags of a command, and what `--cfg` prints, which Hydra does not hand over.

    Raises
    ------
    JuriesError
        In one line: an unknown flag, a key that nothing reads.
    """
    given = parsed(get_args_parser(), name)
    check_overrides(given.overrides)
    if given.cfg in ("job", "all") and not given.multirun and not given.config_path:
        composed(name, given.overrides, given.config_dir)


def hydra_main(name: str, command: Command) -> Callable[[], None]:
    """Return a function that lets Hydra compose conf/NAME.yaml and runs a command on the result."""
    register()
    _hydra.Hydra = ComposedOnce  # type: ignore[misc]
    decorate = hydra.main(config_path=str(conf_dir()), config_name=name, version_base="1.3")
    main: Callable[[], None] = decorate(task(name, command))
    return main


def task(name: str, command: Command) -> Command:
    """Return a command that finishes its config first and ends with one line on a mistake.

    In a multirun a mistake stays an exception, so that the other jobs go on.
    """

    @functools.wraps(command)
    def run_task(cfg: DictConfig) -> None:
        try:
            finished = finish(cfg, HydraConfig.get(), name)
            if "sweep" in finished and finished.sweep is None:
                finished.sweep = _sweep(finished)
            command(finished)
        except BrokenPipeError:
            end_of_pipe()
        except Exception as error:
            multirun = HydraConfig.get().mode is RunMode.MULTIRUN
            if multirun or TRACEBACKS or not is_mistake(error):
                raise
            stop(error)

    return run_task


def _sweep(cfg: DictConfig) -> str | None:
    """Return the name of the sweep that a run is part of, None for a run of its own.

    The jobs of one multirun are a sweep, and so are shards that were begun one by one.
    """
    hydra_config = HydraConfig.get()
    if hydra_config.mode is RunMode.MULTIRUN:
        return Path(hydra_config.sweep.dir).name
    if cfg.get("shards", 1) == 1:
        return None
    asked = OmegaConf.masked_copy(cfg, [key for key in ("shards", *SUBJECT, *VOTERS) if key in cfg])
    return f"shards_{hashlib.sha256(OmegaConf.to_yaml(asked).encode()).hexdigest()[:12]}"


def given_overrides() -> list[str]:
    """Return the arguments of the command line that set keys."""
    return [str(override) for override in HydraConfig.get().overrides.task]


def check_not_given(names: Collection[str], reason: str) -> None:
    """Raise JuriesError for an argument that sets one of these keys, or a key in one of them."""
    for override in given_overrides():
        parts = key_of(override).split(".")
        if any(".".join(parts[:end]) in names for end in range(1, len(parts) + 1)):
            raise JuriesError(f"{override}: is not used, as {reason}; leave it out")


def experiment() -> str | None:
    """Return the name of the experiment that was chosen, None without one."""
    return HydraConfig.get().runtime.choices.get("experiment")
