"""Write tables as CSV for programs, and as Markdown and LaTeX for reports."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from .. import escaping
from ..files import write_text
from ..markdown import markdown, rounded

MOST_TYPESET = 5000  # rows that a document may hold


def write(table: pd.DataFrame, folder: Path, name: str) -> None:
    """Write a table as NAME.csv (all digits), NAME.md and NAME.tex (three decimals).

    One of more than `MOST_TYPESET` rows is CSV only, and the other two say so.
    """
    write_text(folder / f"{name}.csv", as_csv(table))
    long = f"{len(table):,} rows: see {name}.csv" if len(table) > MOST_TYPESET else ""
    write_text(folder / f"{name}.md", f"{long or markdown(table)}\n")
    write_text(folder / f"{name}.tex", f"% {long}\n" if long else latex(table))


def as_csv(table: pd.DataFrame) -> str:
    """Return a table as CSV, in which no text is a formula of a spreadsheet."""

    def cell(text: str) -> str:
        # csv quotes no line breaks but its own.
        return escaping.spreadsheet(text).replace("\r\n", "\n").replace("\r", "\n")

    shown = table.map(lambda value: cell(value) if isinstance(value, str) else value)
    shown.columns = [cell(str(name)) for name in table]
    return str(shown.to_csv(index=False, lineterminator="\n"))


def latex(table: pd.DataFrame) -> str:
    """Return a table as a LaTeX tabular for the booktabs package."""
    if table.empty:
        return "% (no rows)\n"
    shown = rounded(table).map(escaping.latex)
    shown.columns = [escaping.latex(str(name)) for name in table]
    align = "".join("r" if pd.api.types.is_numeric_dtype(table[c]) else "l" for c in table)
    return str(shown.to_latex(index=False, column_format=align))
