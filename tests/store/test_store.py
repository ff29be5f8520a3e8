"""The store loses nothing it has taken, whoever writes and however it ends."""

from __future__ import annotations

import json
import logging
import math
import subprocess
import sys
import tempfile
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_juries.errors import JuriesError
from llm_juries.store.compaction import compact
from llm_juries.store.store import Store
from llm_juries.types import Order, Outcome, Reply, Verdict


def verdict(key: str = "k", **changed: Any) -> Verdict:
    made = Verdict(
        key=key,
        judge="j",
        prompt="p",
        dataset="d",
        item_id="1",
        candidate="m",
        opponent="",
        order=Order.ORIGINAL,
        outcome=Outcome.OK,
        value="1",
        score=0.75,
        reader="r",
        reply=Reply("True", choice_logprobs={"True": -0.25}, input_tokens=3),
        cost_usd=0.5,
        attempts=1,
        asked_at=100.0,
    )
    return replace(made, **changed)


# A writer in a process of its own: tells each key on standard output once `append` has returned.
WRITER = """
import sys
import tempfile
import tracemalloc
from dataclasses import replace
from llm_juries.errors import JuriesError
from llm_juries.store.store import Store
from llm_juries.types import Order, Outcome, Reply, Verdict

folder, prefix, number, limit = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
if limit:
    import resource, signal
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
store = Store(folder)
for at in range(number):
    one = Verdict(
        f"{prefix}{at}", "j", "p", "d", "1", "m", "", Order.ORIGINAL, Outcome.OK, "1", None, "r",
        Reply("é\\n" * 40), None, 1, float(at),
    )
    try:
        store.append(one)
    except JuriesError as error:
        sys.exit(str(error))
    sys.stdout.write(f"{prefix}{at}\\n")
    sys.stdout.flush()
"""


def writer(folder: Path, prefix: str, number: int, limit: int = 0) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder), prefix, str(number), str(limit)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def readable(folder: Path, keys: list[str]) -> list[str]:
    store = Store(folder)
    return [key for key in keys if store.get(key) is not None]


def segment(folder: Path) -> Path:
    (only,) = folder.glob("*.jsonl")
    return only


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    with Store(tmp_path) as store:
        for key in "abc":
            store.append(verdict(key))
    return tmp_path


def test_an_appended_verdict_is_found_at_once(tmp_path: Path):
    with Store(tmp_path) as store:
        store.append(verdict("a"))
        assert store.get("a") == verdict("a")


def test_a_verdict_comes_back_whole_from_a_store_opened_anew(tmp_path: Path):
    kept = verdict(
        "a",
        outcome=Outcome.REFUSED,
        value=None,
        score=None,
        order=Order.SWAPPED,
        reply=Reply("lines\nof “text” \u2028 {{x}}", stop="refusal", choice_logprobs={"é": -1.5}),
        cost_usd=None,
    )
    with Store(tmp_path) as store:
        store.append(kept)
    assert Store(tmp_path).get("a") == kept


@pytest.mark.parametrize("compacted", [False, True])
def test_a_word_of_probability_0_comes_back(compacted: bool, tmp_path: Path):
    kept = verdict("a", reply=Reply("True", choice_logprobs={"True": 0.0, "False": -math.inf}))
    with Store(tmp_path) as store:
        store.append(kept)
        assert store.get("a") == kept
    if compacted:
        compact(tmp_path)
    assert Store(tmp_path).get("a") == kept


def test_a_log_probability_that_is_none_is_left_out(tmp_path: Path):
    odd = {"True": -0.25, "False": math.nan, "Maybe": math.inf}
    with Store(tmp_path) as store:
        store.append(verdict("a", reply=Reply("True", choice_logprobs=odd)))
    assert Store(tmp_path).get("a").reply.choice_logprobs == {"True": -0.25}


def test_half_a_character_in_a_reply_loses_no_verdict(tmp_path: Path):
    with Store(tmp_path) as store:
        store.append(verdict("a", reply=Reply("True \ud83d", choice_logprobs={"\ud83d": -1.0})))
    assert Store(tmp_path).get("a") == verdict(
        "a", reply=Reply("True ?", choice_logprobs={"?": -1.0})
    )


def test_a_key_never_asked_has_no_verdict(filled: Path):
    assert Store(filled).get("z") is None


def test_a_store_counts_its_keys_once(filled: Path):
    with Store(filled) as store:
        store.append(verdict("a", asked_at=200.0))
        store.append(verdict("d"))
    assert len(Store(filled)) == 4


def test_a_folder_that_does_not_exist_is_an_empty_store(tmp_path: Path):
    store = Store(tmp_path / "none")
    assert len(store) == 0
    assert not store.path.exists()


def test_each_line_of_a_segment_is_a_json_object_of_one_verdict(filled: Path):
    lines = segment(filled).read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["key"] for line in lines] == ["a", "b", "c"]


def test_a_torn_last_line_is_dropped_and_reported(filled: Path, caplog: pytest.LogCaptureFixture):
    path = segment(filled)
    path.write_bytes(path.read_bytes()[:-7])
    assert readable(filled, ["a", "b", "c"]) == ["a", "b"]
    assert "dropped an incomplete last line" in caplog.text
    assert str(path) in caplog.text


@pytest.mark.parametrize(
    "damage", [b'{"key": "b", "jud', b"", b"\x00\x00", b'{"key": "b"}', b'{"key": "\xff"}', b"[1]"]
)
def test_a_damaged_line_is_dropped_and_reported_and_the_others_stay(
    damage: bytes, filled: Path, caplog: pytest.LogCaptureFixture
):
    path = segment(filled)
    first, _, third, _ = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([first, damage, third, b""]))
    assert readable(filled, ["a", "b", "c"]) == ["a", "c"]
    assert "dropped damaged line 2" in caplog.text


def test_a_whole_store_is_read_without_a_warning(filled: Path, caplog: pytest.LogCaptureFixture):
    assert len(Store(filled)) == 3
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_writing_after_a_torn_line_damages_nothing(filled: Path):
    path = segment(filled)
    path.write_bytes(path.read_bytes()[:-7])
    with Store(filled) as store:
        store.append(verdict("d"))
    assert readable(filled, ["a", "b", "c", "d"]) == ["a", "b", "d"]


def test_two_writers_at_once_lose_nothing(tmp_path: Path):
    writers = [writer(tmp_path, prefix, 300) for prefix in "ab"]
    told = [key for one in writers for key in one.communicate()[0].split()]
    assert len(told) == 600
    assert readable(tmp_path, told) == told


def test_all_that_was_taken_before_a_kill_is_readable(tmp_path: Path):
    killed = writer(tmp_path, "k", 1_000_000)
    told = [killed.stdout.readline().strip() for _ in range(50)]
    killed.kill()
    told += killed.communicate()[0].split()
    assert killed.returncode < 0, "it ended before it was killed"
    assert readable(tmp_path, told) == told


@pytest.mark.skipif(sys.platform == "win32", reason="limits of a file's size are POSIX")
def test_all_that_was_taken_before_the_disk_was_full_is_readable(tmp_path: Path):
    full = writer(tmp_path, "k", 1000, limit=5000)
    told, said = full.communicate()
    assert "can't write" in said
    assert readable(tmp_path, told.split()) == told.split()


def test_a_path_that_is_a_file_is_told(tmp_path: Path):
    path = tmp_path / "store"
    path.write_text("")
    with pytest.raises(JuriesError, match=r"store: is a file; a store is a folder$"):
        Store(path)


def test_a_folder_that_cannot_be_made_is_told_on_the_first_append(tmp_path: Path):
    (tmp_path / "file").write_text("")
    store = Store(tmp_path / "file" / "store")
    with pytest.raises(JuriesError, match=r"can't write \(Not a directory\)$"):
        store.append(verdict())


# In a process of its own, that of a user who is not root: root may read everything.
NOBODY = """
import os, sys
import tabulate
from pathlib import Path
from llm_juries.errors import JuriesError
from llm_juries.store import imports, scan, verify
from llm_juries.store.store import Store

if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
store = Path(sys.argv[1])
for what in (
    lambda: len(Store(store)),
    lambda: verify.verify(store),
    lambda: imports.merge(Path(str(store) + "x"), [store]),
    lambda: scan.outcome_counts(store),
):
    try:
        print("read", what())
    except JuriesError as error:
        print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="permissions are POSIX")
@pytest.mark.parametrize(("folder", "file"), [(0o000, 0o600), (0o311, 0o644), (0o755, 0o000)])
def test_what_may_not_be_read_is_told_and_is_not_empty(folder: int, file: int):
    with tempfile.TemporaryDirectory() as above:  # pytest's own folders are closed to others
        Path(above).chmod(0o755)
        path = Path(above) / "store"
        with Store(path) as store:
            store.append(verdict("a"))
        segment(path).chmod(file)
        path.chmod(folder)
        done = subprocess.run(
            [sys.executable, "-c", NOBODY, str(path)], capture_output=True, text=True, check=True
        )
        path.chmod(0o700)
    said = done.stdout.splitlines()
    assert len(said) == 4
    assert all("read" in line and "(Permission denied)" in line for line in said), said


FAILED = {"outcome": Outcome.FAILED, "value": None, "score": None}


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(
    ("counts", "other"),
    [
        (verdict(asked_at=200.0), verdict(asked_at=100.0, **FAILED)),
        (verdict(asked_at=100.0), verdict(asked_at=200.0, **FAILED)),
        (verdict(asked_at=100.0), verdict(asked_at=200.0, value="0")),
        (verdict(asked_at=200.0, **FAILED), verdict(asked_at=100.0, **FAILED)),
    ],
    ids=["a later reply", "an earlier reply", "the earlier reply", "the later failure"],
)
def test_which_of_two_verdicts_counts(
    counts: Verdict, other: Verdict, turned: bool, tmp_path: Path
):
    two = (other, counts) if turned else (counts, other)
    written = Store(tmp_path)
    for one in two:
        with Store(tmp_path) as store:
            store.append(one)
        written.append(one)
    assert Store(tmp_path).get("k") == written.get("k") == counts


@given(
    st.lists(
        st.builds(
            verdict,
            key=st.sampled_from("ab"),
            outcome=st.sampled_from(Outcome),
            value=st.sampled_from(["0", "1", None]),
            asked_at=st.integers(1, 3).map(float),
        ),
        max_size=6,
    ),
    st.randoms(use_true_random=False),
)
@settings(max_examples=200, deadline=None)
def test_what_is_kept_does_not_depend_on_the_order_of_writing(read: list[Verdict], rnd: Any):
    found = []
    for _ in range(2):
        with tempfile.TemporaryDirectory() as folder:
            with Store(folder) as store:
                for one in read:
                    store.append(one)
                at_once = {one.key: one for one in store}
            assert {one.key: one for one in Store(folder)} == at_once
        found.append(at_once)
        rnd.shuffle(read)
    assert found[0] == found[1]


def test_replies_are_not_held_in_memory(tmp_path: Path):
    def growth(number: int) -> int:
        tracemalloc.start()
        with Store(tmp_path / str(number)) as store:
            for at in range(number):
                store.append(verdict(f"{at:032}", reply=Reply("long " * 1000)))
            size, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return size

    few, many = growth(100), growth(1100)
    assert (many - few) / 1000 < 700  # bytes a verdict, of whose reply alone is 5,000 long


def test_a_reply_that_comes_after_a_failure_survives_a_reopening(tmp_path: Path):
    for one in (verdict(**FAILED), verdict(asked_at=300.0)):
        with Store(tmp_path) as store:
            store.append(one)
    assert Store(tmp_path).get("k").outcome is Outcome.OK
