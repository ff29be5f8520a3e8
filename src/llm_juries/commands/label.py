"""llm-juries label: label answers by hand, blind, in a spreadsheet."""

from __future__ import annotations

from omegaconf import DictConfig

from . import command_line


def label(cfg: DictConfig) -> None:
    """Write a sheet to fill, or read a filled one back."""
    from ..config.build import build, pick
    from ..data.annotation_sheets import Task

    task = pick(cfg, Task)
    print(task.run(build(cfg.dataset, "dataset")))


def main() -> None:
    """Run the command with the arguments of the command line."""
    command_line.name_action()
    command_line.run("label", label)
