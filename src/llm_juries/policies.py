"""What asking fewer judges would have saved on the votes at hand."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

import pandas as pd

from .aggregation import Pooling
from .juries import Jury
from .plans import Plan
from .savings import CyclicAssignment, Replay, SequentialMajority, by_price, replay, savings_table
from .seating import Panel
from .types import JuriesError

log = logging.getLogger(__name__)

FEWEST = 3  # seats: of two, both are always needed


def policy_table(
    panel: Panel,
    plans: Sequence[Plan],
    juries: Sequence[Jury | Pooling],
    usd_a_call: Mapping[str, float | None],
) -> pd.DataFrame:
    """Replay the policies of `savings` on each jury that decides by majority.

    Returns
    -------
    DataFrame
        A row a jury and policy ("sequential_majority", the cheapest judge first, whose verdicts are
        the jury's own; "cyclic_assignment", one judge a question, for means over many answers):
        dataset, jury, policy, order (str), then as `savings.savings_table`. Empty where no jury of
        three judges or more decides by majority, or one was not asked about everything.
    """
    judges = {plan.judge.name: plan.judge for plan in plans}
    frames = []
    for jury in juries:
        if not isinstance(jury, Jury) or jury.rule != "majority" or len(jury.members) < FEWEST:
            continue
        order = by_price([judges[member] for member in jury.members])
        try:
            replays: list[Replay] = [
                replay(planner, panel.votes, panel.questions)
                for planner in (
                    SequentialMajority(order),
                    CyclicAssignment(order, panel.questions),
                )
            ]
        except JuriesError as error:
            log.info("%s, jury %s: %s", panel.dataset.name, jury.name, error)
            continue
        whole = Jury(jury.name, jury.members).decide(panel.votes)
        table = savings_table(replays, whole, usd_a_call, len(panel.dataset.orders))
        table.insert(0, "dataset", panel.dataset.name)
        table.insert(1, "jury", jury.name)
        table.insert(3, "order", " > ".join(order))
        frames.append(table)
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
