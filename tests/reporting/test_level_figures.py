"""Figures of graded and nominal votes show what their tables hold, and say what they leave out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import llm_juries as lj
from llm_juries.analysis import tables
from llm_juries.reporting import figures

FEW = lj.Bootstrap(resamples=20)
VERDICTS = ("supported", "refuted", "not enough info")


def panel_of(scale: lj.Scale, rows: list[list[Any]], **how: Any) -> lj.Panel:
    """Return the panel of rows [human, a vote of each judge ...], a question each."""
    names = [f"judge_{at}" for at in range(len(rows[0]) - 1)]
    made = [
        {
            "item_id": f"q{n}",
            "candidate": "m",
            "human": human,
            **dict(zip(names, votes, strict=True)),
        }
        for n, (human, *votes) in enumerate(rows)
    ]
    return lj.read_verdicts(made, names, scale, name="made_up", **how)


def texts(axis: Any) -> list[str]:
    return [text.get_text() for text in axis.texts]


def part(ax: Any) -> Any:
    """The part of a figure that axes were divided into."""
    return ax.figure.subfigs[0]


def titles(ax: Any) -> list[str]:
    found = [axis.get_title(loc) for axis in part(ax).axes for loc in ("left", "center")]
    return [" ".join(title.split()) for title in found if title]


def test_a_map_has_every_count_and_the_missing_votes() -> None:
    s, r, n = VERDICTS
    rows = [[s, s]] * 7 + [[s, r]] * 2 + [[r, None]] * 3 + [[n, n]]
    table = tables.confusion(panel_of(lj.Scale.nominal(*VERDICTS), rows))
    figure = figures.confusion_maps(table, VERDICTS, note="where from")
    axis = part(figure).axes[0]
    assert texts(axis) == ["7", "2", "1", "3", "no\nvote"]
    assert [label.get_text() for label in axis.get_yticklabels()] == [*VERDICTS]
    assert axis.images[0].get_array()[0].tolist() == pytest.approx([7 / 9, 2 / 9, 0])
    assert "where from" in part(figure).get_supxlabel()


def test_a_map_without_missing_votes_has_no_column_for_them() -> None:
    table = tables.confusion(panel_of(lj.Scale.ordinal(1, 3), [[1, 1], [2, 3], [3, 3]]))
    axis = part(figures.confusion_maps(table, ("1", "2", "3"))).axes[0]
    assert "no\nvote" not in texts(axis)
    assert axis.get_xlim() == (-0.5, 2.5)


def test_of_many_voters_juries_are_drawn_first_and_the_rest_is_named() -> None:
    rows = [[1, *[1] * 14], [2, *[2] * 14], [3, *[1] * 14]]
    panel = panel_of(lj.Scale.ordinal(1, 3), rows)
    panel = panel.add(lj.Jury("trio", ["judge_0", "judge_1", "judge_2"], rule="median"))
    figure = figures.confusion_maps(tables.confusion(panel), ("1", "2", "3"))
    assert len(titles(figure)) == 12
    assert titles(figure)[0] == "trio"
    left_out = "not drawn, see tables/confusion.csv: judge_7, judge_8, judge_9"
    assert left_out in " ".join(part(figure).get_supxlabel().split())


def test_bars_of_shares_end_at_one_and_a_voter_without_votes_says_so() -> None:
    s, r, n = VERDICTS
    rows = [[s, s, None], [r, s, None], [n, r, None], [n, None, None], [s, s, s]]
    panel = panel_of(lj.Scale.nominal(*VERDICTS), rows).where(np.arange(5) < 4)
    table = tables.value_shares(panel)
    axis = figures.value_shares(table)
    widths = pd.DataFrame([[bar.get_width() for bar in bars] for bars in axis.containers])
    assert widths.sum().tolist() == pytest.approx([1, 1, 0])
    assert [text.get_text() for text in axis.get_yticklabels()] == [
        "humans (4)", "judge_0 (3)", "judge_1 (0)",
    ]  # fmt: skip
    assert "no vote" in texts(axis)


def test_boxes_lie_at_their_labels() -> None:
    rows = [[1.0, 2.0], [1.2, 3.0], [4.0, 5.0], [4.1, 5.0], [3.0, None]]
    table = tables.votes_by_label(panel_of(lj.Scale.interval(1, 5), rows))
    figure = figures.votes_at_labels(table)
    (axis,) = part(figure).axes
    assert titles(figure) == ["judge_0 4 votes, 1 missing"]
    assert [label.get_text() for label in axis.get_xticklabels()] == ["1", "3", "4"]
    thick = max(line.get_linewidth() for line in axis.lines)
    medians = [line.get_ydata()[0] for line in axis.lines if line.get_linewidth() == thick]
    assert medians == [2.5, 5]


def drawn(panel: lj.Panel, folder: Path) -> tuple[set[str], str]:
    lj.report(panel, folder, FEW)
    return {path.stem for path in (folder / "figures").glob("*.png")}, (
        folder / "report.md"
    ).read_text()


def test_a_report_draws_what_fits_its_scale_and_says_why_not_the_rest(tmp_path: Path) -> None:
    nominal = panel_of(lj.Scale.nominal(*VERDICTS), [[v, v, VERDICTS[0]] for v in VERDICTS * 4])
    names, report = drawn(nominal, tmp_path / "nominal")
    assert {"confusion_made_up", "value_shares_made_up"} <= names
    assert "votes by label (graded votes" in report.split("Not drawn, with what each needs: ")[1]
    page = (tmp_path / "nominal" / "report.html").read_text()
    assert "votes by label (graded" in page.split("Not drawn, with what each needs: ")[1]
    numbers = panel_of(lj.Scale.interval(0, 10), [[n % 10 + 0.5, n % 10, n % 7] for n in range(40)])
    names, report = drawn(numbers, tmp_path / "interval")
    assert {"votes_by_label_made_up", "value_shares_made_up", "deltas_made_up"} <= names
    assert "confusion (votes and human labels on one nominal or ordinal scale" in report
    binary = panel_of(lj.Scale.binary(), [[n % 2, n % 2, n % 3 % 2] for n in range(40)])
    names, report = drawn(binary, tmp_path / "binary")
    assert not {name for name in names if name.startswith(("confusion", "value_shares"))}
    assert "value shares (nominal or graded votes, or preferences with ties)" in report


def test_deltas_of_grades_are_in_grades_not_in_percentage_points() -> None:
    panel = panel_of(lj.Scale.ordinal(1, 5), [[n % 3 + 1, n % 3 + 3] for n in range(12)])
    table = tables.deltas(panel, FEW)
    axis = figures.delta_per_candidate(table, graded=True)
    assert texts(axis) == ["+2.00"]
    assert "mean grade" in axis.figure.legends[0].get_title().get_text()
    assert "percentage" not in axis.figure.get_supxlabel()


def test_a_long_note_does_not_narrow_its_figure() -> None:
    rows = [[n % 2, n % 2, n % 3 % 2] for n in range(40)]
    table = tables.agreement(panel_of(lj.Scale.binary(), rows), FEW)
    plain, noted = (
        figures.kappa_per_voter(table, notes={"made_up": note}) for note in ("short", "long " * 60)
    )
    for axis in (plain, noted):
        axis.figure.draw_without_rendering()
    assert noted.get_position().width == pytest.approx(plain.get_position().width)
