"""Progress on a terminal while judges are asked: done, rate, time left, cost, odd outcomes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from types import TracebackType
from typing import Self

import pandas as pd
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from .collect import Tally
from .tables import markdown
from .types import Outcome, Verdict


class Bars:
    """A bar a judge on standard error; nothing where that is no terminal."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=console,
            disable=not console.is_terminal,
        )
        self._tasks: dict[int, TaskID] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def begin(self, tally: Tally, holes: int) -> None:
        """Add a bar."""
        name = f"{tally.judge} on {tally.dataset}"
        self._tasks[id(tally)] = self._bars.add_task(name, total=holes, rate="", note="")

    def advance(self, tally: Tally, verdict: Verdict) -> None:  # noqa: ARG002
        """Move a bar on by one verdict."""
        task = self._tasks[id(tally)]
        speed = self._bars.tasks[task].speed
        odd = [f"{n} {o}" for o, n in sorted(tally.outcomes.items()) if o is not Outcome.OK]
        if tally.cost_usd:
            odd.insert(0, f"${tally.cost_usd:.4f}")
        rate = f"{speed:.1f}/s" if speed else ""
        self._bars.update(task, advance=1, rate=rate, note=", ".join(odd))


def tally_table(tallies: Sequence[Tally]) -> pd.DataFrame:
    """Return a row a judge and dataset: what was wanted, stored before, asked, and what it gave."""
    met = sorted({outcome for tally in tallies for outcome in tally.outcomes})
    return pd.DataFrame(
        [
            {
                "dataset": tally.dataset,
                "judge": tally.judge,
                "verdicts": tally.requests,
                "stored": tally.kept,
                "asked": tally.asked,
                **{str(outcome): tally.outcomes[outcome] for outcome in met},
                "seconds": tally.seconds,
                "usd": tally.cost_usd if tally.asked and not tally.unpriced else None,
            }
            for tally in tallies
        ]
    )


def summary(tallies: Sequence[Tally], models: Collection[str], store: str) -> str:
    """Return what a collection did, in words; `models` names the judges whose calls cost."""
    table = tally_table(tallies)
    lines = [markdown(table)] if tallies else []
    lines += [f"SKIPPED: {tally.unavailable}" for tally in tallies if tally.unavailable]
    calls = sum(tally.asked for tally in tallies if tally.judge in models)
    kept = sum(tally.kept for tally in tallies if tally.judge in models)
    lines.append(f"{calls} model calls made; {kept} verdicts of models were in the store ({store})")
    return "\n\n".join(lines)
