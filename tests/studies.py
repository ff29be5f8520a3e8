"""Studies of recorded verdicts, and their analysis: what tests of reports are about."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from llm_juries.analysis.run import Results, measure
from llm_juries.analysis.settings import Analysis
from llm_juries.collect.run import collect
from llm_juries.data.dataset import Dataset, Recording, Seen
from llm_juries.data.verdicts import load
from llm_juries.judges.recorded import recorded_judges
from llm_juries.juries.rules import Jury
from llm_juries.metrics.bootstrap import Bootstrap
from llm_juries.store.plan import Plan
from llm_juries.store.store import Store
from llm_juries.study import Study
from llm_juries.types import Item, Order
from shared_prompts import ANSWER as PROMPT


def study_of(dataset: Dataset, juries: Sequence[Jury] = ()) -> Study:
    """Return a study of a dataset's recorded judges."""
    plans = tuple(Plan(judge, dataset, PROMPT) for judge in recorded_judges(dataset))
    return Study(dataset, plans, tuple(juries))


class _Asked:
    """A recorded judge that counts as one that is asked: its verdicts are stored."""

    def __init__(self, recorded: Any) -> None:
        self._recorded = recorded

    def __getattr__(self, name: str) -> Any:
        return getattr(self._recorded, name)


def as_asked(plans: Iterable[Plan]) -> tuple[Plan, ...]:
    """Return plans of recorded judges as those of judges that are asked."""
    return tuple(replace(plan, judge=_Asked(plan.judge)) for plan in plans)


def study_of_rows(
    path: Path, rows: Iterable[str], juries: Sequence[Jury] = (), **how: Any
) -> Study:
    """Write rows of CSV, the header first, and return their study; `how` is passed to `load`."""
    path.write_text("\n".join(rows) + "\n")
    return study_of(load(str(path), **how), juries)


def measured(studies: Sequence[Study], store: Store, analysis: Analysis | None = None) -> Results:
    """Store the studies' verdicts and measure them, with few resamples."""
    collect([plan for study in studies for plan in study.plans], store)
    analysis = analysis or Analysis()
    return measure(studies, store, replace(analysis, bootstrap=Bootstrap(resamples=20)))


def recorded_plans(judges: int, items: int) -> list[Plan]:
    """Return the plans of recorded judges of made-up answers.

    The last item was never judged; every fifth reply is no verdict.
    """
    texts = tuple(
        Item("made_up", f"q{n}", "c", f"Q{n}", f"A{n}", (f"R{n}",), human=float(n % 2))
        for n in range(items)
    )
    recordings = tuple(
        Recording(
            f"judge_{at}", "p", "f", "judge", "s",
            {
                Seen(item.item_id, "c", "", Order.ORIGINAL): "true" if n % 5 else "hm"
                for n, item in enumerate(texts[:-1])
            },
        )
        for at in range(judges)
    )  # fmt: skip
    dataset = Dataset("made_up", texts, recordings=recordings)
    return list(study_of(dataset).plans)
