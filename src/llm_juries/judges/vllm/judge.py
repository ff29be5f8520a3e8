"""vLLM judges: open models on GPUs, in process or behind `vllm serve`."""

from __future__ import annotations

import importlib.util
import logging
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from ...types import Reply, Request
from ..base import ModelJudge
from ..decoding import Decoding
from ..devices import gpus_visible
from ..errors import JudgeUnavailableError
from .offline import Offline
from .online import Online
from .options import Asking, EngineOptions, HubModel, Launch, Runtime

log = logging.getLogger(__name__)
# What the drivers of NVIDIA, AMD, WSL and TPU create where there is a device.
DEVICES = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg", "/dev/accel0", "/dev/vfio/0")
VERDICTS = ("text", "schema", "choice", "logprobs")
"""The ways to get a verdict from vLLM."""


class VllmJudge(ModelJudge):
    """An open model as a judge, through vLLM.

    The model runs in a process of its own that ends when the judge is closed, so its memory is
    free for the next judge. Both backends send the same requests and share their verdicts.

    Parameters
    ----------
    name, family, vendor : str
        See `Judge`.
    model : HubModel
    prompt_as : {"chat", "text"}
        "chat": through the model's own chat template; "text": the messages' bare texts as one text
        to continue.
    template : mapping, optional
        Variables of the chat template, such as enable_thinking.
    decoding : Decoding, optional
        `verdict_by`: "logprobs" scores the verdict words as the one next token, or, where words
        begin alike (A>>B, A>B), is replaced by "choice", which allows only verdict words and gives
        no probabilities; "schema" and "text" read what the model writes.
    backend : {"offline", "server"}
        "offline": vLLM's LLM class in large batches; "server": `vllm serve` and HTTP.
    device : {"gpu", "cpu"}
        The CPU is never chosen automatically: it is slow.
    engine : EngineOptions, optional
    runtime : Runtime, optional
    note : str
        For reports.

    Attributes
    ----------
    engine : Offline or Online
        What runs vLLM.
    asking : Asking
        How it is asked.
    greedy : bool
        Whether it takes the likeliest token although no temperature is set.
    """

    instead: Literal["words", "choice", ""] = "choice"
    parses_special = True

    def __init__(
        self,
        name: str,
        family: str,
        model: HubModel,
        prompt_as: Literal["chat", "text"] = "chat",
        template: Mapping[str, Any] | None = None,
        decoding: Decoding | None = None,
        backend: Literal["offline", "server"] = "offline",
        device: Literal["gpu", "cpu"] = "gpu",
        engine: EngineOptions | None = None,
        runtime: Runtime | None = None,
        note: str = "",
        vendor: str = "",
    ) -> None:
        decoding = decoding or Decoding(verdict_by="logprobs", max_tokens=1)
        decoding.check_offered("vLLM", VERDICTS)
        engine, runtime = engine or EngineOptions(), runtime or Runtime()
        facts = {
            "backend": "vllm",
            "model": model.id,
            "revision": model.revision,
            "dtype": engine.dtype,
            "quantization": engine.quantization,
            "prompt_as": prompt_as,
            "template": dict(template or {}),
            "reasoning_parser": engine.reasoning_parser,
            "overrides": engine.overrides(decoding),
        }
        super().__init__(name, family, decoding, runtime.limits(backend), facts, note, vendor)
        self.path = model.path
        self.device = device
        self.asking = Asking(prompt_as, dict(template or {}), decoding)
        self.launch = Launch(
            judge=name,
            arguments=engine.arguments(model, decoding, device),
            runtime=runtime,
            copies=engine.data_parallel,
            gpus=engine.tensor_parallel * engine.pipeline_parallel,
            model=model.id,
        )
        self.greedy = backend == "offline" and decoding.temperature is None
        self.engine = (Offline if backend == "offline" else Online)(self.launch)

    async def ready(self) -> None:
        """Check for vLLM, a device and the folder of weights.

        Raises
        ------
        JudgeUnavailableError
            If one of them is missing; says what to install or set.
        """
        if self.launch.runtime.base_url is not None:
            return
        at = f"judges.{self.name}"
        if self.path is not None and not (Path(self.path) / "config.json").is_file():
            raise JudgeUnavailableError(
                f"{at}.model.path: {self.path} holds no config.json; set it to the folder of a "
                "Hugging Face model"
            )
        if not has_vllm(self.launch.python):
            raise JudgeUnavailableError(
                f"judge {self.name}: {self.launch.python} has no vLLM; install the extra 'vllm' "
                f"(pip install 'llm-juries[vllm]') or set {at}.runtime.python to an interpreter "
                "that has it"
            )
        if self.device == "gpu" and not any(Path(path).exists() for path in DEVICES):
            raise JudgeUnavailableError(
                f"judge {self.name}: found no GPU on this machine; set {at}.device=cpu to run it "
                "on the CPU, slowly"
            )
        if self.device == "gpu":
            self._check_gpus()

    def _check_gpus(self) -> None:
        """Raise JudgeUnavailableError if vLLM would see too few GPUs; without NVIDIA's, don't."""
        launch = self.launch
        if "distributed_executor_backend" in launch.arguments:  # of Ray, on other nodes
            return
        needed, seen = launch.copies * launch.gpus, gpus_visible()
        if seen is not None and seen < needed:
            raise JudgeUnavailableError(
                f"judge {self.name}: GPUs needed: {needed} (tensor_parallel x pipeline_parallel x "
                f"data_parallel), visible: {seen}; lower judges.{self.name}.engine.* or check "
                "CUDA_VISIBLE_DEVICES"
            )

    async def open(self) -> None:
        """Load the model. Raises JudgeUnavailableError where vLLM can't."""
        began = time.monotonic()
        try:
            await self.engine.start()
        except JudgeUnavailableError:
            await self.engine.stop()
            raise
        log.info("%s: loaded in %.1f s", self.name, time.monotonic() - began)

    async def ask(self, requests: Sequence[Request]) -> list[Reply]:
        """Answer requests of one prompt."""
        return await self.engine.ask(requests, self.asking)

    async def close(self) -> None:
        """End vLLM's processes."""
        await self.engine.stop()


def has_vllm(python: str) -> bool:
    """Return whether an interpreter can import vLLM, without importing it."""
    if python == sys.executable:
        return importlib.util.find_spec("vllm") is not None
    if shutil.which(python) is None:
        return False
    seek = "import importlib.util, sys; sys.exit(importlib.util.find_spec('vllm') is None)"
    done = subprocess.run([python, "-c", seek], check=False, capture_output=True)  # noqa: S603
    return done.returncode == 0
