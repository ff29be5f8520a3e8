"""How sure judges are: their probabilities of all values, where their replies have them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..errors import JuriesError
from ..juries.panel import Panel
from ..juries.stored import Distribution
from ..metrics.arrays import Array, Mask
from ..types import Outcome


def distributions(panel: Panel) -> pd.DataFrame:
    """Return how sure each judge is that scores the tokens of more than two values.

    Returns
    -------
    DataFrame
        A row a judge, and on a nominal scale a jury that pools probabilities: dataset, voter, kind;
        n, the verdicts with probabilities, and without, those without (int); expected, the mean
        expected level (of a preference from 0 to 1, for the first answer; NaN on a nominal scale);
        top, the mean probability of the most probable value; entropy, its mean in bits, from 0
        (sure) to the log2 of the number of values (all alike); label_mass, the mean probability of
        all verdict words together, NaN where it is not known (float).
    """
    rows = []
    for voter, kind, given, one in _of(panel):
        known = ~np.isnan(one.chances).any(axis=-1)
        row: dict[str, object] = {"dataset": panel.dataset.name, "voter": voter, "kind": kind}
        row |= {"n": int(known.sum()), "without": int((given & ~known).sum())}
        rows.append(row | {name: _mean(found[known]) for name, found in measured(one).items()})
    return pd.DataFrame(rows)


def verdict_distributions(panel: Panel) -> pd.DataFrame:
    """Return the probabilities of all values behind each verdict, to look at or to plot.

    Returns
    -------
    DataFrame
        A row a verdict: item_id, candidate, opponent, criterion, order, voter (str); expected, top,
        entropy and label_mass (see `distributions`), and p_VALUE for each value (float).

    Raises
    ------
    JuriesError
        If no judge has the token probabilities of more than two values.
    """
    items, rows = tuple(panel.dataset.items), []
    for voter, _, _, one in _of(panel):
        found = measured(one)
        for at, order in np.argwhere(~np.isnan(one.chances).any(axis=-1)).tolist():
            item, orders = items[at], panel.dataset.orders
            row = {"item_id": item.item_id, "candidate": item.candidate, "opponent": item.opponent}
            row |= {"criterion": item.criterion, "order": str(orders[order]), "voter": voter}
            row |= {name: values[at, order] for name, values in found.items()}
            chances = zip(one.values, one.chances[at, order].tolist(), strict=True)
            rows.append(row | {f"p_{value}": chance for value, chance in chances})
    if not rows:
        raise JuriesError(
            f"dataset {panel.dataset.name}: no judge has the token probabilities of more than two "
            "values; score tokens (decoding.verdict_by: logprobs) on such a scale"
        )
    return pd.DataFrame(rows)


def measured(one: Distribution) -> dict[str, Array]:
    """Return expected, top, entropy (bits) and label_mass, each of shape (n, orders)."""
    return {
        "expected": one.chances @ one.codes,
        "top": one.chances.max(axis=-1),
        "entropy": entropy(one.chances),
        "label_mass": one.label_mass,
    }


def entropy(chances: npt.ArrayLike) -> Any:
    """Return the entropy in bits of probabilities along the last axis, NaN where one is NaN."""
    given = np.asarray(chances, float)
    logs = np.log2(np.where(given > 0, given, 1.0))  # 0 log 0 is 0
    return -(given * logs).sum(axis=-1)


def _of(panel: Panel) -> Iterator[tuple[str, str, Mask, Distribution]]:
    """Yield each voter with probabilities: name, kind, which votes it has, and its distribution."""
    stored, votes = panel.stored, panel.votes
    kinds = {voter.name: voter.kind for voter in votes.voters}
    if stored is not None:
        for at, name in enumerate(stored.judges):
            if name in stored.distributions:
                given: Mask = stored.outcomes[:, at] == Outcome.OK
                yield name, kinds[name], given, stored.distributions[name]
    for at, voter in enumerate(votes.voters):
        if voter.kind == "jury" and not np.isnan(votes.probabilities[:, at]).all():
            chances, levels = votes.probabilities[:, at, None], votes.scale.levels
            none = np.full(chances.shape[:2], np.nan)
            codes = np.full(len(levels), np.nan)
            given = ~np.isnan(votes.labels[:, at, None])
            yield voter.name, voter.kind, given, Distribution(levels, codes, chances, none)


def _mean(values: Array) -> float:
    there = values[~np.isnan(values)]
    return float(there.mean()) if len(there) else float("nan")
