"""Export a store as a folder of Parquet files with a dataset card, for datasets.load_dataset."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from ..errors import JuriesError
from ..files import write_text
from ..markdown import markdown
from .parquet import schema
from .scan import outcome_counts, parts

SHARD = 500_000  # rows a file of an export
SIZES = ("n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M")  # of the Hub


def export(store: Path, out: Path, licence: str = "unknown") -> int:
    """Write a store as a folder that datasets.load_dataset reads; return the number of verdicts.

    The verdicts that count, each key once, go into data/*.parquet; README.md is the card.

    Raises
    ------
    JuriesError
        If the store holds nothing, or the folder exists already or can't be written.
    """
    if out.exists():
        raise JuriesError(f"out: {out} exists already; choose another name")
    table = outcome_counts(store)
    if table.empty:
        raise JuriesError(f"store {store}: holds no verdicts to export")
    beside = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        (beside / "data").mkdir(parents=True)
        rows = _shards((part.rows for part in parts(store)), beside / "data")
        write_text(beside / "README.md", _card(table, markdown(table), rows, licence))
        beside.rename(out)
    except OSError as error:
        raise JuriesError(f"out: {out}: can't be written ({error.strerror or error})") from None
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return rows


def _shards(batches: Iterable[Any], folder: Path) -> int:
    """Write batches into files of a limited number of rows; return the number of all rows."""
    import pyarrow.parquet as pq

    batches = (batch.select(schema().names).cast(schema()) for batch in batches)
    rows = 0
    for number in itertools.count():
        if (batch := next(iter(batches), None)) is None:
            return rows
        with pq.ParquetWriter(
            folder / f"verdicts-{number:05d}.parquet",
            schema(),
            compression="zstd",
            write_page_checksum=True,
        ) as shard:
            written = 0
            while batch is not None:
                shard.write_batch(batch)
                written += len(batch)
                batch = None if written >= SHARD else next(batches, None)
        rows += written
    return rows


def _card(table: Any, counted: str, rows: int, licence: str) -> str:
    size = SIZES[sum(rows >= 10**power for power in range(3, 3 + len(SIZES) - 1))]

    def listed(column: str) -> str:
        return ", ".join(f"`{name}`" for name in sorted(set(table[column])))

    return f"""---
license: {msgspec.json.encode(licence).decode()}
pretty_name: Verdicts of LLM judges
size_categories: [{size}]
tags: [llm-as-a-judge, evaluation]
configs:
- config_name: default
  data_files:
  - split: train
    path: data/*.parquet
---

# Verdicts of LLM judges

{rows:,} verdicts, exported from a store of llm-juries. A row is one judge's answer about one item
under one prompt, with its raw reply. A key is a hash of all that determines the reply; each stands
here once.

- Datasets judged: {listed("dataset")}
- Judges: {listed("judge")}
- Prompts: {listed("prompt")}
- Licence: {licence}. Raw replies may quote the datasets that were judged, which have their own.

The labels are what judges said: they are no human labels, and those are not in here.

{counted}

## Columns

| column | |
| --- | --- |
| key | hash of the model, its decoding and what it was asked |
| judge, prompt, dataset | their names in the configs |
| item_id, candidate, opponent | which answer was judged; `opponent` in pairs |
| order | which way round a pair was shown |
| outcome | ok, unparsed, refused, rejected, truncated or failed; only ok has a label |
| label | the verdict on the prompt's scale, in terms of the candidate; empty where there is none |
| score | the evidence behind the label, where there is any |
| reader | what read the reply |
| reply | the reply as it came: text, stop, thinking, log-probabilities, tokens, latency_s |
| cost_usd | US dollars, empty where unknown |
| attempts, asked_at | requests sent; Unix time in seconds |

`python scripts/store.py import store=FOLDER sources=[THIS_FOLDER]` reads it back.
"""
