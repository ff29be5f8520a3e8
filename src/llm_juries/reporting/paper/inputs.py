"""What a reproduction is given: the paper's printed numbers, our stand-ins, prices and settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pandas as pd
from omegaconf import DictConfig

from ...analysis.settings import Analysis
from ...config.analysis import read_analysis
from ...config.build import build
from ...data.tables import located
from ...judges.pricing import Price

SEPARATOR = " | "
"""Stands between the texts of a column `differs`."""


@dataclass(frozen=True)
class Paper:
    """The paper's printed numbers.

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

    def read(self, name: str) -> pd.DataFrame:
        """Return one of the tables, by the name of its parameter."""
        return pd.read_csv(located(getattr(self, name)))


@dataclass(frozen=True)
class StandIns:
    """Which of our judges, datasets and prompts stand in for which of the paper's.

    Parameters
    ----------
    judges, datasets, prompts : mapping of str to sequence of str
        Our names for each of the paper's; those that were measured stand beside it.
    models : mapping of str to sequence of str
        The models that the paper's judges are, as far as it is known: a judge of ours that was
        asked another one stands in its place.
    notes : mapping of str to str
        What is known of a judge of ours that its config and its replies do not say.
    """

    judges: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    datasets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    prompts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    models: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)

    def role(self, judge: str) -> str:
        """Return which of the paper's judges one of ours stands in for, "" for none."""
        return next((role for role, ours in self.judges.items() if judge in ours), "")


@dataclass(frozen=True)
class Settings:
    """How to reproduce: what stands beside what, and how our side is measured.

    Parameters
    ----------
    paper : Paper
    stand_ins : StandIns
    prices : mapping of str to Price
        Of the judges whose list prices are compared, of a run that asks none.
    analysis : Analysis
        Of which the jury search is not used.
    command : str
        What makes the page, for its first line.
    """

    paper: Paper = field(default_factory=Paper)
    stand_ins: StandIns = field(default_factory=StandIns)
    prices: Mapping[str, Price] = field(default_factory=dict)
    analysis: Analysis = field(default_factory=Analysis)
    command: str = "make reproduce"

    def standing(self, datasets: Mapping[str, tuple[str, ...]]) -> Settings:
        """Return these settings with our datasets by those of the paper that they stand beside."""
        return replace(self, stand_ins=replace(self.stand_ins, datasets=datasets))


def read_settings(cfg: DictConfig, experiment: str = "") -> Settings:
    """Build the settings that a finished config of conf/reproduce.yaml describes.

    `experiment` is the name of its protocol, for the page.
    """
    recorded = experiment in ("", "recorded")
    command = "make reproduce" if recorded else f"llm-juries reproduce experiment={experiment}"
    priced = [build(node, f"priced.{number}") for number, node in enumerate(cfg.priced)]
    return Settings(
        build(cfg.paper, "paper"),
        build(cfg.stand_ins, "stand_ins"),
        {judge.name: judge.price for judge in priced if judge.price is not None},
        read_analysis(cfg.analysis),
        command,
    )
