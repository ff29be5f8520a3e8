"""Replies are read strictly: a verdict is read only where one stands."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_juries.errors import JuriesError
from llm_juries.prompts.parsers import CellReader, LabelReader
from llm_juries.prompts.prompt import scale_of
from llm_juries.scale import Scale
from llm_juries.types import Outcome, Reading, Reply


def reader_of(labels: dict[str, float]) -> LabelReader:
    return LabelReader(scale_of(labels), tuple(labels))


TRUTH = reader_of({"True": 1.0, "False": 0.0})
CORRECT = reader_of({"CORRECT": 1.0, "INCORRECT": 0.0})
DIGITS = reader_of({"1": 1.0, "0": 0.0})
CLAIM = Scale.nominal("supported", "refuted", "not enough info")

YES, NO = Reading(Outcome.OK, "True"), Reading(Outcome.OK, "False")
UNPARSED, TRUNCATED = Reading(Outcome.UNPARSED), Reading(Outcome.TRUNCATED)


@pytest.mark.parametrize(
    "text",
    [
        "INCORRECT",
        "Incorrect.",
        "**INCORRECT**",
        '"incorrect"',
        "INCORRECT: the answer names another city.",
        "incorrect\nThe answer is not the correct one.",
        "Verdict: INCORRECT",
        "The answer names Sydney.\n**Verdict:** *incorrect*",
        '{"verdict": "INCORRECT"}',
        '```json\n{"reason": "is CORRECT elsewhere", "verdict": "incorrect"}\n```',
    ],
)
def test_incorrect_is_never_read_as_correct(text: str):
    assert CORRECT.read(Reply(text)) == Reading(Outcome.OK, "INCORRECT")


@pytest.mark.parametrize(
    "text",
    [
        "True",
        "true",
        "TRUE",
        " True\n",
        "True.",
        "True!",
        "**True**",
        "*True*",
        "__True__",
        "`True`",
        '"True"',
        "'True'",
        "“True”",
        "‘true’.",
        "True, since both name the same metal.",
        "True; the spelling differs.",
        "True: both name gold.",
        "True - both name gold.",
        "True – both name gold.",
        "True (a spelling variant)",
        "**True** — both name gold.",
        "True\nBoth name the same metal.",
        "True\n\nIt would be False of silver.",
        "Both name gold.\nVerdict: True",
        "Both name gold.\n**Verdict:** True",
        "Both name gold.\n**Verdict: True**",
        "Both name gold, so that:\n\nCorrect: true",
        "Final answer: True.",
        "Judgment = True",
        "Judgement: True",
        "My decision is: True",
    ],
)
def test_a_verdict_word_is_read_through_its_decoration(text: str):
    assert TRUTH.read(Reply(text)) == YES


@pytest.mark.parametrize(
    "text",
    [
        '{"verdict": "True"}',
        '{"verdict": true}',
        '{"verdict": " TRUE "}',
        '{"verdict": "True", "reason": "both name gold"}',
        '{"verdict": "True"} I hope this helps.',
        '```json\n{"verdict": "True"}\n```',
        '```\n{"verdict": "True"}\n```',
        'Here it is:\n```json\n{"verdict": "True"}\n```\nGold is Au.',
    ],
)
def test_a_verdict_is_read_from_json(text: str):
    assert TRUTH.read(Reply(text)) == YES


@pytest.mark.parametrize(
    "text",
    [
        '{"first": "True", "second": "False"}',
        '{"reason": "both name gold"}',
        '{"True": 0.2, "False": 0.8}',
        '```\n{"True": 0.2, "False": 0.8}\n```',
        '{"verdict": "not True"}',
        "{}",
    ],
)
def test_json_without_exactly_one_verdict_is_unparsed(text: str):
    assert TRUTH.read(Reply(text)) == UNPARSED


@pytest.mark.parametrize(
    "text", ['{"correct": false}', '{"correct": "no"}', '```\n{"correct": false}\n```']
)
def test_the_name_of_a_json_field_is_no_verdict(text: str):
    assert CORRECT.read(Reply(text)) == UNPARSED


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   \n",
        "It is not True",
        "It is not True.",
        "Not True.",
        "Untrue.",
        "Trueish.",
        "True-ish",
        "True or False?",
        "True/False",
        "Either True or False",
        "I can't say whether this is True.",
        "The claim that it is True, is False.",
        "Gold.",
        "Verdict: not True",
        "Verdict: True or False",
        "Incorrect: True",
        "Both are metals.\nReference Answer: True",
    ],
)
def test_prose_without_a_plain_verdict_is_unparsed(text: str):
    assert TRUTH.read(Reply(text)) == UNPARSED


@pytest.mark.parametrize("text", ["0.9", "1.5", "1,000", "10", "01"])
def test_a_verdict_digit_within_a_number_is_no_verdict(text: str):
    assert DIGITS.read(Reply(text)) == UNPARSED


@pytest.mark.parametrize(
    ("text", "reading"),
    [
        ("<think>It may be False.</think>True", YES),
        ("<think>It may be False.\nVerdict: False</think>\n\nTrue", YES),
        ("<thinking>False?</thinking>\nVerdict: True", YES),
        ("<think>False</think><think>False</think>True", YES),
        ("False, at first sight, but no.</think>True", YES),
        ("False, at first sight, but no.</thinking>True", YES),
        ("<think>It is True", UNPARSED),
        ("<think>\nVerdict: True", UNPARSED),
        ("<think>True</think>", UNPARSED),
    ],
)
def test_reasoning_in_think_tags_is_passed_over(text: str, reading: Reading):
    assert TRUTH.read(Reply(text)) == reading


@pytest.mark.parametrize("text", ["", "Let me compare the two", "<think>True", '{"verdict": "Tr'])
def test_a_reply_cut_before_its_verdict_is_truncated(text: str):
    assert TRUTH.read(Reply(text, stop="length")) == TRUNCATED


def test_a_reply_cut_after_its_verdict_is_read():
    assert TRUTH.read(Reply("True, since both name the", stop="length")) == YES


@pytest.mark.parametrize(
    ("stop", "outcome"),
    [
        ("error", Outcome.FAILED),
        ("refusal", Outcome.REFUSED),
        ("rejected", Outcome.REJECTED),
    ],
)
@pytest.mark.parametrize("reader", [TRUTH, CellReader(Scale.binary())], ids=["label", "cell"])
def test_a_reply_that_never_was_holds_no_verdict(stop, outcome: Outcome, reader):
    assert reader.read(Reply("True", stop=stop)) == Reading(outcome)


@pytest.mark.parametrize(
    "text", ["ıncorrect, sorry", "Verdict: ıncorrect", '{"a":' * 100_000, "{" * 100_000]
)
def test_odd_replies_are_unparsed_and_raise_nothing(text: str):
    assert CORRECT.read(Reply(text)) == UNPARSED


@given(
    st.lists(
        st.sampled_from(["True", "False", "not", "{", "}", '"', ":", "\n", " ", "```", "<think>"])
        | st.text(max_size=5),
        max_size=12,
    ).map("".join)
)
@settings(max_examples=200, deadline=None)
def test_a_text_reading_is_a_label_or_unparsed(text: str):
    assert TRUTH.read(Reply(text)) in (YES, NO, UNPARSED)


@given(st.text(max_size=30), st.sampled_from(["True", "False"]))
@settings(max_examples=100, deadline=None)
def test_fenced_json_is_read_whatever_its_reason(reason: str, word: str):
    if reason.strip().casefold() in ("true", "false") or "```" in reason:
        return
    text = "```json\n" + json.dumps({"reason": reason, "verdict": word}) + "\n```"
    assert TRUTH.read(Reply(text)).value == word


def test_the_likeliest_verdict_word_is_the_label_and_the_share_of_true_the_score():
    reply = Reply("T", choice_logprobs={"True": math.log(0.6), "False": math.log(0.2)})
    outcome, value, score = TRUTH.read(reply)
    assert (outcome, value, score) == (Outcome.OK, "True", pytest.approx(0.75))


def test_probabilities_are_read_before_the_text():
    reply = Reply("True", choice_logprobs={"True": math.log(0.1), "False": math.log(0.3)})
    assert TRUTH.read(reply).value == "False"


@pytest.mark.parametrize(("word", "score"), [("True", 1.0), ("False", 0.0)])
def test_a_verdict_word_outside_the_likely_tokens_counts_as_probability_0(word: str, score: float):
    reading = TRUTH.read(Reply(choice_logprobs={word: -3.0}))
    assert reading == Reading(Outcome.OK, word, score)


@pytest.mark.parametrize(("text", "value"), [(" True", "True"), ("False", "False")])
def test_the_text_decides_an_exact_tie_of_probabilities(text: str, value: str):
    reply = Reply(text, choice_logprobs={"True": -1.0, "False": -1.0})
    assert TRUTH.read(reply) == Reading(Outcome.OK, value, 0.5)


def test_an_exact_tie_that_the_text_leaves_open_is_unparsed():
    assert TRUTH.read(Reply("The", choice_logprobs={"True": -1.0, "False": -1.0})) == UNPARSED


def test_probabilities_of_other_words_are_unparsed():
    assert TRUTH.read(Reply("Gold", choice_logprobs={"Gold": -0.1})) == UNPARSED


@pytest.mark.parametrize("odd", [-math.inf, math.nan])
def test_a_word_of_no_probability_weighs_nothing(odd: float):
    reply = Reply(choice_logprobs={"True": odd, "False": -0.5})
    assert TRUTH.read(reply) == (Outcome.OK, "False", 0.0)
    assert TRUTH.read(Reply("True", choice_logprobs={"True": odd, "False": odd})) == YES


def test_probabilities_of_words_with_one_meaning_add_up():
    reader = reader_of({"Yes": 1.0, "Right": 1.0, "No": 0.0})
    shares = {"Yes": 0.5, "Right": 0.1, "No": 0.3}
    reply = Reply(choice_logprobs={word: math.log(share) for word, share in shares.items()})
    assert reader.read(reply).score == pytest.approx(0.6 / 0.9)


@given(st.floats(min_value=-700, max_value=0), st.floats(min_value=-700, max_value=0))
@settings(max_examples=200, deadline=None)
def test_the_score_lies_on_the_labels_side_of_one_half(true: float, false: float):
    reader = LabelReader(TRUTH.scale, TRUTH.words, least_mass=0.0)
    outcome, value, score = reader.read(Reply(choice_logprobs={"True": true, "False": false}))
    if math.exp(-abs(true - false)) == 1:  # as probabilities, they are the same number
        assert outcome is Outcome.UNPARSED
    else:
        assert value == str(true > false)
        assert abs(score - (true > false)) <= 0.5


def test_the_score_of_levels_is_the_expected_level_and_of_categories_there_is_none():
    shares = {"1": 0.1, "4": 0.6, "5": 0.3}
    reply = Reply(choice_logprobs={word: math.log(share) for word, share in shares.items()})
    stars = LabelReader(Scale.ordinal(1, 5), ("1", "2", "3", "4", "5"))
    assert stars.read(reply) == (Outcome.OK, "4", pytest.approx(0.1 + 2.4 + 1.5))
    reply = Reply(choice_logprobs={"refuted": -0.1, "supported": -3.0})
    assert LabelReader(CLAIM, CLAIM.levels).read(reply) == Reading(Outcome.OK, "refuted")


def test_a_category_of_several_words_is_read_and_another_spelling_means_the_same():
    scale = Scale.nominal(*CLAIM.values, words={"NEI": "not enough info"})
    reader = LabelReader(scale, (*CLAIM.values, "NEI"))
    for text in ("Not enough info.", "**NEI**", '{"verdict": "nei"}', "Verdict: not enough info"):
        assert reader.read(Reply(text)) == Reading(Outcome.OK, "not enough info")
    assert reader.read(Reply("not refuted")) == UNPARSED


def test_a_turned_reader_mirrors_every_level_and_the_score():
    scale = Scale.preference("B>>A", "B>A", "A=B", "A>B", "A>>B")
    turned = LabelReader(scale, scale.levels, turned=True)
    for word, other in zip(scale.levels, reversed(scale.levels), strict=True):
        assert turned.read(Reply(word)) == Reading(Outcome.OK, other)
    reply = Reply(choice_logprobs={"A>>B": math.log(0.6), "A=B": math.log(0.4)})
    assert turned.read(reply) == (Outcome.OK, "B>>A", pytest.approx(0.2))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (TRUTH, CORRECT),
        (TRUTH, reader_of({"True": 0.0, "False": 1.0})),
        (CellReader(Scale.binary(), 0.5), CellReader(Scale.binary(), 0.6)),
        (CellReader(Scale.binary(), 0.5), CellReader(Scale.binary())),
        (
            CellReader(Scale.binary(words={"aye": "1"})),
            CellReader(Scale.binary(words={"aye": "0"})),
        ),
        (CellReader(Scale.ordinal(1, 5)), CellReader(Scale.ordinal(1, 6))),
        (TRUTH, CellReader(Scale.binary())),
    ],
)
def test_readers_that_may_read_differently_have_different_ids(one, other):
    assert one.id != other.id


@pytest.mark.parametrize(
    ("cell", "reading"),
    [
        ("yes", Reading(Outcome.OK, "1")),
        ("YES", Reading(Outcome.OK, "1")),
        (" yes ", Reading(Outcome.OK, "1")),
        ("no", Reading(Outcome.OK, "0")),
        ("0.5", Reading(Outcome.OK, "1", 0.5)),
        ("0.49", Reading(Outcome.OK, "0", 0.49)),
        ("1", Reading(Outcome.OK, "1", 1.0)),
        ("-2e-3", Reading(Outcome.OK, "0")),
        ("7", Reading(Outcome.OK, "1")),
        ("", UNPARSED),
        ("maybe", UNPARSED),
        ("nan", UNPARSED),
        ("inf", UNPARSED),
    ],
)
def test_a_cell_is_a_word_or_a_number_against_the_threshold(cell: str, reading: Reading):
    assert CellReader(Scale.binary(), 0.5).read(Reply(cell)) == reading


@pytest.mark.parametrize(
    ("scale", "cell", "value"),
    [
        (Scale.binary(), "1.0", "1"),
        (Scale.binary(), "0.5", None),
        (Scale.binary(), "2", None),
        (Scale.ordinal(1, 5), "4.0", "4"),
        (Scale.ordinal(1, 5), "6", None),
        (Scale.interval(0, 100), "73.5", "73.5"),
        (Scale.preference(), "tie", "tie"),
        (CLAIM, "Refuted", "refuted"),
        (CLAIM, "true", None),
    ],
)
def test_a_cell_without_a_threshold_is_a_value_of_its_scale(scale, cell: str, value: str | None):
    reading = CellReader(scale).read(Reply(cell))
    assert reading == (UNPARSED if value is None else Reading(Outcome.OK, value))


def test_a_threshold_makes_numbers_binary_and_nothing_else():
    with pytest.raises(JuriesError, match=r"threshold: is 4, and the scale is ordinal \(1 to 5\)"):
        CellReader(Scale.ordinal(1, 5), 4.0)


def test_the_case_of_a_cells_known_words_does_not_matter():
    reader = CellReader(Scale.binary(words={"Aye": "1"}))
    assert reader.read(Reply("aye")) == Reading(Outcome.OK, "1")


def test_other_spellings_of_a_verdict_token_add_up_and_other_words_do_not_count():
    shares = {" True": 0.2, "true": 0.1, "TRUE": 0.1, "False": 0.3, "Truthfully": 0.3}
    reply = Reply("T", choice_logprobs={word: math.log(share) for word, share in shares.items()})
    assert TRUTH.read(reply) == (Outcome.OK, "True", pytest.approx(0.4 / 0.7))


def test_verdict_words_of_a_tiny_probability_are_no_verdict():
    tiny = {"True": math.log(2e-5), "False": math.log(1e-5)}
    assert TRUTH.read(Reply("The", choice_logprobs=tiny)) == UNPARSED
    assert TRUTH.probabilities(Reply("The", choice_logprobs=tiny)) == {}
    assert TRUTH.read(Reply("Verdict: False", choice_logprobs=tiny)) == NO
    lenient = LabelReader(TRUTH.scale, TRUTH.words, least_mass=0.0)
    assert lenient.read(Reply("The", choice_logprobs=tiny)).value == "True"
    assert lenient.id != TRUTH.id
    # What the judge itself says of all verdict words counts before those in the reply.
    shown = {"True": math.log(0.5), "False": math.log(0.1)}
    assert TRUTH.read(Reply("The", choice_logprobs=shown, label_mass=1e-4)) == UNPARSED


def test_a_number_at_the_end_of_a_cut_reply_may_lack_digits():
    stars = LabelReader(Scale.ordinal(1, 5), ("1", "2", "3", "4", "5"))
    ten = LabelReader(Scale.ordinal(1, 10), tuple(map(str, range(1, 11))))
    assert stars.read(Reply("4", stop="length")).value == "4"
    assert ten.read(Reply("1", stop="length")) == TRUNCATED
    assert ten.read(Reply("8", stop="length")).value == "8"
    assert stars.read(Reply("Score: 4", stop="length")) == TRUNCATED
    assert stars.read(Reply("1. Right.\n2. Short.\n3", stop="length")) == TRUNCATED
    assert stars.read(Reply("Score: 4\nIt is sh", stop="length")).value == "4"


LONG = 1_000_000


@pytest.mark.parametrize(
    "part",
    [
        " ",
        "\n",
        "1.",
        '{"a":',
        "{",
        "[[",
        "- ",
        "<think>",
        "so not ",
        "Score:\n",
        "True, ",
        "\u0301",
    ],
)
def test_a_very_long_reply_is_read_in_linear_time(part: str):
    """A quadratic search of a million characters would not end."""
    assert CORRECT.read(Reply(f"Good {part * (LONG // len(part))}")) == UNPARSED


def test_a_reply_of_very_many_json_objects_has_no_verdict():
    """A megabyte of small objects would take seconds."""
    few, many = ('{"verdict": "True"}\n' * number for number in (10, 1001))
    reader = LabelReader(Scale.binary(), ("True", "False"))
    assert reader.read(Reply(few)).outcome is Outcome.OK
    assert reader.read(Reply(many)).outcome is Outcome.UNPARSED


def test_long_white_space_behind_a_score_is_read_in_linear_time():
    reader = LabelReader(Scale.ordinal(1, 5), tuple("12345"), name="Score")
    assert reader.read(Reply("Score: 4" + " " * 200_000 + "x")).outcome is Outcome.UNPARSED


@pytest.mark.parametrize(
    ("text", "logprobs", "value"),
    [
        ("True", {"False": -3.0}, "True"),  # the list spells True as no word is, such as ▁True
        ("Verdict: True", {"False": -1.0}, "True"),
        ("True", {"False": -0.5}, "False"),  # sampled against the odds
        ("True", {"False": -3.0, "True": -4.0}, "False"),
        ("Well, it depends.", {"False": -3.0}, "False"),
        ("", {"False": -3.0}, "False"),
    ],
)
def test_unlikely_tokens_do_not_contradict_the_text(
    text: str, logprobs: dict[str, float], value: str
):
    reply = Reply(text, choice_logprobs=logprobs)
    assert TRUTH.read(reply).value == value
    probabilities = TRUTH.probabilities(reply)
    assert not probabilities or max(probabilities, key=lambda one: probabilities[one]) == value
