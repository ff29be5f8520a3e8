"""Which figures an analysis has: one list, and how the rows of each figure are chosen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from ..analysis.measured import headline_of
from ..analysis.rankings import FEWEST_MODELS, Rankings
from ..analysis.run import Results
from ..config.study import source_of
from ..data.tables import located
from ..metrics.correlation import ranks
from . import figures

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    Drawn = Iterator[tuple[str, Figure]]


MOST_HEAT_MAPS = 6  # a figure each: with more voters, only the humans' and the juries'


@dataclass(frozen=True)
class FigureOptions:
    """What is drawn beside the tables' own numbers.

    Parameters
    ----------
    paper_table1 : str, optional
        CSV of the paper's printed kappas, drawn beside ours.
    """

    paper_table1: str | None = None


@dataclass(frozen=True)
class Context:
    """What a figure needs besides its rows.

    Attributes
    ----------
    sources : mapping of str to str
        Where each dataset's verdicts and labels come from, in one line.
    singles : set of str
        The datasets of single answers.
    level : float
        Of the intervals.
    rankings : Rankings
        For the reference leaderboard.
    options : FigureOptions
    """

    sources: Mapping[str, str]
    singles: set[str]
    level: float
    rankings: Rankings = field(default_factory=Rankings)
    options: FigureOptions = field(default_factory=FigureOptions)


def draw(results: Results, folder: Path, options: FigureOptions | None = None) -> list[Path]:
    """Write the figures of `FIGURES` that the tables have rows for; return the PNGs' paths."""
    context = Context(
        {study.dataset.name: source_of(study) for study in results.studies},
        {panel.dataset.name for panel in results.panels if not panel.dataset.pairwise},
        results.analysis.bootstrap.level,
        results.analysis.ranking,
        options or FigureOptions(),
    )
    drawn = []
    for table, draw_rows in FIGURES:
        rows = results.tables.get(table, pd.DataFrame())
        if not rows.empty:
            for name, figure in draw_rows(rows, context):
                drawn.append(figures.save(figure, folder, name))
    return drawn


def _kappa(agreement: pd.DataFrame, context: Context) -> Drawn:
    measured = agreement[agreement["n"] > 0]
    if not measured.empty:
        yield "kappa", figures.kappa_per_voter(measured, dict(context.sources), context.level)


def _kappa_beside_paper(agreement: pd.DataFrame, context: Context) -> Drawn:
    measured = agreement[agreement["n"] > 0]
    if measured.empty or context.options.paper_table1 is None or "kappa" not in measured:
        return
    graded = {d for d, rows in by_dataset(measured) if headline_of(rows) != "kappa"}
    measured = measured[~measured["dataset"].isin(graded)]
    printed = pd.read_csv(located(context.options.paper_table1))
    # The paper's table is of single answers judged against references, so no pairs.
    ours = measured[measured["dataset"].isin(context.singles)]
    yield (
        "kappa_beside_paper",
        figures.printed_beside_ours(printed, ours, dict(context.sources), context.level),
    )


def _deltas(deltas: pd.DataFrame, context: Context) -> Drawn:
    for dataset, rows in by_dataset(deltas[deltas["n"] > 0]):
        note = context.sources[dataset]
        yield f"deltas_{dataset}", figures.delta_per_candidate(rows, note, context.level)


def _position(position: pd.DataFrame, context: Context) -> Drawn:
    for dataset, rows in by_dataset(position):
        note = context.sources[dataset]
        yield f"position_{dataset}", figures.position_bias(rows, note, context.level)


def _length(bins: pd.DataFrame, context: Context) -> Drawn:
    for dataset, rows in by_dataset(bins):
        note = context.sources[dataset]
        yield f"length_{dataset}", figures.length_bias(rows, note, context.level)


def _kappa_against_cost(juries: pd.DataFrame, context: Context) -> Drawn:
    for dataset, rows in by_dataset(juries):
        for rule, own in rows.groupby("rule", sort=False):
            if own["usd_per_item"].notna().any():
                yield (
                    f"kappa_against_cost_{dataset}_{rule}",
                    figures.kappa_against_cost(own, context.sources[dataset], context.level),
                )


def _errors(pairs: pd.DataFrame, context: Context) -> Drawn:
    for dataset, rows in by_dataset(pairs):
        if (rows["n"] > 0).any():
            note = context.sources[dataset]
            yield f"errors_{dataset}", figures.error_correlations(rows, note)


def _ranks(ranking: pd.DataFrame, context: Context) -> Drawn:
    for dataset, rows, note in _ranked(ranking, context):
        yield f"ranks_{dataset}", figures.bump_chart(rows, note)


def _ranks_against_reference(ranking: pd.DataFrame, context: Context) -> Drawn:
    for dataset, rows, note in _ranked(ranking, context):
        for name, reference in references(rows, context.rankings).items():
            others = rows[rows["voter"] != name]
            if comparable(others, reference):
                yield (
                    f"rank_against_{Path(name).stem}_{dataset}",
                    figures.rank_against_reference(others, reference, f"{note}; true rank: {name}"),
                )


def _battles(battles: pd.DataFrame, context: Context) -> Drawn:
    for dataset, rows in by_dataset(battles):
        if len({*rows["first"], *rows["second"]}) < FEWEST_MODELS:
            continue
        if rows["voter"].nunique() > MOST_HEAT_MAPS:
            rows = rows[rows["kind"].isin(("human", "jury"))]
        for voter, own in rows.groupby("voter", sort=False):
            note = f"{dataset}, {voter}; {context.sources[dataset]}"
            yield (
                f"battles_{dataset}_{str(voter).replace('/', '_')}",
                figures.battle_heat_map(own, note),
            )


FIGURES: tuple[tuple[str, Callable[[pd.DataFrame, Context], Drawn]], ...] = (
    ("agreement", _kappa),
    ("agreement", _kappa_beside_paper),
    ("deltas", _deltas),
    ("position", _position),
    ("length_bins", _length),
    ("juries", _kappa_against_cost),
    ("error_pairs", _errors),
    ("ranking", _ranks),
    ("ranking", _ranks_against_reference),
    ("battles", _battles),
)
"""Each figure's table, and the function that yields file names and figures from its rows."""


def by_dataset(table: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Return each dataset's rows, in the table's order."""
    if table.empty:
        return []
    return [(str(dataset), rows) for dataset, rows in table.groupby("dataset", sort=False)]


def _ranked(ranking: pd.DataFrame, context: Context) -> Iterator[tuple[str, pd.DataFrame, str]]:
    """Yield each dataset whose models can be drawn by rank: its name, its rows and a note."""
    for dataset, rows in by_dataset(ranking):
        best = headline(rows)
        if drawable(best):
            measure = str(best["measure"].iloc[0]).replace("_", " ")
            yield dataset, best, f"{context.sources[dataset]}; by {measure}"


def drawable(ranking: pd.DataFrame) -> bool:
    """Return whether enough models have ranks, and any of them votes."""
    return ranking["model"].nunique() >= FEWEST_MODELS and not scored(ranking).empty


def headline(ranking: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of one measure: strengths if every voter has them, else rates or means."""
    strengths = ranking[ranking["measure"] == "bradley_terry"]
    if not strengths.empty and strengths["score"].notna().all():
        return strengths
    return ranking[ranking["measure"].isin(("win_rate", "mean_score"))]


def comparable(ranking: pd.DataFrame, reference: pd.DataFrame) -> bool:
    """Return whether a voter ranks a model of the reference; without verdicts, none does."""
    return bool(scored(ranking)["model"].isin(reference["model"]).any())


def scored(ranking: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with votes behind them: a baseline has a win rate of one half without any."""
    return ranking[(ranking["n"] > 0) & ranking["score"].notna()]


def references(ranking: pd.DataFrame, rankings: Rankings) -> dict[str, pd.DataFrame]:
    """Return the rankings to draw against: the leaderboard's and the humans', if there are any."""
    found = {}
    board = rankings.leaderboard(sorted(set(ranking["model"])))
    if len(board) >= FEWEST_MODELS:
        table = pd.DataFrame({"model": list(board), "score": list(board.values())})
        found[str(rankings.reference)] = table.assign(rank=ranks(table["score"].to_numpy(float)))
    humans = ranking[ranking["kind"] == "human"].dropna(subset="score")
    if len(humans) >= FEWEST_MODELS:
        found["humans"] = humans[["model", "score", "rank"]]
    return found
