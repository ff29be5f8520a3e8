"""vLLM in process: the model in worker processes of its own, asked in large batches."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ...types import Reply, Request
from ..decoding import Decoding
from ..errors import JudgeUnavailableError
from ..http.wire import verdict_schema
from ..word_logprobs import verdict_logprobs
from .child import WORKER, Child

HEARTBEAT_S = 0.2  # how often to look whether a process still runs


class Offline:
    """One worker, or several that share the batches (data parallel).

    Parameters
    ----------
    judge : str
        Name, for errors.
    python : str
        The interpreter that has vLLM.
    arguments : mapping
        Of vllm.LLM.
    how : mapping
        How to ask: `prompt_as` and `template`; see `worker.Engine.answer`.
    decoding : Decoding
    environment : mapping
        Variables for the workers.
    workers : int
        How many copies of the model.
    devices : int
        GPUs a copy takes; with several copies each is given its own.
    """

    def __init__(
        self,
        judge: str,
        python: str,
        arguments: Mapping[str, Any],
        how: Mapping[str, Any],
        decoding: Decoding,
        environment: Mapping[str, str],
        workers: int = 1,
        devices: int = 1,
    ) -> None:
        self.judge = judge
        self.python = python
        self.arguments = arguments
        self.how = how
        self.decoding = decoding
        self.environment = environment
        self.workers = workers
        self.devices = devices
        self._running: list[_Worker] = []

    async def start(self) -> None:
        """Load the model. Raises JudgeUnavailableError with vLLM's own words where it can't."""
        for number in range(self.workers):
            command = [self.python, str(WORKER)]
            child = await Child.start(command, self._environment(number), talks=True)
            self._running.append(_Worker(self.judge, child))
        await asyncio.gather(*(worker.exchange(self.arguments) for worker in self._running))

    async def ask(self, requests: Sequence[Request]) -> list[Reply]:
        """Answer requests of one prompt, each worker a share of them."""
        decoding = self.decoding.suited(requests[0].choices, "choice")
        how = {**self.how, "decoding": asdict(decoding)}
        share = -(-len(requests) // self.workers)
        parts = [requests[at : at + share] for at in range(0, len(requests), share)]
        asked = zip(self._running, parts, strict=False)
        replies = await asyncio.gather(*(worker.ask(part, how) for worker, part in asked))
        return [reply for part in replies for reply in part]

    async def stop(self) -> None:
        """End the workers and wait until they are gone, and their memory with them."""
        await asyncio.gather(*(worker.child.stop() for worker in self._running))
        self._running = []

    def _environment(self, number: int) -> dict[str, str]:
        if self.workers == 1:
            return dict(self.environment)
        named = os.environ.get("CUDA_VISIBLE_DEVICES")
        seen = named.split(",") if named else [str(n) for n in range(self.workers * self.devices)]
        mine = seen[number * self.devices : (number + 1) * self.devices]
        return {**self.environment, "CUDA_VISIBLE_DEVICES": ",".join(mine)}


class _Worker:
    """A child process that runs `worker`."""

    def __init__(self, judge: str, child: Child) -> None:
        self.judge = judge
        self.child = child

    async def ask(self, requests: Sequence[Request], how: Mapping[str, Any]) -> list[Reply]:
        prompts = [[message._asdict() for message in r.messages] for r in requests]
        choices = requests[0].choices
        schema = verdict_schema(choices)
        asked = {**how, "prompts": prompts, "choices": choices, "schema": schema}
        answer = await self.exchange(asked)
        pairs = zip(requests, answer["replies"], strict=True)
        return [_reply(request, said) for request, said in pairs]

    async def exchange(self, said: Mapping[str, Any]) -> Any:
        """Send a line, return the worker's. Raises JudgeUnavailableError with what it says."""
        process = self.child.process
        assert process.stdin is not None  # noqa: S101 - both are pipes
        assert process.stdout is not None  # noqa: S101
        with contextlib.suppress(ConnectionError):
            process.stdin.write(json.dumps(said).encode() + b"\n")
            await process.stdin.drain()
        reading = asyncio.create_task(process.stdout.readline())
        # It may end and leave the pipe open in the hands of a process that it started.
        while not (reading.done() or self.child.ended):
            await asyncio.wait((reading,), timeout=HEARTBEAT_S)
        line = reading.result() if reading.done() else b""
        reading.cancel()
        while not (line or self.child.ended):
            await asyncio.sleep(HEARTBEAT_S)
        answer = json.loads(line) if line else {"error": f"vLLM ended: {self.child.last_words()}"}
        if "error" in answer:
            raise JudgeUnavailableError(f"judge {self.judge}: {answer['error']}")
        return answer


def _reply(request: Request, said: Mapping[str, Any]) -> Reply:
    if "error" in said:
        return Reply(stop="error", error=said["error"])
    return Reply(
        text=said["text"],
        stop=said["stop"],
        thinking=said["thinking"],
        choice_logprobs=verdict_logprobs(map(tuple, said["likely"]), request.choices),
        input_tokens=said["input_tokens"],
        cached_tokens=said["cached_tokens"],
        output_tokens=said["output_tokens"],
    )
