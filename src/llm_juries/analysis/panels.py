"""Read a panel from a store: stored verdicts become votes, and juries decide. Calls no model.

Prompts have scales of their own (true or false, one to five, A>>B to B>>A), so labels are scaled
from their lowest and highest to 0 and 1. Above the middle is a vote for the answer (or the first of
a pair), below it one against; the middle itself is a tie (0.5) of a pair, and no vote on a single
answer.

A pair is one unit, however many orders it was shown in, so no battle counts twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ..juries.panel import Panel
from ..juries.pooling import context_of
from ..juries.stored import Inconsistent, pool
from ..juries.votes import Voter, Votes
from ..store.plan import Plan
from ..store.store import Store
from ..study import Study, read
from ..types import Order


def read_panel(
    study: Study,
    store: Store,
    inconsistent: Inconsistent = "missing",
    candidate_families: Mapping[str, str] | None = None,
) -> Panel:
    """Read a study's votes from the store and let its juries decide.

    Parameters
    ----------
    study, store
    inconsistent : {"missing", "tie", "mean"}
        What a pair counts as whose two orders point to different sides.
    candidate_families : mapping of str to str, optional
        The model family of each candidate, for juries whose members recuse themselves.
    """
    dataset = study.dataset.loaded()
    context = context_of(dataset.items, candidate_families)
    plans = [replace(plan, dataset=dataset) for plan in study.plans]
    stored = read(plans, dataset, store)
    labels, scores, outcomes = stored.labels, stored.scores, stored.outcomes
    voters = tuple(Voter(p.judge.name, p.judge.kind, p.judge.family) for p in plans)

    def decided(votes: Votes) -> Votes:
        return votes.joined(*(jury.decide(votes, context) for jury in study.juries))

    pairs = dataset.pairwise
    pooled = pool(labels, scores, outcomes, inconsistent, pairs=pairs)
    single: dict[Order, Votes] = {}
    if len(dataset.orders) > 1:
        for at, order in enumerate(dataset.orders):
            part = np.s_[:, :, at : at + 1]
            alone = pool(labels[part], scores[part], outcomes[part], inconsistent, pairs=pairs)
            single[order] = decided(Votes(voters, *alone))
    return Panel(
        dataset,
        decided(Votes(voters, *pooled)),
        single,
        _scale(plans),
        study.juries,
        candidate_families or {},
        stored,
    )


def _scale(plans: Sequence[Plan]) -> tuple[float, float]:
    """Return the prompt's scale where a model was asked under it."""
    asked = [plan for plan in plans if not plan.judge.free]
    return asked[0].prompt.reader.scale if asked else (0.0, 1.0)
