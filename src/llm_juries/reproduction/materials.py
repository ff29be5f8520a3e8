"""What an experiment has on this machine: datasets, answers, sheets and labels. Sends nothing."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
from omegaconf import DictConfig, OmegaConf

from ..config.build import build
from ..data import annotation_sheets, answer_tables
from ..data.dataset import AS_GIVEN, About, Dataset
from ..data.downloads import PublicFile, PublicFiles
from ..data.hub import HubFiles, is_held
from ..data.human_labels import HumanLabels
from ..data.tables import located, rows
from ..errors import JuriesError
from ..files import write_text
from ..types import Outcome
from .protocol import Part, Protocol

log = logging.getLogger(__name__)
ANNOTATOR = "annotator"
"""Whose labels a filled sheet holds, as nobody says."""


@dataclass(frozen=True)
class Written:
    """How a table of answers was made, kept beside it.

    Parameters
    ----------
    made_by : str
        A hash of everything that determines the answers.
    answering, retriever : str
    k, rounds, questions : int
    outcomes : mapping of str to mapping of str to int
        How many answers of each outcome by candidate; "" of those not asked.
    models : mapping of str to str
        The model that was asked, by candidate.
    answered_as : mapping of str to sequence of str
        The names that the servers reported.
    first, last : str
        The days of the first and the last reply.
    """

    made_by: str
    answering: str
    retriever: str
    k: int
    rounds: int
    questions: int
    outcomes: Mapping[str, Mapping[str, int]]
    models: Mapping[str, str]
    answered_as: Mapping[str, tuple[str, ...]]
    first: str = ""
    last: str = ""

    def open(self, again: tuple[Outcome, ...]) -> int:
        """Return how many answers a run would ask for."""
        wanted = {"", *map(str, again)}
        return sum(
            number
            for outcomes in self.outcomes.values()
            for outcome, number in outcomes.items()
            if outcome in wanted
        )

    @property
    def answers(self) -> int:
        """How many answers there are."""
        return sum(outcomes.get(Outcome.OK, 0) for outcomes in self.outcomes.values())

    def __str__(self) -> str:
        """Return in words how the answers were made, with what is missing."""
        missing = sum(sum(o.values()) for o in self.outcomes.values()) - self.answers
        said = []
        for name, model in self.models.items():
            reported = self.answered_as.get(name, ())
            as_ = f"answered as {', '.join(reported)}" if reported else "no name reported"
            said.append(model if reported == (model,) else f"{model} ({as_})")
        documents = f" from {self.retriever}, k={self.k}" if self.k else ""
        asked = " to ".join(dict.fromkeys(filter(None, (self.first, self.last))))
        return f"{', '.join(said)}; answered {asked} by {self.answering}{documents}" + (
            f"; {missing} answers missing" if missing else ""
        )


def written(protocol: Protocol, part: Part) -> Written | None:
    """Return how a part's answers were made, None where there is no table of them, or a part."""
    table = protocol.answers(part)
    path = _facts(table)
    if not path.is_file() or not table.is_file():
        return None
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Written)
    except msgspec.DecodeError as error:
        raise JuriesError(f"{path}: can't be read ({error}); delete it and run again") from None
    with table.open("rb") as lines:
        return found if sum(1 for _ in lines) == found.answers else None


def keep(protocol: Protocol, part: Part, made: Written) -> None:
    """Keep how a part's answers were made beside their table."""
    path = _facts(protocol.answers(part))
    write_text(path, json.dumps(asdict(made), indent=1, ensure_ascii=False) + "\n")


def stale(protocol: Protocol, part: Part) -> bool:
    """Return whether a part's answers are those of another sample, or of other candidates."""
    done = written(protocol, part)
    return done is not None and done.made_by != made_by(protocol, part)


def discard(protocol: Protocol, part: Part) -> None:
    """Delete the table of a part's answers; first how it was made, which is of that table."""
    for path in (_facts(protocol.answers(part)), protocol.answers(part)):
        path.unlink(missing_ok=True)


def made_by(protocol: Protocol, part: Part) -> str:
    """Return a hash of everything that determines a part's answers."""
    facts = [
        OmegaConf.to_container(part.dataset, resolve=True),
        [[judge.name, getattr(judge, "fingerprint", "")] for judge in protocol.candidates],
        repr(part.answering),
        repr(part.retriever),
    ]
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()[:16]


def described(retriever: Any) -> str:
    """Return a retriever in words, without the folders of this machine."""
    name = type(retriever).__name__
    if not is_dataclass(retriever):
        return name
    own = {one.name: getattr(retriever, one.name) for one in fields(retriever)}
    file = own.get("path") or getattr(own.get("source"), "url", "")
    said = [Path(file).name] if file else []
    said += [
        f"{key}={own[key]}" for key in ("collection", "form", "k1", "b", "depth") if key in own
    ]
    return f"{name}({', '.join(said)})"


def held(part: Part) -> bool:
    """Return whether the files of a part's dataset are on this machine."""
    return all(_held(part.dataset))


def sources(part: Part) -> str:
    """Return where the files of a part's dataset come from, for the plan."""
    found = dict.fromkeys(_homes(OmegaConf.to_container(part.dataset, resolve=True)))
    return ", ".join(found)


def dataset_of(protocol: Protocol, part: Part, *, download: bool = False) -> Dataset | str:
    """Return the answers of a part that are to be judged, or why there are none.

    Parameters
    ----------
    download : bool
        Whether files that are not on this machine may be downloaded.
    """
    if not part.written and part.options.answers is None:
        if not download and not held(part):
            return "not downloaded"
        found: Dataset = build(part.dataset, f"parts.{part.name}.dataset")
        return found.loaded()
    path = protocol.answers(part)
    if part.written and not path.is_file():
        return "no answers"
    if part.written and stale(protocol, part):
        return "no answers by these settings"
    about = AS_GIVEN if part.options.answers else About(labels="none")
    return answer_tables.load(str(path), part.name, about).loaded()


def to_label(protocol: Protocol, part: Part) -> bool:
    """Return whether a part's answers are labelled on a sheet, as no other labels are named."""
    own = part.written or part.options.answers is not None
    return own and part.name not in protocol.human and not protocol.public


def labelled(protocol: Protocol, part: Part, dataset: Dataset) -> Dataset:
    """Return a part's dataset with the labels of `human=`, or of its filled sheet.

    Raises
    ------
    JuriesError
        As an import of a sheet does, and as labels of a file are joined; if a file has no label of
        any answer.
    """
    file = protocol.human.get(part.name)
    into = protocol.folder / "labels" / f"{part.name}.csv"
    if file is None:
        if not to_label(protocol, part) or not _from_sheets(dataset, protocol.sheets(part), into):
            return dataset
        file = str(into)
    elif _is_sheet(located(file)):
        into.unlink(missing_ok=True)  # labels of other sheets, of an earlier run
        annotation_sheets.import_sheet(dataset, file, ANNOTATOR, str(into))
        file = str(into)
    how = HumanLabels(file, protocol.adjudicator, protocol.label_rule)
    joined = how.join(dataset, sampled=True)
    if all(item.human is None for item in joined.items):
        raise JuriesError(
            f"parts.{part.name}: {file}: none of its labels is of an answer in "
            f"{protocol.answers(part)}; compare item_id and candidate"
        )
    return joined


def _from_sheets(dataset: Dataset, sheets: Sequence[Path], into: Path) -> int:
    """Write the labels of all sheets of a part into one file, which they alone determine.

    Rows of answers that have been replaced since are left out: a label is one of a text.
    """
    into.unlink(missing_ok=True)
    labels = 0
    for sheet in sheets:
        if not filled(sheet):
            continue
        found = annotation_sheets.import_sheet(
            dataset, str(sheet), ANNOTATOR, str(into), sampled=True
        )
        labels += found.filled
        if found.others:
            log.info("%s: %d rows are of answers that are not in this run", sheet, found.others)
    return labels


def filled(sheet: Path) -> int:
    """Return how many rows of a sheet have a label, 0 where there is no sheet."""
    if not sheet.is_file():
        return 0
    return sum(str(row.get("label") or "").strip() != "" for _, row in rows(sheet))


def _is_sheet(file: Path) -> bool:
    first = next(iter(rows(file)), None)
    return first is not None and "row" in first[1] and "item_id" not in first[1]


def _facts(answers: Path) -> Path:
    return answers.with_suffix(".json")


def _held(node: DictConfig) -> Iterator[bool]:
    values = OmegaConf.to_container(node, resolve=True)
    assert isinstance(values, dict)  # noqa: S101 - a DictConfig always becomes a dict
    for key in ("source", "questions"):
        source = values.get(key)
        if not isinstance(source, dict):
            continue
        if "repo" in source:
            files = HubFiles(**{**source, "files": tuple(source["files"])})
            yield is_held(files)
            models = [*(values.get("candidates") or ()), *(values.get("baseline") or {}).values()]
            for model in dict.fromkeys(models):
                yield is_held(replace(files, files=(values["answers"].format(model=model),)))
        else:
            named = {name: PublicFile(**file) for name, file in source["files"].items()}
            yield PublicFiles(source["home"], named, source.get("folder")).held


def _homes(values: Any) -> Iterator[str]:
    if not isinstance(values, dict):
        return
    if "repo" in values:
        yield str(values["repo"])
    elif "home" in values:
        yield str(values["home"]).split("://")[-1]
    else:
        for inner in values.values():
            yield from _homes(inner)
