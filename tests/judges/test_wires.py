"""The three formats, beside what the vendors' own SDKs send to and read from the same server."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Literal

import anthropic
import cohere
import openai
import pydantic
import pytest
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming

from faulty_api import Fault, FaultyApi, in_a_thread
from llm_juries.errors import JuriesError
from llm_juries.judges.decoding import Decoding
from llm_juries.judges.errors import TransientError
from llm_juries.judges.http.judge import HttpJudge
from llm_juries.judges.http.server import Server
from llm_juries.judges.http.wires import WIRES
from llm_juries.prompts.prompt import Prompt, Shot
from llm_juries.types import Item, Order, Reply

ITEM = Item("d", "q", "m", question="What is 2 + 2?", answer="Four", references=("4",))
PROMPT = Prompt(
    "p",
    "{{ question }}\n{{ answer }}",
    {"True": 1.0, "False": 0.0},
    instruction="Grade the answer.",
    instruction_as="system",
    shots=(Shot("What is 1 + 1?", "2", "True"),),
    shots_as="turns",
)
CHAT = [{"role": m.role, "content": m.content} for m in PROMPT.render(ITEM, Order.ORIGINAL)]
SYSTEM, *TALK = CHAT
VENDORS = ("openai", "anthropic", "cohere")


class Graded(pydantic.BaseModel):
    # The verdict's schema as a user of an SDK would write it; a docstring would enter it.
    verdict: Literal["True", "False"]


@pytest.fixture
def api() -> Iterator[FaultyApi]:
    with in_a_thread(FaultyApi(api_key="planted")) as server:
        yield server


def judge_of(api: FaultyApi, wire: Any, **decoding: Any) -> HttpJudge:
    roots = {"openai": "/v1", "openai_text": "/v1", "anthropic": "/v1", "cohere": "/v2"}
    return HttpJudge(
        "j",
        "f",
        wire,
        "model-1",
        server=Server(api.base_url + roots[wire]),
        decoding=Decoding(**decoding),
    )


def asked(judge: HttpJudge, prompt: Prompt = PROMPT, key: str = "planted") -> Reply:
    """Ask the judge about the item, with a key in the environment."""

    async def ask() -> Reply:
        request = judge.request(ITEM, Order.ORIGINAL, prompt)
        assert request is not None
        await judge.ready()
        await judge.open()
        try:
            return (await judge.ask([request]))[0]
        finally:
            await judge.close()

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(judge.key_env or "UNUSED", key)
        return asyncio.run(ask())


def openai_client(api: FaultyApi) -> openai.OpenAI:
    return openai.OpenAI(api_key="planted", base_url=f"{api.base_url}/v1", max_retries=0)


def anthropic_client(api: FaultyApi) -> anthropic.Anthropic:
    return anthropic.Anthropic(api_key="planted", base_url=api.base_url, max_retries=0)


def cohere_client(api: FaultyApi) -> cohere.ClientV2:
    return cohere.ClientV2(api_key="planted", base_url=api.base_url)


def untitled(schema: Any) -> Any:
    """Return a JSON schema without the titles that pydantic gives everything."""
    if isinstance(schema, dict):
        return {k: untitled(v) for k, v in schema.items() if k != "title"}
    return schema


def flat(content: Any) -> Any:
    """Return a message's text, however it is parted and marked for the cache."""
    return content if isinstance(content, str) else "".join(block["text"] for block in content)


def unmarked(body: dict[str, Any]) -> dict[str, Any]:
    messages = [message | {"content": flat(message["content"])} for message in body["messages"]]
    return body | {"messages": messages, "system": flat(body["system"])}


def openai_said(api: FaultyApi, **options: Any) -> Any:
    return openai_client(api).chat.completions.create(
        model="model-1", messages=CHAT, **{"max_tokens": 16, "temperature": 0, **options}
    )


def anthropic_said(api: FaultyApi, **options: Any) -> Any:
    return anthropic_client(api).messages.create(
        model="model-1",
        messages=TALK,
        system=SYSTEM["content"],
        # Today's models take no temperature, so the SDK has it no more; the paper's still do.
        **{"max_tokens": 16, "extra_body": {"temperature": 0}, **options},
    )


def cohere_said(api: FaultyApi, **options: Any) -> Any:
    return cohere_client(api).chat(
        model="model-1", messages=CHAT, **{"max_tokens": 16, "temperature": 0, **options}
    )


SAID = {"openai": openai_said, "anthropic": anthropic_said, "cohere": cohere_said}


def both_bodies(api: FaultyApi, wire: str, sdk: dict[str, Any], ours: dict[str, Any]) -> Any:
    """Return what the SDK sent and what the judge sent."""
    SAID[wire](api, **sdk)
    asked(judge_of(api, wire, **ours))
    theirs, mine = api.bodies
    return theirs, (unmarked(mine) if wire == "anthropic" else mine)


@pytest.mark.parametrize("wire", VENDORS)
def test_the_body_is_the_one_the_sdk_sends(api: FaultyApi, wire: str):
    theirs, mine = both_bodies(api, wire, {}, {})
    assert mine == theirs


@pytest.mark.parametrize("wire", VENDORS)
def test_the_key_travels_as_with_the_sdk(api: FaultyApi, wire: str):
    SAID[wire](api)
    asked(judge_of(api, wire))
    theirs, mine = ({k.lower(): v for k, v in sent.items()} for sent in api.headers)
    assert mine["authorization"] == theirs["authorization"]
    assert mine["content-type"] == theirs["content-type"]


def test_anthropic_is_asked_in_the_sdks_version_of_the_api(api: FaultyApi):
    anthropic_said(api, extra_body={})
    asked(judge_of(api, "anthropic", temperature=None))
    theirs, mine = ({k.lower(): v for k, v in sent.items()} for sent in api.headers)
    assert mine["anthropic-version"] == theirs["anthropic-version"]


@pytest.mark.parametrize("decoding", [{}, {"temperature": None, "extra": {"top_k": 1}}])
def test_anthropic_is_asked_in_the_version_that_takes_sampling_parameters(
    api: FaultyApi, decoding: dict[str, Any]
):
    asked(judge_of(api, "anthropic", **decoding))
    assert api.headers[-1]["anthropic-version"] == "2023-06-01"


ROOM = {"max_tokens": 2048}  # for reasoning
OPTIONS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("openai", {"logprobs": True, "top_logprobs": 5}, {"verdict_by": "logprobs", "top": 5}),
    ("openai", {"seed": 7}, {"seed": 7}),
    ("openai", {"extra_body": {"random_seed": 7}}, {"seed": 7, "seed_as": "random_seed"}),
    ("openai", {"reasoning_effort": "low", **ROOM}, {"effort": "low", **ROOM}),
    ("openai", {"reasoning_effort": "none"}, {"effort": "none", "reasons": True}),
    (
        "openai",
        {"extra_body": {"thinking": {"type": "disabled"}}},
        {"thinking": "disabled", "reasons": True},
    ),
    (
        "openai",
        {"extra_body": {"thinking_token_budget": 512}, **ROOM},
        {"thinking_tokens": 512, **ROOM},
    ),
    ("openai", {"top_p": 0.5}, {"extra": {"top_p": 0.5}}),
    (
        "openai",
        {"extra_body": {"structured_outputs": {"choice": ["True", "False"]}}},
        {"verdict_by": "choice"},
    ),
    ("anthropic", {"output_config": {"effort": "low"}, **ROOM}, {"effort": "low", **ROOM}),
    ("anthropic", {"thinking": {"type": "disabled"}}, {"thinking": "disabled", "reasons": True}),
    ("anthropic", {"thinking": {"type": "adaptive"}, **ROOM}, {"thinking": "adaptive", **ROOM}),
    (
        "anthropic",
        {"thinking": {"type": "between_tools"}, **ROOM},
        {"thinking": "between_tools", **ROOM},
    ),
    ("anthropic", {"extra_body": {}}, {"temperature": None}),
    (
        "anthropic",
        {"thinking": {"type": "enabled", "budget_tokens": 1024}, **ROOM},
        {"thinking_tokens": 1024, **ROOM},
    ),
    ("cohere", {"seed": 7}, {"seed": 7}),
    (
        "cohere",
        {"thinking": {"type": "enabled", "token_budget": 512}, **ROOM},
        {"thinking_tokens": 512, **ROOM},
    ),
    ("cohere", {"thinking": {"type": "disabled"}}, {"thinking": "disabled", "reasons": True}),
]


@pytest.mark.parametrize(("wire", "sdk", "ours"), OPTIONS)
def test_options_become_the_fields_the_sdk_sends(
    api: FaultyApi, wire: str, sdk: dict[str, Any], ours: dict[str, Any]
):
    theirs, mine = both_bodies(api, wire, sdk, ours)
    assert mine == theirs


def test_openais_reasoning_models_get_the_field_they_know(api: FaultyApi):
    openai_client(api).chat.completions.create(
        model="model-1", messages=CHAT, max_completion_tokens=900, reasoning_effort="low"
    )
    decoding = {"max_tokens": 900, "max_tokens_as": "max_completion_tokens", "temperature": None}
    asked(judge_of(api, "openai", effort="low", **decoding))
    theirs, mine = api.bodies
    assert mine == theirs


def test_openais_schema_is_the_one_the_sdk_makes_of_a_model(api: FaultyApi):
    parsed = openai_client(api).chat.completions.parse(
        model="model-1", messages=CHAT, max_tokens=16, temperature=0, response_format=Graded
    )
    reply = asked(judge_of(api, "openai", verdict_by="schema"))
    theirs, mine = (untitled(body) for body in api.bodies)
    theirs["response_format"]["json_schema"]["name"] = "verdict"
    assert theirs.pop("stream") is False
    assert mine == theirs
    graded = parsed.choices[0].message.parsed
    assert graded is not None
    assert PROMPT.reader.read(reply).value == graded.verdict


def test_anthropics_schema_is_the_one_the_sdk_makes_of_a_model(api: FaultyApi):
    parsed = anthropic_client(api).messages.parse(
        model="model-1",
        messages=TALK,
        system=SYSTEM["content"],
        max_tokens=16,
        extra_body={"temperature": 0},
        output_format=Graded,
    )
    reply = asked(judge_of(api, "anthropic", verdict_by="schema"))
    theirs, mine = (untitled(body) for body in api.bodies)
    # The SDK leaves out the type, which an enumeration implies.
    schema = theirs["output_config"]["format"]["schema"]
    schema["properties"]["verdict"]["type"] = "string"
    assert unmarked(mine) == theirs
    graded = parsed.parsed_output
    assert graded is not None
    assert PROMPT.reader.read(reply).value == graded.verdict


def test_coheres_schema_travels_as_the_sdk_sends_it(api: FaultyApi):
    schema = untitled(Graded.model_json_schema()) | {"additionalProperties": False}
    response_format = {"type": "json_object", "json_schema": schema}
    theirs, mine = both_bodies(
        api, "cohere", {"response_format": response_format}, {"verdict_by": "schema"}
    )
    assert mine == theirs


def test_openais_reply_is_read_as_the_sdk_reads_it(api: FaultyApi):
    said = openai_said(api, logprobs=True, top_logprobs=3)
    reply = asked(judge_of(api, "openai", verdict_by="logprobs", top=3))
    assert reply.text == said.choices[0].message.content
    assert reply.input_tokens == said.usage.prompt_tokens
    assert reply.cached_tokens == said.usage.prompt_tokens_details.cached_tokens
    assert reply.output_tokens == said.usage.completion_tokens
    likely = {t.token.strip(): t.logprob for t in said.choices[0].logprobs.content[0].top_logprobs}
    assert reply.choice_logprobs == {word: likely[word] for word in PROMPT.choices}


def test_anthropics_reply_is_read_as_the_sdk_reads_it(api: FaultyApi):
    said = anthropic_said(api)
    reply = asked(judge_of(api, "anthropic"))
    assert reply.text == said.content[0].text
    assert reply.cached_tokens == said.usage.cache_read_input_tokens
    assert reply.cache_write_tokens == said.usage.cache_creation_input_tokens
    fresh = said.usage.input_tokens
    assert reply.input_tokens == fresh + reply.cached_tokens + reply.cache_write_tokens
    assert reply.output_tokens == said.usage.output_tokens


def test_coheres_reply_is_read_as_the_sdk_reads_it(api: FaultyApi):
    said = cohere_said(api)
    reply = asked(judge_of(api, "cohere"))
    assert reply.text == said.message.content[0].text
    assert reply.input_tokens == said.usage.billed_units.input_tokens
    assert reply.output_tokens == said.usage.billed_units.output_tokens


STOPS = {"length": "length", "refusal": "refusal", "prose": "stop"}


@pytest.mark.parametrize("fault", STOPS)
@pytest.mark.parametrize("wire", VENDORS)
def test_why_a_reply_ended_is_kept(wire: str, fault: str):
    if (wire, fault) == ("cohere", "refusal"):
        pytest.skip("Cohere's format has no refusals")
    with in_a_thread(FaultyApi(faults=[Fault(fault, always=True)])) as api:
        assert asked(judge_of(api, wire)).stop == STOPS[fault]


@pytest.mark.parametrize("wire", VENDORS)
def test_a_response_without_content_is_no_reply(wire: str):
    with (
        in_a_thread(FaultyApi(faults=[Fault("empty", always=True)])) as api,
        pytest.raises(TransientError, match="has no"),
    ):
        asked(judge_of(api, wire))


@pytest.mark.parametrize("count", [None, "many", True, float("nan"), [3], {"total": 3}])
def test_a_count_that_is_no_number_is_unknown(count: Any):
    body = {"choices": [{"message": {"content": "True"}}], "usage": {"prompt_tokens": count}}
    assert WIRES["openai"].reply(body, ("True", "False")).input_tokens is None
    assert WIRES["openai"].reply({**body, "usage": count}, ()).output_tokens is None


@pytest.mark.parametrize("wire", VENDORS)
def test_a_reply_without_usage_has_no_token_counts(wire: str):
    with in_a_thread(FaultyApi(faults=[Fault("no_usage", always=True)])) as api:
        reply = asked(judge_of(api, wire))
    assert (reply.input_tokens, reply.output_tokens) == (None, None)


REASONED: dict[str, Any] = {
    "openai": {
        "choices": [{"message": {"content": "True", "reasoning_content": "2 + 2 = 4"}}],
    },
    "anthropic": {
        "content": [
            {"type": "thinking", "thinking": "2 + 2 = 4", "signature": "s"},
            {"type": "text", "text": "True"},
        ],
        "stop_reason": "end_turn",
    },
    "cohere": {
        "message": {
            "content": [
                {"type": "thinking", "thinking": "2 + 2 = 4"},
                {"type": "text", "text": "True"},
            ]
        },
        "finish_reason": "COMPLETE",
    },
}


@pytest.mark.parametrize("wire", VENDORS)
def test_reasoning_that_comes_apart_from_the_text_is_kept_apart(wire: str):
    reply = WIRES[wire].reply(REASONED[wire], PROMPT.choices)
    assert (reply.text, reply.thinking) == ("True", "2 + 2 = 4")


def test_the_spellings_of_a_verdict_word_add_up():
    top = [("True", -3.0), (" True", -0.2), ("False", -2.0), ("Trueish", -6.0)]
    likely = [{"token": token, "logprob": logprob} for token, logprob in top]
    body = {
        "choices": [
            {"message": {"content": "x"}, "logprobs": {"content": [{"top_logprobs": likely}]}}
        ]
    }
    reply = WIRES["openai"].reply(body, PROMPT.choices)
    both = math.log(math.exp(-3.0) + math.exp(-0.2))
    assert reply.choice_logprobs == pytest.approx({"True": both, "False": -2.0})
    assert PROMPT.reader.read(reply).value == "True"


def marked(body: dict[str, Any]) -> list[str]:
    """Return the texts after which the provider is told to cache."""
    blocks = [b for m in body["messages"] if isinstance(m["content"], list) for b in m["content"]]
    blocks += body.get("system", [])
    return [block["text"] for block in blocks if "cache_control" in block]


@pytest.mark.parametrize(
    ("prompt", "last"),
    [
        (replace(PROMPT, shots=()), "Grade the answer."),
        (PROMPT, "True"),
        (replace(PROMPT, shots_as="text"), "True"),
    ],
    ids=["system alone", "turns", "shots in the text"],
)
def test_anthropic_is_told_to_cache_what_all_items_share(prompt: Prompt, last: str):
    judge = HttpJudge("j", "f", "anthropic", "m")
    bodies = []
    for item in (ITEM, replace(ITEM, question="Who?", answer="Me")):
        request = judge.request(item, Order.ORIGINAL, prompt)
        assert request is not None
        bodies.append(judge.wire.body("m", request, judge.decoding))
    first, second = map(marked, bodies)
    assert first == second
    assert first[-1].strip().endswith(last)


def test_the_sdk_takes_the_marked_body(api: FaultyApi):
    """The cache marks lie where the SDK's own types have them."""
    judge = judge_of(api, "anthropic")
    request = judge.request(ITEM, Order.ORIGINAL, PROMPT)
    assert request is not None
    body = judge.wire.body("model-1", request, judge.decoding)
    adapter = pydantic.TypeAdapter(MessageCreateParamsNonStreaming)
    adapter.validate_python(body)
    assert marked(body)


@pytest.mark.parametrize(("wire", "by"), [("anthropic", "logprobs"), ("cohere", "choice")])
def test_a_format_without_the_wished_verdict_is_said_so(wire: Any, by: Any):
    with pytest.raises(
        JuriesError, match=f"{wire} does not support '{by}'; set it to one of: text"
    ):
        HttpJudge("j", "f", wire, "m", decoding=Decoding(verdict_by=by))


TEXT = {"choices": [{"text": " True", "finish_reason": "length"}], "usage": {"prompt_tokens": 9}}
LEGACY = {"top_logprobs": [{" True": -0.2, " False": -2.0}]}
AS_CHAT = {
    "content": [
        {"top_logprobs": [{"token": " True", "logprob": -0.2}, {"token": "False", "logprob": -2.0}]}
    ]
}


@pytest.mark.parametrize("logprobs", [LEGACY, AS_CHAT], ids=["OpenAI, vLLM", "llama.cpp"])
def test_a_completions_probabilities_are_read_in_both_forms(logprobs: dict[str, Any]):
    body = TEXT | {"choices": [{"text": " True", "finish_reason": "length", "logprobs": logprobs}]}
    reply = WIRES["openai_text"].reply(body, PROMPT.choices)
    assert reply.choice_logprobs == {"True": -0.2, "False": -2.0}
    assert (reply.text, reply.stop, reply.input_tokens) == (" True", "length", 9)


def test_a_completion_without_probabilities_is_text():
    assert WIRES["openai_text"].reply(TEXT, PROMPT.choices).choice_logprobs == {}


def test_a_completion_is_asked_for_and_read_as_with_the_sdk(api: FaultyApi):
    text = "\n\n".join(message["content"] for message in CHAT)
    said = openai_client(api).completions.create(
        model="model-1", prompt=text, max_tokens=1, temperature=0, logprobs=5
    )
    reply = asked(judge_of(api, "openai_text", verdict_by="logprobs", max_tokens=1, top=5))
    theirs, mine = api.bodies
    assert mine == theirs
    assert reply.text == said.choices[0].text
    assert said.usage is not None
    assert reply.input_tokens == said.usage.prompt_tokens
    assert said.choices[0].logprobs is not None
    (likely,) = said.choices[0].logprobs.top_logprobs or [{}]
    assert reply.choice_logprobs == {reply.text.strip(): likely[reply.text]}
