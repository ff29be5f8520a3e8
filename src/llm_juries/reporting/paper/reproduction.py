"""Measure what the paper measured: stored verdicts to panels, panels to the paper's tables."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from ...analysis import tables as analysis
from ...analysis.costs import dollars
from ...analysis.panels import read_panel
from ...analysis.rankings import Rankings, fit
from ...analysis.run import joined
from ...collect.run import collect
from ...config.study import source_of
from ...juries.panel import Panel
from ...juries.stored import Inconsistent
from ...store.store import Store
from ...study import Study
from .facts import Facts, VoterFacts, dataset_facts, facts_of
from .inputs import Settings
from .tables import NO_LABELS, NO_VERDICTS, cost, spread, table1, table2, table3

FEEDS = ("table1", "figure1", "table2", "table3", "figures3_4")


@dataclass(frozen=True)
class Source:
    """A dataset of the experiment, and which tables and figures are made from it.

    Parameters
    ----------
    study : Study
    feeds : sequence of str
        Of `FEEDS`.
    stands_for : str
        The paper's dataset that it stands beside.
    ranking : Rankings, optional
        In place of the settings' own.
    inconsistent : str, optional
        In place of the settings' own.
    variants : sequence of (str, Study)
        The large judge under other prompts, with the prompt's name.
    prompt : str
        The name of the study's own prompt, where it is one of those compared.
    sample, answers : str
        How questions were drawn and answers made: see `facts.dataset_facts`.
    """

    study: Study
    feeds: tuple[str, ...] = FEEDS
    stands_for: str = ""
    ranking: Rankings | None = None
    inconsistent: Inconsistent | None = None
    variants: tuple[tuple[str, Study], ...] = ()
    prompt: str = ""
    sample: str = ""
    answers: str = ""


@dataclass(frozen=True)
class Measured:
    """A source's votes.

    Parameters
    ----------
    panel : Panel
    feeds, ranking, prompt
        As of `Source`.
    variants : sequence of (str, Panel)
        With the prompt's name; "" for one whose voters are called judge@prompt.
    """

    panel: Panel
    feeds: tuple[str, ...] = FEEDS
    ranking: Rankings | None = None
    prompt: str = ""
    variants: tuple[tuple[str, Panel], ...] = ()


@dataclass(frozen=True)
class Reproduction:
    """The paper's tables with ours beside them, and what its figures are drawn from.

    Attributes
    ----------
    tables : mapping of str to DataFrame
        By file name; see `reporting.paper.tables`.
    agreement, ranking, deltas : DataFrame
        Of all datasets, as `analysis` makes them; `agreement` without pairs.
    rankings : mapping of str to Rankings
        How each dataset's candidates were ranked.
    feeds : mapping of str to sequence of str
        Which tables and figures are made from each dataset.
    sources : mapping of str to str
        Where each dataset's verdicts and labels come from, in one line.
    facts : Facts
    settings : Settings
    """

    tables: Mapping[str, pd.DataFrame]
    agreement: pd.DataFrame
    ranking: pd.DataFrame
    deltas: pd.DataFrame
    rankings: Mapping[str, Rankings]
    feeds: Mapping[str, tuple[str, ...]]
    sources: Mapping[str, str]
    facts: Facts
    settings: Settings


def reproduce(
    sources: Sequence[Source],
    store: Store,
    settings: Settings,
    absent: Mapping[str, str] | None = None,
) -> Reproduction:
    """Measure the stored verdicts of an experiment. Calls no model.

    Rules cost nothing: their missing verdicts are added to the store first.

    Parameters
    ----------
    sources : sequence of Source
    store : Store
    settings : Settings
    absent : mapping of str to str, optional
        Why there is nothing beside one of the paper's datasets, or a table.
    """
    studies = [s for one in sources for s in (one.study, *(v for _, v in one.variants))]
    collect([plan for study in studies for plan in study.plans if plan.judge.free], store)

    def seated(study: Study, own: Inconsistent | None) -> Panel:
        how = settings.analysis.settings
        return read_panel(study, store, own or how.inconsistent, how.candidate_families)

    voters: dict[tuple[str, str, str], VoterFacts] = {}
    missing = dict(absent or {})
    for one in sources:
        voters |= facts_of(one.study, store)
        for prompt, study in one.variants:
            voters |= facts_of(study, store, prompt)
        labelled = any(item.human is not None for item in one.study.dataset.items)
        for place in (one.stands_for, *one.feeds):
            missing.setdefault(place, NO_VERDICTS if labelled or place == "table2" else NO_LABELS)
    seats = {plan.voter for study in studies for plan in study.plans}
    seats |= {jury.name for study in studies for jury in study.juries}
    datasets = {
        one.study.dataset.name: dataset_facts(one.study.dataset, one.sample, one.answers)
        for one in sources
    }
    return measure(
        [
            Measured(
                seated(one.study, one.inconsistent),
                one.feeds,
                one.ranking,
                one.prompt,
                tuple((prompt, seated(study, one.inconsistent)) for prompt, study in one.variants),
            )
            for one in sources
        ],
        {one.study.dataset.name: source_of(one.study) for one in sources},
        settings,
        Facts(voters, datasets, missing, seats),
    )


def measure(
    measured: Sequence[Measured],
    sources: Mapping[str, str],
    settings: Settings,
    facts: Facts | None = None,
) -> Reproduction:
    """Measure panels; `sources` says where the votes of each panel's dataset come from."""
    bootstrap = settings.analysis.bootstrap
    paper, stand_ins = settings.paper, settings.stand_ins
    facts = facts or Facts()

    def feeding(*feeds: str) -> list[Measured]:
        return [one for one in measured if set(feeds) & set(one.feeds)]

    rankings = {
        one.panel.dataset.name: one.ranking or settings.analysis.ranking for one in measured
    }
    agreement = joined([analysis.agreement(one.panel, bootstrap) for one in feeding("table1")])
    pairs = [one.panel.dataset.name for one in measured if one.panel.dataset.pairwise]
    single = agreement if agreement.empty else agreement[~agreement["dataset"].isin(pairs)]
    fits = [
        (one, fit(one.panel, bootstrap, rankings[one.panel.dataset.name]))
        for one in feeding("figure1", "table2")
    ]
    ranked = [(one, found) for one, found in fits if "table2" in one.feeds]
    ranking = joined([analysis.ranking(one.panel, found) for one, found in fits])
    correlation = joined([analysis.correlation(one.panel, found) for one, found in ranked])
    multi_hop = feeding("figures3_4")
    deltas = joined([analysis.deltas(one.panel, bootstrap) for one in multi_hop])
    spreads = joined([analysis.spread(one.panel, bootstrap) for one in multi_hop])
    by_prompt = [
        (name, analysis.agreement(panel, bootstrap))
        for one in feeding("table3")
        for name, panel in ((one.prompt, one.panel), *one.variants)
    ]
    prices = facts.prices or settings.prices
    tables = {
        "table1_kappa": table1(paper.read("table1"), single, stand_ins, facts),
        "table2_ranking": table2(paper.read("table2"), correlation, stand_ins, facts),
        "table3_prompts": table3(paper.read("table3"), by_prompt, stand_ins, facts),
        "figures3_4_spread": spread(spreads, deltas, stand_ins, facts),
        "figure5_cost": cost(
            paper.read("cost"), prices, stand_ins, _paid([one.panel for one in measured])
        ),
    }
    feeds = {one.panel.dataset.name: one.feeds for one in measured}
    return Reproduction(tables, single, ranking, deltas, rankings, feeds, sources, facts, settings)


def _paid(panels: Sequence[Panel]) -> dict[str, tuple[float, float]]:
    """Return each voter's dollars for 1,000 items, of the first dataset where they are known."""
    found: dict[str, tuple[float, float]] = {}
    for panel in panels:
        for name, paid in dollars(panel).items():
            if not any(map(math.isnan, paid)):
                found.setdefault(name, paid)
    return found
