"""Figures are as wide as asked, in fonts that print, with the names and voters asked for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from llm_juries.errors import JuriesError
from llm_juries.reporting import figures
from llm_juries.reporting.figures import FigureOptions, style
from llm_juries.reporting.figures.agreement import printed_rows


def agreement(*voters: str, kinds: tuple[str, ...] = (), dataset: str = "d") -> pd.DataFrame:
    rows = [
        {
            "dataset": dataset,
            "voter": voter,
            "kind": kinds[at] if kinds else "judge",
            "n": 90,
            "missing": at,
            "kappa": 0.5 + 0.05 * at,
            "ci_low": 0.4 + 0.05 * at,
            "ci_high": 0.6 + 0.05 * at,
        }
        for at, voter in enumerate(voters)
    ]
    return pd.DataFrame(rows)


def rows_of(ax: Any) -> list[str]:
    return [label.get_text() for label in ax.get_yticklabels()]


@pytest.mark.parametrize(("width", "inches"), [("single", 3.3), ("double", 6.9), (5.5, 5.5)])
def test_a_pdf_is_as_wide_as_asked_and_its_fonts_are_no_type_3(
    width: Any, inches: float, tmp_path: Path
):
    options = FigureOptions(width=width, formats=("pdf", "svg"))
    with options.look():
        ax = figures.kappa_per_voter(agreement("a", "b" * 60), options=options)
        figures.save(ax, tmp_path, "kappa", options.formats)
    pdf = (tmp_path / "kappa.pdf").read_bytes()
    left, _, right, _ = map(float, re.findall(rb"/MediaBox \[ (.*?) \]", pdf)[0].split())
    assert (right - left) / 72 == pytest.approx(inches, abs=0.01)
    assert b"/CIDFontType2" in pdf
    assert b"/Type3" not in pdf
    assert {path.suffix for path in tmp_path.iterdir()} == {".pdf", ".png", ".svg"}


def test_a_style_of_matplotlib_is_found_by_its_name_and_a_look_leaves_no_trace():
    before = mpl.rcParams.copy()
    with plt.style.context(["llm_juries.print", "llm_juries.single", "llm_juries.dark"]):
        assert mpl.rcParams["figure.figsize"] == [3.3, 2.6]
        assert style.ink() == "#e8e8e8"
    with FigureOptions(width="slide", size=20).look():
        assert mpl.rcParams["font.size"] == 20
        assert mpl.rcParams["legend.fontsize"] == pytest.approx(17.5)
        assert mpl.rcParams["pdf.fonttype"] == 42
    after = mpl.rcParams.copy()
    assert {k: after[k] for k in after if k != "backend"} == {
        k: before[k] for k in before if k != "backend"
    }


def test_voters_come_by_strength_with_string_rules_apart():
    table = agreement("a", "b", "rule", kinds=("judge", "jury", "lexical"))
    assert rows_of(figures.kappa_per_voter(table)) == ["b (1 missing)", "a", "rule (2 missing)"]
    given = FigureOptions(order="given", missing=False, names={"a": "GPT-4"})
    assert rows_of(figures.kappa_per_voter(table, options=given)) == ["GPT-4", "b", "rule"]
    few = FigureOptions(order="name", missing=False, voters=("b", "a"), names={"b": "A", "a": "B"})
    assert rows_of(figures.kappa_per_voter(table, options=few)) == ["A", "B"]


def test_names_that_are_alike_and_voters_and_fonts_that_do_not_exist_are_refused():
    with pytest.raises(JuriesError, match="names: a and b "):
        FigureOptions(names={"a": "x", "b": "x"}).chosen(agreement("a", "b"))
    with pytest.raises(JuriesError, match=r"no voter 'gpt_5'; did you mean gpt_4"):
        FigureOptions(voters=("gpt_5",)).check({"gpt_4"})
    with pytest.raises(JuriesError, match=r"no 'Garamont'"), FigureOptions(font="Garamont").look():
        pass
    with pytest.raises(JuriesError, match=r"width: 0.5 inches"):
        FigureOptions(width=0.5)


def test_without_captions_there_is_no_title_and_no_source():
    ax = figures.kappa_per_voter(
        agreement("a"), notes={"d": "a source"}, options=FigureOptions(captions=False)
    )
    assert ax.figure.get_supxlabel() == ""
    assert not ax.figure.legends[0].get_title().get_text()
    shown = figures.kappa_per_voter(agreement("a"), notes={"d": "a source"})
    assert shown.figure.get_supxlabel() == "a source"


def test_figures_are_drawn_on_axes_that_are_given():
    figure, (one, two) = plt.subplots(1, 2)
    assert figures.kappa_per_voter(agreement("a", "b"), one) is one
    both = pd.concat([agreement("a"), agreement("b", dataset="e")])
    assert figures.kappa_per_voter(both, two) is two
    assert [ax.get_title(loc="left") or ax.get_title() for ax in figure.subfigs[0].axes] == [
        "d",
        "e",
    ]
    plt.close(figure)
    with pytest.raises(JuriesError, match=r"is not of plt.subplots"):
        figures.kappa_per_voter(both, plt.figure().add_axes((0, 0, 1, 1)))
    plt.close()


def test_judges_have_the_colours_of_their_families():
    options = FigureOptions(colours="family", families={"a": "gpt", "b": "gpt", "c": "llama"})
    table = agreement("a", "b", "c", "unheard_of", "trio", kinds=(*["judge"] * 4, "jury"))
    found = style.shades(table, options)
    assert found.of["a"] == found.of["b"] != found.of["c"]
    assert [handle.get_label() for handle in found.handles] == [
        "gpt", "llama", "other judges", "jury",
    ]  # fmt: skip


def test_the_papers_judges_share_a_row_with_ours_of_the_same_name():
    printed = pd.DataFrame(
        {"judge": ["GPT-4", "PoLL"], "dataset": "kilt_nq", "kappa": [0.63, 0.76]}
    )
    options = FigureOptions(names={"d": "kilt_nq"})
    rows = printed_rows(printed, agreement("gpt_4", "other"), options)
    assert set(rows["panel"]) == {"kilt_nq"}
    ax = figures.printed_beside_ours(rows, options=options)
    (panel,) = ax.figure.subfigs[0].axes
    assert rows_of(panel) == ["PoLL", "GPT-4", "other"]


def test_deltas_are_one_map_in_points_with_clear_ones_in_bold():
    deltas = pd.DataFrame(
        {
            "dataset": "d", "voter": ["v", "v", "w"], "kind": "judge", "candidate": ["a", "b", "a"],
            "delta": [0.1, -0.02, 0.0], "ci_low": [0.05, -0.1, -0.1], "ci_high": [0.2, 0.1, 0.1],
        }
    )  # fmt: skip
    ax = figures.delta_per_candidate(deltas)
    assert [(text.get_text(), text.get_fontweight()) for text in ax.texts] == [
        ("+10", "bold"), ("−2", "normal"), ("8.5", "normal"), ("0", "normal"),
    ]  # fmt: skip
    assert rows_of(ax) == ["v", "w"]


def test_a_gain_over_the_same_judge_is_drawn_once():
    rows = pd.DataFrame(
        {
            "dataset": "d", "jury": "trio", "beside": ["best member", "best judge"], "judge": "a",
            "jury_kappa": 0.7, "judge_kappa": 0.6, "difference": 0.1, "ci_low": 0.0, "ci_high": 0.2,
        }
    )  # fmt: skip
    assert rows_of(figures.gains(rows)) == ["trio − a"]


def test_names_that_are_cut_stay_different():
    names = [f"{'x' * 30}{n}{'y' * 30}" for n in range(3)]
    assert len(set(style.all_fitting(names, 1.0))) == 3
