"""What counts where a jury came to no decision: its best member's vote, a half, or a wrong one.

A jury that leaves items undecided leaves the hard ones undecided. If these were left out, the best
jury would be the one that abstains most.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from ..metrics.arrays import Array, Mask

Undecided = Literal["best_member", "half", "wrong"]


def filled(
    votes: Array,
    human: Array,
    undecided: Undecided,
    best_first: Sequence[tuple[Array, Mask]] = (),
) -> Array:
    """Return votes of two sides with something in place of what is undecided.

    Parameters
    ----------
    votes : array of shape (n, k)
        1, 0, 0.5 where a voter was asked and came down on neither side, NaN without a vote.
    human : array of shape (n,)
    undecided : {"best_member", "half", "wrong"}
        "best_member": the vote of the first of the members that took a side, 0.5 where only halves
        are there. "half": 0.5 stays 0.5, and what has no vote is missing. "wrong": both count as
        the side that the humans did not take.
    best_first : sequence of pairs of arrays of shape (n,) and (k,)
        The votes of judges from the best to the worst, and of which of the k voters each is a
        member; none of single judges, which have no other vote to fall back on.
    """
    if undecided == "wrong":
        return np.where(_takes_side(votes), votes, 1 - human[:, None])
    if undecided == "half":
        return votes
    found = votes.copy()
    row, voter = np.nonzero(~_takes_side(found))
    vote = found[row, voter]
    for judge, members in best_first:
        one = judge[row]
        better = members[voter] & ~_takes_side(vote) & (_takes_side(one) | np.isnan(vote))
        vote = np.where(better, one, vote)
    found[row, voter] = vote
    return found


def first_of_members(votes: Array, members: Array) -> Array:
    """Return votes of any scale, of shape (n, 1), a missing one from the first member with one."""
    found = votes
    for one in members.T[:, :, None]:
        found = np.where(np.isnan(found), one, found)
    return found


def _takes_side(votes: Array) -> Mask:
    return np.asarray((votes == 0) | (votes == 1))
