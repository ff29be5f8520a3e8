"""llm-juries reproduce: put the paper's tables and figures beside ours."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig

from . import command_line


def reproduce(cfg: DictConfig) -> None:
    """Collect what is missing if asked to; write tables, figures and their page."""
    from ..collect.estimate import forecast, total
    from ..collect.progress import Bars, check_complete
    from ..collect.run import collect
    from ..config.build import build
    from ..config.composing import written
    from ..config.settings import settings
    from ..config.study import ablations, studies
    from ..markdown import markdown
    from ..reporting import paper
    from ..store.store import Store
    from .collection import summary

    tracking = build(cfg.wandb, "wandb")
    how = paper.read_settings(cfg)
    chosen = settings(cfg)
    policy, places = chosen.policy, chosen.places
    found, ablated = studies(cfg, prompts=[]), ablations(cfg)
    plans = [plan for study in (*found, *(s for _, s in ablated)) for plan in study.plans]
    asked = [plan for plan in plans if not plan.judge.free]
    with Store(places.store) as store:
        missing = forecast(asked, store, policy)
        print(f"missing verdicts: {total(missing)}")
        if policy.dry_run:
            print(markdown(missing))
            return
        if chosen.collect and asked:
            with Bars() as bars:
                tallies = collect(asked, store, policy, bars)
            print(summary(tallies, {plan.voter for plan in asked}, places.store))
            check_complete(tallies)
            if waiting := sum(tally.pending + tally.submitted for tally in tallies):
                print(f"{waiting} verdicts are in pending batches; run again once they have ended")
                return
        result = paper.reproduce(found, ablated, store, how)
    folder = Path(places.results)
    drawn = paper.write(result, folder)
    run = tracking.log(
        Path(cfg.output_dir),
        "reproduce",
        written(cfg),
        result.tables,
        drawn,
    )
    print(markdown(result.tables["table1_kappa"].drop(columns="differs")))
    print(f"\npage:    {folder / 'README.md'}\ntables:  {folder / 'tables'}")
    print(f"figures: {folder / 'figures'}" + (f"\nW&B run: {run}" if run else ""))


def main() -> None:
    """Run the command with the arguments of the command line."""
    command_line.run("reproduce", reproduce)
