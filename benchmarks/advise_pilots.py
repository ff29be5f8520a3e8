"""How often `advise` is right on a pilot of 40 labelled items, against what all items say.

    python benchmarks/advise_pilots.py [PILOTS]

Pilots are 40 items drawn at random from each of three recorded sources. The atlas that a pilot is
placed on knows neither the source nor those that share its questions. Beside the pilot alone, which
decides in `advise`: what the pilot and the atlas say together, weighted by precision. Prints the
table of docs/atlas.md.
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd

import llm_juries as lj
from llm_juries.analysis.atlas.advice import advise, known_trios
from llm_juries.analysis.atlas.contrasts import cross_fitted
from llm_juries.analysis.atlas.source import Source
from llm_juries.errors import JuriesError
from llm_juries.markdown import markdown

SOURCES, ITEMS = ("recorded_nq301", "recorded_llmbar", "recorded_hanna"), 40


def pilot(panel: lj.Panel, rng: np.random.Generator) -> lj.Panel:
    """Return 40 items, drawn at random: of as many questions as they fall on."""
    number = len(panel.questions)
    return panel.where(np.isin(np.arange(number), rng.permutation(number)[:ITEMS]))


def with_the_atlas(advice: lj.Advice) -> float:
    """Return the gain by the pilot and the atlas, weighted by precision."""
    known = [
        (gain, error**-2.0)
        for gain, error in (
            (advice.gain, advice.error),
            (advice.expected, advice.expected_error),
        )
        if error > 0 and not np.isnan(gain)
    ]
    if not known:
        return advice.gain
    gains, weights = zip(*known, strict=True)
    return float(np.average(gains, weights=weights))


def tried(name: str, pilots: int) -> dict[str, object]:
    """Return how often the advice was right on a source's pilots."""
    panel = lj.read_verdicts(name, inconsistent="mean")
    whole = Source(panel)
    truth = max(
        found.gain
        for side in ("best trio of all", "all judges")
        if (found := cross_fitted(whole, side, "best judge")) is not None
    )
    points = known_trios()
    group = points["shares"][points["dataset"] == name].iloc[0]
    points, rng = points[points["shares"] != group], np.random.default_rng(0)
    best = max(whole.measured[at] for at in whole.at("best judge"))
    rows, refused = [], 0
    while len(rows) < pilots:
        try:
            advice = advise(pilot(panel, rng), points)
        except JuriesError:  # labels of one value only
            refused += 1
            continue
        seat = {"pilot": advice.gain > 0, "atlas": with_the_atlas(advice) > 0}
        known = {tuple(sorted(one)): at for at, one in enumerate(whole.voters)}
        worth = {}
        for way, seats in seat.items():
            taken = tuple(sorted(advice.jury)) if seats else (advice.judge,)
            worth[way] = whole.measured[known[taken]] - best if taken in known else np.nan
        decided = advice.decision != "not decided"
        rows.append(
            {
                "decided": decided,
                "right, decided": (advice.decision == "seat the jury") == (truth > 0)
                if decided
                else np.nan,
                "right, pilot alone": seat["pilot"] == (truth > 0),
                "right, with the atlas": seat["atlas"] == (truth > 0),
                "holds": advice.ci_low <= truth <= advice.ci_high,
                "worth, pilot": worth["pilot"],
                "worth, atlas": worth["atlas"],
            }
        )
    table = pd.DataFrame(rows)
    return {
        "source": name,
        "gain on all items": truth,
        "pilots": pilots,
        "decided": table["decided"].mean(),
        "right, decided": table["right, decided"].astype(float).mean(),
        "right, pilot alone": table["right, pilot alone"].mean(),
        "right, with the atlas": table["right, with the atlas"].mean(),
        "interval holds": table["holds"].mean(),
        "worth of what the pilot takes": table["worth, pilot"].mean(),
        "worth with the atlas": table["worth, atlas"].mean(),
        "refused": refused,
    }


if __name__ == "__main__":
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    print(markdown(pd.DataFrame([tried(name, number) for name in SOURCES])))
