"""A report over several datasets: what it says first, its map, and its tables."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest

from llm_juries.analysis.run import Results
from llm_juries.errors import JuriesError
from llm_juries.reporting import figures, summary
from llm_juries.reporting.across import conclusion_across
from llm_juries.reporting.figures import FigureOptions
from llm_juries.reporting.page import page
from llm_juries.store.store import Store
from studies import measured, study_of_rows

HEAD = "item_id,candidate,human,one,two"
MAIN = FigureOptions(draw="main", formats=("png",))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("across")


@pytest.fixture(scope="module")
def results(folder: Path) -> Results:
    """Write the report of two datasets with the same judges; return what it was made of."""
    studies = []
    for name, wrong in (("first", 3), ("second", 6)):
        rows = [
            f"{name}{n},m,{n % 2},{(n + (n < wrong)) % 2},{(n + (n < 2 * wrong)) % 2}"
            for n in range(30)
        ]
        studies.append(study_of_rows(folder / f"{name}.csv", [HEAD, *rows]))
    with Store(folder / "store") as store:
        results = measured(studies, store)
        drawn = summary.write(results, folder, options=MAIN)
        page.write(results, store, folder / "report.html", drawn)
    return results


def test_the_report_begins_with_all_datasets(results: Results, folder: Path):
    lines = [line for line in (folder / "report.md").read_text().splitlines() if line]
    assert lines[1] == "**All datasets**"
    assert lines[2].startswith("- **Best:** judge one, kappa 0.")
    assert "pooled over 2 of 2 datasets, mean rank 1.0" in lines[2]
    (figure,) = [line for line in lines if line.endswith("(figures/across_datasets.png)")]
    assert figure.startswith("![Agreement of 2 voters with the human labels of 2 datasets: ")
    assert "### One estimate for each voter over all datasets" in lines
    html = (folder / "report.html").read_text()
    assert html.index("All datasets") < html.index('id="dataset-1"')
    assert "Voters and datasets" in html
    assert len(results.panels) == 2


def test_who_is_ahead_on_some_datasets_only_is_not_called_the_best(results: Results):
    pooled = results.tables["pooled"]
    ranks = results.tables["voter_ranks"]
    third = ranks.iloc[[0]].assign(dataset="third", voter="another")
    found = conclusion_across({"pooled": pooled, "voter_ranks": pd.concat([ranks, third])})
    assert found is not None
    assert found.lines[0].about == "Pooled"
    assert found.lines[0].text.startswith("no voter is ranked by one measure on all 3 datasets; ")


def test_its_tables_are_files(results: Results, folder: Path):
    assert {"pooled", "by_dataset", "voter_ranks"} <= set(results.tables)
    wide = pd.read_csv(folder / "tables" / "by_dataset.csv")
    assert list(wide) == ["voter", "kind", "datasets", "mean_rank", "first", "second"]
    assert "error" not in pd.read_csv(folder / "tables" / "voter_ranks.csv")


def test_the_map_takes_axes_names_and_a_choice_of_voters(results: Results):
    from matplotlib.figure import Figure

    ranks, pooled = results.tables["voter_ranks"], results.tables["pooled"]
    options = FigureOptions(names={"one": "One", "first": "First set"}, voters=("one",))
    ax = Figure().add_subplot()
    assert figures.agreement_map(ranks, pooled, ax, options=options) is ax
    assert [label.get_text() for label in ax.get_yticklabels()] == ["One"]
    heads = [label.get_text().replace("\n", " ") for label in ax.get_xticklabels()]
    assert heads == ["First set", "second", "all, pooled"]
    with pytest.raises(JuriesError, match="no voter to draw has one"):
        figures.agreement_map(ranks, options=FigureOptions(voters=("three",)))


def test_the_heads_of_narrow_columns_do_not_overlap(results: Results):
    from matplotlib import style

    ranks = results.tables["voter_ranks"]
    names = [f"recorded_set_{number}" for number in range(12)]
    many = pd.concat([ranks[ranks["dataset"] == "first"].assign(dataset=name) for name in names])
    with style.context(["llm_juries.print", "llm_juries.slide"]):
        ax = figures.agreement_map(many)
        ax.figure.canvas.draw()
        boxes = [label.get_window_extent() for label in ax.get_xticklabels()]
    assert all(left.x1 < right.x0 for left, right in pairwise(boxes))
