"""Names of judges, models and datasets of all kinds, through tables, figures and W&B."""

from __future__ import annotations

import csv
import re
import warnings
from pathlib import Path

import pandas as pd
import pytest

from in_process import ended
from llm_juries.files import file_name
from llm_juries.reporting.figures import FigureOptions, error_correlations, options

pytestmark = pytest.mark.slow

NAMES = [
    *(
        "a/b/c",
        "$x$ {y}",
        "$a_b$c",
        "line\nbreak",
        "x" * 300,
        "評" * 300,
        "القاضي",
        "🙂 x",
        "gpt-4.1",
    ),
    *("..x", "a|b <i>", "=1+1", "\t tab", "%2F %s {0}", 'it\'s "q"', "nul\u200bzero"),
]


def table(path: Path, names: list[str], **pairs: bool) -> None:
    with path.open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["item_id", "candidate", "human", *names])
        for row in range(24):
            votes = [(row * (number + 2) // 3) % 2 for number in range(len(names))]
            rows.writerow([f"q/{row // 4}", names[row % 4], row % 2, *votes])


def test_names_of_all_kinds_go_through_an_analysis(tmp_path: Path):
    table(tmp_path / "v.csv", NAMES)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        done = ended(
            tmp_path, "analyze", "dataset=verdicts", "dataset.path=v.csv", "wandb=offline",
            "dataset.name='da/ta $et é評'", "analysis.bootstrap.resamples=50", "hydra.run.dir=run",
        )  # fmt: skip
    assert (done.code, done.bug) == (0, ""), done
    told = [line for line in done.err.splitlines() if "no font on this machine has" in line]
    assert len(told) <= 1  # none where there are fonts
    agreement = pd.read_csv(tmp_path / "run" / "tables" / "agreement.csv")
    spelled = {name.lstrip("'").strip() for name in agreement["voter"]}
    assert {name.strip() for name in NAMES if name[0] not in "=\t"} <= spelled
    report = (tmp_path / "run" / "report.md").read_text()
    assert "line break" in report
    own = r"""<a id="[a-z0-9_-]+"></a>|<details><summary>[\w ,.]+</summary>|</details>"""
    # No name is HTML, in prose as in tables.
    assert not re.findall(r"(?<!\\)<[a-z/!]", re.sub(own, "", report))
    drawn = sorted((tmp_path / "run" / "figures").iterdir())
    assert len(drawn) >= 6
    assert {path.parent for path in drawn} == {tmp_path / "run" / "figures"}


def test_a_sign_comes_from_a_font_that_has_it():
    families, lacking = options.fonts_for("a→Ж", "cmr10")  # a font without Greek or arrows
    assert families[0] == "cmr10"
    assert len(families) > 1
    assert not lacking
    assert options.fonts_for("abc", "cmr10") == (["cmr10"], "")
    assert options.fonts_for("\U000f0000 \n")[1] == ""  # of private use: no font may have it


def test_long_names_stay_distinct_in_figures():
    names = ["x" * 300, "x" * 301, "short", "評" * 80]
    rows = FigureOptions().chosen(pd.DataFrame({"voter": names, "n": 1}))
    assert rows["voter"].nunique() == 4
    assert rows["voter"].str.len().max() < 70
    assert rows["voter"][2] == "short"


@pytest.mark.parametrize("name", NAMES)
def test_a_file_name_is_safe_and_tells_names_apart(name: str, tmp_path: Path):
    made = file_name(name)
    (tmp_path / f"{made}.parquet").write_text("")
    assert [path.name for path in tmp_path.iterdir()] == [f"{made}.parquet"]
    assert file_name(f"{name}/") != made


def test_a_map_of_many_judges_is_bounded():
    names = [f"j{number}" for number in range(60)]
    pairs = [
        {"dataset": "d", "judge": a, "other": b, "correlation": 0.1, "n": 5}
        for number, a in enumerate(names)
        for b in names[number + 1 :]
    ]
    figure = error_correlations(pd.DataFrame(pairs), note="a note").figure
    assert max(figure.get_size_inches()) < 8


def test_a_report_says_why_strengths_are_blank(tmp_path: Path):
    rows = [f"q{n},{a},{b},{n % 2},{n % 2}" for n in range(20) for a, b in (("a", "b"), ("c", "d"))]
    (tmp_path / "v.csv").write_text("\n".join(["item_id,candidate,opponent,human,j", *rows]))
    done = ended(
        tmp_path, "analyze", "dataset=verdicts", "dataset.path=v.csv", "dataset.pairs=true",
        "analysis.bootstrap.resamples=50", "figures.draw=none", "hydra.run.dir=run",
    )  # fmt: skip
    assert done.code == 0, done
    report = (tmp_path / "run" / "report.md").read_text()
    assert "`bradley_terry` is blank for humans, j: no strengths are finite" in report
    assert "do not link a, b with c, d" in report
    assert "win rates are against different opponents" in report


def test_names_can_not_command_a_terminal(tmp_path: Path):
    """A line of a log, an error and the log's file: no escape sequence, no line of its own."""
    table(tmp_path / "v.csv", ["\x1b[2Jred", "one\ntwo", "\u202egnp", "東\u3000京"])
    given = ("dataset=verdicts", "dataset.path=v.csv", "analysis.bootstrap.resamples=50")
    done = ended(tmp_path, "analyze", *given, "hydra.run.dir=run", "figures.draw=none")
    wrong = ended(tmp_path, "analyze", *given, "judges={'\x1b[31mred': {}}")
    written = "".join(
        path.read_text()
        for path in [*(tmp_path / "run").glob("*.log"), tmp_path / "run" / "report.md"]
    )
    assert "one\\ntwo" in done.err
    assert "東\u3000京" in written
    assert not set("\x1b\u202e") & set(done.out + done.err + wrong.out + wrong.err + written)
