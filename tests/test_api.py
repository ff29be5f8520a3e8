"""The front door, as a notebook uses it: any folder, DataFrames, a running loop, clear errors."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import llm_juries as lj
from llm_juries.judges.base import Limits, key_of
from llm_juries.judges.lexical import LexicalJudge

FAST = lj.Bootstrap(resamples=200)
NO_FIGURES = lj.FigureOptions(draw="none")


class Model(LexicalJudge):
    """A string rule that is collected and stored like a model."""

    free = False


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run each test in an empty folder, with a user's data folder of its own."""
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path / "empty"


@pytest.fixture
def wide() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "item_id": [f"q{n}" for n in range(40) for _ in "ab"],
            "candidate": ["a", "b"] * 40,
            "human": [1, 0, 1, 1] * 20,
            "gpt_4": [1, 0, 1, 0] * 20,
            "haiku": ["true", "no", "no", "yes"] * 20,
            "command_r": [1.0, 0.0, np.nan, 1.0] * 20,
            "latency": [0, 1] * 40,
            "note": "text",
        }
    )


@pytest.fixture
def answers() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "question": ["Who wrote Emma?", "What is the capital of Peru?"],
            "answer": ["Jane Austen", "Cusco"],
            "references": [["Jane Austen"], ["Lima"]],
            "human": [1, 0],
        }
    )


def long(wide: pd.DataFrame) -> pd.DataFrame:
    ids = ["item_id", "candidate", "human"]
    judges = ["gpt_4", "haiku", "command_r"]
    return wide.melt(id_vars=ids, value_vars=judges, var_name="judge", value_name="label")


def test_importing_is_quick_and_names_are_there_when_used():
    code = "import sys, llm_juries; print('numpy' in sys.modules, 'hydra' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.split() == ["False", "False"]
    assert set(lj.__all__) <= set(dir(lj))
    assert all(getattr(lj, name) for name in lj.__all__)
    with pytest.raises(AttributeError, match="no attribute 'judges_of_all'"):
        lj.judges_of_all  # noqa: B018


def test_judges_are_listed_and_loaded_by_name():
    assert {"qwen25_coder", "contains"} <= set(lj.list_judges())
    assert lj.load_judge("contains").name == "contains"


def test_wide_long_list_and_file_are_one(
    wide: pd.DataFrame, empty_folder: Path, capsys: pytest.CaptureFixture[str]
):
    panel = lj.read_verdicts(wide)
    said = capsys.readouterr().out
    assert said == "verdicts: judges gpt_4, haiku, command_r; not used: latency, note\n"
    assert not list(empty_folder.iterdir())
    wide.to_csv("verdicts.csv", index=False)
    expected = lj.agreement(panel, FAST)
    assert list(expected["voter"]) == ["command_r", "gpt_4", "haiku"]
    assert expected["missing"].tolist() == [20, 0, 0]
    for same in (long(wide), wide.to_dict("records"), "verdicts.csv", wide.set_index("item_id")):
        found = lj.agreement(lj.read_verdicts(same), FAST)
        pd.testing.assert_frame_equal(found, expected)


def test_named_judges_may_have_other_columns_families_and_thresholds(wide: pd.DataFrame):
    table = wide.rename(columns={"gpt_4": "gpt_4_p1"}).assign(score=np.linspace(0, 1, len(wide)))
    judges = {
        "gpt_4@p1": {"column": "gpt_4_p1", "family": "openai"},
        "haiku": "haiku",
        "score": {"threshold": 0.5},
    }
    panel = lj.read_verdicts(table, judges=judges)
    assert panel.votes.names == ("gpt_4@p1", "haiku", "score")
    assert panel.votes.voters[0].family == "openai"
    assert panel.votes.labels[:, 2].tolist() == [float(s >= 0.5) for s in table["score"]]
    assert lj.read_verdicts(wide, judges=["haiku"]).votes.names == ("haiku",)


def test_preferences_are_read_in_both_orders():
    pairs = pd.DataFrame(
        {
            "item_id": ["p1", "p1", "p2", "p2"],
            "candidate": "x",
            "opponent": "y",
            "order": ["original", "swapped"] * 2,
            "human": ["a", "a", "b", "b"],
            "careful": ["A>>B", "A>B", "B>A", "b"],
            "first": ["a", "b", "a", "b"],
        }
    )
    panel = lj.read_verdicts(pairs)
    assert panel.votes.names == ("careful", "first")
    assert panel.votes.labels[:, 0].tolist() == [1, 0]
    assert np.isnan(panel.votes.labels[:, 1]).all()
    assert set(panel.votes.outcomes[:, 1]) == {"inconsistent"}
    unnamed = pairs[pairs["order"] == "original"][["item_id", "human", "careful"]]
    assert lj.read_verdicts(unnamed, scale=lj.Scale.preference()).dataset.pairwise


def test_a_cluster_is_what_the_bootstrap_draws(wide: pd.DataFrame):
    panel = lj.read_verdicts(wide.assign(cluster=[f"c{n // 8}" for n in range(len(wide))]))
    assert set(panel.questions) == {f"c{n}" for n in range(10)}
    assert [item.item_id for item in panel.dataset.items] == list(wide["item_id"])


def test_a_panel_with_a_jury_is_a_new_one(wide: pd.DataFrame):
    panel = lj.read_verdicts(wide)
    more = panel.add(lj.Jury("trio", ["gpt_4", "haiku", "command_r"], rule="majority"))
    assert (*panel.votes.names, "trio") == more.votes.names
    assert repr(more) == (
        "<Panel verdicts: 80 answers, 80 with a human label; voters: command_r, gpt_4, haiku, trio>"
    )
    assert set(lj.agreement(more, FAST)["voter"]) == set(more.votes.names)
    compared = lj.compare(more, FAST)
    assert compared["jury"].tolist() == ["trio", "trio"]
    assert lj.dependence(more, FAST)["jury"].tolist() == ["all voters", "trio"]
    assert len(lj.dependence(more, FAST, pairs=True)) == 3
    assert len(lj.search_juries(more, bootstrap=FAST).juries) == 7


def test_without_human_labels_judges_are_compared_with_each_other(wide: pd.DataFrame):
    panel = lj.read_verdicts(wide.drop(columns="human"))
    for function in (lj.agreement, lj.compare, lj.dependence, lj.search_juries):
        with pytest.raises(lj.JuriesError, match="verdicts has no human labels; add a column"):
            function(panel)
    table = lj.dependence(panel, FAST, pairs=True)
    pair = table.set_index(["judge", "other"]).loc[("gpt_4", "haiku")]
    assert pair["n"] == 80
    assert pair["accuracy"] == 0.5


def test_labels_of_one_value_leave_nothing_to_compare(wide: pd.DataFrame):
    panel = lj.read_verdicts(wide.assign(human=1)).add(lj.Jury("both", ["gpt_4", "haiku"]))
    with pytest.raises(lj.JuriesError, match=r"compare: .*; see agreement"):
        lj.compare(panel, FAST)


def test_voters_are_compared_with_those_named(wide: pd.DataFrame):
    panel = lj.read_verdicts(wide).add(lj.Jury("both", ["gpt_4", "haiku"]))
    table = lj.compare(panel, FAST, beside=["gpt_4", "both"])
    pairs = set(zip(table["voter"], table["beside"], strict=True))
    assert pairs == {
        ("haiku", "gpt_4"), ("command_r", "gpt_4"), ("both", "gpt_4"),
        ("haiku", "both"), ("command_r", "both"),
    }  # fmt: skip
    row = table.set_index(["voter", "beside"]).loc[("both", "gpt_4")]
    named = lj.compare(panel, FAST).set_index("beside").loc["best judge"]
    if named["judge"] == "gpt_4":
        assert row["difference"] == named["difference"]
        assert row["ci_low"] == named["ci_low"]
    assert (table["p_holm"].dropna() >= table["p"].dropna()).all()
    with pytest.raises(lj.JuriesError, match="no voter 'gpt4'; did you mean gpt_4"):
        lj.compare(panel, FAST, beside=["gpt4"])
    for wrong in ([], ["haiku", "haiku"]):
        with pytest.raises(lj.JuriesError, match=r"beside: got .*; name one voter or more, each"):
            lj.compare(panel, FAST, beside=wrong)


@pytest.mark.parametrize("difference", [0, -0.1, float("nan"), float("inf")])
def test_questions_are_planned_for_a_difference_above_zero(wide: pd.DataFrame, difference: float):
    panel = lj.read_verdicts(wide).add(lj.Jury("both", ["gpt_4", "haiku"]))
    with pytest.raises(lj.JuriesError, match=r"difference: is .*; set one above 0"):
        lj.questions_needed(panel, difference)


def test_any_table_of_a_report_can_be_made_alone(wide: pd.DataFrame):
    panel = lj.read_verdicts(wide).add(lj.Jury("both", ["gpt_4", "haiku"]))
    for name in ("power", "equivalence", "variance_components", "effective_votes"):
        assert name in lj.list_tables()
        assert len(lj.table(panel, name, FAST)), name
    assert set(lj.table(panel, "equivalence", FAST, margin=0.1)["margin"]) == {0.1}
    for name, said in (
        ("equivalenc", "did you mean equivalence"),
        ("chosen", r"search_juries\(panel\).chosen"),
        ("alt_test", "has no rows on verdicts; it takes items with the labels of two annotators"),
    ):
        with pytest.raises(lj.JuriesError, match=said):
            lj.table(panel, name, FAST)
    with pytest.raises(lj.JuriesError, match="no judge 'gpt4'; did you mean gpt_4"):
        lj.table(panel, "equivalence", FAST, large_judge="gpt4")


@pytest.mark.parametrize("wrong", [{"threshold": "0.5"}, {"threshold": True}, {"family": 1}])
def test_a_wrong_fact_about_a_recorded_judge_is_one_line(wide: pd.DataFrame, wrong: Any):
    with pytest.raises(lj.JuriesError, match=r"judges.gpt_4: .*: got .*; give a"):
        lj.read_verdicts(wide, judges={"gpt_4": wrong})


def test_single_annotators_are_combined_by_a_rule():
    rows = [{"item_id": n, "gpt": 1 + n % 5, "human_1": 3, "human_2": 3 + n % 3} for n in range(9)]
    scale = lj.Scale.ordinal(1, 5)
    by = {
        rule: lj.read_verdicts(rows, ["gpt"], scale, label_rule=rule).human.tolist()
        for rule in (None, "mean", "majority")
    }
    assert by[None][:3] == by["mean"][:3] == [3, 3.5, 4]
    np.testing.assert_array_equal(by["majority"][:3], [3, np.nan, np.nan])
    with pytest.raises(lj.JuriesError, match="label_rule: there is no 'modal'"):
        lj.read_verdicts(rows, ["gpt"], scale, label_rule="modal")  # type: ignore[arg-type]
    with pytest.raises(lj.JuriesError, match="single annotators to combine"):
        lj.read_verdicts([{"item_id": 1, "gpt": 1}], label_rule="majority")


def test_the_numbers_are_those_of_the_command(run_script: Callable[..., Any], tmp_path: Path):
    done = run_script(
        "analyze", "dataset=recorded_nq301", "jury=nq301_trio", "analysis.bootstrap.resamples=200",
        "figures.draw=none",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    panel = lj.read_verdicts("recorded_nq301").add(
        lj.Jury("nq301_trio", ["gpt_4", "text_davinci_003", "bem"])
    )
    for name, table in (
        ("agreement", lj.agreement(panel, FAST)),
        ("against_best", lj.compare(panel, FAST)),
        ("effective_votes", lj.dependence(panel, FAST)),
    ):
        written = pd.read_csv(tmp_path / "out" / "tables" / f"{name}.csv")
        pd.testing.assert_frame_equal(written, table, check_dtype=False)


def test_a_report_needs_no_store(wide: pd.DataFrame, empty_folder: Path):
    panel = lj.read_verdicts(wide).add(lj.Jury("two", ["gpt_4", "haiku"]))
    page = lj.report(panel, "mine", FAST)
    assert page == Path("mine/report.html")
    assert "two" in (empty_folder / page).read_text()
    written = pd.read_csv(empty_folder / "mine" / "tables" / "agreement.csv")
    pd.testing.assert_frame_equal(written, lj.agreement(panel, FAST), check_dtype=False)


def test_answers_are_judged_once_and_kept(
    answers: pd.DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    asked: list[str] = []

    class Counted(Model):
        async def ask(self, requests: Any) -> Any:
            asked.extend(request.key for request in requests)
            return await super().ask(requests)

    first = lj.judge(answers, judges=[Counted("model", "contains"), "token_f1"])
    place = tmp_path / "data" / "llm-juries" / "store"
    assert capsys.readouterr().out == (
        f"verdicts are kept in {place}; choose another place with store=\n"
    )
    number = len(asked)
    assert number >= 2
    answers.to_json("answers.jsonl", orient="records", lines=True)
    again = lj.judge("answers.jsonl", judges=[Counted("model", "contains"), "token_f1"])
    assert len(asked) == number
    assert first.votes.labels.tolist() == again.votes.labels.tolist() == [[1, 1], [0, 0]]
    assert "model" in lj.report(first, "out", FAST, NO_FIGURES).read_text()


class Wavering(Model):
    """A model that changes its mind from answer to answer, and under another prompt."""

    async def ask(self, requests: Any) -> Any:
        said = await super().ask(requests)
        flip = {(r.repeat + len(r.prompt)) % 2 == 1 for r in requests} == {True}
        return [replace(reply, text=str(1 - float(reply.text))) for reply in said] if flip else said

    def request(self, item: Any, order: Any, prompt: Any) -> Any:
        made = super().request(item, order, prompt)
        return replace(made, key=key_of([prompt.name], made.key), prompt=prompt.name)


def test_a_judge_may_be_asked_several_times_and_under_several_prompts(
    answers: pd.DataFrame, tmp_path: Path
):
    store = tmp_path / "store"
    seats = [Wavering("mine", "contains"), "mine*3", "mine@zero_shot", "token_f1"]
    panel = lj.judge(answers, judges=seats, store=store)
    assert panel.votes.names == ("mine", "mine:2", "mine:3", "mine@zero_shot", "token_f1")
    assert panel.votes.labels.T.tolist() == [[1, 0], [0, 1], [1, 0], [1, 0], [1, 0]]
    panel = panel.add(lj.Jury("thrice", ["mine*3"])).add(lj.Jury("two", ["mine:1", "mine:2"]))
    assert panel.juries[0].members == ("mine", "mine:2", "mine:3")
    assert panel.votes.columns(("thrice",)).labels.T.tolist() == [[1, 0]]
    assert "mine@zero_shot" in lj.report(panel, "out", FAST, NO_FIGURES).read_text()
    other = lj.judge(answers, judges=seats[:2], prompt="zero_shot", store=store)
    assert other.votes.names == ("mine", "mine:2", "mine:3")


@pytest.mark.parametrize(
    ("judges", "said"),
    [
        (["contains*2"], "seat contains:2: would be a copy of contains"),
        (["contains", "contains"], "judges: contains is named twice"),
        (["token_f1@zero"], "there is no prompt 'zero'"),
        (["qwen25_coder*2"], "qwen25_coder scores tokens"),
        (["haiku*3"], "there is no judge 'haiku'"),
        (["contains:0"], "'0' is not a number of answers"),
        ([Model("model", "contains"), Model("same", "contains")],
         "judges model and same: have the same model and decoding"),
    ],
)  # fmt: skip
def test_seats_that_cannot_be_filled_are_one_line(
    answers: pd.DataFrame, judges: list[Any], said: str
):
    with pytest.raises(lj.JuriesError) as error:
        lj.judge(answers, judges=judges)
    assert said in str(error.value)


def test_recorded_columns_that_are_named_as_seats_are_seats(wide: pd.DataFrame):
    judges = {"haiku@p1": "haiku", "haiku@p1:2": {"column": "command_r"}, "gpt_4": "gpt_4"}
    panel = lj.read_verdicts(wide, judges=judges)
    assert panel.votes.names == ("gpt_4", "haiku@p1", "haiku@p1:2")
    assert panel.add(lj.Jury("both", ["haiku@p1*2"])).juries[0].members == (
        "haiku@p1", "haiku@p1:2",
    )  # fmt: skip


def test_a_running_loop_is_no_obstacle(answers: pd.DataFrame, tmp_path: Path):
    async def notebook() -> tuple[lj.Panel, lj.Panel]:
        judges = [Model("model", "contains"), "exact_match"]
        judged = lj.judge(answers, judges=judges, store=tmp_path / "store")
        return judged, lj.judge(answers, judges=judges, store=tmp_path / "store")

    one, two = asyncio.run(notebook())
    assert one.votes.labels.tolist() == two.votes.labels.tolist()


def test_an_interrupt_in_a_notebook_stops_sending_and_keeps_what_came(tmp_path: Path):
    asked: list[str] = []

    class Slow(Model):
        limits = Limits(batch=1)

        async def ask(self, requests: Any) -> Any:
            asked.extend(request.item.item_id for request in requests)
            if len(asked) == 5:  # the stop button: a signal to the thread that waits
                os.kill(os.getpid(), signal.SIGINT)
            await asyncio.sleep(0.01)
            return await super().ask(requests)

    rows = [
        {"question": f"Q{n}?", "answer": f"a{n}", "references": [f"a{n}"], "human": 1}
        for n in range(200)
    ]

    async def cell() -> lj.Panel:
        return lj.judge(rows, judges=[Slow("model", "contains")], store=tmp_path / "store")

    loop = asyncio.new_event_loop()
    try:
        with pytest.raises(KeyboardInterrupt):
            loop.run_until_complete(cell())
        first = len(asked)
        assert 5 <= first < 100
        panel = loop.run_until_complete(cell())
    finally:
        loop.close()
    assert len(asked) <= 200 + 2  # a first request may be sent to see whether a judge answers
    assert panel.votes.labels.tolist() == [[1.0]] * 200


def test_a_dataset_goes_by_its_name(empty_folder: Path):
    panel = lj.judge("sample_qa", judges=["contains", "exact_match"])
    assert panel.dataset.name == "sample_qa"
    assert len(lj.agreement(panel, FAST)) == 2
    some = lj.read_verdicts("recorded_nq301", judges=["bem", "gpt_4"])
    assert some.votes.names == ("bem", "gpt_4")
    assert not list(empty_folder.iterdir())


def mistakes(wide: pd.DataFrame) -> dict[str, tuple[Callable[[], object], str]]:
    read = lj.read_verdicts
    panel = lj.read_verdicts(wide)
    doubled = pd.concat([wide, wide[["haiku"]]], axis=1)
    no_id = wide.assign(item_id=[None, *wide["item_id"][1:]])
    return {
        "empty frame": (lambda: read(wide.iloc[:0]), "DataFrame: holds no rows"),
        "duplicate columns": (lambda: read(doubled), "DataFrame: has column 'haiku' 2 times"),
        "duplicate rows": (lambda: read(pd.concat([wide, wide])), "row 81: item 'q0'"),
        "no id column": (
            lambda: read(wide.rename(columns={"item_id": "item"})),
            "has no column 'item_id'; did you mean item",
        ),
        "NaN ids": (lambda: read(no_id), "DataFrame, row 1, column item_id: is empty"),
        "unknown judge": (
            lambda: read(wide, judges=["hiaku"]),
            "DataFrame: has no judge 'hiaku'; did you mean haiku",
        ),
        "judges as a text": (lambda: read(wide, judges="haiku"), r"give a list: judges=\['haiku'"),
        "off the scale": (
            lambda: read(wide.replace({"gpt_4": 1}, 7), judges=["gpt_4"]),
            "DataFrame, row 1, column gpt_4: '7' is not on the scale binary",
        ),
        "human off the scale": (
            lambda: read(wide.replace({"human": 1}, 7)),
            "DataFrame, row 1, column human: '7' is not on the scale binary",
        ),
        "no verdicts": (
            lambda: read(wide[["item_id", "candidate", "human", "note"]]),
            "has no column whose every cell is 0, 1 or a word",
        ),
        "scale": (
            lambda: read(wide, scale=lj.Scale.ordinal(1, 5)),
            r"on the scale ordinal \(1 to 5\) any column of numbers could be a judge; name the",
        ),
        "no table": (lambda: read(3), "data: int is not a table"),  # type: ignore[arg-type]
        "no file": (lambda: read("verdicst.csv"), "no such file"),
        "no dataset": (lambda: read("recorded_nq30"), "did you mean recorded_nq301"),
        "unknown recording": (
            lambda: read("recorded_nq301", judges=["gpt4"]),
            "dataset recorded_nq301: no judge 'gpt4'; did you mean gpt_4",
        ),
        "scale of a dataset": (
            lambda: read("recorded_nq301", scale=lj.Scale.binary()),
            "dataset recorded_nq301: has scales and columns of its own",
        ),
        "no label column": (
            lambda: read(long(wide).rename(columns={"label": "vote"})),
            "has no column 'label'",
        ),
        "jury of a stranger": (
            lambda: panel.add(lj.Jury("duo", ["gpt_4", "hiaku"])),
            "jury duo: the panel has no judge 'hiaku'; did you mean haiku",
        ),
        "jury twice": (
            lambda: panel.add(lj.Jury("haiku", ["gpt_4"])),
            "jury haiku: the panel has a voter of that name",
        ),
        "rule": (
            lambda: lj.Jury("duo", ["gpt_4"], rule="majorty"),  # type: ignore[arg-type]
            "jury duo: no rule 'majorty'; did you mean majority",
        ),
        "no jury": (lambda: lj.compare(panel), "compare: the panel has no jury"),
        "unknown judge to ask": (
            lambda: lj.judge("sample_qa", judges=["contians"]),
            "there is no judge 'contians'; did you mean contains",
        ),
        "judge twice": (
            lambda: lj.judge("sample_qa", judges=["contains", "contains"]),
            "judges: contains is named twice",
        ),
        "no question": (
            lambda: lj.judge(pd.DataFrame({"answer": ["x"]}), judges=["contains"]),
            "DataFrame: has no column 'question'",
        ),
        "nothing to judge": (
            lambda: lj.judge([{"question": "q", "answer": "a"}], judges=["contains"]),
            "judge contains: has nothing to judge in answers",
        ),
        "some ids": (
            lambda: lj.judge(
                [
                    {"question": "q", "answer": "a", "item_id": "1"},
                    {"question": "q", "answer": "b", "item_id": float("nan")},
                ],
                judges=["contains"],
            ),
            "list, row 2, column item_id: is empty",
        ),
        "prompt": (
            lambda: lj.judge("sample_qa", judges=["contains"], prompt="zero_shots"),
            "there is no prompt 'zero_shots'; did you mean zero_shot",
        ),
    }


NAMES = (
    "empty frame", "duplicate columns", "duplicate rows", "no id column", "NaN ids",
    "unknown judge", "judges as a text", "off the scale", "human off the scale", "no verdicts",
    "scale", "no table", "no file", "no dataset", "unknown recording",
    "scale of a dataset",
    "no label column",
    "jury of a stranger", "jury twice", "rule", "no jury", "unknown judge to ask", "judge twice",
    "no question", "nothing to judge", "some ids", "prompt",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_mistake_is_one_clear_line(name: str, wide: pd.DataFrame):
    call, message = mistakes(wide)[name]
    with pytest.raises(lj.JuriesError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_every_mistake_is_tried(wide: pd.DataFrame):
    assert set(NAMES) == set(mistakes(wide))


def test_a_csv_with_a_column_twice_is_an_error(empty_folder: Path):
    (empty_folder / "twice.csv").write_text("item_id,human,gpt,gpt\nq1,1,1,0\n")
    with pytest.raises(lj.JuriesError, match=r"twice\.csv, line 1: has column 'gpt' twice"):
        lj.read_verdicts("twice.csv")
