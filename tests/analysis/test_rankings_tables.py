"""Rankings of models under each voter: battles counted once, references found, humans beside."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from llm_juries.analysis.rankings import Rankings, battles, correlation, fit, ranking
from llm_juries.data.dataset import UNNAMED, Dataset
from llm_juries.errors import JuriesError
from llm_juries.juries.panel import Panel
from llm_juries.juries.votes import Voter, Votes
from llm_juries.metrics.bootstrap import Bootstrap
from llm_juries.scale import Scale
from llm_juries.types import Item, Order

NAN = math.nan
FEW = Bootstrap(resamples=60)


def pairs(rows: list[tuple[str, str, str, float, float | None]], scores: Any = None) -> Panel:
    """Return a panel of one judge: question, candidate, opponent, its label, the human's."""
    items = tuple(
        Item("d", question, first, "?", "text", opponent=second, opponent_answer="# other", human=h)
        for question, first, second, _, h in rows
    )
    labels = np.array([[label] for *_, label, _ in rows], float)
    strength = labels if scores is None else np.array(scores, float)[:, None]
    outcomes = np.where(np.isnan(labels), "inconsistent", "ok").astype("U16")
    votes = Votes((Voter("j", "judge"),), labels, strength, outcomes)
    return Panel(Dataset("d", items, orders=tuple(Order)), votes)


def circle(number: int = 40) -> Panel:
    """Return battles of three models that all win and lose, b most often, and humans' labels."""
    rng = np.random.default_rng(5)
    rows: list[tuple[str, str, str, float, float | None]] = []
    for question in range(number):
        for first, second, chance in (("a", "b", 0.3), ("c", "b", 0.2), ("a", "c", 0.6)):
            won = float(rng.random() < chance)
            rows.append((f"q{question:02}", first, second, won, float(rng.random() < chance)))
    return pairs(rows)


def ranked(panel: Panel, how: Rankings | None = None) -> pd.DataFrame:
    return ranking(panel, fit(panel, FEW, how))


def correlated(panel: Panel, how: Rankings | None = None) -> pd.DataFrame:
    return correlation(panel, fit(panel, FEW, how))


def test_without_votes_a_battle_is_no_tie():
    panel = pairs([("q1", "a", "base", 1, None), ("q2", "a", "base", NAN, None)])
    table = ranked(panel).set_index("model")
    assert table.loc["a", "score"] == 1.0
    assert table["n"].tolist() == [1, 1]
    assert set(table["measure"]) == {"win_rate"}  # two models have no ranking by strength
    assert battles(panel, Rankings())["n"].tolist() == [1]


def test_the_only_opponent_is_the_baseline():
    rows = [(f"q{n}", m, "base", w, None) for n, (m, w) in enumerate([("a", 1), ("b", 0.5)] * 3)]
    found = ranked(pairs(rows))
    rates = found[found["measure"] == "win_rate"].set_index("model")
    assert rates["score"].to_dict() == {"a": 1.0, "b": 0.5, "base": 0.5}
    # A model that only won has no most likely strength: no number is made up for it.
    strengths = found[found["measure"] == "bradley_terry"]
    assert strengths["score"].isna().all()


def test_strengths_are_anchored_at_the_baseline_and_humans_stand_beside():
    found = ranked(circle(), Rankings(baseline="c"))
    strengths = found[found["measure"] == "bradley_terry"].set_index(["voter", "model"])
    assert strengths.loc[("j", "c"), "score"] == 1000
    assert set(found["voter"]) == {"humans", "j"}
    assert found["voter"].iloc[0] == "humans"
    assert strengths.loc[("j", "b"), "rank"] == 1
    wins = battles(circle(), Rankings()).set_index(["voter", "first", "second"])
    assert wins.loc[("j", "a", "b"), "n"] == 40
    # The odds of a and b that the strengths give are those of the fit, not of their battles alone,
    # but on as many battles of each pair they are near them.
    odds = 1 / (1 + 10 ** ((strengths.loc[("j", "b"), "score"]
                            - strengths.loc[("j", "a"), "score"]) / 400))  # fmt: skip
    assert odds == pytest.approx(wins.loc[("j", "a", "b"), "share"], abs=0.1)


def test_a_level_counts_by_its_share_or_as_a_whole_win():
    panel = pairs([("q1", "a", "b", 1, None), ("q2", "a", "b", 0, None)], [0.75, 0.0])
    by_share = battles(panel, Rankings())["share"].item()
    whole = battles(panel, Rankings(slight="win", strong=3))["share"].item()
    assert (by_share, whole) == (0.375, 0.25)


def test_style_is_controlled_for_where_there_are_texts():
    measures = set(ranked(circle(), Rankings(style=True))["measure"])
    assert measures == {"win_rate", "bradley_terry", "style_controlled"}


def test_correlation_with_the_humans_is_that_of_scipy():
    panel = circle()
    ranks = ranked(panel)
    table = correlated(panel)
    for measure, rows in table.groupby("measure"):
        own = ranks[ranks["measure"] == measure].pivot_table(
            index="model", columns="voter", values="score"
        )
        value = rows.set_index("correlation")["value"]
        tau = stats.kendalltau(own["j"], own["humans"]).statistic
        assert value["kendall_tau_b"] == pytest.approx(tau)
        assert value["spearman"] == pytest.approx(stats.spearmanr(own["j"], own["humans"])[0])
    assert set(table["reference"]) == {"humans"}
    assert set(table["voter"]) == {"j"}


def test_a_leaderboard_is_found_by_name_whatever_the_case(tmp_path: Path):
    board = tmp_path / "board.csv"
    board.write_text("model,score\nA,3\nThe B,9\nC,1\nZ,0\n")
    how = Rankings(reference=str(board), names={"b": "The B"})
    table = correlated(circle(), how)
    rows = table[(table["reference"] == str(board)) & (table["voter"] == "j")]
    assert set(rows["models"]) == {3}
    assert rows.set_index("correlation")["value"]["kendall_tau_b"].max() == 1.0
    with pytest.raises(JuriesError, match=r"ranking.names: 'b' is called 'The BB'.*did you mean"):
        correlated(circle(), Rankings(reference=str(board), names={"b": "The BB"}))


def test_places_are_not_ranked():
    rows = [(f"q{n}", *UNNAMED, float(n % 2), None) for n in range(4)]
    panel = pairs(rows)  # type: ignore[arg-type]
    for table in (ranked(panel), correlated(panel)):
        assert table.empty
    assert battles(panel, Rankings()).empty


def test_two_answers_of_one_model_are_no_battle():
    own = [("q9", "a", "a", 1.0, 1.0), ("q9", *UNNAMED, 1.0, 1.0)]
    rows = [(f"q{n}", "a", "base", float(n % 2), float(n % 3 > 0)) for n in range(8)]
    how = Rankings(style=True)
    for table in (ranked, correlated):
        pd.testing.assert_frame_equal(
            table(pairs([*own, *rows]), how),  # type: ignore[list-item]
            table(pairs(rows), how),  # type: ignore[arg-type]
        )
    assert ranked(pairs(own[:1]), how).empty  # type: ignore[arg-type]


def test_models_that_a_leaderboard_lacks_are_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    board = tmp_path / "board.csv"
    board.write_text("model,score\na,3\n")
    correlated(circle(), Rankings(reference=str(board)))
    (said,) = caplog.messages
    assert "has 1 of the 3 models of d; missing are b, c." in said


def test_an_unknown_baseline_is_told_in_one_line():
    with pytest.raises(JuriesError, match=r"ranking.baseline: d has no model 'd'; there are: a, b"):
        fit(circle(), FEW, Rankings(baseline="d"))


def single(labels: Any, scores: Any, candidates: list[str], scale: Any, human: Any) -> Panel:
    items = tuple(
        Item("d", f"q{at // len(set(candidates))}", candidate, human=label)
        for at, (candidate, label) in enumerate(zip(candidates, human, strict=True))
    )
    labels = np.array(labels, float)[:, None]
    votes = Votes(
        (Voter("j", "judge"),),
        labels,
        np.array(scores, float)[:, None],
        np.where(np.isnan(labels), "tie", "ok").astype("U16"),
    )
    return Panel(Dataset("d", items), votes, scale=scale)


def test_single_answers_are_ranked_by_the_mean_of_the_levels_given():
    panel = single([5, 3, 4, 2], [5, 3, 4, 2], list("abab"), Scale.ordinal(1, 5), [None] * 4)
    table = ranked(panel).set_index("model")
    assert table["score"].to_dict() == {"a": 4.5, "b": 2.5}  # 5 and 4; 3 and 2
    assert set(table["voter"]) == {"j"}


def test_right_and_wrong_answers_are_ranked_by_their_labels_beside_the_humans():
    panel = single([1, 0, 1, 1], [0.6, 0.4, 0.7, 0.9], list("abab"), Scale.binary(), [1, 0, 0, 1])
    table = ranked(panel)
    expected = pd.Series({("humans", "a"): 0.5, ("humans", "b"): 0.5, ("j", "a"): 1.0,
                          ("j", "b"): 0.5})  # fmt: skip
    assert table.set_index(["voter", "model"])["score"].to_dict() == expected.to_dict()
