"""Voters without a single usable verdict, and what the store holds instead.

A wrong store, another prompt or a judge of which every reply was cut off would otherwise look like
a result.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ..judges.recorded import RecordedJudge
from ..juries.panel import Panel
from ..juries.stored import NOT_ASKED
from ..store.plan import Plan
from ..store.scan import outcome_counts
from ..study import Study
from ..types import Outcome

MOST_NAMED = 3


def absent(studies: Sequence[Study], panels: Sequence[Panel], store: Path) -> list[str]:
    """Return a line for each judge's seat that has no usable verdict on a dataset.

    Parameters
    ----------
    studies : sequence of Study
    panels : sequence of Panel
        As `panels.read_panel` makes them of the studies.
    store : Path
    """
    found = []
    counts: pd.DataFrame | None = None
    for study, panel in zip(studies, panels, strict=True):
        if panel.stored is None:
            continue
        for at, plan in enumerate(study.plans):
            outcomes = Counter(panel.stored.outcomes[:, at].ravel().tolist())
            if outcomes[Outcome.OK]:
                continue
            del outcomes[NOT_ASKED]
            where = f"{plan.voter} on {plan.dataset.name}"
            if outcomes:
                said = ", ".join(f"{n} {outcome}" for outcome, n in sorted(outcomes.items()))
                found.append(f"{where}: no usable verdict ({said})")
                continue
            if isinstance(plan.judge, RecordedJudge):
                found.append(f"{where}: its recording has no verdict on these items")
                continue
            if counts is None:
                counts = outcome_counts(store)
            under = f" under prompt {plan.prompt.name}" if not plan.judge.free else ""
            found.append(f"{where}: the store {store} has no verdict{under}; {_held(plan, counts)}")
    return found


def _held(plan: Plan, counts: pd.DataFrame) -> str:
    """Return what a store holds, what is nearest to a plan first."""
    rows = counts.to_dict("records")
    if not rows:
        return "it is empty; collect verdicts with llm-juries judge, or set store="
    alike = {"judge": plan.judge.name, "dataset": plan.dataset.name, "prompt": plan.prompt.name}
    rows.sort(key=lambda row: -sum(row[name] == value for name, value in alike.items()))
    named = ", ".join(
        f"{row['verdicts']} of {row['judge']} on {row['dataset']} under {row['prompt'] or 'no'} "
        "prompt"
        for row in rows[:MOST_NAMED]
    )
    more = len(rows) - MOST_NAMED
    return f"it has {named}" + (f" and {more} more" if more > 0 else "")
