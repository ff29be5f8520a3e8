"""Figures computed elsewhere from the same verdicts, beside ours under their definitions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ...data.tables import located
from ...juries.panel import Panel
from ...juries.rules import Jury
from ...metrics.measures import measures_of
from ..measured import measures as measures_for
from ..measured import ratings, two_sided
from .source import Source

FIGURES = "package:results/recorded/figures.csv"


def published(sources: Sequence[Source]) -> pd.DataFrame:
    """Compute each figure of the list under its own definition.

    The list has a row a figure: dataset, voter, members and rule of a jury, quorum, ties, measure,
    whether only the items on which all voters have a vote count (common), the number that cuts
    grades (cut), and the figure.

    Returns
    -------
    DataFrame
        dataset, voter, measure, common, cut; figure, as it was computed elsewhere; ours, under the
        same definition; atlas, the same voter under the atlas's measure, on its own items, NaN
        where it is none of the atlas's voters (float).
    """
    wanted = pd.read_csv(located(FIGURES), keep_default_na=False)
    rows = []
    for source in sources:
        for _, row in wanted[wanted["dataset"] == source.name].iterrows():
            rows.append(
                {
                    "dataset": source.name,
                    "voter": row["voter"],
                    "measure": row["measure"],
                    "common": row["common"] == "yes",
                    "cut": row["cut"],
                    "figure": float(row["figure"]),
                    "ours": _ours(source.panel, row),
                    "atlas": _atlas(source, row),
                }
            )
    return pd.DataFrame(rows)


def _members(row: pd.Series) -> tuple[str, ...]:
    return tuple(str(row["members"]).split()) or (str(row["voter"]),)


def _ours(panel: Panel, row: pd.Series) -> float:
    panel = panel.cut(float(row["cut"])) if row["cut"] else panel
    members = _members(row)
    judges = panel
    if len(members) > 1:
        quorum = int(row["quorum"]) if row["quorum"] else None
        jury = Jury(row["voter"], members, row["rule"], row["ties"] or "missing", quorum)
        panel = panel.add(jury)
    rated = ratings(panel)
    if row["common"] == "yes":
        known = np.asarray(~np.isnan(judges.votes.labels).any(axis=1))
        rated = rated.only(known)
    wanted = row["measure"]
    if panel.sided and not panel.dataset.pairwise:
        rated = two_sided(panel)
    for measure in (*measures_for(panel), *measures_of(panel.scale)):
        if measure.name == wanted:
            at = panel.votes.names.index(row["voter"])
            return float(measure.over(rated).point[at])
    return np.nan


def _atlas(source: Source, row: pd.Series) -> float:
    members = _members(row)
    found = [at for at, one in enumerate(source.voters) if set(one) == set(members)]
    rule = row["rule"] if len(members) > 1 else ""
    same = not rule or source.rule_name == rule
    return float(source.measured[found[0]]) if found and same else np.nan
