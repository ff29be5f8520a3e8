"""llama.cpp judges: any GGUF model on this machine, on the CPU or a GPU.

By default the verdict is read from the probabilities of the verdict words at the first token of the
reply: one forward pass per item, no sampling, and the few-shot prefix that all items share stays in
the model's cache, so only the item itself is computed. Where words begin alike (A>>B, A>B) the
next token is requested after each likely beginning of a word (see `word_logprobs`): a few more
passes over one token each. llama.cpp's server uses OpenAI's formats, so `http.openai` writes the
requests and parses the replies.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import logging
import math
import os
import time
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from ..errors import JuriesError
from ..prompts.special_tokens import LOOKS_SPECIAL, cut, filled, marked
from ..types import Reply, Request
from .base import Limits, ModelJudge, as_text
from .decoding import Decoding
from .errors import JudgeUnavailableError
from .http.failures import failure_within
from .http.wire import likely_tokens
from .http.wires import wire_of
from .model_files import ModelFile
from .word_logprobs import Walk, spelled_out

log = logging.getLogger(__name__)
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # no proxy for this machine
VERDICTS = ("text", "schema", "logprobs", "words")
"""The ways to get a verdict from llama.cpp."""


class LlamaCppJudge(ModelJudge):
    """A GGUF model as a judge.

    Parameters
    ----------
    name, family, vendor : str
        See `Judge`.
    file : ModelFile
        The weights; their checksum is part of every key.
    prompt_as : {"chat", "text"}
        "chat": through the model's own chat template; "text": the messages' bare texts as one
        text to continue, which suits base models and very small ones.
    context : int
        Maximum tokens of prompt and verdict together, in each slot.
    decoding : Decoding, optional
        `verdict_by` "logprobs" searches the likeliest tokens for the verdict words, "words" for
        their parts (as "logprobs" does too where words begin alike); "schema" (with
        prompt_as=chat) and "text" read what the model writes.
    slots : int
        Verdicts to compute concurrently, each with a cache of its own. It pays off on GPUs; a batch
        rounds differently from a single prompt, so borderline verdicts may change.
    threads : int, optional
        CPU threads; by default one for each core that this process may use. Not part of the key.
    gpu_layers : int
        Layers on a GPU; 0 for none.
    note : str
        For reports.
    """

    instead: Literal["words", "choice", ""] = "words"
    parses_special = True

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
        vendor: str = "",
    ) -> None:
        decoding = decoding or Decoding(verdict_by="logprobs", max_tokens=1, top=40)
        decoding.check_offered("llama.cpp", VERDICTS)
        facts = {"backend": "llama.cpp", "sha256": file.identity, "prompt_as": prompt_as}
        limits = Limits(in_flight=slots, alone=True)
        super().__init__(name, family, decoding, limits, facts, note, vendor)
        self.file = file
        self.prompt_as = prompt_as
        self.context = context
        self.slots = slots
        self.threads = threads or cores()
        self.gpu_layers = gpu_layers
        self.wire = wire_of("openai" if prompt_as == "chat" else "openai_text", self._sent)
        self._path: Path | None = None
        self._threads: ThreadPoolExecutor | None = None
        self._server: Any = None

    async def ready(self) -> None:
        """Check for the package; find the weights, downloading them if necessary.

        Raises
        ------
        JudgeUnavailableError
            If the package or the file is unavailable.
        """
        if importlib.util.find_spec("xllamacpp") is None:
            raise JudgeUnavailableError(
                f"judge {self.name}: llama.cpp is not installed; install the extra 'local' (pip "
                "install 'llm-juries[local]')"
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
        """Answer requests, one after the other."""
        loop = asyncio.get_running_loop()
        return [await loop.run_in_executor(self._threads, self._ask, r) for r in requests]

    async def close(self) -> None:
        """Free the model, once the requests that it is computing are done."""
        # In a thread: both may take long, and meanwhile the event loop must hear signals.
        held, threads = [self._server], self._threads
        self._server = self._threads = None
        if threads is not None:
            await asyncio.to_thread(_free, threads, held)

    @property
    def _sent(self) -> Decoding:
        """The decoding in requests: whole words are scored from the likeliest tokens, too."""
        if self.decoding.verdict_by == "words":
            return replace(self.decoding, verdict_by="logprobs", max_tokens=1)
        return self.decoding

    def _special_in(self, request: Request) -> list[str]:
        """Return the model's special tokens in a request's texts, other than the prompt's own."""
        text = as_text(request.messages)
        found = {piece for piece, _ in self._tokens(text)}
        plain = {piece for piece, _ in self._tokens(text, parse_special=False)}
        special = (found - plain) | {piece for piece in found if LOOKS_SPECIAL.fullmatch(piece)}
        return [
            piece
            for piece in sorted(special - set(request.special))
            if len(self._tokens(piece)) == 1
            and (
                LOOKS_SPECIAL.fullmatch(piece) or len(self._tokens(piece, parse_special=False)) > 1
            )
        ]

    def _as_tokens(
        self, request: Request, body: dict[str, Any], begun: str, forged: list[str]
    ) -> Any:
        """Return the response to a prompt in tokens, special ones in its texts being text."""
        contents = [message.content for message in request.messages]
        if self.prompt_as == "text":
            pieces = cut(as_text(request.messages), forged)
        else:
            shown = [
                {"role": message.role, "content": mark}
                for message, mark in zip(request.messages, marked(contents), strict=True)
            ]
            template = self._post("/apply-template", {"messages": shown})["prompt"]
            pieces = filled(template, contents, forged)
        pieces[-1] += begun
        ids = [
            number
            for at, piece in enumerate(pieces)
            for _, number in self._tokens(piece, add_special=at == 0)
        ]
        body = {name: value for name, value in body.items() if name != "messages"}
        if response_format := body.pop("response_format", None):
            body["json_schema"] = response_format["json_schema"]["schema"]
        if body.get("logprobs") is True:  # as completions name it
            body["logprobs"] = body.pop("top_logprobs")
        answer = self._server.handle_completions({**body, "prompt": ids})
        for choice in answer.get("choices", ()) if self.prompt_as == "chat" else ():
            choice["message"] = {"content": choice.get("text")}
        return answer

    def _tokens(
        self, text: str, *, parse_special: bool = True, add_special: bool = False
    ) -> list[tuple[str, int]]:
        """Return a text's tokens: their texts ("" for a part of a character) and numbers."""
        asked = {"parse_special": parse_special, "add_special": add_special, "with_pieces": True}
        tokens = self._post("/tokenize", {"content": text, **asked})["tokens"]
        return [(t["piece"] if isinstance(t["piece"], str) else "", t["id"]) for t in tokens]

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        """Ask the server's own port, on this machine."""
        asked = urllib.request.Request(  # noqa: S310 - http on loopback
            self._server.listening_address + path,
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        with _DIRECT.open(asked) as response:
            return json.load(response)

    def _ask(self, request: Request) -> Reply:
        if self._server is None:
            raise JuriesError(f"judge {self.name}: asked before it was opened; call open() first")
        began = time.monotonic()
        if self.decoding.suited(request.choices, "words").verdict_by == "words":
            reply = self._whole_words(request)
        else:
            answer = self._answer(request)
            reply = _failed(answer) or self.wire.reply(answer, request.choices)
            by_token = self.decoding.verdict_by == "logprobs" and not reply.error
            if by_token and spelled_out(request.choices, likely_tokens(answer)):
                reply = self._whole_words(request)
        # The server calls the model by its path, which is nobody's business.
        return replace(reply, latency_s=time.monotonic() - began, model=Path(reply.model).name)

    def _whole_words(self, request: Request) -> Reply:
        """Score whole verdict words, token by token."""
        walk = Walk(request.choices)
        first: Reply | None = None
        passes = 0
        while pending := walk.pending():
            answer = self._answer(request, pending[0])
            if failed := _failed(answer):
                return failed
            walk.add(pending[0], likely_tokens(answer))
            first = first or self.wire.reply(answer, request.choices)
            passes += 1
        assert first is not None  # noqa: S101 - something is pending at the start
        found = walk.logprobs()
        read = replace(first, choice_logprobs=found, output_tokens=passes)
        if not found:
            return read
        likeliest = max(found, key=lambda word: found[word])
        mass = min(sum(map(math.exp, found.values())), 1.0)
        return replace(read, text=likeliest, stop="stop", label_mass=mass)

    def _answer(self, request: Request, begun: str = "") -> Any:
        """Return llama.cpp's response to a request, to continue a reply that has begun."""
        decoding = self._sent.seeded(request.seed)
        body = self.wire.body(self.name, request, decoding) | {"cache_prompt": True}
        if forged := self._special_in(request):
            return self._as_tokens(request, body, begun, forged)
        if self.prompt_as == "text":
            return self._server.handle_completions({**body, "prompt": body["prompt"] + begun})
        if begun:
            # It continues a last message of the assistant.
            begun_message = {"role": "assistant", "content": begun}
            body = {**body, "messages": [*body["messages"], begun_message]}
        return self._server.handle_chat_completions(body)


def cores() -> int:
    """Return how many cores this process may use: in a job of a cluster, not all of a node's."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _free(threads: ThreadPoolExecutor, held: list[Any]) -> None:
    threads.shutdown(cancel_futures=True)
    held.clear()


def _failed(answer: Any) -> Reply | None:
    """Return the reply to a request that llama.cpp rejects, as one that is too long; else None."""
    failure = failure_within(answer)
    return failure.reply() if failure else None
