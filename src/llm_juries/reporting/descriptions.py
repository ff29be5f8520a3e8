"""What each figure shows, in a sentence or two with its main numbers: alternative texts of pages.

Each function takes the rows that the figure of its name is drawn from.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..analysis.measured import headline_of
from .figures import FigureOptions

MOST_DATASETS = 3  # with a sentence each


def agreement_map(ranks: pd.DataFrame, options: FigureOptions) -> str:
    """Say who agrees most and least with the humans of several datasets, and on which."""
    cells = ranks["voter"].map(options.name) + " on " + ranks["dataset"].map(options.name)
    voters, datasets = ranks["voter"].nunique(), ranks["dataset"].nunique()
    return (
        f"Agreement of {_count(voters, 'voter')} with the human labels of "
        f"{_count(datasets, 'dataset')}: {_ends(ranks, 'agreement', cells)}."
    )


def change_forest(changes: pd.DataFrame, options: FigureOptions) -> str:
    """Say whose agreement rose and fell most, and how many changes are clear."""
    rows = changes[changes["change"].notna()]
    if options.voters:
        rows = rows[rows["voter"].isin(options.voters)]
    clear = (rows["ci_low"] > 0) | (rows["ci_high"] < 0)
    names = rows["voter"].map(options.name)
    replaced = " replaced by " + rows["replaced_by"].map(options.name)
    names += replaced.where(rows["replaced_by"] != "", "")
    return (
        f"Change of agreement with the human labels: {_ends(rows, 'change', names, '+.3f')}. The "
        f"intervals of {int(clear.sum())} of {len(rows)} changes leave out 0."
    )


def kappa_per_voter(agreement: pd.DataFrame, options: FigureOptions) -> str:
    """Say whose agreement with humans is the highest and the lowest on each dataset."""
    said = [
        f"{_measure(headline_of(rows))} with the human labels of {_count(len(rows), 'voter')} on "
        f"{options.name(str(dataset))}: {_ends(rows, headline_of(rows), rows['voter'])}."
        for dataset, part in agreement.groupby("dataset", sort=False)
        for rows in [options.chosen(part)]
    ]
    more = len(said) - MOST_DATASETS
    return " ".join(said[:MOST_DATASETS]) + f" And {_count(more, 'more dataset')}." * (more > 0)


def gains(against: pd.DataFrame, options: FigureOptions) -> str:
    """Say which jury gains most and least, and how many gains are clear."""
    rows = against[against["jury"].isin(options.voters)] if options.voters else against
    rows = rows.drop_duplicates(["dataset", "jury", "judge"])
    clear = (rows["ci_low"] > 0) | (rows["ci_high"] < 0)
    datasets = len(set(rows["dataset"]))
    pairs = rows["jury"].map(options.name) + " less " + rows["judge"].map(options.name)
    return (
        f"Gain of juries over the best single judge: {_ends(rows, 'difference', pairs, '+.3f')}"
        + f", over {datasets} datasets" * (datasets > 1)
        + f". The intervals of {int(clear.sum())} of {len(rows)} gains leave out 0."
    )


def printed_beside_ours(rows: pd.DataFrame) -> str:
    """Say from where to where the paper's kappas and ours go."""
    printed, ours = rows[rows["kind"] == "printed"], rows[rows["kind"] != "printed"]
    return (
        f"The paper's printed kappas: {_ends(printed, 'kappa', _where(printed))}. Ours, of other "
        f"answers: {_ends(ours, 'kappa', _where(ours))}."
    )


def _where(rows: pd.DataFrame) -> pd.Series[str]:
    return rows["judge"] + " on " + rows["panel"]


def delta_per_candidate(deltas: pd.DataFrame, options: FigureOptions, *, graded: bool) -> str:
    """Say which candidate is favoured most and least, and by which voter."""
    rows = options.chosen(deltas)
    what, times, shape = ("mean grade", 1, "+.2f") if graded else ("accuracy", 100, "+.1f")
    points = "" if graded else " in percentage points"
    rows = rows.assign(**{name: times * rows[name] for name in ("delta", "ci_low", "ci_high")})
    cells = rows["candidate"] + " under " + rows["voter"]
    voters, candidates = rows["voter"].nunique(), rows["candidate"].nunique()
    return (
        f"{what.capitalize()} of each candidate, voter less humans{points}, of "
        f"{_count(voters, 'voter')} and {_count(candidates, 'candidate')}: "
        f"{_ends(rows, 'delta', cells, shape)}."
    )


def value_shares(shares: pd.DataFrame, options: FigureOptions) -> str:
    """Say which value humans give most often, and which voter gives one value most often."""
    rows = options.chosen(shares)
    said = [
        f"{'humans' if human else top['voter']} {top['value']} in {top['share']:.0%} of "
        f"{'their' if human else 'its'} votes"
        for human in (True, False)
        for own in [rows[((rows["kind"] == "human") == human) & rows["share"].notna()]]
        if len(own)
        for top in [own.sort_values("share", kind="stable").iloc[-1]]
    ]
    return (
        f"How often each of {_count(rows['voter'].nunique(), 'voter')} gives each of "
        f"{_count(rows['value'].nunique(), 'value')}; most often: {', '.join(said) or 'none'}."
    )


def confusion_maps(confusion: pd.DataFrame, options: FigureOptions) -> str:
    """Say which voters give the human's value most and least often."""
    rows = options.chosen(confusion)
    voted = rows[rows["voted"] != ""]
    n = voted.groupby("voter", sort=False)["n"].sum()
    same = voted[voted["human"] == voted["voted"]].groupby("voter", sort=False)["n"].sum()
    shares = (same.reindex(n.index).fillna(0) / n).rename("share").reset_index()
    ends = _ends(shares, "share", shares["voter"], ".0%")
    return (
        f"Votes of {_count(rows['voter'].nunique(), 'voter')} crossed with the human labels. Share "
        f"of votes that are the human's value: {ends}."
    )


def votes_at_labels(spread: pd.DataFrame, options: FigureOptions) -> str:
    """Say for which voter the mean votes at the lowest and the highest label are furthest apart."""
    rows = options.chosen(spread)
    rows = rows[rows["n"] > 0]
    said = f"Votes of {_count(rows['voter'].nunique(), 'voter')} at each human label."
    means = rows.pivot_table(index="voter", columns="human", values="mean", sort=False)
    labels = [label for label in dict.fromkeys(spread["human"]) if label in means]
    if len(labels) < 2:
        return said
    apart = (means[labels[-1]] - means[labels[0]]).rename("apart").reset_index()
    ends = _ends(apart, "apart", apart["voter"], ".2f")
    return f"{said} Mean vote at label {labels[-1]} less that at {labels[0]}: {ends}."


def position_bias(position: pd.DataFrame, options: FigureOptions) -> str:
    """Say whose verdicts turn most and least often with the order of a pair."""
    rows = options.chosen(position)
    flips = rows.rename(columns={"flip_low": "ci_low", "flip_high": "ci_high"})
    first = rows.rename(columns={"first_low": "ci_low", "first_high": "ci_high"})
    return (
        f"Position bias of {_count(len(rows), 'voter')}. Share of pairs whose winner flips with "
        f"the order: {_ends(flips, 'flip_rate', rows['voter'], '.2f')}. Share for the answer shown "
        f"first: {_ends(first, 'first_place', rows['voter'], '.2f')}."
    )


def length_bias(bins: pd.DataFrame, options: FigureOptions) -> str:
    """Say how much more often an answer wins that is much longer, by voter."""
    rows = options.chosen(bins)
    rows = rows[rows["share"].notna()].sort_values("low", kind="stable")
    ends = rows.groupby("voter", sort=False)["share"].agg(["first", "last"])
    rise = (ends["last"] - ends["first"]).rename("rise").reset_index()
    return (
        f"How often the first answer of a pair wins against how much longer it is, by "
        f"{_count(len(rise), 'voter')}. Share won where it is longest less that where it is "
        f"shortest: {_ends(rise, 'rise', rise['voter'], '+.2f')}."
    )


def kappa_against_cost(juries: pd.DataFrame, options: FigureOptions) -> str:
    """Say what the cheapest and the best jury of the Pareto front cost and reach."""
    measure = headline_of(juries)
    known = juries[juries["usd_per_item"].notna() & juries[measure].notna()]
    front = known[known["pareto"]].sort_values(["usd_per_item", "jury"])
    said = [
        f"{options.name(str(row['jury']))}, {row[measure]:.3f} for {100 * row['usd_per_item']:.3g} "
        "US cents an item"
        for _, row in front.iloc[[0, -1][: len(front)]].iterrows()
    ]
    return (
        f"{_measure(measure)} against cost of {_count(len(known), 'jury', 'juries')}. The Pareto "
        f"front goes from {' to '.join(said) or 'nowhere'}."
    )


def risk_coverage(rows: pd.DataFrame, options: FigureOptions) -> str:
    """Say what deciding only the surest items gains each voter."""
    rows = options.chosen(rows)
    said = []
    for voter, part in rows.groupby("voter", sort=False):
        own = part.sort_values("coverage", kind="stable")
        few, whole = own.iloc[0], own.iloc[-1]
        said.append(
            f"{voter} {whole['risk']:.3f} at a coverage of {whole['coverage']:.0%}, "
            f"{few['risk']:.3f} on its surest {few['coverage']:.0%}"
        )
    return f"Share decided wrongly: {_some(said)}."


def reliability_diagram(rows: pd.DataFrame, options: FigureOptions) -> str:
    """Say where each voter's probabilities are furthest from the share of positive labels."""
    rows = options.chosen(rows)
    rows = rows.assign(off=(rows["probability"] - rows["positive"]).abs())
    worst = rows.loc[rows.groupby("voter", sort=False)["off"].idxmax()]
    said = [
        f"{row['voter']}, mean probability {row['probability']:.2f} where {row['positive']:.0%} of "
        f"{_count(row['n'], 'label')} are positive"
        for _, row in worst.iterrows()
    ]
    return f"Probabilities beside the shares of positive labels. Furthest apart: {_some(said)}."


def detectable_differences(rows: pd.DataFrame, options: FigureOptions) -> str:
    """Say which difference the questions that there are find, and which is seen."""
    rows = options.chosen(rows)
    said = [
        f"{row['first']} beside {row['second']}, {row['detectable']:.3f} with "
        f"{row['questions']:,.0f} questions, where {row['difference']:+.3f} is seen"
        for _, row in rows.iterrows()
    ]
    return f"Smallest difference that numbers of questions find (power 80%): {_some(said)}."


def error_correlations(pairs: pd.DataFrame, options: FigureOptions) -> str:
    """Say which two judges are most and least often wrong on the same items."""
    rows = options.chosen(pairs)
    judges = len({*rows["judge"], *rows["other"]})
    ends = _ends(rows, "correlation", rows["judge"] + " and " + rows["other"], ".2f")
    return f"Correlation of the errors of each two of {_count(judges, 'judge')}: {ends}."


def bump_chart(ranking: pd.DataFrame, options: FigureOptions) -> str:
    """Say whom each of the first voters ranks first and last."""
    rows = options.chosen(ranking)
    rows = rows[rows["rank"].notna() & rows["score"].notna()]
    said = [
        f"{voter} {own['model'].iloc[0]} and {own['model'].iloc[-1]}"
        for voter, part in rows.groupby("voter", sort=False)
        for own in [part.sort_values("rank", kind="stable")]
    ]
    return (
        f"Ranks of {_count(rows['model'].nunique(), 'model')} by {_count(len(said), 'voter')}. "
        f"Ranked first and last: {_some(said)}."
    )


def rank_against_reference(
    ranking: pd.DataFrame, reference: pd.DataFrame, options: FigureOptions
) -> str:
    """Say whose ranks are nearest to and furthest from the reference's."""
    models = {*ranking["model"], *reference["model"]}
    rows = options.chosen(ranking, beside=models)
    true = options.chosen(reference, beside=models)
    rows = rows[rows["rank"].notna() & (rows["kind"] != "reference")]
    rank = true.dropna(subset="rank").set_index("model")["rank"]
    rank = rank[rank.index.isin(rows["model"])].rank()
    rows = rows[rows["model"].isin(rank.index)]
    off = (rows["rank"] - rows["model"].map(rank)).abs()
    mean = off.groupby(rows["voter"], sort=False).mean().rename("off").reset_index()
    return (
        f"Ranks of {_count(len(rank), 'model')} beside the reference's. Mean difference in ranks: "
        f"{_ends(mean, 'off', mean['voter'], '.2f')}."
    )


def battle_heat_map(battles: pd.DataFrame, options: FigureOptions) -> str:
    """Say which model wins most and least of its battles."""
    rows = options.chosen(battles)
    rows = rows[(rows["n"] > 0) & rows["share"].notna() & (rows["first"] != rows["second"])]
    won = rows["n"] * rows["share"]
    both = pd.DataFrame(
        {
            "model": [*rows["first"], *rows["second"]],
            "won": [*won, *(rows["n"] - won)],
            "n": [*rows["n"], *rows["n"]],
        }
    )
    sums = both.groupby("model", as_index=False)[["won", "n"]].sum()
    sums["share"] = sums["won"] / sums["n"]
    return (
        f"Share of battles that each of {_count(len(sums), 'model')} won against each other, by "
        f"{rows['voter'].iloc[0] if 'voter' in rows and len(rows) else 'one voter'}. Of all its "
        f"battles: {_ends(sums, 'share', sums['model'], '.2f')}."
    )


def _ends(rows: pd.DataFrame, column: str, names: pd.Series[Any], shape: str = ".3f") -> str:
    """Return the rows with the highest and the lowest value, with their intervals."""
    rows = rows.assign(named=names.to_list())
    rows = rows[rows[column].notna()].sort_values(column, ascending=False, kind="stable")
    if rows.empty:
        return "no value"
    ends = [
        f"{row['named']} {row[column]:{shape}}{_interval(row, shape)}"
        for _, row in rows.iloc[[0, -1]].iterrows()
    ]
    return ends[0] if len(rows) == 1 else f"highest {ends[0]}, lowest {ends[1]}"


def _interval(row: pd.Series[float], shape: str) -> str:
    low, high = row.get("ci_low", np.nan), row.get("ci_high", np.nan)
    return "" if np.isnan(low) or np.isnan(high) else f" ({low:{shape}} to {high:{shape}})"


def _count(n: int, one: str, several: str = "") -> str:
    return f"{n:,} {one if n == 1 else several or one + 's'}"


def _some(said: Sequence[str]) -> str:
    more = len(said) - MOST_DATASETS
    return "; ".join(said[:MOST_DATASETS]) + f"; and {more} more" * (more > 0) if said else "none"


def _measure(measure: str) -> str:
    words = {"kappa": "Cohen's kappa", "roc_auc": "ROC AUC", "pearson": "Pearson's r"}
    return words.get(measure, measure.replace("_", " ").capitalize())
