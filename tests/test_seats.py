"""Seats: what the names in `members:` and `seats=` stand for."""

from __future__ import annotations

import pytest

from llm_juries.errors import JuriesError
from llm_juries.seats import Seat, seats_of


@pytest.mark.parametrize(
    ("name", "seats"),
    [
        ("haiku", [Seat("haiku")]),
        ("haiku:1", [Seat("haiku")]),
        ("haiku:3", [Seat("haiku", "", 3)]),
        ("haiku*3", [Seat("haiku"), Seat("haiku", "", 2), Seat("haiku", "", 3)]),
        ("haiku@zero_shot", [Seat("haiku", "zero_shot")]),
        ("haiku@zero_shot*2", [Seat("haiku", "zero_shot"), Seat("haiku", "zero_shot", 2)]),
        ("GPT-4 (2023)", [Seat("GPT-4 (2023)")]),
    ],
)
def test_a_name_stands_for_seats_and_a_seat_for_its_name(name: str, seats: list[Seat]):
    assert list(seats_of([name])) == seats
    assert seats_of(map(str, seats)) == tuple(seats)


def test_a_recorded_judge_may_have_any_name():
    assert seats_of(["a:b*c@d"], judges={"a:b*c@d"}) == (Seat("a:b*c@d"),)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["haiku:0"], "'0' is not a number of answers"),
        (["haiku*many"], "'many' is not a number of answers"),
        (["haiku*"], "'' is not a number of answers"),
        (["haiku*101"], "from 1 to 100"),
        (["haiku:2:3"], "is not of the form"),
        (["@zero_shot"], "is not of the form"),
        ([""], "is not of the form"),
        (["haiku", "haiku:1"], "haiku is named twice"),
        (["haiku*3", "haiku:2"], "haiku:2 is named twice"),
    ],
)
def test_what_is_no_seat_is_one_clear_line(names: list[str], said: str):
    with pytest.raises(JuriesError, match=said.replace("*", r"\*")) as error:
        seats_of(names)
    assert "\n" not in str(error.value)


def test_file_names_hold_nothing_that_a_shell_minds():
    assert Seat("a b/c", "p", 2).file_name == "a_b_c-at-p.2"
