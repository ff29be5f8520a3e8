"""llm-juries submit: submit a sweep to a cluster, one job for each judge and dataset."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path

from . import command_line


def submit(given: Namespace) -> None:
    """Submit a job for each judge and dataset with missing verdicts; print their ids and exit."""
    from ..cluster.grid import grid
    from ..cluster.submit import send, table, workloads
    from ..config.build import build
    from ..config.keys import own_keys
    from ..config.settings import settings
    from ..markdown import markdown
    from ..store.store import Store

    not_the_jobs = [*(key.name for key in own_keys("submit")), "dry_run"]
    cells = grid("submit", given.overrides, given.config_dir, not_the_jobs)
    cfg = cells[0].cfg
    where = build(cfg.cluster, "cluster")
    chosen = settings(cfg)
    policy, places = chosen.policy, chosen.places
    with Store(places.store) as store:
        found = workloads(cells, store, policy)
    print(f"{markdown(table(found))}\n")
    if policy.dry_run:
        print(f"{sum(one.open for one in found)} jobs would be submitted (dry_run)")
        return
    program = [sys.executable, "-m", "llm_juries", "judge"]
    sent = send(found, where, Path(places.logs), program, Path(places.store), given.config_dir)
    for job in sent:
        print(f"{job.job_id}  {job.title}")
    print(f"{len(sent)} jobs submitted; llm-juries status store={places.store}")


def main() -> None:
    """Run the command with the arguments of the command line."""
    command_line.run_sweep("submit", submit)
