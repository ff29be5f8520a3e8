"""Leaderboards to compare a ranking with: a table with a column `model` and a column `score`."""

from __future__ import annotations

import math
from typing import Any

from ..errors import JuriesError, nearest
from .tables import located, rows


def reference_leaderboard(path: str) -> dict[str, float]:
    """Return the score of each model in a .csv, .jsonl or .parquet file, in the file's order.

    Higher is better. Further columns (the rank, the date, where it was published) are for readers.
    A row whose score is empty is left out: such a model has no place yet.

    Raises
    ------
    JuriesError
        In one line, naming the file, the line and the field: a missing column, an empty name, a
        model that is there twice, a score that is no finite number, no score at all.
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
                f"{file}, {place}, field model: {model!r} is in {places[model]} already; keep one"
            )
        places[model] = place
        if row["score"] is not None:
            scores[model] = _score(row["score"], f"{file}, {place}, field score")
    if not scores:
        raise JuriesError(f"{file}: holds no score; a row is a model and its score")
    return scores


def _score(value: Any, place: str) -> float:
    try:
        score = float(value)
    except (TypeError, ValueError):
        score = math.nan
    if not math.isfinite(score):
        raise JuriesError(f"{place}: is {value!r}; set it to a number, or leave it empty")
    return score
