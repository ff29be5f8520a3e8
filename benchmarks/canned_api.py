"""A mock API server that costs little CPU time: canned replies of OpenAI's chat completions.

    python benchmarks/canned_api.py --latency 0.05

prints its port as JSON and ends when its standard input closes. It reads no request but for its
length and the model's name, so that a benchmark on few cores times the client, not the server.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
MODEL = re.compile(rb'"model": *"([^"]*)"')
REPLY = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "MODEL",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "True", "refusal": None},
            "finish_reason": "stop",
        }
    ],
    "usage": {
        "prompt_tokens": 300,
        "completion_tokens": 2,
        "total_tokens": 302,
        "prompt_tokens_details": {"cached_tokens": 256},
    },
}


class Canned(asyncio.Protocol):
    """One connection: a request at a time, each answered after the latency."""

    def __init__(self, latency: float) -> None:
        self.latency = latency
        self.loop = asyncio.get_running_loop()
        self.transport: asyncio.Transport
        self.received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer in a while, once the request is whole."""
        self.received += data
        head, found, body = self.received.partition(b"\r\n\r\n")
        if not found:
            return
        length = LENGTH.search(head)
        if length is None or len(body) < int(length[1]):
            return
        model = MODEL.search(body)
        reply = _reply(model[1].decode() if model else "")
        self.received = b""
        self.loop.call_later(self.latency, self.transport.write, reply)


_made: dict[str, bytes] = {}


def _reply(model: str) -> bytes:
    if model not in _made:
        body = json.dumps(REPLY | {"model": model}).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        _made[model] = f"{head}\r\n\r\n".encode() + body
    return _made[model]


@contextmanager
def in_a_process(latency: float) -> Iterator[str]:
    """Serve from another process; yield the server's address."""
    command = [sys.executable, __file__, f"--latency={latency}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            yield json.loads(server.stdout.readline())["base_url"]
        finally:
            server.stdin.close()
            server.wait(10)


async def main(latency: float) -> None:
    """Serve until standard input closes."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Canned(latency), "127.0.0.1", 0, backlog=1024)
    port = server.sockets[0].getsockname()[1]
    print(json.dumps({"base_url": f"http://127.0.0.1:{port}"}), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--latency", type=float, default=0.05)
    asyncio.run(main(parser.parse_args().latency))
