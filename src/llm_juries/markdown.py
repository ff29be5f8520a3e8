"""Render data frames as texts and as Markdown, for terminals, reports and dataset cards."""

from __future__ import annotations

from typing import Any

import pandas as pd

from . import escaping


def markdown(table: pd.DataFrame) -> str:
    """Return a table as Markdown, floats to three decimals, undefined values empty."""
    from tabulate import tabulate

    if table.empty:
        return "(no rows)"
    columns = [[escaping.markdown(text) for text in column] for column in texts(table)]
    return str(
        tabulate(
            [*zip(*columns, strict=True)],
            [escaping.markdown(str(name)) for name in table],
            tablefmt="pipe",
            disable_numparse=True,
            colalign=["right" if numeric(table, at) else "left" for at in range(len(columns))],
        )
    )


def texts(table: pd.DataFrame) -> list[list[str]]:
    """Return each column as texts: floats to three decimals, undefined values as empty.

    Plain lists: a report has many small tables, on which pandas takes longer to begin than to end.
    """
    return [_texts(table.iloc[:, at]) for at in range(table.shape[1])]


def numeric(table: pd.DataFrame, column: int) -> bool:
    """Return whether the column at a place holds numbers."""
    return bool(pd.api.types.is_numeric_dtype(table.dtypes.iloc[column]))


def _texts(column: pd.Series[Any]) -> list[str]:
    if pd.api.types.is_float_dtype(column.dtype):
        return [_decimals(value) for value in column.tolist()]
    return [
        cell if isinstance(cell, str) else "" if pd.isna(cell) else str(cell)
        for cell in column.astype(object).tolist()
    ]


def _decimals(value: float) -> str:
    text = "" if pd.isna(value) else f"{value:.3f}"
    return "0.000" if text == "-0.000" else text
