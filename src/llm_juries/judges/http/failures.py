"""What a provider's error means: for the judge, for the rate limit, or for this one request.

An error may come with any HTTP status, 200 included, and as one of many JSON forms. The provider's
own code and words decide where they are known, else the status.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ...escaping import terminal
from ...types import Reply
from .wire import Json, decoded, words_of

Effect = Literal["unavailable", "transient", "refused", "too_long", "rejected"]
"""What an error concerns: all requests for good, all for now, or one request for good.

"refused" and "too_long" are about what this request says; "rejected" may be about what all say.
"""

CONTENT_FILTER, TOO_LONG = "content_filter", "context_length_exceeded"  # finish reasons
RETRIED = frozenset({408, 409, 421, 423, 424, 425, 429, 499})
OVERLOADED = frozenset({429, 503, 529})
DENIED = frozenset({403, 404})  # which some servers also say to a single request
UNAVAILABLE = frozenset({401, 402, 403, 404, 405, 410, 501})
TOO_LARGE = frozenset({413, 414, 431})

_CODES = {
    400: "invalid_request_error bad_request badrequesterror invalid_argument validation_error "
    "unprocessable_entity",
    401: "authentication_error invalid_api_key invalid_authentication unauthenticated",
    402: "insufficient_quota billing_error billing_hard_limit_reached billing_not_active "
    "payment_required insufficient_credits insufficient_balance",
    403: "permission_error permission_denied account_deactivated access_terminated",
    404: "not_found_error model_not_found not_found",
    429: "rate_limit_error rate_limit_exceeded resource_exhausted too_many_requests rate_limited "
    "throttling_exception",
    500: "api_error server_error internal_error internal",
    504: "timeout_error deadline_exceeded",
    529: "overloaded_error overloaded unavailable service_unavailable",
}
STATUSES = {code: status for status, codes in _CODES.items() for code in codes.split()}
"""Providers' own codes, in lower case, as the HTTP statuses that say the same."""
FILTERED = frozenset(
    {
        "content_filter",
        "content_policy_violation",
        "responsibleaipolicyviolation",
        "invalid_prompt",
        "moderation_blocked",
        "data_inspection_failed",
        "datainspectionfailed",
    }
)
LONG = frozenset(
    {
        "context_length_exceeded",
        "context_window_exceeded",
        "string_above_max_length",
        "request_too_large",
        "exceed_context_size_error",
    }
)
_FILTERED = re.compile(
    r"content[ _-](management |filter\w* )?(policy|filter)|moderation|\bflagged\b|safety (system|"
    r"filter|polic)|usage polic|sensitive (content|information)|inappropriate content",
    re.IGNORECASE,
)
_LONG = re.compile(
    r"context (length|window|size)|too long|too many (input )?tokens|reduce the (length|number)|"
    r"max(imum)?[ _](context|prompt|input|sequence|model|total)[ _]?(len|length|size|tokens)|"
    r"(prompt|input|request)\b.{0,60}\b(exceeds?|longer than|larger than|too large)",
    re.IGNORECASE,
)
_UNPAID = re.compile(
    r"credit balance is too low|insufficient (credits?|balance|funds)|"
    r"(invalid|incorrect|expired) api key|api key (not valid|expired)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Failure:
    """An error as a server states it.

    Parameters
    ----------
    status : int
        The HTTP status, or the one that the error's code stands for.
    message : str
        The provider's own words.
    codes : frozenset of str
        Its codes and types, in lower case.
    inside : bool
        Whether it came in a successful response.
    """

    status: int
    message: str
    codes: frozenset[str] = frozenset()
    inside: bool = False

    @property
    def effect(self) -> Effect:
        """What the error concerns."""
        about_request = self.status in (400, 403, 413, 422) or self.status in TOO_LARGE
        if self.codes & FILTERED or (about_request and _FILTERED.search(self.message)):
            return "refused"
        if self.codes & LONG or self.status in TOO_LARGE:
            return "too_long"
        if about_request and self.status != 403 and _LONG.search(self.message):
            return "too_long"
        implied = {STATUSES[code] for code in self.codes if code in STATUSES}
        if self.status in UNAVAILABLE or 402 in implied or 300 <= self.status < 400:
            return "unavailable"
        if self.status == 400 and (401 in implied or _UNPAID.search(self.message)):
            return "unavailable"
        if self.status in RETRIED or not 400 <= self.status < 500:
            return "transient"
        return "rejected"

    @property
    def denied(self) -> Reply | None:
        """The reply if only this request is denied, by a judge that answers others; else None."""
        implied = {STATUSES[code] for code in self.codes if code in STATUSES}
        if self.effect != "unavailable" or self.status not in DENIED or 402 in implied:
            return None
        return Reply(stop="rejected", error=str(self))

    @property
    def overloaded(self) -> bool:
        """Whether the provider asks for fewer requests."""
        return self.status in OVERLOADED

    def __str__(self) -> str:
        return f"{'error' if self.inside else 'HTTP'} {self.status}: {self.message}"

    def reply(self) -> Reply:
        """Return the reply to the request that failed in this way.

        Its finish reason says whether that is about what this request says.
        """
        match self.effect:
            case "refused":
                return Reply(stop="refusal", error=str(self), finish_reason=CONTENT_FILTER)
            case "too_long":
                return Reply(stop="rejected", error=str(self), finish_reason=TOO_LONG)
            case "rejected":
                return Reply(stop="rejected", error=str(self))
        return Reply(stop="error", error=str(self))


def failure_of(status: int, raw: bytes) -> Failure:
    """Return the error that a response with an HTTP status but success states."""
    try:
        body = decoded(raw)
    except ValueError:
        return Failure(status, excerpt(raw))
    message, codes = _stated(body)
    return Failure(status, message or excerpt(raw), codes)


def failure_within(body: Json) -> Failure | None:
    """Return the error that a successful response states, None where it states none."""
    error = body.get("error") or body.get("errors")
    choices = body.get("choices")
    if not error and isinstance(choices, list) and choices and isinstance(choices[0], dict):
        error = choices[0].get("error")
    if not error and (body.get("type") == "error" or body.get("object") == "error"):
        error = body
    if not error and not {"choices", "content"} & body.keys() and _words(body):
        error = body  # {"code": 429, "message": "..."}, {"detail": "..."}
    if not error:
        return None
    if isinstance(error, int) and not isinstance(error, bool):
        error = {"code": error, "message": _words(body) or str(error)}
    elif not isinstance(error, Mapping | list):
        error = {
            **body,
            "error": None,
            "message": error if isinstance(error, str) else _words(body),
        }
    error = innermost(error)
    message, codes = _stated({"error": error})
    if not (message or codes):
        return None
    return Failure(_status(error, codes), message or ", ".join(sorted(codes)), codes, inside=True)


def innermost(error: Any) -> Any:
    """Return the error itself: some servers wrap it in further objects."""
    while isinstance(error, Mapping) and isinstance(inner := error.get("error"), Mapping):
        error = inner
    return error


def excerpt(raw: bytes) -> str:
    """Return what a response that is not JSON says, without the tags of a page."""
    text = re.sub(
        r"(?s)<(script|style).*?</\1>|<[^<>]*>", " ", raw[:65536].decode(errors="replace")
    )
    return _short(text)


def _words(body: Json) -> str:
    """Return the text that an error's usual fields hold, "" where they hold none."""
    found = (body.get(name) for name in ("message", "msg", "detail"))
    return next((text for text in found if isinstance(text, str) and text), "")


def _stated(body: Any) -> tuple[str, frozenset[str]]:
    """Return the message and the codes of an error in any of the common forms."""
    if isinstance(body, list):  # Google's
        body = body[0] if body else {}
    if not isinstance(body, dict):
        return _short(str(body)), frozenset()
    error = body.get("error") or body.get("errors") or body
    if isinstance(error, list):
        error = error[0] if error else {}
    if not isinstance(error, Mapping):
        error = {**body, "message": error if isinstance(error, str) else body.get("message")}
    message = next((error[k] for k in ("message", "msg", "detail", "error") if error.get(k)), None)
    inner = error.get("innererror")
    named = [error.get("code"), error.get("type"), error.get("status"), body.get("error_type")]
    named += [inner.get("code")] if isinstance(inner, Mapping) else []
    codes = frozenset(word.lower() for word in named if isinstance(word, str) and word)
    if message is None:
        return "", codes
    return _short(words_of(message)), codes


def _status(error: Any, codes: frozenset[str]) -> int:
    """Return the status that an error inside a successful response stands for; 500 if unknown."""
    found = (
        [error.get(k) for k in ("code", "status", "status_code", "statusCode")]
        if isinstance(error, Mapping)
        else []
    )
    for value in [*found, *sorted(codes)]:
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) == 3:
            value = int(value)
        if isinstance(value, int | float) and value in range(400, 600):
            return int(value)
    implied = {STATUSES[code] for code in codes if code in STATUSES}
    return min(implied - {400}, default=400 if implied else 500)


def _short(text: str) -> str:
    return terminal(" ".join(text.split()))[:1000]
