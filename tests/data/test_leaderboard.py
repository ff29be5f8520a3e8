"""Reading a reference leaderboard, and the ones that ship."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from llm_juries.data.leaderboard import reference_leaderboard
from llm_juries.errors import JuriesError

SHIPPED = Path(__file__).parents[2] / "results" / "reference"


def test_scores_are_read_by_model(tmp_path: Path):
    file = tmp_path / "board.csv"
    file.write_text("model,score,date\nb,12.5,2024\na,-1,2024\nnew,,2024\n")
    assert reference_leaderboard(str(file)) == {"b": 12.5, "a": -1.0}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("name,score\na,1\n", "has no column 'model'"),
        ("model,scor\na,1\n", "has no column 'score'.*scor"),
        ("model,score\na,1\nb,2\na,3\n", "line 4, field model: 'a' is already in line 2"),
        ("model,score\n,1\n", "line 2, field model: is empty"),
        ("model,score\na,high\n", "line 2, field score: 'high' is not a number"),
        ("model,score\na,inf\n", "line 2, field score: 'inf' is not a number"),
        ("model,score\na,\n", "has no score"),
        ("model,score\n", "has no score"),
    ],
)
def test_mistakes_are_told_in_one_line(tmp_path: Path, text: str, told: str):
    file = tmp_path / "board.csv"
    file.write_text(text)
    with pytest.raises(JuriesError, match=told) as error:
        reference_leaderboard(str(file))
    assert "\n" not in str(error.value)
    assert str(file) in str(error.value)


@pytest.mark.parametrize(
    ("name", "models"), [("chatbot_arena_20240527", 34), ("arena_hard_auto_20240731", 60)]
)
def test_shipped_leaderboards_are_whole(name: str, models: int):
    file = SHIPPED / f"{name}.csv"
    assert len(reference_leaderboard(str(file))) == models
    table = pd.read_csv(file)
    assert (table["rank"] == table["score"].rank(ascending=False, method="min")).all()
    assert table["date"].nunique() == table["source"].nunique() == 1
