"""The fields that the summary of every W&B run has, so that runs of all kinds compare in its UI.

The list is fixed, in `FIELDS`. A field that has no value in a run (no jury, no labels, no interval)
is absent from it; none is ever NaN or empty.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from ..analysis.changes import Difference
from ..analysis.costs import PAID
from ..analysis.measured import best_first, headline_of, ranked_by
from ..analysis.overview import leaders
from ..juries.panel import Panel

Fields = dict[str, float | str]
PREFIX = "summary/"
FIELDS = {
    "datasets": "how many datasets",
    "voters": "how many voters, juries included",
    "items": "items of all datasets; of a difference those in both runs",
    "labelled": "of them with a human label",
    "missing": "share of votes on labelled items that are missing, over all voters",
    "measure": "the headline measure, where all datasets have one",
    "best_judge": "the judge or string rule that agrees best with humans",
    "best_judge_agreement": "its agreement; over several datasets pooled, if all of them rank it",
    "best_judge_low": "lower end of its interval",
    "best_judge_high": "upper end of its interval",
    "best_jury": "the jury that agrees best with humans",
    "best_jury_agreement": "its agreement; over several datasets pooled, if all of them rank it",
    "best_jury_low": "lower end of its interval",
    "best_jury_high": "upper end of its interval",
    "best_jury_usd_per_1000": "dollars for 1,000 items with it",
    "gain": "best jury less the best judge, on common items; of one dataset",
    "gain_low": "lower end of its interval",
    "gain_high": "upper end of its interval",
    "changed_voter": "of a difference: the voter whose agreement changed most",
    "change": "its change",
    "change_low": "lower end of its interval",
    "change_high": "upper end of its interval",
    "finding": "what the change shows: clearly better, as good within the margin, not clear ...",
    "flipped": "of a difference: share of all votes that changed",
    "improved": "of a difference: votes that changed for the better, over all voters",
    "worsened": "of a difference: votes that changed for the worse, over all voters",
}
"""All fields and what they are, without `PREFIX`."""


def of_analysis(panels: Sequence[Panel], tables: Mapping[str, pd.DataFrame]) -> Fields:
    """Return the fields of an analysis of one dataset or several, from its tables."""
    agreement = tables.get("agreement", pd.DataFrame())
    found = _counts(panels, agreement)
    if "pooled" in tables:
        pooled = tables["pooled"]
        most = leaders(pooled)
        whole = most["ranked"] == tables["voter_ranks"]["dataset"].nunique()
        for kind, jury in (("best_judge", False), ("best_jury", True)):
            own = most[whole & ((most["kind"] == "jury") == jury)]
            if len(own):
                found |= _best(kind, own.iloc[0], "agreement", "ci_low", "ci_high")
        if len(set(pooled["measure"])) == 1:
            found["measure"] = str(pooled["measure"].iloc[0])
    elif len(agreement) and len(panels) == 1:
        found |= _of_one(agreement, tables)
    return _filled(found)


def _of_one(agreement: pd.DataFrame, tables: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    measure, by = headline_of(agreement), ranked_by(agreement)
    found: dict[str, Any] = {"measure": measure}
    able = best_first(agreement[agreement["eligible"] & agreement[by].notna()])
    ends = ("ci_low", "ci_high") if by == measure else ("", "")
    for kind, jury in (("best_judge", False), ("best_jury", True)):
        own = able[(able["kind"] == "jury") == jury]
        if len(own):
            found |= _best(kind, own.iloc[0], by, *ends)
    if "best_jury" not in found:
        return found
    costs = tables.get("costs", pd.DataFrame())
    if len(costs):
        paid = costs.set_index("voter")[PAID]
        found["best_jury_usd_per_1000"] = paid.get(found["best_jury"])
    against = tables.get("against_best", pd.DataFrame())
    if len(against):
        own = against[(against["jury"] == found["best_jury"]) & (against["beside"] == "best judge")]
        for _, row in own.iterrows():
            found |= {"gain": row["difference"]}
            found |= {"gain_low": row["ci_low"], "gain_high": row["ci_high"]}
    return found


def of_difference(differences: Sequence[Difference]) -> Fields:
    """Return the fields of a difference of one dataset or several."""
    changes = pd.concat([one.changes for one in differences], ignore_index=True)
    flips = pd.concat([one.flips for one in differences], ignore_index=True)
    found: dict[str, Any] = {
        "datasets": len(differences),
        "voters": len(set(flips["voter"])),
        "items": sum(one.items for one in differences),
    }
    if flips["n"].sum():
        found["flipped"] = flips["changed"].sum() / flips["n"].sum()
    for name in {"improved", "worsened"} & set(flips):
        found[name] = flips[name].sum()
    if changes.empty:
        return _filled(found)
    found["labelled"] = sum(
        int((one.changes["n"] + one.changes["missing"]).max()) if len(one.changes) else 0
        for one in differences
    )
    found["missing"] = changes["missing"].sum() / (changes["n"] + changes["missing"]).sum()
    if len(set(changes["measure"])) == 1:
        found["measure"] = changes["measure"].iloc[0]
    known = changes[changes["change"].notna()]
    if len(known):
        row = known.sort_values("change", key=abs, ascending=False, kind="stable").iloc[0]
        found |= {"changed_voter": row["voter"], "change": row["change"]}
        found |= {"change_low": row["ci_low"], "change_high": row["ci_high"]}
        found["finding"] = row["finding"]
    if len(differences) == 1:
        ranks = differences[0].ranks
        placed = ranks[ranks["rank_after"].notna()]
        for kind, jury in (("best_judge", False), ("best_jury", True)):
            own = placed[(placed["kind"] == "jury") == jury]
            if len(own):
                first = own.iloc[0]
                found[kind] = first["replaced_by"] or first["voter"]
                found[f"{kind}_agreement"] = first["after"]
    return _filled(found)


def _counts(panels: Sequence[Panel], agreement: pd.DataFrame) -> dict[str, Any]:
    found: dict[str, Any] = {
        "datasets": len(panels),
        "voters": len({name for panel in panels for name in panel.votes.names}),
        "items": sum(len(panel.questions) for panel in panels),
        "labelled": sum(int((panel.preferences == panel.preferences).sum()) for panel in panels),
    }
    if len(agreement) and (total := (agreement["n"] + agreement["missing"]).sum()):
        found["missing"] = agreement["missing"].sum() / total
    return found


def _best(kind: str, row: pd.Series[Any], value: str, low: str, high: str) -> dict[str, Any]:
    ends = {f"{kind}_low": row.get(low), f"{kind}_high": row.get(high)}
    return {kind: row["voter"], f"{kind}_agreement": row[value], **ends}


def _filled(found: Mapping[str, Any]) -> Fields:
    """Return the fields that have a value, in the order of `FIELDS`."""
    made: Fields = {}
    for name in FIELDS:
        value = found.get(name)
        if isinstance(value, str):
            made |= {PREFIX + name: value} if value else {}
        elif value is not None and math.isfinite(value):
            made[PREFIX + name] = float(value)
    return made
