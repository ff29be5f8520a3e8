"""Seats: a judge under a prompt, answering for the first time or again.

A jury's members and the option `seats` name seats, so a jury of models, of prompts and of repeats
are one thing. `haiku` is the judge haiku under the prompt of the run, its first answer; `haiku:3`
its third; `haiku*3` stands for `haiku`, `haiku:2` and `haiku:3`; `haiku@zero_shot` is haiku under
the prompt zero_shot, and `haiku@zero_shot*3` three answers under it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from .errors import JuriesError

MOST_REPEATS = 100
_SEAT = re.compile(
    r"(?P<judge>[^@:*]+)(?:@(?P<prompt>[^@:*]+))?(?:(?P<how>[:*])(?P<number>[^@:*]*))?"
)


@dataclass(frozen=True, order=True)
class Seat:
    """One voter's place: a judge, a prompt, and which of its answers.

    Parameters
    ----------
    judge : str
    prompt : str
        The prompt's name; "" stands for the prompt of the run.
    repeat : int
        From 1: which answer to the same request.
    """

    judge: str
    prompt: str = ""
    repeat: int = 1

    def __str__(self) -> str:
        prompt = f"@{self.prompt}" if self.prompt else ""
        repeat = f":{self.repeat}" if self.repeat > 1 else ""
        return f"{self.judge}{prompt}{repeat}"

    @property
    def first(self) -> Seat:
        """The seat of the same judge under the same prompt that answers first."""
        return replace(self, repeat=1)

    @property
    def file_name(self) -> str:
        """The seat's name with no character that a file system or a shell minds."""
        return re.sub(r"[^\w.-]", "_", str(self).replace(":", ".").replace("@", "-at-"))


def seat_of(name: str) -> Seat:
    """Return the seat of a voter's name; a name of another form is a judge's, as it is."""
    seats = seats_named(name)
    return seats[0] if len(seats) == 1 else Seat(name)


def seats_named(name: str) -> tuple[Seat, ...]:
    """Return the seats that a name stands for, none for a name of another form."""
    try:
        return seats_of([name])
    except JuriesError:
        return ()


def members_of(names: Iterable[str]) -> tuple[str, ...]:
    """Return the voters' names that a jury's `members:` stand for: haiku*3 for three.

    Names of another form stay as they are: recorded judges may have any name.
    """
    found: list[str] = []
    for name in names:
        found += map(str, seats_named(name) or (name,))
    return tuple(found)


def seats_of(names: Iterable[str], judges: Collection[str] = ()) -> tuple[Seat, ...]:
    """Return the seats that some names stand for, in their order.

    Parameters
    ----------
    names : iterable of str
        As in `members:` or `seats=`: judge, judge:2, judge*3, judge@prompt.
    judges : collection of str
        Judges' names that are taken as they are, whatever characters they hold: columns of a
        recording may have any name.

    Raises
    ------
    JuriesError
        If a name is not of that form, or a seat is named twice.
    """
    found: list[Seat] = []
    for name in names:
        for seat in _seats(name, judges):
            if seat in found:
                raise JuriesError(
                    f"seat {name!r}: {seat} is named twice; every answer has one seat (a second "
                    f"answer of the same judge is {seat.judge}:2)"
                )
            found.append(seat)
    return tuple(found)


def _seats(name: str, judges: Collection[str]) -> list[Seat]:
    if name in judges:
        return [Seat(name)]
    parts = _SEAT.fullmatch(name.strip())
    if parts is None:
        raise JuriesError(
            f"seat {name!r}: is not of the form judge, judge:2, judge*3 or judge@prompt"
        )
    judge, prompt = parts["judge"].strip(), (parts["prompt"] or "").strip()
    if parts["how"] is None:
        return [Seat(judge, prompt)]
    number = parts["number"].strip()
    if not number.isascii() or not number.isdigit() or not 1 <= int(number) <= MOST_REPEATS:
        raise JuriesError(
            f"seat {name!r}: {number!r} is not a number of answers; write a whole number from 1 to "
            f"{MOST_REPEATS}"
        )
    if parts["how"] == ":":
        return [Seat(judge, prompt, int(number))]
    return [Seat(judge, prompt, repeat) for repeat in range(1, int(number) + 1)]
