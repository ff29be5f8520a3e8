"""Have the candidates answer the questions of a part; keep their table and how it was made."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ..answers import table
from ..answers.retrieval import over
from ..answers.rounds import Answer, Answering, Rounds, questions_of
from ..collect.budget import Budget
from ..collect.policy import Policy
from ..collect.progress import notes, progress_of
from ..collect.tally import Tally
from ..config.build import build
from ..data.dataset import Dataset
from ..judges.base import Judge
from ..judges.http.judge import HttpJudge
from ..store.store import Store
from . import materials
from .protocol import Part, Protocol


@dataclass(frozen=True)
class Answered:
    """What came of answering a part.

    Attributes
    ----------
    line : str
        In one line.
    notes : tuple of str
        What went wrong, a line each.
    waiting : int
        Replies that are in pending batches.
    incomplete : int
        Answers that a further run would ask for.
    """

    line: str
    notes: tuple[str, ...] = ()
    waiting: int = 0
    incomplete: int = 0


def by_mode(judges: Sequence[Judge], policy: Policy) -> Iterator[tuple[list[Judge], Policy]]:
    """Yield judges with the policy by which they are asked: those without batches live."""
    batched = [judge for judge in judges if policy.mode == "batch" and has_batches(judge)]
    live = [judge for judge in judges if judge not in batched]
    if batched:
        yield batched, policy
    if live:
        yield live, replace(policy, mode="live")


def has_batches(judge: Judge) -> bool:
    """Return whether a judge has a batch API, and a price at which it is worth waiting for."""
    priced = judge.price is not None and judge.price.batch_factor is not None
    return priced and isinstance(judge, HttpJudge) and bool(judge.wire.batch_path)


def answer(
    protocol: Protocol, part: Part, store: Store, policy: Policy, budget: Budget
) -> Answered:
    """Ask for the answers of a part that the store lacks; write the table of all.

    Nothing is done where the table is there, complete, and made as the experiment says.

    Raises
    ------
    JuriesError
        If the questions or passages can't be had, or a candidate is retired or unavailable.
    """
    assert part.answering is not None  # noqa: S101 - see Part.written
    path = protocol.answers(part)
    made_by = materials.made_by(protocol, part)
    done = materials.written(protocol, part)
    if done is not None and done.made_by == made_by and not done.open(policy.again):
        return Answered(f"{part.name}: {done.answers:,} answers in {path}")
    table.check_path(path)
    questions = questions_of(build(part.dataset, f"parts.{part.name}.dataset"))
    questions = replace(questions, name=part.name)
    retriever = over(part.retriever, questions)
    answers: list[Answer] = []
    tallies: list[Tally] = []
    with progress_of(policy) as bars:
        for judges, how in by_mode(protocol.candidates, policy):
            rounds = Rounds(questions, judges, part.answering, retriever)
            found, asked = rounds.run(store, how, bars, budget)
            answers += found
            tallies += asked
    waiting = sum(tally.pending + tally.submitted for tally in tallies)
    made = _made(made_by, part.answering, part, questions, protocol.candidates, answers, tallies)
    if done is None or done.made_by != made_by:
        materials.discard(protocol, part)  # damaged or of other settings; replies are in the store
    if made.answers:
        table.write(path, answers, part.answering.name)
        materials.keep(protocol, part, made)
    cost = sum(tally.cost_usd for tally in tallies)
    missing = len(answers) - made.answers
    line = f"{part.name}: {made.answers:,} of {len(answers):,} answers in {path}"
    line += f"; ${cost:.4f} spent" if cost else ""
    failures = () if waiting or not missing else tuple(table.failures(answers))
    return Answered(
        line, (*notes(tallies), *failures), waiting, made.open(policy.again) if missing else 0
    )


def _made(
    made_by: str,
    answering: Answering,
    part: Part,
    questions: Dataset,
    candidates: Sequence[Judge],
    answers: Sequence[Answer],
    tallies: Sequence[Tally],
) -> materials.Written:
    outcomes: dict[str, Counter[str]] = {judge.name: Counter() for judge in candidates}
    for one in answers:
        outcomes[one.candidate][str(one.outcome or "")] += 1
    reported: dict[str, dict[str, None]] = {}
    for tally in tallies:
        reported.setdefault(tally.judge, {}).update(dict.fromkeys(sorted(tally.models)))
    days = sorted(
        datetime.datetime.fromtimestamp(one.asked_at, datetime.UTC).date().isoformat()
        for one in answers
        if one.asked_at is not None
    )
    return materials.Written(
        made_by,
        answering.name,
        materials.described(part.retriever),
        answering.k,
        answering.rounds,
        sum(1 for _ in questions.items),
        {name: dict(sorted(counts.items())) for name, counts in outcomes.items()},
        {judge.name: str(getattr(judge, "model", judge.name)) for judge in candidates},
        {name: tuple(names) for name, names in reported.items()},
        *(days[:1] + days[-1:]),
    )
