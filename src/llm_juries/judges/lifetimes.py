"""How long vendors serve their models: a retired one is refused before anything is asked."""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from ..errors import JuriesError
from .pricing import Price

TODAY = "LLM_JURIES_TODAY"
"""The environment variable with a day, as 2026-11-26, that stands for today; for tests."""
SOON_DAYS = 60
"""A model that is retired within so many days is warned of."""
OLD_DAYS = 180
"""A price that is older than this is warned of."""


@dataclass(frozen=True, slots=True)
class Lifetime:
    """How long a model is served by its vendor.

    Parameters
    ----------
    model : str
        The model id that this is about. A judge that asks another model is refused: see
        `HttpJudge`.
    served_until : date, optional
        The day on which the vendor switches it off; None where none is announced.
    successor : str
        The name of the yaml in conf/ to use instead; "" where there is none.
    link : str
        The page that says so.
    """

    model: str
    served_until: datetime.date | None = None
    successor: str = ""
    link: str = ""

    def retired(self, today: datetime.date) -> bool:
        """Return whether the vendor has switched the model off."""
        return self.served_until is not None and self.served_until <= today

    def days_left(self, today: datetime.date) -> int | None:
        """Return the days until it is switched off, None where no day is announced."""
        return None if self.served_until is None else (self.served_until - today).days


class Hosted(Protocol):
    """What is looked at of a judge."""

    name: str
    price: Price | None
    lifetime: Lifetime | None


def today() -> datetime.date:
    """Return the day by which models are retired and prices old: the clock's, or `TODAY`'s.

    Raises
    ------
    JuriesError
        If the environment variable holds no date.
    """
    given = os.environ.get(TODAY)
    try:
        return datetime.date.fromisoformat(given) if given else datetime.date.today()
    except ValueError:
        raise JuriesError(f"{TODAY}: is {given!r}; write a day as 2026-11-26") from None


def check_served(judges: Iterable[Hosted], day: datetime.date) -> None:
    """Refuse judges whose models are retired, all in one message.

    Raises
    ------
    JuriesError
        Naming each with the day on which it was switched off and its successor.
    """
    gone = {
        judge.name: judge.lifetime
        for judge in judges
        if judge.lifetime is not None and judge.lifetime.retired(day)
    }
    if not gone:
        return
    listed = "; ".join(
        f"{name} ({life.model}, until {life.served_until}): "
        + (f"use {life.successor}" if life.successor else "no successor is known")
        for name, life in sorted(gone.items())
    )
    models = "1 model is" if len(gone) == 1 else f"{len(gone)} models are"
    raise JuriesError(
        f"{models} retired and no longer served: {listed}; if you have access elsewhere, set "
        "allow_retired=true (in Python, policy=Policy(allow_retired=True))"
    )


def warnings(judges: Iterable[Hosted], day: datetime.date) -> Iterator[str]:
    """Yield one line for each model that is retired soon, and each price that is old or to come."""
    for judge in {judge.name: judge for judge in judges}.values():
        life, price = judge.lifetime, judge.price
        left = None if life is None else life.days_left(day)
        if life is not None and left is not None and 0 < left <= SOON_DAYS:
            instead = f"; its successor is {life.successor}" if life.successor else ""
            days = "1 day" if left == 1 else f"{left} days"
            yield (
                f"judge {judge.name}: {life.model} is retired on {life.served_until}, in {days}"
                f"{instead}"
            )
        retired = left is not None and left <= 0  # its last price stays its price
        if price is not None and price.days_old(day) < 0:
            yield (
                f"judge {judge.name}: its price is of {price.as_of}, which is after today, {day}; "
                "set as_of in its yaml to the day on which it was read"
            )
        if price is not None and not retired and price.days_old(day) > OLD_DAYS:
            yield (
                f"judge {judge.name}: its price is of {price.as_of}, {price.days_old(day)} days "
                "old; check it, and set price and as_of in its yaml"
            )
