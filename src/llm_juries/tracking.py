"""Logging to Weights & Biases: the config, the tables, the figures, the counts.

`wandb.mode=offline` needs no account and no network: the run is a folder, sent later with
`wandb sync` if one wants to.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd


@dataclass(frozen=True)
class Tracking:
    """Where a run is logged.

    Parameters
    ----------
    mode : {"disabled", "offline", "online"}
    project : str
    entity, group : str, optional
    tags : sequence of str
    """

    mode: Literal["disabled", "offline", "online"] = "disabled"
    project: str = "llm-juries"
    entity: str | None = None
    group: str | None = None
    tags: tuple[str, ...] = ()

    def log(
        self,
        folder: Path,
        job: str,
        config: Mapping[str, Any],
        tables: Mapping[str, pd.DataFrame],
        figures: Sequence[Path] = (),
        summary: Mapping[str, Any] | None = None,
    ) -> Path | None:
        """Log one finished job as one run; return the run's folder, None where disabled."""
        if self.mode == "disabled":
            return None
        # Else an offline run still looks up a host.
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
        import wandb

        folder.mkdir(parents=True, exist_ok=True)
        with wandb.init(
            mode=self.mode,
            project=self.project,
            entity=self.entity,
            group=self.group,
            tags=list(self.tags),
            job_type=job,
            dir=folder,
            config=dict(config),
            settings=wandb.Settings(silent=True),
        ) as run:
            for name, table in tables.items():
                run.log({f"tables/{name}": wandb.Table(dataframe=table)})
            for path in figures:
                run.log({f"figures/{path.stem}": wandb.Image(str(path))})
            run.summary.update(dict(summary or {}))
            return Path(run.settings.sync_dir)
