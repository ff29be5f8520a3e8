"""A whole analysis: read the verdicts, pool them into juries, make every table."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from ..errors import JuriesError, nearest
from ..juries.panel import Inconsistent, Panel
from ..metrics.bootstrap import Bootstrap
from ..store.store import Store
from ..study import Study
from .agreement import agreement_table, annotator_table, delta_table, outcome_table
from .bias import family_table, rates_table, self_preference_table, spread_table
from .comparison import against_best_table
from .dependence import pair_table, panel_table
from .few_labels import corrected_table
from .jury_search import Criteria, search
from .pairs import length_bins_table, length_table, position_table, preference_table
from .panels import seat
from .rankings import Rankings, battle_table, correlation_table, ranking_table
from .savings import policy_table

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Options:
    """What to measure, and how.

    Parameters
    ----------
    inconsistent : {"missing", "tie", "mean"}
        What a pair counts as whose two orders point to different sides; see `seating`.
    candidate_families : mapping of str to str, optional
        The family of each model that answered, in the words of the judges' families.
    labelled_questions : int, optional
        Correct accuracies by the human labels of this many questions only; see `corrected`.
    interval_width : float
        For which it is told how many human labels it takes, from end to end, a share of 1.
    paper_table1 : str, optional
        CSV of the paper's printed kappas, to be drawn beside ours.
    """

    inconsistent: Inconsistent = "missing"
    candidate_families: Mapping[str, str] | None = None
    labelled_questions: int | None = None
    interval_width: float = 0.1
    paper_table1: str | None = None


ALWAYS = ("agreement", "outcomes", "deltas", "against_best")  # tables that may be empty


@dataclass(frozen=True)
class Results:
    """An analysis: its studies, their panels, and the tables by file name."""

    studies: Sequence[Study]
    panels: Sequence[Panel]
    tables: Mapping[str, pd.DataFrame]
    bootstrap: Bootstrap
    rankings: Rankings
    options: Options


def measure(
    studies: Sequence[Study],
    store: Store,
    bootstrap: Bootstrap,
    options: Options | None = None,
    rankings: Rankings | None = None,
    criteria: Criteria | None = None,
) -> Results:
    """Read the studies' verdicts and measure them.

    What a table holds is said by the function that makes it, in `analysis`, `preferences`,
    `rankings`, `candidate_bias`, `jury_search`, `corrected` and `policies`.

    Raises
    ------
    JuriesError
        If a study has no voters, dollars are of a judge that no study has, or as those functions.
    """
    options, rankings = options or Options(), rankings or Rankings()
    criteria = criteria or Criteria(rules=())
    kin = dict(options.candidate_families or {})
    given = dict(criteria.dollars or {})
    everyone = sorted({plan.judge.name for study in studies for plan in study.plans})
    for name in given:
        if name not in everyone:
            raise JuriesError(f"dollars.{name}: there is no such judge{nearest(name, everyone)}")
    made: dict[str, list[pd.DataFrame]] = {}
    panels = []
    for study in studies:
        if not study.plans:
            raise JuriesError(
                f"dataset {study.dataset.name}: has no voters; name some, such as judge=[contains] "
                "or jury=embedded"
            )
        panel = seat(study, store, options.inconsistent, kin)
        panels.append(panel)
        usd = panel.stored.usd_a_call() if panel.stored else {}
        usd |= {name: cost for name, cost in given.items() if name in usd}  # else of other datasets
        orders = len(panel.dataset.orders)
        prices = {name: orders * cost for name, cost in usd.items() if cost is not None}
        found = {
            "agreement": agreement_table(panel, bootstrap),
            "outcomes": outcome_table(panel),
            "deltas": delta_table(panel, bootstrap),
            "against_best": against_best_table(panel, bootstrap),
            "annotators": annotator_table(panel, bootstrap),
            "preferences": preference_table(panel, bootstrap),
            "position": position_table(panel, bootstrap),
            "length": length_table(panel, bootstrap),
            "length_bins": length_bins_table(panel, bootstrap),
            "ranking": ranking_table(panel, bootstrap, rankings),
            "correlation": correlation_table(panel, bootstrap, rankings),
            "battles": battle_table(panel, rankings),
            "spread": spread_table(panel, bootstrap),
            "rates": rates_table(panel, bootstrap),
            "families": family_table(panel, bootstrap, kin),
            "self_preference": self_preference_table(panel, bootstrap, kin),
            "effective_votes": panel_table(panel, bootstrap),
            "error_pairs": pair_table(panel, bootstrap),
            "corrected": corrected_table(
                panel, bootstrap, options.labelled_questions, options.interval_width
            ),
            "policies": policy_table(panel, study.plans, study.juries, usd),
        }
        if criteria.rules and not np.isnan(panel.human).all():
            own = replace(criteria, dollars=prices)
            try:
                searched = search(panel, bootstrap, own)
            except JuriesError as error:
                if len(studies) == 1:
                    raise
                log.warning("no search of juries here, the other datasets go on: %s", error)
            else:
                found |= {
                    "juries": searched.juries,
                    "judges": searched.judges,
                    "chosen": searched.chosen,
                }
        for name, table in found.items():
            made.setdefault(name, []).append(table)
    tables = {name: _joined(parts) for name, parts in made.items()}
    kept = {name: table for name, table in tables.items() if name in ALWAYS or not table.empty}
    return Results(studies, panels, kept, bootstrap, rankings, options)


def _joined(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    filled = [part for part in parts if not part.empty]
    if not filled:
        return pd.DataFrame()
    table = pd.concat(filled, ignore_index=True)
    # Only counts of outcomes differ in their columns: what a dataset never met, it met 0 times.
    partly = [column for column in table if not all(column in part for part in filled)]
    for column in partly:
        table[column] = table[column].fillna(0).astype(int)
    return table
