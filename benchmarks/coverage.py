"""Recompute how often the intervals hold the truth, and how wide they are.

    python benchmarks/coverage.py --runs 400
    python benchmarks/coverage.py --parts scales --measures kendall_tau_b --correlations 0.9
        --questions 300 --runs 4000

Votes are simulated: two judges of given accuracy beside human labels, on questions with one answer
or with five that share their difficulty. Each cell of a table is the share of runs whose nominal
95% interval holds the true value; a run without an interval (the table says why) is not counted,
and their share stands behind a slash. The percentile bootstrap of a quarter of the runs is beside
it, in which a run without an interval, or with one of no width, counts as a miss. The last column
is the mean width at 100 questions. `docs/intervals.md` shows a part of the output.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy import stats

sys.path.pop(0)  # numba asks for a module named coverage, and would find this file

from llm_juries.metrics import dependence, few_labels
from llm_juries.metrics.arrays import Array
from llm_juries.metrics.bias import accuracy_deltas
from llm_juries.metrics.bootstrap import Bootstrap, cluster_sums
from llm_juries.metrics.correlation import correlations
from llm_juries.metrics.intervals import Interval, percentile_interval
from llm_juries.metrics.measure import AnyMeasure, Ratings, estimates
from llm_juries.metrics.measures import ALPHA, measures_of
from llm_juries.metrics.ranking import compare, mean_scores
from llm_juries.metrics.ranks import KENDALL, ROC_AUC
from llm_juries.scale import Scale

QUESTIONS = (20, 50, 100, 300)
RESAMPLES = 400
MANY = 200_000  # items that stand for the truth
CLUSTERED = 0.3  # the share of an error's latent variance that a question's answers have in common


@dataclass
class Cells:
    """What was found, by method and questions."""

    runs: int = 0
    held: int = 0
    missing: int = 0
    widths: list[float] = field(default_factory=list)

    def add(self, low: float, high: float, truth: float) -> None:
        """Count one interval."""
        self.runs += 1
        if np.isnan(low) or np.isnan(high) or low == high:
            self.missing += 1
            return
        self.held += low - 1e-12 <= truth <= high + 1e-12
        self.widths.append(high - low)

    def described(self, *, misses: bool = False) -> str:
        """Return the coverage, and the share of runs without an interval."""
        counted = self.runs if misses else self.runs - self.missing
        share = f"{self.held / counted:.3f}" if counted else "-"
        return share + (f"/{self.missing / self.runs:.2f}" if self.missing and not misses else "")


Found = dict[tuple[str, str], dict[int, Cells]]


def new() -> Found:
    """Return an empty table: by a row's name and method, then by questions."""
    return defaultdict(lambda: defaultdict(Cells))


def show(title: str, found: Found) -> None:
    """Print a table of coverages, and the mean width at 100 questions, or at the most there are."""
    if not found:
        return
    columns = sorted({at for cells in found.values() for at in cells})
    of_width = [at for at in columns if at in (100, 40)] or columns[-1:]
    heads = " | ".join(f"{at} questions" for at in columns)
    print(f"\n### {title}\n\n| | method | {heads} | width |")
    print("| --- | --- |" + " ---: |" * (len(columns) + 1))
    for (name, method), cells in found.items():
        shares = " | ".join(cells[at].described(misses="bootstrap" in method) for at in columns)
        widths = [w for at in of_width for w in cells[at].widths]
        print(f"| {name} | {method} | {shares} | {np.mean(widths) if widths else np.nan:.3f} |")


def binary(
    rng: np.random.Generator,
    items: int,
    each: int,
    base: float,
    kappas: Sequence[float],
    common: float = 0.0,
) -> tuple[Array, Array]:
    """Return labels and votes whose margins equal the labels'.

    `common` is the share of latent variance that the judges' errors have in common.
    """
    rho = CLUSTERED if each > 1 else 0.0
    human = (rng.random(items) < base).astype(float)
    shape = items // each, 1, 1

    def latent(judges: int) -> Array:
        own = rng.normal(size=(items // each, each, judges))
        return (np.sqrt(rho) * rng.normal(size=shape) + np.sqrt(1 - rho) * own).reshape(items, -1)

    errors = np.sqrt(common) * latent(1) + np.sqrt(1 - common) * latent(len(kappas))
    kappa = np.array(kappas)
    rates = np.where(human[:, None] == 1, (1 - kappa) * (1 - base), (1 - kappa) * base)
    wrong = stats.norm.cdf(errors) < rates
    return human, np.where(wrong, 1 - human[:, None], human[:, None])


def graded(
    rng: np.random.Generator, items: int, each: int, r: float, scale: Scale
) -> tuple[Array, Array]:
    """Return labels and one judge's votes whose latent correlation is r."""
    rho = CLUSTERED if each > 1 else 0.0
    common = np.repeat(rng.normal(size=items // each), each)
    true = rng.normal(size=items)
    noise = np.sqrt(rho) * common + np.sqrt(1 - rho) * rng.normal(size=items)
    said = r * true + np.sqrt(1 - r * r) * noise
    if scale.kind == "interval":
        return np.clip(50 + 15 * true, 0, 100), np.clip(50 + 15 * said, 0, 100)[:, None]
    cuts = [-2.2, -1.5, -0.5, 0.5]  # most answers are good
    levels = [1.0 + np.searchsorted(cuts, side) for side in (true, said)]
    return levels[0], levels[1][:, None]


def measured(
    found: Found,
    name: str,
    measure: AnyMeasure,
    ratings: Ratings,
    truth: float,
    drawn: list[Array],
    gap: bool = False,
) -> None:
    """Add one run of a measure, or of the difference of two voters."""
    contrast = (lambda values: values[..., :1] - values[..., 1:]) if gap else None
    one = estimates([measure], ratings, Bootstrap(2), contrast)[measure.name]
    size = len(np.unique(np.asarray(ratings.clusters)))
    found[name, "cluster-robust"][size].add(float(one.low[0]), float(one.high[0]), truth)
    if drawn:
        values = np.concatenate([measure.over(ratings).values(weights) for weights in drawn])
        values = contrast(values) if contrast else values
        low, high = percentile_interval(values[:, 0])
        found[name, "percentile bootstrap"][size].add(float(low), float(high), truth)


def clusters(items: int, each: int) -> list[int]:
    """Return the question of each item."""
    return (np.arange(items) // each).tolist()


def truth_of(measure: AnyMeasure, human: Array, votes: Array, scale: Scale) -> Array:
    """Return a measure over many items, in a few clusters, as only the value counts."""
    if measure is KENDALL:  # ours takes time that grows with the square of the items
        return np.array([stats.kendalltau(human, column).statistic for column in votes.T])
    return measure.over(Ratings(votes, human, scale, (np.arange(len(human)) % 2).tolist())).point


def wanted(arguments: argparse.Namespace, kinds: Sequence[AnyMeasure]) -> list[AnyMeasure]:
    """Return the measures that are asked for, by default all."""
    return [one for one in kinds if not arguments.measures or one.name in arguments.measures]


def runs_of(
    arguments: argparse.Namespace, seed: int
) -> Iterator[tuple[int, np.random.Generator, list[Array]]]:
    """Yield questions, a generator and one bootstrap's weights for each run."""
    for questions in arguments.questions:
        rng = np.random.default_rng([seed, questions])
        for run in range(arguments.runs):
            boot = run < arguments.runs // 4
            yield questions, rng, list(Bootstrap(RESAMPLES, run).weights(questions)) if boot else []


def agreement(arguments: argparse.Namespace) -> None:
    """Show binary measures and the difference of two judges."""
    scale = Scale.binary()
    kinds = wanted(arguments, measures_of(scale))
    for each in (1, 5):
        found, gaps = new(), new()
        for base, kappa in ((0.5, 0.9), (0.5, 0.5), (0.7, 0.7), (0.9, 0.9), (0.9, 0.5)):
            p = (1 - kappa) * base * (1 - base)
            truth = {"kappa": kappa, "accuracy": 1 - 2 * p, "tpr": 1 - p / base,
                     "tnr": 1 - p / (1 - base)}  # fmt: skip
            truth["balanced_accuracy"] = (truth["tpr"] + truth["tnr"]) / 2
            for questions, rng, drawn in runs_of(arguments, 1):
                human, votes = binary(rng, questions * each, each, base, [kappa, kappa], 0.5)
                ratings = Ratings(votes, human, scale, clusters(len(human), each))
                one = Ratings(votes[:, :1], human, scale, ratings.clusters)
                for measure in kinds:
                    shown = drawn if measure.name in ("kappa", "accuracy") else []
                    name = f"{measure.name}, base rate {base}, kappa {kappa}"
                    measured(found, name, measure, one, truth[measure.name], shown)
                for measure in kinds[:2]:
                    name = f"difference of {measure.name}, base rate {base}, kappa {kappa}"
                    measured(gaps, name, measure, ratings, 0.0, drawn, gap=True)
        show(f"Agreement, {each} answers a question", found)
        show(f"Differences of two judges, errors half in common, {each} answers a question", gaps)


def scales(arguments: argparse.Namespace) -> None:
    """Show nominal, ordinal and interval measures, and the ROC AUC."""
    rng = np.random.default_rng(7)
    five, hundred, three = Scale.ordinal(1, 5), Scale.interval(0, 100), Scale.nominal("a", "b", "c")
    for scale, kinds in (
        (five, measures_of(five)), (hundred, measures_of(hundred)), (hundred, (ROC_AUC,)),
    ):  # fmt: skip
        found, kinds = new(), wanted(arguments, kinds)
        for r in arguments.correlations if kinds else ():
            made = graded(rng, MANY, 1, r, scale)

            def labelled(human: Array, kinds: Sequence[AnyMeasure] = kinds) -> Array:
                return (human > 60).astype(float) if ROC_AUC in kinds else human

            truths = {m.name: truth_of(m, labelled(made[0]), made[1], scale)[0] for m in kinds}
            for questions, own, _ in runs_of(arguments, 2):
                human, votes = graded(own, questions, 1, r, scale)
                ratings = Ratings(votes, labelled(human), scale, clusters(questions, 1))
                for measure in kinds:
                    name = f"{measure.name}, latent correlation {r}"
                    measured(found, name, measure, ratings, truths[measure.name], [])
        show("ROC AUC" if ROC_AUC in kinds else f"{scale} labels", found)
    found = new()
    for share in (0.5, 0.9):
        kinds = wanted(arguments, measures_of(three))

        def nominal(
            rng: np.random.Generator, items: int, share: float = share
        ) -> tuple[Array, Array]:
            human = rng.choice(3, size=items, p=[0.7, 0.2, 0.1]).astype(float)
            other = rng.choice(3, size=items, p=[0.7, 0.2, 0.1])
            return human, np.where(rng.random(items) < share, human, other)[:, None]

        made = nominal(rng, MANY)
        truths = {m.name: truth_of(m, *made, three)[0] for m in kinds}
        for questions, own, _ in runs_of(arguments, 3):
            human, votes = nominal(own, questions)
            ratings = Ratings(votes, human, three, clusters(questions, 1))
            for measure in kinds:
                name = f"{measure.name}, {share:.0%} known"
                measured(found, name, measure, ratings, truths[measure.name], [])
    show("Three categories (70%, 20%, 10%)", found)


def panels(arguments: argparse.Namespace) -> None:
    """Show deltas, effective votes, alpha and few labels."""
    found = new()
    for base, kappa in ((0.5, 0.7), (0.9, 0.7), (0.9, 0.9)):
        p = (1 - kappa) * base * (1 - base)
        lenient = 2 * p  # all errors call wrong answers right
        for questions, rng, drawn in runs_of(arguments, 4):
            human = (rng.random(questions) < base).astype(float)
            raised = (human == 0) & (rng.random(questions) < lenient / (1 - base))
            votes = np.where(raised, 1.0, human)[:, None]
            one = accuracy_deltas(votes, human, ["m"] * questions, range(questions))
            name = f"delta of a lenient judge, base rate {base}, kappa {kappa}"
            found[name, "Agresti-Min"][questions].add(one.low[0, 0], one.high[0, 0], lenient)
            if drawn:
                gaps = np.concatenate(drawn) @ (votes[:, 0] - human) / questions
                low, high = percentile_interval(gaps)
                found[name, "percentile bootstrap"][questions].add(float(low), float(high), lenient)
    for error in (0.05, 0.2):
        many = errors_of(np.random.default_rng(3), MANY, 6, error)
        pairs = dependence.pair_counts(*many).sum(axis=0)
        whole = dependence.majority_counts(*many).sum(axis=0)
        kinds = "effective_votes", "optimal_votes", "participation_votes", "mean_correlation"
        truths = {kind: float(getattr(dependence, kind)(pairs)) for kind in kinds}
        truths["majority_votes"] = float(dependence.majority_votes(whole))
        truths["gap"] = float(dependence.condorcet_gap(whole))
        alpha = ALPHA["binary"]
        nobody = np.full(MANY, np.nan)
        truths["alpha"] = truth_of(alpha, nobody, many[0], Scale.binary())[0]
        for questions, rng, drawn in runs_of(arguments, 5):
            votes, human = errors_of(rng, questions, 6, error)
            one = dependence.panel_errors(votes, human, range(questions))
            rated = Ratings(votes, np.full(questions, np.nan), Scale.binary(), range(questions))
            intervals = {kind: getattr(one, kind) for kind in truths if kind != "alpha"}
            intervals["alpha"] = Interval(
                *(x[0] for x in estimates([alpha], rated, Bootstrap(2))[alpha.name])
            )
            for kind, interval in intervals.items():
                name = f"{kind}, 6 judges, error {error}"
                low, high = float(interval.low), float(interval.high)
                found[name, "cluster-robust"][questions].add(low, high, truths[kind])
            if drawn:
                sums = cluster_sums(dependence.pair_counts(votes, human), range(questions))
                drawn_votes = [dependence.effective_votes(np.tensordot(w, sums, 1)) for w in drawn]
                low, high = percentile_interval(np.concatenate(drawn_votes))
                cells = found[f"effective_votes, 6 judges, error {error}", "percentile bootstrap"]
                cells[questions].add(float(low), float(high), truths["effective_votes"])
    show("Deltas and dependence", found)

    found = new()
    for accuracy in (0.8, 0.95):
        for labels in (20, 40, 100):
            rng = np.random.default_rng([6, labels])
            for _ in range(arguments.runs):
                true = (rng.random(500) < 0.7).astype(float)
                judged = np.where(rng.random(500) < accuracy, true, 1 - true)
                human = np.where(np.arange(500) < labels, true, np.nan)
                for method in (few_labels.prediction_powered, few_labels.rogan_gladen):
                    one = method(judged, human, ["m"] * 500, range(500))
                    name = f"{one.method}, judge's accuracy {accuracy}"
                    found[name, "imagined labels, t"][labels].add(one.low[0], one.high[0], 0.7)
    show("500 judged answers, of which so many have a human label", found)


def errors_of(
    rng: np.random.Generator, items: int, judges: int, error: float
) -> tuple[Array, Array]:
    """Return votes of judges with errors in common, and labels."""
    human = (rng.random(items) < 0.6).astype(float)
    latent = np.sqrt(0.5) * rng.normal(size=(items, 1)) + np.sqrt(0.5) * rng.normal(
        size=(items, judges)
    )
    wrong = latent < stats.norm.ppf(error)
    return np.where(wrong, 1 - human[:, None], human[:, None]), human


def rankings(arguments: argparse.Namespace) -> None:
    """Show ranks of twelve models in steps of .042, and their correlations with two references."""
    found = new()
    models = [f"model {at:02}" for at in range(12)]
    true = 0.5 + 0.042 * (np.arange(12) - 6)
    other = true + np.random.default_rng(0).normal(0, 0.1, 12)
    references = {"itself": true, "another order": other}
    truths = {name: correlations(true, scores) for name, scores in references.items()}
    ranks = 12 - np.arange(12)
    for questions in arguments.questions:
        rng = np.random.default_rng([8, questions])
        for run in range(arguments.runs // 4):
            hard = rng.normal(0, 0.8, size=(questions, 1))
            right = hard + rng.normal(size=(questions, 12)) < stats.norm.ppf(true) * np.sqrt(1.64)
            ranked = mean_scores(
                right.astype(float).ravel(), np.tile(models, questions).tolist(),
                np.repeat(np.arange(questions), 12).tolist(), Bootstrap(RESAMPLES, run),
            )  # fmt: skip
            inside = (ranked.rank_low <= ranks) & (ranks <= ranked.rank_high)
            cells = found["all twelve ranks at once", "max-T"][questions]
            cells.add(0.0 if inside.all() else 2.0, 2.5 if not inside.all() else 1.0, 1.0)
            for name, scores in references.items():
                compared = compare(
                    ranked, dict(zip(models, scores, strict=True)), Bootstrap(RESAMPLES, run)
                )
                for kind in ("kendall_tau_b", "spearman", "pearson"):
                    truth = float(truths[name][kind])
                    found[f"{kind} with {name}", "simultaneous bounds"][questions].add(
                        compared.low[kind], compared.high[kind], truth
                    )
                    draws = correlations(ranked.draws, scores)[kind]
                    low, high = percentile_interval(draws)
                    found[f"{kind} with {name}", "percentile bootstrap"][questions].add(
                        float(low), float(high), truth
                    )
    show("Rankings", found)


PARTS = {"agreement": agreement, "scales": scales, "panels": panels, "rankings": rankings}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=400)
    parser.add_argument("--parts", nargs="*", default=list(PARTS), choices=list(PARTS))
    parser.add_argument("--questions", type=int, nargs="+", default=QUESTIONS)
    parser.add_argument(
        "--measures", nargs="+", help="of agreement and scales: these only, such as kendall_tau_b"
    )
    parser.add_argument(
        "--correlations", type=float, nargs="+", default=(0.5, 0.9, 0.97), help="of scales: latent"
    )
    arguments = parser.parse_args()
    started = time.perf_counter()
    for part in arguments.parts:
        PARTS[part](arguments)
    print(f"\n{arguments.runs} runs, {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
