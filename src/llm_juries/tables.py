"""Writing tables as people use them: CSV for programs, Markdown and LaTeX for reports."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd


def write(table: pd.DataFrame, folder: Path, name: str) -> None:
    """Write a table as NAME.csv (all digits), NAME.md and NAME.tex (three decimals)."""
    write_text(folder / f"{name}.csv", table.to_csv(index=False, lineterminator="\n"))
    write_text(folder / f"{name}.md", markdown(table) + "\n")
    write_text(folder / f"{name}.tex", latex(table))


def markdown(table: pd.DataFrame) -> str:
    """Return a table as Markdown, floats to three decimals, nothing where a value is undefined."""
    if table.empty:
        return "(no rows)"
    shown = rounded(table).map(lambda cell: str(cell).replace("|", "\\|"))
    align = ["right" if pd.api.types.is_numeric_dtype(table[c]) else "left" for c in table]
    return str(shown.to_markdown(index=False, disable_numparse=True, colalign=align))


def latex(table: pd.DataFrame) -> str:
    """Return a table as a LaTeX tabular for the booktabs package."""
    if table.empty:
        return "% (no rows)\n"
    shown = rounded(table).rename(columns=lambda name: _escaped(str(name)))
    for column in shown:
        shown[column] = shown[column].map(_escaped)
    align = "".join("r" if pd.api.types.is_numeric_dtype(table[c]) else "l" for c in table)
    return str(shown.to_latex(index=False, column_format=align))


def rounded(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table as texts: floats to three decimals, undefined values as empty."""
    shown = table.astype(object)
    for column in table:
        if pd.api.types.is_float_dtype(table[column]):
            shown[column] = [_decimals(value) for value in table[column]]
    return shown.map(lambda cell: "" if pd.isna(cell) else str(cell))


def _decimals(value: float) -> str:
    text = "" if pd.isna(value) else f"{value:.3f}"
    return "0.000" if text == "-0.000" else text


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


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all, in a folder that is made if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
