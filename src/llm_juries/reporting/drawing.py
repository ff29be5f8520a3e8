"""Which figures an analysis has, and what is drawn on each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from ..analysis.rankings import FEWEST, Rankings
from ..data.tables import located
from ..metrics.correlation import ranks
from . import figures

if TYPE_CHECKING:
    from matplotlib.figure import Figure


MOST_HEAT_MAPS = 6  # a figure each: with more voters, only the humans' and the juries'


def draw(
    tables: Mapping[str, pd.DataFrame],
    notes: Mapping[str, str],
    singles: set[str],
    folder: Path,
    level: float,
    rankings: Rankings,
    paper_table1: str | None = None,
) -> list[Path]:
    """Write the figures that the tables have rows for; return the PNGs' paths.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        As `analysis.run.measure` makes them.
    notes : mapping of str to str
        Where each dataset's verdicts and labels come from.
    singles : set of str
        The datasets of single answers.
    folder : Path
    level : float
        Of the intervals.
    rankings : Rankings
        For the reference leaderboard.
    paper_table1 : str, optional
        The paper's printed kappas, to be drawn beside ours.
    """
    drawn = []

    def save(figure: Figure, name: str) -> None:
        drawn.append(figures.save(figure, folder, name))

    agreement = tables["agreement"]
    measured = agreement[agreement["n"] > 0]
    if not measured.empty:
        save(figures.kappa_per_voter(measured, dict(notes), level), "kappa")
        if paper_table1 is not None:
            printed = pd.read_csv(located(paper_table1))
            # The paper's table is of single answers judged against references, so no pairs.
            ours = measured[measured["dataset"].isin(singles)]
            save(
                figures.printed_beside_ours(printed, ours, dict(notes), level), "kappa_beside_paper"
            )
    per_dataset: dict[str, Callable[[pd.DataFrame, str], Figure]] = {
        "deltas": lambda rows, note: figures.delta_per_candidate(rows[rows["n"] > 0], note, level),
        "position": lambda rows, note: figures.position_bias(rows, note, level),
        "length_bins": lambda rows, note: figures.length_bias(rows, note, level),
    }
    names = {"deltas": "deltas", "position": "position", "length_bins": "length"}
    for table, figure in per_dataset.items():
        for dataset, rows in _by_dataset(tables, table):
            if table != "deltas" or (rows["n"] > 0).any():
                save(figure(rows, notes[dataset]), f"{names[table]}_{dataset}")
    for dataset, rows in _by_dataset(tables, "juries"):
        for rule, own in rows.groupby("rule", sort=False):
            if own["usd_per_item"].notna().any():
                name = f"kappa_against_cost_{dataset}_{rule}"
                save(figures.kappa_against_cost(own, notes[dataset], level), name)
    for dataset, rows in _by_dataset(tables, "error_pairs"):
        if not (rows["n"] > 0).any():
            continue
        save(figures.error_correlations(rows, notes[dataset]), f"errors_{dataset}")
    for dataset, rows in _by_dataset(tables, "ranking"):
        best = headline(rows)
        if best["model"].nunique() < FEWEST or scored(best).empty:
            continue
        by = f"{notes[dataset]}; by {str(best['measure'].iloc[0]).replace('_', ' ')}"
        save(figures.bump_chart(best, by), f"ranks_{dataset}")
        for name, reference in references(best, rankings).items():
            others = best[best["voter"] != name]
            if not comparable(others, reference):
                continue
            note = f"{by}; true rank: {name}"
            save(
                figures.rank_against_reference(others, reference, note),
                f"rank_against_{Path(name).stem}_{dataset}",
            )
    for dataset, rows in _by_dataset(tables, "battles"):
        if len({*rows["first"], *rows["second"]}) < FEWEST:
            continue
        if rows["voter"].nunique() > MOST_HEAT_MAPS:
            rows = rows[rows["kind"].isin(("human", "jury"))]
        for voter, own in rows.groupby("voter", sort=False):
            save(
                figures.battle_heat_map(own, f"{dataset}, {voter}; {notes[dataset]}"),
                f"battles_{dataset}_{str(voter).replace('/', '_')}",
            )
    return drawn


def _by_dataset(tables: Mapping[str, pd.DataFrame], name: str) -> list[tuple[str, pd.DataFrame]]:
    table = tables.get(name, pd.DataFrame())
    if table.empty:
        return []
    return [(str(dataset), rows) for dataset, rows in table.groupby("dataset", sort=False)]


def headline(ranking: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of one measure: strengths where every voter has them, else what there is."""
    strengths = ranking[ranking["measure"] == "bradley_terry"]
    if not strengths.empty and strengths["score"].notna().all():
        return strengths
    return ranking[ranking["measure"].isin(("win_rate", "mean_score"))]


def comparable(ranking: pd.DataFrame, reference: pd.DataFrame) -> bool:
    """Return whether a voter ranks a model of the reference: not while nobody has been asked."""
    return bool(scored(ranking)["model"].isin(reference["model"]).any())


def scored(ranking: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with votes behind them: a baseline has half of the wins without any."""
    return ranking[(ranking["n"] > 0) & ranking["score"].notna()]


def references(ranking: pd.DataFrame, rankings: Rankings) -> dict[str, pd.DataFrame]:
    """Return what ranks are drawn against: the leaderboard and the humans, where there are any."""
    found = {}
    board = rankings.leaderboard(sorted(set(ranking["model"])))
    if len(board) >= FEWEST:
        table = pd.DataFrame({"model": list(board), "score": list(board.values())})
        found[str(rankings.reference)] = table.assign(rank=ranks(table["score"].to_numpy(float)))
    humans = ranking[ranking["kind"] == "human"].dropna(subset="score")
    if len(humans) >= FEWEST:
        found["humans"] = humans[["model", "score", "rank"]]
    return found
