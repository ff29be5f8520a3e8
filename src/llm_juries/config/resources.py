"""What a job of a judge requests of a cluster."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import JuriesError


@dataclass(frozen=True, order=True)
class Resources:
    """The resources of a job: the node `resources` of a judge's yaml.

    Parameters
    ----------
    gpus, cpus : int
        On one node.
    gpu_gb : float
        The memory that each GPU needs, as `check` compares it; 0 where it is unknown.
    memory_gb : float
        Of the machine, not of the GPUs.
    minutes : int
        The time limit. A job that hits it is requeued, so this does not limit the work.
    """

    gpus: int = 0
    cpus: int = 1
    memory_gb: float = 4.0
    minutes: int = 60
    gpu_gb: float = 0.0

    def __post_init__(self) -> None:
        for name, least in (
            ("gpus", 0),
            ("cpus", 1),
            ("memory_gb", 0.1),
            ("minutes", 1),
            ("gpu_gb", 0),
        ):
            if getattr(self, name) < least:
                raise JuriesError(f"{name}: is {getattr(self, name)}; must be {least} or more")
