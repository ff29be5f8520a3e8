"""Render data frames as Markdown, for terminals, reports and dataset cards."""

from __future__ import annotations

import pandas as pd

from . import escaping


def markdown(table: pd.DataFrame) -> str:
    """Return a table as Markdown, floats to three decimals, undefined values empty."""
    if table.empty:
        return "(no rows)"
    shown = rounded(table).map(escaping.markdown)
    shown.columns = [escaping.markdown(str(name)) for name in table]
    align = ["right" if pd.api.types.is_numeric_dtype(table[c]) else "left" for c in table]
    return str(shown.to_markdown(index=False, disable_numparse=True, colalign=align))


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
