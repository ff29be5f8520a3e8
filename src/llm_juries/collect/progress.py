"""Progress bars of a collection on a terminal, and its summary as a table and notes."""

from __future__ import annotations

from collections import Counter
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
from .trial import UNUSABLE, counts_in_words, remedy


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
    tokens but whose cost is not known. `answered_as` names the models that a server says it
    answered with, where that is not the one that was asked for.
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
                "answered_as": ", ".join(sorted(tally.models)) if tally.swap else "",
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
    """Raise JuriesError if a run did not do what it was to do.

    It gave up on a judge or stopped asking it, or a judge has no usable verdict on a dataset. A
    judge that was skipped, as `on_unavailable` says, is none of these unless nobody else was asked.
    """
    said = []
    if short := [tally for tally in tallies if tally.gave_up or tally.stopped]:
        names = dict.fromkeys(
            f"{tally.judge} ({tally.gave_up or tally.stopped})" for tally in short
        )
        again = "; run again to ask for the missing verdicts"
        said.append(f"incomplete: {', '.join(names)}{again}")
    asked = [tally for tally in tallies if not tally.unavailable]
    if tallies and not asked:
        said.append("no judge could be asked")
    done = {(tally.judge, tally.dataset) for tally in short}
    for judge, dataset in dict.fromkeys((t.judge, t.dataset) for t in asked):
        own = [t for t in asked if (t.judge, t.dataset) == (judge, dataset)]
        outcomes = sum((t.outcomes + t.stored for t in own), Counter[Outcome]())
        waiting = any(t.pending or t.submitted for t in own)
        if outcomes and not outcomes[Outcome.OK] and not waiting and (judge, dataset) not in done:
            said.append(f"{judge} on {dataset}: {_unusable(outcomes)}")
    if said:
        raise JuriesError("; ".join(said))


def _unusable(outcomes: Counter[Outcome]) -> str:
    """Return that no outcome is a verdict, and what to do about it."""
    text = f"no usable verdict ({counts_in_words(outcomes)})"
    if outcomes[Outcome.FAILED] == outcomes.total():
        return f"{text}; run again once it answers"
    if any(outcomes[outcome] for outcome in UNUSABLE):
        return f"{text}; {remedy(outcomes)}"
    return f"{text}; ask another judge, or change the prompt"
