"""Alternative texts of figures say what is on them, with the numbers of the same rows."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from llm_juries import escaping
from llm_juries.reporting import descriptions
from llm_juries.reporting.figures import FigureOptions

PLAIN = FigureOptions()
NAN = float("nan")


def rows(names: str, *values: tuple[Any, ...], **same: Any) -> pd.DataFrame:
    table = pd.DataFrame(list(values), columns=names.split())
    return table.assign(**{"dataset": "d", "kind": "judge", **same})


AGREEMENT = rows(
    "voter kappa ci_low ci_high n",
    ("weak", -0.1, -0.2, 0.05, 9),
    ("best", 0.6754, 0.61, 0.736, 9),
    ("none", NAN, NAN, NAN, 9),
)


def test_the_best_and_the_worst_row_are_named_with_their_intervals():
    assert descriptions.kappa_per_voter(AGREEMENT, PLAIN) == (
        "Cohen's kappa with the human labels of 3 voters on d: highest best 0.675 (0.610 to "
        "0.736), lowest weak -0.100 (-0.200 to 0.050)."
    )


def test_a_figure_of_many_datasets_is_described_in_a_few_sentences():
    many = pd.concat([AGREEMENT.assign(dataset=f"d{at}") for at in range(9)])
    said = descriptions.kappa_per_voter(many, PLAIN)
    assert said.count("highest") == 3
    assert said.endswith(". And 6 more datasets.")


def test_names_and_voters_are_those_of_the_figure():
    options = FigureOptions(names={"best": "The Best"}, voters=("best",))
    said = descriptions.kappa_per_voter(AGREEMENT, options)
    assert "of 1 voter on d: The Best 0.675" in said
    assert "weak" not in said


def test_rows_without_a_value_are_said_to_have_none():
    assert descriptions.kappa_per_voter(AGREEMENT[2:], PLAIN).endswith(": no value.")


GAINS = rows(
    "jury judge difference ci_low ci_high",
    ("trio", "best", -0.2, -0.3, -0.1),
    ("all", "best", 0.01, -0.1, 0.1),
    ("all", "best", 0.01, -0.1, 0.1),
)
DELTAS = rows(
    "voter candidate delta ci_low ci_high",
    ("one", "a", 0.125, 0.1, 0.15),
    ("two", "b", -0.03, -0.1, 0.1),
)
BATTLES = rows("voter first second n share", ("one", "a", "b", 10, 0.8), ("one", "b", "c", 10, 0.6))
RANKS = rows(
    "voter model rank score",
    ("one", "a", 1.0, 9.0),
    ("one", "b", 2.0, 5.0),
    ("two", "a", 2.0, 5.0),
    ("two", "b", 1.0, 9.0),
)
SPREAD = rows("voter human n mean", ("one", "1", 9, 1.5), ("one", "5", 9, 4.0), ("two", "1", 9, 2))
CONFUSION = rows(
    "voter human voted n", ("one", "yes", "yes", 8), ("one", "no", "yes", 2), ("one", "no", "", 5)
)
SHARES = pd.concat(
    [
        rows("voter value share", ("humans", "yes", 0.6), ("humans", "no", 0.4), kind="human"),
        rows("voter value share", ("one", "yes", 0.9), ("one", "no", 0.1)),
    ]
)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (
            descriptions.gains(GAINS, PLAIN),
            "highest all less best +0.010 (-0.100 to +0.100), lowest trio less best -0.200 (-0.300 "
            "to -0.100). The intervals of 1 of 2 gains leave out 0.",
        ),
        (
            descriptions.delta_per_candidate(DELTAS, PLAIN, graded=False),
            "in percentage points, of 2 voters and 2 candidates: highest a under one +12.5 (+10.0 "
            "to +15.0), lowest b under two -3.0",
        ),
        (
            descriptions.battle_heat_map(BATTLES, PLAIN),
            "by one. Of all its battles: highest a 0.80, lowest c 0.40",
        ),
        (
            descriptions.bump_chart(RANKS, PLAIN),
            "Ranks of 2 models by 2 voters. Ranked first and last: one a and b; two b and a.",
        ),
        (
            descriptions.rank_against_reference(
                RANKS, pd.DataFrame({"model": ["a", "b", "x"], "rank": [3, 8, 9]}), PLAIN
            ),
            "Ranks of 2 models beside the reference's. Mean difference in ranks: highest two 1.00, "
            "lowest one 0.00.",
        ),
        (
            descriptions.votes_at_labels(SPREAD, PLAIN),
            "Mean vote at label 5 less that at 1: one 2.50.",
        ),
        (descriptions.confusion_maps(CONFUSION, PLAIN), "the human's value: one 80%."),
        (
            descriptions.value_shares(SHARES, PLAIN),
            "most often: humans yes in 60% of their votes, one yes in 90% of its votes.",
        ),
    ],
)
def test_a_figure_is_described_by_its_main_numbers(said: str, expected: str):
    assert expected in said


def test_a_name_cannot_end_the_text_of_an_image():
    hostile = "a](x) ![b](y) \\ <b> `c` $d$\nnext"
    shown = f"![{escaping.image(hostile)}](figures/kappa.png)"
    assert shown == (r"![a\](x) !\[b\](y) \\ \<b> \`c\` \$d\$ next](figures/kappa.png)")
