"""llm-juries status: show how far a sweep is."""

from __future__ import annotations

import sys
import time
from argparse import Namespace
from pathlib import Path

from . import command_line


def status(given: Namespace) -> None:
    """Print what is done of each judge and dataset, again and again if asked to."""
    from ..cluster.coverage import total
    from ..cluster.status import Watch, configs, sweep_status
    from ..config.build import build, pick
    from ..config.settings import settings
    from ..markdown import markdown
    from ..reporting.tracking import Finished

    cfg, wanted = configs(given.overrides, given.config_dir)
    watch, places = pick(cfg, Watch), settings(cfg).places
    tracking = build(cfg.wandb, "wandb")
    while True:
        rows = sweep_status(wanted, Path(places.store), watch)
        print(f"{time.strftime('%H:%M:%S')}\n\n{markdown(rows)}\n\n{total(rows)}", flush=True)
        seen = {"store": places.store}
        tracking.log(Finished(Path(places.logs), "status", seen, {"status": rows}))
        if watch.watch is None:
            return
        print(flush=True)
        time.sleep(watch.watch)


def main() -> None:
    """Run the command with the arguments of the command line; --watch stands for watch=30."""
    given = [one.replace("--watch", "watch", 1) for one in sys.argv[1:]]
    sys.argv[1:] = ["watch=30" if one == "watch" else one for one in given]
    command_line.run_sweep("status", status)
