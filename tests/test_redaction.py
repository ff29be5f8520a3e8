"""Secrets in configs and texts are found, however they are spelled."""

from __future__ import annotations

import asyncio
import base64
import json
from urllib.parse import quote

import pytest

from llm_juries.errors import JuriesError
from llm_juries.judges.errors import JudgeUnavailableError
from llm_juries.judges.http.judge import HttpJudge
from llm_juries.judges.http.server import Server
from llm_juries.judges.vllm.options import Runtime
from llm_juries.redaction import (
    found_in,
    of_environment,
    redacted,
    without_logins,
    without_secrets,
)

KEY = "sk-Ab/c+d=é&1~xyzw"


@pytest.mark.parametrize(
    "text",
    [
        KEY,
        quote(KEY),
        quote(KEY, safe=""),
        json.dumps(KEY),
        json.dumps(KEY, ensure_ascii=False),
        "".join(f"\\u{ord(sign):04X}" for sign in KEY),
        KEY.replace("-", "\\u002d").replace("/", "\\/"),
        KEY.upper(),
        KEY.encode().hex(),
        *(base64.b64encode(b"x" * n + KEY.encode() + b"y" * n).decode() for n in range(4)),
        base64.urlsafe_b64encode(f"user:{KEY}".encode()).decode(),
    ],
)
def test_a_key_is_taken_out_in_every_spelling(text: str):
    left = redacted(f"before {text} after", [KEY])
    assert "(redacted)" in left
    assert left.startswith("before ")
    assert left.endswith(" after")
    for part in (KEY[:8], KEY[-8:], quote(KEY, safe="")[:10], KEY.encode().hex()[:16]):
        assert part.casefold() not in left.casefold()


LONG = "sk-Ab/c+d=e~uSer_1234567890.QrStUv"
RAW = LONG.encode()
CODED = base64.b64encode(b"user:" + RAW).decode()
DISGUISES = {
    "every sign in a URL": "".join(f"%{code:02X}" for code in RAW),
    "some signs in a URL": LONG.replace("A", "%41").replace("/", "%2f"),
    "a URL in a URL": quote(quote(LONG, safe=""), safe=""),
    "upper hex": RAW.hex().upper(),
    "hex in pairs": RAW.hex(":"),
    "hex of bytes": " ".join(f"0x{code:02X}" for code in RAW),
    "code": "".join(f"\\x{code:02x}" for code in RAW),
    "octal code": "".join(f"\\{code:03o}" for code in RAW),
    "JavaScript": "".join(f"\\u{{{code:x}}}" for code in RAW),
    "JSON in JSON": json.dumps(json.dumps({"key": LONG.replace("/", "\\/")})),
    "JSON in JSON in JSON": "".join(f"\\\\\\\\u{code:04x}" for code in RAW),
    "HTML by number": "".join(f"&#{code};" for code in RAW),
    "HTML by hex number": "".join(f"&#x{code:X};" for code in RAW),
    "HTML by name": LONG.replace("/", "&sol;").replace("+", "&plus;"),
    "HTML tags": f"{LONG[:9]}<wbr>{LONG[9:20]}</b><b>{LONG[20:]}",
    "lines": f"{LONG[:9]}\n{LONG[9:]}",
    "lines of a header": f"{LONG[:9]}\r\n\t{LONG[9:]}",
    "lines in JSON": f"{LONG[:9]}\\n{LONG[9:]}",
    "base64 in lines": f"{CODED[:30]}\r\n{CODED[30:]}",
    "base64 in JSON's lines": f"{CODED[:30]}\\n{CODED[30:]}",
    "base64 in a URL": quote(CODED, safe=""),
    "base64 of base64": base64.b64encode(base64.b64encode(RAW)).decode(),
    "base64 of UTF-16": base64.b64encode(LONG.encode("utf-16-le")).decode(),
    "base32": base64.b32encode(RAW).decode(),
    "zero-width signs": "\u200b".join(LONG),
    "full-width signs": "".join(chr(ord(sign) + 0xFEE0) for sign in LONG),
    "full-width signs in JSON": "".join(f"\\u{ord(sign) + 0xFEE0:04x}" for sign in LONG),
    "spaces": " ".join(LONG),
    "a list of its signs": json.dumps(list(LONG)),
    "a list of its bytes": json.dumps(list(RAW)),
    "code that joins it": f'"{LONG[:9]}" + "{LONG[9:]}"',
    "other cases": LONG.swapcase(),
    "all but its end": LONG[:-6],
    "all but its beginning": LONG[6:],
}


@pytest.mark.parametrize("how", DISGUISES)
def test_a_key_is_taken_out_in_disguise(how: str):
    left = redacted(f"before {DISGUISES[how]} after", [LONG])
    assert left.startswith("before ")
    assert left.endswith(" after")
    assert 0 <= len(left.replace("(redacted)", "")) - len("before  after") <= 24, left
    assert "(redacted)" in left


def test_what_only_resembles_a_key_stays():
    text = "The user 1234567890 said: sk-Ab is short, and c+d=e~uSer is a formula. %zz &#xFFFFFFF;"
    assert redacted(text, [LONG]) == text
    assert redacted("no key is required here", ["sk-no-key-required"]) == "no key is required here"


def test_an_environments_paths_are_no_secrets(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SSH_KEY", __file__)
    monkeypatch.setenv("MY_TOKEN_2", "/w9+secret/value=")
    assert __file__ not in of_environment()
    assert "/w9+secret/value=" in of_environment()


def test_a_short_key_takes_nothing_out():
    assert redacted("EMPTY ollama", ["EMPTY", "ollama"]) == "EMPTY ollama"


def test_secrets_are_taken_out_of_a_config(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SOME_API_KEY", "very-secret-value")
    config = {
        "key_env": "SOME_API_KEY",
        "max_tokens": 16,
        "tokenizer": "cl100k",
        "api_key": "abc",
        "token": None,
        "nested": [{"headers": "Bearer very-secret-value"}],
        "base_url": "https://me:pass@host/v1?key=abc&version=2",
    }
    assert without_secrets(config) == {
        "key_env": "SOME_API_KEY",
        "max_tokens": 16,
        "tokenizer": "cl100k",
        "api_key": "(redacted)",
        "token": None,
        "nested": [{"headers": "(redacted)"}],
        "base_url": "https://(redacted)@host/v1?key=(redacted)&version=2",
    }


@pytest.mark.parametrize(
    "config",
    [
        {"base_url": "https://me:pass@host/v1"},
        {"base_url": "https://${oc.env:USER}:${oc.env:PASS}@host"},
        {"path": "https://host/x?api_key=abc"},
        {"server": {"key_env": "sk-this-is-the-key"}},
        {"judges.a.api_key": "abc"},
        {"environment": {"HF_TOKEN": "abc"}},
        {"extra": {"headers": [{"Authorization": "Bearer abcdefghij"}]}},
        {"note": "hf_abcdefghijklmnopqrst"},
        {"note": "it is very-secret-value"},
    ],
)
def test_a_secret_in_a_config_is_found(config: dict[str, object], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SOME_API_KEY", "very-secret-value")
    assert len(list(found_in(config))) == 1


@pytest.mark.parametrize(
    "config",
    [
        {"key_env": "OPENAI_API_KEY", "base_url": "http://host:1/v1", "max_tokens": 5},
        {"HF_TOKEN": "${oc.env:HF_TOKEN}", "tokenizer": "cl100k", "token": None},
        {"name": "gpt-4o-mini-2024-07-18", "revision": "a" * 40, "path": "a@b.csv"},
        {"url": "https://host/x?version=2&page=3", "text": "sk-8", "thinking_tokens": 1},
    ],
)
def test_what_is_no_secret_is_left_alone(config: dict[str, object]):
    assert not list(found_in(config))


def test_a_text_keeps_what_is_no_login():
    text = "mail me@host, see https://host/@user?page=2 and A@B://x"
    assert without_logins(text) == text


@pytest.mark.parametrize(
    "url",
    ["https://me:pass@h/v1", "https://me:p/ass@h/v1", "https://h/v1?key=abc", "http://h/v1#x"],
)
def test_an_address_with_a_secret_is_refused_without_showing_it(url: str):
    for made in (Server, lambda base_url: Runtime(base_url=base_url)):
        with pytest.raises(JuriesError, match=r"^base_url: h") as told:
            made(base_url=url)
        assert "abc" not in str(told.value)
        assert "pass" not in str(told.value)


@pytest.mark.parametrize(
    ("url", "key", "fine"),
    [
        ("http://127.0.0.1:1/v1", "EMPTY", True),
        ("http://[::1]:1/v1", "ollama", True),
        ("http://localhost:1/v1", "x", True),
        ("http://192.168.0.7:1/v1", "EMPTY", True),
        ("http://10.1.2.3/v1", "EMPTY", True),
        ("http://ollama:11434/v1", "EMPTY", True),
        ("http://gpu.lan/v1", "EMPTY", True),
        ("https://api.example.com/v1", "EMPTY", False),
        ("https://8.8.8.8/v1", "ollama", False),
        ("https://api.example.com/v1", "long-enough", True),
        ("https://api.example.com/v1", "a-key-with-a-line-break\n", False),
        ("https://api.example.com/v1", "a-key-with-a-smart-quote”", False),
    ],
)
def test_a_short_key_is_for_private_servers(
    url: str, key: str, fine: bool, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("SOME_KEY", key)
    judge = HttpJudge("j", "f", "openai", "m", server=Server(url, "SOME_KEY"))
    if fine:
        asyncio.run(judge.ready())
        return
    with pytest.raises(JudgeUnavailableError, match="judge j: the key in SOME_KEY has") as told:
        asyncio.run(judge.ready())
    assert key.strip() not in str(told.value)


@pytest.mark.parametrize(
    "masked",
    [
        "sk-A****StUv",
        "sk-Ab/...QrStUv",
        "sk-A…Uv",
        r"sk-A\u2026StUv",
        "sk-Ab/••••••••••••StUv",
        "sk-A[...]StUv",
        "sk-A[redacted]StUv",
        r"sk-A\*\*\*\*StUv",
        "SK-A * * * * stuv",
        "sk-AxxxxxxxxxxxxxxxxxxxxStUv",
        "************StUv",
        "...QrStUv",
        "sk-Ab/c+d=e~uSer_****",
        "sk-A&hellip;StUv",
    ],
)
def test_what_a_mask_leaves_of_a_key_is_taken_out(masked: str):
    assert redacted(f"the key {masked}, of 34 signs", [LONG]) == ("the key (redacted), of 34 signs")


@pytest.mark.parametrize(
    "text",
    [
        "It is so... true; sk-... and **stu** are no key.",
        "sk-****",
        "The stack [redacted] Stu said; v... ** a **",
        "* " * 1000,
    ],
)
def test_a_mask_beside_no_key_is_left(text: str):
    assert redacted(text, [LONG]) == text
