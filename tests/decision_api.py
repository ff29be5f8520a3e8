"""A mock of servers of decision models, strict about what it is asked.

/v1/systemone refuses what typesafe-sdk 0.7.5 or vLLM 0.32 would, /v1/decisions what openai-python's
types do not hold. Answers depend on the texts alone, so that two runs agree.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pydantic
from aiohttp import web
from openai.types.decision_create_params import DecisionCreateParams

Json = dict[str, Any]
ASKED = {
    "noul": {"type", "instructions", "criteria"},
    "choice": {"type", "instructions", "criteria"},
    "score": {"type", "instructions", "criteria"},
    "predicate": {"type", "instructions", "name"},
}
OPENAI = pydantic.TypeAdapter(DecisionCreateParams)


class RefusedError(Exception):
    """A request that is off the schema."""


def shares_of(text: str, count: int) -> list[float]:
    """Return probabilities that depend on nothing but a text."""
    seed = hashlib.sha256(text.encode()).digest()
    weights = [seed[place] ** 2 + 1 for place in range(count)]
    return [weight / sum(weights) for weight in weights]


@dataclass
class DecisionApi:
    """The server's state; `app` is the server.

    `say` gives the options' probabilities from the state and the question; `decimals` rounds them;
    `mass` is vLLM's label mass, None for servers that report none; `twist` changes a response;
    `status` answers the first calls with errors.
    """

    say: Callable[[Any, Json, int], Sequence[float]] = lambda state, asked, count: shares_of(
        json.dumps([state, asked], sort_keys=True), count
    )
    decimals: int | None = None
    mass: float | None = 0.9
    twist: Callable[[Json], Any] | None = None
    status: list[int] = field(default_factory=list)
    model: str | None = None
    most: tuple[int, int, int] = (64, 26, 10)
    bodies: list[Json] = field(default_factory=list)
    base_url: str = ""

    @property
    def app(self) -> web.Application:
        app = web.Application(client_max_size=1 << 26)
        app.router.add_post("/v1/systemone", self._handler(self._systemone))
        app.router.add_post("/v1/decisions", self._handler(self._decisions))
        return app

    def _handler(self, answer: Callable[[Json], Json]) -> Callable[[web.Request], Any]:
        async def handle(request: web.Request) -> web.Response:
            body = json.loads(await request.read())
            self.bodies.append(body)
            if self.status:
                code = self.status.pop(0)
                return web.json_response({"error": {"message": f"mock {code}"}}, status=code)
            try:
                said: Any = answer(body)
            except RefusedError as error:
                return web.json_response({"error": {"message": str(error)}}, status=400)
            if self.twist is not None:
                said = self.twist(said)
            raw = said if isinstance(said, bytes) else json.dumps(said).encode()
            return web.Response(body=raw, content_type="application/json")

        return handle

    def _shares(self, state: Any, asked: Json, count: int) -> list[float]:
        found = list(self.say(state, asked, count))
        return found if self.decimals is None else [round(p, self.decimals) for p in found]

    def _systemone(self, body: Json) -> Json:
        check(set(body) <= {"model", "state", "questions", "chat_template_kwargs"}, "unknown field")
        check(isinstance(body.get("state"), str | dict | list), "state: required")
        questions = body.get("questions")
        if not isinstance(questions, dict) or not 1 <= len(questions) <= self.most[0]:
            raise RefusedError(f"questions: 1 to {self.most[0]}")
        answers = {name: self._answer(body["state"], q) for name, q in questions.items()}
        said = {"id": "decision-1", "model": self.model or body["model"], "answers": answers}
        if self.mass is not None:
            diagnostics = {"label_mass": self.mass, "argmax_is_label": True}
            said["diagnostics"] = dict.fromkeys(questions, diagnostics)
        tokens = 20 * len(questions) + 1  # does not divide evenly
        return said | {"usage": {"input_tokens": tokens, "output_tokens": 0}}

    def _answer(self, state: Any, asked: Json) -> Json:
        kind, criteria = asked.get("type"), asked.get("criteria")
        check(kind in ("noul", "choice", "score") and set(asked) <= ASKED[kind], "unknown field")
        check(isinstance(asked.get("instructions", "text"), str), "instructions: text")
        if kind == "noul":
            check(set(criteria or {}) <= {"true", "false"}, "noul criteria: true and false")
            check(all(isinstance(v, str) for v in criteria.values()), "noul criteria: texts")
            check(bool(asked.get("instructions") or criteria), "noul: nothing is asked")
            yes = self._shares(state, asked, 2)[1]
            return {"type": kind, "noul": yes}
        if kind == "choice":
            check(isinstance(criteria, dict) and 2 <= len(criteria) <= self.most[1], "criteria")
            check(all(isinstance(v, str | None) for v in criteria.values()), "criteria: texts")
            shares = dict(zip(criteria, self._shares(state, asked, len(criteria)), strict=True))
            best = max(shares, key=lambda name: shares[name])
            found = {"choice": best, "probabilities": shares}
        else:
            check(isinstance(criteria, list) and 2 <= len(criteria) <= self.most[2], "criteria")
            check(all(isinstance(v, str) and v for v in criteria), "criteria: texts")
            listed = self._shares(state, asked, len(criteria))
            found = {
                "score": sum(level * p for level, p in enumerate(listed)),
                "legend": {str(n): text for n, text in enumerate(criteria)},
                "probabilities": {str(n): p for n, p in enumerate(listed)},
            }
        top = max(found["probabilities"].values())
        return {"type": kind, **found, "confidence": min(top * (self.mass or 1.0), 1.0)}

    def _decisions(self, body: Json) -> Json:
        try:
            OPENAI.validate_python(body, strict=True)
        except pydantic.ValidationError as error:
            raise RefusedError(str(error)) from None
        check(set(body) <= {"model", "input", "questions", "safety_identifier"}, "unknown field")
        questions = list(body["questions"])
        check(1 <= len(questions) <= 400, "questions: 1 to 400")
        answers = [self._openai_answer(body["input"], asked) for asked in body["questions"]]
        tokens = {"input_tokens": 20 * len(questions) + 1, "output_tokens": 0}
        details = {"input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0}}
        details["output_tokens_details"] = {"reasoning_tokens": 0}
        total = {"total_tokens": tokens["input_tokens"]}
        said = {"model": self.model or body["model"], "answers": answers}
        return said | {"usage": tokens | details | total}

    def _openai_answer(self, state: Any, asked: Json) -> Json:
        kind = asked["type"]
        if kind == "predicate":
            check(set(asked) <= ASKED[kind] and bool(asked["instructions"]), "predicate")
            yes = self._shares(state, asked, 2)[1]
            return {"type": kind, "name": None, "probability": yes}
        options = asked["choices" if kind == "choice" else "levels"]
        key = "value" if kind == "choice" else "label"
        known = {"type", "instructions", "name", "choices" if kind == "choice" else "levels"}
        check(set(asked) <= known and all(set(o) <= {key, "description"} for o in options), kind)
        check(2 <= len(options) <= (255 if kind == "choice" else 10), f"{kind}: too many")
        check(len({o[key] for o in options}) == len(options), f"{kind}: not distinct")
        shares = self._shares(state, asked, len(options))
        pairs = list(zip(options, shares, strict=True))
        if kind == "choice":
            listed = [{"value": o["value"], "probability": p} for o, p in pairs]
            best = max(listed, key=lambda one: one["probability"])["value"]
            found: Json = {"choice": best, "probabilities": listed}
        else:
            listed = [
                {"value": n, "label": o["label"], "probability": p}
                for n, (o, p) in enumerate(pairs)
            ]
            mean = sum(one["value"] * one["probability"] for one in listed)
            found = {"score": round(mean, 2), "probabilities": listed}
        return {"type": kind, "name": None, **found, "confidence": max(shares)}


def check(fits: bool, problem: str) -> None:
    if not fits:
        raise RefusedError(problem)
