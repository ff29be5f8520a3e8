"""Shares of values, confusion and votes at each label are what pandas counts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import llm_juries as lj
from llm_juries.analysis.levels import Steps, confusion, value_shares, votes_by_label

VERDICTS = ("supported", "refuted", "not enough info")


def panel_of(scale: lj.Scale, rows: list[tuple[Any, ...]], **how: Any) -> lj.Panel:
    """Return the panel of rows (human, ada, bob), a question each; bob may have no vote at all."""
    some = next(row[1] for row in rows if row[1] is not None)
    rows = [*rows, (None, None, some)]
    table = [
        {"item_id": f"q{n}", "human": human, "ada": ada, "bob": bob}
        for n, (human, ada, bob) in enumerate(rows)
    ]
    panel = lj.read_verdicts(table, ["ada", "bob"], scale, name="made_up", **how)
    return panel.where(np.arange(len(rows)) < len(rows) - 1)


def test_shares_are_of_the_votes_and_the_humans_come_first() -> None:
    s, r, n = VERDICTS
    panel = panel_of(lj.Scale.nominal(*VERDICTS), [(s, s, None), (s, r, None), (n, None, None)])
    table = value_shares(panel)
    assert table["voter"].drop_duplicates().tolist() == ["humans", "ada", "bob"]
    assert table["value"].tolist() == [*VERDICTS] * 3
    assert table["n"].tolist() == [2, 0, 1, 1, 1, 0, 0, 0, 0]
    assert table["share"].tolist()[:6] == pytest.approx([2 / 3, 0, 1 / 3, 0.5, 0.5, 0])
    assert table["share"][6:].isna().all()


def test_a_confusion_counts_the_missing_votes_at_each_label() -> None:
    s, r, n = VERDICTS
    rows = [(s, s, None), (s, r, s), (s, None, s), (r, r, None), (n, None, None), (None, s, s)]
    table = confusion(panel_of(lj.Scale.nominal(*VERDICTS), rows))
    ada = table[table["voter"] == "ada"]
    assert list(zip(ada["human"], ada["voted"], ada["n"], strict=True)) == [
        (s, s, 1), (s, r, 1), (s, "", 1), (r, r, 1), (n, "", 1),
    ]  # fmt: skip
    np.testing.assert_allclose(ada["share"], [0.5, 0.5, np.nan, 1, np.nan])


def test_preferences_with_ties_are_crossed_by_side_and_others_are_not() -> None:
    def pairs(*rows: tuple[str, str]) -> lj.Panel:
        table = [
            {"item_id": f"q{n}", "candidate": "x", "opponent": "y", "human": human, "ada": ada}
            for n, (human, ada) in enumerate(rows)
        ]
        return lj.read_verdicts(table, ["ada"], name="pairs")

    table = confusion(pairs(("a", "a"), ("tie", "b"), ("b", "tie"), ("b", "b")))
    assert list(zip(table["human"], table["voted"], table["n"], strict=True)) == [
        ("b", "b", 1), ("b", "tie", 1), ("tie", "b", 1), ("a", "a", 1),
    ]  # fmt: skip
    decided = pairs(("a", "a"), ("b", "a"))
    assert confusion(decided).empty
    assert value_shares(decided).empty


@pytest.mark.parametrize(
    ("scale", "names", "codes", "places"),
    [
        (lj.Scale.interval(1, 5), "1 2 3 4 5", [1, 1.49, 1.5, 4.9], [0, 0, 1, 4]),
        (lj.Scale.interval(0, 1), None, [0, 0.05, 0.1, 1], [0, 0, 1, 9]),
        (lj.Scale.ordinal(0, 100), None, [0, 9, 10, 100], [0, 0, 1, 9]),
        (lj.Scale.ordinal(levels=["bad", "fair", "good"]), "bad fair good", [0, 0.5, 2], [0, 1, 2]),
        (lj.Scale.preference(), "b tie a", [0, 0.5, 1], [0, 1, 2]),
        (lj.Scale.preference("B>>A", "B>A", "A>B", "A>>B"), "second tie first", [0, 1], [0, 2]),
    ],
)
def test_a_scale_is_counted_by_its_levels_or_in_parts(
    scale: lj.Scale, names: str | None, codes: list[float], places: list[int]
) -> None:
    steps = Steps.of(scale)
    assert len(steps.names) == 10 if names is None else steps.names == tuple(names.split())
    assert steps.at(np.array([*codes, np.nan])).tolist() == [*places, -1]


def test_votes_at_a_label_have_the_quantiles_that_pandas_gives() -> None:
    rng = np.random.default_rng(3)
    human = rng.uniform(1, 5, 300).round(2)
    votes = np.clip(human + rng.normal(0, 0.7, 300), 1, 5).round(2)
    votes[rng.random(300) < 0.1] = np.nan
    rows = [(h, None if np.isnan(v) else v, None) for h, v in zip(human, votes, strict=True)]
    table = votes_by_label(panel_of(lj.Scale.interval(1, 5), rows))
    ada = table[table["voter"] == "ada"].set_index("human")
    frame = pd.DataFrame({"at": np.floor(human + 0.5).astype(int).astype(str), "vote": votes})
    given = frame.groupby("at")["vote"]
    assert ada.index.tolist() == ["1", "2", "3", "4", "5"]
    assert ada["n"].tolist() == given.count().tolist()
    assert (ada["n"] + ada["missing"]).tolist() == given.size().tolist()
    for name, share in (("p10", 0.1), ("p25", 0.25), ("median", 0.5), ("p75", 0.75), ("p90", 0.9)):
        np.testing.assert_allclose(ada[name], given.quantile(share))
    np.testing.assert_allclose(ada["mean"], given.mean())
    bob = table[table["voter"] == "bob"]
    assert bob["n"].eq(0).all()
    assert bob["median"].isna().all()


def test_grades_beside_right_and_wrong_are_shown_at_both() -> None:
    panel = panel_of(lj.Scale.ordinal(1, 5), [(1, 5, 4), (0, 2, 3)], human_scale=lj.Scale.binary())
    assert confusion(panel).empty
    table = votes_by_label(panel)
    assert table["human"].tolist() == ["0", "1"] * 2
    assert table["median"].tolist() == [2, 5, 3, 4]
    assert "humans" not in set(value_shares(panel)["voter"])


def test_yes_and_no_have_none_of_these_tables() -> None:
    panel = panel_of(lj.Scale.binary(), [(1, 1, 0), (0, 1, 0)])
    assert value_shares(panel).empty
    assert confusion(panel).empty
    assert votes_by_label(panel).empty
