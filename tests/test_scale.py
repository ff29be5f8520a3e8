"""Scales: values are on them or refused, words stay words, numbers come only from encode."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_juries.errors import JuriesError
from llm_juries.scale import Scale

STARS = Scale.ordinal(1, 5)
PERCENT = Scale.interval(0, 100)
CLAIM = Scale.nominal("supported", "refuted", "not enough info", words={"nei": "not enough info"})
FIVE = Scale.preference("B>>A", "B>A", "A=B", "A>B", "A>>B")
ALL = (Scale.binary(), Scale.binary("False", "True"), CLAIM, STARS, FIVE, Scale.preference())


@pytest.mark.parametrize(
    ("scale", "cell", "value", "code"),
    [
        (Scale.binary(), True, "1", 1.0),
        (Scale.binary(), "No", "0", 0.0),
        (Scale.binary(), "1.0", "1", 1.0),
        (Scale.binary("False", "True"), "true", "True", 1.0),
        (CLAIM, "Refuted", "refuted", 1.0),
        (CLAIM, "NEI", "not enough info", 2.0),
        (STARS, 4.0, "4", 4.0),
        (STARS, " 4.0 ", "4", 4.0),
        (Scale.ordinal(levels=["poor", "fair", "good"]), "fair", "fair", 1.0),
        (Scale.ordinal(levels=["poor", "good"], numbers=[1, 4]), "GOOD", "good", 4.0),
        (PERCENT, "73.50", "73.5", 73.5),
        (PERCENT, np.float64(100), "100", 100.0),
        (FIVE, "a>>b", "A>>B", 1.0),
        (FIVE, "A=B", "A=B", 0.5),
        (Scale.preference(), "0.5", "tie", 0.5),
        (Scale.preference(), 1, "a", 1.0),
    ],
)
def test_a_cell_has_a_value_and_the_value_a_number(
    scale: Scale, cell: object, value: str, code: float
):
    assert scale.value(cell) == value
    assert scale.encode(value) == code
    assert scale.decode(code) == value


@pytest.mark.parametrize("scale", [*ALL, PERCENT])
@pytest.mark.parametrize("cell", [None, "", "  ", math.nan])
def test_an_empty_cell_is_a_missing_value(scale: Scale, cell: object):
    assert scale.value(cell) is None
    assert math.isnan(scale.encode(None))
    assert scale.decode(math.nan) is None


@pytest.mark.parametrize(
    ("scale", "cell"),
    [
        (Scale.binary(), 0.5),
        (Scale.binary(), "2"),
        (STARS, 0),
        (STARS, 3.5),
        (STARS, "6"),
        (STARS, "four"),
        (PERCENT, -1),
        (PERCENT, "1e400"),
        (PERCENT, "inf"),
        (CLAIM, "true"),
        (Scale.preference(), "0.75"),
        (Scale.preference("b", "a"), "tie"),
    ],
)
def test_what_is_off_the_scale_is_refused_with_both_named(scale: Scale, cell: object):
    with pytest.raises(JuriesError, match="is not on the scale") as error:
        scale.value(cell)
    assert str(scale) in str(error.value)


@pytest.mark.parametrize("scale", ALL)
def test_every_level_goes_to_its_number_and_back(scale: Scale):
    assert [scale.decode(code) for code in scale.codes] == list(scale.levels)
    assert [scale.encode(level) for level in scale.levels] == list(scale.codes)


@given(st.floats(0, 100))
def test_every_number_of_an_interval_goes_to_text_and_back(number: float):
    assert PERCENT.encode(PERCENT.value(number)) == number
    assert PERCENT.decode(number) == PERCENT.value(number)


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"kind": "ordinal", "low": 5, "high": 1}, "low must be lower"),
        ({"kind": "ordinal", "low": 0.5, "high": 3}, "not whole numbers"),
        ({"kind": "ordinal", "low": 0, "high": 1000}, "use kind interval"),
        ({"kind": "ordinal", "low": 1}, "give low and high"),
        ({"kind": "ordinal", "low": 1, "high": 2, "values": ("a", "b")}, "give one of them"),
        ({"kind": "ordinal"}, "needs values"),
        ({"kind": "ordinal", "values": ("a", "b"), "numbers": (2, 1)}, "must rise"),
        ({"kind": "ordinal", "values": ("a", "b"), "numbers": (1,)}, "one each"),
        ({"kind": "interval", "low": 0, "high": math.inf}, "give low and high"),
        ({"kind": "interval", "values": ("a", "b")}, "needs low and high"),
        ({"kind": "nominal", "low": 1, "high": 3}, "no low or high"),
        ({"kind": "nominal", "values": ("a", "A")}, "case does not tell"),
        ({"kind": "nominal", "values": ("a", " ")}, "empty value"),
        ({"kind": "binary", "values": ("a", "b", "c")}, "the negative one first"),
        ({"kind": "nominal", "values": ("a", "b"), "words": {"c": "d"}}, "not one of its values"),
    ],
)
def test_what_makes_no_scale_is_one_clear_line(parts: dict[str, object], said: str):
    with pytest.raises(JuriesError, match=said) as error:
        Scale(**parts)  # type: ignore[arg-type]
    assert "\n" not in str(error.value)


def test_a_threshold_cuts_a_graded_scale_and_keeps_what_is_missing():
    codes = np.array([1.0, 3.0, 4.0, np.nan])
    np.testing.assert_array_equal(STARS.at_least(codes, 3), [0, 1, 1, np.nan])


@pytest.mark.parametrize(("scale", "threshold"), [(STARS, 1), (STARS, 5.5), (CLAIM, 1)])
def test_a_threshold_that_divides_nothing_is_refused(scale: Scale, threshold: float):
    with pytest.raises(JuriesError, match="threshold"):
        scale.at_least(np.array([1.0]), threshold)


def test_the_way_along_a_scale_is_a_share():
    np.testing.assert_allclose(STARS.unit(np.array([1, 2, 5, np.nan])), [0, 0.25, 1, np.nan])
    with pytest.raises(JuriesError, match="has no order"):
        CLAIM.unit(1.0)


def test_values_given_as_a_list_are_told_how_to_be_given():
    for kind in (Scale.nominal, Scale.preference):
        with pytest.raises(JuriesError, match=r"one by one: Scale.\w+\('no', 'unsure', 'yes'\)"):
            kind(["no", "unsure", "yes"])  # type: ignore[arg-type]
