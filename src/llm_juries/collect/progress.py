"""The progress of a collection as a table on a terminal or as JSON lines, and its summary."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, Self, TextIO

import pandas as pd
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column, Table

from ..errors import JuriesError
from ..store.plan import Plan
from ..types import Order, Outcome, Verdict
from .policy import Policy
from .tally import Tally
from .trial import UNUSABLE, counts_in_words, remedy

BETWEEN_S = 5.0  # seconds between two lines of one judge
WIDE = 110  # characters of a terminal that shows bars, rates and times too


@dataclass
class _State:
    """How far one judge is on one dataset: of `total` missing verdicts `done` came, since `began`.

    Of `compared` new verdicts with a human label on the same scale, `right` are the same.
    """

    total: int
    began: float
    done: int = 0
    right: int = 0
    compared: int = 0
    said_at: float = 0.0

    def facts(self, tally: Tally, now: float) -> dict[str, Any]:
        """Return what there is to say; what is not known yet is None."""
        seconds = now - self.began
        rate = self.done / seconds if self.done and seconds > 0 else None
        share = self.done / self.total if self.total else 1.0
        usd = tally.cost_usd or None
        return {
            "judge": tally.judge,
            "dataset": tally.dataset,
            "done": self.done,
            "total": self.total,
            "per_second": rate and round(rate, 3),
            "seconds_left": rate and round((self.total - self.done) / rate, 1),
            "outcomes": {str(outcome): n for outcome, n in sorted(tally.outcomes.items())},
            "usd": usd,
            "usd_expected": usd and share and usd / share,
            "agree": self.right / self.compared if self.compared else None,
            "labelled": self.compared,
        }


class Shown:
    """Counts the progress of each judge, with a first look at its agreement with the labels.

    The look is at the verdicts of this run alone, as they come: the share of those that are the
    human label itself, of single answers whose labels are on the prompt's scale: not a result.

    Parameters
    ----------
    plans : iterable of Plan
        For their labels; without them, nothing is compared.
    clock : function, optional
        Seconds.
    """

    def __init__(
        self, plans: Iterable[Plan] = (), clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._labels = _labels(plans)
        self._clock = clock
        self._states: dict[int, _State] = {}
        self._tallies: dict[int, Tally] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Show nothing more."""

    def begin(self, tally: Tally, missing: int) -> None:
        """Note that a judge is about to be asked for `missing` verdicts."""
        self._states[id(tally)] = _State(missing, self._clock())
        self._tallies[id(tally)] = tally

    def advance(self, tally: Tally, verdict: Verdict) -> None:
        """Note one more verdict."""
        state = self._states[id(tally)]
        state.done += 1
        label = self._labels.get((tally.judge, tally.dataset), {}).get(_cell(verdict))
        if label is not None and verdict.outcome is Outcome.OK:
            state.compared += 1
            state.right += verdict.value == label

    def facts(self, tally: Tally) -> dict[str, Any]:
        """Return how far a judge is."""
        return self._states[id(tally)].facts(tally, self._clock())


def _cell(one: Any) -> tuple[str, str, str]:
    return one.item_id, one.candidate, one.criterion


def _labels(plans: Iterable[Plan]) -> Mapping[tuple[str, str], Mapping[tuple[str, ...], str]]:
    """Return the labels that a judge's verdicts on a dataset can be compared with, by cell."""
    return {
        (plan.voter, plan.dataset.name): {
            _cell(item): item.human for item in plan.dataset.items if item.human is not None
        }
        for plan in plans
        if not plan.dataset.pairwise
        and plan.judge.reader(plan.prompt, Order.ORIGINAL).scale == plan.dataset.label_scale
    }


class JsonLines(Shown):
    """A line of JSON a judge: at most one in `BETWEEN_S` seconds, and the last one at its end."""

    def __init__(
        self,
        plans: Iterable[Plan] = (),
        clock: Callable[[], float] = time.monotonic,
        file: TextIO | None = None,
    ) -> None:
        super().__init__(plans, clock)
        self._file = file or sys.stderr

    def begin(self, tally: Tally, missing: int) -> None:
        """Write the first line."""
        super().begin(tally, missing)
        self._write(tally)

    def advance(self, tally: Tally, verdict: Verdict) -> None:
        """Write a line if the last one is old, or this verdict is the last."""
        super().advance(tally, verdict)
        state = self._states[id(tally)]
        if state.done == state.total or self._clock() - state.said_at >= BETWEEN_S:
            self._write(tally)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write how far those are that did not reach their end."""
        for number, tally in self._tallies.items():
            if self._states[number].done < self._states[number].total:
                self._write(tally)

    def _write(self, tally: Tally) -> None:
        self._states[id(tally)].said_at = self._clock()
        print(json.dumps(self.facts(tally), ensure_ascii=False), file=self._file, flush=True)


class Bars(Shown):
    """A table on standard error with a row a judge; nothing where that is not a terminal.

    Parameters
    ----------
    plans : iterable of Plan
    forced : bool
        Whether it is shown where there is no terminal too.
    """

    def __init__(self, plans: Iterable[Plan] = (), *, forced: bool = False) -> None:
        super().__init__(plans)
        console = Console(stderr=True)
        wide = console.width >= WIDE
        columns: list[ProgressColumn] = [
            TextColumn("{task.description}", table_column=_head("judge on dataset", "left")),
            *[BarColumn(bar_width=20, table_column=_head(""))][: int(wide)],
            MofNCompleteColumn(table_column=_head("done")),
            *[_Fact("rate", "rate"), TimeElapsedColumn(table_column=_head("time"))][: 2 * wide],
            TimeRemainingColumn(compact=True, table_column=_head("left")),
            _Fact("usd", "dollars"),
            _Fact("agree", "agrees"),
            _Fact("odd", "outcomes"),
        ]
        self._bars = _Rows(
            *columns,
            console=console,
            disable=not (console.is_terminal or forced),
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
        """Add a row."""
        super().begin(tally, missing)
        name = f"{tally.judge} on {tally.dataset}"
        self._tasks[id(tally)] = self._bars.add_task(name, total=missing, **_cells({}))

    def advance(self, tally: Tally, verdict: Verdict) -> None:
        """Advance a row by one verdict."""
        super().advance(tally, verdict)
        self._bars.update(self._tasks[id(tally)], advance=1, **_cells(self.facts(tally)))


def _cells(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the texts of a row's last columns."""
    rate, usd, expected = (facts.get(name) for name in ("per_second", "usd", "usd_expected"))
    agree, odd = facts.get("agree"), dict(facts.get("outcomes", {}))
    ok = odd.pop(str(Outcome.OK), 0)
    others = ", ".join(f"{n} {outcome}" for outcome, n in odd.items())
    return {
        "rate": f"{rate:.1f}/s" if rate else "",
        "usd": f"{usd:.4f} of ~{expected:.3g}" if usd and expected else "",
        "agree": f"{agree:.2f} of {facts['labelled']}" if agree is not None else "",
        "odd": f"{ok} ok, {others}" if others else "",
    }


def _head(text: str, justify: Literal["left", "right"] = "right") -> Column:
    return Column(text, no_wrap=True, justify=justify)


class _Fact(ProgressColumn):
    """A column of a row's text."""

    def __init__(self, name: str, head: str) -> None:
        super().__init__(table_column=_head(head))
        self._name = name

    def render(self, task: Task) -> str:
        """Return the text."""
        return str(task.fields[self._name])


class _Rows(Progress):
    """Progress bars below a head that names their columns."""

    def make_tasks_table(self, tasks: Iterable[Task]) -> Table:
        """Return the table of the tasks, with a head if there are any."""
        shown = [task for task in tasks if task.visible]
        heads = [column.get_table_column().copy() for column in self.columns]  # type: ignore[union-attr]
        table = Table(*heads, box=None, padding=(0, 1, 0, 0), show_header=bool(shown))
        for task in shown:
            table.add_row(*(column(task) for column in self.columns))  # type: ignore[operator]
        return table


def progress_of(policy: Policy, plans: Iterable[Plan] = ()) -> Shown:
    """Return what shows a collection's progress in the way that a policy says."""
    if policy.progress == "json":
        return JsonLines(plans)
    if policy.progress == "none":
        return Shown()
    return Bars(plans, forced=policy.progress == "table")


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
