"""Seat the judges on the parts of an experiment that have answers, and ask them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..collect.budget import Budget
from ..collect.policy import Policy, missing
from ..collect.progress import progress_of
from ..collect.run import collect
from ..collect.tally import Tally
from ..config.seating import Seating
from ..config.study import check_used, study_of
from ..errors import JuriesError
from ..judges.base import Judge
from ..store.plan import Plan
from ..store.store import Store
from ..study import Study
from . import materials
from .answering import by_mode
from .protocol import Part, Protocol

NOT_LOADED = "not loaded: "
"""Begins the reason why a dataset that was to be downloaded is absent."""


@dataclass(frozen=True)
class Seated:
    """A part whose answers are there.

    Attributes
    ----------
    part : Part
    study : Study
        Its answers with labels, its judges and juries.
    variants : tuple of (str, Study)
        The large judge under each further prompt.
    """

    part: Part
    study: Study
    variants: tuple[tuple[str, Study], ...]

    @property
    def asked(self) -> list[Plan]:
        """What is asked of models."""
        studies = (self.study, *(study for _, study in self.variants))
        return [plan for study in studies for plan in study.plans if not plan.judge.free]


def seated(protocol: Protocol, *, download: bool) -> tuple[list[Seated], dict[str, str]]:
    """Return the parts whose answers are there, and why the others are not, by their names.

    Parameters
    ----------
    download : bool
        Whether datasets that are not on this machine are downloaded.

    Raises
    ------
    JuriesError
        See `config.study.study_of`, and where labels or a sheet do not fit.
    """
    found: list[Seated] = []
    absent = dict.fromkeys(protocol.left_out, "no public labels")
    for part in protocol.parts:
        try:
            answers = materials.dataset_of(protocol, part, download=download)
        except JuriesError as error:
            if not download:
                raise
            answers = f"{NOT_LOADED}{error}"
        if isinstance(answers, str):
            absent[part.name] = answers
            continue
        dataset = materials.labelled(protocol, part, answers)
        study = study_of(dataset, part.prompt, protocol.seating, list(part.juries))
        large = part.options.large  # seated, as it was checked when the part was built
        variants = tuple(
            (
                prompt.name,
                study_of(dataset, prompt, Seating({large: protocol.seating.judges[large]}), []),
            )
            for prompt in part.variants
        )
        found.append(Seated(part, study, variants))
    if not absent:
        juries = {jury.name: jury for part in protocol.parts for jury in part.juries}
        check_used([one.study for one in found], protocol.seating, list(juries.values()))
    return found, absent


def to_ask(found: Sequence[Seated], store: Store, policy: Policy) -> list[Judge]:
    """Return the judges of which the store lacks verdicts."""
    judges: dict[str, Judge] = {}
    for plan in (plan for one in found for plan in one.asked):
        if plan.judge.name not in judges and any(missing(plan, store, policy)):
            judges[plan.judge.name] = plan.judge
    return list(judges.values())


def judge(found: Sequence[Seated], store: Store, policy: Policy, budget: Budget) -> list[Tally]:
    """Ask for the verdicts that the store lacks; return a tally a judge, part and prompt."""
    plans = [plan for one in found for plan in one.asked]
    judges = {plan.judge.name: plan.judge for plan in plans}
    tallies: list[Tally] = []
    with progress_of(policy, plans) as bars:
        for group, how in by_mode(list(judges.values()), policy):
            names = {one.name for one in group}
            own = [plan for plan in plans if plan.judge.name in names]
            tallies += collect(own, store, how, bars, budget)
    return tallies


def missing_keys(judges: Iterable[Judge], environment: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the environment variables with keys that are not set, with whose they are."""
    found: dict[str, list[str]] = {}
    for one in judges:
        credentials = getattr(one, "credentials", None)
        if credentials is None:
            continue
        needed = [credentials.key_env, *credentials.server.headers_env.values()]
        for variable in filter(None, needed):
            if not environment.get(variable):
                shown = credentials.named if variable == credentials.key_env else variable
                found.setdefault(shown, []).append(one.name)
    return {variable: list(dict.fromkeys(names)) for variable, names in sorted(found.items())}
