"""Ask judges about a dataset and keep their verdicts: python scripts/judge.py --help."""

from pathlib import Path

import hydra
from omegaconf import DictConfig, OmegaConf

from llm_juries import cli


@hydra.main(config_path="../conf", config_name="judge", version_base="1.3")
@cli.task
def main(cfg: DictConfig) -> None:
    """Collect what the store lacks; print what was asked and what it gave."""
    from llm_juries.batches import collect_batched
    from llm_juries.config import build, pick
    from llm_juries.experiment import studies
    from llm_juries.forecast import forecast, total
    from llm_juries.plans import Policy
    from llm_juries.progress import Bars, check_complete, summary, tally_table
    from llm_juries.savings import collect_sparingly
    from llm_juries.store import Store
    from llm_juries.tables import markdown
    from llm_juries.tracking import tally_metrics

    tracking = build(cfg.wandb, "wandb")
    policy = pick(cfg, Policy)
    found = studies(cfg)
    plans = [plan for study in found for plan in study.plans]
    with Store(cfg.store) as store:
        if policy.dry_run:
            table = forecast(plans, store, policy, batched=policy.mode == "batch")
            print(f"{markdown(table)}\n\n{total(table)}")
            return
        if policy.mode == "batch":
            tallies = collect_batched(plans, store, policy)
        else:
            with Bars() as bars:
                tallies = collect_sparingly(found, store, policy, bars)
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
