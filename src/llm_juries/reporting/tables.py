"""Write tables as CSV for programs, and as Markdown and LaTeX for reports."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from ..files import write_text
from ..markdown import markdown, rounded


def write(table: pd.DataFrame, folder: Path, name: str) -> None:
    """Write a table as NAME.csv (all digits), NAME.md and NAME.tex (three decimals)."""
    write_text(folder / f"{name}.csv", table.to_csv(index=False, lineterminator="\n"))
    write_text(folder / f"{name}.md", markdown(table) + "\n")
    write_text(folder / f"{name}.tex", latex(table))


def latex(table: pd.DataFrame) -> str:
    """Return a table as a LaTeX tabular for the booktabs package."""
    if table.empty:
        return "% (no rows)\n"
    shown = rounded(table).rename(columns=lambda name: _escaped(str(name)))
    for column in shown:
        shown[column] = shown[column].map(_escaped)
    align = "".join("r" if pd.api.types.is_numeric_dtype(table[c]) else "l" for c in table)
    return str(shown.to_latex(index=False, column_format=align))


_LATEX = str.maketrans(
    {
        **{sign: f"\\{sign}" for sign in "&%$#_{}"},
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
    }
)


def _escaped(text: str) -> str:
    return text.translate(_LATEX)
