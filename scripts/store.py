"""Look after a store of verdicts: python scripts/store.py --help."""

import sys

import hydra
from omegaconf import DictConfig

from llm_juries.commands import command_line as cli


@hydra.main(config_path="../conf", config_name="store", version_base="1.3")
@cli.task
def main(cfg: DictConfig) -> None:
    """Verify, compact, count, export, import or merge; print what was found or done."""
    from llm_juries.commands.store_action import StoreAction, run
    from llm_juries.config.build import pick

    print(run(pick(cfg, StoreAction)))


if __name__ == "__main__":
    if sys.argv[1:] and sys.argv[1].isalpha():  # store.py verify ... means action=verify
        sys.argv[1] = f"action={sys.argv[1]}"
    cli.run(main)
