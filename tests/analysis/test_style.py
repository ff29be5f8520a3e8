"""Counting markdown, and comparing two answers by it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_juries.analysis.style import Style, differences, features


@pytest.mark.parametrize(
    ("text", "headers", "bold", "items"),
    [
        ("", 0, 0, 0),
        ("Plain words, 2 * 3 * 4 = 24.", 0, 0, 0),
        ("# Title\ntext\n### Part\n#hashtag", 2, 0, 0),
        ("####### seven is none", 0, 0, 0),
        ("**one** and __two__ but *not* _these_", 0, 2, 0),
        ("a snake__case__name and 2**3 is 8", 0, 0, 0),
        ("- one\n* two\n+ three\n1. four\n2) five\n  - nested", 0, 0, 6),
        ("-no space\n1.5 is a number\n---", 0, 0, 0),
        ("* **bold** in an item", 0, 1, 1),
        ("```python\n# a comment\n- x\n**y**\n```\n# Title", 1, 0, 0),
        ("~~~\n# a comment\n~~~", 0, 0, 0),
        ("```\n# never closed\n- x", 0, 0, 0),
        ("````\n```\n# a comment\n````\n- x", 0, 0, 1),
        ("1. so:\n   ```\n   # a comment\n   ```\n2. and", 0, 0, 2),
        ("```# in a line```\n# Title", 1, 0, 0),
        ("***both*** and **two\nlines** and ** spaced **", 0, 1, 0),
        ("**a*b** **c**", 0, 2, 0),
    ],
)
def test_markdown_is_counted_outside_of_code(text: str, headers: int, bold: int, items: int):
    assert features(text) == Style(len(text), headers, bold, items)


def test_differences_are_shares_of_the_sum():
    found = differences(["# A\naaa", "same"], ["a", "same"])
    np.testing.assert_allclose(found, [[(7 - 1) / 8, 1, 0, 0], [0, 0, 0, 0]])
    assert differences([], []).shape == (0, 4)


@given(st.lists(st.tuples(st.text(), st.text()), max_size=5))
def test_swapping_sides_turns_the_sign(pairs: list[tuple[str, str]]):
    first, second = [a for a, _ in pairs], [b for _, b in pairs]
    there = differences(first, second)
    np.testing.assert_array_equal(there, -differences(second, first))
    assert (np.abs(there) <= 1).all()
