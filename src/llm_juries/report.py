"""The results of an analysis as files: tables, figures, a report in words, and their provenance."""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import logging
import platform
import re
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from . import figures, tables
from .analysis import (
    Bootstrap,
    Options,
    Panel,
    against_best_table,
    agreement_table,
    annotator_table,
    delta_table,
    every_jury,
    outcome_table,
    seat,
)
from .data.table import located
from .experiment import Study
from .store import Store

log = logging.getLogger(__name__)

FEW_QUESTIONS = 30  # with fewer to resample, percentile intervals are too narrow to be trusted


@dataclass(frozen=True)
class Results:
    """An analysis: its studies, their panels, and the tables by file name."""

    studies: Sequence[Study]
    panels: Sequence[Panel]
    tables: Mapping[str, pd.DataFrame]
    bootstrap: Bootstrap


def measure(
    studies: Sequence[Study],
    store: Store,
    bootstrap: Bootstrap,
    options: Options | None = None,
) -> Results:
    """Read the studies' verdicts and measure them; see `analysis` for the tables' columns."""
    panels = [seat(study, store) for study in studies]
    found = {
        "agreement": [agreement_table(panel, bootstrap) for panel in panels],
        "outcomes": [outcome_table(panel) for panel in panels],
        "deltas": [delta_table(panel, bootstrap) for panel in panels],
        "against_best": [against_best_table(panel, bootstrap) for panel in panels],
    }
    rule = options.every_jury if options else None
    if rule is not None:
        found["every_jury"] = [
            agreement_table(every_jury(panel, rule), bootstrap) for panel in panels
        ]
    joined = {name: _joined(parts) for name, parts in found.items()}
    annotators = _joined([annotator_table(panel, bootstrap) for panel in panels])
    if not annotators.empty:
        joined["annotators"] = annotators
    return Results(studies, panels, joined, bootstrap)


def _joined(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    filled = [part for part in parts if not part.empty]
    if not filled:
        return pd.DataFrame()
    table = pd.concat(filled, ignore_index=True)
    # Only counts of outcomes differ in their columns: what a dataset never met, it met 0 times.
    partly = [column for column in table if not all(column in part for part in filled)]
    for column in partly:
        table[column] = table[column].fillna(0).astype(int)
    return table


def write(
    results: Results, folder: Path, config: str, prompt: str, options: Options | None = None
) -> list[Path]:
    """Write tables/, figures/, report.md, config.yaml and provenance.json; return the figures.

    Parameters
    ----------
    results : Results
    folder : Path
    config : str
        The resolved config as yaml.
    prompt : str
        The prompt's name.
    options : Options, optional
    """
    for name, table in results.tables.items():
        tables.write(table, folder / "tables", name)
    paper_table1 = options.paper_table1 if options else None
    drawn = _draw(results, folder / "figures", paper_table1)
    tables.write_text(folder / "config.yaml", config)
    facts = provenance()
    tables.write_text(folder / "provenance.json", json.dumps(facts, indent=2) + "\n")
    tables.write_text(folder / "report.md", _report(results, drawn, prompt, facts))
    return drawn


def _draw(results: Results, folder: Path, paper_table1: str | None) -> list[Path]:
    agreement, deltas = results.tables["agreement"], results.tables["deltas"]
    notes = {study.dataset.name: source(study) for study in results.studies}
    level = results.bootstrap.level
    drawn = []
    measured = agreement[agreement["n"] > 0]
    if not measured.empty:
        figure = figures.kappa_per_voter(measured, notes, level)
        drawn.append(figures.save(figure, folder, "kappa"))
        if paper_table1 is not None:
            printed = pd.read_csv(located(paper_table1))
            # The paper's table is of single answers judged against references, so no pairs.
            single = [panel.dataset.name for panel in results.panels if not panel.dataset.pairwise]
            ours = measured[measured["dataset"].isin(single)]
            figure = figures.printed_beside_ours(printed, ours, notes, level)
            drawn.append(figures.save(figure, folder, "kappa_beside_paper"))
    for name in dict.fromkeys(deltas["dataset"] if not deltas.empty else []):
        rows = deltas[(deltas["dataset"] == name) & (deltas["n"] > 0)]
        if not rows.empty:
            figure = figures.delta_per_candidate(rows, notes[name], level)
            drawn.append(figures.save(figure, folder, f"deltas_{name}"))
    return drawn


def source(study: Study) -> str:
    """Return who spoke and who labelled, in one line."""
    live = any(not plan.judge.free for plan in study.plans)
    recorded = bool(study.dataset.recordings)
    verdicts = "verdicts asked by this package" if live else ""
    if recorded:
        verdicts = "recorded verdicts, not asked here" + (f"; {verdicts}" if live else "")
    return f"{verdicts or 'string rules'}; labels: {study.dataset.labels}"


def provenance() -> dict[str, Any]:
    """Return what made these results: time, Python, versions of what is used, git commit."""
    named = importlib.metadata.requires("llm-juries") or []
    packages: dict[str, str | None] = {"llm-juries": importlib.metadata.version("llm-juries")}
    for name in sorted({re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in named}):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):  # of another extra
            packages[name] = importlib.metadata.version(name)
    return {
        "made_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": packages,
        "git_commit": _git("rev-parse", "HEAD"),
        "git_changed_files": len((_git("status", "--porcelain") or "").splitlines()),
    }


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603 - fixed arguments
            ["git", *arguments],  # noqa: S607
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _report(results: Results, drawn: Sequence[Path], prompt: str, facts: Mapping[str, Any]) -> str:
    options = results.bootstrap
    parts = [
        "# Juries and judges against humans",
        f"Made {facts['made_at']} by llm-juries {facts['packages']['llm-juries']}, commit "
        f"{facts['git_commit'] or 'unknown'}"
        + (f" with {facts['git_changed_files']} changed files" * bool(facts["git_changed_files"]))
        + ".",
        "## How to read the numbers",
        f"- **kappa** is Cohen's kappa with the human labels: 1 is full agreement, 0 what the "
        f"margins alone would give. Brackets are {options.level:.0%} percentile bootstrap "
        f"intervals, {options.resamples:,} resamples of whole questions, seed {options.seed}.\n"
        "- **missing** counts labelled items on which a voter has no vote: not asked, unparsed, "
        "refused, truncated, failed, inconsistent over a pair's two orders, or (a jury) tied or "
        "without quorum. They are left out of a voter's measures, never counted as wrong, so two "
        "voters with different counts are measured on different items.\n"
        "- **tpr** and **tnr** are the shares of correct and of incorrect answers the voter calls "
        "so; **delta** is a candidate's accuracy under a voter less that under humans, over the "
        "same answers.\n"
        "- The **best single judge** is picked on the items it is then measured on, which flatters "
        "it. Agreement among judges is no evidence that they are right.",
    ]
    for study, panel in zip(results.studies, results.panels, strict=True):
        parts += _dataset_parts(study, panel, results, prompt)
    if drawn:
        parts.append("## Figures")
        parts += [f"![{path.stem}](figures/{path.name})" for path in drawn]
        if any(path.stem == "kappa_beside_paper" for path in drawn):
            parts.append(
                "The paper's kappas are printed numbers (arXiv 2404.18796, Table 1) of other "
                "judges on other answers with labels that were never released. They stand beside "
                "ours for scale; a difference between the two is no finding."
            )
    parts += [
        "## Files",
        "`tables/` holds every table as CSV (all digits), Markdown and LaTeX; `figures/` every "
        "figure as PNG and PDF; `config.yaml` the resolved config; `provenance.json` the versions.",
    ]
    return "\n\n".join(parts) + "\n"


def _dataset_parts(study: Study, panel: Panel, results: Results, prompt: str) -> list[str]:
    dataset = panel.dataset
    human = panel.human
    labelled = ~np.isnan(human)
    unit = "pairs of answers" if dataset.pairwise else "answers"
    share = f"; {human[labelled].mean():.0%} of them positive" if labelled.any() else ""
    facts = (
        f"{len(human):,} {unit} to {len(set(panel.questions)):,} questions, "
        f"{int(labelled.sum()):,} with a human label{share}. Labels: {dataset.labels}."
    )
    parts = [f"## {dataset.name}", facts + (f" {dataset.note}" if dataset.note else "")]
    if len(set(panel.questions)) < FEW_QUESTIONS:
        parts.append(
            f"**Fewer than {FEW_QUESTIONS} questions:** the intervals are narrower than they "
            "should be. Read them as a hint."
        )
    notes = [
        f"- {plan.judge.name} ({plan.judge.family}): {plan.judge.note}"
        for plan in study.plans
        if plan.judge.note
    ]
    if any(not plan.judge.free for plan in study.plans):
        parts.append(f"Language models were asked under the prompt `{prompt}`.")
    if notes:
        parts.append("\n".join(notes))
    rows = {
        name: table[table["dataset"] == dataset.name] if "dataset" in table else table
        for name, table in results.tables.items()
    }
    parts.append(_in_words(rows))
    shown = ("agreement", "against_best", "outcomes", "deltas")
    parts += [tables.markdown(rows[name]) for name in shown if not rows[name].empty]
    if "annotators" in rows and not rows["annotators"].empty:
        parts.append(
            "How far the annotators agree among themselves, the scale for a judge's kappa with "
            "them: Krippendorff's alpha of all, and Cohen's kappa of each two, over the n items "
            "that two or more (or both) of them labelled. One who was asked only where others "
            "differed agrees with them less there than elsewhere: mind n."
        )
        parts.append(tables.markdown(rows["annotators"]))
    if "every_jury" in rows:
        best = rows["every_jury"][rows["every_jury"]["kind"] == "jury"]
        parts.append(
            f"All {len(best)} juries of these judges were measured "
            "(`tables/every_jury.csv`); the five of highest kappa, picked on these same items and "
            "so flattered:"
        )
        parts.append(tables.markdown(best.sort_values("kappa", ascending=False).head(5)))
    return parts


def _in_words(rows: Mapping[str, pd.DataFrame]) -> str:
    agreement = rows["agreement"]
    measured = agreement[agreement["kappa"].notna()]
    lines = [
        f"- **{voter}** has no vote here: the table of outcomes says why."
        for voter in agreement[agreement["n"] == 0]["voter"]
    ]
    singles = measured[measured["kind"] != "jury"]
    if not singles.empty:
        best = singles.sort_values("kappa").iloc[-1]
        lines.append(
            f"- Best single judge: **{best['voter']}**, kappa {_interval(best)}, "
            f"{best['missing']} votes missing."
        )
    for _, jury in measured[measured["kind"] == "jury"].iterrows():
        beside = rows["against_best"]
        said = [_comparison(row) for _, row in beside[beside["jury"] == jury["voter"]].iterrows()]
        lines.append(
            f"- Jury **{jury['voter']}**: kappa {_interval(jury)}, {jury['missing']} votes "
            f"missing. {' '.join(said)}"
        )
    return "\n".join(lines) or "No voter can be measured: no item has both a label and a vote."


def _comparison(row: pd.Series[Any]) -> str:
    if row["ci_low"] > 0:
        verdict = "the jury agrees more"
    elif row["ci_high"] < 0:
        verdict = "the jury agrees less"
    else:
        verdict = "no clear difference"
    return (
        f"Beside the {row['beside']} ({row['judge']}), on the {row['n']} items both voted on: "
        f"{row['difference']:+.3f} [{row['ci_low']:+.3f}, {row['ci_high']:+.3f}], {verdict}."
    )


def _interval(row: pd.Series[Any]) -> str:
    return f"{row['kappa']:.3f} [{row['ci_low']:.3f}, {row['ci_high']:.3f}]"
