"""Build the studies that a config describes: datasets, prompts, judges and juries.

Every mistake in a config is found here, before any judge is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from omegaconf import DictConfig

from ..data.dataset import Dataset
from ..errors import JuriesError, nearest
from ..judges.base import Judge
from ..judges.recorded import recorded_judges
from ..juries.pooling import Pooling, seats_of
from ..prompts.prompt import Prompt
from ..store.plan import Plan
from ..study import Study
from .build import build
from .keys import choices
from .settings import settings

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
VOTERS = ("judge", "jury", "judges", "juries", "experiment")
"""The keys that name who judges."""


def studies(cfg: DictConfig, prompts: Sequence[DictConfig] | None = None) -> list[Study]:
    """Build what a finished config of judge, analyze or reproduce describes.

    One study for each dataset (`dataset`, or all of `datasets`) and prompt (`prompt`, or all of
    `prompts`). The labels of `human` go to the first dataset. A judge takes part where there is
    something it can judge (a language model needs texts, a recorded judge its recording), a jury
    where all of its members do. Under several prompts a study's dataset is called DATASET@PROMPT.

    Parameters
    ----------
    cfg : DictConfig
        As `composing.finish` returns it.
    prompts : sequence of DictConfig, optional
        In place of the config's.

    Raises
    ------
    JuriesError
        In one line: a wrong key or type, a missing file, a jury of which no dataset has all
        members, a judge that has nothing to judge.
    """
    judges = _judges(cfg)
    juries = [build(node, f"juries.{name}") for name, node in sorted(cfg.juries.items())]
    shown = _prompts(cfg, prompts)
    part = settings(cfg).part
    datasets = [dataset.shard(part) for dataset in _datasets(cfg)]
    names = [dataset.name for dataset in datasets]
    for name in {name for name in names if names.count(name) > 1}:
        raise JuriesError(f"two datasets have the name {name!r}; set a name for one of them")
    found = [
        _named(study_of(dataset, prompt, judges, juries), prompt, several=len(shown) > 1)
        for dataset in datasets
        for prompt in shown
    ]
    _check_used(found, judges, juries)
    return found


def ablations(cfg: DictConfig) -> list[tuple[str, Study]]:
    """Build the prompt comparisons that a finished config of reproduce describes.

    The judges on the first dataset under each of `prompts`, with the prompt's name, and the
    recordings of `ablated` under all of their prompts, with "" for a name.

    Raises
    ------
    JuriesError
        As `studies` does.
    """
    judges = _judges(cfg)
    found: list[tuple[str, Study]] = []
    if cfg.prompts:
        dataset = _datasets(cfg)[0]
        found += [
            (prompt.name, study_of(dataset, prompt, judges, []))
            for prompt in _prompts(cfg, cfg.prompts)
        ]
    for number, node in enumerate(cfg.ablated or []):
        recorded = build(node, f"ablated.{number}")
        found.append(("", study_of(recorded, build(cfg.prompt, "prompt"), {}, [])))
    return found


def _judges(cfg: DictConfig) -> dict[str, Judge]:
    return {name: build(node, f"judges.{name}") for name, node in sorted(cfg.judges.items())}


def _datasets(cfg: DictConfig) -> list[Dataset]:
    """Build the datasets of a config; the first has the labels of `human`, if there are any."""
    nodes = {f"datasets.{number}": node for number, node in enumerate(cfg.datasets)}
    nodes = nodes or {"dataset": cfg.dataset}
    datasets = [build(node, path) for path, node in nodes.items()]
    sampled = next(iter(nodes.values())).get("limit") is not None
    return [settings(cfg).labels.join(datasets[0], sampled=sampled), *datasets[1:]]


def _prompts(cfg: DictConfig, nodes: Sequence[DictConfig] | None) -> list[Prompt]:
    chosen = cfg.prompts if nodes is None else nodes
    if not chosen:
        return [build(cfg.prompt, "prompt")]
    return [build(node, f"prompts.{number}") for number, node in enumerate(chosen)]


def _named(study: Study, prompt: Prompt, *, several: bool) -> Study:
    """Return a study whose dataset is told apart from the same one under another prompt."""
    if not several:
        return study
    name = f"{study.dataset.name}@{prompt.name}"
    return replace(study, dataset=replace(study.dataset, name=name))


def source_of(study: Study) -> str:
    """Return where a study's verdicts and labels come from, in one line."""
    live = any(not plan.judge.free for plan in study.plans)
    recorded = bool(study.dataset.recordings)
    verdicts = "verdicts asked by this package" if live else ""
    if recorded:
        verdicts = "recorded verdicts, not asked here" + (f"; {verdicts}" if live else "")
    return f"{verdicts or 'string rules'}; labels: {study.dataset.labels}"


def study_of(
    dataset: Dataset, prompt: Prompt, judges: dict[str, Judge], juries: list[Pooling]
) -> Study:
    """Return a dataset's study: its recorded judges, those with something to judge, its juries.

    Raises
    ------
    JuriesError
        If the dataset has questions without answers, a name stands for two voters, or the prompt
        does not suit the items.
    """
    first = next(iter(dataset.items), None)
    if first is not None and not (first.candidate or first.answer):
        raise JuriesError(
            f"dataset {dataset.name}: has questions without answers; answer them first with "
            "`llm-juries answer` and judge the table it writes (dataset=jsonl dataset.path=FILE)"
        )
    recorded: dict[str, Judge] = {judge.name: judge for judge in recorded_judges(dataset)}
    taking_part = dict(recorded)
    for name, judge in judges.items():
        if not any(True for _ in Plan(judge, dataset, prompt).requests()):
            continue
        if name in recorded:
            raise JuriesError(
                f"judge {name!r} is asked about {dataset.name}, whose recording has a judge of "
                "that name; rename one"
            )
        taking_part[name] = judge
    if first is not None and any(not judge.free for judge in taking_part.values()):
        _check_suited(prompt, dataset.name, pairs=bool(first.opponent))
    plans = tuple(Plan(judge, dataset, prompt) for _, judge in sorted(taking_part.items()))
    for name in {jury.name for jury in juries} & set(taking_part):
        raise JuriesError(f"{name!r} is both a judge and a jury; rename one")
    seated = tuple(jury for jury in juries if set(seats_of(jury)) <= set(taking_part))
    return Study(dataset, plans, seated)


def _check_suited(prompt: Prompt, dataset: str, *, pairs: bool) -> None:
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


def _check_used(found: list[Study], judges: dict[str, Judge], juries: list[Pooling]) -> None:
    everyone = {plan.judge.name for study in found for plan in study.plans}
    for name in judges:
        if name not in everyone:
            raise JuriesError(
                f"judge {name}: has nothing to judge in "
                f"{', '.join(study.dataset.name for study in found)} (no texts or no references)"
            )
    for jury in juries:
        if not any(jury in study.juries for study in found):
            absent = [member for member in seats_of(jury) if member not in everyone]
            if not absent:
                raise JuriesError(f"jury {jury.name}: no dataset has all of its members")
            known = sorted(everyone | set(choices("judge")))
            raise JuriesError(
                f"jury {jury.name}: there is no judge {absent[0]!r}{nearest(absent[0], known)}"
            )
