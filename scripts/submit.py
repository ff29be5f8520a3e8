"""Submit a sweep of scripts/judge.py as jobs of a cluster: python scripts/submit.py --help."""

import sys
from pathlib import Path

from llm_juries.commands import command_line as cli

SCRIPTS = Path(__file__).absolute().parent
CONF = SCRIPTS.parent / "conf"
OWN = ("cluster", "logs", "dry_run")  # keys that are not the jobs'


def main() -> None:
    """Submit a job for each judge and dataset that lacks verdicts; print their ids and exit."""
    given = cli.sweep_arguments("Submit a sweep of scripts/judge.py.", CONF / "submit.yaml")

    from llm_juries.cluster.grid import grid
    from llm_juries.cluster.submit import send, table, tasks
    from llm_juries.collect.policy import Policy
    from llm_juries.config.build import build, pick
    from llm_juries.markdown import markdown
    from llm_juries.store.store import Store

    cells = grid(CONF, "submit", given.overrides, given.config_dir, OWN)
    cfg = cells[0].cfg
    where = build(cfg.cluster, "cluster")
    policy = pick(cfg, Policy)
    with Store(cfg.store) as store:
        found = tasks(cells, store, policy)
    print(f"{markdown(table(found))}\n")
    if policy.dry_run:
        print(f"{sum(task.open for task in found)} jobs would be submitted (dry_run)")
        return
    program = [sys.executable, str(SCRIPTS / "judge.py")]
    sent = send(found, where, Path(cfg.logs), program, Path(cfg.store), given.config_dir)
    for job in sent:
        print(f"{job.job_id}  {', '.join(job.judges)} on {', '.join(job.datasets)}")
    print(f"{len(sent)} jobs submitted; python scripts/status.py store={cfg.store}")


if __name__ == "__main__":
    cli.run(main, hydra=False)
