"""Seat the judges of a run: which of their answers are wanted, and under which prompts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from omegaconf import DictConfig

from ..data.dataset import Dataset
from ..errors import JuriesError
from ..judges.base import Judge
from ..juries.pooling import Pooling
from ..prompts.prompt import Prompt
from ..seats import Seat, seat_of, seats_named, seats_of
from ..store.plan import Plan

UNKNOWN = "unknown"
"""The family of a judge whose base weights are not known."""


@dataclass(frozen=True)
class Seating:
    """The judges of a run and the seats they take.

    Parameters
    ----------
    judges : mapping of str to Judge
    named : sequence of str
        Names of seats, as in `seats=`. A judge that neither these nor a jury's members name has
        one: its first answer under the prompt of the run.
    prompts : mapping of str to Prompt
        Those that seats name.

    Raises
    ------
    JuriesError
        If a judge has no name, or one that stands for seats of another judge.
    """

    judges: Mapping[str, Judge]
    named: Sequence[str] = ()
    prompts: Mapping[str, Prompt] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in self.judges:
            if not name or name != name.strip():
                raise JuriesError(f"judge {name!r}: set a name, without blanks around it")
            if (seats := seats_named(name)) and seats != (Seat(name),):
                raise JuriesError(
                    f"judge {name}: stands for {', '.join(map(str, seats[:2]))}, answers of the "
                    f"judge {seats[0].judge}; choose a name without {name[len(seats[0].judge)]}"
                )

    def plans(
        self, dataset: Dataset, prompt: Prompt, juries: Iterable[Pooling]
    ) -> tuple[list[Plan], dict[str, str]]:
        """Return the plans of all seats with something to judge, and the voters by seat's name.

        A seat is named by its prompt only where that is not the prompt of the run: a jury's member
        haiku@zero_shot is the voter haiku under prompt=zero_shot.

        Raises
        ------
        JuriesError
            If two prompts share a name, or a further answer would be a copy of the first.
        """
        members = [member for jury in juries for member in members_of(jury)]
        plans: dict[str, Plan] = {}
        voters: dict[str, str] = {}
        for seat in wanted(self.judges, self.named, members):
            shown = self.prompts[seat.prompt] if seat.prompt else prompt
            under = "" if shown == prompt else shown.name
            plan = Plan(self.judges[seat.judge], dataset, shown, seat.repeat, under)
            same = plans.setdefault(plan.voter, plan).prompt
            if same != shown or (under and under == prompt.name):
                raise JuriesError(
                    f"seat {seat}: another prompt is called {shown.name} too; rename one of them"
                )
            voters[str(seat)] = plan.voter
        asked = [plan for plan in plans.values() if any(True for _ in plan.requests())]
        return asked, voters


def wanted(
    judges: Collection[str], named: Iterable[str], members: Iterable[str]
) -> tuple[Seat, ...]:
    """Return the seats that judges take, sorted.

    Parameters
    ----------
    judges : collection of str
        Judges that can be asked; a jury's members may be recorded ones too.
    named : iterable of str
        As in `seats=`.
    members : iterable of str
        Of the juries.
    """
    known = {str(seat): seat for seat in seats_of(named, judges)}
    own = [Seat(name) if name in judges else seat_of(name) for name in members]
    known |= {str(seat): seat for seat in own}
    found = {seat for seat in known.values() if seat.judge in judges}
    found |= {Seat(judge) for judge in set(judges) - {seat.judge for seat in found}}
    return tuple(sorted(found))


def seats_of_run(cfg: DictConfig) -> tuple[Seat, ...]:
    """Return the seats that the judges of a finished config take."""
    members = [member for jury in cfg.juries.values() for member in members_of(jury)]
    return wanted(list(map(str, cfg.judges)), map(str, cfg.seats), members)


def voters_of(cfg: DictConfig) -> set[str]:
    """Return the names of the voters that a finished config asks, whatever its datasets."""
    runs, prompts = [cfg.prompt, *cfg.prompts], cfg.get("seat_prompts") or {}
    found: set[str] = set()
    for seat in seats_of_run(cfg):
        found.add(str(seat))
        if seat.prompt and prompts[seat.prompt] in runs:
            found.add(str(replace(seat, prompt="")))
        elif seat.prompt:
            found.add(str(replace(seat, prompt=str(prompts[seat.prompt].name))))
    return found


def members_of(jury: Any) -> list[str]:
    """Return the seats that a jury, or its config, needs: its members, and one it falls back on."""
    given = jury.get if isinstance(jury, DictConfig) else lambda key: getattr(jury, key, None)
    fallback = given("fallback")
    names = [str(name) for name in given("members") or ()]
    expanded = [str(seat) for name in names for seat in _expanded(name)]
    return [*expanded, *([fallback] if fallback else [])]


def shared_weights(jury: Pooling, judges: Mapping[str, Judge]) -> Iterator[str]:
    """Yield a line if members of a jury have the same base weights, or unknown ones.

    Seats of one judge, such as three answers of it, are meant to; recorded judges are not known.
    """
    names = dict.fromkeys(seat_of(member).judge for member in members_of(jury))
    members = [judges[name] for name in names if name in judges and judges[name].kind == "judge"]
    by_family: dict[str, list[str]] = {}
    by_vendor: dict[str, list[str]] = {}
    for judge in members:
        by_family.setdefault(judge.family, []).append(judge.name)
        if judge.vendor:
            by_vendor.setdefault(judge.vendor, []).append(judge.name)
    unknown = by_family.pop(UNKNOWN, [])
    said = [
        f"{' and '.join(same)} have the same base weights ({family}), so they err alike"
        for family, same in by_family.items()
        if len(same) > 1
    ]
    alike = {name for same in by_family.values() if len(same) > 1 for name in same}
    said += [
        f"{' and '.join(same)} are of one vendor ({vendor}), so they may err alike"
        for vendor, same in by_vendor.items()
        if len(same) > 1 and not alike.issuperset(same)
    ]
    if unknown and len(members) > 1:
        said.append(f"the base weights of {' and '.join(unknown)} are unknown")
    if said:
        yield f"jury {jury.name}: {'; '.join(said)}"


def _expanded(name: str) -> Sequence[Seat | str]:
    try:
        return seats_of([name])
    except JuriesError:  # a recorded judge of any name
        return [name]
