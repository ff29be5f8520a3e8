"""What an analysis of several datasets found over all of them, in a few lines and three tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from ..analysis.overview import ACROSS, leaders
from ..markdown import markdown
from .conclusion import Conclusion, Line
from .sentences import others

ALL = "All datasets"
NAMED = 5  # voters of the line on ranks
MANY_ROWS = 40  # of a table that is shown whole


def conclusion_across(tables: Mapping[str, pd.DataFrame]) -> Conclusion | None:
    """Return what the tables of `analysis.overview` say, None where there are none."""
    if "pooled" not in tables:
        return None
    pooled, ranks = tables["pooled"], tables["voter_ranks"]
    datasets = list(dict.fromkeys(ranks["dataset"]))
    left_out = _left_out(pooled, datasets, tables.get("agreement", ranks))
    ahead = leaders(pooled)
    if not ahead.empty and ahead["ranked"].iloc[0] < len(datasets):
        ahead = leaders(pooled[pooled["kind"] != "lexical"])  # rules alone are no overall result
    if ahead.empty or ahead["ranked"].iloc[0] < min(2, len(datasets)):
        none = (
            f"no jury or judge is ranked by one measure on two of the {len(datasets)} datasets, so "
            "there is no overall result"
        )
        return Conclusion(ALL, (Line("Pooled", none), *left_out))
    best = [
        _value(rows.iloc[0], datasets)
        for kind in ("jury", "judge", "lexical")
        if len(rows := ahead[ahead["kind"] == kind])
    ]
    # Who is ahead on some of the datasets is not called the best: others were not measured there.
    whole = ahead["ranked"].iloc[0] == len(datasets)
    none = f"no voter is ranked by one measure on all {len(datasets)} datasets; ranked most often: "
    lines = [
        Line("Best" if whole else "Pooled", none * (not whole) + "; ".join(best)),
        *_spread(ahead.iloc[0]),
        *(_ranks(ranks) if len(datasets) > 1 else ()),
        *left_out,
    ]
    return Conclusion(ALL, tuple(lines))


def _left_out(pooled: pd.DataFrame, datasets: Sequence[str], agreement: pd.DataFrame) -> list[Line]:
    """Name the datasets nobody is measured on, and count the values that are not pooled."""
    said = []
    if without := [name for name in dict.fromkeys(agreement["dataset"]) if name not in datasets]:
        said.append(f"{', '.join(without)}: human labels are missing or all the same")
    if count := int(pooled.loc[pooled["datasets"] > 1, "left_out"].sum()):
        values = "value has" if count == 1 else "values have"
        said.append(f"{count} {values} no interval and no part in the pooled estimates")
    return [Line("Left out", "; ".join(said))] if said else []


def _value(row: pd.Series[Any], datasets: Sequence[str]) -> str:
    word = {"jury": "jury", "judge": "judge"}.get(row["kind"], "string rule")
    known = row["datasets"] - row["left_out"]
    value = f"{word} {row['voter']}, {row['measure'].replace('_', ' ')} {row['agreement']:.3f}"
    value += f" [{row['ci_low']:.3f}, {row['ci_high']:.3f}]" if known else ", without an interval"
    if len(datasets) == 1:
        return f"{value} on {datasets[0]}"
    shared = f" ({row['sources']} independent, as some share their questions)"
    return (
        f"{value}{' pooled over' if known else ', the mean of'} {known or row['datasets']} of "
        f"{len(datasets)} datasets{shared * bool(row['sources'] < known)}, "
        f"mean rank {row['mean_rank']:.1f}"
    )


def _spread(row: pd.Series[Any]) -> list[Line]:
    """Say how far datasets differ for the best of the voters on most datasets."""
    if pd.isna(row["tau"]):
        return []
    new = (
        f"; on a new dataset {row['new_low']:.3f} to {row['new_high']:.3f}"
        if pd.notna(row["new_low"])
        else "; two are too few to say what a new one would give"
    )
    chance = "p < 0.001" if row["q_p"] < 0.001 else f"p {row['q_p']:.3f}"
    more = "more than chance" if row["q_p"] < 0.05 else "no more than chance explains"
    return [
        Line(
            "Datasets",
            f"for {row['voter']} they differ by {more} (I2 {row['i2']:.0%}, tau "
            f"{row['tau']:.3f}, {chance}){new}",
        )
    ]


def _ranks(ranks: pd.DataFrame) -> list[Line]:
    """Name the first of each dataset."""
    first = ranks[ranks["rank"] == 1].groupby("voter", sort=False)["dataset"].nunique()
    total = ranks[ranks["rank"].notna()]["dataset"].nunique()
    if not total:
        return []
    named = first.sort_values(ascending=False, kind="stable").head(NAMED)
    more = f" and {others(len(first) - NAMED)}" * (len(first) > NAMED)
    return [
        Line(
            "First",
            ", ".join(f"{voter} on {count}" for voter, count in named.items())
            + f"{more}, of {total} datasets"
            + " (who is tied counts as first)" * bool(first.sum() > total),
        )
    ]


def parts_across(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    """Return the tables over several datasets as parts of a report in Markdown."""
    parts = []
    for table in ACROSS:
        rows = tables.get(table.name, pd.DataFrame())
        if rows.empty:
            continue
        head = f'<a id="across-{table.name}"></a>\n\n### {table.title}'
        note = f"{table.look_for} (docs/analysis_tables.md#{table.name})"
        shown = markdown(rows.head(MANY_ROWS))
        more = f"\n\n`tables/{table.name}.csv` has all {len(rows):,} rows." * (
            len(rows) > MANY_ROWS
        )
        summary = f"{len(rows):,} row{'s' * (len(rows) != 1)}, {table.name}.csv"
        folded = f"<details><summary>{summary}</summary>\n\n{shown}{more}\n\n</details>"
        parts += [head, note, folded]
    return parts
