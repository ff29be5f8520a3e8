"""llm-juries difference: what changed between two runs, judges or prompts, on the same items."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig, OmegaConf

from ..errors import JuriesError
from . import command_line

if TYPE_CHECKING:
    from ..analysis.settings import Analysis
    from ..juries.panel import Panel

log = logging.getLogger(__name__)
COUNTING = ("inconsistent", "threshold", "vote", "candidate_families")
"""The keys of `analysis` by which votes are counted: those of a run's folder are already."""
HOW = (
    "name two runs (before=FOLDER after=FOLDER), two prompts (prompts=[OLD,NEW]) or who replaces "
    "whom (replace={OLD: NEW})"
)


def difference(cfg: DictConfig) -> None:
    """Write tables, a figure and a report of what changed to the output folder. Asks no model."""
    from ..analysis import changes
    from ..config.analysis import read_analysis
    from ..config.build import build, read
    from ..config.composing import written
    from ..config.named import replacements
    from ..markdown import markdown
    from ..reporting import differences
    from ..reporting.figures import FigureOptions
    from ..reporting.summary_fields import of_difference
    from ..reporting.tracking import Finished

    tracking = build(cfg.wandb, "wandb")
    analysis = read_analysis(cfg.analysis)
    figures = read(FigureOptions, cfg.figures, "figures")
    replaced = replacements(_plain(cfg.replace))
    pairs, about, names = _pairs(cfg, analysis, alone=bool(replaced))
    pairs, lacking = _with_replaced(pairs, replaced)
    settings, bootstrap = analysis.settings, analysis.bootstrap
    found = [
        changes.difference(old, new, replaced, bootstrap, settings.margin, settings.coverage, names)
        for old, new in pairs
    ]
    if replaced:
        about += "; " + ", ".join(f"{new} replaces {old}" for old, new in replaced.items())
        about += _left_out("without a replaced voter or its successor", lacking)
    folder = Path(cfg.output_dir)
    config = OmegaConf.to_yaml(OmegaConf.create(written(cfg)))
    drawn = differences.write(found, folder, about, config, figures, bootstrap.level)
    tables = differences.joined(found)
    run = tracking.log(
        Finished(
            folder,
            "difference",
            written(cfg),
            tables,
            drawn,
            summary=of_difference(found),
            group=found[0].dataset,
            files=[folder / name for name in ("report.md", "report.html", "tables", "figures")],
        )
    )
    if "changes" in tables:
        columns = ["voter", "replaced_by", "before", "after", "change", "ci_low", "ci_high"]
        several = ["dataset"] * (len(found) > 1)
        print(f"{markdown(tables['changes'][[*several, *columns, 'finding']])}\n")
    print(f"page:    {folder / 'report.html'}\nreport:  {folder / 'report.md'}")
    print(f"tables:  {folder / 'tables'}" + (f"\nW&B run: {run}" if run else ""))
    for conclusion in differences.conclusions(found):
        print(f"\n{conclusion.plain()}")


def _with_replaced(
    pairs: list[tuple[Panel, Panel]], replaced: Mapping[str, str]
) -> tuple[list[tuple[Panel, Panel]], list[str]]:
    """Return the pairs with all replaced voters and successors, and the names of the others."""

    def has_all(before: Panel, after: Panel) -> bool:
        return set(replaced) <= {*before.votes.names} and {*replaced.values()} <= {
            *after.votes.names
        }

    kept = [pair for pair in pairs if has_all(*pair)]
    if not kept:
        return pairs, []  # `changes.difference` says who is missing
    return kept, [one.dataset.name for one, other in pairs if not has_all(one, other)]


def _left_out(reason: str, datasets: Sequence[str]) -> str:
    """Warn of datasets that are left out, and return a part of a sentence for the report."""
    if not datasets:
        return ""
    said = f"left out, {reason}: {', '.join(datasets)}"
    log.warning("%s", said)
    return f"; {said}"


def _plain(replace: object) -> object:
    return OmegaConf.to_container(replace) if OmegaConf.is_config(replace) else replace


def _pairs(
    cfg: DictConfig, analysis: Analysis, *, alone: bool
) -> tuple[list[tuple[Panel, Panel]], str, tuple[str, str] | None]:
    """Return the panels before and after, a pair a dataset, what they are, and names of runs."""
    from ..analysis.runs import matched, run_names

    for key in ("before", "after"):
        if cfg[key] is not None and not (isinstance(cfg[key], str) and cfg[key].strip()):
            raise JuriesError(f"{key}: is {cfg[key]!r}; name a folder of an analysis, or a store")
    if (cfg.before is None) != (cfg.after is None):
        given, missing = ("before", "after") if cfg.after is None else ("after", "before")
        raise JuriesError(f"{missing}: is not set beside {given}; {HOW}")
    if cfg.before is not None:
        before, after = str(cfg.before), str(cfg.after)
        if Path(before).resolve() == Path(after).resolve() and not alone:
            raise JuriesError(f"before and after are both {before}; {HOW}")
        old = _of_folder(cfg, analysis, "before")
        if Path(before).resolve() == Path(after).resolve():
            return [(panel, panel) for panel in old], f"run: {before}", None
        first, second = run_names([Path(before), Path(after)])
        names = first, second
        pairs, alone_there = matched(old, _of_folder(cfg, analysis, "after"))
        about = f"before: {before}; after: {after}"
        return pairs, about + _left_out("as only one run has it", alone_there), names
    if cfg.prompts and len(cfg.prompts) != 2:
        raise JuriesError(
            f"prompts: are {len(cfg.prompts)}; name two, the old one first: prompts=[OLD,NEW]"
        )
    if not cfg.prompts and not alone:
        raise JuriesError(f"nothing to compare: {HOW}")
    panels = _of_store(cfg, analysis, None)
    if cfg.prompts:
        said = " and ".join(panel.dataset.name for panel in panels)
        return list(zip(panels[::2], panels[1::2], strict=True)), f"prompts: {said}", None
    said = ", ".join(one.dataset.name for one in panels)
    return [(one, one) for one in panels], said, None


def _of_folder(cfg: DictConfig, analysis: Analysis, key: str) -> list[Panel]:
    """Return the panels of a run's folder, or of a store for the config's datasets and judges."""
    from ..analysis.runs import VOTES, read_runs, runs_in
    from ..config.study import SUBJECT, VOTERS
    from ..store.segments import segments
    from .hydra_app import check_not_given

    folder, other = (
        Path(str(cfg[name])).expanduser()
        for name in (key, "after" if key == "before" else "before")
    )

    def is_run(place: Path) -> bool:
        return (runs_in(place)[0] / VOTES).is_dir()

    if not is_run(folder) and (segments(folder) or any(folder.rglob("*.parquet"))):
        return _of_store(cfg, analysis, folder)
    if is_run(other):
        check_not_given(
            (*SUBJECT, *VOTERS, "store", *(f"analysis.{key}" for key in COUNTING)),
            "before and after are runs with votes of their own",
        )
    return read_runs([folder])


def _of_store(cfg: DictConfig, analysis: Analysis, folder: Path | None) -> list[Panel]:
    """Return the panels of the config's datasets, read from a store, by default the config's."""
    from ..analysis.run import read_panels
    from ..collect.run import collect
    from ..config.settings import settings
    from ..config.study import studies
    from ..store.store import Store

    found = studies(cfg)
    with Store(folder or settings(cfg).places.store) as store:
        collect([plan for study in found for plan in study.plans if plan.judge.free], store)
        panels, absent = read_panels(found, store, analysis)
    if absent:
        raise JuriesError("; ".join(absent))
    return panels


def main() -> None:
    """Run the command with the arguments of the command line."""
    command_line.run("difference", difference)
