"""The page's summary of each dataset: its conclusion, and each voter with its interval."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from ...analysis.measured import best_first, headline_of
from ...analysis.run import Results
from ...config.study import source_of
from ..conclusion import Line, conclusions

WIDTH = 180.0  # of a drawn interval, in the units of the drawing
MARGIN = 7.0  # keeps marks at the ends whole
MINUS = "\N{MINUS SIGN}"
NEGATIVE = re.compile(r"(?<![\w.])-(?=[\d.])")


@dataclass(frozen=True)
class Row:
    """A voter's headline measure as text, and as positions on a line of WIDTH.

    `half` is kappa with ties and inconsistent pairs counted as half, "" where there are none. Who
    is not `eligible` voted on too few of the labelled items to be called the best.
    """

    voter: str
    kind: str
    n: str
    missing: str
    value: str
    interval: str
    accuracy: str
    half: str
    eligible: bool
    at: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Headline:
    """The summary of one dataset.

    `measure` is the headline measure's name; `lines` are the conclusion (`reporting.conclusion`),
    and `measured` says whether any voter has a measure.
    """

    dataset: str
    measure: str
    facts: str
    source: str
    note: str
    lines: tuple[Line, ...]
    measured: bool
    rows: list[Row]
    ticks: list[tuple[float, str]]
    zero: float


def headlines(results: Results) -> list[Headline]:
    """Return a headline a dataset, in the order of the studies."""
    found = conclusions(results)
    return [_headline(results, at, conclusion.lines) for at, conclusion in enumerate(found)]


def _headline(results: Results, number: int, lines: tuple[Line, ...]) -> Headline:
    panel = results.panels[number]
    dataset, human = panel.dataset, panel.human
    agreement = _of(results.tables.get("agreement"), dataset.name)
    measure = headline_of(agreement)
    ordered = best_first(agreement)
    lows = ordered["ci_low"].dropna()
    left = min(0.0, math.floor(10 * lows.min()) / 10) if len(lows) else 0.0
    rows = [_row(row, measure, left) for _, row in ordered.iterrows()]
    questions = len({item.item_id for item in dataset.items})
    unit = "pairs of answers" if dataset.pairwise else "answers"
    labelled = int((~np.isnan(human)).sum())
    steps = np.arange(math.ceil(left / 0.25) * 0.25, 1.001, 0.25)
    return Headline(
        dataset=dataset.name,
        measure=_symbol(measure),
        facts=f"{len(human):,} {unit} to {questions:,} questions, {labelled:,} with a human label",
        source=source_of(results.studies[number]),
        note=dataset.note,
        lines=tuple(replace(line, text=_typeset(line.text)) for line in lines),
        measured=any(row.at is not None for row in rows),
        rows=rows,
        ticks=[(_place(step, left), _typeset(f"{step:g}")) for step in steps],
        zero=_place(0.0, left),
    )


def _of(table: pd.DataFrame | None, dataset: str) -> pd.DataFrame:
    if table is None or table.empty:
        return pd.DataFrame(
            columns=[
                "voter",
                "kind",
                "n",
                "missing",
                "kappa",
                "ci_low",
                "ci_high",
                "accuracy",
                "eligible",
            ]
        )
    return table[table["dataset"] == dataset]


def _row(row: pd.Series[Any], measure: str, left: float) -> Row:
    undefined = pd.isna(row[measure])
    bounded = not (undefined or pd.isna(row["ci_low"]))
    return Row(
        voter=str(row["voter"]),
        kind=str(row["kind"]),
        n=f"{row['n']:,}",
        missing=f"{row['missing']:,}",
        value="" if undefined else _typeset(f"{row[measure]:.3f}"),
        interval=_typeset(f"{row['ci_low']:.3f} to {row['ci_high']:.3f}") if bounded else "",
        accuracy="" if pd.isna(row.get("accuracy")) else f"{row['accuracy']:.3f}",
        half=_typeset(f"{row['kappa_half']:.3f}") if row.get("undecided", 0) else "",
        eligible=bool(row["eligible"]),
        at=None if undefined else _place(row[measure], left),
        low=_place(row["ci_low"], left) if bounded else None,
        high=_place(row["ci_high"], left) if bounded else None,
    )


def _place(value: float, left: float) -> float:
    return round(MARGIN + (WIDTH - 2 * MARGIN) * (value - left) / (1 - left), 2)


def _symbol(measure: str) -> str:
    return "κ" if measure == "kappa" else measure.replace("_", " ")


def _typeset(numbers: str) -> str:
    """Return numbers with minus signs instead of hyphens."""
    return NEGATIVE.sub(MINUS, numbers)
