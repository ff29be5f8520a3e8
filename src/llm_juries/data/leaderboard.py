"""Read reference leaderboards: tables with a column `model` and a column `score`."""

from __future__ import annotations

import math
from typing import Any

from ..errors import JuriesError, nearest
from .tables import located, rows


def reference_leaderboard(path: str) -> dict[str, float]:
    """Return the score of each model in a .csv, .jsonl or .parquet file, in the file's order.

    Higher is better. Further columns (rank, date, source) are ignored. A row with an empty score is
    skipped.

    Raises
    ------
    JuriesError
        In one line, naming the file, the line and the field: a missing column, an empty name, a
        duplicate model, a score that is not a finite number, no score at all.
    """
    file = located(path)
    scores: dict[str, float] = {}
    places: dict[str, str] = {}
    for place, row in rows(file):
        for column in ("model", "score"):
            if column not in row:
                raise JuriesError(f"{file}: has no column {column!r}{nearest(column, row)}")
        model = str(row["model"] or "").strip()
        if not model:
            raise JuriesError(f"{file}, {place}, field model: is empty; name the model")
        if model in places:
            raise JuriesError(
                f"{file}, {place}, field model: {model!r} is already in {places[model]}; keep one"
            )
        places[model] = place
        if row["score"] is not None:
            scores[model] = _score(row["score"], f"{file}, {place}, field score")
    if not scores:
        raise JuriesError(f"{file}: has no score; write a model and its score in each row")
    return scores


def _score(value: Any, place: str) -> float:
    try:
        score = float(value)
    except (TypeError, ValueError):
        score = math.nan
    if not math.isfinite(score):
        raise JuriesError(f"{place}: {value!r} is not a number; set a number, or leave it empty")
    return score
