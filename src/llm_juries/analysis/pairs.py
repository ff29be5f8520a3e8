"""Tables of pairs: agreement with ties, and the biases of position and of length.

A voter that judged each pair in both orders shows how much the place of an answer counts for it. A
jury's decisions in each order alone show whether pooling judges heals that: judges that all favour
the first place make a jury that does.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..juries.panel import Panel
from ..juries.rules import side
from ..juries.votes import Voter
from ..metrics import preference
from ..metrics.arrays import Array
from ..metrics.bootstrap import Bootstrap, cluster_sums
from ..metrics.intervals import additive, cluster_t, imagined_size, share_t
from ..metrics.measure import Measure, estimates, hit_or_miss, mean
from ..metrics.nominal import PREFERENCE, equal
from ..types import Item, Order
from .measured import of_sides, ratings
from .order import by_voter

HUMAN = Voter("humans", "human")
SAME_SIDE = Measure("agreement", ("preference",), equal, mean, "logit", hit_or_miss)
FLIPS, FIRSTS = [0, 1], [3, 4]  # where `preference.places` has numbers and hits


def preferences(panel: Panel, bootstrap: Bootstrap) -> pd.DataFrame:
    """Measure each voter's preferences against the humans', ties being a third side.

    Returns
    -------
    DataFrame
        A row a voter: dataset, voter, kind (str); n, the pairs with a label and a vote, missing,
        the labelled ones without, and ties, how many votes are one (int); agreement, the share of
        the same side, with agreement_low and agreement_high, and kappa of the three sides with
        kappa_low and kappa_high (float). Empty where no human label is a tie: the table of
        agreement says it all then.
    """
    human = panel.preferences
    if not panel.dataset.pairwise or not (human == 0.5).any():
        return pd.DataFrame()
    labels = panel.votes.labels
    rated = of_sides(ratings(panel))
    n = rated.both.sum(axis=0)
    columns = {"n": n, "missing": int((~np.isnan(human)).sum()) - n}
    columns["ties"] = ((labels == 0.5) & ~np.isnan(human)[:, None]).sum(axis=0)
    found = estimates([SAME_SIDE, PREFERENCE[0]], rated, bootstrap)
    for name, (value, low, high) in found.items():
        columns |= {name: value, f"{name}_low": low, f"{name}_high": high}
    return by_voter(panel, panel.votes.voters, columns)


def position(panel: Panel, bootstrap: Bootstrap) -> pd.DataFrame:
    """Measure how much the order of a pair counts for each voter.

    Returns
    -------
    DataFrame
        A row a voter: dataset, voter, kind (str); pairs, those with a preference in both orders
        (int); flip_rate, the share of them whose preference turns with the order, with flip_low and
        flip_high, inconsistent, the share whose orders differ at all (a tie being a side);
        preferences, all that were read in either order (int); first_place, the share of them that
        went to the answer shown first (ties half, 0.5 is fair), with first_low and first_high
        (float). Empty where pairs were shown in one order only.
    """
    if set(panel.orders) != set(Order):
        return pd.DataFrame()
    shown = np.stack([panel.orders[order].labels for order in Order], axis=2)
    sums = cluster_sums(preference.places(shown), panel.clusters)
    total = sums.sum(axis=0)
    columns = {"pairs": total[:, 0].astype(int)}
    for name, column, at in (("flip_rate", "flip", FLIPS), ("first_place", "first", FIRSTS)):
        value, low, high = share_t(sums[..., at], preference.win_share, bootstrap.level)
        columns |= {name: value, f"{column}_low": low, f"{column}_high": high}
        if name == "flip_rate":
            columns |= {
                "inconsistent": preference.inconsistency(total),
                "preferences": total[:, 3].astype(int),
            }
    return by_voter(panel, panel.votes.voters, columns)


def length(panel: Panel, bootstrap: Bootstrap) -> pd.DataFrame:
    """Measure how much length counts for each voter, and for the humans where there are labels.

    The humans are the scale: longer answers may be better ones.

    Returns
    -------
    DataFrame
        A row a voter: dataset, voter, kind (str); n, the pairs of unlike lengths with a preference
        (int); longer_wins, the share of them that the longer answer won (ties half), with ci_low
        and ci_high; above_humans, that share less the humans' over the pairs that both judged, with
        above_low and above_high (float). Empty where lengths are not known.
    """
    difference = _differences(panel)
    if np.isnan(difference).all():
        return pd.DataFrame()
    voters, shares = _with_humans(panel)
    human = panel.preferences[:, None]
    alone = np.isnan(human) | np.isnan(shares) | [voter is HUMAN for voter in voters]
    beside = [np.where(alone, np.nan, one) for one in (shares, human)]
    paired = np.stack(beside, axis=-1).reshape(len(human), -1)
    everything = np.hstack([shares, paired])
    sums = cluster_sums(preference.longer_wins(everything, difference), panel.clusters)
    k = len(voters)

    def measured(totals: Array) -> Array:
        won = preference.win_share(totals)
        beside = won[..., k:].reshape(*won.shape[:-1], k, 2)
        return np.stack([won[..., :k], beside[..., 0] - beside[..., 1]], axis=-1)

    total = sums.sum(axis=0)
    used = np.stack([sums[:, :k, 0], sums[:, k::2, 0]], axis=-1) > 0
    # The longer one wins for the voter, for the humans, for both or for neither
    wins = np.array([[a] * k + [a, b] * k for a in (0.0, 1.0) for b in (0.0, 1.0)])
    cells = np.stack([np.ones_like(wins), wins], axis=-1)
    cells *= imagined_size(sums[..., 0])[:, None]
    value, low, high = cluster_t(additive(sums, measured, cells, used), level=bootstrap.level)
    low[:, 0], high[:, 0] = np.clip([low[:, 0], high[:, 0]], 0, 1)
    columns = {
        "n": total[:k, 0].astype(int),
        "longer_wins": value[:, 0],
        "ci_low": low[:, 0],
        "ci_high": high[:, 0],
        "above_humans": value[:, 1],
        "above_low": low[:, 1],
        "above_high": high[:, 1],
    }
    return by_voter(panel, voters, columns)


def length_bins(panel: Panel, bootstrap: Bootstrap) -> pd.DataFrame:
    """Measure the first's wins in bins of its length difference.

    Returns
    -------
    DataFrame
        A row a voter and bin that holds pairs: dataset, voter, kind (str); low and high, the bin's
        ends, of (a - b) / (a + b) in characters (float); n (int); share, of the pairs that the
        first won (ties half), with ci_low and ci_high (float). Empty where lengths are not known.
    """
    difference = _differences(panel)
    if np.isnan(difference).all():
        return pd.DataFrame()
    voters, shares = _with_humans(panel)
    sums = cluster_sums(preference.by_length(shares, difference), panel.clusters)
    total = sums.sum(axis=0)
    share, low, high = share_t(sums, preference.win_share, bootstrap.level)
    frames = [
        by_voter(
            panel,
            voters,
            {
                "low": float(preference.EDGES[at]),
                "high": float(preference.EDGES[at + 1]),
                "n": total[:, at, 0].astype(int),
                "share": share[:, at],
                "ci_low": low[:, at],
                "ci_high": high[:, at],
            },
        )
        for at in range(len(preference.EDGES) - 1)
    ]
    table = pd.concat(frames, ignore_index=True)
    return table[table["n"] > 0].reset_index(drop=True)


def shares(panel: Panel) -> Array:
    """Return each voter's preference as the first's share of the win, of shape (n, k).

    The strength of the voter's score where it lies on the label's side, else the label: what a
    judge's probabilities say on average can contradict its likeliest word.
    """
    labels, scores = panel.votes.labels, panel.votes.scores
    share: Array = np.where(side(scores) == labels, scores, labels)
    return share


def _with_humans(panel: Panel) -> tuple[tuple[Voter, ...], Array]:
    """Return the voters and their labels, the humans last where they labelled anything."""
    human = panel.preferences
    if np.isnan(human).all():
        return panel.votes.voters, panel.votes.labels
    return (*panel.votes.voters, HUMAN), np.hstack([panel.votes.labels, human[:, None]])


def _differences(panel: Panel) -> Array:
    if not panel.dataset.pairwise:
        return np.full(len(panel.votes.labels), np.nan)
    lengths = np.array([_lengths(item) for item in panel.dataset.items], float)
    return preference.length_difference(lengths[:, 0], lengths[:, 1])


def _lengths(item: Item) -> tuple[float, float]:
    if item.lengths is not None:
        return item.lengths
    if item.question or item.answer or item.opponent_answer:
        return len(item.answer), len(item.opponent_answer)
    return np.nan, np.nan
