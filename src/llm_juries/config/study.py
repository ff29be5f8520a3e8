"""Build the studies that a config describes: datasets, prompts, judges and juries.

Every mistake in a config is found here, before any judge is asked.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from omegaconf import DictConfig

from ..data.dataset import Dataset
from ..errors import JuriesError, nearest
from ..judges.base import Judge
from ..judges.recorded import recorded_judges
from ..juries.criteria import check_criteria
from ..juries.pooling import Pooling, renamed
from ..prompts.prompt import Prompt
from ..seats import Seat, seat_of, seats_of
from ..store.plan import Plan, check_distinct
from ..study import Study
from . import named
from .build import RESOURCES, build
from .keys import choices
from .seating import Seating, members_of, shared_weights
from .settings import settings

log = logging.getLogger(__name__)
SUBJECT = (
    "dataset",
    "datasets",
    "prompt",
    "prompts",
    "human",
    "adjudicator",
    "label_rule",
    "annotators",
)
"""The keys that say what is judged: with a judge, they determine a verdict."""
VOTERS = ("judge", "jury", "judges", "juries", "seats", "experiment")
"""The keys that name who judges."""


def studies(cfg: DictConfig) -> list[Study]:
    """Build what a finished config of judge or analyze describes.

    One study for each dataset (`dataset`, or all of `datasets`) and prompt (`prompt`, or all of
    `prompts`). The labels of `human` go to the first dataset. A judge takes part where there is
    something it can judge (a language model needs texts, a recorded judge its recording), a jury
    where all of its members do. Under several prompts a study's dataset is called DATASET@PROMPT.

    Parameters
    ----------
    cfg : DictConfig
        As `composing.finish` returns it.

    Raises
    ------
    JuriesError
        In one line: a wrong key or type, a missing file, a jury of which no dataset has all
        members, a judge that has nothing to judge.
    """
    seating = seating_of(cfg)
    juries = [build(node, f"juries.{name}") for name, node in sorted(cfg.juries.items())]
    shown = _prompts(cfg)
    part, several = settings(cfg).part, len(shown) > 1
    datasets = _datasets(cfg)
    names = [dataset.name for dataset in datasets]
    for name in {name for name in names if names.count(name) > 1}:
        raise JuriesError(f"two datasets have the name {name!r}; set a name for one of them")
    by_prompt = [_labelled(cfg, datasets, prompt) for prompt in shown]
    found = [
        _named(study_of(dataset.shard(part), prompt, seating, juries), prompt, several=several)
        for one in zip(*by_prompt, strict=True)
        for dataset, prompt in zip(one, shown, strict=True)
    ]
    check_used(found, seating, juries)
    for jury in juries:
        for line in shared_weights(jury, seating.judges):
            log.info("%s", line)
    return found


def judges_of(cfg: DictConfig) -> dict[str, Judge]:
    """Build the judges of a finished config, by name; no data is read.

    Raises
    ------
    JuriesError
        In one line: a wrong key or type, or two judges of one name.
    """
    judges: dict[str, Judge] = {}
    for name, node in sorted(cfg.judges.items()):
        judge = build(node, f"judges.{name}")
        if judge.name in judges:
            raise JuriesError(f"judges.{name}.name: another judge is called {judge.name!r} too")
        judges[judge.name] = judge
    return judges


def gpu_memory(cfg: DictConfig) -> dict[str, float]:
    """Return the memory in GB that each GPU of a judge needs, by its name, where a yaml says it."""
    found = {name: node.get(RESOURCES) or {} for name, node in cfg.judges.items()}
    return {str(name): float(needs.get("gpu_gb") or 0.0) for name, needs in found.items()}


def seating_of(cfg: DictConfig) -> Seating:
    """Build the judges of a finished config, with the seats they take."""
    judges = judges_of(cfg)
    nodes = cfg.get("seat_prompts") or {}
    prompts = {name: build(node, f"seat_prompts.{name}") for name, node in nodes.items()}
    return Seating(judges, list(cfg.seats), prompts)


def _datasets(cfg: DictConfig) -> list[Dataset]:
    """Build the datasets of a config, with their own labels."""
    nodes = {f"datasets.{number}": node for number, node in enumerate(cfg.datasets)}
    nodes = nodes or {"dataset": cfg.dataset}
    return [build(node, path) for path, node in nodes.items()]


def _labelled(cfg: DictConfig, datasets: Sequence[Dataset], prompt: Prompt) -> list[Dataset]:
    """Return datasets by the criteria of a prompt; the first has the labels of `human`, if any."""
    first, *others = (dataset.by_criteria(prompt.criteria) for dataset in datasets)
    node = cfg.datasets[0] if cfg.datasets else cfg.dataset
    sampled = node.get("limit") is not None
    return [settings(cfg).labels.join(first, sampled=sampled), *others]


def _prompts(cfg: DictConfig) -> list[Prompt]:
    if not cfg.prompts:
        return [build(cfg.prompt, "prompt")]
    return [build(node, f"prompts.{number}") for number, node in enumerate(cfg.prompts)]


def _named(study: Study, prompt: Prompt, *, several: bool) -> Study:
    """Return a study whose dataset is told apart from the same one under another prompt."""
    if not several:
        return study
    name = f"{study.dataset.name}@{prompt.name}"
    return replace(study, dataset=replace(study.dataset, name=name))


def source_of(study: Study) -> str:
    """Return where a study's verdicts and labels come from, in one line."""
    if not study.plans:
        return f"votes on criteria, pooled; labels: {study.dataset.labels}"
    live = any(not plan.judge.free for plan in study.plans)
    recorded = bool(study.dataset.recordings)
    verdicts = "verdicts asked by this package" if live else ""
    if recorded:
        verdicts = "recorded verdicts, not asked here" + (f"; {verdicts}" if live else "")
    return f"{verdicts or 'string rules'}; labels: {study.dataset.labels}"


def study_of(dataset: Dataset, prompt: Prompt, seating: Seating, juries: list[Pooling]) -> Study:
    """Return a dataset's study: its recorded judges, those with something to judge, its juries.

    Raises
    ------
    JuriesError
        If the dataset has questions without answers, a name stands for two voters, or the prompt
        does not suit the items.
    """
    dataset = dataset.by_criteria(prompt.criteria)
    first = next(iter(dataset.items), None)
    if first is not None and not (first.candidate or first.answer):
        raise JuriesError(
            f"dataset {dataset.name}: has questions without answers; answer them first with "
            "`llm-juries answer` and judge the table it writes (dataset=jsonl dataset.path=FILE)"
        )
    recorded = [Plan(judge, dataset, prompt) for judge in recorded_judges(dataset)]
    asked, voters = seating.plans(dataset, prompt, juries)
    taking_part = {plan.voter: plan for plan in recorded}
    for plan in asked:
        if plan.voter in taking_part:
            raise JuriesError(
                f"judge {plan.voter!r} is asked about {dataset.name}, whose recording has a judge "
                "of that name; rename one"
            )
        taking_part[plan.voter] = plan
        if first is not None and not plan.judge.free:
            _check_suited(plan.prompt, dataset.name, pairs=bool(first.opponent))
    plans = tuple(sorted(taking_part.values(), key=lambda plan: plan.seat))
    check_distinct(plans)
    for name in {jury.name for jury in juries} & set(taking_part):
        raise JuriesError(f"{name!r} is both a judge and a jury; rename one")
    renamed_juries = (renamed(jury, voters) for jury in juries)
    seated = tuple(j for j in renamed_juries if set(members_of(j)) <= set(taking_part))
    for jury in seated:
        if (weights := getattr(jury, "criteria", None)) is not None:
            known = {item.criterion for item in dataset.items}
            check_criteria(f"jury {jury.name}: criteria", weights, known)
    return Study(dataset, plans, seated)


def _check_suited(prompt: Any, dataset: str, *, pairs: bool) -> None:
    """Raise JuriesError where judges would see half of a pair, or nothing to compare with."""
    if pairs and not prompt.compares:
        raise JuriesError(
            f"prompt {prompt.name}: shows one answer, and dataset {dataset} holds pairs; take one "
            "that names opponent_answer, such as prompt=pairwise"
        )
    if prompt.compares and not pairs:
        raise JuriesError(
            f"prompt {prompt.name}: compares two answers, and dataset {dataset} holds single ones; "
            "take one that does not name opponent_answer, such as prompt=single_point"
        )


def check_used(found: Sequence[Study], seating: Seating, juries: Sequence[Pooling]) -> None:
    """Raise JuriesError for a seat or judge with nothing to judge, and a jury without members."""
    everyone = {plan.voter for study in found for plan in study.plans}
    everyone |= {plan.judge.name for study in found for plan in study.plans}
    for seat in seats_of(seating.named, everyone):
        if seat.judge not in everyone | set(seating.judges):
            known = nearest(seat.judge, sorted({*everyone, *named.names("judge")}))
            raise JuriesError(f"seats: {seat}: there is no judge {seat.judge!r}{known}")
        if seat.judge not in seating.judges and str(seat) not in everyone:
            raise JuriesError(f"seats: {seat}: {_only_recorded(seat)}")
    for name in seating.judges:
        if name not in everyone:
            raise JuriesError(
                f"judge {name}: has nothing to judge in "
                f"{', '.join(study.dataset.name for study in found)} (no texts or no references)"
            )
    for jury in juries:
        if not any(jury.name == other.name for study in found for other in study.juries):
            absent = [member for member in members_of(jury) if member not in everyone]
            absent = [one for one in absent if seat_of(one).judge not in seating.judges]
            if not absent:
                raise JuriesError(f"jury {jury.name}: no dataset has all of its members")
            seat = seat_of(absent[0])
            if seat.judge in everyone and str(seat) != seat.judge:
                raise JuriesError(f"jury {jury.name}: {seat}: {_only_recorded(seat)}")
            alike = sorted(everyone | set(choices("judge")))
            raise JuriesError(
                f"jury {jury.name}: there is no judge {absent[0]!r}{nearest(absent[0], alike)}"
            )


def _only_recorded(seat: Seat) -> str:
    return f"{seat.judge} is recorded, and its recording has no such answer; name what it has"
