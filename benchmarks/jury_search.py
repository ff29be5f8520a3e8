"""Time a search over all juries, compared with a plain loop over scikit-learn's kappa.

    python benchmarks/jury_search.py
    python benchmarks/jury_search.py --beside 81402a9   # the same search by the code of a commit

Simulated judges with correlated errors vote on several answers to each question; a few votes are
missing. The loop lets a jury decide with the package's own rule, then takes the items of each
resample's questions and calls `cohen_kappa_score`. It would take days for all juries, so it is
timed for a few juries and resamples and scaled up. Each search runs in a process of its own. On a
busy machine, compare CPU seconds: they rise with the load too, but by less. A test in
tests/analysis/test_jury_search.py checks that both give the same kappas.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import time
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory

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

ROOT = Path(__file__).parents[1]


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


def searched(given: argparse.Namespace) -> pd.DataFrame:
    """Search, and print seconds, seconds of CPU and the most memory in MB."""
    panel = simulated(given.judges, given.questions, given.answers, seed=0)
    started, worked = time.perf_counter(), time.process_time()
    found = search_juries(panel, Bootstrap(given.resamples), Criteria((given.rule,)))
    ours, worked = time.perf_counter() - started, time.process_time() - worked
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"wall": ours, "cpu": worked, "memory": memory}))
    return found.juries


def measured(source: Path) -> dict[str, float]:
    """Return what a search prints that runs the code in a folder."""
    load = os.getloadavg()[0]
    command = [sys.executable, __file__, *sys.argv[1:], "--alone"]
    done = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": str(source)}, capture_output=True, check=True
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found | {"load": load}


def described(name: str, found: dict[str, float]) -> str:
    """Return one search in a line."""
    return (
        f"{name}: {found['wall']:.1f} s, {found['cpu']:.1f} s of CPU, {found['memory']:,.0f} MB, "
        f"at a load of {found['load']:.1f}"
    )


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
    parser.add_argument("--beside", nargs="*", default=[], help="commits whose code to time too")
    parser.add_argument("--alone", action="store_true", help="search once and print JSON")
    given = parser.parse_args()
    if given.alone:
        searched(given)
        return

    ours = measured(ROOT / "src")
    number = 2**given.judges - 1
    juries = [
        " + ".join(members)
        for size in range(1, given.judges + 1)
        for members in combinations([f"judge_{at:02}" for at in range(given.judges)], size)
    ]
    some = random.Random(0).sample(juries, min(given.loop_juries, number))
    panel = simulated(given.judges, given.questions, given.answers, seed=0)
    each, each_worked = loop(panel, given.rule, some, given.loop_resamples, seed=0)
    whole_worked = each_worked * number * given.resamples
    whole = each * number * given.resamples
    print(
        f"{number:,} juries x {given.resamples:,} resamples of {given.questions:,} "
        f"questions x {given.answers} answers, rule {given.rule}, {os.cpu_count()} cores"
    )
    print(described("search, with all its tables", ours))
    print(
        f"scikit-learn loop: {whole:,.0f} s, scaled up from {len(some)} juries x "
        f"{given.loop_resamples} resamples ({1000 * each:.2f} ms each)"
    )
    print(f"ratio: {whole / ours['wall']:,.0f}, of CPU {whole_worked / ours['cpu']:,.0f}")
    for commit in given.beside:
        with TemporaryDirectory() as folder:
            archive = subprocess.run(
                ["git", "-C", ROOT, "archive", commit, "src"], capture_output=True, check=True
            )
            subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)
            found = measured(Path(folder) / "src")
        print(described(f"the code of {commit}", found))
        ours = measured(ROOT / "src")
        print(described("ours again", ours))
        print(f"ratio: {found['wall'] / ours['wall']:.1f}, of CPU {found['cpu'] / ours['cpu']:.1f}")


if __name__ == "__main__":
    main()
