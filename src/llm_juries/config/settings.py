"""The plain keys at the top of a command's config, read in one place into checked objects."""

from __future__ import annotations

from dataclasses import dataclass, fields

from omegaconf import DictConfig

from ..collect.policy import Policy
from ..data.dataset import Shard
from ..data.human_labels import HumanLabels
from ..errors import JuriesError
from ..files import check_path
from .build import pick


@dataclass(frozen=True)
class Places:
    """Where a command reads and writes; which of these keys it has, its yaml says.

    Parameters
    ----------
    store : str
        The folder in which verdicts and replies are kept.
    results : str
        A folder for the reproduction's tables, figures and page.
    answers : str, optional
        The table of answers to write.
    logs : str
        A folder for the output of jobs.
    output_dir : str
        A folder for what a run writes.

    Raises
    ------
    JuriesError
        If one is empty: it would be the folder at hand.
    """

    store: str = "outputs/store"
    results: str = "results/reproduction"
    answers: str | None = None
    logs: str = "outputs/jobs"
    output_dir: str = "."

    def __post_init__(self) -> None:
        for field in fields(self):
            check_path(getattr(self, field.name), field.name)


@dataclass(frozen=True)
class Settings:
    """What the plain keys of a config say, an object for each concern.

    Parameters
    ----------
    places : Places
    labels : HumanLabels
        `human`, `adjudicator`, `label_rule`, `annotators`.
    part : Shard
        `shard`, `shards`.
    policy : Policy
        `again`, `dry_run`, `max_cost_usd`, `mode` ...
    """

    places: Places
    labels: HumanLabels
    part: Shard
    policy: Policy


def settings(cfg: DictConfig) -> Settings:
    """Read the plain keys of a config; those that its command does not have keep their defaults.

    Raises
    ------
    JuriesError
        In one line: a value of the wrong type, or one that is out of range.
    """
    part = pick(cfg, Shard)
    if part.shards > 1 and part.shard is None:
        raise JuriesError(
            f"shards: is {part.shards} without shard; set shard=0 for the first part, or run all "
            f"with -m 'shard=range({part.shards})'"
        )
    return Settings(
        pick(cfg, Places),
        pick(cfg, HumanLabels),
        part,
        pick(cfg, Policy),
    )
