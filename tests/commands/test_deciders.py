"""A jury of decision models from end to end, on a mock of their servers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from conftest import Run
from decision_api import DecisionApi, shares_of
from faulty_api import in_a_thread

KEYS = {
    "OPENAI_API_KEY": "planted-key-1",
    "PERPLEXITY_API_KEY": "planted-key-2",
    "UPSTAGE_API_KEY": "planted-key-3",
}


def say(state: Any, asked: dict[str, Any], count: int) -> list[float]:
    """Find an answer right if it holds the reference, most of the time, and more or less surely."""
    texts = json.loads(state) if isinstance(state, str) else state
    right = any(r.lower() in texts["provided answer"].lower() for r in texts["reference answers"])
    noise, _ = shares_of(json.dumps([texts, asked["type"]]), count)
    yes = 0.6 + 0.39 * noise if right else 0.4 * noise
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

    done = run_script("analyze", *options, **KEYS)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "out" / "tables"
    calibration = pd.read_csv(folder / "calibration.csv")
    assert set(members) <= set(calibration["voter"])
    assert calibration["brier"].between(0, 0.25).all()
    agreement = pd.read_csv(folder / "agreement.csv").set_index("voter")
    assert agreement.loc["deciders", "kappa"] > 0.3
