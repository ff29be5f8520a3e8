"""What counts where a jury came to no decision: its best member's vote, a half, or a wrong one.

A jury that leaves items undecided leaves the hard ones undecided. If these were left out, the best
jury would be the one that abstains most.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from ..metrics.arrays import Array, Mask

Undecided = Literal["best_member", "half", "wrong"]


def filled(votes: Array, human: Array, undecided: Undecided, members: Array | None = None) -> Array:
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
    members : array of shape (n, m), optional
        The members' votes from the best to the worst; none of a single judge, which has no other
        vote to fall back on.
    """
    if undecided == "wrong":
        return np.where(_takes_side(votes), votes, 1 - human[:, None])
    found = votes
    if undecided == "best_member" and members is not None:
        for one in members.T[:, :, None]:
            better = ~_takes_side(found) & (_takes_side(one) | np.isnan(found))
            found = np.where(better, one, found)
    return found


def first_of_members(votes: Array, members: Array) -> Array:
    """Return votes of any scale, of shape (n, 1), a missing one from the first member with one."""
    found = votes
    for one in members.T[:, :, None]:
        found = np.where(np.isnan(found), one, found)
    return found


def _takes_side(votes: Array) -> Mask:
    return np.isin(votes, (0, 1))
