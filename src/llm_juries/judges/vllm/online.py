"""vLLM as a server, asked over HTTP: `vllm serve` is started and stopped, or already running."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ...types import Reply, Request
from ..base import Limits
from ..errors import JudgeUnavailableError, TransientError
from ..http.client import Client
from ..http.judge import HttpJudge
from ..http.server import Server
from ..http.wire import decoded
from .child import WORKER, Child
from .options import Asking, Launch


class Online:
    """A server of one model, started here unless `launch.runtime.base_url` names a running one.

    Attributes
    ----------
    base_url : str or None
        Of the server; None before one is started.
    """

    def __init__(self, launch: Launch) -> None:
        self.launch = launch
        self.base_url = launch.runtime.base_url
        self.answered_as = ""  # of a server that is started here: what another serves is its to say
        self._child: Child | None = None
        self._clients: dict[tuple[Asking, tuple[str, ...]], HttpJudge] = {}
        self._opening = asyncio.Lock()

    async def start(self) -> None:
        """Start the server, unless a running one is named, and wait until it is healthy.

        Raises
        ------
        JudgeUnavailableError
            With vLLM's own message if it exits before, or if a named server can't be reached.
        """
        if self.base_url is not None:
            await self._model()
            return
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        launch = self.launch
        command = [launch.python, str(WORKER), "serve", launch.arguments["model"]]
        command += ["--host=127.0.0.1", f"--port={port}"]
        command += [f"--served-model-name={launch.judge}", f"--data-parallel-size={launch.copies}"]
        command += serve_options(launch.arguments)
        self._child = await Child.start(command, launch.environment, replies=False)
        self.base_url = f"http://127.0.0.1:{port}/v1"
        while not await self._healthy():
            self._check_running()
            await asyncio.sleep(0.5)
        overrides = launch.arguments.get("hf_overrides", {})
        self.answered_as = launch.answered_as(
            await self._version(), str(overrides.get("head_dtype", ""))
        )

    async def ask(self, requests: Sequence[Request], asking: Asking) -> list[Reply]:
        """Answer requests of one prompt; see `HttpJudge.ask` for what is raised."""
        client = await self._client(requests[0].choices, asking)
        try:
            replies = await client.ask(requests)
            # Its probabilities are those among the allowed tokens, so their sum says nothing.
            # The address of a server that was started here is of this run alone.
            here = self._child is not None
            return [
                replace(
                    reply,
                    label_mass=None,
                    server="" if here else reply.server,
                    model=self.answered_as or reply.model,
                )
                for reply in replies
            ]
        except TransientError:
            self._check_running()
            raise

    async def stop(self) -> None:
        """Close the connections; end a server that was started here, and wait until it is gone."""
        for client in self._clients.values():
            await client.close()
        self._clients = {}
        if self._child is not None:
            await self._child.stop()
            self._child = self.base_url = None

    def _check_running(self) -> None:
        """Raise JudgeUnavailableError if a server that was started here has ended."""
        if self._child is not None and self._child.ended:
            raise JudgeUnavailableError(
                f"judge {self.launch.judge}: vllm serve exited: {self._child.last_error()}"
            )

    async def _client(self, choices: tuple[str, ...], asking: Asking) -> HttpJudge:
        async with self._opening:
            if (asking, choices) not in self._clients:
                self._clients[asking, choices] = await self._opened(choices, asking)
        return self._clients[asking, choices]

    async def _opened(self, choices: Sequence[str], asking: Asking) -> HttpJudge:
        decoding = asking.decoding.suited(choices, "choice")
        extra: dict[str, Any] = dict(decoding.extra)
        if asking.template and asking.prompt_as == "chat":
            extra["chat_template_kwargs"] = dict(asking.template)
        if decoding.thinking_tokens is not None:
            extra["thinking_token_budget"] = decoding.thinking_tokens
        decoding = replace(decoding, extra=extra)
        if decoding.verdict_by == "logprobs":
            ids = await self._verdict_ids(choices)
            extra["allowed_token_ids"] = ids
            decoding = replace(decoding, extra=extra, max_tokens=1, top=len(ids))
        client = HttpJudge(
            self.launch.judge,
            "",
            "openai" if asking.prompt_as == "chat" else "openai_text",
            await self._model(),
            server=Server(self.base_url, "", self.launch.runtime.timeout_s),
            decoding=decoding,
            limits=Limits(in_flight=self.launch.runtime.in_flight),
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
                match await self._json("POST", "/tokenize", json=body):
                    case {"tokens": [int(token)]}:
                        whole.append(token)
                    case {"tokens": [*_]}:
                        pass
                    case _:
                        raise self._unexpected("/tokenize")
            if not whole:
                raise JudgeUnavailableError(
                    f"judge {self.launch.judge}: the verdict word {word!r} has more than one token "
                    "in this model; set decoding.verdict_by=choice"
                )
            ids.update(whole)
        return sorted(ids)

    async def _model(self) -> str:
        """Return the name under which the server serves its model."""
        match await self._json("GET", "/v1/models"):
            case {"data": [{"id": str(name)}, *_]}:
                return name
        raise self._unexpected("/v1/models")

    async def _version(self) -> str:
        match await self._json("GET", "/version"):
            case {"version": str(version)}:
                return version
        raise self._unexpected("/version")

    async def _healthy(self) -> bool:
        try:
            await self._json("GET", "/health")
        except JudgeUnavailableError:
            return False
        return True

    async def _json(self, method: str, path: str, **options: Any) -> Any:
        client = Client(self.launch.judge, self._root, timeout_s=30)
        await client.open()
        try:
            response = await client.send(method, path, **options)
        except TransientError as error:
            raise JudgeUnavailableError(f"judge {self.launch.judge}: {error}") from None
        finally:
            await client.close()
        if response.status != 200:
            raise JudgeUnavailableError(
                f"judge {self.launch.judge}: {self._root}{path}: HTTP {response.status}"
            )
        try:
            return decoded(response.body) if response.body else None
        except ValueError:
            raise self._unexpected(path) from None

    @property
    def _root(self) -> str:
        return str(self.base_url).rstrip("/").removesuffix("/v1")

    def _unexpected(self, path: str) -> JudgeUnavailableError:
        return JudgeUnavailableError(
            f"judge {self.launch.judge}: {self._root}{path} does not answer as vLLM does; check "
            "runtime.base_url"
        )


def serve_options(arguments: Mapping[str, Any]) -> list[str]:
    """Return arguments of vllm.LLM as options of `vllm serve`."""
    # The verdict tokens' probabilities are then those among the allowed tokens.
    found = ["--logprobs-mode=processed_logprobs", "--enable-prompt-tokens-details"]
    for name, value in arguments.items():
        option = "--" + name.replace("_", "-")
        if name == "model":
            continue
        if isinstance(value, bool):
            found.append(option if value else "--no-" + option[2:])
        elif isinstance(value, Mapping):
            found.append(f"{option}={json.dumps(dict(value))}")
        else:
            found.append(f"{option}={value}")
    return found
