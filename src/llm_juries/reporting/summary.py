"""Write an analysis as files: tables, figures, report.md, its config and its provenance."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .. import escaping
from ..analysis.measured import best_first, headline_of, labelled, one_label, ranked_by
from ..analysis.rankings import unranked
from ..analysis.run import Results
from ..analysis.runs import keep
from ..analysis.tables import TABLES, Table
from ..files import write_text
from ..juries.panel import Panel
from ..juries.rules import SIDED
from ..juries.votes import DECIDED
from ..markdown import markdown
from ..metrics.bootstrap import Bootstrap
from ..study import Study
from .across import ALL, conclusion_across, parts_across
from .conclusion import conclusions, tables_of
from .drawing import draw, not_drawn
from .figures import Drawn, FigureOptions
from .provenance import provenance
from .sentences import (
    NARROW,
    absence,
    beside_one_judge,
    comparison,
    few_questions,
    picked_here,
    replaceable,
)
from .tables import write as write_table

TITLE = "Juries and judges against humans"
SHOWN = 5  # juries a rule
REPLACEABLE = ("human_ceiling", "alt_test", "equivalence")
FILES_ONLY = (
    "length_bins",
    "single_annotators",
    "rates",
    "error_pairs",
    "battles",
    "between_judges",
    "confusion",
    "value_shares",
    "votes_by_label",
)  # too long, or drawn as figures
INCONSISTENT = {"missing": "no vote", "tie": "a tie", "mean": "the side of their mean strength"}
MORE = {
    "position": "A jury decides in each order separately here.",
    "ranking": (
        "A battle is one pair of answers, both orders pooled. `win_rate` is against the baseline, "
        "or the mean over opponents without one; `bradley_terry` is on Elo's scale with the "
        "baseline at 1000, else log odds with mean 0; `mean_score` is the mean over single answers."
    ),
    "correlation": (
        "Intervals are over resampled questions, with the reference and the choice of models fixed."
    ),
    "spread": "`tables/rates.csv` has each candidate's tpr and tnr.",
    "corrected": "`tables/corrected.csv` has all voters.",
    "effective_votes": "`tables/error_pairs.csv` has the correlation of each two judges' errors.",
    "policies": (
        "`sequential_majority` asks the next judge only while the majority is open, so its "
        "verdicts are the same; `cyclic_assignment` asks one judge a question and is for means "
        "over many answers. Both are replayed on the stored votes."
    ),
}
"""What a table's own sentence leaves out: columns that need a definition, and where the rest is."""
PAPER_NOTE = (
    "The paper's kappas are printed numbers (arXiv 2404.18796, Table 1) of other judges on other "
    "answers with labels that were never released. They stand beside ours for scale; a difference "
    "between the two is not a finding."
)
FILES_NOTE = (
    "`report.html` is this report as a page, with every item; `tables/` holds every table as CSV "
    "(all digits), Markdown and LaTeX; `figures/` every figure as PNG and PDF; `votes/` the votes, "
    "for comparing runs; `config.yaml` the resolved config; `provenance.json` the versions."
)


def write(
    results: Results, folder: Path, config: str = "", options: FigureOptions | None = None
) -> Drawn:
    """Write tables/, votes/, figures/, report.md and more; return the figures.

    Parameters
    ----------
    results : Results
    folder : Path
    config : str
        The resolved config as yaml; without one, no config.yaml is written.
    options : FigureOptions, optional
    """
    write_tables(results, folder, options)
    drawn = draw(results, folder / "figures", options)
    write_report(results, folder, drawn, config)
    return drawn


def write_tables(results: Results, folder: Path, options: FigureOptions | None = None) -> None:
    """Write every table to tables/, those in LaTeX with display names, and votes to votes/."""
    keep(results.panels, folder)
    for name, table in results.tables.items():
        write_table(table, folder / "tables", name, (options or FigureOptions()).names)


def write_report(results: Results, folder: Path, drawn: Drawn, config: str = "") -> None:
    """Write report.md, config.yaml and provenance.json; without a config, no config.yaml."""
    if config:
        write_text(folder / "config.yaml", config)
    facts = provenance()
    write_text(folder / "provenance.json", json.dumps(facts, indent=2) + "\n")
    write_text(folder / "report.md", _report(results, drawn, facts))


def _report(results: Results, drawn: Drawn, facts: Mapping[str, Any]) -> str:
    found = conclusions(results)
    names = [escaping.markdown(panel.dataset.name) for panel in results.panels]
    one = len(names) == 1
    parts = [f"# {names[0]}: juries and judges against humans" if one else f"# {TITLE}"]
    if overall := conclusion_across(results.tables):
        parts += [f"**{ALL}**", overall.markdown()]
    for name, conclusion in zip(names, found, strict=True):
        parts += [conclusion.markdown()] if one else [f"**{name}**", conclusion.markdown()]
    parts += [markdown(rows) for rows in first_tables(results)]
    shown = [
        f"![{escaping.image(shows)}](figures/{path.name})"
        for path, shows in zip(drawn, drawn.shows, strict=True)
    ]
    parts += shown[:1]
    below = [
        _dataset_parts(number, study, panel, results)
        for number, (study, panel) in enumerate(zip(results.studies, results.panels, strict=True))
    ]
    contents = [
        f"- [{name}](#{_anchor(number)}): " + ", ".join(section.link for section in sections)
        for number, (name, (_, sections)) in enumerate(zip(names, below, strict=True))
    ]
    if overall:
        contents.insert(0, f"- [{ALL}](#across)")
    figures = ["[Figures](#figures)"] * bool(drawn)
    more = ["[How to read the numbers](#reading)", *figures, "[Files and versions](#files)"]
    parts += ["## Contents", "\n".join([*contents, f"- {', '.join(more)}"])]
    if overall:
        parts += [f'<a id="across"></a>\n\n## {ALL}', *parts_across(results.tables)]
    for head, sections in below:
        parts += [*head, *(part for section in sections for part in section.parts)]
    parts += ['<a id="reading"></a>\n\n## How to read the numbers']
    parts.append(_reading(results.analysis.bootstrap))
    if drawn:
        parts.append('<a id="figures"></a>\n\n## Figures')
        parts += shown[1:]
        if any(path.stem == "kappa_beside_paper" for path in drawn):
            parts.append(PAPER_NOTE)
        parts.append(not_drawn(drawn))
    changed = facts["git_changed_files"]
    parts += [
        '<a id="files"></a>\n\n## Files and versions',
        FILES_NOTE,
        f"Made {facts['made_at']} by llm-juries {facts['packages']['llm-juries']}, commit "
        f"{facts['git_commit'] or 'unknown'}{f' with {changed} changed files' * bool(changed)}.",
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def first_tables(results: Results) -> list[pd.DataFrame]:
    """Return each dataset's table of agreement, its best voters first and its main columns alone.

    Those are voter, kind, the headline measure with its interval, kappa_half where votes are ties,
    accuracy, n, missing, and caution where a row has one. Datasets without labels have no table.
    """
    found = []
    for panel in results.panels:
        rows = tables_of(results, panel.dataset.name).get("agreement", pd.DataFrame())
        if rows.empty or not labelled(panel):
            continue
        measure = headline_of(rows)
        columns = ["voter", "kind", measure, "ci_low", "ci_high"]
        if rows.get("undecided", pd.Series(dtype=int)).any():
            columns.append(ranked_by(rows))
        columns += [name for name in ("accuracy",) if name in rows and rows[name].notna().any()]
        columns += ["n", "missing"]
        if (rows["caution"] != "ok").any():
            columns.append("caution")
        found.append(best_first(rows)[columns])
    return found


def _anchor(dataset: int, table: str = "") -> str:
    """Return the id of a dataset's part of report.md, or of one of its tables."""
    return f"dataset-{dataset + 1}" + f"-{table}" * bool(table)


@dataclass(frozen=True)
class _Section:
    """A table of report.md with its heading, and the link to it in the contents."""

    link: str
    parts: tuple[str, ...]


def _folded(summary: str, *parts: str) -> str:
    """Return Markdown that is shown on a click."""
    text = "\n\n".join(parts)
    return f"<details><summary>{summary}</summary>\n\n{text}\n\n</details>"


def _reading(bootstrap: Bootstrap) -> str:
    return (
        "- **kappa** is Cohen's kappa with the human labels: 1 is full agreement, 0 is agreement "
        "expected by chance. Ordered levels have weighted kappa (quadratic weights), numbers "
        "Pearson's correlation, graded votes beside binary labels the ROC AUC. "
        f"Brackets are {bootstrap.level:.0%} intervals over whole questions: cluster-robust t, and "
        "of models' scores and of the gain of choosing a jury percentiles of "
        f"{bootstrap.resamples:,} resamples, seed {bootstrap.seed} (docs/intervals.md). `caution` "
        "says where one is missing or cannot be trusted.\n"
        "- **missing** counts labelled items on which a voter has no vote: not asked, unparsed, "
        "refused, rejected, truncated, failed, inconsistent over a pair's two orders, a tie on a "
        "pair, or (for a jury) tied or without quorum. Missing votes are left out of kappa and "
        "accuracy, so "
        "two voters with different counts are measured on different items. What they could change: "
        "**kappa_half** and **accuracy_half** count ties and inconsistent pairs as half, "
        "**accuracy_failed** all other missing votes as wrong beside it, **accuracy_worst** and "
        "**accuracy_best** (where more than 2% are missing) all of them as wrong or right. Voters "
        "are compared on the items on which both have a vote, ties for half.\n"
        "- **tpr** and **tnr** are the shares of correct and of incorrect answers that the voter "
        "labels so (of pairs: of those that humans gave to the first and to the second answer); "
        "**delta** is a candidate's accuracy under a voter less that under humans, on the same "
        "answers.\n"
        "- The **best single judge** is chosen on the items it is measured on, so its kappa is "
        "optimistically biased. Agreement among judges is no evidence that they are right."
    )


def _dataset_parts(
    number: int, study: Study, panel: Panel, results: Results
) -> tuple[list[str], list[_Section]]:
    """Return what is said of a dataset, and its tables."""
    dataset = panel.dataset
    tables = {
        name: table[table["dataset"] == dataset.name] if "dataset" in table else table
        for name, table in results.tables.items()
    }
    if len({panel.scale.kind for panel in results.panels}) > 1:
        tables = {name: _without_other_scales(rows) for name, rows in tables.items()}
    title = f"## {escaping.markdown(dataset.name)}"
    parts = [f'<a id="{_anchor(number)}"></a>\n\n{title}', escaping.markdown(_facts(panel))]
    if few := few_questions(panel):
        parts.append(f"**{few}:** {NARROW}.")
    if prompts := sorted({plan.prompt.name for plan in study.plans if not plan.judge.free}):
        named = ", ".join(f"`{name}`" for name in prompts)
        parts.append(escaping.markdown(f"Prompt of the language models: {named}."))
    notes = [
        f"- {plan.judge.name} ({plan.judge.family}): {plan.judge.note}"
        for plan in study.plans
        if plan.judge.note
    ]
    if notes:
        parts.append(_listed(notes))
    parts.append(_findings(tables, panel, results.analysis.settings.coverage))
    if len(dataset.orders) > 1:
        counted = INCONSISTENT[results.analysis.settings.inconsistent]
        parts.append(f"A pair whose two orders point to different sides counts as {counted}.")
    sections, absent = [], []
    for table in TABLES:
        rows = tables.get(table.name, pd.DataFrame())
        if table.name in FILES_ONLY:
            continue
        if reason := absence(table, rows):
            absent.append(f"- {table.title}: {reason}")
            continue
        sections.append(_section(number, table, rows, panel, results))
    if absent:
        parts.append(_folded(f"{len(absent)} tables that do not apply here", _listed(absent)))
    return parts, sections


def _section(
    number: int, table: Table, rows: pd.DataFrame, panel: Panel, results: Results
) -> _Section:
    anchor = _anchor(number, table.name)
    head = f'<a id="{anchor}"></a>\n\n### {table.title}'
    note = f"{table.look_for} {MORE.get(table.name, '')}".strip()
    note += f" (docs/analysis_tables.md#{table.name})"
    if table.name == "ranking":
        note = f"{note} {escaping.markdown(unranked(panel, results.analysis.ranking))}".strip()
    shown = _jury_parts(rows) if table.name == "juries" else [markdown(_shown(table.name, rows))]
    counted = f"{len(rows):,} row{'s' * (len(rows) != 1)}"
    link = f"[{table.title}](#{anchor})"
    return _Section(link, (head, note, _folded(f"{counted}, {table.name}.csv", *shown)))


INTERVAL = {"ci_low", "ci_high", "detectable", "questions_needed"}
"""Columns that are empty where there are too few questions, whatever the scale."""


def _without_other_scales(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of one dataset without the empty columns of measures of other scales."""
    empty = rows.columns[rows.isna().all()]
    return rows.drop(columns=empty.difference(list(INTERVAL)))


def _facts(panel: Panel) -> str:
    dataset, human = panel.dataset, panel.human
    labelled = ~np.isnan(human)
    unit = "pairs of answers" if dataset.pairwise else "answers"
    share, ties = "", 0
    if labelled.any() and panel.label_scale.kind in SIDED:
        share = f"; {human[labelled].mean():.0%} of them positive"
        ties = int((panel.preferences == 0.5).sum())
    elif labelled.any() and panel.label_scale.graded:
        share = f", their mean {human[labelled].mean():.2f} on {panel.label_scale}"
    tied = f". Humans call {ties:,} more a tie, which a kappa over two sides leaves out" * bool(
        ties
    )
    cut = f" Graded values count as positive from a threshold on: {panel.cut_at}." * bool(
        panel.cut_at
    )
    return (
        f"{len(human):,} {unit} to {len(set(panel.questions)):,} questions, "
        f"{int(labelled.sum()):,} with a human label{share}{tied}. Labels: {dataset.labels}.{cut} "
        f"{dataset.note}"
    ).strip()


def _shown(name: str, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows to show: of corrected accuracies the juries', else the judges'."""
    if name != "corrected":
        return rows
    juries = rows[rows["kind"] == "jury"]
    return juries if not juries.empty else rows[rows["kind"] == "judge"]


def _jury_parts(juries: pd.DataFrame) -> list[str]:
    """Return the best juries of each rule: all of them would be too many."""
    parts = ["`tables/juries.csv` has all of them."]
    eligible = juries[juries["eligible"]]
    for rule, own in eligible.groupby("rule", sort=False):
        measure = headline_of(own)
        best = own.sort_values(measure, ascending=False, kind="stable").head(SHOWN)
        parts += [
            f"Under `{rule}`, the {len(best)} with the highest {_name(measure)} of the {len(own)} "
            "that vote on enough items, undecided ones counted. **They are picked on the items "
            "they are measured on**, so their own figures are too high:",
            markdown(best),
        ]
    return parts


def _listed(lines: Iterable[str]) -> str:
    """Return a list whose lines hold names of others: each stays one line without HTML or links."""
    return "\n".join(map(escaping.markdown, lines))


def _findings(tables: Mapping[str, pd.DataFrame], panel: Panel, coverage: float) -> str:
    """Return the main findings as a list: voters without votes, the best judge, each jury."""
    agreement, against = tables["agreement"], tables["against_best"]
    measure = headline_of(agreement)
    outcomes = tables["outcomes"].set_index("voter")
    silent = [voter for voter in outcomes.index if not outcomes.get(DECIDED, {}).get(voter, 0)]
    lines = [f"- **{voter}** has no votes; see the table of outcomes." for voter in silent]
    if not (agreement["n"] + agreement["missing"]).any():
        return _listed([*lines, "- There are no human labels to compare the voters with."])
    lines += [
        f"- **{voter}** has no vote on an item with a human label."
        for voter in agreement[agreement["n"] == 0]["voter"]
        if voter not in silent
    ]
    if one_label(panel):
        return _listed([*lines, *_one_label(agreement, measure)])
    lines += [
        f"- **{voter}** has no {_name(measure)}: its votes and the human labels are all the same."
        for voter in agreement[(agreement["n"] > 0) & agreement[measure].isna()]["voter"]
    ]
    measured = agreement[agreement[measure].notna()]
    singles = best_first(measured[measured["kind"] != "jury"])
    able = singles[singles["eligible"] & singles[ranked_by(singles)].notna()]
    if not able.empty:
        best = able.iloc[0]
        lines.append(f"- Best single judge: **{best['voter']}**, {_value(best, measure)}.")
    few = singles[~singles["eligible"]]["voter"].tolist()
    if few:
        lines.append(
            f"- Voted on less than {coverage:.0%} of the labelled items, so never called the best "
            f"nor compared with: {', '.join(f'**{voter}**' for voter in few)}."
        )
    for _, jury in measured[measured["kind"] == "jury"].iterrows():
        own = against[against["jury"] == jury["voter"]] if not against.empty else against
        compared = "; ".join(comparison(row) for _, row in own.iterrows())
        compared = compared or f"no judge voted on {coverage:.0%} of the items to compare it with"
        lines.append(f"- Jury **{jury['voter']}**: {_value(jury, measure)}; {compared}.")
        searched = tables.get("juries", pd.DataFrame())
        if warning := picked_here(panel, searched, str(jury["voter"])):
            lines.append(f"- Jury **{jury['voter']}**: {warning}.")
    ensembles = tables.get("self_ensembles", pd.DataFrame())
    lines += [
        f"- Jury **{row['jury']}** {beside_one_judge(row)}." for _, row in ensembles.iterrows()
    ]
    named = measured[measured["kind"] == "jury"]["voter"].tolist()
    lines += [
        f"- **{voter}** in place of people or of a judge: {sentence}."
        for voter in [*able["voter"].head(1), *named]
        for sentence in replaceable(
            *[tables.get(name, pd.DataFrame()) for name in REPLACEABLE], voter=voter
        )
    ]
    return _listed(lines)


def _one_label(agreement: pd.DataFrame, measure: str) -> list[str]:
    """Return what can be said where all human labels are the same."""
    lines = [
        f"- All human labels are the same, so {_name(measure)} says nothing and no voter is the "
        "best by it: it is 0 for every voter that ever errs, and undefined for one that never does."
    ]
    if "accuracy" in agreement and agreement["accuracy"].notna().any():
        most = agreement["accuracy"].max()
        names = agreement[agreement["accuracy"] == most]["voter"]
        lines.append(f"- Right most often: **{', '.join(names)}**, accuracy {most:.3f}.")
    return lines


def _name(measure: str) -> str:
    return measure.replace("_", " ")


def _value(row: pd.Series[Any], measure: str) -> str:
    half = ""
    if row.get("undecided", 0):
        half = (
            f"{row['kappa_half']:.3f} with its {row['undecided']:.0f} ties and inconsistent pairs "
            "counted as half, "
        )
    return (
        f"{_name(measure)} {row[measure]:.3f} [{row['ci_low']:.3f}, {row['ci_high']:.3f}], {half}"
        f"{row['missing']} votes missing"
    )
