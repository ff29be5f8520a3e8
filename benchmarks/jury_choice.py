"""Simulate whether a search of juries finds true gains, and how often it claims false ones.

    python benchmarks/jury_choice.py

Judges vote on two answers a question; the truth about every jury is known from a large sample of
the same judges. Three tables: the family-wise error of "a jury beats the best judge" where none
does; the chance to find a jury that does, under Holm's correction and under step-down max-T; and
how often the interval of the gain (`jury_validation.chosen`) holds the true gain of the jury chosen
over the judge chosen. docs/choose_a_jury.md has the figures of the defaults.
"""

from __future__ import annotations

import argparse
from itertools import combinations
from math import sqrt

import numpy as np
from scipy.stats import norm

from llm_juries.analysis.jury_search import search_juries
from llm_juries.data.dataset import Dataset
from llm_juries.juries.panel import Panel
from llm_juries.juries.votes import Voter, Votes
from llm_juries.metrics.bootstrap import Bootstrap
from llm_juries.metrics.significance import holm
from llm_juries.types import Item

ANSWERS = 2  # a question
KNOWN = 10_000  # questions from which the truth is known
STEPS = 12  # of the bisection for a judge as good as the best jury
LETTERS = "abcdefghijkl"


def drawn(
    questions: int, accuracy: np.ndarray, common: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return human labels and votes of judges whose latent errors have a common part."""
    n = questions * ANSWERS
    human = (rng.random(n) < 0.5).astype(float)
    shared = np.repeat(rng.normal(size=questions), ANSWERS) + rng.normal(size=n)
    latent = sqrt(common / 2) * shared[:, None]
    latent = latent + sqrt(1 - common) * rng.normal(size=(n, len(accuracy)))
    right = latent < norm.ppf(accuracy)
    return human, np.where(right, human[:, None], 1 - human[:, None])


def panel(human: np.ndarray, labels: np.ndarray) -> Panel:
    """Return votes as a panel."""
    items = tuple(
        Item("simulated", f"q{at // ANSWERS:06}", f"m{at % ANSWERS}", human=true)
        for at, true in enumerate(human)
    )
    voters = tuple(Voter(name, "judge") for name in LETTERS[: labels.shape[1]])
    outcomes = np.full(labels.shape, "ok", "U16")
    return Panel(Dataset("simulated", items), Votes(voters, labels, labels.copy(), outcomes))


def truth(accuracy: np.ndarray, common: float) -> dict[str, float]:
    """Return the kappa of every jury by majority, its best judge where it is tied."""
    human, labels = drawn(KNOWN, accuracy, common, np.random.default_rng(987_654))
    right = (labels == human[:, None]).astype(np.float32)
    order = np.argsort(-accuracy, kind="stable")
    juries = [
        members
        for size in range(1, len(accuracy) + 1)
        for members in combinations(range(len(accuracy)), size)
    ]
    found = {}
    for start in range(0, len(juries), 256):
        some = juries[start : start + 256]
        seats = np.array([[at in members for at in range(len(accuracy))] for members in some])
        balance = 2 * right @ seats.T.astype(np.float32) - seats.sum(axis=1)
        best = [next(at for at in order if at in members) for members in some]
        agreed = np.where(balance == 0, right[:, best], balance > 0).mean(axis=0)
        for members, share in zip(some, agreed, strict=True):
            found[" + ".join(LETTERS[at] for at in members)] = 2 * float(share) - 1
    return found


def null(judges: int, common: float) -> np.ndarray:
    """Return accuracies at which the best jury is no better than the best judge, nor worse."""
    others = np.full(judges - 1, 0.7)
    low, high = 0.7, 0.995
    for _ in range(STEPS):
        best = (low + high) / 2
        values = truth(np.array([best, *others]), common)
        gain = max(value for name, value in values.items() if " + " in name) - values["a"]
        low, high = (best, high) if gain > 1e-9 else (low, best)
    return np.array([high, *others])


def runs(
    accuracy: np.ndarray, common: float, questions: int, number: int, resamples: int
) -> list[tuple[float, float, float, str, str]]:
    """Return of each simulated search what `main` counts."""
    found = []
    for seed in range(number):
        made = panel(*drawn(questions, accuracy, common, np.random.default_rng(seed)))
        searched = search_juries(made, Bootstrap(resamples, seed))
        rows, row = searched.juries, searched.chosen.iloc[0]
        better = (rows["difference"] > 0).to_numpy()
        lowest = [
            np.nanmin(np.where(better, p, np.nan), initial=1.0)
            for p in (holm(rows["p"].to_numpy()), rows["p_max_t"].to_numpy())
        ]
        found.append(
            (*lowest, row["gain"], row["gain_low"], row["gain_high"], row["jury"], row["judge"])
        )
    return found


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--judges", type=int, nargs="+", default=[6, 12])
    parser.add_argument("--questions", type=int, nargs="+", default=[100])
    parser.add_argument("--common", type=float, default=0.3, help="share of the errors' variance")
    options = parser.parse_args()
    print("| case | judges | questions | Holm | max-T | gain covered | gain | true gain |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for judges in options.judges:
        cases = {
            "no jury is better": null(judges, options.common),
            "equal judges, .80": np.full(judges, 0.8),
        }
        for case, accuracy in cases.items():
            known = truth(accuracy, options.common)
            for questions in options.questions:
                found = runs(accuracy, options.common, questions, options.runs, options.resamples)
                true = np.array([known[jury] - known[judge] for *_, jury, judge in found])
                gain, low, high = np.array([row[2:5] for row in found]).T
                claims = [np.mean([row[at] < 0.05 for row in found]) for at in (0, 1)]
                covered = np.mean((low <= true) & (true <= high))
                print(
                    f"| {case} | {judges} | {questions} | {claims[0]:.2f} | {claims[1]:.2f} "
                    f"| {covered:.2f} | {gain.mean():.3f} | {true.mean():.3f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
