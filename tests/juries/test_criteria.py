"""Several criteria: a call each, votes pooled over them, against a naive count."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import llm_juries as lj
from llm_juries.analysis.run import measure
from llm_juries.config.seating import Seating
from llm_juries.config.study import study_of
from llm_juries.data.answer_tables import load
from llm_juries.data.human_labels import HumanLabels
from llm_juries.errors import JuriesError
from llm_juries.judges.base import Limits, ModelJudge
from llm_juries.judges.decoding import Decoding
from llm_juries.juries.criteria import CRITERION_MISSING, check_criteria, over_criteria
from llm_juries.prompts.prompt import Prompt
from llm_juries.store.store import Store
from llm_juries.types import Reply, Request

NAN = math.nan
HELP, FAITH = "helpfulness", "faithfulness"
CRITERIA = {HELP: "is it of use", FAITH: "is it true"}
WEIGHTS = {HELP: 2.0, FAITH: 1.0}
STARS = lj.Scale.ordinal(1, 5)
PROMPT = Prompt(
    "by_criterion",
    "{{ criterion }}: {{ criterion_description }}\n{{ question }} {{ answer }}",
    scale=STARS,
    criteria=CRITERIA,
)


class Rater(ModelJudge):
    """Writes a level that its seed, the criterion and the answer decide, or nothing useful."""

    def __init__(self, name: str, seed: int, silent: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(name, "made up", Decoding(), Limits(), {"seed": seed})
        self.seed, self.silent = seed, silent
        self.shown: list[str] = []

    async def ready(self) -> None:
        pass

    async def open(self) -> None:
        pass

    async def close(self) -> None:
        pass

    async def ask(self, requests: Sequence[Request]) -> list[Reply]:
        self.shown += [one.messages[-1].content for one in requests]
        return [self.reply(one) for one in requests]

    def reply(self, request: Request) -> Reply:
        item = request.item
        if (item.item_id, item.criterion) in self.silent:
            return Reply("well ...")
        return Reply(str(self.level(item.item_id, item.criterion)))

    def level(self, item_id: str, criterion: str) -> int:
        seeds = [self.seed, int(item_id[1:]), len(criterion)]
        return int(np.random.default_rng(seeds).integers(1, 6))


def rows(number: int = 8) -> list[dict[str, object]]:
    return [
        {"item_id": f"q{n}", "question": f"Q{n}", "answer": f"A{n}", "human": n % 5 + 1}
        for n in range(number)
    ]


def written(path: Path, given: Sequence[dict[str, object]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in given))
    return str(path)


def test_an_answer_is_asked_about_once_a_criterion_and_pooled_by_weights(tmp_path: Path):
    one, two = Rater("one", 1), Rater("two", 2, silent=[("q3", FAITH)])
    dataset = load(written(tmp_path / "a.jsonl", rows()), scale=STARS)
    jury = lj.Jury("both", ["one", "two"], rule="mean", quorum=2, criteria=WEIGHTS)
    study = study_of(dataset, PROMPT, Seating({"one": one, "two": two}), [jury])
    panel = lj.judge(dataset, [one, two], PROMPT, store=tmp_path / "store").add(jury)
    assert len(one.shown) == 16
    assert f"{HELP}: is it of use\nQ0 A0" in one.shown
    assert [(i.item_id, i.criterion) for i in panel.dataset.items][:2] == [
        ("q0", HELP),
        ("q0", FAITH),
    ]
    assert all(item.human is None for item in panel.dataset.items)  # labels are of the whole
    with Store(tmp_path / "store") as store:
        kept = store.get(next(study.plans[0].requests()).key)
        assert kept is not None
        assert kept.criterion == HELP
        results = measure([study], store)
    whole = results.panels[1]
    assert [one.dataset.name for one in results.panels] == ["a", "a_overall"]
    assert (whole.scale.kind, whole.votes.names) == ("interval", ("one", "two", "both"))
    assert [item.human for item in whole.dataset.items] == [str(n % 5 + 1) for n in range(8)]
    for row in range(8):
        ratings = {
            judge.name: [judge.level(f"q{row}", name) for name in (HELP, FAITH)]
            for judge in (one, two)
        }
        naive = {name: (2 * a + b) / 3 for name, (a, b) in ratings.items()}
        naive["both"] = (naive["one"] + naive["two"]) / 2
        for column, name in enumerate(whole.votes.names):
            if row == 3 and name != "one":
                assert np.isnan(whole.votes.labels[row, column])
                assert whole.votes.outcomes[row, column] == CRITERION_MISSING
            else:
                assert whole.votes.labels[row, column] == pytest.approx(naive[name], abs=1e-12)
    agreement = results.tables["agreement"].set_index(["dataset", "voter"])
    assert agreement.loc[("a_overall", "two"), ["n", "missing"]].tolist() == [7, 1]
    assert agreement.loc[("a", "two"), ["n", "missing"]].tolist() == [0, 0]
    cut = panel.cut(3).overall(WEIGHTS)
    assert cut.votes.labels[:, 0].tolist() == (whole.votes.labels[:, 0] >= 3).tolist()


def test_labels_are_of_a_criterion_or_of_the_whole(tmp_path: Path):
    file = written(tmp_path / "a.jsonl", [{**row, "human": None} for row in rows(3)])
    dataset = load(file, scale=STARS, criteria=CRITERIA)
    labels = [
        "item_id,criterion,label",
        *(f"q{n},{HELP},{n + 1}" for n in range(3)),
        *(f"q{n},{FAITH},{n + 2}" for n in range(2)),
    ]
    (tmp_path / "by.csv").write_text("\n".join(labels) + "\n")
    joined = HumanLabels(human=str(tmp_path / "by.csv")).join(dataset)
    panel = lj.judge(joined, [Rater("one", 1)], PROMPT, store=tmp_path / "store")
    assert [item.human for item in panel.dataset.items] == ["1", "2", "2", "3", "3", None]
    whole = panel.overall(WEIGHTS)
    assert whole.human.tolist()[:2] == pytest.approx([4 / 3, 7 / 3])
    assert np.isnan(whole.human[2])  # a criterion has no label
    assert "pooled over criteria (helpfulness 2, faithfulness 1)" in whole.dataset.labels
    (tmp_path / "both.csv").write_text("\n".join([*labels, "q0,,5", "q2,,1"]) + "\n")
    joined = HumanLabels(human=str(tmp_path / "both.csv")).join(dataset)
    panel = lj.judge(joined, [Rater("one", 1)], PROMPT, store=tmp_path / "store")
    assert [item.human for item in panel.overall(WEIGHTS).dataset.items] == ["5", None, "1"]


@pytest.mark.parametrize("weight", ["1", None, float("nan"), -1])
def test_a_weight_that_is_no_number_is_one_clear_line(weight: object):
    with pytest.raises(JuriesError, match=r"criteria: 'tone' has .*; set a number, 0 or more"):
        check_criteria("criteria", {"tone": weight}, {"tone"})  # type: ignore[dict-item]


def test_a_tables_own_criteria_and_rows_about_the_whole(tmp_path: Path):
    given = [
        {**row, "criterion": name, "human": None if name else 4}
        for row in rows(2)
        for name in (HELP, FAITH, "")
    ]
    with pytest.raises(JuriesError, match="row 3, field human: '4' is not on the scale binary"):
        lj.judge(given, [Rater("one", 1)], PROMPT, store=tmp_path / "store")
    panel = lj.judge(given, [Rater("one", 1)], PROMPT, store=tmp_path / "store", human_scale=STARS)
    assert [item.criterion for item in panel.dataset.items] == [HELP, FAITH] * 2
    assert [item.human for item in panel.overall(WEIGHTS).dataset.items] == ["4", "4"]


def test_criteria_are_given_in_python_with_any_prompt_that_shows_them(tmp_path: Path):
    one = Rater("one", 1)
    brief = {"brevity": "no more than asked"}
    given = [{key: row[key] for key in row if key != "human"} for row in rows(2)]
    panel = lj.judge(given, [one], PROMPT, store=tmp_path / "store", criteria=brief)
    assert [item.criterion for item in panel.dataset.items] == ["brevity"] * 2
    assert one.shown[0] == "brevity: no more than asked\nQ0 A0"
    bare = Prompt("bare", "{{ answer }}", scale=STARS)
    with pytest.raises(
        JuriesError, match="prompt bare: has criteria, but its template does not na"
    ):
        lj.judge(given, [one], bare, store=tmp_path / "store", criteria=brief)


def test_what_a_prompt_does_not_show_is_one_line(tmp_path: Path):
    given = [{**row, "criterion": HELP} for row in rows(1)]
    bare = Prompt("bare", "{{ answer }}", scale=STARS)
    with pytest.raises(
        JuriesError, match="prompt bare: does not show the criterion, and list item"
    ):
        lj.judge(given, [Rater("one", 1)], bare, store=tmp_path / "store", name="list")
    open_ended = replace(PROMPT, criteria=None)
    with pytest.raises(JuriesError, match="has no description of the criterion 'helpfulness' of l"):
        lj.judge(given, [Rater("one", 1)], open_ended, store=tmp_path / "store", name="list")
    misspelt = replace(PROMPT, criteria={"helpfullness": "is it of use"})
    with pytest.raises(JuriesError, match=r"'helpfulness' of l item q0; did you mean helpfullness"):
        lj.judge(given, [Rater("one", 1)], misspelt, store=tmp_path / "store", name="l")
    with pytest.raises(
        JuriesError, match="shows a criterion, and l item q0 has none; add a column"
    ):
        lj.judge(rows(1), [Rater("one", 1)], open_ended, store=tmp_path / "store", name="l")


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ({HELP: 1}, "jury j: criteria: 'faithfulness' is missing; give it a weight, 0 to leave"),
        ({HELP: 1, "truth": 1}, "jury j: criteria: 'faithfulness' is missing"),
        ({HELP: 1, FAITH: 1, "faith": 1}, "there is no criterion 'faith'; did you mean faithful"),
        ({HELP: 1, FAITH: -1}, "jury j: criteria: 'faithfulness' has -1; set a number, 0"),
        ({HELP: 0, FAITH: 0}, "jury j: criteria: all are 0; give a criterion more"),
    ],
)
def test_wrong_weights_are_one_line_before_anything_is_asked(
    tmp_path: Path, weights: dict[str, float], said: str
):
    dataset = load(written(tmp_path / "a.jsonl", rows()), scale=STARS)
    jury = lj.Jury("j", ["one"], criteria=weights)
    with pytest.raises(JuriesError, match=said):
        study_of(dataset, PROMPT, Seating({"one": Rater("one", 1)}), [jury])
    bare = Prompt("bare", "{{ answer }}", scale=STARS)
    with pytest.raises(JuriesError, match="jury j: criteria: there are no criteria; take a prompt"):
        study_of(dataset, bare, Seating({"one": Rater("one", 1)}), [jury])


def test_votes_over_criteria_by_scale():
    codes = np.array([[1.0, 0, 0], [0, 1, 1], [1, NAN, 1], [1, 0, 1]])
    weights = np.array([2.0, 1, 1])
    labels, outcomes, strength = over_criteria(codes, weights, lj.Scale.binary())
    np.testing.assert_array_equal(labels, [NAN, NAN, NAN, 1])
    assert outcomes.tolist() == ["tie", "tie", CRITERION_MISSING, "ok"]
    np.testing.assert_allclose(strength, [0.5, 0.5, NAN, 0.75])
    labels, outcomes, _ = over_criteria(codes + 1, weights, lj.Scale.nominal("a", "b", "c"))
    np.testing.assert_array_equal(labels, [NAN, NAN, NAN, 2])
    labels, outcomes, _ = over_criteria(codes * 4 + 1, weights, STARS)
    np.testing.assert_allclose(labels, [3, 3, NAN, 4])
    assert outcomes.tolist() == ["ok", "ok", CRITERION_MISSING, "ok"]


def test_two_weightings_have_a_panel_each_and_a_report(tmp_path: Path):
    dataset = load(written(tmp_path / "a.jsonl", rows()), scale=STARS)
    juries = [
        lj.Jury("even", ["one"], rule="mean", criteria={HELP: 1, FAITH: 1}),
        lj.Jury("help", ["one"], rule="mean", criteria={HELP: 1, FAITH: 0}),
        lj.Jury("plain", ["one"], rule="mean"),
    ]
    panel = lj.judge(dataset, [Rater("one", 1)], PROMPT, store=tmp_path / "store")
    for jury in juries:
        panel = panel.add(jury)
    page = lj.report(panel, tmp_path / "report", lj.Bootstrap(resamples=20))
    said = (tmp_path / "report" / "report.md").read_text()
    assert "## a_overall_even" in said
    assert "votes on criteria pooled by weights (helpfulness 1, faithfulness 0)" in said
    assert "a_overall_help" in page.read_text()
    study = study_of(dataset, PROMPT, Seating({"one": Rater("one", 1)}), juries)
    with Store(tmp_path / "store") as store:
        even, helps = measure([study], store).panels[1:]
    assert even.votes.names == ("one", "even")
    assert helps.votes.names == ("one", "help")
    assert helps.votes.labels[:, 0].tolist() == [
        Rater("one", 1).level(f"q{n}", HELP) for n in range(8)
    ]
