"""Whether judges favour answers of their own family (Panickssery et al. 2024, arXiv 2404.13076).

Three views of it: how far each judge is from the humans on each family's answers, with a test; what
is left of it once answers and judges are held fixed in a regression; and how unevenly a judge
treats candidates at all, which is what the PoLL paper's standard deviations are about.

A judge that overrates its own family may be lenient to good writing from any model: the delta of a
single judge cannot separate the two. The regression compares it with judges of other families on
the same answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import JuriesError
from . import agreement
from .arrays import Array, Index, Labels, numbered, ratio
from .bias import accuracy_deltas
from .bootstrap import Bootstrap, cluster_sums
from .intervals import Interval, additive, cluster_t, imagined_size
from .logistic import conditional_logit
from .significance import holm

if TYPE_CHECKING:
    import pandas as pd


def family_of(candidates: Sequence[str], families: Mapping[str, str]) -> list[str]:
    """Return the family of each answer's candidate.

    Raises
    ------
    JuriesError
        If a candidate is not in the mapping; "" means no family.
    """
    for candidate in sorted({str(name) for name in candidates} - set(families)):
        raise JuriesError(
            f'candidate_families: {candidate!r} is missing; give its family, or "" for none'
        )
    return [families[str(name)] for name in candidates]


def family_deltas(
    labels: Array,
    human: Array,
    families: Sequence[str],
    clusters: Labels,
    judges: Sequence[str],
    judge_families: Sequence[str],
    level: float = 0.95,
    levels: Sequence[float] = (0.0, 1.0),
) -> pd.DataFrame:
    """Compare each judge's accuracies with the humans' on the answers of each family.

    Parameters
    ----------
    labels : array of shape (n, k)
        Votes, 1.0 or 0.0, NaN where missing.
    human : array of shape (n,)
    families : sequence of n names
        The family of each answer; "" for none, which is a group of its own.
    clusters : sequence of n labels
        The question of each answer.
    judges, judge_families : sequences of k names
    level, levels
        See `metrics.bias.accuracy_deltas`.

    Returns
    -------
    DataFrame
        A row a judge and family: judge, judge_family, family (str); own (bool); n, the answers with
        both labels (int); judged, human, delta = judged - human with ci_low and ci_high (float,
        shares of 1); p, of a t test that the delta is zero, with a variance clustered by question
        (Liang and Zeger 1986), and p_holm, adjusted for all rows (Holm 1979). An interval is not
        adjusted, so it may leave zero out where p_holm is large.
    """
    import pandas as pd
    from scipy.stats import t

    found = accuracy_deltas(labels, human, families, clusters, level, levels)
    own = np.asarray(families)[:, None] == np.array(found.candidates)
    error = (labels - human[:, None])[:, None, :] + np.where(own, 0.0, np.nan)[:, :, None]
    z, questions = _clustered_t(error, clusters)
    with np.errstate(invalid="ignore"):
        p = 2 * t.sf(np.abs(z), questions - 1)
    rows = pd.DataFrame(
        [
            {
                "judge": str(judge),
                "judge_family": str(judge_families[at]),
                "family": family,
                "own": bool(family) and family == judge_families[at],
                "n": int(found.n[row, at]),
                "judged": found.judged[row, at],
                "human": found.human[row, at],
                "delta": found.delta[row, at],
                "ci_low": found.low[row, at],
                "ci_high": found.high[row, at],
                "p": p[row, at],
            }
            for at, judge in enumerate(judges)
            for row, family in enumerate(found.candidates)
        ]
    )
    rows["p_holm"] = holm(rows["p"].to_numpy())
    return rows.sort_values(["judge", "family"]).reset_index(drop=True)


def _clustered_t(values: Array, clusters: Labels) -> tuple[Array, Array]:
    """Return the t statistic of each column's mean, and the clusters it was taken over.

    The variance is the sum of squares of the clusters' residual sums, times c / (c - 1), as in a
    regression on a constant. NaN where there are fewer than two clusters or no variance.
    """
    cast = ~np.isnan(values)
    sums = cluster_sums(np.stack([cast, np.nan_to_num(values)], axis=-1), clusters)
    n, total = sums.sum(axis=0)[..., 0], sums.sum(axis=0)[..., 1]
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = total / n
        residual = ((sums[..., 1] - mean * sums[..., 0]) ** 2).sum(axis=0)
        number = (sums[..., 0] > 0).sum(axis=0).astype(float)
        error = np.sqrt(residual * number / (number - 1)) / n
        return np.where(error > 0, mean / error, np.nan), number


@dataclass(frozen=True)
class Preference:
    """What belonging to a judge's own family adds to the chance of its positive vote.

    `own` with `low` and `high` are shares of 1; `judge` is "all" for the common effect. `n` counts
    the votes on answers of the judge's own family that it stands on, `votes` all in the regression.
    `placebo` is the share of placebos whose effect is at least as large: each single judge beside
    each other family, taken as if it were its own. `odds` with `odds_low` and `odds_high` is the
    odds ratio of a conditional logit in place of the linear model.
    """

    judge: str
    own: float
    low: float
    high: float
    p: float
    n: int
    votes: int
    placebo: float = np.nan
    odds: float = np.nan
    odds_low: float = np.nan
    odds_high: float = np.nan


def preference_regression(
    labels: Array,
    human: Array,
    items: Sequence[Any],
    families: Sequence[str],
    clusters: Labels,
    judges: Sequence[str],
    judge_families: Sequence[str],
    level: float = 0.95,
    candidates: Sequence[str] | None = None,
) -> list[Preference]:
    """Estimate self-preference by a linear regression of votes.

    The vote of judge j on answer i is explained by an effect of each answer (so: of its question,
    its candidate and its true quality), by an effect of each judge on answers that humans call
    right and one on those they call wrong (so that a lenient judge is not taken for a partial one),
    and by whether the answer is of the judge's own family. The last is what is reported, once for
    all judges together and, from a second regression, for each judge (where they can be told
    apart). Effects of answers are taken
    out by demeaning (Frisch and Waugh 1933); standard errors are clustered by question.

    It compares with the other judges: where they favour the same answers, for any reason, that is
    not seen as the judge's own. And what goes with being of the family is taken for it: if the own
    family of a lenient or sharp judge gives better or clearer answers than others, its p value is
    small with no preference at all. So the effect is set beside those of placebos, in which each
    judge has in turn each of the other families as its own, and beside a conditional logit
    (Chamberlain 1980), in which leniency shifts log-odds, not shares. Votes without a human label
    are left out, and so are answers with one vote, which compare nothing.

    Parameters
    ----------
    labels : array of shape (n, k)
    human : array of shape (n,)
    items : sequence of n labels
        What is held fixed: each answer, in the simplest case the numbers 0 to n - 1. Equal labels
        (such as the questions) share an effect.
    families : sequence of n names
    clusters : sequence of n labels
    judges, judge_families : sequences of k names
    level : float
    candidates : sequence of n names, optional
        Who gave each answer: placebos are single candidates, else families.

    Raises
    ------
    JuriesError
        If no judge voted on an answer of its own family beside another judge, or what it adds can't
        be told from the other effects.
    """
    from scipy.stats import t
    from statsmodels.regression.linear_model import OLS

    row, column = np.nonzero(~np.isnan(labels) & ~np.isnan(human)[:, None])
    _, item = np.unique(np.asarray(items), return_inverse=True)
    several = np.bincount(item[row], minlength=item.max() + 1)[item[row]] > 1
    row, column = row[several], column[several]
    makers = np.asarray(judge_families)[column]
    own = (np.asarray(families)[row] == makers) & (makers != "")
    if not own.any():
        raise JuriesError(
            "self-preference: no judge voted on an answer of its own family beside another judge"
        )
    _, group = np.unique(item[row], return_inverse=True)
    seats = np.eye(labels.shape[1])[column]
    control = np.column_stack(
        [seats * (human[row] == 1)[:, None], seats * (human[row] == 0)[:, None]]
    )
    controls = _demeaned(control, group)
    controls = controls[:, _independent(controls)]
    y = _demeaned(labels[row, column][:, None], group)[:, 0]
    _, question = numbered(clusters)
    partial = [at for at in range(labels.shape[1]) if own[column == at].any()]

    def fitted(indicators: Array, names: Sequence[str], counts: Sequence[int]) -> list[Preference]:
        inner = _demeaned(indicators, group)
        design = np.column_stack([inner, controls])
        if np.linalg.matrix_rank(design) < design.shape[1]:
            return []
        model = OLS(y, design).fit(
            cov_type="cluster", cov_kwds={"groups": question[row]}, use_t=True
        )
        freedom = len(np.unique(question[row])) - 1
        half = t.ppf((1 + level) / 2, freedom) * model.bse
        return [
            Preference(
                name,
                float(model.params[at]),
                float(model.params[at] - half[at]),
                float(model.params[at] + half[at]),
                float(2 * t.sf(abs(model.params[at] / model.bse[at]), freedom)),
                counts[at],
                len(y),
            )
            for at, name in enumerate(names)
        ]

    everyone = fitted(own[:, None].astype(float), ["all"], [int(own.sum())])
    if not everyone:
        raise JuriesError(
            "self-preference: favouring the own family cannot be separated from leniency here; "
            " add a judge of another family, or answers of other families"
        )
    single = np.column_stack([own & (column == at) for at in partial]).astype(float)
    each = fitted(single, [str(judges[at]) for at in partial], [int(n) for n in single.sum(axis=0)])

    made = np.asarray(families if candidates is None else candidates)[row]
    others = [
        (column == at) & (made == who) & ~own
        for at in range(labels.shape[1])
        for who in np.unique(made)
    ]
    columns = np.column_stack([single, *[one for one in others if one.any()]]).astype(float)
    t_values = np.abs(_t_alone(y, controls, _demeaned(columns, group), question[row]))
    placebos = t_values[len(partial) :]
    placebos = placebos[~np.isnan(placebos)]
    shares = {
        str(judges[at]): (1 + int((placebos >= size).sum())) / (1 + len(placebos))
        for at, size in zip(partial, t_values, strict=False)
        if len(placebos) and not np.isnan(size)
    }

    def with_odds(effects: list[Preference], indicators: Array) -> list[Preference]:
        """Return effects with odds ratios, of one model of all of them."""
        design = np.column_stack([indicators, control]).astype(float)
        design = design[:, _independent(_demeaned(design, group))]
        beta, error = conditional_logit(labels[row, column], design, group, question[row])
        reach = t.ppf((1 + level) / 2, len(np.unique(question[row])) - 1) * error
        return [
            replace(
                one,
                placebo=shares.get(one.judge, np.nan),
                odds=float(np.exp(beta[at])),
                odds_low=float(np.exp(beta[at] - reach[at])),
                odds_high=float(np.exp(beta[at] + reach[at])),
            )
            for at, one in enumerate(effects)
        ]

    everyone = with_odds(everyone, own[:, None].astype(float))
    each = with_odds(each, single) if each else each
    return [*everyone, *sorted(each, key=lambda one: one.judge)]


def _t_alone(y: Array, controls: Array, columns: Array, clusters: Index) -> Array:
    """Return the cluster-robust t value of each column, each in a regression of its own.

    NaN for a column that is a combination of the controls.
    """
    basis, _ = np.linalg.qr(controls)
    rest = columns - basis @ (basis.T @ columns)
    left = y - basis @ (basis.T @ y)
    size = (rest**2).sum(axis=0)
    able = size > 1e-9 * np.maximum((columns**2).sum(axis=0), 1e-300)
    beta = ratio(np.where(able, rest.T @ left, 0.0), np.where(able, size, 0.0))
    scores = rest * (left[:, None] - rest * np.nan_to_num(beta))
    sums = np.zeros((clusters.max() + 1, columns.shape[1]))
    np.add.at(sums, clusters, scores)
    return ratio(beta * size, np.sqrt((sums**2).sum(axis=0)))


def _demeaned(columns: Array, group: Index) -> Array:
    """Return columns less their means within each group."""
    sums = np.zeros((group.max() + 1, columns.shape[1]))
    np.add.at(sums, group, columns)
    means: Array = sums / np.bincount(group)[:, None]
    return columns - means[group]


def _independent(columns: Array) -> list[int]:
    """Return which columns are no combination of columns before them."""
    kept: list[int] = []
    for at in range(columns.shape[1]):
        if np.linalg.matrix_rank(columns[:, [*kept, at]]) > len(kept):
            kept.append(at)
    return kept


def spread(
    labels: Array,
    human: Array,
    candidates: Sequence[str],
    clusters: Labels,
    bootstrap: Bootstrap,
) -> Interval:
    """Return the standard deviation over candidates of each voter's deltas, with its interval.

    The number that the PoLL paper prints beside Figures 3 and 4. Which of the two it is is not
    known; this is the one that divides by the number of candidates less one. Chance alone spreads
    deltas, so with few answers a candidate it is too high, and more so in the resamples of its
    interval.

    Parameters
    ----------
    labels : array of shape (n, k)
    human : array of shape (n,)
    candidates, clusters : sequences of n labels
    bootstrap : Bootstrap

    Returns
    -------
    Interval of arrays of shape (k,)
        Shares of 1. NaN where a candidate has no answer with both labels.
    """
    names, index = np.unique(np.asarray(candidates), return_inverse=True)
    error = labels - human[:, None]
    cells = np.stack([~np.isnan(error), np.nan_to_num(error)], axis=-1)
    own = np.eye(len(names))[index]
    sums = cluster_sums(own[:, :, None, None] * cells[:, None], clusters)

    def deviation(totals: Array) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            found: Array = (totals[..., 1] / totals[..., 0]).std(axis=-2, ddof=1)
        return found

    return bootstrap.interval(deviation, sums)


def candidate_rates(
    labels: Array,
    human: Array,
    candidates: Sequence[str],
    clusters: Labels,
    voters: Sequence[str],
    level: float = 0.95,
) -> pd.DataFrame:
    """Measure how many of each candidate's right and wrong answers a voter recognises.

    Returns
    -------
    DataFrame
        A row a voter and candidate: voter, candidate (str); positives and negatives, the answers
        with both labels that humans call right or wrong (int); tpr and tnr, each with _low and
        _high (float, NaN where there are none).
    """
    import pandas as pd

    names, index = np.unique(np.asarray(candidates), return_inverse=True)
    own = np.eye(len(names))[index]
    cells = agreement.outcomes(labels, human)
    sums = cluster_sums(own[:, :, None, None] * cells[:, None], clusters)
    total = sums.sum(axis=0)

    def rates(totals: Array) -> Array:
        return np.stack(
            [agreement.true_positive_rate(totals), agreement.true_negative_rate(totals)], axis=-1
        )

    cells = imagined_size(sums.sum(axis=-1))[..., None] * np.eye(4)[:, None, None, :]
    used = np.stack(
        [
            sums[..., [agreement.TP, agreement.FN]].any(axis=-1),
            sums[..., [agreement.FP, agreement.TN]].any(axis=-1),
        ],
        axis=-1,
    )
    value, low, high = cluster_t(additive(sums, rates, cells, used), "logit", level)
    return pd.DataFrame(
        [
            {
                "voter": str(voter),
                "candidate": str(candidate),
                "positives": int(total[row, at, agreement.TP] + total[row, at, agreement.FN]),
                "negatives": int(total[row, at, agreement.FP] + total[row, at, agreement.TN]),
                "tpr": value[row, at, 0],
                "tpr_low": low[row, at, 0],
                "tpr_high": high[row, at, 0],
                "tnr": value[row, at, 1],
                "tnr_low": low[row, at, 1],
                "tnr_high": high[row, at, 1],
            }
            for at, voter in enumerate(voters)
            for row, candidate in enumerate(names)
        ]
    )
