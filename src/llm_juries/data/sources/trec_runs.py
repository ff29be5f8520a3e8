"""Recorded grades of passages as TREC writes labels: a file a judge and prompt, and the labels.

A line a passage: query, 0, passage and grade. Items are called query/passage.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Mapping, Sequence

from ...errors import JuriesError
from ...scale import Scale
from ..dataset import NOTHING_KNOWN, About, Dataset
from ..downloads import PublicFiles
from ..tables import Row, Table
from ..verdicts import Layout, RecordedColumn, Scales, Voters, read
from .trec_labels import labels_of

log = logging.getLogger(__name__)
LABELS = "labels"


def load(
    source: PublicFiles,
    name: str,
    judges: Mapping[str, RecordedColumn],
    scale: Scale,
    prompts: Sequence[str] | None = None,
    about: About = NOTHING_KNOWN,
    limit: int | None = None,
    seed: int | None = None,
) -> Dataset:
    """Load the recorded grades of the passages that every file has.

    Parameters
    ----------
    source : PublicFiles
        "labels", and JUDGE/PROMPT.
    name : str
        The dataset's name in tables.
    judges : mapping of str to RecordedColumn
    scale : Scale
        Of grades and labels. A grade off the scale counts as unparsed; how many is logged, as is
        how many passages of a file another one lacks.
    prompts : sequence of str, optional
        Those to read; all by default.
    about : About
    limit, seed : int, optional
        See `Dataset.sample`.

    Raises
    ------
    JuriesError
        Naming the file and the line; also where a graded passage has no label.
    """
    labels = labels_of(source.find(LABELS))
    grades = {
        key: labels_of(source.find(key))
        for key in source.files
        if key != LABELS and (prompts is None or key.rpartition("/")[2] in prompts)
    }
    common = set.intersection(*(set(one) for one in grades.values())) if grades else set()
    for key, one in grades.items():
        if unlabelled := sorted(set(one) - set(labels)):
            raise JuriesError(
                f"{source.find(key)}: {unlabelled[0]} has no label in {source.find(LABELS)}; use "
                "its pinned file"
            )
        if lacking := len(one) - len(common):
            log.info(
                "%s: left out %d of %d passages; another file lacks them", key, lacking, len(one)
            )
    found = list(_rows(grades, [item for item in labels if item in common], labels, scale))
    return read(
        Table(name, lambda: iter(found)),
        hashlib.sha256(repr(found).encode()).hexdigest(),
        name,
        Layout(empty="unparsed"),
        Voters(judges, prompts=tuple(prompts or ())),
        Scales(verdicts=scale),
        about,
    ).dataset.sample(limit, seed)


def _rows(
    grades: Mapping[str, Mapping[str, str]],
    items: Sequence[str],
    labels: Mapping[str, str],
    scale: Scale,
) -> Iterator[Row]:
    """Yield a row a verdict, and log how many are off the scale."""
    for key, given in grades.items():
        judge, _, prompt = key.rpartition("/")
        off = 0
        for item in items:
            grade: str | None = given[item]
            try:
                scale.value(grade)
            except JuriesError:
                grade, off = None, off + 1
            yield f"{key}, {item}", {
                "item_id": item, "cluster": item.partition("/")[0], "human": labels[item],
                "judge": judge, "prompt": prompt, "label": grade,
            }  # fmt: skip
        if off:
            log.warning("%s: %d of %d grades are off the scale %s", key, off, len(items), scale)
