"""What the atlas's tables say, in sentences: no more than the intervals carry."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ...analysis.atlas.contrasts import HEADLINE
from ...analysis.atlas.summary import Atlas
from ...analysis.atlas.trios import FEWEST, measured, threshold
from .figures import short

FEW = 10  # sources; below, no rule learnt from them is called one


def answer(found: Atlas) -> list[str]:
    """Return the atlas's answer, a paragraph each."""
    return [
        _headline(found),
        _mean(found),
        _large(found),
        _ensembles(found),
        _why(found),
        _rule(found),
        _scales(found),
        _worth(found),
    ]


def headline(found: Atlas) -> str:
    """Return the one sentence beneath the forest plot."""
    return _headline(found)


def _rows(found: Atlas, side: str, beside: str = "best judge") -> pd.DataFrame:
    own = found.contrasts
    return own[(own["side"] == side) & (own["beside"] == beside)]


def _split(rows: pd.DataFrame) -> tuple[list[str], list[str], list[str]]:
    """Return the sources on which a gain is surely above zero, surely below, and neither."""
    better = rows["all_low"] > 0
    worse = rows["all_high"] < 0
    names = rows["dataset"].map(short)
    return list(names[better]), list(names[worse]), list(names[~better & ~worse])


def _named(names: Sequence[str]) -> str:
    return f"{len(names)} ({', '.join(names)})" if names else "none"


def _headline(found: Atlas) -> str:
    rows = _rows(found, *HEADLINE)
    better, worse, undecided = _split(rows)
    return (
        "Beside the best single judge, the best trio of small judges agrees clearly more with the "
        f"labels on {_named(better)} of {len(rows)} sources, clearly less on {_named(worse)}, and "
        f"on {_named(undecided)} the data do not decide."
    )


def _mean(found: Atlas) -> str:
    summed = found.summary
    row = summed[(summed["side"] == HEADLINE[0]) & (summed["beside"] == HEADLINE[1])].iloc[0]
    if row["independent"] < FEWEST:
        return (
            f"With fewer than {FEWEST} independent sources nothing is said of their mean, or of a "
            "source that is not among them."
        )
    return (
        f"Over sources the mean gain is {row['gain']:+.3f} {_interval(row)}, and true gains differ "
        f"by a standard deviation of {row['tau']:.3f} (I2 {row['i2']:.0%}): that of a new source "
        f"would lie in {_interval(row, 'new')}. {row['independent']} independent sources cannot "
        "say whether a jury helps on one that is not among them."
    )


def _large(found: Atlas) -> str:
    rows = _rows(found, HEADLINE[0], "best large judge")
    if rows.empty:
        return "No source has judges that are known to be large."
    said = "; ".join(
        f"{short(row['dataset'])} {row['gain']:+.3f} {_interval(row, 'all')}, {row['verdict']} "
        f"(margin {row['margin']:g})"
        for _, row in rows.iterrows()
    )
    known = int(rows["cost_ratio"].notna().sum())
    return (
        f"Beside the best large judge, the best trio of small ones: {said}. What such a trio costs "
        f"beside the large judge can be said for {known} of these {len(rows)} sources."
    )


def _ensembles(found: Atlas) -> str:
    rows = _rows(found, HEADLINE[0], "one judge three times")
    if rows.empty:
        return "No source has three answers of one small judge."
    said = "; ".join(
        f"{short(row['dataset'])} {row['gain']:+.3f} {_interval(row)}, with all comparisons at "
        f"once {_interval(row, 'all')}"
        for _, row in rows.iterrows()
    )
    return (
        "At equal calls, the best trio of small judges less the best small judge asked three times "
        f"(or under three prompts): {said}."
    )


def _why(found: Atlas) -> str:
    if np.isnan(found.model.error):
        return (
            f"With {FEWEST} independent sources or fewer nothing is said of what a trio's gain "
            "depends on."
        )
    whats = ("a lead of the best member of .1", "an error correlation higher by .1")
    parts = []
    for what, (_, row) in zip(whats, found.model.table.iloc[1:].iterrows(), strict=True):
        low, high, value = (row[column] / 10 for column in ("ci_low", "ci_high", "estimate"))
        clear = low > 0 or high < 0
        parts.append(
            f"{what} changes a trio's gain over that member by {value:+.3f} [{low:.3f}, "
            f"{high:.3f}]" + ("" if clear else ", which the data do not tell from nothing")
        )
    return (
        f"Over {len(found.trios)} trios of {found.trios['dataset'].nunique()} sources: "
        + "; ".join(parts)
        + f". On a source that was left out the model errs by {found.model.error:.3f} (root mean "
        f"square), the mean of the other sources by {found.model.baseline:.3f}."
    )


def _rule(found: Atlas) -> str:
    if found.rules.empty:
        return "A rule of thumb is learnt on one source and tried on another: there is only one."
    rules = found.rules.set_index("rule").to_dict("index")
    lead, always = rules["seat it if the lead is small"], rules["always seat the trio"]
    hedge = (
        f"With {lead['sources']} sources, fewer than {FEW}, it is not a rule to rely on: measure "
        "your own case."
        if lead["sources"] < FEW
        else "Measure your own case all the same."
    )
    bound = threshold(measured(found.trios))
    return (
        "A rule of thumb, learnt on all sources: seat a trio whose best member leads by less than "
        f"{bound:.2f}. Learnt without a source and tried on it, such a rule is "
        f"right on {lead['right']:.0%} of the trios, and on most trios of {lead['sources_right']} "
        f"of {lead['sources']} sources; always seating the trio is right on {always['right']:.0%}. "
        f"It gains {lead['worth']:+.3f} over always taking the best member. {hedge}"
    )


def _scales(found: Atlas) -> str:
    own = found.variants[found.variants["side"] == HEADLINE[0]]
    turned = []
    for name, rows in own.groupby("dataset", sort=False):
        order = rows.sort_values("gain", kind="stable")
        low, high = order.iloc[0], order.iloc[-1]
        if high["ci_low"] > 0 and low["ci_high"] < 0:
            turned.append(f"{short(str(name))} from {_how(high)} to {_how(low)}")
    if not turned:
        return "No rule or scale that was tried turns a clear gain into a clear loss."
    return (
        "Rule, measure and scale can turn a clear gain into a clear loss: "
        + "; ".join(turned)
        + "."
    )


def _how(row: pd.Series) -> str:
    return f"{row['gain']:+.3f} ({row['measure']}, {row['rule']}, {row['scale']})"


def _worth(found: Atlas) -> str:
    rows = _rows(found, *HEADLINE)
    better, _, _ = _split(rows)
    any_better, any_worse, _ = _split(_rows(found, "best trio of all"))
    if not better:
        holds = "is not shown on any of these tasks"
    elif len(better) == len(rows):
        holds = "holds on all of these tasks"
    else:
        holds = "holds on some of these tasks and not on others"
    lead_harms = found.model.table.set_index("term")["ci_high"]["lead"] < 0
    when = (
        "A jury is worth trying where several judges are about equally strong; where one judge "
        "stands out, ask it alone. "
    )
    return (
        f"The paper's claim, that a jury of small models beats a large judge, {holds}: a trio of "
        f"small judges is clearly better than the best judge on {len(better)} of {len(rows)} "
        f"sources. With any judges as members it is clearly better on {len(any_better)} and "
        f"clearly worse on {len(any_worse)}. {when if lead_harms else ''}Label a few dozen items "
        "and measure before you spend."
    )


def _interval(row: pd.Series, which: str = "ci") -> str:
    low, high = row[f"{which}_low"], row[f"{which}_high"]
    return "(no interval)" if np.isnan(low) else f"[{low:.3f}, {high:.3f}]"
