"""Ask judges about a dataset and keep their verdicts: python scripts/judge.py --help."""

from pathlib import Path

import hydra
from omegaconf import DictConfig, OmegaConf

from llm_juries.commands import command_line as cli


@hydra.main(config_path="../conf", config_name="judge", version_base="1.3")
@cli.task
def main(cfg: DictConfig) -> None:
    """Collect what the store lacks; print what was asked and what it gave."""
    from llm_juries.collect.estimate import forecast, total
    from llm_juries.collect.policy import Policy
    from llm_juries.collect.progress import Bars, check_complete, tally_table
    from llm_juries.collect.run import collect
    from llm_juries.commands.collection import summary
    from llm_juries.config.build import build, pick
    from llm_juries.config.study import studies
    from llm_juries.markdown import markdown
    from llm_juries.reporting.tracking import tally_metrics
    from llm_juries.store.store import Store

    tracking = build(cfg.wandb, "wandb")
    policy = pick(cfg, Policy)
    found = studies(cfg)
    plans = [plan for study in found for plan in study.plans]
    with Store(cfg.store) as store:
        if policy.dry_run:
            table = forecast(plans, store, policy)
            print(f"{markdown(table)}\n\n{total(table)}")
            return
        with Bars() as bars:
            tallies = collect(found, store, policy, bars)
        models = {plan.judge.name for plan in plans if not plan.judge.free}
        print(summary(tallies, models, cfg.store))
        collected = tally_table(tallies)
        tracking.log(
            Path(cfg.output_dir),
            "judge",
            OmegaConf.to_container(cfg, resolve=True),
            {"collected": collected},
            metrics=tally_metrics(collected),
            group=cli.experiment() or found[0].dataset.name,
            plans=plans,
            store=store,
        )
    check_complete(tallies)


if __name__ == "__main__":
    cli.run(main)
