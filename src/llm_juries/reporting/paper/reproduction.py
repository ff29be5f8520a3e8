"""Measure what the paper measured: stored verdicts to panels, panels to the paper's tables."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from ...analysis import tables as analysis
from ...analysis.costs import dollars
from ...analysis.panels import read_panel
from ...analysis.rankings import fit
from ...analysis.run import joined
from ...collect.run import collect
from ...config.study import source_of
from ...juries.panel import Panel
from ...store.store import Store
from ...study import Study
from .inputs import Settings
from .tables import cost, spread, table1, table2, table3


@dataclass(frozen=True)
class Reproduction:
    """The paper's tables with ours beside them, and what its figures are drawn from.

    Attributes
    ----------
    tables : mapping of str to DataFrame
        By file name; see `reporting.paper.tables`.
    agreement, ranking, deltas : DataFrame
        Of all datasets, as `analysis` makes them; `agreement` without pairs.
    sources : mapping of str to str
        Where each dataset's verdicts and labels come from, in one line.
    settings : Settings
    """

    tables: Mapping[str, pd.DataFrame]
    agreement: pd.DataFrame
    ranking: pd.DataFrame
    deltas: pd.DataFrame
    sources: Mapping[str, str]
    settings: Settings


def reproduce(
    studies: Sequence[Study], ablated: Sequence[tuple[str, Study]], store: Store, settings: Settings
) -> Reproduction:
    """Measure the stored verdicts of studies. Calls no model.

    Rules and recordings cost nothing: their missing verdicts are added to the store first.

    Parameters
    ----------
    studies : sequence of Study
    ablated : sequence of (str, Study)
        Studies under other prompts, for Table 3, with the prompt's name; "" for one whose voters
        are called judge/prompt.
    store : Store
    settings : Settings
    """
    everything = [*studies, *(study for _, study in ablated)]
    collect([plan for study in everything for plan in study.plans if plan.judge.free], store)

    def seated(study: Study) -> Panel:
        how = settings.analysis.settings
        return read_panel(study, store, how.inconsistent, how.candidate_families)

    return measure(
        [seated(study) for study in studies],
        [(prompt, seated(study)) for prompt, study in ablated],
        {study.dataset.name: source_of(study) for study in studies},
        settings,
    )


def measure(
    panels: Sequence[Panel],
    ablated: Sequence[tuple[str, Panel]],
    sources: Mapping[str, str],
    settings: Settings,
) -> Reproduction:
    """Measure panels; parameters as of `reproduce`, and the sources of each panel's dataset."""
    bootstrap, rankings = settings.analysis.bootstrap, settings.analysis.ranking
    paper, stand_ins = settings.paper, settings.stand_ins
    agreement = joined([analysis.agreement(panel, bootstrap) for panel in panels])
    pairs = [panel.dataset.name for panel in panels if panel.dataset.pairwise]
    single = agreement[~agreement["dataset"].isin(pairs)]
    fits = [(panel, fit(panel, bootstrap, rankings)) for panel in panels]
    ranking = joined([analysis.ranking(panel, fitted) for panel, fitted in fits])
    correlation = joined([analysis.correlation(panel, fitted) for panel, fitted in fits])
    deltas = joined([analysis.deltas(panel, bootstrap) for panel in panels])
    spreads = joined([analysis.spread(panel, bootstrap) for panel in panels])
    by_prompt = [(name, analysis.agreement(panel, bootstrap)) for name, panel in ablated]
    tables = {
        "table1_kappa": table1(paper.read("table1"), single, stand_ins),
        "table2_ranking": table2(paper.read("table2"), correlation, stand_ins),
        "table3_prompts": table3(paper.read("table3"), by_prompt, stand_ins),
        "figures3_4_spread": spread(spreads, deltas, stand_ins),
        "figure5_cost": cost(paper.read("cost"), settings.prices, stand_ins, _paid(panels)),
    }
    return Reproduction(tables, single, ranking, deltas, sources, settings)


def _paid(panels: Sequence[Panel]) -> dict[str, tuple[float, float]]:
    """Return each voter's dollars for 1,000 items, of the first dataset where they are known."""
    found: dict[str, tuple[float, float]] = {}
    for panel in panels:
        for name, paid in dollars(panel).items():
            if not any(map(math.isnan, paid)):
                found.setdefault(name, paid)
    return found
