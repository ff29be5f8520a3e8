"""What a config describes: datasets, a prompt, judges and juries, all built and checked at once.

Everything that can be wrong with a config is found here, before anything is asked.
"""

from __future__ import annotations

from omegaconf import DictConfig

from ..data.dataset import Dataset, Shard
from ..data.human_labels import HumanLabels
from ..errors import JuriesError, nearest
from ..judges.base import Judge
from ..judges.recorded import recorded_judges
from ..juries.pooling import Pooling
from ..prompts.prompt import Prompt
from ..store.plan import Plan
from ..study import Study
from .build import build, pick


def studies(cfg: DictConfig) -> list[Study]:
    """Build what a config of scripts/judge.py or scripts/analyze.py describes.

    A study for `dataset`, with the labels of `human` if there are any, and one for each entry of
    `also`. A judge takes part where it has something to go by (a language model needs texts, a
    recorded judge its recording), a jury where all of its members do.

    Raises
    ------
    JuriesError
        In one line: a wrong key or type, a missing file, a jury that no dataset can seat, a judge
        that none can use.
    """
    prompt: Prompt = build(cfg.prompt, "prompt")
    judges = {name: build(node, f"judges.{name}") for name, node in sorted(cfg.judges.items())}
    juries = [build(node, f"juries.{name}") for name, node in sorted(cfg.juries.items())]
    nodes = {"dataset": cfg.dataset} | {f"also.{name}": node for name, node in cfg.also.items()}
    datasets = {path: build(node, path) for path, node in nodes.items()}
    sampled = cfg.dataset.get("limit") is not None
    datasets["dataset"] = pick(cfg, HumanLabels).join(datasets["dataset"], sampled=sampled)
    part = pick(cfg, Shard)
    found = [study_of(dataset.shard(part), prompt, judges, juries) for dataset in datasets.values()]
    names = [study.dataset.name for study in found]
    for name in {name for name in names if names.count(name) > 1}:
        raise JuriesError(f"two datasets have the name {name!r}; set a name for one of them")
    _check_used(found, judges, juries)
    return found


def ablations(cfg: DictConfig) -> list[tuple[str, Study]]:
    """Build what a config of scripts/reproduce.py compares prompts on.

    The judges on `dataset` under each of `prompts`, with the prompt's name, and recordings of
    `ablated` under all of their prompts, with "" for a name.

    Raises
    ------
    JuriesError
        As `studies` does.
    """
    judges = {name: build(node, f"judges.{name}") for name, node in sorted(cfg.judges.items())}
    found = []
    if cfg.get("prompts"):
        dataset = build(cfg.dataset, "dataset")
        sampled = cfg.dataset.get("limit") is not None
        dataset = pick(cfg, HumanLabels).join(dataset, sampled=sampled)
        for name, node in cfg.prompts.items():
            prompt = build(node, f"prompts.{name}")
            found.append((prompt.name, study_of(dataset, prompt, judges, [])))
    for name, node in (cfg.ablated or {}).items():
        recorded = build(node, f"ablated.{name}")
        found.append(("", study_of(recorded, build(cfg.prompt, "prompt"), {}, [])))
    return found


def source_of(study: Study) -> str:
    """Return who spoke and who labelled, in one line."""
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
            f"dataset {dataset.name}: holds questions without answers; answer them first with "
            "scripts/answer.py and judge the table that it writes (dataset=jsonl dataset.path=...)"
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
    seated = tuple(jury for jury in juries if set(jury.members) <= set(taking_part))
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
    for jury in juries:
        if not any(jury in study.juries for study in found):
            absent = [member for member in jury.members if member not in everyone]
            if not absent:
                raise JuriesError(f"jury {jury.name}: no dataset has all of its members")
            raise JuriesError(
                f"jury {jury.name}: there is no judge {absent[0]!r}{nearest(absent[0], everyone)}"
            )
    for name in judges:
        if name not in everyone:
            raise JuriesError(
                f"judge {name}: has nothing to judge in "
                f"{', '.join(study.dataset.name for study in found)} (no texts or no references)"
            )
