"""Judgments as other projects write them; all texts and numbers here are made up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import llm_juries as lj
from conftest import ROOT
from llm_juries.data.dataset import Dataset
from llm_juries.data.sources.judgment_files import Kind, load
from llm_juries.errors import JuriesError

INSPECT = ROOT / "tests" / "fixtures" / "inspect_log.json"  # written by inspect_ai 0.3.285
GAME = {"judgment": {"answer": "..."}, "prompt": []}


def read(
    kind: Kind, folder: Path, rows: list[Any], name: str = "f.jsonl", **options: Any
) -> Dataset:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    lines = [json.dumps(row) for row in rows]
    path.write_text(f"[{','.join(lines)}]" if path.suffix == ".json" else "\n".join(lines))
    return load(kind, [str(path)], "d", **options)


def values(dataset: Dataset) -> dict[tuple[str, str], str | None]:
    """Return each judge's value by its name and what it was shown."""
    return {
        (recording.judge, f"{seen.item_id} {seen.order}"): recording.scale.value(cell)
        for recording in dataset.recordings
        for seen, cell in recording.cells.items()
    }


def arena(uid: str, first: str | None, second: str | None, **more: Any) -> dict[str, Any]:
    games = [None if score is None else {"score": score, **GAME} for score in (first, second)]
    return {"uid": uid, "judge": "gpt", "model": "mine", "games": games, **more}


def test_the_baseline_is_answer_a_in_the_first_game_of_arena_hard(tmp_path: Path):
    rows = [
        arena("u1", "A>>B", "B>>A", baseline="o3", category="creative_writing"),
        arena("u2", "A<B", None, baseline="o3", category="hard_prompt"),
    ]
    dataset = read("arena_hard", tmp_path, rows)
    assert values(dataset) == {
        ("gpt", "u1 swapped"): "B>>A",
        ("gpt", "u1 original"): "B>>A",
        ("gpt", "u2 swapped"): "A>B",
        ("gpt", "u2 original"): None,
    }
    first = next(iter(dataset.items))
    assert (first.candidate, first.opponent, first.subset) == ("mine", "o3", "creative_writing")


def test_arena_hards_first_files_need_a_baseline(tmp_path: Path):
    row = arena("u1", "A>B", "B>A") | {"question_id": "q1"}
    del row["uid"]
    with pytest.raises(JuriesError, match=r"line 1: does not name the baseline; set dataset\.base"):
        read("arena_hard", tmp_path, [row])
    dataset = read("arena_hard", tmp_path, [row], baseline="gpt-4-0314")
    assert set(values(dataset).values()) == {"B>A"}
    with pytest.raises(JuriesError, match=r"field games\.score: 'C' is not on the scale"):
        read("arena_hard", tmp_path, [arena("u1", "C", "C", baseline="o3")])


def test_mt_bench_names_the_winner_of_both_games(tmp_path: Path):
    row = {"question_id": 81, "model_1": "a7b", "model_2": "gpt", "turn": 1}
    row |= {"judge": ["gpt-4", "pair-v2"], "g1_winner": "model_1", "g2_winner": "tie"}
    rows = [row, row | {"turn": 2, "g1_winner": "error", "g2_winner": "model_2"}]
    dataset = read("mt_bench", tmp_path, rows)
    assert values(dataset) == {
        ("gpt-4", "81-1 original"): "a",
        ("gpt-4", "81-1 swapped"): "tie",
        ("gpt-4", "81-2 original"): None,
        ("gpt-4", "81-2 swapped"): "b",
    }
    assert {item.drawn_with for item in dataset.items} == {"81"}
    with pytest.raises(JuriesError, match="field g1_winner: 'a7b' is not a winner"):
        read("mt_bench", tmp_path, [row | {"g1_winner": "a7b"}])


def test_a_score_of_minus_one_of_mt_bench_is_no_verdict(tmp_path: Path):
    row = {"question_id": 81, "model": "a7b", "judge": ["gpt-4", "single-v1"], "turn": 1}
    dataset = read("mt_bench", tmp_path, [row | {"score": 7}, row | {"turn": 2, "score": -1}])
    assert values(dataset) == {("gpt-4", "81-1 original"): "7", ("gpt-4", "81-2 original"): None}
    assert str(dataset.recordings[0].scale) == "interval (1 to 10)"


def alpaca(preferences: list[float | None]) -> list[dict[str, Any]]:
    return [
        {
            "instruction": f"Do {number}", "dataset": "d", "annotator": "gpt",
            "output_1": "x", "generator_1": "gpt4", "output_2": "y", "generator_2": "mine",
            "preference": preference,
        }
        for number, preference in enumerate(preferences)
    ]  # fmt: skip


def test_a_preference_of_one_is_a_win_of_alpaca_evals_reference(tmp_path: Path):
    rows = alpaca([1.0, 1.5, 2.0, 1.9, 0, None])
    dataset = read("alpaca_eval", tmp_path, rows, "annotations.json")
    first = next(iter(dataset.items))
    assert (first.candidate, first.answer, first.opponent) == ("mine", "y", "gpt4")
    panel = lj.read_verdicts(dataset)
    np.testing.assert_array_equal(panel.votes.labels[:, 0], [0, 0.5, 1, 1, 0.5, np.nan])
    np.testing.assert_allclose(panel.votes.scores[:, 0], [0, 0.5, 1, 0.9, 0.5, np.nan])
    with pytest.raises(JuriesError, match="field preference: 3 is not between 1 and 2"):
        read("alpaca_eval", tmp_path, alpaca([3]), "annotations.json")


def test_alpaca_evals_win_rate_is_the_published_one(tmp_path: Path):
    share = np.random.default_rng(0).beta(0.1, 1.3, 500)
    share += 0.0694 - share.mean()
    share = np.clip(share, 0, 1)
    rows = alpaca(list(1 + share))
    panel = lj.read_verdicts(read("alpaca_eval", tmp_path, rows, "annotations.json"))
    lj.report(panel, tmp_path / "out", lj.Bootstrap(resamples=20))
    table = (tmp_path / "out" / "tables" / "ranking.csv").read_text().splitlines()
    head = table[0].split(",")
    (row,) = [
        dict(zip(head, line.split(","), strict=True)) for line in table[1:] if ",mine," in line
    ]
    assert row["measure"] == "win_rate"
    assert float(row["score"]) == pytest.approx(share.mean(), abs=1e-12)


def test_metrics_of_lm_eval_are_voters_by_filter(tmp_path: Path):
    row = {
        "doc_id": 0, "doc": {"question": "2+2?"}, "target": "4", "filter": "strict-match",
        "arguments": {"gen_args_0": {"arg_0": "Q: 2+2?\nA:", "arg_1": {}}},
        "resps": [["It is 4"]], "filtered_resps": ["4"], "metrics": ["exact_match", "f1"],
        "doc_hash": "h", "prompt_hash": "h", "target_hash": "h", "exact_match": 1.0, "f1": 0.4,
    }  # fmt: skip
    rows = [row, row | {"filter": "flexible-extract", "exact_match": 0.0}]
    name = "mine__7b/samples_gsm8k_2025-01-02T03-04-05.678901.jsonl"
    dataset = read("lm_eval", tmp_path, rows, name)
    assert [(r.judge, r.prompt, r.kind, *r.cells.values()) for r in dataset.recordings] == [
        ("exact_match", "strict-match", "lexical", "1.0"),
        ("exact_match", "flexible-extract", "lexical", "0.0"),
    ]
    (item,) = dataset.items
    assert (item.item_id, item.candidate, item.subset) == ("gsm8k/0", "mine__7b", "gsm8k")
    assert (item.question, item.answer, item.references) == ("Q: 2+2?\nA:", "It is 4", ("4",))
    scored = read(
        "lm_eval", tmp_path, rows[:1], name, judges=("f1",), scale=lj.Scale.interval(0, 1)
    )
    assert values(scored) == {("f1", "gsm8k/0 original"): "0.4"}


def test_inspects_scorers_are_voters_on_its_own_scale():
    dataset = load("inspect", [str(INSPECT)], "d")
    assert values(dataset) == {
        ("includes", "q1/1 original"): "C", ("includes", "2/1 original"): "I",
        ("includes", "q1/2 original"): "I", ("includes", "2/2 original"): "C",
        ("graded", "q1/1 original"): "P", ("graded", "2/1 original"): "I",
        ("graded", "q1/2 original"): "I", ("graded", "2/2 original"): "I",
    }  # fmt: skip
    assert {(item.drawn_with, item.references) for item in dataset.items} == {
        ("q1", ("4",)), ("2", ("Lima", "lima")),
    }  # fmt: skip
    binary = load("inspect", [str(INSPECT)], "d", judges=("includes",))
    assert binary.recordings[0].judge == "includes"
    rated = load("inspect", [str(INSPECT)], "d", judges=("rating",), scale=lj.Scale.ordinal(1, 5))
    assert sorted(values(rated).values(), key=str) == ["1", "2", "4", "5"]


def test_a_zipped_log_of_inspect_says_how_to_convert_it(tmp_path: Path):
    (tmp_path / "log.eval").write_bytes(b"PK")
    with pytest.raises(JuriesError, match=r"inspect log convert log\.eval --to json"):
        load("inspect", [str(tmp_path / "log.eval")], "d")


def test_several_files_are_one_dataset(tmp_path: Path):
    for model in ("m1", "m2"):
        row = arena("u1", "A>B", "B>A", baseline="o3") | {"model": model}
        (tmp_path / f"{model}.jsonl").write_text(json.dumps(row))
    dataset = load("arena_hard", [str(tmp_path / "*.jsonl")], "d")
    assert [item.candidate for item in dataset.items] == ["m1", "m2"]
