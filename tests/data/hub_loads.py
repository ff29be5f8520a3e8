"""Loads datasets in a process of its own: the hub's client reads its settings when imported.

Reads a JSON list of jobs from standard input, each the name of a yaml in conf/dataset and overrides
of its keys, and writes for each the dataset's items and note, or the error.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from llm_juries.config.build import build
from llm_juries.errors import JuriesError

CONF = Path(__file__).parents[2] / "conf" / "dataset"


def loaded(name: str, *overrides: str) -> dict[str, object]:
    written = OmegaConf.load(CONF / f"{name}.yaml")
    node = OmegaConf.merge(written, OmegaConf.from_dotlist(list(overrides)))
    assert isinstance(node, DictConfig)
    try:
        dataset = build(node, "dataset")
        items = [asdict(item) for item in dataset.items]
    except JuriesError as error:
        return {"error": str(error)}
    told = ("name", "note", "orders", "annotators")
    return {"items": items} | {field: getattr(dataset, field) for field in told}


if __name__ == "__main__":
    json.dump([loaded(*job) for job in json.load(sys.stdin)], sys.stdout)
