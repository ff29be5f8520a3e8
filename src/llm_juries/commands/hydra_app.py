"""Commands as Hydra runs them: on configs that it composed and `config.composing` finished."""

from __future__ import annotations

import functools
from collections.abc import Callable

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from ..config.composing import finish, register
from ..config.locations import conf_dir
from .mistakes import TRACEBACKS, USER_ERRORS, stop

Command = Callable[[DictConfig], None]


def hydra_main(name: str, command: Command) -> Callable[[], None]:
    """Return a function that lets Hydra compose conf/NAME.yaml and runs a command on the result."""
    register()
    decorate = hydra.main(config_path=str(conf_dir()), config_name=name, version_base="1.3")
    composed: Callable[[], None] = decorate(task(name, command))
    return composed


def task(name: str, command: Command) -> Command:
    """Return a command that finishes its config first and ends with one line on a mistake.

    In a multirun a mistake stays an exception, so that the other jobs go on.
    """

    @functools.wraps(command)
    def run_task(cfg: DictConfig) -> None:
        try:
            command(finish(cfg, HydraConfig.get(), name))
        except USER_ERRORS as error:
            if HydraConfig.get().mode is RunMode.MULTIRUN or TRACEBACKS:
                raise
            stop(error)

    return run_task


def experiment() -> str | None:
    """Return the name of the experiment that was chosen, None without one."""
    return HydraConfig.get().runtime.choices.get("experiment")
