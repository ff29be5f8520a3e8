"""Time Bradley-Terry intervals, compared with refitting scikit-learn for each resample.

    python benchmarks/ranking.py

Battles are simulated. Both fit the same 1,000 resamples of questions in the same run: ours all of
them, scikit-learn's unpenalised LogisticRegression the first `--refits`, scaled up to all. The
baseline does not get our own reduction to totals per pair: it is timed on the battles themselves,
one weighted row each (and one more per tie), at its default tolerance and at a tight one. Interval
ends are compared over the refitted resamples at the tight tolerance.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from sklearn.linear_model import LogisticRegression

from llm_juries.metrics.arrays import Array
from llm_juries.metrics.bootstrap import Bootstrap
from llm_juries.metrics.intervals import percentile_interval
from llm_juries.metrics.ranking import Battles, Weights, bradley_terry_bootstrap, style_controlled


def simulated(battles: int, models: int, a_question: int, seed: int) -> tuple[Battles, Array]:
    """Return battles, a fifth of them ties, and four differences of style that sway them."""
    rng = np.random.default_rng(seed)
    strength = rng.normal(size=models)
    first = rng.integers(models, size=battles)
    second = (first + rng.integers(1, models, size=battles)) % models
    style = rng.normal(size=(battles, 4))
    odds = strength[first] - strength[second] + style @ [0.3, 0.1, 0.0, -0.1]
    score = (rng.random(battles) < 1 / (1 + np.exp(-odds))).astype(float)
    score[rng.random(battles) < 0.2] = 0.5
    names = tuple(f"model_{n:03}" for n in range(models))
    return Battles(names, first, second, score, np.arange(battles) // a_question), style


def refits(battles: Battles, beside: Array, times: Array, tolerance: float) -> tuple[Array, float]:
    """Return what scikit-learn finds for each resample's row of weights, and seconds a fit."""
    n, m = len(battles.score), len(battles.models)
    design = np.zeros((n, m))
    design[np.arange(n), battles.first] = 1.0
    design[np.arange(n), battles.second] = -1.0
    design = np.hstack([design, beside])
    tie = battles.score == 0.5
    rows = np.concatenate([design, design[tie]])
    outcome = np.concatenate([np.where(tie, 1.0, battles.score), np.zeros(tie.sum())])
    half = np.concatenate([np.where(tie, 0.5, 1.0), np.full(tie.sum(), 0.5)])
    found = []
    started = time.perf_counter()
    for row in times:
        weight = np.concatenate([row, row[tie]]) * half
        model = LogisticRegression(C=np.inf, fit_intercept=False, tol=tolerance, max_iter=10_000)
        drawn = weight > 0
        found.append(model.fit(rows[drawn], outcome[drawn], sample_weight=weight[drawn]).coef_[0])
    seconds = (time.perf_counter() - started) / len(times)
    strengths = np.array(found)[:, :m]
    return strengths - strengths.mean(axis=1, keepdims=True), seconds


def report(
    name: str, battles: Battles, beside: Array, ours: Array, spent: float, fits: int
) -> None:
    """Print the ratio of times and the difference of interval ends."""
    _, question = np.unique(np.asarray(battles.clusters), return_inverse=True)
    times = next(Bootstrap(len(ours)).weights(int(question.max()) + 1))[:fits][:, question]
    print(
        f"\n{name}: {len(ours)} resamples in {spent:.2f} s, {1e3 * spent / len(ours):.2f} ms each"
    )
    for label, tolerance in (("default tolerance (1e-4)", 1e-4), ("tolerance 1e-8", 1e-8)):
        theirs, seconds = refits(battles, beside, times, tolerance)
        ends = zip(percentile_interval(ours[:fits]), percentile_interval(theirs), strict=True)
        low, high = percentile_interval(ours)
        off = max(float((np.abs(own - other) / (high - low)).max()) for own, other in ends)
        print(
            f"  scikit-learn, {label}: {seconds:.3f} s a fit over {len(times)} fits, scaled up "
            f"{seconds * len(ours):.0f} s; ratio {seconds * len(ours) / spent:.0f}x; interval ends "
            f"differ by at most {off:.1e} of the interval's width"
        )


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--battles", type=int, default=50_000)
    parser.add_argument("--models", type=int, default=20)
    parser.add_argument("--a-question", type=int, default=5, help="battles per question")
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--refits", type=int, default=20)
    options = parser.parse_args()
    battles, style = simulated(options.battles, options.models, options.a_question, 0)
    print(
        f"{options.battles} simulated battles of {options.models} models, "
        f"{options.a_question} a question; scikit-learn's time is scaled up from "
        f"{options.refits} refits to {options.resamples}"
    )
    bradley_terry_bootstrap(battles, Weights(), Bootstrap(2))  # imports are not what is timed
    started = time.perf_counter()
    found = bradley_terry_bootstrap(battles, Weights(), Bootstrap(options.resamples)).draws
    spent = time.perf_counter() - started
    report("Bradley-Terry", battles, style[:, :0], found, spent, options.refits)
    started = time.perf_counter()
    found = style_controlled(battles, style, Weights(), Bootstrap(options.resamples)).ranking.draws
    spent = time.perf_counter() - started
    report("with style controlled", battles, style, found, spent, options.refits)


if __name__ == "__main__":
    main()
