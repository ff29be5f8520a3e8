"""Prices of tokens: what a reply cost, and the maximum that a request may cost.

An unknown cost (no price in the judge's yaml, no usage from the provider) is None and counted as
unknown; it is never 0.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..types import Reply


@dataclass(frozen=True, slots=True)
class Price:
    """What a provider charges, in US dollars per million tokens, and as of when.

    Parameters
    ----------
    input_usd, output_usd : float
    as_of : str
        Year and month, or the day.
    source : str
        Where it is published.
    cached_input_usd, cache_write_usd : float, optional
        Input read from the provider's cache, and written to it; `input_usd` where not given.
    batch_factor : float, optional
        The fraction of the price that a batch API charges; None without a batch API.
    """

    input_usd: float
    output_usd: float
    as_of: str
    source: str = ""
    cached_input_usd: float | None = None
    cache_write_usd: float | None = None
    batch_factor: float | None = None

    def of(self, reply: Reply) -> float | None:
        """Return the cost of one reply in US dollars, None where the provider sent no usage."""
        if reply.input_tokens is None or reply.output_tokens is None:
            return None
        read, written = reply.cached_tokens or 0, reply.cache_write_tokens or 0
        cached = self.input_usd if self.cached_input_usd is None else self.cached_input_usd
        write = self.input_usd if self.cache_write_usd is None else self.cache_write_usd
        plain = reply.input_tokens - read - written
        dollars = plain * self.input_usd + read * cached + written * write
        dollars += reply.output_tokens * self.output_usd
        return dollars * self._factor(reply.batched) / 1e6

    def at_most(self, input_tokens: int, output_tokens: int, *, batched: bool = False) -> float:
        """Return the maximum cost of a request in US dollars: nothing is read from a cache."""
        highest = max(self.input_usd, self.cache_write_usd or 0.0)
        dollars = input_tokens * highest + output_tokens * self.output_usd
        return dollars * self._factor(batched) / 1e6

    def _factor(self, batched: bool) -> float:
        return self.batch_factor if batched and self.batch_factor is not None else 1.0
