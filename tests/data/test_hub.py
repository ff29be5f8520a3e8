"""Every dataset of the hub loads from a stand-in hub: cached, streamed and offline."""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from conftest import ROOT
from data.hub_repositories import (
    HALF,
    LARGE,
    MOVED,
    OTHER,
    RETYPED,
    SCRIPT,
    build_repositories,
    conf,
)
from fake_hub import TOKEN, FakeHub, commit_of, fake_hub
from llm_juries.data import hub as hub_module
from llm_juries.data.dataset import About
from llm_juries.errors import JuriesError
from llm_juries.types import Item

NAMES = sorted(
    path.stem
    for path in (ROOT / "conf/dataset").glob("*.yaml")
    if "repo" in yaml.safe_load(path.read_text()).get("source", {})
)
GATED = "lmsys/chatbot_arena_conversations"
NOWHERE = "http://127.0.0.1:9"

Found = dict[str, Any]
Loads = Callable[..., list[Found]]


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeHub]:
    root = tmp_path_factory.mktemp("hub")
    build_repositories(root)
    with fake_hub(root, gated={GATED}) as server:
        yield server


@pytest.fixture(scope="module")
def environment(hub: FakeHub, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What makes the hub's client ask the stand-in and keep what it gets to the tests."""
    home = tmp_path_factory.mktemp("hf_home")
    settings = {"HF_ENDPOINT": hub.url, "HF_HOME": str(home), "HF_TOKEN": TOKEN}
    return settings | {"HF_HUB_OFFLINE": "0", "NO_PROXY": "127.0.0.1"}


def loads(environment: dict[str, str], *jobs: str, **settings: str) -> list[Found]:
    """Load a dataset for each job, a line of overrides, all in one process."""
    done = subprocess.run(
        [sys.executable, "tests/data/hub_loads.py"],
        input=json.dumps([job.split() for job in jobs]),
        cwd=ROOT,
        env={**os.environ, **environment, **settings},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


VARIANTS = {
    "two of KILT's": "kilt_nq limit=2 seed=0",
    "whole contexts": "hotpotqa_multihop passages=context",
    "questions alone": "arena_hard_v01 candidates=[]",
    "in English": "chatbot_arena language=English",
    "of any length": "chatbot_arena turns=null",
    "by both turns": "mt_bench_human turn=2",
    "another revision": f"bamboogle source.revision={OTHER}",
    "a branch": "bamboogle source.revision=main",
}


MISTAKES = {
    f"bamboogle source.revision={'c' * 40}": r"has no revision c{40}; set a commit of",
    "bamboogle source.repo=chiayewken/bambogle": r"no such dataset at http",
    "bamboogle source.repo=a/b/c": r"not a repository name; set owner/name",
    "bamboogle source.repo=./nowhere": r"nowhere: no such folder",
    "bamboogle source.files=[data/tst-*.parquet]": (
        r"at \w{40}: has no file data/tst-\*\.parquet; did you mean data/test-00000"
    ),
    f"bamboogle source.revision={MOVED}": (
        rf"bamboogle at {MOVED}: has no column Question; did you mean Questions\?"
    ),
    f"bamboogle source.revision={RETYPED}": r"column Answer contains a list, not text",
    f"bamboogle source.revision={HALF}": r"has 1 of the 2 files of data/test-\*",
    f"bamboogle source.revision={SCRIPT}": (
        r"has no file .* only a loading script \(bamboogle\.py\), which is never run"
    ),
    "kilt_triviaqa questions.files=[rc.wikipedia.nocontext/*.parquet]": (
        r"1 of 3 ids have no question in mandarjoshi/trivia_qa .*, such as 'q2'"
    ),
    "kilt_triviaqa questions=null": r"3 of 3 ids have no question in the data",
    "arena_hard_v01 candidates=[gpt-4-0614]": r"gpt-4-0614\.jsonl; did you mean .*0613",
    "arena_hard_v2 source.files=[data/arena-hard-v0.1/question.jsonl]": (
        r"baseline names no model for the category 'arena-hard-v0.1'"
    ),
    "kilt_nq limit=0": r"limit is 0; set 1 or more",
}
STREAMED_MISTAKES = {
    f"{job} source.streaming=true": said
    for job, said in MISTAKES.items()
    if "revision=" in job or "files=" in job
}
TOLD = MISTAKES | STREAMED_MISTAKES
JOBS = dict(zip(NAMES, NAMES, strict=True)) | VARIANTS


@pytest.fixture(scope="module")
def first(environment: dict[str, str]) -> dict[str, Found]:
    """What the first process gives that loads each yaml, variant and mistake, by its job."""
    jobs = [*JOBS.values(), *TOLD]
    return dict(zip(jobs, loads(environment, *jobs), strict=True))


@pytest.fixture(scope="module")
def cached(first: dict[str, Found]) -> dict[str, Found]:
    """What each yaml and each variant gives, the first time."""
    return {name: first[job] for name, job in JOBS.items()}


@pytest.mark.parametrize("name", NAMES)
def test_every_yaml_loads_and_says_where_from(name: str, cached: dict[str, Found]):
    found = cached[name]
    assert "error" not in found
    assert found["name"] == name
    assert found["items"]
    settings = conf(name)["source"]
    assert f"Read from {settings['repo']} at {settings['revision']}" in found["note"]
    assert re.fullmatch(r"[0-9a-f]{40}", settings["revision"])


def columns(found: Found, *fields: str) -> list[Any]:
    rows = [tuple(item[field] for field in fields) for item in found["items"]]
    return [row[0] for row in rows] if len(fields) == 1 else rows


def test_kilt_gives_each_answer_once(cached: dict[str, Found]):
    assert columns(cached["kilt_nq"], "item_id", "question", "candidate", "answer")[0] == (
        "q0", "what colour is a?", "", ""
    )  # fmt: skip
    assert columns(cached["kilt_nq"], "references") == [["red", "scarlet"]] * 3
    assert len(cached["two of KILT's"]["items"]) == 2


def test_the_questions_of_triviaqa_are_joined_by_id(cached: dict[str, Found]):
    assert columns(cached["kilt_triviaqa"], "item_id", "question") == [
        (f"q{n}", f"Which colour has {n}?") for n in range(3)
    ]


def test_bamboogle_has_ids_of_its_questions(cached: dict[str, Found]):
    assert columns(cached["bamboogle"], "references")[1] == ["0"]
    ids = columns(cached["bamboogle"], "item_id")
    assert len(set(ids)) == 5
    assert columns(cached["another revision"], "item_id") == ids[:2]
    assert columns(cached["a branch"], "item_id") == ids[:1]


def test_the_commit_behind_a_branch_is_noted(cached: dict[str, Found], hub: FakeHub):
    commit = commit_of(hub.root / "chiayewken/bamboogle/main")
    assert cached["a branch"]["note"].endswith(f"Read from chiayewken/bamboogle at {commit}.")


def test_hotpotqa_brings_its_passages(cached: dict[str, Found]):
    def titles(found: Found) -> list[str]:
        return [passage["title"] for passage in found["items"][2]["passages"]]

    assert titles(cached["hotpotqa_multihop"]) == ["A", "C"]
    assert titles(cached["whole contexts"]) == ["A", "B", "C"]
    assert cached["hotpotqa_multihop"]["items"][2]["passages"][0]["text"] == "A is one. A is 2."


def test_arena_hard_pairs_candidates_with_the_baseline_of_the_category(cached: dict[str, Found]):
    assert columns(cached["arena_hard_v01"], "item_id", "candidate", "opponent") == [
        ("u1", "gpt-3.5-turbo-0125", "gpt-4-0314"),
        ("u1", "gpt-4-0613", "gpt-4-0314"),
        ("u2", "gpt-3.5-turbo-0125", "gpt-4-0314"),
        ("u2", "gpt-4-0613", "gpt-4-0314"),
    ]
    assert columns(cached["arena_hard_v2"], "item_id", "answer", "opponent_answer") == [
        ("w1", "gemini-2.0-flash-001 does w1", "o3-mini-2025-01-31 does w1"),
        ("w2", "o3-mini-2025-01-31 does w2", "gemini-2.0-flash-001 does w2"),
    ]
    assert cached["arena_hard_v2"]["orders"] == ["original", "swapped"]
    assert columns(cached["questions alone"], "question", "candidate", "opponent") == [
        ("Do u1", "", ""),
        ("Do u2", "", ""),
    ]


def test_chatbot_arena_keeps_the_users_vote(cached: dict[str, Found]):
    assert columns(cached["chatbot_arena"], "item_id", "human") == [
        ("c0", "a"), ("c1", "b"), ("c3", "tie")
    ]  # fmt: skip
    assert columns(cached["chatbot_arena"], "question", "answer", "opponent_answer")[0] == (
        "Q0 1", "alpha on Q0 1", "beta on Q0 1"
    )  # fmt: skip
    assert columns(cached["in English"], "item_id") == ["c0", "c3"]
    assert columns(cached["of any length"], "question")[2] == "[Turn 1]\nQ2 1\n\n[Turn 2]\nQ2 2"


def test_mt_bench_counts_the_votes_of_a_pair_in_either_order(cached: dict[str, Found]):
    assert columns(cached["mt_bench_human"], "item_id", "opponent", "human", "human_votes") == [
        ("81-1", "beta", "a", ["a", "a", "tie", None, None]),
        ("81-1", "gamma", "tie", [None, None, None, "b", "tie"]),
    ]
    assert cached["mt_bench_human"]["annotators"] == [f"expert_{n}" for n in range(5)]
    assert columns(cached["mt_bench_human"], "question")[0] == "Q81 1"
    assert columns(cached["by both turns"], "item_id", "human") == [("82-2", "b")]


def test_streaming_gives_the_same_items_and_fetches_the_beginning_only(
    environment: dict[str, str], cached: dict[str, Found], hub: FakeHub, tmp_path: Path
):
    hub.sent = 0
    empty = {**environment, "HF_HOME": str(tmp_path)}
    jobs = [*NAMES, f"bamboogle source.revision={LARGE} limit=3"]
    *streamed, limited = loads(empty, *(f"{job} source.streaming=true" for job in jobs))
    assert dict(zip(NAMES, streamed, strict=True)) == {name: cached[name] for name in NAMES}
    assert not list(tmp_path.rglob("*.parquet"))
    assert len(limited["items"]) == 3
    assert 0 < hub.sent < 10e6  # of 24 MB


def test_offline_gives_the_same_items_of_the_same_revisions(
    environment: dict[str, str], cached: dict[str, Found], hub: FakeHub
):
    hub.asked.clear()
    unknown = f"bamboogle source.revision={'c' * 40}"
    streamed = "bamboogle source.streaming=true"
    absent = "kilt_nq source.files=[fever/validation-*.parquet]"  # another file of a cached commit
    jobs = [*JOBS.values(), unknown, streamed, absent]
    *found, other, live, part = loads(environment, *jobs, HF_HUB_OFFLINE="1")
    assert found == list(cached.values())
    for refused in (other, live, part):
        assert "HF_HUB_OFFLINE forbids" in refused["error"]
    assert "c" * 40 in other["error"]
    assert not hub.asked


@pytest.mark.parametrize("job", TOLD)
def test_each_mistake_is_told_in_one_line(job: str, first: dict[str, Found]):
    error = first[job].get("error", "")
    assert re.search(TOLD[job], error)
    assert "\n" not in error
    assert TOKEN not in error


def test_without_a_network_only_what_is_cached_is_had(
    environment: dict[str, str], cached: dict[str, Found], hub: FakeHub
):
    folder = (
        hub.root
        / conf("arena_hard_v01")["source"]["repo"]
        / conf("arena_hard_v01")["source"]["revision"]
    )
    jobs = (
        "bamboogle",
        f"arena_hard_v01 source.repo={folder}",
        f"bamboogle source.revision={'c' * 40}",
        "kilt_nq source.streaming=true",
    )
    had, local, *refused = loads({**environment, "HF_ENDPOINT": NOWHERE}, *jobs)
    assert had == cached["bamboogle"]
    assert local["items"] == cached["arena_hard_v01"]["items"]
    assert f"Read from {folder}" in local["note"]
    for failed in refused:
        assert f"can't reach {NOWHERE} (ConnectError)" in failed["error"]


@pytest.mark.parametrize(
    ("token", "said"),
    [
        ("", "is gated; accept its terms at {page}, then set HF_TOKEN to your token"),
        ("hf_other", "is gated and your token has no access; accept its terms at {page}"),
    ],
)
def test_a_gated_dataset_says_what_to_do(
    token: str, said: str, environment: dict[str, str], tmp_path: Path
):
    jobs = [f"chatbot_arena source.streaming={streaming}" for streaming in ("true", "false")]
    page = f"{environment['HF_ENDPOINT']}/datasets/{GATED}"
    for load in loads(environment, *jobs, HF_HOME=str(tmp_path), HF_TOKEN=token):
        assert load["error"].endswith(said.format(page=page))
        assert "\n" not in load["error"]
        assert not token or token not in load["error"]


@pytest.mark.parametrize(
    "error",
    [OSError(errno.ENOSPC, "No space left on device"), OSError("Not enough disk space. Needed: 1")],
)
def test_a_full_disk_is_told_however_deep(error: OSError):
    wrapped = RuntimeError("an error occurred while generating")
    wrapped.__cause__ = error
    told = pytest.raises(JuriesError, match=r"^a/b: the disk of \S+ is full; set HF_HOME")
    with told, hub_module.one_line_errors("a/b", "main"):
        raise wrapped


@pytest.mark.parametrize(("seed", "read"), [(None, 3), (0, 10)])
def test_a_limit_without_a_seed_reads_no_further(seed: int | None, read: int):
    read_rows: set[int] = set()

    def make() -> Iterator[Item]:
        for number in range(10):
            read_rows.add(number)
            yield Item("d", str(number), "")

    source = hub_module.Table("a/b", "c", ())
    dataset = hub_module.dataset("d", source, make, About(), 3, seed)
    assert sum(1 for _ in dataset.items) == 3
    assert len(read_rows) == read
