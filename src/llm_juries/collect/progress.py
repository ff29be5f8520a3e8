"""Progress bars of a collection on a terminal, and its summary as a table and notes."""

from __future__ import annotations

from collections.abc import Sequence
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

from ..errors import JuriesError
from ..types import Outcome, Verdict
from .tally import Tally


class Bars:
    """A progress bar a judge on standard error; nothing where that is not a terminal."""

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

    def begin(self, tally: Tally, missing: int) -> None:
        """Add a bar."""
        name = f"{tally.judge} on {tally.dataset}"
        self._tasks[id(tally)] = self._bars.add_task(name, total=missing, rate="", note="")

    def advance(self, tally: Tally, verdict: Verdict) -> None:  # noqa: ARG002
        """Advance a bar by one verdict."""
        task = self._tasks[id(tally)]
        speed = self._bars.tasks[task].speed
        odd = [f"{n} {o}" for o, n in sorted(tally.outcomes.items()) if o is not Outcome.OK]
        if tally.cost_usd:
            odd.insert(0, f"${tally.cost_usd:.4f}")
        rate = f"{speed:.1f}/s" if speed else ""
        self._bars.update(task, advance=1, rate=rate, note=", ".join(odd))


def tally_table(tallies: Sequence[Tally]) -> pd.DataFrame:
    """Return a row a judge and dataset: verdicts requested, stored before, asked for, by outcome.

    `usd` is the cost of the replies whose cost is known; `unpriced` counts the replies that took
    tokens but whose cost is not known.
    """
    outcomes = sorted({outcome for tally in tallies for outcome in tally.outcomes})
    return pd.DataFrame(
        [
            {
                "dataset": tally.dataset,
                "judge": tally.judge,
                "verdicts": tally.requests,
                "stored": tally.kept,
                "in_batches": tally.pending + tally.submitted,
                "asked": tally.asked,
                **{str(outcome): tally.outcomes[outcome] for outcome in outcomes},
                "seconds": round(tally.seconds, 1),
                "input_tokens": tally.input_tokens,
                "cached_tokens": tally.cached_tokens,
                "output_tokens": tally.output_tokens,
                "usd": tally.cost_usd,
                "unpriced": tally.unpriced,
            }
            for tally in tallies
        ]
    )


def notes(tallies: Sequence[Tally]) -> list[str]:
    """Return a line for each judge that was skipped, given up on or stopped."""
    lines = []
    for tally in tallies:
        at = f"{tally.judge} on {tally.dataset}"
        lines += [f"SKIPPED: {tally.unavailable}"] if tally.unavailable else []
        lines += [f"GAVE UP: {at}: {tally.gave_up}"] if tally.gave_up else []
        lines += [f"STOPPED: {at}: {tally.stopped}"] if tally.stopped else []
    return lines


def check_complete(tallies: Sequence[Tally]) -> None:
    """Raise JuriesError if the run gave up on a judge or stopped asking it."""
    short = [tally for tally in tallies if tally.gave_up or tally.stopped]
    if short:
        names = ", ".join(sorted({tally.judge for tally in short}))
        raise JuriesError(f"incomplete: {names}; run again to ask for the missing verdicts")
