"""The paper's whole protocol, rehearsed: from nothing to the merged page, killed in every stage."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from conftest import ROOT
from in_process import Ended
from llm_juries.config.composing import composed
from reproduction.vendors import RANKED, Rehearsal, fill, rehearsal

NAME = "paper_2026"
BY_HAND = ("kilt_nq", "kilt_triviaqa", "kilt_hotpotqa", "hotpotqa_multihop", "bamboogle")
KILLED = -signal.SIGKILL
Run = Callable[..., list[Ended]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("rehearsal")


@pytest.fixture(scope="module")
def stand_ins(folder: Path) -> Iterator[Rehearsal]:
    with rehearsal(folder) as found:
        yield found


@pytest.fixture(scope="module")
def run(folder: Path, stand_ins: Rehearsal) -> Iterator[Run]:
    """Return a function that runs commands of reproduce in one process; it may be killed."""
    cfg = composed("reproduce", [f"experiment={NAME}"])
    asked = [name for name, node in cfg.judges.items() if "server" in node]
    usual = [
        "reproduce",
        f"experiment={NAME}",
        "limit=2",
        "retrieval=bm25",
        f"retrieval.path={folder / 'passages.jsonl'}",
        f"parts.arena_hard_v01.dataset={{arena_hard_v01: {{candidates: [{','.join(RANKED)}]}}}}",
        "analysis.bootstrap.resamples=20",
        *stand_ins.overrides(list(map(str, cfg.candidates)), list(map(str, asked))),
    ]

    runner = subprocess.Popen(
        [sys.executable, "tests/reproduction/rehearse.py", str(folder)],
        cwd=ROOT,
        env={**os.environ, **stand_ins.environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    )

    def in_process(*commands: Sequence[str], kill: str = "", drawn: bool = False) -> list[Ended]:
        lines = []
        for command in commands:
            first = ["unkeyed"] if "unkeyed" in command else []
            lines.append([*first, *usual, *(one for one in command if one != "unkeyed")])
        print(json.dumps({"commands": lines, "kill": kill, "drawn": drawn}), file=runner.stdin)
        *ends, code = endings(runner)
        assert code == (KILLED if kill else 0)
        assert len(ends) == len(commands) - bool(kill)
        assert not any(one.bug for one in ends), ends
        return ends

    with runner:
        yield in_process


def endings(runner: subprocess.Popen[str]) -> Iterator[Any]:
    """Yield how each command of a job ended, then their process's exit code."""
    for line in runner.stdout or ():
        found = json.loads(line)
        yield found if isinstance(found, int) else Ended(**found)
        if isinstance(found, int):
            return


def test_the_protocol_goes_from_nothing_to_the_page_though_it_is_killed_in_each_stage(
    folder: Path, stand_ins: Rehearsal, run: Run
):
    vendors, out = stand_ins.vendors, folder / "outputs" / NAME

    # A bare machine without keys: the plan, and one line on the keys; nothing is asked anywhere.
    # Then, killed in each stage, it goes on; at last people have labels to write.
    plan, unkeyed = run(
        ["unkeyed", "stage=plan"], ["unkeyed", "stage=answers"], [], kill="answers:20"
    )
    assert plan.code == 0
    assert "set the keys that are missing: ANTHROPIC_API_KEY" in plan.out
    assert "| all     |" in plan.out
    assert unkeyed.code == 2
    assert unkeyed.err.splitlines()[-1].startswith("error: nothing was asked: no key in ANTHROPIC")
    assert "downloading" not in plan.err + unkeyed.err
    assert not (out / "sheets").exists()
    run([], kill="sheets:2")
    assert len(list((out / "sheets").iterdir())) == 2
    run([], kill="judge:30")
    (whole,) = run([])
    assert whole.code == 0, whole.err
    assert "to do: fill the column label in " in whole.out
    page = (out / "README.md").read_text()
    assert "kilt_nq: no labels" in page
    assert "no verdicts" not in page
    # Nothing that was stored is paid for twice: what is, was under way when a run was killed.
    bodies = [json.dumps(body, sort_keys=True) for body in vendors.bodies]
    assert len(bodies) - len(set(bodies)) <= 2 * len(vendors.arrivals)

    # Labelled, and killed while the page is written.
    asked = vendors.arrivals.total()
    labels = {path.stem: fill(path) for path in (out / "sheets").glob("*.csv")}
    assert labels == dict.fromkeys(BY_HAND, 14)
    run([], kill="page:2")
    done, after = run([], ["stage=plan"], drawn=True)
    assert done.code == 0, done.err
    assert "to do" not in done.out
    assert vendors.arrivals.total() == asked
    assert "Left to do:\n1. llm-juries reproduce" in after.out

    page = (out / "README.md").read_text()
    assert page.startswith("# The paper's results beside ours\n\nMade by `llm-juries reproduce exp")
    for judge in ("in GPT-3.5's place: gpt_6_luna", "in GPT-4's place: gpt_6_1_sol",
                  "in PoLL's place: poll_2026", "in PoLL's place: deciders"):  # fmt: skip
        assert f"| {judge} " in page
    assert "answered as gpt-6.1-sol, 14 replies of 20" in page
    assert "Ours are the prices of the models that were asked here." in page
    assert str(folder) not in page
    assert "a-key-of-the-rehearsal" not in page
    tables = {path.stem: pd.read_csv(path) for path in (out / "tables").glob("*.csv")}
    table1 = tables["table1_kappa"].dropna(subset=["paper_kappa"])
    assert table1["our_judge"].notna().all()
    assert tables["table2_ranking"].dropna(subset=["paper"])["value"].notna().any()
    assert tables["table3_prompts"].dropna(subset="prompt_variant")["n"].min() == 14
    assert set(tables["figures3_4_spread"]["dataset"]) == {"hotpotqa_multihop", "bamboogle"}
    assert list(tables["figure5_cost"]["ours"])[1] == "gpt_6_1_sol"
    figures = {path.stem for path in (out / "figures").glob("*.png")}
    assert {"figure1_kappa", "figure1_ranks_kilt_nq", "figure2_leaderboard_arena_hard_v01",
            "figures3_4_deltas_bamboogle"} <= figures  # fmt: skip


def test_in_batches_it_is_run_again_until_nothing_is_pending(
    folder: Path, stand_ins: Rehearsal, run: Run
):
    vendors = stand_ins.vendors
    before = vendors.arrivals.copy()
    few = [f"parts.{name}=null" for name in (*BY_HAND[1:], "arena_hard_v01")]
    batch = ["mode=batch", "store=batched", "results=batched_page", *few]
    ends = run(*[batch] * 3)  # answers, then verdicts
    assert [one.code for one in ends] == [0] * 3, [one.err[-300:] for one in ends]
    assert "answers are in pending batches; run again" in ends[0].out
    assert "verdicts are in pending batches; run again" in ends[1].out
    assert "to do: fill the column label" in ends[2].out
    assert "pending" not in ends[2].out
    assert len(vendors.batches) > 8
    live = vendors.arrivals - before  # those without a batch price
    assert not [model for model in live if model.startswith(("gpt", "claude"))]
    page = (folder / "batched_page" / "README.md").read_text()
    assert "kilt_nq: no labels" in page
