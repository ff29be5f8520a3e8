"""A panel's votes as a Parquet file: what an analysis keeps, so that runs can be compared later.

A row an item, with what identifies it and its human label; of each voter a column of votes, one of
outcomes and, where it has any, one of scores. The scale, the voters and their juries are in the
file's metadata. No texts are in it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data.dataset import About, Dataset
from ..errors import JuriesError
from ..files import check_data
from ..scale import Scale
from ..types import Item
from .panel import Panel
from .rules import Jury
from .votes import Voter, Votes

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT = 1
FACTS = b"llm_juries.votes"
IDENTITY = ("item_id", "candidate", "opponent", "criterion")
TEXTS = (*IDENTITY, "subset", "cluster", "human")
ROUNDING = 1e-9  # of votes that are means


def write(panel: Panel, path: Path, place: int = 0) -> None:
    """Write a panel's votes; the votes in each order alone, and texts, are not kept.

    Parameters
    ----------
    panel : Panel
    path : Path
        The file; its folder is created if missing.
    place : int
        Of the panel among those of its analysis.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    items = tuple(panel.dataset.items)
    columns: dict[str, Any] = {
        name: pa.array([_text(getattr(item, name)) for item in items], pa.string())
        for name in TEXTS
    }
    for at in range(len(panel.votes.voters)):
        columns[f"vote_{at}"] = pa.array(panel.votes.labels[:, at], from_pandas=True)
        names, codes = np.unique(panel.votes.outcomes[:, at].astype(str), return_inverse=True)
        columns[f"outcome_{at}"] = pa.DictionaryArray.from_arrays(
            pa.array(codes.astype(np.int32)), pa.array(names.tolist(), pa.string())
        )
        if not np.isnan(scores := panel.votes.scores[:, at]).all():
            columns[f"score_{at}"] = pa.array(scores, from_pandas=True)
    dataset = panel.dataset
    facts = {
        "format": FORMAT,
        "place": place,
        "dataset": dataset.name,
        "labels": dataset.labels,
        "about": asdict(dataset.about),
        "scale": asdict(panel.scale),
        "label_scale": asdict(dataset.label_scale),
        "threshold": panel.threshold,
        "voters": [asdict(voter) for voter in panel.votes.voters],
        "juries": [asdict(jury) for jury in panel.juries if type(jury) is Jury],
        "candidate_families": dict(panel.candidate_families),
    }
    table = pa.table(columns).replace_schema_metadata({FACTS: json.dumps(facts).encode()})
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}")
    pq.write_table(table, beside, compression="zstd")
    beside.replace(path)


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return f"{value:g}"  # a label that was made in memory


def read(folder: Path) -> list[Panel]:
    """Read all files of votes in a folder, in the order of their analysis.

    Raises
    ------
    JuriesError
        If a file is damaged, not one of votes, or of a newer version.
    """
    found = [_read(path, folder) for path in sorted(folder.glob("*.parquet"))]
    return [panel for _, panel in sorted(found, key=lambda one: one[0])]


def _read(path: Path, folder: Path) -> tuple[int, Panel]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    check_data(path, folder)
    try:
        table = pq.ParquetFile(path).read()
        facts = dict(json.loads((table.schema.metadata or {})[FACTS]))
    except (pa.ArrowException, KeyError, TypeError, ValueError, OSError):
        raise JuriesError(
            f"{path}: is not a file of votes that llm-juries analyze wrote; analyze again"
        ) from None
    if facts.get("format") != FORMAT:
        raise JuriesError(
            f"{path}: is of format {facts.get('format')}, this version reads {FORMAT}; update "
            "llm-juries"
        )
    try:
        panel = _panel(table, facts)
        _check(panel)
        return int(facts["place"]), panel
    except (JuriesError, KeyError, TypeError, ValueError) as error:
        raise JuriesError(f"{path}: is damaged ({error}); analyze again") from None


def _check(panel: Panel) -> None:
    """Raise JuriesError for what no analysis writes, but an edited file may hold."""
    if not all(item.item_id for item in panel.dataset.items):
        raise JuriesError("an item has no item_id")
    if len(set(identities(panel))) < len(panel.questions):
        raise JuriesError("an item is in it twice")
    (low, high), labels = panel.scale.ends, panel.votes.labels
    if ((labels < low - ROUNDING) | (labels > high + ROUNDING)).any():
        raise JuriesError(f"a vote is not on the scale {panel.scale}")
    _ = panel.preferences  # reads the human labels


def _panel(table: pa.Table, facts: Mapping[str, Any]) -> Panel:
    texts = {name: table.column(name).to_pylist() for name in TEXTS}
    items = tuple(
        Item(facts["dataset"], **dict(zip(TEXTS, row, strict=True)))
        for row in zip(*texts.values(), strict=True)
    )
    dataset = Dataset(
        facts["dataset"],
        items,
        labels=facts["labels"],
        scale=_scale(facts["label_scale"]),
        about=About(**facts["about"]),
    )
    voters = tuple(Voter(**one | {"members": tuple(one["members"])}) for one in facts["voters"])
    labels, scores = np.full((2, len(items), len(voters)), np.nan)
    outcomes = np.empty(labels.shape, "U16")
    for at in range(len(voters)):
        labels[:, at] = _numbers(table, f"vote_{at}")
        outcomes[:, at] = table.column(f"outcome_{at}").to_pylist()
        if f"score_{at}" in table.column_names:
            scores[:, at] = _numbers(table, f"score_{at}")
    scale = _scale(facts["scale"])
    juries = tuple(Jury(**one | {"members": tuple(one["members"])}) for one in facts["juries"])
    return Panel(
        dataset,
        Votes(voters, labels, scores, outcomes, scale),
        {},
        scale,
        facts["threshold"],
        juries=juries,
        candidate_families=facts["candidate_families"],
    )


def _numbers(table: pa.Table, name: str) -> Any:
    return table.column(name).to_numpy().astype(float)


def _scale(facts: Mapping[str, Any]) -> Scale:
    lists = {name: tuple(facts[name]) for name in ("values", "numbers")}
    return Scale(**{**facts, **lists})


def identities(panel: Panel) -> Iterator[tuple[str, ...]]:
    """Yield what identifies each item of a panel: item_id, candidate, opponent and criterion."""
    for item in panel.dataset.items:
        yield item.item_id, item.candidate, item.opponent, item.criterion
