"""Probabilities of all values: from replies to panels, rules and tables, against a naive count."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

import llm_juries as lj
from llm_juries.analysis.distributions import distributions
from llm_juries.errors import JuriesError
from llm_juries.judges.base import Limits, ModelJudge
from llm_juries.judges.decoding import Decoding
from llm_juries.prompts.prompt import Prompt
from llm_juries.types import Reply, Request

COLOURS = Prompt("colours", "{{ question }}", scale=lj.Scale.nominal("red", "green", "blue"))
STARS = Prompt("stars", "{{ question }}", scale=lj.Scale.ordinal(1, 4))
NAMED = Prompt(
    "named",
    "{{ question }}",
    scale=lj.Scale.ordinal(levels=["poor", "fair", "good"], numbers=[1, 2, 4]),
)
TENS = Prompt("tens", "{{ question }}", {"0": 0, "5": 5, "10": 10}, scale=lj.Scale.interval(0, 10))
ROWS = [{"item_id": f"q{n}", "question": f"Q{n}", "answer": "A"} for n in range(12)]


class Scorer(ModelJudge):
    """Gives each verdict word a probability that only its seed and the question decide."""

    def __init__(self, name: str, seed: int, silent: Sequence[str] = ()) -> None:
        facts = {"backend": "made up", "seed": seed}
        super().__init__(name, "made up", Decoding(verdict_by="logprobs"), Limits(), facts)
        self.seed, self.silent = seed, silent

    async def ready(self) -> None:
        pass

    async def open(self) -> None:
        pass

    async def close(self) -> None:
        pass

    async def ask(self, requests: Sequence[Request]) -> list[Reply]:
        return [self.reply(one) for one in requests]

    def reply(self, request: Request) -> Reply:
        if request.item.item_id in self.silent:
            return Reply(text=request.choices[0])
        chances = self.chances(request.item.item_id, len(request.choices))
        logs = {w: math.log(0.8 * p) for w, p in zip(request.choices, chances, strict=True)}
        return Reply(text=request.choices[0], choice_logprobs=logs, label_mass=0.8)

    def chances(self, item_id: str, values: int) -> list[float]:
        rng = np.random.default_rng([self.seed, int(item_id[1:])])
        return rng.dirichlet(np.ones(values)).tolist()


def judged(path: Path, prompt: Prompt, *judges: Scorer, **how: object) -> lj.Panel:
    return lj.judge(ROWS, list(judges), prompt, store=path / "store", **how)  # type: ignore[arg-type]


def test_mean_and_log_odds_pool_the_probabilities_of_nominal_values(tmp_path: Path):
    judges = [Scorer(name, seed) for seed, name in enumerate("abc")]
    weights = {"a": 2.0, "b": 1.0, "c": 0.5}
    panel = judged(tmp_path, COLOURS, *judges)
    for rule in ("mean", "log_odds"):
        panel = panel.add(lj.Jury(rule, ["a", "b", "c"], rule=rule))  # type: ignore[arg-type]
        heavy = lj.Jury(f"{rule}_w", ["a", "b", "c"], rule=rule, weights=weights)  # type: ignore[arg-type]
        panel = panel.add(heavy)
    names = panel.votes.names
    for row, item in enumerate(ROWS):
        given = [judge.chances(item["item_id"], 3) for judge in judges]
        for column, judge in enumerate(judges):
            assert panel.votes.labels[row, names.index(judge.name)] == np.argmax(given[column])
        for suffix, by in (("", [1.0] * 3), ("_w", [2.0, 1.0, 0.5])):
            mean, logs = [], []
            for value in range(3):
                own = [chances[value] for chances in given]
                mean.append(sum(w * p for w, p in zip(by, own, strict=True)) / sum(by))
                floor = [math.log(max(p, 0.001)) for p in own]
                weighed = sum(w * log for w, log in zip(by, floor, strict=True)) / sum(by)
                logs.append(math.exp(weighed))
            logs = [one / sum(logs) for one in logs]
            for rule, wanted in (("mean", mean), ("log_odds", logs)):
                at = names.index(rule + suffix)
                np.testing.assert_allclose(panel.votes.probabilities[row, at], wanted, atol=1e-12)
                assert panel.votes.labels[row, at] == np.argmax(wanted)
                assert panel.votes.scores[row, at] == pytest.approx(max(wanted))
    table = distributions(panel).set_index("voter")
    assert table["n"].tolist() == [12] * 7
    assert table.loc[["a", "mean"], "expected"].isna().all()
    entropies = [-sum(p * math.log2(p) for p in judges[0].chances(f"q{n}", 3)) for n in range(12)]
    assert table.loc["a", "entropy"] == pytest.approx(np.mean(entropies))
    assert table.loc["a", "label_mass"] == pytest.approx(0.8)


def test_a_vote_without_probabilities_is_one_line(tmp_path: Path):
    panel = judged(tmp_path, COLOURS, Scorer("a", 1), Scorer("b", 2, silent=["q3"]))
    said = r"jury x: rule mean pools probabilities, and b has votes without one \(its backend or"
    with pytest.raises(JuriesError, match=said):
        panel.add(lj.Jury("x", ["a", "b"], rule="mean"))
    assert panel.add(lj.Jury("x", ["a"], rule="mean")).votes.names == ("a", "b", "x")
    assert distributions(panel).set_index("voter").loc["b", ["n", "without"]].tolist() == [11, 1]


@pytest.mark.parametrize("prompt", [STARS, NAMED, TENS], ids=lambda prompt: prompt.name)
def test_a_vote_is_the_most_probable_or_by_option_the_expected_level(
    tmp_path: Path, prompt: Prompt, caplog: pytest.LogCaptureFixture
):
    judge = Scorer("a", 1, silent=["q3"])
    silent = Scorer("b", 2, silent=[row["item_id"] for row in ROWS])
    numbers = [prompt.parser_scale.encode(word) for word in prompt.choices]
    usual = judged(tmp_path, prompt, judge, silent)
    expected = judged(tmp_path, prompt, judge, silent, vote="expected")
    assert expected.scale.kind == "interval"
    assert expected.scale.ends == prompt.parser_scale.ends
    assert "b: no token probabilities of levels; their votes stay" in caplog.text
    for row, item in enumerate(ROWS):
        if item["item_id"] == "q3":
            assert np.isnan(expected.votes.labels[row, 0])
            assert expected.votes.outcomes[row, 0] == "no_probabilities"
            assert usual.votes.labels[row, 0] == numbers[0]
            continue
        chances = judge.chances(item["item_id"], len(numbers))
        assert usual.votes.labels[row, 0] == numbers[int(np.argmax(chances))]
        assert expected.votes.labels[row, 0] == pytest.approx(np.dot(chances, numbers))
    assert (expected.votes.labels[:, 1] == numbers[0]).all()
    rows = lj.verdict_distributions(expected)
    assert len(rows) == 11
    assert rows["expected"].tolist() == pytest.approx(
        [label for label in expected.votes.labels[:, 0].tolist() if not math.isnan(label)]
    )
    assert rows.filter(like="p_").sum(axis=1).tolist() == pytest.approx([1] * 11)


def test_where_no_backend_has_probabilities_there_is_one_line(tmp_path: Path):
    silent = Scorer("b", 2, silent=[row["item_id"] for row in ROWS])
    panel = judged(tmp_path, STARS, silent)
    assert distributions(panel).empty
    with pytest.raises(JuriesError, match="no judge has the token probabilities of more than two"):
        lj.verdict_distributions(panel)
    with pytest.raises(JuriesError, match=r"^vote: expected: no judge has the token probabilities"):
        judged(tmp_path, STARS, silent, vote="expected")
    with pytest.raises(JuriesError, match=r"^vote: expected: a is nominal .* no expected level$"):
        judged(tmp_path / "other", COLOURS, Scorer("a", 1), vote="expected")
    with pytest.raises(JuriesError, match=r"^vote: there is no 'expect'; did you mean expected"):
        judged(tmp_path, STARS, silent, vote="expect")
