"""Checking judges before a run: what is asked, what is found out, and how the command ends."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import llm_juries as lj
from faulty_api import Fault, FaultyApi, in_a_thread
from in_process import ended
from llm_juries.collect import check
from llm_juries.collect.check import COLUMNS, check_judges
from llm_juries.config.named import load_judge
from llm_juries.judges import devices
from llm_juries.judges.decoding import Decoding
from llm_juries.judges.devices import Gpu
from llm_juries.judges.http.judge import HttpJudge
from llm_juries.judges.http.server import Server
from llm_juries.judges.lifetimes import Lifetime
from llm_juries.judges.pricing import Price


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyApi]:
    monkeypatch.setenv("MOCK_KEY", "planted-key")
    with in_a_thread(FaultyApi(api_key="planted-key", say=lambda _: "True")) as server:
        yield server


def judge_at(api: FaultyApi, name: str = "j", key_env: str = "MOCK_KEY", **more: Any) -> HttpJudge:
    return HttpJudge(
        name, "f", "openai", name, server=Server(f"{api.base_url}/v1", key_env), **more
    )


def row(table: pd.DataFrame, name: str = "j") -> dict[str, str]:
    found: dict[str, str] = table.set_index("judge").loc[name].to_dict()
    return found


def test_a_judge_that_is_ready_is_described(api: FaultyApi):
    price = Price(0.1, 0.5, as_of="2026-11")
    table = check_judges([judge_at(api, price=price), load_judge("contains")])
    assert tuple(table) == COLUMNS
    found = row(table)
    assert found["problem"] == ""
    assert (found["key"], found["answer"], found["answered_as"]) == ("found", "True", "j")
    assert found["server"] == f"{api.base_url.removeprefix('http://')}/v1"
    assert found["tokens"] == "300 in, 2 out"
    assert found["probabilities"] == "not asked for"
    assert found["price"].startswith("$0.1 in, $0.5 out, of 2026-11 (")
    assert row(table, "contains")["answer"] == "needs no model"
    assert len(api.bodies) == 1


def test_a_wrong_verdict_is_shown_and_another_name_is_marked(api: FaultyApi):
    api.say = lambda _: "False"
    judge = judge_at(api)
    assert row(check_judges([judge]))["answer"] == "False (True is right)"


def test_offline_asks_nothing_and_reports_keys(api: FaultyApi, monkeypatch: pytest.MonkeyPatch):
    there, gone = judge_at(api), judge_at(api, "other", key_env="ABSENT_KEY")
    table = check_judges([there, gone], offline=True)
    assert (row(table)["key"], row(table)["answer"]) == ("found", "not asked")
    assert row(table, "other")["key"] == "missing"
    assert "variable ABSENT_KEY holds no key" in row(table, "other")["problem"]
    assert not api.bodies


@pytest.mark.parametrize(
    ("kind", "problem"),
    [("401", "HTTP 401"), ("404", "check model and base_url"), ("429", "HTTP 429")],
)
def test_a_server_that_refuses_is_a_problem(kind: str, problem: str, api: FaultyApi):
    api.faults = [Fault(kind, always=True)]
    found = row(check_judges([judge_at(api)]))
    assert problem in found["problem"]
    assert found["answer"] == "none"


def test_a_reply_without_a_verdict_is_a_problem(api: FaultyApi):
    api.faults = [Fault("length", always=True)]
    found = row(check_judges([judge_at(api)]))
    assert found["answer"] == "truncated"
    assert found["problem"].startswith("truncated: ")


def test_whether_probabilities_come_is_reported(api: FaultyApi, monkeypatch: pytest.MonkeyPatch):
    judge = judge_at(api, decoding=Decoding(verdict_by="logprobs", max_tokens=1))
    assert row(check_judges([judge]))["probabilities"].startswith("yes, ")
    good = api.good
    monkeypatch.setattr(api, "good", lambda wire, body: good(wire, body | {"logprobs": False}))
    assert row(check_judges([judge]))["probabilities"] == "asked for, not sent"


def test_a_retired_model_is_not_asked_unless_allowed(
    api: FaultyApi, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("LLM_JURIES_TODAY", "2026-11-26")
    life = Lifetime("j", date(2026, 10, 23), "gpt_6_luna")
    found = row(check_judges([judge_at(api, lifetime=life)]))
    assert found["problem"].startswith("j is retired since 2026-10-23; use gpt_6_luna")
    assert found["served"] == "retired since 2026-10-23"
    assert found["key"] == "found"
    assert not api.bodies
    assert row(check_judges([judge_at(api, lifetime=life)], allow_retired=True))["problem"] == ""


def test_gpus_that_are_not_here_are_a_problem(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(check, "has_vllm", lambda _: True)
    monkeypatch.setattr(check, "gpus_here", lambda: [Gpu("NVIDIA T4", 16.1)])
    judge = load_judge("qwen3_32b")
    found = row(check_judges([judge], offline=True, gpu_gb={judge.name: 80.0}), judge.name)
    assert found["gpus"] == "needs 1 of 80 GB; here: NVIDIA T4 16 GB"
    assert found["problem"].startswith("its GPUs are not here")
    small = load_judge("qwen3_4b")
    assert (
        row(check_judges([small], offline=True, gpu_gb={small.name: 16.0}), small.name)["problem"]
        == ""
    )


def test_the_gpus_here_are_read_from_nvidia_smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'NVIDIA H100 80GB HBM3, 81559'\necho 'NVIDIA GB10, [N/A]'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    (gpu,) = devices.gpus_here()
    assert (gpu.name, round(gpu.memory_gb, 1)) == ("NVIDIA H100 80GB HBM3", 85.5)
    tool.write_text("#!/bin/sh\nexit 9\n")
    assert devices.gpus_here() == []


def test_the_command_prints_a_table_and_its_exit_code_says_whether_all_are_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    done = ended(tmp_path, "check", "judge=[contains,exact_match]")
    assert (done.code, done.err) == (0, "")
    assert "needs no model" in done.out
    done = ended(tmp_path, "check", "judge=[contains,gpt_6_luna]", "offline=true")
    assert done.code == 2
    assert "judge gpt_6_luna: the environment variable OPENAI_API_KEY holds no key" in done.out
    assert done.err.strip() == "error: not ready: 1 of 2 judges (gpt_6_luna); see above"
    assert not list(tmp_path.iterdir())


def test_the_papers_jury_is_retired(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LLM_JURIES_TODAY", "2026-11-26")
    done = ended(tmp_path, "check", "jury=poll_paper", "offline=true")
    assert done.code == 2
    for successor in ("claude_haiku_4_5", "command_r_0824", "gpt_5_6_terra"):
        assert f"use {successor}" in done.out


def test_a_model_that_is_retired_soon_and_an_old_price_are_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("OPENAI_API_KEY", "planted-key")
    monkeypatch.setenv("LLM_JURIES_TODAY", "2027-03-01")
    done = ended(tmp_path, "check", "judge=gpt_5_4_nano", "offline=true")
    assert done.code == 0, done.err
    assert "warning: judge gpt_5_4_nano: gpt-5.4-nano is retired on 2027-04-01" in done.out


def test_a_switch_that_is_neither_true_nor_false_is_one_line(tmp_path: Path):
    done = ended(tmp_path, "check", "judge=contains", "offline=perhaps")
    assert done.code == 2
    assert done.err.startswith("error: offline: takes true or false, not 'perhaps'")


def test_a_command_without_judges_is_one_line(tmp_path: Path):
    done = ended(tmp_path, "check")
    assert done.code == 2
    assert "none is named" in done.err


def test_the_front_door_checks_judges_by_name():
    table = lj.check_judges(["contains"])
    assert list(table["problem"]) == [""]


def test_stored_verdicts_of_another_server_are_warned_of_and_not_asked_again(
    api: FaultyApi, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    judge = "llm_juries.judges.http.judge.HttpJudge"
    conf = tmp_path / "conf" / "judge"
    conf.mkdir(parents=True)

    def run(url: str) -> str:
        (conf / "j.yaml").write_text(
            f"_target_: {judge}\nname: j\nfamily: f\nwire: openai\nmodel: m\n"
            f"server: {{base_url: {url}, key_env: MOCK_KEY}}\n"
        )
        done = ended(
            tmp_path, "judge", f"--config-dir={tmp_path / 'conf'}", "judge=j", "dataset.limit=2"
        )
        assert done.code == 0, done.err
        return done.err

    first, port = f"{api.base_url}/v1", api.base_url.rpartition(":")[2]
    assert "stored verdicts came from" not in run(first)
    asked = len(api.bodies)
    said = run(f"http://localhost:{port}/v1")
    assert (
        f"asks m at localhost:{port}/v1, and stored verdicts came from 127.0.0.1:{port}/v1" in said
    )
    assert "set another revision" in said
    assert len(api.bodies) == asked
