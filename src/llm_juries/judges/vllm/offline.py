"""vLLM in worker processes, asked in large batches."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from ...types import Reply, Request
from ..errors import JudgeUnavailableError
from ..http.failures import TOO_LONG, Failure
from ..http.wire import verdict_schema
from ..word_logprobs import label_mass, verdict_logprobs
from .child import ELSEWHERE, WORKER, Child
from .options import Asking, Launch

HEARTBEAT_S = 0.2  # how often to check that a process is still running


class Offline:
    """One worker process, or several that share the batches (data parallel).

    Parameters
    ----------
    launch : Launch
        Each of several copies gets GPUs of its own.
    """

    def __init__(self, launch: Launch) -> None:
        self.launch = launch
        self._running: list[_Worker] = []

    async def start(self) -> None:
        """Load the model. Raises JudgeUnavailableError with vLLM's own message where it can't."""
        launch = self.launch
        for number in range(launch.copies):
            command = [launch.python, str(WORKER)]
            child = await Child.start(command, self._environment(number), replies=True)
            self._running.append(_Worker(launch, child))
        await asyncio.gather(*(worker.load() for worker in self._running))

    async def ask(self, requests: Sequence[Request], asking: Asking) -> list[Reply]:
        """Answer requests of one prompt, each worker a share of them."""
        decoding = asking.decoding.suited(requests[0].choices, "choice")
        how = asdict(replace(asking, decoding=decoding))
        share = -(-len(requests) // self.launch.copies)
        parts = [requests[at : at + share] for at in range(0, len(requests), share)]
        asked = zip(self._running, parts, strict=False)
        replies = await asyncio.gather(*(worker.ask(part, how) for worker, part in asked))
        return [reply for part in replies for reply in part]

    async def stop(self) -> None:
        """End the workers and wait until they and their memory are gone."""
        await asyncio.gather(*(worker.child.stop() for worker in self._running))
        self._running = []

    def _environment(self, number: int) -> dict[str, str]:
        copies, gpus = self.launch.copies, self.launch.gpus
        if copies == 1:
            return self.launch.environment
        named = os.environ.get("CUDA_VISIBLE_DEVICES")
        seen = named.split(",") if named else [str(n) for n in range(copies * gpus)]
        mine = seen[number * gpus : (number + 1) * gpus]
        return {**self.launch.environment, "CUDA_VISIBLE_DEVICES": ",".join(mine)}


class _Worker:
    """A child process that runs `worker.py`."""

    def __init__(self, launch: Launch, child: Child) -> None:
        self.judge = launch.judge
        self.raw = str(launch.arguments.get("logprobs_mode", "raw_logprobs")).startswith("raw")
        self.launch = launch
        self.child = child
        self.answered_as = ""

    async def load(self) -> None:
        """Load the model. Raises JudgeUnavailableError with vLLM's message where it can't."""
        ready = await self.exchange(self.launch.arguments)
        self.answered_as = self.launch.answered_as(
            str(ready.get("vllm", "")), str(ready.get("head_dtype", ""))
        )

    async def ask(self, requests: Sequence[Request], how: Mapping[str, Any]) -> list[Reply]:
        prompts = [[message._asdict() for message in r.messages] for r in requests]
        choices = requests[0].choices
        schema = verdict_schema(choices)
        seeds = [request.seed for request in requests]
        asked = {
            **how,
            "special": list(requests[0].special),
            "prompts": prompts,
            "seeds": seeds,
            "choices": choices,
            "schema": schema,
        }
        answer = await self.exchange(asked)
        pairs = zip(requests, answer["replies"], strict=True)
        return [
            replace(_reply(request, said, raw=self.raw), model=self.answered_as)
            for request, said in pairs
        ]

    async def exchange(self, said: Mapping[str, Any]) -> Any:
        """Send a line, return the worker's. Raises JudgeUnavailableError with its message."""
        process = self.child.process
        assert process.stdin is not None  # noqa: S101 - both are pipes
        assert process.stdout is not None  # noqa: S101
        with contextlib.suppress(ConnectionError):
            process.stdin.write(json.dumps(said).encode() + b"\n")
            await process.stdin.drain()
        reading = asyncio.create_task(process.stdout.readline())
        # It may end while a process that it started keeps the pipe open.
        while not (reading.done() or self.child.ended):
            await asyncio.wait((reading,), timeout=HEARTBEAT_S)
        line = reading.result() if reading.done() else b""
        reading.cancel()
        while not (line or self.child.ended):
            await asyncio.sleep(HEARTBEAT_S)
        answer = json.loads(line) if line else {"error": f"vLLM exited: {self.child.last_error()}"}
        if "error" in answer:
            error = answer["error"]
            if ELSEWHERE in error:
                error = self.child.last_error()
            raise JudgeUnavailableError(f"judge {self.judge}: {error}")
        return answer


def _reply(request: Request, said: Mapping[str, Any], *, raw: bool) -> Reply:
    """Return what the worker said as a reply.

    `raw` says whether the probabilities are among all tokens, not only among the allowed ones.
    """
    if "error" in said:
        failure = Failure(400, said["error"])
        if failure.effect == "too_long":
            return Reply(stop="rejected", error=failure.message, finish_reason=TOO_LONG)
        return Reply(stop="error", error=failure.message)
    likely = [(token, logprob) for token, logprob in said["likely"]]
    return Reply(
        text=said["text"],
        stop=said["stop"],
        finish_reason=said["finish_reason"],
        thinking=said["thinking"],
        choice_logprobs=verdict_logprobs(likely, request.choices),
        label_mass=label_mass(likely, request.choices) if raw else None,
        input_tokens=said["input_tokens"],
        cached_tokens=said["cached_tokens"],
        output_tokens=said["output_tokens"],
    )
