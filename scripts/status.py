"""Say how far a sweep is: python scripts/status.py --help."""

import time
from pathlib import Path

from llm_juries.commands import command_line as cli

CONF = Path(__file__).absolute().parent.parent / "conf"


def main() -> None:
    """Print what is done of each judge and dataset, again and again if asked to."""
    given = cli.sweep_arguments("Say how far a sweep is.", CONF / "status.yaml")

    from llm_juries.cluster.coverage import total
    from llm_juries.cluster.status import Watch, configs, look
    from llm_juries.config.build import build, pick
    from llm_juries.markdown import markdown

    cfg, wanted = configs(CONF, given.overrides, given.config_dir)
    watch = pick(cfg, Watch)
    tracking = build(cfg.wandb, "wandb")
    while True:
        rows = look(wanted, Path(cfg.store), watch)
        print(f"{time.strftime('%H:%M:%S')}\n\n{markdown(rows)}\n\n{total(rows)}", flush=True)
        tracking.log(Path(cfg.logs), "status", {"store": cfg.store}, {"status": rows})
        if watch.watch is None:
            return
        print(flush=True)
        time.sleep(watch.watch)


if __name__ == "__main__":
    cli.run(main, hydra=False)
