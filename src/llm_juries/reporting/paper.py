"""The paper's tables and figures from stored verdicts, its printed numbers beside ours.

Ours are never the paper's: its human labels were not released, some of its models are gone, and
where nothing new was asked, recorded verdicts of other judges on other answers stand in. So each of
our rows says in words how it differs, and the paper's rows that nothing of ours stands beside stay
in the table, empty on our side.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from ..analysis.agreement import agreement_table, delta_table
from ..analysis.bias import spread_table
from ..analysis.rankings import FEWEST, Rankings, correlation_table, ranking_table
from ..data.tables import located
from ..files import write_text
from ..judges.pricing import Price
from ..juries.panel import Panel
from ..markdown import markdown
from ..metrics.bootstrap import Bootstrap
from . import drawing, figures, tables

if TYPE_CHECKING:
    from matplotlib.figure import Figure


NAN = float("nan")
INTERVAL = ["ci_low", "ci_high"]
NOT_MEASURED = "not measured"
SEPARATOR = " | "


@dataclass(frozen=True)
class Paper:
    """What the paper prints, as tables.

    Parameters
    ----------
    table1, table2, table3, cost : str
        CSV files: judge, dataset, kappa; judge, pearson, kendall_tau; prompt_variant and a kappa;
        system, input_usd, output_usd.
    """

    table1: str = "package:results/paper/table1_kappa.csv"
    table2: str = "package:results/paper/table2_arena_correlation.csv"
    table3: str = "package:results/paper/table3_gpt4_prompt_ablation.csv"
    cost: str = "package:results/paper/cost_per_million_tokens.csv"


@dataclass(frozen=True)
class StandIns:
    """What of ours stands beside what of the paper.

    Parameters
    ----------
    judges, datasets, prompts : mapping of str to sequence of str
        The paper's name, and ours that stand beside it where they were measured.
    differs : mapping of str to str
        How one of ours (a judge, a jury, a dataset) differs from the paper's, in words.
    """

    judges: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    datasets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    prompts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    differs: Mapping[str, str] = field(default_factory=dict)

    def words(self, *ours: str) -> str:
        """Return how these differ from the paper's, in one text."""
        return SEPARATOR.join(
            f"{name}: {self.differs[name]}" for name in ours if name in self.differs
        )


@dataclass(frozen=True)
class Reproduction:
    """The paper's tables with ours beside them, and what its figures are drawn from."""

    tables: Mapping[str, pd.DataFrame]
    agreement: pd.DataFrame
    ranking: pd.DataFrame
    deltas: pd.DataFrame


def reproduce(
    panels: Sequence[Panel],
    ablated: Sequence[tuple[str, Panel]],
    prices: Mapping[str, Price],
    paper: Paper,
    stand_ins: StandIns,
    bootstrap: Bootstrap,
    rankings: Rankings,
) -> Reproduction:
    """Measure what the paper measured.

    Parameters
    ----------
    panels : sequence of Panel
    ablated : sequence of (str, Panel)
        Panels under other prompts, for Table 3, with the prompt's name; "" for one whose voters
        are called judge/prompt.
    prices : mapping of str to Price
        Of each judge that has one.
    """
    agreement = _joined(agreement_table(panel, bootstrap) for panel in panels)
    pairs = [panel.dataset.name for panel in panels if panel.dataset.pairwise]
    single = agreement[~agreement["dataset"].isin(pairs)]
    ranking = _joined(ranking_table(panel, bootstrap, rankings) for panel in panels)
    correlation = _joined(correlation_table(panel, bootstrap, rankings) for panel in panels)
    deltas = _joined(delta_table(panel, bootstrap) for panel in panels)
    spreads = _joined(spread_table(panel, bootstrap) for panel in panels)
    by_prompt = [(name, agreement_table(panel, bootstrap)) for name, panel in ablated]
    return Reproduction(
        {
            "table1_kappa": table1(pd.read_csv(located(paper.table1)), single, stand_ins),
            "table2_ranking": table2(pd.read_csv(located(paper.table2)), correlation, stand_ins),
            "table3_prompts": table3(pd.read_csv(located(paper.table3)), by_prompt, stand_ins),
            "figures3_4_spread": spread(spreads, deltas, stand_ins),
            "figure5_cost": cost(pd.read_csv(located(paper.cost)), prices, stand_ins),
        },
        single,
        ranking,
        deltas,
    )


def table1(printed: pd.DataFrame, agreement: pd.DataFrame, stand_ins: StandIns) -> pd.DataFrame:
    """Set our kappas beside Table 1.

    Returns
    -------
    DataFrame
        A row each of the paper's (judge, dataset, paper_kappa) with one of ours beside it, and each
        of ours that the paper has nothing like: our_judge, our_dataset, kappa, ci_low, ci_high, n,
        missing, differs.
    """
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
    table["differs"] = [
        stand_ins.words(judge, dataset) if isinstance(judge, str) else NOT_MEASURED
        for judge, dataset in zip(table["our_judge"], table["our_dataset"], strict=True)
    ]
    return _whole(table, "n", "missing")


def table2(printed: pd.DataFrame, correlation: pd.DataFrame, stand_ins: StandIns) -> pd.DataFrame:
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
        # One measure a voter: strengths where there are any, else the mean score or win rate.
        strengths = ours[ours["measure"] == "bradley_terry"].dropna(subset="value")
        others = ours[ours["measure"].isin(("mean_score", "win_rate"))]
        at = ["our_judge", "our_dataset", "reference", "correlation"]
        ours = pd.concat([strengths, others]).drop_duplicates(at)[["correlation", *head]]
    role = _roles(stand_ins.judges, printed["judge"])
    ours = ours.assign(judge=ours["our_judge"].map(role))
    found = wide.merge(ours.dropna(subset="judge"), on=["judge", "correlation"], how="left")
    table = pd.concat([found, ours[ours["judge"].isna()]], ignore_index=True)
    table["differs"] = [
        stand_ins.words(judge, dataset) if isinstance(judge, str) else NOT_MEASURED
        for judge, dataset in zip(table["our_judge"], table["our_dataset"], strict=True)
    ]
    columns = ["judge", "correlation", "paper", *head, "differs"]
    return _whole(table[columns], "models")


def table3(
    printed: pd.DataFrame, by_prompt: Sequence[tuple[str, pd.DataFrame]], stand_ins: StandIns
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
    table["differs"] = [
        stand_ins.words(judge, dataset) if isinstance(judge, str) else NOT_MEASURED
        for judge, dataset in zip(table["our_judge"], table["our_dataset"], strict=True)
    ]
    columns = ["prompt_variant", "paper_kappa", "status", *head, "differs"]
    return _whole(table[columns], "n", "missing")


def spread(spreads: pd.DataFrame, deltas: pd.DataFrame, stand_ins: StandIns) -> pd.DataFrame:
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
        stand_ins.words(voter, dataset)
        for voter, dataset in zip(table["voter"], table["dataset"], strict=True)
    ]
    return table.sort_values(["dataset", "sd"], kind="stable")[head].reset_index(drop=True)


def cost(printed: pd.DataFrame, prices: Mapping[str, Price], stand_ins: StandIns) -> pd.DataFrame:
    """Set what our judges' yamls charge beside section 4.5, in dollars a million tokens.

    Returns
    -------
    DataFrame
        Rows for the paper's jury, its large judge and how many times cheaper the jury is: system,
        paper_input_usd, paper_output_usd, ours, input_usd, output_usd.
    """
    rows = []
    for at, roles in enumerate((("Command R", "Haiku", "GPT-3.5"), ("GPT-4",))):
        # One of ours a seat, the first that has a price. Without one the sum is not known.
        seats = [[n for n in stand_ins.judges.get(role, ()) if n in prices][:1] for role in roles]
        names = [name for seat in seats for name in seat]
        own = [prices[name] for name in names] if all(seats) else []
        paper = printed.iloc[at]
        rows.append(
            [
                paper["system"],
                paper["input_usd"],
                paper["output_usd"],
                " + ".join(names),
                sum(price.input_usd for price in own) if own else NAN,
                sum(price.output_usd for price in own) if own else NAN,
            ]
        )
    jury_row, large_row = rows
    ratio = [large_row[at] / jury_row[at] if jury_row[at] else NAN for at in (1, 2, 4, 5)]
    rows.append(["times cheaper", ratio[0], ratio[1], "", ratio[2], ratio[3]])
    head = ["system", "paper_input_usd", "paper_output_usd", "ours", "input_usd", "output_usd"]
    return pd.DataFrame(rows, columns=head)


def draw(
    found: Reproduction,
    paper: Paper,
    notes: Mapping[str, str],
    folder: Path,
    level: float,
    rankings: Rankings,
) -> list[Path]:
    """Draw the paper's figures from our verdicts; return the PNGs' paths."""
    drawn: dict[str, Figure] = {}
    measured = found.agreement[found.agreement["n"] > 0]
    if not measured.empty:
        printed = pd.read_csv(located(paper.table1))
        drawn["figure1_kappa"] = figures.printed_beside_ours(printed, measured, dict(notes), level)
    for dataset, rows in _datasets(found.ranking):
        best = drawing.headline(rows)
        if best["model"].nunique() < FEWEST or drawing.scored(best).empty:
            continue
        note = notes[dataset]
        drawn[f"figure1_ranks_{dataset}"] = figures.bump_chart(best, note)
        others = best[best["kind"].isin(("judge", "jury"))]
        for name, reference in drawing.references(best, rankings).items():
            if drawing.comparable(others, reference):
                against = "ranks" if name == "humans" else "leaderboard"
                drawn[f"figure2_{against}_{dataset}"] = figures.rank_against_reference(
                    others, reference, f"{note}; true rank: {Path(name).stem}"
                )
    for dataset, rows in _datasets(found.deltas):
        judged = rows[rows["n"] > 0]
        if not judged.empty:
            drawn[f"figures3_4_deltas_{dataset}"] = figures.delta_per_candidate(
                judged, notes[dataset], level
            )
    return [figures.save(figure, folder, name) for name, figure in drawn.items()]


def write(found: Reproduction, drawn: Sequence[Path], said: Sequence[str], folder: Path) -> None:
    """Write the tables (CSV, Markdown, LaTeX) and README.md, which shows them with the figures."""
    for name, table in found.tables.items():
        tables.write(table, folder / "tables", name)
    parts = [
        "# The paper's results beside ours",
        'Made by `make reproduce`. Printed numbers are those of "Replacing Judges with Juries" '
        "(arXiv 2404.18796), which prints no intervals. Ours have percentile bootstrap intervals "
        "over questions.",
        *said,
    ]
    for name, (title, text) in SECTIONS.items():
        parts += [f"## {title}", text]
        if name in found.tables:
            parts += _shown(found.tables[name])
        shown = [path for path in drawn if path.stem.startswith(FIGURES.get(name, (name,)))]
        parts += [f"![{path.stem}](figures/{path.name})" for path in shown]
    write_text(folder / "README.md", "\n\n".join(parts) + "\n")


SECTIONS = {
    "table1_kappa": (
        "Table 1 and Figure 1: agreement with humans",
        "Cohen's kappa with the human labels. In the paper the jury agrees most on two of three "
        "datasets; on HotpotQA one judge, Haiku, agrees more than the jury.",
    ),
    "figure1_ranks": (
        "Figure 1, top: the models' ranks under each judge",
        "Ranked by mean score; for pairs by strength.",
    ),
    "table2_ranking": (
        "Table 2 and Figure 2: agreement with a reference ranking",
        "The paper ranks nine models on Chatbot Arena Hard and compares with the Chatbot Arena "
        'leaderboard. Its "Pearson" is on ranks, so it is Spearman\'s correlation.',
    ),
    "table3_prompts": (
        "Table 3: one judge under several prompts",
        "The paper varies the prompt of GPT-4 on KILT NQ. Rows without a variant are prompts that "
        "the paper did not try.",
    ),
    "figures3_4_spread": (
        "Figures 3 and 4: each model's accuracy under a judge, less that under humans",
        "The paper prints the spread on its multi-hop sets: a standard deviation of 2.2 points for "
        "the jury, the smallest, and 6.1 for GPT-3.5, the largest; each judge's highest delta is "
        "for its own model. `sd` and `delta` are in percentage points.",
    ),
    "figure5_cost": (
        "Figure 5 and section 4.5: cost",
        "Dollars a million tokens at list prices of April 2024; ours are those in `conf/judge`.",
    ),
}
FIGURES = {
    "table1_kappa": ("figure1_kappa",),
    "figure1_ranks": ("figure1_ranks",),
    "table2_ranking": ("figure2",),
    "figures3_4_spread": ("figures3_4",),
}


def _shown(table: pd.DataFrame) -> list[str]:
    """Return a table as Markdown, with what differs in a list below rather than in its rows."""
    if "differs" not in table:
        return [markdown(table)]
    said = dict.fromkeys(
        part for text in table["differs"] for part in text.split(SEPARATOR) if part
    )
    shown = [markdown(table.drop(columns="differs"))]
    lines = [f"- {text}" for text in said if text != NOT_MEASURED]
    if lines:
        shown.append("How ours differ from the paper's:\n\n" + "\n".join(lines))
    if NOT_MEASURED in said:
        shown.append("Rows without ours were not measured: the store has no such verdicts.")
    return shown


def _datasets(table: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    if table.empty:
        return []
    return [(str(dataset), rows) for dataset, rows in table.groupby("dataset", sort=False)]


def _roles(stand_ins: Mapping[str, Sequence[str]], printed: Iterable[str]) -> dict[str, str]:
    """Return what of the paper each of ours stands beside, where the paper prints it."""
    known = set(printed)
    return {mine: name for name, many in stand_ins.items() if name in known for mine in many}


def _judge_and_prompt(voter: str, prompt: str) -> tuple[str, str]:
    """Return a voter's judge and prompt; without a prompt, it is called judge/prompt or judge."""
    if prompt or "/" not in voter:
        return voter, prompt
    judge, _, recorded = voter.rpartition("/")
    return judge, recorded


def _joined(parts: Iterable[pd.DataFrame]) -> pd.DataFrame:
    filled = [part for part in parts if not part.empty]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame()


def _whole(table: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """Return counts as whole numbers, empty where there is none."""
    return table.astype(dict.fromkeys(columns, "Int64"))
