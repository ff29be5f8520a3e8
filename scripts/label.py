"""Label answers by hand, blind, in a spreadsheet: python scripts/label.py --help."""

import sys

import hydra
from omegaconf import DictConfig

from llm_juries.commands import command_line as cli


@hydra.main(config_path="../conf", config_name="label", version_base="1.3")
@cli.task
def main(cfg: DictConfig) -> None:
    """Write a sheet to fill, or read a filled one back."""
    from llm_juries.config.build import build, pick
    from llm_juries.data.annotation_sheets import Task

    task = pick(cfg, Task)
    print(task.run(build(cfg.dataset, "dataset")))


if __name__ == "__main__":
    if sys.argv[1:] and sys.argv[1].isalpha():  # label.py export ... means action=export
        sys.argv[1] = f"action={sys.argv[1]}"
    cli.run(main)
