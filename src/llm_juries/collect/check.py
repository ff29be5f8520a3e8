"""Check judges before a run: keys, servers, names, tokens, lifetimes, prices, GPUs, packages.

Each is asked one tiny question, which is not stored; offline, none.
"""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

import pandas as pd

from ..judges.base import Judge
from ..judges.devices import Gpu, gpus_here
from ..judges.errors import JudgeUnavailableError, TransientError
from ..judges.http.judge import HttpJudge
from ..judges.http.served import same_model
from ..judges.lifetimes import Lifetime, today
from ..judges.llamacpp import LlamaCppJudge
from ..judges.vllm.judge import VllmJudge, has_vllm
from ..prompts.prompt import Prompt
from ..types import Item, Order, Outcome, Reply
from . import event_loop
from .tally import is_remote

QUESTION = Item("check", "check", "check", question="What is 2 + 2?", answer="4", references=("4",))
PROMPT = Prompt(
    "check",
    "Question: {{ question }}\nAnswer: {{ answer }}",
    {"True": 1.0, "False": 0.0},
    instruction="Is the answer right? Reply with one word, True or False.",
)
RIGHT = "True"
COLUMNS = (
    "judge", "model", "server", "key", "answer", "answered_as", "tokens", "probabilities", "served",
    "price", "gpus", "packages", "problem",
)  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """What came of asking a judge.

    Parameters
    ----------
    key : str
        Whether its key was found.
    said : str
        Its verdict, or that it was not asked.
    reply : Reply, optional
    problem : str
        Why it gave none.
    """

    key: str = ""
    said: str = "not asked"
    reply: Reply | None = None
    problem: str = ""


def check_judges(
    judges: Sequence[Judge],
    *,
    offline: bool = False,
    allow_retired: bool = False,
    gpu_gb: Mapping[str, float] | None = None,
) -> pd.DataFrame:
    """Check judges, asking each one tiny question whose answer is stored nowhere.

    Judges behind APIs are asked concurrently, local ones one after the other; one whose model is
    retired, or that lacks a package or a GPU, is not asked.

    Parameters
    ----------
    judges : sequence of Judge
    offline : bool
        Ask nothing and reach no server: keys, packages, GPUs, lifetimes and prices only.
    allow_retired : bool
        Ask models that their vendors have switched off too.
    gpu_gb : mapping of str to float, optional
        The memory that each of a judge's GPUs needs, by the judge's name.

    Returns
    -------
    DataFrame
        A row a judge, all texts: judge, model, server, key, answer, answered_as (the model's name
        that the server reports), tokens, probabilities, served, price, gpus, packages; problem is
        "" for a judge that is ready.
    """
    gpus = gpus_here()
    needs = gpu_gb or {}
    lacking = {
        judge.name: _retired(judge.lifetime, allowed=allow_retired)
        or _packages(judge)[1]
        or _gpus(judge, needs.get(judge.name, 0.0), gpus)[1]
        for judge in judges
    }
    answers = event_loop.run(
        _answers(judges, {j.name: offline or bool(lacking[j.name]) for j in judges})
    )
    rows = []
    for judge in judges:
        answer = answers[judge.name]
        rows.append(
            {
                "judge": judge.name,
                "model": _model(judge),
                "server": judge.address if isinstance(judge, HttpJudge) else "this machine",
                "key": answer.key,
                "answer": answer.said,
                "answered_as": _answered_as(judge, answer.reply),
                "tokens": _tokens(judge, answer.reply),
                "probabilities": _probabilities(judge, answer.reply),
                "served": _served(judge.lifetime),
                "price": _price(judge),
                "gpus": _gpus(judge, needs.get(judge.name, 0.0), gpus)[0],
                "packages": _packages(judge)[0],
                "problem": lacking[judge.name] or answer.problem,
            }
        )
    return pd.DataFrame(rows, columns=list(COLUMNS))


async def _answers(judges: Sequence[Judge], offline: Mapping[str, bool]) -> dict[str, Answer]:
    async def remote(judge: Judge) -> tuple[str, Answer]:
        return judge.name, await _answer(judge, offline=offline[judge.name])

    far = [judge for judge in judges if is_remote(judge)]
    found = dict(await asyncio.gather(*map(remote, far)))
    for judge in judges:  # each may need the machine to itself
        if judge not in far:
            found[judge.name] = await _answer(judge, offline=offline[judge.name])
    return found


async def _answer(judge: Judge, *, offline: bool) -> Answer:
    """Ask a judge; a problem, such as a missing key, is part of the answer."""
    if judge.free:
        return Answer(said="needs no model")
    commanded = isinstance(judge, HttpJudge) and bool(judge.server.key_command)
    local = not isinstance(judge, HttpJudge)
    key = "" if local else "missing"
    try:
        if offline and (local or commanded):  # weights would be downloaded, a login refreshed
            return Answer("from a command" if commanded else "")
        await judge.ready()
        if isinstance(judge, HttpJudge):
            key = "found" if judge.credentials.known else "not needed"
        if offline:
            return Answer(key)
        await judge.open()
        request = judge.request(QUESTION, Order.ORIGINAL, PROMPT)
        if request is None:
            return Answer(key, "", problem="can't be asked this question")
        (reply,) = await judge.ask([request])
    except JudgeUnavailableError as error:
        said = str(error).removeprefix(f"judge {judge.name}: ")
        return Answer(key, "not asked" if offline else "none", problem=said)
    except TransientError as error:
        return Answer(key, "none", problem=str(error))
    finally:
        await judge.close()
    return _read(judge, key, reply)


def _read(judge: Judge, key: str, reply: Reply) -> Answer:
    reading = judge.reader(PROMPT, Order.ORIGINAL).read(reply)
    if reading.outcome is Outcome.OK:
        right = "" if reading.value == RIGHT else f" ({RIGHT} is right)"
        return Answer(key, f"{reading.value}{right}", reply)
    said = reply.error or reply.text or "nothing"
    return Answer(key, str(reading.outcome), reply, f"{reading.outcome}: {said[:200]!r}")


def _model(judge: Judge) -> str:
    match judge:
        case HttpJudge():
            return judge.model
        case VllmJudge():
            return judge.path or str(judge.fingerprint["model"])
        case LlamaCppJudge():
            return judge.file.path or judge.file.name
    return ""


def _answered_as(judge: Judge, reply: Reply | None) -> str:
    """Return the model's name that a server reports, marked where it is not the one asked for."""
    if reply is None or not reply.model or not isinstance(judge, HttpJudge):
        return ""
    return reply.model if same_model(judge.model, reply.model) else f"{reply.model} (other name)"


def _tokens(judge: Judge, reply: Reply | None) -> str:
    if reply is None or judge.free:
        return ""
    if reply.input_tokens is None or reply.output_tokens is None:
        return "not counted"
    thought = f", {reply.thinking_tokens} of it thinking" if reply.thinking_tokens else ""
    return f"{reply.input_tokens} in, {reply.output_tokens} out{thought}"


def _probabilities(judge: Judge, reply: Reply | None) -> str:
    """Return whether the verdict words' probabilities came with the reply."""
    if reply is None or judge.free:
        return ""
    if reply.choice_logprobs:
        mass = "" if reply.label_mass is None else f", {reply.label_mass:.3f} of the mass"
        return f"yes{mass}"
    decoding = getattr(judge, "decoding", None)
    wanted = decoding is not None and decoding.verdict_by in ("logprobs", "words")
    return "asked for, not sent" if wanted else "not asked for"


def _retired(life: Lifetime | None, *, allowed: bool) -> str:
    if life is None or allowed or not life.retired(today()):
        return ""
    instead = f"use {life.successor}" if life.successor else "no successor is known"
    return f"{life.model} is retired since {life.served_until}; {instead}, or allow_retired=true"


def _served(life: Lifetime | None) -> str:
    if life is None:
        return ""
    if life.served_until is None:
        return "no end announced"
    left = life.days_left(today()) or 0
    if left <= 0:
        return f"retired since {life.served_until}"
    return f"until {life.served_until}, {left} days"


def _price(judge: Judge) -> str:
    """Return the price per million tokens and its age."""
    if judge.price is None:
        return "" if not is_remote(judge) else "none"
    price, age = judge.price, judge.price.days_old(today())
    return (
        f"${price.input_usd:g} in, ${price.output_usd:g} out, of {price.as_of} "
        f"({age} {'day' if age == 1 else 'days'} old)"
    )


def _gpus(judge: Judge, needed_gb: float, there: Sequence[Gpu]) -> tuple[str, str]:
    """Return the GPUs that a judge needs beside those that are here, and what is lacking."""
    if not isinstance(judge, VllmJudge) or judge.device == "cpu":
        return "", ""
    number = judge.launch.gpus * judge.launch.copies
    each = f" of {needed_gb:g} GB" if needed_gb else ", of unknown size"
    here = ", ".join(f"{gpu.name} {gpu.memory_gb:.0f} GB" for gpu in there) or "none"
    text = f"needs {number}{each}; here: {here}"
    if judge.launch.runtime.base_url is not None:
        return "those of its server", ""
    fitting = [gpu for gpu in there if gpu.memory_gb >= needed_gb]
    return text, "" if len(fitting) >= number else f"its GPUs are not here: {text}"


def _packages(judge: Judge) -> tuple[str, str]:
    """Return the versions of the packages that a judge needs, and what is lacking."""
    match judge:
        case HttpJudge():
            return _version("aiohttp"), ""
        case LlamaCppJudge() if importlib.util.find_spec("xllamacpp") is None:
            lacking = "llama.cpp is not installed; pip install 'llm-juries[local]'"
            return "xllamacpp missing", lacking
        case LlamaCppJudge():
            return _version("xllamacpp"), ""
        case VllmJudge() if judge.launch.runtime.base_url is not None:
            return _version("aiohttp"), ""
        case VllmJudge() if not has_vllm(judge.launch.python):
            lacking = f"{judge.launch.python} has no vLLM; pip install 'llm-juries[vllm]', or set "
            return "vllm missing", lacking + f"judges.{judge.name}.runtime.python"
        case VllmJudge():
            return _version("vllm"), ""
    return "", ""


def _version(package: str) -> str:
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:  # in another interpreter
        return package
