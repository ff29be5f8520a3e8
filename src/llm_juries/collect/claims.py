"""Claim what a run is about to ask for, and leave to other runs what they are asking for."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import numpy as np

from ..store.leases import EXPIRES_S, Cell, Codes, Leases, Other
from ..store.plan import Plan
from ..store.store import Store
from .policy import Policy

log = logging.getLogger(__name__)
LOOK_S = 0.5  # how often to look whether another machine's lease was renewed


@dataclass(frozen=True)
class Left:
    """What a cell leaves to another run: the keys, and in words which run that is."""

    codes: frozenset[int]
    reason: str


@dataclass(frozen=True)
class Claims:
    """What this run holds leases on: `left` is what it leaves to others, by cell."""

    leases: Leases
    left: Mapping[Cell, Left]

    @property
    def lapsed(self) -> bool:
        """Whether this run was suspended for so long that another may ask for the same by now."""
        return self.leases.lapsed


def cell_of(plan: Plan) -> Cell:
    """Return the cell of a plan, as leases name it."""
    return plan.voter, plan.dataset.name, plan.prompt.name


@asynccontextmanager
async def claimed(
    store: Store, cells: Mapping[Cell, Codes], policy: Policy
) -> AsyncIterator[Claims]:
    """Hold leases on the keys of cells; yield them, with what other runs are asking for.

    A lease of another machine may be that of a killed run: it counts if it is renewed while this
    run waits, which takes seconds, and up to a minute if it is not.

    Raises
    ------
    JuriesError
        If the store can't be written.
    """
    with Leases(store.path) as leases:
        leases.claim(cells)
        left: dict[Cell, Left] = {}
        met: dict[str, bool] = {}  # whether a run lives
        leaving = policy.on_other_run == "skip"
        for cell, codes in cells.items():
            if leaving:
                await _leave(leases, cell, codes, left, met)
            leases.hold(cell, _without(codes, left.get(cell)))
            if leaving:  # to those too that claimed the same after the first look
                await _leave(leases, cell, codes, left, met)
        yield Claims(leases, left)


async def _leave(
    leases: Leases,
    cell: Cell,
    codes: Codes,
    left: dict[Cell, Left],
    met: dict[str, bool],
) -> None:
    for other in leases.others():
        common = np.intersect1d(codes, other.codes)
        if not len(common) or not leases.goes_before(other, cell):
            continue
        if other.run not in met:
            met[other.run] = await _lives(leases, other)
        if met[other.run]:
            known = left[cell].codes if cell in left else frozenset()
            found = known | frozenset(common.tolist())
            left[cell] = Left(
                found,
                f"another run ({other.holder}) is asking for {len(found)} of these verdicts; run "
                "again when it has ended, or set on_other_run=ask to ask, and pay, for them too",
            )


async def _lives(leases: Leases, other: Other) -> bool:
    """Return whether the run of a lease lives, waiting for its renewal if nothing else can tell."""
    if other.alive is not None:
        return other.alive
    log.warning(
        "%s on %s: another run (%s) holds a lease on it; waiting up to %.0f s to see whether it "
        "lives",
        *(other.holder.judge, other.holder.dataset, other.holder, EXPIRES_S),
    )
    until = time.monotonic() + EXPIRES_S
    while time.monotonic() < until:
        await asyncio.sleep(LOOK_S)
        now = next((one for one in leases.others() if one.path.stem == other.path.stem), None)
        if now is None:
            return False  # it has ended, or expired
        if now.renewed != other.renewed:
            return True
    return False


def _without(codes: Codes, left: Left | None) -> Codes:
    if left is None:
        return codes
    return np.setdiff1d(codes, np.fromiter(left.codes, np.uint64), assume_unique=True)
