"""The stages of an experiment, in order: answers, sheets, judge, page. Each can be run again.

What is written is written whole or not at all, and what was paid for is in the store, so a run that
was killed goes on where it was. A stage that can't go on says what a person must do, and the
others go on without it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..collect.budget import Budget, budget_of
from ..collect.policy import Policy
from ..collect.progress import check_complete, notes
from ..data.annotation_sheets import export_sheet, unlisted
from ..errors import JuriesError
from ..judges.base import Judge
from ..judges.lifetimes import check_served, today
from ..store.store import Store
from . import materials
from .answering import answer
from .judging import NOT_LOADED, Seated, judge, missing_keys, seated, to_ask
from .protocol import Part, Protocol

STAGES = ("answers", "sheets", "judge", "page")
Page = Callable[[Sequence[Seated], dict[str, str], Sequence[str]], Iterator[str]]


@dataclass
class Run:
    """One run of some stages of an experiment.

    Parameters
    ----------
    protocol : Protocol
    store : Store
    policy : Policy
    page : callable
        Writes the page of parts, of why others are absent and of lines on what is missing; yields
        what it wrote.
    wrong : list of str
        What went wrong, a line each.
    to_do : list of str
        What a person must do, a line each.
    """

    protocol: Protocol
    store: Store
    policy: Policy
    page: Page
    wrong: list[str] = field(default_factory=list)
    to_do: list[str] = field(default_factory=list)

    def stages(self, chosen: str | None) -> Iterator[str]:
        """Run one stage, or all as far as they can go; yield lines on what was done.

        Raises
        ------
        JuriesError
            At the end, if something went wrong: a key that is missing, a judge that is unavailable
            or retired, answers that are missing. What could be done was done.
        """
        wanted = STAGES if chosen is None else (chosen,)
        self._check_asked(wanted)
        blocked = bool(self.wrong)
        budget = budget_of(self.policy, self.store)
        try:
            if "answers" in wanted and not blocked:
                yield from self._answers(budget)
            download = "judge" in wanted and not blocked
            parts, absent = seated(self.protocol, download=download)
            if chosen in ("sheets", "judge"):
                self._name_unanswered(absent)
            self.wrong += [
                f"{name}: {why}" for name, why in absent.items() if why.startswith(NOT_LOADED)
            ]
            if "sheets" in wanted and not self.protocol.public:
                yield from self._sheets(parts)
            if "judge" in wanted and not blocked:
                yield from self._judge(parts, budget)
        finally:
            budget.close()
        if "page" in wanted:
            yield from self.page(parts, absent, [*self.wrong, *self.to_do])
        yield from (f"to do: {line}" for line in self.to_do)
        if self.wrong:
            raise JuriesError("; ".join(self.wrong))

    def _check_asked(self, wanted: Sequence[str]) -> None:
        """Find out before anything is spent who would be asked and can't be."""
        if not {"answers", "judge"} & set(wanted):
            return
        judges = self._asked(wanted)
        if not self.policy.allow_retired:
            try:
                check_served(judges, today())
            except JuriesError as error:
                self.wrong.append(f"nothing was asked: {error}")
        if self.policy.on_unavailable == "stop":
            missing = missing_keys(judges, os.environ)
            if missing:
                of = "; ".join(f"{key} (for {', '.join(who)})" for key, who in missing.items())
                self.wrong.append(
                    f"nothing was asked: no key in {of}; set it and run again, or go on without "
                    "them with on_unavailable=skip"
                )

    def _asked(self, wanted: Sequence[str]) -> list[Judge]:
        protocol = self.protocol
        models = [one for one in protocol.seating.judges.values() if not one.free]
        open_ = [part for part in protocol.parts if part.written and self._open(part)]
        asked: list[Judge] = []
        if "answers" in wanted and open_:
            asked += protocol.candidates
        if "judge" in wanted and models:
            parts, absent = seated(protocol, download=False)
            coming = [part for part in protocol.parts if part.name in absent]
            if "answers" not in wanted:  # without answers there is nothing to judge
                coming = [part for part in coming if not part.written]
            asked += models if coming else []
            asked += to_ask(parts, self.store, self.policy)
        return list({id(one): one for one in asked}.values())

    def _open(self, part: Part) -> bool:
        done = materials.written(self.protocol, part)
        return (
            done is None
            or done.made_by != materials.made_by(self.protocol, part)
            or done.open(self.policy.again) > 0
        )

    def _answers(self, budget: Budget) -> Iterator[str]:
        missing = waiting = 0
        reasons: dict[str, None] = {}
        for part in self.protocol.parts:
            if not part.written:
                continue
            try:
                done = answer(self.protocol, part, self.store, self.policy, budget)
            except JuriesError as error:
                self.wrong.append(f"answers of {part.name}: {error}")
                continue
            yield f"answers: {done.line}"
            yield from done.notes
            ends = [note for note in done.notes if note.startswith(("STOPPED: ", "GAVE UP: "))]
            reasons |= dict.fromkeys(note.rpartition(": ")[2] for note in ends)
            waiting += done.waiting
            missing += done.incomplete if not done.waiting else 0
        if waiting:
            self.to_do.append(
                f"{waiting:,} answers are in pending batches; run again once they have ended"
            )
        if missing:
            why = f" ({', '.join(reasons)})" * bool(reasons)
            self.wrong.append(f"{missing:,} answers are missing{why}; run again to ask for them")

    def _name_unanswered(self, absent: Mapping[str, str]) -> None:
        """Add the parts that a single stage passes over, as nobody has answered them yet."""
        names = [p.name for p in self.protocol.parts if p.written and p.name in absent]
        if names:
            self.to_do.append(f"run stage=answers first: no answers of {', '.join(names)}")

    def _sheets(self, parts: Sequence[Seated]) -> Iterator[str]:
        protocol, rows = self.protocol, 0
        sheets: list[str] = []
        for one in parts:
            part, dataset = one.part, one.study.dataset
            if not materials.to_label(protocol, part) or (part.written and self._open(part)):
                continue
            new = unlisted(dataset, map(str, protocol.sheets(part)))
            if new:
                sheet = protocol.next_sheet(part)
                number = export_sheet(replace(dataset, items=new), str(sheet))
                yield f"sheets: {part.name}: {number:,} rows to label in {sheet}"
            unlabelled = sum(item.human is None for item in dataset.items)
            if unlabelled:
                sheets += map(str, protocol.sheets(part))
                rows += unlabelled
        if sheets:
            self.to_do.append(
                f"fill the column label in {', '.join(sheets)} ({rows:,} rows: 1 for correct, 0 "
                "for not) and run again, or set human={PART: FILE}; labels=public needs none"
            )

    def _judge(self, parts: Sequence[Seated], budget: Budget) -> Iterator[str]:
        if not any(one.asked for one in parts):
            return
        try:
            tallies = judge(parts, self.store, self.policy, budget)
        except JuriesError as error:  # a judge is unavailable: the others were not asked
            self.wrong.append(str(error))
            return
        yield from notes(tallies)
        cost, waiting = (
            sum(t.cost_usd for t in tallies),
            sum(t.pending + t.submitted for t in tallies),
        )
        line = (
            f"{sum(t.asked for t in tallies):,} calls, {sum(t.kept for t in tallies):,} verdicts "
        )
        yield f"judge: {line}were there" + (f"; ${cost:.4f} spent" if cost else "")
        if waiting:
            self.to_do.append(
                f"{waiting:,} verdicts are in pending batches; run again once they have ended"
            )
        try:
            check_complete(tallies)
        except JuriesError as error:
            self.wrong.append(str(error))
