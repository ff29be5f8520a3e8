"""The results of an analysis as files: tables, figures, a report in words, and their provenance."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..analysis.run import Results
from ..files import write_text
from ..juries.panel import Panel
from ..juries.votes import DECIDED
from ..markdown import markdown
from ..study import Study
from . import tables
from .drawing import FigureOptions, draw
from .provenance import provenance

log = logging.getLogger(__name__)
SHOWN = 5  # juries of a search, a rule
FEW_QUESTIONS = 30  # with fewer to resample, percentile intervals are too narrow to be trusted
AGAINST_HUMANS = ("agreement", "against_best", "deltas", "spread", "effective_votes")


def write(
    results: Results, folder: Path, config: str = "", options: FigureOptions | None = None
) -> list[Path]:
    """Write tables/, figures/, report.md, config.yaml and provenance.json; return the figures.

    Parameters
    ----------
    results : Results
    folder : Path
    config : str
        The resolved config as yaml; without one, no config.yaml is written.
    options : FigureOptions, optional
    """
    for name, table in results.tables.items():
        tables.write(table, folder / "tables", name)
    drawn = draw(results, folder / "figures", options)
    if config:
        write_text(folder / "config.yaml", config)
    facts = provenance()
    write_text(folder / "provenance.json", json.dumps(facts, indent=2) + "\n")
    write_text(folder / "report.md", _report(results, drawn, facts))
    return drawn


def _report(results: Results, drawn: Sequence[Path], facts: Mapping[str, Any]) -> str:
    bootstrap = results.analysis.bootstrap
    parts = [
        "# Juries and judges against humans",
        f"Made {facts['made_at']} by llm-juries {facts['packages']['llm-juries']}, commit "
        f"{facts['git_commit'] or 'unknown'}"
        + (f" with {facts['git_changed_files']} changed files" * bool(facts["git_changed_files"]))
        + ".",
        "## How to read the numbers",
        f"- **kappa** is Cohen's kappa with the human labels: 1 is full agreement, 0 what the "
        f"margins alone would give. Brackets are {bootstrap.level:.0%} percentile bootstrap "
        f"intervals, {bootstrap.resamples:,} resamples of whole questions, seed {bootstrap.seed}.\n"
        "- **missing** counts labelled items on which a voter has no vote: not asked, unparsed, "
        "refused, truncated, failed, inconsistent over a pair's two orders, for neither of a pair, "
        "or (a jury) tied or without quorum. They are left out of a voter's measures, never "
        "counted as wrong, so two voters with different counts are measured on different items.\n"
        "- **tpr** and **tnr** are the shares of correct and of incorrect answers (of pairs: of "
        "those that the first won under humans, and of those that the second won) the voter calls "
        "so; **delta** is a candidate's accuracy under a voter less that under humans, over the "
        "same answers.\n"
        "- The **best single judge** is picked on the items it is then measured on, which flatters "
        "it. Agreement among judges is no evidence that they are right.",
    ]
    for study, panel in zip(results.studies, results.panels, strict=True):
        parts += _dataset_parts(study, panel, results)
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
        "`report.html` is this report as a page, with every item; `tables/` holds every table as "
        "CSV (all digits), Markdown and LaTeX; `figures/` every figure as PNG and PDF; "
        "`config.yaml` the resolved config; `provenance.json` the versions.",
    ]
    return "\n\n".join(parts) + "\n"


def _dataset_parts(study: Study, panel: Panel, results: Results) -> list[str]:
    dataset = panel.dataset
    human = panel.human
    labelled = ~np.isnan(human)
    unit = "pairs of answers" if dataset.pairwise else "answers"
    ties = int((panel.preferences == 0.5).sum())
    share = f"; {human[labelled].mean():.0%} of them positive" if labelled.any() else ""
    apart = f". Humans call {ties:,} more a tie, which kappa with two sides leaves out" * bool(ties)
    facts = (
        f"{len(human):,} {unit} to {len(set(panel.questions)):,} questions, "
        f"{int(labelled.sum()):,} with a human label{share}{apart}. Labels: {dataset.labels}."
    )
    parts = [f"## {dataset.name}", facts + (f" {dataset.note}" if dataset.note else "")]
    if few := few_questions(panel):
        parts.append(
            f"**{few}:** the intervals are narrower than they should be. Read them as a hint."
        )
    notes = [
        f"- {plan.judge.name} ({plan.judge.family}): {plan.judge.note}"
        for plan in study.plans
        if plan.judge.note
    ]
    prompts = sorted({plan.prompt.name for plan in study.plans if not plan.judge.free})
    if prompts:
        named = ", ".join(f"`{name}`" for name in prompts)
        parts.append(f"Prompt of the language models: {named}.")
    if notes:
        parts.append("\n".join(notes))
    rows = {
        name: table[table["dataset"] == dataset.name] if "dataset" in table else table
        for name, table in results.tables.items()
    }
    parts.append(_in_words(rows))
    if not labelled.any():
        rows |= {name: pd.DataFrame() for name in AGAINST_HUMANS}
    shown = ("agreement", "against_best", "outcomes", "deltas")
    parts += [markdown(rows[name]) for name in shown if not rows[name].empty]
    if len(dataset.orders) > 1:
        counts = {"missing": "no vote", "tie": "a tie", "mean": "their mean strength's side"}
        counted = counts[results.analysis.settings.inconsistent]
        parts.append(f"A pair whose two orders are on different sides counts as {counted}.")
    if "annotators" in rows and not rows["annotators"].empty:
        parts.append(
            "How far the annotators agree among themselves, the scale for a judge's kappa with "
            "them: Krippendorff's alpha of all, and Cohen's kappa of each two, over the n items "
            "that two or more (or both) of them labelled. One who was asked only where others "
            "differed agrees with them less there than elsewhere: mind n."
        )
        parts.append(markdown(rows["annotators"]))
    parts += _pair_parts(rows)
    parts += _ranking_parts(rows)
    parts += _bias_parts(rows)
    parts += _jury_parts(rows)
    return parts


def few_questions(panel: Panel) -> str:
    """Return that too few questions are there to be resampled, "" where there are enough.

    Where there are labels it is the labelled ones that count: the others tell nothing of kappa.
    """
    labelled = set(np.asarray(panel.questions)[~np.isnan(panel.human)])
    if len(labelled or set(panel.questions)) >= FEW_QUESTIONS:
        return ""
    return f"Fewer than {FEW_QUESTIONS} questions" + " with a human label" * bool(labelled)


def _pair_parts(rows: Mapping[str, pd.DataFrame]) -> list[str]:
    """Return what is to be said of pairs: ties, place and length."""
    said = {
        "preferences": "Agreement where a tie is a side of its own (`kappa` over three sides).",
        "position": (
            "**Position.** `flip_rate` is the share of pairs, judged in both orders, whose "
            "preference turns with the order; `inconsistent` counts a tie in one of them too. "
            "`first_place` is the share of all single preferences that went to the answer shown "
            "first: 0.5 is fair. A jury decides in each order alone here."
        ),
        "length": (
            "**Length.** `longer_wins` is the share of pairs that the longer answer won, in "
            "characters. Longer answers may be better ones, so the humans are the scale: "
            "`above_humans` is how much more often the voter takes the longer one, on the pairs "
            "that both judged."
        ),
    }
    return [part for name, text in said.items() for part in _part(rows, name, text)]


def _ranking_parts(rows: Mapping[str, pd.DataFrame]) -> list[str]:
    """Return the rankings, and what they are compared with."""
    parts = []
    if "ranking" in rows and not rows["ranking"].empty:
        parts.append(
            "**Rankings.** A battle is one pair of answers, both orders pooled, so none counts "
            "twice. `win_rate` is against the baseline, or the mean over opponents without one; "
            "`bradley_terry` is on Elo's scale with the baseline at 1000, else log odds of mean 0; "
            "`mean_score` is the mean over single answers, of levels where the prompt has them (a "
            "jury by majority makes none). Models whose intervals of ranks overlap are not told "
            "apart."
        )
        parts.append(markdown(rows["ranking"]))
    if "correlation" in rows and not rows["correlation"].empty:
        parts.append(
            "How far each voter's ranking agrees with the humans' or a leaderboard's: `spearman` "
            "is what the paper prints as Pearson, over `models` in both; `missing` ones the "
            "reference lacks. Intervals "
            "are of resampled questions, the reference and the choice of models taken as given: "
            "with few models, a swap of two neighbours moves them much."
        )
        parts.append(markdown(rows["correlation"]))
    return parts


def _bias_parts(rows: Mapping[str, pd.DataFrame]) -> list[str]:
    """Return how evenly candidates are treated, and what few labels can mend."""
    said = {
        "spread": (
            "**Even-handedness.** `spread` is the standard deviation over candidates of their "
            "accuracy under the voter less that under humans, the paper's measure of bias. Chance "
            "alone makes it larger than 0. `tables/rates.csv` has each candidate's tpr and tnr."
        ),
        "families": (
            "**Kin.** Each judge's accuracy of a family of models less the humans'; `own` marks "
            "the judge's own family, `p_holm` is corrected for all rows."
        ),
        "self_preference": (
            "**Self-preference** by regression: `own` is what being of the judge's own family adds "
            "to the share of positive votes, answers and judges held fixed. It compares with the "
            "other judges here: what they favour alike is not seen."
        ),
        "corrected": (
            "**Accuracy with few human labels.** `judged` is the voter's own figure, `estimate` "
            "what it becomes when corrected by the answers that people labelled; `humans` is the "
            "accuracy under all human labels, where there are all. `labels_alone` and "
            "`labels_beside` are how many human labels an interval of `interval_width` takes, "
            "alone and beside the voter; none where all answers would not do. Here the juries, or "
            "the judges where there are none; `tables/corrected.csv` has all."
        ),
    }
    corrected = rows.get("corrected", pd.DataFrame())
    if not corrected.empty:
        shown = corrected[corrected["kind"] == "jury"]
        if shown.empty:
            shown = corrected[corrected["kind"] == "judge"]
        rows = {**rows, "corrected": shown}
    return [part for name, text in said.items() for part in _part(rows, name, text)]


def _jury_parts(rows: Mapping[str, pd.DataFrame]) -> list[str]:
    """Return what the seats are worth together, which jury to take, and what asking less saves."""
    parts = _part(
        rows,
        "effective_votes",
        "**Dependence.** Judges that make the same mistakes are worth fewer votes than seats: "
        "Kish's `effective_votes`; `gap` is how much more accurate the majority would be if errors "
        "were independent (`tables/error_pairs.csv`: the correlation of each two judges' errors). "
        "Agreement among judges is no evidence that they are right.",
    )
    if "juries" in rows and not rows["juries"].empty:
        parts += _part(
            rows,
            "chosen",
            "**Which jury?** All juries of these voters were measured (`tables/juries.csv`). "
            "`kappa_seen` is that of the best one on the items it was picked from, which flatters "
            "it; `kappa` is what picking that way reaches on questions that had no say.",
        )
        eligible = rows["juries"][rows["juries"]["eligible"]]
        for rule, own in eligible.groupby("rule", sort=False):
            best = own.sort_values("kappa", ascending=False, kind="stable").head(SHOWN)
            parts += [
                f"Under `{rule}`, the {len(best)} of highest kappa of the {len(own)} that decide "
                "enough items to be chosen, so flattered:",
                markdown(best),
            ]
        parts += _part(
            rows, "judges", "What each judge adds: its Shapley value over all orders of joining."
        )
    return parts + _part(
        rows,
        "policies",
        "**Asking less.** `sequential_majority` asks the next judge only while the majority is "
        "open and gives the same verdicts; `cyclic_assignment` asks one judge a question and is "
        "for means over many answers. Replayed on the votes above.",
    )


def _part(rows: Mapping[str, pd.DataFrame], name: str, text: str) -> list[str]:
    """Return a table and the words before it, nothing where it has no rows."""
    if name not in rows or rows[name].empty:
        return []
    return [text, markdown(rows[name])]


def _in_words(rows: Mapping[str, pd.DataFrame]) -> str:
    agreement = rows["agreement"]
    measured = agreement[agreement["kappa"].notna()]
    outcomes = rows["outcomes"].set_index("voter")
    # A voter may well have votes, and none of them on an item with a label
    silent = [voter for voter in outcomes.index if not outcomes.get(DECIDED, {}).get(voter, 0)]
    lines = [f"- **{voter}** has no vote here: the table of outcomes says why." for voter in silent]
    if not (agreement["n"] + agreement["missing"]).any():
        none = "No human label says what is right, so no voter is measured against humans."
        return "\n".join([*lines, f"- {none}"])
    lines += [
        f"- **{voter}** has taken no side on an item with a human label."
        for voter in agreement[agreement["n"] == 0]["voter"]
        if voter not in silent
    ]
    lines += [
        f"- **{voter}** and the humans only ever said one and the same thing, which has no kappa."
        for voter in agreement[(agreement["n"] > 0) & agreement["kappa"].isna()]["voter"]
    ]
    singles = measured[measured["kind"] != "jury"]
    if not singles.empty:
        # Of equals the one that `against_best` takes
        best = singles.sort_values(["kappa", "voter"]).iloc[-1]
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
    return "\n".join(lines)


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
