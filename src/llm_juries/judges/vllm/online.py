"""vLLM as a server: `vllm serve` started and stopped, or one that runs already, asked over HTTP."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from ...types import Reply, Request
from ..base import Limits
from ..decoding import Decoding
from ..errors import JudgeUnavailableError, TransientError
from ..http.judge import HttpJudge
from .child import WORKER, Child

log = logging.getLogger(__name__)


class Online:
    """A server of one model.

    Parameters
    ----------
    judge : str
        Name, for errors; also the model's name at a server that is started here.
    python : str
        The interpreter that has vLLM.
    engine : mapping
        Arguments of vllm.LLM, handed to `vllm serve` as options.
    environment : mapping
        Variables for the server.
    decoding : Decoding
    prompt_as : {"chat", "text"}
    template : mapping
        Variables of the chat template.
    base_url : str, optional
        A server that runs already; then none is started or stopped.
    timeout_s : float
        For one reply.
    in_flight : int
    """

    def __init__(
        self,
        judge: str,
        python: str,
        engine: Mapping[str, Any],
        environment: Mapping[str, str],
        decoding: Decoding,
        prompt_as: Literal["chat", "text"],
        template: Mapping[str, Any],
        base_url: str | None,
        timeout_s: float,
        in_flight: int,
    ) -> None:
        self.judge = judge
        self.python = python
        self.engine = engine
        self.environment = environment
        self.decoding = decoding
        self.prompt_as = prompt_as
        self.template = template
        self.base_url = base_url
        self.timeout_s = timeout_s
        self.in_flight = in_flight
        self._child: Child | None = None
        self._clients: dict[tuple[str, ...], HttpJudge] = {}
        self._opening = asyncio.Lock()

    async def start(self) -> None:
        """Start the server, where none is named, and wait until it is well.

        Raises
        ------
        JudgeUnavailableError
            With vLLM's own words if it ends before that, or if a named server is not there.
        """
        if self.base_url is not None:
            await self._model()
            return
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [self.python, str(WORKER), "serve", self.engine["model"]]
        command += ["--host=127.0.0.1", f"--port={port}"]
        command += [f"--served-model-name={self.judge}", *options(self.engine)]
        self._child = await Child.start(command, self.environment, talks=False)
        self.base_url = f"http://127.0.0.1:{port}/v1"
        while not await self._well():
            if self._child.ended:
                raise JudgeUnavailableError(
                    f"judge {self.judge}: vllm serve ended: {self._child.last_words()}"
                )
            await asyncio.sleep(0.5)

    async def ask(self, requests: Sequence[Request]) -> list[Reply]:
        """Answer requests of one prompt; see `HttpJudge.ask` for what is raised."""
        client = await self._client(requests[0])
        try:
            return await client.ask(requests)
        except TransientError:
            if self._child is not None and self._child.ended:
                raise JudgeUnavailableError(
                    f"judge {self.judge}: vllm serve ended: {self._child.last_words()}"
                ) from None
            raise

    async def stop(self) -> None:
        """Close the connections; end a server that was started here, and wait until it is gone."""
        for client in self._clients.values():
            await client.close()
        self._clients = {}
        if self._child is not None:
            await self._child.stop()
            self._child = self.base_url = None

    async def _client(self, request: Request) -> HttpJudge:
        async with self._opening:
            if request.choices not in self._clients:
                self._clients[request.choices] = await self._opened(request.choices)
        return self._clients[request.choices]

    async def _opened(self, choices: Sequence[str]) -> HttpJudge:
        decoding = self.decoding.suited(choices, "choice")
        extra: dict[str, Any] = dict(decoding.extra)
        if self.template and self.prompt_as == "chat":
            extra["chat_template_kwargs"] = dict(self.template)
        if decoding.thinking_tokens is not None:
            extra["thinking_token_budget"] = decoding.thinking_tokens
        decoding = replace(decoding, extra=extra)
        if decoding.verdict_by == "logprobs":
            ids = await self._verdict_ids(choices)
            extra["allowed_token_ids"] = ids
            decoding = replace(decoding, extra=extra, max_tokens=1, top=len(ids))
        client = HttpJudge(
            self.judge,
            "",
            "openai" if self.prompt_as == "chat" else "openai_text",
            await self._model(),
            base_url=self.base_url,
            key_env="",
            decoding=decoding,
            limits=Limits(in_flight=self.in_flight),
            timeout_s=self.timeout_s,
        )
        await client.ready()
        await client.open()
        return client

    async def _verdict_ids(self, choices: Sequence[str]) -> list[int]:
        """Return the tokens that are verdict words, with and without a leading space."""
        ids: set[int] = set()
        for word in choices:
            whole: list[int] = []
            for spelled in (word, f" {word}"):
                body = {"prompt": spelled, "add_special_tokens": False}
                tokens = (await self._json("POST", "/tokenize", json=body))["tokens"]
                whole += tokens if len(tokens) == 1 else []
            if not whole:
                raise JudgeUnavailableError(
                    f"judge {self.judge}: the verdict word {word!r} is more than one token of this "
                    "model; set decoding.verdict_by=choice"
                )
            ids.update(whole)
        return sorted(ids)

    async def _model(self) -> str:
        """Return the name under which the server serves its model."""
        return str((await self._json("GET", "/v1/models"))["data"][0]["id"])

    async def _well(self) -> bool:
        try:
            await self._json("GET", "/health")
        except JudgeUnavailableError:
            return False
        return True

    async def _json(self, method: str, path: str, **options: Any) -> Any:
        import aiohttp

        url = str(self.base_url).rstrip("/").removesuffix("/v1") + path
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session,
                session.request(method, url, **options) as response,
            ):
                body = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise JudgeUnavailableError(f"judge {self.judge}: can't reach {url}: {error}") from None
        if response.status != 200:
            raise JudgeUnavailableError(f"judge {self.judge}: {url}: HTTP {response.status}")
        return json.loads(body) if body else None


def options(engine: Mapping[str, Any]) -> list[str]:
    """Return arguments of vllm.LLM as options of `vllm serve`."""
    # The served verdict tokens' probabilities are those among the tokens allowed.
    found = ["--logprobs-mode=processed_logprobs", "--enable-prompt-tokens-details"]
    for name, value in engine.items():
        option = "--" + name.replace("_", "-")
        if name == "model" or value is None:
            continue
        if isinstance(value, bool):
            found.append(option if value else "--no-" + option[2:])
        elif isinstance(value, Mapping):
            found.append(f"{option}={json.dumps(dict(value))}")
        else:
            found.append(f"{option}={value}")
    return found
