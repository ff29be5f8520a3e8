"""The plan of an experiment: every step, its calls, tokens, dollars and labels. Asks nothing.

Where texts are there, requests are rendered and counted, and those that are stored are left out.
Where they are not, one made-up text of the lengths that the experiment's yaml assumes stands for
each of them.
"""

from __future__ import annotations

import math
import os
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace

import pandas as pd

from ..answers import retrieval
from ..answers.rounds import Document, Round, Search
from ..collect.estimate import forecast
from ..collect.policy import Policy
from ..config.seating import Seating
from ..config.study import study_of
from ..data.dataset import Dataset
from ..errors import JuriesError
from ..judges.base import Judge
from ..judges.lifetimes import check_served, today
from ..markdown import markdown
from ..seats import seat_of
from ..store.plan import Plan
from ..store.store import Store
from ..types import Item, Order
from . import materials
from .answering import has_batches
from .judging import missing_keys
from .protocol import Part, Protocol, Words

TEXT = (
    "Claude Monet painted the Houses of Parliament in several versions between 1899 and 1901 while "
    "he was staying in London at the Savoy Hotel and at Saint Thomas' Hospital across the river"
)
STEPS = ("index", "answers", "sheets", "judge")
VARIANT = ", prompt "  # between a judge and the prompt under which it is asked besides


@dataclass(frozen=True)
class Step:
    """One step of an experiment.

    Parameters
    ----------
    step : {"index", "answers", "sheets", "judge"}
    part, who : str
        The dataset, and who answers, labels or judges.
    items : int
        Answers to write, label or judge.
    calls : int
        At most: those whose replies are stored are left out.
    stored : int
        Replies, verdicts or labels that are there.
    input_tokens, output_tokens : int
        Of the calls, at most.
    usd, usd_batch : float, optional
        Dollars at most, live, and in batches where the vendor has a batch API; None without a
        price.
    labels : int
        To be written by hand.
    here : str
        What the disk has, and what it lacks.
    """

    step: str
    part: str
    who: str
    items: int = 0
    calls: int = 0
    stored: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    usd: float | None = 0.0
    usd_batch: float | None = 0.0
    labels: int = 0
    here: str = ""


def plan(protocol: Protocol, store: Store, policy: Policy) -> pd.DataFrame:
    """Return the steps of an experiment, in the order in which they are done.

    Returns
    -------
    DataFrame
        A row a `Step`, with its fields as columns.
    """
    steps: list[Step] = []
    for part in protocol.parts:
        if part.written:
            steps += [*_index(protocol, part), _answers(protocol, part, policy)]
    if any(not judge.free for judge in protocol.seating.judges.values()):
        for part in protocol.parts:
            found = materials.dataset_of(protocol, part)
            steps += _sheet(protocol, part, found)
            steps += _judging(protocol, part, found, store, policy)
    steps.sort(key=lambda step: STEPS.index(step.step))
    return pd.DataFrame([asdict(step) for step in steps], columns=[f.name for f in fields(Step)])


def _index(protocol: Protocol, part: Part) -> Iterator[Step]:
    """Yield what a part's retriever has to do before it can search, once for all that share it."""
    sharing = [one for one in protocol.parts if one.written and one.retriever == part.retriever]
    if sharing[0] is not part or isinstance(part.retriever, retrieval.NoRetrieval):
        return
    said = materials.described(part.retriever)
    whose = ", ".join(one.name for one in sharing)
    own = getattr(part.retriever, "collection", "") == "dataset"
    found = None if own else _preparation(part)
    here = str(found) if found else "the dataset's own passages, indexed in seconds" if own else ""
    yield Step("index", whose, said, here=here)


def _preparation(part: Part) -> object | None:
    return retrieval.preparation(part.retriever, _made_up(part, part.name))


def _answers(protocol: Protocol, part: Part, policy: Policy) -> Step:
    """Return the step in which candidates answer a part's questions."""
    done = materials.written(protocol, part)
    same = done is not None and done.made_by == materials.made_by(protocol, part)
    number = part.questions or (done.questions if done else 0)
    total = number * len(protocol.candidates)
    open_ = total if done is None or not same else done.open(policy.again)
    share = open_ / total if total else 0.0
    rows = [_answering(judge, part) for judge in protocol.candidates]
    scaled = [_scaled(row, judge, number * share) for row, judge in rows]
    here = f"questions: {materials.sources(part)}, " + (
        "on this machine" if materials.held(part) else "to be downloaded"
    )
    if done is not None:
        here = f"{protocol.answers(part)}: {done.answers:,} answers" + (
            "" if same else ", made otherwise: they will be replaced"
        )
    return _sum(
        Step(
            "answers",
            part.name,
            f"{len(protocol.candidates)} candidates",
            total,
            stored=total - open_ if done else 0,
            here=here,
        ),
        scaled,
    )


def _answering(judge: Judge, part: Part) -> tuple[pd.Series, Judge]:
    """Return what a candidate's answer to one question takes, over all rounds."""
    how = part.answering
    assert how is not None  # noqa: S101 - see Part.written
    document = _text(part.options.words.document)
    rows = []
    for number in range(1, how.rounds + 1):
        searched = number - 1 if how.rounds > 1 else int(how.k > 0)
        searches = tuple(
            Search(
                _text(4),
                tuple(
                    Document(at * how.k + one + 1, _text(3), document, "") for one in range(how.k)
                ),
            )
            for at in range(searched)
        )
        questions = _made_up(part, judge.name)
        asked = Round(how, number, {item.item_id: searches for item in questions.items})
        rows.append(_one(Plan(judge, questions, asked)))
    return pd.DataFrame(rows).sum(numeric_only=True), judge


def _sheet(protocol: Protocol, part: Part, found: Dataset | str) -> Iterator[Step]:
    """Yield the step in which a part's answers are labelled by hand."""
    file = protocol.human.get(part.name)
    total = _items(protocol, part, found)
    if file is not None:
        yield Step("sheets", part.name, "labels", total, here=f"labels: {file}")
    if not materials.to_label(protocol, part):
        return
    sheets = protocol.sheets(part)
    done = min(sum(map(materials.filled, sheets)), total)
    here = f"{protocol.sheet(part)}: once answers are"
    if sheets:
        here = f"{', '.join(map(str, sheets))}: {done:,} rows filled"
    yield Step("sheets", part.name, "people", total, stored=done, labels=total - done, here=here)


def _judging(
    protocol: Protocol, part: Part, found: Dataset | str, store: Store, policy: Policy
) -> Iterator[Step]:
    """Yield a step for each judge of a part, and for each further prompt of the large one."""
    total = _items(protocol, part, found)
    if isinstance(found, Dataset):
        dataset, number, here = found, 1.0, ""
    else:
        dataset, number = _made_up(part, "candidate", answered=True), float(total)
        here = "lengths assumed; " + (
            "no answers yet" if part.written else f"{materials.sources(part)}, to be downloaded"
        )
        if not part.written and part.options.candidates is None:
            here += "; one answer a question assumed"
    many = total * len(dataset.orders)
    study = study_of(dataset, part.prompt, protocol.seating, [])
    large = protocol.seating.judges.get(part.options.large)
    plans = [(plan, plan.voter) for plan in study.plans if not plan.judge.free]
    for prompt in part.variants:
        assert large is not None  # noqa: S101 - checked when the part was built
        alone = Seating({large.name: large})
        of_prompt = study_of(dataset, prompt, alone, []).plans
        plans += [(plan, f"{plan.voter}{VARIANT}{prompt.name}") for plan in of_prompt]
    for plan, who in plans:
        row = forecast([plan], store, replace(policy, dry_run=False)).iloc[0]
        scaled = _scaled(row, plan.judge, number)
        stored = int(row["stored"]) if here == "" else 0
        step = Step("judge", part.name, who, many, stored=stored, here=here)
        yield _sum(step, [scaled])


def _items(protocol: Protocol, part: Part, found: Dataset | str) -> int:
    """Return how many answers a part has, or will have."""
    if isinstance(found, Dataset):
        return sum(1 for _ in found.items)
    many = len(protocol.candidates) if part.written else part.options.candidates or 1
    return (part.questions or 0) * many


def _one(plan: Plan) -> dict[str, object]:
    """Return what one request takes."""
    request = next(plan.requests())
    sent, received = plan.judge.estimate(request)
    price = plan.judge.price
    dollars = None if price is None else price.at_most(sent, received)
    return {
        "calls": 1,
        "input_tokens": sent,
        "output_tokens_at_most": received,
        "usd_at_most": dollars,
    }


def _scaled(row: pd.Series, judge: Judge, number: float) -> dict[str, float | None]:
    """Return a row's numbers for so many items, live and in batches."""
    price = judge.price
    usd = None if price is None else float(row["usd_at_most"]) * number
    factor = 1.0 if price is None or price.batch_factor is None else price.batch_factor
    return {
        "calls": row["calls"] * number,
        "input_tokens": row["input_tokens"] * number,
        "output_tokens": row["output_tokens_at_most"] * number,
        "usd": usd,
        "usd_batch": None if usd is None else usd * (factor if has_batches(judge) else 1.0),
    }


def _sum(step: Step, rows: Sequence[dict[str, float | None]]) -> Step:
    """Return a step with the sums of rows; dollars are unknown if one of them is."""

    def total(name: str) -> float | None:
        values = [row[name] for row in rows]
        known = [value for value in values if value is not None]
        return sum(known) if len(known) == len(values) else None

    return replace(
        step,
        calls=round(total("calls") or 0),
        input_tokens=round(total("input_tokens") or 0),
        output_tokens=round(total("output_tokens") or 0),
        usd=total("usd"),
        usd_batch=total("usd_batch"),
    )


def _made_up(part: Part, candidate: str, *, answered: bool = False) -> Dataset:
    """Return one question, or its answer, of the lengths that are assumed."""
    words: Words = part.options.words
    pairs = part.prompt.compares and answered
    item = Item(
        part.name,
        "made up",
        candidate,
        _text(words.question),
        _text(words.answer) if answered else "",
        references=(_text(words.reference),) if words.reference else (),
        opponent="opponent" if pairs else "",
        opponent_answer=_text(words.answer, 1) if pairs else "",
    )
    orders = tuple(map(Order, part.dataset.get("orders") or ())) if pairs else ()
    return Dataset(part.name, (item,), orders=orders or (Order.ORIGINAL,))


def _text(words: int, start: int = 0) -> str:
    known = TEXT.split()
    return " ".join(known[at % len(known)] for at in range(start, start + words))


def printed(table: pd.DataFrame) -> str:
    """Return a plan as text: its steps, and the sums of each kind of step."""
    if table.empty:
        return "Nothing is to be asked or labelled: recorded verdicts are measured."
    kinds = table.groupby("step", sort=False)
    numbers = ["calls", "input_tokens", "output_tokens", "labels"]
    sums = kinds[numbers].sum().reset_index()
    for column in ("usd", "usd_batch"):
        sums[column] = [group[column].sum(skipna=False) for _, group in kinds]
    total = sums[[*numbers, "usd", "usd_batch"]].sum(skipna=False)
    sums = pd.concat([sums, pd.DataFrame([{"step": "all", **total}])], ignore_index=True)
    return f"{markdown(_shown(table))}\n\n{markdown(_shown(sums))}\n\n{NOTE}"


NOTE = (
    "Dollars are at most: each reply is counted with all the tokens that it may have, reasoning "
    "included. Where lengths are assumed, texts may be longer; plan again once they are there. "
    "usd_batch: with mode=batch, where a batch price is known."
)


def _shown(table: pd.DataFrame) -> pd.DataFrame:
    """Return a plan's numbers as they are read: thousands apart, dollars with cents."""
    shown = table.astype(object)
    for column in shown:
        if column in ("usd", "usd_batch"):
            priced = table["calls"] > 0
            shown[column] = [
                "" if not any_ else "unknown" if pd.isna(value) else f"{value:,.2f}"
                for value, any_ in zip(table[column], priced, strict=True)
            ]
        elif column in ("items", "calls", "stored", "input_tokens", "output_tokens", "labels"):
            shown[column] = [f"{int(value):,}" if value else "" for value in table[column]]
    return shown


def _asked(protocol: Protocol, table: pd.DataFrame) -> Iterator[Judge]:
    """Yield the models that a plan has calls for."""
    steps = set(table.loc[table["calls"] > 0, "step"])
    if "answers" in steps:
        yield from protocol.candidates
    who = table.loc[(table["step"] == "judge") & (table["calls"] > 0), "who"]
    names = {seat_of(str(one).partition(VARIANT)[0]).judge for one in who}
    yield from (judge for judge in protocol.seating.judges.values() if judge.name in names)


def next_steps(
    protocol: Protocol, table: pd.DataFrame, policy: Policy, overrides: Sequence[str]
) -> str:
    """Return what is left to do, as commands and in the order in which they are given.

    Parameters
    ----------
    protocol, table, policy
    overrides : sequence of str
        Of this command.
    """
    own = [one for one in overrides if one.partition("=")[0] not in ("stage", "dry_run")]
    command = shlex.join(["llm-juries", "reproduce", *own])
    lines = []
    calls, labels = int(table["calls"].sum()), int(table["labels"].sum())
    judges = list(_asked(protocol, table))
    retired = [one for one in judges if one.lifetime is not None and one.lifetime.retired(today())]
    if retired and not policy.allow_retired:
        try:
            check_served(retired, today())
        except JuriesError as error:
            lines.append(f"{error}; with models of today: experiment=paper_2026")
    if missing := missing_keys(judges, os.environ):
        whose = "; ".join(f"{key} (for {', '.join(who)})" for key, who in missing.items())
        lines.append(f"set the keys that are missing: {whose}")
    if calls:
        dollars = table["usd"].sum(skipna=False)
        most = "" if pd.isna(dollars) else f" max_cost_usd={math.ceil(dollars)}"
        given = any(one.startswith("max_cost_usd=") for one in own)
        lines.append(f"{command}{'' if given else most}")
    if labels:
        lines.append(
            f"label {labels:,} answers on the sheets in {protocol.folder / 'sheets'}; with "
            "labels=public none"
        )
    if labels or not calls:
        lines.append(command)
    return "Left to do:\n" + "\n".join(f"{at}. {line}" for at, line in enumerate(lines, 1))
