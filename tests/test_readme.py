"""The numbers in the README, docs and results/ are those that the data give, at each run."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

from conftest import ROOT, Run, options
from in_process import completed
from llm_juries.analysis.agreement import agreement
from llm_juries.analysis.pairs import length, position
from llm_juries.analysis.panels import read_panel
from llm_juries.analysis.settings import Analysis
from llm_juries.collect.run import collect
from llm_juries.config.composing import composed
from llm_juries.config.study import studies
from llm_juries.metrics.bootstrap import Bootstrap
from llm_juries.reporting.conclusion import conclusions
from llm_juries.store.store import Store
from studies import measured

SHOWN = pd.read_csv(ROOT / "results" / "quickstart" / "agreement.csv")


def shown_rows(table: pd.DataFrame) -> list[str]:
    """Return the rows of an agreement table as docs/results.md shows them."""
    return [
        f"| {row.dataset} | {row.voter} | {row.kind} | {row.n:,} | {row.missing} "
        f"| {row.kappa:.3f} [{row.ci_low:.3f}, {row.ci_high:.3f}] | {row.accuracy:.3f} |"
        for row in table.itertuples()
    ]


def test_the_page_of_results_shows_the_table_of_the_quickstart():
    text = (ROOT / "docs" / "results.md").read_text()
    shown = re.findall(r"^\| (?:sample_qa|recorded_\w+) \|.*\|$", text, flags=re.MULTILINE)
    assert shown == shown_rows(SHOWN)


@pytest.mark.parametrize("dataset", ["recorded_nq301", "recorded_llmbar"])
def test_the_recorded_rows_are_recomputed_from_the_data(
    dataset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(ROOT)
    jury = f"jury={dataset.removeprefix('recorded_')}_trio"
    (study,) = studies(composed("analyze", ["output_dir=unused", f"dataset={dataset}", jury]))
    with Store(tmp_path) as store:
        collect(study.plans, store)
        table = agreement(read_panel(study, store), Bootstrap())
    shown = SHOWN[SHOWN["dataset"] == dataset].reset_index(drop=True)
    pd.testing.assert_frame_equal(table, shown, check_exact=False, rtol=1e-9)


def test_the_readme_shows_what_an_analysis_ends_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(ROOT)
    chosen = ["output_dir=unused", "dataset=recorded_nq301", "jury=nq301_trio"]
    found = studies(composed("analyze", chosen))
    with Store(tmp_path) as store:
        (conclusion,) = conclusions(measured(found, store, Analysis(bootstrap=Bootstrap(100))))
    assert conclusion.plain() in (ROOT / "README.md").read_text()


REPRODUCTION = ROOT / "results" / "reproduction"


def paper_rows(table1: pd.DataFrame) -> list[str]:
    """Return the README's rows of the paper beside ours: those of KILT NQ that were measured."""
    shown = table1[(table1["dataset"] == "kilt_nq") & table1["our_judge"].notna()]
    return [
        f"| {row.judge} | {row.paper_kappa:.3f} "
        f"| {row.kappa:.3f} [{row.ci_low:.3f}, {row.ci_high:.3f}] | {row.our_judge} |"
        for row in shown.itertuples()
    ]


def test_the_readme_shows_the_paper_beside_the_reproduction():
    text = (ROOT / "README.md").read_text()
    rows = paper_rows(pd.read_csv(REPRODUCTION / "tables" / "table1_kappa.csv"))
    assert len(rows) == 4
    assert "\n".join(rows) in text


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of results that `reproduce` writes."""
    folder = tmp_path_factory.mktemp("made")
    done = completed("reproduce", *options(folder, f"results={folder / 'results'}"))
    assert done.returncode == 0, done.stderr
    return folder / "results"


def files(folder: Path) -> list[Path]:
    return sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())


@pytest.mark.slow
def test_the_committed_reproduction_is_what_the_recorded_verdicts_give(made: Path):
    names = files(made)
    assert files(REPRODUCTION) == names
    assert (made / "README.md").read_text() == (REPRODUCTION / "README.md").read_text()
    for name in names:
        if name.suffix == ".csv":
            pd.testing.assert_frame_equal(
                pd.read_csv(made / name), pd.read_csv(REPRODUCTION / name), rtol=1e-9
            )


@pytest.mark.slow
def test_two_runs_write_the_same_bytes(made: Path, run_process: Run, tmp_path: Path):
    other = tmp_path / "results"
    # In another process, whose sets have another order.
    done = run_process("reproduce", f"results={other}", PYTHONHASHSEED="1")
    assert done.returncode == 0, done.stderr
    names = files(made)
    shown = {"README.md", "tables/table1_kappa.csv", "figures/figure1_kappa.png"}
    assert shown <= set(map(str, names))
    assert files(other) == names
    assert [
        name for name in names if (made / name).read_bytes() != (other / name).read_bytes()
    ] == []
    page = (made / "README.md").read_text()
    assert page.count("](figures/") == len([name for name in names if name.suffix == ".png"])
    assert not any(str(folder.parent) in page for folder in (made, other))


def test_the_page_on_rankings_shows_what_the_recorded_pairs_give(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(ROOT)
    (study,) = studies(
        composed("analyze", ["output_dir=unused", "dataset=recorded_llmbar", "jury=llmbar_trio"])
    )
    with Store(tmp_path) as store:
        collect(study.plans, store)
        panel = read_panel(study, store)
    lengths = length(panel, Bootstrap()).set_index("voter")
    rows = [
        f"| {row.voter} | {row.pairs} "
        f"| {row.flip_rate:.3f} [{row.flip_low:.3f}, {row.flip_high:.3f}] "
        f"| {row.first_place:.3f} [{row.first_low:.3f}, {row.first_high:.3f}] "
        f"| {own.above_humans:+.3f} [{own.above_low:+.3f}, {own.above_high:+.3f}] |"
        for row in position(panel, Bootstrap()).itertuples()
        for own in [lengths.loc[str(row.voter)]]
    ]
    text = (ROOT / "docs" / "rankings.md").read_text()
    assert "\n".join(rows) in text
    assert f"in {lengths.loc['humans', 'longer_wins']:.3f} of the pairs" in text
    assert ((lengths["above_low"] > 0) & (lengths["kind"] == "judge")).sum() == 4


if __name__ == "__main__":
    print("\n".join(shown_rows(SHOWN)))
