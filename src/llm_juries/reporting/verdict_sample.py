"""A seeded sample of verdicts as a table, with the items and the raw replies."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from ..analysis.distributions import entropy
from ..data.dataset import sampling_key
from ..store.plan import Plan, look_up
from ..store.store import Store
from ..types import Item, Verdict


@dataclass(frozen=True)
class Sample:
    """A table of sampled verdicts, and counts of all.

    Attributes
    ----------
    table : DataFrame
        A row a verdict, in the order in which they were sampled (so its first rows are a sample
        too): dataset, item_id, candidate, opponent, criterion, order, judge, prompt, outcome,
        question, answer, opponent_answer, references, reply, thinking, error (str); human and
        value, as on their scales (str); score, entropy (bits, of the values' probabilities),
        label_mass, cost_usd, latency_s, input_tokens, output_tokens, asked_at (float, NaN where
        there is none).
    total : int
        How many verdicts were sampled from.
    costs : dict of (dataset, judge) to float
        US dollars, summed over all verdicts whose cost is known.
    """

    table: pd.DataFrame
    total: int
    costs: dict[tuple[str, str], float]


def sample(plans: Sequence[Plan], store: Store, rows: int, seed: int) -> Sample:
    """Sample at most `rows` of the stored verdicts that the plans request.

    The sample depends on the seed and on what each verdict is about, not on the order of judges,
    items or the store. At most `rows` verdicts are held in memory.
    """
    total, costs = 0, dict[tuple[str, str], float]()

    def counted() -> Iterator[tuple[bytes, int, Plan, Item, Verdict]]:
        nonlocal total
        for plan in plans:
            for request, verdict in look_up(plan, store):
                if verdict is None:
                    continue
                total += 1
                if verdict.cost_usd is not None:
                    of = verdict.dataset, verdict.judge
                    costs[of] = costs.get(of, 0.0) + verdict.cost_usd
                key = _sampling_key(seed, verdict)
                yield key, total, plan, request.item, verdict

    drawn = heapq.nsmallest(rows, counted(), key=lambda one: one[0])
    return Sample(pd.DataFrame([_row(plan, item, v) for *_, plan, item, v in drawn]), total, costs)


def _sampling_key(seed: int, verdict: Verdict) -> bytes:
    about = (
        verdict.dataset, verdict.item_id, verdict.candidate, verdict.opponent,
        str(verdict.order), verdict.judge, verdict.prompt,
        *([verdict.criterion] if verdict.criterion else []),
    )  # fmt: skip
    return sampling_key(seed, *about)


def _row(plan: Plan, item: Item, verdict: Verdict) -> dict[str, object]:
    reply, scale = verdict.reply, plan.dataset.label_scale
    chances = plan.judge.reader(plan.prompt, verdict.order).probabilities(reply)
    return {
        "dataset": verdict.dataset,
        "item_id": verdict.item_id,
        "candidate": verdict.candidate,
        "opponent": verdict.opponent,
        "criterion": verdict.criterion,
        "order": str(verdict.order),
        "judge": verdict.judge,
        "prompt": verdict.prompt,
        "repeat": verdict.repeat,
        "human": scale.value(item.human),
        "outcome": str(verdict.outcome),
        "value": verdict.value,
        "score": _float(verdict.score),
        "entropy": entropy(list(chances.values())) if chances else float("nan"),
        "label_mass": _float(reply.label_mass),
        "question": item.question,
        "references": "\n".join(item.references),
        "answer": item.answer,
        "opponent_answer": item.opponent_answer,
        "reply": reply.text,
        "thinking": reply.thinking,
        "error": reply.error,
        "cost_usd": _float(verdict.cost_usd),
        "latency_s": _float(reply.latency_s),
        "input_tokens": _float(reply.input_tokens),
        "output_tokens": _float(reply.output_tokens),
        "asked_at": verdict.asked_at,
    }


def _float(value: float | None) -> float:
    return float("nan") if value is None else float(value)
