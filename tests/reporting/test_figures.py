from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib import style
from matplotlib.colors import to_hex
from matplotlib.text import Annotation

from llm_juries.errors import JuriesError
from llm_juries.reporting.figures import (
    FigureOptions,
    battle_heat_map,
    bump_chart,
    length_bias,
    position_bias,
    rank_against_reference,
    save,
)
from llm_juries.reporting.figures.style import MARKERS, colour

NAN = float("nan")
LONG = "a-model-of-a-very-long-name-indeed-instruct-q4-k-m-calibrated-2026"


@pytest.fixture(autouse=True)
def printed() -> Iterator[None]:
    """Draw in the style of the package, as reports do."""
    with style.context("llm_juries.print"):
        yield


def ranking(ranks: dict[str, dict[str, float]], kinds: dict[str, str] | None = None) -> Any:
    """Rows of a ranking from {voter: {model: rank}}, each rank's interval one to either side."""
    return pd.DataFrame(
        [
            {
                "dataset": "d",
                "voter": voter,
                "kind": (kinds or {}).get(voter, "judge"),
                "model": model,
                "score": -rank,
                "ci_low": -rank - 1,
                "ci_high": -rank + 1,
                "rank": rank,
                "rank_low": rank - 1,
                "rank_high": rank + 1,
                "n": 10,
            }
            for voter, given in ranks.items()
            for model, rank in given.items()
        ]
    )


def reference(**ranks: float) -> pd.DataFrame:
    return pd.DataFrame({"model": list(ranks), "rank": list(ranks.values()), "score": 0.0})


def shuffled(models: int, voters: int, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(seed)
    names = [f"{LONG[: 20 + at]}-{at}" for at in range(models)]
    noise = rng.normal(0, 2, (voters, models))
    ranks = (np.arange(models) + noise).argsort().argsort() + 1.0
    rows = ranking(
        {f"voter {v}": dict(zip(names, ranks[v], strict=True)) for v in range(voters)},
        {f"voter {v}": ("judge", "jury", "lexical")[v % 3] for v in range(voters)},
    )
    return rows, reference(**{name: float(at + 1) for at, name in enumerate(names)})


def drawn(axis: Any, marker: str | None = None) -> list[list[tuple[float, float]]]:
    """The finite points of each line with a marker."""
    return [
        [(x, y) for x, y in line.get_xydata() if not np.isnan([x, y]).any()]
        for line in axis.lines
        if line.get_marker() != "None" and marker in (None, line.get_marker())
    ]


def spans(axis: Any) -> list[list[float]]:
    """The ends of every interval drawn, lower first, in order of place."""
    segments = [part for lines in axis.collections for part in lines.get_segments()]
    return [part.ravel().tolist() for part in segments if part.size and not np.isnan(part).any()]


def hollow(axis: Any) -> list[tuple[float, float]]:
    lines = [line for line in axis.lines if to_hex(line.get_markerfacecolor()) == "#ffffff"]
    return [tuple(point) for line in lines for point in line.get_xydata()]


def names_at_points(axis: Any) -> list[Annotation]:
    return [text for text in axis.texts if isinstance(text, Annotation)]


def part(ax: Any) -> Any:
    """The figure of axes, or the part of it that they were divided into."""
    return ax.figure.subfigs[0] if ax.figure.subfigs else ax.figure


def said(ax: Any) -> str:
    return " ".join(part(ax).get_supxlabel().split())


def shown(ax: Any) -> list[Any]:
    return [axis for axis in part(ax).axes if axis.get_visible()]


def legend(ax: Any) -> list[str]:
    return [text.get_text() for text in part(ax).legends[0].texts]


# Ranks against a reference


def test_a_point_is_the_true_rank_and_the_voters():
    rows = ranking({"v": {"a": 2, "b": 1, "c": 3}})
    figure = rank_against_reference(rows, reference(a=1, b=2, c=3), note="made up")
    (axis,) = shown(figure)
    assert drawn(axis) == [[(1, 2), (2, 1), (3, 3)]]
    assert spans(axis) == [[1, 1, 1, 3], [2, 0, 2, 2], [3, 2, 3, 4]]
    diagonal = next(line for line in axis.lines if line.get_marker() == "None")
    assert diagonal.get_xydata().tolist() == [[1, 1], [4, 4]]
    assert {text.get_text(): text.xy for text in names_at_points(axis)} == {
        "a": pytest.approx((1, 2)),
        "b": pytest.approx((2, 1)),
        "c": pytest.approx((3, 3)),
    }
    assert "made up" in said(figure)


def test_a_leaderboards_ranks_are_counted_anew_among_the_models_drawn():
    rows = ranking({"v": {"a": 1, "b": 2, "c": 3}})
    figure = rank_against_reference(rows, reference(z=1, a=7, b=40, c=40))
    assert drawn(shown(figure)[0]) == [[(1, 1), (2.5, 2), (2.5, 3)]]


def test_a_model_that_the_reference_lacks_is_said_and_not_drawn():
    rows = ranking({"v": {"a": 1, "new": 2, "b": 3}})
    figure = rank_against_reference(rows, reference(a=1, b=2))
    assert drawn(shown(figure)[0]) == [[(1, 1), (2, 3)]]
    assert "not in the reference" in said(figure)
    assert said(figure).endswith(": new")


@pytest.mark.parametrize("column", ["score", "rank"])
def test_a_model_without_a_score_is_said_and_not_drawn(column: str):
    rows = ranking({"v": {"a": 1, "b": 2}, "w": {"a": 1, "b": 2}})
    rows.loc[1, column] = NAN
    figure = rank_against_reference(rows, reference(a=1, b=2))
    assert [len(points) for points in drawn(shown(figure)[0])] == [1, 2]
    assert "no score, so not drawn: b (v)" in said(figure)


def test_a_rank_without_an_interval_is_hollow():
    rows = ranking({"v": {"a": 1, "b": 2}})
    rows.loc[1, ["rank_low", "rank_high"]] = NAN
    figure = rank_against_reference(rows, reference(a=1, b=2))
    (axis,) = shown(figure)
    assert hollow(axis) == [(2, 2)]
    assert spans(axis) == [[1, 0, 1, 2]]
    assert "hollow: no interval" in said(figure)


def test_three_voters_share_a_panel_side_by_side_and_four_do_not():
    rows, true = shuffled(5, 4)
    three = rows[rows["voter"] != "voter 3"]
    (axis,) = shown(rank_against_reference(three, true))
    assert [points[0][0] for points in drawn(axis)] == pytest.approx([0.78, 1, 1.22])
    assert legend(axis) == [f"voter {v}" for v in range(3)]
    panels = shown(rank_against_reference(rows, true))
    assert [panel.get_title(loc="left") for panel in panels] == [f"voter {v}" for v in range(4)]
    for panel, kind in zip(panels, ("judge", "jury", "lexical", "judge"), strict=True):
        assert len(drawn(panel, MARKERS[kind])) == 1


def test_two_voters_of_one_kind_have_a_colour_each():
    rows = ranking({v: {"a": 1, "b": 2} for v in "vwx"}, {"x": "jury"})
    (axis,) = shown(rank_against_reference(rows, reference(a=1, b=2)))
    colours = [line.get_color() for line in axis.lines if line.get_marker() != "None"]
    assert len(set(colours)) == 3
    assert colours[2] == colour("jury")


def test_the_reference_is_not_drawn_against_itself():
    rows = ranking({"board": {"a": 1, "b": 2}, "v": {"a": 1, "b": 2}}, {"board": "reference"})
    (axis,) = shown(rank_against_reference(rows, reference(a=1, b=2)))
    assert legend(axis) == ["v"]


@pytest.mark.parametrize(("models", "voters"), [(2, 1), (9, 3), (20, 1), (20, 3)])
def test_names_stay_clear_of_each_other_and_of_the_frame(models: int, voters: int):
    figure = rank_against_reference(*shuffled(models, voters), note="a note")
    figure.figure.draw_without_rendering()  # lays out anew, as saving does
    for axis in shown(figure):
        named = names_at_points(axis)
        assert len({text.get_text() for text in named}) == models
        boxes = [text.get_window_extent() for text in named]
        assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))
        assert all(box.x0 > axis.bbox.x0 and box.x1 < axis.bbox.x1 for box in boxes)
        assert all(box.y0 > axis.bbox.y0 and box.y1 < axis.bbox.y1 for box in boxes)


@pytest.mark.parametrize(("models", "voters"), [(2, 4), (12, 4), (20, 5)])
def test_models_of_many_voters_have_a_row_each_whose_name_stands_once(models: int, voters: int):
    rows, true = shuffled(models, voters)
    short = {name: f"m{at}" for at, name in enumerate(true["model"])}
    rows, true = rows.replace({"model": short}), true.replace({"model": short})
    panels = shown(rank_against_reference(rows, true))
    assert len(panels) == voters
    ticks = zip(panels[0].get_yticklabels(), panels[0].get_yticks(), strict=True)
    at = {text.get_text(): y for text, y in ticks}
    assert sorted(at, key=lambda name: -at[name]) == list(true.sort_values("rank")["model"])
    for panel, (_, own) in zip(panels, rows.groupby("voter", sort=False), strict=True):
        assert not names_at_points(panel)
        points = {y: x for line in panel.lines[1:] for x, y in zip(*line.get_data(), strict=True)}
        assert {name: points[y] for name, y in at.items()} == dict(
            zip(own["model"], own["rank"], strict=True)
        )


def test_names_that_are_cut_alike_are_the_same_in_both_columns_of_a_battle():
    names = [f"{'x' * 40}{at}{'y' * 40}" for at in range(3)]
    rows = pd.DataFrame({"first": names[::-1], "second": [names[1], names[2], names[0]]})
    cut = FigureOptions().chosen(rows)
    called = dict(
        zip([*rows["first"], *rows["second"]], [*cut["first"], *cut["second"]], strict=True)
    )
    assert len(set(called.values())) == 3
    assert list(cut["second"]) == [called[name] for name in rows["second"]]
    assert list(cut["first"]) == [called[name] for name in rows["first"]]


def test_the_order_of_models_in_the_frame_moves_no_name():
    rows, true = shuffled(9, 1)

    def places(rows: pd.DataFrame) -> Any:
        (axis,) = shown(rank_against_reference(rows, true))
        return {text.get_text(): text.get_position() for text in names_at_points(axis)}

    assert places(rows) == places(rows.iloc[::-1])


def test_no_model_in_common_is_a_users_mistake():
    with pytest.raises(JuriesError, match=r"none of a is ranked both there .* such as b"):
        rank_against_reference(ranking({"v": {"a": 1}}), reference(b=1))


# Bump chart


def test_columns_begin_with_the_reference_then_the_humans():
    rows = ranking(
        {voter: {"a": 1, "b": 2} for voter in ("j", "people", "board", "k")},
        {"people": "human", "board": "reference"},
    )
    (axis,) = shown(bump_chart(rows, note="made up"))
    assert [t.get_text() for t in axis.get_xticklabels()] == ["board", "people", "j", "k"]


def test_a_line_is_a_models_ranks_the_best_at_the_top():
    rows = ranking({"v": {"a": 1, "b": 2}, "w": {"a": 2, "b": 1}})
    figure = bump_chart(rows, note="made up")
    (axis,) = shown(figure)
    assert drawn(axis) == [[(0, 1), (1, 2)], [(0, 2), (1, 1)]]
    assert axis.yaxis_inverted()
    assert [text.get_text() for text in axis.texts] == ["1  b", "2  a", "a  1", "b  2"]
    assert said(figure) == "made up"


def test_ties_lie_at_their_mean_rank_and_their_names_beside_it():
    rows = ranking({"v": {"a": 1, "b": 3, "c": 3, "d": 3}})
    (axis,) = shown(bump_chart(rows))
    assert [points for [points] in drawn(axis)] == [(0, 1), (0, 3), (0, 3), (0, 3)]
    assert [(text.get_text(), text.get_position()[1]) for text in axis.texts] == [
        ("1  a", 1),
        ("2=  b", 2),
        ("2=  c", 3),
        ("2=  d", 4),
    ]


def test_a_line_breaks_where_a_voter_has_no_rank_and_is_still_named():
    ranks = {v: {"a": 1.0, "b": 2.0} for v in "vwx"}
    ranks["v"]["b"] = ranks["x"]["b"] = NAN
    figure = bump_chart(ranking(ranks))
    (axis,) = shown(figure)
    assert drawn(axis)[1] == [(1, 2)]
    assert "b" in [text.get_text() for text in axis.texts]
    assert "no score, so not drawn: b (v), b (x)" in said(figure)


def test_without_any_rank_there_is_nothing_to_chart():
    with pytest.raises(JuriesError, match="no model has one"):
        bump_chart(ranking({"v": {"a": NAN}}))


# Battles


def battles(*rows: tuple[str, str, float, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["first", "second", "n", "share"])


def cells(figure: Any) -> dict[tuple[int, int], str]:
    return {text.get_position()[::-1]: text.get_text() for text in figure.texts}


def test_a_cell_says_the_rows_share_and_its_battles_the_best_model_first():
    figure = battle_heat_map(battles(("a", "b", 10, 0.2), ("b", "c", 4, 0.75)), note="one judge")
    assert [text.get_text() for text in figure.get_yticklabels()] == ["b", "c", "a"]
    assert cells(figure) == {
        (0, 1): "0.75\n(4)",
        (0, 2): "0.80\n(10)",
        (1, 0): "0.25\n(4)",
        (2, 0): "0.20\n(10)",
    }
    shares = figure.images[0].get_array()
    assert shares.mask.tolist() == [[True, False, False], [False, True, True], [False, True, True]]
    assert said(figure) == "in brackets: battles one judge"


def test_battles_of_a_pair_in_both_orders_add_up():
    figure = battle_heat_map(battles(("a", "b", 10, 1), ("b", "a", 30, 0.5)))
    assert cells(figure) == {(0, 1): "0.62\n(40)", (1, 0): "0.38\n(40)"}


def test_battles_without_a_share_are_said_and_those_never_fought_are_not():
    met = battles(("a", "b", 10, 0.5), ("a", "c", 3, NAN), ("b", "d", 0, NAN))
    figure = battle_heat_map(met)
    assert set(cells(figure)) == {(0, 1), (1, 0)}
    assert said(figure).endswith("no share, so not drawn: a and c")


def test_without_any_share_there_is_nothing_to_map():
    with pytest.raises(JuriesError, match="no pair of models has one"):
        battle_heat_map(battles(("a", "b", 0, NAN)))


# Position


def position(**changes: Any) -> pd.DataFrame:
    rows = pd.DataFrame(
        {
            "dataset": "d",
            "voter": ["v", "w"],
            "kind": ["judge", "jury"],
            "pairs": [1000, 20],
            "flip_rate": [0.3, 0.1],
            "flip_low": [0.2, 0.05],
            "flip_high": [0.4, 0.15],
            "first_place": [0.7, 0.5],
            "first_low": [0.6, 0.4],
            "first_high": [0.8, 0.6],
        }
    )
    for column, value in changes.items():
        rows.loc[1, column] = value
    return rows


def test_flips_and_first_places_are_drawn_with_intervals_the_first_voter_at_the_top():
    figure = position_bias(position(), note="made up", level=0.9)
    flips, firsts = shown(figure)
    assert [text.get_text() for text in flips.get_yticklabels()] == [
        "v (1,000 pairs)",
        "w (20 pairs)",
    ]
    assert sorted(drawn(flips)) == [[(0.1, 0)], [(0.3, 1)]]
    assert sorted(drawn(firsts)) == [[(0.5, 0)], [(0.7, 1)]]
    assert sorted(spans(firsts)) == [[0.4, 0, 0.6, 0], [0.6, 1, 0.8, 1]]
    assert [list(line.get_xdata()) for line in firsts.lines if line.get_marker() == "None"] == [
        [0.5, 0.5]
    ]
    assert said(figure) == "90% intervals made up"


def test_a_voter_without_pairs_keeps_its_row_and_has_no_point():
    gone = dict.fromkeys(("flip_rate", "flip_low", "flip_high"), NAN)
    figure = position_bias(position(pairs=0, **gone))
    flips, firsts = shown(figure)
    assert drawn(flips, MARKERS["jury"]) == [[], []]
    assert [(text.get_text(), text.get_position()[1]) for text in flips.texts] == [("no value", 0)]
    assert not firsts.texts
    assert "hollow" not in said(figure)


def test_a_bias_without_an_interval_is_hollow():
    figure = position_bias(position(first_low=NAN))
    flips, firsts = shown(figure)
    assert hollow(firsts) == [(0.5, 0)]
    assert not hollow(flips)
    assert "hollow: no interval" in said(figure)


# Length


def bins(voters: dict[str, str]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "dataset": "d",
                "voter": voter,
                "kind": kind,
                "low": low,
                "high": low + 1,
                "n": 9,
                "share": 0.5 + low / 4,
                "ci_low": 0.2,
                "ci_high": 0.8,
            }
            for voter, kind in voters.items()
            for low in (-1.0, 0.0)
        ]
    )


def test_a_line_goes_through_the_middles_of_the_bins():
    figure = length_bias(bins({"v": "judge"}), note="made up")
    (axis,) = shown(figure)
    assert drawn(axis) == [[(-0.5, 0.25), (0.5, 0.5)]]
    assert spans(axis) == [[-0.5, 0.2, -0.5, 0.8], [0.5, 0.2, 0.5, 0.8]]
    assert [[-0.5, 0.25], [0.5, 0.5]] in [line.get_xydata().tolist() for line in axis.lines]
    assert "made up" in said(figure)
    assert "95%" in axis.get_ylabel()


def test_an_empty_bin_breaks_the_line_and_one_without_an_interval_is_hollow():
    rows = bins({"v": "judge"})
    rows.loc[0, ["share", "ci_low", "ci_high"]] = NAN
    rows.loc[1, "ci_low"] = NAN
    figure = length_bias(rows)
    (axis,) = shown(figure)
    assert drawn(axis, MARKERS["judge"])[0] == [(0.5, 0.5)]
    assert (0.5, 0.5) in hollow(axis)
    assert "bins without a share, so not drawn: 1" in said(figure)


def test_the_humans_are_black_and_every_voter_has_its_own_colour():
    kinds = {
        "people": "human",
        "v": "judge",
        "w": "judge",
        "x": "jury",
        "y": "jury",
        "z": "lexical",
    }
    figure = length_bias(bins(kinds))
    (axis,) = shown(figure)
    colours = {
        line.get_label(): to_hex(line.get_color())
        for line in axis.lines
        if line.get_label() in kinds
    }
    assert colours["people"] == "#000000"
    assert len(set(colours.values())) == len(kinds)
    assert set(legend(figure)) == set(kinds)


def test_many_voters_have_a_panel_each_with_the_humans_in_it():
    kinds = {f"v{at}": "judge" for at in range(13)} | {"people": "human"}
    panels = shown(length_bias(bins(kinds)))
    assert [panel.get_title(loc="left") for panel in panels] == [f"v{at}" for at in range(13)]
    for panel in panels:
        assert len(drawn(panel, MARKERS["human"])) == len(drawn(panel, MARKERS["judge"])) == 1


# All of them


@pytest.mark.parametrize(("models", "voters"), [(2, 1), (2, 8), (20, 1)])
def test_figures_of_any_size_are_written(tmp_path: Path, models: int, voters: int):
    rows, true = shuffled(models, voters)
    for name, figure in {
        "ranks": rank_against_reference(rows, true, note=LONG),
        "bump": bump_chart(rows, note=LONG),
        "length": length_bias(bins(dict(zip(rows["voter"], rows["kind"], strict=True))), note=LONG),
    }.items():
        assert save(figure, tmp_path, name).stat().st_size > 0
