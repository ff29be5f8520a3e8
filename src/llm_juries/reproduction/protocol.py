"""The protocol of an experiment: its parts, who answers, who judges, and what each part feeds.

It is data: a yaml in conf/experiment. Building it reads no dataset, loads no model and sends
nothing, so that an experiment can be planned on a bare machine.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from omegaconf import DictConfig, OmegaConf, open_dict

from ..analysis.rankings import Rankings
from ..answers.rounds import Answering, check
from ..config.build import build, pick, read
from ..config.seating import Seating
from ..config.study import seating_of
from ..data.human_labels import LabelRule
from ..data.tables import located
from ..errors import JuriesError, nearest
from ..judges.base import Judge
from ..juries.pooling import Pooling
from ..juries.stored import Inconsistent
from ..prompts.prompt import Prompt

Feed = Literal["table1", "figure1", "table2", "table3", "figures3_4"]
NODES = ("dataset", "public", "prompt", "prompts", "answering", "retrieval")
"""Keys of a part that hold configs of objects."""


@dataclass(frozen=True)
class Words:
    """How many words texts have, for the estimate of what is not there yet.

    Parameters
    ----------
    question, reference, answer, document : int
    """

    question: int = 10
    reference: int = 3
    answer: int = 60
    document: int = 100


@dataclass(frozen=True)
class Options:
    """The plain keys of a part.

    Parameters
    ----------
    feeds : sequence of str
        The tables and figures that are made from it.
    stands_for : str
        The paper's dataset that it stands beside; "" for none.
    questions : int, optional
        How many the dataset has, for the plan; None where it is read at once.
    candidates : int, optional
        How many candidates' answers it comes with; None where they are written here.
    public_candidates : mapping of str to int
        How many answers a question has in each public set, for the plan.
    limit : int, optional
        How many of its questions are drawn.
    answers : str, optional
        A table of answers of your own, which is judged in place of those written here.
    large : str
        The judge whose prompts are varied, of a part with `prompts`.
    pooling : mapping
        Fields of juries that are otherwise here: {rule: mean, ties: half}.
    ranking : mapping
        Settings of `analysis.ranking` that are otherwise here.
    inconsistent : str, optional
        In place of `analysis.inconsistent`.
    words : Words
    """

    feeds: tuple[Feed, ...]
    stands_for: str = ""
    questions: int | None = None
    candidates: int | None = None
    public_candidates: Mapping[str, int] = field(default_factory=dict)
    limit: int | None = None
    answers: str | None = None
    large: str = ""
    pooling: Mapping[str, Any] = field(default_factory=dict)
    ranking: Mapping[str, Any] = field(default_factory=dict)
    inconsistent: Inconsistent | None = None
    words: Words = field(default_factory=Words)


@dataclass(frozen=True)
class Part:
    """A dataset of the experiment, and how it is answered, judged and pooled.

    Attributes
    ----------
    name : str
    options : Options
    dataset : DictConfig
        The config of its questions, or of its answers where they are published. Not built yet.
    prompt : Prompt
    juries : tuple of Pooling
    ranking : Rankings
    inconsistent : str
    variants : tuple of Prompt
        The prompts that Table 3 compares here, the part's own left out.
    answering : Answering, optional
        None where the answers come with the dataset.
    retriever : object
        As its yaml builds it, before it is ready to search.
    """

    name: str
    options: Options
    dataset: DictConfig
    prompt: Prompt
    juries: tuple[Pooling, ...]
    ranking: Rankings
    inconsistent: Inconsistent
    variants: tuple[Prompt, ...] = ()
    answering: Answering | None = None
    retriever: Any = None

    @property
    def written(self) -> bool:
        """Whether its answers are written by this experiment's candidates."""
        return self.answering is not None and self.options.answers is None

    @property
    def questions(self) -> int | None:
        """How many questions are drawn, None where only the dataset itself can say."""
        known = [n for n in (self.dataset.get("limit"), self.options.questions) if n is not None]
        return min(known, default=None)


@dataclass(frozen=True)
class Protocol:
    """An experiment: see `protocol_of`.

    Attributes
    ----------
    parts : tuple of Part
    candidates : tuple of Judge
        Who answers.
    seating : Seating
        Who judges.
    public : bool
        Whether public labelled sets stand in the place of parts that would be labelled by hand.
    left_out : mapping of str to str
        Parts for which there is no public labelled set, with the paper's datasets they stand for.
    human : mapping of str to str
        Files of labels by part.
    adjudicator, label_rule : str, optional
        How the labels of several annotators combine; see `HumanLabels`.
    folder : Path
        Where answers, sheets, labels, tables, figures and the page are written.
    """

    parts: tuple[Part, ...]
    candidates: tuple[Judge, ...]
    seating: Seating
    public: bool
    left_out: Mapping[str, str]
    human: Mapping[str, str]
    adjudicator: str | None
    label_rule: LabelRule | None
    folder: Path

    def answers(self, part: Part) -> Path:
        """Return the table of a part's answers."""
        return Path(part.options.answers or self.folder / "answers" / f"{part.name}.jsonl")

    def sheet(self, part: Part) -> Path:
        """Return the sheet on which a part's answers are labelled."""
        return self.folder / "sheets" / f"{part.name}.csv"

    def sheets(self, part: Part) -> list[Path]:
        """Return the sheets of a part so far: PART.csv, and PART_2.csv ... for later answers."""
        further = (self.sheet(part).with_stem(f"{part.name}_{n}") for n in itertools.count(2))
        return list(itertools.takewhile(Path.is_file, itertools.chain([self.sheet(part)], further)))

    def next_sheet(self, part: Part) -> Path:
        """Return the sheet for answers that are on none so far."""
        number = len(self.sheets(part)) + 1
        return (
            self.sheet(part) if number == 1 else self.sheet(part).with_stem(f"{part.name}_{number}")
        )


@dataclass(frozen=True)
class _Plain:
    """The plain keys of the config, checked."""

    labels: Literal["own", "public"] = "own"
    human: Mapping[str, str] | None = None
    adjudicator: str | None = None
    label_rule: LabelRule | None = None
    limit: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.limit is not None and self.limit < 1:
            raise JuriesError(f"limit: is {self.limit}; set 1 or more, or null")


def protocol_of(cfg: DictConfig, folder: Path) -> Protocol:
    """Build the protocol that a finished config of reproduce describes.

    Raises
    ------
    JuriesError
        In one line: a wrong key or type, labels for a part that there is not, a file of labels that
        is missing, parts of a config that do not fit each other.
    """
    plain = pick(cfg, _Plain)
    public = plain.labels == "public"
    judges = seating_of(cfg)
    candidates = [build(node, f"candidates.{n}") for n, node in sorted(cfg.candidates.items())]
    parts: list[Part] = []
    left_out: dict[str, str] = {}
    for name, node in cfg.parts.items():
        if node is None:  # parts.NAME=null leaves one out
            continue
        options = read(Options, _plain(node), f"parts.{name}")
        if not public or not _labelled_by_hand(node, options):
            parts.append(_part(cfg, str(name), node, options))
            continue
        public_sets = enumerate(node.get("public") or ())
        sets = [_published(cfg, one, node, options, varied=not at) for at, one in public_sets]
        parts += sets
        if not sets:
            left_out[str(name)] = options.stands_for
    if not parts:
        raise JuriesError("parts: there is none; name an experiment, such as experiment=paper_2026")
    for part in parts:
        if part.written:
            assert part.answering is not None  # noqa: S101 - see `written`
            try:
                check(part.answering, candidates, part.retriever)
            except JuriesError as error:
                raise JuriesError(f"parts.{part.name}: {error}") from None
    names = [part.name for part in parts]
    human = plain.human or {}
    for key in human:
        if key not in names:
            raise JuriesError(f"human: there is no part {key!r}{nearest(key, names)}")
        try:
            located(human[key])
        except JuriesError as error:
            raise JuriesError(f"human.{key}: {error}") from None
    return Protocol(
        tuple(parts), tuple(candidates), judges, public, left_out, human, plain.adjudicator,
        plain.label_rule, folder,
    )  # fmt: skip


def _plain(node: DictConfig) -> DictConfig:
    """Return a part's node without the configs of objects."""
    found = OmegaConf.masked_copy(node, [str(key) for key in node if key not in NODES])
    assert isinstance(found, DictConfig)  # noqa: S101 - of a DictConfig
    return found


def _labelled_by_hand(node: DictConfig, options: Options) -> bool:
    """Return whether a part has labels only once somebody writes them."""
    return node.get("answering") is not None or options.answers is not None


def _published(
    cfg: DictConfig, dataset: DictConfig, node: DictConfig, options: Options, *, varied: bool
) -> Part:
    """Return the part that a public labelled set is in the place of another.

    The first of several is `varied`: the large judge is asked about it under all prompts.
    """
    prompts = node.get("prompts") or [] if varied else []
    own = OmegaConf.create({"dataset": dataset, "prompt": node.prompt, "prompts": prompts})
    plain = replace(
        options,
        feeds=tuple(feed for feed in options.feeds if varied or feed != "table3"),
        questions=None,
        candidates=options.public_candidates.get(str(dataset.name)),
    )
    return _part(cfg, str(dataset.name), own, plain)


def _part(cfg: DictConfig, name: str, node: DictConfig, options: Options) -> Part:
    place = f"parts.{name}"
    for key in ("dataset", "prompt"):
        if node.get(key) is None:
            raise JuriesError(f"{place}.{key}: is required; name one of conf/{key}")
    dataset = node.dataset.copy()
    with open_dict(dataset):
        limit = options.limit if cfg.limit is None else cfg.limit
        if limit is not None and "limit" in dataset:
            dataset.limit = limit
        if "seed" in dataset and dataset.get("limit") is not None:
            dataset.seed = cfg.seed
    prompt = build(node.prompt, f"{place}.prompt")
    variants = [build(one, f"{place}.prompts") for one in node.get("prompts") or ()]
    if variants and options.large not in cfg.judges:
        raise JuriesError(
            f"{place}.large: there is no judge {options.large!r}"
            f"{nearest(options.large, [*map(str, cfg.judges)])}"
        )
    answering, retriever = None, None
    if node.get("answering") is not None:
        answering = build(node.answering, f"{place}.answering")
        own = node.get("retrieval")
        where = "retrieval" if own is None else f"{place}.retrieval"
        retriever = build(cfg.retrieval if own is None else own, where)
    ranking = OmegaConf.merge(cfg.analysis.ranking, dict(options.ranking))
    assert isinstance(ranking, DictConfig)  # noqa: S101 - a merge of DictConfigs
    return Part(
        name,
        options,
        dataset,
        prompt,
        tuple(_juries(cfg, options.pooling)),
        read(Rankings, ranking, f"{place}.ranking"),
        options.inconsistent or cfg.analysis.inconsistent,
        tuple(one for one in variants if one != prompt),
        answering,
        retriever,
    )


def _juries(cfg: DictConfig, pooling: Mapping[str, Any]) -> Sequence[Pooling]:
    found = []
    for name, node in sorted(cfg.juries.items()):
        own = OmegaConf.merge(node, dict(pooling))
        assert isinstance(own, DictConfig)  # noqa: S101 - a merge of DictConfigs
        found.append(build(own, f"juries.{name}"))
    return found
