"""How many questions would have told voters, or ranked models, apart."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd

from ..juries.panel import Panel
from ..metrics.arrays import Array
from ..metrics.bootstrap import Bootstrap
from ..metrics.power import (
    POWER,
    critical_value,
    detectable_difference,
    questions_needed,
    standard_error,
)
from ..metrics.significance import max_t_quantile, standard_errors
from .comparison import against_best
from .measured import COVERAGE, compared
from .rankings import Fits

BEFOREHAND = "jury named beforehand"
OF_MODELS = "ranking"


def power(
    panel: Panel,
    bootstrap: Bootstrap,
    fits: Fits,
    coverage: float = COVERAGE,
    difference: float | None = None,
    chance: float = POWER,
) -> pd.DataFrame:
    """Plan how many questions find differences, with the panel as the pilot.

    The juries' critical value is that of one jury named before the labels were seen, the models'
    that of all pairs of a ranking at once (max-T). Of a search of juries, see `questions_needed` in
    the table `juries`.

    Parameters
    ----------
    panel, bootstrap
    fits : Fits
        The rankings of the panel.
    coverage : float
        See `against_best`.
    difference : float, optional
        The true difference to be found; by default each one that is seen.
    chance : float
        The power: the chance of finding it.

    Returns
    -------
    DataFrame
        A row for each jury beside the best judge, and for each two neighbours of each ranking by
        mean score or win rate: dataset, of ("jury named beforehand" or "ranking"), voter (the jury,
        or who ranks), first, second, measure (str); questions, of the pilot (int); difference, seen
        and error, its standard error; critical; detectable, the smallest true difference that as
        many questions find with the power; questions_needed, for the difference seen or given
        (float; infinite where it is 0, NaN where nothing varies).
    """
    rows = _juries(panel, bootstrap, coverage) + _models(panel, bootstrap, fits)
    if not rows:
        return pd.DataFrame()
    table = pd.DataFrame(rows)
    wanted = table["difference"] if difference is None else difference
    error, questions, critical = (
        table[name].to_numpy(float) for name in ("error", "questions", "critical")
    )
    table["detectable"] = detectable_difference(error, questions, power=chance, critical=critical)
    table["questions_needed"] = questions_needed(
        np.asarray(wanted, float), error, questions, power=chance, critical=critical
    )
    table.insert(0, "dataset", panel.dataset.name)
    return table


def _juries(panel: Panel, bootstrap: Bootstrap, coverage: float) -> list[dict[str, object]]:
    beside = against_best(panel, bootstrap, coverage)
    if beside.empty:
        return []
    beside = beside[beside["beside"] == "best judge"]
    error = standard_error(
        beside["ci_low"].to_numpy(),
        beside["ci_high"].to_numpy(),
        beside["questions"].to_numpy(float),
        bootstrap.level,
    )
    measure = compared(panel)[0].name
    return [
        {
            "of": BEFOREHAND,
            "voter": row["jury"],
            "first": row["jury"],
            "second": row["judge"],
            "measure": measure,
            "questions": row["questions"],
            "difference": row["difference"],
            "error": error[at],
            "critical": critical_value(bootstrap.level),
        }
        for at, (_, row) in enumerate(beside.iterrows())
    ]


def _models(panel: Panel, bootstrap: Bootstrap, fits: Fits) -> list[dict[str, object]]:
    questions = len(set(panel.questions))
    rows: list[dict[str, object]] = []
    for voter, measure, found in fits.rankings:
        if measure not in ("mean_score", "win_rate"):
            continue
        known = np.flatnonzero(~np.isnan(found.score))
        order = known[np.argsort(-found.score[known], kind="stable")]
        first, second = np.triu_indices(len(order), 1)
        columns = found.draws[:, order].T
        gaps = found.score[order][first] - found.score[order][second]
        critical = max_t_quantile(
            gaps,
            (columns[a] - columns[b] for a, b in zip(first, second, strict=True)),
            bootstrap.level,
        )
        neighbours: Array = np.diff(columns, axis=0)
        errors = standard_errors(neighbours) if len(order) > 1 else np.zeros(0)
        for (one, other), error in zip(pairwise(order), errors, strict=True):
            rows.append(
                {
                    "of": OF_MODELS,
                    "voter": voter.name,
                    "first": found.models[one],
                    "second": found.models[other],
                    "measure": measure,
                    "questions": questions,
                    "difference": found.score[one] - found.score[other],
                    "error": error,
                    "critical": critical,
                }
            )
    return rows
