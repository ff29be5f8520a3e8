"""llm-juries submit: submit a sweep to a cluster, one job for each judge and dataset."""

from __future__ import annotations

import sys
from pathlib import Path

from ..config.locations import conf_dir
from . import command_line

OWN = ("cluster", "logs", "dry_run")  # keys that are not the jobs'


def submit() -> None:
    """Submit a job for each judge and dataset with missing verdicts; print their ids and exit."""
    given = command_line.sweep_arguments(
        "Submit a sweep of llm-juries judge.", conf_dir() / "submit.yaml"
    )

    from ..cluster.grid import grid
    from ..cluster.submit import send, table, workloads
    from ..collect.policy import Policy
    from ..config.build import build, pick
    from ..markdown import markdown
    from ..store.store import Store

    cells = grid(conf_dir(), "submit", given.overrides, given.config_dir, OWN)
    cfg = cells[0].cfg
    where = build(cfg.cluster, "cluster")
    policy = pick(cfg, Policy)
    with Store(cfg.store) as store:
        found = workloads(cells, store, policy)
    print(f"{markdown(table(found))}\n")
    if policy.dry_run:
        print(f"{sum(one.open for one in found)} jobs would be submitted (dry_run)")
        return
    program = [sys.executable, "-m", "llm_juries", "judge"]
    sent = send(found, where, Path(cfg.logs), program, Path(cfg.store), given.config_dir)
    for job in sent:
        print(f"{job.job_id}  {', '.join(job.judges)} on {', '.join(job.datasets)}")
    print(f"{len(sent)} jobs submitted; llm-juries status store={cfg.store}")


def main() -> None:
    """Run the command with the arguments of the command line."""
    command_line.run(submit, hydra=False)
