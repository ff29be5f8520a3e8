"""Format 2 of a store: values as text, a checksum a line and a page, and format 1 upgraded."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import msgspec
import pyarrow.parquet
import pytest
from test_compaction import FIRST, fill, kept, parquet
from test_store import verdict

from conftest import ROOT
from llm_juries.errors import JuriesError
from llm_juries.store import segments
from llm_juries.store.compaction import compact
from llm_juries.store.scan import outcome_counts, parts
from llm_juries.store.store import Store
from llm_juries.types import Reply

FIXTURES = ROOT / "tests" / "fixtures"


@pytest.mark.parametrize("name", ["store_0_1", "store_parquet_1"])
def test_a_store_of_format_1_is_scanned_and_compacted_into_format_2(name: str, tmp_path: Path):
    store = shutil.copytree(FIXTURES / name, tmp_path / "store")
    assert kept(store) == FIRST
    assert outcome_counts(store)["verdicts"].sum() == len(FIRST)
    (part,) = parts(store, ["key", "value"])
    found = dict(zip(part.rows["key"].to_pylist(), part.rows["value"].to_pylist(), strict=True))
    assert found == {key: one.value for key, one in FIRST.items()}
    fill(store, verdict("new", value="A>>B", repeat=2, criterion="style"))
    compact(store, no_writers=True)
    assert kept(store) == {
        **FIRST,
        "new": verdict("new", value="A>>B", repeat=2, criterion="style"),
    }
    for path in {path for path in parquet(store) if "000001" not in str(path)}:
        schema = pyarrow.parquet.read_schema(path)
        assert schema.metadata[b"llm_juries.format"] == b"2"
        assert "label" not in schema.names


def test_a_number_of_format_1_is_its_text():
    line = segments.encode(verdict("a"))
    former = line[: line.rindex(b',"checksum"')] + b"}"
    for label, value in ((b"1.0", "1"), (b"0.0", "0"), (b"0.5", "0.5"), (b"5.0", "5")):
        read = segments.decode(former.replace(b'"value":"1"', b'"label":' + label))
        assert read == verdict("a", value=value)
    empty = former.replace(b'"value":"1"', b'"label":null')
    assert segments.decode(empty) == verdict("a", value=None)


def test_every_flipped_bit_of_a_line_is_found():
    line = segments.encode(verdict("a", reply=Reply("True, “yes”")))
    for at in range(len(line)):
        for bit in range(8):
            flipped = bytearray(line)
            flipped[at] ^= 1 << bit
            with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)):
                segments.decode(bytes(flipped))


def test_a_line_of_format_2_without_its_checksum_is_damaged():
    line = segments.encode(verdict("a"))
    with pytest.raises(msgspec.DecodeError, match="has no checksum"):
        segments.decode(line[: line.rindex(b',"checksum"')] + b"}")


def test_an_edited_value_is_not_read_and_its_place_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    fill(tmp_path, verdict("a"), verdict("b"))
    (path,) = segments.segments(tmp_path)
    path.write_bytes(path.read_bytes().replace(b'"value":"1"', b'"value":"0"', 1))
    with caplog.at_level(logging.WARNING):
        assert list(kept(tmp_path)) == ["b"]
    assert f"{path}: dropped damaged line 1 (it differs from its checksum)" in caplog.text


def test_a_damaged_page_of_parquet_is_told_with_its_file(tmp_path: Path):
    many = [verdict(f"{n:04}", reply=Reply(f"reply {n}")) for n in range(500)]
    fill(tmp_path, *many)
    compact(tmp_path)
    (path,) = parquet(tmp_path)
    column = pyarrow.parquet.ParquetFile(path).metadata.row_group(0).column(0)
    assert column.path_in_schema == "key"
    raw = bytearray(path.read_bytes())
    raw[column.data_page_offset + column.total_compressed_size // 2] ^= 1
    path.write_bytes(raw)
    with pytest.raises(JuriesError, match=path.name):
        Store(tmp_path).get("0003")
    with pytest.raises(JuriesError, match=path.name):
        list(parts(tmp_path, ["key"]))
