"""A jury of decision models from end to end, on a mock of their servers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from conftest import ROOT, Run
from decision_api import DecisionApi, shares_of
from faulty_api import in_a_thread

KEYS = {
    "OPENAI_API_KEY": "planted-key-1",
    "PERPLEXITY_API_KEY": "planted-key-2",
    "UPSTAGE_API_KEY": "planted-key-3",
}


def labels() -> dict[tuple[str, str], bool]:
    lines = (ROOT / "src/llm_juries/data/sample_qa.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    return {(row["question"], row["answer"]): bool(row["human"]) for row in rows}


LABELS = labels()


def say(state: Any, asked: dict[str, Any], count: int) -> list[float]:
    """Agree with the human label seven times in eight, more or less surely."""
    texts = json.loads(state) if isinstance(state, str) else state
    right = LABELS[texts["question"], texts["provided answer"]]
    noise, _ = shares_of(json.dumps([texts, asked["type"]]), count)
    yes = 0.6 + 0.39 * noise if right != (noise > 0.97) else 0.4 * noise
    return [1 - yes, yes]


@pytest.fixture
def api() -> Iterator[DecisionApi]:
    with in_a_thread(DecisionApi(say=say, decimals=2)) as server:  # type: ignore[arg-type]
        yield server


def test_a_jury_of_deciders_is_asked_and_analysed_with_its_calibration(
    run_script: Run, api: DecisionApi, tmp_path: Path
):
    members = ("gpt_6_luna_decisions", "pplx_decider", "solar_decide")
    served = [f"judges.{name}.server.base_url={api.base_url}/v1" for name in members]
    served.append("judges.pplx_decider.server.path=/systemone")
    options = ["jury=deciders", "dataset=sample_qa", *served]
    done = run_script("judge", *options, **KEYS)
    assert done.returncode == 0, done.stderr
    assert "$" in done.stdout  # what was paid, from the tokens that were reported
    assert {body["model"] for body in api.bodies} == {
        "gpt-6-luna", "pplx-decider-v1-27b", "solar-decide",
    }  # fmt: skip

    done = run_script("analyze", *options, "figures.draw=none", **KEYS)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "out" / "tables"
    calibration = pd.read_csv(folder / "calibration.csv")
    assert set(members) <= set(calibration["voter"])
    assert calibration["brier"].between(0, 0.25).all()
    agreement = pd.read_csv(folder / "agreement.csv").set_index("voter")
    assert agreement.loc["deciders", "kappa"] > 0.3
