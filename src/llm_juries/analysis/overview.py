"""Several datasets, prompts or runs side by side: agreement, ranks, one estimate for each voter."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.special import ndtri

from ..errors import JuriesError, nearest
from ..juries.panel import Panel
from ..juries.votes_file import identities
from ..metrics.arrays import Array
from ..metrics.bootstrap import Bootstrap
from ..metrics.intervals import cautions
from ..metrics.measure import estimates, grouped
from ..metrics.meta_analysis import random_effects, within_clusters
from ..metrics.power import standard_error
from .measured import COVERAGE, compared, labelled, one_label, questions_of
from .order import by_voter
from .tables import Table

RANK_RESAMPLES = 1000
"""Ranks are whole numbers: more resamples than this do not move the ends of their intervals."""
TEXTS = ("voter", "kind", "datasets", "mean_rank")
"""Columns of `by_dataset` that are not named after a dataset."""


@dataclass(frozen=True)
class Overview:
    """The tables over several panels, each named after its function."""

    pooled: pd.DataFrame
    by_dataset: pd.DataFrame
    voter_ranks: pd.DataFrame

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The tables that have rows, by name."""
        made = {table.name: table.make(self) for table in ACROSS}
        return {name: rows for name, rows in made.items() if not rows.empty}


def overview(
    panels: Sequence[Panel],
    bootstrap: Bootstrap,
    coverage: float = COVERAGE,
    same_voters: Mapping[str, Sequence[str]] | None = None,
) -> Overview:
    """Put the voters of several panels side by side; voters of one name are the same voter.

    Panels without human labels, or with one label only, have no rows.

    Parameters
    ----------
    panels : sequence of Panel
    bootstrap : Bootstrap
    coverage : float
        The share of the labelled items that a voter must have voted on to be ranked.
    same_voters : mapping of str to sequence of str, optional
        What a voter is called in other panels: {"gpt_4": ["GPT-4", "gpt4"]}.

    Raises
    ------
    JuriesError
        If `same_voters` names a voter that no panel has, or two of one panel as the same.
    """
    called = _called(panels, same_voters or {})
    ranks = [voter_ranks(panel, bootstrap, coverage) for panel in panels]
    filled = [rows for rows in ranks if not rows.empty]
    if not filled:
        return Overview(pd.DataFrame(), pd.DataFrame(), pd.DataFrame())
    table = pd.concat(filled, ignore_index=True)
    table["voter"] = table["voter"].replace(called)
    found = pooled(table, sources_of(panels), bootstrap.level)
    return Overview(found, by_dataset(table), table.drop(columns="error"))


def _called(panels: Sequence[Panel], same_voters: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return the name over all panels of each voter that has another one in some."""
    everyone = {name for panel in panels for name in panel.votes.names}
    called: dict[str, str] = {}
    for name, others in same_voters.items():
        for other in others:
            if other not in everyone:
                known = nearest(other, sorted(everyone))
                raise JuriesError(f"same_voters.{name}: there is no voter {other!r}{known}")
            if called.setdefault(other, name) != name:
                raise JuriesError(
                    f"same_voters: {other} is {called[other]} and {name}; name it once"
                )
    for panel in panels:
        own: dict[str, str] = {}
        for voter in panel.votes.names:
            name = called.get(voter, voter)
            if name in own:
                raise JuriesError(
                    f"same_voters.{name}: {panel.dataset.name} has both {own[name]} and {voter}; "
                    "name one of a dataset"
                )
            own[name] = voter
    return called


def origin(panel: Panel) -> str:
    """Return what panels that share their questions have in common.

    It is what the dataset says that it shares, else its name without the prompt or run behind @.
    """
    dataset = panel.dataset
    return dataset.about.shares or dataset.name.partition("@")[0]


def sources_of(panels: Sequence[Panel]) -> dict[str, str]:
    """Return what each dataset has in common with those that share its questions, by its name.

    Besides those of one `origin`, datasets with the same items and labels under other names do.
    """
    sizes = Counter(len(panel.questions) for panel in panels)
    first: dict[Hashable, str] = {}
    shared: dict[str, str] = {}
    for panel in panels:
        alone = sizes[len(panel.questions)] == 1  # then its items are no other dataset's
        items = panel.dataset.name if alone else _labelled_items(panel)
        own = shared.setdefault(origin(panel), first.get(items, origin(panel)))
        first.setdefault(items, own)
    return {panel.dataset.name: shared[origin(panel)] for panel in panels}


def _labelled_items(panel: Panel) -> frozenset[tuple[tuple[str, ...], str | None]]:
    labels = (item.human for item in panel.dataset.items)
    return frozenset(zip(identities(panel), labels, strict=True))


def voter_ranks(panel: Panel, bootstrap: Bootstrap, coverage: float = COVERAGE) -> pd.DataFrame:
    """Rank the voters of one panel by their agreement with the human labels.

    Voters are compared as in `comparison.against_best`: by the headline measure, with ties and
    pairs whose preference turns with the order for half.

    Returns
    -------
    DataFrame
        A row a voter: dataset, voter, kind, measure (str); agreement with ci_low and ci_high
        (float); rank, 1 for the best, equal ones sharing the better rank, with rank_low and
        rank_high, percentiles over resampled questions (int, missing for who voted on less than
        `coverage` of the labelled items); voters, how many are ranked; n and missing (int);
        caution (str); error, the standard error (float). Empty where nobody can be ranked.
    """
    if not labelled(panel) or one_label(panel):
        return pd.DataFrame()
    measure, rated = compared(panel)
    found = estimates([measure], rated, bootstrap)[measure.name]
    n, questions = rated.both.sum(axis=0), questions_of(rated)
    total = int((~np.isnan(rated.human)).sum())
    able = (n >= coverage * total) & ~np.isnan(found.value)
    bound = measure.over(grouped(rated, bootstrap.seed))
    few = replace(bootstrap, resamples=min(bootstrap.resamples, RANK_RESAMPLES))
    drawn = [_ranks(bound.values(weights)[:, able]) for weights in few.weights(len(bound.used))]
    tail = 50 * (1 - bootstrap.level)
    ends = np.percentile(np.concatenate(drawn), [tail, 100 - tail], axis=0, method="inverted_cdf")
    rank, low, high = (np.full(len(n), np.nan) for _ in range(3))
    rank[able] = _ranks(found.value[None, able])[0]
    low[able], high[able] = ends
    columns = {
        "measure": measure.name,
        "agreement": found.value,
        "ci_low": found.low,
        "ci_high": found.high,
        "rank": rank,
        "rank_low": low,
        "rank_high": high,
        "voters": int(able.sum()),
        "n": n,
        "missing": total - n,
        "caution": cautions(questions, found),
        "error": standard_error(found.low, found.high, questions.astype(float), bootstrap.level),
    }
    table = by_voter(panel, panel.votes.voters, columns)
    return table.astype(dict.fromkeys(("rank", "rank_low", "rank_high"), "Int64"))


def _ranks(values: Array) -> Array:
    """Return the ranks within each row of shape (b, k), 1 for the highest; NaN comes last."""
    known = np.where(np.isnan(values), -np.inf, values)
    above: Array = (known[:, None, :] > known[:, :, None]).sum(axis=2).astype(float)
    return above + 1


def pooled(ranks: pd.DataFrame, sources: dict[str, str], level: float = 0.95) -> pd.DataFrame:
    """Pool each voter's agreement over datasets, by random effects (`metrics.meta_analysis`).

    Only values of one measure are pooled: a voter measured by kappa and by Pearson's r has two
    rows. Datasets of one source share their questions and count once.

    Parameters
    ----------
    ranks : DataFrame
        Rows of `voter_ranks` of all datasets, with their standard errors.
    sources : mapping of str to str
        What datasets have in common that share their questions, by name: see `sources_of`.
    level : float

    Returns
    -------
    DataFrame
        A row a voter and measure, those on most datasets first, then the best: voter, kind, measure
        (str); datasets, on which it has a value; ranked, those of them that rank it; left_out,
        those without an interval; sources, the independent ones (int); agreement, the mean of true
        effects, with ci_low and ci_high; tau, their standard deviation; i2, the share of the
        variance that is not chance; q_p, the p value of all being the same; new_low and new_high,
        where a new dataset's would lie; mean_rank, over the datasets that rank it (float). With one
        source agreement and its interval are that source's own, and the others NaN. Ends are cut
        off at -1 and 1.
    """
    rows = []
    for (voter, kind, measure), every in ranks.groupby(["voter", "kind", "measure"], sort=False):
        own = every[every["agreement"].notna()]
        if own.empty:
            continue
        known = own[own["error"] > 0]
        effects, errors = known["agreement"].to_numpy(), known["error"].to_numpy()
        means, spreads, names = within_clusters(
            effects, errors, [sources[name] for name in known["dataset"]]
        )
        found = random_effects(means, spreads, level)
        if found.k == 1:
            low, high = _one_source(known, means[0], spreads[0], level)
            found = found._replace(low=low, high=high)
        ends = (found.low, found.high, found.new_low, found.new_high)
        low, high, new_low, new_high = np.clip(ends, -1.0, 1.0)
        rows.append(
            {
                "voter": voter,
                "kind": kind,
                "measure": measure,
                "datasets": len(own),
                "ranked": int(own["rank"].notna().sum()),
                "left_out": len(own) - len(known),
                "sources": len(names),
                "agreement": found.mean if found.k else float(own["agreement"].mean()),
                "ci_low": low,
                "ci_high": high,
                "tau": found.tau,
                "i2": found.i2,
                "q_p": found.q_p,
                "new_low": new_low,
                "new_high": new_high,
                "mean_rank": float(own["rank"].astype(float).mean()),
            }
        )
    table = pd.DataFrame(rows)
    return table.sort_values(
        ["datasets", "agreement", "voter"], ascending=[False, False, True], kind="stable"
    ).reset_index(drop=True)


def leaders(found: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of `pooled` of which the first is the best: of voters ranked most often.

    Others were not measured on as many datasets, or by one measure, or voted on too few items.
    """
    most = max(found["ranked"].max(), 1)
    first: pd.DataFrame = found[found["ranked"] == most]
    return first


def _one_source(
    known: pd.DataFrame, mean: float, error: float, level: float
) -> tuple[float, float]:
    """Return the interval of one source: of one dataset its own, of several the normal one."""
    if len(known) == 1:
        return float(known["ci_low"].iloc[0]), float(known["ci_high"].iloc[0])
    reach = float(ndtri((1 + level) / 2)) * error
    return mean - reach, mean + reach


def by_dataset(ranks: pd.DataFrame) -> pd.DataFrame:
    """Return the agreement of each voter on each dataset.

    Parameters
    ----------
    ranks : DataFrame
        Rows of `voter_ranks` of all datasets.

    Returns
    -------
    DataFrame
        A row a voter, those on most datasets first, then by mean rank: voter, kind (str);
        datasets, on which it has a value (int); mean_rank (float); a column a dataset with its
        agreement, NaN where it has none (float).
    """
    own = ranks[ranks["agreement"].notna()].astype({"rank": float})
    voters = own.groupby(["voter", "kind"], sort=False)
    head = voters.agg(datasets=("agreement", "size"), mean_rank=("rank", "mean"))
    cells = own.set_index(["voter", "kind", "dataset"])["agreement"].unstack()  # noqa: PD010
    cells = cells[list(dict.fromkeys(own["dataset"]))]
    cells.columns = [f"dataset {name}" if name in TEXTS else name for name in cells]
    table = head.join(cells).reset_index()
    return table.sort_values(
        ["datasets", "mean_rank", "voter"], ascending=[False, True, True], kind="stable"
    ).reset_index(drop=True)


SEVERAL = "two datasets, prompts or runs with human labels, or more"
ACROSS = (
    Table(
        "pooled",
        lambda of: of.pooled,
        "One estimate for each voter over all datasets",
        "agreement is the mean over datasets by random effects: what a voter is worth on datasets "
        "like these. Where i2 is large, datasets differ by more than chance, and new_low to "
        "new_high, where a new dataset would lie, says more than the mean. Compare only rows of "
        "the same measure and of as many datasets.",
        SEVERAL,
    ),
    Table(
        "by_dataset",
        lambda of: of.by_dataset,
        "Voters and datasets",
        "A row of high values is a voter to rely on; values of different measures, which "
        "voter_ranks names, can be compared within a column only.",
        SEVERAL,
    ),
    Table(
        "voter_ranks",
        lambda of: of.voter_ranks,
        "Rank of each voter on each dataset",
        "Voters whose rank_low to rank_high overlap may not differ in rank; who voted on too "
        "few items has no rank. Ties and inconsistent pairs count as half.",
        SEVERAL,
    ),
)
"""The tables over several datasets, in the order in which they are shown."""
