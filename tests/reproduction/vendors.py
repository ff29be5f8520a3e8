"""A stand-in for the hub and all vendors: everything that an experiment asks, on loopback."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from data.hub_repositories import arena_hard_answer, at, build_repositories, write_lines
from decision_api import DecisionApi
from fake_hub import FakeHub, fake_hub
from faulty_api import FaultyApi, Wire, in_a_thread, prompt_of

KEYS = ("OPENAI", "ANTHROPIC", "MISTRAL", "CO", "PERPLEXITY", "UPSTAGE", "GEMINI")
RANKED = (
    "gpt-4-turbo-2024-04-09",
    "claude-3-opus-20240229",
    "command-r-plus",
    "gpt-3.5-turbo-0125",
)


@dataclass
class Vendors(FaultyApi):
    """All vendors at one address. What a model says depends on its name and the prompt alone."""

    decisions: DecisionApi = field(default_factory=DecisionApi)

    @property
    def app(self) -> web.Application:
        app = super().app
        for route in self.decisions.app.router.routes():
            if route.method == "POST":
                assert route.resource is not None
                app.router.add_post(route.resource.canonical, route.handler)
        return app

    def good(self, wire: Wire, body: dict[str, Any], **changes: Any) -> bytes:
        text = said(str(body["model"]), prompt_of(body))
        reply = wire.reply(body, text, **{"text": text, "stop": "stop", **changes})
        return json.dumps(reply).encode()


def said(model: str, prompt: str) -> str:
    """Return what a model answers, judges or searches for."""
    chance = hashlib.sha256(f"{model} {prompt}".encode()).digest()[0]
    if prompt.endswith("Correct:"):
        right = " red" in prompt.rpartition("Provided Answer:")[2].partition("Reference")[0]
        return str(right if chance % 4 else not right)
    if prompt.endswith("Verdict:"):
        return ("A>>B", "A>B", "A=B", "B>A", "B>>A")[chance % 5]
    colour = "red" if chance % 2 else "blue"
    if "Search: " in prompt and "Searched for:" not in prompt:
        return "Search: the colour"
    start = "Answer: " if "Search: " in prompt else ""
    return f"{start}The colour is {colour}, says {model} (Document [1])."


@dataclass(frozen=True)
class Rehearsal:
    """What commands need to be run against the stand-ins.

    Attributes
    ----------
    vendors : Vendors
    hub : FakeHub
    environment : dict of str to str
        With keys and the hub's address.
    """

    vendors: Vendors
    hub: FakeHub
    environment: dict[str, str]

    def overrides(self, candidates: list[str], judges: list[str]) -> list[str]:
        """Return what sends candidates and judges here, one request at a time each."""
        named = [("candidates", name) for name in candidates]
        named += [("judges", name) for name in judges]
        found = []
        for group, name in named:
            version = "v2" if name.startswith("command_") else "v1"
            found.append(f"{group}.{name}.server.base_url={self.vendors.base_url}/{version}")
            found.append(f"{group}.{name}.limits.in_flight=1")
            if name == "pplx_decider":
                found.append(f"{group}.{name}.server.path=/systemone")
        return found


@contextmanager
def rehearsal(folder: Path) -> Iterator[Rehearsal]:
    """Serve hub and vendors while the block runs."""
    build_repositories(folder / "hub")
    arena = at(folder / "hub", "arena_hard_v01") / "data/arena-hard-v0.1/model_answer"
    for model in RANKED:
        rows = [arena_hard_answer(uid, model) for uid in ("u1", "u2")]
        write_lines(arena / f"{model}.jsonl", rows)
    rows = [{"title": c, "text": f"The colour of {c} is red.", "passage_id": c} for c in "abcdef"]
    write_lines(folder / "passages.jsonl", rows)
    with in_a_thread(Vendors(polls=0)) as vendors, fake_hub(folder / "hub") as hub:
        environment = {f"{name}_API_KEY": "a-key-of-the-rehearsal-0123456789" for name in KEYS}
        environment |= {
            "HF_ENDPOINT": hub.url,
            "HF_HOME": str(folder / "home"),
            "HF_HUB_OFFLINE": "0",
        }
        yield Rehearsal(vendors, hub, environment | {"NO_PROXY": "127.0.0.1"})


def fill(sheet: Path) -> int:
    """Label a sheet as a person might; return how many rows it has."""
    with sheet.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        chance = hashlib.sha256(row["row"].encode()).digest()[0]
        row["label"] = str(int((" red" in row["answer"]) == (chance % 6 > 0)))
    with sheet.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return len(rows)
