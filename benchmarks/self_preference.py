"""Simulate how often a judge seems to favour its own family where no judge does.

    python benchmarks/self_preference.py

Each judge has a family, each family a candidate that answers every question. A judge says yes where
an answer's quality, as the judge sees it, is above its own bar; it never knows whose answer it is.
But lenient judges have better families, so family goes with quality and leniency, as it may among
real models. Shares of runs: some judge with p below .05; some with p_holm below .05; some with that
and a placebo of at most .1, as docs/few_labels.md advises; and the row of all judges.
"""

from __future__ import annotations

import argparse

import numpy as np

from llm_juries.metrics.self_preference import preference_regression
from llm_juries.metrics.significance import holm

LEVEL, PLACEBO = 0.05, 0.1


def drawn(
    questions: int, judges: int, confounded: bool, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, list[str], np.ndarray]:
    """Return votes, human labels, families and questions of answers."""
    mean_quality = np.linspace(-0.7, 0.7, judges)  # the mean quality of each family's answers
    bar = -mean_quality if confounded else rng.permutation(mean_quality)
    quality = (
        rng.normal(0, 0.7, (questions, 1)) + mean_quality + rng.normal(size=(questions, judges))
    )
    quality = quality.ravel()
    human = (quality + rng.normal(0, 0.5, len(quality)) > 0).astype(float)
    seen = quality[:, None] + rng.normal(0, 0.7, (len(quality), judges))
    families = [f"family_{at}" for at in range(judges)] * questions
    return (seen > bar).astype(float), human, families, np.repeat(np.arange(questions), judges)


def found(made: tuple[np.ndarray, np.ndarray, list[str], np.ndarray]) -> list[bool]:
    """Return whether each of the claims that `main` counts is made."""
    labels, human, families, clusters = made
    judges = labels.shape[1]
    rows = preference_regression(
        labels,
        human,
        np.arange(len(human)),
        families,
        clusters,
        [f"judge_{at}" for at in range(judges)],
        [f"family_{at}" for at in range(judges)],
    )
    single = [row for row in rows if row.judge != "all"]
    p = np.array([row.p for row in single])
    corrected, placebo = holm(p), np.array([row.placebo for row in single])
    favour = np.array([row.own > 0 for row in single])
    pooled = next(row.p for row in rows if row.judge == "all")
    return [
        bool((favour & (p < LEVEL)).any()),
        bool((favour & (corrected < LEVEL)).any()),
        bool((favour & (corrected < LEVEL) & (placebo <= PLACEBO)).any()),
        pooled < LEVEL,
    ]


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--judges", type=int, default=5)
    parser.add_argument("--questions", type=int, nargs="+", default=[100])
    given = parser.parse_args()
    print("| case | questions | runs | some p | some p_holm | and placebo | all judges |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for case in ("lenient judges have better families", "no such pattern"):
        for questions in given.questions:
            claims = [
                found(drawn(questions, given.judges, case != "no such pattern", rng))
                for rng in map(np.random.default_rng, range(given.runs))
            ]
            shares = " | ".join(f"{share:.2f}" for share in np.mean(claims, axis=0))
            print(f"| {case} | {questions} | {given.runs} | {shares} |", flush=True)


if __name__ == "__main__":
    main()
