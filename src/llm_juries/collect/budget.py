"""How much a run may spend."""

from __future__ import annotations

import asyncio


class Purse:
    """What may be spent. The most a request can cost is set aside before it is sent."""

    def __init__(self, dollars: float | None) -> None:
        self.dollars = dollars
        self.spent = 0.0
        self._aside: list[float] = []
        self._changed = asyncio.Event()

    def take(self, most: float) -> bool:
        """Set aside the most a request can cost; False if that may pass the limit."""
        if self.dollars is not None and self.spent + sum(self._aside) + most > self.dollars:
            return False
        self._aside.append(most)
        return True

    async def take_in_turn(self, most: float) -> bool:
        """Set aside the most a request can cost, once enough of what others set aside is back.

        False if that may pass the limit whatever comes back. Not for one who holds a part of it.
        """
        while not self.take(most):
            if not self._aside:
                return False
            await self._changed.wait()
        return True

    def settle(self, most: float, cost: float) -> None:
        """Put back what was set aside and pay what it cost."""
        self._aside.remove(most)
        self.spent += cost
        self._changed.set()
        self._changed = asyncio.Event()
