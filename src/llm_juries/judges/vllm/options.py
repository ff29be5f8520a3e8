"""Options of a vLLM judge: its weights, its engine, and the processes or server that run it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ...errors import JuriesError
from ...redaction import url_problem
from ..base import Limits
from ..decoding import Decoding


@dataclass(frozen=True)
class HubModel:
    """A model of the Hugging Face hub.

    Parameters
    ----------
    id : str
        "owner/name".
    revision : str, optional
        A commit. Without one, the branch's newest commit is used, which can't be reproduced.
    path : str, optional
        A folder with these weights, read instead of the hub.
    """

    id: str
    revision: str | None = None
    path: str | None = None


@dataclass(frozen=True)
class EngineOptions:
    """How vLLM loads and runs a model.

    Parameters
    ----------
    dtype, quantization : str, optional
        Part of every key.
    max_model_len : int
        Maximum tokens of prompt and reply together.
    tensor_parallel, pipeline_parallel, data_parallel : int
        GPUs that each layer of one copy is split over, stages of layers on further GPUs, and copies
        that share the work: a job needs the product of the three.
    gpu_memory_utilization : float
    prefix_caching : bool
        Cache the prefix that prompts share, above all the few-shot examples.
    reasoning_parser : str, optional
        vLLM's name for how this model marks its reasoning; `decoding.thinking_tokens` limits it.
        Part of every key.
    further : mapping
        Further arguments of vllm.LLM. Of them, hf_overrides are part of every key.
    """

    dtype: str = "auto"
    quantization: str | None = None
    max_model_len: int = 4096
    tensor_parallel: int = 1
    pipeline_parallel: int = 1
    data_parallel: int = 1
    gpu_memory_utilization: float = 0.9
    prefix_caching: bool = True
    reasoning_parser: str | None = None
    further: Mapping[str, Any] = field(default_factory=dict)

    def overrides(self, decoding: Decoding) -> dict[str, Any]:
        """Return what is overridden of the model's own config."""
        # Logits of 16 bits tie where the model does not: one verdict in twenty, for one.
        head = {"head_dtype": "float32"} if decoding.verdict_by == "logprobs" else {}
        return {**head, **self.further.get("hf_overrides", {})}

    def arguments(
        self, model: HubModel, decoding: Decoding, device: Literal["gpu", "cpu"]
    ) -> dict[str, Any]:
        """Return the arguments of vllm.LLM."""
        revision = None if model.path else model.revision
        arguments = {
            "model": model.path or model.id,
            "revision": revision,
            "tokenizer_revision": revision,
            "dtype": self.dtype,
            "quantization": self.quantization,
            "max_model_len": self.max_model_len,
            "tensor_parallel_size": self.tensor_parallel,
            "pipeline_parallel_size": self.pipeline_parallel
            if self.pipeline_parallel > 1
            else None,
            "enable_prefix_caching": self.prefix_caching,
            "gpu_memory_utilization": self.gpu_memory_utilization if device == "gpu" else None,
            "trust_remote_code": False,
            "reasoning_parser": self.reasoning_parser,
            # Small models fill a JSON object with white space until their tokens are used up.
            "structured_outputs_config": {"backend": "xgrammar", "disable_any_whitespace": True},
            **self.further,
            "hf_overrides": self.overrides(decoding) or None,
        }
        return {name: value for name, value in arguments.items() if value is not None}


@dataclass(frozen=True)
class Runtime:
    """The processes or the server that run vLLM; none of it is part of a key.

    Parameters
    ----------
    python : str, optional
        An interpreter that has vLLM; this one by default. vLLM pins versions of its own.
    environment : mapping
        Further environment variables of vLLM.
    batch : int
        Verdicts per batch (backend=offline); they are stored at the end of each batch.
    in_flight : int
        Concurrent requests (backend=server).
    base_url : str, optional
        A running server to use (backend=server) instead of starting one.
    timeout_s : float
        For one reply (backend=server).
    """

    python: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    batch: int = 512
    in_flight: int = 64
    base_url: str | None = None
    timeout_s: float = 600.0

    def __post_init__(self) -> None:
        if problem := url_problem(self.base_url):
            raise JuriesError(f"base_url: {problem}")

    def limits(self, backend: Literal["offline", "server"]) -> Limits:
        """Return how a backend may be asked."""
        if backend == "server":
            return Limits(in_flight=self.in_flight, alone=True)
        if self.base_url is not None:
            raise JuriesError(
                "runtime.base_url: used with backend=server only; set backend=server too"
            )
        return Limits(batch=self.batch, alone=True)


@dataclass(frozen=True)
class Launch:
    """How to start vLLM for one judge.

    Parameters
    ----------
    judge : str
        The judge's name, for errors; also the model's name at a server started here.
    arguments : mapping
        Of vllm.LLM.
    runtime : Runtime
    copies : int
        How many copies of the model run.
    gpus : int
        GPUs per copy.
    model : str
        The model's id on the hub.
    """

    judge: str
    arguments: Mapping[str, Any]
    runtime: Runtime
    copies: int = 1
    gpus: int = 1
    model: str = ""

    def answered_as(self, version: str, head_dtype: str) -> str:
        """Return the name under which replies are stored: model, vLLM's version, type of its head.

        Neither is part of a key: an upgrade asks nothing again, and shows in the store.
        """
        named = [f"vLLM {version}" if version else "vLLM"]
        named += [f"head {head_dtype}"] if head_dtype else []
        return f"{self.model} ({', '.join(named)})"

    @property
    def python(self) -> str:
        """The interpreter that has vLLM."""
        return self.runtime.python or sys.executable

    @property
    def environment(self) -> dict[str, str]:
        """Variables of vLLM's processes, besides this process's own."""
        return {"VLLM_LOGGING_LEVEL": "WARNING", **self.runtime.environment}


@dataclass(frozen=True, eq=False)  # compared by identity, so that connections are cached by it
class Asking:
    """How a model is asked.

    Parameters
    ----------
    prompt_as : {"chat", "text"}
    template : mapping
        Variables of the chat template.
    decoding : Decoding
    """

    prompt_as: Literal["chat", "text"]
    template: Mapping[str, Any]
    decoding: Decoding
