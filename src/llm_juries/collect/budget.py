"""A budget in US dollars: the most a request can cost is reserved before it is sent."""

from __future__ import annotations

import asyncio
import random

from ..store.ledger import Ledger, Line, lives
from ..store.store import Store
from .policy import Policy

AHEAD = 16  # requests of the same cost that a run of a sweep reserves at once, if there is room
POLL_S = 0.2
CENT = 1e-9  # dollars by which sums of floats may be off


class Budget:
    """What a run may spend; `limit_usd` is None where there is no limit."""

    def __init__(self, limit_usd: float | None) -> None:
        self.limit_usd = limit_usd
        self.spent = 0.0
        self._reserved: list[float] = []
        self._changed = asyncio.Event()

    def reserve(self, most: float) -> bool:
        """Reserve the most a request can cost; False if that could exceed the limit."""
        if not self._fits(most):
            return False
        self._reserved.append(most)
        return True

    async def reserve_in_turn(self, most: float) -> bool:
        """Reserve the most a request can cost, waiting for other reservations to be settled.

        False if that could exceed the limit even so. A caller that holds a reservation itself would
        wait for ever: it calls `reserve`.
        """
        while not self.reserve(most):
            if self._reserved:
                await self._changed.wait()
            elif not await self._others_settle():
                return False
        return True

    def settle(self, most: float, cost: float) -> None:
        """Release a reservation and record what the request cost."""
        self._reserved.remove(most)
        self.spent += cost
        self._changed.set()
        self._changed.clear()

    def close(self) -> None:
        """Spend nothing more."""

    @property
    def exceeded(self) -> str:
        """Why a judge is not asked further once a reservation has failed."""
        return f"could exceed max_cost_usd={self.limit_usd:g}"

    @property
    def committed(self) -> float:
        """What this run has spent and reserved."""
        return self.spent + sum(self._reserved)

    def _fits(self, most: float) -> bool:
        return self.limit_usd is None or self.committed + most <= self.limit_usd

    async def _others_settle(self) -> bool:
        """Wait for other runs to settle reservations; False if none holds any."""
        return False


class SweepBudget(Budget):
    """What all runs of a sweep may spend together, by a ledger in the store.

    A run claims what it may spend in the ledger before it spends it, some requests ahead, and gives
    back what it did not need. What a killed run had claimed counts as spent.

    Parameters
    ----------
    limit_usd : float
    ledger : Ledger
        Of the sweep.
    """

    def __init__(self, limit_usd: float, ledger: Ledger) -> None:
        super().__init__(limit_usd)
        self.ledger = ledger
        self._claimed = 0.0
        self._others = ledger.others()  # a damaged ledger is refused before anything is asked

    def settle(self, most: float, cost: float) -> None:
        """Release a reservation and record what the request cost."""
        super().settle(most, cost)
        if not self._reserved or self.committed > self._claimed + CENT:  # it cost more than thought
            self._write(self.committed)

    def close(self) -> None:
        """Give back what was claimed and not spent."""
        if self._claimed:
            self._write(self.committed)
        self.ledger.close()

    @property
    def exceeded(self) -> str:
        """Why a judge is not asked further once a reservation has failed."""
        return (
            f"{super().exceeded}, which holds for the runs of the sweep {self.ledger.account} "
            f"together: they have spent or reserved ${self.committed + self._of_others:.4f}; "
            "raise it, or begin another sweep with sweep=NAME"
        )

    def _fits(self, most: float) -> bool:
        if self.committed + most <= self._claimed + CENT:
            return True
        self._others = self.ledger.others()
        ahead = self.committed + AHEAD * most
        return self._claim(ahead if self._within(ahead) else self.committed + most)

    def _claim(self, dollars: float) -> bool:
        """Claim so much in all; withdraw the claim if the limit does not allow it."""
        self._write(dollars)
        self._others = self.ledger.others()
        if self._within(dollars):
            return True
        self._write(self.committed)
        return False

    def _within(self, dollars: float) -> bool:
        assert self.limit_usd is not None  # noqa: S101 - see __init__
        return dollars + self._of_others <= self.limit_usd + CENT

    @property
    def _of_others(self) -> float:
        return sum(line.committed for _, line in self._others)

    def _write(self, dollars: float) -> None:
        if dollars != self._claimed or dollars == self.committed:
            self.ledger.write(Line(committed=dollars, spent=self.spent))
        self._claimed = dollars

    async def _others_settle(self) -> bool:
        # As the last claim saw them: one that was withdrawn since leaves room for another try.
        held = [path for path, line in self._others if line.committed > line.spent + CENT]
        if not any(map(lives, held)):
            return False
        await asyncio.sleep(random.uniform(0.5, 1.5) * POLL_S)  # noqa: S311 - no result depends on it
        return True


def budget_of(policy: Policy, store: Store) -> Budget:
    """Return the budget of a run: its own, or the part of its sweep's that is left."""
    if policy.max_cost_usd is None or not policy.sweep:
        return Budget(policy.max_cost_usd)
    return SweepBudget(policy.max_cost_usd, Ledger(store.path, f"sweep-{policy.sweep}"))
