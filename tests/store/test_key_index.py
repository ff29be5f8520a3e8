"""Places are a mapping, however many there are and in whatever order they came."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_juries.store import key_index as places
from llm_juries.store.key_index import Place, Places

PLACES = st.builds(Place, st.integers(0, 9), st.integers(0, 2**40), st.integers(1, 2**30))


@given(st.lists(st.tuples(st.text(max_size=3), PLACES)), st.integers(1, 5))
@settings(max_examples=100, deadline=None)
def test_places_are_kept_as_a_dictionary_keeps_them(put: list[tuple[str, Place]], at_least: int):
    kept: dict[str, Place] = {}
    found = Places()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(places, "RECENT_AT_LEAST", at_least)
        for key, place in put:
            found.put(key, place)
            kept[key] = place
            assert len(found) == len(kept)
        assert {key: found.get(key) for key in kept} == kept
        assert found.get("absent") is None
        assert list(found) == sorted(kept.values(), key=lambda p: (p.segment, p.offset)) or len(
            {(p.segment, p.offset) for p in kept.values()}
        ) < len(kept)
        assert len(found) == len(kept)


def test_a_place_takes_little_memory():
    found, number = Places(), 50_000
    tracemalloc.start()
    for at in range(number):
        found.put(f"{at:032x}", Place(0, at * 700, 700))
    list(found)  # as after a merge
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 40 * number
