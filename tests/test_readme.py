"""Every number in the README is what the data give."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest
from hydra import compose, initialize_config_dir

from conftest import ROOT
from llm_juries.analysis import Bootstrap, agreement_table
from llm_juries.collect import collect
from llm_juries.experiment import studies
from llm_juries.seating import seat
from llm_juries.store import Store

SHOWN = pd.read_csv(ROOT / "results" / "quickstart" / "agreement.csv")


def readme_rows(table: pd.DataFrame) -> list[str]:
    """Return the README's rows of an agreement table."""
    return [
        f"| {row.dataset} | {row.voter} | {row.kind} | {row.n:,} | {row.missing} "
        f"| {row.kappa:.3f} [{row.ci_low:.3f}, {row.ci_high:.3f}] | {row.accuracy:.3f} |"
        for row in table.itertuples()
    ]


def test_the_readme_shows_the_table_of_the_quickstart():
    text = (ROOT / "README.md").read_text()
    shown = re.findall(r"^\| (?:sample_qa|recorded_\w+) \|.*\|$", text, flags=re.MULTILINE)
    assert shown == readme_rows(SHOWN)


@pytest.mark.parametrize("dataset", ["recorded_nq301", "recorded_llmbar"])
def test_the_recorded_rows_are_recomputed_from_the_data(
    dataset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(ROOT)
    jury = f"jury={dataset.removeprefix('recorded_')}_trio"
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        (study,) = studies(compose("analyze", [f"dataset={dataset}", jury, "output_dir=unused"]))
    with Store(tmp_path) as store:
        collect(study.plans, store)
        table = agreement_table(seat(study, store), Bootstrap())
    shown = SHOWN[SHOWN["dataset"] == dataset].reset_index(drop=True)
    pd.testing.assert_frame_equal(table, shown, check_exact=False, rtol=1e-9)


if __name__ == "__main__":
    print("\n".join(readme_rows(SHOWN)))
