"""Many writers at once, killed at random, while a compaction runs over and over."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pyarrow.parquet
import pytest
from test_store import WRITER

from llm_juries.errors import JuriesError
from llm_juries.store import segments, snapshots
from llm_juries.store.compaction import compact
from llm_juries.store.imports import merge
from llm_juries.store.index import Index
from llm_juries.store.store import Store
from llm_juries.store.verify import verify

WRITERS, ROUNDS = 8, 2
PIPE = 4096  # bytes a writer can tell ahead: it waits for a reader then, and writes no more

COMPACTING = """
import sys
from pathlib import Path
from llm_juries.store.compaction import compact
while True:
    compact(Path(sys.argv[1]))
    print(flush=True)
"""


def started(code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.PIPE,
        pipesize=PIPE,
        text=True,
    )


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_and_nothing_is_doubled(tmp_path: Path):
    chance = random.Random(8)
    store, told = tmp_path / "store", Counter[str]()
    compacting = started(COMPACTING, str(store))
    reader = Store(store)
    for number in range(ROUNDS):
        writers = [
            started(WRITER, str(store), f"{number}-{at}-", "1000000", "0") for at in range(WRITERS)
        ]
        for writer in writers:
            told[writer.stdout.readline().strip()] += 1
        assert all(reader.get(key) for key in list(told)[:1])  # it stays open all the time
        for writer in chance.sample(writers, WRITERS):
            told[writer.stdout.readline().strip()] += 1  # it can go on, and is killed meanwhile
            time.sleep(chance.uniform(0, 0.03))
            writer.kill()
        for writer in writers:
            told.update(writer.communicate()[0].split())
            assert writer.returncode == -9
        compacting.stdout.readline()  # another pass has ended, so the next one is under way
        compacting.kill()
        compacting.communicate()
        compacting = started(COMPACTING, str(store))
    compacting.stdout.readline()
    compacting.kill()
    compacting.communicate()

    assert set(told.values()) == {1}
    readable = [one.key for one in Store(store)]
    assert len(set(readable)) == len(readable)
    assert set(told) <= set(readable)
    # A line may have been whole before its writer could tell.
    assert len(readable) <= len(told) + ROUNDS * WRITERS
    assert all(reader.get(key) for key in told)

    compact(store)
    assert not segments.segments(store)
    _, snapshot = snapshots.newest(store)
    held = Counter(
        key
        for file in snapshot.files
        for key in pyarrow.parquet.read_table(snapshots.home(store) / file.path)["key"].to_pylist()
    )
    assert held == Counter(readable)
    assert verify(store).keys == len(readable)

    merged = tmp_path / "merged"
    for _ in range(2):
        found = merge(merged, [store])
    assert (found.new, found.known, found.conflicts) == (0, len(readable), [])
    compact(merged)
    assert {one.key: one for one in Store(merged)} == {one.key: one for one in Store(store)}
    assert Index.of(merged).found.again == 0


def test_a_full_disk_stops_a_compaction_in_one_line_and_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    writer = started(WRITER, str(tmp_path), "k", "50", "0")
    told = writer.communicate()[0].split()

    def full(path: Path) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(snapshots, "sha256", full)
    with pytest.raises(JuriesError, match=r"can't be compacted \(No space .*nothing has changed$"):
        compact(tmp_path)
    monkeypatch.undo()
    assert sorted(one.key for one in Store(tmp_path)) == sorted(told)
    assert snapshots.newest(tmp_path)[0] == 0
    assert not list((tmp_path / "parquet").iterdir())
