"""llm-juries store: verify, compact, count, export, import or merge a store of verdicts."""

from __future__ import annotations

from omegaconf import DictConfig

from . import command_line


def store(cfg: DictConfig) -> None:
    """Verify, compact, count, export, import or merge; print what was found or done."""
    from ..config.build import pick
    from .store_action import StoreAction, run

    print(run(pick(cfg, StoreAction)))


def main() -> None:
    """Run the command with the arguments of the command line."""
    command_line.name_action()
    command_line.run("store", store)
