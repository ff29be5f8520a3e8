"""Compaction changes where verdicts lie and nothing else, whoever writes, reads or compacts."""

from __future__ import annotations

import logging
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pyarrow.dataset
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_store import verdict

from conftest import ROOT
from llm_juries.errors import JuriesError
from llm_juries.store import compaction, segments, snapshots
from llm_juries.store.compaction import compact
from llm_juries.store.imports import read
from llm_juries.store.parquet import FORMAT, table_of, verdicts_of
from llm_juries.store.store import Store
from llm_juries.store.verify import verify
from llm_juries.types import Order, Outcome, Reply, Verdict

FAILED = {"outcome": Outcome.FAILED, "value": None, "score": None}


def fill(folder: Path, *verdicts: Verdict) -> None:
    with Store(folder) as store:
        for one in verdicts:
            store.append(one)


def kept(folder: Path) -> dict[str, Verdict]:
    listed = list(Store(folder))
    assert len({one.key for one in listed}) == len(listed)
    return {one.key: one for one in listed}


def parquet(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.parquet"))


def rows(folder: Path) -> list[str]:
    """Return the keys in the Parquet files that count."""
    _, snapshot = snapshots.newest(folder)
    paths = [snapshots.home(folder) / file.path for file in snapshot.files]
    return [key for path in paths for key in pyarrow.parquet.read_table(path)["key"].to_pylist()]


VERDICTS = st.builds(
    verdict,
    key=st.sampled_from(["a", "b", "0" * 32, "f" * 30 + "00"]),
    judge=st.sampled_from(["j", "a/b c", ""]),
    dataset=st.sampled_from(["d", "é=1"]),
    outcome=st.sampled_from(Outcome),
    value=st.sampled_from(["0", "1", "B>>A", None]),
    order=st.sampled_from(Order),
    asked_at=st.integers(1, 3).map(float),
    repeat=st.integers(1, 3),
    criterion=st.sampled_from(["", "style"]),
    reply=st.builds(
        Reply,
        text=st.text(max_size=5).filter(lambda text: text.isprintable()),
        choice_logprobs=st.dictionaries(st.sampled_from(["A", "é"]), st.just(-0.5)),
        input_tokens=st.sampled_from([None, 3]),
        batched=st.booleans(),
        finish_reason=st.sampled_from(["", "stop"]),
        model=st.sampled_from(["", "m-2026"]),
        thinking_tokens=st.sampled_from([None, 7]),
        label_mass=st.sampled_from([None, 0.5]),
        confidence=st.sampled_from([None, 0.9]),
    ),
)


@given(st.lists(VERDICTS, max_size=6))
@settings(max_examples=100, deadline=None)
def test_verdicts_come_back_whole_from_columns(verdicts: list[Verdict]):
    assert list(verdicts_of(table_of(verdicts))) == verdicts


@given(st.lists(st.one_of(VERDICTS, st.sampled_from(["compact", "reopen"])), max_size=12))
@settings(max_examples=60, deadline=None)
def test_a_store_holds_the_same_whenever_it_was_compacted(steps: list[Any]):
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        calm, busy = Store(one), Store(other)
        for step in steps:
            if step == "compact":
                compact(Path(other))
            elif step == "reopen":
                busy.close()
                busy = Store(other)
            else:
                calm.append(step)
                busy.append(step)
        expected = {each.key: each for each in calm}
        assert {each.key: each for each in busy} == expected
        assert {key: busy.get(key) for key in expected} == expected
        calm.close()
        busy.close()
        compact(Path(other))
        assert kept(Path(other)) == expected
        assert sorted(rows(Path(other))) == sorted(expected)
        assert not segments.segments(Path(other))


def test_files_lie_by_dataset_and_judge_as_other_readers_expect(tmp_path: Path):
    fill(tmp_path, verdict("a"), verdict("b", judge="x/y"), verdict("c", dataset="e"))
    compact(tmp_path)
    read = pyarrow.dataset.dataset(tmp_path / "parquet", partitioning="hive").to_table()
    assert sorted(read.select(["key", "dataset", "judge"]).to_pylist(), key=lambda r: r["key"]) == [
        {"key": "a", "dataset": "d", "judge": "j"},
        {"key": "b", "dataset": "d", "judge": "x/y"},
        {"key": "c", "dataset": "e", "judge": "j"},
    ]
    assert {path.parent.name for path in parquet(tmp_path)} == {"judge=j", "judge=x%2Fy"}


def test_the_segment_of_a_living_writer_stays_and_the_rest_of_it_is_read(tmp_path: Path):
    with Store(tmp_path) as store:
        store.append(verdict("a"))
        done = compact(tmp_path)
        assert (done.moved, done.retired, done.left) == (1, 0, 1)
        store.append(verdict("b"))
        assert list(kept(tmp_path)) == ["a", "b"]
        assert compact(tmp_path).moved == 1
        assert store.get("a") == verdict("a")
    assert compact(tmp_path).retired == 1
    assert sorted(kept(tmp_path)) == sorted(rows(tmp_path)) == ["a", "b"]


def test_an_open_reader_goes_on_whatever_is_deleted_under_it(tmp_path: Path):
    fill(tmp_path, *(verdict(f"{n}", asked_at=float(n)) for n in range(10)))
    reader, walker = Store(tmp_path), iter(Store(tmp_path))
    assert reader.get("3") == verdict("3", asked_at=3.0)
    walked = [next(walker)]
    compact(tmp_path)
    assert not segments.segments(tmp_path)
    assert reader.get("4") == verdict("4", asked_at=4.0)
    walked += [next(walker) for _ in range(4)]
    for n in range(4):  # each replaces a row, so the files of before are deleted in the end
        fill(tmp_path, verdict(f"{n}", asked_at=0.0))
        compact(tmp_path)
    assert [reader.get(f"{n}").asked_at for n in (8, 9)] == [8.0, 9.0]
    walked += list(walker)
    assert sorted(one.key for one in walked) == [f"{n}" for n in range(10)]


def test_a_writer_knows_what_it_appended_after_things_have_moved(tmp_path: Path):
    fill(tmp_path, verdict("old"))
    with Store(tmp_path) as store:
        store.append(verdict("a"))
        mark = store.mark()
        store.append(verdict("b"))
        compact(tmp_path)
        assert store.get("old") is not None  # its segment is gone: all is read anew
        assert [store.appended_since(key, mark) for key in ("old", "a", "b")] == [
            False,
            False,
            True,
        ]
        assert store.appended_since("a", 0)


def test_a_vote_that_was_asked_for_again_replaces_the_failed_one(tmp_path: Path):
    fill(tmp_path, verdict("a", **FAILED), verdict("b"))
    compact(tmp_path)
    fill(tmp_path, verdict("a", asked_at=300.0))
    assert kept(tmp_path)["a"].outcome is Outcome.OK
    compact(tmp_path)
    assert sorted(rows(tmp_path)) == ["a", "b"]
    assert kept(tmp_path)["a"].outcome is Outcome.OK


def test_many_small_compactions_leave_few_files(tmp_path: Path):
    for n in range(40):
        fill(tmp_path, verdict(f"{n}"))
        compact(tmp_path)
    assert len(snapshots.newest(tmp_path)[1].files) < 6
    assert sorted(rows(tmp_path)) == sorted(f"{n}" for n in range(40))


STAGES = ["mkdir", "write", "commit", "clear", "retire"]


@pytest.mark.parametrize("stage", STAGES)
def test_a_compaction_killed_at_any_stage_loses_and_doubles_nothing(stage: str, tmp_path: Path):
    fill(tmp_path, *(verdict(f"{n}", judge=f"j{n % 3}") for n in range(9)))
    compact(tmp_path)
    fill(tmp_path, verdict("new"), verdict("1", judge="j1", asked_at=1.0))
    expected = kept(tmp_path)
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path), stage],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        check=False,
    )
    assert killed.returncode == -9
    assert kept(tmp_path) == expected
    compact(tmp_path)
    assert kept(tmp_path) == expected
    assert sorted(rows(tmp_path)) == sorted(expected)
    compact(tmp_path)
    compact(tmp_path)
    assert not [path for path in (tmp_path / "parquet").iterdir() if path.name.startswith(".")]


KILLED = """
import os, signal, sys
from pathlib import Path
from llm_juries.store import compaction, snapshots

def die(*arguments, **named):
    os.kill(os.getpid(), signal.SIGKILL)

def after(module, name):
    real = getattr(module, name)
    def then(*arguments, **named):
        real(*arguments, **named)
        die()
    setattr(module, name, then)

match sys.argv[2]:
    case "mkdir": compaction.Writers.close = die
    case "write": after(compaction.Writers, "close")
    case "commit": after(snapshots, "commit")
    case "clear": after(snapshots, "clear")
    case "retire": after(Path, "unlink")
compaction.compact(Path(sys.argv[1]))
"""


def test_of_two_compactions_at_once_one_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    fill(tmp_path, verdict("a"), verdict("b"))
    real = compaction.Writers.close
    inner: list[compaction.Compacted] = []

    def meanwhile(writers: compaction.Writers) -> Any:
        if not inner:
            inner.append(compaction.Compacted(0, 0, 0, 0, 0))
            inner.append(compact(tmp_path))
        return real(writers)

    monkeypatch.setattr(compaction.Writers, "close", meanwhile)
    outer = compact(tmp_path)
    assert outer.lost_race
    assert not inner[1].lost_race
    assert inner[1].retired == 1
    assert sorted(rows(tmp_path)) == sorted(kept(tmp_path)) == ["a", "b"]


def test_a_late_commit_under_a_number_that_was_cleared_away_counts_for_nothing(tmp_path: Path):
    for n in range(3):
        fill(tmp_path, verdict(f"{n}"))
        compact(tmp_path)
    shutil.rmtree(snapshots.folder(tmp_path, 2), ignore_errors=True)
    work = snapshots.work_folder(tmp_path, 2, "late")
    work.mkdir()
    assert not snapshots.commit(tmp_path, work, 2, snapshots.Snapshot())
    assert snapshots.newest(tmp_path)[0] == 3


@pytest.mark.skipif(segments.fcntl is None, reason="a process's life is told on POSIX only")
def test_whose_segments_are_deleted(tmp_path: Path):
    here = socket.gethostname()
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    names = {
        f"20260101T000000Z-{here}-{gone.pid}-00000000.jsonl": True,
        f"20260101T000000Z-{here}-{os.getpid()}-00000000.jsonl": False,
        f"20260101T000000Z-elsewhere-{gone.pid}-00000000.jsonl": False,
        "20260101T000000Z-elsewhere-1-00000000.closed.jsonl": True,
        "named-by-hand.jsonl": False,
    }
    for n, name in enumerate(names):
        (tmp_path / name).write_bytes(segments.encode(verdict(f"{n}")) + b"\n")
    assert compact(tmp_path).retired == 2
    assert {name: not (tmp_path / name).exists() for name in names} == names
    assert len(kept(tmp_path)) == 5
    assert compact(tmp_path, no_writers=True).retired == 3
    assert len(kept(tmp_path)) == 5


@pytest.mark.skipif(segments.fcntl is None, reason="locks are POSIX")
def test_a_writer_that_is_seen_by_its_lock_alone_keeps_its_segment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def not_seen(pid: int, signal: int) -> None:  # as from another container
        raise ProcessLookupError

    monkeypatch.setattr("os.kill", not_seen)
    with Store(tmp_path) as store:
        store.append(verdict("a"))
        assert compact(tmp_path).retired == 0


def test_a_torn_last_line_goes_with_its_segment_and_is_in_no_file(tmp_path: Path):
    fill(tmp_path, verdict("a"), verdict("b"))
    (path,) = segments.segments(tmp_path)
    path.write_bytes(path.read_bytes()[:-7])
    assert compact(tmp_path).retired == 1
    assert list(kept(tmp_path)) == rows(tmp_path) == ["a"]


def test_a_segment_with_a_damaged_line_is_never_deleted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    fill(tmp_path, *(verdict(key) for key in "abcd"))
    (path,) = segments.segments(tmp_path)
    one, two, _, four, _ = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([one, two, b"{}", four, b""]))
    done = compact(tmp_path, no_writers=True)
    assert (done.moved, done.retired) == (2, 0)
    caplog.clear()
    assert sorted(kept(tmp_path)) == ["a", "b", "d"]
    assert "dropped damaged line 3" in caplog.text


FIRST = {
    "a": verdict("a"),
    "b": verdict("b", asked_at=200.0),
    "c": verdict(
        "c",
        order=Order.SWAPPED,
        opponent="n",
        reply=Reply(
            "lines\nof “text”",
            thinking="hm",
            earlier="?",
            latency_s=0.5,
            batched=True,
            choice_logprobs={"A": -0.5, "B": -1.25},
        ),
    ),
}


def test_a_compacted_store_of_the_first_format_reads():
    folder = ROOT / "tests" / "fixtures" / "store_parquet_1"
    assert kept(folder) == FIRST
    found = verify(folder)
    assert (found.rows, found.files, found.snapshot) == (3, 1, 1)


def test_a_store_of_the_first_version_reads_and_compacts(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    store = tmp_path / "store"
    shutil.copytree(ROOT / "tests" / "fixtures" / "store_0_1", store)
    (path,) = segments.segments(store)
    with path.open("ab") as stream:
        stream.write(b'{"key":"d","judge":"j","pro')
    before = kept(store)
    assert before == FIRST
    assert "dropped an incomplete last line of 27 bytes" in caplog.text
    compact(store, no_writers=True)
    assert kept(store) == before
    assert not segments.segments(store)


@pytest.mark.parametrize("part", ["manifest", "file"])
def test_a_store_of_a_newer_version_is_told_in_one_line(part: str, tmp_path: Path):
    fill(tmp_path, verdict("a"))
    compact(tmp_path)
    if part == "manifest":
        (path,) = tmp_path.rglob("_manifest.json")
        path.write_text(path.read_text().replace(f'"format": {FORMAT}', f'"format": {FORMAT + 1}'))
    else:
        (path,) = parquet(tmp_path)
        newer = pyarrow.parquet.read_table(path).replace_schema_metadata(
            {"llm_juries.format": str(FORMAT + 1)}
        )
        pyarrow.parquet.write_table(newer, path)
    with pytest.raises(JuriesError, match=r"has format 3 of a newer version; .* update") as said:
        Store(tmp_path).get("a") if part == "manifest" else list(read(path))
    assert "\n" not in str(said.value)
    assert path.name in str(said.value)


@pytest.mark.parametrize("damage", ["gone", "torn", "manifest"])
def test_a_damaged_parquet_file_is_told_in_one_line(damage: str, tmp_path: Path):
    fill(tmp_path, verdict("a"))
    compact(tmp_path)
    (path,) = parquet(tmp_path)
    if damage == "gone":
        path.unlink()
    elif damage == "torn":
        path.write_bytes(path.read_bytes()[:-100])
    else:
        (path,) = tmp_path.rglob("_manifest.json")
        path.write_text("{")
    with pytest.raises(JuriesError, match="restore it from a copy") as said:
        Store(tmp_path).get("a")
    assert "\n" not in str(said.value)


def test_reading_a_compacted_store_warns_of_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    fill(tmp_path, verdict("a"))
    compact(tmp_path)
    assert len(Store(tmp_path)) == 1
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
