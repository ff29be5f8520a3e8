"""The answer of an analysis in at most six lines a dataset, for terminals, report.md and the page.

Which judge and which jury, whether they differ, what people reach, how many votes the jury is
worth, what is missing and what it costs, and what would settle what is open.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from .. import escaping
from ..analysis.change_lines import some
from ..analysis.costs import PAID
from ..analysis.measured import best_first, headline_of, labelled, one_label, ranked_by
from ..analysis.replaceability import SINGLE
from ..analysis.run import Results
from ..juries.panel import Panel
from .sentences import few_questions, others, picked_here

Tables = Mapping[str, pd.DataFrame]
KINDS = {"jury": "jury", "judge": "judge", "lexical": "string rule"}
NAMED = 3  # voters with missing votes


@dataclass(frozen=True)
class Line:
    """One line of a conclusion: what it is about, in a few words, and a sentence."""

    about: str
    text: str


@dataclass(frozen=True)
class Conclusion:
    """What an analysis found on one dataset.

    Attributes
    ----------
    dataset : str
    lines : tuple of Line
        Six at most.
    """

    dataset: str
    lines: tuple[Line, ...]

    def markdown(self) -> str:
        """Return the lines as a Markdown list."""
        return "\n".join(
            f"- **{line.about}:** {escaping.markdown(line.text)}" for line in self.lines
        )

    def plain(self) -> str:
        """Return the lines for a terminal, below the dataset's name."""
        wide = max(len(line.about) for line in self.lines) + 1
        rows = [f"  {f'{line.about}:':<{wide}} {line.text}" for line in self.lines]
        return "\n".join(map(escaping.terminal, [self.dataset, *rows]))


def conclusions(results: Results) -> list[Conclusion]:
    """Return a conclusion for each dataset, in the order of the studies."""
    return [
        Conclusion(
            panel.dataset.name,
            tuple(_lines(panel, tables_of(results, panel.dataset.name), results)),
        )
        for panel in results.panels
    ]


def tables_of(results: Results, dataset: str) -> dict[str, pd.DataFrame]:
    """Return the rows of each table that are about one dataset, without tables that have none."""
    own = {
        name: table[table["dataset"] == dataset] if "dataset" in table else table
        for name, table in results.tables.items()
    }
    return {name: rows for name, rows in own.items() if not rows.empty}


def _lines(panel: Panel, tables: Tables, results: Results) -> list[Line]:
    if not labelled(panel):
        return _without_labels(panel, tables)
    agreement = tables["agreement"]
    if one_label(panel):
        return [Line("Labels", _one_label(agreement))]
    measure = headline_of(agreement)
    able = best_first(agreement[agreement["eligible"] & agreement[ranked_by(agreement)].notna()])
    if able.empty:
        share = f"{results.analysis.settings.coverage:.0%}"
        reason = f"no voter has a {_words(measure)} and votes on {share} of the labelled items"
        return [Line("Best", reason), *_missing(panel, tables, [])]
    # The best jury and the best judge, the better one first.
    best = [row for _, row in able[~(able["kind"] == "jury").duplicated()].iterrows()]
    jury = next((row for row in best if row["kind"] == "jury"), None)
    gap = _gap(tables, jury)
    return [
        Line("Best", _best(panel, tables, best, able, measure)),
        *_difference(tables, jury, gap),
        *_people(tables, able.iloc[0]),
        *_votes(tables, jury),
        *_missing(panel, tables, [str(one["voter"]) for one in best]),
        *_settling(panel, jury, gap),
    ]


def _one_label(agreement: pd.DataFrame) -> str:
    said = "all human labels are the same, so no voter can be called best"
    able = agreement[agreement["eligible"]]
    if "accuracy" not in able or able["accuracy"].isna().all():
        return said
    right = able[able["accuracy"] == able["accuracy"].max()]
    names = ", ".join(right["voter"])
    return f"{said}; right most often: {names}, accuracy {right.iloc[0]['accuracy']:.3f}"


def _without_labels(panel: Panel, tables: Tables) -> list[Line]:
    """Say what can be said where nobody is measured against humans."""
    lines = [Line("Labels", "none, so no voter is measured against humans")]
    pairs = tables.get("between_judges", pd.DataFrame())
    measure = headline_of(pairs) if len(pairs) else ""
    if measure in pairs and pairs[measure].notna().any():
        low, high = pairs[measure].min(), pairs[measure].max()
        lines.append(
            Line(
                "Between judges",
                f"{_words(measure)} {low:.3f} to {high:.3f} over {len(pairs)} pairs of judges, "
                "which does not say who is right",
            )
        )
    lines += _missing(panel, tables, [])
    lines.append(Line("To settle it", "label some items (llm-juries label export), and run again"))
    return lines


def _best(
    panel: Panel, tables: Tables, best: Sequence[pd.Series[Any]], able: pd.DataFrame, measure: str
) -> str:
    searched = tables.get("juries", pd.DataFrame())
    said = [
        _value(row, measure)
        + _tied(row, able)
        + ", too high, since a search picked it on these items"
        * (row["kind"] == "jury" and bool(picked_here(panel, searched, str(row["voter"]))))
        for row in best
    ]
    seated = (tables["agreement"]["kind"] == "jury").any()
    if all(row["kind"] == "jury" for row in best):
        said.append("no judge votes on enough items")
    elif len(best) == 1 and seated:
        said.append("no jury votes on enough items")
    elif len(best) == 1:
        said.append("no jury was measured (jury=NAME seats one)")
    if few := few_questions(panel):
        said.append(f"{few[0].lower()}{few[1:]}, so a rough guide only")
    return "; ".join(said)


def _tied(row: pd.Series[Any], able: pd.DataFrame) -> str:
    """Name the other juries, or judges, that agree as well as the best one."""
    by = ranked_by(able)
    alike = (able[by] == row[by]) & ((able["kind"] == "jury") == (row["kind"] == "jury"))
    names = able.loc[alike & (able["voter"] != row["voter"]), "voter"].tolist()
    return f", tied with {some(names)}" * bool(names)


def _value(row: pd.Series[Any], measure: str) -> str:
    by = "kappa_half" if row.get("undecided", 0) else measure
    half = " with ties and inconsistent pairs counted as half" * (by != measure)
    interval = f" [{row['ci_low']:.3f}, {row['ci_high']:.3f}]" * bool(
        by == measure and pd.notna(row["ci_low"])
    )
    return (
        f"{KINDS.get(row['kind'], row['kind'])} {row['voter']}, {_words(measure)} "
        f"{row[by]:.3f}{interval}{half}"
    )


def _gap(tables: Tables, jury: pd.Series[Any] | None) -> pd.Series[Any] | None:
    """Return the comparison of a jury with the best judge of all, None where there is none."""
    against = tables.get("against_best", pd.DataFrame())
    if jury is None or against.empty:
        return None
    own = against[(against["jury"] == jury["voter"]) & (against["beside"] == "best judge")]
    return own.iloc[0] if len(own) and pd.notna(own.iloc[0]["ci_low"]) else None


def _difference(
    tables: Tables, jury: pd.Series[Any] | None, gap: pd.Series[Any] | None
) -> list[Line]:
    found = []
    if jury is not None and gap is not None:
        found.append(
            f"{jury['voter']} less {gap['judge']}: {_interval(gap, 'difference')} on the "
            f"{gap['n']:,} items that both voted on, {_finding(tables, gap)}"
        )
    for _, row in tables.get("chosen", pd.DataFrame()).iterrows():
        clear = "clear" if row["gain_low"] > 0 or row["gain_high"] < 0 else "not clear"
        found.append(
            f"choosing a jury by {row['rule']} instead of a judge gains "
            f"{_interval(row, 'gain')} on questions not seen, {clear}"
        )
    return [Line("Difference", "; ".join(found))] if found else []


def _finding(tables: Tables, gap: pd.Series[Any]) -> str:
    """Say in a word or two whether a difference is clear, or small enough not to matter."""
    if not gap["eligible"]:
        return "too few items for a finding"
    if gap["ci_low"] > 0 or gap["ci_high"] < 0:
        return "clear"
    equal = tables.get("equivalence", pd.DataFrame())
    if len(equal):
        equal = equal[(equal["voter"] == gap["jury"]) & (equal["beside"] == "best judge")]
    verdict = equal.iloc[0]["verdict"] if len(equal) else ""
    margin = f"{equal.iloc[0]['margin']:g}" if len(equal) else ""
    if verdict == "equivalent":
        return f"as good within {margin}"
    bounded = f", but worse by less than {margin} (one-sided)"
    return "not clear" + bounded * (verdict == "not inferior")


def _people(tables: Tables, best: pd.Series[Any]) -> list[Line]:
    ceiling = tables.get("human_ceiling", pd.DataFrame())
    if ceiling.empty:
        return []
    own = ceiling[(ceiling["voter"] == best["voter"]) & (ceiling["against"] == SINGLE)]
    if own.empty:
        return []
    row = own.iloc[0].dropna()  # each scale has columns of its own
    human = next((column for column in row.index if column.startswith("human_")), None)
    if human is None:
        return []
    return [
        Line(
            "People",
            f"{SINGLE} reach {row[human]:.3f} where {best['voter']} reaches "
            f"{row[human.removeprefix('human_')]:.3f}: {_interval(row, 'difference')}, "
            f"{row['finding']}",
        )
    ]


def _votes(tables: Tables, jury: pd.Series[Any] | None) -> list[Line]:
    table = tables.get("effective_votes", pd.DataFrame())
    if jury is None or table.empty:
        return []
    own = table[(table["jury"] == jury["voter"]) & table["effective_votes"].notna()]
    return [
        Line(
            "Votes",
            f"the {row['seats']} seats of {jury['voter']} {_errors(row)}: they count as "
            f"{_interval(row, 'effective_votes', sign='', digits=2)} independent votes",
        )
        for _, row in own.iterrows()
    ]


def _errors(row: pd.Series[Any]) -> str:
    """Say how the errors of a jury's seats go together."""
    if row["ci_high"] < row["seats"]:
        return "tend to make the same errors"
    if row["ci_low"] > row["seats"]:
        return "tend to make opposite errors"
    return "may make independent errors"


def _missing(panel: Panel, tables: Tables, best: Sequence[str]) -> list[Line]:
    """Say which votes are missing and what the best voters cost."""
    outcomes = tables.get("outcomes", pd.DataFrame())
    said = []
    if len(outcomes):
        lacking = (outcomes["items"] - outcomes["ok"]).set_axis(outcomes["voter"])
        lacking = lacking[lacking > 0].sort_values(ascending=False, kind="stable")
        named = [f"{count:,} of {voter}" for voter, count in lacking.head(NAMED).items()]
        more = f" and some of {others(len(lacking) - NAMED)}" * (len(lacking) > NAMED)
        votes = ", ".join(named) + more if named else "none"
        said.append(f"{votes}, of {int(outcomes['items'].max()):,} votes each")
    costs = tables.get("costs", pd.DataFrame())
    paid = costs.set_index("voter")[PAID].dropna() if len(costs) else pd.Series(dtype=float)
    known = [f"{voter} ${paid[voter]:,.2f}" for voter in best if voter in paid]
    unit = "pairs" if panel.dataset.pairwise else "answers"
    if known:
        said.append(f"cost of 1,000 {unit}: {', '.join(known)}")
    elif best:
        said.append("cost unknown: no priced calls are stored")
    return [Line("Missing", "; ".join(said))] if said else []


def _settling(panel: Panel, jury: pd.Series[Any] | None, gap: pd.Series[Any] | None) -> list[Line]:
    """Say how many more labelled questions an open difference takes."""
    if jury is None or gap is None or gap["ci_low"] > 0 or gap["ci_high"] < 0:
        return []
    if not np.isfinite(gap["detectable"]):
        return []
    detectable = f"a difference of {gap['detectable']:.3f} (power 80%)"
    needed = gap["questions_needed"]
    if not np.isfinite(needed) or needed <= gap["questions"]:
        return [Line("To settle it", f"{gap['questions']:,} questions would show {detectable}")]
    more = needed - gap["questions"]
    unlabelled = len({q for q, h in zip(panel.questions, panel.human, strict=True) if np.isnan(h)})
    at_hand = f", {unlabelled:,} of them at hand" * bool(unlabelled)
    return [
        Line(
            "To settle it",
            f"label {more:,.0f} more questions{at_hand}: {needed:,.0f} would show a difference as "
            f"small as the one seen, {gap['questions']:,} {detectable}",
        )
    ]


def _interval(row: pd.Series[Any], name: str, *, sign: str = "+", digits: int = 3) -> str:
    """Return a value with its interval, of the columns ci_low, NAME_low or its own."""
    prefix = name if f"{name}_low" in row else "ci"
    value, low, high = (row[one] for one in (name, f"{prefix}_low", f"{prefix}_high"))
    shape = f"{sign}.{digits}f"
    if pd.isna(low):
        return f"{value:{shape}}, without an interval"
    return f"{value:{shape}} [{low:{shape}}, {high:{shape}}]"


def _words(measure: str) -> str:
    return measure.replace("_", " ")
