"""Items, votes and raw replies as columns of JSON for the page's script.

Each text is stored once, in `strings`; columns hold its number (0 is the empty text). A missing
vote is null, never a number.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import Any

import numpy as np

from ...analysis.run import Results
from ...data.dataset import sampling_key
from ...errors import JuriesError
from ...judges.recorded import RecordedJudge
from ...juries.panel import Panel
from ...juries.rules import SIDED
from ...juries.stored import StoredVotes
from ...juries.votes import Votes
from ...metrics.arrays import Array
from ...scale import Scale
from ...store.store import Store
from ...study import Study
from ...types import Item, Reply


@dataclass(frozen=True)
class Options:
    """How many items a page holds. Whole questions are left out, sampled with the seed.

    Parameters
    ----------
    items : int
        At most this many answers (or pairs), over all datasets.
    megabytes : float
        At most this much text of items and replies, before equal texts are merged.
    characters : int
        Longer texts are cut, with a note in their place.
    seed : int
    """

    items: int = 20_000
    megabytes: float = 24.0
    characters: int = 8_000
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("items", "megabytes", "characters"):
            if getattr(self, name) <= 0:
                raise JuriesError(f"{name}: {getattr(self, name)} must be above 0")


@dataclass
class Strings:
    """Texts by number, each held once."""

    longest: int
    numbers: dict[str, int] = field(default_factory=lambda: {"": 0})

    def number(self, text: str) -> int:
        """Return the number of a text, cut if it is too long."""
        return self.numbers.setdefault(self.fit(text), len(self.numbers))

    def fit(self, text: str) -> str:
        """Return a text as valid UTF-8, cut if it is too long."""
        sound = text.encode("utf-8", "replace").decode()
        if len(sound) <= self.longest:
            return sound
        return f"{sound[: self.longest]} … ({len(sound) - self.longest:,} more characters cut here)"


@dataclass(frozen=True)
class _Kept:
    """The items of one dataset that stay, with their rows in the panel and all replies on them."""

    study: Study
    panel: Panel
    stored: StoredVotes
    rows: Sequence[int]
    items: Sequence[Item]
    replies: Sequence[Sequence[Sequence[Reply | None]]]  # by plan, order, item

    def part(self, keep: Sequence[bool]) -> _Kept:
        def kept(column: Sequence[Any]) -> list[Any]:
            return [value for value, stays in zip(column, keep, strict=True) if stays]

        return replace(
            self,
            rows=kept(self.rows),
            items=kept(self.items),
            replies=[[kept(column) for column in orders] for orders in self.replies],
        )


def browsable(results: Results, store: Store, options: Options) -> tuple[dict[str, Any], str]:
    """Return the data of the page's script, and a sentence on what was left out (or "").

    Returns
    -------
    dict
        strings (list of str) and datasets, each with its items' columns (numbers of strings, human
        labels) and its voters: pooled label and outcome, and for judges, by order, label, score,
        outcome and reply; `more` holds what only few replies have, by row.
    str
    """
    panels = results.panels
    questions = [
        (at, question)
        for at, panel in enumerate(panels)
        for question in dict.fromkeys(item.item_id for item in panel.dataset.items)
    ]
    drawn = sorted(
        questions, key=lambda q: sampling_key(options.seed, panels[q[0]].dataset.name, q[1])
    )
    counts: dict[tuple[int, str], float] = defaultdict(float)
    for at, panel in enumerate(panels):
        for item in panel.dataset.items:
            counts[at, item.item_id] += 1
    few = _as_fit(drawn, counts, options.items)
    kept = [
        _read(study, panel, {question for number, question in few if number == at}, store)
        for at, (study, panel) in enumerate(zip(results.studies, panels, strict=True))
    ]
    strings = Strings(options.characters)
    sizes: dict[tuple[int, str], float] = defaultdict(float)
    for at, part in enumerate(kept):
        for row, item in enumerate(part.items):
            sizes[at, item.item_id] += _size(part, row, strings)
    small = _as_fit([q for q in drawn if q in few], sizes, options.megabytes * 1e6)
    shown = [
        part.part([(at, item.item_id) in small for item in part.items])
        for at, part in enumerate(kept)
    ]
    datasets = [_columns(part, strings) for part in shown]
    data = {"strings": list(strings.numbers), "datasets": datasets}
    total = int(sum(counts.values()))
    left = sum(len(part.items) for part in shown)
    if left == total:
        return data, ""
    limits = [
        f"{options.items:,} items" if len(few) < len(questions) else "",
        f"{options.megabytes:g} MB of text" if len(small) < len(few) else "",
    ]
    return data, (
        f"{left:,} of {total:,} items are in this file (page.items, page.megabytes): whole "
        f"questions sampled with seed {options.seed}, up to "
        f"{' and '.join(filter(None, limits))}. Tables and figures are of all {total:,}."
    )


def _as_fit(
    drawn: Sequence[tuple[int, str]], sizes: dict[tuple[int, str], float], limit: float
) -> set[tuple[int, str]]:
    """Return as many questions as fit, taken in order."""
    filled = accumulate(sizes[question] for question in drawn)
    return {question for question, size in zip(drawn, filled, strict=True) if size <= limit}


def _read(study: Study, panel: Panel, questions: set[str], store: Store) -> _Kept:
    numbered = [(n, i) for n, i in enumerate(panel.dataset.items) if i.item_id in questions]
    rows = [row for row, _ in numbered]
    stored = panel.stored
    assert stored is not None  # noqa: S101 - an analysis is of stored verdicts

    def reply(key: str | None) -> Reply | None:
        verdict = store.get(key) if key is not None else None
        return verdict.reply if verdict is not None else None

    items = tuple(item for _, item in numbered)
    replies = []
    for at, plan in enumerate(study.plans):
        if isinstance(plan.judge, RecordedJudge):
            replies.append(plan.judge.replies(items, panel.dataset.orders))
        else:
            keys = stored.keys[rows, at].T.tolist()
            replies.append([[reply(key) for key in order] for order in keys])
    return _Kept(study, panel, stored, rows, items, replies)


def _size(part: _Kept, row: int, strings: Strings) -> int:
    item = part.items[row]
    texts = [item.question, item.answer, item.opponent_answer, *item.references]
    for orders in part.replies:
        for column in orders:
            if (reply := column[row]) is not None:
                texts += [reply.text, reply.thinking, reply.earlier, reply.error]
    return sum(len(strings.fit(text).encode()) for text in texts if text)


def _columns(part: _Kept, strings: Strings) -> dict[str, Any]:
    number, items, dataset = strings.number, part.items, part.panel.dataset

    def column(texts: Iterable[str]) -> list[int]:
        return [number(text) for text in texts]

    notes = {plan.voter: plan.judge.note for plan in part.study.plans}
    labels, _ = part.stored.on(part.panel.scale, part.panel.threshold)
    orders = range(len(dataset.orders))
    asked = {
        judge: [_verdicts(part, labels, plan, order, strings) for order in orders]
        for plan, judge in enumerate(part.stored.judges)
    }
    return {
        "name": dataset.name,
        "pairs": dataset.pairwise,
        **_scales(part.panel),
        "item_id": column(item.item_id for item in items),
        "candidate": column(item.candidate for item in items),
        "opponent": column(item.opponent for item in items),
        "criterion": column(item.criterion for item in items),
        "question": column(item.question for item in items),
        "references": [column(item.references) for item in items],
        "answer": column(item.answer for item in items),
        "opponent_answer": column(item.opponent_answer for item in items),
        "human": [
            _number(label)
            for label in _shares(
                part.panel.preferences[np.asarray(part.rows, int)], part.panel.label_scale
            )
        ],
        "voters": [
            {
                "name": voter.name,
                "kind": voter.kind,
                "family": voter.family,
                "members": voter.members,
                "note": notes.get(voter.name, ""),
                **_pooled(part.panel.votes, at, part.rows),
                "orders": asked.get(voter.name, []),
            }
            for at, voter in enumerate(part.panel.votes.voters)
        ],
    }


def _scales(panel: Panel) -> dict[str, Any]:
    """Return how votes and labels read in words, and how far apart two that are opposed are.

    Null where they lie on sides; on a nominal scale any distance, on a graded one a quarter of it.
    """
    labelled = not np.isnan(panel.preferences).all()
    sided = panel.sided or (labelled and panel.label_scale.kind in SIDED)
    graded = 0.25 + 1e-6 if panel.scale.graded else 0.0
    return {
        "scale": _words(panel.scale),
        "human_scale": _words(panel.label_scale),
        "apart": None if sided else graded,
    }


def _words(scale: Scale) -> dict[str, Any] | None:
    """Return the words of a scale's values as `_shares` gives them; null for two sides."""
    if scale.kind in SIDED:
        return None
    low, high = scale.ends if scale.graded else (0.0, 1.0)
    shares = _shares(np.array(scale.codes), scale)
    values = {f"{round(at, 4):g}": word for at, word in zip(shares, scale.levels, strict=True)}
    return {"values": values, "low": low, "high": high}


def _pooled(votes: Votes, voter: int, rows: Sequence[int]) -> dict[str, Any]:
    at = np.asarray(rows, dtype=int)
    return {
        "label": [_number(label) for label in _shares(votes.labels[at, voter], votes.scale)],
        "outcome": votes.outcomes[at, voter].tolist(),
    }


def _verdicts(
    part: _Kept, labels: Array, judge: int, order: int, strings: Strings
) -> dict[str, Any]:
    """Return a judge's verdicts in one order, labels as `_shares`."""
    stored, replies = part.stored, part.replies[judge][order]
    at = np.s_[np.asarray(part.rows, dtype=int), judge, order]
    more: dict[int, dict[str, int]] = {}
    for row, reply in enumerate(replies):
        if reply is not None:
            parts = {"thinking": reply.thinking, "earlier": reply.earlier, "error": reply.error}
            if any(parts.values()):
                more[row] = {name: strings.number(text) for name, text in parts.items() if text}
    return {
        "order": part.panel.dataset.orders[order],
        "label": [_number(label) for label in _shares(labels[at], part.panel.scale)],
        "score": [_number(score) for score in stored.given_scores[at].tolist()],
        "outcome": stored.outcomes[at].tolist(),
        "reply": [0 if reply is None else strings.number(reply.text) for reply in replies],
        "more": more,
    }


def _shares(codes: Array, scale: Scale) -> list[float]:
    """Return codes as shares of the way from the lowest (0) to the highest (1) of a graded scale.

    Those of other scales stay: sides are shares already, categories have no order.
    """
    shares: Array = scale.unit(codes) if scale.graded else codes
    return [float(share) for share in shares]


def _number(value: float | None) -> float | None:
    """Return a finite number to four decimals, None otherwise."""
    return round(value, 4) if value is not None and math.isfinite(value) else None
