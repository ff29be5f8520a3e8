"""The secrets that a judge sends: from environment variables, or from a command that prints a key.

They live in this object alone: it makes the headers of requests, and takes whatever it has sent out
of texts that come back.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
from dataclasses import dataclass, field
from time import monotonic

from ...redaction import SHORTEST, cleaned, redacted
from ..errors import JudgeUnavailableError
from .addresses import is_private
from .server import Server

COMMAND_S = 60.0  # for a command that prints a key
OPAQUE = re.compile(r"(?=[\w.+=~-]*\d)(?=[\w.+=~-]*[A-Za-z])[\w.+=~-]{16,}")
"""What may be a key in the errors of a command: it is not known yet, so no other sign of it is."""


@dataclass
class Credentials:
    """The headers with which a judge's requests are let in.

    Parameters
    ----------
    judge : str
        For messages.
    server : Server
    base_url : str
    key_env : str, optional
        The variable with the key, the wire's usual one included; "" or None for none.
    """

    judge: str
    server: Server
    base_url: str
    key_env: str | None = None
    _key: str | None = None
    _read_at: float = 0.0
    _from_environment: dict[str, str] = field(default_factory=dict)
    _secrets: list[str] = field(default_factory=list)
    _renewing: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def named(self) -> str:
        """Where the key comes from, for messages: a variable's name, or the command."""
        if self.server.key_command:
            return f"server.key_command ({self.server.key_command[0]})"
        if not self.key_env:
            return "server.key_env, which names no variable with a key"
        # It may be a key that was given in the place of a variable's name.
        return self.key_env if self.key_env.isupper() else "the variable that key_env names"

    async def read(self) -> None:
        """Read the secrets from the environment, or run the command.

        Raises
        ------
        JudgeUnavailableError
            If one is missing or can't be sent, or the command fails.
        """
        self._renewing = asyncio.Lock()  # that of an earlier event loop may not be used here
        self._key, self._secrets, self._from_environment = None, [], {}
        if self.server.key_command:
            await self._run()
        elif self.key_env:
            self._key = self._read(self.key_env, self.named)
        for header, variable in self.server.headers_env.items():
            self._from_environment[header] = self._read(variable, variable)

    async def headers(self) -> dict[str, str]:
        """Return the headers of the next request; a key that is too old is renewed first.

        Raises
        ------
        JudgeUnavailableError
            If the command fails.
        """
        lifetime = self.server.key_lifetime_s
        if lifetime is not None and monotonic() - self._read_at >= lifetime:
            async with self._renewing:
                if monotonic() - self._read_at >= lifetime:
                    await self._run()
        return self._made()

    async def renewed(self, sent: dict[str, str]) -> bool:
        """Return whether there is another key than in the headers of a request that was refused.

        Runs the command, once for all requests that were refused with the same key.
        """
        if not self.server.key_command:
            return False
        async with self._renewing:
            if sent == self._made():
                await self._run()
            return sent != self._made()

    @property
    def known(self) -> bool:
        """Whether there is any secret."""
        return bool(self._secrets)

    def scrubbed(self, text: str) -> str:
        """Return a text without the secrets, in case a server has echoed one."""
        return redacted(text, self._secrets, "[key]")

    def _made(self) -> dict[str, str]:
        sent = {**self.server.headers, **self._from_environment}
        return sent | self.server.key_headers(self._key)

    def _read(self, variable: str, named: str) -> str:
        value = os.environ.get(variable)
        if not value:
            off = 'server.key_env="" in its config for a server that needs none'
            remedy = f"set it, or {off}" if variable == self.key_env else "set it"
            raise JudgeUnavailableError(
                f"judge {self.judge}: the environment variable {named} holds no key; {remedy}"
            )
        return self._checked(value, named, "export it again")

    def _checked(self, value: str, named: str, remedy: str) -> str:
        if len(value) < SHORTEST and not is_private(self.base_url):
            raise JudgeUnavailableError(
                f"judge {self.judge}: the key in {named} has fewer than {SHORTEST} characters, "
                "too short to be recognised and kept out of files; only servers on this machine or "
                "a private network take such a key"
            )
        if not (value.isascii() and value.isprintable()):
            raise JudgeUnavailableError(
                f"judge {self.judge}: the key in {named} has a line break or another sign that no "
                f"key has; {remedy}"
            )
        if value not in self._secrets:
            self._secrets.append(value)
        return value

    async def _run(self) -> None:
        """Run the command and take its output as the key."""
        printed = (await asyncio.to_thread(self._printed)).strip()
        if not printed:
            raise JudgeUnavailableError(f"judge {self.judge}: {self.named} printed no key")
        self._key = self._checked(printed, self.named, "it must print the key and nothing else")
        self._read_at = monotonic()

    def _printed(self) -> str:
        where = f"judge {self.judge}: {self.named}"
        try:
            done = subprocess.run(  # noqa: S603 - the config's own command, without a shell
                list(self.server.key_command),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=COMMAND_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise JudgeUnavailableError(
                f"{where}: printed no key within {COMMAND_S:g} s; run it by hand"
            ) from None
        except (OSError, ValueError) as error:
            said = getattr(error, "strerror", None) or error
            raise JudgeUnavailableError(
                f"{where}: can't be run ({said}); install it, or fix its name"
            ) from None
        if done.returncode:
            said = self.scrubbed(" ".join(done.stderr.split()))  # it may name the last key
            said = OPAQUE.sub("[key]", cleaned(said))[-300:]
            raise JudgeUnavailableError(
                f"{where}: ended with exit code {done.returncode}: {said}; run it by hand"
            )
        return done.stdout
