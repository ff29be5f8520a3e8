"""Written replies with their right readings, over all shipped prompts and all scales."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from conftest import ROOT
from llm_juries.config.named import load_prompt
from llm_juries.prompts.parsers import LabelReader, NumberReader, Reader
from llm_juries.prompts.prompt import Prompt
from llm_juries.scale import Scale
from llm_juries.types import Outcome, Reading, Reply

GROUPS: list[dict[str, Any]] = yaml.safe_load(
    Path(__file__).with_name("replies.yaml").read_text(encoding="utf-8")
)
CLAIM = ("supported", "refuted", "not enough info")


def asking(labels: dict[str, float], name: str = "") -> Reader:
    return Prompt("p", f"{{{{ question }}}} {name}", labels).reader


def on(scale: Scale, words: tuple[str, ...] = ()) -> Reader:
    if scale.kind == "interval":
        return NumberReader(scale, "Score")
    return LabelReader(scale, words or scale.levels, name="Score")


SCALES = {
    "correct": asking({"CORRECT": 1, "INCORRECT": 0}),
    "yes_no": asking({"Yes": 1, "No": 0}, "Answer:"),
    "claim": on(Scale.nominal(*CLAIM, words={"NEI": "not enough info"}), (*CLAIM, "NEI")),
    "sides": on(Scale.preference("B", "tie", "A")),
    "outputs": on(
        Scale.nominal("(a)", "(b)", words={"Output (a)": "(a)", "Output (b)": "(b)"}),
        ("Output (a)", "Output (b)"),
    ),
    "relevance": on(Scale.ordinal(0, 3)),
    "ten": on(Scale.ordinal(1, 10)),
    "hundred": on(Scale.interval(0, 100)),
    "share": on(Scale.interval(0, 1)),
    "signed": on(Scale.ordinal(-2, 2)),
    "digits": asking({"1": 1, "0": 0}, "Label:"),
    "chinese": asking({"正确": 1, "错误": 0}, "判断："),
    "hindi": asking({"सही": 1, "गलत": 0}, "निर्णय:"),
    "russian": asking({"Верно": 1, "Неверно": 0}, "Вердикт:"),
    "arabic": asking({"صحيح": 1, "خطأ": 0}, "الحكم:"),
}


@cache
def shipped(name: str) -> Reader:
    return load_prompt(name).reader


def readers(group: dict[str, Any]) -> list[Reader]:
    if "scale" in group:
        return [SCALES[group["scale"]]]
    return [shipped(name) for name in group["prompts"]]


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group["why"])
def test_a_written_reply_is_read_as_its_writer_meant_it(group: dict[str, Any]):
    wrong = [
        (text, reader.scale.id, read.value, right)
        for reader in readers(group)
        for text, right in group["replies"]
        if (read := reader.read(Reply(text)))
        != (Reading(Outcome.UNPARSED) if right is None else Reading(Outcome.OK, right))
    ]
    assert wrong == []


def test_the_corpus_has_every_shipped_prompt_and_hundreds_of_replies():
    replies = {(g.get("scale", "shipped"), text) for g in GROUPS for text, _ in g["replies"]}
    assert len(replies) >= 400
    prompts = {path.stem for path in (ROOT / "conf/prompt").glob("*.yaml")}
    assert {name for group in GROUPS for name in group.get("prompts", ())} == prompts
    assert {group["scale"] for group in GROUPS if "scale" in group} == SCALES.keys()
