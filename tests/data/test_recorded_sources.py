"""Recorded verdicts whose labels, or all of whose files, are fetched: what is read and refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from conftest import ROOT
from llm_juries.config import named
from llm_juries.data.dataset import Dataset
from llm_juries.data.downloads import PublicFile, PublicFiles
from llm_juries.data.sources import faithbench, judge_files, trec_labels, trec_runs
from llm_juries.data.verdicts import RecordedColumn
from llm_juries.errors import JuriesError
from llm_juries.scale import Scale

RECORDED = sorted(path.stem for path in (ROOT / "conf" / "dataset").glob("recorded_*.yaml"))
JUDGES = {"a": RecordedColumn(size="small"), "b": RecordedColumn()}


def files(folder: Path, **texts: str) -> PublicFiles:
    for name, text in texts.items():
        (folder / name).write_text(text)
    return PublicFiles("https://x", {name: PublicFile(name) for name in texts}, str(folder))


@pytest.mark.parametrize("name", RECORDED)
def test_every_recorded_source_says_its_licence_what_to_cite_and_its_sizes(name: str) -> None:
    node = named.node("dataset", name)
    assert node.about.licence
    assert "github.com/" in node.about.citation
    for judge in (node.judges or {}).values():
        assert judge.get("size", "unknown") in ("small", "large", "unknown")
    if "home" in (source := node.get("source") or {}):  # pinned commit and checksums
        assert len(source.home.rpartition("/")[2]) == 40
        assert all(len(file.sha256) == 64 for file in source["files"].values())


def test_what_a_yaml_says_of_judges_and_sources_is_known_of_the_dataset() -> None:
    dataset = named.load_dataset("recorded_rewardbench2")
    assert dataset.about.licence == "MIT"
    by_name = {one.judge: one for one in dataset.recordings}
    assert by_name["gpt_5_4"].size == "large"
    assert by_name["gpt_5_4_nano"].usd_per_question == pytest.approx(0.0057 / 8)
    assert by_name["claude_haiku_4_5"].usd_per_question is None


def trec(folder: Path, labels: str, scores: str = "item,cluster,a,b\nq1/p1,q1,3,\nq1/p2,q1,0,1\n"):
    (folder / "scores.csv").write_text(scores)
    source = files(folder, labels=labels)
    scale = Scale.ordinal(0, 3)
    return trec_labels.load(source, str(folder / "scores.csv"), "t", JUDGES, scale)


def test_trec_labels_are_joined_to_scores(tmp_path: Path) -> None:
    dataset = trec(tmp_path, "q1 0 p1 2\nq1 0 p2 0\nq2 0 p9 1\n")
    items = list(dataset.items)
    assert [(i.item_id, i.cluster, i.human) for i in items] == [
        ("q1/p1", "q1", "2"), ("q1/p2", "q1", "0"),
    ]  # fmt: skip
    first, second = dataset.recordings
    assert list(first.cells.values()) == ["3", "0"]
    assert list(second.cells.values()) == ["", "1"]  # unparsed


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ("q1 0 p1 2\n", r"scores\.csv, .*: q1/p2 has no label in .*labels; use its pinned file"),
        ("q1 p1 2\n", r"labels, line 1: has 3 columns instead of 4"),
        ("q1 0 p1 2\nq1 0 p1 3\n", r"labels, line 2: a second label of q1/p1"),
        ("q1 0 p1 7\nq1 0 p2 0\n", r"column human.*'7'"),
    ],
)
def test_trec_labels_that_do_not_fit_are_one_line(tmp_path: Path, labels: str, said: str) -> None:
    with pytest.raises(JuriesError, match=said):
        trec(tmp_path, labels)


def lines(folder: Path, **texts: str) -> Dataset:
    given = {"human": "1\n4.5\n", "a": "2\n5\n", "b": "-1\n32\n"} | texts
    folder.joinpath("x").mkdir(exist_ok=True)
    for name, text in given.items():
        (folder / "x" / name).write_text(text)
    found = {f"x/{name}": PublicFile(f"x/{name}") for name in given}
    source = PublicFiles("https://x", found, str(folder))
    return judge_files.load(source, "t", JUDGES, scale=Scale.interval(1, 5))


def test_files_of_a_number_a_line_are_joined_and_numbers_off_the_scale_are_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    dataset = lines(tmp_path, b="-1\n3\n")
    assert [(i.item_id, i.subset, i.human) for i in dataset.items] == [
        ("x/1", "x", "1"), ("x/2", "x", "4.5"),
    ]  # fmt: skip
    assert list(dataset.recordings[1].cells.values()) == ["", "3"]
    assert "b: 1 of 2 verdicts are empty or off the scale" in caplog.text


def test_files_of_other_lengths_are_refused(tmp_path: Path) -> None:
    with pytest.raises(JuriesError, match=r"a: has 1 rows instead of 2; use its pinned file"):
        lines(tmp_path, a="2\n", b="1\n1\n")


def test_tables_a_judge_keep_ids_and_numbers_and_no_text(tmp_path: Path) -> None:
    head = "row,text,worker,score\n"
    source = files(tmp_path, **{"a.csv": f"{head}0,secret,5,1\n", "b.csv": f"{head}0,secret,5,2\n"})
    columns = {"verdict": "score", "item_id": "row", "human": "worker"}
    renamed = PublicFiles(source.home, {n[0]: f for n, f in source.files.items()}, source.folder)
    scale = Scale.interval(0, 9)
    dataset = judge_files.load(renamed, "t", JUDGES, columns, scale=scale)
    (item,) = dataset.items
    assert (item.item_id, item.human) == ("0", "5")
    assert "secret" not in repr(dataset)
    (tmp_path / "b.csv").write_text(f"{head}1,secret,5,2\n")
    with pytest.raises(
        JuriesError, match=r"b\.csv, .*, column row: is '?1'?, and '?0'? in another"
    ):
        judge_files.load(renamed, "t", JUDGES, columns, scale=scale)


PREFERENCE = Scale.preference(words={"A>B": "a", "A=B": "tie", "B>A": "b"})
NESTED = {
    "verdict": "judgments.0.decision", "swapped": "judgments.1.decision",
    "item_id": "pair_id", "question": "question", "subset": "source", "human": "label",
}  # fmt: skip


def pair(*decisions: str | None, question: str = "secret") -> dict[str, Any]:
    judgments = [said and {"decision": said} for said in decisions]
    row = {"pair_id": "p1", "question": question, "source": "maths", "label": "B>A"}
    return row | {"judgments": judgments}


def jsonl(folder: Path, **tables: list[dict[str, Any]]) -> PublicFiles:
    for judge, table in tables.items():
        (folder / f"{judge}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in table))
    found = {judge: PublicFile(f"{judge}.jsonl") for judge in tables}
    return PublicFiles("https://x", found, str(folder))


def test_pairs_in_both_orders_are_read_from_inside_rows_and_turned(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = jsonl(tmp_path, a=[pair("B>A", "A>B")], b=[pair("A=B", None)])
    dataset = judge_files.load(source, "t", JUDGES, NESTED, scale=PREFERENCE)
    (item,) = dataset.items
    assert (item.item_id, item.subset, item.human) == ("p1", "maths", "b")
    assert len(item.cluster) == 12
    assert "secret" not in repr(dataset)
    said = [
        {seen.order.value: cell for seen, cell in one.cells.items()} for one in dataset.recordings
    ]
    assert said == [
        {"original": "b", "swapped": "b"},  # twice for the same answer
        {"original": "tie", "swapped": ""},
    ]
    assert "b.jsonl: 1 of 2 verdicts are empty or off the scale" in caplog.text


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (pair("A>B"), r"b\.jsonl, line 1: has no column 'judgments\.1\.decision'; use its pinned"),
        (
            pair("A>B", "A>B", question="another"),
            r"b\.jsonl, .*, column question: is .* in another",
        ),
    ],
)
def test_rows_that_do_not_fit_are_one_line(tmp_path: Path, row: dict[str, Any], said: str) -> None:
    source = jsonl(tmp_path, a=[pair("B>A", "A>B")], b=[row])
    with pytest.raises(JuriesError, match=said) as raised:
        judge_files.load(source, "t", JUDGES, NESTED, scale=PREFERENCE)
    assert "another'" not in str(raised.value)  # no text


def test_shares_and_grades_become_verdicts_by_a_threshold(tmp_path: Path) -> None:
    judges = {name: RecordedColumn(threshold=0.5) for name in JUDGES}
    columns = {"verdict": "probs.0", "human": "preferences.human"}
    rows = {
        "a": [{"probs": [0.9, 0.1], "preferences": {"human": 2}}],
        "b": [{"probs": [0.2, 0.7], "preferences": {"human": 2}}],
    }
    source, share = jsonl(tmp_path, **rows), Scale.interval(0, 1)
    winner = Scale.preference(words={"1": "a", "2": "b"})
    pairs = judge_files.load(source, "t", judges, columns, scale=share, human_scale=winner)
    assert [i.human for i in pairs.items] == ["b"]
    assert [(r.scale.kind, r.threshold) for r in pairs.recordings] == [("preference", 0.5)] * 2


def batch(folder: Path, *labels: list[str], **metadata: Any) -> Dataset:
    said = {"summarizer": "m", "gpt": 1, "true-nli": None} | metadata
    samples = [
        {
            "sample_id": number, "source": "secret", "summary": "secret", "metadata": said,
            "annotations": [{"label": label} for label in labels],
        }
        for number in range(2)
    ]  # fmt: skip
    (folder / "b1.json").write_text(json.dumps({"samples": samples}))
    source = PublicFiles("https://x", {"b1": PublicFile("b1.json")}, str(folder))
    judges = {"gpt": RecordedColumn(), "nli": RecordedColumn(column="true-nli")}
    return faithbench.load(source, "t", judges)


@pytest.mark.parametrize(
    ("labels", "human"),
    [([], "1"), ([["Benign"]], "1"), ([["Benign"], ["Unwanted", "Unwanted.Intrinsic"]], "0")],
)
def test_the_worst_label_of_a_summary_decides(
    tmp_path: Path, labels: list[list[str]], human: str
) -> None:
    dataset = batch(tmp_path, *labels)
    assert [(i.item_id, i.candidate, i.human) for i in dataset.items] == [
        ("b1/0", "m", human), ("b1/1", "m", human),
    ]  # fmt: skip
    assert len({item.cluster for item in dataset.items}) == 1
    assert [list(one.cells.values()) for one in dataset.recordings] == [["1", "1"], ["", ""]]
    assert "secret" not in repr(dataset)


def test_a_batch_that_does_not_fit_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(JuriesError, match=r"b1\.json, sample 1: unknown label 'Odd'; use its"):
        batch(tmp_path, ["Odd"])
    batch(tmp_path)
    source = PublicFiles("https://x", {"b1": PublicFile("b1.json")}, str(tmp_path))
    with pytest.raises(JuriesError, match=r"b1\.json, sample 1: has no 'absent'; use its pinned"):
        faithbench.load(source, "t", {"absent": RecordedColumn()})
    (tmp_path / "b1.json").write_text("[]")
    with pytest.raises(JuriesError, match=r"b1\.json: is not a batch of samples; use its pinned"):
        faithbench.load(source, "t", {"gpt": RecordedColumn()})


def runs(folder: Path, **texts: str) -> Dataset:
    given = {"labels": "q1 0 p1 2\nq1 0 p2 0\nq2 0 p1 1\n"} | texts
    found = {}
    for name, text in given.items():
        (folder / name).write_text(text)
        found[name.replace("_", "/")] = PublicFile(name)
    source = PublicFiles("https://x", found, str(folder))
    return trec_runs.load(source, "t", JUDGES, Scale.ordinal(0, 3), prompts=["p0"])


def test_runs_are_read_on_the_passages_that_all_have(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    graded = "q1 0 p2 3\nq1 0 p1 7\n"
    dataset = runs(tmp_path, a_p0=graded, a_p1="q1 0 p1 3\n", b_p0=f"{graded}q2 0 p1 0\n")
    assert [(i.item_id, i.cluster, i.human) for i in dataset.items] == [
        ("q1/p1", "q1", "2"), ("q1/p2", "q1", "0"),
    ]  # fmt: skip
    assert [(r.judge, r.prompt, [*r.cells.values()]) for r in dataset.recordings] == [
        ("a", "p0", ["", "3"]), ("b", "p0", ["", "3"]),
    ]  # fmt: skip
    assert "b/p0: left out 1 of 3 passages" in caplog.text
    assert "a/p0: 1 of 2 grades are off the scale" in caplog.text


def test_a_graded_passage_without_a_label_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(JuriesError, match=r"a_p0: q9/p1 has no label in .*labels; use its pinned"):
        runs(tmp_path, a_p0="q9 0 p1 1\n", b_p0="q1 0 p1 1\n")
