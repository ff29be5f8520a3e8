"""A store from somebody else, or with changed bytes: it is read as data, or told in one line."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import llm_juries as lj
from llm_juries.errors import JuriesError
from llm_juries.store import segments, snapshots
from llm_juries.store.compaction import compact
from llm_juries.store.exports import export
from llm_juries.store.imports import import_files, merge
from llm_juries.store.parquet import schema, table_of
from llm_juries.store.pending_batches import tickets
from llm_juries.store.scan import outcome_counts, parts
from llm_juries.store.store import Store
from llm_juries.store.verify import verify
from llm_juries.types import Order, Outcome, Reply, Verdict

KEYS = [f"{number:032x}" for number in range(16**31, 16**31 + 16)]


def verdict(number: int) -> Verdict:
    return Verdict(
        KEYS[number], "j", "p", "d", f"i{number}", "c", "", Order.ORIGINAL, Outcome.OK,
        "True" if number % 2 else "False", 0.25, "label:1",
        Reply(f"True {number}", choice_logprobs={"True": -0.5}, input_tokens=number, model="m"),
        0.01, 1, 1000.0 + number,
    )  # fmt: skip


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store of twelve verdicts, eight in a Parquet file and four in a segment."""
    folder = tmp_path_factory.mktemp("sound")
    for numbers in (range(8), range(8, 12)):
        with Store(folder) as store:
            for number in numbers:
                store.append(verdict(number))
        if numbers.start == 0:
            compact(folder)
    return folder


@pytest.fixture
def store(sound: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sound, tmp_path / "store"))


def everything(store: Path) -> list[str]:
    with Store(store) as opened:
        return sorted(map(repr, opened))


def scanned(store: Path) -> list[str]:
    return sorted(str(row) for part in parts(store) for row in part.rows.to_pylist())


def merged(store: Path) -> list[str]:
    merge(store.parent / "merged", [store])
    return everything(store.parent / "merged")


def exported(store: Path) -> list[str]:
    export(store, store.parent / "out")
    import_files(store.parent / "back", [store.parent / "out"])
    return everything(store.parent / "back")


def compacted(store: Path) -> list[str]:
    compact(store)
    return everything(store)


def looked_up(store: Path) -> list[str]:
    with Store(store) as opened:
        return sorted(repr(opened.get(key)) for key in KEYS)


READERS: dict[str, Callable[[Path], Any]] = {
    "resume": looked_up,
    "iterate": everything,
    "count": lambda store: outcome_counts(store).to_dict(),
    "scan": scanned,
    "export": exported,
    "merge": merged,
    "compact": compacted,
}


def outcome(read: Callable[[Path], Any], store: Path) -> tuple[Any, str]:
    """Return what a reader found, or the user's error that it ended with."""
    try:
        return read(store), ""
    except (JuriesError, OSError) as error:
        return None, str(error)


def changed(raw: bytes, at: int) -> bytes:
    return raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]


@pytest.mark.parametrize("reader", READERS)
def test_no_changed_byte_of_a_store_passes_unseen(
    reader: str, sound: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    """Each path that reads a store, on one with one changed byte, in every kind of its files."""
    whole = READERS[reader](Path(shutil.copytree(sound, tmp_path / "whole" / "store")))
    for name in (path for path in sound.rglob("*") if path.is_file()):
        raw = name.read_bytes()
        for at in range(5, len(raw), max(1, len(raw) // 24)):
            store = Path(shutil.copytree(sound, tmp_path / f"{name.name}{at}" / "store"))
            damaged = store / name.relative_to(sound)
            damaged.write_bytes(changed(raw, at))
            before = {path: path.read_bytes() for path in store.rglob("*") if path.is_file()}
            caplog.clear()
            found, error = outcome(READERS[reader], store)
            if error:
                assert "\n" not in error
                after = {path: path.read_bytes() for path in store.rglob("*") if path.is_file()}
                assert before.items() <= after.items()  # nothing is lost
            else:
                told = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
                assert found == whole or any("damaged line" in line for line in told), (name, at)
                assert damaged.exists() or found == whole
            shutil.rmtree(store.parent)


def test_an_edited_label_is_seen(store: Path, caplog: pytest.LogCaptureFixture):
    (segment,) = segments.segments(store)
    segment.write_text(segment.read_text().replace('"value":"True"', '"value":"False"', 1))
    assert len(everything(store)) == 11
    assert "dropped damaged line 2 (it differs from its checksum)" in caplog.text
    with pytest.raises(JuriesError, match="1 damaged lines"):
        verify(store)
    compact(store)
    assert segment.exists()  # with what can't be read


def test_a_table_written_anew_is_seen(store: Path):
    (path,) = (store / "parquet").rglob("*.parquet")
    table = pq.read_table(path)
    at = table.schema.get_field_index("value")
    pq.write_table(table.set_column(at, "value", pa.array(["True"] * len(table))), path)
    for read in READERS.values():
        with pytest.raises(JuriesError, match="differs from its checksum; restore it from a copy"):
            read(store)


def test_analysis_and_judging_tell_of_damage(tmp_path: Path):
    lj.judge("sample_qa", judges=["contains"], store=tmp_path)
    compact(tmp_path)
    (path,) = (tmp_path / "parquet").rglob("*.parquet")
    path.write_bytes(changed(path.read_bytes(), path.stat().st_size // 2))
    with pytest.raises(JuriesError, match="differs from its checksum"):
        lj.judge("sample_qa", judges=["contains"], store=tmp_path)


def manifest_of(store: Path) -> tuple[Path, dict[str, Any]]:
    (path,) = (store / "parquet").rglob("_manifest.json")
    return path, json.loads(path.read_text())


@pytest.mark.parametrize(
    "named",
    ["../../outside.parquet", "/etc/passwd", "000001/../../x.parquet", "000001/./x", "", ".",
     "000001//x", "x/y.parquet", "..", "\x00", "000001/\x00", "~/x", "²/x.parquet"],
)  # fmt: skip
def test_a_manifest_names_files_of_the_store_only(named: str, store: Path):
    path, manifest = manifest_of(store)
    manifest["files"][0]["path"] = named
    del manifest["checksum"]
    path.write_text(json.dumps(manifest))
    for read in READERS.values():
        with pytest.raises(JuriesError) as told:
            read(store)
        assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    "manifest",
    [b"", b"null", b"[]", b"{}", b"\xff\xfe", b'{"format": "2"}', b'{"format": 3}',
     b"[" * 200_000, b'{"format": 2, "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
     b'{"format": 2, "held": {"x": {"size": -1}}}', b'{"format": 2, "held": {"x": {"size": 1e9}}}',
     b'{"format": 2, "held": {"x": {"size": 1%s}}}' % (b"0" * 400),
     b"!!python/object/apply:os.system ['touch PWNED']", b"\x80\x04cos\nsystem\n."],
)  # fmt: skip
def test_a_manifest_that_is_none_is_told(manifest: bytes, store: Path):
    path, _ = manifest_of(store)
    path.write_bytes(manifest)
    with pytest.raises(JuriesError, match=re.escape(str(path))) as told:
        everything(store)
    assert "\n" not in str(told.value)


def pipe(path: Path) -> None:
    os.mkfifo(path)


def outside(path: Path) -> None:
    target = path.parents[len(path.parts) - 2] / "etc" / "passwd"
    path.symlink_to(target)


def own_copy(path: Path) -> None:
    """Put a link there to a good file that is outside of the store."""
    kept = path.with_name("kept")
    elsewhere = next(p for p in path.parents if p.name == "store").parent / "elsewhere"
    (kept if kept.exists() else path).rename(elsewhere)
    path.symlink_to(elsewhere)


UNFIT: dict[str, Callable[[Path], None]] = {
    "pipe": pipe,
    "folder": lambda path: path.mkdir(),
    "device": lambda path: path.symlink_to("/dev/zero"),
    "outside": outside,
    "nowhere": lambda path: path.symlink_to("nowhere"),
    "loop": lambda path: path.symlink_to(path),
    "empty": lambda path: path.write_bytes(b""),
    "zeros": lambda path: path.write_bytes(bytes(100_000)),
}


@pytest.mark.parametrize("kind", UNFIT)
@pytest.mark.parametrize("place", ["_manifest.json", "*.parquet", "*.jsonl"])
def test_what_is_no_file_of_the_store_is_not_read(
    kind: str, place: str, store: Path, caplog: pytest.LogCaptureFixture
):
    (path,) = store.rglob(place)
    path.unlink()
    UNFIT[kind](path)
    for name, read in READERS.items():
        _, error = outcome(read, store)
        if error:
            assert path.name in error
            assert "\n" not in error
        else:  # a file without a verdict in it
            assert (place, kind) in {("*.jsonl", "empty"), ("*.jsonl", "zeros")}, name


def test_a_link_to_a_good_file_outside_is_not_followed(store: Path):
    (path,) = store.rglob("*.jsonl")
    path.rename(store.parent / "mine.jsonl")
    path.symlink_to(store.parent / "mine.jsonl")
    with pytest.raises(JuriesError, match="leads out of"):
        everything(store)
    assert (store.parent / "mine.jsonl").exists()


def test_a_linked_folder_loses_no_file_to_a_compaction(store: Path):
    mine = store.parent / "mine"
    mine.mkdir()
    (mine / "mine.parquet").write_bytes(b"mine")
    (store / "parquet" / "000000").symlink_to(mine)
    (store / "parquet" / ".000000-x").symlink_to(mine)
    compact(store)
    assert (mine / "mine.parquet").read_bytes() == b"mine"


@pytest.mark.parametrize("name", ["leases", "ledger", "batches", "jobs"])
def test_a_folder_that_leads_out_of_the_store_is_not_written_to(name: str, store: Path):
    mine = store.parent / "mine"
    mine.mkdir()
    (store / name).symlink_to(mine)
    with pytest.raises(JuriesError, match=f"^{store / name}: leads out of {store}; put the folder"):
        Store(store)
    (store / name).unlink()
    (store / "inside").mkdir()
    (store / name).symlink_to(store / "inside")
    Store(store)


def line(**fields: Any) -> bytes:
    """Return a segment's line with some fields of its own and a checksum that is right."""
    made = json.loads(segments.encode(verdict(0)))
    del made["checksum"]
    reply = made["reply"] | fields.pop("reply", {})
    raw = json.dumps(made | {"reply": reply} | fields).encode()[:-1]
    return b'%s,"checksum":"%08x"}\n' % (raw, __import__("zlib").crc32(raw))


@pytest.mark.parametrize(
    "raw",
    [line(reply={"input_tokens": 2**63}), line(reply={"input_tokens": -(2**70)}),
     line(attempts=10**30), line(repeat=2**64), line(attempts=1.5), line(outcome="hacked"),
     line(order="both"), line(reply={"stop": "never"}), line(reply={"text": ["a"]}),
     line(reply={"text": None}), line(key=None), line(key=["x"]), line(value=1), line(score="1"),
     line(judge={"_target_": "os.system"}), line(asked_at="now"),
     line(reply={"choice_logprobs": {"True": "x"}}), line(reply={"choice_logprobs": [1]}),
     line(extra=json.loads("[" * 900 + "]" * 900))[:-30] + b"\n",
     b"[" * 100_000 + b"\n", b'{"a":' * 100_000 + b"\n", b"\xff\xff\n", b"null\n", b"{}\n",
     b"NaN\n", b"\x00\n", b"\x80\x04\x95\n", b"!!python/object/apply:os.system [x]\n"],
)  # fmt: skip
def test_a_line_that_is_no_verdict_costs_no_other(
    raw: bytes, store: Path, caplog: pytest.LogCaptureFixture
):
    with (store / "20300101T000000Z-host-1-aaaaaaaa.jsonl").open("wb") as file:
        file.write(raw + segments.encode(verdict(12)) + b"\n")
    assert len(everything(store)) == 13
    assert "dropped damaged line 1" in caplog.text
    assert outcome_counts(store)["verdicts"].sum() == 13
    export(store, store.parent / "out")
    compact(store)
    assert len(everything(store)) == 13


def test_a_line_without_an_end_is_not_held_in_memory(store: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(segments, "LONGEST", 1 << 12)
    with (store / "20300101T000000Z-host-1-aaaaaaaa.jsonl").open("wb") as file:
        file.truncate(1 << 40)  # a terabyte of nothing
    with pytest.raises(JuriesError, match="line 1 has more than"):
        everything(store)


def sign(store: Path, path: Path) -> None:
    """Let the manifest of a store vouch for a file of it, as somebody who means harm would."""
    place, manifest = manifest_of(store)
    manifest["files"][0] |= {"sha256": snapshots.sha256(path), "size": path.stat().st_size}
    del manifest["checksum"]
    place.write_text(json.dumps(manifest))


def columns(**fields: Any) -> pa.Table:
    """Return a table of eight verdicts with some columns of its own."""
    table = table_of([verdict(number) for number in range(8)])
    for name, column in fields.items():
        at = table.schema.get_field_index(name)
        table = table.remove_column(at) if column is None else table.set_column(at, name, column)
    return table


REPLIES = table_of([verdict(number) for number in range(8)]).column("reply").to_pylist()
TABLES: dict[str, Any] = {
    "a number for a key": columns(key=pa.array(range(8))),
    "bytes for a key": columns(key=pa.array([b"\xff" * 32] * 8)),
    "no key": columns(key=pa.array([None] * 8, pa.string())),
    "no column of keys": columns(key=None),
    "an outcome of its own": columns(outcome=pa.array(["hacked"] * 8)),
    "no outcome": columns(outcome=pa.array([None] * 8, pa.string())),
    "an order of its own": columns(order=pa.array(["both"] * 8)),
    "no judge": columns(judge=pa.array([None] * 8, pa.string())),
    "no reply": columns(reply=pa.array([None] * 8, schema().field("reply").type)),
    "a text for a reply": columns(reply=pa.array(["x"] * 8)),
    "an empty reply": columns(reply=pa.array([{"text": "a"}] * 8)),
    "a stop of its own": columns(
        reply=pa.array([r | {"stop": "x"} for r in REPLIES], schema().field("reply").type)
    ),
    "a text for attempts": columns(attempts=pa.array(["1"] * 8)),
    "a list for a value": columns(value=pa.array([["True"]] * 8)),
    "another format": columns().replace_schema_metadata({"llm_juries.format": "two"}),
    "a format to come": columns().replace_schema_metadata({"llm_juries.format": "9"}),
    "something else": pa.table({"a": [1]}),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_parquet_file_of_something_else_is_told(name: str, store: Path):
    """The manifest vouches for it, or it is imported: its rows are checked all the same."""
    (path,) = (store / "parquet").rglob("*.parquet")
    pq.write_table(TABLES[name], path)
    sign(store, path)
    for read in (everything, scanned, exported, merged, compacted):
        with pytest.raises(JuriesError, match=r"verdicts-0000\.parquet: ") as told:
            read(store)
        assert "\n" not in str(told.value)
    with pytest.raises(JuriesError, match=r"verdicts-0000\.parquet: "):
        import_files(store.parent / "into", [path])


@pytest.mark.parametrize("bomb", ["rows", "text"])
def test_a_parquet_file_that_claims_more_than_it_holds_is_told(bomb: str, store: Path):
    (path,) = (store / "parquet").rglob("*.parquet")
    one = columns()
    if bomb == "rows":
        many = one.take([0] * 100_000)
    else:
        huge = pa.array([{**REPLIES[0], "text": "0" * (1 << 26)}], schema().field("reply").type)
        several = one.slice(0, 5)
        at = one.schema.get_field_index("reply")
        many = several.set_column(at, "reply", huge.take([0] * 5))
    how = {"compression": "zstd", "use_dictionary": bomb == "rows", "write_statistics": False}
    pq.write_table(many, path, **how)
    assert path.stat().st_size < 200_000
    sign(store, path)
    for read in (everything, scanned, compacted):
        with pytest.raises(JuriesError, match="so it is not a file of verdicts"):
            read(store)


@pytest.mark.parametrize(
    "ticket",
    [b"{}", b"null", b"\xff", b"[" * 100_000, b"cos\nsystem\n(S'touch PWNED'\ntR.",
     json.dumps({"judge": "j", "model": "m", "base_url": "u", "keys": ["a"], "written_at": 1,
                 "batch": "x/../../evil"}).encode()],
)  # fmt: skip
def test_a_ticket_that_is_none_is_told(ticket: bytes, store: Path):
    (store / "batches").mkdir()
    (store / "batches" / "x.json").write_bytes(ticket)
    with pytest.raises(JuriesError, match=r"x\.json: not a batch ticket") as told:
        tickets(Store(store))
    assert "\n" not in str(told.value)


def test_names_of_all_kinds_go_through_a_store(tmp_path: Path):
    names = ["a/b", "..", "$x", "a\nb", "x" * 300, "評" * 300, "قاضٍ", "🙂", "a.b", "", " ", "%2F"]
    with Store(tmp_path / "s") as store:
        for number, name in enumerate(names):
            store.append(replace(verdict(number), judge=name, dataset=name, item_id=name))
    before = everything(tmp_path / "s")
    assert compacted(tmp_path / "s") == before
    assert exported(tmp_path / "s") == before
    assert len(outcome_counts(tmp_path / "s")) == len(names)
    assert {path.parent for path in tmp_path.rglob("parquet")} == {tmp_path / "s"}
