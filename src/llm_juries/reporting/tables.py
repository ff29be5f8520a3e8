"""Write tables as CSV for programs, and as Markdown and LaTeX for reports.

LaTeX tables need the packages booktabs and dcolumn, which every distribution has.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from .. import escaping
from ..files import write_text
from ..markdown import markdown, texts

MOST_TYPESET = 5000  # rows that a document may hold


def write(
    table: pd.DataFrame, folder: Path, name: str, names: Mapping[str, str] | None = None
) -> None:
    """Write a table as NAME.csv (all digits), NAME.md and NAME.tex (three decimals).

    One of more than `MOST_TYPESET` rows is CSV only, and the other two say so. `names` are display
    names, of NAME.tex only.
    """
    write_text(folder / f"{name}.csv", as_csv(table))
    long = f"{len(table):,} rows: see {name}.csv" if len(table) > MOST_TYPESET else ""
    write_text(folder / f"{name}.md", f"{long or markdown(table)}\n")
    write_text(folder / f"{name}.tex", f"% {long}\n" if long else latex(table, names))


def as_csv(table: pd.DataFrame) -> str:
    """Return a table as CSV, in which no text is a formula of a spreadsheet."""

    def cell(text: str) -> str:
        # csv quotes no line breaks but its own.
        return escaping.spreadsheet(text).replace("\r\n", "\n").replace("\r", "\n")

    shown = table.copy()
    for name, kind in table.dtypes.items():
        if not pd.api.types.is_numeric_dtype(kind):
            column = table[name].astype(object)
            shown[name] = [cell(one) if isinstance(one, str) else one for one in column]
    shown.columns = [cell(str(name)) for name in table]
    return str(shown.to_csv(index=False, lineterminator="\n"))


BEST = ("kappa", "weighted_kappa", "pearson", "roc_auc")
"""The columns whose highest value is bold, of the voters of one dataset."""


def latex(table: pd.DataFrame, names: Mapping[str, str] | None = None) -> str:
    r"""Return a table as a LaTeX tabular, for the packages booktabs and dcolumn.

    Floats are aligned at the decimal point. The best kappa (or other headline measure) of each
    dataset is bold where the rows are voters.

    Parameters
    ----------
    table : DataFrame
    names : mapping of str to str, optional
        Display names, of voters, candidates and datasets.
    """
    if table.empty:
        return "% (no rows)\n"
    kinds = [_alignment(table[column]) for column in table]
    columns = [
        [escaping.latex(text) for text in column] for column in texts(_renamed(table, names or {}))
    ]
    for at, (name, kind) in enumerate(zip(table, kinds, strict=True)):
        if name in BEST and "voter" in table:
            for row in np.flatnonzero(_highest(table, name)):
                bold = f"\\multicolumn{{1}}{{>{{\\boldmath}}{kind}}}{{{columns[at][row]}}}"
                columns[at][row] = bold
    heads = [
        f"\\multicolumn{{1}}{{c}}{{{head}}}" if kind.startswith("D") else head
        for head, kind in zip((escaping.latex(str(name)) for name in table), kinds, strict=True)
    ]
    lines = [f"{' & '.join(row)} \\\\" for row in (heads, *zip(*columns, strict=True))]
    begin, end = f"\\begin{{tabular}}{{{''.join(kinds)}}}", "\\end{tabular}"
    return "\n".join(
        [begin, "\\toprule", lines[0], "\\midrule", *lines[1:], "\\bottomrule", end, ""]
    )


def _renamed(table: pd.DataFrame, names: Mapping[str, str]) -> pd.DataFrame:
    if not names:
        return table
    return table.map(lambda cell: names.get(cell, cell) if isinstance(cell, str) else cell)


def _highest(table: pd.DataFrame, column: str) -> pd.Series[bool]:
    """Return the rows with the highest value of their dataset, none where there is one voter."""
    groups = table["dataset"] if "dataset" in table else pd.Series(0, index=table.index)
    values = table[column].groupby(groups, sort=False)
    return (table[column] == values.transform("max")) & (values.transform("count") > 1)


def _alignment(column: pd.Series[float]) -> str:
    """Return the letter of a column: floats at the decimal point, counts right, texts left."""
    if not pd.api.types.is_float_dtype(column):
        return "r" if pd.api.types.is_numeric_dtype(column) else "l"
    largest = column.abs().max()
    before = len(f"{largest:.0f}") if math.isfinite(largest) else 1
    return f"D{{.}}{{.}}{{{before + bool((column < 0).any())}.3}}"
