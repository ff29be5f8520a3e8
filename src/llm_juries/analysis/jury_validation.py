"""What choosing the best of many juries is worth, measured on held-out questions.

The best of thousands of juries is optimistically biased on the items it was chosen on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np
import pandas as pd

from ..errors import JuriesError
from ..metrics import agreement
from ..metrics.agreement import cohen_kappa
from ..metrics.arrays import Array, Index
from ..metrics.bootstrap import Bootstrap
from .jury_patterns import Patterns, first_best, own_counts


def chosen(patterns: Patterns, bootstrap: Bootstrap, folds: int) -> pd.DataFrame:
    """Measure what it is worth to choose the jury with the highest kappa.

    Questions are dealt into folds. For each fold the jury, and the single judge, with the highest
    kappa on the other folds' questions are chosen and measured on the fold's, and the folds' counts
    are added up: this is what to expect of the winner of all items, whatever its kappa on them is.
    Where two are about as good, the one with good luck on the other folds is chosen and so the one
    with bad luck on this one: that errs on the low side, for the judge as for the jury, and more so
    for the one whose choice changes from fold to fold. Intervals resample questions and keep each
    fold's choice.

    Returns
    -------
    DataFrame
        One row: rule (str), folds (int); jury, the winner on all items (str), and its kappa there,
        kappa_seen; n and missing (int), kappa with ci_low and ci_high, of the folds' winners on
        their folds; the same of the best judge as judge, judge_seen, judge_kappa with judge_low and
        judge_high; difference, of the two on the items both decided, with difference_low and
        difference_high (float); chosen and judge_chosen, the folds' winners and how often (str).
    """
    labelled = np.flatnonzero(patterns.counts.sum(axis=1))
    dealt = deal(patterns.counts.shape[0], labelled, folds, bootstrap.seed, patterns.dataset)
    held = patterns.counts.T @ dealt  # (p, folds)
    weights = (patterns.total, patterns.total - held)
    juries = [own_counts(patterns.cells(w)) for w in weights]
    judges = [patterns.judge_counts(w) for w in weights]

    def winners(counts: list[Array]) -> list[list[int]]:
        places = ("on all items", "outside of a fold")
        return [
            [first_best(kappa, place) for kappa in patterns.eligible(own, w).T]
            for own, w, place in zip(counts, weights, places, strict=True)
        ]

    (best_jury,), fold_juries = winners(juries)
    (best_judge,), fold_judges = winners(judges)
    sums = np.zeros((len(dealt), 4, 4))
    for fold, (jury, judge) in enumerate(zip(fold_juries, fold_judges, strict=True)):
        labels = np.stack([patterns.decisions[jury], patterns.voted[judge]], axis=1)
        cells = agreement.outcomes(labels.astype(float), patterns.human.astype(float))
        both = cells.sum(axis=2).all(axis=1)
        cells = np.concatenate([cells, cells * both[:, None, None]], axis=1)
        of_fold = dealt[:, [fold]] * (patterns.counts @ cells.reshape(len(cells), -1))
        sums += of_fold.reshape(sums.shape)

    def kappas(counts: Array) -> Array:
        kappa = cohen_kappa(counts)
        return np.stack([kappa[..., 0], kappa[..., 1], kappa[..., 2] - kappa[..., 3]], axis=-1)

    values, low, high = bootstrap.interval(kappas, sums)
    n = int(sums[:, 0].sum())
    row = {
        "rule": patterns.rule,
        "folds": folds,
        "jury": patterns.juries[best_jury].name,
        "kappa_seen": cohen_kappa(juries[0])[best_jury, 0],
        "n": n,
        "missing": int(patterns.total.sum()) - n,
        "kappa": values[0],
        "ci_low": low[0],
        "ci_high": high[0],
        "judge": patterns.names[best_judge],
        "judge_seen": cohen_kappa(judges[0])[best_judge, 0],
        "judge_kappa": values[1],
        "judge_low": low[1],
        "judge_high": high[1],
        "difference": values[2],
        "difference_low": low[2],
        "difference_high": high[2],
        "chosen": often(patterns.juries[jury].name for jury in fold_juries),
        "judge_chosen": often(patterns.names[judge] for judge in fold_judges),
    }
    return pd.DataFrame([row])


def deal(questions: int, labelled: Index, folds: int, seed: int, dataset: str) -> Array:
    """Deal the labelled questions into folds: ones and zeros of shape (questions, folds)."""
    if len(labelled) < folds:
        raise JuriesError(
            f"folds: {dataset} has {len(labelled)} labelled questions, which can't be "
            f"dealt into {folds} folds; set fewer"
        )
    dealt = np.zeros((questions, folds))
    order = np.random.default_rng(seed).permutation(labelled)
    dealt[order, np.arange(len(order)) % folds] = 1
    return dealt


def often(names: Iterable[str]) -> str:
    """Return names with how often they come, the most frequent first."""
    counts = sorted(Counter(names).items(), key=lambda one: (-one[1], one[0]))
    return ", ".join(f"{name}: {times}" for name, times in counts)
