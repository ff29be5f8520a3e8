"""Which figures an analysis has: one list, and how the rows of each figure are chosen."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from ..analysis.levels import Steps
from ..analysis.measured import headline_of
from ..analysis.power import BEFOREHAND
from ..analysis.rankings import FEWEST_MODELS, Rankings
from ..analysis.run import Results
from ..config.study import source_of
from ..data.tables import located
from ..metrics.correlation import ranks
from . import figures

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    Drawn = Iterator[tuple[str, Figure]]


log = logging.getLogger(__name__)
LONGEST_NAME = 40  # characters
NAMING = {"voter", "judge", "other", "candidate"}  # models are cut where they are drawn
MOST_PANELS = 24  # of a figure with one for each voter
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
    graded : set of str
        The datasets with graded votes and labels.
    preferences : set of str
        The datasets whose votes are preferences.
    crossed : set of str
        The datasets with a table of confusion.
    steps : mapping of str to sequence of str
        The values of each dataset's votes, in order.
    level : float
        Of the intervals.
    rankings : Rankings
        For the reference leaderboard.
    options : FigureOptions
    """

    sources: Mapping[str, str]
    singles: set[str]
    graded: set[str]
    preferences: set[str]
    crossed: set[str]
    steps: Mapping[str, Sequence[str]]
    level: float
    rankings: Rankings = field(default_factory=Rankings)
    options: FigureOptions = field(default_factory=FigureOptions)


def draw(results: Results, folder: Path, options: FigureOptions | None = None) -> list[Path]:
    """Write the figures of `FIGURES` that the tables have rows for; return the PNGs' paths."""
    context = Context(
        {study.dataset.name: source_of(study) for study in results.studies},
        {panel.dataset.name for panel in results.panels if not panel.dataset.pairwise},
        {panel.dataset.name for panel in results.panels if panel.graded},
        {p.dataset.name for p in results.panels if p.scale.kind == "preference"},
        {dataset for dataset, _ in by_dataset(results.tables.get("confusion", pd.DataFrame()))},
        {panel.dataset.name: Steps.of(panel.scale).names for panel in results.panels},
        results.analysis.bootstrap.level,
        results.analysis.ranking,
        options or FigureOptions(),
    )
    drawn = []
    with figures.names_as_written(_names(results)) as missing:
        if missing:
            log.warning(
                "figures: no font on this machine has %s, drawn as boxes; install one, such as "
                "Noto Sans CJK, Noto Sans Arabic or Noto Emoji",
                missing[:20] + ("..." if len(missing) > 20 else ""),
            )
        for drawing in FIGURES:
            rows = results.tables.get(drawing.table, pd.DataFrame())
            if not rows.empty:
                for name, figure in drawing.draw(_short(rows), context):
                    drawn.append(figures.save(figure, folder, name))
    return drawn


def _short(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows in which no name of a voter or model is too long for a figure."""
    for column in NAMING & set(rows):
        short: dict[str, str] = {}
        for name in rows[column].unique():
            if isinstance(name, str) and len(name) > LONGEST_NAME:
                cut = figures.shortened(name, LONGEST_NAME // (1 if name.isascii() else 2))
                taken = sum(other.startswith(cut) for other in short.values())
                short[name] = f"{cut} ({taken + 1})" if taken else cut
        if short:
            rows = rows.assign(**{column: rows[column].replace(short)})
    return rows


def _names(results: Results) -> str:
    """Return all texts of the tables, joined."""
    found = {
        name
        for table in results.tables.values()
        for column in table.select_dtypes(["object", "str"])
        for name in table[column].unique()
        if isinstance(name, str)
    }
    return "".join(sorted(found))


def not_drawn(drawn: Iterable[Path]) -> str:
    """Return a sentence on the figures that an analysis has not, and what they need; else ""."""
    names = [path.stem for path in drawn]
    missing = [
        f"{drawing.name.replace('_', ' ')} ({drawing.needs})"
        for drawing in FIGURES
        if drawing.needs
        and not any(name == drawing.name or name.startswith(f"{drawing.name}_") for name in names)
    ]
    return f"Not drawn, with what each needs: {'; '.join(missing)}." if missing else ""


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
        graded = dataset in context.graded
        voters = rows["voter"].unique()
        if len(voters) > MOST_PANELS:
            rows = rows[rows["voter"].isin(voters[:MOST_PANELS])]
            note = f"{note}; the other {len(voters) - MOST_PANELS} voters are in the table deltas"
        figure = figures.delta_per_candidate(rows, note, context.level, graded=graded)
        yield f"deltas_{dataset}", figure


def _value_shares(shares: pd.DataFrame, context: Context) -> Drawn:
    for dataset, rows in by_dataset(shares):
        yield f"value_shares_{dataset}", figures.value_shares(rows, _said(dataset, context))


def _confusion(confusion: pd.DataFrame, context: Context) -> Drawn:
    for dataset, rows in by_dataset(confusion):
        values = context.steps[dataset]
        if len(values) <= figures.MOST_LEVELS:
            note = _said(dataset, context)
            yield f"confusion_{dataset}", figures.confusion_maps(rows, values, note)


def _said(dataset: str, context: Context) -> str:
    """Return where a dataset is from, and what the values of its preferences mean."""
    source, values = context.sources[dataset], context.steps[dataset]
    if dataset not in context.preferences:
        return source
    return f"{values[-1]}: the first answer is preferred, {values[0]}: the second; {source}"


def _votes_at_labels(spread: pd.DataFrame, context: Context) -> Drawn:
    for dataset, rows in by_dataset(spread):
        if (rows["n"] > 0).any() and dataset not in context.crossed:
            note = context.sources[dataset]
            yield f"votes_by_label_{dataset}", figures.votes_at_labels(rows, note)


def _one_each(
    stem: str, figure: Callable[[pd.DataFrame, str, float], Figure]
) -> Callable[[pd.DataFrame, Context], Drawn]:
    """Return what draws a figure of each dataset's rows, with its source and the level."""

    def draw(table: pd.DataFrame, context: Context) -> Drawn:
        for dataset, rows in by_dataset(table):
            yield f"{stem}_{dataset}", figure(rows, context.sources[dataset], context.level)

    return draw


def _kappa_against_cost(juries: pd.DataFrame, context: Context) -> Drawn:
    for dataset, rows in by_dataset(juries):
        for rule, own in rows.groupby("rule", sort=False):
            if own["usd_per_item"].notna().any():
                yield (
                    f"kappa_against_cost_{dataset}_{rule}",
                    figures.kappa_against_cost(own, context.sources[dataset], context.level),
                )


def _power(table: pd.DataFrame, context: Context) -> Drawn:
    planned = table[(table["of"] == BEFOREHAND) & (table["detectable"] > 0)]
    for dataset, rows in by_dataset(planned):
        yield f"power_{dataset}", figures.detectable_differences(rows, context.sources[dataset])


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
                f"battles_{dataset}_{voter}",
                figures.battle_heat_map(own, note),
            )


@dataclass(frozen=True)
class Drawing:
    """A figure of an analysis.

    Attributes
    ----------
    name : str
        What the names of its files begin with.
    table : str
        Whose rows it draws.
    draw : function of rows and a Context
        Yields the names of files and figures.
    needs : str
        What it takes, for analyses without it; "" if nobody misses it.
    """

    name: str
    table: str
    draw: Callable[[pd.DataFrame, Context], Drawn]
    needs: str


FIGURES = (
    Drawing("kappa", "agreement", _kappa, "human labels"),
    Drawing("kappa_beside_paper", "agreement", _kappa_beside_paper, ""),
    Drawing(
        "value_shares",
        "value_shares",
        _value_shares,
        "nominal or graded votes, or preferences with ties",
    ),
    Drawing(
        "confusion",
        "confusion",
        _confusion,
        "votes and human labels on one nominal or ordinal scale of at most "
        f"{figures.MOST_LEVELS} values, or preferences with ties",
    ),
    Drawing(
        "votes_by_label",
        "votes_by_label",
        _votes_at_labels,
        "graded votes with human labels, without a figure of confusion",
    ),
    Drawing(
        "deltas", "deltas", _deltas, "single answers with human labels, right or wrong or graded"
    ),
    Drawing(
        "position",
        "position",
        _one_each("position", figures.position_bias),
        "pairs shown in both orders",
    ),
    Drawing(
        "length",
        "length_bins",
        _one_each("length", figures.length_bias),
        "pairs of answers with known lengths",
    ),
    Drawing("kappa_against_cost", "juries", _kappa_against_cost, "searched juries of known cost"),
    Drawing(
        "risk_coverage",
        "risk_coverage",
        _one_each("risk_coverage", figures.risk_coverage),
        "votes of two sides with human labels, of a jury or a judge with probabilities",
    ),
    Drawing(
        "reliability",
        "reliability_curve",
        _one_each("reliability", figures.reliability_diagram),
        "yes-or-no votes with probabilities and human labels",
    ),
    Drawing("power", "power", _power, "a jury beside a judge with human labels"),
    Drawing(
        "errors",
        "error_pairs",
        _errors,
        "two judges with human labels, not on a graded scale",
    ),
    Drawing("ranks", "ranking", _ranks, f"{FEWEST_MODELS} named candidates or more"),
    Drawing(
        "rank_against",
        "ranking",
        _ranks_against_reference,
        f"{FEWEST_MODELS} candidates that humans or a leaderboard rank too",
    ),
    Drawing("battles", "battles", _battles, f"pairs of {FEWEST_MODELS} named candidates or more"),
)
"""All figures of an analysis, in the order in which they are shown."""


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
