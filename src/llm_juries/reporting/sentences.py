"""Sentences that report.md and the page share: too few questions, a jury beside a judge."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..analysis.measured import headline_of
from ..analysis.tables import Table
from ..juries.panel import Panel
from ..metrics.intervals import FEW_CLUSTERS

FEW_QUESTIONS = FEW_CLUSTERS  # with fewer, no interval is to be trusted
NARROW = "the intervals can't be trusted to cover; treat them as a rough guide"


def few_questions(panel: Panel) -> str:
    """Return a warning if there are too few questions to resample, else "".

    If there are labels, only labelled questions count: the others say nothing about agreement.
    """
    labelled = set(np.asarray(panel.questions)[~np.isnan(panel.human)])
    if len(labelled or set(panel.questions)) >= FEW_QUESTIONS:
        return ""
    return f"Fewer than {FEW_QUESTIONS} questions" + " with a human label" * bool(labelled)


def others(count: int) -> str:
    """Return "1 other", "2 others" ..."""
    return f"{count} other{'s' * (count != 1)}"


MODELS_SHOWN = 4
"""Of a correlation in a report: of three, one swap of neighbours is all there is."""


def absence(table: Table, rows: pd.DataFrame) -> str:
    """Return why a report does not show the rows of a table, "" if it does."""
    if rows.empty or ({"n", "missing"} <= set(rows) and not (rows["n"] + rows["missing"]).any()):
        return f"needs {table.applies}" if table.applies != "always" else "has nothing to count"
    if table.name == "correlation" and rows["models"].max() < MODELS_SHOWN:
        return (
            f"{rows['models'].max()} models are too few for a correlation to say anything; it is "
            "in tables/correlation.csv"
        )
    return ""


def replaceable(
    ceiling: pd.DataFrame, alternative: pd.DataFrame, equivalent: pd.DataFrame, *, voter: str
) -> list[str]:
    """Return what the tables of `analysis.replaceability` say of a voter, a sentence each.

    Parameters
    ----------
    ceiling, alternative, equivalent : DataFrame
        The tables human_ceiling, alt_test and equivalence of one dataset; empty ones say nothing.
    voter : str
    """
    said = []
    for _, row in _of(ceiling, voter).iterrows():
        human = next(column for column in row.index if column.startswith("human_"))
        name = human.removeprefix("human_")
        said.append(
            f"against {row['against']}, {name.replace('_', ' ')} {row[name]:.3f} where the "
            f"annotators reach {row[human]:.3f}: {_difference(row)}, {row['finding']}"
        )
    for _, row in _of(alternative, voter).iterrows():
        few = ", of whom the test wants three" * (row["annotators"].count(", ") < 2)
        said.append(
            f"the alternative annotator test at epsilon {row['epsilon']:g}: {row['verdict']} (wins "
            f"against {row['winning_rate']:.0%} of the annotators{few})"
        )
    for _, row in _of(equivalent, voter).iterrows():
        if row["beside"] != "annotators":
            said.append(
                f"within {row['margin']:g} of the {row['beside']}, {row['reference']}: "
                f"{row['verdict']} ({_difference(row)}, p of not inferior "
                f"{row['p_not_inferior']:.3f})"
            )
    return said


def _of(table: pd.DataFrame, voter: str) -> pd.DataFrame:
    return table[table["voter"] == voter] if not table.empty else table


def picked_here(panel: Panel, searched: pd.DataFrame, jury: str) -> str:
    """Return a warning if a search picked a jury on the items that it is measured on, else "".

    Parameters
    ----------
    panel : Panel
    searched : DataFrame
        The table `juries` of the panel's dataset; empty without a search.
    jury : str
    """
    if searched.empty:
        return ""
    members = set(panel.votes.columns((jury,)).voters[0].members)
    for rule, own in searched[searched["eligible"]].groupby("rule", sort=False):
        measure = headline_of(own)
        best = own.sort_values(measure, ascending=False, kind="stable").iloc[0]["jury"]
        if set(str(best).split(" + ")) == members:
            return (
                f"the search by {rule} picks this jury on the items that it is measured on here, "
                "so its figures are too high; see the table of chosen juries"
            )
    return ""


def beside_one_judge(row: pd.Series[Any]) -> str:
    """Return how a jury compares with as many answers of one judge.

    Parameters
    ----------
    row : Series
        Of `analysis.repeats.self_ensembles`.
    """
    pairs = [str(one).removeprefix("repeats_") for one in row.index]
    name = next(one for one in pairs if one != "usd" and f"repeats_{one}" in row)
    if row["ci_low"] > 0:
        finding = "different judges are worth more"
    elif row["ci_high"] < 0:
        finding = "one judge asked again is worth more"
    else:
        finding = "no clear difference"
    spent = "as many calls" if row["equal"] == "calls" else "as much money"
    return (
        f"beside {row['repeats']} answers of {row['judge']} for {spent}, whose "
        f"{name.replace('_', ' ')} is {row[f'repeats_{name}']:.3f}: {_difference(row)}; "
        f"{finding}"
    )


def comparison(row: pd.Series[Any]) -> str:
    """Return how a jury compares with a judge.

    Parameters
    ----------
    row : Series
        Of `analysis.comparison`: judge, beside, n, missing, difference, ci_low, ci_high, eligible,
        questions, detectable, questions_needed.
    """
    numbers = _difference(row)
    if not row["eligible"]:
        share = row["n"] / (row["n"] + row["missing"])
        finding = f"these are only {share:.0%} of the labelled items, too few for a finding"
    elif row["ci_low"] > 0:
        finding = "the jury agrees more"
    elif row["ci_high"] < 0:
        finding = "the jury agrees less"
    else:
        finding = f"no clear difference{_power(row)}"
    return (
        f"compared with the {row['beside']}, {row['judge']}: {numbers} "
        f"on the {row['n']:,} items both voted on; {finding}"
    )


def _difference(row: pd.Series[Any]) -> str:
    """Return a difference with its interval; none where two never differ."""
    if np.isnan(row["ci_low"]):
        return f"{row['difference']:+.3f}, without an interval"
    return f"{row['difference']:+.3f} [{row['ci_low']:+.3f}, {row['ci_high']:+.3f}]"


def _power(row: pd.Series[Any]) -> str:
    """Return how large a difference would have been found, and what this one takes to be."""
    if not np.isfinite(row["detectable"]):
        return ""
    found = f"; {row['questions']:,} questions find one of {row['detectable']:.3f} or more"
    needed = row["questions_needed"]
    if np.isfinite(needed):
        found += f"; one as small as seen takes {needed:,.0f}"
    return f"{found} (power 80%)"
