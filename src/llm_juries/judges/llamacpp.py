"""Judges on this machine through llama.cpp: any GGUF model, on the CPU or a GPU.

By default the verdict is read from the probabilities of the verdict words at the first token of the
reply: one forward pass an item, no sampling, and the few-shot prefix that all items share stays in
the cache of the model, so only the item itself is computed. llama.cpp's server speaks OpenAI's
formats, so `wires` says what is asked and reads what comes.
"""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from ..metrics.cost import Price
from ..types import JuriesError, Kind, Reply, Request
from .base import (
    JudgeUnavailableError,
    Limits,
    PromptedJudge,
)
from .model_files import ModelFile
from .wires import Decoding, wire_of

log = logging.getLogger(__name__)


class LlamaCppJudge(PromptedJudge):
    """A GGUF model as a judge.

    Parameters
    ----------
    name, family : str
    file : ModelFile
        The weights; their checksum is part of every key.
    prompt_as : {"chat", "text"}
        "chat": through the model's own chat template; "text": the messages' bare texts as one
        text to continue, which suits base models and very small ones.
    context : int
        Tokens that prompt and verdict may take together, in each slot.
    decoding : Decoding
        `verdict_by` "logprobs" searches the likeliest tokens for the verdict words; "schema" (with
        prompt_as=chat) and "text" read what the model writes.
    slots : int
        Verdicts to compute at once, each with a cache of its own. It pays on GPUs; a batch rounds
        otherwise than a single prompt, so verdicts on the very line may turn.
    threads : int, optional
        CPU threads; all cores by default. Not part of the key.
    gpu_layers : int
        Layers to put on a GPU; 0 for none.
    note : str
        For reports.
    """

    kind: Kind = "judge"
    free = False
    price: Price | None = None

    def __init__(
        self,
        name: str,
        family: str,
        file: ModelFile,
        prompt_as: Literal["chat", "text"] = "chat",
        context: int = 4096,
        decoding: Decoding | None = None,
        slots: int = 1,
        threads: int | None = None,
        gpu_layers: int = 0,
        note: str = "",
    ) -> None:
        self.name = name
        self.family = family
        self.file = file
        self.prompt_as = prompt_as
        self.context = context
        self.decoding = decoding or Decoding(verdict_by="logprobs", max_tokens=1, top=40)
        if self.decoding.verdict_by == "choice":
            raise JuriesError(
                "decoding.verdict_by: llama.cpp has no 'choice'; there are: text, schema, logprobs"
            )
        self.wire = wire_of("openai" if prompt_as == "chat" else "openai_text", self.decoding)
        self.slots = slots
        self.limits = Limits(in_flight=slots, alone=True)
        self.threads = threads or os.cpu_count() or 1
        self.gpu_layers = gpu_layers
        self.note = note
        self.fingerprint = {
            "backend": "llama.cpp",
            "sha256": file.identity,
            "prompt_as": prompt_as,
            "decoding": self.decoding.facts,
        }
        self._path: Path | None = None
        self._threads: ThreadPoolExecutor | None = None
        self._server: Any = None

    async def ready(self) -> None:
        """Find the package and the weights, fetching the weights if need be.

        Raises
        ------
        JudgeUnavailableError
            If the package or the file is not to be had.
        """
        if importlib.util.find_spec("xllamacpp") is None:
            raise JudgeUnavailableError(
                f"judge {self.name}: needs the extra 'local' (pip install 'llm-juries[local]')"
            )
        try:
            self._path = await asyncio.to_thread(self.file.find)
        except JudgeUnavailableError as error:
            raise JudgeUnavailableError(f"judge {self.name}: {error}") from None

    async def open(self) -> None:
        """Load the weights.

        Raises
        ------
        JudgeUnavailableError
            If llama.cpp can't load the file.
        """
        import xllamacpp

        params = xllamacpp.CommonParams()
        params.model.path = str(self._path)
        params.n_ctx = self.context * self.slots
        params.n_parallel = self.slots
        params.n_gpu_layers = self.gpu_layers
        params.cpuparams.n_threads = self.threads
        params.cpuparams_batch.n_threads = self.threads
        params.warmup = False
        params.verbosity = -1
        self._threads = ThreadPoolExecutor(self.slots)
        began = time.monotonic()
        try:
            self._server = await asyncio.to_thread(xllamacpp.Server, params)
        except Exception as error:
            raise JudgeUnavailableError(
                f"judge {self.name}: llama.cpp can't load {self._path}: {error}"
            ) from None
        log.info("%s: loaded in %.1f s", self.name, time.monotonic() - began)

    async def ask(self, requests: Sequence[Request]) -> list[Reply]:
        """Score the verdict words for each request, one after the other."""
        loop = asyncio.get_running_loop()
        return [await loop.run_in_executor(self._threads, self._ask, r) for r in requests]

    async def close(self) -> None:
        """Free the model."""
        self._server = None
        if self._threads is not None:
            self._threads.shutdown()
            self._threads = None

    def _ask(self, request: Request) -> Reply:
        if self._server is None:
            raise JuriesError(f"judge {self.name} was asked before it was opened")
        began = time.monotonic()
        body = self.wire.body(self.name, request, self.decoding) | {"cache_prompt": True}
        if self.prompt_as == "chat":
            answer = self._server.handle_chat_completions(body)
        else:
            answer = self._server.handle_completions(body)
        seconds = time.monotonic() - began
        if "error" in answer:
            return Reply(stop="error", error=str(answer["error"].get("message")), latency_s=seconds)
        return replace(self.wire.reply(answer, request.choices), latency_s=seconds)
