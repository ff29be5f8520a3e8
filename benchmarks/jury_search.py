"""Time a search over all juries, compared with a plain loop over scikit-learn's kappa.

    python benchmarks/jury_search.py

Simulated judges with correlated errors vote on several answers to each question; a few votes are
missing. The loop lets a jury decide with the package's own rule, then takes the items of each
resample's questions and calls `cohen_kappa_score`. It would take days for all juries, so it is
timed for a few juries and resamples and scaled up. On a busy machine, compare CPU seconds. A
test in tests/analysis/test_jury_search.py checks that both give the same kappas.
"""

from __future__ import annotations

import argparse
import os
import time

import numpy as np
import pandas as pd
from sklearn.metrics import cohen_kappa_score

from llm_juries.analysis.jury_search import Criteria, search_juries
from llm_juries.data.dataset import Dataset
from llm_juries.juries.panel import Panel
from llm_juries.juries.rules import Jury, Rule
from llm_juries.juries.votes import Voter, Votes
from llm_juries.metrics.bootstrap import Bootstrap
from llm_juries.types import Item


def simulated(judges: int, questions: int, answers: int, seed: int) -> Panel:
    """Return votes of simulated judges: 70% to 90% right, more on easy answers."""
    rng = np.random.default_rng(seed)
    n = questions * answers
    human = (rng.random(n) < 0.6).astype(float)
    ease = np.repeat(rng.normal(size=questions), answers) + rng.normal(size=n)
    skill = np.linspace(0.8, 2.0, judges)
    right = skill + ease[:, None] / 1.5 + rng.normal(size=(n, judges)) > 0
    labels = np.where(right, human[:, None], 1 - human[:, None])
    labels[rng.random(labels.shape) < 0.01] = np.nan
    scores = np.abs(labels - rng.random(labels.shape) * 0.5)
    items = tuple(
        Item("simulated", f"q{at // answers}", f"m{at % answers}", human=human[at])
        for at in range(n)
    )
    voters = tuple(Voter(f"judge_{at:02}", "judge") for at in range(judges))
    outcomes = np.where(np.isnan(labels), "unparsed", "ok").astype("U16")
    return Panel(Dataset("simulated", items), Votes(voters, labels, scores, outcomes))


def loop(
    panel: Panel, rule: Rule, names: list[str], resamples: int, seed: int
) -> tuple[float, float]:
    """Return seconds, and seconds of CPU, per jury and resample, without the decisions."""
    questions = np.array(panel.questions)
    rows = [np.flatnonzero(questions == question) for question in np.unique(questions)]
    decided = [
        Jury(name, tuple(name.split(" + ")), rule).decide(panel.votes).labels[:, 0]
        for name in names
    ]
    rng = np.random.default_rng(seed)
    started, worked = time.perf_counter(), time.process_time()
    for _ in range(resamples):
        taken = np.concatenate([rows[at] for at in rng.integers(len(rows), size=len(rows))])
        for labels in decided:
            said, true = labels[taken], panel.human[taken]
            both = ~np.isnan(said)
            cohen_kappa_score(true[both], said[both])
    number = resamples * len(names)
    return (time.perf_counter() - started) / number, (time.process_time() - worked) / number


def main() -> None:
    """Time both, print seconds and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--judges", type=int, default=12)
    parser.add_argument("--questions", type=int, default=1000)
    parser.add_argument("--answers", type=int, default=5)
    parser.add_argument("--resamples", type=int, default=10_000)
    parser.add_argument("--rule", choices=["majority", "any", "mean", "median"], default="majority")
    parser.add_argument("--loop-juries", type=int, default=20)
    parser.add_argument("--loop-resamples", type=int, default=20)
    given = parser.parse_args()

    panel = simulated(given.judges, given.questions, given.answers, seed=0)
    started, worked = time.perf_counter(), time.process_time()
    found = search_juries(panel, Bootstrap(given.resamples), Criteria((given.rule,)))
    ours, worked = time.perf_counter() - started, time.process_time() - worked

    some: pd.DataFrame = found.juries.sample(
        min(given.loop_juries, len(found.juries)), random_state=0
    )
    each, each_worked = loop(panel, given.rule, list(some["jury"]), given.loop_resamples, seed=0)
    whole_worked = each_worked * len(found.juries) * given.resamples
    whole = each * len(found.juries) * given.resamples
    print(
        f"{len(found.juries):,} juries x {given.resamples:,} resamples of {given.questions:,} "
        f"questions x {given.answers} answers, rule {given.rule}, {os.cpu_count()} cores"
    )
    print(f"search, with all its tables: {ours:.1f} s, {worked:.1f} s of CPU")
    print(
        f"scikit-learn loop: {whole:,.0f} s, scaled up from {len(some)} juries x "
        f"{given.loop_resamples} resamples ({1000 * each:.2f} ms each)"
    )
    print(f"ratio: {whole / ours:,.0f}, of CPU {whole_worked / worked:,.0f}")


if __name__ == "__main__":
    main()
