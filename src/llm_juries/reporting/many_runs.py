"""The report of earlier runs side by side: which voter is best over all of them, and where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from ..analysis.agreement import agreement
from ..analysis.overview import ACROSS, overview
from ..analysis.run import joined
from ..analysis.settings import Analysis
from ..analysis.tables import TABLES
from ..juries.panel import Panel
from . import descriptions
from .across import ALL, conclusion_across
from .conclusion import Conclusion, Line
from .document import Document
from .document import write as write_document
from .figures import FigureOptions, agreement_map, save

AGREEMENT = next(table for table in TABLES if table.name == "agreement")


def write(
    panels: Sequence[Panel],
    folder: Path,
    analysis: Analysis,
    config: str = "",
    options: FigureOptions | None = None,
) -> tuple[dict[str, pd.DataFrame], list[Path]]:
    """Write the report of panels of earlier runs; return its tables and figures.

    Parameters
    ----------
    panels : sequence of Panel
        As `analysis.runs.read_runs` returns.
    folder : Path
    analysis : Analysis
    config : str
        The resolved config as yaml.
    options : FigureOptions, optional
    """
    options, settings = options or FigureOptions(), analysis.settings
    options.check({name for panel in panels for name in panel.votes.names})
    each = [agreement(panel, analysis.bootstrap, coverage=settings.coverage) for panel in panels]
    found = overview(panels, analysis.bootstrap, settings.coverage, settings.same_voters)
    tables = {"agreement": joined(each), **found.tables}
    drawn = _drawn(tables, folder, options)
    names = ", ".join(panel.dataset.name for panel in panels)
    datasets = f"{len(panels)} dataset{'s' * (len(panels) != 1)}"
    about = (
        f"Earlier runs side by side, {datasets}: {names}. Intervals are of "
        f"{analysis.bootstrap.level:.0%}, over whole questions."
    )
    described = (*ACROSS, AGREEMENT)
    shows = [descriptions.agreement_map(tables["voter_ranks"], options) for _ in drawn]
    document = Document(ALL, about, conclusions(tables), tables, described, drawn, shows)
    write_document(document, folder, config, options.names)
    return tables, drawn


def conclusions(tables: Mapping[str, pd.DataFrame]) -> list[Conclusion]:
    """Return what the tables say over all runs."""
    found = conclusion_across(tables)
    nothing = Line("Labels", "missing or all the same, so no voter is measured against humans")
    return [found or Conclusion(ALL, (nothing,))]


def _drawn(tables: Mapping[str, pd.DataFrame], folder: Path, options: FigureOptions) -> list[Path]:
    if "voter_ranks" not in tables or options.draw == "none":
        return []
    ranks = tables["voter_ranks"]
    with options.look("".join({*ranks["voter"], *ranks["dataset"]})):
        axes = agreement_map(ranks, tables["pooled"], options=options)
        return [save(axes, folder / "figures", "across_datasets", options.formats)]
