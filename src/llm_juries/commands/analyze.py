"""llm-juries analyze: measure stored verdicts, pool them into juries, write a report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig, ListConfig, OmegaConf

from ..errors import JuriesError
from . import command_line

if TYPE_CHECKING:
    from ..analysis.run import Results
    from ..reporting.figures import Drawers, Drawn, FigureOptions

OF_RUNS = ("coverage", "same_voters", "bootstrap")
"""The keys of `analysis` that earlier runs are measured with: their votes are counted already."""


def analyze(cfg: DictConfig) -> None:
    """Write tables, figures and a report to the output folder. Asks no model."""
    from ..config.build import read
    from ..reporting.figures import FigureOptions, drawers

    if cfg.runs is not None and cfg.runs != []:
        _analyze_runs(cfg)
        return
    figures = read(FigureOptions, cfg.figures, "figures")
    with drawers(figures) as others:  # first, as they import what they need meanwhile
        _analyze(cfg, figures, others)


def _analyze(cfg: DictConfig, figures: FigureOptions, others: Drawers) -> None:
    from ..analysis.run import measure
    from ..collect.run import collect
    from ..config.analysis import read_analysis
    from ..config.build import build
    from ..config.composing import written
    from ..config.settings import settings
    from ..config.study import studies
    from ..reporting import summary
    from ..reporting.drawing import draw
    from ..reporting.page import page
    from ..reporting.summary_fields import of_analysis
    from ..reporting.tracking import Finished, agreement_metrics
    from ..store.store import Store
    from .hydra_app import experiment

    tracking = build(cfg.wandb, "wandb")
    analysis = read_analysis(cfg.analysis)
    store_folder = settings(cfg).places.store
    browsing = build(cfg.page, "page")
    folder = Path(cfg.output_dir)
    found = studies(cfg)
    plans = [plan for study in found for plan in study.plans]
    with Store(store_folder) as store:
        # Rules and recordings answer on the spot; models were asked by `llm-juries judge`.
        collect([plan for plan in plans if plan.judge.free], store)
        with tracking.beside(plans, store) as logged:
            results = measure(found, store, analysis)
            drawn = draw(results, folder / "figures", figures, others)
            summary.write_tables(results, folder, figures)
            job = Finished(
                folder,
                "analyze",
                written(cfg),
                dict(results.tables),
                metrics=agreement_metrics(results.tables["agreement"]),
                summary=of_analysis(results.panels, results.tables),
                group=experiment() or found[0].dataset.name,
            )
            logged.begin(job)
            config = OmegaConf.to_yaml(OmegaConf.create(written(cfg)))
            summary.write_report(results, folder, drawn, config)
            page.write(results, store, folder / "report.html", drawn, browsing)
            names = ("report.md", "report.html", "provenance.json", "tables", "figures", "votes")
            files = [folder / name for name in names]
            run = logged.end(replace(job, figures=drawn.wait(), files=files))
    _say(results, drawn, folder, run)


def _say(results: Results, drawn: Drawn, folder: Path, run: Path | None) -> None:
    """Print where everything is, and the conclusion last."""
    from ..markdown import markdown
    from ..reporting.across import conclusion_across
    from ..reporting.conclusion import conclusions
    from ..reporting.summary import first_tables

    for table in first_tables(results):
        print(f"{markdown(table)}\n")
    for panel in results.panels:
        if panel.cut_at:
            print(f"{panel.dataset.name}: {panel.cut_at}")
    print(f"page:    {folder / 'report.html'}\nreport:  {folder / 'report.md'}")
    print(f"tables:  {folder / 'tables'}")
    if drawn:
        print(f"figures: {folder / 'figures'}")
    if drawn.left_out:
        print(f"not drawn: {', '.join(drawn.left_out)}; to draw them, add figures.draw=all")
    if run:
        print(f"W&B run: {run}")
    for conclusion in conclusions(results):
        print(f"\n{conclusion.plain()}")
    if overall := conclusion_across(results.tables):
        print(f"\n{overall.plain()}")
    if results.absent:
        raise JuriesError("; ".join(results.absent))


def _analyze_runs(cfg: DictConfig) -> None:
    """Put the voters of earlier runs side by side, from the votes in their folders."""
    from ..analysis.runs import read_runs
    from ..config.analysis import read_analysis
    from ..config.build import build, read
    from ..config.composing import written
    from ..config.study import SUBJECT, VOTERS
    from ..markdown import markdown
    from ..reporting import many_runs
    from ..reporting.figures import FigureOptions
    from ..reporting.summary_fields import of_analysis
    from ..reporting.tracking import Finished, agreement_metrics
    from .hydra_app import check_not_given

    unused = [f"analysis.{key}" for key in map(str, cfg.analysis) if key not in OF_RUNS]
    check_not_given(
        (*SUBJECT, *VOTERS, "store", "page", *unused),
        "runs= are earlier analyses with votes of their own",
    )
    tracking = build(cfg.wandb, "wandb")
    analysis = read_analysis(cfg.analysis)
    figures = read(FigureOptions, cfg.figures, "figures")
    panels = read_runs(_folders(cfg.runs))
    folder = Path(cfg.output_dir)
    config = OmegaConf.to_yaml(OmegaConf.create(written(cfg)))
    tables, drawn = many_runs.write(panels, folder, analysis, config, figures)
    run = tracking.log(
        Finished(
            folder,
            "analyze",
            written(cfg),
            tables,
            drawn,
            agreement_metrics(tables["agreement"]),
            of_analysis(panels, tables),
            "runs",
            [folder / name for name in ("report.md", "report.html", "tables", "figures")],
        )
    )
    if "by_dataset" in tables:
        print(f"{markdown(tables['by_dataset'])}\n")
    print(f"page:    {folder / 'report.html'}\nreport:  {folder / 'report.md'}")
    print(f"tables:  {folder / 'tables'}" + (f"\nW&B run: {run}" if run else ""))
    for conclusion in many_runs.conclusions(tables):
        print(f"\n{conclusion.plain()}")


def _folders(runs: object) -> list[Path]:
    """Return the folders of runs=, checked."""
    named = list(runs) if isinstance(runs, ListConfig) else [None]
    if not all(isinstance(run, str) and run.strip() for run in named):
        raise JuriesError(f"runs: are {runs!r}; name folders of analyses: runs=[A,B]")
    return [Path(str(run)).expanduser() for run in named]


def main() -> None:
    """Run the command with the arguments of the command line."""
    command_line.run("analyze", analyze)
