"""Model names that a server states, compared with the one that was asked for."""

from __future__ import annotations

import pytest

from llm_juries.judges.http.served import same_model

SAME = [
    ("gpt-4o", "gpt-4o"),
    ("gpt-4o", "gpt-4o-2024-08-06"),
    ("openai/gpt-4o", "gpt-4o-2024-08-06"),
    ("gpt-4", "gpt-4-0613"),
    ("mistral-small-latest", "mistral-small-2503"),
    ("claude-3-haiku", "claude-3-haiku-20240307"),
    ("command-r", "command-r-08-2024"),
    ("gemini-1.5-pro", "models/gemini-1.5-pro-002"),
    ("anthropic.claude-3-haiku-20240307-v1:0", "anthropic.claude-3-haiku-20240307"),
    ("mistralai/mistral-small:free", "mistralai/mistral-small"),
    ("Qwen/Qwen2.5-7B-Instruct", "qwen2.5-7b-instruct"),
]
OTHER = [
    ("gpt-4", "gpt-4o"),
    ("gpt-4", "gpt-4.1"),
    ("gpt-4", "gpt-4.1-2025-04-14"),
    ("gpt-4", "gpt-4-turbo-2024-04-09"),
    ("gpt-4o", "gpt-4o-mini"),
    ("gpt-4o-2024-08-06", "gpt-4o-2024-05-13"),
    ("claude-3-opus", "claude-3-haiku-20240307"),
    ("qwen2.5-72b", "qwen2.5-7b"),
    ("llama3.2:3b", "llama3.2:1b"),
]


@pytest.mark.parametrize(("asked", "served"), SAME)
def test_dates_publishers_and_capitals_are_not_another_model(asked: str, served: str):
    assert same_model(asked, served)
    assert same_model(served, asked)


@pytest.mark.parametrize(("asked", "served"), OTHER)
def test_another_model_is_told_apart(asked: str, served: str):
    assert not same_model(asked, served)
    assert not same_model(served, asked)
