"""The store decodes what it is about to append, and takes nothing that it could not read back."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from llm_juries.collect.tally import keep
from llm_juries.store.compaction import compact
from llm_juries.store.store import Store, UnstorableError
from llm_juries.store.verify import verify
from llm_juries.types import Order, Outcome, Reply, Verdict

GOOD = Verdict(
    key="k", judge="j", prompt="p", dataset="d", item_id="1", candidate="m", opponent="",
    order=Order.ORIGINAL, outcome=Outcome.OK, value="1", score=0.75, reader="r",
    reply=Reply("True", input_tokens=3), cost_usd=0.5, attempts=1, asked_at=100.0,
)  # fmt: skip
REPLIES: list[dict[str, Any]] = [
    {"text": ["True"]},
    {"text": None},
    {"thinking": {"a": 1}},
    {"stop": "banana"},
    {"input_tokens": "10"},
    {"input_tokens": 2.5},
    {"output_tokens": 1 << 63},
    {"cached_tokens": 1 << 70},
    {"thinking_tokens": [1]},
    {"choice_logprobs": ["True"]},
    {"choice_logprobs": {"True": "-0.1"}},
    {"choice_logprobs": {"True": None}},
    {"label_mass": "all"},
    {"model": 4},
    {"thinking": json.loads("[" * 900 + "]" * 900)},
    {"latency_s": object()},
]


@pytest.mark.parametrize("fields", REPLIES, ids=lambda f: "-".join(f))
def test_a_reply_that_could_not_be_read_back_is_a_failed_vote(
    fields: dict[str, Any], tmp_path: Path
):
    odd = replace(GOOD, reply=replace(GOOD.reply, **fields))
    with Store(tmp_path) as store:
        store.append(replace(GOOD, key="before"))
        with pytest.raises(UnstorableError, match=f"store {tmp_path}: key k: "):
            store.append(odd)
        assert store.get("k") is None
        kept = keep(store, odd)
        store.append(replace(GOOD, key="after"))
    assert (kept.outcome, kept.value, kept.cost_usd) == (Outcome.FAILED, None, None)
    assert kept.reply.error.startswith("the reply can't be stored")
    assert kept.reply.text.startswith("Reply(")
    assert verify(tmp_path).keys == 3
    compact(tmp_path)
    assert Store(tmp_path).get("k") == kept
    assert Store(tmp_path).get("after") == replace(GOOD, key="after")


@pytest.mark.parametrize("fields", [{"score": "0.5"}, {"attempts": 1 << 64}, {"order": "sideways"}])
def test_a_verdict_of_wrong_types_is_refused_whole(fields: dict[str, Any], tmp_path: Path):
    with Store(tmp_path) as store, pytest.raises(UnstorableError):
        store.append(replace(GOOD, **fields))
    assert list(tmp_path.glob("*.jsonl")) == []
