"""How each printed number of ours differs from the paper's, from what was asked and what came back.

Nothing here is written by hand but `StandIns.notes`: models, names that servers reported, prompts,
shots, dates and prices are those of the run's own judges and stored replies.
"""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field

from ...config.seating import members_of
from ...data.dataset import Dataset
from ...errors import MOST_NAMED
from ...judges.http.decision_judge import DecisionJudge
from ...judges.http.judge import HttpJudge
from ...judges.http.served import same_model
from ...judges.pricing import Price
from ...judges.recorded import RecordedJudge
from ...prompts.prompt import Prompt
from ...store.plan import Plan, look_up
from ...store.store import Store
from ...study import Study
from .inputs import SEPARATOR, StandIns


@dataclass(frozen=True)
class VoterFacts:
    """What is known of a voter's votes on a dataset.

    Attributes
    ----------
    name : str
    text : str
        In words, without the name.
    model : str
        What was asked for; "" where no model was.
    reported : tuple of str
        The names under which the server says it answered.
    members : tuple of str
        Of a jury.
    price : Price, optional
        Of a model that was asked.
    """

    name: str
    text: str
    model: str = ""
    reported: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    price: Price | None = None

    def is_one_of(self, models: Sequence[str]) -> bool:
        """Return whether exactly one of these models was asked, and answered."""
        return self.model in models and all(same_model(self.model, one) for one in self.reported)


@dataclass(frozen=True)
class Facts:
    """What a page says beside its numbers.

    Attributes
    ----------
    voters : mapping of (str, str, str) to VoterFacts
        By dataset, voter and prompt; "" for the prompt of the dataset.
    datasets : mapping of str to str
        What each dataset's questions, answers and labels are, in one line.
    absent : mapping of str to str
        Why there is nothing beside the paper's datasets, or beside a table of its.
    seats : set of str
        The names of all voters of the run, with votes or without.
    """

    voters: Mapping[tuple[str, str, str], VoterFacts] = field(default_factory=dict)
    datasets: Mapping[str, str] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)
    seats: Set[str] = field(default_factory=frozenset)

    def differences(self, judge: str, dataset: str, stand_ins: StandIns, prompt: str = "") -> str:
        """Return how a number of ours differs from the paper's, in one text."""
        said = []
        places = ((judge, prompt), (f"{judge}@{prompt}", ""), (judge, ""))  # recorded: judge@prompt
        known = (self.voters.get((dataset, *place)) for place in places)
        voter = next(filter(None, known), None)
        name, note = self.called(judge, dataset, stand_ins), stand_ins.notes.get(judge, "")
        text = "; ".join(filter(None, [voter.text if voter else "", note]))
        if text:
            said.append(f"{name}: {text}")
        if dataset in self.datasets:
            said.append(f"{dataset}: {self.datasets[dataset]}")
        return SEPARATOR.join(said)

    def called(self, judge: str, dataset: str, stand_ins: StandIns) -> str:
        """Return a judge's own name, with the paper's in whose place it stands.

        Only where exactly the paper's model was asked, that is left out.
        """
        role = stand_ins.role(judge)
        if not role or self.is_papers(judge, dataset, stand_ins):
            return judge
        return f"in {role}'s place: {judge}"

    def is_papers(self, judge: str, dataset: str, stand_ins: StandIns) -> bool:
        """Return whether a voter is the paper's own: its model, or a jury of its models."""
        found = [v for (at, name, _), v in self.voters.items() if (at, name) == (dataset, judge)]
        if not found:
            return False
        if members := found[0].members:
            return all(self.is_papers(member, dataset, stand_ins) for member in members)
        models = stand_ins.models.get(stand_ins.role(judge), ())
        return all(one.is_one_of(models) for one in found)

    @property
    def prices(self) -> dict[str, Price]:
        """The prices of the models that were asked, by judge."""
        return {name: voter.price for (_, name, _), voter in self.voters.items() if voter.price}


def facts_of(
    study: Study, store: Store, prompt: str = ""
) -> dict[tuple[str, str, str], VoterFacts]:
    """Return what is known of each voter of a study whose votes are in the store."""
    name = study.dataset.name
    found = {
        (name, plan.voter, prompt): facts
        for plan in study.plans
        if (facts := _of_plan(plan, store)) is not None
    }
    for jury in study.juries:
        members = tuple(members_of(jury))
        how = f"{getattr(jury, 'rule', type(jury).__name__)} of {', '.join(members)}"
        found[name, jury.name, prompt] = VoterFacts(jury.name, how, members=members)
    return found


def dataset_facts(dataset: Dataset, sample: str, answers: str) -> str:
    """Return what a dataset's questions, answers and labels are.

    Parameters
    ----------
    dataset : Dataset
    sample : str
        How its questions were drawn, "" for all of them.
    answers : str
        How its answers were made, "" where they were published.
    """
    items = tuple(dataset.items)
    questions = len({item.item_id for item in items})
    candidates = sorted({item.candidate for item in items})
    what = "pairs of answers" if dataset.pairwise else "answers"
    many = f" of {len(candidates)} candidates" if len(candidates) > 1 else ""
    published = f"published ({dataset.about.citation})" if dataset.about.citation else "published"
    if dataset.recordings:
        published = published.replace("published", "published with their verdicts", 1)
    labels = "no labels"
    if labelled := sum(item.human is not None for item in items):
        labels = f"labels of {labelled:,}: {dataset.labels}"
    said = [
        f"{questions:,} questions{sample}, {len(items):,} {what}{many}",
        answers or published,
        labels,
    ]
    return "; ".join(said)


def _of_plan(plan: Plan, store: Store) -> VoterFacts | None:
    judge, name = plan.judge, plan.voter
    if isinstance(judge, RecordedJudge):
        return VoterFacts(name, "recorded verdicts, not asked here")
    if judge.free:
        return VoterFacts(name, "a string rule")
    models: Counter[str] = Counter()
    days: set[datetime.date] = set()
    replies = 0
    for _, verdict in look_up(plan, store):
        if verdict is not None:
            replies += 1
            models[verdict.reply.model] += 1
            when = datetime.datetime.fromtimestamp(verdict.asked_at, datetime.UTC)
            days.add(when.date())
    if not replies:
        return None
    own = getattr(judge, "fingerprint", {})
    asked = judge.model if isinstance(judge, HttpJudge) else ""
    revision = own.get("revision", "")
    reported = tuple(sorted(filter(None, models)))
    said = [
        f"asked {asked or judge.family}" + (f" at {revision}" if revision else ""),
        f"answered as {_named(reported)}" if reported else "the server reported no name",
        f"{replies:,} {'replies' if replies > 1 else 'reply'} of {min(days)}"
        + (f" to {max(days)}" if len(days) > 1 else ""),
        _prompt(plan),
    ]
    price = judge.price
    if price is not None:
        said.append(
            f"${price.input_usd:g} in and ${price.output_usd:g} out a million tokens, of "
            f"{price.as_of}"
        )
    return VoterFacts(name, ", ".join(said), asked, reported, price=price)


def _prompt(plan: Plan) -> str:
    if isinstance(plan.judge, DecisionJudge):
        return f"prompt {plan.prompt.name} as a typed question without shots"
    shots = len(plan.prompt.shots) if isinstance(plan.prompt, Prompt) else 0
    return f"prompt {plan.prompt.name} with {shots} shot{'s' * (shots != 1)}"


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"{', '.join(names[:MOST_NAMED])}{more}"
