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
    table = [_row(plan, item, verdict) for *_, plan, item, verdict in drawn]
    return Sample(pd.DataFrame(table, columns=COLUMNS), total, costs)


def _sampling_key(seed: int, verdict: Verdict) -> bytes:
    about = (
        verdict.dataset, verdict.item_id, verdict.candidate, verdict.opponent,
        str(verdict.order), verdict.judge, verdict.prompt,
        *([verdict.criterion] if verdict.criterion else []),
    )  # fmt: skip
    return sampling_key(seed, *about)


COLUMNS = (
    "dataset", "item_id", "candidate", "opponent", "criterion", "order", "judge", "prompt",
    "repeat", "human", "outcome", "value", "score", "entropy", "label_mass", "question",
    "references", "answer", "opponent_answer", "reply", "thinking", "error", "cost_usd",
    "latency_s", "input_tokens", "output_tokens", "asked_at",
)  # fmt: skip


def _row(plan: Plan, item: Item, verdict: Verdict) -> tuple[object, ...]:
    """Return a verdict's values of `COLUMNS`."""
    reply, scale = verdict.reply, plan.dataset.label_scale
    chances = plan.judge.reader(plan.prompt, verdict.order).probabilities(reply)
    return (
        verdict.dataset,
        verdict.item_id,
        verdict.candidate,
        verdict.opponent,
        verdict.criterion,
        str(verdict.order),
        verdict.judge,
        verdict.prompt,
        verdict.repeat,
        scale.value(item.human),
        str(verdict.outcome),
        verdict.value,
        _float(verdict.score),
        entropy(list(chances.values())) if chances else float("nan"),
        _float(reply.label_mass),
        item.question,
        "\n".join(item.references),
        item.answer,
        item.opponent_answer,
        reply.text,
        reply.thinking,
        reply.error,
        _float(verdict.cost_usd),
        _float(reply.latency_s),
        _float(reply.input_tokens),
        _float(reply.output_tokens),
        verdict.asked_at,
    )


def _float(value: float | None) -> float:
    return float("nan") if value is None else float(value)
