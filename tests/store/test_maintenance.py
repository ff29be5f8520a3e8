"""A store is checked, handed on and put together without losing or doubling a verdict."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
import yaml
from test_compaction import FAILED, fill, kept
from test_store import verdict

from conftest import ROOT
from in_process import completed
from llm_juries.commands.store_action import StoreAction, run
from llm_juries.errors import JuriesError
from llm_juries.store import segments
from llm_juries.store.compaction import compact
from llm_juries.store.exports import export
from llm_juries.store.imports import import_files, merge, read
from llm_juries.store.store import Store
from llm_juries.types import Reply

LONG = Reply("lines\nof “text”", choice_logprobs={"é": -1.5, "True": -0.1}, thinking="hm")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Return a store with verdicts in Parquet and in a segment."""
    folder = tmp_path / "store"
    fill(folder, verdict("a"), verdict("b", reply=LONG), verdict("c", judge="x/y", **FAILED))
    compact(folder)
    fill(folder, verdict("d", dataset="e"), verdict("c", judge="x/y"))
    return folder


def test_a_sound_store_is_described_in_numbers(store: Path):
    (path,) = segments.segments(store)
    path.write_bytes(path.read_bytes() + b'{"key": "torn')
    assert run(StoreAction("verify", str(store))).splitlines() == [
        "4 verdicts by their keys",
        "3 in 2 Parquet files of snapshot 1, all intact",
        "2 complete lines in 1 segments, 1 incomplete last lines",
        "1 keys stored again, 0 of them with another value",
    ]


def test_keys_with_two_labels_are_named(store: Path):
    fill(store, verdict("a", value="0"))
    said = "2 keys stored again, 1 of them with another value (a ...)"
    assert said in run(StoreAction("verify", str(store)))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("flip", "differs from its checksum"),
        ("gone", "No such file"),
        ("line", "1 damaged lines in its segments"),
    ],
)
def test_what_is_damaged_is_told_in_one_line_and_an_exit_code(damage: str, said: str, store: Path):
    path = next((store / "parquet").rglob("*.parquet"))
    match damage:
        case "flip":
            raw = bytearray(path.read_bytes())
            raw[len(raw) // 2] ^= 1
            path.write_bytes(raw)
        case "gone":
            path.unlink()
        case "line":
            (segment,) = segments.segments(store)
            segment.write_bytes(b"{}\n" + segment.read_bytes())
    done = completed("store", "verify", f"store={store}")
    assert done.returncode == 2
    assert done.stdout == ""
    line = done.stderr.splitlines()[-1]
    assert line.startswith("error: ")
    assert said in line


def test_an_export_loads_with_datasets_and_says_what_it_is(store: Path, tmp_path: Path):
    import datasets

    out = tmp_path / "export"
    assert export(store, out, "cc-by-4.0") == 4
    rows = datasets.load_dataset(str(out), split="train", cache_dir=str(tmp_path / "cache"))
    assert sorted(rows["key"]) == ["a", "b", "c", "d"]
    (b,) = (row for row in rows if row["key"] == "b")
    assert b["reply"]["text"] == LONG.text
    assert b["reply"]["choice_logprobs"][0] == {"word": "é", "logprob": -1.5}
    _, head, text = (out / "README.md").read_text().split("---\n", 2)
    facts = yaml.safe_load(head)
    assert (facts["license"], facts["size_categories"]) == ("cc-by-4.0", ["n<1K"])
    assert "Judges: `j`, `x/y`" in text
    assert "4 verdicts" in text
    with pytest.raises(JuriesError, match="exists already; choose another name"):
        export(store, out)


@pytest.mark.parametrize("kind", ["folder", "parquet", "jsonl"])
def test_what_was_exported_comes_back_whole(kind: str, store: Path, tmp_path: Path):
    source = tmp_path / "export"
    export(store, source)
    if kind == "parquet":
        (source,) = (source / "data").glob("*.parquet")
    elif kind == "jsonl":
        fill(tmp_path / "other", *Store(store))
        (segment,) = segments.segments(tmp_path / "other")
        source = segment.rename(tmp_path / "verdicts.jsonl")
    found = import_files(tmp_path / "new", [source])
    assert (found.read, found.new) == (4, 4)
    assert kept(tmp_path / "new") == kept(store)
    assert import_files(tmp_path / "new", [source]).known == 4


def test_stores_are_merged_each_key_once_and_conflicts_are_listed(store: Path, tmp_path: Path):
    other = tmp_path / "other"
    fill(
        other,
        verdict("a", value="0", asked_at=50.0), verdict("c", **FAILED), verdict("b", reply=LONG),
        verdict("new"),
    )  # fmt: skip
    found = merge(store, [other])
    assert (found.read, found.new, found.better, found.known) == (4, 1, 1, 2)
    assert found.conflicts == ["a"]
    assert sorted(kept(store)) == ["a", "b", "c", "d", "new"]
    assert kept(store)["a"].value == "0"
    compact(store)
    assert sorted(kept(store)) == ["a", "b", "c", "d", "new"]


def test_replies_parsed_in_different_ways_are_listed_and_not_called_a_conflict(
    store: Path, tmp_path: Path
):
    own = kept(store)["a"]
    again = replace(own, reader="another", reply=replace(own.reply, text="No."), value="0")
    spelled = replace(kept(store)["b"], reader="another", value="True")
    fill(tmp_path / "other", again, spelled)
    found = merge(store, [tmp_path / "other"])
    assert (found.conflicts, found.uncompared) == ([], ["a"])
    fill(store, again)
    said = run(StoreAction("verify", str(store)))
    assert "0 of them with another value" in said
    assert "1 keys with two replies parsed in different ways, whose values" in said


def test_an_export_or_an_empty_folder_is_not_merged_as_if_it_were_a_store(
    store: Path, tmp_path: Path
):
    export(store, tmp_path / "export")
    (tmp_path / "empty").mkdir()
    for source in (tmp_path / "export", tmp_path / "empty"):
        with pytest.raises(JuriesError, match=r"is not a store; .*action=import$"):
            merge(tmp_path / "new", [store, source])
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("bad.jsonl", b'{"key": "a"}\n', r"bad.jsonl, line 1: not a verdict \(it has no checksum"),
        ("torn.jsonl", b'{"key": "a"', r"torn.jsonl, line 1: not a verdict \(incomplete"),
        ("bad.parquet", b"PAR1", "bad.parquet: can't be read as Parquet"),
        ("bad.csv", b"", "unknown file extension '.csv'; supported: .jsonl, .parquet"),
    ],
)
def test_a_source_that_is_no_good_is_told(name: str, content: bytes, said: str, tmp_path: Path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(JuriesError, match=said):
        list(read(tmp_path / name))


def test_a_parquet_file_of_something_else_names_the_column_it_lacks(tmp_path: Path):
    path = tmp_path / "else.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"key": ["a"]}), path)
    with pytest.raises(JuriesError, match="has no column 'judge', so it is not a file of verdicts"):
        list(read(path))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"action": "export"}, "out: needed"),
        ({"action": "merge"}, "sources: needed to merge"),
    ],
)
def test_a_task_that_lacks_something_is_told(fields: Any, said: str):
    with pytest.raises(JuriesError, match=said):
        StoreAction(store="s", **fields)


def test_the_script_does_each_of_them(store: Path, tmp_path: Path):
    out, new = tmp_path / "out", tmp_path / "new"
    said = {
        ("compact", f"store={store}"): "2 verdicts moved into Parquet, which holds 4 in 3 files; 1",
        ("count", f"store={store}"): "| d         | x/y     | p        |          1 |    1 |",
        ("export", f"store={store}", f"out={out}"): f"4 verdicts in {out}: load it",
        ("import", f"store={new}", f"sources=[{out}]"): "4 verdicts read: 4 new, 0 known",
        ("merge", f"store={new}", f"sources=[{store}]"): "4 verdicts read: 0 new, 4 known",
    }
    for arguments, expected in said.items():
        done = completed("store", *arguments)
        assert (done.returncode, done.stderr) == (0, "")
        assert expected in done.stdout
    assert not (ROOT / "store.log").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["verfy"], "there are: verify, compact, count, export, import, merge"),
        (["verify", "store=nowhere"], "store: there is no folder nowhere"),
        (["merge", "sources=[nowhere]"], "sources: there is no store nowhere"),
        (["verify", "stor=s"], "did you mean store"),
    ],
)
def test_a_mistake_ends_in_one_line(arguments: list[str], said: str):
    done = completed("store", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert said in line


def test_help_comes_without_the_heavy_imports():
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "scripts/store.py", "--help"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert not imported & {"pandas", "numpy", "pyarrow", "datasets"}
    assert "llm-juries store merge" in (ROOT / "conf" / "store.yaml").read_text()
