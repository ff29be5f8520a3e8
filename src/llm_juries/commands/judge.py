"""llm-juries judge: ask judges about a dataset and keep their verdicts."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig

from ..errors import JuriesError
from . import command_line


def judge(cfg: DictConfig) -> None:
    """Collect what the store lacks; print what was asked and what it gave."""
    from ..collect.estimate import forecast, total
    from ..collect.progress import check_complete, progress_of, tally_table
    from ..collect.run import collect
    from ..config.build import build
    from ..config.composing import written
    from ..config.settings import settings
    from ..config.study import studies
    from ..judges.recorded import RecordedJudge
    from ..markdown import markdown
    from ..reporting.tracking import Finished, tally_metrics
    from ..store.store import Store
    from .collection import summary
    from .hydra_app import experiment

    tracking = build(cfg.wandb, "wandb")
    chosen = settings(cfg)
    policy = chosen.policy
    found = studies(cfg)
    plans = [plan for study in found for plan in study.plans]
    if not plans:
        raise JuriesError(
            "judge: none is named; set some, such as judge=[contains] or jury=embedded"
        )
    with Store(chosen.places.store) as store:
        if policy.dry_run:
            table = forecast(plans, store, policy)
            print(f"{markdown(table)}\n\n{total(table)}")
            return
        with progress_of(policy, plans) as bars:
            tallies = collect(found, store, policy, bars)
        models = {plan.voter for plan in plans if not plan.judge.free}
        print(summary(tallies, models, chosen.places.store))
        collected = tally_table(tallies)
        tracking.log(
            Finished(
                Path(cfg.output_dir),
                "judge",
                written(cfg),
                {"collected": collected},
                metrics=tally_metrics(collected),
                group=experiment() or found[0].dataset.name,
            ),
            [plan for plan in plans if not isinstance(plan.judge, RecordedJudge)],
            store,
        )
    check_complete(tallies)


def main() -> None:
    """Run the command with the arguments of the command line."""
    command_line.run("judge", judge)
