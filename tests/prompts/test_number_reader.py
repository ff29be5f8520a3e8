"""Numbers of an interval, read from text."""

from __future__ import annotations

import pytest

from llm_juries.errors import JuriesError
from llm_juries.judges.decoding import Decoding
from llm_juries.prompts.parsers import NumberReader
from llm_juries.prompts.prompt import Prompt, Shot
from llm_juries.scale import Scale
from llm_juries.types import Outcome, Reply

SHARE = Scale.interval(0, 100)
PROMPT = Prompt("share", "{{ question }} {{ answer }}", scale=SHARE)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("87", "87"),
        (" **87.5** ", "87.5"),
        ("87%", "87"),
        ("८७", "87"),
        ('{"score": 64, "confidence": 0.9}', "64"),
        ("0", "0"),
        ("100.", "100"),
        ("87/100", "87"),
        ("87 out of 100", "87"),
        ("87\n\nThe answer is right.", "87"),
        ("It names 3 of 4 facts.\n\nScore: 75", "75"),
        ("It is good.\n**Final score:** 80/100", "80"),
        ("Score: 75", "75"),
        ("My rating is 75.", "75"),
        ('{"score": 64}', "64"),
        ('```json\n{"score": "64", "reason": "fine"}\n```', "64"),
        ("<think>maybe 20</think>\n60", "60"),
    ],
)
def test_a_number_is_read(text: str, value: str):
    read = PROMPT.reader.read(Reply(text))
    assert (read.outcome, read.value, read.score) == (Outcome.OK, value, None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "good",
        "101",
        "-5",
        "1e9",
        "nan",
        "inf",
        "087",
        "8/10",
        "87, 90",
        "87 or 90",
        "1. The answer is right.\n2. It is short.",
        "Between 70 and 80",
        "87\nIt is fine.\nScore: 60",
        '{"score": 64, "rating": 65}',
        '{"score": 150}',
        '{"score": true}',
        '{"score": null}',
        '{"score": NaN}',
        "Score: 150",
    ],
)
def test_anything_else_is_unparsed(text: str):
    assert PROMPT.reader.read(Reply(text)).outcome is Outcome.UNPARSED


def test_a_number_that_may_have_been_cut_is_no_verdict():
    for text in ("8", "It is good.\nScore: 8", "87."):
        assert PROMPT.reader.read(Reply(text, stop="length")).outcome is Outcome.TRUNCATED
    assert PROMPT.reader.read(Reply("87\nThe answer is ri", stop="length")).value == "87"
    assert PROMPT.reader.read(Reply("", stop="error")).outcome is Outcome.FAILED
    assert PROMPT.reader.read(Reply("No.", stop="refusal")).outcome is Outcome.REFUSED
    assert PROMPT.reader.read(Reply("", stop="rejected")).outcome is Outcome.REJECTED


def test_a_prompt_on_an_interval_has_no_verdict_words():
    assert PROMPT.choices == ()
    assert PROMPT.turned_reader == PROMPT.reader == NumberReader(SHARE)
    assert PROMPT.reader.id == "number5:interval:0..100"
    with pytest.raises(JuriesError, match=r"prompt p: scale: is interval .* compares two answers"):
        Prompt("p", "{{ answer }} {{ opponent_answer }}", scale=SHARE)
    Prompt("p", "{{ answer }}", scale=SHARE, shots=(Shot("q", "a", "70"),))
    with pytest.raises(JuriesError, match="prompt p: shot 1: '700' is not on the scale"):
        Prompt("p", "{{ answer }}", scale=SHARE, shots=(Shot("q", "a", "700"),))
    for way in ("logprobs", "words", "choice", "schema"):
        with pytest.raises(JuriesError, match=rf"^decoding\.verdict_by: '{way}' is for verdict wo"):
            Decoding(verdict_by=way).suited(PROMPT.choices)  # type: ignore[arg-type]
