"""Three categories from end to end: a prompt, judges, a jury with ties, tables, figures, a page."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score

from conftest import ROOT, options
from faulty_api import FaultyApi, in_a_thread
from in_process import completed
from llm_juries.config.named import load_dataset

VALUES = ("supported", "refuted", "not enough info")
NO_VERDICT = "It depends."


def run(name: str, folder: Path, *overrides: str) -> str:
    keys = dict.fromkeys(("ANTHROPIC_API_KEY", "OPENAI_API_KEY"), "planted")
    done = completed(name, *options(folder, *overrides), environment=keys)
    assert done.returncode == 0, done.stderr
    return done.stdout


def saying(right: dict[str, str], *, wrong_every: int, silent_every: int) -> Callable[[str], str]:
    """Return a mock judge that knows the labels and errs, or gives no verdict, on some claims."""
    places = {claim: at for at, claim in enumerate(right)}

    def say(prompt: str) -> str:
        claim = prompt.rpartition("Claim: ")[2].partition("\n")[0]
        at = places[claim]
        if at % silent_every == silent_every - 1:
            return NO_VERDICT
        steps = at % wrong_every == wrong_every - 1
        return VALUES[(VALUES.index(right[claim]) + steps) % 3]

    return say


def test_three_classes_are_judged_pooled_measured_and_drawn(tmp_path: Path) -> None:
    items = list(load_dataset("sample_claims").items)
    right = {item.answer: str(item.human) for item in items}
    assert len(right) == 90
    careful = FaultyApi(say=saying(right, wrong_every=5, silent_every=11))
    hasty = FaultyApi(say=saying(right, wrong_every=2, silent_every=17))
    with in_a_thread(careful) as one, in_a_thread(hasty) as other:
        what = [
            "dataset=sample_claims", "prompt=claim_check", "judge=[claude_haiku_5_5,gpt_6_luna]",
            "jury=claims_plurality", "~judges.qwen25_coder", "~judges.smollm2",
            "juries.claims_plurality.members=[claude_haiku_5_5,gpt_6_luna]",
            f"judges.claude_haiku_5_5.server.base_url={one.base_url}/v1",
            f"judges.gpt_6_luna.server.base_url={other.base_url}/v1",
        ]  # fmt: skip
        run("judge", tmp_path, *what)
        asked = careful.arrivals.total() + hasty.arrivals.total()
        assert asked == 180
        said = run("analyze", tmp_path, *what, "analysis.bootstrap.resamples=50")
        assert careful.arrivals.total() + hasty.arrivals.total() == asked
    assert "claims_plurality" in said
    folder = tmp_path / "out" / "tables"
    agreement = pd.read_csv(folder / "agreement.csv").set_index("voter")
    outcomes = pd.read_csv(folder / "outcomes.csv").set_index("voter")

    # The jury of two decides where both voted the same; two different votes are a tie
    votes = {
        name: [say(f"Claim: {item.answer}\n") for item in items]
        for name, say in (("claude_haiku_5_5", careful.say), ("gpt_6_luna", hasty.say))
    }
    human = [str(item.human) for item in items]
    for name, given in votes.items():
        voted = [(h, g) for h, g in zip(human, given, strict=True) if g != NO_VERDICT]
        assert agreement.loc[name, "n"] == len(voted)
        assert agreement.loc[name, "kappa"] == pytest.approx(
            cohen_kappa_score(*zip(*voted, strict=True)), abs=1e-9
        )
        assert outcomes.loc[name, "unparsed"] == given.count(NO_VERDICT)
    both = list(zip(*votes.values(), strict=True))
    silent = sum(NO_VERDICT in pair for pair in both)
    ties = sum(len(set(pair)) == 2 for pair in both if NO_VERDICT not in pair)
    assert outcomes.loc["claims_plurality", "tie"] == ties > 0
    assert outcomes.loc["claims_plurality", "no_quorum"] == silent
    assert agreement.loc["claims_plurality", "missing"] == ties + silent

    names = {path.stem for path in (tmp_path / "out" / "figures").glob("*.png")}
    assert {"kappa", "confusion_sample_claims", "value_shares_sample_claims"} <= names
    page = (tmp_path / "out" / "report.html").read_text()
    start = page.index(">", page.index('id="data"')) + 1
    data = json.loads(page[start : page.index("</script>", start)])
    (dataset,) = data["datasets"]
    assert set(dataset["scale"]["values"].values()) == set(VALUES)


def test_the_claims_are_balanced_and_no_shot_gives_one_away() -> None:
    lines = (ROOT / "src/llm_juries/data/sample_claims.jsonl").read_text().splitlines()
    rows = pd.DataFrame(map(json.loads, lines))
    assert rows.groupby(["candidate", "human"]).size().eq(10).all()
    assert rows.groupby("item_id")["human"].nunique().eq(3).all()
    assert not rows.duplicated("answer").any()


@pytest.mark.model
def test_a_small_model_gives_one_of_the_three_categories(tmp_path: Path) -> None:
    what = ["dataset=sample_claims", "prompt=claim_check", "dataset.limit=1"]
    run("judge", tmp_path, *what, "judge=smollm2", "judges.smollm2.threads=1")
    lines = [json.loads(line) for p in (tmp_path / "store").glob("*.jsonl") for line in p.open()]
    assert [line["outcome"] for line in lines] == ["ok"] * 3
    assert {line["value"] for line in lines} <= set(VALUES)
