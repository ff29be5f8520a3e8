"""Published figures come out of real judges' verdicts through the front door, to three places.

Labels that may not be passed on lie beside the repository; without them their test is skipped.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import llm_juries as lj
from conftest import ROOT
from llm_juries.config import named
from llm_juries.config.build import build
from llm_juries.config.named import load_dataset

RECORDED = ROOT / "results" / "recorded"
ATLAS = Path(__file__).parents[3] / "shared" / "recorded_atlas"
if not ATLAS.is_dir():  # a worktree lies one folder deeper than a checkout
    ATLAS = Path(__file__).parents[4] / "shared" / "recorded_atlas"
FEW = lj.Bootstrap(resamples=50)

beside = pytest.mark.skipif(not ATLAS.is_dir(), reason="needs ../shared/recorded_atlas")


def table(name: str, **called: str) -> pd.DataFrame:
    """Return a table that ships with the project."""
    frame = pd.read_parquet(RECORDED / name)
    return frame.rename(columns={"item": "item_id", **called})


def measured(panel: lj.Panel, column: str, **options: Any) -> dict[str, float]:
    found = lj.agreement(panel, FEW, **options).set_index("voter")[column]
    return {str(voter): float(value) for voter, value in found.items()}


def test_hanna() -> None:
    judges = ["beluga_13b", "orcaplatypus", "mistral_7b", "llama_13b", "chatgpt"]
    panel = lj.read_verdicts(table("hanna.parquet"), judges, lj.Scale.interval(1, 5))
    panel = panel.add(lj.Jury("five", tuple(judges), rule="mean", quorum=1))
    found = measured(panel, "pearson_mean_over_subsets")
    assert max(judges, key=lambda judge: found[judge]) == "orcaplatypus"
    assert found["orcaplatypus"] == pytest.approx(0.466, abs=5e-4)
    assert found["five"] == pytest.approx(0.545, abs=5e-4)
    common = measured(panel, "pearson_mean_over_subsets", common=True)
    assert common["five"] == pytest.approx(0.549, abs=5e-4)
    parts = lj.agreement(panel, FEW, by="subset")
    assert set(parts["slice"]) == {"subset"}
    assert parts["value"].nunique() == 6
    own = parts[parts["voter"] == "five"]["pearson"]
    assert own.mean() == pytest.approx(found["five"], abs=1e-12)
    gap = lj.compare(panel, FEW).set_index("beside").loc["best judge"]
    assert gap["difference"] == pytest.approx(gap["jury_pearson"] - gap["judge_pearson"])


def test_reward_bench_2() -> None:
    judges = (
        "gpt_5_4", "gpt_5_4_mini", "gpt_5_4_nano", "claude_sonnet_4_6", "claude_haiku_4_5",
    )  # fmt: skip
    trio = ("gpt_5_4_mini", "gpt_5_4_nano", "claude_haiku_4_5")
    frame = table("rewardbench2.parquet")
    panel = lj.read_verdicts(frame, judges, lj.Scale.interval(1, 10), human_scale=lj.Scale.binary())
    for jury in (
        lj.Jury("trio", trio, rule="mean"),
        lj.Jury("median", trio, rule="median"),
        lj.Jury("five", judges, rule="mean"),
    ):
        panel = panel.add(jury)
    found = measured(panel, "picks_best", common=True)
    wanted = {"claude_haiku_4_5": 0.796, "trio": 0.821, "median": 0.790, "five": 0.858}
    assert {name: round(found[name], 3) for name in wanted} == wanted
    # Means of several scores are voters of their own, on the prompts that all five judged
    full = frame.dropna(subset=list(judges)).groupby("cluster").filter(lambda part: len(part) == 4)
    assert full["cluster"].nunique() == 1651
    several = lj.read_verdicts(
        full, ["claude_haiku_4_5_k3"], lj.Scale.interval(1, 10), human_scale=lj.Scale.binary()
    )
    assert measured(several, "picks_best")["claude_haiku_4_5_k3"] == pytest.approx(0.841, abs=5e-4)


def test_prd() -> None:
    """Its .786 is the side with more votes; a majority of seats, or a median, counts ties so."""
    judges = ["bard", "claude", "gpt35", "gpt4"]
    trio = ("bard", "claude", "gpt35")
    juries = [
        lj.Jury("margin", trio, rule="margin", ties="half"),
        lj.Jury("mean", trio, rule="mean", ties="half"),
        lj.Jury("majority", trio, rule="majority", ties="half"),
    ]
    verdicts = table("prd_vicuna80.parquet")
    long = lj.read_verdicts(verdicts, judges, lj.Scale.preference(), inconsistent="mean")
    levels = lj.Scale.preference(
        "b", "b by order", "tie", "a by order", "a",
        words={"0": "b", "0.25": "b by order", "0.5": "tie", "0.75": "a by order", "1": "a"},
    )  # fmt: skip
    pair = ["item_id", "cluster", "candidate", "opponent", "human"]
    means = verdicts.pivot_table(index=pair, columns="judge", values="label", aggfunc="mean")
    wide = lj.read_verdicts(means.reset_index(), judges, levels)
    for jury in juries:
        long, wide = long.add(jury), wide.add(jury)
    decided = {"gpt4": 0.777, "margin": 0.786, "mean": 0.788, "majority": 0.745}
    for panel in (long, wide):
        found = measured(panel, "accuracy_decided")
        assert {name: round(found[name], 3) for name in decided} == decided
    found = measured(wide, "accuracy_ties")
    assert {name: round(found[name], 3) for name in ("gpt4", "margin")} == {
        "gpt4": 0.768,
        "margin": 0.761,
    }


@beside
def test_llm_judge_cut_at_two(tmp_path: Path) -> None:
    """The scores come with the project; the labels, here in a folder of the user's, do not."""
    frame = pd.read_csv(ATLAS / "llmjudge_trec_dl23.csv")
    lines = [
        f"{item.replace('/', ' 0 ')} {human}"
        for item, human in zip(frame["item"], frame["human"], strict=True)
    ]
    (tmp_path / "llmjudge_test_qrel_idx.txt").write_text("\n".join(lines) + "\n")
    node = named.node("dataset", "recorded_llmjudge")
    node.source.folder = str(tmp_path)
    panel = lj.read_verdicts(build(node, "dataset"))
    runs = panel.votes.names
    found = measured(panel.cut(2), "kappa")
    assert len(runs) == 33
    assert max(runs, key=lambda run: found[run]) == "h2oloo_fewself"
    assert found["h2oloo_fewself"] == pytest.approx(0.428, abs=5e-4)
    assert found["Olz_gpt4o"] == pytest.approx(0.366, abs=5e-4)
    # The authors' Table 3 has kappa of four classes: their scale without its order
    pair = ["willia_umbrela1", "h2oloo_fewself"]
    classes = lj.read_verdicts(
        frame.drop(columns="human_binary").rename(columns={"item": "item_id"}),
        pair,
        lj.Scale.nominal("0", "1", "2", "3"),
    )
    plain = measured(classes, "kappa")
    assert [plain[name] for name in pair] == pytest.approx([0.2863, 0.2774], abs=5e-5)


def test_real_mistake() -> None:
    found = measured(lj.read_verdicts("recorded_realmistake"), "kappa")
    assert len(found) == 12
    assert found["gpt_4_0125_preview"] == pytest.approx(0.321, abs=5e-4)


def test_the_dataset_reads_the_same_from_its_yaml() -> None:
    panel = lj.read_verdicts(load_dataset("recorded_hanna"))
    found = measured(panel, "pearson_mean_over_subsets")
    assert found["orcaplatypus"] == pytest.approx(0.466, abs=5e-4)
    assert not np.isnan(panel.annotations).any()
