"""llm-juries status: show how far a sweep is."""

from __future__ import annotations

import time
from pathlib import Path

from ..config.locations import conf_dir
from . import command_line


def status() -> None:
    """Print what is done of each judge and dataset, again and again if asked to."""
    given = command_line.sweep_arguments("Show the status of a sweep.", conf_dir() / "status.yaml")

    from ..cluster.coverage import total
    from ..cluster.status import Watch, configs, sweep_status
    from ..config.build import build, pick
    from ..markdown import markdown

    cfg, wanted = configs(conf_dir(), given.overrides, given.config_dir)
    watch = pick(cfg, Watch)
    tracking = build(cfg.wandb, "wandb")
    while True:
        rows = sweep_status(wanted, Path(cfg.store), watch)
        print(f"{time.strftime('%H:%M:%S')}\n\n{markdown(rows)}\n\n{total(rows)}", flush=True)
        tracking.log(Path(cfg.logs), "status", {"store": cfg.store}, {"status": rows})
        if watch.watch is None:
            return
        print(flush=True)
        time.sleep(watch.watch)


def main() -> None:
    """Run the command with the arguments of the command line."""
    command_line.run(status, hydra=False)
