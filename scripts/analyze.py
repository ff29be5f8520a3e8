"""Measure stored verdicts, pool them into juries, draw: python scripts/analyze.py --help."""

from pathlib import Path

import hydra
from omegaconf import DictConfig, OmegaConf

from llm_juries import cli


@hydra.main(config_path="../conf", config_name="analyze", version_base="1.3")
@cli.task
def main(cfg: DictConfig) -> None:
    """Write tables, figures and a report to the output folder. Asks no model."""
    from llm_juries import page, report, tables
    from llm_juries.analysis import Options
    from llm_juries.collect import collect
    from llm_juries.config import build, pick
    from llm_juries.experiment import studies
    from llm_juries.store import Store
    from llm_juries.tracking import agreement_metrics

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
        results = report.measure(found, store, bootstrap, options, rankings, criteria)
        drawn = report.write(results, folder, config, cfg.prompt.name, options)
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
    print(tables.markdown(results.tables["agreement"]))
    print(f"\npage:    {folder / 'report.html'}\nreport:  {folder / 'report.md'}")
    print(f"tables:  {folder / 'tables'}")
    print(f"figures: {folder / 'figures'}" + (f"\nW&B run: {run}" if run else ""))


if __name__ == "__main__":
    cli.run(main)
