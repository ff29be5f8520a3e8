"""The paper's tables with our numbers beside the printed ones.

Ours are never the paper's: its human labels were not released, and its models are retired. So each
of our rows says how it differs, from the run's own facts, and the paper's rows without a
counterpart stay in the table, empty on our side, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ...analysis.costs import PAID, TODAY
from ...judges.pricing import Price
from .facts import Facts
from .inputs import StandIns

NAN = float("nan")
INTERVAL = ["ci_low", "ci_high"]
NOT_MEASURED = "not measured: "
"""Begins the text of a row of the paper without one of ours; the reason follows."""
NO_LABELS, NO_VERDICTS, NOT_RUN = "no labels", "no verdicts", "not in this run"


def table1(
    printed: pd.DataFrame, agreement: pd.DataFrame, stand_ins: StandIns, facts: Facts
) -> pd.DataFrame:
    """Set our kappas beside Table 1.

    Returns
    -------
    DataFrame
        A row each of the paper's (judge, dataset, paper_kappa) with one of ours beside it, and each
        of ours that the paper has nothing like: our_judge, our_dataset, kappa, ci_low, ci_high, n,
        missing, differs.
    """
    head = ["voter", "dataset", "kappa", *INTERVAL, "n", "missing"]
    agreement = agreement if not agreement.empty else pd.DataFrame(columns=head)
    ours = agreement[agreement["n"] > 0].rename(columns={"voter": "our_judge"})
    ours = ours.rename(columns={"dataset": "our_dataset"})
    ours = ours[["our_judge", "our_dataset", "kappa", *INTERVAL, "n", "missing"]]
    rows = set(zip(printed["judge"], printed["dataset"], strict=True))
    pairs = [
        {"judge": judge, "dataset": dataset, "our_judge": mine, "our_dataset": place}
        for judge, judges in stand_ins.judges.items()
        for mine in judges
        for dataset, places in stand_ins.datasets.items()
        for place in places
        if (judge, dataset) in rows
    ]
    columns = ["judge", "dataset", "our_judge", "our_dataset"]
    matched = ours.merge(pd.DataFrame(pairs, columns=columns), how="left")
    printed = printed.rename(columns={"kappa": "paper_kappa"})
    found = printed.merge(matched.dropna(subset="judge"), on=["judge", "dataset"], how="left")
    alone = matched[matched["judge"].isna()]
    table = pd.concat([found, alone], ignore_index=True)
    labelled = set(agreement.loc[agreement["n"] + agreement["missing"] > 0, "dataset"])

    def reason(judge: str, dataset: str) -> str:
        if not labelled & set(stand_ins.datasets.get(dataset, ())):
            return f"{dataset}: {facts.absent.get(dataset, NOT_RUN)}"
        return f"{judge} on {dataset}: {_unseated(judge, stand_ins, facts) or NO_VERDICTS}"

    reasons = list(map(reason, table["judge"], table["dataset"]))
    table["differs"] = _differences(table, stand_ins, facts, reasons)
    return _whole(table, "n", "missing")


def table2(
    printed: pd.DataFrame, correlation: pd.DataFrame, stand_ins: StandIns, facts: Facts
) -> pd.DataFrame:
    """Set our rankings' agreement with a reference ranking beside Table 2.

    The paper's "Pearson" is computed on ranks, which is Spearman's correlation.

    Returns
    -------
    DataFrame
        A row each of the paper's judges and correlations (judge, correlation, paper), with ours:
        our_judge, our_dataset, reference, models, value, ci_low, ci_high, differs.
    """
    names = {"pearson": "spearman", "kendall_tau": "kendall_tau_b"}
    wide = printed.melt("judge", list(names), "correlation", "paper")
    wide["correlation"] = wide["correlation"].map(names)
    head = ["our_judge", "our_dataset", "reference", "models", "value", *INTERVAL]
    if correlation.empty:
        ours = pd.DataFrame(columns=["correlation", *head])
    else:
        ours = correlation.rename(columns={"voter": "our_judge", "dataset": "our_dataset"})
        ours = ours[ours["correlation"].isin(names.values()) & (ours["kind"] != "lexical")]
        # One measure a voter: strengths if there are any, else the mean score or win rate.
        strengths = ours[ours["measure"] == "bradley_terry"].dropna(subset="value")
        others = ours[ours["measure"].isin(("mean_score", "win_rate"))]
        at = ["our_judge", "our_dataset", "reference", "correlation"]
        ours = pd.concat([strengths, others]).drop_duplicates(at)[["correlation", *head]]
    role = _roles(stand_ins.judges, printed["judge"])
    ours = ours.assign(judge=ours["our_judge"].map(role))
    found = wide.merge(ours.dropna(subset="judge"), on=["judge", "correlation"], how="left")
    table = pd.concat([found, ours[ours["judge"].isna()]], ignore_index=True)
    absent = facts.absent.get("table2", NO_VERDICTS)
    reasons = [
        f"{judge}: {_unseated(judge, stand_ins, facts) or absent}" for judge in table["judge"]
    ]
    table["differs"] = _differences(table, stand_ins, facts, reasons)
    columns = ["judge", "correlation", "paper", *head, "differs"]
    return _whole(table[columns], "models")


def table3(
    printed: pd.DataFrame,
    by_prompt: Sequence[tuple[str, pd.DataFrame]],
    stand_ins: StandIns,
    facts: Facts,
) -> pd.DataFrame:
    """Set the kappas of our large judge under several prompts beside Table 3.

    Returns
    -------
    DataFrame
        A row each of the paper's variants (prompt_variant, paper_kappa, status) with ours under a
        prompt of the same kind, and each of ours that the paper did not try: our_judge,
        our_dataset, our_prompt, kappa, ci_low, ci_high, n, missing, differs.
    """
    large = stand_ins.judges.get("GPT-4", ())
    frames = []
    for name, table in by_prompt:
        called = [_judge_and_prompt(str(voter), name) for voter in table["voter"]]
        own = table.assign(
            our_judge=[judge for judge, _ in called], our_prompt=[prompt for _, prompt in called]
        )
        frames.append(own[own["our_judge"].isin(large) & (own["n"] > 0)])
    head = ["our_judge", "our_dataset", "our_prompt", "kappa", *INTERVAL, "n", "missing"]
    ours = (
        pd.concat(frames, ignore_index=True).rename(columns={"dataset": "our_dataset"})[head]
        if frames
        else pd.DataFrame(columns=head)
    )
    role = _roles(stand_ins.prompts, printed["prompt_variant"])
    ours = ours.assign(prompt_variant=ours["our_prompt"].map(role))
    printed = printed.rename(columns={"kappa_kilt_nq": "paper_kappa"})
    found = printed.merge(ours.dropna(subset="prompt_variant"), on="prompt_variant", how="left")
    alone = ours[ours["prompt_variant"].isna()].sort_values("kappa", ascending=False, kind="stable")
    table = pd.concat([found, alone], ignore_index=True)
    absent = facts.absent.get("table3", NO_VERDICTS)
    reasons = [
        f"{variant}: {absent if stand_ins.prompts.get(variant) else NOT_RUN}"
        for variant in table["prompt_variant"]
    ]
    table["differs"] = _differences(table, stand_ins, facts, reasons)
    columns = ["prompt_variant", "paper_kappa", "status", *head, "differs"]
    return _whole(table[columns], "n", "missing")


def spread(
    spreads: pd.DataFrame, deltas: pd.DataFrame, stand_ins: StandIns, facts: Facts
) -> pd.DataFrame:
    """Measure how unevenly each voter treats the candidates, as Figures 3 and 4 do.

    Returns
    -------
    DataFrame
        A row a dataset and voter, the most even first: dataset, voter, kind; candidates (int); sd,
        the standard deviation over candidates of their accuracy under the voter less that under
        humans, with ci_low and ci_high, and highest, the candidate that gains most, with its delta
        (percentage points); differs.
    """
    head = [
        "dataset",
        "voter",
        "kind",
        "candidates",
        "sd",
        *INTERVAL,
        "highest",
        "delta",
        "differs",
    ]
    if spreads.empty:
        return pd.DataFrame(columns=head)
    most = deltas.dropna(subset="delta").sort_values("delta", kind="stable")
    most = most.groupby(["dataset", "voter"]).tail(1).rename(columns={"candidate": "highest"})
    table = spreads.rename(columns={"spread": "sd"}).merge(
        most[["dataset", "voter", "highest", "delta"]], on=["dataset", "voter"], how="left"
    )
    points = ["sd", *INTERVAL, "delta"]
    table[points] = 100 * table[points]
    table["differs"] = [
        facts.differences(voter, dataset, stand_ins)
        for voter, dataset in zip(table["voter"], table["dataset"], strict=True)
    ]
    return table.sort_values(["dataset", "sd"], kind="stable")[head].reset_index(drop=True)


def cost(
    printed: pd.DataFrame,
    prices: Mapping[str, Price],
    stand_ins: StandIns,
    paid: Mapping[str, tuple[float, float]] | None = None,
) -> pd.DataFrame:
    """Set what our judges' yamls charge beside section 4.5, in dollars a million tokens.

    `paid` are dollars for 1,000 items by judge, as `analysis.costs.dollars` returns them.

    Returns
    -------
    DataFrame
        Rows for the paper's jury, its large judge and how many times cheaper the jury is: system,
        paper_input_usd, paper_output_usd, ours, input_usd, output_usd; where the store has priced
        replies also usd_per_1000 and usd_per_1000_today, from their tokens.
    """
    rows: list[list[Any]] = []
    for at, roles in enumerate((("Command R", "Haiku", "GPT-3.5"), ("GPT-4",))):
        # One of ours a seat, the first that has a price. Without one the sum is not known.
        seats = [[n for n in stand_ins.judges.get(role, ()) if n in prices][:1] for role in roles]
        names = [name for seat in seats for name in seat]
        own = [prices[name] for name in names] if all(seats) else []
        measured = np.sum([(paid or {}).get(name, (NAN, NAN)) for name in names], axis=0)
        paper = printed.iloc[at]
        rows.append(
            [
                paper["system"],
                paper["input_usd"],
                paper["output_usd"],
                " + ".join(names),
                sum(price.input_usd for price in own) if own else NAN,
                sum(price.output_usd for price in own) if own else NAN,
                *(measured if own else (NAN, NAN)),
            ]
        )
    jury_row, large_row = rows
    ratio = [large_row[at] / jury_row[at] if jury_row[at] else NAN for at in (1, 2, 4, 5, 6, 7)]
    rows.append(["times cheaper", *ratio[:2], "", *ratio[2:]])
    head = ["system", "paper_input_usd", "paper_output_usd", "ours", "input_usd", "output_usd"]
    table = pd.DataFrame(rows, columns=[*head, PAID, TODAY])
    return table if table[PAID].notna().any() else table[head]


def _differences(
    table: pd.DataFrame, stand_ins: StandIns, facts: Facts, reasons: Sequence[str]
) -> list[str]:
    """Return how each row's judge and dataset differ from the paper's, or why there are none."""
    prompts = table["our_prompt"] if "our_prompt" in table else [""] * len(table)
    rows = zip(table["our_judge"], table["our_dataset"], prompts, reasons, strict=True)
    return [
        facts.differences(judge, dataset, stand_ins, prompt)
        if isinstance(judge, str)
        else f"{NOT_MEASURED}{reason}"
        for judge, dataset, prompt, reason in rows
    ]


def _unseated(judge: object, stand_ins: StandIns, facts: Facts) -> str:
    """Return that no judge of the run stands in for one of the paper's, "" if one does."""
    ours = stand_ins.judges.get(str(judge), ())
    return "" if facts.seats & set(ours) else NOT_RUN


def _roles(stand_ins: Mapping[str, Sequence[str]], printed: Iterable[str]) -> dict[str, str]:
    """Return what of the paper each of ours stands beside, where the paper prints it."""
    known = set(printed)
    return {mine: name for name, many in stand_ins.items() if name in known for mine in many}


def _judge_and_prompt(voter: str, prompt: str) -> tuple[str, str]:
    """Return a voter's judge and prompt; without a prompt, it is called judge@prompt or judge."""
    if prompt or "@" not in voter:
        return voter, prompt
    judge, _, recorded = voter.rpartition("@")
    return judge, recorded


def _whole(table: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """Return counts as whole numbers, empty where there is none."""
    return table.astype(dict.fromkeys(columns, "Int64"))
