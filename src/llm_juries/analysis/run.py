"""A whole analysis: read the verdicts, pool them into juries, make every table."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
import pandas as pd
from pandas.api.types import is_integer_dtype

from ..errors import JuriesError, nearest
from ..juries.criteria import weightings
from ..juries.panel import Panel
from ..store.store import Store
from ..study import Study
from .absent import absent
from .found_juries import JurySearch
from .jury_search import search_juries
from .measured import one_label
from .overview import Overview, overview
from .panels import read_panel
from .settings import Analysis
from .tables import TABLES, Subject

log = logging.getLogger(__name__)


class Tables(Mapping[str, pd.DataFrame]):
    """Those of `analysis.tables` that have rows, by name, and of several datasets their overview.

    Each is made when it is first asked for, so that figures are drawn while others are made.
    """

    def __init__(self, subjects: Sequence[Subject], across: Callable[[], Overview] | None) -> None:
        self._subjects = subjects
        self._across = across
        self._made: dict[str, pd.DataFrame | None] = {}

    def __getitem__(self, name: str) -> pd.DataFrame:
        if name not in self._made:
            self._made[name] = self._make(name)
        table = self._made[name]
        if table is None:
            raise KeyError(name)
        return table

    def __iter__(self) -> Iterator[str]:
        own = (table.name for table in TABLES)
        across = self._overview.tables if self._across else {}
        return (name for name in (*own, *across) if name in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _make(self, name: str) -> pd.DataFrame | None:
        for table in TABLES:
            if table.name == name:
                made = joined([table.make(subject) for subject in self._subjects])
                return made if table.kept_empty or not made.empty else None
        return self._overview.tables.get(name) if self._across else None

    @cached_property
    def _overview(self) -> Overview:
        if self._across is None:
            raise TypeError("there is one dataset only")
        return self._across()


@dataclass(frozen=True)
class Results:
    """An analysis: its studies, their panels, and the tables by name (see `analysis.tables`).

    `absent` has a line for each judge without a usable verdict: see `analysis.absent`.
    """

    studies: Sequence[Study]
    panels: Sequence[Panel]
    tables: Mapping[str, pd.DataFrame]
    analysis: Analysis
    absent: Sequence[str] = ()


def measure(studies: Sequence[Study], store: Store, analysis: Analysis | None = None) -> Results:
    """Read the studies' verdicts; the tables are made when they are asked for.

    Of several studies also those of `analysis.overview`, which put them side by side.

    Raises
    ------
    JuriesError
        If a study has no voters, a price is given for a judge that no study has, the store has no
        usable verdict of anyone. Its tables raise what their functions do.
    """
    analysis = analysis or Analysis()
    panels, lines = read_panels(studies, store, analysis)
    subjects = []
    for study, panel in zip(studies, panels, strict=True):
        subjects.append(_subject(study, panel, analysis, alone=len(studies) == 1))
        subjects += _overall(subjects[-1], analysis)
    settings = analysis.settings
    across = partial(overview, panels, analysis.bootstrap, settings.coverage, settings.same_voters)
    tables = Tables(subjects, across if len(panels) > 1 else None)
    panels = [subject.panel for subject in subjects]
    return Results([subject.study for subject in subjects], panels, tables, analysis, lines)


def read_panels(
    studies: Sequence[Study], store: Store, analysis: Analysis
) -> tuple[list[Panel], list[str]]:
    """Return the studies' panels, and a line for each judge without a usable verdict.

    Raises
    ------
    JuriesError
        As `measure` does, of what the tables have no part in.
    """
    _check(studies, analysis)
    panels = [_panel(study, store, analysis) for study in studies]
    lines = absent(studies, panels, store.path)
    if len(lines) == sum(len(study.plans) for study in studies):
        more = f" (none of the {len(lines)} judges has any)" if len(lines) > 1 else ""
        raise JuriesError(f"nothing to analyze: {lines[0]}{more}")
    return panels, lines


def _check(studies: Sequence[Study], analysis: Analysis) -> None:
    judges = sorted({plan.voter for study in studies for plan in study.plans})
    for name in analysis.search.dollars or {}:
        if name not in judges:
            raise JuriesError(f"dollars.{name}: there is no such judge{nearest(name, judges)}")
    large = analysis.settings.large_judge
    if large is not None and large not in judges:
        raise JuriesError(f"large_judge: there is no judge {large!r}{nearest(large, judges)}")
    for study in studies:
        if not study.plans:
            raise JuriesError(
                f"dataset {study.dataset.name}: has no voters; name some, such as judge=[contains] "
                "or jury=embedded"
            )


def _panel(study: Study, store: Store, analysis: Analysis) -> Panel:
    settings = analysis.settings
    return read_panel(
        study, store, settings.inconsistent, settings.families, settings.threshold, settings.vote
    )


def _subject(study: Study, panel: Panel, analysis: Analysis, *, alone: bool) -> Subject:
    usd = panel.stored.usd_a_call() if panel.stored else {}
    given = analysis.search.dollars or {}
    usd |= {name: cost for name, cost in given.items() if name in usd}  # else of other datasets
    return Subject(panel, study, analysis, usd, _searched(panel, analysis, usd, alone=alone))


def _overall(subject: Subject, analysis: Analysis) -> list[Subject]:
    """Return the answers as a whole, once for each weighting of criteria that juries have.

    The judges are there under each, and the juries of that weighting.
    """
    found = []
    by_jury = weightings(subject.study.juries)
    for first, weights in by_jury.items():
        suffix = "" if len(by_jury) == 1 else f"_{first}"
        panel = subject.panel.overall(weights, f"{subject.panel.dataset.name}_overall{suffix}")
        juries = {j.name: getattr(j, "criteria", None) for j in subject.study.juries}
        stays = tuple(name for name in panel.votes.names if juries.get(name, weights) == weights)
        orders = {order: votes.columns(stays) for order, votes in panel.orders.items()}
        panel = replace(panel, votes=panel.votes.columns(stays), orders=orders)
        study = Study(panel.dataset, (), ())
        searched = _searched(panel, analysis, {}, alone=False)
        found.append(Subject(panel, study, analysis, {}, searched))
    return found


def _searched(
    panel: Panel, analysis: Analysis, usd_a_call: Mapping[str, float | None], *, alone: bool
) -> JurySearch | None:
    """Search the juries of a panel; of several datasets, one that cannot be searched is skipped."""
    if not analysis.search.rules or np.isnan(panel.human).all():
        return None
    if one_label(panel):
        log.warning("%s: no jury search, as all human labels are the same", panel.dataset.name)
        return None
    orders = len(panel.dataset.orders)
    prices = {name: orders * cost for name, cost in usd_a_call.items() if cost is not None}
    try:
        return search_juries(
            panel,
            analysis.bootstrap,
            replace(analysis.search, dollars=prices),
            analysis.settings.coverage,
        )
    except JuriesError as error:
        if alone:
            raise
        log.warning("no jury search on this dataset, the others go on: %s", error)
        return None


def joined(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return the rows of several datasets' tables as one table, empty ones left out."""
    filled = [part for part in parts if not part.empty]
    if not filled:
        return pd.DataFrame()
    table = pd.concat(filled, ignore_index=True)
    # A dataset without an outcome has 0 of it; one on another scale has no such measure.
    for column in table:
        counted = [part[column] for part in filled if column in part]
        if len(counted) < len(filled) and all(map(is_integer_dtype, counted)):
            table[column] = table[column].fillna(0).astype(int)
    return table
