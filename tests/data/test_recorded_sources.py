"""Recorded verdicts whose labels, or all of whose files, are fetched: what is read and refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from conftest import ROOT
from llm_juries.config import named
from llm_juries.data.dataset import Dataset
from llm_juries.data.downloads import PublicFile, PublicFiles
from llm_juries.data.sources import judge_files, trec_labels
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
    assert "b: 1 of 2 verdicts are off the scale" in caplog.text


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
