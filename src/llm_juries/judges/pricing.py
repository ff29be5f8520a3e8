"""Prices of tokens: what a reply cost, and the maximum that a request may cost.

An unknown cost (no price in the judge's yaml, no usage from the provider) is None and counted as
unknown; it is never 0.
"""

from __future__ import annotations

import datetime
import math
from dataclasses import dataclass

from ..errors import JuriesError
from ..types import Reply


@dataclass(frozen=True, slots=True)
class LongContext:
    """What a provider charges for requests with many input tokens: factors of the price.

    Parameters
    ----------
    above_tokens : int
        Requests with more input tokens than this cost more, all of their tokens.
    input_factor, output_factor : float
    """

    above_tokens: int
    input_factor: float
    output_factor: float

    def __post_init__(self) -> None:
        _check_amounts(self, "above_tokens", "input_factor", "output_factor")


@dataclass(frozen=True, slots=True)
class Price:
    """What a provider charges, in US dollars per million tokens, and as of when.

    Parameters
    ----------
    input_usd, output_usd : float
        Reasoning is output.
    as_of : str
        When this was its price: year and month, or the day (2026-11, 2026-11-25).
    source : str
        Where it was read.
    link : str
        The page that states it.
    model : str
        The model id that this is the price of; "" for whatever model the judge asks. A judge that
        asks another model is refused: see `HttpJudge`.
    cached_input_usd, cache_write_usd : float, optional
        Input read from the provider's cache, and written to it; `input_usd` where not given.
    batch_factor : float, optional
        The fraction of the price that a batch API charges; None where no batch price is known.
    long_context : LongContext, optional
        What long requests cost, if they cost more.

    Raises
    ------
    JuriesError
        If `as_of` is no date, or a price is negative or not a number.
    """

    input_usd: float
    output_usd: float
    as_of: str
    source: str = ""
    link: str = ""
    model: str = ""
    cached_input_usd: float | None = None
    cache_write_usd: float | None = None
    batch_factor: float | None = None
    long_context: LongContext | None = None

    def __post_init__(self) -> None:
        try:
            _ = self.day
        except ValueError:
            raise JuriesError(
                f"as_of: is {self.as_of!r}; write the month or day of the price, as 2026-11 or "
                "2026-11-25"
            ) from None
        _check_amounts(
            self, "input_usd", "output_usd", "cached_input_usd", "cache_write_usd", "batch_factor"
        )
        if self.batch_factor is not None and self.batch_factor > 1:
            raise JuriesError(
                f"batch_factor: is {self.batch_factor:g}; write the fraction of the price that a "
                "batch costs, as 0.5"
            )

    @property
    def day(self) -> datetime.date:
        """The day of the price; the first of the month where no day is given."""
        month = len(self.as_of) == len("2026-11")
        return datetime.date.fromisoformat(f"{self.as_of}-01" if month else self.as_of)

    def days_old(self, today: datetime.date) -> int:
        """Return the days since the price was read."""
        return (today - self.day).days

    def of(self, reply: Reply) -> float | None:
        """Return the cost of one reply in US dollars, None where the provider sent no usage."""
        if reply.input_tokens is None or reply.output_tokens is None:
            return None
        read, written = reply.cached_tokens or 0, reply.cache_write_tokens or 0
        cached = self.input_usd if self.cached_input_usd is None else self.cached_input_usd
        write = self.input_usd if self.cache_write_usd is None else self.cache_write_usd
        plain = reply.input_tokens - read - written
        of_input, of_output = self._factors(reply.input_tokens, batched=reply.batched)
        dollars = (plain * self.input_usd + read * cached + written * write) * of_input
        dollars += reply.output_tokens * self.output_usd * of_output
        return dollars / 1e6

    def at_most(self, input_tokens: int, output_tokens: int, *, batched: bool = False) -> float:
        """Return the maximum cost of one request in US dollars: nothing is read from a cache."""
        highest = max(self.input_usd, self.cache_write_usd or 0.0)
        of_input, of_output = self._factors(input_tokens, batched=batched)
        dollars = input_tokens * highest * of_input + output_tokens * self.output_usd * of_output
        return dollars / 1e6

    def _factors(self, input_tokens: int, *, batched: bool) -> tuple[float, float]:
        """Return what a request of so many tokens costs, as fractions of the prices."""
        factor = self.batch_factor if batched and self.batch_factor is not None else 1.0
        long = self.long_context
        if long is None or input_tokens <= long.above_tokens:
            return factor, factor
        return factor * long.input_factor, factor * long.output_factor


def _check_amounts(of: object, *names: str) -> None:
    """Raise JuriesError if a field is negative, infinite or NaN; None is not known."""
    for name in names:
        amount = getattr(of, name)
        if amount is not None and not 0 <= amount < math.inf:
            raise JuriesError(f"{name}: is {amount}; must be 0 or more")
