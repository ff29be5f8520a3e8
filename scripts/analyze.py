"""Measure stored verdicts, pool them into juries, draw: python scripts/analyze.py --help."""

from pathlib import Path

import hydra
from omegaconf import DictConfig, OmegaConf

from llm_juries.commands import command_line as cli


@hydra.main(config_path="../conf", config_name="analyze", version_base="1.3")
@cli.task
def main(cfg: DictConfig) -> None:
    """Write tables, figures and a report to the output folder. Asks no model."""
    from llm_juries.analysis.run import Options, measure
    from llm_juries.collect.run import collect
    from llm_juries.config.build import build, pick
    from llm_juries.config.study import studies
    from llm_juries.markdown import markdown
    from llm_juries.reporting import summary
    from llm_juries.reporting.page import page
    from llm_juries.reporting.tracking import agreement_metrics
    from llm_juries.store.store import Store

    tracking = build(cfg.wandb, "wandb")
    bootstrap = build(cfg.bootstrap, "bootstrap")
    rankings = build(cfg.ranking, "ranking")
    criteria = build(cfg.search, "search")
    options = pick(cfg, Options)
    browsing = build(cfg.page, "page")
    found = studies(cfg)
    folder = Path(cfg.output_dir)
    config = OmegaConf.to_yaml(cfg, resolve=True)
    plans = [plan for study in found for plan in study.plans]
    with Store(cfg.store) as store:
        # Rules and recordings answer on the spot; models were asked by scripts/judge.py.
        collect([plan for plan in plans if plan.judge.free], store)
        results = measure(found, store, bootstrap, options, rankings, criteria)
        drawn = summary.write(results, folder, config, cfg.prompt.name, options)
        page.write(results, store, folder / "report.html", drawn, browsing)
        names = ("report.md", "report.html", "provenance.json", "tables", "figures")
        run = tracking.log(
            folder,
            "analyze",
            OmegaConf.to_container(cfg, resolve=True),
            results.tables,
            drawn,
            agreement_metrics(results.tables["agreement"]),
            group=cli.experiment() or found[0].dataset.name,
            plans=plans,
            store=store,
            files=[folder / name for name in names],
        )
    print(markdown(results.tables["agreement"]))
    print(f"\npage:    {folder / 'report.html'}\nreport:  {folder / 'report.md'}")
    print(f"tables:  {folder / 'tables'}")
    print(f"figures: {folder / 'figures'}" + (f"\nW&B run: {run}" if run else ""))


if __name__ == "__main__":
    cli.run(main)
