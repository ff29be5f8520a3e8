"""A run's budget in US dollars: the most a request can cost is reserved before it is sent."""

from __future__ import annotations

import asyncio


class Budget:
    """What a run may spend; `limit_usd` is None where there is no limit."""

    def __init__(self, limit_usd: float | None) -> None:
        self.limit_usd = limit_usd
        self.spent = 0.0
        self._reserved: list[float] = []
        self._changed = asyncio.Event()

    def reserve(self, most: float) -> bool:
        """Reserve the most a request can cost; False if that could exceed the limit."""
        committed = self.spent + sum(self._reserved) + most
        if self.limit_usd is not None and committed > self.limit_usd:
            return False
        self._reserved.append(most)
        return True

    async def reserve_in_turn(self, most: float) -> bool:
        """Reserve the most a request can cost, waiting for other reservations to be settled.

        False if that could exceed the limit even so. A caller that holds a reservation itself would
        wait for ever: it calls `reserve`.
        """
        while not self.reserve(most):
            if not self._reserved:
                return False
            await self._changed.wait()
        return True

    def settle(self, most: float, cost: float) -> None:
        """Release a reservation and record what the request cost."""
        self._reserved.remove(most)
        self.spent += cost
        self._changed.set()
        self._changed = asyncio.Event()

    @property
    def exceeded(self) -> str:
        """Why a judge is not asked further once a reservation has failed."""
        return f"could exceed max_cost_usd={self.limit_usd:g}"
