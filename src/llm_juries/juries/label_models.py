"""Juries by models of their members' errors, fitted to the votes alone: Dawid-Skene and GLAD.

They can do much worse than majority where judges make the same errors: see docs/aggregation.md.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..errors import JuriesError
from ..metrics.arrays import Array
from .pooling import Context, check_members, check_scale, name_seats
from .rules import SIDED
from .votes import DECIDED, NO_QUORUM, TIE, Votes, one_voter

SIDES = (0.0, 0.5, 1.0)  # of a yes or no, and of a preference
TOLERANCE = 1e-12  # two probabilities that differ by rounding alone are tied


@dataclass(frozen=True)
class LabelModel:
    """A model of judges' errors, fitted by crowd-kit to the votes alone, on all items at once.

    "dawid_skene": each judge has a rate of error on right and on wrong answers (Dawid and Skene
    1979). "glad": each judge has an ability and each item a difficulty (Whitehill et al. 2009).
    Both assume that judges err independently and that the consensus is the truth. The decision is
    the likeliest label, its score the probability of the positive one (of a pair, plus half that of
    neither; on a nominal scale, of the decision). A missing vote is left out of the fit.
    Dawid-Skene is for binary, nominal and preference scales, GLAD for binary and preference ones.

    Parameters
    ----------
    name, members
        See `Jury`.
    model : {"dawid_skene", "glad"}
    quorum : int, optional
        How many votes a decision needs; by default more than half of the seats.
    iterations : int
        The most steps of expectation-maximisation.
    """

    name: str
    members: tuple[str, ...]
    model: Literal["dawid_skene", "glad"] = "dawid_skene"
    quorum: int | None = None
    iterations: int = 100

    def __post_init__(self) -> None:
        name_seats(self, "members")
        check_members(self.name, self.members, self.quorum)

    def decide(self, votes: Votes, context: Context | None = None) -> Votes:  # noqa: ARG002
        """Return the jury's decisions as the votes of one voter."""
        kinds = ("binary", "nominal", "preference") if self.model == "dawid_skene" else SIDED
        check_scale(self.name, self.model, votes.scale, kinds)
        nominal = votes.scale.kind == "nominal"
        values = votes.scale.codes if nominal else SIDES
        labels = votes.columns(tuple(sorted(self.members))).labels
        chances = posterior(labels, self.model, self.iterations, values)
        enough = (~np.isnan(labels)).sum(axis=1) >= (self.quorum or len(self.members) // 2 + 1)
        ranked = np.sort(chances, axis=1)
        tied = enough & (ranked[:, -1] - ranked[:, -2] <= TOLERANCE)
        likeliest = np.array(values)[np.argmax(np.nan_to_num(chances), axis=1)]
        score = ranked[:, -1] if nominal else chances @ np.array(SIDES)
        return one_voter(
            self.name,
            self.members,
            np.where(enough & ~tied, likeliest, np.nan),
            np.where(tied, TIE, np.where(enough, DECIDED, NO_QUORUM)),
            np.where(enough, score, np.nan),
            votes.scale,
        )


def posterior(
    labels: Array,
    model: Literal["dawid_skene", "glad"],
    iterations: int = 100,
    values: Sequence[float] = SIDES,
) -> Array:
    """Return the probability of each value for n items, of shape (n, values), NaN without votes.

    Items are sorted by their votes before the fit, so that the order of rows does not change even
    the last digit.

    Raises
    ------
    JuriesError
        If crowd-kit is not installed.
    """
    import pandas as pd

    try:
        from crowdkit.aggregation import GLAD, DawidSkene
    except ImportError:
        raise JuriesError(
            f"{model}: needs the extra 'aggregation' (pip install 'llm-juries[aggregation]')"
        ) from None

    filled = np.nan_to_num(labels, nan=-1.0)
    order = np.lexsort(filled.T[::-1])
    task, worker = np.nonzero(filled[order] >= 0)
    found = np.zeros((len(labels), len(values)))
    found[np.asarray(np.isnan(labels)).all(axis=1)] = np.nan
    cast = np.searchsorted(values, filled[order][task, worker])
    if len(np.unique(cast)) < 2:  # nothing for a model to tell apart
        found[order[np.unique(task)], cast[:1]] = 1.0
        return found
    table = pd.DataFrame({"task": task, "worker": worker, "label": cast})
    fitted = DawidSkene(iterations) if model == "dawid_skene" else GLAD(iterations, silent=True)
    with warnings.catch_warnings():  # crowd-kit 1.4 uses keywords that pandas 3 deprecates
        warnings.simplefilter("ignore", DeprecationWarning)
        chances = fitted.fit_predict_proba(table)
    for label in chances.columns:
        found[order[chances.index.to_numpy()], int(label)] = chances[label].to_numpy()
    return found
