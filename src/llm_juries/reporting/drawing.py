"""Which figures an analysis has: one list, and how the rows of each figure are chosen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from ..analysis.levels import Steps
from ..analysis.measured import headline_of
from ..analysis.power import BEFOREHAND
from ..analysis.rankings import FEWEST_MODELS, Rankings
from ..analysis.run import Results
from ..config.seating import UNKNOWN
from ..config.study import source_of
from ..data.tables import located
from ..metrics.correlation import ranks
from . import descriptions, figures
from .figures import Drawers, Drawn, FigureOptions, Order, Planned

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Figures = Iterator[Planned]
MOST_HEAT_MAPS = 6  # a figure each: with more voters, only the humans' and the juries'


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
    margin : float
        By which a jury may be worse and still as good.
    places : mapping of str to mapping of str to int
        The order of each dataset's voters.
    pooled : DataFrame
        Each voter over all datasets.
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
    margin: float = 0.02
    places: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    pooled: pd.DataFrame = field(default_factory=pd.DataFrame)
    options: FigureOptions = field(default_factory=FigureOptions)


def draw(
    results: Results,
    folder: Path,
    options: FigureOptions | None = None,
    drawers: Drawers | None = None,
) -> Drawn:
    """Write the figures of `FIGURES` that the tables have rows for; return the PNGs' paths.

    With `drawers` that draw in another process, this begins to.

    Raises
    ------
    JuriesError
        If a chosen voter or font does not exist, or two voters would have one name.
    """
    options = options or FigureOptions()
    plans = [plan for study in results.studies for plan in study.plans]
    families = {plan.voter: plan.judge.family for plan in plans if plan.judge.family != UNKNOWN}
    options = replace(options, families={**families, **(options.families or {})})
    options.check({name for panel in results.panels for name in panel.votes.names})
    agreement = results.tables.get("agreement", pd.DataFrame())
    context = Context(
        {study.dataset.name: source_of(study) for study in results.studies},
        {panel.dataset.name for panel in results.panels if not panel.dataset.pairwise},
        {panel.dataset.name for panel in results.panels if panel.graded},
        {p.dataset.name for p in results.panels if p.scale.kind == "preference"},
        {dataset for dataset, _ in by_dataset(results.tables.get("confusion", pd.DataFrame()))},
        {panel.dataset.name: Steps.of(panel.scale).names for panel in results.panels},
        results.analysis.bootstrap.level,
        results.analysis.ranking,
        results.analysis.settings.margin,
        {dataset: options.placed(rows) for dataset, rows in by_dataset(agreement)},
        results.tables.get("pooled", pd.DataFrame()),
        options,
    )
    planned: list[Planned] = []
    left_out: list[str] = []
    for drawing in FIGURES:
        rows = results.tables.get(drawing.table, pd.DataFrame())
        if rows.empty:
            continue
        if options.draw == "all" or (options.draw == "main" and drawing.main):
            planned += drawing.plan(rows, context)
        else:
            left_out += [one.name for one in drawing.plan(rows, context)]
    names = _names(results) + "".join((options.names or {}).values())
    return (drawers or Drawers()).begin(Order(planned, folder, options, names, left_out))


def _names(results: Results) -> str:
    """Return all texts of the tables that are drawn, joined."""
    tables = dict.fromkeys(drawing.table for drawing in FIGURES)
    found = {
        name
        for table in (results.tables[name] for name in tables if name in results.tables)
        for column in table.select_dtypes(["object", "str"])
        for name in table[column].unique()
        if isinstance(name, str)
    }
    return "".join(sorted(found))


def not_drawn(drawn: Iterable[Path]) -> str:
    """Return a sentence on the figures that an analysis has not, and what they need; else ""."""
    left_out = list(drawn.left_out) if isinstance(drawn, Drawn) else []
    names = [*(path.stem for path in drawn), *left_out]
    missing = [
        f"{drawing.name.replace('_', ' ')} ({drawing.needs})"
        for drawing in FIGURES
        if drawing.needs
        and not any(name == drawing.name or name.startswith(f"{drawing.name}_") for name in names)
    ]
    said = [
        f"Left out by figures.draw: {', '.join(left_out)}." if left_out else "",
        f"Not drawn, with what each needs: {'; '.join(missing)}." if missing else "",
    ]
    return " ".join(filter(None, said))


def _placed(
    table: pd.DataFrame, context: Context
) -> Iterator[tuple[str, pd.DataFrame, dict[str, Any]]]:
    """Yield each dataset's rows, the voters in order, and what its figures are drawn with."""
    for dataset, rows in by_dataset(table):
        if context.options.order == "strength" and "voter" in rows:
            place = rows["voter"].map(context.places.get(dataset, {}))
            rows = rows.loc[place.sort_values(kind="stable", na_position="first").index]
        yield dataset, rows, {"note": context.sources[dataset], "options": context.options}


def _across(ranks: pd.DataFrame, context: Context) -> Figures:
    pooled = None if context.pooled.empty else context.pooled
    drawn = ranks[ranks["voter"].isin(context.options.voters or ranks["voter"])]
    if len(set(drawn["dataset"])) > 1 and drawn["agreement"].notna().any():
        yield Planned(
            "across_datasets",
            partial(figures.agreement_map, drawn, pooled, options=context.options),
            descriptions.agreement_map(drawn, context.options),
        )


def _kappa(agreement: pd.DataFrame, context: Context) -> Figures:
    measured = agreement[agreement["n"] > 0]
    if not measured.empty:
        yield Planned(
            "kappa",
            partial(
                figures.kappa_per_voter,
                measured,
                notes=context.sources,
                level=context.level,
                options=context.options,
            ),
            descriptions.kappa_per_voter(measured, context.options),
        )


def _gains(against: pd.DataFrame, context: Context) -> Figures:
    yield Planned(
        "gains",
        partial(
            figures.gains,
            against,
            level=context.level,
            margin=context.margin,
            options=context.options,
        ),
        descriptions.gains(against, context.options),
    )


def _kappa_beside_paper(agreement: pd.DataFrame, context: Context) -> Figures:
    measured = agreement[agreement["n"] > 0]
    if measured.empty or context.options.paper_table1 is None or "kappa" not in measured:
        return
    graded = {d for d, rows in by_dataset(measured) if headline_of(rows) != "kappa"}
    measured = measured[~measured["dataset"].isin(graded)]
    printed = pd.read_csv(located(context.options.paper_table1))
    # The paper's table is of single answers judged against references, so no pairs.
    ours = measured[measured["dataset"].isin(context.singles)]
    rows = figures.printed_rows(printed, ours, context.options)
    yield Planned(
        "kappa_beside_paper",
        partial(
            figures.printed_beside_ours,
            rows,
            note="Not the same experiment: other models, other answers, other human labels.",
            level=context.level,
            options=context.options,
        ),
        descriptions.printed_beside_ours(rows),
    )


def _deltas(deltas: pd.DataFrame, context: Context) -> Figures:
    for dataset, rows, how in _placed(deltas[deltas["n"] > 0], context):
        graded = dataset in context.graded
        yield Planned(
            f"deltas_{dataset}",
            partial(figures.delta_per_candidate, rows, level=context.level, graded=graded, **how),
            descriptions.delta_per_candidate(rows, context.options, graded=graded),
        )


def _value_shares(shares: pd.DataFrame, context: Context) -> Figures:
    for dataset, rows, how in _placed(shares, context):
        yield Planned(
            f"value_shares_{dataset}",
            partial(figures.value_shares, rows, **how | {"note": _said(dataset, context)}),
            descriptions.value_shares(rows, context.options),
        )


def _confusion(confusion: pd.DataFrame, context: Context) -> Figures:
    for dataset, rows, how in _placed(confusion, context):
        values = context.steps[dataset]
        if len(values) <= figures.MOST_LEVELS:
            yield Planned(
                f"confusion_{dataset}",
                partial(
                    figures.confusion_maps, rows, values, **how | {"note": _said(dataset, context)}
                ),
                descriptions.confusion_maps(rows, context.options),
            )


def _said(dataset: str, context: Context) -> str:
    """Return where a dataset is from, and what the values of its preferences mean."""
    source, values = context.sources[dataset], context.steps[dataset]
    if dataset not in context.preferences:
        return source
    return f"{values[-1]}: the first answer is preferred, {values[0]}: the second; {source}"


def _votes_at_labels(spread: pd.DataFrame, context: Context) -> Figures:
    for dataset, rows, how in _placed(spread, context):
        if (rows["n"] > 0).any() and dataset not in context.crossed:
            yield Planned(
                f"votes_by_label_{dataset}",
                partial(figures.votes_at_labels, rows, **how),
                descriptions.votes_at_labels(rows, context.options),
            )


def _one_each(
    stem: str,
    figure: Callable[..., Axes],
    described: Callable[[pd.DataFrame, FigureOptions], str],
) -> Callable[[pd.DataFrame, Context], Figures]:
    """Return what plans a figure of each dataset's rows, with its source and the level."""

    def plan(table: pd.DataFrame, context: Context) -> Figures:
        for dataset, rows, how in _placed(table, context):
            yield Planned(
                f"{stem}_{dataset}",
                partial(figure, rows, level=context.level, **how),
                described(rows, context.options),
            )

    return plan


def _kappa_against_cost(juries: pd.DataFrame, context: Context) -> Figures:
    for dataset, rows, how in _placed(juries, context):
        for rule, own in rows.groupby("rule", sort=False):
            if own["usd_per_item"].notna().any():
                yield Planned(
                    f"kappa_against_cost_{dataset}_{rule}",
                    partial(figures.kappa_against_cost, own, level=context.level, **how),
                    descriptions.kappa_against_cost(own, context.options),
                )


def _power(table: pd.DataFrame, context: Context) -> Figures:
    planned = table[(table["of"] == BEFOREHAND) & (table["detectable"] > 0)]
    for dataset, rows, how in _placed(planned, context):
        yield Planned(
            f"power_{dataset}",
            partial(figures.detectable_differences, rows, **how),
            descriptions.detectable_differences(rows, context.options),
        )


def _errors(pairs: pd.DataFrame, context: Context) -> Figures:
    for dataset, rows, how in _placed(pairs, context):
        if (rows["n"] > 0).any():
            yield Planned(
                f"errors_{dataset}",
                partial(figures.error_correlations, rows, **how),
                descriptions.error_correlations(rows, context.options),
            )


def _ranks(ranking: pd.DataFrame, context: Context) -> Figures:
    for dataset, rows, how in _ranked(ranking, context):
        yield Planned(
            f"ranks_{dataset}",
            partial(figures.bump_chart, rows, **how),
            descriptions.bump_chart(rows, context.options),
        )


def _ranks_against_reference(ranking: pd.DataFrame, context: Context) -> Figures:
    for dataset, rows, how in _ranked(ranking, context):
        for name, reference in references(rows, context.rankings).items():
            others = rows[rows["voter"] != name]
            if comparable(others, reference):
                note = f"{how['note']}; true rank: {name}"
                yield Planned(
                    f"rank_against_{Path(name).stem}_{dataset}",
                    partial(
                        figures.rank_against_reference, others, reference, **how | {"note": note}
                    ),
                    descriptions.rank_against_reference(others, reference, context.options),
                )


def _battles(battles: pd.DataFrame, context: Context) -> Figures:
    for dataset, rows, how in _placed(battles, context):
        if len({*rows["first"], *rows["second"]}) < FEWEST_MODELS:
            continue
        if rows["voter"].nunique() > MOST_HEAT_MAPS:
            rows = rows[rows["kind"].isin(("human", "jury"))]
        chosen = (*context.options.voters, *rows[rows["kind"] == "human"]["voter"])
        for voter, own in rows.groupby("voter", sort=False):
            if not context.options.voters or voter in chosen:
                called = f"{context.options.name(dataset)}, {context.options.name(str(voter))}"
                yield Planned(
                    f"battles_{dataset}_{voter}",
                    partial(figures.battle_heat_map, own, title=called, **how),
                    descriptions.battle_heat_map(own, context.options),
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
    plan : function of rows and a Context
        Yields the figures to draw.
    needs : str
        What it takes, for analyses without it; "" if nobody misses it.
    main : bool
        Whether it is one of the few that `draw: main` draws.
    """

    name: str
    table: str
    plan: Callable[[pd.DataFrame, Context], Figures]
    needs: str
    main: bool = False


FIGURES = (
    Drawing("across_datasets", "voter_ranks", _across, "", main=True),
    Drawing("kappa", "agreement", _kappa, "human labels", main=True),
    Drawing("gains", "against_best", _gains, "juries beside a judge with human labels", main=True),
    Drawing("kappa_beside_paper", "agreement", _kappa_beside_paper, "", main=True),
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
        _one_each("position", figures.position_bias, descriptions.position_bias),
        "pairs shown in both orders",
    ),
    Drawing(
        "length",
        "length_bins",
        _one_each("length", figures.length_bias, descriptions.length_bias),
        "pairs of answers with known lengths",
    ),
    Drawing("kappa_against_cost", "juries", _kappa_against_cost, "searched juries of known cost"),
    Drawing(
        "risk_coverage",
        "risk_coverage",
        _one_each("risk_coverage", figures.risk_coverage, descriptions.risk_coverage),
        "votes of two sides with human labels, of a jury or a judge with probabilities",
    ),
    Drawing(
        "reliability",
        "reliability_curve",
        _one_each("reliability", figures.reliability_diagram, descriptions.reliability_diagram),
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


def _ranked(
    ranking: pd.DataFrame, context: Context
) -> Iterator[tuple[str, pd.DataFrame, dict[str, Any]]]:
    """Yield each dataset whose models can be drawn by rank, as `_placed` does."""
    for dataset, rows, how in _placed(ranking, context):
        best = headline(rows)
        if drawable(best):
            measure = str(best["measure"].iloc[0]).replace("_", " ")
            yield dataset, best, how | {"note": f"{how['note']}; by {measure}"}


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
