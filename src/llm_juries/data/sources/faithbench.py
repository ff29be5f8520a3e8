"""FaithBench: verdicts of hallucination detectors, GPT judges among them, on LLMs' summaries.

Bao et al., "FaithBench: A Diverse Hallucination Benchmark for Summarization by Modern LLMs" (NAACL
2025). A file a batch, with the samples' texts, annotations and the detectors' verdicts. Only ids,
labels and verdicts are kept: no text.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ...errors import JuriesError
from ..dataset import NOTHING_KNOWN, About, Dataset
from ..downloads import PublicFiles
from ..tables import Row, Table
from ..verdicts import Layout, RecordedColumn, Voters, read

FAULTS = {"Questionable", "Unwanted", "Unwanted.Intrinsic", "Unwanted.Extrinsic"}
HARMLESS = {"Benign"}


def load(
    source: PublicFiles,
    name: str,
    judges: Mapping[str, RecordedColumn],
    about: About = NOTHING_KNOWN,
    limit: int | None = None,
    seed: int | None = None,
) -> Dataset:
    """Load the recorded verdicts.

    A summary is labelled 1 if no annotator calls a span of it questionable or unwanted: its worst
    label decides, as in the authors' scripts/binarize.py.

    Parameters
    ----------
    source : PublicFiles
        A file a batch.
    name : str
        The dataset's name in tables.
    judges : mapping of str to RecordedColumn
        `column` is what a sample's metadata call the judge.
    about : About
    limit, seed : int, optional
        See `Dataset.sample`.

    Raises
    ------
    JuriesError
        Naming the file, and the sample and field where there is one.
    """
    found = [row for batch in source.files for row in _samples(source.find(batch), batch, judges)]
    digest = hashlib.sha256(repr(found).encode()).hexdigest()
    table, layout = Table(name, lambda: iter(found)), Layout(empty="unparsed")
    return read(table, digest, name, layout, Voters(judges), about=about).dataset.sample(
        limit, seed
    )


def _samples(file: Path, batch: str, judges: Mapping[str, RecordedColumn]) -> Iterator[Row]:
    """Yield a batch's samples; those of one source text are one cluster."""
    try:
        samples = json.loads(file.read_text(encoding="utf-8"))["samples"]
    except (KeyError, TypeError, ValueError):
        raise JuriesError(f"{file}: is not a batch of samples; use its pinned file") from None
    for number, sample in enumerate(samples, 1):
        place = f"{file}, sample {number}"
        try:
            metadata = sample["metadata"]
            cells = {
                "item_id": f"{batch}/{sample['sample_id']}",
                "cluster": hashlib.sha256(sample["source"].encode()).hexdigest()[:12],
                "candidate": metadata["summarizer"],
                "human": _label(sample["annotations"], place),
                **{facts.column or judge: metadata[facts.column or judge]
                   for judge, facts in judges.items()},
            }  # fmt: skip
        except (KeyError, TypeError, AttributeError) as error:
            raise JuriesError(f"{place}: has no {error}; use its pinned file") from None
        yield place, cells


def _label(annotations: list[dict[str, Any]], place: str) -> str:
    """Return 0 if an annotator found a fault."""
    labels = {label for annotation in annotations for label in annotation["label"]}
    if unknown := sorted(labels - FAULTS - HARMLESS):
        raise JuriesError(f"{place}: unknown label {unknown[0]!r}; use its pinned file")
    return "0" if labels & FAULTS else "1"
