"""The report of a difference between two runs, prompts or judges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from ..analysis.changes import DIFFERENCES, Difference
from . import descriptions
from .conclusion import Conclusion, Line
from .document import Document
from .document import write as write_document
from .figures import FigureOptions, change_forest, save


def conclusions(differences: Sequence[Difference]) -> list[Conclusion]:
    """Return the lines of each difference, the answer first."""
    return [
        Conclusion(one.dataset, tuple(Line(about, text) for about, text in one.lines))
        for one in differences
    ]


def joined(differences: Sequence[Difference]) -> dict[str, pd.DataFrame]:
    """Return the rows of all differences by table, without tables that have none."""
    tables = {
        table.name: pd.concat([table.make(one) for one in differences], ignore_index=True)
        for table in DIFFERENCES
    }
    return {name: rows for name, rows in tables.items() if not rows.empty}


def write(
    differences: Sequence[Difference],
    folder: Path,
    about: str,
    config: str = "",
    options: FigureOptions | None = None,
    level: float = 0.95,
) -> list[Path]:
    """Write the report of differences into a folder; return the figures.

    Parameters
    ----------
    differences : sequence of Difference
        One a dataset.
    folder : Path
    about : str
        What was compared, in a sentence.
    config : str
        The resolved config as yaml.
    options : FigureOptions, optional
    level : float
        Of the intervals.
    """
    options = options or FigureOptions()
    tables = joined(differences)
    drawn = _drawn(tables, folder, options, level)
    title = differences[0].title if len(differences) == 1 else about
    shows = [descriptions.change_forest(tables["changes"], options) for _ in drawn]
    how = f"{about}. Intervals are of {level:.0%}, over whole questions."
    document = Document(title, how, conclusions(differences), tables, DIFFERENCES, drawn, shows)
    write_document(document, folder, config, options.names)
    return drawn


def _drawn(
    tables: Mapping[str, pd.DataFrame], folder: Path, options: FigureOptions, level: float
) -> list[Path]:
    if "changes" not in tables or options.draw == "none":
        return []
    rows = tables["changes"]
    options.check({*rows["voter"]})
    if options.voters:
        rows = rows[rows["voter"].isin(options.voters)]
    if rows["change"].isna().all():
        return []
    with options.look("".join({*rows["voter"], *rows["replaced_by"], *rows["dataset"]})):
        axes = change_forest(rows, level=level, options=options)
        return [save(axes, folder / "figures", "changes", options.formats)]
