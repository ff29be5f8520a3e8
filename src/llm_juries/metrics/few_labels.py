"""Each candidate's accuracy from judged labels on all items and human labels on few.

A judge's own count of correct answers is off by its errors. Two ways correct it, with intervals:

* Rogan and Gladen (1978): divide the errors out, given the judge's true positive and true negative
  rates. For LLM judges: Lee et al. 2025 (arXiv 2511.21140). It needs a judge much better than
  chance, and rates that hold on the items without human labels too.
* Prediction-powered inference (Angelopoulos et al. 2023, Science 382; its power-tuned form,
  arXiv 2311.01453): the judged mean plus the mean error on the labelled items. It needs no more
  than that the labelled items are a random sample, and is never much wider than human labels alone.

Both take the labelled items to be a random draw. Labels of the hard cases only make both wrong.

With few labels a judge may have made no error on them, and normal intervals are far too narrow. So
both intervals have Student's t and four imagined labels, two that the judge has right and two that
it has wrong.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..errors import JuriesError
from . import agreement
from .arrays import Array, Labels, numbered, ratio
from .bootstrap import cluster_sums
from .intervals import Interval, additive, cluster_t, imagined_size

if TYPE_CHECKING:
    import pandas as pd

IMAGINED_LABELS = 4.0  # two right, two wrong


@dataclass(frozen=True)
class CorrectedAccuracies:
    """Accuracies of c candidates under one judge, corrected; arrays have the shape (c,).

    `n` counts the judged items, `labelled` those of them with a human label, `missing` those with
    no judged label, which the estimates leave out. `judged` is the judge's own share of correct
    answers. NaN where there is no estimate.
    """

    method: str
    candidates: tuple[str, ...]
    n: npt.NDArray[np.int64]
    labelled: npt.NDArray[np.int64]
    missing: npt.NDArray[np.int64]
    judged: Array
    value: Array
    low: Array
    high: Array

    def table(self) -> pd.DataFrame:
        """Return a row a candidate."""
        import pandas as pd

        return pd.DataFrame(
            {
                "candidate": self.candidates,
                "method": self.method,
                "n": self.n,
                "labelled": self.labelled,
                "missing": self.missing,
                "judged": self.judged,
                "estimate": self.value,
                "ci_low": self.low,
                "ci_high": self.high,
            }
        )


def rogan_gladen_rate(judged: Array, tpr: Array, tnr: Array) -> Array:
    """Return the true share of positives behind a judged share (Rogan and Gladen 1978, eq. 1).

    Cut off at 0 and 1; NaN where the judge is no better than chance, as there is nothing to divide
    by. All arguments have a common shape.
    """
    return np.clip(_uncut_rate(judged, tpr, tnr), 0, 1)


def _uncut_rate(judged: Array, tpr: Array, tnr: Array) -> Array:
    return ratio(judged + tnr - 1, tpr + tnr - 1)


def rogan_gladen(
    labels: Array,
    human: Array,
    candidates: Sequence[str],
    clusters: Labels,
    level: float = 0.95,
    *,
    common_rates: bool = False,
) -> CorrectedAccuracies:
    """Correct each candidate's judged accuracy by the judge's error rates.

    The interval is the cluster-robust t interval of the whole formula, with the judged share and
    the rates of the same questions.

    Parameters
    ----------
    labels : array of shape (n,)
        One judge's votes, 1.0 or 0.0, NaN where missing.
    human : array of shape (n,)
        NaN where there is none.
    candidates : sequence of n names
    clusters : sequence of n labels
        The question of each item.
    level : float
        Of the interval.
    common_rates : bool
        Take the judge's rates over all candidates. Needs fewer labels, and is wrong where a judge
        favours a candidate.
    """
    names, index = np.unique(np.asarray(candidates), return_inverse=True)
    cast = ~np.isnan(labels)
    cells = agreement.outcomes(labels[:, None], human)[:, 0]
    stacked = np.column_stack([cast, np.nan_to_num(labels), cells])
    own = np.eye(len(names))[index]
    sums = cluster_sums(own[:, :, None] * stacked[:, None], clusters)

    def rate(totals: Array) -> Array:
        counts = totals[..., 2:]
        if common_rates:
            counts = counts.sum(axis=-2, keepdims=True)
        with np.errstate(divide="ignore", invalid="ignore"):
            judged = totals[..., 1] / totals[..., 0]
        return _uncut_rate(
            judged, agreement.true_positive_rate(counts), agreement.true_negative_rate(counts)
        )

    method = "rogan_gladen_common_rates" if common_rates else "rogan_gladen"
    known = sums[..., 2:].sum(axis=-1)
    one = np.hstack([np.zeros((4, 2)), np.eye(4)])  # labels only: the judged share is of the data
    share = 1 / len(names) if common_rates else 1.0
    imagined = share * imagined_size(known)[:, None] * one[:, None]
    used = sums[..., 0] > 0  # the judged share varies with questions that have no label, too
    if common_rates:
        used = np.broadcast_to(used.any(axis=1, keepdims=True), used.shape)
    bound = additive(sums, rate, imagined, used)
    found = cluster_t(bound, "logit", level, imagined=IMAGINED_LABELS)
    found = found._replace(value=np.clip(found.value, 0, 1))
    return _corrected(method, names, index, labels, human, found)


def prediction_powered(
    labels: Array,
    human: Array,
    candidates: Sequence[str],
    clusters: Labels,
    level: float = 0.95,
) -> CorrectedAccuracies:
    """Correct each candidate's judged accuracy by the judge's mean error on labelled items.

    By ppi_py, power-tuned; its interval with the imagined labels, and with Student's t in place of
    the normal's quantile. NaN where a candidate has fewer than two labelled or unlabelled items.

    Parameters
    ----------
    labels, human, candidates, clusters
        See `rogan_gladen`.
    level : float

    Raises
    ------
    JuriesError
        If a candidate has two items of one question: the interval takes them to be independent.
    """
    names, index = np.unique(np.asarray(candidates), return_inverse=True)
    _, questions = numbered(clusters)
    pairs, times = np.unique(np.stack([index, questions]), axis=1, return_counts=True)
    if (times > 1).any():
        at, which = pairs[:, times > 1][:, 0]
        question = str(np.unique(np.asarray(clusters))[which])
        raise JuriesError(
            f"prediction_powered: {str(names[at])!r} has several items of question {question!r}, "
            "which are not independent; keep one"
        )
    from scipy import stats

    with warnings.catch_warnings():  # ppi_py turns all warnings off for good as it is imported
        try:
            from ppi_py import ppi_mean_ci, ppi_mean_pointestimate
        except ImportError:
            raise JuriesError(
                "prediction_powered: needs the extra 'aggregation' "
                "(pip install 'llm-juries[aggregation]')"
            ) from None

    value, low, high = (np.full(len(names), np.nan) for _ in range(3))
    cast, known = ~np.isnan(labels), ~np.isnan(human)
    for at in range(len(names)):
        with_label, without = cast & known & (index == at), cast & ~known & (index == at)
        if with_label.sum() < 2 or without.sum() < 2:
            continue
        data = human[with_label], labels[with_label], labels[without]
        # A judge that only says one thing leaves nothing to tune: human labels alone.
        power = 0.0 if np.ptp(np.concatenate(data[1:])) == 0 else None
        value[at] = float(np.squeeze(ppi_mean_pointestimate(*data, lam=power)))
        more = np.append(data[0], [1.0, 0.0, 1.0, 0.0]), np.append(data[1], [1.0, 0.0, 0.0, 1.0])
        normal = [float(np.squeeze(end)) for end in ppi_mean_ci(*more, data[2], alpha=1 - level)]
        wider = stats.t.ppf((1 + level) / 2, with_label.sum() - 1) / stats.norm.ppf((1 + level) / 2)
        middle, reach = sum(normal) / 2, wider * (normal[1] - normal[0]) / 2
        low[at] = max(0.0, min(middle - reach, value[at]))
        high[at] = min(1.0, max(middle + reach, value[at]))
    return _corrected("prediction_powered", names, index, labels, human, Interval(value, low, high))


def _corrected(
    method: str,
    names: npt.NDArray[np.str_],
    index: npt.NDArray[np.int64],
    labels: Array,
    human: Array,
    accuracy: Interval,
) -> CorrectedAccuracies:
    """Return estimates with the counts they stand on."""
    cast = ~np.isnan(labels)

    def count(rows: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
        return np.bincount(index, rows, len(names)).astype(np.int64)

    n = count(cast)
    with np.errstate(divide="ignore", invalid="ignore"):
        judged = count(labels == 1) / n
    labelled, missing = count(cast & ~np.isnan(human)), count(~cast)
    called = tuple(str(name) for name in names)
    return CorrectedAccuracies(method, called, n, labelled, missing, judged, *accuracy)


@dataclass(frozen=True)
class LabelsNeeded:
    """How many human labels an interval of some width takes; None where all items don't suffice.

    Attributes
    ----------
    width : float
        From end to end, as a share of 1.
    items : int
        Items with a judged label, those that get a human label among them.
    human_alone, prediction_powered : int or None
    correlation : float
        Of judged and human labels in the pilot: what the judge is worth.
    """

    width: float
    items: int
    human_alone: int | None
    prediction_powered: int | None
    correlation: float


def labels_needed(
    labels: Array, human: Array, width: float, items: int | None = None, level: float = 0.95
) -> LabelsNeeded:
    """Plan how many items people must label for an interval of a width, from a pilot.

    The variance of the power-tuned estimate from m human labels and N further judged items is

        (var(y) - 2 p cov(y, f) + p^2 var(f)) / m + p^2 var(f) / N,
        p = cov(y, f) / (var(f) (1 + m / N)), cut off at 0 and 1

    (Angelopoulos, Duchi and Zrnic 2023, arXiv 2311.01453, section 6), with y the human and f the
    judged labels; p = 0 is human labels alone. A pilot of a few dozen labels gives a rough answer.

    Parameters
    ----------
    labels, human : arrays of shape (n,)
        One judge's votes and the human labels there are, NaN where missing.
    width : float
    items : int, optional
        How many judged items there will be; as many as in the pilot by default.
    level : float

    Raises
    ------
    JuriesError
        If the width is not in (0, 1), or the pilot's human labels are fewer than two or all alike.
    """
    from scipy.stats import norm

    if not 0 < width < 1:
        raise JuriesError(f"labels_needed: width is {width}; set a share between 0 and 1")
    cast = ~np.isnan(labels)
    both = cast & ~np.isnan(human)
    if both.sum() < 2 or np.ptp(human[both]) == 0:
        raise JuriesError(
            f"labels_needed: the pilot's {int(both.sum())} human labels are too few, or all alike, "
            "to plan with; label more items"
        )
    items = int(cast.sum()) if items is None else items
    (var_y, cov), (_, var_f) = np.cov(human[both], labels[both])
    z = float(norm.ppf((1 + level) / 2))
    human_labels = np.arange(2, items + 1)
    others = items - human_labels
    with np.errstate(divide="ignore", invalid="ignore"):
        power = np.clip(np.nan_to_num(cov / (var_f * (1 + human_labels / others))), 0, 1)
        judged = np.where(others > 0, power**2 * var_f / others, 0.0)
    tuned = (var_y - 2 * power * cov + power**2 * var_f) / human_labels + judged

    def fewest(variance: Array) -> int | None:
        enough = np.flatnonzero(2 * z * np.sqrt(variance) <= width)
        return int(human_labels[enough[0]]) if len(enough) else None

    return LabelsNeeded(
        width,
        items,
        fewest(var_y / human_labels),
        fewest(tuned),
        float(cov / np.sqrt(var_y * var_f)) if var_f > 0 else float("nan"),
    )
