"""The order of rows that all tables share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from ..juries.panel import Panel
from ..juries.votes import Voter

KINDS = ("human", "reference", "judge", "lexical", "jury")


def by_voter(panel: Panel, voters: Sequence[Voter], columns: Mapping[str, object]) -> pd.DataFrame:
    """Return a table of a panel's dataset, a row a voter, sorted by kind and name."""
    head = {
        "dataset": panel.dataset.name,
        "voter": [voter.name for voter in voters],
        "kind": [voter.kind for voter in voters],
    }
    return in_order(pd.DataFrame({**head, **columns}))


def in_order(table: pd.DataFrame, *then: str) -> pd.DataFrame:
    """Sort by kind, name and more, so that tables do not depend on the order of a config."""
    rank = table["kind"].map({kind: at for at, kind in enumerate(KINDS)})
    return (
        table.assign(_rank=rank)
        .sort_values(["dataset", "_rank", "voter", *then], kind="stable")
        .drop(columns="_rank")
        .reset_index(drop=True)
    )
