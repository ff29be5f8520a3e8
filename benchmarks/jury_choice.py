"""Simulate whether a search of juries finds true gains, and how often it claims false ones.

    python benchmarks/jury_choice.py
    python benchmarks/jury_choice.py --judges 12 --common 0.3

Judges vote on two answers a question; the truth about every jury is known from a large sample of
the same judges. Under Holm's correction and under step-down max-T it prints the share of runs in
which any jury is claimed to beat the best judge (p < .05) that does not, the family-wise error, and
the share in which any is that does, the power; and how often the interval of the gain
(`jury_validation.chosen`) holds the true gain of the jury chosen over the judge chosen. In the
first case the best jury is exactly as good as the best judge. docs/choose_a_jury.md has the figures
of the defaults.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from functools import cache
from itertools import combinations, product
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
CASES = {"null": "no jury is better", "equal": "equal judges, .80 right"}
NOTHING = 1e-9  # a gain of no more is none
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


@cache
def decisions(order: tuple[int, ...]) -> tuple[list[str], np.ndarray]:
    """Return all juries' names, and by which patterns of right judges each is right.

    By majority, tied ones by the member that comes first in the order. A pattern's bits say which
    judges are right.
    """
    judges = len(order)
    bits = (np.arange(2**judges)[:, None] >> np.arange(judges) & 1).astype(np.float32)
    juries = [
        members for size in range(1, judges + 1) for members in combinations(range(judges), size)
    ]
    right = np.empty((len(juries), len(bits)), bool)
    for row, members in enumerate(juries):
        balance = 2 * bits[:, members].sum(axis=1) - len(members)
        best = next(at for at in order if at in members)
        right[row] = np.where(balance == 0, bits[:, best] == 1, balance > 0)
    return [" + ".join(LETTERS[at] for at in members) for members in juries], right


def truth(accuracy: np.ndarray, common: float) -> dict[str, float]:
    """Return the kappa of every jury by majority, its best judge where it is tied."""
    human, labels = drawn(KNOWN, accuracy, common, np.random.default_rng(987_654))
    right = labels == human[:, None]
    pattern = right @ (1 << np.arange(len(accuracy)))
    times = np.bincount(pattern, minlength=2 ** len(accuracy)).astype(np.float32)
    order = tuple(np.argsort(-accuracy, kind="stable").tolist())
    names, decided = decisions(order)
    shares = np.concatenate(
        [decided[some : some + 256] @ times for some in range(0, len(names), 256)]
    )
    return dict(zip(names, (2 * shares / len(human) - 1).tolist(), strict=True))


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


@dataclass(frozen=True)
class Run:
    """What one simulated search claims at p < .05, by the truth, and its gain.

    Attributes
    ----------
    holm, max_t : pairs of bool
        Whether any jury is claimed to beat the best judge that does not, and any that does.
    gain, low, high, true : float
        Out of bag with its interval; of the jury chosen over the judge chosen in truth.
    """

    holm: tuple[bool, bool]
    max_t: tuple[bool, bool]
    gain: float
    low: float
    high: float
    true: float


def run(
    accuracy: np.ndarray,
    common: float,
    known: dict[str, float],
    questions: int,
    bootstrap: Bootstrap,
) -> Run:
    """Simulate and search once."""
    rng = np.random.default_rng(bootstrap.seed)
    found = search_juries(panel(*drawn(questions, accuracy, common, rng)), bootstrap)
    rows, row = found.juries, found.chosen.iloc[0]
    better = (rows["difference"] > 0).to_numpy()
    gains = rows["jury"].map(known).to_numpy() - known[rows["beside"].iloc[0]]
    holm_, max_t = (
        (bool((claimed & (gains <= NOTHING)).any()), bool((claimed & (gains > NOTHING)).any()))
        for claimed in (
            better & (p < 0.05) for p in (holm(rows["p"].to_numpy()), rows["p_max_t"].to_numpy())
        )
    )
    true = known[row["jury"]] - known[row["judge"]]
    return Run(holm_, max_t, row["gain"], row["gain_low"], row["gain_high"], true)


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--resamples", type=int, default=400)
    parser.add_argument("--judges", type=int, nargs="+", default=[6, 12])
    parser.add_argument("--questions", type=int, nargs="+", default=[100])
    parser.add_argument(
        "--common", type=float, nargs="+", default=[0.3, 0.4], help="share of the errors' variance"
    )
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    options = parser.parse_args()
    print(f"{options.runs} runs a row, {options.resamples} resamples; false and true claims")
    print("| case | common | judges | questions | Holm: false, true | max-T: false, true "
          "| gain covered | gain | true gain |")  # fmt: skip
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for judges, common in product(options.judges, options.common):
        for case in options.cases:
            accuracy = np.full(judges, 0.8) if case == "equal" else null(judges, common)
            known = truth(accuracy, common)
            for questions in options.questions:
                found = [
                    run(accuracy, common, known, questions, Bootstrap(options.resamples, seed))
                    for seed in range(options.runs)
                ]
                claims = [
                    ", ".join(f"{np.mean([one[at] for one in claims]):.3f}" for at in (0, 1))
                    for claims in ([one.holm for one in found], [one.max_t for one in found])
                ]
                covered = np.mean([one.low <= one.true <= one.high for one in found])
                gain, true = (
                    np.mean([getattr(one, name) for one in found]) for name in ("gain", "true")
                )
                print(
                    f"| {CASES[case]} | {common} | {judges} | {questions} | {' | '.join(claims)} "
                    f"| {covered:.3f} | {gain:.3f} | {true:.3f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
