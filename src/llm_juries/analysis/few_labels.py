"""Each candidate's accuracy from a voter's verdicts on all answers and human labels on few."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..errors import JuriesError
from ..juries.panel import Panel
from ..metrics import few_labels
from ..metrics.arrays import Array
from ..metrics.bootstrap import Bootstrap
from ..metrics.intervals import Interval, cautions
from .measured import questions_on
from .order import in_order

FEWEST_LABELS = 2  # of a candidate, below which there is no estimate


def corrected(
    panel: Panel, bootstrap: Bootstrap, labelled_questions: int | None = None, width: float = 0.1
) -> pd.DataFrame:
    """Correct each candidate's accuracy under each voter by the human labels there are.

    Parameters
    ----------
    panel : Panel
    bootstrap : Bootstrap
    labelled_questions : int, optional
        Use the labels of this many questions only (random ones, by the bootstrap's seed), to see
        what few labels would give. By default all, and then only where some are missing. A
        jury that learns from labels has still seen them all, unless its own `folds.questions` says
        otherwise.
    width : float
        Of the interval that labels are planned for, from end to end, as a share of 1.

    Returns
    -------
    DataFrame
        A row a voter, candidate and method ("rogan_gladen", "prediction_powered"): dataset, voter,
        kind, candidate, method (str); n, labelled, missing (int); judged, estimate with ci_low and
        ci_high, and humans, the accuracy under all human labels there are (float, NaN where they
        are not all there); labels_alone and labels_beside, how many human labels an interval of the
        width takes on so many answers, alone and beside the voter's verdicts (prediction-powered;
        int, missing where all answers would not do, or too few labels say); caution, why an
        interval is missing or cannot be trusted (str). Empty for pairs, on
        graded and nominal scales, and where every answer has a label.
    """
    human = panel.human
    if not panel.sided or panel.dataset.pairwise or np.isnan(human).all():
        return pd.DataFrame()
    questions = np.asarray(panel.questions)
    if labelled_questions is not None:
        known = np.unique(questions[~np.isnan(human)])
        if not FEWEST_LABELS <= labelled_questions <= len(known):
            raise JuriesError(
                f"labelled_questions: is {labelled_questions}; {panel.dataset.name} has labels on "
                f"{len(known)} questions, set {FEWEST_LABELS} to {len(known)}, or null"
            )
        drawn = np.random.default_rng(bootstrap.seed).permutation(known)[:labelled_questions]
        used = np.where(np.isin(questions, drawn), human, np.nan)
    elif np.isnan(human).any():
        used = human
    else:
        return pd.DataFrame()
    candidates = [item.candidate for item in panel.dataset.items]
    rows = {name: np.array(candidates) == name for name in sorted(set(candidates))}
    truth = {name: human[own].mean() for name, own in rows.items()}
    frames = []
    for at, voter in enumerate(panel.votes.voters):
        labels = panel.votes.labels[:, at]
        for found in (
            few_labels.rogan_gladen(labels, used, candidates, panel.questions, bootstrap.level),
            few_labels.prediction_powered(
                labels, used, candidates, panel.questions, bootstrap.level
            ),
        ):
            table = found.table()
            table.insert(0, "dataset", panel.dataset.name)
            table.insert(1, "voter", voter.name)
            table.insert(2, "kind", voter.kind)
            table["humans"] = table["candidate"].map(truth)
            both = ~np.isnan(labels) & ~np.isnan(used)
            table["caution"] = cautions(
                np.array([questions_on(panel, rows[name] & both) for name in table["candidate"]]),
                Interval(found.value, found.low, found.high),
            )
            needed = [
                _needed(labels[rows[name]], used[rows[name]], width) for name in table["candidate"]
            ]
            table["labels_alone"] = pd.array([alone for alone, _ in needed], dtype="Int64")
            table["labels_beside"] = pd.array([beside for _, beside in needed], dtype="Int64")
            frames.append(table)
    return in_order(pd.concat(frames, ignore_index=True), "candidate", "method")


def _needed(labels: Array, human: Array, width: float) -> tuple[int | None, int | None]:
    """Return how many labels an interval takes, alone and beside the voter."""
    try:
        found = few_labels.labels_needed(labels, human, width)
    except JuriesError:  # too few labels to plan with
        return None, None
    return found.human_alone, found.prediction_powered
