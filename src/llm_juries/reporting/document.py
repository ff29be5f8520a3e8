"""A short report: an answer in a few lines, figures, and tables with how to read them.

It is written as report.md and report.html, which need neither network nor server, with its tables
as files beside them. Names of others enter the page as text, never as markup.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from .. import escaping
from ..analysis.tables import Table
from ..files import write_text
from ..markdown import markdown, numeric, texts
from .conclusion import Conclusion
from .provenance import provenance
from .tables import write as write_table
from .templates import template

HERE = Path(__file__).parent
MOST_ROWS = 200  # of a table; its file has all


@dataclass(frozen=True)
class Document:
    """What a short report holds.

    Attributes
    ----------
    title : str
    about : str
        What was compared, in a sentence.
    conclusions : sequence of Conclusion
        The answer: first in every form of the report.
    tables : mapping of str to DataFrame
        By name; written to tables/.
    described : sequence of Table
        The title of each table, what to look for in it, and its place; others are files only.
    figures : sequence of Path
        PNG files in figures/.
    shows : sequence of str
        What each of them shows, in words.
    """

    title: str
    about: str
    conclusions: Sequence[Conclusion]
    tables: Mapping[str, pd.DataFrame]
    described: Sequence[Table]
    figures: Sequence[Path] = ()
    shows: Sequence[str] = ()


def write(
    document: Document, folder: Path, config: str = "", names: Mapping[str, str] | None = None
) -> None:
    """Write tables/, report.md, report.html, provenance.json and, if given, config.yaml.

    Parameters
    ----------
    document : Document
    folder : Path
    config : str
        The resolved config as yaml.
    names : mapping of str to str, optional
        Display names, of LaTeX tables.
    """
    for name, table in document.tables.items():
        write_table(table, folder / "tables", name, names)
    if config:
        write_text(folder / "config.yaml", config)
    facts = provenance()
    write_text(folder / "provenance.json", json.dumps(facts, indent=2) + "\n")
    made = (
        f"Made {facts['made_at']} by llm-juries {facts['packages']['llm-juries']}, commit "
        f"{facts['git_commit'] or 'unknown'}."
    )
    shown = [
        (table, document.tables[table.name])
        for table in document.described
        if not document.tables.get(table.name, pd.DataFrame()).empty
    ]
    write_text(folder / "report.md", _markdown(document, shown, made))
    write_text(folder / "report.html", _html(document, shown, made))


Shown = Sequence[tuple[Table, pd.DataFrame]]


def _markdown(document: Document, shown: Shown, made: str) -> str:
    parts = [f"# {escaping.markdown(document.title)}"]
    several = len(document.conclusions) > 1
    for conclusion in document.conclusions:
        parts += [f"**{escaping.markdown(conclusion.dataset)}**"] * several
        parts.append(conclusion.markdown())
    parts.append(escaping.markdown(document.about))
    parts += [
        f"![{escaping.image(shows)}](figures/{path.name})"
        for path, shows in zip(document.figures, document.shows, strict=True)
    ]
    for table, rows in shown:
        more = f"\n\n`tables/{table.name}.csv` has all {len(rows):,} rows."
        parts += [
            f"## {table.title}",
            f"{table.look_for} (docs/analysis_tables.md#{table.name})",
            markdown(rows.head(MOST_ROWS)) + more * (len(rows) > MOST_ROWS),
        ]
    parts += [
        "## Files",
        "`report.html` is this report as a page; `tables/` holds every table as CSV (all digits), "
        f"Markdown and LaTeX; `provenance.json` the versions. {made}",
    ]
    return "\n\n".join(parts) + "\n"


def _html(document: Document, shown: Shown, made: str) -> str:
    tables = [
        {
            "name": table.name,
            "title": table.title,
            "look_for": table.look_for,
            "columns": [(str(name), numeric(rows, at)) for at, name in enumerate(rows)],
            "rows": [*zip(*texts(rows.head(MOST_ROWS)), strict=True)],
            "total": len(rows),
        }
        for table, rows in shown
    ]
    figures = [
        {
            "shows": shows,
            "source": "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode(),
        }
        for path, shows in zip(document.figures, document.shows, strict=True)
    ]
    return template(HERE / "document.html.jinja").render(
        document=document, tables=tables, figures=figures, most_rows=MOST_ROWS, made=made
    )
