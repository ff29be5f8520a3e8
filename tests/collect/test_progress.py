"""What is shown while judges are asked: how far, how fast, what it costs, and a first agreement."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from in_process import ended
from llm_juries.collect import progress
from llm_juries.collect.policy import Policy
from llm_juries.collect.progress import Bars, JsonLines, Shown, progress_of
from llm_juries.collect.tally import Tally
from llm_juries.types import Order, Outcome, Reply, Verdict


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def verdict(at: int, outcome: Outcome = Outcome.OK) -> Verdict:
    return Verdict(
        key=f"{at:064x}", judge="j", prompt="p", dataset="d", item_id=f"q{at}", candidate="m",
        opponent="", order=Order.ORIGINAL, outcome=outcome, value="true", score=None, reader="r",
        reply=Reply("true"), cost_usd=0.01, attempts=1, asked_at=0.0,
    )  # fmt: skip


def advance(shown: Shown, tally: Tally, at: int, outcome: Outcome = Outcome.OK) -> None:
    tally.outcomes[outcome] += 1
    tally.cost_usd += 0.01
    shown.advance(tally, verdict(at, outcome))


def lines_of(file: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.getvalue().splitlines()]


def test_a_line_says_how_far_how_fast_and_what_it_will_cost():
    clock, file, tally = Clock(), io.StringIO(), Tally("j", "d")
    with JsonLines((), clock, file) as shown:
        shown.begin(tally, 4)
        clock.now = 2.0
        advance(shown, tally, 0)  # not yet: the last line is two seconds old
        clock.now = 10.0
        advance(shown, tally, 1, Outcome.UNPARSED)
    first, second, last = lines_of(file)
    assert (first["done"], first["total"], first["per_second"]) == (0, 4, None)
    assert (second["done"], second["per_second"], second["seconds_left"]) == (2, 0.2, 10.0)
    assert second["outcomes"] == {"ok": 1, "unparsed": 1}
    assert second["usd"] == pytest.approx(0.02)
    assert second["usd_expected"] == pytest.approx(0.04)
    assert last == second  # the run ended before its end


def test_the_last_verdict_always_has_a_line():
    clock, file, tally = Clock(), io.StringIO(), Tally("j", "d")
    with JsonLines((), clock, file) as shown:
        shown.begin(tally, 2)
        advance(shown, tally, 0)
        advance(shown, tally, 1)
    assert [line["done"] for line in lines_of(file)] == [0, 2]


def test_a_run_writes_lines_with_its_agreement_so_far(tmp_path: Path):
    done = ended(tmp_path, "judge", "dataset=sample_qa", "judge=contains", "progress=json")
    assert done.code == 0, done
    *_, last = [json.loads(line) for line in done.err.splitlines() if line.startswith("{")]
    assert (last["judge"], last["done"], last["total"]) == ("contains", 140, 140)
    assert last["labelled"] == 140
    small = "analysis.bootstrap.resamples=10"
    analyzed = ended(tmp_path, "analyze", "dataset=sample_qa", "judge=contains", small)
    assert (analyzed.code, analyzed.err) == (0, ""), analyzed  # fonts are embedded in silence
    assert f"{last['agree']:.3f}" in analyzed.out


def test_the_table_names_its_columns(monkeypatch: pytest.MonkeyPatch):
    file = io.StringIO()
    wide = progress.Console(file=file, force_terminal=True, width=200)
    monkeypatch.setattr(progress, "Console", lambda **_: wide)
    tally = Tally("j", "d")
    with Bars() as shown:
        shown.begin(tally, 2)
        advance(shown, tally, 0, Outcome.FAILED)
    text = file.getvalue()
    for said in ("judge on dataset", "j on d", "1/2", "0.0100 of ~0.02", "0 ok, 1 failed"):
        assert said in text


def test_how_it_is_shown_is_chosen():
    assert type(progress_of(Policy())) is Bars
    assert type(progress_of(Policy(progress="json"))) is JsonLines
    assert type(progress_of(Policy(progress="none"))) is Shown


def test_another_way_is_refused(tmp_path: Path):
    done = ended(tmp_path, "judge", "judge=contains", "progress=jsonl")
    assert (done.code, done.bug) == (2, "")
    assert done.err.startswith("error: progress: ")
    assert "json" in done.err


def test_a_flag_stands_for_looking_again_and_again(tmp_path: Path):
    done = ended(tmp_path, "status", "--watch=0", "judge=contains")
    assert (done.code, done.bug) == (2, "")
    assert "watch: is 0" in done.err
