"""How far judges err together, and how many independent votes a panel is worth."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..juries.panel import Panel
from ..metrics import dependence
from ..metrics.bootstrap import Bootstrap
from ..metrics.intervals import Interval, caution, cautions
from .measured import labelled, questions_on

FEW_QUESTIONS = 50  # with fewer, intervals of numbers of votes hold the truth too rarely


def error_pairs(panel: Panel, bootstrap: Bootstrap) -> pd.DataFrame:
    """Measure how far the errors of each two judges go together (see `metrics.dependence`).

    Returns
    -------
    DataFrame
        A row for each two voters that are no juries, by name: dataset, judge, other (str); n, the
        labelled items both voted on, and missing, the others (int); correlation, of their errors,
        with ci_low and ci_high; both_wrong and by_chance, shares of n; ratio, of the two, with
        ratio_low and ratio_high (float); caution, why their intervals are missing or cannot be
        trusted (str). On a nominal scale a vote is right or wrong. Empty without
        human labels, and on graded scales.
    """
    if not labelled(panel) or not (panel.sided or panel.scale.kind == "nominal"):
        return pd.DataFrame()
    labels, human = panel.votes.labels, panel.human
    if not panel.sided:
        known = ~np.isnan(labels) & ~np.isnan(human)[:, None]
        labels = np.where(known, labels == human[:, None], np.nan)
        human = np.where(np.isnan(human), np.nan, 1.0)
    names = sorted(voter.name for voter in panel.votes.voters if voter.kind != "jury")
    columns = [panel.votes.names.index(name) for name in names]
    found = dependence.pair_errors(
        labels[:, columns],
        human,
        panel.clusters,
        bootstrap.level,
    )
    one, other = np.triu_indices(len(names), 1)
    n = found.n[one, other].astype(int)
    voted = ~np.isnan(labels[:, columns]) & ~np.isnan(human)[:, None]
    both = voted[:, one] & voted[:, other]
    questions = np.array([questions_on(panel, rows) for rows in both.T], dtype=np.intp)
    made = {
        "correlation": found.correlation.value,
        "ci_low": found.correlation.low,
        "ci_high": found.correlation.high,
        "both_wrong": found.both_wrong,
        "by_chance": found.by_chance,
        "ratio": found.ratio.value,
        "ratio_low": found.ratio.low,
        "ratio_high": found.ratio.high,
    }
    return pd.DataFrame(
        {
            "dataset": panel.dataset.name,
            "judge": [names[at] for at in one],
            "other": [names[at] for at in other],
            "n": n,
            "missing": int((~np.isnan(panel.human)).sum()) - n,
        }
        | {name: values[one, other] for name, values in made.items()}
        | {"caution": cautions(questions, Interval(*(end[one, other] for end in found.ratio)))}
    )


def effective_votes(panel: Panel, bootstrap: Bootstrap) -> pd.DataFrame:
    """Measure how many votes the judges are worth together (see `metrics.dependence`).

    Returns
    -------
    DataFrame
        A row for all voters that are no juries ("all voters"), and one for each jury of two
        members or more, as a majority whatever its rule is: dataset, jury (str); seats, n, the
        labelled items on which all of them voted, and missing, the others (int);
        mean_correlation of their errors; how many votes they are worth by four definitions:
        effective_votes (Kish's) with ci_low and ci_high, optimal_votes (with the best weights),
        participation_votes (of the eigenvalues) and majority_votes (independent judges with as
        accurate a majority), with _low and _high; independent and observed, the majority's accuracy
        on the n items if they erred independently and as it is; gap, of the two, with gap_low and
        gap_high (float); caution, why an interval of the four is missing or cannot be trusted: with
        fewer than `FEW_QUESTIONS` questions none can (str). An upper end of infinity means that the
        data do not bound it. Empty without human labels, and on graded and nominal scales.
    """
    if not labelled(panel) or not panel.sided:
        return pd.DataFrame()
    singles = tuple(sorted(v.name for v in panel.votes.voters if v.kind != "jury"))
    juries = sorted((v.name, v.members) for v in panel.votes.voters if v.kind == "jury")
    rows = []
    for name, members in [("all voters", singles), *juries]:
        if len(members) < 2:
            continue
        found = dependence.panel_errors(
            panel.votes.columns(tuple(sorted(members))).labels,
            panel.human,
            panel.clusters,
            bootstrap.level,
        )
        rows.append(
            {
                "dataset": panel.dataset.name,
                "jury": name,
                "seats": len(members),
                "n": int(found.n),
                "missing": int((~np.isnan(panel.human)).sum() - found.n),
                "mean_correlation": float(found.mean_correlation.value),
                "effective_votes": float(found.effective_votes.value),
                "ci_low": float(found.effective_votes.low),
                "ci_high": float(found.effective_votes.high),
                **{
                    f"{kind}_votes{end}": float(side)
                    for kind in ("optimal", "participation", "majority")
                    for end, side in zip(
                        ("", "_low", "_high"), getattr(found, f"{kind}_votes"), strict=True
                    )
                },
                "independent": float(found.independent.value),
                "observed": float(found.observed.value),
                "gap": float(found.gap.value),
                "gap_low": float(found.gap.low),
                "gap_high": float(found.gap.high),
                "caution": _caution(found),
            }
        )
    return pd.DataFrame(rows)


def _caution(found: dependence.PanelErrors) -> str:
    """Return what to say of how many votes a panel is worth."""
    for kind in ("effective_votes", "optimal_votes", "participation_votes", "majority_votes"):
        said = caution(found.questions, getattr(found, kind), FEW_QUESTIONS)
        if said != "ok":
            return said if kind == "effective_votes" else f"{kind}: {said}"
    return "ok"
